"""The fold through the real ticks of 2025-10-10: correlations, ranges, requirements of constant books, estimators.

In one file, so that the day is folded once.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.crash import estimates as est
from benchmarks.crash.__main__ import books_of
from benchmarks.crash.books import largest_rise, parts, requirements
from benchmarks.crash.estimates import Inputs, inputs_of, mean_correlation
from benchmarks.crash.forces import at_constant_ranges, not_held_back, published
from benchmarks.crash.options import Blocks, OptionBook, option_parts, read_options
from benchmarks.crash.recording import Recording, record
from kernels.estimators.hayashi_yoshida import hayashi_yoshida
from kernels.estimators.realised import refresh_time_by_pairs
from monitor.engine.minutes import MINUTE_US
from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.ranges import in_force
from tests.property.correlation_batch import History, history, matrices
from tests.recorded import (
    DATA,
    alternating,
    asked,
    asked_by_the_floor,
    at,
    charges,
    ladders,
    mean_among,
)  # fmt: skip

CRASH = DATA / "crash-2025-10-10"
QUIET_VENUE = ["BTC", "ETH", "SOL", "XRP"]  # traded on the thin venue only
OTHERS = ["AVAX", "DOGE", "DOT", "LINK", "UNI"]
COINS = tuple(sorted([*QUIET_VENUE, *OTHERS, "LTC"]))
THIN_SERIES = tuple(f"gemini:{coin}USD" for coin in QUIET_VENUE)
OTHER_SERIES = (
    "binance-delivery:AVAXUSD_PERP", "binance-delivery:DOTUSD_PERP", "binance-delivery:UNIUSD_PERP",
    "coinbase:AVAX-USD", "coinbase:DOGE-USD", "coinbase:LINK-USD",
)  # fmt: skip

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason="no historical data beside the checkout (../shared/data)"),
]


@pytest.fixture(scope="module")
def crash() -> Recording:
    return record((CRASH / "trades",))


@pytest.fixture(scope="module")
def crash_history(crash: Recording) -> History:
    return history(crash.minutes)


def inputs(recording: Recording, sources: tuple[str, ...]) -> Inputs:
    return inputs_of(recording, tuple(recording.sources[name].underlying for name in sources), sources)


# --- doubtful indices -------------------------------------------------------------------------------------------------


def test_what_accounts_hold_is_doubtful_for_a_small_part_of_the_day(crash: Recording) -> None:
    """Over all accounts of one to five coins, some coin of theirs is held for less than 20 % of the day."""
    held = np.array([[minute.samples[coin].held for coin in COINS] for minute in crash.minutes[1:]])
    for size, most in ((1, 0.05), (3, 0.10), (5, 0.20)):
        books = [list(book) for book in itertools.combinations(range(len(COINS)), size)]
        share = np.mean([held[:, book].any(axis=1).mean() for book in books])
        assert 0.0 < share < most


# --- correlations -----------------------------------------------------------------------------------------------------


def test_the_crash_is_calm_for_the_detector(crash: Recording) -> None:
    """No regime is entered, nothing comes near the levels of a breakdown, and k is that of calm all day."""
    assert crash.changes == []
    assert max(one.distance for one in crash.regimes) == pytest.approx(0.0523, abs=0.002)
    assert max(one.rise for one in crash.regimes) == pytest.approx(0.0899, abs=0.004)
    assert set(published(crash, COINS, 0, DEFAULT_ACTIVE).k) == {0.10}


def test_the_published_matrices_are_the_direct_ones(crash: Recording, crash_history: History) -> None:
    """Through holds, silences of minutes and the wick, each published entry equals direct sums to the millionth."""
    compared = 0
    changed = [m for m in range(1, len(crash.views)) if crash.views[m] is not crash.views[m - 1]]
    for m in changed[::12]:
        view = crash.views[m]
        _, fast, slow = matrices(crash_history, m)
        places = [crash_history.names.index(name) for name in view.underlyings]
        for one, direct in ((view.fast, fast), (view.slow, slow)):
            np.testing.assert_allclose(one, direct[np.ix_(places, places)], rtol=0.0, atol=6e-7)
            compared += len(places) ** 2
    assert compared > 10_000


def test_the_correlation_falls_by_little_in_the_cascade(crash: Recording, crash_history: History) -> None:
    """Unshrunk, the fast mean falls from 0.87 to 0.69 on the thin venue, from 0.92 to 0.84 on the others."""
    raw = {m: matrices(crash_history, m)[0] for m in range(at(crash, 20), at(crash, 23, 59), 5)}
    for coins, high, low in ((QUIET_VENUE, 0.88, 0.69), (OTHERS, 0.92, 0.84)):
        values = {m: mean_among(one, coins, crash_history.names) for m, one in raw.items()}
        assert max(values.values()) == pytest.approx(high, abs=0.015)
        after = [value for m, value in values.items() if m >= at(crash, 20, 50)]
        assert min(after) == pytest.approx(low, abs=0.015)


def test_all_coins_are_estimated_in_time_and_stay(crash: Recording) -> None:
    """From 02:16 on every coin of the day has an estimate, through the whole cascade."""
    listed = [set(view.underlyings) == set(COINS) for view in crash.views]
    first = listed.index(True)
    assert first == at(crash, 2, 16)
    assert all(listed[first:])


def test_an_all_long_book_never_asks_much_less_after_the_cascade(crash: Recording) -> None:
    """With k of calm times it does not fall below its requirement at 20:45: the day's high of before is latched."""
    series = asked(crash.views, COINS, np.ones(len(COINS)))
    before = series[at(crash, 20, 45)]
    assert before == pytest.approx(0.909, abs=0.002)
    after = series[at(crash, 20, 45) :]
    assert after.min() / before >= 1.0
    assert after.max() / before == pytest.approx(1.013, abs=0.003)


