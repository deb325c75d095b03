"""Interior-point method for M*: the slow, sure way, for accounts that coordinate descent leaves open.

A primal-dual path of the cone program `netting_program`: from a scaled point (`netting_cone`) a predictor and a
corrector (`netting_direction`), a step to just short of the boundary, until the bounds of M* meet.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.netting import norm
from kernels.netting_cone import cholesky, divide, factor, reach, scale, scaling, unscale
from kernels.netting_direction import DS, DZ, ROOT, SCALED, WEIGHT, Q, S, Z, direction, normal_cones, normal_rows
from kernels.netting_hull import mixtures, residuals
from kernels.netting_program import columns, means, start

MAX_STEPS = 80  # about 15 are usual; more than 40 were never seen
PATIENCE = 8  # steps without a smaller gap: rounding has won
STEP = 0.99  # of the way to the boundary


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


@kernel("f8[::1], f8[::1]")
def take(values: Floats, out: Floats) -> None:
    """Copy an array; a slice assignment would bring the formatting of its error message into machine code."""
    for i in range(values.shape[0]):
        out[i] = values[i]


@kernel("f8[:, ::1], f8[:, :, ::1]")
def _predict(linear: Floats, cones: Floats) -> None:
    """Write the predictor's right side: minus lambda."""
    for i in range(linear.shape[1]):
        linear[Q, i] = -linear[S, i] / linear[ROOT, i]
    for c in range(cones.shape[1]):
        for i in range(cones.shape[2]):
            cones[Q, c, i] = -cones[SCALED, c, i]


@kernel("f8[:, ::1], f8[:, :, ::1], f8")
def _correct(linear: Floats, cones: Floats, centre: float) -> None:
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
    unknowns = 3 * size + 1
    x, dx, missing, scratch = np.zeros(unknowns), np.empty(unknowns), np.empty(unknowns), np.empty(unknowns)
    h, v, beta = np.empty((unknowns, unknowns)), np.empty((count, size + 2)), np.empty(count)
    now_mean, now_weight = np.empty(size), np.empty(count)
    take(w, x)
    start(counts, vertex, vertices, losses, factors, k, x, linear[S], linear[Z], cones[S], cones[Z])
    upper = norm(w, matrices, k) + residuals(losses, counts, vertex, vertices, w)
    lower, best, patience, step_count = -math.inf, math.inf, PATIENCE, 0
    while step_count < MAX_STEPS and patience > 0:
        mu = scaling(linear[S], linear[Z], cones[S], cones[Z], linear[ROOT], linear[WEIGHT], v, beta, cones[SCALED])
        normal_rows(counts, vertex, vertices, k, linear[WEIGHT], h)
        normal_cones(matrices, factors, k, v, beta, scratch, h)
        cholesky(h)
        columns(counts, vertex, vertices, factors, k, linear[Z], cones[Z], missing)
        for i in range(unknowns):
            missing[i] = (1.0 if i >= size and (i < 2 * size or i == 3 * size) else 0.0) - missing[i]
        _predict(linear, cones)
        share = 1.0
        for corrects in (False, True):
            if corrects:
                centring = (1.0 - min(1.0, _reach_all(linear, cones))) ** 3
                _correct(linear, cones, centring * mu)
                share = 1.0 - centring
            direction(counts, vertex, vertices, factors, k, h, v, beta, share, linear, cones, missing, scratch, dx)
        step = min(1.0, STEP * _reach_all(linear, cones))
        _advance(linear, cones, v, beta, step)
        for i in range(unknowns):
            x[i] += step * dx[i]
        step_count += 1
        here = norm(x[:size], matrices, k) + residuals(losses, counts, vertex, vertices, x[:size])
        if here < upper:
            upper = here
            take(x[:size], w)
        means(counts, linear[Z], cones[Z], factors, k, now_mean, now_weight)
        below = mixtures(losses, counts, vertex, vertices, now_mean, duals)
        if below > lower:
            lower = below
            take(now_mean, mean)
            take(now_weight, matrix_weight)
        if upper - lower <= max(tolerance * abs(upper), 1e-13) or not math.isfinite(here + below):
            break
        patience = PATIENCE if upper - lower < 0.9 * best else patience - 1
        best = min(best, upper - lower)
    return upper, lower, step_count
