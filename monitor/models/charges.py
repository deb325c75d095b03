"""Add-ons underlying by underlying: what of each follows from the portfolio alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from kernels._jit import Bools, Floats
from kernels.add_ons import charges, exposures, liquidation
from kernels.marginal_tiers import marginal_charge
from kernels.pmrm.contingencies import naked_shorts
from kernels.scenarios import INVERSE, LINEAR, SAME
from kernels.scenarios_table import ScenarioTable
from monitor.models.charged import Charge
from monitor.models.confidence import confidence_of
from monitor.models.portfolio import Portfolio, Underlying
from monitor.models.tiers import tiers_of
from schemas.add_ons import (
    AddOnParameters,
    DataQualityAddOn,
    DepegAddOn,
    FundingAddOn,
    LiquidityAddOn,
    NakedShortAddOn,
    RollAddOn,
)
from schemas.records import RiskMatrixParameters

DAYS_PER_YEAR = 365.0
USD = "USD"


def portfolio_charges(portfolio: Portfolio, parameters: AddOnParameters) -> Iterator[Charge]:
    """Yield the charges that need no model, in order of underlyings; of what is on, none is left out for being zero."""
    for underlying in portfolio.underlyings:
        for charge in _CHARGES:
            yield from charge(underlying, parameters)


def horizon_days(underlying: Underlying, by: LiquidityAddOn) -> float:
    """Return how many days it takes to close an underlying: its delta or its vega, whichever takes longer."""
    depth = by.underlyings.get(underlying.name, by.default)
    delta, vega = sizes(underlying, by)
    days = [
        liquidation.horizon_days(delta, depth.daily_volume_usd, by.participation),
        liquidation.horizon_days(vega, depth.daily_vega_usd, by.participation),
    ]
    return math.nan if any(map(math.isnan, days)) else max(days)


def sizes(underlying: Underlying, by: LiquidityAddOn) -> tuple[float, float]:
    """Return what has to be closed: delta in USD, vega in USD per volatility point."""
    rows = held(underlying)
    return (
        liquidation.blended_size(delta_usd(underlying)[rows], by.delta_gross_share),
        liquidation.blended_size(_vega(underlying)[rows], by.vega_gross_share),
    )


def held(underlying: Underlying) -> Bools:
    """Which rows are contracts that are held, bool[n]: add-ons are on positions, the coin's row is collateral."""
    found: Bools = underlying.quantity != 0.0
    found[0] = False
    return found


def delta_usd(underlying: Underlying) -> Floats:
    """Return what of the underlying each position is in its own market, USD, float64[n]."""
    return underlying.quantity * underlying.rows.market_delta_coins * underlying.index_price


def flag_names(underlying: Underlying) -> list[str]:
    """Return the flags of an underlying without what they are about."""
    return [flag.split(":", 1)[0] for flag in underlying.flags]


def _vega(underlying: Underlying) -> Floats:
    r = underlying.rows
    return underlying.quantity * exposures.vega_usd_per_point(
        r.kind, r.is_call, r.size, r.forward, r.strike, r.years, r.vol, underlying.index_price
    )


def _liquidity(underlying: Underlying, parameters: AddOnParameters) -> Iterator[Charge]:
    by = parameters.liquidity
    if by is None:
        return
    depth = by.underlyings.get(underlying.name, by.default)
    delta, vega = sizes(underlying, by)
    unknown = not math.isfinite(underlying.annual_vol)
    vol = depth.assumed_vol_annual if unknown else underlying.annual_vol
    cost = liquidation.liquidation_cost(
        delta, depth.half_spread, by.impact, vol / math.sqrt(DAYS_PER_YEAR), depth.daily_volume_usd
    ) + liquidation.liquidation_cost(
        vega, depth.vega_half_spread_points, by.impact, depth.vega_daily_move_points, depth.daily_vega_usd
    )
    reasons = (f"no_volatility:{underlying.name}",) if unknown and held(underlying).any() else ()
    yield Charge("add_on_liquidation_cost_usd", underlying.name, cost, by.mm_factor * cost, reasons)


def _naked_shorts(underlying: Underlying, parameters: AddOnParameters) -> Iterator[Charge]:
    by = parameters.naked_shorts
    if by is None:
        return
    usd = _naked_coins(underlying, by) * underlying.index_price
    yield Charge("add_on_naked_shorts_usd", underlying.name, by.im_rate * usd, by.mm_rate * usd)


def _naked_coins(underlying: Underlying, by: NakedShortAddOn) -> float:
    rows = np.flatnonzero(held(underlying) & underlying.is_option)
    coins = underlying.quantity[rows] * underlying.rows.size[rows]
    if by.cover == "contract":
        return naked_shorts(coins.tolist())
    strikes = list(zip(underlying.rows.expiry_us[rows].tolist(), underlying.rows.strike[rows].tolist(), strict=True))
    return naked_shorts(exposures.net_by(strikes, coins).values())


