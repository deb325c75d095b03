"""Dynamic conditional correlation, DCC(1,1): Engle, Journal of Business and Economic Statistics, 2002.

    Q_0 = Qbar,   Q_t+1 = (1 - a - b) Qbar + a e_t e_t' + b Q_t,   R_t = diag(Q_t)^-1/2 Q_t diag(Q_t)^-1/2

e are standardised returns (each over the volatility known before it), Qbar their correlation over the sample, a, b >= 0
and a + b < 1. R_t is what is known before e_t; the last one is what is known after all of them.

a and b are fitted by composite quasi-likelihood, the sum over neighbouring pairs (i, i + 1) of

    -1/2 sum_t (log(1 - r^2) + (x^2 - 2 r x y + y^2)/(1 - r^2) - x^2 - y^2),   r = R_t,i,i+1

as the likelihood of the whole vector pulls a to 0 when there are many coins (Pakel, Shephard, Sheppard and Engle,
Journal of Business and Economic Statistics, 2021). The maximum is looked for on a coarse grid, and from its best point
by steps in ln a and ln(1 - a - b) that are halved when none of them leads higher.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats, kernel

A, B = 0.02, 0.97  # where a fit starts, and what is taken without one
MAX_PERSISTENCE = 0.9999  # a + b: at 1 the matrix forgets Qbar and wanders off
GRID_A = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
GRID_REST = (1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 0.8)  # of 1 - a - b: what it forgets with each row
FIRST_STEP, LAST_STEP = 0.7, 1e-3  # of the logarithms: half of the grid's spacing; a thousandth of a weight


class DccFit(NamedTuple):
    """The two weights and the composite log quasi-likelihood they reach."""

    a: float
    b: float
    log_likelihood: float


@kernel("f8[:, ::1], f8[:, ::1], f8, f8, f8[:, ::1], f8[:, ::1]")
def _filter(e: Floats, mean: Floats, a: float, b: float, q: Floats, out: Floats) -> None:
    p = mean.shape[0]
    q[:] = mean
    for t in range(e.shape[0]):
        for i in range(p):
            for j in range(i + 1):
                q[i, j] = (1.0 - a - b) * mean[i, j] + a * (e[t, i] * e[t, j]) + b * q[i, j]
    for i in range(p):
        out[i, i] = 1.0
        for j in range(i):
            out[i, j] = out[j, i] = q[i, j] / (math.sqrt(q[i, i]) * math.sqrt(q[j, j]))


@kernel("f8[:, ::1], f8[:, ::1], f8, f8")
def _log_likelihood(e: Floats, mean: Floats, a: float, b: float) -> float:
    total = 0.0
    for i in range(mean.shape[0] - 1):
        xx_mean, yy_mean, xy_mean = mean[i, i], mean[i + 1, i + 1], mean[i + 1, i]
        xx, yy, xy = xx_mean, yy_mean, xy_mean
        for t in range(e.shape[0]):
            x, y = e[t, i], e[t, i + 1]
            r = xy / (math.sqrt(xx) * math.sqrt(yy))
            rest = 1.0 - r * r
            square = x * x + y * y
            total -= 0.5 * (math.log(rest) + (square - 2.0 * r * x * y) / rest - square)
            xx = (1.0 - a - b) * xx_mean + a * (x * x) + b * xx
            yy = (1.0 - a - b) * yy_mean + a * (y * y) + b * yy
            xy = (1.0 - a - b) * xy_mean + a * (x * y) + b * xy
    return total


def dcc(e: Floats, mean: Floats, a: float = A, b: float = B) -> Floats:
    """Return the correlation matrix after all rows of standardised returns e, float64[n, p]: float64[p, p].

    mean: float64[p, p], Qbar. Positive definite where Qbar is. Raises ValueError on other shapes, values that are not
    finite, and weights outside a, b >= 0, a + b < 1.
    """
    _check(e, mean, a, b)
    out, q = np.empty_like(mean), np.empty_like(mean)
    _filter(np.ascontiguousarray(e), np.ascontiguousarray(mean), a, b, q, out)
    return out


def log_likelihood(e: Floats, mean: Floats, a: float, b: float) -> float:
    """Return the composite log quasi-likelihood over neighbouring pairs; arguments and errors as in `dcc`."""
    _check(e, mean, a, b)
    return _log_likelihood(np.ascontiguousarray(e), np.ascontiguousarray(mean), a, b)


def fit(e: Floats, mean: Floats) -> DccFit:
    """Return the weights of largest composite quasi-likelihood, 0 <= a, 0 <= b, a + b <= 0.9999.

    A local maximum from the best of 64 points of a grid and (0.02, 0.97); some hundred filters of p - 1 pairs. With
    a = 0 nothing moves, b means nothing and is 0. Errors as in `dcc`.
    """
    _check(e, mean, A, B)
    rows, centre = np.ascontiguousarray(e), np.ascontiguousarray(mean)

    def at(a: float, rest: float) -> DccFit:
        rest = min(max(rest, 1.0 - MAX_PERSISTENCE), 1.0 - a)
        b = max(0.0, 1.0 - a - rest) if a else 0.0
        return DccFit(a, b, _log_likelihood(rows, centre, a, b))

    best = at(A, 1.0 - A - B)
    for a in GRID_A:
        for rest in GRID_REST:
            best = _better(best, at(a, rest))
    step = FIRST_STEP
    while step >= LAST_STEP and best.a > 0.0:
        a, rest = best.a, 1.0 - best.a - best.b
        before = best
        for up_a, up_rest in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            best = _better(best, at(min(a * math.exp(up_a * step), 0.99), rest * math.exp(up_rest * step)))
        if best is before:
            step *= 0.5
    return best


def _better(known: DccFit, other: DccFit) -> DccFit:
    return other if other.log_likelihood > known.log_likelihood else known


def _check(e: Floats, mean: Floats, a: float, b: float) -> None:
    if not (a >= 0.0 and b >= 0.0 and a + b < 1.0):
        raise ValueError(f"weights of DCC are not negative and add up to less than 1, got {a} and {b}")
    if e.ndim != 2 or mean.shape != (e.shape[1], e.shape[1]):
        raise ValueError(f"rows of p returns and a p x p matrix are needed, got {e.shape} and {mean.shape}")
    if not (bool(np.isfinite(e).all()) and bool(np.isfinite(mean).all())):
        raise ValueError("standardised returns and their mean are finite")
    if not bool((np.diag(mean) > 0.0).all()):
        raise ValueError("the mean matrix has a positive diagonal")
