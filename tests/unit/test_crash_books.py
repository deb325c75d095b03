"""Requirements of constant books through a recording: parts of a change, largest rises, ranges on a ladder."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.crash.books import Case, Forces, largest_rise, parts, requirement, requirements
from benchmarks.crash.figure import LABEL_GAP, Line, Panel, plot
from benchmarks.crash.forces import at_constant_ranges, blended, only, published, stress_of
from benchmarks.crash.ranges import charged, undamped, unheld
from benchmarks.crash.recording import Recording, Series
from benchmarks.crash.report import changes_table, table
from monitor.engine.composite import TicksFold
from monitor.engine.correlation import CorrelationView, Estimate, gather, millionths, view_of
from monitor.engine.correlation_estimator import CorrelationEstimator
from monitor.engine.minutes import MINUTE_US, Minute, Sample
from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.ranges import wanted_range
from monitor.engine.regime import RegimeTransition, RegimeView
from schemas.records import RangeStep

Floats = NDArray[np.float64]


def equal(rho: float, n: int = 2) -> Floats:
    return np.full((n, n), rho) + (1.0 - rho) * np.eye(n)


def forces_of(rhos: list[float], ranges: list[list[float]], k: float = 0.1) -> Forces:
    return Forces([equal(rho)[None] for rho in rhos], np.full(len(rhos), k), np.array(ranges))


def test_the_requirement_is_the_worst_matrix_and_a_share_of_the_plain_sum() -> None:
    """Three long and four short of two coins: the lower correlation rules, and k adds to it."""
    found = requirement(np.array([equal(0.9), equal(0.5)]), 0.1, np.array([3.0, -4.0]))
    assert found == pytest.approx(math.sqrt(0.9 * (9 + 16 - 12) + 0.1 * 49), rel=1e-15)


def test_parts_of_a_change_add_up_and_name_their_cause() -> None:
    """Ranges that double, prices that fall, correlation that rises: each part is what its input brought in its turn."""
    forces = forces_of([0.5, 0.5, 0.5, 0.8], [[0.1, 0.1], [0.2, 0.2], [0.2, 0.2], [0.2, 0.2]], k=0.0)
    exposures = np.array([[1.0, 1.0], [1.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    values = requirements(forces, exposures)
    split = parts(forces, exposures, 0, 3)
    assert split.ranges == pytest.approx(values[1] - values[0], rel=1e-12)
    assert split.prices == pytest.approx(values[2] - values[1], rel=1e-12)
    assert split.correlation == pytest.approx(0.1 * (math.sqrt(3.6) - math.sqrt(3.0)), rel=1e-12)
    assert split.total == pytest.approx(values[3] - values[0], rel=1e-12)
    hedged = parts(forces, exposures * np.array([1.0, -1.0]), 0, 3)
    assert hedged.correlation < 0.0


def test_a_case_knows_its_gross_and_its_constant_exposures() -> None:
    """Prices that move leave the constant exposures of a book alone, and ranges of 1 those of its losses."""
    case = Case("a", forces_of([0.5, 0.5], [[0.1, 0.2], [0.3, 0.4]]), np.array([[1.0, -2.0], [5.0, -1.0]]))
    assert case.gross_usd == 3.0
    np.testing.assert_array_equal(case.constant, [[1.0, -2.0], [1.0, -2.0]])
    np.testing.assert_array_equal(at_constant_ranges(case.forces).ranges, np.ones((2, 2)))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.one_of(st.none(), st.integers(1, 12)))
def test_the_largest_rise_is_the_largest_of_all_pairs(numbers: list[int], within: int | None) -> None:
    """No pair of minutes in reach of each other has a larger ratio, and the pair that is named has it."""
    times, values = np.arange(len(numbers)) * MINUTE_US, np.array(numbers, dtype=np.float64)
    found = largest_rise(times, values, None if within is None else within * MINUTE_US)
    reach = len(numbers) if within is None else within
    every = [values[j] / values[i] for i in range(len(numbers)) for j in range(i, min(len(numbers), i + reach + 1))]
    assert found.ratio == max(every)
    assert values[found.end] / values[found.start] == found.ratio
    assert 0 <= found.end - found.start <= reach


def recorded(
    prices: list[float | None],
    regimes: list[RegimeView] | None = None,
    steps: list[RangeStep] | None = None,
    changes: list[RegimeTransition] | None = None,
) -> Recording:
    """Return a recording of BTC, None where its index is held; correlations are unknown throughout."""
    minutes = []
    for m, price in enumerate(prices):
        sample = Sample(price or 1.0, price is None, False, m * MINUTE_US)
        minutes.append(Minute(m * MINUTE_US, {"BTC": sample}))
    views = [CorrelationEstimator().view] * len(minutes)
    known = regimes or [RegimeView()] * len(minutes)
    return Recording(minutes, views, known, {}, steps or [], changes or [], TicksFold())


def step_at(minute: int, version: int, price_range: float, reach: int) -> RangeStep:
    return RangeStep(
        id="1" * 32, underlying="BTC", version=version, price_range=price_range, reach=reach, annual_volatility=1.0,
        returns=720.0, event_time_us=minute * MINUTE_US, v=1,
    )  # fmt: skip


def test_ranges_in_force_begin_with_the_minute_of_their_step() -> None:
    """Before any step it is the set's own, rounded up; then the ladder's as far as it reaches, from its minute on."""
    steps = [step_at(2, 1, 0.40, 1), step_at(4, 2, 0.40, 2), step_at(5, 3, 0.15, 2)]
    found = charged(recorded([1.0] * 7, steps=steps), ("BTC", "XYZ"), DEFAULT_ACTIVE)
    assert found[:, 0].tolist() == [0.20, 0.20, 0.25, 0.25, 0.30, 0.15, 0.15]
    assert found[:, 1].tolist() == [0.25] * 7


def test_a_dollar_token_keeps_its_own_range() -> None:
    """What a parameter set exempts from the ladder is charged unrounded."""
    coin = DEFAULT_ACTIVE.set.netting.fixed_ranges[0]
    own = DEFAULT_ACTIVE.risk_matrix(coin).price_range
    assert charged(recorded([1.0, 1.0]), (coin,), DEFAULT_ACTIVE).tolist() == [[own], [own]]


def test_k_in_force_is_that_of_the_minutes_regime() -> None:
    """Calm, concentration and breakdown have their own k, each from its minute on, and a change says what it raises."""
    regimes = [RegimeView(), RegimeView("concentration"), RegimeView("breakdown"), RegimeView()]
    calm, broken = regimes[1], RegimeView("breakdown", 2 * MINUTE_US)
    view = CorrelationEstimator().view
    changes = [RegimeTransition(calm.regime, "distance", broken, view)]
    recording = recorded([1.0] * 4, regimes, changes=changes)
    found = published(recording, ("BTC", "ETH"), 0, DEFAULT_ACTIVE)
    assert found.k.tolist() == [0.10, 0.20, 0.50, 0.10]
    hedged = changes_table(recording, found, {"hedged": np.array([[1.0, -1.0]])})[-1]
    old, new = (math.sqrt((1.0 - k) * 0.25 + k) for k in (0.2, 0.5))  # the floor: two coins at 0.5
    assert hedged.startswith("| concentration to breakdown | 01-01 00:02 | 0.20 to 0.50 |")
    assert f"{old:.3f} to {new:.3f} | {new / old - 1:+.1%}" in hedged


def swings(rng: np.random.Generator, sizes: list[float]) -> list[float]:
    """Return prices of a walk by minute, with these standard deviations a minute."""
    found: list[float] = np.exp(np.cumsum(np.array(sizes) * rng.standard_normal(len(sizes)))).tolist()
    return found


def test_a_ladder_that_nothing_holds_back_covers_what_is_wanted() -> None:
    """From an hour's worth of returns on it covers what is wanted, goes up at once and down after a day of calm."""
    rng = np.random.default_rng(1)
    found = unheld(recorded([*swings(rng, [5e-4] * 600 + [2e-3] * 400 + [2e-4] * 5_000)]), ("BTC",))
    wanted, steps = found.wanted[:, 0], found.steps[:, 0]
    known = ~np.isnan(steps)
    first = int(known.argmax())
    assert 69 <= first <= 72
    assert known[first:].all()
    assert (steps[known] >= wanted[known] - 1e-9).all()
    np.testing.assert_allclose(steps[known] * 20, np.round(steps[known] * 20), atol=1e-9)
    moves = [int(m) for m in np.flatnonzero(np.diff(steps)) + 1 if known[m - 1]]
    rises = [m for m in moves if steps[m] > steps[m - 1]]
    assert rises
    assert all(steps[m] - wanted[m] < 0.05 for m in rises)
    falls = [m for m in moves if steps[m] < steps[m - 1]]
    assert falls
    assert all((wanted[m - 1_439 : m + 1] < 0.9 * steps[m - 1]).all() for m in falls)
    np.testing.assert_allclose([wanted_range(d * math.sqrt(365)) for d in found.daily[known, 0]], wanted[known])


