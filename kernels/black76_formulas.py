"""Black-76 without branches, for regular inputs: what the scalar and the vector forms share.

Everything is written in the lower and the higher of forward and strike, so that a put is a call with both exchanged.
With l = ln(low/high) <= 0, a = l/s + s/2 and b = s - a (they are +-d1 and +-d2), low n(a) = high n(b) =: e, and the
side that is out of the money is worth

    low N(a) - high N(-b) = e (M(-a) - M(b)) for a <= 0, low - e (M(a) + M(b)) for a > 0,    M(x) = N(-x)/n(x).

One exponential e therefore serves both distribution functions and all Greeks, and both Mills ratios share a division.
"""

from __future__ import annotations

from kernels._jit import inlined
from kernels._operations import horner, muladd
from kernels.polynomials import MILLS_P, MILLS_Q, exp_or_zero

LOG_INV_SQRT_2PI = -0.9189385332046727
FAR = -52.0  # l/s further out: a is below -40 at any s < 24, and the price zero

MAX_TOTAL_STDEV = 24.0  # N(-12) is 2e-33: beyond it a call is worth its forward in float64
LEAST = 1e-40  # of prices, volatilities and times; with s < 24 and prices below 24e90 no Greek overflows

LARGEST = 1e90  # of prices

# Each term of `has_regular_levels` reaches 24 at its limit: 1/s at 2e19, |rT| at 200.
OF_INVERSE, OF_LOG_DISCOUNT = 1e-18, 24.0 / 200.0


@inlined()
def ordered(forward: float, strike: float) -> tuple[float, float]:
    """Return the lower and the higher; a NaN among the two is in the result, which the orders here see to."""
    return min(forward, strike), max(strike, forward)


@inlined()
def has_regular_prices(low: float, high: float) -> bool:
    """Tell whether forward and strike are of use for the formulas here, as no NaN or infinity is."""
    return (low >= LEAST) & (high <= LARGEST)


@inlined()
def has_regular_levels(vol: float, years: float, stdev: float, inverse_stdev: float, log_discount: float) -> bool:
    """Tell whether the formulas here hold as they are for the rest; a NaN is in the deviation or the discount.

    One sum of terms that are not negative is compared instead of each: rows near a limit count as irregular too.
    """
    reach = muladd(OF_INVERSE, inverse_stdev, muladd(OF_LOG_DISCOUNT, abs(log_discount), stdev))
    return (reach < MAX_TOTAL_STDEV) & (min(vol, years) >= LEAST)


@inlined()
def is_regular(
    low: float, high: float, vol: float, years: float, stdev: float, inverse_stdev: float, log_discount: float
) -> bool:
    """Tell whether the formulas here hold for all inputs of an option."""
    return has_regular_prices(low, high) & has_regular_levels(vol, years, stdev, inverse_stdev, log_discount)


@inlined()
def distances(log_low_high: float, total_stdev: float, inverse_stdev: float) -> tuple[float, float]:
    """Return a and b of the module docstring; b is not negative."""
    a = muladd(0.5, total_stdev, max(log_low_high * inverse_stdev, FAR))
    return a, total_stdev - a


@inlined()
def log_density(a: float) -> float:
    """Return ln n(a)."""
    return muladd(a, -0.5 * a, LOG_INV_SQRT_2PI)


@inlined()
def weighted_density(low: float, a: float) -> float:
    """Return low n(a); zero beyond 37 deviations."""
    return low * exp_or_zero(log_density(a))


@inlined()
def mills_parts(x: float) -> tuple[float, float]:
    """Return p and q with M(|x|) = p/q."""
    far = abs(x)
    return horner(far, MILLS_P), horner(far, MILLS_Q)


@inlined()
def time_value(low: float, a: float, m: float, n: float, w: float) -> float:
    """Return the undiscounted price of the side that is out of the money, not negative; w is e/q."""
    inside = a > 0.0
    return max(muladd(w, (-m if inside else m) - n, low if inside else 0.0), 0.0)


@inlined()
def with_intrinsic(is_call: bool, forward: float, strike: float, time_value: float) -> float:
    """Return the undiscounted price, which no rounding puts above F (call) or K (put)."""
    intrinsic = forward - strike if is_call else strike - forward
    return min(max(intrinsic, 0.0) + time_value, forward if is_call else strike)


@inlined()
def signed_share(is_call: bool, below: bool, a: float, b: float, tail: float) -> float:
    """Return N(d1) of a call, -N(-d1) of a put, from tail = N(-|d1|); below is F <= K."""
    share = 1.0 - tail if ((a if below else b) > 0.0) == is_call else tail
    return share if is_call else -share


@inlined()
def price_and_slope(
    is_call: bool, forward: float, strike: float, low: float, a: float, b: float
) -> tuple[float, float]:
    """Return price and delta without discount."""
    (above_a, under_a), (above_b, under_b) = mills_parts(a), mills_parts(b)
    m, n = above_a * under_b, above_b * under_a
    w = weighted_density(low, a) / (under_a * under_b)
    below = forward <= strike
    tail = w * (m if below else n) / forward
    price = with_intrinsic(is_call, forward, strike, time_value(low, a, m, n, w))
    return price, signed_share(is_call, below, a, b, tail)


@inlined()
def first_order(
    is_call: bool,
    forward: float,
    strike: float,
    vol: float,
    rate: float,
    root: float,
    inverse_stdev: float,
    discount: float,
    a: float,
    b: float,
    e: float,
    mills_a: tuple[float, float],
    mills_b: tuple[float, float],
) -> tuple[float, float, float, float, float]:
    """Return price, delta, gamma, vega and theta; mills_a and mills_b are of `mills_parts`.

    With e = F n(d1): delta +-D N(+-d1), gamma D e/(F^2 s), vega D e sqrt(T), theta r V - D e vol^2/(2 s).
    """  # fmt: skip
    (above_a, under_a), (above_b, under_b) = mills_a, mills_b
    m, n, q = above_a * under_b, above_b * under_a, under_a * under_b
    w = 1.0 / (q * forward)
    inverse_forward = w * q
    w *= e
    outside = time_value(min(forward, strike), a, m, n, w * forward)
    price = discount * with_intrinsic(is_call, forward, strike, outside)
    below = forward <= strike
    slope = signed_share(is_call, below, a, b, w * (m if below else n))
    weighted = discount * e
    curvature = weighted * inverse_stdev
    return (
        price,
        discount * slope,
        curvature * (inverse_forward * inverse_forward),
        weighted * root,
        muladd(rate, price, curvature * (-0.5 * vol * vol)),
    )


@inlined()
def second_order(
    forward: float, strike: float, root: float, inverse_stdev: float, discount: float, a: float, b: float, e: float
) -> tuple[float, float, float]:
    """Return vanna, volga and speed: -D n(d1) d2/vol, vega d1 d2/vol and -(gamma/F) (1 + d1/s)."""
    below = forward <= strike
    d1, d2 = (a if below else b), -(b if below else a)
    inverse_forward = 1.0 / forward
    weighted = discount * e
    slope = weighted * (d2 * (root * inverse_stdev))
    curvature = weighted * inverse_stdev * (inverse_forward * inverse_forward)
    return -slope * inverse_forward, slope * root * d1, -curvature * inverse_forward * muladd(d1, inverse_stdev, 1.0)
