from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest

from monitor.engine import composite, index
from monitor.engine.basis import STEP
from monitor.engine.composite import DEFAULT_MAX_AGE_MS, RejectedTick, TicksFold
from monitor.engine.index import IndexView
from schemas.records import Heartbeat, PriceTick, Tick
from tests.unit.engine.market_records import DAY_S, at, heartbeat, mark_tick, source_tick, trade_tick

MAX_AGE_S = DEFAULT_MAX_AGE_MS / 1_000


def fold_of(*ticks: Tick) -> TicksFold:
    fold = TicksFold()
    for tick in ticks:
        fold.apply(tick)
    return fold


def view(fold: TicksFold, underlying: str = "BTC") -> IndexView:
    found = fold.index(underlying)
    assert found is not None
    return found


# --- the composite price --------------------------------------------------------------------------


def test_there_is_no_index_before_its_first_source() -> None:
    """An underlying without any index source has no index."""
    fold = fold_of(heartbeat(0), trade_tick(1, 100.0))
    assert fold.index("BTC") is None
    assert fold.index("ETH") is None


def test_a_source_that_arrives_stale_makes_no_index() -> None:
    """A first price that is already too old is no index; a fresh one is."""
    fold = fold_of(heartbeat(1_000), source_tick(0, "a", 100.0))
    assert fold.index("BTC") is None
    fold.apply(mark_tick(1_000, 100.0))
    assert fold.basis_kind("BTC-PERP") == "none"
    fold.apply(source_tick(1_000, "a", 101.0))
    assert view(fold) == IndexView(101.0, False, ("single_source",), 1, 1)


@pytest.mark.parametrize(
    ("prices", "expected", "flags"),
    [
        ([100.0], 100.0, ("single_source",)),
        ([100.0, 101.0], 100.5, ()),
        ([100.0, 102.0], 101.0, ()),
        ([100.0, 103.0], 100.0, ("dispersed",)),
        ([100.0, 101.0, 104.0], 101.0, ()),
        ([100.0, 101.0, 25.0], 100.0, ()),
        ([100.0, 110.0, 90.0], 100.0, ("dispersed",)),
        ([100.0, 101.0, 102.0, 25.0], 100.5, ()),
        ([100.0, 100.0, 90.0, 90.0], 95.0, ("dispersed",)),
        ([100.0, 101.0, 102.0, 25.0, 400.0], 101.0, ()),
    ],
)
def test_index_of_fresh_sources(prices: list[float], expected: float, flags: tuple[str, ...]) -> None:
    """The index is the price, the mean or the median, and says when the sources disagree."""
    fold = fold_of(*(source_tick(k, f"s{k}", price) for k, price in enumerate(prices)))
    assert view(fold) == IndexView(expected, False, flags, len(prices), len(prices))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (100.0, 50.0, 100.0),
        (100.0, 160.0, 100.0),
        (50.0, 160.0, 100.0),
        (60.0, 50.0, 60.0),
        (150.0, 160.0, 150.0),
        (99.0, 101.1, 100.0),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_two_dispersed_sources_and_the_agreed_index_vote(
    first: float, second: float, expected: float, swap: bool
) -> None:
    """Two sources that part are joined by the last index they agreed on, and the median counts."""
    names = ("b", "a") if swap else ("a", "b")
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(1, "b", 100.0))
    silent = 1 + MAX_AGE_S + 1
    fold.apply(heartbeat(silent))
    for name, price in zip(names, (first, second), strict=True):
        fold.apply(source_tick(silent, name, price))
    assert view(fold) == IndexView(expected, False, ("dispersed",), 2, 2)


def test_two_dispersed_sources_move_the_index_without_a_jump() -> None:
    """Prices on both sides of the agreed index do not throw the index from one to the other."""
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(0, "b", 100.0))
    seen = []
    for k in range(1, 100):
        fold.apply(source_tick(0.2 * k, "a", 97.0 + 0.5 * (k % 2)))
        fold.apply(source_tick(0.2 * k, "b", 103.0 - 0.5 * (k % 3)))
        seen.append(view(fold).price_usd)
    assert max(seen) / min(seen) < 1.02


