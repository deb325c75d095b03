"""Every record that crosses a topic, frozen and typed.

Conventions
-----------
* Times are integer microseconds since 1970 (UTC): `event_time_us` is the venue's clock,
  `received_time_us` the recorder's. Staleness, timers and order use event time only.
* Quantities are signed numbers of contracts (+ long, - short). `Instrument.contract_size` is coins per
  contract for spot, linear contracts and options, and USD of face value for inverse futures.
* Prices are USD per coin, except options of an inverse contract: coins per coin of underlying.
* Volatilities are annualised decimals (0.45 is 45 %); years have 365 days.
* `v` is the version of the record layout. A record without it is version 1.

Evolution: only optional fields with defaults may be added; a changed meaning is a new topic version.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.fields import (
    MAX_FRAME_ROWS,
    MAX_RECORD_BYTES,
    MAX_TIME_US,
    MIN_TIME_US,
    SEEN_ASSETS,
    SEEN_NAMES,
    START,
    Asset,
    Count,
    HotAsset,
    HotName,
    Identifier,
    InvalidRecord,
    Money,
    Name,
    Position,
    Price,
    Quantity,
    Ratio,
    Text,
    TimeUs,
    Version,
    Volatility,
    admit_asset,
    admit_name,
)

class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all records: immutable, keyword-only, unknown fields refused, defaults left out on the wire."""


class Tombstone(Struct, frozen=True):
    """A null value on a compacted topic: what `key` named is gone."""

    key: str


# --- account inputs -----------------------------------------------------------------------------


class Trade(Record, frozen=True, kw_only=True, gc=False):
    """A fill. `fee` is a cost in the settlement asset (negative for a rebate)."""

    trade_id: Identifier
    account: HotName
    instrument: HotName
    quantity: Quantity
    price: Price
    event_time_us: TimeUs
    fee: Money = 0.0
    v: Version = 1

    def __post_init__(self) -> None:
        """Refuse a fill of nothing and an illegal name (raises InvalidRecord)."""
        if self.account not in SEEN_NAMES:
            admit_name(self.account)
        if self.instrument not in SEEN_NAMES:
            admit_name(self.instrument)
        if self.quantity == 0.0:
            raise InvalidRecord("quantity is zero", "out_of_range")


class Transfer(Record, frozen=True, kw_only=True, gc=False):
    """A deposit (positive) or withdrawal (negative) of one asset."""

    transfer_id: Identifier
    account: Name
    asset: Asset
    amount: Money
    event_time_us: TimeUs
    v: Version = 1

    def __post_init__(self) -> None:
        """Refuse a transfer of nothing (raises InvalidRecord)."""
        if self.amount == 0.0:
            raise InvalidRecord("amount is zero", "out_of_range")


class AccountConfig(Record, frozen=True, kw_only=True):
    """How an account is margined, and to whom it belongs."""

    account: Name
    event_time_us: TimeUs
    margin_model: Literal["A"] = "A"
    parameter_set: Name = "default"
    group: Name | None = None
    venue: Name | None = None
    closed: bool = False
    v: Version = 1


# --- market data --------------------------------------------------------------------------------


class Instrument(Record, frozen=True, kw_only=True):
    """A listed contract. Spot, perpetuals and futures carry no strike; only futures and options expire."""

    instrument: Name
    type: Literal["spot", "perpetual", "future", "option"]
    underlying: Asset
    settlement: Asset
    event_time_us: TimeUs
    contract: Literal["linear", "inverse"] = "linear"
    contract_size: Price = 1.0
    expiry_us: TimeUs | None = None
    strike: Price | None = None
    option_type: Literal["call", "put"] | None = None
    delisted: bool = False
    v: Version = 1

    def __post_init__(self) -> None:
        """Refuse combinations that no pricing rule covers (raises InvalidRecord)."""
        dated = self.type in ("future", "option")
        if dated != (self.expiry_us is not None):
            raise InvalidRecord("futures and options need expiry_us, other types have none")
        option = self.type == "option"
        if option != (self.strike is not None) or option != (self.option_type is not None):
            raise InvalidRecord("options need strike and option_type, other types have neither")
        if self.contract == "inverse" and (self.type == "spot" or self.settlement != self.underlying):
            raise InvalidRecord("an inverse contract is a derivative settled in its underlying")


