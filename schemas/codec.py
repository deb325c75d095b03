"""One codec for every topic: a message holds one record or a frame of many, and is refused row by row.

A frame is `{"v":1,"rows":[...]}` with a null key. Decoding has two paths. The good path hands the whole message to one
typed decoder. Whatever that refuses is taken apart: each row is decoded alone, so that one bad row costs one row.
Size and nesting are bounded before anything is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw, Struct

from schemas import ids, records, topics
from schemas.fields import MAX_DEPTH, MAX_FRAME_ROWS, MAX_RECORD_BYTES, ErrorKind, InvalidRecord, Version
from schemas.records import Record, Tombstone

MAX_ERROR_TEXT = 512  # characters: an error text quotes its input, which may be a megabyte

PartitionOf = Callable[[bytes], int]


class Refused(Struct, frozen=True):
    """A row that is not a record of its topic: why, and its original bytes for the dead letter.

    A message refused as a whole has one refusal, with index 0 and all its bytes.
    """

    index: int
    error_kind: ErrorKind
    error_text: str
    raw: bytes


class Decoded(Struct, frozen=True):
    """What one message carried: every row is either in `records` or in `refused`, with its index, in order.

    There is always at least one row. The original bytes of a good row are `raw_row(value, index)`.
    """

    records: list[tuple[int, Record | Tombstone]]
    refused: list[Refused] = []


class Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    """A frame whose rows have not been decoded."""

    rows: list[Raw]
    v: Version = 1


class _Probe(Struct, frozen=True):
    """What decides how a message is read: its version, and whether it has rows."""

    v: Any = 1
    rows: Raw | msgspec.UnsetType = msgspec.UNSET


class _Refusal(Exception):
    """Carries a refusal out of a helper."""

    def __init__(self, kind: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class _Wire:
    """How one topic is read."""

    topic: topics.Topic
    single: Callable[[bytes | Raw], Record]
    frame: Callable[[bytes], Any]
    keyed: bool  # a single record needs a key
    exact_key: bool  # and the key names the record, because it decides partition or compaction
    by_account: bool


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
    if value is None:
        return _null_value(wire, key, partition, partition_of)
    try:
        _check_limits(value)
        framed = key is None and wire.topic.framed
        rows = wire.frame(value).rows if framed else [wire.single(value)]
    except _Refusal as refusal:
        return Decoded([], [_refused(0, refusal.kind, refusal.text, value)])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _take_apart(wire, key, value, partition, partition_of)
    if framed:
        if not 1 <= len(rows) <= MAX_FRAME_ROWS:
            return Decoded([], [_row_count_refused(len(rows), value)])
        if partition_of is None or not wire.by_account:
            return Decoded(list(enumerate(rows)))
        return _checked_accounts(rows, value, partition, partition_of)
    return _checked_single(wire, key, rows[0], value, partition, partition_of)


def decode_record(topic: str, data: bytes, index: int = 0) -> Record | Refused:
    """Decode one record without a key: a line of a file, or a row taken out of a frame."""
    try:
        _check_limits(data)
    except _Refusal as refusal:
        return _refused(index, refusal.kind, refusal.text, data)
    return _decode_row(_wire(topic), data, index)


def raw_row(value: bytes, index: int) -> bytes:
    """Original bytes of a row of a message that `decode_message` read; raises IndexError beyond the last."""
    try:
        if msgspec.json.decode(value, type=_Probe).rows is not msgspec.UNSET:
            return bytes(msgspec.json.decode(value, type=Envelope).rows[index])
    except (msgspec.DecodeError, UnicodeDecodeError):
        split = _split(value)
        if split is not None:
            return split[1][index]
    if index != 0:
        raise IndexError(f"a single record has no row {index}")
    return value


def encode(record: Record) -> bytes:
    """Encode one record: canonical bytes for what the monitor publishes, compact JSON for everything else.

    Raises ValueError on NaN or infinity.
    """
    if isinstance(record, _CANONICAL):
        return ids.canonical(record)
    data = msgspec.json.encode(record)
    if b"null" in data:  # how msgspec writes NaN; absent fields are left out, so only a name can also match
        ids.refuse_non_finite(msgspec.to_builtins(record))
    return data


def encode_frame(rows: Iterable[Record]) -> bytes:
    """Encode a frame; raises ValueError when it is empty or beyond the limits."""
    encoded = list(frames(rows))
    if len(encoded) != 1:
        raise ValueError("rows make no frame" if not encoded else "rows need more than one frame")
    return encoded[0]


def frames(
    rows: Iterable[Record], max_rows: int = MAX_FRAME_ROWS, max_bytes: int = MAX_RECORD_BYTES
) -> Iterator[bytes]:
    """Encode records in their order into as few frames as the limits allow; raises ValueError if one alone is too big.

    Records of account topics have to be of one partition: the caller groups them.
    """
    room = max_bytes - len(_HEAD) - len(_TAIL)
    batch: list[bytes] = []
    size = 0
    for row in rows:
        data = encode(row)
        if len(data) > room:
            raise ValueError(f"a record of {len(data)} bytes does not fit into a frame of {max_bytes}")
        if batch and (len(batch) == max_rows or size + 1 + len(data) > room):
            yield _HEAD + b",".join(batch) + _TAIL
            batch, size = [], 0
        size += len(data) + bool(batch)
        batch.append(data)
    if batch:
        yield _HEAD + b",".join(batch) + _TAIL


def key_of(topic: str, record: Record) -> bytes | None:
    """Key of a single record on a topic; None where the topic has no key. Frames always have a null key."""
    _wire(topic)
    return _record_key(record)


# --- one message taken apart --------------------------------------------------------------------


def _take_apart(
    wire: _Wire, key: bytes | None, value: bytes, partition: int, partition_of: PartitionOf | None
) -> Decoded:
    """Find out what is wrong with a message and save the rows that are not."""
    try:
        raws = _rows_of(wire, key, value)
    except _Refusal as refusal:
        return Decoded([], [_refused(0, refusal.kind, refusal.text, value)])
    if raws is None:
        row = _decode_row(wire, value, 0)
        if isinstance(row, Refused):
            return Decoded([], [row])
        return _checked_single(wire, key, row, value, partition, partition_of)
    good: list[tuple[int, Record | Tombstone]] = []
    refused: list[Refused] = []
    for index, raw in enumerate(raws):
        row = _decode_row(wire, raw, index)
        if isinstance(row, Refused):
            refused.append(row)
        elif partition_of is not None and (wrong := _misplaced(row, partition, partition_of)):
            refused.append(_refused(index, "wrong_partition", wrong, raw))
        else:
            good.append((index, row))
    return Decoded(good, refused)


def _rows_of(wire: _Wire, key: bytes | None, value: bytes) -> list[bytes] | None:
    """Raw rows of a frame, or None for a single record; raises _Refusal when the message is lost as a whole."""
    split: tuple[bytes, list[bytes]] | None = None
    try:
        probe = msgspec.json.decode(value, type=_Probe)
        if probe.rows is msgspec.UNSET:
            return None
    except msgspec.ValidationError as error:
        raise _Refusal(_kind_of(error), str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        split = _split(value)
        if split is None:
            raise _lexical(value, error) from error
    skeleton = value if split is None else split[0]
    try:
        _check_version(skeleton)
        envelope = msgspec.json.decode(skeleton, type=Envelope)
    except msgspec.ValidationError as error:
        raise _Refusal(_kind_of(error), f"frame: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _lexical(value, error) from error
    if not wire.topic.framed:
        raise _Refusal("frame_not_allowed", f"{wire.topic.name} carries single records only")
    if key is not None:
        raise _Refusal("key_mismatch", "a frame has a null key")
    raws = [bytes(raw) for raw in envelope.rows] if split is None else split[1]
    if not 1 <= len(raws) <= MAX_FRAME_ROWS:
        refused = _row_count_refused(len(raws), value)
        raise _Refusal(refused.error_kind, refused.error_text)
    return raws


def _decode_row(wire: _Wire, raw: bytes, index: int) -> Record | Refused:
    """Decode one row alone; a foreign version is named before anything else about it."""
    try:
        return wire.single(raw)
    except msgspec.ValidationError as error:
        kind, text = _kind_of(error), str(error)
        try:
            _check_version(raw)
        except _Refusal as refusal:
            kind, text = refusal.kind, refusal.text
        except (msgspec.DecodeError, UnicodeDecodeError) as broken:
            # The typed decoder stopped before the end: what follows is not even JSON.
            lexical = _lexical(raw, broken)
            kind, text = lexical.kind, lexical.text
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        lexical = _lexical(raw, error)
        kind, text = lexical.kind, lexical.text
    return _refused(index, kind, text, raw)


def _check_version(data: bytes) -> None:
    """Raise _Refusal when the object names a version other than 1; leave other types to the validation."""
    try:
        version = msgspec.json.decode(data, type=_Probe).v
    except msgspec.ValidationError:
        return
    if type(version) is int and version != 1:
        raise _Refusal("unknown_version", f"version {version} is not known, this build reads 1")


def _lexical(data: bytes, error: Exception) -> _Refusal:
    """Name what makes bytes no JSON at all."""
    try:
        data.decode()
    except UnicodeDecodeError as unicode_error:
        return _Refusal("bad_utf8", str(unicode_error))
    for match in _LEXEME.finditer(data):
        if match.lastgroup == "not_finite":
            return _Refusal("not_finite", f"{match.group().decode()} is no JSON number (byte {match.start()})")
    return _Refusal("bad_json", str(error))


def _kind_of(error: msgspec.ValidationError) -> ErrorKind:
    """Error kind of a validation error: msgspec has no codes, so its wording decides (tests hold each)."""
    if isinstance(error.__cause__, InvalidRecord):
        return error.__cause__.kind
    text = str(error)
    for pattern, kind in _WORDING:
        if pattern.match(text):
            return kind
    return "invalid_record"


def _split(value: bytes) -> tuple[bytes, list[bytes]] | None:
    """Cut a frame into rows by brackets and strings alone, for frames with a row that is not JSON.

    Returns the frame with `0` for every row, and the rows; None when the brackets do not make a frame.
    """
    head = _FRAME_START.match(value)
    if head is None:
        return None
    depth, start, rows = 0, head.end(), list[bytes]()
    for match in _STRUCTURE.finditer(value, start):
        token = match.group()
        if token in b"[{":
            depth += 1
        elif token in b"]}" and depth:
            depth -= 1
        elif depth == 0 and token in b",]":
            row = value[start : match.start()].strip()
            start = match.end()
            if row or rows or token == b",":
                rows.append(row)
            if token == b"]":
                return head.group() + b",".join([b"0"] * len(rows)) + value[match.start() :], rows
        elif depth == 0 and token == b"}":
            return None
    return None


# --- limits -------------------------------------------------------------------------------------


def _check_limits(value: bytes) -> None:
    """Raise _Refusal on a message that may not be parsed at all."""
    if len(value) > MAX_RECORD_BYTES:
        raise _Refusal("too_large", f"{len(value)} bytes, the limit is {MAX_RECORD_BYTES}")
    brackets = value.translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):  # each round takes away the innermost level
        if not brackets:
            return
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    if brackets and _depth(value) > MAX_DEPTH:
        raise _Refusal("too_deep", f"nested deeper than {MAX_DEPTH}")


def _depth(value: bytes) -> int:
    """Deepest nesting outside strings, counted up to one level beyond the limit."""
    depth = deepest = 0
    for match in _STRUCTURE.finditer(value):
        token = match.group()
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                break
        elif token in b"]}":
            depth = max(0, depth - 1)
    return deepest


# --- keys and partitions ------------------------------------------------------------------------


def _null_value(wire: _Wire, key: bytes | None, partition: int, partition_of: PartitionOf | None) -> Decoded:
    """Read a message without a value: a tombstone on a compacted topic, a mistake elsewhere."""
    if wire.topic.policy != "compact":
        return Decoded([], [_refused(0, "null_value", f"{wire.topic.name} is not compacted", b"")])
    if key is None:
        return Decoded([], [_refused(0, "null_key", "a tombstone needs a key", b"")])
    try:
        name = key.decode()
    except UnicodeDecodeError as error:
        return Decoded([], [_refused(0, "bad_key", str(error), b"")])
    if wire.by_account and partition_of is not None and partition_of(key) != partition:
        return Decoded([], [_refused(0, "wrong_partition", f"account belongs to {partition_of(key)}", b"")])
    return Decoded([(0, Tombstone(name))])


def _checked_single(
    wire: _Wire,
    key: bytes | None,
    record: Record,
    value: bytes,
    partition: int,
    partition_of: PartitionOf | None,
) -> Decoded:
    """Accept a single record if its key and partition are right."""
    if key is None:
        if wire.keyed:
            return Decoded([], [_refused(0, "null_key", "a single record needs a key", value)])
    elif wire.exact_key and key != _record_key(record):
        return Decoded([], [_refused(0, "key_mismatch", "the key does not name the record", value)])
    if partition_of is not None and wire.by_account and (wrong := _misplaced(record, partition, partition_of)):
        return Decoded([], [_refused(0, "wrong_partition", wrong, value)])
    return Decoded([(0, record)])


def _checked_accounts(rows: list[Record], value: bytes, partition: int, partition_of: PartitionOf) -> Decoded:
    """Accept the rows of a frame whose accounts belong to the frame's partition."""
    wrong = {index: text for index, row in enumerate(rows) if (text := _misplaced(row, partition, partition_of))}
    if not wrong:
        return Decoded(list(enumerate(rows)))
    good: list[tuple[int, Record | Tombstone]] = [(i, row) for i, row in enumerate(rows) if i not in wrong]
    return Decoded(good, [_refused(i, "wrong_partition", text, raw_row(value, i)) for i, text in wrong.items()])