def test_a_source_that_slides_away_does_not_take_the_index_along() -> None:
    """However small its steps, a source that leaves is judged by the last index on which both agreed."""
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(0, "b", 100.0))
    price = 100.0
    for k in range(1, 200):
        price *= 0.99
        fold.apply(source_tick(0.2 * k, "a", 100.0))
        fold.apply(source_tick(0.2 * k, "b", price))
        assert view(fold).price_usd >= 99.0
    assert view(fold).flags == ("dispersed",)


def test_quotes_count_with_their_middle() -> None:
    """A quote feeds the index with the mean of bid and ask."""
    quote = PriceTick(
        underlying="BTC",
        source="a",
        price_kind="quote",
        bid=99.0,
        ask=101.0,
        instrument="BTC-USD",
        event_time_us=at(0),
        index_source=True,
    )
    assert view(fold_of(quote)).price_usd == 100.0


def test_dispersion_holds_after_a_minute_without_a_break() -> None:
    """Dispersion holds the index once it has lasted more than 60 s, and a moment of agreement starts it anew."""
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(0, "b", 100.0), source_tick(10, "b", 90.0))
    assert not fold.apply(heartbeat(70)).underlyings
    assert not view(fold).held
    assert fold.apply(heartbeat(70.000001)).underlyings == ("BTC",)
    assert view(fold).held
    assert view(fold).flags == ("dispersed",)
    fold.apply(source_tick(71, "b", 100.0))
    assert view(fold) == IndexView(100.0, False, (), 2, 2)
    fold.apply(source_tick(72, "b", 90.0))
    fold.apply(heartbeat(131))
    assert not view(fold).held
    fold.apply(heartbeat(133))
    assert view(fold).held


# --- freshness (F12) ------------------------------------------------------------------------------


@pytest.mark.parametrize("silence_s", [5.0, 60.0, 600.0])
@pytest.mark.parametrize("sources", [1, 2, 3])
def test_silence_is_flagged_within_a_second(silence_s: float, sources: int) -> None:
    """An index is stale and held at the first heartbeat after its max_age, not before, and recovers with its ticks."""
    max_age_ms = int(silence_s * 1_000)
    ticks = [source_tick(0, f"s{k}", 100.0, max_age_ms=max_age_ms) for k in range(sources)]
    fold = fold_of(*ticks)
    for second in range(1, int(silence_s) + 1):
        assert fold.apply(heartbeat(second)).underlyings == ()
    assert fold.apply(heartbeat(silence_s + 1)).underlyings == ("BTC",)
    assert view(fold).held
    assert "stale" in view(fold).flags
    assert view(fold).price_usd == 100.0
    for k in range(sources):
        fold.apply(source_tick(silence_s + 2, f"s{k}", 101.0))
    assert not view(fold).held
    assert view(fold).price_usd == 101.0


@pytest.mark.parametrize(
    ("sources", "silent", "held"), [(1, 1, True), (2, 1, True), (3, 1, False), (3, 2, True), (5, 3, False)]
)
def test_two_fresh_sources_are_enough(sources: int, silent: int, held: bool) -> None:
    """Stale means fewer fresh sources than two, or than there are."""
    fold = TicksFold()
    for second in (0.0, 200.0):
        for k in range(sources):
            if second == 0.0 or k >= silent:
                fold.apply(source_tick(second, f"s{k}", 100.0))
    fold.apply(heartbeat(201))
    assert view(fold).held == held
    assert ("stale" in view(fold).flags) == held
    assert view(fold).fresh_sources == sources - silent


def test_a_stale_index_keeps_its_value() -> None:
    """While fewer than two of several sources are fresh, the remaining one does not move the index."""
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(0, "b", 100.0))
    fold.apply(source_tick(MAX_AGE_S + 1, "a", 50.0))
    assert view(fold) == IndexView(100.0, True, ("stale",), 1, 2)


def test_time_passes_through_the_ticks_of_other_underlyings() -> None:
    """Any tick that moves market time makes others' silence known, and reports it."""
    fold = fold_of(source_tick(0, "a", 100.0))
    change = fold.apply(source_tick(MAX_AGE_S + 1, "a", 4_000.0, underlying="ETH"))
    assert change.underlyings == ("BTC", "ETH")
    assert view(fold).held


