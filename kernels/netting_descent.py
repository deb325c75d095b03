"""Coordinate descent for M*: exact minimisation over one hedge at a time, and the dual point it suggests.

Along one hedge x, with y = R w and everything else held, the square of the norm is

    L(x)^2 = x^2 + (1 - k) max over c of (2 b_c x + e_c) + k (2 T |x| + T^2)

with T the other hedges' gross size: a parabola over an envelope of lines. The residual's slope is the move of a vertex
of its hull, so the minimum is at one of the hull's breakpoints, at zero, at a crossing of two lines, or where the
slope of one parabola's root is minus the vertex' move, in closed form. Where L is not differentiable (no hedge at all,
or two matrices that tie) the descent may stop short of M*: the gap then tells.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, kernel
from kernels.netting_cone import cholesky, cholesky_solve
from kernels.netting_hull import breakpoint_at, grid_move

TIE = 1e-13  # relative: below it two matrices count as equally severe
TIE_WIDTH = 1e-9  # relative: a smaller difference may be a tie that rounding broke
SHORT = 1e-12  # of a move: what rounding may leave
STILL = 1e-15  # relative to all hedges: a smaller change is rounding


@kernel("f8[::1], f8[::1], f8, f8, f8, b1")
def line_slope(b: Floats, e: Floats, k: float, rest: float, x: float, right: bool) -> float:
    """Return the one-sided derivative of the norm along one hedge at x.

    b, e: float64[K], slopes and offsets of the lines; rest: T; right: from above, else from below.
    """
    largest = -math.inf
    for c in range(b.shape[0]):
        largest = max(largest, 2.0 * b[c] * x + e[c])
    margin = TIE * (abs(largest) + x * x)
    steepest = -math.inf if right else math.inf
    for c in range(b.shape[0]):
        if 2.0 * b[c] * x + e[c] >= largest - margin:
            steepest = max(steepest, b[c]) if right else min(steepest, b[c])
    square = x * x + (1.0 - k) * largest + k * rest * (2.0 * abs(x) + rest)
    outward = 1.0 if x > 0.0 or (x == 0.0 and right) else -1.0
    if square <= 0.0:
        return 1.0 if right else -1.0
    slope: float = (x + (1.0 - k) * steepest + k * rest * outward) / math.sqrt(square)
    return slope


@kernel("f8[::1], f8[::1], f8, f8, f8, f8, f8")
def _between(b: Floats, e: Floats, k: float, rest: float, move: float, low: float, high: float) -> float:
    """Return the minimum of norm + move x between two points on one side of zero, given that it lies there."""
    side = 1.0 if low >= 0.0 else -1.0
    # From the low end, follow the envelope line by line.
    at = 0
    for c in range(1, b.shape[0]):
        here, there = 2.0 * b[at] * low + e[at], 2.0 * b[c] * low + e[c]
        if there > here or (there == here and b[c] > b[at]):
            at = c
    for _ in range(b.shape[0]):
        slope = (1.0 - k) * b[at] + k * rest * side
        offset = (1.0 - k) * e[at] + k * rest * rest
        x: float = -slope - move * math.sqrt(max(0.0, offset - slope * slope) / (1.0 - move * move))
        crossing: float = high
        following = -1
        for c in range(b.shape[0]):
            if b[c] > b[at]:
                meets = max(low, (e[at] - e[c]) / (2.0 * (b[c] - b[at])))
                if meets < crossing:
                    crossing, following = meets, c
        if x <= crossing or following < 0:
            return min(high, max(low, x))
        if line_slope(b, e, k, rest, crossing, True) + move >= 0.0:
            return crossing
        low, at = crossing, following
    return low


@kernel("f8[::1], i8[::1], i8, f8[::1], f8[::1], f8, f8")
def line_minimum(
    losses: Floats, vertex: Ints, count: int, b: Floats, e: Floats, k: float, rest: float
) -> tuple[float, int]:
    """Return the hedge that minimises norm + residual with all others held, and where it lies on the hull.

    The place is 2 i within the reach of vertex i and 2 i + 1 at the breakpoint between i and i + 1.
    """
    first, last = 0, count - 2
    # The slope to the right of the breakpoints rises: find the first that is not negative.
    while first < last:
        middle = (first + last) // 2
        x = breakpoint_at(losses, vertex, middle)
        after = grid_move(vertex[middle + 1], losses.shape[0])
        if line_slope(b, e, k, rest, x, True) + after >= 0.0:
            last = middle
        else:
            first = middle + 1
    high = breakpoint_at(losses, vertex, first)
    move = grid_move(vertex[first], losses.shape[0])
    # At the first vertex the residual falls as fast as any norm can rise.
    if first == 0 or line_slope(b, e, k, rest, high, False) + move <= 0.0:
        return high, 2 * first + 1
    low = breakpoint_at(losses, vertex, first - 1)
    if low < 0.0 < high:
        if line_slope(b, e, k, rest, 0.0, True) + move < 0.0:
            low = 0.0
        elif line_slope(b, e, k, rest, 0.0, False) + move > 0.0:
            high = 0.0
        else:
            return 0.0, 2 * first
    return _between(b, e, k, rest, move, low, high), 2 * first


@kernel("f8[:, :, ::1], f8[::1], f8[:, ::1]")
def products(matrices: Floats, w: Floats, y: Floats) -> None:
    """Write y[c] = R_c w."""
    for c in range(matrices.shape[0]):
        for u in range(w.shape[0]):
            total = 0.0
            for v in range(w.shape[0]):
                total += matrices[c, u, v] * w[v]
            y[c, u] = total


@kernel("f8[:, :, ::1], f8[::1], f8[:, ::1], i8, f8[::1], f8[::1]")
def _line(matrices: Floats, w: Floats, y: Floats, u: int, b: Floats, e: Floats) -> float:
    """Write slopes and offsets of one hedge's lines, and return the gross size of the others."""
    rest = 0.0
    for c in range(b.shape[0]):
        b[c] = y[c, u] - w[u]
        e[c] = 0.0
    for v in range(w.shape[0]):
        if v != u:
            rest += abs(w[v])
            for c in range(b.shape[0]):
                e[c] += w[v] * (y[c, v] - matrices[c, v, u] * w[u])
    return rest


