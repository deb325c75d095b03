"""Model C's requirement of one account, from risk arrays alone, so that a third party can do the same sum.

Per commodity, in USD:

    risk        = max(scan + intra + delivery - credit, short option minimum)
    requirement = max(0, risk - net option value)        (net option value: premium-style options only)

and the account's is the sum over its commodities. IM = requirement, MM = mm_factor IM. Source: SPAN as documented by
clearing houses; which of them adds what is in `docs/margin-model-c.md`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels import blocks
from kernels._jit import Bools, Floats, Ints
from kernels.span.scenarios import SCENARIOS, Scan, scan
from kernels.span.spreads import CalendarSpread, InterSpread, calendar_charge, inter_credits

NO_TIER = -1  # of a row that is in no calendar spread, such as a coin
CALL, NO_OPTION, PUT = 1, 0, -1


class Contracts(NamedTuple):
    """One long contract each of n instruments: their risk arrays, and what they count as.

    pnl_usd float64[n, 16], value_usd and delta_coins float64[n] as `kernels.span.arrays` writes them; commodity
    int64[n]; tier int64[n], of its commodity, or NO_TIER; option int64[n], CALL, PUT or NO_OPTION; is_premium bool[n],
    whether its premium was paid; size_coins float64[n], for the short option minimum.
    """

    pnl_usd: Floats
    value_usd: Floats
    delta_coins: Floats
    commodity: Ints
    tier: Ints
    option: Ints
    is_premium: Bools
    size_coins: Floats


class Commodity(NamedTuple):
    """What one combined commodity adds: index price, scan range (fraction), tiers and their spreads, charges in USD."""

    index_price: float
    price_range: float
    tiers: int
    calendar: tuple[CalendarSpread, ...] = ()
    short_option_usd: float = 0.0
    """Short option minimum per coin of a short option."""
    delivery_usd: float = 0.0


class CommodityRisk(NamedTuple):
    """One commodity of an account, USD; scenario is 1 to 16, or 0 where a number is missing."""

    scan_usd: float
    scenario: int
    price_risk_usd: float
    intra_usd: float
    delivery_usd: float
    credit_usd: float
    short_option_minimum_usd: float
    risk_usd: float
    net_option_value_usd: float
    requirement_usd: float
    delta_coins: float


class SpanMargin(NamedTuple):
    """An account's margin, USD, and its commodities in their order."""

    im_requirement_usd: float
    mm_requirement_usd: float
    net_option_value_usd: float
    commodities: tuple[CommodityRisk, ...]


def requirement(
    quantity: Floats,
    contracts: Contracts,
    commodities: Sequence[Commodity],
    inter: Sequence[InterSpread],
    *,
    larger_side: bool,
    mm_factor: float,
) -> SpanMargin:
    """Return the margin of net positions: quantity float64[n] contracts, one number for each of the n instruments.

    larger_side: the short option minimum counts the larger of short calls and short puts, else their sum. A row that
    is held and not a number makes its commodity NaN with scenario 0, and with it the account; a row of quantity 0
    counts for nothing. Raises ValueError on shapes, names that do not exist, and a factor not above 0 and at most 1.
    """
    _check(quantity, contracts, commodities, mm_factor)
    held = np.flatnonzero(quantity)
    net, count = quantity[held], len(commodities)
    rows = Contracts._make(column[held] for column in contracts)
    delta = net * rows.delta_coins
    deltas = _by(delta, rows.commodity, count)
    value = _by(np.where(rows.is_premium, net * rows.value_usd, 0.0), rows.commodity, count)
    scans = [scan(row) for row in _block(net, rows, count)]
    calendars = [calendar_charge(_tiers(delta, rows, c, one.tiers), one.calendar) for c, one in enumerate(commodities)]
    index_price = np.array([one.index_price for one in commodities])
    free = _by(np.where(rows.tier == NO_TIER, delta, 0.0), rows.commodity, count)
    free += np.array([charge.remaining_coins.sum() for charge in calendars])
    credits_usd = inter_credits(
        free * index_price, deltas * index_price, np.array([one.price_risk_usd for one in scans]),
        np.array([one.price_range for one in commodities]), inter,
    )  # fmt: skip
    out = tuple(
        _commodity(one, scans[c], calendars[c].charge_usd, float(credits_usd[c]),
                   _short_coins(net, rows, c, larger_side=larger_side), float(value[c]), float(deltas[c]))
        for c, one in enumerate(commodities)
    )  # fmt: skip
    initial = sum((one.requirement_usd for one in out), 0.0)
    return SpanMargin(initial, mm_factor * initial, sum((one.net_option_value_usd for one in out), 0.0), out)


