"""Unit values, deltas and the risk array of one underlying.

Row i is one instrument, column s one scenario; `pnl[i, s]` is the P&L in USD of one contract. Value and P&L by kind,
with S the index, p the price of a future, F the forward of an expiry, V the undiscounted Black-76 price, g the
cumulative funding of a perpetual (0 for all others):

| code | kind | value, USD | P&L of a move m | delta, coins | market delta, coins |
|---|---|---|---|---|---|
| 0 | coin | size S | size S m' | size | 0 |
| 1 | linear future, perpetual | size (p - g) | size p m' | size p/S | size |
| 2 | inverse future, perpetual | -size S (1/p + g) | -size S g m' | -size g | size/p |
| 3 | linear option | size V(F) | w size (V(F(1+m), vol') - V(F)) | size V'(F) F/S | size V'(F) |
| 4 | inverse option | size (S/F) V(F) | w size (S/F) (V(F(1+m), vol') - V(F)) | size V'(F) | size V'(F) |

m' is the move held in the standard range, w the weight of an extended scenario. A move is relative and the same for
the index and every forward: the basis p/S stays. Hence an inverse future's own row is flat (`S/p` does not move; its
entry side is a coin quantity), and an inverse option's coin value V(F')/F' times S' is (S/F) V(F').

Delta is the derivative of the USD value by the index at a fixed basis, so `delta S` is the slope of the P&L at m = 0:
dF/dS = F/S turns V'(F) into V'(F) F/S for a linear option, and (S/F) V'(F) (dF/dS) = V'(F) for an inverse one.
Market delta is what the expiry itself carries, for the roll shock.

Before its settlement a price is partly an average that is known: p and F have a fixed part f, and only the rest moves,
p' = f + (p - f)(1 + m). With the share c = (p - f)/p that moves (1 outside the window), deltas and the P&L of futures
take the factor c, a linear future's P&L being size (p - f) m', and what cancels for inverse contracts no longer does:

| code | P&L of a move m | delta, coins |
|---|---|---|
| 2 | -size (S/p) m' (1 - c)/(1 + c m') - size S g m' | -size ((1 - c)/p + g) |
| 4 | w size (S (1+m) V(F', vol')/F' - S V(F)/F) | size (c V'(F) + (1 - c) V(F)/F) |
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Bools, Floats, Ints, kernel
from kernels.scenarios_options import (
    LEVELS,
    NOW,
    SLOPE,
    levels,
    log_moves,
    shocked_vols,
    write_rows,
)
from kernels.scenarios_table import DOWN, SAME, UP, ScenarioTable, scenario_table, shocked_vol
from kernels.scenarios_units import (
    COIN,
    INVERSE,
    INVERSE_OPTION,
    LINEAR,
    LINEAR_OPTION,
    Unit,
    irregular_option,
    is_priced,
    linear_row,
    option_unit,
)

__all__ = [
    "COIN", "DOWN", "INVERSE", "INVERSE_OPTION", "LINEAR", "LINEAR_OPTION", "SAME", "UP", "ScenarioTable", "Unit",
    "risk_array", "scenario_table", "shocked_vol",
]  # fmt: skip


@kernel(
    "i8[::1], b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8,"
    "f8[::1], f8[::1], i8[::1], f8[::1], f8, f8, f8, f8, f8, f8, f8[:, ::1], f8[::1], f8[::1], f8[::1]"
)
def risk_array(
    kind: Ints,
    is_call: Bools,
    size: Floats,
    strike: Floats,
    price_or_forward: Floats,
    fixed: Floats,
    funding: Floats,
    years: Floats,
    vol: Floats,
    index_price: float,
    move: Floats,
    linear_move: Floats,
    vol_direction: Ints,
    weight: Floats,
    vol_up: float,
    vol_down: float,
    min_vol_up: float,
    short_power: float,
    long_power: float,
    dte_floor_days: float,
    out_pnl: Floats,
    out_value: Floats,
    out_delta: Floats,
    out_market_delta: Floats,
) -> None:
    """Write value, deltas and the P&L of every scenario for one contract of n instruments.

    Per row (n): kind, is_call, size (coins, or USD of face for inverse futures), strike, price_or_forward (p of a
    future, F of an option, unread for a coin), fixed (the part of it that moves no more, USD, 0 to all of it), funding
    (g: USD per coin of linear, coins per USD of face of inverse perpetuals, 0 for all others), years, vol (options
    only). Per scenario (S): move, linear_move, vol_direction, weight. Outputs: out_pnl float64[n, S] and out_value in
    USD, out_delta and out_market_delta in coins. Formulas: module docstring and `shocked_vol`. A negative time counts
    as 0: an expired option is intrinsic.
    A row is NaN throughout when its price, index, size, strike, time, volatility, fixed part or funding is NaN or
    infinite, its price or the index is not positive, its fixed part is not within its price, its volatility is
    negative, or its kind is unknown. Raises ValueError on other shapes.
    """
    n = kind.shape[0]
    scenarios = move.shape[0]
    if not (is_call.shape[0] == size.shape[0] == strike.shape[0] == price_or_forward.shape[0] == n):
        raise ValueError("arrays of one risk_array call must have one length")
    if not (fixed.shape[0] == funding.shape[0] == years.shape[0] == vol.shape[0] == n):
        raise ValueError("arrays of one risk_array call must have one length")
    if not (out_value.shape[0] == out_delta.shape[0] == out_market_delta.shape[0] == n):
        raise ValueError("outputs of risk_array do not fit rows and scenarios")
    if not (out_pnl.shape[0] == n and out_pnl.shape[1] == scenarios):
        raise ValueError("outputs of risk_array do not fit rows and scenarios")
    if not (linear_move.shape[0] == vol_direction.shape[0] == weight.shape[0] == scenarios):
        raise ValueError("scenario columns must have one length")
    up, down = np.empty(n), np.empty(n)
    shocked_vols(years, vol, vol_up, vol_down, min_vol_up, short_power, long_power, dte_floor_days, up, down)
    level, unit, log_move = np.empty((LEVELS, n)), np.empty(n), np.empty(scenarios)
    regular, in_coins = np.empty(n, dtype=np.bool_), kind == INVERSE_OPTION
    levels(is_call, price_or_forward, strike, years, vol, up, down, level, regular)
    usable = log_moves(move, log_move)
    rows, count = np.empty(n, dtype=np.int64), 0
    for i in range(n):
        code, q, p, f, g = kind[i], size[i], price_or_forward[i], fixed[i], funding[i]
        one = Unit(math.nan, math.nan, math.nan, math.nan)
        if not is_priced(code, q, p, f, g, index_price):
            out_pnl[i, :] = math.nan
        elif code == LINEAR_OPTION or in_coins[i]:
            unit[i] = q * index_price / p if in_coins[i] else q
            if regular[i] and usable:
                one = option_unit(in_coins[i], q, unit[i], p, f, level[NOW, i], level[SLOPE, i], index_price)
                rows[count] = i
                count += 1
            else:
                t = max(years[i], 0.0) if math.isfinite(years[i]) else math.nan
                one = irregular_option(
                    is_call[i], in_coins[i], q, unit[i], p, f, strike[i], t, vol[i], up[i], down[i], index_price,
                    move, vol_direction, weight, out_pnl[i],
                )  # fmt: skip
        else:
            one = linear_row(code, q, p, f, g, index_price, linear_move, out_pnl[i])
        out_value[i], out_delta[i], out_market_delta[i] = one.value, one.delta, one.market_delta
    write_rows(
        rows[:count], is_call, in_coins, price_or_forward, fixed, strike, unit, level,
        move, log_move, vol_direction, weight, out_pnl,
    )  # fmt: skip
