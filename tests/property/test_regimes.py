"""Latched matrices and regimes against their definitions, at every cut of their input, and through the engine."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import (
    Sourced,
    collect,
    confirm,
    correlation_estimator,
    evaluate_account,
    gate_open,
    new_state,
    open_shard,
    rewind,
    step,
)
from monitor.engine.clock import DAY_US
from monitor.engine.composite import TicksFold
from monitor.engine.correlation import CorrelationView, view_of
from monitor.engine.correlation_estimator import CorrelationEstimator
from monitor.engine.correlation_latch import HIGH, LATCH_DAYS, LOW, Latch
from monitor.engine.minutes import MINUTE_US, Minute, Sample
from monitor.engine.netting import matrices_of, stress_in
from monitor.engine.outbox import Event
from monitor.engine.regime import RegimeDetector, RegimeTransition
from monitor.replay.digest import of_bodies
from schemas.ids import canonical
from schemas.records import AccountEvent, Heartbeat, Input, PriceTick, RegimeChange
from schemas.topics import REGIMES, TICKS
from tests.correlation_break import COINS, book, market_of, minutes_of
from tests.engine_market import START_US, Log
from tests.property.test_correlation import minute_stream
from tests.property.test_engine import MARKET, _Killed, _open, _Worker, _World

HOUR_US = 60 * MINUTE_US


def flat_view(values: tuple[float, float], coins: int = 2) -> CorrelationView:
    """Return a view of coins that all have one correlation, fast and slow."""
    names = tuple(f"C{k}" for k in range(coins))
    fast, slow = (
        np.where(np.eye(coins) > 0.0, 1_000_000, round(1e6 * value)).astype(np.int64) for value in values
    )  # fmt: skip
    return view_of(1, START_US, names, (), fast, slow)


# --- the latch ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    time_us: int
    view: CorrelationView

    @property
    def level(self) -> float:
        p = len(self.view.underlyings)
        return (p * self.view.absorption_ratio - 1.0) / (p - 1)


def extreme(moments: list[Moment], pick: Callable[[Moment], float]) -> Moment | None:
    """Return the earliest of the largest over the last 30 UTC days, of moments with two coins or more."""
    last = moments[-1].time_us // DAY_US
    found: Moment | None = None
    for moment in moments:
        if moment.time_us // DAY_US <= last - LATCH_DAYS or len(moment.view.underlyings) < 2:
            continue
        if found is None or pick(moment) > pick(found):
            found = moment
    return found


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), data=st.data())
def test_the_latch_is_the_extreme_of_the_kept_history(seed: int, data: st.DataObject) -> None:
    """At any moment of some months, through restarts: the most and the least concentrated matrix of 30 days."""
    rng = np.random.default_rng(seed)
    steps = data.draw(st.integers(1, 150))
    cuts = data.draw(st.sets(st.integers(0, steps - 1), max_size=3))
    latch, moments, time_us = Latch(), list[Moment](), START_US
    for k in range(steps):
        if k in cuts:
            latch = Latch.restore(json.loads(canonical(latch.snapshot())))
        # Few values, so that there are ties; few minutes or many days from one to the next.
        view = flat_view((float(rng.integers(0, 10)) / 10.0, 0.5), int(rng.choice([0, 1, 2, 2, 5])))
        moments.append(Moment(time_us, view))
        latch.take(time_us, view)
        expected = {HIGH: extreme(moments, lambda m: m.level), LOW: extreme(moments, lambda m: -m.level)}
        found = dict(latch.latched)
        for name, moment in expected.items():
            assert (name in found) == (moment is not None)
            if moment is not None:
                assert found[name].underlyings == moment.view.underlyings
                assert (found[name].matrix == moment.view.fast).all()
                assert latch._kept[name][0].time_us == moment.time_us
            days = [one.day for one in latch._kept[name]]
            assert days == sorted(set(days))
            assert len(days) <= LATCH_DAYS
        time_us += int(rng.choice([1, 60, 600, 1_440, 1_440, 9_000])) * MINUTE_US


def test_a_latched_matrix_leaves_the_set_after_thirty_days() -> None:
    """The view in force changes with the first minute of the day at which the extreme is too old, not before."""
    estimator = CorrelationEstimator()
    minutes = minutes_of(3, ((150, 0.1), (150, 1.0)))
    for minute in minutes:
        estimator.on_minute(minute)
    view = estimator.view
    assert {HIGH, LOW} & {*view.names} == {*dict(estimator._latch.latched)} >= {HIGH}
    high = dict(view.estimates)[HIGH]
    assert high.matrix[0, 1] > view.fast[0, 1] + 0.2
    seen: list[tuple[int, int, tuple[str, ...]]] = []
    first_day = minutes[-1].time_us // DAY_US
    for day in range(1, LATCH_DAYS + 1):
        for minute_us in (0, 60):
            time_us = (first_day + day) * DAY_US + minute_us * MINUTE_US
            held = {coin: Sample(100.0, True, True, time_us) for coin in COINS}
            estimator.on_minute(Minute(time_us, held))
        seen.append((day, estimator.view.version - view.version, estimator.view.names))
    assert seen[:-1] == [(day, 0, view.names) for day in range(1, LATCH_DAYS)]
    assert seen[-1] == (LATCH_DAYS, 1, ("fast", "slow", "floor"))
    assert estimator.view.digest != view.digest


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_every_matrix_in_force_is_a_correlation_matrix(seed: int) -> None:
    """Fifty coins, some twice, some silent, some alike: unit diagonals, and no eigenvalue below 1e-4."""
    rng = np.random.default_rng(seed)
    minutes, coins = 160, 50
    share = np.where(np.arange(minutes) < 110, 0.9, 0.1)[:, None]
    own = rng.standard_normal((minutes, coins))
    steps = 1e-3 * (np.sqrt(share) * rng.standard_normal((minutes, 1)) + np.sqrt(1.0 - share) * own)
    steps[:, 1::10] = steps[:, ::10]  # names of one coin
    log_price = np.cumsum(steps, axis=0)
    silent = rng.random(coins) < 0.1
    estimator, checked = CorrelationEstimator(), 0
    for k in range(minutes):
        time_us = START_US + k * MINUTE_US
        estimator.on_minute(Minute(time_us, {
            f"C{i}": Sample(float(100.0 * np.exp(log_price[k, i])), bool(silent[i] and k > 100),
                            False, time_us if not silent[i] else START_US)
            for i in range(coins)
        }))  # fmt: skip
        before, checked = checked, estimator.view.version
        if checked == before or checked % 7:
            continue
        for name, estimate in estimator.view.estimates:
            assert (np.diag(estimate.matrix) == 1.0).all()
            assert (estimate.matrix == estimate.matrix.T).all()
            assert np.linalg.eigvalsh(estimate.matrix)[0] >= 1e-4, name
    assert len(estimator.view.underlyings) == coins - silent.sum()
    assert checked > 7


# --- the detector -------------------------------------------------------------------------------------


def regimes_by_rule(moments: list[tuple[int, float, float]]) -> list[tuple[int, str, str]]:
    """Return transitions (time, left, entered) of the module's table, recomputed from the whole past each time."""
    regime, since_us, said = "calm", 0, []
    for k, (time_us, distance, ratio) in enumerate(moments):
        rise = round(ratio - min(r for t, _, r in moments[: k + 1] if time_us - HOUR_US <= t), 6)
        above = next((t for t, _, r in reversed(moments[: k + 1]) if r <= 0.85), None)
        begun = [t for t, _, _ in moments[: k + 1] if above is None or t > above]
        concentrated = bool(begun) and time_us - begun[0] >= HOUR_US
        entered = regime
        if regime != "breakdown" and (distance > 0.25 or rise > 0.15):
            entered = "breakdown"
        elif regime == "calm":
            entered = "concentration" if concentrated else "calm"
        elif time_us - since_us >= HOUR_US:
            if regime == "concentration" and ratio < 0.80:
                entered = "calm"
            if regime == "breakdown" and distance < 0.125 and rise < 0.075:
                entered = "concentration" if concentrated else "calm"
        if entered != regime:
            said.append((time_us, regime, entered))
            regime, since_us = entered, time_us
    return said


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**9), data=st.data())
def test_regimes_follow_their_table_and_do_not_flap(seed: int, data: st.DataObject) -> None:
    """Whatever correlations do, through restarts: the transitions of the rules, and an hour in what is entered."""
    rng = np.random.default_rng(seed)
    steps = data.draw(st.integers(1, 300))
    cuts = data.draw(st.sets(st.integers(0, steps - 1), max_size=3))
    detector, moments, said = RegimeDetector(), list[tuple[int, float, float]](), list[RegimeTransition]()
    fast, slow, time_us = 0.6, 0.6, START_US
    for k in range(steps):
        if k in cuts:
            detector = RegimeDetector.restore(json.loads(canonical(detector.snapshot())))
        fast = float(
            np.clip(fast + rng.normal(0.0, 0.03) + rng.choice([0.0, 0.0, 0.0, 0.3, -0.3]) * (k % 9 == 0), 0, 0.99)
        )
        slow += 0.02 * (fast - slow)
        view = flat_view((round(fast, 2), round(slow, 2)))
        moments.append((time_us, view.distance, view.absorption_ratio))
        transition = detector.take(Minute(time_us, {}), view, {})
        if transition is not None:
            said.append(transition)
        time_us += int(rng.choice([1, 1, 1, 5, 30])) * MINUTE_US
    assert [(one.entered.since_us, one.left, one.entered.regime) for one in said] == regimes_by_rule(moments)
    for before, after in itertools.pairwise(said):
        assert after.left == before.entered.regime
        if before.entered.regime == "concentration" and after.entered.regime == "breakdown":
            continue  # entered at once from anywhere
        if before.entered.regime != "calm":
            assert after.entered.since_us - before.entered.since_us >= HOUR_US


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_a_restored_estimator_has_the_same_regimes(seed: int, data: st.DataObject) -> None:
    """At any cuts of a market whose correlations break, regimes, latched matrices and snapshots go on bit for bit."""
    stream = minutes_of(seed, ((160, 1.0), (90, 0.02), (60, 1.0))) if seed % 3 else minute_stream(seed)
    cuts = data.draw(st.sets(st.integers(0, len(stream)), max_size=4))
    whole, broken = CorrelationEstimator(), CorrelationEstimator()
    for k, minute in enumerate(stream):
        if k in cuts:
            broken = CorrelationEstimator.restore(json.loads(canonical(broken.snapshot())))
        whole.on_minute(minute)
        broken.on_minute(minute)
        assert broken.regime == whole.regime
        assert (broken.view.version, broken.view.digest) == (whole.view.version, whole.view.digest)
        mine, theirs = whole.take_transitions(), broken.take_transitions()
        assert [(one.left, one.trigger, one.entered) for one in mine] == [
            (one.left, one.trigger, one.entered) for one in theirs
        ]
    assert canonical(broken.snapshot()) == canonical(whole.snapshot())


