"""Realised correlation of synchronous returns, and the two samplings that make returns synchronous.

    R_ij = sum r_i r_j / sqrt(sum r_i^2  sum r_j^2)

over the rows at which both have a return (NaN where there is none); no mean is subtracted. On a fixed grid of previous
ticks R is pulled towards 0 as the grid gets finer than the time between ticks (Epps, Journal of the American
Statistical Association, 1979). Refresh-time sampling (Barndorff-Nielsen, Hansen, Lunde and Shephard, Journal of
Econometrics, 2011) takes all prices whenever every coin has traded anew:

    t_1 = max_i (first tick of i),   t_k+1 = max_i (first tick of i after t_k)

The joint form is one Gram matrix and positive semidefinite, as slow as its slowest coin; the form by pairs keeps the
ticks of the busy ones and may need a repair. What is left of stale prices within t_k to t_k+1 still biases it a little.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.estimators.ticks import Ticks, previous_ticks


@kernel("f8[:, ::1], f8[:, ::1]")
def _correlations(returns: Floats, out: Floats) -> None:
    for i in range(returns.shape[1]):
        out[i, i] = 1.0
        for j in range(i):
            xx = yy = xy = 0.0
            for k in range(returns.shape[0]):
                x, y = returns[k, i], returns[k, j]
                if not (math.isnan(x) or math.isnan(y)):
                    xx += x * x
                    yy += y * y
                    xy += x * y
            root = math.sqrt(xx) * math.sqrt(yy)
            value = max(-1.0, min(1.0, xy / root)) if root > 0.0 else math.nan
            out[i, j] = out[j, i] = value


def realised_correlation(returns: Floats) -> Floats:
    """Return the correlation matrix of returns, float64[n, p] with NaN where there is none: float64[p, p].

    An entry is NaN where a coin did not move in the rows it shares with the other. Raises ValueError on infinite
    returns.
    """
    if returns.ndim != 2 or bool(np.isinf(returns).any()):
        raise ValueError("returns are rows of numbers, NaN where there is none")
    out = np.empty((returns.shape[1], returns.shape[1]))
    _correlations(np.ascontiguousarray(returns), out)
    return out


def fixed_grid(ticks: Ticks, grid: Ints) -> Floats:
    """Return the naive correlation: previous ticks on a grid of ascending times, float64[p, p]."""
    return realised_correlation(np.diff(previous_ticks(ticks, grid), axis=0))


@kernel("i8[::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[:, ::1]")
def _refresh(times: Ints, values: Floats, starts: Ints, stops: Ints, at: Ints, out: Floats) -> int:
    """Write each coin's last value at every refresh time; return how many there were. `at` is scratch."""
    n = starts.shape[0]
    at[:] = starts
    rows = 0
    while True:
        moment = np.int64(-(2**62))
        for i in range(n):
            if at[i] >= stops[i]:
                return rows
            moment = max(moment, times[at[i]])
        for i in range(n):
            while at[i] < stops[i] and times[at[i]] <= moment:
                at[i] += 1
            out[rows, i] = values[at[i] - 1]
        rows += 1


def refreshed(ticks: Ticks) -> Floats:
    """Return the log prices at all refresh times common to all coins, float64[times, p]."""
    starts, stops = np.ascontiguousarray(ticks.starts[:-1]), np.ascontiguousarray(ticks.starts[1:])
    fewest = int((stops - starts).min(initial=len(ticks.times)))
    out = np.empty((fewest, ticks.coins))
    rows = _refresh(ticks.times, ticks.log_prices, starts, stops, np.empty_like(starts), out) if ticks.coins else 0
    return out[:rows]


def refresh_time(ticks: Ticks) -> Floats:
    """Return the correlation of returns between refresh times common to all coins, float64[p, p]."""
    return realised_correlation(np.diff(refreshed(ticks), axis=0))


def refresh_time_by_pairs(ticks: Ticks) -> Floats:
    """Return the correlation of each pair between refresh times of its own, float64[p, p]."""
    p, starts = ticks.coins, ticks.starts
    out = np.eye(p)
    counts = np.diff(starts)
    scratch = np.empty(2, dtype=np.int64)
    for i in range(p):
        for j in range(i):
            pair = np.array([i, j])
            values = np.empty((int(counts[pair].min()), 2))
            rows = _refresh(ticks.times, ticks.log_prices, starts[pair], starts[pair + 1], scratch, values)
            out[i, j] = out[j, i] = realised_correlation(np.diff(values[:rows], axis=0))[0, 1]
    return out