def _roll(underlying: Underlying, parameters: AddOnParameters) -> Iterator[Charge]:
    by = parameters.roll
    if by is None:
        return
    usd = _roll_usd(underlying, by)
    yield Charge("add_on_roll_usd", underlying.name, usd, by.mm_factor * usd)


def _roll_usd(underlying: Underlying, by: RollAddOn) -> float:
    rates = by.underlyings.get(underlying.name, by.default)
    rows = np.flatnonzero(held(underlying))
    expiry, years = underlying.rows.expiry_us, underlying.rows.years
    # A perpetual is an expiry of its own.
    groups = [int(expiry[row]) or f"row {row}" for row in rows]
    years_of = {group: float(years[row]) for group, row in zip(groups, rows, strict=True)}
    net = exposures.net_by(groups, delta_usd(underlying)[rows])
    return charges.roll_charge(
        net.values(),
        [charges.roll_rate(years_of[group], rates.annualised_move, rates.min_move) for group in net],
    )


def _funding(underlying: Underlying, parameters: AddOnParameters) -> Iterator[Charge]:
    by = parameters.funding
    if by is None:
        return
    usd, unknown = _funding_usd(underlying, by)
    yield Charge("add_on_funding_usd", underlying.name, usd, by.mm_factor * usd, unknown)


def _funding_usd(underlying: Underlying, by: FundingAddOn) -> tuple[float, tuple[str, ...]]:
    r = underlying.rows
    perpetual = held(underlying) & np.isin(r.kind, (LINEAR, INVERSE)) & (r.expiry_us == 0)
    rows = np.flatnonzero(perpetual)
    known = underlying.funding_rate_8h if underlying.funding_rate_8h.size else np.full(len(perpetual), math.nan)
    notional = underlying.quantity * exposures.notional_usd(r.kind, r.size, r.forward, underlying.index_price)
    intervals = by.horizon_hours / 8.0
    # Without a rate either side may be the one that pays.
    paid = np.where(np.isnan(known), np.abs(notional) * by.assumed_rate, notional * known) * intervals
    reasons = tuple(f"no_funding_rate:{underlying.names[row]}" for row in rows if math.isnan(known[row]))
    return charges.funding_provision(paid[rows]), reasons


def _depeg(underlying: Underlying, parameters: AddOnParameters) -> Iterator[Charge]:
    by = parameters.depeg
    if by is None:
        return
    if underlying.name in by.tokens:
        usd = _depeg_usd(underlying, by)
        yield Charge("add_on_depeg_usd", underlying.name, usd, by.mm_factor * usd)
    else:
        usd, reasons = _hedge_usd(underlying, by)
        yield Charge("add_on_depeg_hedge_usd", underlying.name, usd, by.mm_factor * usd, reasons)


def _depeg_usd(underlying: Underlying, by: DepegAddOn) -> float:
    move = np.array([shock for shock, _ in by.shocks])
    table = ScenarioTable(move, move, np.full(len(move), SAME), np.ones(len(move)))
    rows = underlying.quantity != 0.0
    pnl = underlying.pnl_usd(table, RiskMatrixParameters())[rows]  # volatilities stay: its shocks are not read
    total = np.array([math.fsum(column) for column in (underlying.quantity[rows, None] * pnl).T])
    return charges.worst_weighted(total, [share for _, share in by.shocks])


def _hedge_usd(underlying: Underlying, by: DepegAddOn) -> tuple[float, tuple[str, ...]]:
    """Return the charge on what is long in one quote currency and short in another; the coin is priced in dollars."""
    rows = np.flatnonzero(held(underlying))
    names = underlying.settlement
    unknown = (f"no_settlement:{underlying.name}",) if rows.size and not names else ()
    settled = [names[row] if names else None for row in rows]
    quotes = [asset if asset in by.tokens else USD for asset in settled]
    deltas = [*delta_usd(underlying)[rows].tolist(), underlying.coins * underlying.index_price]
    net = exposures.net_by([*quotes, USD], np.array(deltas))
    size = exposures.hedged(net.values())
    return marginal_charge(size, tiers_of(by.hedge_tiers)).charge, unknown


def _confidence(underlying: Underlying, parameters: AddOnParameters) -> Iterator[Charge]:
    by = parameters.data_quality
    if by is None:
        return
    usd = _confidence_usd(underlying, by)
    yield Charge("add_on_confidence_usd", underlying.name, usd, by.mm_factor * usd)


def _confidence_usd(underlying: Underlying, by: DataQualityAddOn) -> float:
    r, rows = underlying.rows, held(underlying)
    coins = np.abs(underlying.quantity) * exposures.coins_per_contract(r.kind, r.size, r.forward)
    notional = math.fsum([*coins[rows], abs(underlying.coins)]) * underlying.index_price
    return charges.confidence_charge(confidence_of(underlying.flags, by.confidence), notional, by.threshold, by.factor)


_CHARGES: tuple[Callable[[Underlying, AddOnParameters], Iterator[Charge]], ...] = (
    _liquidity, _naked_shorts, _roll, _funding, _depeg, _confidence,
)  # fmt: skip
