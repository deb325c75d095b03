"""Records the monitor writes: events, states, and what it needs to remember or to give back."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.base import Record
from schemas.fields import Asset, Count, EventId, Name, ParameterHash, Position, Text, TimeUs, Version

Status = Literal["healthy", "warning", "margin_call", "liquidation", "bankrupt", "recovered"]
Regime = Literal["calm", "concentration", "breakdown"]
AttributionGroup = Literal["time", "parameters", "price", "vol", "correlation", "basis", "collateral", "trades"]
EventKind = Literal["warning", "margin_call", "recovered", "resolved", "liquidation", "bankrupt", "data_hold"]


class Published(Record, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Base of what consumers read: a reader of today ignores a field that is added tomorrow."""


# --- events -------------------------------------------------------------------------------------


class Cause(Published, frozen=True, kw_only=True):
    """The record that made an account cross, or what acted at its own moment without one (then `topic` says which)."""

    topic: Text
    """Name of the topic in the topic table. Without a record: `timer` (a deadline of the account's), `expiry` (a
    settlement), `time` (a price became too old, an option lost time value) or `recovery`."""
    partition: int = 0
    """Partition of the record."""
    offset: int = -1
    """Offset of the record; -1 when no record was the cause."""
    index: int = 0
    """Place of the record in its frame, from 0; 0 for a single record."""


class WorstCell(Published, frozen=True, kw_only=True):
    """One scenario of the mixture that makes a netted requirement."""

    scenario: int
    """Its number in the scenario table."""
    price_move: float
    """Price move, as a fraction of the price."""
    vol_shock: Literal["up", "same", "down"]
    """Volatility shock."""
    weight: float
    """Its share of the mixture; the weights of one underlying sum to 1."""
    pnl_usd: float
    """Profit or loss in it, USD."""


class UnderlyingRisk(Published, frozen=True, kw_only=True):
    """One underlying's part of a requirement, with its worst scenario."""

    underlying: Asset
    """The coin."""
    index_price: float
    """Composite index, USD per coin."""
    value_usd: float
    """Present value of everything held in this underlying, its coins included, USD."""
    scan_usd: float
    """Worst loss over the scenarios, USD."""
    roll_usd: float
    """Roll shock, USD."""
    delta_shock_usd: float
    """Delta shock, USD."""
    im_usd: float
    """This underlying's part of the initial requirement, USD; the parts sum to it. Model A: scan, roll and delta shock
    together. Model P: the loss of the worst mixture, negative where this underlying hedges the others. Model D: of the
    shortfall alone."""
    delta_coins: float
    """Net delta, coins."""
    scenario: int
    """Worst scenario of this underlying alone: its number in the scenario table, the lowest of equals."""
    price_move: float
    """Price move of the worst scenario, as a fraction of the price."""
    vol_shock: Literal["up", "same", "down"]
    """Volatility shock of the worst scenario."""
    scenario_pnl_usd: float
    """Profit or loss in the worst scenario, USD."""
    hedge_usd: float | None = None
    """Model P: loss at the end of the range that a perpetual would hedge and that is netted by correlation, USD."""
    worst: Text | None = None
    """Models other than A and P: the scenario that costs most, in words. `scan_usd` is then all of `im_usd`, and the
    number and the moves of a scenario say nothing."""
    mixture: tuple[WorstCell, ...] | None = None
    """Model P: the scenarios of the worst mixture over all underlyings, largest weight first, none below 1e-12."""


class CorrelationState(Published, frozen=True, kw_only=True):
    """The correlations that a netted requirement rests on."""

    version: Count
    """Version of the published matrices; 0 before there are any."""
    digest: str
    """First 16 hex digits of SHA-256 over the published matrices; empty before there are any."""
    stress: float
    """k in force, that of the regime: weight of the plain sum against the worst matrix."""
    matrices: dict[str, float]
    """Weight in the worst case of `fast`, `slow`, `latched_high`, `latched_low` and `floor`; they sum to 1."""
    absorption_ratio: float
    """Largest eigenvalue of the fast matrix over its size: 1 when everything moves together, 0 before there is any."""
    regime: Regime = "calm"
    """Correlation regime, which decides k."""


