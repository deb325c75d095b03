"""The scenarios of a risk array: moves of prices, and shocks of volatilities scaled by tenor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats, Ints, inlined, kernel

UP, SAME, DOWN = 1, 0, -1  # direction of a volatility shock

DAYS_PER_YEAR = 365.0
TENOR_DAYS = 30.0  # the tenor at which a volatility shock has its nominal size


class ScenarioTable(NamedTuple):
    """Scenarios as columns: float64[S] move, linear_move and weight, int64[S] vol_direction."""

    move: Floats
    linear_move: Floats
    vol_direction: Ints
    weight: Floats


def scenario_table(price_range: float, buckets_each_side: int, extended_moves: Sequence[float]) -> ScenarioTable:
    """Return the scenarios of a risk matrix: the standard table, then the extended one.

    With n buckets each side, scenario 3 (i + n) + v is the move i price_range/n, i = -n .. n, with the volatility up
    (v = 0), same (1) or down (2); scenario 3 (2n + 1) + j is the j-th extended move beyond the range, in the given
    order, volatility up. There futures are held at the end of the range and options count with weight
    min(1, range/|move|); moves inside the range are dropped. Raises ValueError on a range outside (0, 1), fewer than
    one bucket, or a move that is not above -1 and finite.
    """
    if not 0.0 < price_range < 1.0:
        raise ValueError(f"price_range must lie in (0, 1), got {price_range}")
    if buckets_each_side < 1:
        raise ValueError(f"buckets_each_side must be at least 1, got {buckets_each_side}")
    extended = np.array(extended_moves, dtype=np.float64).reshape(-1)
    if not np.all(np.isfinite(extended) & (extended > -1.0)):
        raise ValueError(f"extended moves must be finite and above -1, got {extended.tolist()}")
    extended = extended[np.abs(extended) > price_range]
    n = buckets_each_side
    standard = np.repeat(np.arange(-n, n + 1) * price_range / n, 3)
    move = np.concatenate([standard, extended])
    directions = np.concatenate([np.tile([UP, SAME, DOWN], 2 * n + 1), np.full(extended.size, UP)])
    weight = np.concatenate([np.ones(standard.size), price_range / np.abs(extended)])
    return ScenarioTable(move, np.clip(move, -price_range, price_range), directions.astype(np.int64), weight)


@kernel("f8, f8, f8, f8")
def tenor_scale(years: float, short_power: float, long_power: float, dte_floor_days: float) -> float:
    """Return the factor on a volatility shock: (30 / max(days, floor))^power, the short power up to 30 days."""
    days = years * DAYS_PER_YEAR
    power = short_power if days <= TENOR_DAYS else long_power
    return math.pow(TENOR_DAYS / max(days, dte_floor_days), power)


@inlined()
def vol_up_by(vol: float, shock: float, min_vol_up: float) -> float:
    """Return a volatility after a shock upwards; NaN stays NaN."""
    return max(vol * (1.0 + shock), min_vol_up)


@inlined()
def vol_down_by(vol: float, shock: float) -> float:
    """Return a volatility after a shock downwards, which leaves it at zero at least."""
    return vol * max(1.0 - shock, 0.0)


@kernel("f8, i8, f8, f8, f8, f8, f8, f8, f8")
def shocked_vol(
    vol: float,
    direction: int,
    years: float,
    vol_up: float,
    vol_down: float,
    min_vol_up: float,
    short_power: float,
    long_power: float,
    dte_floor_days: float,
) -> float:
    """Return a volatility after a shock, scaled by tenor.

    m = (30 / max(days, floor))^power with the short power up to 30 days and the long one beyond;
    up: max(vol (1 + vol_up m), min_vol_up); down: max(vol (1 - vol_down m), 0); direction 0: vol. NaN stays NaN.
    """
    if direction == SAME or math.isnan(vol):
        return vol
    scale = tenor_scale(years, short_power, long_power, dte_floor_days)
    if direction > 0:
        return vol_up_by(vol, vol_up * scale, min_vol_up)
    return vol_down_by(vol, vol_down * scale)
