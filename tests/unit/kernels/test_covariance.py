"""Moving covariance, shrinkage, root and the root's update against numpy and against 40 digits."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from kernels import covariance, path_pnl, statistics
from kernels._jit import Floats

SIZES = [1, 2, 3, 7, 8, 9, 16, 20, 31, 50, 65]


def padded(matrix: Floats) -> Floats:
    """The same matrix with columns of zeros, aligned."""
    out = covariance.empty(len(matrix))
    out[:, : len(matrix)] = matrix
    return out


def returns(x: Floats) -> Floats:
    """The same row with zeros behind it."""
    return np.concatenate([x, np.zeros(covariance.columns(len(x)) - len(x))])


def sample(p: int, seed: int = 1) -> Floats:
    """A covariance of p underlyings with common moves."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(3 * p + 5, p)) * np.geomspace(0.001, 0.1, p) + 0.02 * draw.normal(size=(3 * p + 5, 1))
    return x.T @ x / len(x)


@pytest.mark.parametrize("p", SIZES)
def test_a_root_is_that_of_lapack(p: int) -> None:
    """With and without shrinkage the root is numpy's, transposed; below the diagonal and behind p are zeros."""
    given = sample(p)
    for intensity in (0.0, 0.2, 1.0):
        out = covariance.empty(p)
        out[:] = 7.0
        matrix = padded(given)
        assert covariance.root(matrix, intensity, out) == covariance.DEFINITE
        shrunk = (1 - intensity) * given + intensity * np.trace(given) / p * np.eye(p)
        want = np.linalg.cholesky(shrunk).T
        assert out[:, :p] == pytest.approx(want, rel=1e-10, abs=1e-14)
        assert np.abs(out[:, :p].T @ out[:, :p] - shrunk).max() <= 4e-16 * p * shrunk.max()
        assert not np.tril(out[:, :p], -1).any()
        assert not out[:, p:].any()
        assert np.array_equal(matrix[:, :p], given)


def test_a_root_has_the_accuracy_of_its_condition() -> None:
    """The root of a Hilbert matrix, in 40 digits, is met within rounding times its condition."""
    n = 6
    given = np.array([[1.0 / (i + j + 1) for j in range(n)] for i in range(n)])
    out = covariance.empty(n)
    assert covariance.root(padded(given), 0.0, out) == covariance.DEFINITE
    with mp.workdps(40):
        want = mp.cholesky(mp.matrix(given.tolist()))
        found = max(abs(mp.mpf(out[j, i]) - want[i, j]) for i in range(n) for j in range(i + 1))
    assert found <= 1e-16 * np.linalg.cond(given)


@pytest.mark.parametrize(
    ("matrix", "row"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], 1),
        ([[1.0, 2.0], [2.0, 1.0]], 1),
        ([[0.0]], 0),
        ([[-1.0]], 0),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 1.0, 0.5]], 2),
        ([[math.nan]], 0),
        ([[1.0, math.nan], [math.nan, 1.0]], 1),
        ([[1.0, 0.0], [0.0, math.nan]], 1),
    ],
)
def test_a_matrix_that_is_not_definite_names_its_row(matrix: list[list[float]], row: int) -> None:
    """The first underlying whose variance the ones before it leave nothing of is told; a NaN is such a row."""
    assert covariance.root(padded(np.array(matrix)), 0.0, covariance.empty(len(matrix))) == row


def test_shrinkage_makes_a_degenerate_matrix_definite() -> None:
    """Two names of one price have a root as soon as they are pulled apart."""
    given = padded(np.ones((2, 2)))
    out = covariance.empty(2)
    assert covariance.root(given, 0.0, out) == 1
    assert covariance.root(given, 1e-6, out) == covariance.DEFINITE


