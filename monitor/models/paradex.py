"""Paradex's portfolio margin of one portfolio: a net margin for each underlying, and provisions beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kernels import blocks, scenarios
from kernels._jit import Floats
from kernels.paradex import net as kernel
from monitor.models.margin import Margin, Part, Worst, not_computed
from monitor.models.portfolio import Portfolio, Underlying
from schemas.paradex import ParadexParameters, ParadexScan
from schemas.parameters import RiskMatrixParameters

MODEL = "A-paradex"
COMPONENTS = ("scan_usd", "minimum_usd", "funding_provision_usd", "fee_provision_usd")
VOLATILITIES = {scenarios.UP: "up", scenarios.DOWN: "down"}


@dataclass(frozen=True, slots=True)
class Scanned:
    """One underlying: its net margin and provisions, USD, and perpetuals whose funding rate is not known."""

    net: kernel.Net
    funding_usd: float
    fee_usd: float
    worst: Worst
    delta_coins: float
    degraded: tuple[str, ...]


def margin(portfolio: Portfolio, parameters: ParadexParameters, parameter_hash: str) -> Margin:
    """Return Paradex's margin of a portfolio, USD: IM = net + provisions, MM = mm_factor net + provisions.

    A perpetual without a funding rate has no provision and a reason in `degraded`. NaN with reasons where something
    held has no value. Source: docs/margin-model-a-paradex.md.
    """
    if portfolio.missing:
        return not_computed(MODEL, parameter_hash, portfolio.market_time_us, portfolio.missing, portfolio.flags)
    found = [(one, scanned(one, parameters)) for one in portfolio.underlyings]
    im = {
        "scan_usd": math.fsum(own.net.loss_usd for _, own in found),
        "minimum_usd": math.fsum(own.net.minimum_usd for _, own in found),
        "funding_provision_usd": math.fsum(own.funding_usd for _, own in found),
        "fee_provision_usd": math.fsum(own.fee_usd for _, own in found),
    }
    halved = {name: parameters.mm_factor * im[name] for name in ("scan_usd", "minimum_usd")}
    mm = im | halved
    return Margin(
        model=MODEL, parameter_hash=parameter_hash, market_time_us=portfolio.market_time_us,
        equity_usd=portfolio.equity_usd, im_requirement_usd=math.fsum(im.values()),
        mm_requirement_usd=math.fsum(mm.values()), im_components=im, mm_components=mm,
        worst=tuple(own.worst for _, own in found if own.net.loss_usd > 0.0),
        parts=tuple(_part(one, own, parameters.mm_factor) for one, own in found), flags=portfolio.flags,
        degraded=tuple(sorted(reason for _, own in found for reason in own.degraded)),
    )  # fmt: skip


def scanned(underlying: Underlying, parameters: ParadexParameters) -> Scanned:
    """Return net margin and provisions of one underlying; of a cash asset only contracts count."""
    scan = parameters.scans.get(underlying.name, parameters.scan)
    rows, index = underlying.rows, underlying.index_price
    quantity = underlying.quantity.copy()
    if underlying.name in parameters.cash_assets:
        quantity[0] = 0.0
    tails = [(tail.move, tail.weight) for tail in scan.tails]
    table = kernel.scenario_table(scan.moves, tails)
    cells = np.empty((1, len(table.move)))
    held = np.array([0, len(quantity)], dtype=np.int64), np.arange(len(quantity), dtype=np.int64), quantity
    blocks.blocks(*held, underlying.pnl_usd(table, _shocks(scan)), cells)
    counted = kernel.weighted(cells[0], tails)
    least = kernel.minimum_usd(
        position_delta_coins(underlying, quantity), index, scan.net_delta_rate, scan.hedged_delta_rate
    )
    net = kernel.net(counted, least)
    notional = quantity * np.where(underlying.is_option, rows.size, rows.market_delta_coins) * index
    linear = rows.kind == scenarios.LINEAR
    notional[linear] = (quantity * rows.size * rows.forward)[linear]
    funding, degraded = _funding(underlying, notional)
    contract = np.array([name is not None for name in underlying.names])
    move, volatility = float(table.move[net.cell]), VOLATILITIES[int(table.vol_direction[net.cell])]
    return Scanned(
        net=net, funding_usd=funding,
        fee_usd=parameters.fee_rate * math.fsum(np.abs(notional[contract]).tolist()),
        worst=Worst(f"price {move:+.2%}, volatility {volatility}", float(counted[net.cell]), net.cell, underlying.name),
        delta_coins=math.fsum(quantity * rows.delta_coins), degraded=degraded,
    )  # fmt: skip


def position_delta_coins(underlying: Underlying, quantity: Floats) -> Floats:
    """Return the delta of each position, coins: an inverse future has its own, and the coin row what is really coins.

    Elsewhere the coin row carries the entry side of inverse futures, whose own rows are flat: the sum is the same, but
    what hedges what would be lost.
    """
    rows = underlying.rows
    delta: Floats = quantity * rows.delta_coins
    inverse = rows.kind == scenarios.INVERSE
    own = (quantity * rows.size / np.where(inverse, rows.forward, 1.0))[inverse]
    delta[inverse] += own
    delta[0] -= math.fsum(own.tolist())
    return delta


def _funding(underlying: Underlying, notional_usd: Floats) -> tuple[float, tuple[str, ...]]:
    perpetual = underlying.is_future & (underlying.rows.expiry_us == 0) & (underlying.quantity != 0.0)
    known = underlying.funding_rate_8h
    rate = known if known.size else np.full(len(notional_usd), math.nan)
    unknown = perpetual & np.isnan(rate)
    reasons = tuple(f"no_funding_rate:{underlying.names[row]}" for row in np.flatnonzero(unknown))
    paying = perpetual & ~unknown
    return kernel.funding_provision(notional_usd[paying], rate[paying]), reasons


def _shocks(scan: ParadexScan) -> RiskMatrixParameters:
    """Return the volatility shocks in the form that portfolios take them."""
    return RiskMatrixParameters(
        volatility_range_up=scan.volatility_range_up,
        volatility_range_down=scan.volatility_range_down,
        min_volatility_for_shock_up=scan.min_volatility_for_shock_up,
        short_term_vega_power=scan.short_term_vega_power,
        long_term_vega_power=scan.long_term_vega_power,
        dte_floor_days=scan.dte_floor_days,
    )


def _part(underlying: Underlying, own: Scanned, mm_factor: float) -> Part:
    net, provisions = own.net.loss_usd + own.net.minimum_usd, own.funding_usd + own.fee_usd
    return Part(
        underlying=underlying.name, value_usd=underlying.position_usd + math.fsum(underlying.entry_usd),
        im_usd=net + provisions, mm_usd=mm_factor * net + provisions, delta_coins=own.delta_coins,
    )  # fmt: skip
