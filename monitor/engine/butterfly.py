"""Whether a volatility slice is sane: bounded volatility, wings within Lee's bound, no butterfly arbitrage.

g(k) = (1 - k w'/(2w))^2 - (w'^2/4)(1/w + 1/4) + w''/2 with total variance w(k) must not be negative (Gatheral and
Jacquier 2014): it is the implied density of the terminal price up to a positive factor.
"""

from __future__ import annotations

import math

from schemas.records import ExpiryVolatility, SviVolatility

MIN_VOL, MAX_VOL = 0.001, 5.0  # below 0.1 % nothing that moves is quoted; above 500 % a feed is broken
MAX_WING = 2.0  # Lee: the slope of total variance in k cannot exceed 2
GRID = 33
TOLERANCE = -1e-9  # of g, which is 1 for a flat slice: rounding only
_YEAR_US = 31_536_000_000_000

Refusal = tuple[str, str]


def refusal_of_smile(one: ExpiryVolatility) -> Refusal | None:
    """Return kind and text if a smile is not sane, None if it is."""
    atm, slope, curvature = one.atm_vol_annual, one.slope, one.curvature
    points = [one.x_min, one.x_max]
    if curvature:
        vertex = -0.5 * slope / curvature
        if one.x_min < vertex < one.x_max:
            points.append(vertex)
    for x in points:
        vol = atm + x * (slope + x * curvature)
        if not MIN_VOL <= vol <= MAX_VOL:
            return "bad_volatility", f"the volatility is {vol:.6g} at x = {x:.6g}"
    years = (one.expiry_us - one.event_time_us) / _YEAR_US
    root = math.sqrt(years)
    for x in _grid(one.x_min, one.x_max):
        vol = atm + x * (slope + x * curvature)
        first = (slope + 2.0 * x * curvature) / root  # d vol / d k
        second = 2.0 * curvature / years
        w = vol * vol * years
        w1 = 2.0 * vol * first * years
        w2 = 2.0 * (first * first + vol * second) * years
        g = _density_factor(x * root, w, w1, w2)
        if g < TOLERANCE:
            return "butterfly", f"the implied density is negative at x = {x:.6g} (g = {g:.6g})"
    return None


def refusal_of_svi(one: SviVolatility) -> Refusal | None:
    """Return kind and text if an SVI slice is not sane, None if it is."""
    wing = one.b * (1.0 + abs(one.rho))
    if wing > MAX_WING:
        return "wing", f"b (1 + |rho|) is {wing:.6g}, above {MAX_WING:g}"
    years = (one.expiry_us - one.event_time_us) / _YEAR_US
    for k in _grid(one.k_min, one.k_max):
        d = k - one.m
        root = math.sqrt(d * d + one.sigma * one.sigma)
        w = one.a + one.b * (one.rho * d + root)
        if not MIN_VOL * MIN_VOL * years <= w <= MAX_VOL * MAX_VOL * years:
            return "bad_volatility", f"the total variance is {w:.6g} at k = {k:.6g}"
        w1 = one.b * (one.rho + d / root)
        w2 = one.b * one.sigma * one.sigma / (root * root * root)
        g = _density_factor(k, w, w1, w2)
        if g < TOLERANCE:
            return "butterfly", f"the implied density is negative at k = {k:.6g} (g = {g:.6g})"
    return None


def _density_factor(k: float, w: float, w1: float, w2: float) -> float:
    tilt = 1.0 - 0.5 * k * w1 / w
    return tilt * tilt - 0.25 * w1 * w1 * (1.0 / w + 0.25) + 0.5 * w2


def _grid(low: float, high: float) -> list[float]:
    return [low + (high - low) * i / (GRID - 1) for i in range(GRID)]
