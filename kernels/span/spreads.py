"""Spreads between expiries of one commodity, which cost, and between commodities, which earn a credit.

Both take deltas away in order of priority: a delta serves one spread only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats

NORMAL, CAPPED, SCAN_RANGE = 0, 1, 2  # how a credit takes the weighted futures price risk: `inter_credits`
LONG, SHORT = 1, -1  # sides A and B of a leg


class CalendarSpread(NamedTuple):
    """A spread of two tiers: coins of delta on either side of one spread, and its charge in USD."""

    tier_a: int
    tier_b: int
    ratio_a: float
    ratio_b: float
    rate_usd: float


class Leg(NamedTuple):
    """One leg of an inter-commodity spread: commodity, side (LONG or SHORT), USD of delta in one spread."""

    commodity: int
    side: int
    ratio_usd: float


class InterSpread(NamedTuple):
    """An inter-commodity spread: its legs, the share of their price risk credited, and the method."""

    legs: tuple[Leg, ...]
    rate: float
    method: int


class CalendarCharge(NamedTuple):
    """Charge in USD and the deltas that are left, float64[tiers] in coins."""

    charge_usd: float
    remaining_coins: Floats


def adjacent_spreads(tier_price: Sequence[float], rate: float) -> tuple[CalendarSpread, ...]:
    """Return spreads of every two tiers, one coin against one: neighbours first, near ones before far ones.

    tier_price: USD, in order of expiry. A spread costs `rate` of the far price (the Indian rule for calendar spreads).
    """
    tiers = len(tier_price)
    return tuple(
        CalendarSpread(near, near + gap, 1.0, 1.0, rate * tier_price[near + gap])
        for gap in range(1, tiers)
        for near in range(tiers - gap)
    )


def calendar_charge(delta_coins: Floats, spreads: Sequence[CalendarSpread]) -> CalendarCharge:
    """Charge spreads between tiers of opposite sign, in the given order.

    delta_coins: float64[tiers]. n = min(|delta_a|/ratio_a, |delta_b|/ratio_b) spreads cost n rate and use up n ratio of
    either side. NaN anywhere makes all of it NaN. Raises ValueError on a tier that does not exist, a tier against
    itself, a ratio that is not positive or a negative rate.
    """
    left = np.array(delta_coins, dtype=np.float64)
    total = float(left.sum()) * 0.0
    for a, b, ratio_a, ratio_b, rate in spreads:
        if not (0 <= a < left.shape[0] and 0 <= b < left.shape[0] and a != b):
            raise ValueError("a calendar spread needs two tiers that exist")
        if not (ratio_a > 0.0 and ratio_b > 0.0) or rate < 0.0:
            raise ValueError("a calendar spread needs positive ratios and a rate that is not negative")
        if min(left[a], left[b]) < 0.0 < max(left[a], left[b]):
            n = min(abs(left[a]) / ratio_a, abs(left[b]) / ratio_b)
            total += float(n) * rate
            left[a], left[b] = _less(left[a], n * ratio_a), _less(left[b], n * ratio_b)
    if math.isnan(total):
        left[:] = math.nan
    return CalendarCharge(total, left)


def inter_credits(
    free_delta_usd: Floats,
    net_delta_usd: Floats,
    price_risk_usd: Floats,
    scan_range: Floats,
    spreads: Sequence[InterSpread],
) -> Floats:
    """Return the credit of every commodity in USD, float64[C], by spreads in the given order.

    free_delta_usd: what calendar spreads have left; net_delta_usd: what the price risk belongs to; scan_range: fraction
    of the price; all float64[C]. n spreads form where all legs A have one sign and all legs B the other. A leg earns
    n ratio W rate, W = price risk/|net delta| (NORMAL), that but at most the scan range (CAPPED), or the scan range
    (SCAN_RANGE). Deltas are used up to the size and sign of the net delta: beyond it no price risk is behind them.
    NaN in a leg of a definition gives all its legs NaN. Raises ValueError on legs, rates and methods out of range.
    """
    credits_usd = np.zeros(free_delta_usd.shape[0])
    left = np.where(
        free_delta_usd * net_delta_usd > 0.0, np.minimum(np.abs(free_delta_usd), np.abs(net_delta_usd)), 0.0
    )
    left = np.copysign(left, net_delta_usd) + 0.0 * (free_delta_usd + net_delta_usd)
    for spread in spreads:
        _check(spread, left.shape[0])
        held = [float(left[leg.commodity]) for leg in spread.legs]
        if any(math.isnan(x) for x in held):
            for leg in spread.legs:
                credits_usd[leg.commodity] = math.nan
            continue
        towards = [leg.side * delta for leg, delta in zip(spread.legs, held, strict=True)]
        if not (all(x > 0.0 for x in towards) or all(x < 0.0 for x in towards)):
            continue
        n = min(abs(delta) / leg.ratio_usd for leg, delta in zip(spread.legs, held, strict=True))
        for leg in spread.legs:
            c = leg.commodity
            weighted = _weighted(spread.method, price_risk_usd[c], net_delta_usd[c], scan_range[c])
            credits_usd[c] += n * leg.ratio_usd * weighted * spread.rate
            left[c] = _less(left[c], n * leg.ratio_usd)
    return credits_usd


def _weighted(method: int, price_risk_usd: float, net_delta_usd: float, scan_range: float) -> float:
    if method == SCAN_RANGE:
        return scan_range
    weighted = price_risk_usd / abs(net_delta_usd)
    return min(scan_range, weighted) if method == CAPPED else weighted


def _check(spread: InterSpread, commodities: int) -> None:
    if {leg.side for leg in spread.legs} != {LONG, SHORT}:
        raise ValueError("an inter-commodity spread needs legs on both sides")
    if len({leg.commodity for leg in spread.legs}) != len(spread.legs):
        raise ValueError("an inter-commodity spread names each commodity once")
    for leg in spread.legs:
        if not (0 <= leg.commodity < commodities and leg.ratio_usd > 0.0):
            raise ValueError("a leg needs a commodity that exists and a positive ratio")
    if not 0.0 <= spread.rate <= 1.0 or spread.method not in {NORMAL, CAPPED, SCAN_RANGE}:
        raise ValueError("a credit needs a rate from 0 to 1 and a known method")


def _less(delta: float, used: float) -> float:
    """Return delta nearer to zero by `used`; rounding never turns its sign."""
    return math.copysign(max(0.0, abs(delta) - used), delta)
