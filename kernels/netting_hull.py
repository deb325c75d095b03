"""Concave hull of a loss curve: what mixtures of moves reach, and where the residual's slope changes.

A mixture of moves with mean m loses at most g(m), the upper concave hull of the curve; the residual r(w) = max over m
of g(m) + w m is its conjugate, piecewise linear with slope m_i between the breakpoints of vertex i. So the hull's few
vertices carry the whole problem: cells below the hull never matter.

A curve of n moves has its j-th move at -1 + 2 j / (n - 1); a hull is the rising indices of its vertices, first 0, last
n - 1, and no three on a line. A line is one within a tolerance: on a straight stretch rounding would choose vertices,
and events would name other moves on another CPU.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, kernel


@kernel("i8, i8")
def grid_move(j: int, n: int) -> float:
    """Return the j-th of n moves from -1 to 1; exactly opposite from both ends, exactly 0 in the middle."""
    return (2 * j - (n - 1)) / (n - 1)


STRAIGHT = 1e-13  # least height of a vertex above its neighbours' chord, of losses of size 1


@kernel("f8[::1], i8[::1]")
def upper_hull(losses: Floats, vertex: Ints) -> int:
    """Write the vertices of the upper concave hull of a curve, and return how many (2 to n).

    losses: float64[n], finite, of size 1; vertex: int64[>= n]. No loss lies above the hull by more than n^2/8 STRAIGHT.
    """
    count = 0
    for j in range(losses.shape[0]):
        while count >= 2:
            a, b = vertex[count - 2], vertex[count - 1]
            # Kept where slopes fall. The difference is the height above the chord times its length.
            if (losses[b] - losses[a]) * (j - b) - (losses[j] - losses[b]) * (b - a) > STRAIGHT * (j - a):
                break
            count -= 1
        vertex[count] = j
        count += 1
    return count


@kernel("f8[::1], i8[::1], i8")
def breakpoint_at(losses: Floats, vertex: Ints, i: int) -> float:
    """Return the hedge at which the residual changes from vertex i to i + 1: minus the slope of the hull's edge i."""
    a, b = vertex[i], vertex[i + 1]
    hedge: float = (losses[a] - losses[b]) * (losses.shape[0] - 1) / (2.0 * (b - a))
    return hedge


@kernel("f8[::1], i8[::1], i8, f8")
def hull_residual(losses: Floats, vertex: Ints, count: int, w: float) -> float:
    """Return the residual r(w) over the vertices of a hull."""
    n = losses.shape[0]
    largest = -math.inf
    for i in range(count):
        largest = max(largest, losses[vertex[i]] + w * grid_move(vertex[i], n))
    return largest


@kernel("f8[::1], i8[::1], i8, f8, f8[::1]")
def mixture(losses: Floats, vertex: Ints, count: int, mean: float, dual: Floats) -> float:
    """Write the worst mixture of moves with a given mean, and return its loss.

    mean beyond [-1, 1] counts as the end. dual: float64[>= n], 0 but on one or two vertices, sum 1.
    """
    n = losses.shape[0]
    dual[:] = 0.0
    i = 0
    while i < count - 2 and grid_move(vertex[i + 1], n) < mean:
        i += 1
    a, b = vertex[i], vertex[i + 1]
    low, high = grid_move(a, n), grid_move(b, n)
    share = min(1.0, max(0.0, (mean - low) / (high - low)))
    dual[a] = 1.0 - share
    dual[b] = share
    loss: float = (1.0 - share) * losses[a] + share * losses[b]
    return loss


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1]")
def hulls(losses: Floats, counts: Ints, vertex: Ints, vertices: Ints) -> None:
    """Write the hull of every curve: row u of vertex, of which the first vertices[u] are set."""
    for u in range(counts.shape[0]):
        vertices[u] = upper_hull(losses[u, : counts[u]], vertex[u])


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[::1]")
def residuals(losses: Floats, counts: Ints, vertex: Ints, vertices: Ints, w: Floats) -> float:
    """Return the sum of the residuals of all underlyings at hedges w."""
    total = 0.0
    for u in range(counts.shape[0]):
        total += hull_residual(losses[u, : counts[u]], vertex[u], vertices[u], w[u])
    return total


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[::1], f8[:, ::1]")
def mixtures(losses: Floats, counts: Ints, vertex: Ints, vertices: Ints, mean: Floats, duals: Floats) -> float:
    """Write the worst mixtures with the given means, and return the sum of their losses."""
    total = 0.0
    for u in range(counts.shape[0]):
        total += mixture(losses[u, : counts[u]], vertex[u], vertices[u], mean[u], duals[u])
    return total
