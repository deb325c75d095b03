"""Rows of a risk array one by one, by the formulas of `kernels.scenarios`: no options, and options without scale."""

from __future__ import annotations

import math
from typing import NamedTuple

from kernels import black76
from kernels._jit import Floats, Ints, kernel

COIN, LINEAR, INVERSE, LINEAR_OPTION, INVERSE_OPTION = KINDS = range(5)


class Unit(NamedTuple):
    """One contract: value in USD, delta and market delta in coins, USD P&L of a move of 1 where it is linear."""

    value: float
    delta: float
    market_delta: float
    pnl_per_move: float


@kernel("i8, f8, f8, f8, f8, f8")
def is_priced(code: int, size: float, price: float, fixed: float, funding: float, index_price: float) -> bool:
    """Tell whether a row has every number that its kind needs, options' own columns apart."""
    if not (math.isfinite(size) and math.isfinite(index_price) and index_price > 0.0):
        return False
    if code == COIN:
        return True
    return math.isfinite(price) and price > 0.0 and 0.0 <= fixed <= price and math.isfinite(funding)


@kernel("i8, f8, f8, f8, f8, f8")
def linear_unit(code: int, size: float, price: float, fixed: float, funding: float, index_price: float) -> Unit:
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
def add_fixed_inverse(size: float, price: float, fixed: float, index_price: float, move: Floats, pnl: Floats) -> None:
    """Add what an inverse future inside its window gains: -size (S/p) m (1 - c)/(1 + c m), c the share that moves."""
    if fixed == 0.0:
        return
    share = (price - fixed) / price
    for s in range(pnl.shape[0]):
        pnl[s] -= size * index_price / price * (move[s] * (fixed / price) / (1.0 + share * move[s]))


@kernel("b1, f8, f8, f8, f8, f8, f8, f8")
def option_unit(
    in_coins: bool, size: float, unit: float, forward: float, fixed: float, price: float, slope: float, index: float
) -> Unit:
    """Return the unit of an option from its price and slope; unit is size, times S/F in coins."""
    value = unit * price
    moving = forward - fixed
    delta = unit * slope * (moving / index)
    if in_coins and fixed > 0.0:
        delta += value / index * (fixed / forward)
    return Unit(value, delta, size * slope * (moving / forward), math.nan)


@kernel("b1, b1, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8[::1], i8[::1], f8[::1], f8[::1]")
def irregular_option(
    is_call: bool, in_coins: bool, size: float, unit: float, forward: float, fixed: float, strike: float, years: float,
    vol: float, up: float, down: float, index: float, move: Floats, direction: Ints, weight: Floats, pnl: Floats,
) -> Unit:  # fmt: skip
    """Return the unit and write the P&L of an option that is expired, without volatility or beyond all scales."""
    root = math.sqrt(years)
    now = black76.price(is_call, forward, strike, vol * root, 1.0)
    for s in range(pnl.shape[0]):
        shocked = up if direction[s] > 0 else (down if direction[s] < 0 else vol)
        shifted = forward * (1.0 + move[s]) if fixed == 0.0 else forward + (forward - fixed) * move[s]
        moved = black76.price(is_call, shifted, strike, shocked * root, 1.0)
        if in_coins and fixed > 0.0:
            moved *= (1.0 + move[s]) * forward / shifted
        pnl[s] = weight[s] * unit * (moved - now)
    slope = black76.delta(is_call, forward, strike, vol * root, 1.0)
    return option_unit(in_coins, size, unit, forward, fixed, now, slope, index)


@kernel("i8, f8, f8, f8, f8, f8, f8[::1], f8[::1]")
def linear_row(
    code: int, size: float, price: float, fixed: float, funding: float, index_price: float, move: Floats, pnl: Floats
) -> Unit:
    """Return the unit and write the P&L of a coin or future; NaN for any other kind."""
    unit = linear_unit(code, size, price, fixed, funding, index_price)
    for s in range(pnl.shape[0]):
        pnl[s] = unit.pnl_per_move * move[s]
    if code == INVERSE:
        add_fixed_inverse(size, price, fixed, index_price, move, pnl)
    return unit
