"""Black-76: price and Greeks of a European option on a forward.

With s = sigma sqrt(T) and D = exp(-rT): d1 = ln(F/K)/s + s/2, d2 = d1 - s, call = D (F N(d1) - K N(d2)) and
put = D (K N(-d2) - F N(-d1)) (F. Black, 1976).

The side that is out of the money is always computed directly and the other one as intrinsic plus that, so no price
is the difference of two large ones and parity holds to the last rounding.

Decided once, for every function of this module:

| input | result |
|---|---|
| NaN or infinity anywhere, s < 0, vol < 0, years < 0, discount < 0 | NaN |
| s = 0 | D intrinsic; delta +-D in, 0 out, +-D/2 at the money; gamma, vega, vanna, volga, speed 0 |
| s >= 24 | call D F, put D K; delta D and 0; gamma, vega, vanna, volga, speed 0 |
| K <= 0 < F | call D F, put 0; delta D and 0 |
| F <= 0 | call 0, put D max(K, 0); delta 0, and -D for a put with K > 0 |
| a Greek beyond the largest float (gamma of a forward of 1e-300) | the largest float, with its sign |
"""

from __future__ import annotations

import math
from typing import NamedTuple

from kernels._jit import Bools, Floats, kernel

# Rows of `greeks_array`'s output.
PRICE, DELTA, GAMMA, VEGA, THETA, VANNA, VOLGA, RHO, SPEED = range(9)
GREEKS = 9

MIN_TOTAL_STDEV = 1e-18  # keeps d1 finite: ln(F/K)/s of two different floats is then far in a tail already
MAX_TOTAL_STDEV = 24.0  # N(-12) is 2e-33: beyond it a call is worth its forward in float64 at any strike in use
INV_SQRT_2 = 0.7071067811865476
INV_SQRT_2PI = 0.3989422804014327
LARGEST = 1.7976931348623157e308
SMALLEST = 5e-324