def test_a_source_silent_for_a_day_is_forgotten() -> None:
    """A source that is gone for good stops holding the index; the last source of an index is never forgotten."""
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(1, "b", 100.0))
    fold.apply(source_tick(DAY_S, "b", 100.0))
    assert view(fold).held
    fold.apply(source_tick(DAY_S + 1, "b", 100.0))
    assert view(fold) == IndexView(100.0, False, ("single_source",), 1, 1)
    fold.apply(heartbeat(2 * DAY_S))
    fold.apply(heartbeat(3 * DAY_S))
    assert view(fold) == IndexView(100.0, True, ("single_source", "stale"), 0, 1)


# --- late, repeated and bad ticks (F11, F13) --------------------------------------------------------


def test_a_late_tick_changes_nothing_and_is_counted() -> None:
    """A tick older than its source's newest moves neither price nor time."""
    fold = fold_of(source_tick(10, "a", 100.0))
    before = fold.snapshot()
    change = fold.apply(source_tick(9, "a", 50.0))
    assert change.late
    assert change.underlyings == ()
    assert fold.late_ticks == 1
    assert fold.snapshot() == {**before, "late_ticks": 1}


def test_of_equal_event_times_the_later_arrival_counts() -> None:
    """Several trades in one millisecond are normal: the last one stands, and none is late."""
    fold = fold_of(source_tick(10, "a", 100.0), source_tick(10, "a", 101.0))
    assert view(fold).price_usd == 101.0
    assert fold.late_ticks == 0


def test_an_old_tick_of_another_source_is_not_late() -> None:
    """Lateness is a matter of one source: a slower venue is heard with its own newest."""
    fold = fold_of(source_tick(100, "a", 100.0), source_tick(20, "b", 101.0))
    assert fold.late_ticks == 0
    assert view(fold).fresh_sources == 2
    assert fold.time_us == at(100)


def delayed_market(seed: int) -> tuple[list[PriceTick], list[PriceTick]]:
    """Ticks of three sources in order of event time, and the same with 10 % delayed and 5 % repeated."""
    rng = random.Random(seed)
    price = 100.0
    ordered: list[PriceTick] = []
    for k in range(3_000):
        price *= math.exp(rng.gauss(0.0, 0.0005))
        name = f"s{rng.randrange(3)}"
        ordered.append(source_tick(0.3 * k + 0.1 * rng.random(), name, price * math.exp(rng.gauss(0.0, 0.0002))))
    arrivals: list[tuple[float, int, PriceTick]] = []
    for tick in ordered:
        delay_us = rng.uniform(0.0, 180e6) if rng.random() < 0.10 else rng.uniform(0.0, 0.1e6)
        arrivals.append((tick.event_time_us + delay_us, len(arrivals), tick))
        if rng.random() < 0.05:
            arrivals.append((tick.event_time_us + delay_us + rng.uniform(0.0, 180e6), len(arrivals), tick))
    return ordered, [tick for _, _, tick in sorted(arrivals, key=lambda item: item[:2])]


@pytest.mark.parametrize("seed", range(5))
def test_newest_event_time_wins(seed: int) -> None:
    """With 10 % of ticks delayed by up to 180 s and 5 % repeated, the index is that of each source's newest tick."""
    ordered, arrived = delayed_market(seed)
    fold = fold_of(*arrived, heartbeat(901))
    newest: dict[str, PriceTick] = {tick.source: tick for tick in ordered}
    assert view(fold).price_usd == statistics.median(tick.price for tick in newest.values() if tick.price)
    assert fold.late_ticks > 100


@pytest.mark.parametrize("seed", range(5))
def test_late_ticks_leave_no_trace(seed: int) -> None:
    """Every index after every tick is the one of a run without the late ticks."""
    _, arrived = delayed_market(seed)
    disturbed, clean = TicksFold(), TicksFold()
    for tick in arrived:
        change = disturbed.apply(tick)
        if not change.late:
            assert clean.apply(tick) == change
        assert disturbed.index("BTC") == clean.index("BTC")
    assert clean.late_ticks == 0
    assert disturbed.late_ticks > 0