# --- through the engine -------------------------------------------------------------------------------

PARTITIONS = {"a": 0, "b": 1}


def sourced(records: list[Input]) -> list[Sourced]:
    log = Log(partition_of=PARTITIONS)
    return [log(record) for record in records]


@pytest.fixture(scope="module")
def broken_market() -> list[Sourced]:
    return sourced(market_of(1, [*book("a", 28_500.0), *book("b", 30_000.0, 25.0)]))


@pytest.fixture(scope="module")
def said(broken_market: list[Sourced]) -> dict[str, bytes]:
    state = new_state()
    _open(state, {}, 1)
    return {item.id: item.body.encode() for item in step(state, broken_market)}


def regimes_in(events: dict[str, bytes]) -> list[RegimeChange]:
    found = [msgspec.json.decode(body, type=RegimeChange) for body in events.values() if b'"trigger"' in body]
    return sorted(found, key=lambda change: change.event_time_us)


def test_a_break_is_said_once_when_it_begins_and_once_when_it_ends(said: dict[str, bytes]) -> None:
    """Two records, at whole minutes, with what a consumer needs to find the matrices and k again."""
    entered, left = regimes_in(said)
    assert (entered.regime_from, entered.trigger, entered.regime) == ("calm", "absorption_rise", "breakdown")
    assert (left.regime_from, left.trigger, left.regime) == ("breakdown", "over", "calm")
    assert entered.absorption_rise > 0.15
    assert left.absorption_rise < 0.075
    for change in (entered, left):
        assert change.underlyings == COINS
        assert change.event_time_us % MINUTE_US == 0
        assert change.version > 0
        assert len(change.matrix_digest) == 16
    assert left.event_time_us >= entered.event_time_us + HOUR_US
    assert of_bodies(said.values()).regimes == 2
    assert of_bodies(said.values()).findings == 0


