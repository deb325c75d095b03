"""How far model C scans price and volatility of a coin, from its volatility.

price scan range = min(cap, max(floor, z sigma_day sqrt(h))), a fraction of the price; volatility scan = max(floor,
share sigma), in points of annualised volatility. The shape is the rule of Indian index contracts (6 sigma over two
days with a floor, a quarter of the volatility); the cap is ours: a price loses no more than itself.
"""

from __future__ import annotations

import math

DAYS_PER_YEAR = 365.0


def price_scan_range(
    annual_vol: float, sigma_multiple: float, horizon_days: float, floor_fraction: float, cap_fraction: float
) -> float:
    """Return the price scan range as a fraction of the price; NaN for a volatility that is NaN, infinite or negative.

    annual_vol: decimal. Raises ValueError unless 0 < floor <= cap <= 1 and multiple and horizon are positive.
    """
    if not 0.0 < floor_fraction <= cap_fraction <= 1.0:
        raise ValueError("a scan range needs 0 < floor <= cap <= 1")
    if not (0.0 < sigma_multiple < math.inf and 0.0 < horizon_days < math.inf):
        raise ValueError("a scan range needs a positive multiple and horizon")
    if not 0.0 <= annual_vol < math.inf:
        return math.nan
    return min(cap_fraction, max(floor_fraction, sigma_multiple * annual_vol * math.sqrt(horizon_days / DAYS_PER_YEAR)))


def vol_scan_range(annual_vol: float, share: float, floor_points: float) -> float:
    """Return the volatility scan in points, decimal; NaN for a volatility that is NaN, infinite or negative.

    Raises ValueError on a negative share or floor.
    """
    if not (0.0 <= share < math.inf and 0.0 <= floor_points < math.inf):
        raise ValueError("a volatility scan needs a share and a floor that are not negative")
    if not 0.0 <= annual_vol < math.inf:
        return math.nan
    return max(floor_points, share * annual_vol)