class AttributionBase(Published, frozen=True, kw_only=True):
    """What an attribution counts from: the account's previous event, or else its latest own record."""

    sequence: Count
    """Sequence of the previous event; 0 if there was none."""
    event_time_us: int
    """Market time then, microseconds since 1970 UTC."""
    im_requirement_usd: float
    """Initial requirement then, USD."""


class AttributionPart(Published, frozen=True, kw_only=True):
    """Part of the change of the initial requirement since the account's previous event that is due to one group."""

    group: AttributionGroup
    """What changed."""
    change_usd: float
    """Its part of the change, USD."""


class PlanLine(Published, frozen=True, kw_only=True):
    """One proposed reduction or hedge of a liquidation plan."""

    instrument: Name
    """What to trade."""
    quantity: float
    """Signed contracts: positive buy, negative sell."""
    expected_release_usd: float
    """Requirement set free, USD."""
    expected_cost_usd: float
    """Cost of the trade, USD."""
    shadow_price_usd: float
    """Requirement set free by one more contract, USD."""


class LeftOut(Published, frozen=True, kw_only=True):
    """Where evaluations of an account were left out under a declared overload since its event before."""

    positions: dict[str, Position]
    """Last record of each topic before the overload, or at the event before if that came later, as [offset, index in
    its frame]."""
    timer: dict[str, Position] | None = None
    """The same of the evaluation that began the timer which fired; absent where none did, and after a takeover."""


class AccountEvent(Published, frozen=True, kw_only=True):
    """One transition of one account: what, how short, why, and computed at which positions.

    The id is fixed before the event is sent; a second delivery has the same bytes. Bodies hold no wall-clock time.
    """

    id: EventId
    """First 32 hex digits of SHA-256 over canonical JSON `[account, episode, sequence, kind]`."""
    kind: EventKind
    """What happened."""
    account: Name
    """The account; the message key."""
    episode: Count
    """Grows each time the account leaves healthy."""
    sequence: Count
    """Grows with every event of the account and is never reset; a hole means a lost event."""
    state_from: Status
    """Status before."""
    state_to: Status
    """Status after; the same for a data hold."""
    data_hold: bool
    """Whether decisions are held because data are stale or contradictory; its own event raises and releases it."""
    jump: bool
    """Whether this is a liquidation without an earlier call in its episode."""
    event_time_us: int
    """Event time of the transition, microseconds since 1970 UTC."""
    valid_until_us: int
    """Until when the event may be acted on, microseconds since 1970 UTC; later, ask `risk.account-states.v1` first."""
    cause: Cause
    """What made the account cross."""
    positions: dict[str, Position]
    """Last record applied of each topic, as [offset, index in its frame]: what the event was computed at."""
    model: str
    """Margin model, by its name in `liqmon models`: P nets risk matrices by correlation, A adds them up."""
    parameter_set: str
    """Name of the parameter set."""
    parameter_hash: ParameterHash
    """First 16 hex digits of SHA-256 over the canonical values of the parameter set."""
    equity_usd: float
    """Collateral and unrealised profit and loss, USD."""
    im_requirement_usd: float
    """Initial requirement (IM), USD."""
    mm_requirement_usd: float
    """Maintenance requirement (MM), USD."""
    shortfall_usd: float
    """Equity missing, USD: to zero for a bankruptcy, to MM for a liquidation or data hold, otherwise to IM."""
    reason: Text
    """One sentence for people."""
    underlyings: tuple[UnderlyingRisk, ...]
    """Contribution of each underlying, the largest requirement first."""
    data_quality: tuple[str, ...] = ()
    """Flags of the data behind the decision, as `stale:BTC`."""
    components: dict[str, float] | None = None
    """Models other than A and P: parts of the initial requirement by name, USD, which sum to it."""
    correlation: CorrelationState | None = None
    """Correlation state in force; absent in models without one, and for accounts in a single underlying."""
    attribution: tuple[AttributionPart, ...] | None = None
    """Why the initial requirement changed since `attribution_base`: eight parts in the order of replacement, which sum
    to the change; absent where either requirement could not be computed."""
    attribution_base: AttributionBase | None = None
    """What the attribution counts from."""
    conflated_records: Count = 0
    """Under a declared overload: market records that moved the account's underlyings between its last evaluation and
    this one, and were folded without an evaluation of their own."""
    left_out: LeftOut | None = None
    """Since where, under a declared overload, not every record was evaluated; absent where every one was."""
    plan: tuple[PlanLine, ...] | None = None
    """What a liquidation should do; absent where not computed."""
    v: Version
    """Layout of the record."""