class PriceTick(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="price"):
    """One price of one source.

    `source` names the feed (venue, or venue and symbol). `instrument` is what was priced; null for a pure
    index feed. A tick with `index_source` also feeds the composite index of `underlying`.
    A quote carries `bid` and `ask` (its price is their middle), every other kind carries `price`.
    `max_age_ms` says how long this source stays fresh (a one-minute bar feed: three bars).
    """

    underlying: HotAsset
    source: HotName
    price_kind: Literal["trade", "mark", "index", "quote"]
    event_time_us: TimeUs
    price: Price | None = None
    bid: Price | None = None
    ask: Price | None = None
    instrument: HotName | None = None
    index_source: bool = False
    max_age_ms: Annotated[int, Meta(ge=100, le=86_400_000)] | None = None
    received_time_us: TimeUs | None = None
    v: Version = 1

    def __post_init__(self) -> None:
        """Refuse a tick without a usable price and an illegal name (raises InvalidRecord)."""
        if self.underlying not in SEEN_ASSETS:
            admit_asset(self.underlying)
        if self.source not in SEEN_NAMES:
            admit_name(self.source)
        if self.instrument is not None and self.instrument not in SEEN_NAMES:
            admit_name(self.instrument)
        if self.price_kind == "quote":
            if self.bid is None or self.ask is None or self.price is not None:
                raise InvalidRecord("a quote carries bid and ask and no price")
            if self.bid > self.ask:
                raise InvalidRecord("crossed quote: bid above ask", "crossed_quote")
        elif self.price is None or self.bid is not None or self.ask is not None:
            raise InvalidRecord("a tick carries price, and bid and ask only if it is a quote")
        if self.instrument is None and self.price_kind != "index":
            raise InvalidRecord("only an index tick has no instrument")

    @property
    def value_usd(self) -> float:
        """The price, or the middle of a quote."""
        if self.price is not None:
            return self.price
        assert self.bid is not None and self.ask is not None
        return 0.5 * (self.bid + self.ask)


class Heartbeat(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="heartbeat"):
    """Time goes on: published every second so that timers and staleness live through silence."""

    source: Name
    event_time_us: TimeUs
    v: Version = 1


Tick = PriceTick | Heartbeat


class InstrumentVolatility(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="instrument"):
    """Mark volatility of one option; `forward_basis` is F/S - 1 of its expiry."""

    underlying: HotAsset
    source: HotName
    instrument: HotName
    vol_annual: Volatility
    event_time_us: TimeUs
    expiry_us: TimeUs | None = None
    forward_basis: Ratio | None = None
    received_time_us: TimeUs | None = None
    v: Version = 1

    def __post_init__(self) -> None:
        """Refuse an illegal name (raises InvalidRecord)."""
        if self.underlying not in SEEN_ASSETS:
            admit_asset(self.underlying)
        if self.source not in SEEN_NAMES:
            admit_name(self.source)
        if self.instrument not in SEEN_NAMES:
            admit_name(self.instrument)


class ExpiryVolatility(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="expiry"):
    """Smile of one expiry: vol(x) = atm + slope x + curvature x^2, x = ln(K/F)/sqrt(T).

    `x` is held at `x_min` and `x_max`: the volatility is flat outside the quoted strikes.
    """

    underlying: Asset
    source: Name
    expiry_us: TimeUs
    atm_vol_annual: Volatility
    event_time_us: TimeUs
    slope: Annotated[float, Meta(ge=-10.0, le=10.0)] = 0.0
    curvature: Annotated[float, Meta(ge=-10.0, le=10.0)] = 0.0
    x_min: Annotated[float, Meta(ge=-20.0, le=0.0)] = -1.0
    x_max: Annotated[float, Meta(ge=0.0, le=20.0)] = 1.0
    forward_basis: Ratio | None = None
    received_time_us: TimeUs | None = None
    v: Version = 1


