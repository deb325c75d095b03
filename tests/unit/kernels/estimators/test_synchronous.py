"""DCC, RiskMetrics and shrinkage against their definitions in 40 digits, and what a fit finds in simulated returns."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.estimators import dcc, moving
from kernels.estimators.realised import realised_correlation
from kernels.estimators.shrunk import ledoit_wolf_correlation, oas_correlation, standardised
from tests.unit.kernels.estimators import direct

Floats = NDArray[np.float64]


def drawn(seed: int, n: int, p: int, rho: float = 0.5) -> Floats:
    """Return standard normal rows with one correlation between every two columns."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 1))
    return math.sqrt(rho) * common + math.sqrt(1.0 - rho) * rng.standard_normal((n, p))


@pytest.mark.parametrize(("a", "b"), [(0.02, 0.97), (0.3, 0.0), (0.0, 0.5), (0.1, 0.8999)])
def test_dcc_is_the_sum_over_all_past_returns(a: float, b: float) -> None:
    """The recursion ends at the matrix that the weights of all past rows give."""
    e = drawn(1, 25, 4)
    mean = realised_correlation(e)
    expected = direct.dcc_path(e.tolist(), mean.tolist(), a, b)[-1]
    found = dcc.dcc(e, mean, a, b)
    for i in range(4):
        for j in range(4):
            assert found[i, j] == pytest.approx(float(expected[i, j]), abs=1e-14)
    assert np.linalg.eigvalsh(found)[0] > 0.0


