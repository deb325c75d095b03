"""Headers: CloudEvents of events and what is known of dead letters, written and read back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.asking.subject import subject_of
from schemas import examples
from schemas.codec import encode
from schemas.contracts import record_schema
from schemas.headers import (
    EventHeaders,
    advice_headers,
    dead_letter_headers,
    event_headers,
    microseconds,
    read_dead_letter,
    read_event_headers,
    regime_headers,
    rfc3339,
    schema_uri,
    state_headers,
)
from schemas.records import AccountEvent, Advice, DeadLetter, RegimeChange

CALL = examples.EVENTS["margin_call"]
SOURCE = "/liquidation-monitor/eu"


def test_an_event_has_the_headers_of_a_cloud_event() -> None:
    """Every attribute that CloudEvents 1.0 requires over Kafka is there, and the sender's epoch."""
    assert dict(event_headers(encode(CALL), source=SOURCE, epoch=7)) == {
        "ce_specversion": b"1.0",
        "ce_id": b"6cff063b7b063df074035daf0f13fcfd",
        "ce_type": b"risk.margin_call.v1",
        "ce_source": b"/liquidation-monitor/eu",
        "ce_subject": b"desk-7",
        "ce_time": b"2025-10-10T21:10:15.250000Z",
        "ce_dataschema": b"urn:liquidation-monitor:schema:account_event:1",
        "content-type": b"application/json",
        "risk-epoch": b"7",
    }


def test_a_liquidation_names_its_bundle() -> None:
    """In a header, so that neither its body nor its id knows of it; `liqmon bundle` takes the name."""
    event = examples.EVENTS["liquidation"]
    headers = dict(event_headers(encode(event), source=SOURCE, epoch=7))
    assert headers["risk-bundle"] == f"urn:liquidation-monitor:bundle:{event.id}".encode()
    assert subject_of(headers["risk-bundle"].decode()).identity == event.id


def test_advice_has_headers_of_its_own() -> None:
    """The type says that it is advice and no event of the account's."""
    (advice,) = examples.of(Advice)
    assert isinstance(advice, Advice)
    read = read_event_headers(advice_headers(encode(advice), source=SOURCE, epoch=7))
    assert read == EventHeaders(
        id=advice.id, type="risk.advice.v1", source=SOURCE, subject="desk-7", time_us=advice.event_time_us,
        schema="urn:liquidation-monitor:schema:advice:1", epoch=7,
    )  # fmt: skip
    assert record_schema(Advice)["$id"] == read.schema


def test_a_regime_is_an_event_about_its_coins() -> None:
    """A regime change has the same headers; its subject is its message key."""
    (change,) = examples.of(RegimeChange)
    assert isinstance(change, RegimeChange)
    read = read_event_headers(regime_headers(encode(change), source=SOURCE, epoch=7))
    assert read == EventHeaders(
        id=change.id, type="risk.regime.v1", source=SOURCE, subject="BTC,ETH,SOL", time_us=change.event_time_us,
        schema="urn:liquidation-monitor:schema:regime_change:1", epoch=7,
    )  # fmt: skip
    assert record_schema(RegimeChange)["$id"] == read.schema


def test_event_headers_read_back() -> None:
    """What a consumer reads is what was written, foreign headers aside."""
    headers = [*event_headers(encode(CALL), source=SOURCE, epoch=7), ("traceparent", b"\xff")]
    assert read_event_headers(headers) == EventHeaders(
        id=CALL.id,
        type="risk.margin_call.v1",
        source=SOURCE,
        subject=CALL.account,
        time_us=CALL.event_time_us,
        schema=schema_uri("account_event"),
        epoch=7,
    )


def test_headers_are_in_no_body() -> None:
    """The epoch of the sender changes a header and neither the body nor the id."""
    body = encode(CALL)
    first, second = (dict(event_headers(body, source=SOURCE, epoch=epoch)) for epoch in (1, 2))
    assert {name for name in first if first[name] != second[name]} == {"risk-epoch"}
    assert b"epoch" not in body
    assert dict(state_headers(2)) == {"content-type": b"application/json", "risk-epoch": b"2"}


def test_the_schema_header_names_the_generated_schema() -> None:
    """The contract that an event names is the one published for it."""
    assert record_schema(AccountEvent)["$id"] == schema_uri("account_event")


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"id":"x","kind":"rumour","account":"a","event_time_us":1}'])
def test_what_is_no_event_has_no_event_headers(body: bytes) -> None:
    """Headers are only made for account events."""
    with pytest.raises(msgspec.ValidationError):
        event_headers(body, source=SOURCE, epoch=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_specversion", None),
        ("ce_id", None),
        ("ce_id", b"\xff"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2025-10-10T21:10:15"),
        ("risk-epoch", b"seven"),
        ("risk-epoch", b""),
        ("risk-epoch", b"--7"),
        ("risk-epoch", b"7" * 30),
        ("risk-epoch", None),
    ],
)
def test_malformed_event_headers_are_refused(name: str, value: bytes | None) -> None:
    """A missing or unreadable header raises ValueError and nothing else."""
    headers = dict(event_headers(encode(CALL), source=SOURCE, epoch=7))
    headers.pop(name)
    with pytest.raises(ValueError, match=r".+"):
        read_event_headers([*headers.items(), *([] if value is None else [(name, value)])])


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
NUMBERS = st.integers(-(2**31), 2**62)
LETTERS = st.builds(
    DeadLetter,
    source_topic=WORDS,
    source_partition=NUMBERS,
    source_offset=NUMBERS,
    source_index=NUMBERS,
    error_kind=WORDS,
    error_text=WORDS,
    first_seen_us=st.integers(0, 4_102_444_800_000_000),
    schema=WORDS,
    v=st.just(1),
)


@given(LETTERS)
def test_dead_letter_headers_read_back(letter: DeadLetter) -> None:
    """Whatever is known of a refused record survives its way through headers."""
    headers = dead_letter_headers(letter)
    assert read_dead_letter(headers) == letter
    assert [name for name, _ in headers] == [
        "dl-source-topic", "dl-source-partition", "dl-source-offset", "dl-source-index", "dl-error-kind",
        "dl-error-text", "dl-schema", "dl-first-seen",
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["dl-source-topic", "dl-source-offset", "dl-first-seen"]), st.binary())))
def test_malformed_dead_letter_headers_are_refused(headers: list[tuple[str, bytes]]) -> None:
    """Incomplete or unreadable headers raise ValueError and nothing else."""
    with pytest.raises(ValueError, match=r".+"):
        read_dead_letter(headers)


@given(st.integers(0, 4_102_444_800_000_000))
def test_times_read_back(time_us: int) -> None:
    """Microseconds survive RFC 3339, and an offset from UTC is taken into account."""
    text = rfc3339(time_us)
    assert microseconds(text) == time_us
    assert microseconds(text.replace("Z", "+02:00")) == time_us - 7_200_000_000