@pytest.mark.parametrize("p", SIZES)
def test_the_average_takes_a_return(p: int) -> None:
    """S becomes d S + (1 - d) x x', symmetric to the last bit, and zeros behind stay."""
    matrix, want = padded(sample(p)), sample(p)
    draw = np.random.default_rng(2)
    for decay in (0.94, 0.5, 1.0, 1e-3):
        x = draw.normal(size=p)
        covariance.average(matrix, returns(x), decay)
        want = decay * want + (1 - decay) * np.outer(x, x)
        assert matrix[:, :p] == pytest.approx(want, rel=1e-12, abs=1e-17)
        assert np.array_equal(matrix[:, :p], matrix[:, :p].T)
        assert not matrix[:, p:].any()


def test_a_constant_return_is_found() -> None:
    """The average of returns that are always the same converges to their products."""
    x = np.array([0.01, -0.03])
    matrix = covariance.empty(2)
    for _ in range(700):
        covariance.average(matrix, returns(x), 0.94)
    assert matrix[:, :2] == pytest.approx(np.outer(x, x), rel=1e-12)


@pytest.mark.parametrize("p", SIZES)
def test_the_updated_root_is_the_root_of_the_updated_matrix(p: int) -> None:
    """Fifty updates in a row stay with numpy's root of the matrix that was averaged alongside."""
    given = sample(p)
    root, scratch = covariance.empty(p), np.empty(covariance.columns(p))
    assert covariance.root(padded(given), 0.0, root) == covariance.DEFINITE
    draw = np.random.default_rng(3)
    for _ in range(50):
        x = draw.normal(size=p) * np.sqrt(np.diag(given))
        covariance.update_root(root, returns(x), 0.97, scratch)
        given = 0.97 * given + 0.03 * np.outer(x, x)
    assert root[:, :p] == pytest.approx(np.linalg.cholesky(given).T, rel=1e-9, abs=1e-13)
    assert not np.tril(root[:, :p], -1).any()
    assert not root[:, p:].any()


def test_an_update_stands_a_return_that_dwarfs_the_rest() -> None:
    """A move of a million deviations leaves the root as right as one computed anew, in 60 digits."""
    given, x = sample(4), np.array([1e5, -2e5, 3e4, 1e3])
    root = covariance.empty(4)
    assert covariance.root(padded(given), 0.0, root) == covariance.DEFINITE
    before = root[:, :4].copy()
    covariance.update_root(root, returns(x), 0.94, np.empty(8))
    with mp.workdps(60):
        u = mp.matrix(before.tolist())
        v = mp.matrix(x.tolist())
        want = mp.cholesky(mp.mpf(0.94) * u.T * u + (1 - mp.mpf(0.94)) * v * v.T).T
        for i in range(4):
            row = max(abs(want[i, j]) for j in range(4))
            assert max(abs(mp.mpf(root[i, j]) - want[i, j]) for j in range(i, 4)) <= 1e-9 * row


def test_an_update_without_news_only_fades() -> None:
    """Decay 1 changes nothing; returns of zero shrink the root by the square root of the decay."""
    root = covariance.empty(3)
    covariance.root(padded(sample(3)), 0.0, root)
    before = root.copy()
    covariance.update_root(root, returns(np.ones(3)), 1.0, np.empty(8))
    assert np.array_equal(root, before)
    covariance.update_root(root, returns(np.zeros(3)), 0.81, np.empty(8))
    assert root == pytest.approx(0.9 * before, rel=1e-15)


@pytest.mark.parametrize("p", [1, 2, 5, 12])
def test_the_oracle_intensity_is_the_exactly_summed_one(p: int) -> None:
    """On a sample's covariance it is that of `statistics.oracle_approximating`, and the shrunk matrix follows."""
    x = np.random.default_rng(p).normal(size=(40, p)) @ np.diag(np.linspace(1.0, 2.0, p))
    shrunk = statistics.oracle_approximating(x)
    centred = x - x.mean(axis=0)
    matrix = padded(centred.T @ centred / 40)
    assert covariance.oracle_intensity(matrix, 40.0) == pytest.approx(shrunk.intensity, rel=1e-12)
    out = covariance.empty(p)
    assert covariance.root(matrix, shrunk.intensity, out) == covariance.DEFINITE
    assert out[:, :p].T @ out[:, :p] == pytest.approx(shrunk.covariance, rel=1e-12, abs=1e-15)


