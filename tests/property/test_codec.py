"""The codec over everything: round trips of every record, and no input that does more than be refused."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect as types

from schemas import codec, examples, topics
from schemas.contracts import RECORDS, message_schema, types_of
from schemas.fields import ERROR_KINDS, MAX_FRAME_ROWS, MAX_RECORD_BYTES
from schemas.records import DeadLetter, InvalidRecord, ParameterSet, Record, Tombstone

# A loaded machine is no failure: these properties say nothing about time.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
READABLE = [topic for topic in topics.ALL if topic is not topics.DEAD_LETTERS]
FRAMED = [topic for topic in READABLE if topic.framed]
VALIDATORS = {topic.name: jsonschema.Draft202012Validator(message_schema(topic)) for topic in READABLE}

UPPER, LOWER, DIGITS = "ABCXYZ", "abcxyz", "0189"
NAMES = st.builds(
    str.__add__, st.sampled_from(UPPER + LOWER + DIGITS), st.text(UPPER + LOWER + DIGITS + "._:/@+-", max_size=63)
)
ASSETS = st.builds(str.__add__, st.sampled_from(UPPER + DIGITS), st.text(UPPER + LOWER + DIGITS + ".", max_size=15))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


NO_RECORD = object()  # drawn in place of a record whose required fields contradict each other


def values(kind: types.Type) -> st.SearchStrategy[Any]:
    """Values of a type as msgspec describes it, its limits included."""
    return MAKERS[type(kind)](kind)


def _records(kind: types.StructType) -> st.SearchStrategy[Any]:
    return records(kind.cls)


def _metadata(kind: types.Metadata) -> st.SearchStrategy[Any]:
    pattern = (kind.extra_json_schema or {}).get("pattern", "")
    return _patterned(pattern) if pattern else values(kind.type)


def _text(kind: types.StrType) -> st.SearchStrategy[str]:
    if kind.pattern is not None:
        return _patterned(kind.pattern)
    characters = st.characters(exclude_categories=["Cs"])
    return st.text(characters, min_size=kind.min_length or 0, max_size=min(kind.max_length or 40, 40))


def _float(kind: types.FloatType) -> st.SearchStrategy[float]:
    low = kind.ge if kind.ge is not None else kind.gt
    high = kind.le if kind.le is not None else kind.lt
    return st.floats(
        low, high, allow_nan=False, allow_infinity=False,
        exclude_min=kind.gt is not None, exclude_max=kind.lt is not None,
    )  # fmt: skip


MAKERS: dict[type, Callable[[Any], st.SearchStrategy[Any]]] = {
    types.Metadata: _metadata,
    types.StrType: _text,
    types.FloatType: _float,
    types.IntType: lambda kind: st.integers(kind.ge if kind.ge is not None else -(2**53), kind.le or 2**53),
    types.BoolType: lambda _: st.booleans(),
    types.BytesType: lambda kind: st.binary(max_size=64 if kind.max_length is None else kind.max_length),
    types.NoneType: lambda _: st.none(),
    types.LiteralType: lambda kind: st.sampled_from(kind.values),
    types.UnionType: lambda kind: st.one_of(*(values(choice) for choice in kind.types)),
    types.VarTupleType: lambda kind: st.lists(
        values(kind.item_type), min_size=kind.min_length or 0, max_size=max(2, kind.min_length or 0)
    ).map(lambda items: _kept(items, kind.min_length or 0)),
    types.TupleType: lambda kind: st.tuples(*(values(item) for item in kind.item_types)),
    types.DictType: lambda kind: st.dictionaries(
        values(kind.key_type), values(kind.value_type), min_size=kind.min_length or 0, max_size=2
    ).map(lambda items: {key: value for key, value in items.items() if value is not NO_RECORD}),
    types.AnyType: lambda _: JSON,
    types.RawType: lambda _: JSON.map(lambda value: msgspec.Raw(json.dumps(value).encode())),
    types.StructType: _records,
}


def _tuples(kind: types.VarTupleType) -> st.SearchStrategy[Any]:
    least = kind.min_length or 0
    drawn = st.lists(values(kind.item_type), min_size=least, max_size=max(4, least))
    return drawn.map(lambda items: _kept(items, least))


def _kept(items: list[Any], least: int) -> Any:
    """What of a list are values; NO_RECORD if they are too few."""
    kept = tuple(item for item in items if item is not NO_RECORD)
    return kept if len(kept) >= least else NO_RECORD


def _patterned(pattern: str) -> st.SearchStrategy[str]:
    if "0-9a-f" in pattern:
        size = next((size for size in (64, 32) if str(size) in pattern), 16)
        return st.text("0123456789abcdef", min_size=size, max_size=size)
    if pattern.startswith("^[a-z][a-z_]"):
        return st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True)
    if pattern.startswith("^https"):
        return st.from_regex(r"https?://[a-z0-9.]{1,40}:[0-9]{1,5}", fullmatch=True)
    return ASSETS if pattern.startswith("^[A-Z0-9]") else NAMES


@functools.cache
def records(record: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Records of a type that keep the rules over several fields as well."""
    info = types.type_info(record)
    assert isinstance(info, types.StructType)
    # Parameters of models nest deep and have many defaults: of those a few fields at a time.
    whole = (
        record.__module__ in {"schemas.inputs", "schemas.outputs", "schemas.parameters"} and record is not ParameterSet
    )
    needed = {field.name: values(field.type) for field in info.fields if field.required or whole}
    others = {field.name: values(field.type) for field in info.fields if field.name not in needed}

    @st.composite
    def build(draw: st.DrawFn) -> Any:
        fields = draw(st.fixed_dictionaries(needed))
        for name in draw(st.lists(st.sampled_from(sorted(others)), max_size=3, unique=True)) if others else ():
            fields[name] = draw(others[name])
        fields = {name: value for name, value in fields.items() if value is not NO_RECORD}
        _settle(fields)
        return _built(record, {field.name for field in info.fields if field.required}, fields)

    return build()