def test_a_regime_puts_its_k_in_force_for_every_netted_account(broken_market: list[Sourced]) -> None:
    """After every minute an account's figure is that of its set's k for the regime, and its evaluation names both."""
    state = new_state()
    _open(state, {}, 1)
    seen: dict[str, int] = {}
    for source in broken_market:
        step(state, [source])
        regime = state.market.ticks.regime.regime
        if seen.get(regime, 0) >= 40 or source.topic != TICKS.name:
            continue
        seen[regime] = seen.get(regime, 0) + 1
        for name in PARTITIONS:
            account = state.shards[PARTITIONS[name]].accounts.get(name)
            if account is None or name not in state.book or state.market.ticks.index("ETH") is None:
                continue
            evaluation = evaluate_account(state, name)
            assert evaluation.correlation is not None
            active = state.market.parameters.get("default")
            assert active is not None
            k = stress_in(regime, active.set.netting)
            assert (evaluation.correlation.regime, evaluation.correlation.stress) == (regime, k)
            w = np.array([part.hedge_usd for part in evaluation.underlyings], dtype=np.float64)
            stack = matrices_of(state.market, [part.underlying for part in evaluation.underlyings], 0.5)
            netted = max(float(w @ matrix @ w) for matrix in stack)
            expected = np.sqrt((1.0 - k) * netted + k * np.abs(w).sum() ** 2)
            assert evaluation.im_requirement_usd == pytest.approx(expected, rel=1e-6)
    assert seen["calm"] == seen["breakdown"] == 40