def _misplaced(record: Record, partition: int, partition_of: PartitionOf) -> str:
    """Say where a record belongs if that is not here, else nothing."""
    key = _record_key(record)
    assert key is not None
    home = partition_of(key)
    return "" if home == partition else f"account belongs to partition {home}, not {partition}"


def _record_key(record: Record) -> bytes | None:
    """Key of a record: what orders it, and what compaction keeps the latest of."""
    text = _KEYS[type(record)](record)
    return None if text is None else text.encode()


# --- tables -------------------------------------------------------------------------------------


def _refused(index: int, kind: ErrorKind, text: str, raw: bytes) -> Refused:
    """Build a refusal whose text is short and printable, whatever it quotes."""
    clean = "".join(char if char.isprintable() else "?" for char in text[:MAX_ERROR_TEXT])
    return Refused(index, kind, clean, raw)


def _row_count_refused(count: int, value: bytes) -> Refused:
    """Refuse a frame with no rows, or with more than the limit."""
    if count == 0:
        return _refused(0, "empty_frame", "a frame has at least one row", value)
    return _refused(0, "too_many_rows", f"{count} rows, the limit is {MAX_FRAME_ROWS}", value)


def _wire(topic: str) -> _Wire:
    """How a topic is read; raises ValueError on a name that is not in the table or carries no records."""
    try:
        return _WIRES[topic]
    except KeyError:
        raise ValueError(f"no records are read from topic {topic!r}") from None


