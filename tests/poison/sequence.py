"""A log as a sequence for strict order: each record at its ordinal, bad ones as rows among the good or as messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from schemas.codec import encode
from schemas.records import Position
from schemas.topics import MARKET_TOPICS, SEQUENCED
from tests.poison.kinds import BY_ENGINE, KINDS
from tests.poison.stream import PARTITIONS, Message, Wanted

ROWS = 40  # of a frame
BARE = {"bad_utf8", "bad_json", "too_deep", "too_large", "huge", "null_value", "empty_frame"}
"""Kinds that are a message by themselves; what is wrong with keys and partitions has no place in a sequence."""
_ROW = {kind.make.__name__ for kind in KINDS if kind.row} | {"redefined", "thresholds"}

Place = tuple[str, int, Position]
Letter = tuple[str, str, bytes | None, bytes | None]
"""Kind, reason, key, bytes."""


class Sent(NamedTuple):
    """One message of the sequence."""

    partition: int
    key: bytes | None
    value: bytes | None


class Sequenced:
    """Gives the messages of a log's sequence; `wanted` has the letters of what was given so far."""

    def __init__(self) -> None:
        self.wanted: dict[Place, Letter] = {}
        self.bad: Counter[str] = Counter()
        self.ordinal = 0
        self._rows: list[list[tuple[bytes, Wanted | None]]] = [[] for _ in range(PARTITIONS)]
        self._offsets = [0] * PARTITIONS

    def take(self, message: Message) -> Iterator[tuple[Sent, ...] | tuple[int, int]]:
        """Take a message of the log; yield messages to send, and (index, ordinal) of each of its rows that has one."""
        name = message.topic.name
        market = message.topic in MARKET_TOPICS
        wanted = {one.row: one for one in message.wanted}
        good = dict(message.good)
        for index in sorted({*wanted, *good}):
            bad = wanted.get(index)
            if bad is not None and bad.name in BARE:
                yield (*self._close(message.partition), self._bare(message.partition, bad))
                continue
            if bad is not None and bad.name not in _ROW:
                continue
            raw = encode(good[index]) if bad is None else bad.raw
            assert raw is not None, "a kind that can be a row has bytes"
            row = b'{"ordinal":%d,"topic":"%b","record":%b,"v":1}' % (self.ordinal, name.encode(), raw)
            everywhere = market and (bad is None or bad.reason in BY_ENGINE)
            for partition in range(PARTITIONS) if everywhere else (message.partition,):
                self._rows[partition].append((row, None if bad is None or bad.reason in BY_ENGINE else bad))
                if len(self._rows[partition]) == ROWS:
                    yield self._close(partition)
            if bad is not None:
                self.bad[bad.name] += 1
                if bad.reason in BY_ENGINE:
                    place = (name, 0 if market else message.partition, (self.ordinal, 0))
                    self.wanted[place] = (bad.name, bad.reason, bad.key, bad.raw)
            yield (index, self.ordinal)
            self.ordinal += 1

    def rest(self) -> Iterator[Sent]:
        """Yield what is left."""
        for partition in range(PARTITIONS):
            yield from self._close(partition)

    def _bare(self, partition: int, bad: Wanted) -> Sent:
        self.bad[bad.name] += 1
        key = bad.key if bad.raw is None else None  # a client sends no message that has neither
        self.wanted[SEQUENCED.name, partition, (self._offsets[partition], 0)] = (bad.name, bad.reason, key, bad.raw)
        self._offsets[partition] += 1
        return Sent(partition, key, bad.raw)

    def _close(self, partition: int) -> tuple[Sent, ...]:
        rows, self._rows[partition] = self._rows[partition], []
        if not rows:
            return ()
        for index, (row, bad) in enumerate(rows):
            if bad is not None:
                place = (SEQUENCED.name, partition, (self._offsets[partition], index))
                self.wanted[place] = (bad.name, bad.reason, None, row)
        self._offsets[partition] += 1
        return (Sent(partition, None, b'{"v":1,"rows":[' + b",".join(row for row, _ in rows) + b"]}"),)