@pytest.mark.parametrize("sources", [2, 3, 5])
@pytest.mark.parametrize("factor", [0.25, 10.0])
def test_a_wick_on_one_of_several_sources_moves_nothing(sources: int, factor: float) -> None:
    """One source at a quarter or ten times its price for 60 s moves the index by less than 2 % and holds nothing."""
    fold = fold_of(*(source_tick(0, f"s{k}", 100.0) for k in range(sources)))
    for second in range(1, 130):
        for k in range(sources):
            wick = k == 1 and 30 <= second < 90
            fold.apply(source_tick(second + 0.1 * k, f"s{k}", 100.0 * (factor if wick else 1.0)))
            assert abs(view(fold).price_usd / 100.0 - 1.0) < 0.02
            assert not view(fold).held
    assert view(fold).flags == ()


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf, -math.inf, 1e16])
def test_what_is_no_price_is_refused(price: float) -> None:
    """Zero, negative, infinite and undefined prices are refused with their reason and change nothing."""
    fold = fold_of(source_tick(0, "a", 100.0))
    before = fold.snapshot()
    bad = source_tick(1, "a", price)
    with pytest.raises(RejectedTick) as refusal:
        fold.check(bad)
    assert refusal.value.kind == "bad_price"
    with pytest.raises(RejectedTick):
        fold.apply(bad)
    assert fold.snapshot() == before


# --- a lone source ----------------------------------------------------------------------------------


def test_a_jump_of_a_lone_source_freezes_and_holds() -> None:
    """A move of more than 10 % within 10 s is not taken, and holds."""
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(9, "a", 89.9))
    assert view(fold) == IndexView(100.0, True, ("jump", "single_source"), 1, 1)


def test_a_new_level_is_accepted_when_it_lasted() -> None:
    """A jump ends with the first tick that finds the new level in force for 10 s; no heartbeat ends it."""
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(5, "a", 80.0))
    for second in range(6, 60):
        fold.apply(heartbeat(second))
    assert view(fold) == IndexView(100.0, True, ("jump", "single_source"), 1, 1)
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(5, "a", 80.0))
    for second in range(6, 40):
        fold.apply(source_tick(second, "a", 80.0))
        assert view(fold).held == (second < 16), second
    assert view(fold) == IndexView(80.0, False, ("single_source",), 1, 1)


def test_a_wick_of_a_lone_source_is_never_taken() -> None:
    """A price that jumps away and comes back within seconds never reaches the index."""
    fold = TicksFold()
    for second in range(100):
        fold.apply(source_tick(second, "a", 25.0 if 40 <= second < 45 else 100.0))
        assert view(fold).price_usd == 100.0
        assert view(fold).held == (40 <= second < 56), second


def test_prices_around_the_limit_do_not_flicker() -> None:
    """Prices that alternate around a fall of 10 % hold once, until they have come to rest."""
    fold = fold_of(source_tick(0, "a", 100.0))
    holds = [False]
    for k in range(400):
        price = (90.1, 89.9)[k % 2]
        fold.apply(source_tick(1 + 0.1 * k, "a", price))
        holds.append(view(fold).held)
    assert sum(before != after for before, after in itertools.pairwise(holds)) == 2


def test_one_print_after_a_quiet_minute_is_a_jump() -> None:
    """A lone source's last price counts for five minutes; after a longer silence a move is no jump."""
    for silence_s, jumps in ((60, True), (299, True), (312, False)):
        fold = fold_of(
            source_tick(0, "a", 100.0, max_age_ms=1_000_000), source_tick(silence_s, "a", 85.0, max_age_ms=1_000_000)
        )
        assert view(fold).held == jumps


def test_moves_below_the_limit_are_taken_at_once() -> None:
    """A lone source may fall by 10 % in 10 s, and by any amount slowly."""
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(5, "a", 90.0))
    assert view(fold).price_usd == 90.0
    price = 90.0
    for second in range(20, 300):
        price *= 0.991
        fold.apply(source_tick(second, "a", price))
        assert view(fold) == IndexView(price, False, ("single_source",), 1, 1)


def test_a_second_source_ends_the_rule_of_one() -> None:
    """With a second source the two judge each other, and the jump is forgotten."""
    fold = fold_of(source_tick(0, "a", 100.0), source_tick(5, "a", 80.0), source_tick(6, "b", 80.0))
    assert view(fold) == IndexView(80.0, False, (), 2, 2)


# --- basis ------------------------------------------------------------------------------------------