def _built(record: type[msgspec.Struct], required: set[str], fields: dict[str, Any]) -> Any:
    """A record of these fields or, where they contradict each other, of as many as do not; NO_RECORD if it has to."""
    try:
        return record(**fields)
    except (InvalidRecord, TypeError):
        kept = {name: fields.pop(name) for name in required if name in fields}
    if kept.keys() != required:
        return NO_RECORD
    try:
        record(**kept)
    except InvalidRecord:
        return NO_RECORD
    for name, value in fields.items():
        try:
            record(**kept, **{name: value})
        except InvalidRecord:
            continue
        kept[name] = value
    return record(**kept)


def _settle_auction(fields: dict[str, Any]) -> None:
    if "expires_us" in fields:
        first, last = sorted((fields["event_time_us"], fields["expires_us"]))
        if first < last:  # else it ends as it begins, and is none
            fields |= {"event_time_us": first, "expires_us": last}
        fields |= {"release_usd": abs(fields["release_usd"]) or 1.0, "worst_cost_usd": abs(fields["worst_cost_usd"])}
        fields["limits"] = {name: tuple(sorted(ends)) for name, ends in fields["limits"].items()}
    if "basket" in fields:
        fields |= {"cost_usd": abs(fields["cost_usd"])}
        fields["basket"] = {name: quantity or 1.0 for name, quantity in fields["basket"].items()}


