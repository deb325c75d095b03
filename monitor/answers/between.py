"""What changed of a requirement between two views, by groups, under every margin model.

The groups are those of events (`monitor.engine.attribution`): volatility is a number for each option, and a coin's
price under collateral is apart from its price under contracts (a balance at another index is another balance). k and
price ranges count as parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from kernels.surface import CONSTANT
from monitor.answers.facts import CoinFacts, ContractFacts, ExpiryFacts
from monitor.answers.figures import Evaluator
from monitor.answers.groups import Change, Chosen, change_of
from monitor.answers.shock import price_of
from monitor.answers.view import View, copy_account
from monitor.engine.ledger import DOLLAR
from monitor.engine.state import Account, Holding
from monitor.engine.surface import SurfaceRow

if TYPE_CHECKING:
    from schemas.records import AttributionGroup

    Of = Callable[[AttributionGroup], View]


def change_between(old: View, new: View, *, shapley: bool = False) -> Change | None:
    """Split the change of the initial requirement between two views; None where either has none.

    The new view knows the market of what either holds.
    """
    old, new = _with_numbers(old, new), _with_numbers(new, old)

    def requirement(chosen: Chosen) -> float:
        view = mixed(old, new, chosen)
        return Evaluator(view).figures(view).im_requirement_usd

    return change_of(requirement, shapley=shapley)


def mixed(old: View, new: View, chosen: Chosen) -> View:
    """Return the view in which the chosen groups are new and all others old."""

    def of(group: AttributionGroup) -> View:
        return new if group in chosen else old

    coins = {u: _coin(u, of, old, new) for u in sorted({*old.facts.coins, *new.facts.coins})}
    names = sorted({*old.facts.contracts, *new.facts.contracts})
    correlated = of("correlation")
    facts = msgspec.structs.replace(
        old.facts, time_us=of("time").facts.time_us, funding_us=of("time").facts.funding_us, coins=coins,
        contracts={name: _contract(name, of, old, new) for name in names}, correlation=correlated.facts.correlation,
    )  # fmt: skip
    account = copy_account(of("trades").account)
    account.config = of("parameters").account.config
    if ("price" in chosen) != ("collateral" in chosen):
        _revalue(account, of("price"), of("collateral"))
    return View(
        account=account, facts=facts, sets=of("parameters").sets, positions=new.positions, history=correlated.history,
        correlation=correlated.correlation,
    )  # fmt: skip


def _coin(u: str, of: Of, old: View, new: View) -> CoinFacts:
    """Mix one coin's facts; what is in one view only has not changed."""

    def take(group: AttributionGroup) -> CoinFacts:
        return of(group).facts.coins.get(u) or new.facts.coins.get(u) or old.facts.coins[u]

    basis, time = take("basis").expiries, take("time").expiries
    expiries = {
        name: ExpiryFacts(basis.get(name, one).forward_basis, one.average) for name, one in {**basis, **time}.items()
    }
    return CoinFacts(
        index=take("price").index, annual_vol=take("vol").annual_vol, range_step=take("parameters").range_step,
        expiries=expiries,
    )  # fmt: skip


def _contract(name: str, of: Of, old: View, new: View) -> ContractFacts:
    """Mix one contract's facts; as `_coin`."""

    def take(group: AttributionGroup) -> ContractFacts:
        known = of(group).facts.contracts.get(name) or new.facts.contracts.get(name)
        return known or old.facts.contracts[name]

    time = take("time")
    return msgspec.structs.replace(
        take("basis"), surface=take("vol").surface, funding=time.funding, funding_rate_8h=time.funding_rate_8h,
        funding_stale=time.funding_stale,
    )  # fmt: skip


def _revalue(account: Account, priced: View, collateral: View) -> None:
    """Let balances be worth what they are at the collateral's index, whatever contracts are priced at."""
    for asset, amount in account.balances.items():
        if asset == DOLLAR:
            continue
        price, other = price_of(priced.facts, asset), price_of(collateral.facts, asset)
        if price and other:
            account.balances[asset] = amount * (other / price)


def _with_numbers(view: View, other: View) -> View:
    """Return a view in which the volatility of each option held in either is a number."""
    account = copy_account(view.account)
    account.holdings = {
        name: Holding(quantity=1.0, average_price=1.0) for name in {**view.account.holdings, **other.account.holdings}
    }
    both = view.with_account(account)
    evaluator = Evaluator(both)
    evaluator.figures(both)
    contracts = dict(view.facts.contracts)
    for u in evaluator.underlyings:
        for name, _ in evaluator.exposure(u):
            if name is not None and contracts[name].surface is not None:  # a spot trade's row has none
                vol = evaluator.pricing(u).mark(name).vol
                if math.isnan(vol):
                    continue
                row = SurfaceRow(CONSTANT, vol)
                contracts[name] = msgspec.structs.replace(contracts[name], surface=row)
    return view.with_facts(msgspec.structs.replace(view.facts, contracts=contracts))
