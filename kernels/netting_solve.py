"""Exact solve of model P's requirement, certified by a primal-dual gap.

Every start is cold (the closed-form screen) and every loop has a fixed order, so equal inputs give equal bits. The gap
is the proof of each result: how a hedge was found does not matter, because both bounds are evaluated on the original
functions. Definitions: `kernels.netting`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.netting import check_curves, screen
from kernels.netting_descent import descend, nearest_worst, products, suggest, weigh, within
from kernels.netting_hull import hulls, mixtures, residuals
from kernels.netting_interior import interior

SOLVED, GAP_OPEN, NOT_A_NUMBER = range(3)

ROUNDING = 1e-13  # of the largest loss: what a closed gap may leave where hedges cancel the requirement away
MATRIX_TOLERANCE = 1e-12
SWEEPS = 40  # two to four are usual; what needs more is quicker by the interior-point method


class Solution(NamedTuple):
    """Both bounds of M* in USD, the work done, and whether they met."""

    requirement: float
    lower_bound: float
    iterations: int
    status: int


@kernel("f8[:, :, ::1], i8")
def check_matrices(matrices: Floats, size: int) -> None:
    """Raise ValueError unless there is a matrix and each is finite and symmetric, with unit diagonal and fitting size.

    That it is positive semidefinite is the estimator's promise.
    """
    if matrices.shape[0] < 1 or matrices.shape[1] != size or matrices.shape[2] != size:
        raise ValueError("matrices must be one or more, each with a row and a column per underlying")
    for c in range(matrices.shape[0]):
        for u in range(size):
            if not abs(matrices[c, u, u] - 1.0) <= MATRIX_TOLERANCE:
                raise ValueError("a correlation matrix has ones on its diagonal")
            for v in range(u):
                if not abs(matrices[c, u, v] - matrices[c, v, u]) <= MATRIX_TOLERANCE:
                    raise ValueError("a correlation matrix is finite and symmetric")


@kernel("f8[:, ::1], i8[::1]")
def _largest(losses: Floats, counts: Ints) -> float:
    """Return the largest |loss|; NaN if any is NaN."""
    largest = 0.0
    for u in range(counts.shape[0]):
        for j in range(counts[u]):
            if math.isnan(losses[u, j]):
                return math.nan
            largest = max(largest, abs(losses[u, j]))
    return largest


@kernel("f8[::1], i8, f8[::1]")
def _single(losses: Floats, count: int, dual: Floats) -> float:
    """Return the largest loss of one curve, and write the lowest move that has it."""
    at = 0
    for j in range(count):
        if losses[j] > losses[at]:
            at = j
    dual[:] = 0.0
    dual[at] = 1.0
    worst: float = losses[at]
    return worst


@kernel("f8, f8, f8")
def closed(upper: float, lower: float, tolerance: float) -> bool:
    """Return whether two bounds of losses of size about 1 meet."""
    return upper - lower <= max(tolerance * abs(upper), ROUNDING)


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[:, ::1], f8[::1]")
def _without_hedge(
    losses: Floats,
    counts: Ints,
    vertex: Ints,
    vertices: Ints,
    matrices: Floats,
    k: float,
    duals: Floats,
    matrix_weight: Floats,
) -> float:
    """Return the sum of the largest losses if one matrix allows their moves together, else minus infinity."""
    size = counts.shape[0]
    mean, v, h = np.empty(size), np.empty(size), np.empty((size, size))
    nearest_worst(losses, counts, vertex, vertices, mean)
    for c in range(matrices.shape[0]):
        if within(mean, matrices[c], k, h, v):
            matrix_weight[:] = 0.0
            matrix_weight[c] = 1.0
            return mixtures(losses, counts, vertex, vertices, mean, duals)
    return -math.inf


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[::1], f8[:, ::1], f8[::1]")
def _certified_descent(
    losses: Floats,
    counts: Ints,
    vertex: Ints,
    vertices: Ints,
    matrices: Floats,
    k: float,
    w: Floats,
    duals: Floats,
    matrix_weight: Floats,
) -> tuple[float, float, int]:
    """Descend from w by coordinates; return upper bound, the lower bound of the gradient's moves, and sweeps."""
    size, count = w.shape[0], matrices.shape[0]
    y, b, e, mean = np.empty((count, size)), np.empty(count), np.empty(count), np.empty(size)
    place = np.zeros(size, dtype=np.int64)
    products(matrices, w, y)
    sweeps = descend(losses, counts, vertex, vertices, matrices, k, SWEEPS, w, place, y, b, e)
    products(matrices, w, y)
    gross, largest = 0.0, 0.0
    for u in range(size):
        gross += abs(w[u])
    for c in range(count):
        e[c] = 0.0
        for u in range(size):
            e[c] += w[u] * y[c, u]
        largest = max(largest, e[c])
    upper = math.sqrt((1.0 - k) * largest + k * gross * gross) + residuals(losses, counts, vertex, vertices, w)
    if gross == 0.0:
        return upper, _without_hedge(losses, counts, vertex, vertices, matrices, k, duals, matrix_weight), sweeps
    weigh(counts, vertex, k, w, place, y, e, matrix_weight)
    suggest(counts, vertex, k, w, place, y, matrix_weight, mean)
    return upper, mixtures(losses, counts, vertex, vertices, mean, duals), sweeps


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8, f8[::1], f8[:, ::1], f8[::1]")
def _interior_twice(
    losses: Floats,
    counts: Ints,
    vertex: Ints,
    vertices: Ints,
    matrices: Floats,
    k: float,
    tolerance: float,
    w: Floats,
    duals: Floats,
    matrix_weight: Floats,
) -> tuple[float, float, int]:
    """Run the interior-point method from w and, if rounding ends that path early, from no hedge; keep the best."""
    mean = np.empty(w.shape[0])
    upper, lower, steps = interior(
        losses, counts, vertex, vertices, matrices, k, tolerance, w, mean, matrix_weight, duals
    )
    if not closed(upper, lower, tolerance):
        other, other_mean, other_weight = np.zeros(w.shape[0]), np.empty(w.shape[0]), np.empty(matrices.shape[0])
        above, below, more = interior(
            losses, counts, vertex, vertices, matrices, k, tolerance, other, other_mean, other_weight, duals
        )
        steps += more
        if above < upper:
            upper = above
            w[:] = other
        if below > lower:
            lower = below
            mean[:] = other_mean
            matrix_weight[:] = other_weight
    mixtures(losses, counts, vertex, vertices, mean, duals)
    return upper, lower, steps