def test_what_is_a_multiple_of_identity_is_its_own_target() -> None:
    """Then nothing is left to estimate: intensity 1; and a NaN is told."""
    assert covariance.oracle_intensity(padded(3.0 * np.eye(4)), 50.0) == 1.0
    assert math.isnan(covariance.oracle_intensity(padded(np.diag([1.0, math.nan])), 50.0))


def test_a_refresh_is_its_three_parts() -> None:
    """One call gives the bits of average, intensity and root one after the other."""
    one, three = padded(sample(20)), padded(sample(20))
    x = returns(np.random.default_rng(5).normal(size=20) * 0.05)
    together, apart = covariance.empty(20), covariance.empty(20)
    assert covariance.refresh(one, x, 0.97, 65.7, together) == covariance.DEFINITE
    covariance.average(three, x, 0.97)
    covariance.root(three, covariance.oracle_intensity(three, 65.7), apart)
    assert np.array_equal(one, three)
    assert np.array_equal(together, apart)


def test_no_underlyings_have_a_root() -> None:
    """Nothing is definite."""
    nothing = covariance.empty(0)
    assert covariance.refresh(nothing, np.zeros(0), 0.9, 1.0, covariance.empty(0)) == covariance.DEFINITE


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_return_that_is_no_number_is_refused_before_it_changes_anything(bad: float) -> None:
    """It would stay in the average for good."""
    matrix, root, out = padded(sample(3)), covariance.empty(3), covariance.empty(3)
    covariance.root(matrix, 0.0, root)
    before, before_root = matrix.copy(), root.copy()
    x = returns(np.array([0.0, bad, 0.0]))
    with pytest.raises(ValueError, match="finite"):
        covariance.average(matrix, x, 0.9)
    with pytest.raises(ValueError, match="finite"):
        covariance.refresh(matrix, x, 0.9, 10.0, out)
    with pytest.raises(ValueError, match="finite"):
        covariance.update_root(root, x, 0.9, np.empty(8))
    assert np.array_equal(matrix, before)
    assert np.array_equal(root, before_root)


def test_other_shapes_and_decays_are_refused() -> None:
    """A compiled loop would read what lies behind."""
    matrix, x = padded(sample(3)), np.zeros(8)
    for decay in (0.0, -0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="decay"):
            covariance.average(matrix, x, decay)
        with pytest.raises(ValueError, match="decay"):
            covariance.update_root(matrix, x, decay, np.empty(8))
    for other in (np.zeros((3, 3)), np.zeros((4, 8)), np.zeros((3, 16))):
        with pytest.raises(ValueError, match="columns"):
            covariance.root(matrix, 0.0, other)
    with pytest.raises(ValueError, match="columns"):
        covariance.average(np.zeros((3, 3)), x, 0.9)
    with pytest.raises(ValueError, match="returns"):
        covariance.average(matrix, np.zeros(3), 0.9)
    with pytest.raises(ValueError, match="scratch"):
        covariance.update_root(matrix, x, 0.9, np.empty(3))
    with pytest.raises(ValueError, match="size"):
        covariance.empty(-1)


@pytest.mark.parametrize("paths", [1, 511, 512, 1300])
def test_draws_are_correlated_by_the_root(paths: int) -> None:
    """Correlated draws are U'z, path by path."""
    root, z = covariance.empty(5), np.random.default_rng(6).normal(size=(5, paths))
    covariance.root(padded(sample(5)), 0.0, root)
    out = np.empty_like(z)
    path_pnl.correlate(root, z, out)
    assert out == pytest.approx(root[:, :5].T @ z, rel=1e-12, abs=1e-16)
    with pytest.raises(ValueError, match="draws"):
        path_pnl.correlate(root, z[:4], out)