def test_an_undamped_range_weighs_ten_minute_returns_by_age() -> None:
    """It follows the root of the weighted mean square of all returns so far, from 60 returns on, between its bounds."""
    rng = np.random.default_rng(1)
    held: list[float | None] = [*swings(rng, [1e-3] * 300)]
    held[150:155] = [None] * 5
    found = undamped(recorded(held), ("BTC",), 60.0)[:, 0]
    returns = {}
    for m in range(10, 300):
        end, start = held[m], held[m - 10]
        if end is not None and start is not None:
            returns[m] = math.log(end / start)
    ends = list(returns)
    assert np.isnan(found[: ends[58] + 1]).all()
    for m in (ends[59], 152, 299):
        weight = {e: 0.5 ** ((m - e) / 60.0) for e in ends if e <= m}
        mean = sum(weight[e] * returns[e] ** 2 for e in weight) / sum(weight.values())
        assert found[m] == pytest.approx(min(0.5, max(0.093, 6.0 * math.sqrt(288.0 * mean))), rel=1e-12)
    assert 0.093 < found[299] < 0.5


def test_a_held_index_keeps_its_last_price_for_what_a_book_is_worth() -> None:
    """Returns see no price there; exposures see the last one, and none before the first."""
    recording = recorded([None, 2.0, None, 3.0])
    assert np.isnan(recording.prices(("BTC",))[[0, 2]]).all()
    assert recording.last_prices(("BTC",))[1:, 0].tolist() == [2.0, 2.0, 3.0]


