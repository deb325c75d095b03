"""What a cascade comes to."""

from __future__ import annotations

from msgspec import Struct


class Round(Struct, frozen=True):
    """One round: who fell, what was traded, and where prices stand after it.

    `new` are accounts that came into liquidation, `open` those that are still in it after the round. `flow_usd` is the
    delta that went to the market by underlying (sales negative), `taken_usd` what bidders took off it; `move` the
    relative price over the start, less 1.
    """

    number: int
    new: int
    open: int
    flow_usd: dict[str, float]
    taken_usd: float
    move: dict[str, float]
    cost_usd: float
    insurance_usd: float
    bad_debt_usd: float


class Push(Struct, frozen=True):
    """Equity that an account lost because another one's trades moved a price, to first order, USD.

    `pusher` is the account that traded, or `shock`.
    """

    pusher: str
    underlying: str
    pushed: str
    loss_usd: float


class Cascade(Struct, frozen=True):
    """A shock played to its end under one policy.

    `initial_move` and `worst_move` are relative moves by underlying, `amplification` their quotient in logarithms for
    those that the shock moved; `final_move` is where prices come to rest. `pushes` are the largest ones, of accounts
    that fell, at the round in which they did. `ended` is `quiet`, or `rounds` where the bound on rounds ended it: then
    `waiting_usd` is the delta that accounts in liquidation had still to close, by underlying, and `rounds_to_go` how
    many rounds of a cap that takes at least, if nobody else falls.
    """

    policy: str
    accounts: int
    rounds: tuple[Round, ...]
    initial_move: dict[str, float]
    worst_move: dict[str, float]
    final_move: dict[str, float]
    amplification: dict[str, float]
    liquidated: tuple[str, ...]
    bankrupt: tuple[str, ...]
    traded_usd: float
    cost_usd: float
    fees_usd: float
    insurance_usd: float
    bad_debt_usd: float
    pushes: tuple[Push, ...]
    ended: str
    waiting_usd: dict[str, float] = {}
    rounds_to_go: int = 0
