"""Message headers: CloudEvents of what the monitor says, and what is known of a dead letter.

Headers are outside the body: they are in no id and no digest, and may differ between two deliveries of one event.
Event headers are taken from the encoded body, so that an event which is sent again after a crash needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec import Struct

from schemas.records import DeadLetter, EventKind, RangeStep, RegimeRecord

Headers = list[tuple[str, bytes]]

SPEC_VERSION = "1.0"  # of CloudEvents, in binary mode over Kafka
CONTENT_TYPE = "application/json"
EPOCH = "risk-epoch"
BUNDLE = "risk-bundle"
BUNDLE_URN = "urn:liquidation-monitor:bundle:"
PROVED = ("liquidation", "bankrupt")  # kinds of events that have bundles
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class EventHeaders(Struct, frozen=True, kw_only=True):
    """The headers of one event, read back; `time_us` is its event time and `epoch` that of the worker that sent it."""

    id: str
    type: str
    source: str
    subject: str
    time_us: int
    schema: str
    epoch: int


class _Body(Struct, frozen=True):
    """What the headers of an event repeat of its body."""

    id: str
    kind: EventKind
    account: str
    event_time_us: int


_read_body = msgspec.json.Decoder(_Body).decode
_read_regime = msgspec.json.Decoder(RegimeRecord).decode


def schema_uri(name: str, version: int = 1) -> str:
    """Name of a contract of ours: of a record (`account_event`) or of a topic's messages (`risk.trades.v1`)."""
    return f"urn:liquidation-monitor:schema:{name}:{version}"


def bundle_urn(event: str) -> str:
    """Name of the bundle that proves an event, which `liqmon bundle` takes: the event's id says which it is."""
    return BUNDLE_URN + event


def event_headers(body: bytes, *, source: str, epoch: int) -> Headers:
    """Headers of an encoded account event; `source` names the deployment, `epoch` the owner of the partition.

    That of a liquidation names its bundle. Raises `msgspec.ValidationError` if the body is not an account event.
    """
    event = _read_body(body)
    about = _Subject(event.id, event.kind, event.account, event.event_time_us, "account_event")
    proof = [(BUNDLE, bundle_urn(event.id).encode())] if event.kind in PROVED else []
    return [*_cloud_event(about, source, epoch), *proof]


def regime_headers(body: bytes, *, source: str, epoch: int) -> Headers:
    """Headers of an encoded regime change or range step; as `event_headers`, about its coins."""
    record = _read_regime(body)
    if isinstance(record, RangeStep):
        about = _Subject(record.id, "range", record.underlying, record.event_time_us, "range_step")
    else:
        about = _Subject(record.id, "regime", ",".join(record.underlyings), record.event_time_us, "regime_change")
    return _cloud_event(about, source, epoch)


def advice_headers(body: bytes, *, source: str, epoch: int) -> Headers:
    """Headers of encoded advice; as `event_headers`, with a type of its own."""
    advice = _read_body(body)
    about = _Subject(advice.id, "advice", advice.account, advice.event_time_us, "advice")
    return _cloud_event(about, source, epoch)


class _Subject(NamedTuple):
    """What an event is about: `schema` names its record."""

    id: str
    kind: str
    subject: str
    time_us: int
    schema: str


def _cloud_event(about: _Subject, source: str, epoch: int) -> Headers:
    return [
        ("ce_specversion", SPEC_VERSION.encode()),
        ("ce_id", about.id.encode()),
        ("ce_type", f"risk.{about.kind}.v1".encode()),
        ("ce_source", source.encode()),
        ("ce_subject", about.subject.encode()),
        ("ce_time", rfc3339(about.time_us).encode()),
        ("ce_dataschema", schema_uri(about.schema).encode()),
        *state_headers(epoch),
    ]


AUCTION: Headers = [("content-type", CONTENT_TYPE.encode())]
"""Headers of intents and awards, before they are signed: ids and times are in the body."""


def state_headers(epoch: int) -> Headers:
    """Headers of an account state, which is no event: its form, and the sender's epoch."""
    return [("content-type", CONTENT_TYPE.encode()), (EPOCH, str(epoch).encode())]


def read_event_headers(headers: Iterable[tuple[str, bytes]]) -> EventHeaders:
    """Read the headers of an event; raises ValueError when one is missing or malformed. Unknown ones are ignored."""
    found = _texts(headers)
    if _text(found, "ce_specversion") != SPEC_VERSION:
        raise ValueError(f"ce_specversion is {found['ce_specversion']!r}, expected {SPEC_VERSION!r}")
    return EventHeaders(
        id=_text(found, "ce_id"),
        type=_text(found, "ce_type"),
        source=_text(found, "ce_source"),
        subject=_text(found, "ce_subject"),
        time_us=microseconds(_text(found, "ce_time")),
        schema=_text(found, "ce_dataschema"),
        epoch=_integer(found, EPOCH),
    )


def dead_letter_headers(letter: DeadLetter) -> Headers:
    """Headers of a refused record; the message's value are its original bytes."""
    return [
        ("dl-source-topic", letter.source_topic.encode()),
        ("dl-source-partition", str(letter.source_partition).encode()),
        ("dl-source-offset", str(letter.source_offset).encode()),
        ("dl-source-index", str(letter.source_index).encode()),
        ("dl-error-kind", letter.error_kind.encode()),
        ("dl-error-text", letter.error_text.encode(errors="replace")),
        ("dl-schema", letter.schema.encode()),
        ("dl-first-seen", rfc3339(letter.first_seen_us).encode()),
    ]


def read_dead_letter(headers: Iterable[tuple[str, bytes]]) -> DeadLetter:
    """Read what is known of a refused record; raises ValueError when a header is missing or malformed."""
    found = _texts(headers)
    return DeadLetter(
        source_topic=_text(found, "dl-source-topic"),
        source_partition=_integer(found, "dl-source-partition"),
        source_offset=_integer(found, "dl-source-offset"),
        source_index=_integer(found, "dl-source-index"),
        error_kind=_text(found, "dl-error-kind"),
        error_text=_text(found, "dl-error-text"),
        schema=_text(found, "dl-schema"),
        first_seen_us=microseconds(_text(found, "dl-first-seen")),
        v=1,
    )


def rfc3339(time_us: int) -> str:
    """Write microseconds since 1970 (UTC) as RFC 3339; raises OverflowError beyond the years 1 to 9999."""
    return (_EPOCH_START + time_us * _MICROSECOND).isoformat(timespec="microseconds").replace("+00:00", "Z")


def microseconds(text: str) -> int:
    """Read RFC 3339 with an offset as microseconds since 1970 (UTC); raises ValueError on anything else."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} names no offset from UTC")
    return (time - _EPOCH_START) // _MICROSECOND


def _texts(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Headers by name, the last of equals; raises ValueError on bytes that are not UTF-8."""
    return {name: value.decode() for name, value in headers if name.startswith(("ce_", "dl-", EPOCH))}


def _text(found: Mapping[str, str], name: str) -> str:
    if name not in found:
        raise ValueError(f"header {name} is missing")
    return found[name]


def _integer(found: Mapping[str, str], name: str) -> int:
    text = _text(found, name)
    if not text.removeprefix("-").isdecimal() or len(text) > 20:
        raise ValueError(f"header {name} is no integer: {text[:40]!r}")
    return int(text)
