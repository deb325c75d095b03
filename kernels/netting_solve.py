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
from kernels.netting import check_curves, check_matrices, screen
from kernels.netting_descent import certified_descent
from kernels.netting_hull import hulls, mixtures
from kernels.netting_interior import interior, take

SOLVED, GAP_OPEN, NOT_A_NUMBER = range(3)

ROUNDING = 1e-13  # of the largest loss: what a closed gap may leave where hedges cancel the requirement away


class Solution(NamedTuple):
    """Both bounds of M* in USD, the work done, and whether they met."""

    requirement: float
    lower_bound: float
    iterations: int
    status: int


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
    """Return the largest loss of one curve, and write the lowest move that has it but for rounding."""
    worst: float = losses[0]
    size = 0.0
    for j in range(count):
        worst = max(worst, losses[j])
        size = max(size, abs(losses[j]))
    at = 0
    while losses[at] < worst - ROUNDING * size:
        at += 1
    dual[:] = 0.0
    dual[at] = 1.0
    return worst


@kernel("f8, f8, f8")
def closed(upper: float, lower: float, tolerance: float) -> bool:
    """Return whether two bounds of losses of size about 1 meet."""
    return upper - lower <= max(tolerance * abs(upper), ROUNDING)


@kernel("f8[:, ::1], i8[::1], f8, f8[::1], f8[:, ::1], f8[::1]")
def _without_search(
    losses: Floats, counts: Ints, largest: float, w: Floats, duals: Floats, matrix_weight: Floats
) -> Solution:
    """Answer for losses that are not finite, for one underlying, and where nothing is lost or gained."""
    if not math.isfinite(largest):
        w[:] = math.nan
        duals[:] = math.nan
        matrix_weight[:] = math.nan
        return Solution(math.nan, math.nan, 0, NOT_A_NUMBER)
    if counts.shape[0] == 1:
        worst = _single(losses[0], counts[0], duals[0])
        return Solution(max(0.0, worst), worst, 0, SOLVED)
    for u in range(counts.shape[0]):
        duals[u, counts[u] // 2] = 1.0
    return Solution(0.0, 0.0, 0, SOLVED)


@kernel("f8[:, ::1], f8")
def _divided(losses: Floats, scale: float) -> Floats:
    """Return losses / scale."""
    out = np.empty(losses.shape)
    for u in range(losses.shape[0]):
        for j in range(losses.shape[1]):
            out[u, j] = losses[u, j] / scale
    return out


@kernel("f8[:, ::1], i8[::1], f8, f8[::1]")
def _prepared(losses: Floats, counts: Ints, largest: float, w: Floats) -> tuple[float, Floats, Ints, Ints]:
    """Return a scale, losses over it, their hulls and how many vertices each has; write the screen's hedges."""
    # A power of two: scaling is exact, so twice the book has twice the requirement to the last bit.
    scale = math.ldexp(1.0, math.frexp(largest)[1])
    scaled = _divided(losses, scale)
    vertex, vertices = np.empty(losses.shape, dtype=np.int64), np.empty(counts.shape[0], dtype=np.int64)
    hulls(scaled, counts, vertex, vertices)
    screen(scaled, counts, w)
    return scale, scaled, vertex, vertices


@kernel("f8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[::1], f8[:, ::1], f8[::1]")
def descended(
    losses: Floats, counts: Ints, matrices: Floats, k: float, w: Floats, duals: Floats, matrix_weight: Floats
) -> tuple[float, float]:
    """Return an upper and a lower bound of M* in USD, by what `solve` begins with: they meet but for few accounts.

    Arguments as there, which are not checked. Writes the hedge and the mixtures that prove the bounds.
    """
    w[:] = 0.0
    duals[:] = 0.0
    matrix_weight[:] = 1.0 / matrices.shape[0]
    largest = _largest(losses, counts)
    if counts.shape[0] < 2 or not 0.0 < largest < math.inf:
        found = _without_search(losses, counts, largest, w, duals, matrix_weight)
        return found.requirement, found.lower_bound
    scale, scaled, vertex, vertices = _prepared(losses, counts, largest, w)
    upper, lower, _ = certified_descent(scaled, counts, vertex, vertices, matrices, k, w, duals, matrix_weight)
    for u in range(w.shape[0]):
        w[u] *= scale
    return max(0.0, upper * scale), lower * scale


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
    w[:] = 0.0
    duals[:] = 0.0
    matrix_weight[:] = 1.0 / matrices.shape[0]
    largest = _largest(losses, counts)
    if size < 2 or not 0.0 < largest < math.inf:
        return _without_search(losses, counts, largest, w, duals, matrix_weight)
    scale, scaled, vertex, vertices = _prepared(losses, counts, largest, w)
    upper, lower, steps = certified_descent(scaled, counts, vertex, vertices, matrices, k, w, duals, matrix_weight)
    if not closed(upper, lower, tolerance):
        upper, lower = math.inf, -math.inf
        tried, mean, weight, best = w.copy(), np.empty(size), np.empty(matrices.shape[0]), np.zeros(size)
        # Twice only if rounding ends the first path early: then from no hedge.
        for _ in range(2):
            above, below, more = interior(
                scaled, counts, vertex, vertices, matrices, k, tolerance, tried, mean, weight, duals
            )
            steps += more
            if above < upper:
                upper = above
                take(tried, w)
            if below > lower:
                lower = below
                take(mean, best)
                take(weight, matrix_weight)
            if closed(upper, lower, tolerance):
                break
            tried[:] = 0.0
        mixtures(scaled, counts, vertex, vertices, best, duals)
    for u in range(size):
        w[u] *= scale
    status = SOLVED if closed(upper, lower, tolerance) else GAP_OPEN
    return Solution(max(0.0, upper * scale), lower * scale, steps, status)
