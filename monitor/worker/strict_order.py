"""Strict order: each partition of the sequence is applied from its beginning, to a state of its own.

A partition carries the market beside its accounts, so nothing is merged and no partition waits for another. A shard
that is taken over gets its accounts from the changelog and the market from the sequence, read from its beginning: the
gate opens at the marker's positions, and records at or below those already applied are skipped by the engine. What the
group delivers follows on from where the reading ended.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from monitor.engine import new_state, step
from monitor.engine.state import Shard, Sourced, State
from monitor.worker.changelog import Recovered
from monitor.worker.dead_letters import Letter
from monitor.worker.errors import LostInput
from monitor.worker.intake import Delivered, Source
from monitor.worker.log_view import LogView
from monitor.worker.options import WorkerOptions
from monitor.worker.order import IDLE_MS, Progress
from schemas.codec import raw_row
from schemas.topics import ACCOUNT_TOPICS, MARKET_TOPICS, SEQUENCED

CHUNK = 128  # records given to `step` at once

_ACCOUNT_NAMES = frozenset(topic.name for topic in ACCOUNT_TOPICS)
_MARKET_NAMES = frozenset(topic.name for topic in MARKET_TOPICS)


@dataclass(slots=True, eq=False)
class _Feed:
    """One partition: its state and what waits for it.

    `at` is the place of the next record in the first waiting message, `ordinal` the last one taken in, `resume` the
    offset of the first message that is not applied as a whole, `known_end` the log's end when the source was added;
    `before` has, of each message that is not acknowledged, its offset and the ordinal that it came behind.
    """

    state: State = field(default_factory=new_state)
    source: Source | None = None
    waiting: deque[Delivered] = field(default_factory=deque)
    at: int = 0
    ordinal: int = -1
    resume: int = 0
    known_end: int = 0
    before: deque[tuple[int, int]] = field(default_factory=deque)


class StrictOrder:
    """One state for each partition, fed by its part of the sequence."""

    def __init__(self, options: WorkerOptions, view: LogView) -> None:
        self._options = options
        self._view = view
        self._feeds: dict[int, _Feed] = {}
        self._turn: deque[_Feed] = deque()

    # --- state ----------------------------------------------------------------------------------

    @property
    def states(self) -> Collection[State]:
        """The states of all partitions."""
        return [feed.state for feed in self._feeds.values()]

    @property
    def shards(self) -> dict[int, Shard]:
        """All shards by partition."""
        return {
            partition: feed.state.shards[partition]
            for partition, feed in sorted(self._feeds.items())
            if partition in feed.state.shards
        }

    def state_of(self, partition: int) -> State:
        """Return a partition's state."""
        return self._feeds[partition].state

    async def check(self, recovered: Recovered) -> None:
        """Refuse a sequence without its beginning: its market could not be folded."""
        tp = TopicPartition(self._options.topic(SEQUENCED), recovered.partition)
        begin = (await self._view.begins([tp]))[tp]
        if begin > 0:
            raise LostInput(
                f"{tp.topic}/{tp.partition} begins at offset {begin}",
                "strict order needs the whole sequence: give the topic more retention, and replay under a new prefix",
            )

    async def prepare(self, gained: Sequence[Recovered]) -> bool:
        """Make an empty state for each shard."""
        for recovered in gained:
            self._feeds[recovered.partition] = _Feed()
        return False

    def close(self, partition: int) -> None:
        """Give up a partition with its state."""
        del self._feeds[partition]

    # --- records --------------------------------------------------------------------------------

    def add_source(self, topic: str, partition: int, begin: int, end: int, committed: int | None) -> Source:  # noqa: ARG002
        """Read a partition on from where its state is; what lies before the committed offset comes from the log."""
        feed = self._feeds[partition]
        start = committed or 0
        feed.source = source = Source(
            topic, partition, expected=feed.resume, primed=True, end=end, start=start, behind=feed.resume < start
        )
        feed.known_end = end
        self._turn.append(feed)
        return source

    def remove_source(self, source: Source) -> None:
        """Forget what waits of a partition; its state stays, with the offset to go on from."""
        feed = self._feeds[source.partition]
        feed.resume = source.unacked[0].offset if source.unacked else source.expected
        feed.source = None
        feed.waiting.clear()
        feed.at = 0
        # What is taken in again is judged as it was: a frame that came twice is refused, not skipped in silence.
        self._forget_below(feed, feed.resume)
        if feed.before:
            feed.ordinal = feed.before[0][1]
            feed.before.clear()
        self._turn.remove(feed)

    def readers(self) -> list[Coroutine[Any, Any, None]]:
        """Return nothing: everything comes through the group or from its log."""
        return []

    def take_in(self) -> list[Letter]:
        """Return nothing, as nothing is read."""
        return []

    def push(self, source: Source, message: Delivered) -> list[Letter]:
        """Take in a message; rows whose ordinal is not larger than that of the row before are refused."""
        feed = self._feeds[source.partition]
        letters: list[Letter] = []
        self._forget_below(feed, source.unacked[0].offset if source.unacked else message.offset)
        feed.before.append((message.offset, feed.ordinal))
        ordinal = feed.ordinal
        for _, record in message.records:
            if record.offset <= ordinal:
                letters = _take_out(message, feed.ordinal)
                break
            ordinal = record.offset
        if message.records:
            feed.ordinal = message.records[-1][1].offset
            feed.waiting.append(message)
        return letters

    @staticmethod
    def _forget_below(feed: _Feed, offset: int) -> None:
        while feed.before and feed.before[0][0] < offset:
            feed.before.popleft()

    def look(self, sources: Iterable[Source], *, crowded: bool) -> None:
        """Do nothing: no partition waits for another."""

    def step(self, now_ms: float) -> Progress:  # noqa: ARG002 (nothing is waited for)
        """Apply the next records of the partition whose turn it is."""
        for _ in range(len(self._turn)):
            feed = self._turn[0]
            self._turn.rotate(-1)
            if feed.waiting:
                topics = self._step(feed)
                count, accounts = topics.total(), sum(topics[name] for name in _ACCOUNT_NAMES)
                more = any(other.waiting for other in self._turn)
                return Progress(count, count, accounts, None if more else IDLE_MS, topics)
        self._check_gates()
        return Progress(0, 0, 0, IDLE_MS)

    def _step(self, feed: _Feed) -> Counter[str]:
        source, state = feed.source, feed.state
        assert source is not None
        records: list[Sourced] = []
        while feed.waiting and len(records) < CHUNK:
            message = feed.waiting[0]
            rows = message.records[feed.at : feed.at + CHUNK - len(records)]
            records += [record for _, record in rows]
            source.applied = (message.offset, rows[-1][0])
            feed.at += len(rows)
            if feed.at == len(message.records):
                feed.waiting.popleft()
                feed.at = 0
        step(state, records)
        source.applied_records += len(records)
        if state.rejected and source.partition != 0:
            # Every partition meets the refused market records; the owner of partition 0 reports them.
            state.rejected = [item for item in state.rejected if item.source.topic not in _MARKET_NAMES]
        return Counter(record.topic for record in records)

    def _check_gates(self) -> None:
        """Refuse a sequence that ends before the state that was made from it; raises LostInput."""
        for partition, feed in self._feeds.items():
            if feed.source is None or feed.state.shards[partition].open or feed.source.expected < feed.known_end:
                continue
            topic = self._options.topic(SEQUENCED)
            raise LostInput(
                f"{topic}/{partition} ends at ordinal {feed.ordinal}, and the state knows later ones",
                "the topic was made anew or cut; restore it, or start a new application id",
            )

    def market_seen(self) -> None:
        """Return None: the market is a part of the sequence."""
        return

    def arrived_s(self, topic: str, offset: int) -> float | None:  # noqa: ARG002
        """Return None: a position says nothing about the message that brought it."""
        return None

    def figures(self) -> dict[str, int]:
        """Return how many partitions are read from the log."""
        return {"behind": sum(feed.source is not None and feed.source.behind for feed in self._feeds.values())}


def _take_out(message: Delivered, ordinal: int) -> list[Letter]:
    """Take the rows out of a message that do not come after `ordinal` and each other; return their letters."""
    kept: list[tuple[int, Sourced]] = []
    letters = []
    for index, record in message.records:
        if record.offset > ordinal:
            ordinal = record.offset
            kept.append((index, record))
            continue
        text = f"ordinal {record.offset} comes after {ordinal}"
        raw = raw_row(message.value or b"", index)
        letters.append(
            Letter(message.topic, message.partition, message.offset, index, "out_of_order", text, None, raw)
        )  # fmt: skip
    message.records[:] = kept
    return letters