@kernel(
    "f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, i8, f8[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1]"
)
def descend(
    losses: Floats,
    counts: Ints,
    vertex: Ints,
    vertices: Ints,
    matrices: Floats,
    k: float,
    sweeps: int,
    w: Floats,
    place: Ints,
    y: Floats,
    b: Floats,
    e: Floats,
) -> int:
    """Improve hedges w by sweeps in the order of the underlyings, until one changes nothing; return the sweeps done.

    place: int64[U] out, as `line_minimum`; y: float64[K, U], R_c w, kept up to date; b, e: float64[K], scratch.
    """
    size = w.shape[0]
    for sweep in range(sweeps):
        moved = False
        for u in range(size):
            rest = _line(matrices, w, y, u, b, e)
            x, place[u] = line_minimum(losses[u, : counts[u]], vertex[u], vertices[u], b, e, k, rest)
            change = x - w[u]
            if abs(change) > STILL * (abs(x) + rest):
                moved = True
                w[u] = x
                for c in range(b.shape[0]):
                    for v in range(size):
                        y[c, v] += matrices[c, v, u] * change
        if not moved:
            return sweep + 1
    return sweeps


@kernel("i8[::1], i8[:, ::1], f8, f8[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1]")
def suggest(
    counts: Ints,
    vertex: Ints,
    k: float,
    w: Floats,
    place: Ints,
    y: Floats,
    matrix_weight: Floats,
    mean: Floats,
) -> None:
    """Write the mean moves of the norm's gradient at w, for given matrix weights: minus (1-k) R w + k T sign, over L.

    They lie in the unit ball of L's dual norm whatever the weights. Where a hedge is zero the sign may be anything in
    [-1, 1] and is chosen to come nearest to the moves that are worst without a hedge.
    """
    size = w.shape[0]
    gross, square = 0.0, 0.0
    for u in range(size):
        gross += abs(w[u])
        mean[u] = 0.0
        for c in range(matrix_weight.shape[0]):
            mean[u] += matrix_weight[c] * y[c, u]
        square += w[u] * mean[u]
    square = (1.0 - k) * max(0.0, square) + k * gross * gross
    if square <= 0.0:
        mean[:] = 0.0
        return
    root = math.sqrt(square)
    for u in range(size):
        mean[u] *= -(1.0 - k) / root
        room = k * gross / root
        if w[u] > 0.0:
            mean[u] -= room
        elif w[u] < 0.0:
            mean[u] += room
        else:
            low = grid_move(vertex[u, place[u] // 2], counts[u])
            high = grid_move(vertex[u, (place[u] + 1) // 2], counts[u])
            target = min(high, max(low, mean[u]))
            mean[u] = min(mean[u] + room, max(mean[u] - room, target))


@kernel("i8[::1], i8[:, ::1], f8, f8[::1], i8[::1], f8[:, ::1], i8, i8")
def tie_share(
    counts: Ints, vertex: Ints, k: float, w: Floats, place: Ints, y: Floats, first: int, second: int
) -> tuple[float, float]:
    """Return the range of weights of the second of two tying matrices that brings the gradient's moves to their edges.

    Least above most: no weight does, by rounding or because the hedge can still be improved.
    """
    size = w.shape[0]
    gross, square = 0.0, 0.0
    for u in range(size):
        gross += abs(w[u])
        square += w[u] * y[first, u]
    root = math.sqrt((1.0 - k) * square + k * gross * gross)
    room = k * gross / root
    least, most = 0.0, 1.0
    for u in range(size):
        change = -(1.0 - k) * (y[second, u] - y[first, u]) / root
        base = -(1.0 - k) * y[first, u] / root
        low = grid_move(vertex[u, place[u] // 2], counts[u])
        high = grid_move(vertex[u, (place[u] + 1) // 2], counts[u])
        if w[u] == 0.0:
            low -= room
            high += room
        else:
            base -= room if w[u] > 0.0 else -room
        if change != 0.0:
            least = max(least, min((low - base) / change, (high - base) / change))
            most = min(most, max((low - base) / change, (high - base) / change))
        elif base < low - SHORT or base > high + SHORT:
            return 1.0, 0.0
    return least, most


@kernel("i8[::1], i8[:, ::1], f8, f8[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1]")
def weigh(
    counts: Ints, vertex: Ints, k: float, w: Floats, place: Ints, y: Floats, squares: Floats, matrix_weight: Floats
) -> None:
    """Write matrix weights: all on the most severe one, or shared by the pair of tying ones that fits the hedge best.

    squares: float64[K], w'R_c w.
    """
    top = 0
    for c in range(squares.shape[0]):
        if squares[c] > squares[top]:
            top = c
    matrix_weight[:] = 0.0
    matrix_weight[top] = 1.0
    widest = -math.inf
    floor = squares[top] * (1.0 - TIE_WIDTH)
    for c in range(squares.shape[0]):
        for d in range(c + 1, squares.shape[0]):
            if squares[c] >= floor and squares[d] >= floor:
                least, most = tie_share(counts, vertex, k, w, place, y, c, d)
                if most - least > widest:
                    widest = most - least
                    share = min(1.0, max(0.0, 0.5 * (least + most)))
                    matrix_weight[:] = 0.0
                    matrix_weight[c] = 1.0 - share
                    matrix_weight[d] = share


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[::1]")
def nearest_worst(losses: Floats, counts: Ints, vertex: Ints, vertices: Ints, mean: Floats) -> None:
    """Write, for each curve without a hedge, the move nearest to 0 among the mixtures of its largest losses."""
    for u in range(counts.shape[0]):
        largest = -math.inf
        for i in range(vertices[u]):
            largest = max(largest, losses[u, vertex[u, i]])
        low, high = 1.0, -1.0
        for i in range(vertices[u]):
            if losses[u, vertex[u, i]] == largest:
                move = grid_move(vertex[u, i], counts[u])
                low = min(low, move)
                high = max(high, move)
        mean[u] = min(high, max(low, 0.0))


@kernel("f8[::1], f8[:, ::1], f8, f8[:, ::1], f8[::1]")
def within(mean: Floats, matrix: Floats, k: float, h: Floats, v: Floats) -> bool:
    """Return whether A v = mean with v'A v <= 1 for A = (1-k) R + k s s', s the signs of the mean.

    Then the mean lies in the unit ball of L's dual norm. h: float64[U, U] and v: float64[U], scratch.
    """
    size = mean.shape[0]
    for u in range(size):
        v[u] = mean[u]
        for j in range(u + 1):
            sides = 1.0 if (mean[u] < 0.0) == (mean[j] < 0.0) else -1.0
            h[u, j] = (1.0 - k) * matrix[u, j] + k * sides
    cholesky(h)
    cholesky_solve(h, v)
    square = 0.0
    for u in range(size):
        product = 0.0
        for j in range(size):
            sides = 1.0 if (mean[u] < 0.0) == (mean[j] < 0.0) else -1.0
            product += ((1.0 - k) * matrix[u, j] + k * sides) * v[j]
        # A singular matrix may have no solution; what rounding leaves is far below the gap that is asked for.
        if not abs(product - mean[u]) <= 1e-14:
            return False
        square += mean[u] * v[u]
    return square <= 1.0