def two_sources(seconds: float, price: float) -> list[PriceTick]:
    return [source_tick(seconds, "a", price), source_tick(seconds, "b", price)]


def test_a_mark_follows_the_index() -> None:
    """A fresh mark gives the basis, so that index x (1 + basis) is the mark."""
    fold = fold_of(*two_sources(0, 100.0))
    assert fold.basis("BTC-PERP") == 0.0
    assert fold.basis_kind("BTC-PERP") == "none"
    assert fold.apply(mark_tick(1, 100.5)).underlyings == ("BTC",)
    assert fold.basis_kind("BTC-PERP") == "mark"
    assert 100.0 * (1.0 + fold.basis("BTC-PERP")) == pytest.approx(100.5, rel=1e-15)


def test_a_stale_mark_gives_way_to_the_average() -> None:
    """When a mark is older than its max_age, the average of past prices is in force."""
    fold = fold_of(*two_sources(0, 100.0), mark_tick(0, 101.0, max_age_ms=10_000))
    fold.apply(mark_tick(6, 100.0, max_age_ms=10_000))
    assert fold.apply(heartbeat(16)).underlyings == ()
    assert fold.basis("BTC-PERP") == pytest.approx(0.0)
    assert fold.apply(heartbeat(17)).underlyings == ("BTC",)
    assert fold.basis_kind("BTC-PERP") == "average"
    assert fold.basis("BTC-PERP") == pytest.approx(0.01 * 2.0 ** (-6 / 600) + 0.01 * (1.0 - 2.0 ** (-6 / 600)))


def average_by_integration(path: list[tuple[float, float]]) -> float:
    """Exponential average of a step path at the time of its last price, by midpoint integration."""
    end = path[-1][0]
    start = path[0][0]
    total, steps = path[0][1] * math.exp2(-(end - start) / 600.0), 200_000
    width = (end - start) / steps
    position = 0
    for k in range(steps):
        middle = start + (k + 0.5) * width
        while position + 1 < len(path) and path[position + 1][0] <= middle:
            position += 1
        total += path[position][1] * math.exp2(-(end - middle) / 600.0) * math.log(2.0) / 600.0 * width
    return total


def test_the_average_is_that_of_the_price_path() -> None:
    """The average equals the integral of the past basis with a weight that halves every 10 min."""
    rng = random.Random(7)
    path: list[tuple[float, float]] = []
    seconds = 0.0
    fold = fold_of(*two_sources(0, 100.0))
    for _ in range(40):
        seconds += rng.choice([0.5, 3.0, 40.0, 90.0])
        basis = rng.uniform(-0.1, 0.1)
        for tick in two_sources(seconds, 100.0):
            fold.apply(tick)
        fold.apply(trade_tick(seconds, 100.0 * (1.0 + basis)))
        path.append((seconds, basis))
    assert fold.basis("BTC-PERP") == pytest.approx(average_by_integration(path), abs=2e-5)


def test_prints_of_one_instant_weigh_as_one() -> None:
    """A burst of prints at one event time weighs no more than the last of them."""
    burst = fold_of(*two_sources(0, 100.0), trade_tick(0, 100.0))
    single = fold_of(*two_sources(0, 100.0), trade_tick(0, 100.0))
    for price in (60.0, 70.0, 80.0):
        burst.apply(trade_tick(60, price))
    single.apply(trade_tick(60, 80.0))
    for fold in (burst, single):
        fold.apply(trade_tick(70, 100.0))
    assert burst.basis("BTC-PERP") == single.basis("BTC-PERP") != 0.0


@pytest.mark.parametrize("kind", ["trade", "mark"])
def test_a_wick_of_one_instrument_moves_its_mark_little(kind: str) -> None:
    """A print or mark at a quarter of the index for 60 s never moves a position's mark by more than 5 %."""
    fold = fold_of(*two_sources(0, 100.0))
    make = trade_tick if kind == "trade" else mark_tick
    for second in range(1, 200):
        for tick in two_sources(second, 100.0):
            fold.apply(tick)
        for factor in (1.0, 0.55) if 60 <= second < 120 else (1.0,):
            fold.apply(make(second + 0.5, 100.0 * factor))
            fold.apply(make(second + 0.6, 25.0 if 60 <= second < 120 else 100.0))
        assert abs(fold.basis("BTC-PERP")) < 0.05


