from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterator

import numpy as np
import pytest

from monitor.engine import correlation_estimator
from monitor.engine.composite import TicksFold
from monitor.engine.correlation import gather, view_of
from monitor.engine.correlation_estimator import CorrelationEstimator
from monitor.engine.correlation_returns import Returns
from monitor.engine.market import Market
from monitor.engine.minutes import MINUTE_US, Minute, Sample
from tests.unit.engine.market_records import DAY_S, at, heartbeat, source_tick

START_US = at(0)
assert START_US % MINUTE_US == 0


def minute_at(k: int, prices: dict[str, float], skipped: int = 0) -> Minute:
    """The k-th minute with an index tick in each sample."""
    time_us = START_US + k * MINUTE_US
    return Minute(time_us, {name: Sample(price, False, False, time_us) for name, price in prices.items()}, skipped)


def walk(seed: int, minutes: int, names: str, own: float = 0.5, first: int = 0) -> Iterator[Minute]:
    """Minutes of coins that share one factor, `own` the share of their own moves in the variance."""
    draw = random.Random(seed)
    logs = dict.fromkeys(names, 0.0)
    for k in range(first, first + minutes):
        factor = draw.gauss(0.0, 1e-3)
        for name in names:
            logs[name] += math.sqrt(1.0 - own) * factor + math.sqrt(own) * draw.gauss(0.0, 1e-3)
        yield minute_at(k, {name: 100.0 * math.exp(value) for name, value in logs.items()})


def estimator_of(minutes: Iterator[Minute]) -> CorrelationEstimator:
    estimator = CorrelationEstimator()
    for minute in minutes:
        estimator.on_minute(minute)
    return estimator


# --- returns ------------------------------------------------------------------------------------------


