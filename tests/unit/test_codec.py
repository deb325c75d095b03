"""The codec: what is refused, with which kind, and that nothing else is lost with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aiokafka.partitioner import murmur2

from schemas import codec, examples, topics
from schemas.fields import ERROR_KINDS, MAX_DEPTH, MAX_FRAME_ROWS, MAX_RECORD_BYTES, ErrorKind
from schemas.records import AccountConfig, Heartbeat, Instrument, ParameterSet, PriceTick, Record, Tombstone, Trade
from schemas.refusals import MAX_ERROR_TEXT
from tests.support import ROOT

TRADES, TICKS, ACCOUNTS = topics.TRADES.name, topics.TICKS.name, topics.ACCOUNTS.name
NOW = 1_760_043_600_123_456


def trade(**change: Any) -> bytes:
    """JSON of a good trade with some fields changed; None leaves one out."""
    fields = {
        "trade_id": "t-1", "account": "desk-1", "instrument": "BTC-PERP", "quantity": -1.5, "price": 120_000.5,
        "event_time_us": NOW,
    } | change  # fmt: skip
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def tick(**change: Any) -> bytes:
    """JSON of a good tick with some fields changed; None leaves one out."""
    fields = {
        "kind": "price", "underlying": "BTC", "source": "binance", "price_kind": "trade", "event_time_us": NOW,
        "price": 120_000.5, "instrument": "BTC-PERP",
    } | change  # fmt: skip
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def frame(*rows: bytes) -> bytes:
    """Put rows into a frame as they are, JSON or not."""
    return b'{"v":1,"rows":[' + b",".join(rows) + b"]}"


def patched(row: bytes, old: str, new: str | bytes) -> bytes:
    """Replace a piece of JSON text that occurs once."""
    assert row.count(old.encode()) == 1
    return row.replace(old.encode(), new if isinstance(new, bytes) else new.encode())


# Every way in which one row can be bad. `poison` also is the list of what the dead-letter topic has to survive.
ROWS: list[tuple[str, str, bytes, ErrorKind]] = [
    ("bad UTF-8 in a value", TRADES, patched(trade(), "desk-1", b"desk\xff"), "bad_utf8"),
    ("bad UTF-8 in a name", TRADES, patched(trade(), "trade_id", b"trade\xc3("), "bad_utf8"),
    ("overlong UTF-8", TRADES, patched(trade(), "desk-1", b"\xc0\xaf"), "bad_utf8"),
    ("surrogate in UTF-8", TRADES, patched(trade(), "desk-1", b"\xed\xa0\x80"), "bad_utf8"),
    ("half a surrogate pair", TRADES, patched(trade(), "desk-1", "\\ud800"), "bad_json"),
    ("unknown escape", TRADES, patched(trade(), "desk-1", "\\x41"), "bad_json"),
    ("control character", TRADES, patched(trade(), "desk-1", "a\tb"), "bad_json"),
    ("leading zero", TRADES, patched(trade(), "-1.5", "01.5"), "bad_json"),
    ("leading plus", TRADES, patched(trade(), "-1.5", "+1.5"), "bad_json"),
    ("no digit before the point", TRADES, patched(trade(), "-1.5", "-.5"), "bad_json"),
    ("hexadecimal", TRADES, patched(trade(), "-1.5", "0x1"), "bad_json"),
    ("word", TRADES, b"nothing", "bad_json"),
    ("half a word", TRADES, b"tru", "bad_json"),
    ("missing colon", TRADES, b'{"trade_id" "t"}', "bad_json"),
    ("NaN", TRADES, patched(trade(), "-1.5", "NaN"), "not_finite"),
    ("negative NaN", TRADES, patched(trade(), "-1.5", "-NaN"), "not_finite"),
    ("infinity", TRADES, patched(trade(), "-1.5", "Infinity"), "not_finite"),
    ("negative infinity", TRADES, patched(trade(), "-1.5", "-Infinity"), "not_finite"),
    ("NaN beyond the first wrong field", TRADES, b'{"x":1,"y":NaN}', "not_finite"),
    ("unknown version", TRADES, trade(v=2), "unknown_version"),
    ("version zero", TRADES, trade(v=0), "unknown_version"),
    ("unknown version and layout", TRADES, b'{"v":2,"anything":[{"else":null}]}', "unknown_version"),
    ("version as text", TRADES, trade(v="1"), "wrong_type"),
    ("version as a decimal", TRADES, trade(v=1.0), "wrong_type"),
    ("version as a truth", TRADES, trade(v=True), "wrong_type"),
    ("missing field", TRADES, trade(price=None), "missing_field"),
    ("nothing", TRADES, b"{}", "missing_field"),
    ("missing kind", TICKS, tick(kind=None), "missing_field"),
    ("unknown field", TRADES, trade(colour="red"), "unknown_field"),
    ("number as text", TRADES, trade(price="120000.5"), "wrong_type"),
    ("text as number", TRADES, trade(account=7), "wrong_type"),
    ("null", TRADES, patched(trade(), "120000.5", "null"), "wrong_type"),
    ("time as a decimal", TRADES, trade(event_time_us=float(NOW)), "wrong_type"),
    ("time as RFC 3339", TRADES, trade(event_time_us="2025-10-10T00:00:00Z"), "wrong_type"),
    ("list for a record", TRADES, b"[1,2]", "wrong_type"),
    ("number for a record", TRADES, b"7", "wrong_type"),
    ("null for a record", TRADES, b"null", "wrong_type"),
    ("kind as a number", TICKS, tick(kind=1), "wrong_type"),
    ("unknown kind", TICKS, tick(kind="rumour"), "unknown_value"),
    ("unknown price kind", TICKS, tick(price_kind="rumour"), "unknown_value"),
    ("account with a space", TRADES, trade(account="desk 1"), "bad_pattern"),
    ("account with a newline", TRADES, trade(account="desk-1\n"), "bad_pattern"),
    ("empty account", TRADES, trade(account=""), "bad_pattern"),
    ("long account", TRADES, trade(account="a" * 65), "bad_pattern"),
    ("underlying in lower case", TICKS, tick(underlying="btc"), "bad_pattern"),
    ("heartbeat of nobody", TICKS, b'{"kind":"heartbeat","source":"","event_time_us":%d}' % NOW, "bad_pattern"),
    ("empty trade id", TRADES, trade(trade_id=""), "out_of_range"),
    ("long trade id", TRADES, trade(trade_id="t" * 65), "out_of_range"),
    ("zero quantity", TRADES, trade(quantity=0), "out_of_range"),
    ("negative zero quantity", TRADES, trade(quantity=-0.0), "out_of_range"),
    ("zero price", TRADES, trade(price=0), "out_of_range"),
    ("negative zero price", TRADES, trade(price=-0.0), "out_of_range"),
    ("negative price", TRADES, trade(price=-1), "out_of_range"),
    ("price without an inverse", TRADES, trade(price=5e-324), "out_of_range"),
    ("price beyond a double", TRADES, patched(trade(), "120000.5", "1e999"), "out_of_range"),
    ("price of 400 digits", TRADES, patched(trade(), "120000.5", "9" * 400), "out_of_range"),
    ("quantity beyond reason", TRADES, trade(quantity=1.1e15), "out_of_range"),
    ("seconds for microseconds", TRADES, trade(event_time_us=NOW // 1_000_000), "out_of_range"),
    ("nanoseconds for microseconds", TRADES, trade(event_time_us=NOW * 1_000), "out_of_range"),
    ("time beyond 64 bits", TRADES, trade(event_time_us=10**30), "out_of_range"),
    ("time of 5000 digits", TRADES, patched(trade(), str(NOW), "1" * 5_000), "out_of_range"),
    ("max age of nothing", TICKS, tick(max_age_ms=0), "out_of_range"),
    ("crossed quote", TICKS, tick(price_kind="quote", price=None, bid=2, ask=1), "crossed_quote"),
    ("quote without an ask", TICKS, tick(price_kind="quote", price=None, bid=2), "invalid_record"),
    ("transfer of nothing", topics.TRANSFERS.name,
     b'{"transfer_id":"x","account":"a","asset":"BTC","amount":0,"event_time_us":%d}' % NOW, "out_of_range"),
    ("negative volatility", topics.VOLATILITY.name,
     b'{"kind":"instrument","underlying":"BTC","source":"x","instrument":"i","vol_annual":-0.1,"event_time_us":%d}'
     % NOW, "out_of_range"),
    ("volatility above 500 %", topics.VOLATILITY.name,
     b'{"kind":"instrument","underlying":"BTC","source":"x","instrument":"i","vol_annual":5.1,"event_time_us":%d}'
     % NOW, "out_of_range"),
]  # fmt: skip

DEEP = b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1)

# Every way in which a whole message can be bad: topic, key, value, kind.
MESSAGES: list[tuple[str, str, bytes | None, bytes | None, ErrorKind]] = [
    ("10 MB", TRADES, b"a", b" " * 10_000_000, "too_large"),
    ("one byte too many", TRADES, b"desk-1", trade() + b" " * (MAX_RECORD_BYTES + 1 - len(trade())), "too_large"),
    ("one level too deep", TRADES, b"a", DEEP, "too_deep"),
    ("a million levels", TRADES, b"a", b"[" * 999_999, "too_deep"),
    ("deep row", TRADES, None, frame(trade(), DEEP), "too_deep"),
    ("one row too many", TRADES, None, frame(*[b'{"x":1}'] * (MAX_FRAME_ROWS + 1)), "too_many_rows"),
    ("one good row too many", TRADES, None, frame(*[trade()] * (MAX_FRAME_ROWS + 1)), "too_many_rows"),
    ("no rows", TRADES, None, frame(), "empty_frame"),
    ("no bytes", TRADES, b"a", b"", "bad_json"),
    ("blank", TRADES, b"a", b" \n", "bad_json"),
    ("byte order mark", TRADES, b"desk-1", b"\xef\xbb\xbf" + trade(), "bad_json"),
    ("UTF-16", TRADES, b"desk-1", trade().decode().encode("utf-16"), "bad_utf8"),
    ("trailing word", TRADES, b"desk-1", trade() + b"x", "bad_json"),
    ("two records", TRADES, b"desk-1", trade() + trade(), "bad_json"),
    ("half a record", TRADES, b"desk-1", trade()[:-10], "bad_json"),
    ("half a frame", TRADES, None, frame(trade(), trade())[:-10], "bad_json"),
    ("frame with a trailing brace", TRADES, None, frame(trade()) + b"}", "bad_json"),
    ("frame with a brace too few", TRADES, None, frame(trade(), b"NaN")[:-1], "not_finite"),
    ("frame closed too early", TRADES, None, frame(b"NaN}", trade()), "not_finite"),
    ("frame of an unknown version", TRADES, None, frame(trade()).replace(b'"v":1', b'"v":2'), "unknown_version"),
    ("frame of an unknown layout", TRADES, None, b'{"v":3,"rows":{"a":1}}', "unknown_version"),
    ("frame of an unknown version, broken", TRADES, None, frame(b"NaN").replace(b'"v":1', b'"v":2'), "unknown_version"),
    ("frame with an unknown field", TRADES, None, b'{"rows":[' + trade() + b'],"w":1}', "unknown_field"),
    ("frame with a field under no text", TRADES, None, b'{"rows":[' + trade() + b'],"\xcc":1}', "bad_utf8"),
    ("frame whose rows are no list", TRADES, None, b'{"rows":{"0":1}}', "wrong_type"),
    ("frame whose version is text", TRADES, None, frame(trade()).replace(b'"v":1', b'"v":"1"'), "wrong_type"),
    ("keyed frame", TRADES, b"desk-1", frame(trade()), "key_mismatch"),
    ("frame of accounts", ACCOUNTS, None, frame(b'{"account":"a","event_time_us":%d}' % NOW), "frame_not_allowed"),
    ("frame of events", topics.LIQUIDATIONS.name, None, frame(b"{}"), "frame_not_allowed"),
    ("trade without a key", TRADES, None, trade(), "null_key"),
    ("tick without a key", TICKS, None, tick(), "null_key"),
    ("trade of another account", TRADES, b"desk-2", trade(), "key_mismatch"),
    ("trade with an empty key", TRADES, b"", trade(), "key_mismatch"),
    ("trade with a key that is no text", TRADES, b"\xff", trade(), "key_mismatch"),
    ("account under another key", ACCOUNTS, b"b", b'{"account":"a","event_time_us":%d}' % NOW, "key_mismatch"),
    ("trade without a value", TRADES, b"desk-1", None, "null_value"),
    ("tick without a value", TICKS, b"BTC", None, "null_value"),
    ("nothing at all", TRADES, None, None, "null_value"),
    ("tombstone of nobody", ACCOUNTS, None, None, "null_key"),
    ("tombstone under bytes", ACCOUNTS, b"\xff", None, "bad_key"),
    ("tombstone under no name", ACCOUNTS, b"a b", None, "bad_key"),
]  # fmt: skip


def of_row(case: tuple[str, str, bytes, ErrorKind]) -> str:
    return case[0]


@pytest.mark.parametrize("case", ROWS, ids=of_row)
def test_a_bad_single_record_is_refused_with_its_reason_and_bytes(case: tuple[str, str, bytes, ErrorKind]) -> None:
    """One bad record gives one refusal of the right kind that holds the original bytes."""
    _, topic, row, kind = case
    decoded = codec.decode_message(topic, b"desk-1", row)
    assert not decoded.records
    assert [(refused.index, refused.error_kind, refused.raw) for refused in decoded.refused] == [(0, kind, row)]


@pytest.mark.parametrize("case", ROWS, ids=of_row)
@pytest.mark.parametrize("layout", [frame, lambda *rows: b'{"rows" : [ ' + b" ,\n ".join(rows) + b' ], "v" : 1 }'])
def test_a_bad_row_costs_itself_only(case: tuple[str, str, bytes, ErrorKind], layout: Callable[..., bytes]) -> None:
    """The rows around a bad one are decoded under their own index, and the bad one keeps its bytes."""
    _, topic, bad, kind = case
    good = {TRADES: trade(), TICKS: tick()}.get(topic)
    if good is None:
        good = {
            topics.TRANSFERS.name: bad.replace(b'"amount":0', b'"amount":1'),
            topics.VOLATILITY.name: bad.replace(b"-0.1", b"0.1").replace(b"5.1", b"0.5"),
        }[topic]
    value = layout(good, bad, good, good, bad)
    decoded = codec.decode_message(topic, None, value)
    record = codec.decode_record(topic, good)
    assert isinstance(record, Record)
    assert decoded.records == [(0, record), (2, record), (3, record)]
    assert [(row.index, row.error_kind, row.raw) for row in decoded.refused] == [(1, kind, bad), (4, kind, bad)]
    assert codec.raw_rows(value) == (good, bad, good, good, bad)


@pytest.mark.parametrize("case", MESSAGES, ids=lambda case: case[0])
def test_a_bad_message_is_refused_as_a_whole(
    case: tuple[str, str, bytes | None, bytes | None, ErrorKind],
) -> None:
    """A message without usable rows gives one refusal, at index 0, of the right kind, with all bytes."""
    _, topic, key, value, kind = case
    decoded = codec.decode_message(topic, key, value)
    assert not decoded.records
    assert [(row.index, row.error_kind, row.raw) for row in decoded.refused] == [(0, kind, value or b"")]


def test_the_list_of_kinds_is_closed() -> None:
    """Every documented error kind is reached by some poison, and no other kind exists."""
    reached = {case[3] for case in ROWS} | {case[4] for case in MESSAGES} | {"wrong_partition"}
    assert reached == set(ERROR_KINDS)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "value",
    [
        b'{"v":1,"rows":["' + b'\\"' * 490_000,
        b'{"v":1,"rows":[' + b'"' * 900_000,
        b'{"v":1,"rows":[' + b"," * 900_000 + b"]}",
        b'{"v":1,"rows":[' + b"{}" * 450_000 + b"]}",
        b"]" * 999_999,
        b"{" + b'"a":"[",' * 100_000,
        b"\xff" * 999_999,
        b"N" * 999_999,
    ],
)
def test_a_megabyte_of_malice_is_refused_in_linear_time(value: bytes) -> None:
    """Input made to be slow is refused like any other (a quadratic scan would take hours)."""
    decoded = codec.decode_message(TRADES, None, value)
    assert not decoded.records
    assert decoded.refused


def test_a_frame_in_a_frame_is_no_row() -> None:
    """Frames do not nest: the inner one is refused as a row with an unknown field."""
    inner = frame(trade())
    decoded = codec.decode_message(TRADES, None, frame(trade(), inner))
    assert [index for index, _ in decoded.records] == [0]
    assert [(row.index, row.error_kind, row.raw) for row in decoded.refused] == [(1, "unknown_field", inner)]


def test_an_error_text_is_short_and_printable() -> None:
    """A text that quotes hostile input is cut and free of control characters."""
    for hostile in ("x" * 900_000, "\\u001b[2J\\u202e\\n"):
        decoded = codec.decode_message(TICKS, b"k", patched(tick(), '"trade"', f'"{hostile}"'))
        text = decoded.refused[0].error_text
        assert len(text) <= MAX_ERROR_TEXT
        assert text.isprintable()


# --- what is legal --------------------------------------------------------------------------------


def test_limits_may_be_reached() -> None:
    """A message of exactly the largest size and a frame of exactly the most rows are read."""
    full = trade() + b" " * (MAX_RECORD_BYTES - len(trade()))
    assert len(codec.decode_message(TRADES, b"desk-1", full).records) == 1
    assert len(codec.decode_message(TRADES, None, frame(*[trade()] * MAX_FRAME_ROWS)).records) == MAX_FRAME_ROWS
    deep = b'{"ordinal":1,"topic":"t","record":' + b"[" * (MAX_DEPTH - 3) + b"]" * (MAX_DEPTH - 3) + b',"v":1}'
    assert len(codec.decode_message(topics.SEQUENCED.name, None, frame(deep)).records) == 1
    assert codec.decode_message(topics.SEQUENCED.name, None, frame(deep.replace(b"[]", b"[[]]"))).refused


def test_brackets_in_strings_are_no_nesting() -> None:
    """Only brackets outside strings count against the depth limit."""
    row = trade(trade_id='\\"' + "[{" * 25)
    assert len(codec.decode_message(TRADES, b"desk-1", row).records) == 1
    assert len(codec.decode_message(TRADES, None, frame(row, row)).records) == 2


def test_of_duplicate_names_the_last_counts() -> None:
    """A name that occurs twice has its last value, as in Python's, JavaScript's and Go's own parsers."""
    row = patched(trade(), '"quantity"', '"quantity": 7, "quantity"')
    decoded = codec.decode_message(TRADES, b"desk-1", row)
    assert next(record for _, record in decoded.records if isinstance(record, Trade)).quantity == -1.5
    assert codec.decode_message(TRADES, b"desk-1", patched(trade(v=1), '"v"', '"v": 2, "v"')).refused