def test_option_prices_are_no_basis() -> None:
    """A price below half or above twice the index is not one of a delta-one contract and is only counted."""
    fold = fold_of(*two_sources(0, 100.0))
    assert fold.apply(mark_tick(1, 0.05, "BTC-OPTION")).underlyings == ()
    assert fold.apply(mark_tick(1, 201.0, "BTC-OTHER")).underlyings == ()
    assert fold.basis("BTC-OPTION") == fold.basis("BTC-OTHER") == 0.0
    assert fold.off_index == 2


def test_a_held_index_says_nothing_about_a_basis() -> None:
    """Prices of instruments are not compared with an index that is held."""
    fold = fold_of(*two_sources(0, 100.0), mark_tick(0, 100.0))
    fold.apply(heartbeat(MAX_AGE_S + 1))
    assert view(fold).held
    fold.apply(mark_tick(MAX_AGE_S + 2, 90.0))
    assert fold.basis("BTC-PERP") == 0.0


def test_late_marks_and_late_trades_are_counted_apart() -> None:
    """A trade may be older than the newest mark of its instrument, not older than its newest trade."""
    fold = fold_of(*two_sources(0, 100.0), mark_tick(10, 100.0), trade_tick(5, 100.0))
    assert fold.late_ticks == 0
    assert fold.apply(trade_tick(4, 100.0)).late
    assert fold.apply(mark_tick(9, 100.0)).late
    assert fold.late_ticks == 2


def test_index_sources_make_no_basis() -> None:
    """A tick that feeds the index is not compared with it."""
    fold = fold_of(*two_sources(0, 100.0))
    fold.apply(trade_tick(1, 101.0, "BTC-USD", source="a", index_source=True))
    assert fold.basis_kind("BTC-USD") == "none"
    assert view(fold).price_usd == 100.5


def test_a_tiny_drift_of_the_average_is_not_a_change() -> None:
    """The basis in force moves in steps of at least a tenth of a basis point."""
    fold = fold_of(*two_sources(0, 100.0), trade_tick(0, 100.0))
    changes = 0
    for k in range(1, 1_001):
        changes += bool(fold.apply(trade_tick(0.01 * k, 100.5)).underlyings)
    assert 3 <= changes <= 6  # 10 s of 50 bp at a half-life of 600 s drift by 0.57 bp
    assert fold.basis("BTC-PERP") == pytest.approx(0.005 * (1.0 - 2.0 ** (-9.99 / 600)), abs=STEP)


def test_an_instrument_idle_for_a_week_is_forgotten() -> None:
    """Instruments that no longer have prices leave the state."""
    fold = fold_of(*two_sources(0, 100.0), mark_tick(0, 100.0, "OLD"), mark_tick(0, 100.0))
    for day in range(1, 10):
        for tick in two_sources(day * DAY_S, 100.0):
            fold.apply(tick)
        fold.apply(mark_tick(day * DAY_S, 100.0))
    names = [name for name, _ in fold.snapshot()["underlyings"][0]["bases"]]
    assert names == ["BTC-PERP"]


# --- clocks -----------------------------------------------------------------------------------------


def received(seconds: float, delay_s: float, source: str = "a") -> PriceTick:
    return source_tick(seconds, source, 100.0, received_time_us=at(seconds + delay_s))


def refuses(fold: TicksFold, tick: Tick) -> bool:
    """Whether the tick is refused for its time, by `check` and by `apply` alike."""
    time_us = fold.time_us
    kinds = []
    for function in (fold.check, fold.apply):
        try:
            function(tick)
            kinds.append("")
        except RejectedTick as refusal:
            kinds.append(refusal.kind)
    assert kinds in (["", ""], ["clock_ahead", "clock_ahead"])
    refused = kinds[0] != ""
    assert not refused or fold.time_us == time_us
    return refused


def test_a_tick_ahead_of_its_own_arrival_is_refused() -> None:
    """An event time more than 5 s after the arrival is not believed, in a busy market and in a quiet one."""
    fold = TicksFold()
    assert not refuses(fold, received(0, 0.1))
    assert not refuses(fold, received(3_600, -5.0))
    assert refuses(fold, received(3_601, -5.1))
    assert refuses(fold, received(3_600, -5.1, "b"))
    assert fold.time_us == at(3_600)


