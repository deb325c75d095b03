"""Refused records: what is owed after a crash, and what the topic gets."""

from __future__ import annotations

import pytest

from monitor.engine.state import Rejected, Sourced
from monitor.worker.changelog import Letters
from monitor.worker.dead_letters import Letter, Owed, of_refused, of_rejected, outbound
from monitor.worker.intake import delivered
from monitor.worker.options import WorkerOptions
from schemas.codec import encode, encode_frame
from schemas.headers import read_dead_letter
from schemas.records import Trade
from schemas.refusals import Refused
from schemas.topics import MAX_DEAD_LETTER_BYTES, TICKS, TRADES

OPTIONS = WorkerOptions(broker="b:1", partitions=1, prefix="desk.")
TRADES_OF_A = [
    Trade(trade_id=str(i), account="a", instrument="X", quantity=1.0, price=1.0, event_time_us=1_760_000_000_000_000)
    for i in range(3)
]


class Frame:
    key = None
    value = encode_frame(TRADES_OF_A)
    partition = 0
    offset = 12


def test_owed_letters_get_their_bytes_from_the_redelivered_message() -> None:
    """A stored row is claimed until it is sent, under its account's key; rows that were not reached are judged anew."""
    owed = Owed()
    rows = ((TRADES.name, 12, 1, "kind", "why"), (TRADES.name, 12, 2, "kind", "why"), (TRADES.name, 99, 0, "k", "w"))
    owed.add(0, Letters(1, 1, rows), {TRADES.name: (12, 1)})
    message = delivered(TRADES, Frame, 1, OPTIONS)
    letters = owed.claim(message)
    assert letters == [Letter(TRADES.name, 0, 12, 1, "kind", "why", b"a", encode(TRADES_OF_A[1]))]
    assert owed.claim(message) == letters  # delivered once more before it was sent
    owed.settle(letters)
    assert owed.claim(message) == []


def test_a_partition_that_is_given_up_owes_nothing() -> None:
    """Its next owner has the same rows from the changelog."""
    owed = Owed()
    owed.add(0, Letters(1, 1, ((TRADES.name, 12, 1, "kind", "why"),)), {TRADES.name: (12, 1)})
    message = delivered(TRADES, Frame, 1, OPTIONS)
    owed.drop(1)
    assert len(owed.claim(message)) == 1
    owed.drop(0)
    assert owed.claim(message) == []


def test_a_record_the_engine_refused_carries_its_row_and_key() -> None:
    """Of a frame, the letter has the row alone, under the account's key."""
    source = Sourced(TRADES.name, 0, 12, 2, TRADES_OF_A[2], Frame.value)
    letter = of_rejected(Rejected(source, "unknown_instrument", "X is not listed"))
    assert (letter.key, letter.raw, letter.position) == (b"a", encode(TRADES_OF_A[2]), (12, 2))
    assert not letter.is_market


@pytest.mark.parametrize("value", [None, b"\xff\xfe", b""])
def test_original_bytes_are_untouched(value: bytes | None) -> None:
    """A dead letter has the bytes that were refused, null included, and says in headers where they came from."""
    letters = of_refused(TICKS.name, 0, 7, b"k", value, [Refused(0, "bad_json", "why", value or b"")])
    (message,) = outbound(letters, OPTIONS)
    known = read_dead_letter(message.headers or [])
    assert (message.topic, message.key, message.value) == ("desk.risk.dead-letters.v1", b"k", value)
    assert (known.source_topic, known.source_offset, known.error_kind) == ("desk.market.ticks.v1", 7, "bad_json")


def test_bytes_beyond_the_limit_are_cut_and_it_says_so() -> None:
    """A message as large as a broker takes leaves no room for the headers: its letter is shorter, not missing."""
    raw = b"x" * MAX_DEAD_LETTER_BYTES
    (message,) = outbound([Letter(TICKS.name, 0, 7, 0, "too_large", "why", None, raw)], OPTIONS)
    assert message.value is not None
    assert len(message.value) + sum(len(k) + len(v) for k, v in message.headers or []) < MAX_DEAD_LETTER_BYTES
    assert str(len(raw)) in read_dead_letter(message.headers or []).error_text
