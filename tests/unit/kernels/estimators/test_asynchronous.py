"""Fixed grid, refresh time and Hayashi-Yoshida against definitions in rational numbers, and on simulated ticks."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import correlation, statistics
from kernels.estimators.hayashi_yoshida import hayashi_yoshida
from kernels.estimators.realised import fixed_grid, realised_correlation, refresh_time, refresh_time_by_pairs, refreshed
from kernels.estimators.ticks import Ticks, previous_ticks, thinned, ticks_of
from tests.unit.kernels.estimators import direct

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Log prices in 64ths, so that floats and rational numbers are the same.
SERIES = st.dictionaries(st.integers(0, 40), st.integers(-64, 64), min_size=2, max_size=14).map(
    lambda found: [(time, Fraction(found[time], 64)) for time in sorted(found)]
)


def packed(all_series: list[list[tuple[int, Fraction]]]) -> Ticks:
    """Return the ticks with the log prices as they are."""
    starts = np.cumsum([0, *(len(one) for one in all_series)]).astype(np.int64)
    flat = [tick for one in all_series for tick in one]
    return Ticks(np.array([t for t, _ in flat]), np.array([float(y) for _, y in flat]), starts)


def is_moving(series: list[tuple[int, Fraction]]) -> bool:
    return any(r for _, _, r in direct.returns_of(series))


@settings(deadline=None, max_examples=200)
@given(SERIES, SERIES)
def test_hayashi_yoshida_is_the_sum_over_overlapping_intervals(
    x: list[tuple[int, Fraction]], y: list[tuple[int, Fraction]]
) -> None:
    """Two pointers find what asking every pair of intervals finds, in both directions."""
    found = hayashi_yoshida(packed([x, y]))
    if is_moving(x) and is_moving(y):
        assert found[0, 1] == pytest.approx(float(direct.hayashi_yoshida(x, y)), abs=1e-13)
        swapped = hayashi_yoshida(packed([y, x]))
        assert swapped[0, 1] == pytest.approx(found[0, 1], abs=1e-13)
    else:
        assert math.isnan(found[0, 1])


@settings(deadline=None, max_examples=200)
@given(st.lists(SERIES, min_size=2, max_size=4))
def test_refresh_times_are_those_at_which_every_coin_has_traded(all_series: list[list[tuple[int, Fraction]]]) -> None:
    """Joint sampling takes each coin's last price at every refresh time, and pairs have refresh times of their own."""
    found = refreshed(packed(all_series))
    moments = direct.refresh_times(all_series)
    expected = [[float(direct.last_at(one, m) or 0) for one in all_series] for m in moments]
    np.testing.assert_array_equal(found, np.array(expected).reshape(len(moments), len(all_series)))
    by_pairs = refresh_time_by_pairs(packed(all_series))
    pair = [all_series[0], all_series[1]]
    rows = [[direct.last_at(one, m) for one in pair] for m in direct.refresh_times(pair)]
    if all(len({row[i] for row in rows}) > 1 for i in (0, 1)):
        expected_pair = direct.sampled_correlation(pair[0], pair[1], direct.refresh_times(pair))
        assert by_pairs[0, 1] == pytest.approx(float(expected_pair), abs=1e-13)
    else:
        assert math.isnan(by_pairs[0, 1])


@settings(deadline=None, max_examples=200)
@given(SERIES, SERIES, st.integers(1, 7))
def test_a_fixed_grid_takes_previous_ticks(
    x: list[tuple[int, Fraction]], y: list[tuple[int, Fraction]], step: int
) -> None:
    """Returns between grid points are of the last prices known there; rows before a coin's first tick are left out."""
    grid = list(range(0, 41, step))
    found = fixed_grid(packed([x, y]), np.array(grid))
    values = [[direct.last_at(one, m) for one in (x, y)] for m in grid]
    rows = [row for row in values if None not in row]
    if all(len({row[i] for row in rows}) > 1 for i in (0, 1)):
        assert found[0, 1] == pytest.approx(float(direct.sampled_correlation(x, y, grid)), abs=1e-13)
    else:
        assert math.isnan(found[0, 1])


def simulated(rng: np.random.Generator, rho: float, seconds: int, rates: tuple[float, ...]) -> Ticks:
    """Return Poisson ticks of Brownian motions with one correlation between every two, a second the finest step."""
    p = len(rates)
    root = np.linalg.cholesky(np.full((p, p), rho) + (1.0 - rho) * np.eye(p))
    paths = np.cumsum(1e-4 * rng.standard_normal((seconds, p)) @ root.T, axis=0)
    series = []
    for i, rate in enumerate(rates):
        times = np.flatnonzero(rng.random(seconds) < rate)
        series.append((times, np.exp(paths[times, i])))
    return ticks_of(series)


def test_asynchronous_ticks_bias_the_grid_and_not_the_others() -> None:
    """Of a true 0.8 a grid of 10 s keeps less than half at one tick in 20 s and 40 s; Hayashi-Yoshida keeps all.

    Refresh times are late by what passed since the other coin's tick, so they keep more than the grid and not all.
    """
    rng = np.random.default_rng(1979)
    found = []
    for _ in range(60):
        ticks = simulated(rng, 0.8, 20_000, (1 / 20, 1 / 40))
        grid = fixed_grid(ticks, np.arange(0, 20_000, 10))[0, 1]
        found.append((grid, refresh_time(ticks)[0, 1], hayashi_yoshida(ticks)[0, 1]))
    (grid, refresh, overlapping), errors = np.mean(found, axis=0), np.std(found, axis=0) / math.sqrt(60)
    assert abs(overlapping - 0.8) < 4.0 * errors[2]
    assert errors.max() < 0.01
    assert grid < 0.4
    assert grid + 0.1 < refresh < 0.8


