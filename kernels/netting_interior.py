"""Interior-point method for M*: the slow, sure way, for accounts that coordinate descent leaves open.

    minimise  t + sum s_u   over w, s, a, t
    with      s_u >= l_u(m_i) + w_u m_i               at every vertex i of the hull of u
              a_u >= |w_u|
              t   >= |(sqrt(1-k) F_c w, sqrt(k) sum a)|   for every matrix R_c = F_c'F_c

is a cone program whose primal and dual both have strictly feasible points, so a primal-dual path-following method
converges from any start. The algebra is in `kernels.netting_cone`;
the normal equations have 3U + 1 unknowns.

Layout. x = (w, s, a, t). Linear rows: the vertices of each hull in turn, then a - w and a + w. A second-order cone has
U + 2 components: t, sqrt(1-k) F_c w, sqrt(k) sum a. Without k there is no a: its rows are left out.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.netting import norm
from kernels.netting_cone import cholesky, cholesky_solve, divide, factor, reach, scale, scaling, unscale
from kernels.netting_hull import grid_move, mixtures, residuals

MAX_STEPS = 80  # about 15 are usual; more than 40 were never seen
PATIENCE = 8  # steps without a smaller gap: rounding has won
REFINEMENTS = 1  # of each direction
STEP = 0.99  # of the way to the boundary


@kernel("i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[::1], f8[::1], f8[:, ::1]")
def _rows(
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
def _columns(
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


@kernel("i8[::1], i8[:, ::1], i8[::1], f8, f8[::1], f8[:, ::1]")
def _normal_rows(counts: Ints, vertex: Ints, vertices: Ints, k: float, weight: Floats, h: Floats) -> None:
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
def _normal_cones(matrices: Floats, factors: Floats, k: float, v: Floats, beta: Floats, g: Floats, h: Floats) -> None:
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


@kernel("i8[::1], f8[::1], f8[:, ::1], f8[:, :, ::1], f8, f8[::1], f8[::1]")
def _means(
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


@kernel(
    "i8[::1], i8[:, ::1], i8[::1], f8[:, ::1], f8[:, :, ::1], f8, f8[::1], f8[::1], f8[::1], f8[:, ::1], f8[:, ::1]"
)
def _start(
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
    _rows(counts, vertex, vertices, factors, k, x, s, cone_s)
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


# Rows of the arrays that hold a point and its direction: slacks, duals, their directions, the right side; the linear
# rows also their scaling, the cones the scaled point and the scaled directions.
S, Z, DS, DZ, Q, ROOT, WEIGHT, SCALED = range(8)


@kernel(
    "i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8[:, ::1], f8[:, ::1], f8[::1], f8,"
    "f8[:, ::1], f8[:, :, ::1], f8[::1], f8[::1], f8[::1]"
)
def _direction(
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
    linear[DZ] = linear[Q]
    cones[DZ] = cones[Q]
    for _ in range(1 + REFINEMENTS):
        for i in range(linear.shape[1]):
            linear[DS, i] = linear[DZ, i] / linear[ROOT, i]
        for c in range(cones.shape[1]):
            unscale(v[c], beta[c], cones[DZ, c], cones[DS, c])
        _columns(counts, vertex, vertices, factors, k, linear[DS], cones[DS], rest)
        for i in range(dx.shape[0]):
            rest[i] -= share * missing[i]
        cholesky_solve(h, rest)
        for i in range(dx.shape[0]):
            dx[i] += rest[i]
        _rows(counts, vertex, vertices, factors, k, dx, linear[DS], cones[DZ])
        for i in range(linear.shape[1]):
            linear[DS, i] /= linear[ROOT, i]
            linear[DZ, i] = linear[Q, i] - linear[DS, i]
        for c in range(cones.shape[1]):
            unscale(v[c], beta[c], cones[DZ, c], cones[DS, c])
            for i in range(cones.shape[2]):
                cones[DZ, c, i] = cones[Q, c, i] - cones[DS, c, i]


@kernel("f8[:, ::1], f8[:, :, ::1]")
def _reach_all(linear: Floats, cones: Floats) -> float:
    """Return the largest step, at most 1 / STEP, that stays in all cones."""
    step = 1.0 / STEP
    for i in range(linear.shape[1]):
        least = min(linear[DS, i], linear[DZ, i])
        here = linear[S, i] / linear[ROOT, i]
        if least * step < -here:
            step = -here / least
    for c in range(cones.shape[1]):
        step = min(step, min(reach(cones[SCALED, c], cones[DS, c]), reach(cones[SCALED, c], cones[DZ, c])))  # noqa: PLW3301
    return step


@kernel("f8[:, ::1], f8[:, :, ::1], f8")
def _predict(linear: Floats, cones: Floats, centre: float) -> None:
    """Write the corrector's right side: the quotient (centre e - ds o dz) / lambda, less lambda."""
    for i in range(linear.shape[1]):
        here = linear[S, i] / linear[ROOT, i]
        linear[Q, i] = (centre - linear[DS, i] * linear[DZ, i]) / here - here
    for c in range(cones.shape[1]):
        ds, dz, q = cones[DS, c], cones[DZ, c], cones[Q, c]
        head = centre
        for i in range(q.shape[0]):
            head -= ds[i] * dz[i]
        for i in range(1, q.shape[0]):
            q[i] = -(ds[0] * dz[i] + dz[0] * ds[i])
        q[0] = head
        # The direction is used up: its place takes the quotient.
        divide(cones[SCALED, c], q, ds)
        for i in range(q.shape[0]):
            q[i] = ds[i] - cones[SCALED, c, i]


