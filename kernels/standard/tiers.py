"""Tiered maintenance: a rate that grows with the notional, slice by slice.

MM = rate_k N - cum_k in the tier of N, with cum_0 = 0 and cum_k = cum_{k-1} + floor_k (rate_k - rate_{k-1}): the same
as charging each slice at its own rate, so the requirement is continuous (Binance; OKX and Bybit likewise). The rate of
the *initial* margin is the tier's for the whole notional, so it jumps; that is how the venue does it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from kernels.standard.margin import Margin, fsum, of_requirements


class Tiers(NamedTuple):
    """Tiers by rising notional: where each begins (the first at 0), maintenance rate, deduction, initial rate."""

    floor_usd: tuple[float, ...]
    mm_rate: tuple[float, ...]
    cum_usd: tuple[float, ...]
    im_rate: tuple[float, ...]


def tiers(floor_usd: Sequence[float], mm_rate: Sequence[float], im_rate: Sequence[float]) -> Tiers:
    """Return tiers with their deductions.

    Raises ValueError unless floors begin at 0 and rise, maintenance rates lie in [0, 1) and do not fall, and initial
    rates lie between the tier's maintenance rate and 1 and do not fall.
    """
    if not 0 < len(floor_usd) == len(mm_rate) == len(im_rate):
        raise ValueError("a tier is a floor, a maintenance rate and an initial rate; at least one is needed")
    if floor_usd[0] != 0.0 or not all(a < b < math.inf for a, b in pairwise(floor_usd)):
        raise ValueError("tiers begin at 0 and rise")
    if not all(0.0 <= rate < 1.0 for rate in mm_rate) or list(mm_rate) != sorted(mm_rate):
        raise ValueError("maintenance rates lie in [0, 1) and do not fall from tier to tier")
    if not all(a <= b <= 1.0 for a, b in zip(mm_rate, im_rate, strict=True)) or list(im_rate) != sorted(im_rate):
        raise ValueError("initial rates lie between the maintenance rate and 1 and do not fall from tier to tier")
    cum = [0.0]
    for k in range(1, len(floor_usd)):
        cum.append(cum[-1] + floor_usd[k] * (mm_rate[k] - mm_rate[k - 1]))
    return Tiers(tuple(floor_usd), tuple(mm_rate), tuple(cum), tuple(im_rate))


def tier_of(table: Tiers, notional_usd: float) -> int:
    """Return the tier of a notional: a floor itself is the end of the tier below it."""
    return max(0, bisect_left(table.floor_usd, notional_usd) - 1)


def tiered_maintenance(table: Tiers, notional_usd: float) -> float:
    """Return the maintenance of a notional in USD, NaN for NaN; raises ValueError if it is negative."""
    if notional_usd < 0.0:
        raise ValueError(f"a notional is not negative, got {notional_usd}")
    if math.isnan(notional_usd):
        return math.nan
    k = tier_of(table, notional_usd)
    return table.mm_rate[k] * notional_usd - table.cum_usd[k]


def tiered_margin(table: Tiers, notional_usd: float, equity_usd: float, leverage: float = math.inf) -> Margin:
    """Return the margin of a position: initial at the larger of the tier's rate and 1/leverage, maintenance by slices.

    leverage: what the account chose, at least 1. Raises ValueError as `tiered_maintenance`.
    """
    if not leverage >= 1.0:
        raise ValueError(f"leverage is at least 1, got {leverage}")
    mm = tiered_maintenance(table, notional_usd)
    rate = math.nan if math.isnan(mm) else max(table.im_rate[tier_of(table, notional_usd)], 1.0 / leverage)
    return of_requirements(equity_usd, {"position": rate * notional_usd}, {"position": mm})


def tiered_liquidation_price(
    table: Tiers, quantity_coins: float, entry_price: float, margin_usd: float
) -> float | None:
    """Return the mark at which an isolated linear position's equity equals its tiered maintenance, None if none.

    In tier k it is (q e - M - cum_k)/(q - rate_k |q|). Equity less maintenance rises with the price for a long and
    falls for a short, so the tier is the last one whose floor lies below the price. Raises ValueError on an entry that
    is not positive or what is not finite.
    """
    if not (entry_price > 0.0 and all(math.isfinite(x) for x in (quantity_coins, entry_price, margin_usd))):
        raise ValueError("quantity, margin and a positive entry price have to be finite")
    if quantity_coins == 0.0:
        return None
    size, side = abs(quantity_coins), math.copysign(1.0, quantity_coins)
    price = None
    for floor, rate, cum in zip(table.floor_usd, table.mm_rate, table.cum_usd, strict=True):
        at_floor = margin_usd - quantity_coins * entry_price + side * floor - (rate * floor - cum)
        if side * at_floor > 0.0:
            break
        price = (quantity_coins * entry_price - margin_usd - cum) / (quantity_coins - rate * size)
    return price if price is not None and 0.0 < price < math.inf else None


def adjusted_equity(
    amounts: Sequence[float], index_prices: Sequence[float], collateral_rates: Sequence[float]
) -> float:
    """Return equity in USD after haircuts: sum of min(amount index rate, amount index), a debt at its full value.

    Source: Binance portfolio margin (uniMMR). Raises ValueError on lengths that differ or a rate outside [0, 1].
    """
    if not len(amounts) == len(index_prices) == len(collateral_rates):
        raise ValueError("each asset needs an index price and a collateral rate")
    if not all(0.0 <= rate <= 1.0 for rate in collateral_rates):
        raise ValueError("collateral rates lie in [0, 1]")
    values = [a * p if a != 0.0 else 0.0 for a, p in zip(amounts, index_prices, strict=True)]
    return fsum(v * rate if v > 0.0 else v for v, rate in zip(values, collateral_rates, strict=True))


def maintenance_ratio(adjusted_equity_usd: float, mm_requirements_usd: Sequence[float]) -> float:
    """Return adjusted equity over the sum of maintenance (uniMMR): infinite with nothing to maintain, NaN stays NaN.

    An account without a requirement and with a debt has the ratio minus infinity.
    """
    required = fsum(mm_requirements_usd)
    if required == 0.0:
        return math.nan if math.isnan(adjusted_equity_usd) else math.copysign(math.inf, adjusted_equity_usd)
    return adjusted_equity_usd / required
