"""What to do about one account, from what is known of it: pure, without clock, network or files."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from examples.bot.journal import Order, order_id
from schemas.records import AccountState
from schemas.topics import TRADES

LEAST_SHARE: Final = 0.1
"""Of an action that the round has room for: below it the account waits for the next round."""


class Verdict(StrEnum):
    """What is to be done about an account now."""

    ACT = "act"
    GONE = "not_liquidatable"
    """Its state is another one now, or it is closed: normal, and nothing to do."""
    HELD = "held"
    """Its data are doubtful: wait."""
    BEHIND = "behind"
    """Its state does not have our last fills yet: wait."""
    EXHAUSTED = "exhausted"
    """As many actions were begun in this episode as may be."""
    UNKNOWN = "unknown"
    """The state that belongs to its alert is not there yet: wait."""


class Trade(NamedTuple):
    """A wish: signed contracts, what one is worth in USD, and how many are held."""

    instrument: str
    quantity: float
    contract_usd: float
    held: float


class Known(NamedTuple):
    """What we know of an account: the sequence of its latest alert, our fills' last offset, actions in its episode."""

    sequence: int
    last_offset: int
    actions: int


def judge(state: AccountState | None, known: Known, max_attempts: int) -> Verdict:
    """Say whether to act on the latest state of an account, which is sent after the alert that it belongs to."""
    if state is None or state.sequence < known.sequence:
        return Verdict.UNKNOWN
    if state.closed or state.status != "liquidation":
        return Verdict.GONE
    if state.data_hold:
        return Verdict.HELD
    if state.positions.get(TRADES.name, (-1, 0))[0] < known.last_offset:
        return Verdict.BEHIND
    return Verdict.EXHAUSTED if known.actions >= max_attempts else Verdict.ACT


def shuffled(accounts: Iterable[str], seed: int, number: int) -> list[str]:
    """Return accounts in the order of one round: another one in each, and the same for the same seed."""
    ordered = sorted(accounts)
    random.Random(f"{seed}/{number}").shuffle(ordered)  # noqa: S311 (no secret: it keeps bots apart)
    return ordered


def largest_first(positions: Mapping[str, float], contract_usd: Mapping[str, float]) -> list[Trade]:
    """Return the trade that closes the largest position: what is done where nobody plans."""
    known = [(abs(held) * contract_usd[name], name, held) for name, held in positions.items() if name in contract_usd]
    if not known or max(known)[0] == 0.0:
        return []
    _, name, held = max(known)
    return [Trade(name, -held, contract_usd[name], held)]


def within(trades: Sequence[Trade], close_fraction: float, left_usd: float) -> list[Trade] | None:
    """Return trades within the caps, None where the round has too little room left for them.

    What closes a position is cut to a fraction of it; all trades of an account are cut by the same share, because
    they hedge each other.
    """
    wanted = [_cut(trade, close_fraction) for trade in trades]
    notional_usd = sum(abs(trade.quantity) * trade.contract_usd for trade in wanted)
    share = 1.0 if notional_usd <= left_usd else left_usd / notional_usd
    if share < LEAST_SHARE:
        return None
    return [trade._replace(quantity=trade.quantity * share) for trade in wanted if trade.quantity != 0.0]


def _cut(trade: Trade, close_fraction: float) -> Trade:
    if trade.held * trade.quantity >= 0.0 or abs(trade.quantity) <= close_fraction * abs(trade.held):
        return trade
    return trade._replace(quantity=-trade.held * close_fraction)


def orders_of(trades: Iterable[Trade], account: str, episode: int, action: int) -> tuple[Order, ...]:
    """Return the orders of an action."""
    return tuple(
        Order(
            order_id(account, episode, action, number), trade.instrument, trade.quantity,
            abs(trade.quantity) * trade.contract_usd,
        )
        for number, trade in enumerate(trades)
    )  # fmt: skip
