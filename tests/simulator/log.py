"""A log that answers as Kafka does: partitions with offsets and holes, appended to in one order."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Stored(NamedTuple):
    """One record of a partition, with the fields of aiokafka's; `order` is its place among all appends of the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    order: int
    generation_id: int = -1

    @property
    def message(self) -> Stored:
        """The record again: an event of an agent's stream has its message there."""
        return self


@dataclass(slots=True)
class Partition:
    """Records in offset order; offsets without a record are holes."""

    topic: str
    number: int
    records: list[Stored] = field(default_factory=list)
    end: int = 0
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    def slice(self, start: int, end: int, count: int) -> list[Stored]:
        """Return at most `count` records of [start, end)."""
        first = bisect_left(self.records, start, key=_offset)
        found = self.records[first : first + count]
        while found and found[-1].offset >= end:
            found.pop()
        return found


def _offset(record: Stored) -> int:
    return record.offset


class Log:
    """All partitions of a cluster."""

    def __init__(self) -> None:
        self._partitions: dict[tuple[str, int], Partition] = {}
        self.order = 0
        self.appended: Counter[str] = Counter()

    def partition(self, topic: str, number: int) -> Partition:
        """Return a partition, made when it is first asked for."""
        found = self._partitions.get((topic, number))
        if found is None:
            found = self._partitions[topic, number] = Partition(topic, number)
        return found

    def append(
        self, topic: str, number: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Stored:  # fmt: skip
        """Write one record behind the others."""
        partition = self.partition(topic, number)
        self.order += 1
        record = Stored(topic, number, partition.end, key, value, headers, self.order)
        partition.records.append(record)
        partition.end += 1
        self.appended[topic] += 1
        waiters, partition.waiters = partition.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        return record

    def mark(self, topic: str, number: int) -> None:
        """Leave an offset without a record, as the end of a transaction does."""
        self.partition(topic, number).end += 1

    def compact(self, topic: str, number: int, below: int) -> int:
        """Drop records below an offset that a later one of the same key replaces; return how many."""
        partition = self.partition(topic, number)
        last = {record.key: record.offset for record in partition.records}
        kept = [r for r in partition.records if r.offset >= below or last[r.key] == r.offset]
        dropped = len(partition.records) - len(kept)
        partition.records = kept
        return dropped

    def read(self, topic: str) -> list[Stored]:
        """Return all records of a topic in the order in which they were appended."""
        found = [record for (name, _), p in self._partitions.items() if name == topic for record in p.records]
        return sorted(found, key=lambda record: record.order)
