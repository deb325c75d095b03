"""Message keys: what orders a record, and what compaction keeps the latest of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.records import (
    AccountConfig,
    AccountEvent,
    AccountState,
    Advice,
    Answer,
    Award,
    ExpiryVolatility,
    Funding,
    Heartbeat,
    Instrument,
    InstrumentVolatility,
    Intent,
    MarketSnapshotPart,
    ParameterSet,
    PriceTick,
    RangeStep,
    Record,
    RegimeChange,
    RiskArray,
    SviVolatility,
    Tombstone,
    Trade,
    Transfer,
    WorkerEndpoint,
)


def record_key(record: Record | Tombstone) -> bytes:
    """Return the key of a single record; raises KeyError on a type without keys."""
    return _KEYS[type(record)](record).encode()


_KEYS: dict[type, Callable[[Any], str]] = {
    Tombstone: lambda r: r.key,
    Trade: lambda r: r.account,
    Transfer: lambda r: r.account,
    AccountConfig: lambda r: r.account,
    Instrument: lambda r: r.instrument,
    PriceTick: lambda r: r.instrument or r.underlying,
    Heartbeat: lambda r: r.source,
    Funding: lambda r: r.instrument,
    InstrumentVolatility: lambda r: r.underlying,
    ExpiryVolatility: lambda r: r.underlying,
    SviVolatility: lambda r: r.underlying,
    ParameterSet: lambda r: r.name,
    AccountEvent: lambda r: r.account,
    AccountState: lambda r: r.account,
    Advice: lambda r: r.account,
    Intent: lambda r: r.account,
    Answer: lambda r: r.account,
    Award: lambda r: r.account,
    WorkerEndpoint: lambda r: str(r.partition),
    RegimeChange: lambda r: ",".join(r.underlyings),
    RangeStep: lambda r: r.underlying,
    RiskArray: lambda r: f"{r.parameter_set}/{r.instrument}",
    MarketSnapshotPart: lambda r: f"{r.topic}/{r.offset}/{r.chunk}",
}