class SviVolatility(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="svi"):
    """Raw SVI of one expiry in total variance: w(k) = a + b (rho (k-m) + sqrt((k-m)^2 + sigma^2)), k = ln(K/F)."""

    underlying: Asset
    source: Name
    expiry_us: TimeUs
    a: Annotated[float, Meta(ge=-10.0, le=100.0)]
    b: Annotated[float, Meta(ge=0.0, le=100.0)]
    rho: Annotated[float, Meta(gt=-1.0, lt=1.0)]
    m: Annotated[float, Meta(ge=-10.0, le=10.0)]
    sigma: Annotated[float, Meta(gt=0.0, le=10.0)]
    event_time_us: TimeUs
    k_min: Annotated[float, Meta(ge=-20.0, le=0.0)] = -2.0
    k_max: Annotated[float, Meta(ge=0.0, le=20.0)] = 2.0
    forward_basis: Ratio | None = None
    received_time_us: TimeUs | None = None
    v: Version = 1

    def __post_init__(self) -> None:
        """Refuse a slice whose smallest total variance is negative (raises InvalidRecord)."""
        if self.a + self.b * self.sigma * (1.0 - self.rho * self.rho) ** 0.5 < 0.0:
            raise InvalidRecord("svi slice has negative total variance")


VolatilityUpdate = InstrumentVolatility | ExpiryVolatility | SviVolatility


# --- parameters ---------------------------------------------------------------------------------


class RiskMatrixParameters(Record, frozen=True, kw_only=True):
    """Model A, one underlying: the values of a risk matrix (defaults: BTC as its venue publishes them)."""

    price_range: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.16
    buckets_each_side: Annotated[int, Meta(ge=1, le=32)] = 4
    volatility_range_up: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.50
    volatility_range_down: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.25
    min_volatility_for_shock_up: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.50
    short_term_vega_power: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.30
    long_term_vega_power: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.13
    dte_floor_days: Annotated[float, Meta(gt=0.0, le=30.0)] = 1.0
    extended_moves: tuple[float, ...] = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    annualised_move_risk: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.075
    min_annualised_move: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.01
    delta_shock_slope: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.00005
    delta_shock_threshold_usd: Money = 20_000_000.0
    max_delta_shock: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.1
    mm_factor: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.8


class StatusParameters(Record, frozen=True, kw_only=True):
    """Thresholds and dwell times of the account states; u = MM/equity, v = IM/equity."""

    warning_enter_v: float = 0.90
    warning_leave_v: float = 0.85
    margin_call_enter_v: float = 1.0
    margin_call_leave_v: float = 0.95
    margin_call_dwell_ms: Count = 1_000
    liquidation_enter_u: float = 1.0
    liquidation_leave_v: float = 1.0
    leave_dwell_ms: Count = 10_000
    recovered_dwell_ms: Count = 60_000
    max_data_hold_ms: Count = 300_000
    event_validity_ms: Count = 60_000


class ParameterSet(Record, frozen=True, kw_only=True):
    """A named, versioned set of parameters; `underlyings` overrides `risk_matrix` by underlying."""

    name: Name
    event_time_us: TimeUs
    risk_matrix: RiskMatrixParameters = RiskMatrixParameters()
    underlyings: dict[Asset, RiskMatrixParameters] = {}
    status: StatusParameters = StatusParameters()
    v: Version = 1


# --- what the monitor says ----------------------------------------------------------------------

Status = Literal["healthy", "warning", "margin_call", "liquidation", "bankrupt", "recovered"]
EventKind = Literal["warning", "margin_call", "recovered", "resolved", "liquidation", "bankrupt", "data_hold"]


class Cause(Record, frozen=True, kw_only=True):
    """The record that made an account cross: a topic position, or a timer at its deadline."""

    topic: Text
    partition: int = 0
    offset: int = -1
    index: int = 0