@kernel("f8[:, ::1], f8[:, :, ::1], f8[:, ::1], f8[::1], f8")
def _advance(linear: Floats, cones: Floats, v: Floats, beta: Floats, step: float) -> None:
    """Move slacks and duals along the scaled directions."""
    for i in range(linear.shape[1]):
        linear[S, i] += step * linear[DS, i] * linear[ROOT, i]
        linear[Z, i] += step * linear[DZ, i] / linear[ROOT, i]
    for c in range(cones.shape[1]):
        scale(v[c], beta[c], cones[DS, c], cones[Q, c])
        for i in range(cones.shape[2]):
            cones[S, c, i] += step * cones[Q, c, i]
        unscale(v[c], beta[c], cones[DZ, c], cones[Q, c])
        for i in range(cones.shape[2]):
            cones[Z, c, i] += step * cones[Q, c, i]


@kernel("f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[:, :, ::1], f8, f8, f8[::1], f8[::1], f8[::1], f8[:, ::1]")
def interior(
    losses: Floats,
    counts: Ints,
    vertex: Ints,
    vertices: Ints,
    matrices: Floats,
    k: float,
    tolerance: float,
    w: Floats,
    mean: Floats,
    matrix_weight: Floats,
    duals: Floats,
) -> tuple[float, float, int]:
    """Improve hedges w and moves mean until both bounds of M* meet; return upper bound, lower bound and steps.

    losses: float64[U, W], finite, of size about 1, with their hulls; matrices: float64[K, U, U]; tolerance: relative;
    w: float64[U], the start, then the best hedge; mean: float64[U] and matrix_weight: float64[K], the best dual point;
    duals: float64[U, W], scratch. The bounds are evaluated on the original functions at every step, so they hold
    wherever the path ends.
    """
    size, count = counts.shape[0], matrices.shape[0]
    rows = 2 * size if k > 0.0 else 0
    for u in range(size):
        rows += vertices[u]
    factors = np.empty_like(matrices)
    factor(matrices, factors)
    linear, cones = np.empty((7, rows)), np.zeros((8, count, size + 2))
    x, dx, missing, scratch = (
        np.zeros(3 * size + 1),
        np.empty(3 * size + 1),
        np.empty(3 * size + 1),
        np.empty(3 * size + 1),
    )
    h, v, beta = np.empty((3 * size + 1, 3 * size + 1)), np.empty((count, size + 2)), np.empty(count)
    now_mean, now_weight = np.empty(size), np.empty(count)
    x[:size] = w
    _start(counts, vertex, vertices, losses, factors, k, x, linear[S], linear[Z], cones[S], cones[Z])
    upper = norm(w, matrices, k) + residuals(losses, counts, vertex, vertices, w)
    lower, best, patience, step_count = -math.inf, math.inf, PATIENCE, 0
    while step_count < MAX_STEPS and patience > 0:
        mu = scaling(linear[S], linear[Z], cones[S], cones[Z], linear[ROOT], linear[WEIGHT], v, beta, cones[SCALED])
        _normal_rows(counts, vertex, vertices, k, linear[WEIGHT], h)
        _normal_cones(matrices, factors, k, v, beta, scratch, h)
        cholesky(h)
        _columns(counts, vertex, vertices, factors, k, linear[Z], cones[Z], missing)
        for i in range(3 * size + 1):
            missing[i] = (1.0 if i >= size and (i < 2 * size or i == 3 * size) else 0.0) - missing[i]
        linear[Q] = -linear[S] / linear[ROOT]
        cones[Q] = -cones[SCALED]
        _direction(counts, vertex, vertices, factors, k, h, v, beta, 1.0, linear, cones, missing, scratch, dx)
        centring = (1.0 - min(1.0, _reach_all(linear, cones))) ** 3
        _predict(linear, cones, centring * mu)
        _direction(
            counts, vertex, vertices, factors, k, h, v, beta, 1.0 - centring, linear, cones, missing, scratch, dx
        )
        step = min(1.0, STEP * _reach_all(linear, cones))
        _advance(linear, cones, v, beta, step)
        for i in range(3 * size + 1):
            x[i] += step * dx[i]
        step_count += 1
        here = norm(x[:size], matrices, k) + residuals(losses, counts, vertex, vertices, x[:size])
        if here < upper:
            upper = here
            w[:] = x[:size]
        _means(counts, linear[Z], cones[Z], factors, k, now_mean, now_weight)
        below = mixtures(losses, counts, vertex, vertices, now_mean, duals)
        if below > lower:
            lower = below
            mean[:] = now_mean
            matrix_weight[:] = now_weight
        if upper - lower <= max(tolerance * abs(upper), 1e-13) or not math.isfinite(here + below):
            break
        patience = PATIENCE if upper - lower < 0.9 * best else patience - 1
        best = min(best, upper - lower)
    return upper, lower, step_count