@kernel("f8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8, f8[::1], f8[:, ::1], f8[::1]")
def solve(
    losses: Floats,
    counts: Ints,
    matrices: Floats,
    k: float,
    tolerance: float,
    w: Floats,
    duals: Floats,
    matrix_weight: Floats,
) -> Solution:
    """Return the requirement M* of one account, and write the hedge, mixtures and matrix weights that prove it.

    losses: float64[U, W] in USD, of which row u uses its first counts[u] (odd); matrices: float64[K, U, U],
    correlations; k in [0, 1]; tolerance: relative, 1e-9 is what float64 allows; w: float64[U] out, USD;
    duals: float64[U, W] out, the worst mixture of moves of each underlying; matrix_weight: float64[K] out, sum 1.

    The requirement is an upper bound of M* and at least 0, lower_bound a lower one. Status SOLVED: they differ by at
    most tolerance times the requirement or 1e-13 of the largest |loss|. GAP_OPEN: they do not, both are still true.
    NOT_A_NUMBER: a loss is NaN or infinite, and so are all results NaN. Raises ValueError on shapes, counts, k and
    matrices that do not fit. Fewer than one underlying needs 0.
    """
    size = counts.shape[0]
    check_curves(losses, counts)
    check_matrices(matrices, size)
    if w.shape[0] != size or duals.shape != losses.shape or matrix_weight.shape[0] != matrices.shape[0]:
        raise ValueError("outputs must fit losses and matrices")
    if not 0.0 <= k <= 1.0:
        raise ValueError("k must lie in [0, 1]")
    matrix_weight[:] = 1.0 / matrices.shape[0]
    largest = _largest(losses, counts)
    if not math.isfinite(largest):
        w[:] = math.nan
        duals[:] = math.nan
        matrix_weight[:] = math.nan
        return Solution(math.nan, math.nan, 0, NOT_A_NUMBER)
    w[:] = 0.0
    duals[:] = 0.0
    if size == 1:
        worst = _single(losses[0], counts[0], duals[0])
        return Solution(max(0.0, worst), worst, 0, SOLVED)
    if largest == 0.0:
        for u in range(size):
            duals[u, counts[u] // 2] = 1.0
        return Solution(0.0, 0.0, 0, SOLVED)
    # A power of two: scaling is exact, so twice the book has twice the requirement to the last bit.
    scale = math.ldexp(1.0, math.frexp(largest)[1])
    scaled = losses / scale
    vertex, vertices = np.empty(losses.shape, dtype=np.int64), np.empty(size, dtype=np.int64)
    hulls(scaled, counts, vertex, vertices)
    screen(scaled, counts, w)
    upper, lower, steps = _certified_descent(scaled, counts, vertex, vertices, matrices, k, w, duals, matrix_weight)
    if not closed(upper, lower, tolerance):
        upper, lower, more = _interior_twice(
            scaled, counts, vertex, vertices, matrices, k, tolerance, w, duals, matrix_weight
        )
        steps += more
    w *= scale
    return Solution(
        max(0.0, upper * scale), lower * scale, steps, SOLVED if closed(upper, lower, tolerance) else GAP_OPEN
    )