def _commodity(
    one: Commodity, scanned: Scan, intra_usd: float, credit_usd: float, short_coins: float, value_usd: float,
    delta_coins: float,
) -> CommodityRisk:  # fmt: skip
    minimum = one.short_option_usd * short_coins
    risk = _at_least(scanned.risk_usd + intra_usd + one.delivery_usd - credit_usd, minimum)
    return CommodityRisk(
        *scanned, intra_usd, one.delivery_usd, credit_usd, minimum, risk, value_usd,
        _at_least(risk - value_usd, 0.0), delta_coins,
    )  # fmt: skip


def _block(net: Floats, rows: Contracts, commodities: int) -> Floats:
    """Return the P&L of every commodity, float64[C, 16]."""
    order = np.argsort(rows.commodity, kind="stable")
    indptr = np.searchsorted(rows.commodity[order], np.arange(commodities + 1)).astype(np.int64)
    block = np.empty((commodities, SCENARIOS))
    blocks.blocks(indptr, order, net[order], np.ascontiguousarray(rows.pnl_usd), block)
    return block


def _by(amount: Floats, group: Ints, groups: int) -> Floats:
    """Return the sums of amounts by group, in the order of the rows."""
    return np.bincount(group, weights=amount, minlength=groups).astype(np.float64)


def _tiers(delta: Floats, rows: Contracts, commodity: int, tiers: int) -> Floats:
    chosen = (rows.commodity == commodity) & (rows.tier != NO_TIER)
    return _by(delta[chosen], rows.tier[chosen], tiers)


def _short_coins(net: Floats, rows: Contracts, commodity: int, *, larger_side: bool) -> float:
    """Return the coins of short options: of both sides, or of the larger one."""
    calls, puts = (
        float((net * rows.size_coins)[(rows.commodity == commodity) & (rows.option == side) & ~(net > 0.0)].sum())
        for side in (CALL, PUT)
    )
    return 0.0 - (min(calls, puts) if larger_side else calls + puts)


def _at_least(amount: float, least: float) -> float:
    """Return the larger; what is not a number stays so, where `max` may drop it."""
    return math.nan if math.isnan(amount) or math.isnan(least) else max(amount, least)


def _check(quantity: Floats, contracts: Contracts, commodities: Sequence[Commodity], mm_factor: float) -> None:
    n = quantity.shape[0]
    if contracts.pnl_usd.shape != (n, SCENARIOS) or any(column.shape != (n,) for column in contracts[1:]):
        raise ValueError(f"columns of contracts must have one length, and {SCENARIOS} scenarios")
    if not 0.0 < mm_factor <= 1.0:
        raise ValueError("maintenance is above 0 and at most all of the requirement")
    if n and not (contracts.commodity.min() >= 0 and contracts.commodity.max() < len(commodities)):
        raise ValueError("a contract names a commodity that does not exist")
    tiers = np.array([one.tiers for one in commodities], dtype=np.int64)
    if (contracts.tier < NO_TIER).any() or (n and (contracts.tier >= tiers[contracts.commodity]).any()):
        raise ValueError("a contract names a tier that does not exist")
