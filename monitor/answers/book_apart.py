"""Standing questions about copies of accounts, away from the state that has them: what `book_wide` asks in place.

A worker's own book has certificates and moves with every tick, so it lends copies: the accounts, and one view of the
market that knows all that any of them holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from monitor.answers.book_wide import Breaches, good, worse
from monitor.answers.figures import standing_of
from monitor.answers.shock import RefusedShock, Shock, all_moves, moved, with_stress
from monitor.answers.view import View, copy_account, decode, encode, view_of
from monitor.engine.book import Book
from monitor.engine.ledger import DOLLAR
from monitor.engine.parameters import ActiveSet
from monitor.engine.portfolio import active_set
from monitor.engine.state import Account
from schemas.ids import parameter_hash

if TYPE_CHECKING:
    from monitor.engine.market import Market
    from schemas.records import ParameterSet


class Part(Struct, frozen=True):
    """Copies of some accounts, written down, and the market that they are asked at."""

    view: msgspec.Raw
    accounts: tuple[msgspec.Raw, ...]


def slim(account: Account) -> Account:
    """Return a copy of an account without what no figure rests on."""
    copied = copy_account(account)
    copied.stored_baseline, copied.recent_ids, copied.positions, copied.timers = None, [], {}, {}
    return copied


def market_of(accounts: Sequence[Account], market: Market) -> View:
    """Take the view of the first account that knows every coin, and all contracts that any of them holds."""
    contracts = {name for account in accounts for name in account.holdings}
    coins = {asset for account in accounts for asset in account.balances if asset != DOLLAR}
    coins |= set(market.ticks.underlyings)
    sets = {one.set.name: one for one in (active_set(account, market) for account in accounts)}
    history = any(account.config.margin_model.startswith("D") for account in accounts)
    view = view_of(accounts[0], market, also=(*sorted(contracts), *sorted(coins)), history=history)
    return replace(view, sets={**view.sets, **sets})


def part_of(view: View, accounts: Iterable[Account]) -> Part:
    """Write copies down."""
    write = msgspec.json.Encoder().encode
    return Part(msgspec.Raw(encode(view)), tuple(msgspec.Raw(write(one)) for one in accounts))


def breaches_apart(part: Part, shock: Shock, *, at_least: str = "warning") -> Breaches:
    """Return the accounts of a part that stand worse under a shock, as `breaches`; raises RefusedShock."""
    view, accounts = _read(part)
    moves = all_moves(view, shock.moves)
    then, sets = view.with_facts(moved(view.facts, moves, shock.vol)), list[str]()
    if shock.stress is not None:
        if not 0.0 <= shock.stress <= 1.0:
            raise RefusedShock(f"k lies in [0, 1], not at {shock.stress}")
        sets = sorted(view.sets)
        stressed = {name: ActiveSet(with_stress(one.set, shock.stress), one.hash) for name, one in view.sets.items()}
        then = replace(then, sets=stressed)
    return _asked(view, then, accounts, sets, at_least)


def preview_apart(part: Part, chosen: ParameterSet, *, at_least: str = "warning") -> Breaches:
    """Return the accounts of a part that would stand worse under a parameter set of its name, as `preview`."""
    view, accounts = _read(part)
    then = replace(view, sets={**view.sets, chosen.name: ActiveSet(chosen, parameter_hash(chosen))})
    return _asked(view, then, accounts, [chosen.name], at_least)


def merged(found: Sequence[Breaches]) -> Breaches:
    """Return answers about different accounts as one, at the newest of their moments."""
    counts: list[dict[str, int]] = [{}, {}]
    for one in found:
        for total, each in zip(counts, (one.before, one.after), strict=True):
            for standing, count in each.items():
                total[standing] = total.get(standing, 0) + count
    every = [breach for one in found for breach in one.breaches]
    every.sort(key=lambda one: (-(one.shortfall_usd or 0.0), one.account))
    time_us = max((one.market_time_us for one in found), default=0)
    return Breaches(time_us, sum(one.accounts for one in found), counts[0], counts[1], tuple(every))


def _read(part: Part) -> tuple[View, dict[str, Account]]:
    accounts = [msgspec.json.decode(one, type=Account) for one in part.accounts]
    return decode(bytes(part.view)), {one.name: one for one in sorted(accounts, key=lambda one: one.name)}


def _asked(view: View, then: View, accounts: Mapping[str, Account], sets: list[str], at_least: str) -> Breaches:
    book, market = Book(certificates=False), view.market()
    for account in accounts.values():
        book.set_account(account, market, resumed=True)
    before = {name: standing_of(good(book.conditions(name))) for name in accounts}
    other = then.market()
    if sets:
        book.refresh_parameters(sets, other)
    book.refresh(view.underlyings, other, surface=True, whole=True)
    return worse(view.facts.time_us, book, accounts, before, at_least)