def _settle(fields: dict[str, Any]) -> None:
    """Drop what the other fields rule out, so that most draws are records."""
    _settle_auction(fields)
    if "price_kind" in fields:
        quote = fields["price_kind"] == "quote"
        bid, ask = sorted((fields["bid"] or 1.0, fields["ask"] or 2.0))
        fields |= {"bid": bid, "ask": ask, "price": None} if quote else {"bid": None, "ask": None}
        if not quote:
            fields["price"] = fields["price"] or 1.0
        if fields["price_kind"] != "index":
            fields["instrument"] = fields["instrument"] or "i"
    if "option_type" in fields and "type" in fields:
        option = fields["type"] == "option"
        dated = option or fields["type"] == "future"
        fields["expiry_us"] = (fields["expiry_us"] or fields["event_time_us"]) if dated else None
        fields["strike"] = (fields["strike"] or 1.0) if option else None
        fields["option_type"] = (fields["option_type"] or "put") if option else None
        fields["contract"] = "linear" if fields["type"] == "spot" else fields["contract"]
        if fields["contract"] == "inverse":
            fields["settlement"] = fields["underlying"]
    if "warning_enter_v" in fields:
        for state in ("warning", "margin_call"):
            enter, leave = f"{state}_enter_v", f"{state}_leave_v"
            fields[leave], fields[enter] = sorted((fields[leave], fields[enter]))


@functools.cache
def rows_of(topic: topics.Topic) -> st.SearchStrategy[Record]:
    return st.one_of(*(records(record) for record in types_of(topic))).filter(lambda record: record is not NO_RECORD)


def same(first: Record, second: Record) -> bool:
    """Whether two records are equal; of raw records in records the bytes count."""
    return first == second or msgspec.json.encode(first) == msgspec.json.encode(second)


def is_total(topic: topics.Topic, key: bytes | None, value: bytes | None) -> codec.Decoded:
    """Decode and assert all that holds for any input: typed rows, each once, in order, with original bytes."""
    decoded = codec.decode_message(topic.name, key, value)
    indices = sorted([index for index, _ in decoded.records] + [refused.index for refused in decoded.refused])
    assert indices == list(range(len(indices)))
    assert indices
    for _, record in decoded.records:
        assert isinstance(record, (*types_of(topic), Tombstone))
    raws = codec.raw_rows(value or b"")
    for refused in decoded.refused:
        assert refused.error_kind in ERROR_KINDS
        assert refused.error_text
        assert refused.raw == (value or b"") or refused.raw == raws[refused.index]
    return decoded


# --- round trips ----------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", READABLE, ids=lambda topic: topic.name)
@given(data=st.data())
@settings(PATIENT, max_examples=40)
def test_every_record_survives_the_wire(topic: topics.Topic, data: st.DataObject) -> None:
    """A record encoded and decoded under its own key is the same record, and keeps the published schema."""
    record = data.draw(rows_of(topic))
    value = codec.encode(record)
    decoded = is_total(topic, codec.key_of(topic.name, record), value)
    assert not decoded.refused
    [(index, back)] = decoded.records
    assert isinstance(back, Record)
    assert index == 0
    assert type(back) is type(record)
    assert same(back, record)
    assert codec.encode(back) == value
    VALIDATORS[topic.name].validate(json.loads(value))


@pytest.mark.parametrize("topic", FRAMED, ids=lambda topic: topic.name)
@given(data=st.data())
@settings(PATIENT, max_examples=25)
def test_every_frame_survives_the_wire(topic: topics.Topic, data: st.DataObject) -> None:
    """Rows come out of a frame as they went in, each with its index and its bytes."""
    rows = data.draw(st.lists(rows_of(topic), min_size=1, max_size=8))
    value = codec.encode_frame(rows)
    decoded = is_total(topic, None, value)
    assert not decoded.refused
    assert [index for index, _ in decoded.records] == list(range(len(rows)))
    for row, (index, back) in zip(rows, decoded.records, strict=True):
        assert isinstance(back, Record)
        assert same(back, row)
        assert codec.raw_row(value, index) == codec.encode(row)
    VALIDATORS[topic.name].validate(json.loads(value))


