"""Advice on an event, from a view of its account: the plan, the single cheapest trade, and what both rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from monitor.answers.plan import plan
from monitor.answers.plan.engine import situation_of
from monitor.answers.view import encode
from schemas.ids import advice_id
from schemas.records import Advice, AdvisedTrade, ShadowPrice, SingleTrade

if TYPE_CHECKING:
    from monitor.answers.plan import Plan
    from monitor.answers.plan.result import Alternative
    from monitor.answers.view import View
    from monitor.asking.about import About


def advise(view: View, about: About) -> Advice:
    """Return advice on an event of the view's account, by its positions; raises CannotPlan where there is no plan."""
    found = plan(situation_of(view.account, view.market()))
    return advice_of(found, view, about)


def advice_of(found: Plan, view: View, about: About) -> Advice:
    """Return a plan as advice."""
    single = found.cheapest_trade
    return Advice(
        id=advice_id(about.id, view.positions), event=about.id, kind=about.kind, account=about.account,
        episode=about.episode, sequence=about.sequence, event_time_us=found.market_time_us,
        positions=dict(view.positions), model=found.model, parameter_hash=found.parameter_hash, outcome=found.outcome,
        target_v=found.target_v, equity_usd=found.equity_usd, im_requirement_usd=found.im_requirement_usd,
        mm_requirement_usd=found.mm_requirement_usd, deposit_usd=found.deposit_usd,
        single_trade=None if single is None else _single(single),
        trades=tuple(
            AdvisedTrade(
                instrument=one.instrument, quantity=one.quantity, held=one.held,
                expected_price_usd=one.expected_price_usd, cost_usd=one.cost_usd,
            ) for one in found.orders
        ),
        cost_usd=found.cost_usd, release_usd=found.release_usd, price_of_margin=found.price_of_margin,
        close_fraction=close_fraction(found, view),
        shadow_prices=tuple(
            ShadowPrice(instrument=one.instrument, release_usd=one.release_now_usd, cost_usd=one.cost_usd)
            for one in found.shadow_prices
        ),
        view=msgspec.json.decode(encode(view)) if about.kind == "liquidation" else None, v=1,
    )  # fmt: skip


def close_fraction(found: Plan, view: View) -> float:
    """Return the share of every position that is enough, closed pro rata: 1 if not even that is, 0 if none is."""
    if found.outcome == "nothing":
        return 0.0
    for way in found.baselines:
        if way.name == "pro_rata" and way.cost_usd is not None:
            held = view.account.holdings
            shares = [
                abs(quantity / held[name].quantity) if name in held else 1.0  # coins come after all contracts
                for name, quantity in way.trades.items()
            ]
            return min(1.0, max(shares, default=0.0))
    return 1.0


def _single(way: Alternative) -> SingleTrade | None:
    if way.cost_usd is None or len(way.trades) != 1:
        return None
    ((name, quantity),) = way.trades.items()
    return SingleTrade(instrument=name, quantity=quantity, cost_usd=way.cost_usd)
