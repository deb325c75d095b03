"""Mean moves that the dual norm admits, from a hedge: minus the gradient of the norm there.

The gradient's moves lie in the unit ball of L's dual norm, so the mixtures with these means prove a lower bound of M*.
It meets the upper one where the residuals' slopes are the same moves. Where the norm has a kink its gradients are many:
signs at zero hedges and weights of tying matrices are free and chosen to raise the bound.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.netting_cone import cholesky, cholesky_solve
from kernels.netting_hull import grid_move, mixtures

TIE_WIDTH = 1e-9  # relative: a smaller difference may be a tie that rounding broke
SHORT = 1e-12  # of a move: what rounding may leave


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


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[:, ::1], f8[::1]")
def without_hedge(
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
