"""M* as a cone program: its variables, its rows, a feasible start, and what its duals mean.

    minimise  t + sum s_u   over w, s, a, t
    with      s_u >= l_u(m_i) + w_u m_i               at every vertex i of the hull of u
              a_u >= |w_u|
              t   >= |(sqrt(1-k) F_c w, sqrt(k) sum a)|   for every matrix R_c = F_c'F_c

Primal and dual both have strictly feasible points, so a primal-dual path-following method converges from any start.

Layout. x = (w, s, a, t). Linear rows: the vertices of each hull in turn, then a - w and a + w. A second-order cone has
U + 2 components: t, sqrt(1-k) F_c w, sqrt(k) sum a. Without k there is no a: its rows are left out.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, kernel
from kernels.netting_hull import grid_move


@kernel("i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[::1], f8[::1], f8[:, ::1]")
def rows(
    counts: Ints, vertex: Ints, vertices: Ints, factors: Floats, k: float, x: Floats, linear: Floats, cones: Floats
) -> None:
    """Write -G x: the left sides of the linear rows and of the cones, without the losses."""
    size = counts.shape[0]
    at = 0
    for u in range(size):
        for i in range(vertices[u]):
            linear[at] = x[size + u] - x[u] * grid_move(vertex[u, i], counts[u])
            at += 1
    gross = 0.0
    for u in range(size if k > 0.0 else 0):
        linear[at] = x[2 * size + u] - x[u]
        linear[at + 1] = x[2 * size + u] + x[u]
        gross += x[2 * size + u]
        at += 2
    root, root_k = math.sqrt(1.0 - k), math.sqrt(k)
    for c in range(factors.shape[0]):
        cones[c, 0] = x[3 * size]
        for i in range(size):
            total = 0.0
            for u in range(i, size):
                total += factors[c, i, u] * x[u]
            cones[c, 1 + i] = root * total
        cones[c, size + 1] = root_k * gross


@kernel("i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[::1], f8[:, ::1], f8[::1]")
def columns(
    counts: Ints, vertex: Ints, vertices: Ints, factors: Floats, k: float, linear: Floats, cones: Floats, x: Floats
) -> None:
    """Write -G'z, the transpose of `_rows`."""
    size = counts.shape[0]
    x[:] = 0.0
    at = 0
    for u in range(size):
        for i in range(vertices[u]):
            x[size + u] += linear[at]
            x[u] -= linear[at] * grid_move(vertex[u, i], counts[u])
            at += 1
    root, root_k = math.sqrt(1.0 - k), math.sqrt(k)
    gross = 0.0
    for c in range(factors.shape[0]):
        x[3 * size] += cones[c, 0]
        for i in range(size):
            for u in range(i, size):
                x[u] += root * factors[c, i, u] * cones[c, 1 + i]
        gross += root_k * cones[c, size + 1]
    for u in range(size if k > 0.0 else 0):
        x[u] += linear[at + 1] - linear[at]
        x[2 * size + u] = linear[at] + linear[at + 1] + gross
        at += 2


@kernel(
    "i8[::1], i8[:, ::1], i8[::1], f8[:, ::1], f8[:, :, ::1], f8, f8[::1], f8[::1], f8[::1], f8[:, ::1], f8[:, ::1]"
)
def start(
    counts: Ints,
    vertex: Ints,
    vertices: Ints,
    losses: Floats,
    factors: Floats,
    k: float,
    x: Floats,
    s: Floats,
    z: Floats,
    cone_s: Floats,
    cone_z: Floats,
) -> None:
    """Write a strictly feasible primal point around the hedges in x, and a dual point inside its cones."""
    size = counts.shape[0]
    slack = 0.5  # losses are scaled to about 1
    gross = 0.0
    for u in range(size):
        x[size + u] = -math.inf
        for i in range(vertices[u]):
            j = vertex[u, i]
            x[size + u] = max(x[size + u], losses[u, j] + x[u] * grid_move(j, counts[u]))
        x[size + u] += slack
        x[2 * size + u] = abs(x[u]) + slack
        gross += x[2 * size + u]
    x[3 * size] = gross + slack
    rows(counts, vertex, vertices, factors, k, x, s, cone_s)
    at = 0
    for u in range(size):
        for i in range(vertices[u]):
            s[at] -= losses[u, vertex[u, i]]
            z[at] = 1.0 / vertices[u]
            at += 1
    cones = cone_s.shape[0]
    for i in range(at, s.shape[0]):
        z[i] = 0.25 * math.sqrt(k)
    cone_z[:] = 0.0
    for c in range(cones):
        cone_z[c, 0] = 1.0 / cones
        cone_z[c, size + 1] = -0.5 * math.sqrt(k) / cones


@kernel("i8[::1], f8[::1], f8[:, ::1], f8[:, :, ::1], f8, f8[::1], f8[::1]")
def means(
    counts: Ints, linear: Floats, cones: Floats, factors: Floats, k: float, mean: Floats, matrix_weight: Floats
) -> None:
    """Write the moves and matrix weights that the cones' part of a dual point stands for, made feasible.

    Each cone may carry any vector within its own first component, and these sum to 1; the part of k may be any vector
    whose largest element is at most sqrt(k) times the sum of the last components. What rounding or an unfinished path
    left outside is scaled down, so the means lie in the unit ball of L's dual norm whatever the point.
    """
    size = counts.shape[0]
    root, root_k = math.sqrt(1.0 - k), math.sqrt(k)
    total, room = 0.0, 0.0
    mean[:] = 0.0
    for c in range(factors.shape[0]):
        length = cones[c, size + 1] * cones[c, size + 1]
        for i in range(size):
            length += cones[c, 1 + i] * cones[c, 1 + i]
            for u in range(i, size):
                mean[u] += root * factors[c, i, u] * cones[c, 1 + i]
        matrix_weight[c] = max(cones[c, 0], math.sqrt(length))
        total += matrix_weight[c]
        room += root_k * abs(cones[c, size + 1])
    at = linear.shape[0] - 2 * size
    for u in range(size):
        if k > 0.0:
            mean[u] += min(room, max(-room, linear[at + 2 * u + 1] - linear[at + 2 * u]))
        mean[u] /= total
    for c in range(factors.shape[0]):
        matrix_weight[c] /= total
