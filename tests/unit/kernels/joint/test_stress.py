"""Targets of correlation stress, blends and roots."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernels._jit import Floats
from kernels.joint import stress

RANDOM = np.random.default_rng(11)
EXPOSURE = np.array([100.0, -40.0, 0.0, 7.0, -3.0])


def random_correlation(p: int) -> Floats:
    """Return a random correlation matrix, one in three of them singular."""
    columns = p if RANDOM.uniform() < 0.67 else max(1, p - 2)
    rows = RANDOM.normal(size=(p, columns)) * RANDOM.uniform(0.1, 3.0, columns)
    rows /= np.linalg.norm(rows, axis=1)[:, np.newaxis]
    matrix = rows @ rows.T
    np.fill_diagonal(matrix, 1.0)
    return np.asarray((matrix + matrix.T) / 2.0)


def test_targets_are_what_they_are_called() -> None:
    """Ones, the signs of the exposures, and identity; an exposure of nothing counts as positive."""
    assert (stress.target("all_plus", EXPOSURE) == 1.0).all()
    assert (stress.target("diversification_lost", EXPOSURE) == np.eye(5)).all()
    sign = [1.0, -1.0, 1.0, 1.0, -1.0]
    assert stress.target("against_me", EXPOSURE).tolist() == np.outer(sign, sign).tolist()


def test_against_me_is_the_worst_correlation_matrix() -> None:
    """Its deviation is the sum of the absolute exposures, and no random correlation matrix has a larger one."""
    for _ in range(300):
        exposure = RANDOM.normal(size=RANDOM.integers(2, 9)) * 10.0 ** RANDOM.uniform(-3, 3)
        worst = stress.variance(stress.target("against_me", exposure), exposure)
        assert worst == pytest.approx(np.abs(exposure).sum() ** 2, rel=1e-12)
        assert stress.variance(random_correlation(exposure.size), exposure) <= worst * (1.0 + 1e-12)


@pytest.mark.parametrize("name", stress.TARGETS)
def test_a_variance_is_linear_in_k(name: stress.Target) -> None:
    """The blend's variance is the blend of the variances, and every blend is a correlation matrix."""
    for _ in range(50):
        exposure, matrix = RANDOM.normal(size=6), random_correlation(6)
        goal = stress.target(name, exposure)
        ends = stress.variance(matrix, exposure), stress.variance(goal, exposure)
        for k in (0.0, 0.1, 0.5, 0.83, 1.0):
            blended = stress.blend(matrix, goal, k)
            assert stress.variance(blended, exposure) == pytest.approx((1 - k) * ends[0] + k * ends[1], abs=1e-12)
            assert np.linalg.eigvalsh(blended).min() > -1e-12
            assert np.diag(blended) == pytest.approx(1.0, abs=1e-15)


def test_k_is_a_share() -> None:
    """Beyond 0 and 1 a blend need not be a correlation matrix."""
    for k in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="k must lie"):
            stress.blend(np.eye(2), np.ones((2, 2)), k)


def test_a_root_times_itself_is_the_matrix() -> None:
    """Also of singular matrices, where a Cholesky root does not exist."""
    for p in (1, 2, 5, 12):
        for matrix in (random_correlation(p), np.ones((p, p)), np.eye(p)):
            root = stress.symmetric_root(matrix)
            assert (root == root.T).all()
            assert root @ root == pytest.approx(matrix, abs=1e-12)
            assert np.linalg.eigvalsh(root).min() > -1e-12


def test_a_root_does_not_depend_on_the_order_of_underlyings() -> None:
    """Permuted underlyings have the permuted root."""
    matrix, order = random_correlation(6), RANDOM.permutation(6)
    permuted = stress.symmetric_root(np.ascontiguousarray(matrix[np.ix_(order, order)]))
    assert permuted == pytest.approx(stress.symmetric_root(matrix)[np.ix_(order, order)], abs=1e-12)


def test_an_inverse_root_undoes_a_root() -> None:
    """Of a matrix that is not singular; of another one it stays finite."""
    matrix = 0.5 * random_correlation(5) + 0.5 * np.eye(5)
    assert stress.inverse_root(matrix) @ stress.symmetric_root(matrix) == pytest.approx(np.eye(5), abs=1e-10)
    assert np.isfinite(stress.inverse_root(np.ones((3, 3)))).all()


def test_a_matrix_that_is_not_finite_has_no_root() -> None:
    """A missing correlation is an error, not a zero."""
    with pytest.raises(ValueError, match="finite"):
        stress.symmetric_root(np.array([[1.0, math.nan], [math.nan, 1.0]]))


def test_correlated_draws_have_the_matrix() -> None:
    """Second moments of correlated draws are the matrix, to what whitening leaves."""
    drawn = RANDOM.normal(size=(4, 5_000))
    white = stress.correlate(stress.inverse_root(stress.second_moments(drawn)), drawn)
    matrix = 0.5 * random_correlation(4) + 0.5 * np.eye(4)
    found = stress.second_moments(stress.correlate(stress.symmetric_root(matrix), white))
    assert found == pytest.approx(matrix, abs=0.06)  # whitening leaves the variances, which are 1 within that
    assert stress.second_moments(np.zeros((2, 3))).tolist() == [[1.0, 0.0], [0.0, 1.0]]
