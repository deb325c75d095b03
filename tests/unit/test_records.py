"""Records: golden files of every version, rules over several fields, and the generated contracts."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from schemas import codec, examples, topics
from schemas.__main__ import main, stale
from schemas.contracts import RECORDS, fill_tables, message_schema, record_schema, snake, types_of
from schemas.fields import SEEN_NAMES
from schemas.outputs import Published
from schemas.records import (
    Instrument,
    InvalidRecord,
    ParameterSet,
    PriceTick,
    Record,
    StatusParameters,
    SviVolatility,
    Trade,
    Transfer,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "records"
BY_NAME = {snake(record.__name__): record for record in RECORDS}
SINGLES = sorted(path for path in GOLDEN.glob("v*/*.json") if path.stem in BY_NAME)
FRAMES = sorted(GOLDEN.glob("v*/*.frame.json"))
NOW = 1_760_043_600_123_456

TRADE: dict[str, Any] = {
    "trade_id": "1", "account": "a", "instrument": "i", "quantity": 1.0, "price": 1.0, "event_time_us": NOW,
}  # fmt: skip
TICK: dict[str, Any] = {
    "underlying": "BTC", "source": "x", "price_kind": "trade", "event_time_us": NOW, "price": 1.0, "instrument": "i",
}  # fmt: skip
OPTION: dict[str, Any] = {
    "instrument": "o", "type": "option", "underlying": "BTC", "settlement": "BTC", "event_time_us": NOW,
    "contract": "inverse", "expiry_us": NOW + 1, "strike": 1.0, "option_type": "call",
}  # fmt: skip
SVI: dict[str, Any] = {
    "underlying": "BTC", "source": "x", "expiry_us": NOW, "a": 0.1, "b": 0.1, "rho": 0.0, "m": 0.0, "sigma": 0.1,
    "event_time_us": NOW,
}  # fmt: skip


def topic_of(record: type[Record]) -> topics.Topic:
    return next(topic for topic in topics.ALL if record in types_of(topic))


def test_every_record_has_a_golden_file() -> None:
    """No record type is without a hand-written record of version 1."""
    assert {path.stem for path in SINGLES if path.parent.name == "v1"} == BY_NAME.keys()


@pytest.mark.parametrize("path", SINGLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_record_is_read_and_written_again_with_the_same_bytes(path: Path) -> None:
    """What was written by any released version is read by this one, loses nothing, and is written the same way."""
    wire = path.read_bytes().rstrip(b"\n")
    record = msgspec.json.decode(wire, type=BY_NAME[path.stem])
    assert codec.encode(record) == wire
    for field, value in json.loads(wire).items():
        if isinstance(value, str | int | float) and field != record.__struct_config__.tag_field:
            read = getattr(record, field)
            assert (base64.b64encode(read).decode() if isinstance(read, bytes) else read) == value


@pytest.mark.parametrize("path", [path for path in SINGLES if path.stem != "dead_letter"], ids=lambda path: path.stem)
def test_a_golden_record_passes_through_its_topic(path: Path) -> None:
    """A golden record under its own key is accepted on its topic as the only row."""
    wire = path.read_bytes().rstrip(b"\n")
    topic = topic_of(BY_NAME[path.stem]).name
    record = msgspec.json.decode(wire, type=BY_NAME[path.stem])
    decoded = codec.decode_message(topic, codec.key_of(topic, record), wire)
    assert decoded == codec.Decoded([(0, record)])


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_a_golden_frame_is_read_and_written_again_with_the_same_bytes(path: Path) -> None:
    """A frame of any released version is read row by row and written the same way."""
    wire = path.read_bytes().rstrip(b"\n")
    decoded = codec.decode_message(path.name.removesuffix(".frame.json"), None, wire)
    assert not decoded.refused
    assert [index for index, _ in decoded.records] == list(range(len(json.loads(wire)["rows"])))
    assert codec.encode_frame(record for _, record in decoded.records if isinstance(record, Record)) == wire


@pytest.mark.parametrize("path", SINGLES, ids=lambda path: path.stem)
def test_a_golden_record_keeps_the_generated_contract(path: Path) -> None:
    """Golden records are valid under the generated JSON Schema of their type."""
    jsonschema.validate(json.loads(path.read_bytes()), record_schema(BY_NAME[path.stem]))


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_a_golden_frame_keeps_the_generated_contract(path: Path) -> None:
    """Golden frames are valid under the generated JSON Schema of their topic."""
    topic = next(topic for topic in topics.ALL if topic.name == path.name.removesuffix(".frame.json"))
    jsonschema.validate(json.loads(path.read_bytes()), message_schema(topic))


def test_the_written_contracts_are_those_of_the_types() -> None:
    """Generated schemas and tables in the repository are not stale."""
    assert stale() == []
    assert main(["--check"]) == 0


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_examples_are_valid_under_their_own_schema(record: type[Record]) -> None:
    """Each schema is itself valid 2020-12, holds at least one example, and each example keeps it."""
    schema = record_schema(record)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["examples"]
    for example in schema["examples"]:
        jsonschema.Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize(
    "topic", [topic for topic in topics.ALL if topic is not topics.DEAD_LETTERS], ids=lambda topic: topic.name
)
def test_examples_are_valid_messages_of_their_topic(topic: topics.Topic) -> None:
    """Every example is a valid message of its topic, and so is a frame of them where the topic has frames."""
    validator = jsonschema.Draft202012Validator(message_schema(topic))
    validator.check_schema(validator.schema)
    rows = [example for record in types_of(topic) for example in examples.of(record)]
    for row in rows:
        validator.validate(json.loads(codec.encode(row)))
    frame = json.loads(codec.encode_frame(rows))
    assert validator.is_valid(frame) is topic.framed
    assert not validator.is_valid({"v": 1, "rows": []})
    assert not validator.is_valid({**frame, "v": 2})


def test_every_field_of_a_schema_says_what_it_means() -> None:
    """No property of any generated schema is without a description."""
    for record in RECORDS:
        schema = record_schema(record)
        for part in (schema, *schema.get("$defs", {}).values()):
            assert part["description"]
            for name, field in part["properties"].items():
                assert name == "kind" or field["description"], f"{part['title']}.{name}"


def test_an_unknown_table_name_on_a_page_is_an_error() -> None:
    """A page cannot ask for a table that nothing generates."""
    with pytest.raises(KeyError):
        fill_tables("<!-- generated: fields nothing --><!-- end -->")


# --- the worked example is arithmetic, not prose -------------------------------------------------


def test_the_example_events_add_up() -> None:
    """Requirements, shortfalls and scenario losses of the worked example follow from its positions by hand."""
    call, liquidation = examples.EVENTS["margin_call"], examples.EVENTS["liquidation"]
    assert call.equity_usd == 300_000 + 12 * (113_000 - 120_000) - 50 * (3_700 - 4_200) == 241_000
    assert call.im_requirement_usd == pytest.approx(0.16 * (12 * 113_000 + 50 * 3_700))
    assert call.mm_requirement_usd == pytest.approx(0.8 * call.im_requirement_usd)
    assert call.shortfall_usd == pytest.approx(call.im_requirement_usd - call.equity_usd)
    assert call.im_requirement_usd >= call.equity_usd > call.mm_requirement_usd
    assert liquidation.equity_usd == 300_000 + 12 * (105_000 - 120_000) - 50 * (3_300 - 4_200) == 165_000
    assert liquidation.shortfall_usd == pytest.approx(liquidation.mm_requirement_usd - 165_000)
    assert liquidation.mm_requirement_usd > liquidation.equity_usd


# --- rules over several fields -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"price": None}, "invalid_record"),
        ({"bid": 1.0}, "invalid_record"),
        ({"price_kind": "quote"}, "invalid_record"),
        ({"price_kind": "quote", "price": None, "bid": 1.0}, "invalid_record"),
        ({"price_kind": "quote", "price": None, "bid": 2.0, "ask": 1.0}, "crossed_quote"),
        ({"instrument": None}, "invalid_record"),
        ({"underlying": "btc"}, "bad_pattern"),
        ({"source": "a b"}, "bad_pattern"),
        ({"instrument": "i\n"}, "bad_pattern"),
    ],
)
def test_a_tick_without_one_usable_price_is_refused(change: dict[str, Any], kind: str) -> None:
    """A tick has exactly the prices of its kind, a name for what was priced, and no crossed quote."""
    PriceTick(**TICK)
    with pytest.raises(InvalidRecord) as error:
        PriceTick(**TICK | change)
    assert error.value.kind == kind


def test_a_locked_quote_is_a_price() -> None:
    """Bid and ask may be equal; the value of a quote is their middle."""
    quote = PriceTick(**TICK | {"price_kind": "quote", "price": None, "bid": 2.0, "ask": 2.0})
    assert quote.value_usd == 2.0
    assert PriceTick(**TICK | {"price_kind": "quote", "price": None, "bid": 1.0, "ask": 2.0}).value_usd == 1.5


@pytest.mark.parametrize(
    "change",
    [
        {"expiry_us": None},
        {"strike": None},
        {"option_type": None},
        {"type": "future"},
        {"type": "perpetual"},
        {"type": "spot", "contract": "linear"},
        {"settlement": "USDC"},
        {"type": "spot", "expiry_us": None, "strike": None, "option_type": None},
    ],
)
def test_an_instrument_that_no_pricing_rule_covers_is_refused(change: dict[str, Any]) -> None:
    """Expiry, strike and option type belong to their types, and inverse contracts settle in their underlying."""
    Instrument(**OPTION)
    with pytest.raises(InvalidRecord):
        Instrument(**OPTION | change)


@pytest.mark.parametrize("quantity", [0.0, -0.0])
def test_a_fill_or_transfer_of_nothing_is_refused(quantity: float) -> None:
    """Zero contracts are no trade and zero units no transfer, whatever the sign of the zero."""
    with pytest.raises(InvalidRecord) as trade:
        Trade(**TRADE | {"quantity": quantity})
    with pytest.raises(InvalidRecord) as transfer:
        Transfer(transfer_id="1", account="a", asset="BTC", amount=quantity, event_time_us=NOW)
    assert trade.value.kind == transfer.value.kind == "out_of_range"


@pytest.mark.parametrize("account", ["", " a", "a b", "a\n", "-a", "ä", "a" * 65, "a\x00"])
def test_an_account_that_is_no_name_is_refused(account: str) -> None:
    """Names hold no spaces, control or foreign characters, and at most 64 of them."""
    with pytest.raises(InvalidRecord) as error:
        Trade(**TRADE | {"account": account})
    assert error.value.kind == "bad_pattern"


def test_names_are_checked_again_after_the_memory_of_legal_names_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of names that were found legal is bounded and never lets an illegal one in."""
    monkeypatch.setattr("schemas.fields.MAX_SEEN", 3)
    SEEN_NAMES.clear()
    for number in range(10):
        Trade(**TRADE | {"account": f"a{number}"})
        assert len(SEEN_NAMES) <= 3
    with pytest.raises(InvalidRecord):
        Trade(**TRADE | {"account": "a b"})