def test_dcc_without_returns_is_the_mean() -> None:
    """Before any row the matrix is Qbar scaled to a unit diagonal."""
    mean = np.array([[4.0, 1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(dcc.dcc(np.zeros((0, 2)), mean), [[1.0, 0.5], [0.5, 1.0]])


@pytest.mark.parametrize(("a", "b"), [(0.02, 0.97), (0.15, 0.6)])
def test_the_quasi_likelihood_is_that_of_gaussian_pairs(a: float, b: float) -> None:
    """Closed form and determinants agree on the sum over neighbouring pairs."""
    e = drawn(2, 20, 4)
    mean = realised_correlation(e)
    expected = direct.dcc_log_likelihood(e.tolist(), mean.tolist(), a, b)
    assert dcc.log_likelihood(e, mean, a, b) == pytest.approx(float(expected), rel=1e-12)


def simulated_dcc(seed: int, n: int, a: float, b: float, mean: Floats) -> Floats:
    """Return rows whose correlation is that of DCC with these weights."""
    rng = np.random.default_rng(seed)
    q, rows = mean.copy(), np.empty((n, len(mean)))
    for t in range(n):
        scale = np.sqrt(np.diag(q))
        rows[t] = np.linalg.cholesky(q / np.outer(scale, scale)) @ rng.standard_normal(len(mean))
        q = (1.0 - a - b) * mean + a * np.outer(rows[t], rows[t]) + b * q
    return rows


def test_a_fit_finds_the_weights_of_simulated_returns() -> None:
    """Of ten thousand rows with a = 0.05 and b = 0.90 it finds both, and no neighbour is more likely."""
    mean = np.full((5, 5), 0.5) + 0.5 * np.eye(5)
    e = simulated_dcc(3, 10_000, 0.05, 0.90, mean)
    found = dcc.fit(e, realised_correlation(e))
    assert found.a == pytest.approx(0.05, abs=0.015)
    assert found.b == pytest.approx(0.90, abs=0.03)
    for a, b in ((found.a + 0.005, found.b), (found.a, found.b + 0.005), (found.a - 0.005, found.b)):
        assert dcc.log_likelihood(e, realised_correlation(e), a, b) < found.log_likelihood
    assert found.log_likelihood >= dcc.log_likelihood(e, realised_correlation(e), dcc.A, dcc.B)


def test_a_fit_finds_slow_dynamics() -> None:
    """Where a is small and a + b nearly 1 it is at least as likely as the truth and as constant correlation."""
    mean = np.full((4, 4), 0.6) + 0.4 * np.eye(4)
    e = simulated_dcc(11, 6_000, 0.015, 0.98, mean)
    sample = realised_correlation(e)
    found = dcc.fit(e, sample)
    assert found.a == pytest.approx(0.015, abs=0.01)
    assert found.a + found.b > 0.97
    for a, b in ((0.015, 0.98), (0.0, 0.0), (0.02, 0.97), (0.1, 0.8)):
        assert found.log_likelihood >= dcc.log_likelihood(e, sample, a, b)


def test_a_fit_of_constant_correlation_leaves_it_constant() -> None:
    """Without any dynamics the fitted matrix stays near the sample's at the end."""
    e = drawn(4, 4_000, 4)
    mean = realised_correlation(e)
    found = dcc.fit(e, mean)
    np.testing.assert_allclose(dcc.dcc(e, mean, found.a, found.b), mean, rtol=0.0, atol=0.08)


def test_riskmetrics_is_the_weighted_sum() -> None:
    """The recursion gives the correlations of weights written out."""
    returns = drawn(5, 60, 3)
    expected = direct.moving_correlation(returns.tolist(), 0.94, 20)
    found = moving.ewma_correlation(returns, 0.94, 20)
    for i in range(3):
        for j in range(3):
            assert found[i, j] == pytest.approx(float(expected[i][j]), abs=1e-14)
    plain = moving.ewma_covariance(returns[:20], 0.94, 20)
    np.testing.assert_allclose(plain, returns[:20].T @ returns[:20] / 20, rtol=1e-13)


def test_a_coin_that_does_not_move_has_no_moving_correlation() -> None:
    """Its entries are NaN and nobody else's."""
    returns = drawn(6, 30, 3)
    returns[:, 1] = 0.0
    found = moving.ewma_correlation(returns)
    assert np.isnan(found[1, [0, 2]]).all()
    assert not np.isnan(found[0, 2])


def test_shrinkage_of_standardised_returns_has_the_identity_as_target() -> None:
    """Ledoit-Wolf and OAS give (1 - g) R + g I with the g of 40-digit sums, whatever the units of a coin."""
    x = drawn(7, 30, 4) * np.array([1.0, 1e-3, 50.0, 2.0]) + 7.0
    with mpmath.workdps(40):
        rows = [[mpmath.mpf(v) for v in row] for row in x.tolist()]
        n, p = len(rows), len(rows[0])
        centre = [sum(row[i] for row in rows) / n for i in range(p)]
        scale = [mpmath.sqrt(sum((row[i] - centre[i]) ** 2 for row in rows) / n) for i in range(p)]
        z = [[(row[i] - centre[i]) / scale[i] for i in range(p)] for row in rows]
        r = [[sum(row[i] * row[j] for row in z) / n for j in range(p)] for i in range(p)]
        norm = sum(v * v for row in r for v in row)
        fourth = sum(sum(v * v for v in row) ** 2 for row in z) / n
        delta = (norm - p) / p
        wolf = min(delta, (fourth - norm) / (n * p)) / delta
        alpha = norm / (p * p)
        oas = min(mpmath.mpf(1), (alpha + 1) / ((n + 1) * (alpha - mpmath.mpf(1) / p)))
    for found, g in ((ledoit_wolf_correlation(x), wolf), (oas_correlation(x), oas)):
        assert found.intensity == pytest.approx(float(g), rel=1e-11)
        for i in range(p):
            for j in range(p):
                expected = 1.0 if i == j else float((1 - g) * r[i][j])
                assert found.covariance[i, j] == pytest.approx(expected, abs=1e-12)


def test_fifty_coins_from_thirty_returns_are_positive_definite_when_shrunk() -> None:
    """The sample's own matrix is singular there; both shrunk ones are not."""
    x = drawn(8, 30, 50)
    assert np.linalg.eigvalsh(realised_correlation(x))[0] < 1e-9
    for shrink in (ledoit_wolf_correlation, oas_correlation):
        assert np.linalg.eigvalsh(shrink(x).covariance)[0] > 1e-3


def test_fifty_coins_have_a_dynamic_correlation() -> None:
    """DCC with a fit keeps a matrix of fifty coins positive definite with a unit diagonal."""
    e = standardised(drawn(9, 200, 50))
    mean = ledoit_wolf_correlation(e).covariance
    found = dcc.fit(e, mean)
    matrix = dcc.dcc(e, mean, found.a, found.b)
    assert np.linalg.eigvalsh(matrix)[0] > 0.0
    np.testing.assert_array_equal(np.diag(matrix), np.ones(50))


@pytest.mark.parametrize(("a", "b"), [(-0.01, 0.5), (0.1, -0.1), (0.1, 0.9), (math.nan, 0.5)])
def test_weights_that_explode_are_refused(a: float, b: float) -> None:
    """Negative weights, and weights that add up to 1 or more, raise."""
    with pytest.raises(ValueError, match="weights of DCC"):
        dcc.dcc(np.zeros((1, 2)), np.eye(2), a, b)


def test_returns_that_are_none_are_refused() -> None:
    """Wrong shapes, NaN, too few rows and columns that do not vary raise."""
    rows = drawn(10, 25, 2)
    holes = rows.copy()
    holes[3, 1] = math.nan
    with pytest.raises(ValueError, match="p x p"):
        dcc.dcc(rows, np.eye(3))
    with pytest.raises(ValueError, match="finite"):
        dcc.fit(holes, np.eye(2))
    with pytest.raises(ValueError, match="diagonal"):
        dcc.dcc(rows, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="rows of finite returns"):
        moving.ewma_covariance(holes)
    with pytest.raises(ValueError, match="20 rows"):
        moving.ewma_covariance(rows[:19])
    with pytest.raises(ValueError, match="decay"):
        moving.ewma_covariance(rows, 1.0)
    with pytest.raises(ValueError, match="finite returns"):
        standardised(holes)
    with pytest.raises(ValueError, match="does not move"):
        ledoit_wolf_correlation(np.ones((5, 2)))