def test_a_hedged_book_asks_what_the_floor_asks(crash: Recording) -> None:
    """Long and short by turns, the floor is the worst matrix at every minute; the estimates alone would ask less."""
    w = alternating(len(COINS))
    np.testing.assert_allclose(asked(crash.views, COINS, w), asked_by_the_floor(w), rtol=1e-12)
    full = [view for view in crash.views if len(view.underlyings) == len(COINS)]
    alone = asked(full, COINS, w, floor=False)
    assert alone.min() == pytest.approx(0.341, abs=0.002)
    assert alone.max() == pytest.approx(0.372, abs=0.002)


# --- ranges -----------------------------------------------------------------------------------------------------------


def test_the_history_of_a_day_moves_no_range_by_more_than_a_step(crash: Recording) -> None:
    """On a day that is all the history there is, every range stays at its set's own or one step above, to the end."""
    found = charges(crash)
    assert len(found) == 10
    for name, points in found.items():
        own = points[0][1]
        assert {round((value - own) * 20) for _, value in points} <= {0, 1}, name


def test_the_cascade_moves_no_ladder_by_two_steps_in_half_an_hour(crash: Recording) -> None:
    """From 20:45 on every step leads up by 0.05, and two of one coin are at least 30 minutes apart."""
    mark_us = int(crash.times_us[at(crash, 20, 45)])
    found = ladders(crash)
    for name, points in found.items():
        for (before_us, before), (after_us, after) in itertools.pairwise(points):
            assert after >= before
            if after_us < mark_us or after == before:
                continue
            assert after == pytest.approx(before + 0.05), name
            assert after_us - before_us >= 30 * MINUTE_US, name
    assert found["BTC"][-1][1] == 0.30


def test_tails_of_the_cascade_are_in_the_history(crash: Recording) -> None:
    """The rows hold moves of more than five standard deviations down; the day gives at least 80 rows a coin."""
    rows = crash.fold.history(COINS)
    assert rows.shape[1] == 10
    assert (np.isfinite(rows).sum(axis=0) > 80).all()
    assert (np.nanmin(rows, axis=0) < -5.0).all()


# --- estimators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sources", "known"),
    [(THIN_SERIES, (0.50, 0.60, 0.73)), (OTHER_SERIES, (0.63, 0.65, 0.87))],
    ids=["thin", "others"],
)
def test_calm_hours_have_the_naive_correlation_told_with_the_data(
    crash: Recording, sources: tuple[str, ...], known: tuple[float, ...]
) -> None:
    """From 02 to 08 h, from 08 to 14 h and from 14:30 to 20:30 it is what others found in these files."""
    one = inputs(crash, sources)
    for (start, end), value in zip(((2, 8), (8, 14), (14.5, 20.5)), known, strict=True):
        found = est.naive(one, at(crash, 0, int(60 * end)), int(60 * (end - start)))
        assert mean_correlation(found) == pytest.approx(value, abs=0.008)


def test_raw_ticks_lose_correlation_in_the_worst_hour(crash: Recording) -> None:
    """From 20:50 the naive estimate is 0.15 to 0.20, the other samplings are lower, the published fast one is 0.8."""
    end = at(crash, 21, 50)
    for sources, naive in ((THIN_SERIES, 0.197), (OTHER_SERIES, 0.151)):
        one = inputs(crash, sources)
        assert mean_correlation(est.naive(one, end)) == pytest.approx(naive, abs=0.002)
        every = est.window_ticks(one, end, 1)
        assert mean_correlation(refresh_time_by_pairs(every)) < 0.1
        assert mean_correlation(hayashi_yoshida(every)) < 0.1
        assert mean_correlation(est.naive(one, end, 60, 5)) > 0.4
        assert mean_correlation(est.fast(inputs(crash, tuple(dict.fromkeys(sources))), end)) > 0.8


# --- requirements of constant books -----------------------------------------------------------------------------------