class Series:
    """One coin, minute by minute."""

    def __init__(self) -> None:
        self.returns = Returns()
        self.k = -1

    def take(self, price: float, held: bool = False, tick_age_min: float = 0.0) -> float | None:
        self.k += 1
        time_us = START_US + self.k * MINUTE_US
        return self.returns.take(time_us, Sample(price, held, False, time_us - round(tick_age_min * MINUTE_US)))

    def warm_up(self, minutes: int = 60, step: float = 0.001) -> None:
        """Prices that go up and down by `step` every ten minutes, so that each return is one of both."""
        for k in range(minutes):
            self.take(math.exp(step * (k // 10 % 2)))


def count_of(series: Series) -> float:
    return series.returns.weight**2 / series.returns.squares


def test_the_first_return_needs_eleven_minutes() -> None:
    """Eleven prices make the first ten-minute return; nothing is standardised by a volatility of few of them."""
    series = Series()
    for _ in range(10):
        assert series.take(100.0) is None
    assert series.returns.time_us == 0
    assert series.take(101.0) is None
    assert series.returns.total == pytest.approx(math.log(1.01) ** 2, rel=1e-12)


def test_a_return_is_divided_by_the_volatility_before_it() -> None:
    """Returns of one size are one volatility each, and one of twice the size is two, not less."""
    series = Series()
    series.warm_up()
    assert count_of(series) > 30.0
    base = series.returns.prices[1]
    assert series.take(base * math.exp(0.002)) == pytest.approx(2.0, rel=1e-9)
    assert series.take(series.returns.prices[1] * math.exp(-0.001)) != pytest.approx(-1.0, rel=1e-3)


@pytest.mark.parametrize(("move", "expected"), [(0.5, 3.0), (-0.5, -3.0), (0.0031, 3.0), (0.0029, 2.9)])
def test_a_jump_counts_as_three_volatilities(move: float, expected: float) -> None:
    """Standardised returns are clipped at three."""
    series = Series()
    series.warm_up()
    assert series.take(series.returns.prices[1] * math.exp(move)) == pytest.approx(expected, rel=1e-9)


def test_a_held_index_ends_and_begins_no_return() -> None:
    """A minute at which the index is held gives no return, nor does the one ten minutes later; all others do."""
    series = Series()
    series.warm_up()
    found = [series.take(math.exp(0.001 * (k // 10 % 2)), held=k == 63) is not None for k in range(60, 80)]
    assert [k for k, one in zip(range(60, 80), found, strict=True) if not one] == [63, 73]


def test_a_return_without_a_tick_inside_is_none() -> None:
    """The newest tick has to be younger than the return is long."""
    series = Series()
    series.warm_up()
    assert series.take(1.0, tick_age_min=9.99) is not None
    assert series.take(1.0, tick_age_min=10.0) is None


def test_a_coin_that_hardly_moves_is_quiet() -> None:
    """A volatility below 2 bp in ten minutes gives no returns; after an hour of it the coin is quiet, and stays so."""
    series = Series()
    series.warm_up(minutes=70, step=1e-4)
    assert not series.returns.quiet
    series.warm_up(minutes=10, step=1e-4)
    assert series.returns.quiet
    assert series.take(1.0) is None
    for _ in range(30):
        last = series.take(series.returns.prices[-1] * 1.01)
    assert last is not None
    assert series.returns.quiet


def test_a_quiet_coin_stays_quiet_after_a_silence() -> None:
    """When new returns outweigh those before a silence, they are few for a while, and the coin is quiet all along."""
    series = Series()
    series.warm_up(minutes=100, step=1e-4)
    series.returns.skip()
    series.k += 300
    counts = []
    for k in range(80):
        series.take(math.exp(1e-4 * (k // 10 % 2)))
        assert series.returns.quiet
        counts.append(count_of(series))
    assert any(30.0 < count < 60.0 for count in counts)


def test_old_returns_fade_with_time() -> None:
    """After a day of silence the volatility before counts as nothing: it takes new returns to know it again."""
    series = Series()
    series.warm_up()
    series.returns.skip()
    series.k += 1_440
    for k in range(11):
        assert series.take(math.exp(0.01 * k)) is None
    for k in range(11, 20):
        assert series.take(math.exp(0.01 * k)) is None
    assert count_of(series) < 11.0


# --- the estimator ------------------------------------------------------------------------------------


def test_there_is_no_estimate_before_the_data_allow() -> None:
    """Ten minutes for the first return, a volatility of thirty returns' worth, then sixty returns' worth of pairs."""
    estimator = CorrelationEstimator()
    versions = []
    for minute in walk(1, 120, "AB"):
        estimator.on_minute(minute)
        versions.append(estimator.view.version)
    first = next(k for k, version in enumerate(versions) if version)
    assert 100 <= first <= 110
    assert estimator.view.underlyings == ("A", "B")
    assert estimator.view.quiet == ()


def test_an_estimate_finds_the_correlation_it_was_made_with() -> None:
    """Two coins of correlation 0.8 show it in the slow matrix within its error, and the fast one is near."""
    estimator = estimator_of(walk(2, 2_000, "AB", own=0.2))
    assert estimator.view.slow[0, 1] == pytest.approx(0.8, abs=0.06)
    assert estimator.view.fast[0, 1] == pytest.approx(0.8, abs=0.12)


def test_a_coin_that_appears_joins_without_disturbing_the_others() -> None:
    """The others' matrices go on as if it were not there; it is listed when it has enough returns with them."""
    alone, joined = CorrelationEstimator(), CorrelationEstimator()
    with_new = {k: minute.samples["C"] for k, minute in enumerate(walk(9, 400, "C")) if k >= 150}
    for k, minute in enumerate(walk(3, 400, "AB")):
        alone.on_minute(minute)
        samples = {**minute.samples, "C": with_new[k]} if k in with_new else minute.samples
        joined.on_minute(Minute(minute.time_us, samples))
        if k == 240:
            assert joined.view.underlyings == ("A", "B")
    assert joined.view.underlyings == ("A", "B", "C")
    assert (joined._sums[:, :, :2, :2] == alone._sums).all()


def test_the_same_coin_twice_is_repaired() -> None:
    """Two names of one price have the correlation 1, and the published matrix still has an inverse."""
    estimator = CorrelationEstimator()
    for minute in walk(4, 150, "AB"):
        estimator.on_minute(Minute(minute.time_us, {**minute.samples, "A2": minute.samples["A"]}))
    for matrix in (estimator.view.fast, estimator.view.slow):
        assert matrix[0, 2] > 0.999
        assert np.linalg.eigvalsh(matrix)[0] >= 1e-4


def test_silence_changes_nothing() -> None:
    """While every index is held, the view stays the same object, however long."""
    estimator = estimator_of(walk(5, 150, "AB"))
    view = estimator.view
    assert view.version > 0
    for k in range(150, 600):
        time_us = START_US + k * MINUTE_US
        estimator.on_minute(Minute(time_us, {name: Sample(100.0, True, True, time_us) for name in "AB"}))
    assert estimator.view is view


def test_after_a_silence_the_slow_estimate_counts_more() -> None:
    """Two days later the fast estimate has little left to say, and is shrunk nearly all the way to the slow one."""
    estimator = estimator_of(walk(6, 2_000, "AB"))
    start_us = START_US + (2_000 + 2_880) * MINUTE_US
    for minute in walk(7, 90, "AB", first=2_000 + 2_880):
        estimator.on_minute(Minute(minute.time_us, minute.samples, 2_880 if minute.time_us == start_us else 0))
    places = [0, 1]
    fast, slow = estimator._estimates(places)
    raw = estimator._sums[0, 0] / np.sqrt(estimator._sums[0, 1] * estimator._sums[0, 1].T)
    shrinkage = (fast[0, 1] - raw[0, 1]) / (slow[0, 1] - raw[0, 1])
    assert 0.75 < shrinkage < 0.90


def test_a_dollar_token_is_listed_as_uncorrelated() -> None:
    """A coin that hardly moves has an estimate of zero with all others; once it moves, it keeps that for an hour."""
    estimator = CorrelationEstimator()
    listed: list[tuple[int, tuple[str, ...], float]] = []
    draw = random.Random(8)
    level = 1.0
    for k, minute in enumerate(walk(8, 600, "AB", own=0.1)):
        level *= math.exp(draw.gauss(0.0, 1e-5))
        price = level if k < 400 else level * minute.samples["A"].price_usd / 100.0
        estimator.on_minute(
            Minute(minute.time_us, {**minute.samples, "USDX": Sample(price, False, False, minute.time_us)})
        )
        view = estimator.view
        if "USDX" in view.underlyings and "A" in view.underlyings:
            a, token = view.underlyings.index("A"), view.underlyings.index("USDX")
            listed.append((k, view.quiet, float(view.fast[a, token])))
    calm = [one for one in listed if one[0] < 440]
    assert len(calm) > 300
    assert {(quiet, value) for _, quiet, value in calm} == {(("USDX",), 0.0)}
    first = next(k for k, quiet, _ in listed if not quiet)
    assert 440 < first < 480
    assert all(value > 0.5 for k, _, value in listed if k >= first)


def test_places_are_bounded_and_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coins take places by first appearance; one without ticks for a week gives its place to the next."""
    monkeypatch.setattr(correlation_estimator, "MAX_COINS", 2)
    estimator = estimator_of(walk(10, 150, "ABC"))
    assert list(estimator._returns) == ["A", "B"]
    assert estimator.view.underlyings == ("A", "B")
    old = {"A": Sample(100.0, True, True, START_US + 149 * MINUTE_US)}
    week = round(7 * DAY_S / 60)
    for minute in walk(11, 150, "BC", first=149 + week):
        estimator.on_minute(Minute(minute.time_us, {**old, **minute.samples}))
        if minute.time_us == START_US + (149 + week) * MINUTE_US:
            assert list(estimator._returns) == ["A", "B"]
    assert list(estimator._returns) == ["B", "C"]
    assert estimator._sums.shape == (2, 4, 2, 2)
    assert estimator.view.underlyings == ("B", "C")


def test_an_estimate_nobody_renews_is_dropped_for_those_who_trade() -> None:
    """A coin held for more than a week while others trade is no longer estimated, though it still has ticks."""
    estimator = estimator_of(walk(12, 200, "AB"))
    assert estimator.view.underlyings == ("A", "B")
    for days in (5, 10):
        for k, minute in enumerate(walk(13, 200, "A", first=200 + days * 1_440)):
            held = Sample(100.0, True, False, minute.time_us)
            estimator.on_minute(Minute(minute.time_us, {**minute.samples, "B": held}, 0 if k else 4 * 1_440))
        assert list(estimator._returns) == ["A", "B"]
        assert list(estimator.view.underlyings) == (["A", "B"] if days == 5 else ["A"])


@pytest.mark.parametrize(("days", "kept"), [(2, True), (6, False)])
def test_an_estimate_outlasts_a_shortage_but_not_any(days: int, kept: bool) -> None:
    """New returns after two days leave it more than 30 returns' worth, and it is kept below the 60 it took to enter."""
    estimator = CorrelationEstimator()
    for minute in walk(15, 115, "AB"):
        estimator.on_minute(minute)
    assert estimator.view.underlyings == ("A", "B")
    seen, least = set(), 1e9
    for k, minute in enumerate(walk(16, 70, "AB", first=115 + days * 1_440)):
        estimator.on_minute(Minute(minute.time_us, minute.samples, 0 if k else days * 1_440))
        weight, squares = estimator._sums[1, 2, 0, 1], estimator._sums[1, 3, 0, 1]
        least = min(least, weight**2 / squares)
        seen.add(estimator.view.underlyings)
    assert seen == ({("A", "B")} if kept else {("A", "B"), ()})
    assert (30.0 <= least < 60.0) == kept


# --- the view -----------------------------------------------------------------------------------------


def test_a_digest_is_over_names_and_millionths() -> None:
    """It is SHA-256 over canonical JSON, so anyone can compute it, and the version is no part of it."""
    fast = np.array([[1_000_000, 750_000], [750_000, 1_000_000]])
    slow = np.array([[1_000_000, 500_001], [500_001, 1_000_000]])
    text = (
        '{"fast":[[1000000,750000],[750000,1000000]],"quiet":[],'
        '"slow":[[1000000,500001],[500001,1000000]],"underlyings":["BTC","ETH"]}'
    )
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    for version in (1, 7):
        view = view_of(version, START_US, ("BTC", "ETH"), (), fast, slow)
        assert view.digest == expected
    assert view.absorption_ratio == 0.875
    assert view.distance == pytest.approx(0.249999, abs=1e-9)
    assert view.fast[0, 1] == 0.75
    with pytest.raises(ValueError, match="read-only"):
        view.fast[0, 1] = 0.0


def test_without_any_estimate_there_is_only_the_floor() -> None:
    """A view of nothing gives one matrix; coins unknown to a view have the floor's correlations in every one."""
    nothing = CorrelationEstimator().view
    assert nothing.version == 0
    assert nothing.underlyings == ()
    assert (gather(nothing, ["BTC", "ETH"], 0.5) == np.array([[[1.0, 0.5], [0.5, 1.0]]])).all()
    assert gather(nothing, [], 0.5).shape == (1, 0, 0)
    one = np.full((1, 1), 1_000_000)
    view = view_of(1, START_US, ("SOL",), (), one, one)
    assert (gather(view, ["BTC", "ETH"], 0.5) == np.array([[[1.0, 0.5], [0.5, 1.0]]] * 3)).all()


def test_one_estimated_coin_and_a_new_one_have_the_floors_correlation() -> None:
    """With a single known coin there is nothing else to complete with."""
    one = np.full((1, 1), 1_000_000)
    view = view_of(1, START_US, ("SOL",), (), one, one)
    found = gather(view, ["BTC", "SOL"], 0.5)
    assert found.shape == (3, 2, 2)
    np.testing.assert_allclose(found[:, 0, 1], 0.5, rtol=0.0, atol=1e-15)


def test_a_completion_by_hand() -> None:
    """Two coins of correlation 0.8: a new one has 0.5 with each, which is a = 0.5 * 2 / sqrt(3.6) of their factor."""
    fast = np.array([[1_000_000, 800_000], [800_000, 1_000_000]])
    view = view_of(1, START_US, ("BTC", "ETH"), (), fast, fast)
    found = gather(view, ["ETH", "NEW", "BTC", "NEWER"], 0.5)
    expected = np.array(
        [[1.0, 0.5, 0.8, 0.5], [0.5, 1.0, 0.5, 0.5], [0.8, 0.5, 1.0, 0.5], [0.5, 0.5, 0.5, 1.0]]
    )  # fmt: skip
    np.testing.assert_allclose(found[0], expected, rtol=0.0, atol=1e-12)


# --- in the fold --------------------------------------------------------------------------------------


def test_a_version_comes_with_the_record_that_ends_its_minute() -> None:
    """The fold and the market report a new version with the record after the minute, whatever that record is."""
    market, fold = Market(), TicksFold()
    draw = random.Random(14)
    logs = {"BTC": 0.0, "ETH": 0.0}
    reported = 0
    for second in range(0, 150 * 60, 20):
        for name, value in logs.items():
            logs[name] = value + draw.gauss(0.0, 1e-3)
            tick = source_tick(second, "a", 100.0 * math.exp(logs[name]), underlying=name)
            assert not market.apply(tick).correlation
            assert not fold.apply(tick).correlation
        before = fold.correlation.version
        beat = heartbeat(second + 19) if second % 60 != 40 else heartbeat(second + 20 + 0.000001)
        change = fold.apply(beat)
        assert market.apply(beat).correlation == change.correlation
        assert change.correlation == (fold.correlation.version == before + 1)
        reported += change.correlation
        if change.correlation:
            assert fold.correlation.time_us == at(second + 20)
            restored = TicksFold.restore(json.loads(json.dumps(fold.snapshot())))
            assert restored.correlation.digest == fold.correlation.digest
            assert restored.correlation.version == fold.correlation.version
    assert reported == fold.correlation.version
    assert 10 < reported < 60
    assert market.ticks.correlation.digest == fold.correlation.digest
