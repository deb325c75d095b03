"""One Newton direction of the cone program `netting_program`, by its normal equations in 3U + 1 unknowns."""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, kernel
from kernels.netting_cone import cholesky_solve, unscale
from kernels.netting_hull import grid_move
from kernels.netting_program import columns, rows

REFINEMENTS = 1  # of each direction

# Rows of the arrays that hold a point and its direction: slacks, duals, their directions, the right side; the linear
# rows also their scaling, the cones the scaled point and the scaled directions.
S, Z, DS, DZ, Q, ROOT, WEIGHT, SCALED = range(8)


@kernel("i8[::1], i8[:, ::1], i8[::1], f8, f8[::1], f8[:, ::1]")
def normal_rows(counts: Ints, vertex: Ints, vertices: Ints, k: float, weight: Floats, h: Floats) -> None:
    """Write the linear rows' share of the normal matrix; weight: z/s."""
    size = counts.shape[0]
    h[:] = 0.0
    at = 0
    for u in range(size):
        s = size + u
        for i in range(vertices[u]):
            move = grid_move(vertex[u, i], counts[u])
            h[u, u] += weight[at] * (move * move)
            h[s, u] -= weight[at] * move
            h[s, s] += weight[at]
            at += 1
    for u in range(size):
        a = 2 * size + u
        if k > 0.0:
            h[u, u] += weight[at] + weight[at + 1]
            h[a, a] += weight[at] + weight[at + 1]
            h[a, u] += weight[at + 1] - weight[at]
            at += 2
        else:
            h[a, a] = 1.0  # no row holds a: it stays where it is


@kernel("f8[:, :, ::1], f8[:, :, ::1], f8, f8[:, ::1], f8[::1], f8[::1], f8[:, ::1]")
def normal_cones(matrices: Floats, factors: Floats, k: float, v: Floats, beta: Floats, g: Floats, h: Floats) -> None:
    """Add the cones' share of the normal matrix, A'W^-2 A with W^-2 = (2 qq' - J) / beta^2; g: scratch, A'q."""
    size = matrices.shape[1]
    last = 3 * size
    root, root_k = math.sqrt(1.0 - k), math.sqrt(k)
    for c in range(factors.shape[0]):
        inverse = 1.0 / (beta[c] * beta[c])
        twice = 2.0 * v[c, 0]
        g[:] = 0.0
        for i in range(size):
            for u in range(i, size):
                g[u] -= root * factors[c, i, u] * twice * v[c, 1 + i]
        g[2 * size : last] = -root_k * twice * v[c, size + 1]
        g[last] = twice * v[c, 0] - 1.0
        for i in range(last + 1):
            if g[i] != 0.0:
                for j in range(i + 1):
                    h[i, j] += inverse * 2.0 * g[i] * g[j]
        h[last, last] -= inverse
        for u in range(size):
            for j in range(u + 1):
                h[u, j] += inverse * (1.0 - k) * matrices[c, u, j]
                h[2 * size + u, 2 * size + j] += inverse * k


@kernel("f8[:, ::1], f8[:, :, ::1]")
def _take_right_side(linear: Floats, cones: Floats) -> None:
    for i in range(linear.shape[1]):
        linear[DZ, i] = linear[Q, i]
    for c in range(cones.shape[1]):
        for i in range(cones.shape[2]):
            cones[DZ, c, i] = cones[Q, c, i]


@kernel(
    "i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[:, ::1], f8[:, ::1], f8[::1], f8,"
    "f8[:, ::1], f8[:, :, ::1], f8[::1], f8[::1], f8[::1]"
)
def direction(
    counts: Ints,
    vertex: Ints,
    vertices: Ints,
    factors: Floats,
    k: float,
    h: Floats,
    v: Floats,
    beta: Floats,
    share: float,
    linear: Floats,
    cones: Floats,
    missing: Floats,
    rest: Floats,
    dx: Floats,
) -> None:
    """Write dx and the scaled directions for the right side Q, closing a share of the dual residual `missing`.

    The normal matrix is ill conditioned near the end. What its solution leaves of the dual equations is therefore
    solved for again, computed with the scalings themselves.
    """
    dx[:] = 0.0
    _take_right_side(linear, cones)
    for _ in range(1 + REFINEMENTS):
        for i in range(linear.shape[1]):
            linear[DS, i] = linear[DZ, i] / linear[ROOT, i]
        for c in range(cones.shape[1]):
            unscale(v[c], beta[c], cones[DZ, c], cones[DS, c])
        columns(counts, vertex, vertices, factors, k, linear[DS], cones[DS], rest)
        for i in range(dx.shape[0]):
            rest[i] -= share * missing[i]
        cholesky_solve(h, rest)
        for i in range(dx.shape[0]):
            dx[i] += rest[i]
        rows(counts, vertex, vertices, factors, k, dx, linear[DS], cones[DZ])
        for i in range(linear.shape[1]):
            linear[DS, i] /= linear[ROOT, i]
            linear[DZ, i] = linear[Q, i] - linear[DS, i]
        for c in range(cones.shape[1]):
            unscale(v[c], beta[c], cones[DZ, c], cones[DS, c])
            for i in range(cones.shape[2]):
                cones[DZ, c, i] = cones[Q, c, i] - cones[DS, c, i]