class Greeks(NamedTuple):
    """Sensitivities of one option, all on the forward; vega and volga per 1.00 of volatility, theta per year."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    vanna: float
    volga: float
    rho: float
    speed: float


@kernel("f8")
def normal_cdf(x: float) -> float:
    """Return N(x); the left tail keeps its relative accuracy."""
    return 0.5 * math.erfc(-x * INV_SQRT_2)


@kernel("f8, f8")
def log_ratio(numerator: float, denominator: float) -> float:
    """Return ln(numerator/denominator) of two positive numbers, without cancellation where they are close."""
    ratio = numerator / denominator
    if 0.5 < ratio < 2.0:
        return math.log1p((numerator - denominator) / denominator)
    if 0.0 < ratio < math.inf:
        return math.log(ratio)
    return math.log(numerator) - math.log(denominator)


@kernel("f8, f8, f8")
def _out_of_the_money(forward: float, strike: float, total_stdev: float) -> float:
    """Return the undiscounted price of whichever side is out of the money (0 < s < 24, F > 0, K > 0)."""
    low = min(forward, strike)
    high = max(forward, strike)
    half = 0.5 * total_stdev
    h = log_ratio(low, high) / max(total_stdev, MIN_TOTAL_STDEV)
    return max(0.0, low * normal_cdf(h + half) - high * normal_cdf(h - half))


@kernel("b1, f8, f8, f8, f8")
def price(is_call: bool, forward: float, strike: float, total_stdev: float, discount: float) -> float:
    """Return the price of one option in the unit of its forward.

    total_stdev is sigma sqrt(T), discount exp(-rT). Formula and every degenerate input: module docstring.
    """
    if not (math.isfinite(forward) and math.isfinite(strike) and math.isfinite(total_stdev)):
        return math.nan
    if not (math.isfinite(discount) and total_stdev >= 0.0 and discount >= 0.0):
        return math.nan
    if forward <= 0.0:
        return 0.0 if is_call else discount * max(strike, 0.0)
    if strike <= 0.0:
        return discount * forward if is_call else 0.0
    if total_stdev >= MAX_TOTAL_STDEV:
        return discount * forward if is_call else discount * strike
    time_value = _out_of_the_money(forward, strike, total_stdev) if total_stdev > 0.0 else 0.0
    if is_call:
        return discount * min(forward, max(forward - strike, 0.0) + time_value)
    return discount * min(strike, max(strike - forward, 0.0) + time_value)


@kernel("b1, f8, f8, f8, f8")
def delta(is_call: bool, forward: float, strike: float, total_stdev: float, discount: float) -> float:
    """Return the derivative of `price` by the forward: D N(d1) for a call, -D N(-d1) for a put."""
    if not (math.isfinite(forward) and math.isfinite(strike) and math.isfinite(total_stdev)):
        return math.nan
    if not (math.isfinite(discount) and total_stdev >= 0.0 and discount >= 0.0):
        return math.nan
    sign = 1.0 if is_call else -1.0
    if forward <= 0.0:
        return -discount if not is_call and strike > 0.0 else 0.0
    if strike <= 0.0 or total_stdev >= MAX_TOTAL_STDEV:
        return discount if is_call else 0.0
    if total_stdev == 0.0:
        if forward == strike:
            return sign * 0.5 * discount
        return sign * discount if (forward > strike) == is_call else 0.0
    d1 = log_ratio(forward, strike) / max(total_stdev, MIN_TOTAL_STDEV) + 0.5 * total_stdev
    return sign * discount * normal_cdf(sign * d1)


@kernel("f8")
def _held(x: float) -> float:
    """Return x within the finite floats."""
    return min(max(x, -LARGEST), LARGEST)


@kernel("b1, f8, f8, f8, f8, f8")
def greeks(is_call: bool, forward: float, strike: float, vol: float, years: float, rate: float) -> Greeks:
    """Return price and Greeks of one option on the forward.

    vol is annualised, years the time to expiry, rate the continuous discount rate. Theta holds F and r fixed and is
    per year; rho holds F fixed. Formulas: the module docstring differentiated; degenerate inputs as there.
    """
    nan = math.nan
    if not (math.isfinite(vol) and math.isfinite(years) and math.isfinite(rate) and vol >= 0.0 and years >= 0.0):
        return Greeks(nan, nan, nan, nan, nan, nan, nan, nan, nan)
    root = math.sqrt(years)
    s = _held(vol * root)
    discount = math.exp(-rate * years)
    value = price(is_call, forward, strike, s, discount)
    slope = delta(is_call, forward, strike, s, discount)
    if math.isnan(value):
        return Greeks(nan, nan, nan, nan, nan, nan, nan, nan, nan)
    carry = _held(rate * value)
    rho = _held(-years * value)
    if forward <= 0.0 or strike <= 0.0 or s == 0.0 or s >= MAX_TOTAL_STDEV:
        return Greeks(value, slope, 0.0, 0.0, carry, 0.0, 0.0, rho, 0.0)
    floored = max(s, MIN_TOTAL_STDEV)
    h = log_ratio(forward, strike) / floored
    d1 = h + 0.5 * s
    d2 = h - 0.5 * s
    density = discount * INV_SQRT_2PI * math.exp(-0.5 * d1 * d1)
    gamma = _held(density / max(forward * floored, SMALLEST))  # a product of two positive numbers may be zero
    vega = _held(density * forward * root)
    theta = _held(carry - 0.5 * density * forward * vol / root)
    vanna = _held(-density * d2 / vol)
    volga = _held(vega * d1 * d2 / vol)
    speed = _held(_held(-gamma / forward) * (1.0 + d1 / floored))
    return Greeks(value, slope, gamma, vega, theta, vanna, volga, rho, speed)


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def price_array(
    is_call: Bools, forward: Floats, strike: Floats, total_stdev: Floats, discount: Floats, out: Floats
) -> None:
    """Write `price` of n options into out; all arrays have n elements (ValueError otherwise)."""
    n = out.shape[0]
    if not (is_call.shape[0] == forward.shape[0] == strike.shape[0] == total_stdev.shape[0] == discount.shape[0] == n):
        raise ValueError("arrays of one price call must have one length")
    for i in range(n):
        out[i] = price(is_call[i], forward[i], strike[i], total_stdev[i], discount[i])


@kernel("b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1]")
def greeks_array(
    is_call: Bools, forward: Floats, strike: Floats, vol: Floats, years: Floats, rate: Floats, out: Floats
) -> None:
    """Write `greeks` of n options into out: float64[9, n], one row per Greek (`PRICE` .. `SPEED`)."""
    n = out.shape[1]
    if out.shape[0] != GREEKS:
        raise ValueError("the output of greeks_array has nine rows")
    if not (is_call.shape[0] == forward.shape[0] == strike.shape[0] == vol.shape[0] == years.shape[0] == n):
        raise ValueError("arrays of one greeks call must have one length")
    if rate.shape[0] != n:
        raise ValueError("arrays of one greeks call must have one length")
    for i in range(n):
        g = greeks(is_call[i], forward[i], strike[i], vol[i], years[i], rate[i])
        out[PRICE, i] = g.price
        out[DELTA, i] = g.delta
        out[GAMMA, i] = g.gamma
        out[VEGA, i] = g.vega
        out[THETA, i] = g.theta
        out[VANNA, i] = g.vanna
        out[VOLGA, i] = g.volga
        out[RHO, i] = g.rho
        out[SPEED, i] = g.speed
