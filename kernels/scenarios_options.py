"""Option rows of a risk array, as vectors: what a row's scenarios share is computed once.

ln(F'/K) = ln(F/K) + ln(1 + m), the latter once per table; s and 1/s once per row and direction of volatility. Cells of
many rows then form one long array of distances, whatever the number of scenarios, and their time values take one loop:
one exponential, four polynomials and a division each (`kernels.black76_formulas`). Inside a settlement window a part of
F stays, and each cell takes its own logarithm.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import black76_formulas as formulas
from kernels import polynomials
from kernels._jit import Bools, Floats, Ints, inlined, kernel
from kernels.black76_loops import time_values
from kernels.scenarios_table import tenor_scale, vol_down_by, vol_up_by

CELLS = 1024  # of a block: three arrays of it are 24 kB

# Rows of `levels`' output.
LOG_MONEYNESS, UP_STDEV, STDEV, DOWN_STDEV, UP_INVERSE, INVERSE_STDEV, DOWN_INVERSE, NOW, SLOPE = range(9)
LEVELS = 9


LEAST_FACTOR, LARGEST_FACTOR = 1e-9, 1e9  # of a move, for the logarithm and what follows it


@kernel("f8[::1], f8[::1], f8, f8, f8, f8, f8, f8, f8[::1], f8[::1]")
def shocked_vols(
    years: Floats, vol: Floats, vol_up: float, vol_down: float, min_vol_up: float, short_power: float,
    long_power: float, dte_floor_days: float, up: Floats, down: Floats,
) -> None:  # fmt: skip
    """Write the volatilities of n options after both shocks, by `kernels.scenarios_table.shocked_vol`."""
    last, scale = math.nan, math.nan
    for i in range(up.shape[0]):
        t = max(years[i], 0.0)
        if t != last:  # rows of one expiry stand together: one power for all of them
            last, scale = t, tenor_scale(t, short_power, long_power, dte_floor_days)
        up[i] = vol_up_by(vol[i], vol_up * scale, min_vol_up)
        down[i] = vol_down_by(vol[i], vol_down * scale)


@kernel("f8[::1], f8[::1]")
def log_moves(move: Floats, out: Floats) -> bool:
    """Write ln(1 + m) of every scenario; return whether all of them are numbers of use."""
    usable = True
    for s in range(out.shape[0]):
        factor = 1.0 + move[s]
        out[s] = polynomials.log_ratio(factor, 1.0)
        usable &= (factor >= LEAST_FACTOR) & (factor <= LARGEST_FACTOR)
    return usable


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1], b1[::1]")
def levels(
    is_call: Bools, forward: Floats, strike: Floats, years: Floats, vol: Floats, up: Floats, down: Floats,
    out: Floats, regular: Bools,
) -> None:  # fmt: skip
    """Write ln(F/K), s and 1/s of three volatilities, price and slope of n options, and which rows are regular."""
    log_moneyness, up_stdev, stdev, down_stdev = out[LOG_MONEYNESS], out[UP_STDEV], out[STDEV], out[DOWN_STDEV]
    up_inverse, inverse, down_inverse, now, slope = (
        out[UP_INVERSE],
        out[INVERSE_STDEV],
        out[DOWN_INVERSE],
        out[NOW],
        out[SLOPE],
    )
    for i in range(regular.shape[0]):
        low, high = formulas.ordered(forward[i], strike[i])
        t = max(years[i], 0.0)
        root = math.sqrt(t)
        s, above, below = vol[i] * root, up[i] * root, down[i] * root
        one, one_above, one_below = 1.0 / s, 1.0 / above, 1.0 / below
        log_low_high = polynomials.log_ratio(low, high)
        a, b = formulas.distances(log_low_high, s, one)
        now[i], slope[i] = formulas.price_and_slope(is_call[i], forward[i], strike[i], low, a, b)
        log_moneyness[i] = log_low_high if forward[i] <= strike[i] else -log_low_high
        up_stdev[i], stdev[i], down_stdev[i] = above, s, below
        up_inverse[i], inverse[i], down_inverse[i] = one_above, one, one_below
        regular[i] = (
            formulas.is_regular(low, high, vol[i], t, s, one, 0.0)
            & formulas.is_regular(low, high, up[i], t, above, one_above, 0.0)
            & formulas.is_regular(low, high, down[i], t, below, one_below, 0.0)
        )


@inlined()
def of_direction(direction: int, up: float, same: float, down: float) -> float:
    """Return which of three belongs to a direction of volatility."""
    return up if direction > 0 else (down if direction < 0 else same)


@kernel("i8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], i8[::1], f8[:, ::1], f8[:, ::1], f8[:, ::1]")
def _distances(
    rows: Ints, forward: Floats, fixed: Floats, strike: Floats, level: Floats, move: Floats, log_move: Floats,
    direction: Ints, a: Floats, b: Floats, low: Floats,
) -> None:  # fmt: skip
    """Write a, b and the lower of forward and strike (`kernels.black76_formulas`) of every scenario of the rows."""
    for j in range(rows.shape[0]):
        i = rows[j]
        f, k, log, moving = forward[i], strike[i], level[LOG_MONEYNESS, i], forward[i] - fixed[i]
        up, same, down = level[UP_STDEV, i], level[STDEV, i], level[DOWN_STDEV, i]
        one_up, one_same, one_down = level[UP_INVERSE, i], level[INVERSE_STDEV, i], level[DOWN_INVERSE, i]
        if fixed[i] == 0.0:
            for s in range(move.shape[0]):
                stdev = of_direction(direction[s], up, same, down)
                inverse = of_direction(direction[s], one_up, one_same, one_down)
                a[j, s], b[j, s] = formulas.distances(-abs(log + log_move[s]), stdev, inverse)
                low[j, s] = min(f * (1.0 + move[s]), k)
        else:
            for s in range(move.shape[0]):
                stdev = of_direction(direction[s], up, same, down)
                inverse = of_direction(direction[s], one_up, one_same, one_down)
                lower, higher = formulas.ordered(f + moving * move[s], k)
                a[j, s], b[j, s] = formulas.distances(polynomials.log_ratio(lower, higher), stdev, inverse)
                low[j, s] = lower


@kernel(
    "i8[::1], b1[::1], b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1],f8[:, ::1], f8[:, ::1]"
)
def _pnl(
    rows: Ints, is_call: Bools, in_coins: Bools, forward: Floats, fixed: Floats, strike: Floats, unit: Floats,
    level: Floats, move: Floats, weight: Floats, time_value: Floats, pnl: Floats,
) -> None:  # fmt: skip
    """Write w unit (V(F', vol') - V(F)) of every scenario of the rows.

    In coins and with a fixed part, V(F') takes the factor (1 + m) F/F', by which its price in USD moves besides.
    """
    for j in range(rows.shape[0]):
        i = rows[j]
        call, f, k, now, u, moving = is_call[i], forward[i], strike[i], level[NOW, i], unit[i], forward[i] - fixed[i]
        if fixed[i] == 0.0:
            for s in range(move.shape[0]):
                moved = formulas.with_intrinsic(call, f * (1.0 + move[s]), k, time_value[j, s])
                pnl[i, s] = weight[s] * u * (moved - now)
        else:
            for s in range(move.shape[0]):
                shifted = f + moving * move[s]
                moved = formulas.with_intrinsic(call, shifted, k, time_value[j, s])
                if in_coins[i]:
                    moved *= (1.0 + move[s]) * f / shifted
                pnl[i, s] = weight[s] * u * (moved - now)


@kernel(
    "i8[::1], b1[::1], b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], i8[::1], f8[::1],"
    "f8[:, ::1]"
)
def write_rows(
    rows: Ints, is_call: Bools, in_coins: Bools, forward: Floats, fixed: Floats, strike: Floats, unit: Floats,
    level: Floats, move: Floats, log_move: Floats, direction: Ints, weight: Floats, pnl: Floats,
) -> None:  # fmt: skip
    """Write the P&L of the given option rows, all of them regular; level is `levels`' output."""
    scenarios = move.shape[0]
    block = max(1, CELLS // max(1, scenarios))
    a, b, low = np.empty((block, scenarios)), np.empty((block, scenarios)), np.empty((block, scenarios))
    for start in range(0, rows.shape[0], block):
        part = rows[start : start + block]
        cells = part.shape[0] * scenarios
        _distances(part, forward, fixed, strike, level, move, log_move, direction, a, b, low)
        time_values(a.ravel()[:cells], b.ravel()[:cells], low.ravel()[:cells])
        _pnl(part, is_call, in_coins, forward, fixed, strike, unit, level, move, weight, a, pnl)