@given(st.data())
@settings(PATIENT)
def test_frames_of_any_limits_lose_nothing(data: st.DataObject) -> None:
    """However rows are split into frames, all of them arrive once and in order, and each frame keeps the limits."""
    rows = data.draw(st.lists(rows_of(topics.TICKS), max_size=12))
    longest = max((len(codec.encode(row)) for row in rows), default=0)
    max_rows = data.draw(st.integers(1, MAX_FRAME_ROWS))
    max_bytes = data.draw(st.integers(longest + 17, MAX_RECORD_BYTES))
    encoded = list(codec.frames(rows, max_rows, max_bytes))
    back = [record for value in encoded for _, record in codec.decode_message(topics.TICKS.name, None, value).records]
    assert back == rows
    assert all(len(value) <= max_bytes for value in encoded)


# --- anything at all ------------------------------------------------------------------------------

KEYS = st.none() | st.binary(max_size=20) | NAMES.map(str.encode)


@pytest.mark.parametrize("topic", READABLE, ids=lambda topic: topic.name)
@given(key=KEYS, value=st.none() | st.binary(max_size=200))
@settings(PATIENT, max_examples=30)
def test_any_bytes_are_at_worst_refused(topic: topics.Topic, key: bytes | None, value: bytes | None) -> None:
    """No key and no value raises anything; each gives records or typed refusals."""
    is_total(topic, key, value)


@pytest.mark.parametrize("topic", READABLE, ids=lambda topic: topic.name)
@given(key=KEYS, value=JSON, rows=st.none() | st.lists(JSON, max_size=3))
@settings(PATIENT, max_examples=30)
def test_any_json_is_at_worst_refused(
    topic: topics.Topic, key: bytes | None, value: Any, rows: Sequence[Any] | None
) -> None:
    """The same for JSON of any shape, single or framed."""
    is_total(topic, key, json.dumps(value if rows is None else {"v": 1, "rows": rows}).encode())


PIECES = st.sampled_from(
    [b"", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"NaN", b"-", b"0", b"1e999", b"null", b"\xff", b"\x00",
     b"2", b'"v":2,', b'"rows":[', b"\n", b"e", b".", b"true"]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, topic: topics.Topic) -> tuple[bytes | None, bytes]:
    """A good message of a topic with pieces cut out and put in."""
    rows = [example for record in types_of(topic) for example in examples.of(record)]
    record = draw(st.sampled_from(rows))
    framed = topic.framed and draw(st.booleans())
    value = codec.encode_frame([record, *rows]) if framed else codec.encode(record)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(value)))
        value = value[:start] + draw(PIECES) + value[start + draw(st.integers(0, 4)) :]
    return None if framed else codec.key_of(topic.name, record), value


@pytest.mark.parametrize("topic", READABLE, ids=lambda topic: topic.name)
@given(data=st.data())
@settings(PATIENT, max_examples=50)
def test_mutated_messages_are_at_worst_refused(topic: topics.Topic, data: st.DataObject) -> None:
    """Damage to a good message is read as what it says or refused; what is accepted keeps the published schema."""
    key, value = data.draw(mutated(topic))
    decoded = is_total(topic, key, value)
    if not decoded.refused and not any(isinstance(record, Tombstone) for _, record in decoded.records):
        VALIDATORS[topic.name].validate(json.loads(value))


@given(data=st.data(), position=st.integers(0, 5))
@settings(PATIENT)
def test_a_damaged_row_never_reaches_its_neighbours(data: st.DataObject, position: int) -> None:
    """Whatever JSON stands in the place of one row, the other rows arrive as they are."""
    good = examples.of(types_of(topics.TRADES)[0])[0]
    bad = json.dumps(data.draw(JSON)).encode()
    rows = [codec.encode(good)] * 5
    rows.insert(position, bad)
    value = b'{"v":1,"rows":[' + b",".join(rows) + b"]}"
    decoded = is_total(topics.TRADES, None, value)
    assert decoded.records == [(index, good) for index in range(6) if index != position]
    assert [(refused.index, refused.raw) for refused in decoded.refused] == [(position, bad)]


def test_every_record_is_drawn() -> None:
    """The properties above cover every record type but the one that lives in headers."""
    assert {record for topic in READABLE for record in types_of(topic)} | {DeadLetter} == set(RECORDS)
