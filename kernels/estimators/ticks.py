"""Ticks of several coins side by side, each with times of its own: what the estimators of asynchronous data take.

Times are whole microseconds and increase strictly within a coin: two prices at one moment have no return between them,
so the last one counts (`thinned` with an interval of 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats, Ints, kernel


class Ticks(NamedTuple):
    """Coin i has the ticks `starts[i]` to `starts[i + 1]`, excluded: times int64[n], log prices float64[n]."""

    times: Ints
    log_prices: Floats
    starts: Ints

    @property
    def coins(self) -> int:
        """Number of coins."""
        return len(self.starts) - 1


def ticks_of(series: Sequence[tuple[Ints, Floats]]) -> Ticks:
    """Return the ticks of several coins, each given as (times, prices); coins may have none.

    Raises ValueError on prices that are not positive and finite, on different lengths, and on times that do not
    increase strictly.
    """
    for times, prices in series:
        if times.ndim != 1 or times.shape != prices.shape:
            raise ValueError(f"ticks need one price a time, got {times.shape} and {prices.shape}")
        if not bool((np.isfinite(prices) & (prices > 0.0)).all()):
            raise ValueError("a price is positive and finite")
        if bool((np.diff(times) <= 0).any()):
            raise ValueError("times of ticks increase strictly")
    starts = np.zeros(len(series) + 1, dtype=np.int64)
    starts[1:] = np.cumsum([len(times) for times, _ in series])
    empty_times, empty_prices = np.zeros(0, dtype=np.int64), np.zeros(0)
    times = np.concatenate([empty_times, *(np.asarray(one, dtype=np.int64) for one, _ in series)])
    prices = np.concatenate([empty_prices, *(np.asarray(one, dtype=np.float64) for _, one in series)])
    return Ticks(times, np.log(prices), starts)


def thinned(times: Ints, prices: Floats, interval: int) -> tuple[Ints, Floats]:
    """Return the last tick of every interval [k interval, (k + 1) interval), at its own time.

    times: int64[n], not decreasing; prices: float64[n]. Bid and ask bounce between ticks close together and make their
    squared returns large: with fewer ticks that noise weighs less. Raises ValueError on an interval below 1 and on
    times that decrease.
    """
    if interval < 1:
        raise ValueError(f"an interval is at least 1, got {interval}")
    if bool((np.diff(times) < 0).any()):
        raise ValueError("times of ticks do not decrease")
    place = times // interval
    last = np.append(place[1:] != place[:-1], True) if len(times) else np.zeros(0, dtype=np.bool_)
    return np.ascontiguousarray(times[last]), np.ascontiguousarray(prices[last])


@kernel("i8[::1], f8[::1], i8, i8, i8[::1], f8[:, ::1], i8")
def _previous(times: Ints, values: Floats, start: int, stop: int, grid: Ints, out: Floats, coin: int) -> None:
    at = start
    for k in range(grid.shape[0]):
        while at < stop and times[at] <= grid[k]:
            at += 1
        out[k, coin] = values[at - 1] if at > start else np.nan


def previous_ticks(ticks: Ticks, grid: Ints) -> Floats:
    """Return each coin's last log price at or before each time of an ascending grid, float64[len(grid), coins].

    NaN before a coin's first tick. (Previous-tick interpolation: Dacorogna et al., An Introduction to High-Frequency
    Finance, 2001.)
    """
    if bool((np.diff(grid) < 0).any()):
        raise ValueError("times of a grid ascend")
    moments = np.ascontiguousarray(grid, dtype=np.int64)
    out = np.empty((len(grid), ticks.coins))
    for coin in range(ticks.coins):
        _previous(
            ticks.times, ticks.log_prices, int(ticks.starts[coin]), int(ticks.starts[coin + 1]), moments, out, coin
        )
    return out