class AccountState(Published, frozen=True, kw_only=True):
    """Latest state of one account, compacted by account: for late joiners and for a bot's re-check."""

    account: Name
    """The account; the message key."""
    status: Status
    """Present status."""
    data_hold: bool
    """Whether decisions are held because data are stale or contradictory."""
    episode: Count
    """Grows each time the account leaves healthy."""
    sequence: Count
    """Sequence of the account's latest event."""
    version: Count
    """Grows with every write of the account's state."""
    event_time_us: int
    """Event time of the figures, microseconds since 1970 UTC."""
    equity_usd: float
    """Collateral and unrealised profit and loss, USD."""
    im_requirement_usd: float
    """Initial requirement, USD."""
    mm_requirement_usd: float
    """Maintenance requirement, USD."""
    model: str
    """Margin model."""
    parameter_set: str
    """Name of the parameter set."""
    parameter_hash: ParameterHash
    """First 16 hex digits of SHA-256 over the canonical values of the parameter set."""
    positions: dict[str, Position]
    """Last record applied of each topic, as [offset, index in its frame]."""
    path: tuple[dict[str, Position], ...] = ()
    """Positions right behind each of the account's own records since its state before, oldest first, the newest 64.

    Topics that are not named are as in `positions`.
    """
    closed: bool = False
    """Whether the account is closed."""
    v: Version
    """Layout of the record."""


class RegimeChange(Published, frozen=True, kw_only=True, tag_field="kind", tag="regime"):
    """A change of correlation regime over a set of underlyings, with the digest of the matrices in force.

    It is a function of `market.ticks.v1` alone; whoever sends it again sends the same bytes.
    """

    id: EventId = ""
    """First 32 hex digits of SHA-256 over canonical JSON `[underlyings joined by commas, event_time_us, regime]`."""
    regime: Name
    """The regime entered: `calm`, `concentration` or `breakdown`. Each parameter set has a k for each of them:
    `correlation_stress`, `concentration_stress`, `breakdown_stress`."""
    regime_from: Text = ""
    """The regime left."""
    trigger: Text = ""
    """Why: `distance`, `absorption_rise`, `concentration`, or `over` when what led to the regime before has ended."""
    underlyings: Annotated[tuple[Asset, ...], Meta(min_length=1, max_length=256)]
    """The coins, in the order of the matrices; joined by commas they are the message key."""
    distance: float
    """Root mean square of the differences between fast and slow correlations."""
    absorption_ratio: float
    """Share of variance in the first component of the fast correlations, 0 to 1."""
    absorption_rise: float = 0.0
    """How far it stands above its lowest of the last hour."""
    version: Count = 0
    """Version of the published matrices."""
    matrix_digest: str
    """First 16 hex digits of SHA-256 over the matrices in force, as in account events."""
    stale: tuple[Asset, ...] = ()
    """Coins that gave no return at this minute because their index is held."""
    event_time_us: TimeUs
    """The whole minute it was judged at, microseconds since 1970 UTC."""
    v: Version
    """Layout of the record."""


class RangeStep(Published, frozen=True, kw_only=True, tag_field="kind", tag="range"):
    """A step of one underlying's price range, in force for model P from its event time on.

    It is a function of `market.ticks.v1` alone; whoever sends it again sends the same bytes.
    """

    id: EventId = ""
    """First 32 hex digits of SHA-256 over canonical JSON `["range", underlying, event_time_us, version]`."""
    underlying: Asset
    """The coin; the message key."""
    version: Count
    """Grows by one with every record of the underlying, from 1."""
    price_range: float
    """Largest standard price move, as a fraction of the price: a step of the ladder."""
    reach: Count
    """By how many steps of 0.05 a requirement may go beyond the range of its parameter set, rounded up to a step; below
    that range from 2 on. From 10 on the range is `price_range`."""
    annual_volatility: float
    """What it was computed from, a year, decimal."""
    returns: float
    """How many overlapping ten-minute returns the volatility is worth."""
    event_time_us: TimeUs
    """Event time, microseconds since 1970 UTC."""
    v: Version
    """Layout of the record."""