def test_a_quiet_market_may_leap() -> None:
    """An hour of silence is no reason to refuse the tick that ends it."""
    assert not refuses(fold_of(received(0, 0.1)), received(3_600, 0.1))
    assert not refuses(fold_of(source_tick(0, "a", 100.0)), source_tick(3_600, "a", 100.0))


def test_a_tick_without_arrival_is_judged_by_heartbeats() -> None:
    """Where heartbeats flow, a tick without arrival time may be at most 5 s ahead of the newest."""
    fold = fold_of(heartbeat(0))
    assert not refuses(fold, source_tick(5, "a", 100.0))
    assert refuses(fold, source_tick(5.1, "a", 100.0))
    for second in range(1, 200):
        fold.apply(heartbeat(second))
        assert refuses(fold, source_tick(second + 3_600, "a", 100.0))
    assert fold.time_us == at(199)


def test_heartbeats_that_stopped_judge_nobody() -> None:
    """If a source's own clock goes on for 10 s without a heartbeat, the heartbeats are gone and ticks are taken."""
    fold = fold_of(heartbeat(0), source_tick(0, "a", 100.0))
    taken = [second for second in range(1, 30) if not refuses(fold, source_tick(second, "a", 100.0))]
    assert taken == [*range(1, 6), *range(16, 30)]
    fold.apply(heartbeat(30))
    assert refuses(fold, source_tick(36, "a", 100.0))


@pytest.mark.parametrize(
    "confirmation",
    [source_tick(40 * DAY_S, "b", 100.0), source_tick(40 * DAY_S + 1, "a", 100.0), heartbeat(40 * DAY_S)],
)
def test_a_leap_of_more_than_a_day_needs_a_second_record(confirmation: Tick) -> None:
    """One record cannot take market time forward by more than a day, repeated or not; two that agree can."""
    fold = fold_of(source_tick(0, "a", 100.0))
    assert refuses(fold, source_tick(40 * DAY_S, "a", 100.0))
    assert refuses(fold, source_tick(40 * DAY_S, "a", 100.0))
    assert not refuses(fold, confirmation)
    assert fold.time_us == confirmation.event_time_us


def test_a_wrong_leap_leaves_no_trace() -> None:
    """After a refused record of the far future the market goes on as before."""
    fold = fold_of(source_tick(0, "a", 100.0))
    future = Heartbeat(source="publisher", event_time_us=4_102_444_800_000_000)
    assert refuses(fold, future)
    assert not refuses(fold, source_tick(1, "a", 101.0))
    assert refuses(fold, future)
    assert view(fold).price_usd == 101.0


# --- bounds, snapshots ------------------------------------------------------------------------------


def test_random_names_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Underlyings, sources and instruments are bounded, and so is each name's underlying."""
    monkeypatch.setattr(composite, "MAX_UNDERLYINGS", 3)
    monkeypatch.setattr(composite, "MAX_INSTRUMENTS", 2)
    fold = fold_of(*(source_tick(0, f"s{k}", 100.0) for k in range(index.MAX_SOURCES)))
    fold.apply(trade_tick(0, 100.0, "I0"))
    fold.apply(trade_tick(0, 100.0, "I1"))
    fold.apply(source_tick(0, "a", 1.0, underlying="ETH"))
    fold.apply(source_tick(0, "a", 1.0, underlying="SOL"))
    for tick, kind in (
        (source_tick(1, "one-more", 100.0), "too_many"),
        (trade_tick(1, 100.0, "I2"), "too_many"),
        (source_tick(1, "a", 100.0, underlying="XRP"), "too_many"),
        (trade_tick(1, 100.0, "I0", underlying="ETH"), "other_underlying"),
    ):
        before = fold.snapshot()
        for function in (fold.check, fold.apply):
            with pytest.raises(RejectedTick) as refusal:
                function(tick)
            assert refusal.value.kind == kind
        assert fold.snapshot() == before


def test_another_layout_of_snapshot_is_refused() -> None:
    """A snapshot of another build's layout is not read."""
    with pytest.raises(ValueError, match="layout"):
        TicksFold.restore({**TicksFold().snapshot(), "layout": 99})
