"""Whether a volatility slice is sane: bounded volatility, wings within Lee's bound, no butterfly arbitrage.

The implied density must not be negative where it is looked at (`kernels.slice_density`).
"""

from __future__ import annotations

from kernels import slice_density
from schemas.records import ExpiryVolatility, SviVolatility

MIN_VOL, MAX_VOL = 0.001, 5.0  # below 0.1 % nothing that moves is quoted; above 500 % a feed is broken
MAX_WING = 2.0  # Lee: the slope of total variance in k cannot exceed 2
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
    wrong, x, g = slice_density.of_smile(atm, slope, curvature, one.x_min, one.x_max, years)
    if wrong:
        return "butterfly", f"the implied density is negative at x = {x:.6g} (g = {g:.6g})"
    return None


def refusal_of_svi(one: SviVolatility) -> Refusal | None:
    """Return kind and text if an SVI slice is not sane, None if it is."""
    wing = one.b * (1.0 + abs(one.rho))
    if wing > MAX_WING:
        return "wing", f"b (1 + |rho|) is {wing:.6g}, above {MAX_WING:g}"
    years = (one.expiry_us - one.event_time_us) / _YEAR_US
    wrong, k, value = slice_density.of_svi(
        one.a, one.b, one.rho, one.m, one.sigma, one.k_min, one.k_max,
        MIN_VOL * MIN_VOL * years, MAX_VOL * MAX_VOL * years,
    )  # fmt: skip
    if wrong == slice_density.VOLATILITY:
        return "bad_volatility", f"the total variance is {value:.6g} at k = {k:.6g}"
    if wrong:
        return "butterfly", f"the implied density is negative at k = {k:.6g} (g = {value:.6g})"
    return None
