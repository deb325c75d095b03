"""Correlation matrices under stress, and the square roots that turn independent draws into correlated ones.

A stressed matrix is (1 - k) R + k T. T is one of three correlation matrices, so that every blend is one as well and
a variance is linear in k:

| target | T | what it says |
|---|---|---|
| `all_plus` | ones | everything moves together |
| `against_me` | s s', s the signs of the exposures | the worst one for this portfolio: w'Tw = (sum of abs w)^2 |
| `diversification_lost` | identity | a hedge in another underlying is none |

The root is the symmetric one, V sqrt(L) V': it exists for singular matrices (k = 1), does not depend on the order of
underlyings, and is continuous in the matrix, so that a small stress moves scenarios by little.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from kernels import correlation
from kernels._jit import Floats, inlined, kernel

Target = Literal["all_plus", "against_me", "diversification_lost"]
TARGETS: tuple[Target, ...] = get_args(Target)

LEAST = 1e-9  # eigenvalue that an inverse root is clipped at: history of two underlyings that never part


def target(name: Target, exposure: Floats) -> Floats:
    """Return the matrix that a stress goes to, float64[p, p]; exposure: float64[p], dollar delta times volatility."""
    if name == "all_plus":
        return np.ones((exposure.size, exposure.size))
    if name == "diversification_lost":
        return np.eye(exposure.size)
    sign = np.where(exposure < 0.0, -1.0, 1.0)
    return np.outer(sign, sign)


def blend(matrix: Floats, stressed: Floats, k: float) -> Floats:
    """Return (1 - k) matrix + k stressed; ValueError on a k outside [0, 1]."""
    if not 0.0 <= k <= 1.0:
        raise ValueError(f"k must lie in [0, 1], got {k}")
    return (1.0 - k) * matrix + k * stressed


def variance(matrix: Floats, exposure: Floats) -> float:
    """Return w'Rw, exactly rounded products and sums apart: float64[p, p] and float64[p]."""
    total = np.zeros(1)
    _quadratic(np.ascontiguousarray(matrix), np.ascontiguousarray(exposure), total)
    return float(total[0])


def symmetric_root(matrix: Floats) -> Floats:
    """Return the symmetric, positive semidefinite B with B B = matrix; eigenvalues below 0 count as 0.

    matrix: float64[p, p], symmetric. Raises ValueError on an element that is not finite.
    """
    values, vectors = _eigen(matrix)
    return _compose(np.sqrt(np.maximum(values, 0.0)), vectors)


def inverse_root(matrix: Floats) -> Floats:
    """Return the inverse of the symmetric root; eigenvalues below 1e-9 count as that. Errors as `symmetric_root`."""
    values, vectors = _eigen(matrix)
    return _compose(1.0 / np.sqrt(np.maximum(values, LEAST)), vectors)


def correlate(root: Floats, draws: Floats) -> Floats:
    """Return root times draws, float64[p, N], column by column in a fixed order of sums."""
    out = np.empty_like(draws)
    _multiply(root, draws, out)
    return out


def second_moments(draws: Floats) -> Floats:
    """Return the correlation matrix of the rows of float64[p, N], no mean subtracted, sums in a fixed order.

    A row of zeros is correlated with nothing.
    """
    p = draws.shape[0]
    moments = np.empty((p, p))
    _multiply(draws, np.ascontiguousarray(draws.T), moments)
    length = np.sqrt(np.diag(moments))
    scale = np.where(length > 0.0, length, 1.0)
    out = moments / np.outer(scale, scale)
    np.fill_diagonal(out, 1.0)
    return np.ascontiguousarray(0.5 * (out + out.T))


def _eigen(matrix: Floats) -> tuple[Floats, Floats]:
    n = matrix.shape[0]
    values, vectors = np.empty(n), np.empty((n, n))
    if not correlation.eigen(np.array(matrix, dtype=np.float64, order="C"), values, vectors):
        raise ValueError("a correlation matrix has finite elements")
    return values, vectors


def _compose(values: Floats, vectors: Floats) -> Floats:
    """Return V diag(values) V', symmetric to the last bit."""
    out = np.empty(vectors.shape)
    _multiply(np.ascontiguousarray(vectors * values), np.ascontiguousarray(vectors.T), out)
    return np.ascontiguousarray(0.5 * (out + out.T))


@inlined()
def _zero(out: Floats) -> None:
    for j in range(out.shape[0]):
        out[j] = 0.0


@kernel("f8[:, ::1], f8[:, ::1], f8[:, ::1]")
def _multiply(a: Floats, b: Floats, out: Floats) -> None:
    """Write a b, each element summed in the order of a's columns: BLAS would choose its own by processor."""
    for i in range(a.shape[0]):
        _zero(out[i])
        for k in range(a.shape[1]):
            weight = a[i, k]
            for j in range(b.shape[1]):
                out[i, j] += weight * b[k, j]


@kernel("f8[:, ::1], f8[::1], f8[::1]")
def _quadratic(matrix: Floats, exposure: Floats, out: Floats) -> None:
    out[0] = 0.0
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[0] += exposure[i] * exposure[j] * matrix[i, j]
