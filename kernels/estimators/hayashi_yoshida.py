"""Hayashi-Yoshida: covariance of asynchronous ticks without any sampling.

    C_ij = sum over k, l of r_i,k r_j,l where the intervals (t_k-1, t_k] and (s_l-1, s_l] overlap

unbiased and consistent where the two price processes are observed without noise at times that do not depend on them
(Hayashi and Yoshida, Bernoulli, 2005). The returns of j that overlap one interval of i add up to one difference: from
its last tick at or before the interval's start to its first tick at or after the interval's end. So one pass over both
coins does, with two pointers. The variances are sums of squared returns; the matrix need not be positive semidefinite.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.estimators.ticks import Ticks


@kernel("i8[::1], f8[::1], i8, i8, i8, i8")
def covariance(times: Ints, values: Floats, start: int, stop: int, other: int, other_stop: int) -> float:
    """Return the covariance sum of the coins with ticks [start, stop) and [other, other_stop); 0 without returns.

    times int64[n], values float64[n] (log prices). The second coin's value before its first tick is that of the first,
    and after its last that of the last: no return where it has none.
    """
    total = 0.0
    if stop - start < 2 or other_stop - other < 2:
        return total
    before = after = other
    for k in range(start + 1, stop):
        while before + 1 < other_stop and times[before + 1] <= times[k - 1]:
            before += 1
        while after + 1 < other_stop and times[after] < times[k]:
            after += 1
        total += (values[k] - values[k - 1]) * (values[after] - values[before])
    return total


@kernel("i8[::1], f8[::1], i8[::1], f8[:, ::1]")
def _correlations(times: Ints, values: Floats, starts: Ints, out: Floats) -> None:
    p = starts.shape[0] - 1
    root = np.empty(p)
    for i in range(p):
        total = 0.0
        for k in range(starts[i] + 1, starts[i + 1]):
            step = values[k] - values[k - 1]
            total += step * step
        root[i] = math.sqrt(total)
    for i in range(p):
        out[i, i] = 1.0
        for j in range(i):
            size = root[i] * root[j]
            cross = covariance(times, values, starts[i], starts[i + 1], starts[j], starts[j + 1])
            value = cross / size if size > 0.0 else math.nan
            out[i, j] = out[j, i] = value


def hayashi_yoshida(ticks: Ticks) -> Floats:
    """Return the Hayashi-Yoshida correlations of all pairs, float64[p, p]; NaN where a coin did not move.

    Not clipped: in a small sample an entry may lie outside [-1, 1].
    """
    out = np.empty((ticks.coins, ticks.coins))
    _correlations(ticks.times, ticks.log_prices, ticks.starts, out)
    return out