def test_a_slice_of_negative_variance_is_refused() -> None:
    """Raw SVI may touch zero total variance and not fall below."""
    SviVolatility(**SVI | {"a": -0.01})
    with pytest.raises(InvalidRecord):
        SviVolatility(**SVI | {"a": -0.0101})


@pytest.mark.parametrize("change", [{"warning_leave_v": 0.91}, {"margin_call_enter_v": 0.94}])
def test_a_state_that_would_flap_is_refused(change: dict[str, Any]) -> None:
    """A state is left at or below where it is entered."""
    with pytest.raises(InvalidRecord):
        StatusParameters(**change)


def test_defaults_of_two_sets_are_not_shared() -> None:
    """Each parameter set has its own table of underlyings."""
    first, second = (ParameterSet(name="x", event_time_us=NOW) for _ in range(2))
    assert first.underlyings is not second.underlyings


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_records_cannot_be_changed(record: type[Record]) -> None:
    """Every record is frozen."""
    example = examples.of(record)[0]
    with pytest.raises(AttributeError):
        example.v = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", SINGLES, ids=lambda path: path.stem)
def test_fields_of_tomorrow_are_ignored_by_consumers_and_refused_from_senders(path: Path) -> None:
    """A field that a record does not have is a mistake in an input, and a later version's addition in an output."""
    record = BY_NAME[path.stem]
    wire = path.read_bytes().rstrip(b"\n")[:-1] + b',"tomorrow":{"x":[1]}}'
    if issubclass(record, Published):
        assert codec.encode(msgspec.json.decode(wire, type=record)) + b"\n" == path.read_bytes()
        jsonschema.validate(json.loads(wire), record_schema(record))
    else:
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.json.decode(wire, type=record)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(wire), record_schema(record))
