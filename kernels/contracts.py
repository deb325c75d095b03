"""Contract conventions around Black-76: futures P&L, spot Greeks, coin-settled options, settlement averages.

An inverse option is quoted and settled in coins: its price is c = V/F coins per coin of underlying, with V the USD
price on the forward F. A holder's premium is itself coins, so the exposure that a perpetual must hedge is the
premium-adjusted delta V'(F) - V/F (Deribit: net transaction delta; OKX: price-adjusted delta).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from kernels._jit import kernel


class SpotGreeks(NamedTuple):
    """Greeks by the spot price at a fixed carry; theta per year with the carry of the forward, rho with dF/dr = T F."""

    delta: float
    gamma: float
    vanna: float
    theta: float
    rho: float


class InverseGreeks(NamedTuple):
    """One inverse option in coins: price c, F dc/dF, F^2 d2c/dF2, vega per 1.00 of volatility, theta per year."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float


class SettlementForward(NamedTuple):
    """A forward inside its settlement window: the part already fixed and the part that still moves, USD."""

    fixed: float
    variable: float


@kernel("f8, f8, f8, f8")
def linear_pnl_usd(quantity: float, size_coins: float, entry_price: float, exit_price: float) -> float:
    """Return the P&L in USD of a linear future: quantity size (exit - entry)."""
    return quantity * size_coins * (exit_price - entry_price)


@kernel("f8, f8, f8, f8")
def inverse_pnl_coins(quantity: float, face_usd: float, entry_price: float, exit_price: float) -> float:
    """Return the P&L in coins of an inverse future: quantity face (1/entry - 1/exit); NaN without two prices > 0."""
    if not (entry_price > 0.0 and exit_price > 0.0):
        return math.nan
    return quantity * face_usd * ((exit_price - entry_price) / (entry_price * exit_price))


@kernel("f8, f8, f8, f8, f8, f8, f8, f8, f8, f8")
def spot_greeks(
    price: float,
    delta: float,
    gamma: float,
    vanna: float,
    theta: float,
    forward: float,
    spot: float,
    years: float,
    rate: float,
    dividend: float,
) -> SpotGreeks:
    """Turn Greeks on the forward F = S exp((r-q) T) into Greeks on the spot.

    delta F/S, gamma (F/S)^2, vanna F/S, theta - delta (r-q) F, rho = T (delta F - V). A spot that is not positive
    gives NaN. Source: the chain rule on F.
    """
    if not spot > 0.0:
        return SpotGreeks(math.nan, math.nan, math.nan, math.nan, math.nan)
    ratio = forward / spot
    return SpotGreeks(
        delta * ratio,
        gamma * ratio * ratio,
        vanna * ratio,
        theta - delta * (rate - dividend) * forward,
        years * (delta * forward - price),
    )


@kernel("f8, f8, f8, f8, f8, f8")
def inverse_greeks(
    price: float, delta: float, gamma: float, vega: float, theta: float, forward: float
) -> InverseGreeks:
    """Turn undiscounted Greeks in USD into those of a coin-settled option.

    With c = V/F: delta F dc/dF = V' - c and gamma F^2 d2c/dF2 = F V'' - 2 (V' - c), which may be negative for a call;
    vega and theta are divided by F. A forward that is not positive gives NaN. Source: the quotient rule on c, which
    is what OKX publishes as price-adjusted Greeks.
    """
    if not forward > 0.0:
        return InverseGreeks(math.nan, math.nan, math.nan, math.nan, math.nan)
    coins = price / forward
    adjusted = delta - coins
    return InverseGreeks(coins, adjusted, forward * gamma - 2.0 * adjusted, vega / forward, theta / forward)


@kernel("f8, f8, f8, f8")
def settlement_forward(forward: float, average: float, seconds_left: float, window_seconds: float) -> SettlementForward:
    """Split a forward whose settlement price is the average over the last `window_seconds` before expiry.

    With t seconds left of W: fixed = average (W - t)/W and variable = forward t/W; before the window all of it moves
    and `average` is unread; after expiry all of it is fixed. A shock applies to the variable part only.
    """
    if not (window_seconds >= 0.0 and not math.isnan(seconds_left)):
        return SettlementForward(math.nan, math.nan)
    if seconds_left >= window_seconds and seconds_left > 0.0:
        return SettlementForward(0.0, forward)
    if seconds_left <= 0.0:
        return SettlementForward(average if window_seconds > 0.0 else forward, 0.0)
    left = seconds_left / window_seconds
    return SettlementForward(average * (1.0 - left), forward * left)
