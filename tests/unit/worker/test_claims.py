"""Whose a partition is, by the offsets that the broker gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from monitor.engine.outbox import marker_key
from monitor.engine.state import Marker, encode
from monitor.worker.claims import Claims
from monitor.worker.errors import Fenced

CHANGELOG = "app-state-changelog"


class Place(NamedTuple):
    topic: str
    partition: int
    offset: int


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes


@dataclass
class Log:
    """A partition's log with a marker of some epoch at each offset; `reads` are the ranges that were asked for."""

    epochs: list[int]

    def __post_init__(self) -> None:
        self.reads: list[tuple[int, int]] = []

    async def ends(self, partitions: Iterable[Any]) -> dict[Any, int]:
        return {tp: len(self.epochs) for tp in partitions}

    async def read(self, _tp: Any, start: int, end: int) -> AsyncIterator[Record]:
        self.reads.append((start, end))
        for offset in range(start, end):
            marker = Marker(partition=0, partitions=1, epoch=self.epochs[offset], flush=offset)
            yield Record(offset, marker_key(0), encode(marker))


def written(log: Log, *offsets: int, topic: str = CHANGELOG) -> None:
    """Tell an owner that has epoch 3 and knows the log up to offset 2 where its records went."""
    view: Any = log
    claims = Claims(CHANGELOG, view)
    claims.hold(0, 3, 2)
    asyncio.run(claims.written([Place(topic, 0, offset) for offset in offsets]))


def test_records_that_follow_each_other_are_not_looked_at() -> None:
    """Nobody else wrote: nothing is read, however many flushes there are."""
    log = Log([1, 3, 3, 3, 3])
    written(log, 2, 3, 4)
    assert log.reads == []


def test_a_larger_epoch_between_ours_ends_the_worker() -> None:
    """Whether it stands before the first of our records, between two, or before one whose place is not known."""
    for offsets in ((3,), (2, 4), (-1,)):
        log = Log([1, 3, 4, 3, 3] if offsets != (2, 4) else [1, 3, 3, 4, 3])
        with pytest.raises(Fenced, match="epoch 4"):
            written(log, *offsets)


def test_what_counts_less_than_ours_is_passed_once() -> None:
    """A fenced worker's late word, and a batch of ours that a broker without numbers wrote twice."""
    log = Log([1, 3, 2, 3, 3, 3, 3])
    written(log, 3, 5, 6)
    assert log.reads == [(2, 3), (4, 5)]


def test_an_unknown_place_is_looked_for_up_to_the_end() -> None:
    """What was written up to there is known from then on."""
    log = Log([1, 3, 3, 3])
    written(log, -1, 4)
    assert log.reads == [(2, 4)]


def test_other_topics_and_partitions_that_are_being_claimed_say_nothing() -> None:
    """A claim is written among the records of others."""
    log = Log([1, 3, 4, 4])
    written(log, 3, topic="risk.liquidations.v1")
    view: Any = log
    claims = Claims(CHANGELOG, view)
    asyncio.run(claims.written([Place(CHANGELOG, 0, 3)]))
    claims.hold(0, 3, 2)
    claims.begin(0)
    asyncio.run(claims.written([Place(CHANGELOG, 0, 3)]))
    assert log.reads == []
