"""What it costs to close a position, and how long it takes.

A bucket is what trades in one market: the delta of an underlying, or the vega of its options. Sizes, costs and volumes
of a bucket have one unit: USD for delta, USD per volatility point for vega, whose spread and deviation are in points.
Form: a half spread, and impact by the square root of the part of a day's volume (`docs/add-ons.md`).
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats


def blended_size(amounts: Floats, gross_share: float) -> float:
    """Return share sum |a| + (1 - share) |sum a|, in the unit of the amounts; share from 0 (net) to 1 (gross).

    amounts: float64[n], signed. The order of amounts does not matter. NaN in gives NaN.
    """
    return gross_share * math.fsum(np.abs(amounts)) + (1.0 - gross_share) * abs(math.fsum(amounts))


def horizon_days(size: float, daily_volume: float, participation: float) -> float:
    """Return max(1, X/(pi V)): days to close X by at most the share pi of each day's volume V. NaN stays NaN."""
    days = size / (participation * daily_volume)
    return days if math.isnan(days) else max(1.0, days)


def liquidation_cost(size: float, half_spread: float, impact: float, daily_move: float, daily_volume: float) -> float:
    """Return X (k + eta sigma sqrt(X/V)) in USD; convex in X.

    daily_move: sigma, one day's deviation of the price as a fraction, or of the volatility in points. NaN stays NaN.
    Raises ValueError on a negative size or a volume that is not positive.
    """
    if size < 0.0 or daily_volume <= 0.0:
        raise ValueError("a size to close is not negative, and its market has a volume")
    return size * (half_spread + impact * daily_move * math.sqrt(size / daily_volume))


def longer_risk(risk_usd: float, days: float) -> float:
    """Return what a one-day risk gains over more days, (sqrt(h) - 1) risk; a negative risk, a hedge, gains nothing."""
    extra = math.sqrt(days) - 1.0
    return extra * risk_usd if math.isnan(risk_usd) else extra * max(0.0, risk_usd)
