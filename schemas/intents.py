"""Intents of liquidation and what solvers answer: records of an auction for margin.

An intent says how much an account has to gain and what may be traded for it; an answer is a basket with the cost that
its solver asks; an award is what was taken of the answers. Nobody is bound to more than a record says.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import orjson
from msgspec import Meta

from schemas.base import Record
from schemas.fields import Count, InvalidRecord, Money, Name, NonZeroQuantity, Quantity, TimeUs, Version

Basket = Annotated[dict[Name, NonZeroQuantity], Meta(min_length=1, max_length=256)]
Refusal = Literal[
    "late", "unknown", "changed", "not_allowed", "too_expensive", "no_release", "outbid", "unsigned", "forged"
]
"""`unsigned` and `forged` where solvers have keys: there is no signature, or it is not this solver's of this answer."""


class Intent(Record, frozen=True, kw_only=True):
    """What an account needs, for anyone to offer: one action of one liquidation."""

    id: str
    """First 32 hex digits of SHA-256 over canonical `["intent", account, episode, action]`."""
    account: Name
    """The account; the message key."""
    episode: Count
    """Its episode."""
    action: Count
    """Number of the action in the episode, from 1."""
    advice: str = ""
    """Id of the advice whose `view` baskets are margined against, with the awards of earlier actions on top."""
    release_usd: Money
    """Excess that is missing to the target, USD: what a basket has to bring, its cost counted."""
    limits: Annotated[dict[Name, tuple[Quantity, Quantity]], Meta(min_length=1, max_length=256)]
    """What may be traded: least and most signed contracts by instrument."""
    worst_cost_usd: Money
    """Most that all of it may cost together, USD."""
    event_time_us: TimeUs
    """When it was opened, microseconds since 1970 UTC, by the clock that answers are stamped with."""
    expires_us: TimeUs
    """When it is awarded; later answers are late."""
    v: Version = 1
    """Layout of the record."""

    def __post_init__(self) -> None:
        """Refuse an intent that ends before it begins, or needs nothing (raises InvalidRecord)."""
        if self.expires_us <= self.event_time_us or self.release_usd <= 0.0 or self.worst_cost_usd < 0.0:
            raise InvalidRecord("an intent needs a release, and a time in which to answer")
        if any(low > high for low, high in self.limits.values()):
            raise InvalidRecord("least is above most")


class Answer(Record, frozen=True, kw_only=True):
    """A solver's basket for an intent."""

    id: Name
    """The solver's own id of the answer; a repeated id is one answer."""
    intent: str
    """Id of the intent."""
    account: Name
    """The account; the message key."""
    solver: Name
    """Who answers."""
    basket: Basket
    """Signed contracts that the account trades, by instrument."""
    cost_usd: Money
    """What the account pays for it against the marks, USD."""
    divisible: bool = True
    """Whether a share of the basket may be taken, at the same share of the cost."""
    event_time_us: TimeUs
    """When it was made, microseconds since 1970 UTC."""
    v: Version = 1
    """Layout of the record."""

    def __post_init__(self) -> None:
        """Refuse a cost below zero, and trades of nothing (raises InvalidRecord)."""
        if self.cost_usd < 0.0:
            raise InvalidRecord("a cost is not negative")
        if not all(self.basket.values()):
            raise InvalidRecord("a trade of nothing is in the basket")


class Taken(Record, frozen=True, kw_only=True):
    """One answer of which something was taken."""

    answer: Name
    """The answer's id."""
    solver: Name
    """Who made it."""
    share: float
    """Share of its basket, above 0 and at most 1."""
    trades: dict[Name, Quantity]
    """Signed contracts."""
    cost_usd: float
    """Cost of that share, USD."""
    release_usd: float
    """Excess that it brought on top of those before it, by the exact model, its cost counted, USD."""


class Award(Record, frozen=True, kw_only=True):
    """How one action ended: answers taken in their order, the others with the reason."""

    intent: str
    """Id of the intent."""
    account: Name
    """The account; the message key."""
    episode: Count
    """Its episode."""
    action: Count
    """Number of the action."""
    taken: tuple[Taken, ...]
    """What was taken, the best first."""
    refused: dict[Name, Refusal]
    """Answers of which nothing was taken."""
    left_usd: float
    """Excess that is still missing, USD; the next action is about it."""
    event_time_us: TimeUs
    """When it was awarded, microseconds since 1970 UTC."""
    v: Version = 1
    """Layout of the record."""


def intent_id(account: str, episode: int, action: int) -> str:
    """First 32 hex digits of SHA-256 over canonical `["intent", account, episode, action]`."""
    return hashlib.sha256(orjson.dumps(["intent", account, episode, action])).hexdigest()[:32]
