"""Dead letters read back: filters, marks, and what may be sent again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.cli.dead_letters import _safe
from monitor.letters.letters import Letter, Place, Wanted, mark_headers, plan, read_letters, read_place
from monitor.letters.run import key_in
from schemas.codec import decode_message, encode
from schemas.headers import Headers, dead_letter_headers
from schemas.records import DeadLetter, PriceTick, Trade
from schemas.topics import TICKS, TRADES

SEEN_US = 1_760_000_000_000_000
KNOWN = DeadLetter(
    source_topic="desk.risk.trades.v1", source_partition=3, source_offset=17, source_index=0,
    error_kind="unknown_instrument", error_text="X is not listed", first_seen_us=SEEN_US, v=1,
)  # fmt: skip
ALL = Wanted()


def message(offset: int, headers: Headers, value: bytes | None = b"v") -> Any:
    return SimpleNamespace(partition=0, offset=offset, key=b"a", value=value, headers=headers)


def letter(offset: int, **fields: Any) -> Any:
    return message(offset, dead_letter_headers(replace(KNOWN, **{"source_offset": offset, **fields})))


def places(letters: list[Letter]) -> list[str]:
    return [str(one.place) for one in letters]


def test_letters_come_oldest_first_with_their_marks() -> None:
    """Marks are no letters; the newest mark of a letter counts; what is neither is counted as strange."""
    messages = [
        letter(0, first_seen_us=SEEN_US + 5), letter(1), message(2, mark_headers(Place(0, 0), "begun", SEEN_US)),
        message(3, mark_headers(Place(0, 0), "done", SEEN_US)), message(4, mark_headers(Place(0, 1), "begun", SEEN_US)),
        message(5, [("dl-error-kind", b"alone")]), message(6, []), message(7, [("dl-replay-of", b"x")]),
    ]  # fmt: skip
    found, strange = read_letters(messages)
    assert [(str(one.place), one.mark) for one in found] == [("0/1", "begun"), ("0/0", "done")]
    assert strange == 3


def test_two_letters_of_one_record_are_replayed_as_one() -> None:
    """A crash can repeat a letter; the record goes back once, and the mark of one counts for both."""
    twice = [letter(0, source_offset=9), letter(1, source_offset=9)]
    found, _ = read_letters(twice)
    planned = plan(found, ALL, again=True)
    assert (places(planned.send), places([one for one, _ in planned.left])) == (["0/0"], ["0/1"])
    marked, _ = read_letters([*twice, message(2, mark_headers(Place(0, 1), "done", SEEN_US))])
    assert plan(marked, ALL, again=False).send == []


def test_what_was_replayed_or_begun_is_left_unless_it_is_asked_for() -> None:
    """Neither is sent a second time by itself; both are with `again`."""
    messages = [letter(0), letter(1), letter(2)]
    messages += [message(3, mark_headers(Place(0, 0), "done", SEEN_US))]
    messages += [message(4, mark_headers(Place(0, 1), "begun", SEEN_US))]
    found, _ = read_letters(messages)
    assert places(plan(found, ALL, again=False).send) == ["0/2"]
    assert places(plan(found, ALL, again=True).send) == ["0/0", "0/1", "0/2"]


def test_what_cannot_go_back_is_left_whatever_is_asked() -> None:
    """Bytes that were cut, and rows of a sequence, stay where they are."""
    found, _ = read_letters([
        letter(0, error_text="too large (first 10 of 99 bytes)"), letter(1, source_topic="desk.risk.sequenced.v1"),
    ])  # fmt: skip
    planned = plan(found, ALL, again=True)
    assert planned.send == []
    assert len(planned.left) == 2


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (ALL, True),
        (Wanted(reasons=("unknown_instrument", "x")), True),
        (Wanted(reasons=("bad_json",)), False),
        (Wanted(topics=("risk.trades.v1",)), True),
        (Wanted(topics=("desk.risk.trades.v1",)), True),
        (Wanted(topics=("trades.v1.",)), False),
        (Wanted(topics=("ades.v1",)), False),
        (Wanted(since_us=SEEN_US), True),
        (Wanted(since_us=SEEN_US + 1), False),
        (Wanted(until_us=SEEN_US), False),
        (Wanted(until_us=SEEN_US + 1), True),
        (Wanted(places=(Place(0, 0),)), True),
        (Wanted(places=(Place(0, 1),)), False),
        (Wanted(reasons=("unknown_instrument",), until_us=SEEN_US), False),
    ],
)
def test_filters_are_all_to_hold(wanted: Wanted, taken: bool) -> None:
    """Each filter narrows; an absent one is none; times begin included and end excluded."""
    (found,) = read_letters([letter(0)])[0]
    assert wanted.takes(found) is taken


def test_a_row_of_a_frame_goes_back_under_the_key_in_it() -> None:
    """A row alone needs a key: the one under which it reads; what does not read has none."""
    time_us = SEEN_US
    trade = Trade(trade_id="1", account="a", instrument="X", quantity=1.0, price=1.0, event_time_us=time_us)
    tick = PriceTick(underlying="BTC", source="v", price_kind="index", price=1.0, event_time_us=time_us)
    assert key_in(TRADES.name, encode(trade)) == b"a"
    assert key_in(TICKS.name, encode(tick)) == b"BTC"
    for value in (b"", b"\xff", b"[]", b'{"account":7}', b'{"account":"a"}'):
        assert key_in(TRADES.name, value) is None
    assert key_in("elsewhere", encode(trade)) is None
    assert not decode_message(TRADES.name, key_in(TRADES.name, encode(trade)), encode(trade)).refused


@pytest.mark.parametrize("text", ["", "0", "/", "0/", "/1", "-1/2", "0/1/2", "a/b", "0/1 ", "0/" + "9" * 40])
def test_a_place_is_two_numbers(text: str) -> None:
    """Anything else is refused; what is written is read."""
    with pytest.raises(ValueError, match=r"."):
        read_place(text)
    assert read_place(str(Place(2, 17))) == Place(2, 17)


@given(st.binary() | st.text())
def test_nothing_shown_can_move_a_terminal(value: bytes | str) -> None:
    """Whatever a record holds, what is shown of it is printable ASCII, and of ASCII text it is the text."""
    shown = _safe(value)
    assert all(" " <= character <= "~" for character in shown)
    assert _safe("plain {text}") == "plain {text}"
