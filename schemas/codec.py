"""One codec for every topic: a message holds one record or a frame of many, and is refused row by row.

A frame is `{"v":1,"rows":[...]}` with a null key. Decoding has two paths. The good path hands the whole message to one
typed decoder. Whatever that refuses is taken apart: each row is decoded alone, so that one bad row costs one row.
Size and nesting are bounded before anything is parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, Struct

from schemas import ids, records, topics
from schemas.fields import MAX_FRAME_ROWS, MAX_RECORD_BYTES, Version, is_name
from schemas.keys import record_key
from schemas.records import Record, SequencedRecord, Tombstone
from schemas.refusals import Refusal, Refused, of_validation
from schemas.scan import check_limits, lexical, split_rows

__all__ = [
    "Decoded",
    "Refused",
    "decode_message",
    "decode_record",
    "decode_sequenced",
    "encode",
    "encode_frame",
    "frames",
    "key_of",
    "misplaced",
    "packed",
    "raw_row",
    "raw_rows",
]

PartitionOf = Callable[[bytes], int]
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError)  # all that decoding bytes can raise


class Decoded(Struct, frozen=True):
    """What one message carried: every row is either in `records` or in `refused`, with its index, in order.

    There is always at least one row. The original bytes of a good row are `raw_row(value, index)`.
    """

    records: list[tuple[int, Record | Tombstone]]
    refused: list[Refused] = []


class _Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    """A frame whose rows have not been decoded."""

    rows: list[Raw]
    v: Version = 1


class _Probe(Struct, frozen=True):
    """What decides how a message is read: its version, and whether it has rows."""

    v: Any = 1
    rows: Raw | msgspec.UnsetType = msgspec.UNSET


_probe = msgspec.json.Decoder(_Probe).decode
_envelope = msgspec.json.Decoder(_Envelope).decode


@dataclass(frozen=True, slots=True)
class _Wire:
    """How one topic is read."""

    topic: topics.Topic
    single: Callable[[bytes | Raw], Record]
    frame: Callable[[bytes], Any]
    keyed: bool  # a single record needs a key
    exact_key: bool  # and the key names the record, because it decides partition or compaction
    by_account: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """The partition a message came from, and where accounts belong; without the latter nothing is checked."""

    partition: int
    partition_of: PartitionOf | None


def decode_message(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    *,
    partition: int = 0,
    partition_of: PartitionOf | None = None,
) -> Decoded:
    """Decode one message of a topic (its name in the topic table) into records and refusals.

    With `partition_of`, which maps an account's bytes to its partition (murmur2 mod P), records of accounts that do
    not belong to `partition` are refused. Never raises on any key and value; raises ValueError on an unknown topic.
    """
    wire = _wire(topic)
    place = _Place(partition, partition_of if wire.by_account else None)
    if value is None:
        return _null_value(wire, key, place)
    framed = key is None and wire.topic.framed
    try:
        check_limits(value)
        rows = wire.frame(value).rows if framed else [wire.single(value)]
    except Refusal as refusal:
        return Decoded([], [refusal.of(0, value)])
    except _BROKEN:
        return _take_apart(wire, key, value, place)
    if not framed:
        return _single(wire, key, rows[0], value, place)
    if not 1 <= len(rows) <= MAX_FRAME_ROWS:
        return Decoded([], [_row_count(len(rows)).of(0, value)])
    if place.partition_of is None:
        return Decoded(list(enumerate(rows)))
    return _placed(rows, value, place)


def decode_record(topic: str, data: bytes, index: int = 0) -> Record | Refused:
    """Decode one record without a key: a line of a file, or a row taken out of a frame."""
    wire = _wire(topic)
    try:
        check_limits(data)
    except Refusal as refusal:
        return refusal.of(index, data)
    return _decode_row(wire, data, index)


@lru_cache(maxsize=1)  # when one row of a frame is refused later, others often are too
def raw_rows(value: bytes) -> tuple[bytes, ...]:
    """Original bytes of each row of a message, as `decode_message` numbers them."""
    try:
        rows = _split(value)[1]
    except Refusal:
        rows = None
    return (value,) if rows is None else tuple(rows)


def raw_row(value: bytes, index: int) -> bytes:
    """Original bytes of one row of a message; raises IndexError beyond the last."""
    return raw_rows(value)[index]


def encode(record: Record) -> bytes:
    """Encode one record: canonical bytes for what the monitor publishes, compact JSON for everything else.

    Raises ValueError on NaN or infinity.
    """
    if isinstance(record, _CANONICAL):
        return ids.canonical(record)
    data = msgspec.json.encode(record)
    if b"null" in data:  # how msgspec writes NaN; absent fields are left out, so only a name can also match
        ids.refuse_non_finite(record)
    return data


def encode_frame(rows: Iterable[Record]) -> bytes:
    """Encode one frame; raises ValueError when it would be empty or beyond the limits."""
    encoded = list(frames(rows))
    if len(encoded) != 1:
        raise ValueError("rows need more than one frame" if encoded else "a frame has at least one row")
    return encoded[0]


def frames(
    rows: Iterable[Record], max_rows: int = MAX_FRAME_ROWS, max_bytes: int = MAX_RECORD_BYTES
) -> Iterator[bytes]:
    """Encode records in their order into as few frames as the limits allow; raises ValueError if one alone is too big.

    Records of account topics have to be of one partition: the caller groups them.
    """
    return packed(map(encode, rows), max_rows, max_bytes)


def packed(rows: Iterable[bytes], max_rows: int = MAX_FRAME_ROWS, max_bytes: int = MAX_RECORD_BYTES) -> Iterator[bytes]:
    """Put encoded rows into frames, as `frames` does."""
    room = max_bytes - len(_HEAD) - len(_TAIL)
    batch: list[bytes] = []
    size = 0
    for data in rows:
        if len(data) > room:
            raise ValueError(f"a record of {len(data)} bytes does not fit into a frame of {max_bytes}")
        if batch and (len(batch) == max_rows or size + 1 + len(data) > room):
            yield _HEAD + b",".join(batch) + _TAIL
            batch, size = [], 0
        size += len(data) + bool(batch)
        batch.append(data)
    if batch:
        yield _HEAD + b",".join(batch) + _TAIL


def decode_sequenced(row: SequencedRecord, index: int = 0) -> Record | Refused:
    """Decode the record that a row of the merged sequence carries, by the topic it came from."""
    wire = _INPUTS.get(row.topic)
    if wire is None:
        return Refusal("unknown_value", f"{row.topic!r} is no input topic").of(index, bytes(row.record))
    try:
        return wire.single(row.record)
    except _BROKEN:
        return _decode_row(wire, bytes(row.record), index)


def key_of(topic: str, record: Record | Tombstone) -> bytes | None:
    """Key of a single record on a topic; None where the topic has no keys. Frames always have a null key."""
    return record_key(record) if _wire(topic).keyed else None


# --- a message that the typed decoder refused ---------------------------------------------------


def _take_apart(wire: _Wire, key: bytes | None, value: bytes, place: _Place) -> Decoded:
    """Find out what is wrong with a message and save the rows that are not."""
    try:
        raws = _frame_rows(wire, key, value)
    except Refusal as refusal:
        return Decoded([], [refusal.of(0, value)])
    if raws is None:
        row = _decode_row(wire, value, 0)
        return Decoded([], [row]) if isinstance(row, Refused) else _single(wire, key, row, value, place)
    good: list[tuple[int, Record | Tombstone]] = []
    refused: list[Refused] = []
    for index, raw in enumerate(raws):
        row = _decode_row(wire, raw, index)
        if isinstance(row, Refused):
            refused.append(row)
        elif (home := _elsewhere(row, place)) is not None:
            refused.append(misplaced(home).of(index, raw))
        else:
            good.append((index, row))
    return Decoded(good, refused)


def _frame_rows(wire: _Wire, key: bytes | None, value: bytes) -> list[bytes] | None:
    """Rows of a frame, or None for a single record; raises Refusal when the message is lost as a whole."""
    skeleton, raws = _split(value)
    if raws is None:
        return None
    try:
        _envelope(skeleton)
    except msgspec.ValidationError as error:
        raise of_validation(error) from error
    except _BROKEN as error:  # the name of an unknown field need not be text
        raise lexical(value, error) from error
    if not wire.topic.framed:
        raise Refusal("frame_not_allowed", f"{wire.topic.name} carries single records only")
    if key is not None:
        raise Refusal("key_mismatch", "a frame has a null key")
    if not 1 <= len(raws) <= MAX_FRAME_ROWS:
        raise _row_count(len(raws))
    return raws


def _split(value: bytes) -> tuple[bytes, list[bytes] | None]:
    """Frame without its rows, and the rows; or the message and None. Raises Refusal when it is neither."""
    try:
        _check_version(value)
        rows = _probe(value).rows
        if rows is msgspec.UNSET:
            return value, None
        return value, [bytes(raw) for raw in msgspec.json.decode(rows, type=list[Raw])]
    except msgspec.ValidationError as error:
        raise of_validation(error) from error
    except _BROKEN as error:
        split = split_rows(value)
        if split is None:
            raise lexical(value, error) from error
        try:
            _check_version(split[0])
        except _BROKEN:
            raise lexical(value, error) from error
        return split


def _decode_row(wire: _Wire, raw: bytes, index: int) -> Record | Refused:
    """Decode one row alone; a foreign version is named before anything else about it."""
    try:
        return wire.single(raw)
    except msgspec.ValidationError as error:
        refusal = of_validation(error)
        try:
            _check_version(raw)
        except Refusal as foreign:
            refusal = foreign
        except _BROKEN as broken:
            # The typed decoder stopped before the end: what follows is not even JSON.
            refusal = lexical(raw, broken)
    except _BROKEN as error:
        refusal = lexical(raw, error)
    return refusal.of(index, raw)


def _check_version(data: bytes) -> None:
    """Raise Refusal when the object names a version other than 1; leave other types to the validation."""
    try:
        version = _probe(data).v
    except msgspec.ValidationError:
        return
    if type(version) is int and version != 1:
        raise Refusal("unknown_version", f"version {version} is not known, this build reads 1")


# --- keys and partitions ------------------------------------------------------------------------


def _null_value(wire: _Wire, key: bytes | None, place: _Place) -> Decoded:
    """Read a message without a value: a tombstone on a compacted topic, a mistake elsewhere."""
    try:
        if wire.topic.policy != "compact":
            raise Refusal("null_value", f"{wire.topic.name} is not compacted")
        if key is None:
            raise Refusal("null_key", "a tombstone needs a key")
        name = key.decode(errors="replace")
        if wire.topic.direction == "input" and not is_name(name):
            raise Refusal("bad_key", f"{name[:80]!r} is no name")
        if place.partition_of is not None and (home := place.partition_of(key)) != place.partition:
            raise misplaced(home)
    except Refusal as refusal:
        return Decoded([], [refusal.of(0, b"")])
    return Decoded([(0, Tombstone(name))])


def _single(wire: _Wire, key: bytes | None, record: Record, value: bytes, place: _Place) -> Decoded:
    """Accept a single record if its key and partition are right."""
    try:
        if key is None and wire.keyed:
            raise Refusal("null_key", "a single record needs a key")
        if wire.exact_key and key != record_key(record):
            raise Refusal("key_mismatch", "the key does not name the record")
        if (home := _elsewhere(record, place)) is not None:
            raise misplaced(home)
    except Refusal as refusal:
        return Decoded([], [refusal.of(0, value)])
    return Decoded([(0, record)])


def _placed(rows: list[Record], value: bytes, place: _Place) -> Decoded:
    """Accept the rows of a frame whose accounts belong to the frame's partition."""
    wrong = {index: home for index, row in enumerate(rows) if (home := _elsewhere(row, place)) is not None}
    if not wrong:
        return Decoded(list(enumerate(rows)))
    raws = raw_rows(value)
    good: list[tuple[int, Record | Tombstone]] = [(index, row) for index, row in enumerate(rows) if index not in wrong]
    return Decoded(good, [misplaced(home).of(index, raws[index]) for index, home in wrong.items()])


