"""An immutable view of one account with all that its figures rest on: what every answer starts from.

A view is taken from an engine's state in some ten microseconds a contract, holds no reference to anything that the
engine will change, and can be written down and read again with the same figures to the last bit. What is asked of it
("what if BTC falls by 7 %?") gives another view; nothing ever changes one.

`take` copies what the account holds. Whatever a question adds (contracts to trade, coins to receive) has to be named
then, in `also`, because the market keeps moving and a view does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct

from monitor.answers.facts import (
    CoinFacts,
    ContractFacts,
    Facts,
    coin_facts,
    contract_facts,
    correlation_facts,
    correlation_view,
)
from monitor.answers.frozen import History, frozen_market
from monitor.engine.book import Book
from monitor.engine.ledger import DOLLAR, DOLLAR_TOKENS
from monitor.engine.parameters import ActiveSet
from monitor.engine.portfolio import active_set, portfolio_of
from monitor.engine.pricing import grid
from monitor.engine.state import Account, Holding
from schemas.ids import canonical, parameter_hash
from schemas.records import START, ParameterSet, Position

if TYPE_CHECKING:
    from monitor.engine.correlation import CorrelationView
    from monitor.engine.evaluation import Evaluation
    from monitor.engine.market import Market
    from monitor.engine.state import State
    from monitor.models.portfolio import Portfolio
    from schemas.records import Instrument

PERPETUALS = ":perpetuals"  # in `also`: all on the coins that the account has to do with; no name of a contract
LAYOUT = 1  # of a view that was written down
WITH_HISTORY = ("D", "D-history")  # models that read returns of the past
_NO_HISTORY = History((), np.zeros((0, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One account at one moment.

    `account` is a copy and is never changed: `copy_account` gives one that may be. `facts` is what the market says of
    its contracts and coins, `sets` the parameter sets by name, `positions` the last record of each topic that counts.
    """

    account: Account
    facts: Facts
    sets: Mapping[str, ActiveSet]
    positions: Mapping[str, Position]
    history: History
    correlation: CorrelationView

    @property
    def active(self) -> ActiveSet:
        """The parameter set in force for the account: the default one while its own is unknown."""
        return self.sets.get(self.account.config.parameter_set) or self.sets["default"]

    @property
    def underlyings(self) -> tuple[str, ...]:
        """What the view has prices of, sorted."""
        return tuple(sorted(self.facts.coins))

    def market(self) -> Market:
        """Return the market as the engine reads it; nothing can be applied to it."""
        return frozen_market(self.facts, self.history, self.sets, self.positions, self.correlation)

    def book(self, market: Market | None = None) -> Book:
        """Return a book of this account alone, evaluated: the engine's own figures, bit for bit."""
        book = Book(certificates=False)
        book.set_account(self.account, market or self.market(), resumed=True)
        return book

    def evaluation(self) -> Evaluation:
        """Return the account's evaluation as events say it."""
        market = self.market()
        return self.book(market).evaluation(self.account, market)

    def portfolio(self) -> Portfolio:
        """Return the account as margin models see it."""
        return portfolio_of(self.account, self.market())

    def with_account(self, account: Account) -> View:
        """Return the view of another account (other holdings, another model) at the same market."""
        return replace(self, account=account)

    def with_facts(self, facts: Facts) -> View:
        """Return the view of the same account at another market with the same correlations."""
        return replace(self, facts=facts)

    def with_set(self, chosen: ParameterSet) -> View:
        """Return the view under another parameter set, put in force for the account."""
        active = ActiveSet(chosen, parameter_hash(chosen))
        account = copy_account(self.account)
        account.config = msgspec.structs.replace(account.config, parameter_set=chosen.name)
        return replace(self, account=account, sets={**self.sets, chosen.name: active})


class _Written(Struct, frozen=True):
    """A view as it is written down; `history` by underlying, oldest first, None where there was no return."""

    layout: int
    account: Account
    facts: Facts
    sets: dict[str, ParameterSet]
    positions: dict[str, Position]
    history: dict[str, list[float | None]]


def take(state: State, name: str, *, also: Iterable[str] = (), history: bool | None = None) -> View:
    """Take the view of an account from an engine's state.

    `also` names contracts and underlyings that the account does not hold and that are wanted too; what is not listed
    is left out; PERPETUALS stands for those that it could hedge with. `history` says whether to take returns of the
    past (by default if the account's model reads them).
    Raises KeyError if the account is not here.
    """
    partition = state.partition_of[name]
    account = state.shards[partition].accounts[name]
    positions = {**state.shards[partition].marker.positions, **state.market.positions}
    for topic, position in account.positions.items():  # an account may have been recovered ahead of its shard
        if topic not in state.market.positions:
            positions[topic] = max(position, positions.get(topic, START))
    return view_of(account, state.market, positions=positions, also=also, history=history)


