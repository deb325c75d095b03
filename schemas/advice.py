"""Advice: what could be done about a call, said after the event; and where workers are that can be asked for more."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from schemas.fields import Count, EventId, Name, ParameterHash, Position, TimeUs, Version
from schemas.outputs import Published


class AdvisedTrade(Published, frozen=True, kw_only=True):
    """One trade that is proposed. Nothing of ours sends it."""

    instrument: Name
    """What to trade: a contract, or a coin by its name."""
    quantity: float
    """Signed contracts: positive buy, negative sell."""
    held: float
    """Signed contracts held before it."""
    expected_price_usd: float
    """Price with half a spread and its part of the impact, USD per coin."""
    cost_usd: float
    """What it costs against the mark, fee included, USD; below zero where it stands against the plan's own flow."""


class SingleTrade(Published, frozen=True, kw_only=True):
    """The one trade that reaches the target alone at the least cost, hedges with perpetuals included."""

    instrument: Name
    """What to trade."""
    quantity: float
    """Signed contracts: positive buy, negative sell."""
    cost_usd: float
    """Its cost, USD."""


class ShadowPrice(Published, frozen=True, kw_only=True):
    """What closing the first contract of a position releases, and costs."""

    instrument: Name
    """What is held."""
    release_usd: float
    """Initial requirement that it releases, USD; below zero where the position hedges and is better kept."""
    cost_usd: float
    """What it costs, impact aside, USD."""


class Advice(Published, frozen=True, kw_only=True):
    """What could be done about a margin call or a liquidation, at the positions that it names.

    It follows its event within moments, and may be missing: no event waits for it. The newest of an account counts.
    """

    id: EventId
    """First 32 hex digits of SHA-256 over canonical JSON `["advice", event, positions]`."""
    event: EventId
    """Id of the event that it is about."""
    kind: Literal["margin_call", "liquidation"]
    """Kind of that event."""
    account: Name
    """The account; the message key."""
    episode: Count
    """Episode of that event."""
    sequence: Count
    """Sequence of that event."""
    event_time_us: int
    """Market time of the figures, microseconds since 1970 UTC; not before the event's."""
    positions: dict[str, Position]
    """Last record applied of each topic, as [offset, index in its frame]: what it was computed at."""
    model: str
    """Margin model."""
    parameter_hash: ParameterHash
    """First 16 hex digits of SHA-256 over the canonical values of the parameter set."""
    outcome: Literal["nothing", "reduce", "infeasible"]
    """Whether the account may leave its state already, trades help, or not even closing everything does."""
    target_v: float
    """IM/equity that the trades come down to, buffer included."""
    equity_usd: float
    """Equity, USD."""
    im_requirement_usd: float
    """Initial requirement, USD."""
    mm_requirement_usd: float
    """Maintenance requirement, USD."""
    deposit_usd: float
    """Dollars that would do it without any trade."""
    single_trade: SingleTrade | None = None
    """The single cheapest trade that does it; absent where none does alone."""
    trades: tuple[AdvisedTrade, ...] = ()
    """The cheapest trades together, closing positions only, the dearest first."""
    cost_usd: float = 0.0
    """Cost of all of them, USD."""
    release_usd: float = 0.0
    """Initial requirement that they release, USD."""
    price_of_margin: float | None = None
    """What one USD of excess more would cost."""
    close_fraction: float = 0.0
    """Share of every position that is enough, closed pro rata: a cap on what has to be closed; 1 where that is not."""
    shadow_prices: tuple[ShadowPrice, ...] = ()
    """By position, the largest release for its cost first."""
    view: dict[str, Any] | None = None
    """Of a liquidation: all that the figures rest on, as in bundles; what answers to an intent are margined against."""
    v: Version
    """Layout of the record."""


class WorkerEndpoint(Published, frozen=True, kw_only=True):
    """Where the owner of a partition can be asked about its accounts."""

    partition: Count
    """Partition of the account topics; the message key."""
    url: Annotated[str, Meta(max_length=512, pattern=r"^https?://[^\s/]+$(?!\n)")]
    """Scheme, host and port of the owner's endpoint."""
    group: str
    """Consumer group of the owner: workers in live and in strict order may run beside each other."""
    epoch: Count
    """Epoch in which it took the partition over; the largest counts."""
    announced_us: TimeUs
    """When it said so, wall clock, microseconds since 1970 UTC."""
    v: Version
    """Layout of the record."""
