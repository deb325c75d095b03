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

from kernels import black76_formulas as formulas
from kernels import polynomials
from kernels._jit import inlined, kernel
from kernels._operations import horner, muladd
from kernels.polynomials import MILLS_P, MILLS_Q

MIN_TOTAL_STDEV = 1e-18  # keeps d1 finite: ln(F/K)/s of two different floats is then far in a tail already
MAX_TOTAL_STDEV = formulas.MAX_TOTAL_STDEV  # N(-12) is 2e-33: beyond it a call is worth its forward in float64
INV_SQRT_2PI = 0.3989422804014327
LARGEST = 1.7976931348623157e308
SMALLEST = 5e-324
LAST_DEVIATION = 40.0  # N(-40) is zero in float64
FAR_DOWN, FAR_UP, TWO_500 = 1e-150, 1e150, 2.0**500
NEAR_DOWN, NEAR_UP, NEAR_RATIO = 1e-300, 1e300, 1e-290


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
    """Return N(x); the left tail keeps its relative accuracy, 1e-15 down to -37, and is zero from -37.6."""
    far = min(abs(x), LAST_DEVIATION)
    square = far * far
    rest = muladd(far, far, -square)  # what the square lost: 37^2 in one rounding would cost 1e-13
    power = polynomials.exp_or_zero(-0.5 * square)
    tail = INV_SQRT_2PI * muladd(power, -0.5 * rest, power) * (horner(far, MILLS_P) / horner(far, MILLS_Q))
    if math.isnan(x):
        return x
    return 1.0 - tail if x > 0.0 else tail


@kernel("f8, f8")
def log_ratio(numerator: float, denominator: float) -> float:
    """Return ln(numerator/denominator) of two positive numbers, without cancellation where they are close."""
    a, b = numerator, denominator
    if max(a, b) < FAR_DOWN:
        a, b = a * TWO_500, b * TWO_500
    elif min(a, b) > FAR_UP:
        a, b = a / TWO_500, b / TWO_500
    if min(a, b) >= NEAR_DOWN and max(a, b) <= NEAR_UP and max(a, b) * NEAR_RATIO <= min(a, b):
        return polynomials.log_ratio(a, b)
    return math.log(a) - math.log(b)  # far apart, or no positive numbers


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
    if total_stdev == 0.0:
        return discount * max(forward - strike if is_call else strike - forward, 0.0)
    low, high = formulas.ordered(forward, strike)
    log_low_high = log_ratio(low, high)
    s = max(total_stdev, MIN_TOTAL_STDEV)
    a, b = formulas.distances(log_low_high, s, 1.0 / s)
    return discount * formulas.price_and_slope(is_call, forward, strike, low, a, b)[0]


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


@inlined()
def regular_greeks(is_call: bool, forward: float, strike: float, vol: float, years: float, rate: float) -> Greeks:
    """Return price and Greeks where `formulas.is_regular` holds."""
    root = math.sqrt(years)
    s = vol * root
    low, high = formulas.ordered(forward, strike)
    inverse_stdev = 1.0 / s
    a, b = formulas.distances(polynomials.log_ratio(low, high), s, inverse_stdev)
    e = formulas.weighted_density(low, a)
    discount = polynomials.exp(-rate * years)
    value, slope, gamma, vega, theta = formulas.first_order(
        is_call, forward, strike, vol, rate, root, inverse_stdev, discount, a, b, e,
        formulas.mills_parts(a), formulas.mills_parts(b),
    )  # fmt: skip
    vanna, volga, speed = formulas.second_order(forward, strike, root, inverse_stdev, discount, a, b, e)
    return Greeks(value, slope, gamma, vega, theta, vanna, volga, -years * value, speed)


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
    low, high = formulas.ordered(forward, strike)
    s = vol * root
    if formulas.is_regular(low, high, vol, years, s, 1.0 / s, rate * years):
        return regular_greeks(is_call, forward, strike, vol, years, rate)
    s = _held(s)
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
