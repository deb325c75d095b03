"""Correlation distance of model P: the smallest k at which the requirement exceeds what an account can bear.

At frozen hedges w the requirement along k is the root of a line plus a constant, with Q the largest w'Rw, G the gross
size of the hedges and r what they leave:

    M(w, k) = sqrt(Q + k (G^2 - Q)) + r          Q <= G^2, since no correlation is beyond -1 and 1

So M(w, .) never falls and is concave, and M*(k), the least of these over w, is so too. Two bounds of the distance:

* every M(w, .) lies above M*, so M* crosses a limit no earlier than M(w, .) does, whatever w is: closed form;
* M* lies above its chords, so it crosses a limit no later than a chord between two solved k does.

Hedges solved at the first bound cross the limit later, at the next one: tangents of a concave function from the left,
whose steps converge as Newton's do. Proofs: `docs/margin-model-p.md`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.netting import check_curves, norm, residual
from kernels.netting_solve import solve

NARROW = 1e-9  # of k: where the bounds are as near as this, the search ends
MAX_SOLVES = 80  # of bisection alone; two to four are usual


class Distance(NamedTuple):
    """Bounds of the smallest k in [0, 1] whose requirement exceeds a limit, NaN if none does; and the solves done.

    Below `least` none does, beyond `most` all do. A limit already exceeded at k = 0 has both 0.
    """

    least: float
    most: float
    solves: int


@kernel("f8[:, ::1], i8[::1]")
def plain_sum(losses: Floats, counts: Ints) -> float:
    """Return M* at k = 1 in USD, where nothing is netted: the sum of the largest losses, at least 0; NaN stays NaN."""
    check_curves(losses, counts)
    total = 0.0
    for u in range(counts.shape[0]):
        total += residual(losses[u, : counts[u]], 0.0)
    if math.isnan(total):
        return total
    return max(0.0, total)


@kernel("f8[:, ::1], i8[::1], f8[:, :, ::1], f8[::1], f8")
def frozen_distance(losses: Floats, counts: Ints, matrices: Floats, w: Floats, limit: float) -> float:
    """Return the smallest k in [0, 1] at which M(w, k) exceeds a limit in USD: a lower bound of the distance.

    losses: float64[U, W], USD, of which row u uses its first counts[u]; w: float64[U], hedges of any solve, USD. 0 if
    the limit is exceeded at k = 0 already, NaN if it is not at k = 1 or if an input is no number. Raises ValueError on
    shapes and counts that do not fit.
    """
    check_curves(losses, counts)
    if w.shape[0] != counts.shape[0]:
        raise ValueError("w needs one element per row of losses")
    gross, left = 0.0, 0.0
    for u in range(w.shape[0]):
        gross += abs(w[u])
        left += residual(losses[u, : counts[u]], w[u])
    room, length = limit - left, norm(w, matrices, 0.0)
    if room < length:
        return 0.0
    if not (math.isfinite(gross) and room < gross):
        return math.nan
    # (a - b) (a + b): squares of nearly equal numbers would lose what they differ by.
    crossing = (room - length) * (room + length) / ((gross - length) * (gross + length))
    return min(1.0, crossing)


@kernel("f8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8")
def distance(losses: Floats, counts: Ints, matrices: Floats, limit: float, tolerance: float) -> Distance:
    """Return bounds of the smallest k in [0, 1] at which M* exceeds a limit, as near to each other as solves allow.

    losses: float64[U, W], USD, of which row u uses its first counts[u] (odd); matrices: float64[K, U, U]; limit: USD;
    tolerance: of the solves, relative. Both bounds are NaN where no k exceeds the limit or an input is no number. A
    requirement known to `tolerance` bounds k to about that over the relative slope of M*: bounds stay apart where the
    plain sum hardly exceeds the limit. Raises ValueError as `kernels.netting_solve.solve`.
    """
    none = Distance(math.nan, math.nan, 0)
    w, duals, weight = np.empty(counts.shape[0]), np.empty(losses.shape), np.empty(matrices.shape[0])
    top = plain_sum(losses, counts)
    if not (math.isfinite(top) and top > limit):
        return none
    found = solve(losses, counts, matrices, 0.0, tolerance, w, duals, weight)
    if not found[0] <= limit:
        return Distance(0.0, 0.0, 1)
    k, below, k_top = 0.0, found[1], 1.0
    least, most, tried = 0.0, 1.0, 0.0
    solves = 1
    while True:
        # Hedges of any k will do. At k = 1 all of them exceed the limit, but for rounding: the plain sum does.
        crossing = frozen_distance(losses, counts, matrices, w, limit)
        width = most - least
        least = max(least, min(most, most if math.isnan(crossing) else crossing))
        most = max(least, min(most, k + (k_top - k) * ((limit - below) / (top - below))))
        # A solve whose bounds enclose the limit is on it, as near as losses tell: no other comes nearer.
        if most - least <= NARROW or found[1] <= limit <= found[0] or solves >= MAX_SOLVES:
            return Distance(least, most, solves)
        # The middle where the tangent has not come far, or would be solved again.
        tried = least if most - least < 0.5 * width and least != tried else 0.5 * (least + most)
        found = solve(losses, counts, matrices, tried, tolerance, w, duals, weight)
        solves += 1
        if found[1] > limit:
            k_top, top = tried, found[1]
            most = min(most, tried)
        else:
            k, below = tried, found[1]


@kernel("f8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[:, :, ::1], f8, f8")
def correlation_part(
    losses: Floats, counts: Ints, before: Floats, k_before: float, after: Floats, k_after: float, tolerance: float
) -> float:
    """Return what new matrices and k alone change of a requirement, USD: M* under the new less M* under the old ones.

    losses: float64[U, W], the same for both; before: float64[K, U, U], after: float64[L, U, U]. NaN if a loss is no
    number. Raises ValueError as `kernels.netting_solve.solve`.
    """
    w, duals = np.empty(counts.shape[0]), np.empty(losses.shape)
    new = solve(losses, counts, after, k_after, tolerance, w, duals, np.empty(after.shape[0]))
    old = solve(losses, counts, before, k_before, tolerance, w, duals, np.empty(before.shape[0]))
    change: float = new[0] - old[0]
    return change
