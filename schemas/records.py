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

Evolution: only optional fields with defaults may be added; a changed meaning is a new topic version. What the monitor
reads is strict about fields it does not know, what it publishes is read without them.

The types are defined in `inputs`, `parameters`, `outputs`, `advice` and `intents`, over those of `fields`;
this module is where everyone else takes them from.
"""

from __future__ import annotations

from schemas.advice import Advice, AdvisedTrade, ShadowPrice, SingleTrade, WorkerEndpoint
from schemas.base import Record, Tombstone
from schemas.fields import (
    MAX_FRAME_ROWS,
    MAX_RECORD_BYTES,
    MAX_TIME_US,
    MIN_TIME_US,
    START,
    Asset,
    Count,
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
)
from schemas.inputs import (
    AccountConfig,
    ExpiryVolatility,
    Funding,
    Heartbeat,
    Instrument,
    InstrumentVolatility,
    MarginModel,
    PriceTick,
    SviVolatility,
    Tick,
    Trade,
    Transfer,
    VolatilityUpdate,
)
from schemas.intents import Answer, Award, Intent, Taken
from schemas.outputs import (
    AccountEvent,
    AccountState,
    AttributionBase,
    AttributionGroup,
    AttributionPart,
    Cause,
    CorrelationState,
    DeadLetter,
    EventKind,
    LeftOut,
    MarketSnapshotPart,
    PlanLine,
    RangeStep,
    Regime,
    RegimeChange,
    RegimeRecord,
    RiskArray,
    SequencedRecord,
    Status,
    UnderlyingRisk,
    WorstCell,
)
from schemas.parameters import NettingParameters, ParameterSet, RiskMatrixParameters, StatusParameters

AccountInput = Trade | Transfer | AccountConfig
MarketInput = (
    PriceTick
    | Heartbeat
    | Funding
    | InstrumentVolatility
    | ExpiryVolatility
    | SviVolatility
    | Instrument
    | ParameterSet
)
Input = AccountInput | MarketInput

__all__ = [
    "MAX_FRAME_ROWS",
    "MAX_RECORD_BYTES",
    "MAX_TIME_US",
    "MIN_TIME_US",
    "START",
    "AccountConfig",
    "AccountEvent",
    "AccountInput",
    "AccountState",
    "Advice",
    "AdvisedTrade",
    "Answer",
    "Asset",
    "AttributionBase",
    "AttributionGroup",
    "AttributionPart",
    "Award",
    "Cause",
    "CorrelationState",
    "Count",
    "DeadLetter",
    "EventKind",
    "ExpiryVolatility",
    "Funding",
    "Heartbeat",
    "Input",
    "Instrument",
    "InstrumentVolatility",
    "Intent",
    "InvalidRecord",
    "LeftOut",
    "MarginModel",
    "MarketInput",
    "MarketSnapshotPart",
    "Money",
    "Name",
    "NettingParameters",
    "ParameterSet",
    "PlanLine",
    "Position",
    "Price",
    "PriceTick",
    "Quantity",
    "RangeStep",
    "Ratio",
    "Record",
    "Regime",
    "RegimeChange",
    "RegimeRecord",
    "RiskArray",
    "RiskMatrixParameters",
    "SequencedRecord",
    "ShadowPrice",
    "SingleTrade",
    "Status",
    "StatusParameters",
    "SviVolatility",
    "Taken",
    "Text",
    "Tick",
    "TimeUs",
    "Tombstone",
    "Trade",
    "Transfer",
    "UnderlyingRisk",
    "Version",
    "Volatility",
    "VolatilityUpdate",
    "WorkerEndpoint",
    "WorstCell",
]