def test_an_event_that_a_regime_causes_names_it(said: dict[str, bytes]) -> None:
    """The hedged account is called when its k rises: the event has the regime, k, and the rise under correlation."""
    entered, _ = regimes_in(said)
    events = [msgspec.json.decode(body, type=AccountEvent) for body in said.values() if b'"sequence"' in body]
    at_break = [event for event in events if event.account == "a" and event.correlation
                and event.correlation.regime == "breakdown"]  # fmt: skip
    assert at_break
    first = min(at_break, key=lambda event: event.sequence)
    assert entered.event_time_us <= first.event_time_us <= entered.event_time_us + MINUTE_US
    assert first.correlation is not None
    assert (first.correlation.stress, first.correlation.digest) == (0.5, entered.matrix_digest)
    assert first.attribution is not None
    parts = {part.group: part.change_usd for part in first.attribution}
    assert parts["correlation"] > 0.1 * first.im_requirement_usd
    assert first.attribution_base is not None
    change = first.im_requirement_usd - first.attribution_base.im_requirement_usd
    assert sum(parts.values()) == pytest.approx(change, abs=1e-9 * first.im_requirement_usd)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), lives=st.lists(st.integers(0, 260), min_size=1, max_size=3))
def test_a_crash_neither_loses_a_regime_nor_gives_it_another_content(
    broken_market: list[Sourced], said: dict[str, bytes], seed: int, lives: list[int]
) -> None:
    """Whatever write a worker dies at, the topics end with exactly the events of a run without, byte for byte."""
    world, draw = _World(), random.Random(seed)
    for epoch, life in enumerate([*lives, 1_000_000], start=1):
        with suppress(_Killed):
            _Worker(world, life).run(broken_market, draw, epoch)
    assert dict(world.topic) == said
    assert set(world.topic) == set(said.items())
    count = len(world.topic)
    _Worker(world, 1_000_000).run(broken_market, draw, 99)
    assert len(world.topic) == count


class _Counting(_Worker):
    """Notes how many writes the broker had when an event came."""

    def send(self, events: list[Event]) -> None:
        for event in events:
            super().send([event])
            self.at.setdefault(event.id, 1_000_000 - self.life)

    at: dict[str, int] = {}  # noqa: RUF012  # replaced by each test


