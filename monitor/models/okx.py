"""OKX's portfolio margin of one portfolio: a risk unit for each underlying, and borrowing beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kernels import blocks, scenarios
from kernels._jit import Floats
from kernels.marginal_tiers import Tier, marginal_charge
from kernels.okx import units
from kernels.scenarios_table import ScenarioTable
from monitor.models.margin import Margin, Part, Worst, not_computed
from monitor.models.portfolio import Portfolio, Underlying
from schemas.okx import OkxParameters
from schemas.parameters import RiskMatrixParameters
from schemas.tiers import MarginalTiers

MODEL = "A-okx"
COMPONENTS = (*units.Maintenance._fields, "borrowing_usd")
DOLLAR = "USD"
HOURS_PER_YEAR = 8_760.0
VOLATILITIES = {scenarios.UP: "up", scenarios.SAME: "unchanged", scenarios.DOWN: "down"}


@dataclass(frozen=True, slots=True)
class Unit:
    """One risk unit: its charges, what they add to the requirement, and the scenario that its market risk rests on."""

    charges: units.Charges
    maintenance: units.Maintenance
    worst: Worst
    delta_coins: float
    degraded: tuple[str, ...]


def margin(portfolio: Portfolio, parameters: OkxParameters, parameter_hash: str) -> Margin:
    """Return OKX's margin of a portfolio, USD: MMR = sum of units + MR8, IMR = im_factor MMR.

    `statistics` has every charge before the maxima, summed over units. NaN with reasons in `degraded` where something
    held has no value. Source: docs/margin-model-a-okx.md.
    """
    if portfolio.missing:
        return not_computed(MODEL, parameter_hash, portfolio.market_time_us, portfolio.missing, portfolio.flags)
    found = [(one, unit(one, parameters)) for one in portfolio.underlyings]
    borrowing = borrowing_usd(portfolio, parameters)
    mm = {name: math.fsum(getattr(own.maintenance, name) for _, own in found) for name in units.Maintenance._fields} | {
        "borrowing_usd": borrowing
    }
    im = {name: parameters.im_factor * value for name, value in mm.items()}
    charges = {name: math.fsum(getattr(own.charges, name) for _, own in found) for name in units.Charges._fields} | {
        "mr8": borrowing
    }
    return Margin(
        model=MODEL, parameter_hash=parameter_hash, market_time_us=portfolio.market_time_us,
        equity_usd=portfolio.equity_usd, im_requirement_usd=math.fsum(im.values()),
        mm_requirement_usd=math.fsum(mm.values()), im_components=im, mm_components=mm,
        worst=tuple(own.worst for _, own in found if own.worst.pnl_usd < 0.0),
        parts=tuple(_part(one, own, parameters.im_factor) for one, own in found),
        statistics={f"{name}_usd": value for name, value in sorted(charges.items())}, flags=portfolio.flags,
        degraded=tuple(sorted(reason for _, own in found for reason in own.degraded)),
    )  # fmt: skip


def unit(underlying: Underlying, parameters: OkxParameters) -> Unit:
    """Return the risk unit of one underlying; of a cash asset only contracts count."""
    p, group = parameters, parameters.group(underlying.name)
    quantity = underlying.quantity.copy()
    if underlying.name in p.cash_assets:
        quantity[0] = 0.0
    rows, index = underlying.rows, underlying.index_price
    option, contract = underlying.is_option, np.array([name is not None for name in underlying.names])
    table = units.scenario_table(group.spot_moves, group.extreme_move)
    pnl = underlying.pnl_usd(table, _shocks(p))
    cells = np.empty((1, len(table.move)))
    blocks.blocks(np.array([0, len(quantity)], dtype=np.int64), np.arange(len(quantity)), quantity, pnl, cells)
    mr1, scan, mr6, extreme = units.scan_and_extreme(cells[0], p.extreme_share)
    decay = float(math.fsum((quantity * _decay(underlying, p.decay_hours))[option].tolist()))
    present = 3 * len(group.spot_moves)
    by_row = quantity[:, None] * pnl
    delta = quantity * rows.market_delta_coins * index
    quotes, degraded = _quotes(underlying)
    notional = np.where(option, quantity * rows.size, quantity * rows.market_delta_coins) * index
    charges = units.Charges(
        mr1=mr1,
        mr2=max(0.0, -decay),
        mr3=units.vega_term(
            by_row[option, present], by_row[option, present + 2], rows.years[option], p.vega_tenors_days,
            p.vega_offset_charge,
        ),
        mr4=units.basis(
            delta[contract], rows.expiry_us[contract], rows.years[contract], group.basis_move, p.basis_min_days
        ),
        mr5=units.rate((quantity * rows.value_usd)[option], rows.years[option], p.rate_move),
        mr6=mr6,
        mr7=units.minimum(
            units.raw_charge(notional[contract], option[contract], p.future_charge, p.option_charge),
            _tiers(p.minimum_charge),
        ),
        mr9=marginal_charge(units.hedged_across(delta[contract], quotes), _tiers(p.depeg)).charge,
    )  # fmt: skip
    maintenance = units.maintenance(charges)
    if maintenance.theta_usd > 0.0:
        worst = Worst(f"{p.decay_hours:g} hours pass", decay, underlying=underlying.name)
    else:
        worst = _worst(underlying.name, table, cells[0], extreme if maintenance.extreme_usd > 0.0 else scan)
    return Unit(charges, maintenance, worst, math.fsum(quantity * rows.delta_coins), degraded)


def borrowing_usd(portfolio: Portfolio, parameters: OkxParameters) -> float:
    """Return MR8: what is owed in each asset, in slices at their rates.

    Owed are negative balances; an unrealised loss is none until it is settled.
    """
    entries = [usd for one in portfolio.underlyings for usd in one.entry_usd.tolist()]
    balances = [portfolio.cash_usd - math.fsum(entries)]
    balances += [one.coins * one.index_price for one in portfolio.underlyings]
    tiers = _tiers(parameters.borrowing)
    return math.fsum(marginal_charge(max(0.0, -balance), tiers).charge for balance in balances)


def _decay(underlying: Underlying, hours: float) -> Floats:
    """Return what one contract of each row gains while time passes and nothing else changes, USD, float64[n]."""
    n = len(underlying.quantity)
    later = underlying.rows._replace(years=np.maximum(underlying.rows.years - hours / HOURS_PER_YEAR, 0.0))
    still = ScenarioTable(np.zeros(1), np.zeros(1), np.zeros(1, dtype=np.int64), np.ones(1))
    value = np.empty(n)
    scenarios.risk_array(
        *later[:9], underlying.index_price, *still, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, np.empty((n, 1)), value, np.empty(n),
        np.empty(n),
    )  # fmt: skip
    return value - underlying.rows.value_usd


def _quotes(underlying: Underlying) -> tuple[list[str], tuple[str, ...]]:
    """Return the currency that each contract is quoted in, and why it is a guess where it is one.

    An inverse contract is quoted in dollars, whatever it settles in.
    """
    kinds = underlying.rows.kind.tolist()
    contracts = [row for row, name in enumerate(underlying.names) if name is not None]
    linear = {row for row in contracts if kinds[row] in (scenarios.LINEAR, scenarios.LINEAR_OPTION)}
    known = underlying.settlement
    quotes = [(known[row] if known else None) or DOLLAR if row in linear else DOLLAR for row in contracts]
    unknown = any(not known or known[row] is None for row in linear)
    return quotes, (f"no_settlement:{underlying.name}",) if unknown else ()


def _worst(name: str, table: ScenarioTable, cells_usd: Floats, cell: int) -> Worst:
    volatility = VOLATILITIES[int(table.vol_direction[cell])]
    label = f"price {float(table.move[cell]):+.2%}, volatility {volatility}"
    return Worst(label, float(cells_usd[cell]), cell, name)


def _shocks(p: OkxParameters) -> RiskMatrixParameters:
    """Return the volatility shocks in the form that portfolios take them."""
    return RiskMatrixParameters(
        volatility_range_up=p.volatility_range_up,
        volatility_range_down=p.volatility_range_down,
        min_volatility_for_shock_up=p.min_volatility_for_shock_up,
        short_term_vega_power=p.short_term_vega_power,
        long_term_vega_power=p.long_term_vega_power,
        dte_floor_days=p.dte_floor_days,
    )


def _tiers(table: MarginalTiers) -> list[Tier]:
    ends = [math.inf if tier.up_to_usd is None else tier.up_to_usd for tier in table.tiers]
    return [Tier(start, end, tier.rate) for start, end, tier in zip([0.0, *ends[:-1]], ends, table.tiers, strict=True)]


def _part(underlying: Underlying, own: Unit, im_factor: float) -> Part:
    mm_usd = math.fsum(own.maintenance)
    return Part(
        underlying=underlying.name, value_usd=underlying.position_usd + math.fsum(underlying.entry_usd),
        im_usd=im_factor * mm_usd, mm_usd=mm_usd, delta_coins=own.delta_coins,
    )  # fmt: skip