def view_of(
    account: Account, market: Market, *, positions: Mapping[str, Position] | None = None, also: Iterable[str] = (),
    history: bool | None = None,
) -> View:  # fmt: skip
    """Take the view of an account at a market; as `take`."""
    base = account.baseline
    wanted = _named(account, market, (*also, *(() if base is None else base.contracts)))
    instruments = _instruments(account, market, wanted)
    coins = {asset for asset in account.balances if asset != DOLLAR} | DOLLAR_TOKENS
    coins |= {instrument.underlying for instrument in instruments}
    coins |= {instrument.settlement for instrument in instruments if instrument.settlement != DOLLAR}
    coins |= {name for name in wanted if market.instruments.get(name) is None}
    coins |= set() if base is None else set(base.coins)
    at_us = grid(market.time_us)
    expiries: dict[str, set[int]] = {name: set() for name in coins}
    for instrument in instruments:
        if instrument.expiry_us is not None:
            expiries[instrument.underlying].add(instrument.expiry_us)
    listed = _with_listings(instruments, coins, market, at_us)
    facts = Facts(
        time_us=market.time_us,
        coins={name: coin_facts(market, name, expiries[name], at_us) for name in sorted(coins)},
        contracts={one.instrument: contract_facts(market, one) for one in listed},
        correlation=correlation_facts(market),
        funding_us=market.ticks.funding_us,
    )
    names = tuple(sorted(coins))
    reads = account.config.margin_model in WITH_HISTORY if history is None else history
    return View(
        account=copy_account(account),
        facts=facts,
        sets=_sets(account, market),
        positions=dict(market.positions if positions is None else positions),
        history=History(names, market.ticks.history(names)) if reads else _NO_HISTORY,
        correlation=market.ticks.correlation,
    )


def _named(account: Account, market: Market, also: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names with PERPETUALS written out."""
    if PERPETUALS not in also:
        return also
    names = tuple(name for name in also if name != PERPETUALS)
    coins = {one.underlying for one in _instruments(account, market, names)} | account.balances.keys()
    listed = (one for coin in sorted(coins) for one in market.instruments.of_underlying(coin))
    return (*names, *(one.instrument for one in listed if one.type == "perpetual" and not one.delisted))


def copy_account(account: Account) -> Account:
    """Return a copy of an account that may be changed without changing the other."""
    holdings = {name: Holding(*msgspec.structs.astuple(one)) for name, one in account.holdings.items()}
    return Account(
        config=account.config, layout=account.layout, epoch=account.epoch, version=account.version,
        flush=account.flush, balances=dict(account.balances), holdings=holdings, status=account.status,
        status_since_us=account.status_since_us, data_hold=account.data_hold, called=account.called,
        deposited=account.deposited, episode=account.episode, sequence=account.sequence, timers=dict(account.timers),
        positions=dict(account.positions), recent_ids=list(account.recent_ids), equity_usd=account.equity_usd,
        im_requirement_usd=account.im_requirement_usd, mm_requirement_usd=account.mm_requirement_usd,
        stored_baseline=account.baseline, kept=account.kept,
    )  # fmt: skip


def encode(view: View) -> bytes:
    """Write a view down as canonical JSON; raises ValueError on NaN or infinity."""
    returns = view.history.returns
    history = {
        name: [None if math.isnan(value) else value for value in returns[:, k].tolist()]
        for k, name in enumerate(view.history.underlyings)
    }
    sets = {name: active.set for name, active in view.sets.items()}
    written = _Written(LAYOUT, view.account, view.facts, sets, dict(view.positions), history)
    return canonical(written)


def decode(data: bytes) -> View:
    """Read a view; raises `msgspec.ValidationError`/`DecodeError`, or ValueError on another layout."""
    written = _decode(data)
    if written.layout != LAYOUT:
        raise ValueError(f"the view has layout {written.layout}, this build reads {LAYOUT}")
    columns = [[float("nan") if value is None else value for value in one] for one in written.history.values()]
    return View(
        account=written.account,
        facts=written.facts,
        sets={name: ActiveSet(one, parameter_hash(one)) for name, one in written.sets.items()},
        positions=written.positions,
        history=History(tuple(written.history), np.array(columns).T.copy()) if columns else _NO_HISTORY,
        correlation=correlation_view(written.facts.correlation),
    )


_decode = msgspec.json.Decoder(_Written).decode


def _sets(account: Account, market: Market) -> dict[str, ActiveSet]:
    default = market.parameters.get("default")
    assert default is not None, "the default set always exists"
    return {"default": default, active_set(account, market).set.name: active_set(account, market)}


def _instruments(account: Account, market: Market, also: Iterable[str]) -> list[Instrument]:
    """Return the listed contracts of an account and those wanted beside them, by name."""
    found = (market.instruments.get(name) for name in sorted({*account.holdings, *also}))
    return [instrument for instrument in found if instrument is not None]


def _with_listings(
    instruments: Iterable[Instrument], underlyings: Iterable[str], market: Market, at_us: int
) -> list[Instrument]:  # fmt: skip
    """Add what the engine reads of other contracts: futures that are the forwards of options, and the next expiry."""
    found = {one.instrument: one for one in instruments}
    for underlying in sorted(underlyings):
        held_expiries = {one.expiry_us for one in found.values() if one.underlying == underlying}
        listed = market.instruments.of_underlying(underlying)
        for one in listed:
            if one.type == "future" and one.expiry_us in held_expiries:
                found.setdefault(one.instrument, one)
        options = [one for one in listed if one.type == "option" and not one.delisted and _life_us(one, at_us) > 0]
        if options:
            nearest = min(options, key=lambda one: (_life_us(one, at_us), one.instrument))
            found.setdefault(nearest.instrument, nearest)
    return [found[name] for name in sorted(found)]


def _life_us(option: Instrument, at_us: int) -> int:
    return (option.expiry_us or 0) - at_us


__all__ = [
    "CoinFacts",
    "ContractFacts",
    "Facts",
    "View",
    "copy_account",
    "decode",
    "encode",
    "take",
    "view_of",
]