def test_every_write_around_a_regime_may_be_the_last(broken_market: list[Sourced], said: dict[str, bytes]) -> None:
    """A worker killed before, between and after the writes of the flush that carries a change: it is said even so."""
    entered = regimes_in(said)[0].id
    counting = _Counting(_World(), 1_000_000)
    counting.at = {}
    counting.run(broken_market, random.Random(1), 1)
    for life in range(counting.at[entered] - 3, counting.at[entered] + 2):
        world = _World()
        with suppress(_Killed):
            _Worker(world, life).run(broken_market, random.Random(1), 1)
        assert (entered in dict(world.topic)) == (life >= counting.at[entered])
        _Worker(world, 1_000_000).run(broken_market, random.Random(3), 2)
        assert dict(world.topic) == said


def test_the_fold_reports_each_change_with_its_record(broken_market: list[Sourced]) -> None:
    """The tick that ends the minute carries the change, whoever folds."""
    fold = TicksFold()
    found = []
    for source in broken_market:
        if isinstance(source.record, PriceTick | Heartbeat):
            for change in fold.apply(source.record).regimes:
                assert change.entered == fold.regime
                assert change.entered.since_us < source.record.event_time_us
                found.append(change.entered.regime)
    assert found == ["breakdown", "calm"]


def test_k_is_in_force_without_a_new_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Concentration is an hour of the same matrices: k rises though nothing is published with it."""
    monkeypatch.setattr(correlation_estimator, "PUBLISHED_CHANGE", 10**7)
    state = new_state()
    _open(state, {}, 1)
    stresses: dict[str, set[tuple[float, int]]] = {}
    for source in sourced(market_of(1, book("a", 1e6), ((190, 0.02),))):
        step(state, [source])
        if state.market.ticks.correlation.version and "a" in state.book:
            correlation = evaluate_account(state, "a").correlation
            assert correlation is not None
            seen = stresses.setdefault(state.market.ticks.regime.regime, set())
            seen.add((correlation.stress, correlation.version))
    assert stresses == {"calm": {(0.1, 1)}, "concentration": {(0.2, 1)}}


def test_what_the_market_says_again_is_not_said_again(broken_market: list[Sourced], said: dict[str, bytes]) -> None:
    """Ticks folded beyond the marker while its gate is closed say a regime at once, and folding them again does not."""
    entered, left = regimes_in(said)
    upto = next(k for k, s in enumerate(broken_market) if s.record.event_time_us > entered.event_time_us)
    world = _World()
    _Worker(world, 1_000_000).run(broken_market[:upto], random.Random(1), 1)
    state = new_state()
    _open(state, world.stored, 2)
    ticks = [source for source in broken_market if source.topic == TICKS.name]
    others = [source for source in broken_market if source.topic != TICKS.name]
    assert [event.id for event in step(state, ticks)] == [entered.id, left.id]
    assert not gate_open(state, 0)
    (again,) = [event for event in collect(state).events if event.id == entered.id]
    assert again.body == said[entered.id]
    step(state, others)
    assert gate_open(state, 0)
    rewind(state)
    assert not any(event.topic == REGIMES.name for event in step(state, broken_market))


def test_only_the_owner_of_partition_0_says_a_regime(broken_market: list[Sourced], said: dict[str, bytes]) -> None:
    """In strict order each partition folds the market; the digest of both is that of one state."""
    apart: list[bytes] = []
    for partition in (0, 1):
        state = new_state()
        open_shard(state, partition, None, [], partitions=2, epoch=1)
        mine = [s for s in broken_market if s.topic in MARKET or s.partition == partition]
        for at in range(0, len(mine), 100):
            events = step(state, mine[at : at + 100])
            assert partition == 0 or all(event.topic != REGIMES.name for event in events)
            apart += [event.body.encode() for event in events]
            flush = collect(state)
            keys = {event.key for event in flush.events if event.topic == REGIMES.name}
            assert keys <= {",".join(COINS).encode()}
            confirm(state, flush)
    assert of_bodies(apart).sha256 == of_bodies(said.values()).sha256
    assert (of_bodies(apart).repeats, of_bodies(apart).regimes) == (0, 2)
