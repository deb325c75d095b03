"""Model C's risk array: P&L of one long contract, marked to market now, in sixteen scenarios.

With S the index, p the price of a future, F the forward of an option, V the undiscounted Black-76 price, m the move of
a scenario as a fraction, f the part of p or F that is fixed already (settlement averages), p' = f + (p - f)(1 + m) and
c = (p - f)/p, w the weight of the scenario, l the look-ahead:

| code | kind | value, USD | P&L, USD | delta, coins |
|---|---|---|---|---|
| 0 | coin | size S | w size S m | size |
| 1 | linear future, perpetual | 0 | w size (p' - p) | c size |
| 2 | inverse future, perpetual | 0 | w size (S/p) (1 + m) c m/(1 + c m) | c size/p |
| 3 | linear option | size V(F, vol, T) | w size (V(F', vol', T - l) - V(F, vol, T)) | size c mean V'(F', vol, T - l) |
| 4 | inverse option | size (S/F) V(F, vol, T) | w size (S(1 + m) V(F', ..)/F' - S V(F, ..)/F) | as 3 |

A marked future is worth nothing: its gain is settled or unsettled cash. An inverse one gains size (1/p - 1/p') coins,
here at the shocked price of a coin, so that no P&L is infinite where the price is zero. The mean over the seven moves
0, +-1/3, +-2/3, +-1 is the composite delta, on the expiry's own forward. Moves end at -1: a price cannot lose more
than itself. A volatility scan is added to the volatility or is a share of it, and no volatility is negative.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels import black76
from kernels._jit import Bools, Floats, Ints, kernel
from kernels.scenarios_units import COIN, INVERSE, INVERSE_OPTION, LINEAR, LINEAR_OPTION, is_priced
from kernels.span.scenarios import POINTS, SpanScenarios

_POINTS = np.array(POINTS)


@kernel("f8, f8, f8")
def shocked(price: float, fixed: float, move: float) -> float:
    """Return fixed + (price - fixed)(1 + move), exact where nothing is fixed or nothing moves."""
    return fixed + (price - fixed) * (1.0 + move)


@kernel("f8, i8, f8, b1")
def scanned_vol(vol: float, direction: int, vol_scan: float, is_relative: bool) -> float:
    """Return the volatility of a scenario, at least 0: vol + direction scan, the scan a share of vol or points."""
    step = vol * vol_scan if is_relative else vol_scan
    return max(0.0, vol + direction * step)


@kernel("i8, f8, f8, f8, f8, f8")
def _future_pnl(code: int, size: float, price: float, fixed: float, index_price: float, move: float) -> float:
    if code == COIN:
        return size * index_price * move
    share = (price - fixed) / price
    if code == LINEAR:
        return size * (price - fixed) * move
    if share == 1.0:
        return size * (index_price / price) * move
    return size * (index_price / price) * ((1.0 + move) * (share * move) / (1.0 + share * move))


@kernel("b1, b1, f8, f8, f8, f8, f8, f8, f8, f8")
def _option_value(
    is_call: bool, in_coins: bool, size: float, forward: float, fixed: float, strike: float, stdev: float,
    index_price: float, move: float, forward_now: float,
) -> float:  # fmt: skip
    """Return the USD value of one option on a forward that has moved; a coin moves as the part that is not fixed."""
    value = size * black76.price(is_call, forward, strike, stdev, 1.0)
    if not in_coins:
        return value
    if fixed == 0.0:
        return index_price / forward_now * value
    return index_price * (1.0 + move) * value / forward


@kernel("b1, f8, f8, f8, f8, f8, f8[::1], f8[::1]")
def composite_delta(
    is_call: bool, forward: float, fixed: float, strike: float, stdev: float, price_range: float, point: Floats,
    point_weight: Floats,
) -> float:  # fmt: skip
    """Return the weighted mean of an option's delta to its forward over the moves `point`, in scan ranges.

    The weights count by their share in their sum; of a forward that is partly fixed, the share that moves.
    """
    total, weights = 0.0, 0.0
    for k in range(point.shape[0]):
        there = shocked(forward, fixed, max(-1.0, point[k] * price_range))
        total += point_weight[k] * black76.delta(is_call, there, strike, stdev, 1.0)
        weights += point_weight[k]
    return (forward - fixed) / forward * (total / weights)


@kernel(
    "i8[::1], b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8, f8, f8, b1, f8,"
    "f8[::1], i8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1]"
)
def _write(
    kind: Ints, is_call: Bools, size: Floats, strike: Floats, price_or_forward: Floats, fixed: Floats, years: Floats,
    vol: Floats, index_price: float, price_range: float, vol_scan: float, is_relative: bool, look_ahead_years: float,
    move: Floats, vol_direction: Ints, weight: Floats, point: Floats, point_weight: Floats,
    out_pnl: Floats, out_value: Floats, out_delta: Floats,
) -> None:  # fmt: skip
    known = price_range > 0.0 and vol_scan >= 0.0
    for i in range(kind.shape[0]):
        code, q, p, f, k = kind[i], size[i], price_or_forward[i], fixed[i], strike[i]
        is_option = code in (LINEAR_OPTION, INVERSE_OPTION)
        usable = known and is_priced(code, q, p, f, 0.0, index_price) and COIN <= code <= INVERSE_OPTION
        if is_option:
            usable = usable and math.isfinite(k) and math.isfinite(years[i]) and 0.0 <= vol[i] < math.inf
        if not usable:
            out_pnl[i, :], out_value[i], out_delta[i] = math.nan, math.nan, math.nan
            continue
        if is_option:
            in_coins = code == INVERSE_OPTION
            now, later = max(0.0, years[i]), math.sqrt(max(0.0, years[i] - look_ahead_years))
            value = _option_value(
                is_call[i], in_coins, q, p, f, k, vol[i] * math.sqrt(now), index_price, 0.0, p
            )  # fmt: skip
            out_value[i] = value
            out_delta[i] = q * composite_delta(is_call[i], p, f, k, vol[i] * later, price_range, point, point_weight)
            for s in range(move.shape[0]):
                m = max(-1.0, move[s] * price_range)
                stdev = scanned_vol(vol[i], vol_direction[s], vol_scan, is_relative) * later
                then = _option_value(is_call[i], in_coins, q, shocked(p, f, m), f, k, stdev, index_price, m, p)
                out_pnl[i, s] = weight[s] * (then - value)
        else:
            out_value[i] = q * index_price if code == COIN else 0.0
            share = 1.0 if code == COIN else (p - f) / p
            out_delta[i] = share * (q / p if code == INVERSE else q)
            for s in range(move.shape[0]):
                m = max(-1.0, move[s] * price_range)
                out_pnl[i, s] = weight[s] * _future_pnl(code, q, p, f, index_price, m)


class SpanArrays(NamedTuple):
    """One long contract of n instruments: pnl_usd float64[n, 16], value_usd and delta_coins float64[n]."""

    pnl_usd: Floats
    value_usd: Floats
    delta_coins: Floats


def risk_arrays(
    kind: Ints, is_call: Bools, size: Floats, strike: Floats, price_or_forward: Floats, fixed: Floats, years: Floats,
    vol: Floats, index_price: float, price_range: float, vol_scan: float, is_relative: bool, look_ahead_years: float,
    scenarios: SpanScenarios, point_weight: Floats,
) -> SpanArrays:  # fmt: skip
    """Return the risk arrays of n instruments of one commodity.

    Per row (n): kind (codes of `kernels.scenarios`), is_call, size (coins, or USD of face for inverse futures), strike,
    price_or_forward (p of a future, F of an option, unread for a coin), fixed (the part of it that moves no more, USD),
    years and vol (options only). price_range: fraction of the price; vol_scan: points of volatility, or a share of it
    if is_relative; point_weight: float64[7], by `kernels.span.scenarios.POINTS`. Formulas: module docstring.
    A row with a number that is missing or out of its domain is NaN throughout, and so is every row where a range is
    NaN. Raises ValueError on shapes, a negative look-ahead and weights without a sum.
    """
    n = kind.shape[0]
    if not (is_call.shape == size.shape == strike.shape == price_or_forward.shape == kind.shape):
        raise ValueError("columns of a risk array must have one length")
    if not (fixed.shape == years.shape == vol.shape == kind.shape):
        raise ValueError("columns of a risk array must have one length")
    if not 0.0 <= look_ahead_years < math.inf:
        raise ValueError("a look-ahead is not negative")
    if (
        point_weight.shape != _POINTS.shape
        or not (point_weight >= 0.0).all()
        or not 0.0 < point_weight.sum() < math.inf
    ):
        raise ValueError("a composite delta needs seven weights, none negative, not all zero")
    out = SpanArrays(np.empty((n, scenarios.move.shape[0])), np.empty(n), np.empty(n))
    _write(
        kind, is_call, size, strike, price_or_forward, fixed, years, vol, index_price, price_range, vol_scan,
        is_relative, look_ahead_years, *scenarios, _POINTS, point_weight, *out,
    )  # fmt: skip
    return out
