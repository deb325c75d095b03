"""Coordinate descent for M*: sweeps of `netting_line`, one hedge after the other.

Every sweep lowers norm + residuals. Where the norm is not differentiable (no hedge at all, or two matrices that tie)
the descent may stop short of M*: the gap to the dual point of `netting_dual` then tells.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.netting_dual import suggest, weigh, without_hedge
from kernels.netting_hull import mixtures, residuals
from kernels.netting_line import line_minimum

SWEEPS = 40  # two to four are usual; what needs more is quicker by the interior-point method
STILL = 1e-15  # relative to all hedges: a smaller change is rounding


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


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[::1], f8[:, ::1], f8[::1]")
def certified_descent(
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
        return upper, without_hedge(losses, counts, vertex, vertices, matrices, k, duals, matrix_weight), sweeps
    weigh(counts, vertex, k, w, place, y, e, matrix_weight)
    suggest(counts, vertex, k, w, place, y, matrix_weight, mean)
    return upper, mixtures(losses, counts, vertex, vertices, mean, duals), sweeps
