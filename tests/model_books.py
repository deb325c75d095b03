"""Accounts and a market for tests of margin models, through the engine's own folds."""

from __future__ import annotations

import random
from dataclasses import dataclass

import msgspec

from monitor.engine import Sourced, new_state, open_shard, step
from monitor.engine.portfolio import portfolio_of
from monitor.engine.state import Account, Holding, State
from monitor.models.portfolio import Portfolio
from schemas.records import AccountConfig
from tests.engine_market import SPOT_USD, START_US, Log, listing, opening

NAMES = tuple(item.instrument for underlying in SPOT_USD for item in listing(underlying))


@dataclass(frozen=True)
class Position:
    """Contracts of one instrument, bought or sold at so many times the index."""

    name: str
    quantity: float
    entry: float = 1.0


def market(*, priced: tuple[str, ...] = tuple(SPOT_USD)) -> State:
    """Return a state whose market has both underlyings with futures and options, and no account."""
    log, state = Log(), new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    records: list[Sourced] = [log(record) for record in opening(priced=priced)]
    step(state, records)
    assert not state.rejected
    return state


def account(positions: list[Position], balances: dict[str, float]) -> Account:
    """Return an account that holds these."""
    holdings = {
        one.name: Holding(quantity=one.quantity, average_price=one.entry * SPOT_USD[one.name[:3]])
        for one in positions
        if one.quantity
    }
    config = AccountConfig(account="book", event_time_us=START_US)
    return Account(config=config, balances={k: v for k, v in balances.items() if v}, holdings=holdings)


def book(state: State, positions: list[Position], balances: dict[str, float]) -> Portfolio:
    """Return the portfolio of such an account."""
    return portfolio_of(account(positions, balances), state.market)


def random_positions(dice: random.Random) -> list[Position]:
    """Return up to seven positions of some ten thousand USD each."""
    chosen = dice.sample(NAMES, dice.randint(1, 7))
    return [Position(name, _quantity(name, dice), dice.uniform(0.9, 1.1)) for name in chosen]


def scaled(positions: list[Position], factor: float) -> list[Position]:
    """Return the same positions, each so many times as large."""
    return [Position(one.name, factor * one.quantity, one.entry) for one in positions]


def shuffled(of: Account, dice: random.Random) -> Account:
    """Return the account with its holdings and balances in another order."""
    holdings, balances = list(of.holdings.items()), list(of.balances.items())
    dice.shuffle(holdings)
    dice.shuffle(balances)
    return msgspec.structs.replace(of, holdings=dict(holdings), balances=dict(balances))


def _quantity(name: str, dice: random.Random) -> float:
    usd = dice.choice((-1.0, 1.0)) * dice.uniform(1_000.0, 50_000.0)
    dollars = name.endswith(("-INVERSE", "-FUTURE"))
    return usd / 10.0 if dollars else usd / SPOT_USD[name[:3]]