def test_white_space_whole_numbers_escapes_and_explicit_defaults_are_legal() -> None:
    """JSON that means the same is read the same."""
    plain = codec.decode_message(TRADES, b"desk-1", trade(quantity=2.0, price=3.0))
    odd = (
        b' \t\r\n{"v": 1, "fee":0, "price":3e0, "event_time_us":%d, "quantity":2, "instrument":"BTC\\u002dPERP", '
        b'"account":"desk-1", "trade_id":"t-1"}\n' % NOW
    )
    assert codec.decode_message(TRADES, b"desk-1", odd) == plain
    null = codec.decode_message(TICKS, b"k", patched(tick(), '"instrument"', '"max_age_ms": null, "instrument"'))
    assert null == codec.decode_message(TICKS, b"k", tick())


def test_a_market_record_may_have_any_key() -> None:
    """On a one-partition topic that is not compacted the key decides nothing, so any but null is accepted."""
    for key in (b"BTC-PERP", b"anything", b"\xff", b""):
        assert len(codec.decode_message(TICKS, key, tick()).records) == 1


def test_bytes_that_nobody_reads_have_to_be_text_too() -> None:
    """Bad UTF-8 is refused inside a record that is passed on as it is, and costs only its row."""
    good = b'{"ordinal":1,"topic":"t","record":{"a":"\xc3\xa4"},"v":1}'
    bad = good.replace(b"\xc3\xa4", b"\xc3")
    decoded = codec.decode_message(topics.SEQUENCED.name, None, frame(good, bad))
    assert [index for index, _ in decoded.records] == [0]
    assert [(row.index, row.error_kind, row.raw) for row in decoded.refused] == [(1, "bad_utf8", bad)]
    event = codec.encode(examples.EVENTS["margin_call"])[:-1]
    for name, accepted in ((b"\xc3\xa4", True), (b"\xc3", False)):
        decoded = codec.decode_message(topics.MARGIN_CALLS.name, b"desk-7", event + b',"' + name + b'":1}')
        assert bool(decoded.records) is accepted