def test_a_coarse_grid_forgets_the_epps_effect() -> None:
    """The naive estimate rises with its interval towards the truth; refresh times get there with dense ticks."""
    rng = np.random.default_rng(2011)
    found = []
    for _ in range(30):
        ticks = simulated(rng, 0.8, 40_000, (1 / 20, 1 / 20))
        found.append([fixed_grid(ticks, np.arange(0, 40_000, step))[0, 1] for step in (10, 60, 600)])
    fine, middle, coarse = np.mean(found, axis=0)
    assert fine + 0.1 < middle
    assert middle + 0.05 < coarse
    assert coarse == pytest.approx(0.8, abs=0.05)
    dense = simulated(rng, 0.8, 100_000, (0.9, 0.9))
    assert refresh_time(dense)[0, 1] == pytest.approx(0.8, abs=0.08)


def test_synchronous_ticks_leave_nothing_to_correct() -> None:
    """Bars that end together give the same matrix by all three, which is why they say nothing about the venues."""
    rng = np.random.default_rng(5)
    times = np.arange(0, 6_000, 60)
    ticks = ticks_of([(times, np.exp(np.cumsum(rng.standard_normal(100)))) for _ in range(5)])
    naive = fixed_grid(ticks, times)
    for other in (refresh_time(ticks), refresh_time_by_pairs(ticks), hayashi_yoshida(ticks)):
        np.testing.assert_allclose(other, naive, rtol=0.0, atol=1e-12)


def test_fifty_coins_are_estimated_and_repaired() -> None:
    """Matrices by pairs of fifty sparse coins are not positive semidefinite; both repairs make them so."""
    rng = np.random.default_rng(50)
    ticks = simulated(rng, 0.6, 2_000, tuple(np.linspace(0.02, 0.3, 50)))
    for estimate in (hayashi_yoshida(ticks), refresh_time_by_pairs(ticks)):
        assert estimate.shape == (50, 50)
        assert np.linalg.eigvalsh(estimate)[0] < -1e-3
        repaired = np.empty_like(estimate)
        assert correlation.repair(estimate, 1e-4, repaired)
        assert np.linalg.eigvalsh(repaired)[0] > 1e-4
        np.testing.assert_array_equal(np.diag(repaired), np.ones(50))
    nearest = statistics.nearest_correlation(hayashi_yoshida(ticks))
    assert np.linalg.eigvalsh(nearest)[0] > -1e-9
    estimate = refresh_time(ticks)
    assert np.linalg.eigvalsh(estimate)[0] > -1e-12


def test_thinning_keeps_the_last_tick_of_each_interval_at_its_own_time() -> None:
    """An interval of one tick removes repeated times, the last price of each staying."""
    times, prices = np.array([0, 1, 1, 9, 10, 25]), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    kept, values = thinned(times, prices, 1)
    assert kept.tolist() == [0, 1, 9, 10, 25]
    assert values.tolist() == [1.0, 3.0, 4.0, 5.0, 6.0]
    kept, values = thinned(times, prices, 10)
    assert (kept.tolist(), values.tolist()) == ([9, 10, 25], [4.0, 5.0, 6.0])
    assert len(thinned(times[:0], prices[:0], 5)[0]) == 0


def test_a_coin_without_ticks_has_no_correlation() -> None:
    """It is NaN with every other coin by every estimator, and the others keep theirs by pairs."""
    times = np.array([0, 1, 2, 3])
    moving = (times, np.array([1.0, 2.0, 1.0, 3.0]))
    ticks = ticks_of([moving, (times[:0], np.zeros(0)), moving])
    for matrix in (hayashi_yoshida(ticks), refresh_time_by_pairs(ticks), fixed_grid(ticks, times)):
        assert matrix[0, 2] == pytest.approx(1.0, abs=1e-15)
        assert np.isnan(matrix[1, [0, 2]]).all()
    assert refreshed(ticks).shape == (0, 3)
    assert np.isnan(refresh_time(ticks)[0, 2])
    assert np.isnan(previous_ticks(ticks, np.array([-1, 0]))[0]).all()


@pytest.mark.parametrize(
    ("times", "prices", "said"),
    [
        ([0, 0], [1.0, 2.0], "strictly"),
        ([0, 1], [1.0], "one price"),
        ([0, 1], [1.0, 0.0], "positive"),
        ([0, 1], [1.0, math.nan], "positive"),
    ],
)
def test_ticks_that_are_none_are_refused(times: list[int], prices: list[float], said: str) -> None:
    """Repeated times, missing prices and prices that are none raise before any estimate."""
    with pytest.raises(ValueError, match=said):
        ticks_of([(np.array(times), np.array(prices))])


def test_what_cannot_be_sampled_is_refused() -> None:
    """Grids and times that run backwards, intervals of nothing and infinite returns raise."""
    times, prices = np.array([1, 0]), np.ones(2)
    with pytest.raises(ValueError, match="decrease"):
        thinned(times, prices, 1)
    with pytest.raises(ValueError, match="at least 1"):
        thinned(times[:1], prices[:1], 0)
    with pytest.raises(ValueError, match="ascend"):
        previous_ticks(ticks_of([]), times)
    with pytest.raises(ValueError, match="rows of numbers"):
        realised_correlation(np.array([[1.0, math.inf]]))
