"""A situation from the engine's account and market."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from monitor.answers.plan.situation import Situation
from monitor.engine.portfolio import active_set, listed, portfolio_of
from monitor.models.portfolio import Rows, Underlying

if TYPE_CHECKING:
    from monitor.engine.market import Market
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.state import Account


def situation_of(account: Account, market: Market) -> Situation:
    """Return an account at the market's present state, with the perpetuals that it could hedge with."""
    portfolio, active = portfolio_of(account, market), active_set(account, market)
    hedges = {} if portfolio.missing else {u.name: _perpetuals(u, market, active) for u in portfolio.underlyings}
    situation = Situation(
        portfolio, account.config.margin_model, active.set, active.hash,
        hedges={name: found for name, found in hedges.items() if len(found.names) > 1},
    )  # fmt: skip
    if portfolio.missing or account.status in {"liquidation", "bankrupt"}:
        return situation
    now = situation.margin(portfolio)
    called = now.mm_requirement_usd < active.set.status.liquidation_enter_u * now.equity_usd
    return Situation(
        portfolio, situation.model, active.set, active.hash, in_liquidation=not called, hedges=situation.hedges
    )


def _perpetuals(held: Underlying, market: Market, active: ActiveSet) -> Underlying:
    """Return the perpetuals on a coin that have a price and are not held, behind the coin's own row."""
    of = listed(held.name, market, active)
    perpetual = of.is_future & (of.rows.expiry_us == 0) & np.isfinite(of.rows.value_usd)
    rows = [0, *(row for row in range(1, len(of.names)) if perpetual[row] and of.names[row] not in held.names)]
    names = [of.names[row] for row in rows[1:]]
    found = [market.instruments.get(name) for name in names if name is not None]
    nothing = np.zeros(len(rows))
    return Underlying(
        name=of.name, index_price=of.index_price, annual_vol=of.annual_vol, names=(None, *names), quantity=nothing,
        rows=Rows._make(column[rows] for column in of.rows), average_price=nothing, entry_usd=nothing,
        entry_coins=nothing, held=of.held, flags=of.flags,
        settlement=(None, *(one.settlement if one is not None else None for one in found)),
        funding_rate_8h=np.array([0.0, *(market.ticks.funding_rate_8h(name) for name in names if name is not None)]),
    )  # fmt: skip
