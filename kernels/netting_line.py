"""Exact minimisation of norm + residual over one hedge, all others held.

With y = R w, the square of the norm along one hedge x is

    L(x)^2 = x^2 + (1 - k) max over c of (2 b_c x + e_c) + k (2 T |x| + T^2),    b_c = y_c - w,

with T the other hedges' gross size: a parabola over an envelope of lines. The residual's slope is the move of a vertex
of its hull, so the minimum is at one of the hull's breakpoints, at zero, at a crossing of two lines, or where the
slope of one parabola's root is minus the vertex' move, in closed form.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, kernel
from kernels.netting_hull import breakpoint_at, grid_move

TIE = 1e-13  # relative: below it two matrices count as equally severe


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
