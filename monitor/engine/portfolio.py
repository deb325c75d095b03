"""An account and its market as margin models see them: `monitor.models.portfolio`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from monitor.engine.column import range_of, refinement_of
from monitor.engine.expiry import unsettled
from monitor.engine.ledger import DOLLAR_TOKENS, entry_constant, exposures
from monitor.engine.netting import matrices_of, stress_in
from monitor.engine.pricing import PAR_ASSETS, Pricing
from monitor.models.portfolio import Correlations, Portfolio, Underlying

if TYPE_CHECKING:
    from monitor.engine.ledger import Exposures
    from monitor.engine.market import Market
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.state import Account
    from schemas.records import Instrument, RiskMatrixParameters


def portfolio_of(account: Account, market: Market, priced: Mapping[str, Pricing] | None = None) -> Portfolio:
    """Return what an account holds at the market's present state.

    `priced` are rows that are priced already, by underlying, each with all contracts that the account holds of it;
    where there are none they are priced here.
    """
    found = exposures(account, market.instruments)
    active = active_set(account, market)
    underlyings = tuple(_underlying(name, account, market, found, active, priced or {}) for name in found.rows)
    return Portfolio(
        account=account.name,
        market_time_us=market.time_us,
        cash_usd=found.usd,
        underlyings=underlyings,
        correlations=correlations_of(tuple(found.rows), market, active),
        stable_price={token: _stable_price(token, market) for token in sorted(DOLLAR_TOKENS)},
        unlisted=found.unlisted,
        unsettled=unsettled(account, market),
        flags=tuple(sorted({flag for underlying in underlyings for flag in underlying.flags})),
    )


def listed(name: str, market: Market, active: ActiveSet) -> Underlying:
    """Return an underlying with every contract on it that is neither delisted nor expired, none of them held."""
    contracts = sorted(
        item.instrument
        for item in market.instruments.of_underlying(name)
        if item.type != "spot" and not item.delisted and (item.expiry_us is None or item.expiry_us > market.time_us)
    )
    pricing = _priced(name, contracts, market, active.risk_matrix(name))
    nothing = np.zeros(1 + len(contracts))
    return Underlying(
        name=name, index_price=pricing.index_price, annual_vol=_volatility(name, market),
        names=(None, *contracts), quantity=nothing, rows=pricing.rows(np.arange(1 + len(contracts))),
        average_price=nothing, entry_usd=nothing, entry_coins=nothing, held=pricing.held, flags=pricing.flags,
    )  # fmt: skip


def active_set(account: Account, market: Market) -> ActiveSet:
    """Return the parameter set in force for an account: the default one while its own is unknown."""
    active = market.parameters.get(account.config.parameter_set) or market.parameters.get("default")
    assert active is not None, "the default set always exists"
    return active


def stale_funding(contracts: Iterable[str], market: Market) -> tuple[str, ...]:
    """Return the flags of those perpetuals among some contracts whose funding rate is too old, sorted by name."""
    return tuple(f"stale_funding:{name}" for name in sorted(filter(market.ticks.funding_stale, contracts)))


def _underlying(
    name: str, account: Account, market: Market, found: Exposures, active: ActiveSet, priced: Mapping[str, Pricing]
) -> Underlying:
    held = dict(found.rows[name])
    contracts = sorted(row for row in held if row is not None)
    pricing = priced.get(name) or _priced(name, contracts, market, active.risk_matrix(name))
    names: tuple[str | None, ...] = (None, *contracts)
    at = np.array([pricing.row_of[row] for row in names], dtype=np.int64)
    entries = [(0.0, 0.0), *(_entry(account, market, row) for row in contracts)]
    return Underlying(
        name=name,
        index_price=pricing.index_price,
        annual_vol=_volatility(name, market),
        names=names,
        quantity=np.array([held.get(row, 0.0) for row in names]),
        rows=pricing.rows(at),
        average_price=np.array([0.0, *(account.holdings[row].average_price for row in contracts)]),
        entry_usd=np.array([usd for usd, _ in entries]),
        entry_coins=np.array([coins for _, coins in entries]),
        coins=account.balances.get(name, 0.0),
        held=pricing.held,
        flags=(*pricing.flags, *stale_funding(contracts, market)),
        settlement=(None, *(_listed(market, row).settlement for row in contracts)),
        funding_rate_8h=np.array([0.0, *(_funding_rate_8h(market, row) for row in contracts)]),
        refinement=refinement_of(market, name, active.set.netting),
        price_range=range_of(market, name, active),
    )


def _listed(market: Market, name: str) -> Instrument:
    instrument = market.instruments.get(name)
    assert instrument is not None, f"{name} is among the exposures without being listed"
    return instrument


def _funding_rate_8h(market: Market, name: str) -> float:
    return market.ticks.funding_rate_8h(name) if _listed(market, name).type == "perpetual" else 0.0


def _entry(account: Account, market: Market, name: str) -> tuple[float, float]:
    return entry_constant(account.holdings[name], _listed(market, name))


def _priced(name: str, contracts: list[str], market: Market, parameters: RiskMatrixParameters) -> Pricing:
    pricing = Pricing(name)
    pricing.set_names(contracts, market)
    pricing.set_parameters(parameters)
    pricing.read_surfaces(market)
    pricing.price(market)
    return pricing


def correlations_of(underlyings: tuple[str, ...], market: Market, active: ActiveSet) -> Correlations:
    """Return the matrices in force between some underlyings, k, and their history."""
    view, regime, netting = market.ticks.correlation, market.ticks.regime.regime, active.set.netting
    matrices = matrices_of(market, underlyings, netting.floor_correlation)
    return Correlations(
        view.names, matrices, stress_in(regime, netting), view.version, view.digest, market.ticks.history(underlyings),
        regime=regime,
    )  # fmt: skip


def _volatility(underlying: str, market: Market) -> float:
    annual = market.ticks.annual_volatility(underlying)
    return math.nan if annual is None else annual


def _stable_price(token: str, market: Market) -> float:
    view = market.ticks.index(token)
    if view is None:
        return 1.0 if token in PAR_ASSETS else math.nan
    return view.price_usd