def _make_wire(topic: topics.Topic) -> _Wire:
    """Compile the decoders of one topic."""
    frame = msgspec.defstruct(
        "Frame",
        [("rows", list[topic.record]), ("v", Version, 1)],  # type: ignore[name-defined]
        frozen=True,
        forbid_unknown_fields=True,
    )
    by_account = topic.key == "account"
    return _Wire(
        topic=topic,
        single=msgspec.json.Decoder(topic.record).decode,
        frame=msgspec.json.Decoder(frame).decode,
        keyed=topic.key != "none",
        exact_key=by_account or topic.policy == "compact",
        by_account=by_account and topic.direction == "input",
    )


_HEAD, _TAIL = b'{"v":1,"rows":[', b"]}"
_CANONICAL = (records.AccountEvent, records.AccountState, records.RegimeChange, records.RiskArray)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STRING = rb'"(?:[^"\\]++|\\.)*+"?'  # possessive: an unterminated string costs one pass, not a quadratic search
_STRUCTURE = re.compile(_STRING + rb"|[\[\]{},]", re.DOTALL)
_LEXEME = re.compile(_STRING + rb"|(?P<not_finite>-?(?:NaN|Infinity|nan|inf)\b)", re.DOTALL)
_FRAME_START = re.compile(rb'\s*\{\s*(?:"v"\s*:[^,\[\]{}"]*,\s*)?"rows"\s*:\s*\[')
_WORDING: tuple[tuple[re.Pattern[str], ErrorKind], ...] = (
    (re.compile("Object missing required field"), "missing_field"),
    (re.compile("Object contains unknown field"), "unknown_field"),
    (re.compile("Invalid enum value|Invalid value"), "unknown_value"),
    (re.compile("Number out of range|Integer value out of range"), "out_of_range"),
    (re.compile(r"Expected `[^`]*` matching regex"), "bad_pattern"),
    (re.compile(r"Expected `[^`]*` (of length )?[<>]"), "out_of_range"),
    (re.compile("Expected `"), "wrong_type"),
)
_KEYS: dict[type, Callable[[Any], str | None]] = {
    records.Trade: lambda r: r.account,
    records.Transfer: lambda r: r.account,
    records.AccountConfig: lambda r: r.account,
    records.Instrument: lambda r: r.instrument,
    records.PriceTick: lambda r: r.instrument or r.underlying,
    records.Heartbeat: lambda r: r.source,
    records.InstrumentVolatility: lambda r: r.underlying,
    records.ExpiryVolatility: lambda r: r.underlying,
    records.SviVolatility: lambda r: r.underlying,
    records.ParameterSet: lambda r: r.name,
    records.AccountEvent: lambda r: r.account,
    records.AccountState: lambda r: r.account,
    records.RegimeChange: lambda r: ",".join(r.underlyings),
    records.RiskArray: lambda r: r.instrument,
    records.MarketSnapshotPart: lambda r: f"{r.topic}/{r.offset}/{r.chunk}",
    records.SequencedRecord: lambda r: None,
}
_WIRES: dict[str, _Wire] = {topic.name: _make_wire(topic) for topic in topics.ALL if topic is not topics.DEAD_LETTERS}