def test_the_busiest_source_stands_for_a_coin() -> None:
    """Of two sources of one coin the one with more ticks is taken."""
    few, many = (Series("BTC", np.arange(n), np.ones(n)) for n in (2, 3))
    assert Recording([], [], [], {"a": few, "b": many}, [], [], TicksFold()).busiest(("BTC",)) == ("b",)


def known_view(fast: float, slow: float, latched: float) -> CorrelationView:
    coins = ("BTC", "ETH")
    high = Estimate(coins, (), equal(latched))
    return view_of(1, 0, coins, (), millionths(equal(fast)), millionths(equal(slow)), [("latched_high", high)])


def test_matrices_are_taken_by_name() -> None:
    """The floor is the last of each set, wherever that is: a latched matrix like the fast one has no place there."""
    views = [known_view(0.9, 0.7, 0.9), known_view(0.8, 0.7, 0.9)]
    forces = Forces([gather(view, ("BTC", "ETH"), 0.5) for view in views], np.full(2, 0.1), np.ones((2, 2)))

    def left(*names: str) -> list[list[float]]:
        return [stack[:, 0, 1].tolist() for stack in only(forces, views, names).matrices]

    assert left("fast", "slow") == [[0.9, 0.7], [0.8, 0.7]]
    assert left("fast", "floor") == [[0.9, 0.5], [0.8, 0.5]]
    assert left("latched_high", "floor") == [[0.5], [0.9, 0.5]]


def test_a_blend_with_stress_never_lowers_and_rises_less() -> None:
    """A quarter of stress: what is below it is lifted, what is above it stays, and a doubling becomes less."""
    now, stress = np.array([1.0, 2.0, 8.0]), np.full(3, 4.0)
    np.testing.assert_allclose(blended(now, stress, 0.25), [1.75, 2.5, 8.0])
    forces = stress_of(forces_of([0.5], [[0.1, 0.2]]), 0.8, 0.5)
    assert forces.ranges.tolist() == [[0.5, 0.5]]
    assert forces.k.tolist() == [0.8]


def test_labels_of_lines_that_end_together_stand_apart() -> None:
    """A plot has every label, none nearer than a gap to the next, and a line breaks where it has no value."""
    values = np.array([0.5, 0.5, math.nan, 0.5, 0.5])
    lines = tuple(Line(name, "#000", values) for name in ("one", "two", "three"))
    text = plot(np.arange(5) * 3_600_000_000, (Panel("p", lines),), "t", "s", None)
    heights = [float(row.split('y="')[1].split('"')[0]) for row in text.splitlines() if 'fill="#000"' in row]
    assert len(heights) == 3
    assert min(np.diff(sorted(heights))) >= LABEL_GAP - 0.1
    assert text.count("<polyline") == 6


def test_tables_are_markdown() -> None:
    """The first column stands left, the others right."""
    assert table(["a", "b"], [["x", "1"]]) == ["| a | b |", "|---|---:|", "| x | 1 |"]
