"""Model C of one portfolio: risk arrays of its contracts, and the requirement that follows from them.

Contracts are marked, as in a risk array of a clearing house: a future's array is what it gains from now on, so the
coins beside it are the balance and what inverse contracts have earned. Each underlying is a combined commodity; its
perpetuals are the nearest expiry.

A clearing house compares `max(0, risk - net option value)` with money without option value. Equity here has that value
in it, so the same excess comes from a requirement of `max(risk, net option value)`; maintenance takes a share of risk.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kernels._jit import Bools, Floats, Ints
from kernels.scenarios_units import INVERSE, INVERSE_OPTION, LINEAR_OPTION
from kernels.span.arrays import SpanArrays, risk_arrays
from kernels.span.ranges import DAYS_PER_YEAR, price_scan_range, vol_scan_range
from kernels.span.requirement import (
    CALL,
    NO_OPTION,
    NO_TIER,
    PUT,
    Commodity,
    CommodityRisk,
    Contracts,
    SpanMargin,
    requirement,
)
from kernels.span.scenarios import SCENARIOS, span_scenarios
from kernels.span.spreads import (
    CAPPED,
    LONG,
    NORMAL,
    SCAN_RANGE,
    SHORT,
    CalendarSpread,
    InterSpread,
    Leg,
    adjacent_spreads,
)
from monitor.models.margin import Margin, Part, Worst, not_computed
from monitor.models.portfolio import Portfolio, Underlying
from schemas.span import SpanInterSpread, SpanParameters, SpanSet

NAME = "C"
METHODS = {"normal": NORMAL, "scan_range_capped": CAPPED, "scan_range": SCAN_RANGE}


class SpanUnderlying(NamedTuple):
    """One underlying: its market and n rows, one for each instrument, of which an account holds `quantity`.

    Row columns are those of `kernels.span.arrays.risk_arrays`; tier int64[n] numbers the expiries in their order, a
    perpetual one of its own, coins -1; tier_price: USD by tier. annual_vol: of the coin, for its scan ranges.
    """

    index_price: float
    annual_vol: float
    tier_price: tuple[float, ...]
    quantity: Floats
    kind: Ints
    is_call: Bools
    size: Floats
    strike: Floats
    price_or_forward: Floats
    fixed: Floats
    years: Floats
    vol: Floats
    tier: Ints


def margin(portfolio: Portfolio, parameters: SpanSet, parameter_hash: str) -> Margin:
    """Return a portfolio's margin, its underlyings being the commodities.

    NaN with reasons where anything held has no price, forward or volatility. Without a volatility of the coin its scan
    ranges rest on `assumed_annual_vol`, and the result says so.
    """
    missing = portfolio.missing
    if missing:
        return not_computed(NAME, parameter_hash, portfolio.market_time_us, missing, portfolio.flags)
    found = span_margin({u.name: span_underlying(u, parameters) for u in portfolio.underlyings}, parameters)
    if math.isnan(found.im_requirement_usd):
        at = [u.name for u, one in zip(portfolio.underlyings, found.commodities, strict=True) if one.scenario == 0]
        reasons = tuple(f"no_array:{name}" for name in at)
        return not_computed(NAME, parameter_hash, portfolio.market_time_us, reasons, portfolio.flags)
    im, mm = (_components(found.commodities, factor) for factor in (1.0, parameters.mm_factor))
    commodities = list(zip(portfolio.underlyings, found.commodities, strict=True))
    return Margin(
        model=NAME,
        parameter_hash=parameter_hash,
        market_time_us=portfolio.market_time_us,
        equity_usd=portfolio.equity_usd,
        im_requirement_usd=_sum(im.values()),
        mm_requirement_usd=_sum(mm.values()),
        im_components=im,
        mm_components=mm,
        worst=tuple(Worst(_label(one.scenario), -one.scan_usd, one.scenario, u.name) for u, one in commodities),
        parts=tuple(
            Part(u.name, u.position_usd, _needed(one, 1.0), _needed(one, parameters.mm_factor), one.delta_coins)
            for u, one in commodities
        ),
        flags=portfolio.flags,
        degraded=tuple(f"assumed_volatility:{u.name}" for u in portfolio.underlyings if math.isnan(u.annual_vol)),
    )


def span_underlying(u: Underlying, parameters: SpanSet) -> SpanUnderlying:
    """Return one underlying of a portfolio as a combined commodity: contracts marked, expiries in tiers."""
    rows = u.rows
    chosen = parameters.underlyings.get(u.name, parameters.default)
    contracts = range(1, len(u.names))
    order = sorted({int(rows.expiry_us[row]) for row in contracts})
    tiers = [order.index(int(rows.expiry_us[row])) for row in contracts]
    price = [float(np.mean([rows.forward[row] for row in contracts if rows.expiry_us[row] == key])) for key in order]
    inverse = rows.kind == INVERSE
    # What inverse contracts have earned, in coins: the entry side is in row 0, the marked side is theirs.
    earned = u.quantity[0] - math.fsum((u.quantity * rows.size * (1.0 / rows.forward + rows.funding))[inverse])
    return SpanUnderlying(
        u.index_price,
        chosen.assumed_annual_vol if math.isnan(u.annual_vol) else u.annual_vol,
        tuple(price),
        np.array([earned, *u.quantity[1:]]),
        rows.kind, rows.is_call, rows.size, rows.strike, rows.forward, rows.fixed, rows.years, rows.vol,
        np.array([NO_TIER, *tiers], dtype=np.int64),
    )  # fmt: skip


def arrays(underlying: SpanUnderlying, parameters: SpanParameters) -> SpanArrays:
    """Return the risk arrays of one underlying; errors and NaN as `kernels.span.arrays.risk_arrays`."""
    is_relative = parameters.volatility_scan == "relative"
    # A relative scan is the share itself: the volatility it is a share of is each option's own.
    vol_scan = (
        parameters.volatility_share
        if is_relative
        else vol_scan_range(underlying.annual_vol, parameters.volatility_share, parameters.volatility_floor)
    )
    return risk_arrays(
        *underlying[4:12], underlying.index_price, price_range(underlying, parameters), vol_scan, is_relative,
        parameters.look_ahead_days / DAYS_PER_YEAR,
        span_scenarios(parameters.extreme_multiplier, parameters.covered_fraction), np.array(parameters.delta_weights),
    )  # fmt: skip


def span_margin(underlyings: Mapping[str, SpanUnderlying], parameters: SpanSet) -> SpanMargin:
    """Return the margin of one portfolio; commodities come in order of their names.

    An inter-commodity spread of an underlying that is not there is left out. Errors and NaN as
    `kernels.span.requirement.requirement`.
    """
    names = sorted(underlyings)
    chosen = [parameters.underlyings.get(name, parameters.default) for name in names]
    rows = [_contracts(c, underlyings[name], chosen[c]) for c, name in enumerate(names)]
    return requirement(
        np.concatenate([underlyings[name].quantity for name in names]) if names else np.empty(0),
        Contracts._make(np.concatenate(column) for column in zip(*rows, strict=True)) if rows else _NOTHING,
        [_commodity(underlyings[name], chosen[c]) for c, name in enumerate(names)],
        [_inter(spread, names) for spread in parameters.inter_spreads if _all_there(spread, names)],
        larger_side=parameters.short_option_side == "larger", mm_factor=parameters.mm_factor,
    )  # fmt: skip


_NO_FLOATS, _NO_INTS = np.empty(0), np.empty(0, dtype=np.int64)
_NOTHING = Contracts(
    np.empty((0, 16)), _NO_FLOATS, _NO_FLOATS, _NO_INTS, _NO_INTS, _NO_INTS, np.empty(0, dtype=np.bool_), _NO_FLOATS
)


def price_range(underlying: SpanUnderlying, parameters: SpanParameters) -> float:
    """Return the price scan range of one underlying, a fraction of the price."""
    return price_scan_range(
        underlying.annual_vol, parameters.price_sigmas, parameters.horizon_days, parameters.price_floor,
        parameters.price_cap,
    )  # fmt: skip


def _contracts(commodity: int, underlying: SpanUnderlying, parameters: SpanParameters) -> Contracts:
    is_option = (underlying.kind == LINEAR_OPTION) | (underlying.kind == INVERSE_OPTION)
    option = np.where(is_option, np.where(underlying.is_call, CALL, PUT), NO_OPTION)
    return Contracts(
        *arrays(underlying, parameters), np.full(option.shape, commodity), underlying.tier, option,
        is_option & (parameters.option_style == "premium"), underlying.size,
    )  # fmt: skip


def _commodity(underlying: SpanUnderlying, parameters: SpanParameters) -> Commodity:
    price = underlying.tier_price
    if parameters.calendar_spreads is None:
        calendar = adjacent_spreads(price, parameters.calendar_rate)
    else:
        calendar = tuple(
            CalendarSpread(s.tier_a, s.tier_b, s.ratio_a, s.ratio_b, s.rate * price[max(s.tier_a, s.tier_b)])
            for s in parameters.calendar_spreads
            if max(s.tier_a, s.tier_b) < len(price)  # a list may go further than expiries are listed
        )
    return Commodity(
        underlying.index_price, price_range(underlying, parameters), len(price), calendar,
        parameters.short_option_rate * underlying.index_price,
    )  # fmt: skip


def _all_there(spread: SpanInterSpread, names: list[str]) -> bool:
    return all(leg.underlying in names for leg in spread.legs)


def _inter(spread: SpanInterSpread, names: list[str]) -> InterSpread:
    legs = tuple(Leg(names.index(leg.underlying), LONG if leg.side == "A" else SHORT, leg.ratio) for leg in spread.legs)
    return InterSpread(legs, spread.rate, METHODS[spread.method])


def _components(commodities: Sequence[CommodityRisk], factor: float) -> dict[str, float]:
    """Return the parts of a requirement; `factor` is the share of risk that it takes."""
    return {
        "scan_usd": _sum(factor * one.scan_usd for one in commodities),
        "calendar_usd": _sum(factor * one.intra_usd for one in commodities),
        "delivery_usd": _sum(factor * one.delivery_usd for one in commodities),
        "inter_commodity_credit_usd": _sum(-factor * one.credit_usd for one in commodities),
        "short_option_minimum_usd": _sum(factor * (one.risk_usd - _scanned(one)) for one in commodities),
        "option_value_not_released_usd": _sum(_needed(one, factor) - factor * one.risk_usd for one in commodities),
    }


def _scanned(one: CommodityRisk) -> float:
    return one.scan_usd + one.intra_usd + one.delivery_usd - one.credit_usd


def _needed(one: CommodityRisk, factor: float) -> float:
    """Return what a commodity needs of equity with its option value in it."""
    return max(factor * one.risk_usd, one.net_option_value_usd)


def _label(scenario: int) -> str:
    """Return what one of the sixteen scenarios does, in words."""
    if scenario > SCENARIOS - 2:
        return f"price {'up' if scenario == SCENARIOS - 1 else 'down'} beyond the scan range, counted in part"
    table = span_scenarios(1.0, 1.0)
    move, direction = float(table.move[scenario - 1]), int(table.vol_direction[scenario - 1])
    return f"price {move:+.0%} of the scan range, volatility {'up' if direction > 0 else 'down'}"


def _sum(values: Iterable[float]) -> float:
    return math.fsum(values) + 0.0  # no part prints as -0
