"""Messages on their way from the agents to the engine, and how far each source has come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from monitor.engine.state import Sourced
from monitor.worker.options import WorkerOptions
from schemas.codec import decode_message, decode_sequenced, misplaced, raw_row
from schemas.records import START, AccountInput, Position, Record, SequencedRecord, Tombstone
from schemas.refusals import Refused
from schemas.topics import SEQUENCED, Topic


@dataclass(slots=True)
class Delivered:
    """One message of an account topic: decoded, with its refused rows.

    `topic` is the name in the topic table, `generation` the group's generation at its fetch; `records` are (row,
    record), and a record has the position that it is applied at.
    """

    topic: str
    partition: int
    offset: int
    generation: int
    key: bytes | None
    value: bytes | None
    records: list[tuple[int, Sourced]]
    refused: list[Refused]

    @property
    def weight(self) -> int:
        """What it counts in a queue that is bounded in records."""
        return len(self.records) + len(self.refused) or 1

    @property
    def last(self) -> Position:
        """Position at which all of its records are applied; before any other if it has none."""
        return (self.offset, self.records[-1][0]) if self.records else START


def without_tombstones(records: list[tuple[int, Record | Tombstone]]) -> list[tuple[int, Record]]:
    """Leave out tombstones: they let a compacted topic forget a key, and say nothing about an account.

    Closing an account or delisting an instrument is a record of its own.
    """
    return [(index, record) for index, record in records if isinstance(record, Record)]


def delivered(topic: Topic, message: Any, generation: int, options: WorkerOptions) -> Delivered:
    """Decode a message as a client gives it; whatever it holds, it becomes rows or refused rows."""
    if topic is SEQUENCED:
        records, refused = _sequenced(message, options)
    else:
        decoded = decode_message(
            topic.name, message.key, message.value, partition=message.partition, partition_of=options.partition_of
        )
        raw, refused = message.value or b"", decoded.refused
        records = [
            (index, Sourced(topic.name, message.partition, message.offset, index, record, raw))  # type: ignore[arg-type]
            for index, record in without_tombstones(decoded.records)
        ]
    return Delivered(
        topic=topic.name, partition=message.partition, offset=message.offset, generation=generation,
        key=message.key, value=message.value, records=records, refused=refused,
    )  # fmt: skip


def _sequenced(message: Any, options: WorkerOptions) -> tuple[list[tuple[int, Sourced]], list[Refused]]:
    """Decode a message of the sequence: its records have the topics they came from, and ordinals for offsets."""
    decoded = decode_message(SEQUENCED.name, message.key, message.value)
    records: list[tuple[int, Sourced]] = []
    refused = list(decoded.refused)
    for index, row in decoded.records:
        assert isinstance(row, SequencedRecord)
        record, partition = decode_sequenced(row, index), 0
        if isinstance(record, AccountInput):
            partition = options.partition_of(record.account.encode())
            if partition != message.partition:
                record = misplaced(partition).of(index, b"")
        if isinstance(record, Refused):
            refused.append(replace(record, raw=raw_row(message.value, index)))
        else:
            raw = bytes(row.record)
            records.append((index, Sourced(row.topic, partition, row.ordinal, 0, record, raw)))  # type: ignore[arg-type]
    return records, refused


class Intake:
    """A queue bounded in records, filled by agents and emptied by the engine.

    It is ours and not `app.channel()`: Faust clears its own queues at every rebalance. Records count until the
    engine has applied them (`release`), wherever they wait in the meantime.
    """

    def __init__(self, max_records: int, wake: asyncio.Event) -> None:
        self._max = max_records
        self._wake = wake
        self._messages: deque[Delivered] = deque()
        self._room = asyncio.Event()
        self._room.set()
        self.held = 0
        self.passed_over: set[tuple[str, int]] = set()

    def wants(self, topic: str, partition: int) -> bool:
        """Whether messages of a partition are taken from its agent, and not from its log at the moment."""
        return (topic, partition) not in self.passed_over

    async def put(self, message: Delivered) -> None:
        """Add a message as soon as there is room; one larger than the bound waits until the queue is empty."""
        while self.held and self.held + message.weight > self._max:
            self._room.clear()
            await self._room.wait()
        self.held += message.weight
        self._messages.append(message)
        self._wake.set()

    @property
    def crowded(self) -> bool:
        """Whether agents may be waiting for room."""
        return self.held * 2 > self._max

    def admit(self, message: Delivered) -> Delivered:
        """Count a message that comes another way; it may go beyond the bound."""
        self.held += message.weight
        return message

    def take(self) -> Delivered | None:
        """Return the oldest message, None if there is none; it still counts."""
        return self._messages.popleft() if self._messages else None

    def release(self, records: int) -> None:
        """Give back the room of records that were taken."""
        self.held = max(0, self.held - records)
        self._room.set()

    def clear(self) -> None:
        """Forget everything: unacknowledged messages are delivered again."""
        self._messages.clear()
        self.passed_over.clear()
        self.held = 0
        self._room.set()


async def hand_over(events: AsyncIterable[Any], topic: Topic, options: WorkerOptions, intake: Intake) -> None:
    """Decode what an agent is given of an input topic and put it into the intake, as soon as there is room."""
    async for event in events:
        message = event.message
        if intake.wants(topic.name, message.partition):
            await intake.put(delivered(topic, message, message.generation_id, options))


@dataclass(slots=True, eq=False)
class Source:
    """One partition of one account topic.

    `expected` is the next offset, `moved_ms` when it last moved, `end` the partition's end as last seen, `looked_ms`
    when that was, `applied` the position of the last record given to the engine, `unacked` the messages in offset
    order that are not acknowledged, `done` the offset below which all are (-1: none yet). `primed` tells that the first
    delivery has come (or none was to be expected), so that the merge starts with every source in sight. Below `start`
    everything was dealt with before: it is applied again, and neither reported nor acknowledged. A source that is
    `behind` is read from its log to the end, and what the group delivers of it is passed over. `applied_records` and
    `done_records` count what was given to the engine, and what the messages that are dealt with hold.
    """

    topic: str
    partition: int
    expected: int
    primed: bool
    start: int = 0
    behind: bool = False
    end: int = 0
    moved_ms: float = 0.0
    looked_ms: int = 0
    applied: Position = START
    done: int = -1
    applied_records: int = 0
    done_records: int = 0
    unacked: deque[Delivered] = field(default_factory=deque)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        """Name the merge's input."""
        self.key = f"{self.topic}/{self.partition}"

    @property
    def unapplied(self) -> bool:
        """Whether records of it wait."""
        return any(message.last > self.applied for message in self.unacked)

    def take_applied(self) -> list[Delivered]:
        """Take the messages, from the first on, whose records are all applied: these may be acknowledged."""
        done = []
        while self.unacked and self.unacked[0].last <= self.applied:
            done.append(self.unacked.popleft())
        self.done_records += sum(len(message.records) for message in done)
        return done