def test_constant_books_never_ask_much_less_after_the_cascade(crash: Recording) -> None:
    """At constant ranges no book falls 5 % below its 20:45 value; with the naive matrix one falls by 35 %."""
    first = crash.first_full(COINS)
    forces = at_constant_ranges(published(crash, COINS, first, DEFAULT_ACTIVE))
    mark = at(crash, 20, 45) - first
    for exposures in books_of(crash.last_prices(COINS)[first:]).values():
        values = requirements(forces, np.broadcast_to(exposures[0], exposures.shape))
        assert values[mark:].min() >= 0.95 * values[mark]
    one = inputs_of(crash, COINS, crash.busiest(COINS))
    long = np.ones(len(COINS))
    naive = []
    for row in (at(crash, 20, 45), at(crash, 22, 35)):
        matrix = est.naive(one, row)
        assert matrix is not None
        naive.append(float(np.sqrt(0.9 * (long @ matrix @ long) + 0.1 * long.sum() ** 2)))
    assert naive[1] < 0.65 * naive[0]


def test_the_ranges_of_the_curves_end_where_the_fold_ends(crash: Recording) -> None:
    """What a constant book is charged in the last minute is what the fold has in force for each coin."""
    last = published(crash, COINS, 0, DEFAULT_ACTIVE).ranges[-1]
    for coin, value in zip(COINS, last, strict=True):
        assert value == in_force(crash.fold.range_step(coin), DEFAULT_ACTIVE.risk_matrix(coin).price_range), coin


def test_after_the_mark_prices_lower_requirements_and_ranges_hardly_raise_them(crash: Recording) -> None:
    """From 20:45 to midnight prices take 14 % from both books, ranges add 1 to 3 %, correlation less than 2 %."""
    first = at(crash, 8)
    forces = published(crash, COINS, first, DEFAULT_ACTIVE)
    mark = at(crash, 20, 45) - first
    for exposures in books_of(crash.last_prices(COINS)[first:]).values():
        values = requirements(forces, exposures)
        found = parts(forces, exposures, mark, len(values) - 1)
        assert found.total == pytest.approx(values[-1] - values[mark], abs=1e-12)
        assert 0.01 < found.ranges / values[mark] < 0.03
        assert found.prices / values[mark] == pytest.approx(-0.14, abs=0.02)
        assert 0.0 <= found.correlation / values[mark] < 0.02
        whole = largest_rise(crash.times_us[first:], values)
        assert at(crash, 21, 20) < first + whole.start < first + whole.end < at(crash, 22)


def test_a_ladder_that_nothing_holds_back_adds_a_fifth(crash: Recording) -> None:
    """Used at once and as far as it goes, it raises both books by 15 to 22 % from 20:45 to midnight."""
    first = at(crash, 8)
    forces = not_held_back(crash, COINS, first, DEFAULT_ACTIVE)
    now = published(crash, COINS, first, DEFAULT_ACTIVE)
    mark = at(crash, 20, 45) - first
    for exposures in books_of(crash.last_prices(COINS)[first:]).values():
        values = requirements(forces, exposures)
        found = parts(forces, exposures, mark, len(values) - 1)
        assert 0.15 < found.ranges / values[mark] < 0.22
        assert (values > requirements(now, exposures)).all()
    for coin, points in ladders(crash).items():
        steps = forces.ranges[:, COINS.index(coin)]
        rows = np.searchsorted(crash.times_us[first:], [time_us for time_us, _ in points])
        assert (steps[rows] >= [value for _, value in points]).all(), coin


def test_an_options_book_is_proved_at_every_moment(crash: Recording) -> None:
    """Marks are never older than five seconds, each requirement closes its gap, and the parts of its rise add up."""
    first = at(crash, 8)
    times, prices = crash.times_us[first:], crash.last_prices(("BTC", "ETH"))[first:]
    options = read_options((CRASH / "options_okx",), times)
    assert [one.strike for one in options] == [80_000.0, 102_000.0, 132_000.0]
    assert max(one.oldest_us for one in options) < 5_000_000
    forces = published(crash, COINS, first, DEFAULT_ACTIVE)
    pair = [COINS.index("BTC"), COINS.index("ETH")]
    stacks = [np.ascontiguousarray(stack[:, pair][:, :, pair]) for stack in forces.matrices]
    book = OptionBook(options, np.array([-10.0, 10.0, -10.0]), Blocks(times, prices[:, 0], prices[:, 1]), 0)
    values = {
        m: book.requirement(forces.ranges[m][pair], m, m, stacks[m], float(forces.k[m]))
        for m in (0, 400, len(times) - 1)
    }
    assert all(value > 0.0 for value in values.values())
    last = len(times) - 1
    split = option_parts(book, forces.ranges[:, pair], stacks, forces.k, (0, last))
    total = split.ranges + split.prices + split.volatility + split.correlation
    assert total == pytest.approx(values[last] - values[0], rel=1e-9)