def test_a_sequenced_record_needs_no_key() -> None:
    """The strict-order topic has no keys: records stand alone or in frames without one."""
    row = b'{"ordinal":1,"topic":"risk.trades.v1","record":' + trade() + b',"v":1}'
    assert len(codec.decode_message(topics.SEQUENCED.name, None, row).records) == 1
    assert len(codec.decode_message(topics.SEQUENCED.name, None, frame(row, row)).records) == 2


@pytest.mark.parametrize("topic", [topic for topic in topics.ALL if topic.policy == "compact"], ids=lambda t: t.name)
def test_a_null_value_on_a_compacted_topic_is_a_tombstone(topic: topics.Topic) -> None:
    """A null value says that what the key names is gone."""
    assert codec.decode_message(topic.name, b"desk-1", None) == codec.Decoded([(0, Tombstone("desk-1"))])


def test_an_unknown_topic_is_a_mistake_of_the_caller() -> None:
    """Topics outside the table, and the topic of dead letters, are read by nobody."""
    for name in ("risk.trades.v2", "", topics.DEAD_LETTERS.name):
        with pytest.raises(ValueError, match="no records are read"):
            codec.decode_message(name, b"a", trade())


def test_one_record_is_decoded_without_a_key() -> None:
    """A line of a file is a record or a refusal with the index it was given."""
    assert isinstance(codec.decode_record(TRADES, trade()), Trade)
    for bad, kind in ((trade(quantity=0), "out_of_range"), (DEEP, "too_deep"), (frame(trade()), "unknown_field")):
        refused = codec.decode_record(TRADES, bad, index=9)
        assert isinstance(refused, codec.Refused)
        assert (refused.index, refused.error_kind, refused.raw) == (9, kind, bad)


