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
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels import black76
from kernels._jit import Bools, Floats, Ints, kernel

COIN, LINEAR, INVERSE, LINEAR_OPTION, INVERSE_OPTION = range(5)
UP, SAME, DOWN = 1, 0, -1  # direction of a volatility shock

DAYS_PER_YEAR = 365.0
TENOR_DAYS = 30.0  # the tenor at which a volatility shock has its nominal size


class ScenarioTable(NamedTuple):
    """Scenarios as columns: float64[S] move, linear_move and weight, int64[S] vol_direction."""

    move: Floats
    linear_move: Floats
    vol_direction: Ints
    weight: Floats


class Unit(NamedTuple):
    """One contract: value in USD, delta and market delta in coins, USD P&L of a move of 1 where it is linear."""

    value: float
    delta: float
    market_delta: float
    pnl_per_move: float


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
    days = years * DAYS_PER_YEAR
    power = short_power if days <= TENOR_DAYS else long_power
    scale = math.pow(TENOR_DAYS / max(days, dte_floor_days), power)
    if direction > 0:
        return max(vol * (1.0 + vol_up * scale), min_vol_up)
    return vol * max(1.0 - vol_down * scale, 0.0)


@kernel("i8, f8, f8, f8, f8, f8")
def _priced(code: int, size: float, price: float, fixed: float, funding: float, index_price: float) -> bool:
    if not (math.isfinite(size) and math.isfinite(index_price) and index_price > 0.0):
        return False
    if code == COIN:
        return True
    return math.isfinite(price) and price > 0.0 and 0.0 <= fixed <= price and math.isfinite(funding)


@kernel("i8, f8, f8, f8, f8, f8")
def _linear_unit(code: int, size: float, price: float, fixed: float, funding: float, index_price: float) -> Unit:
    """Return the unit of a coin or future; NaN for any other kind. Of an inverse one, P&L and delta are of funding."""
    if code == COIN:
        return Unit(size * index_price, size, 0.0, size * index_price)
    moving = price - fixed
    if code == LINEAR:
        return Unit(size * (price - funding), size * moving / index_price, size * (moving / price), size * moving)
    if code == INVERSE:
        value = -size * index_price / price - size * index_price * funding
        delta = 0.0 - size * (fixed / price / price + funding)
        return Unit(value, delta, size / price * (moving / price), 0.0 - size * index_price * funding)
    return Unit(math.nan, math.nan, math.nan, math.nan)


@kernel("f8, f8, f8, f8, f8[::1], f8[::1]")
def _add_fixed_inverse(size: float, price: float, fixed: float, index_price: float, move: Floats, pnl: Floats) -> None:
    """Add what an inverse future inside its window gains: -size (S/p) m (1 - c)/(1 + c m), c the share that moves."""
    if fixed == 0.0:
        return
    share = (price - fixed) / price
    for s in range(pnl.shape[0]):
        pnl[s] -= size * index_price / price * (move[s] * (fixed / price) / (1.0 + share * move[s]))


@kernel("b1, b1, f8, f8, f8, f8, f8, f8, f8")
def _option_unit(
    is_call: bool,
    in_coins: bool,
    size: float,
    scale: float,
    forward: float,
    fixed: float,
    strike: float,
    stdev: float,
    index_price: float,
) -> Unit:
    """Return the unit of an option; scale is size, times S/F if it is inverse."""
    slope = black76.delta(is_call, forward, strike, stdev, 1.0)
    value = scale * black76.price(is_call, forward, strike, stdev, 1.0)
    moving = forward - fixed
    delta = scale * slope * (moving / index_price)
    if in_coins and fixed > 0.0:
        delta += value / index_price * (fixed / forward)
    return Unit(value, delta, size * slope * (moving / forward), math.nan)


@kernel("b1, b1, f8, f8, f8, f8, f8, f8, f8, f8, f8[::1], i8[::1], f8[::1], f8[::1]")
def _option_row(
    is_call: bool,
    in_coins: bool,
    unit: float,
    forward: float,
    fixed: float,
    strike: float,
    root: float,
    vol: float,
    up: float,
    down: float,
    move: Floats,
    vol_direction: Ints,
    weight: Floats,
    pnl: Floats,
) -> None:
    """Write w unit (V(F', vol') - V(F)) of every scenario; root is sqrt(T).

    In coins and with a fixed part, V(F') takes the factor (1 + m) F/F', by which its price in USD moves besides.
    """
    now = black76.price(is_call, forward, strike, vol * root, 1.0)
    moving = forward - fixed
    for s in range(pnl.shape[0]):
        direction = vol_direction[s]
        shocked = up if direction > SAME else (down if direction < SAME else vol)
        shifted = forward * (1.0 + move[s]) if fixed == 0.0 else forward + moving * move[s]
        moved = black76.price(is_call, shifted, strike, shocked * root, 1.0)
        if in_coins and fixed > 0.0:
            moved *= (1.0 + move[s]) * forward / shifted
        pnl[s] = weight[s] * unit * (moved - now)


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
    for i in range(n):
        code, q, p, f, g, sigma = kind[i], size[i], price_or_forward[i], fixed[i], funding[i], vol[i]
        unit = Unit(math.nan, math.nan, math.nan, math.nan)
        if not _priced(code, q, p, f, g, index_price):
            out_pnl[i, :] = math.nan
        elif code == LINEAR_OPTION or code == INVERSE_OPTION:  # noqa: PLR1714, SIM109
            t = max(years[i], 0.0) if math.isfinite(years[i]) else math.nan
            root = math.sqrt(t)
            in_coins = code == INVERSE_OPTION
            scale = q * index_price / p if in_coins else q
            unit = _option_unit(is_call[i], in_coins, q, scale, p, f, strike[i], sigma * root, index_price)
            up = shocked_vol(sigma, UP, t, vol_up, vol_down, min_vol_up, short_power, long_power, dte_floor_days)
            down = shocked_vol(sigma, DOWN, t, vol_up, vol_down, min_vol_up, short_power, long_power, dte_floor_days)
            _option_row(
                is_call[i], in_coins, scale, p, f, strike[i], root, sigma, up, down, move, vol_direction, weight,
                out_pnl[i],
            )  # fmt: skip
        else:
            unit = _linear_unit(code, q, p, f, g, index_price)
            out_pnl[i] = unit.pnl_per_move * linear_move
            if code == INVERSE:
                _add_fixed_inverse(q, p, f, index_price, linear_move, out_pnl[i])
        out_value[i] = unit.value
        out_delta[i] = unit.delta
        out_market_delta[i] = unit.market_delta
