"""Refused records on their way to the dead-letter topic.

None is lost and none is applied as well. Three kinds need three orders:

* Rows that do not decode leave no trace in the state. Their message stays unacknowledged until they are sent.
* Account records that the engine refuses move its position, so a redelivery would be skipped: what is owed is stored
  in the changelog before the accounts and the marker that pass them.
* Market records are acknowledged by nobody: they are sent before the marker that passes them, by the owner of
  partition 0 alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.engine.state import Account, Rejected, Sourced
from monitor.worker.changelog import Letters
from monitor.worker.intake import Delivered
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Outbound
from schemas.codec import key_of, raw_row
from schemas.headers import dead_letter_headers, schema_uri
from schemas.records import START, DeadLetter, Position
from schemas.refusals import Refused
from schemas.topics import ALL, DEAD_LETTERS, MARKET_TOPICS, MAX_DEAD_LETTER_BYTES

ROOM_BYTES = 4_096  # for headers and framing beside the original bytes
MAX_RAW_BYTES = MAX_DEAD_LETTER_BYTES - ROOM_BYTES
_TOPICS = {topic.name: topic for topic in ALL}
_MARKET = {topic.name for topic in MARKET_TOPICS}


@dataclass(frozen=True, slots=True)
class Letter:
    """One refused record: `topic` by its name in the topic table, `raw` its original bytes."""

    topic: str
    partition: int
    offset: int
    index: int
    kind: str
    text: str
    key: bytes | None
    raw: bytes | None

    @property
    def position(self) -> Position:
        """Offset and index in the frame."""
        return (self.offset, self.index)

    @property
    def is_market(self) -> bool:
        """Whether it came from a market topic."""
        return self.topic in _MARKET


def of_rejected(rejected: Rejected) -> Letter:
    """Describe a record that the engine refused; its `raw` is the whole message, the letter carries its row."""
    source = rejected.source
    return Letter(
        source.topic, source.partition, source.offset, source.index, rejected.error_kind, rejected.error_text,
        key_of(source.topic, source.record), raw_row(source.raw, source.index),
    )  # fmt: skip


def of_refused(
    topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None, rows: Iterable[Refused]
) -> list[Letter]:
    """Describe the rows of a message that did not decode; a null value stays one."""
    return [
        Letter(
            topic, partition, offset, row.index, row.error_kind, row.error_text, key, None if value is None else row.raw
        )
        for row in rows
    ]


class Owed:
    """Dead letters that a former owner stored before it ended; redelivered messages bring their bytes."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int, int, int], tuple[str, str]] = {}
        self._ahead: dict[tuple[str, int, int, int], tuple[str, str, dict[str, dict[str, Position]]]] = {}

    def add(
        self, partition: int, letters: Letters, reached: dict[str, Position], accounts: Iterable[Account] = ()
    ) -> None:  # fmt: skip
        """Take over what a partition owes; a row that neither marker nor account has reached is judged again."""
        ahead = {account.name: dict(account.positions) for account in accounts}
        for topic, offset, index, kind, text in letters.rows:
            if (offset, index) <= reached.get(topic, START):
                self._rows[topic, partition, offset, index] = (kind, text)
            elif any((offset, index) <= positions.get(topic, START) for positions in ahead.values()):
                self._ahead[topic, partition, offset, index] = (kind, text, ahead)

    def claim(self, message: Delivered) -> list[Letter]:
        """Return the owed letters of a redelivered message; they are owed until `settle`."""
        if not self._rows and not self._ahead:
            return []
        letters = []
        for _, item in message.records:
            self._look_at_account(item)
            row = self._rows.get((item.topic, item.partition, item.offset, item.index))
            if row is not None:
                raw = raw_row(item.raw, item.index)
                key = key_of(item.topic, item.record)
                letters.append(Letter(item.topic, item.partition, item.offset, item.index, *row, key, raw))
        return letters

    def _look_at_account(self, item: Sourced) -> None:
        """Owe a row if the stored account of its record is beyond it, so that it will be skipped."""
        place = (item.topic, item.partition, item.offset, item.index)
        found = self._ahead.pop(place, None)
        if found is not None:
            kind, text, ahead = found
            if item.position <= ahead.get(getattr(item.record, "account", ""), {}).get(item.topic, START):
                self._rows[place] = (kind, text)

    def rows(self, partition: int) -> list[tuple[str, int, int, str, str]]:
        """Return what a partition still owes, or may turn out to owe, as it is stored."""
        owed = [(topic, at, row, *why) for (topic, home, at, row), why in self._rows.items() if home == partition]
        for (topic, home, at, row), (kind, text, _) in self._ahead.items():
            if home == partition:
                owed.append((topic, at, row, kind, text))
        return owed

    def settle(self, letters: Iterable[Letter]) -> None:
        """Note that letters are on their topic."""
        for letter in letters:
            self._rows.pop((letter.topic, letter.partition, letter.offset, letter.index), None)

    def drop(self, partition: int) -> None:
        """Forget what a partition owes: it is given up."""
        self._rows = {place: row for place, row in self._rows.items() if place[1] != partition}
        self._ahead = {place: row for place, row in self._ahead.items() if place[1] != partition}


def outbound(letters: Iterable[Letter], options: WorkerOptions) -> list[Outbound]:
    """Messages of the dead-letter topic: original bytes, cut at the size limit, with the reason in headers."""
    seen_us = time.time_ns() // 1000
    messages = []
    for letter in letters:
        text, raw = letter.text, letter.raw
        if raw is not None and len(raw) > MAX_RAW_BYTES:
            text = f"{text} (first {MAX_RAW_BYTES} of {len(raw)} bytes)"
            raw = raw[:MAX_RAW_BYTES]
        known = DeadLetter(
            source_topic=options.topic(_TOPICS[letter.topic]), source_partition=letter.partition,
            source_offset=letter.offset, source_index=letter.index, error_kind=letter.kind, error_text=text,
            first_seen_us=seen_us, schema=schema_uri(letter.topic), v=1,
        )  # fmt: skip
        messages.append(Outbound(options.topic(DEAD_LETTERS), None, letter.key, raw, dead_letter_headers(known)))
    return messages