class UnderlyingRisk(Record, frozen=True, kw_only=True):
    """One underlying's part of a requirement, with its worst scenario."""

    underlying: Asset
    index_price: float
    value_usd: float
    scan_usd: float
    roll_usd: float
    delta_shock_usd: float
    im_usd: float
    delta_coins: float
    scenario: int
    price_move: float
    vol_shock: Literal["up", "same", "down"]
    scenario_pnl_usd: float


class AttributionPart(Record, frozen=True, kw_only=True):
    """Part of the change of IM since the account's previous event that is due to one group."""

    group: Literal["time", "parameters", "price", "vol", "correlation", "basis", "collateral", "trades"]
    change_usd: float


class PlanLine(Record, frozen=True, kw_only=True):
    """One proposed reduction or hedge of a liquidation plan."""

    instrument: Name
    quantity: float
    expected_release_usd: float
    expected_cost_usd: float
    shadow_price_usd: float


class AccountEvent(Record, frozen=True, kw_only=True):
    """One transition of one account: what, how short, why, and computed at which positions.

    `id` is fixed before the event is sent (see `schemas.ids`); a second delivery has the same bytes.
    `shortfall_usd` is how much equity is missing: to IM for a call, to MM for a liquidation, to zero for a
    bankruptcy. `underlyings` is ordered by requirement, largest first. `jump` marks a liquidation without an
    earlier call in its episode. `data_hold` raised (true) or released (false) is an event of its own kind.
    """

    id: str
    kind: EventKind
    account: Name
    episode: Count
    sequence: Count
    state_from: Status
    state_to: Status
    data_hold: bool
    jump: bool
    event_time_us: int
    valid_until_us: int
    cause: Cause
    positions: dict[str, Position]
    model: str
    parameter_set: str
    parameter_hash: str
    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float
    shortfall_usd: float
    reason: Text
    underlyings: tuple[UnderlyingRisk, ...]
    data_quality: tuple[str, ...] = ()
    correlation: str | None = None
    attribution: tuple[AttributionPart, ...] | None = None
    plan: tuple[PlanLine, ...] | None = None
    v: Version


class AccountState(Record, frozen=True, kw_only=True):
    """Latest state of one account, compacted by account: for late joiners and for a bot's re-check."""

    account: Name
    status: Status
    data_hold: bool
    episode: Count
    sequence: Count
    version: Count
    event_time_us: int
    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float
    model: str
    parameter_set: str
    parameter_hash: str
    positions: dict[str, Position]
    closed: bool = False
    v: Version


class RegimeChange(Record, frozen=True, kw_only=True):
    """A change of correlation regime over a set of underlyings, with the digest of the matrices in force."""

    regime: Name
    underlyings: tuple[Asset, ...]
    distance: float
    absorption_ratio: float
    matrix_digest: str
    event_time_us: TimeUs
    v: Version


class RiskArray(Record, frozen=True, kw_only=True):
    """P&L of one long contract in each scenario of a parameter set, in USD."""

    instrument: Name
    parameter_set: Name
    parameter_hash: str
    pnl_usd: tuple[float, ...]
    value_usd: float
    delta_coins: float
    event_time_us: TimeUs
    v: Version


class MarketSnapshotPart(Record, frozen=True, kw_only=True):
    """One chunk of one market fold at a fixed multiple of its topic's offsets."""

    topic: Text
    offset: Count
    chunk: Count
    chunks: Count
    state: msgspec.Raw
    v: Version


class SequencedRecord(Record, frozen=True, kw_only=True):
    """Strict order: one record of the merged sequence with its ordinal and the topic it came from."""

    ordinal: Count
    topic: Text
    record: msgspec.Raw
    v: Version


class DeadLetter(Record, frozen=True, kw_only=True):
    """What is known of a refused record; on the topic these are headers beside the original bytes."""

    source_topic: Text
    source_partition: int
    source_offset: int
    source_index: int
    error_kind: Name
    error_text: Text
    first_seen_us: int
    schema: str = ""
    v: Version


AccountInput = Trade | Transfer | AccountConfig
MarketInput = PriceTick | Heartbeat | InstrumentVolatility | ExpiryVolatility | SviVolatility | Instrument | ParameterSet
Input = AccountInput | MarketInput