RegimeRecord = RegimeChange | RangeStep


class RiskArray(Published, frozen=True, kw_only=True):
    """P&L of one long contract in each scenario of a parameter set, marked now."""

    instrument: Name
    """The contract, or the coin itself."""
    parameter_set: Name
    """Name of the parameter set; with the instrument, `set/instrument`, it is the message key."""
    parameter_hash: ParameterHash
    """First 16 hex digits of SHA-256 over the canonical values of the parameter set."""
    pnl_usd: tuple[float, ...]
    """Profit or loss in each scenario, in the order of the scenario table, USD."""
    value_usd: float
    """Present value, USD."""
    delta_coins: float
    """Delta, coins: of an option the composite delta that forms spreads."""
    event_time_us: TimeUs
    """Event time, microseconds since 1970 UTC."""
    model: str = "C"
    """The margin model whose scenarios these are."""
    underlying: Asset | None = None
    """The coin: contracts on one coin are one combined commodity."""
    kind: Literal["coin", "linear", "inverse", "linear_option", "inverse_option"] | None = None
    """What it is; the names of contracts say nothing."""
    option_type: Literal["call", "put"] | None = None
    """Right to buy or to sell, of options."""
    contract_size: float = 1.0
    """Coins per contract, USD of face value of inverse futures; counts for the short option minimum."""
    expiry_us: TimeUs | None = None
    """Expiry, microseconds since 1970 UTC: its order among those of the coin is the tier of calendar spreads."""
    index_price: float | None = None
    """Composite index, USD per coin."""
    price: float | None = None
    """Price of a future, forward of an option, USD per coin: charges of calendar spreads are shares of it."""
    price_range: float | None = None
    """Price scan range of the coin, as a fraction: caps and measures credits between coins."""
    v: Version
    """Layout of the record."""


# --- internal, and refused ----------------------------------------------------------------------


class MarketSnapshotPart(Record, frozen=True, kw_only=True):
    """One chunk of one market fold at a fixed multiple of its topic's offsets."""

    topic: Text
    """The market topic."""
    offset: Count
    """The first offset that is not in the snapshot."""
    chunk: Count
    """Number of the chunk, from 0."""
    chunks: Annotated[int, Meta(ge=1)]
    """How many chunks there are."""
    layout: Annotated[int, Meta(ge=1)]
    """Layout of the fold's state; a reader passes over any other."""
    position: Position
    """Offset and index in its frame of the last record that is in the snapshot."""
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    """SHA-256 of the whole snapshot: see `monitor.engine.snapshot`."""
    state: bytes
    """The chunk, base64: a piece of the fold's state in MessagePack."""
    v: Version
    """Layout of the record."""


class SequencedRecord(Record, frozen=True, kw_only=True):
    """Strict order: one record of the merged sequence with its ordinal and the topic it came from."""

    ordinal: Count
    """Place in the merged sequence: the record's position."""
    topic: Text
    """Name in the topic table of the topic it came from."""
    record: msgspec.Raw
    """The record."""
    v: Version
    """Layout of the record."""


class DeadLetter(Record, frozen=True, kw_only=True):
    """What is known of a refused record; on the topic these are headers beside the original bytes."""

    source_topic: Text
    """Topic the record came from, as the broker names it."""
    source_partition: int
    """Its partition."""
    source_offset: int
    """Its offset."""
    source_index: int
    """Its place in its frame, from 0; 0 also for a message refused as a whole."""
    error_kind: Name
    """Why it was refused, one word of a closed list."""
    error_text: Text
    """Why, for people."""
    first_seen_us: int
    """When it was refused, wall clock, microseconds since 1970 UTC."""
    schema: str = ""
    """The contract it broke, as a URI."""
    v: Version
    """Layout of the record."""