# --- partitions -----------------------------------------------------------------------------------

PARTITIONS = 12


def partition_of(account: bytes) -> int:
    """Kafka's default partitioner, from a client library of its own."""
    return int(murmur2(account) & 0x7FFFFFFF) % PARTITIONS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_the_partitioner_is_that_of_the_java_client(text: str, expected: int) -> None:
    """The hash used below has the values published in the tests of Apache Kafka."""
    assert murmur2(text.encode()) & 0xFFFFFFFF == expected & 0xFFFFFFFF


def test_the_page_shows_partitions_and_limits_as_they_are() -> None:
    """The accounts that the documentation names hash as it says, and the limits it states are those in force."""
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(\S+)` \| (-?\d+) \| (\d+) \|$", page, re.MULTILINE)
    assert len(table) == 4
    for account, signed, partition in table:
        assert (int(signed) - murmur2(account.encode())) % 2**32 == 0
        assert int(partition) == partition_of(account.encode())
    limits = f"at most {MAX_RECORD_BYTES:,} bytes, {MAX_DEPTH} levels of nesting and {MAX_FRAME_ROWS:,} rows"
    assert limits in " ".join(page.split())


def test_rows_of_accounts_from_elsewhere_are_refused_one_by_one() -> None:
    """A frame keeps the rows whose accounts hash to its partition and loses only the others."""
    rows = [trade(account=f"desk-{number}") for number in range(40)]
    home = [number for number in range(40) if partition_of(b"desk-%d" % number) == 5]
    assert 0 < len(home) < 40
    for value, bad in ((frame(*rows), 0), (frame(*rows, trade(quantity=0)), 1), (frame(*rows, b"NaN"), 1)):
        decoded = codec.decode_message(TRADES, None, value, partition=5, partition_of=partition_of)
        assert [index for index, _ in decoded.records] == home
        assert len(decoded.refused) == 40 - len(home) + bad
        for refused in decoded.refused[: 40 - len(home)]:
            assert refused.error_kind == "wrong_partition"
            assert refused.raw == rows[refused.index]


def test_a_single_record_on_a_foreign_partition_is_refused() -> None:
    """A sender with another partitioner is told, before an account's state is split over two workers."""
    home = partition_of(b"desk-1")
    for partition in range(PARTITIONS):
        for topic, value in ((TRADES, trade()), (ACCOUNTS, None)):
            decoded = codec.decode_message(topic, b"desk-1", value, partition=partition, partition_of=partition_of)
            assert bool(decoded.records) is (partition == home)
            assert all(refused.error_kind == "wrong_partition" for refused in decoded.refused)


def test_market_topics_have_no_foreign_partition() -> None:
    """Accounts, not instruments, decide partitions."""
    for value, key in ((tick(), b"k"), (frame(tick()), None)):
        assert codec.decode_message(TICKS, key, value, partition=5, partition_of=partition_of).records


# --- encoding -------------------------------------------------------------------------------------


def make(number: int) -> Trade:
    return Trade(
        trade_id=str(number), account="desk-1", instrument="BTC-PERP", quantity=1.0, price=2.0, event_time_us=NOW
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_not_encoded(bad: float) -> None:
    """NaN and infinity raise instead of becoming null, at any depth, canonical or not."""
    event = codec.decode_record(topics.RISK_ARRAYS.name, RISK_ARRAY)
    assert isinstance(event, Record)
    for record in (
        Trade(trade_id="null", account="a", instrument="i", quantity=1.0, price=bad, event_time_us=NOW),
        msgspec.structs.replace(event, value_usd=bad),
        msgspec.structs.replace(event, pnl_usd=(1.0, bad)),
    ):
        with pytest.raises(ValueError, match="NaN and infinity"):
            codec.encode(record)
    assert b'"trade_id":"null"' in codec.encode(msgspec.structs.replace(make(1), trade_id="null"))


RISK_ARRAY = (
    b'{"delta_coins":1.0,"event_time_us":%d,"instrument":"i","parameter_hash":"0123456789abcdef","parameter_set":"p",'
    b'"pnl_usd":[1.0],"v":1,"value_usd":1.0}' % NOW
)


def test_published_records_are_canonical() -> None:
    """What the monitor publishes has sorted names and no spaces, whatever the order of construction."""
    record = codec.decode_record(topics.RISK_ARRAYS.name, RISK_ARRAY)
    assert isinstance(record, Record)
    assert codec.encode(record) == RISK_ARRAY


@pytest.mark.parametrize("max_rows", [1, 2, 7, MAX_FRAME_ROWS])
def test_frames_keep_order_and_limits(max_rows: int) -> None:
    """Rows are spread over as few frames as the limits allow, in their order, and none is lost."""
    rows = [make(number) for number in range(25)]
    sizes = [len(codec.encode(row)) + 1 for row in rows]
    for max_bytes in (400, 1_000, MAX_RECORD_BYTES):
        encoded = list(codec.frames(rows, max_rows=max_rows, max_bytes=max_bytes))
        decoded = [codec.decode_message(TRADES, None, value).records for value in encoded]
        assert [record for one in decoded for _, record in one] == rows
        assert all(len(value) <= max_bytes for value in encoded)
        assert all(len(one) <= max_rows for one in decoded)
        first = 0
        for value, one in zip(encoded[:-1], decoded[:-1], strict=True):
            first += len(one)
            assert len(one) == max_rows or len(value) + sizes[first] > max_bytes


def test_frames_of_nothing_are_nothing() -> None:
    """No rows make no frame, a row beyond the limit raises, and one frame is one frame."""
    assert list(codec.frames([])) == []
    with pytest.raises(ValueError, match="at least one row"):
        codec.encode_frame([])
    with pytest.raises(ValueError, match="more than one frame"):
        codec.encode_frame([make(1)] * (MAX_FRAME_ROWS + 1))
    with pytest.raises(ValueError, match="does not fit"):
        list(codec.frames([make(1)], max_bytes=100))


def test_a_frame_is_its_rows_as_single_records() -> None:
    """The bytes of a frame are those of its records, between a fixed head and tail."""
    assert codec.encode_frame([make(1), make(2)]) == frame(codec.encode(make(1)), codec.encode(make(2)))


@pytest.mark.parametrize(
    ("topic", "record", "key"),
    [
        (TRADES, make(1), b"desk-1"),
        (ACCOUNTS, AccountConfig(account="a", event_time_us=NOW), b"a"),
        (topics.INSTRUMENTS.name, Instrument(
            instrument="i", type="spot", underlying="BTC", settlement="USDT", event_time_us=NOW), b"i"),
        (topics.PARAMETERS.name, ParameterSet(name="p", event_time_us=NOW), b"p"),
        (TICKS, PriceTick(
            underlying="BTC", source="s", price_kind="index", event_time_us=NOW, price=1.0), b"BTC"),
        (TICKS, PriceTick(
            underlying="BTC", source="s", price_kind="mark", event_time_us=NOW, price=1.0, instrument="i"), b"i"),
        (TICKS, Heartbeat(source="s", event_time_us=NOW), b"s"),
        (topics.SEQUENCED.name, make(1), None),
    ],
)  # fmt: skip
def test_the_key_is_what_orders_a_record(topic: str, record: Record, key: bytes | None) -> None:
    """Each record has the key that the topic table says."""
    assert codec.key_of(topic, record) == key


def test_a_raw_row_beyond_the_last_is_an_error() -> None:
    """Rows are numbered from 0 to the last, and a single record is row 0."""
    assert codec.raw_row(trade(), 0) == trade()
    assert codec.raw_row(frame(trade(), b"NaN"), 1) == b"NaN"
    for value in (trade(), frame(trade()), b"junk"):
        with pytest.raises(IndexError):
            codec.raw_row(value, 1)