def _elsewhere(record: Record, place: _Place) -> int | None:
    """Partition a record belongs to, if that is not here."""
    if place.partition_of is None:
        return None
    home = place.partition_of(record.account.encode())  # type: ignore[attr-defined]  # only topics keyed by account
    return None if home == place.partition else home


def misplaced(home: int) -> Refusal:
    """Say that an account belongs to another partition, `home`."""
    return Refusal("wrong_partition", f"the account belongs to partition {home} (murmur2)")


def _row_count(count: int) -> Refusal:
    if count == 0:
        return Refusal("empty_frame", "a frame has at least one row")
    return Refusal("too_many_rows", f"{count} rows, the limit is {MAX_FRAME_ROWS}")


# --- topics -------------------------------------------------------------------------------------


def _wire(topic: str) -> _Wire:
    """How a topic is read; raises ValueError on a name that is not in the table or carries no records."""
    try:
        return _WIRES[topic]
    except KeyError:
        raise ValueError(f"no records are read from topic {topic!r}") from None


def _make_wire(topic: topics.Topic) -> _Wire:
    """Compile the decoders of one topic."""
    single: Callable[[bytes], Any] = msgspec.json.Decoder(topic.record).decode
    frame: Callable[[bytes], Any] = msgspec.json.Decoder(frame_type(topic)).decode
    if topic.direction != "input":  # these may hold fields or whole records that the decoder passes over
        single, frame = _all_text(single), _all_text(frame)
    return _Wire(
        topic=topic,
        single=single,
        frame=frame,
        keyed=topic.key != "none",
        exact_key=topic.key == "account" or topic.policy == "compact",
        by_account=topic.key == "account" and topic.direction == "input",
    )


def _all_text(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Make a decoder refuse bad UTF-8 (raises UnicodeDecodeError) also where it does not look."""

    def run(data: bytes) -> Any:
        if not data.isascii():
            data.decode()
        return decode(data)

    return run


def frame_type(topic: topics.Topic) -> type[Struct]:
    """Type of a frame of a topic's records."""
    rows: Any = list[topic.record]  # type: ignore[name-defined]
    return msgspec.defstruct("Frame", [("rows", rows), ("v", Version, 1)], frozen=True, forbid_unknown_fields=True)


_HEAD, _TAIL = b'{"v":1,"rows":[', b"]}"
_CANONICAL = (
    records.AccountEvent, records.AccountState, records.RegimeChange, records.RangeStep, records.RiskArray,
    records.Advice, records.Intent, records.Award,
)  # fmt: skip
# What is on the dead-letter topic are the original bytes of anything; `schemas.headers` reads what is known of them.
_WIRES: dict[str, _Wire] = {topic.name: _make_wire(topic) for topic in topics.ALL if topic is not topics.DEAD_LETTERS}
_INPUTS = {name: wire for name, wire in _WIRES.items() if wire.topic.direction == "input"}
