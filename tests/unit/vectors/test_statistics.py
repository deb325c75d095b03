"""Statistics kernels: edges, relations between them, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kernels import distributions, statistics
from kernels._jit import Floats

RETURNS = st.floats(-10.0, 10.0).map(lambda x: round(x, 6))
SAMPLES = arrays.arrays(np.float64, st.integers(1, 60), elements=RETURNS)
TABLES = arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=RETURNS)
SQUARES = st.integers(1, 5).flatmap(lambda n: arrays.arrays(np.float64, (n, n), elements=st.floats(-1.0, 1.0)))


def test_the_variance_of_many_moves_at_once() -> None:
    """Arrays are updated element by element, each as if it were alone; the inputs are left as they are."""
    variance, last = np.array([4e-4, 0.0, 1e-6]), np.array([0.02, -0.01, 0.0])
    together = statistics.ewma_variance(variance, last, 0.94)
    alone = [statistics.ewma_variance(variance[i : i + 1], last[i : i + 1], 0.94)[0] for i in range(3)]
    assert together.tolist() == alone
    assert variance.tolist() == [4e-4, 0.0, 1e-6]


@pytest.mark.parametrize(("decay", "want"), [(0.0, 4e-4), (1.0, 9e-4)])
def test_the_ends_of_the_decay_are_all_or_nothing(decay: float, want: float) -> None:
    """Decay 0 forgets everything before, decay 1 learns nothing."""
    got = statistics.ewma_variance(np.array([9e-4]), np.array([0.02]), decay)
    assert got[0] == pytest.approx(want, rel=1e-15)


def test_a_constant_return_is_found() -> None:
    """The variance of returns of one size converges to their square."""
    variance = np.array([1.0])
    for _ in range(600):
        variance = statistics.ewma_variance(variance, np.array([-0.03]), 0.94)
    assert variance[0] == pytest.approx(0.0009, rel=1e-12)


def test_a_missing_return_is_no_return_of_zero() -> None:
    """NaN stays NaN instead of ageing the variance."""
    assert math.isnan(statistics.ewma_variance(np.array([1e-4]), np.array([math.nan]), 0.94)[0])


@pytest.mark.parametrize("decay", [-1e-9, 1.0 + 1e-9, math.nan])
def test_a_decay_outside_its_range_is_refused(decay: float) -> None:
    """A weight below zero would make a variance negative."""
    with pytest.raises(ValueError, match="decay"):
        statistics.ewma_variance(np.ones(1), np.ones(1), decay)


@settings(deadline=None, max_examples=200)
@given(SAMPLES, st.floats(0.01, 0.999))
def test_shortfall_is_at_least_value_at_risk(pnl: Floats, confidence: float) -> None:
    """In every convention the shortfall is at least the value at risk, and at most the worst loss."""
    for tail in ("tail_mean", "beyond", "weighted"):
        var, es = distributions.historical_var_es(pnl, confidence, tail)
        assert var - 1e-9 <= es <= -pnl.min() + 1e-12
        assert -pnl.max() <= var <= -pnl.min()


@settings(deadline=None, max_examples=200)
@given(SAMPLES, SAMPLES, st.floats(0.01, 0.999))
def test_weighted_shortfall_is_subadditive(x: Floats, y: Floats, confidence: float) -> None:
    """Joining two portfolios never has more shortfall than both apart: the weighted convention is coherent."""
    n = min(x.size, y.size)
    x, y = np.ascontiguousarray(x[:n]), np.ascontiguousarray(y[:n])
    apart = distributions.historical_var_es(x, confidence)[1] + distributions.historical_var_es(y, confidence)[1]
    assert distributions.historical_var_es(x + y, confidence)[1] <= apart + 1e-9


def test_a_whole_tail_is_counted_as_whole() -> None:
    """20 results at 95 % have one in the tail, although 1 - 0.95 is a little more than 0.05 in binary."""
    pnl = -np.arange(1.0, 21.0)
    assert distributions.historical_var_es(pnl, 0.95, "tail_mean") == (20.0, 20.0)
    assert distributions.historical_var_es(pnl, 0.90, "tail_mean") == (19.0, 19.5)
    assert distributions.historical_var_es(pnl, 0.90, "beyond") == (19.0, 20.0)
    assert distributions.historical_var_es(pnl, 0.90, "weighted") == (19.0, 19.5)


def test_a_tail_of_less_than_one_result_is_the_worst() -> None:
    """With few results the worst loss is value at risk and shortfall in every convention."""
    pnl = np.array([1.0, -7.0, 3.0])
    for tail in ("tail_mean", "beyond", "weighted"):
        assert distributions.historical_var_es(pnl, 0.99, tail) == pytest.approx((7.0, 7.0), rel=1e-14)


def test_history_has_to_be_there() -> None:
    """No results, or one that is missing, is refused; so is a confidence that is no probability."""
    for pnl in (np.zeros(0), np.array([1.0, math.nan])):
        with pytest.raises(ValueError, match="results"):
            distributions.historical_var_es(pnl, 0.99)
    for confidence in (0.0, 1.0, -0.5, math.nan):
        with pytest.raises(ValueError, match="confidence"):
            distributions.historical_var_es(np.ones(3), confidence)
        with pytest.raises(ValueError, match="confidence"):
            distributions.gaussian_var_es(0.0, 1.0, confidence)


def test_a_certain_result_has_no_tail() -> None:
    """Without deviation value at risk and shortfall are the loss itself."""
    assert distributions.gaussian_var_es(-2.5, 0.0, 0.99) == (2.5, 2.5)
    with pytest.raises(ValueError, match="sigma"):
        distributions.gaussian_var_es(0.0, math.nan, 0.99)


def test_exposures_that_cancel_need_nothing() -> None:
    """Two opposite exposures in one risk are no risk; rounding below zero is zero and not NaN."""
    ones = np.ones((2, 2))
    alone, together = distributions.delta_normal_var(np.array([0.1, -0.1]), ones, 2.33, 10.0)
    assert together == 0.0
    assert alone.tolist() == [alone[0]] * 2
    assert distributions.delta_normal_var(np.zeros(0), np.zeros((0, 0)), 2.33, 1.0)[1] == 0.0


def test_a_sample_that_does_not_vary_has_no_correlation() -> None:
    """A constant sample gives NaN; one with itself gives 1 and with its mirror image -1."""
    x = np.array([0.1, 0.7, -0.3])
    assert math.isnan(statistics.pearson(np.full(3, 0.1), x))
    assert statistics.pearson(x, x) == 1.0
    assert statistics.pearson(x, -3.0 * x + 2.0) == -1.0


@settings(deadline=None, max_examples=100)
@given(SQUARES)
def test_repaired_matrices_are_correlations(matrix: Floats) -> None:
    """Both repairs give unit diagonals, symmetry and no eigenvalue below zero; the nearest is nearest."""
    np.fill_diagonal(matrix, 1.0)
    symmetric = 0.5 * (matrix + matrix.T)
    spectral, nearest = statistics.spectral_repair(matrix), statistics.nearest_correlation(matrix)
    for repaired in (spectral, nearest):
        assert np.diag(repaired).tolist() == [1.0] * len(matrix)
        assert np.array_equal(repaired, repaired.T)
        assert np.linalg.eigvalsh(repaired).min() > -1e-9
    assert np.linalg.norm(nearest - symmetric) <= np.linalg.norm(spectral - symmetric) + 1e-9


def test_a_correlation_matrix_needs_no_repair() -> None:
    """What is one already stays what it is, to rounding."""
    whole = np.array([[1.0, 0.6, 0.2], [0.6, 1.0, -0.3], [0.2, -0.3, 1.0]])
    assert statistics.spectral_repair(whole) == pytest.approx(whole, abs=1e-15)
    assert statistics.nearest_correlation(whole) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("bad", [np.ones((2, 3)), np.ones(3), np.ones((0, 0)), np.array([[1.0, math.inf], [0.0, 1.0]])])
def test_what_is_no_matrix_of_correlations_is_refused(bad: Floats) -> None:
    """Other shapes and elements that are not finite are errors of the caller."""
    for repair in (statistics.spectral_repair, statistics.nearest_correlation):
        with pytest.raises(ValueError, match="correlation matrix"):
            repair(bad)


@settings(deadline=None, max_examples=200)
@given(TABLES)
def test_shrinking_keeps_the_trace_and_never_overshoots(x: Floats) -> None:
    """Intensities lie in [0, 1]; the sum of variances is the sample's; the result is at least as definite."""
    centred = x - x.mean(axis=0)
    sample = centred.T @ centred / len(x)
    for shrunk in (statistics.ledoit_wolf(x), statistics.oracle_approximating(x)):
        assert 0.0 <= shrunk.intensity <= 1.0
        assert np.trace(shrunk.covariance) == pytest.approx(np.trace(sample), rel=1e-9, abs=1e-9)
        assert np.linalg.eigvalsh(shrunk.covariance).min() >= np.linalg.eigvalsh(sample).min() - 1e-9


def test_observations_have_to_be_there() -> None:
    """No rows, no columns or a NaN is refused."""
    for x in (np.zeros((0, 2)), np.zeros((2, 0)), np.ones(3), np.array([[1.0, math.nan]])):
        for shrink in (statistics.ledoit_wolf, statistics.oracle_approximating):
            with pytest.raises(ValueError, match="observations"):
                shrink(x)
