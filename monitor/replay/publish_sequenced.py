"""Publish a replay in strict order: the merged sequence, to each partition what its accounts need of it.

Every partition gets all market records and the account records of its own, in the order of their ordinals. A worker
that applies a partition from its beginning to its end therefore does what the engine does, whatever else it owns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from aiokafka import TopicPartition
from msgspec import Raw

from monitor.brokers import topics as broker_topics
from monitor.connection import Address
from monitor.engine import Sourced
from monitor.errors import UsageError
from monitor.replay.arrival import Merged
from monitor.replay.pause import Pause
from monitor.replay.progress import OnStep, ignore
from monitor.replay.publish import Message, Pace, Published, Sender, connected, paced_window_us, rest
from monitor.replay.sequence import Sequence
from monitor.worker.log_view import LogView
from schemas import codec
from schemas.fields import MAX_FRAME_ROWS, MAX_RECORD_BYTES
from schemas.records import SequencedRecord
from schemas.topics import MARKET_TOPICS, SEQUENCED, full_name

FULL_BYTES = MAX_RECORD_BYTES * 9 // 10  # a frame is sent before the next row could be too much for it
REACH_EVERY = 10_000  # records between two looks at the clock of a replay without pace

_MARKET = frozenset(topic.name for topic in MARKET_TOPICS)


async def publish_sequenced(
    stream: Merged, address: Address, *, prefix: str = "", speed: float | None = None, frame_rows: int = MAX_FRAME_ROWS,
    on_step: OnStep = ignore, clock: Callable[[], float] = time.monotonic, pause: Pause | None = None,
) -> Published:  # fmt: skip
    """Send the merged sequence of a stream to `risk.sequenced.v1` under `prefix`; `speed` and `pause` as in `publish`.

    `records` of the result are those of the sequence, `messages` those of the topic. Raises UsageError if the topic is
    missing or holds a sequence already, and otherwise as `publish`.
    """
    partitions = await empty_partitions(address, prefix)
    sequence = Sequence(stream, partitions)
    frames = Frames(partitions, frame_rows)
    async with connected(address) as producer:
        sender = Sender(producer, prefix)
        pace = Pace(stream, speed, on_step, clock)
        end_us: int | None = None
        try:
            for item in sequence:
                if speed is None:
                    if item.offset % REACH_EVERY == 0:
                        await rest(pause, sender, pace)
                        await pace.reach(sequence.reached_us, sequence.taken)
                elif end_us is None or sequence.reached_us >= end_us:
                    await sender.send(frames.take())
                    await rest(pause, sender, pace)
                    await pace.reach(sequence.reached_us, sequence.taken)
                    end_us = sequence.reached_us + paced_window_us(speed)
                if full := frames.add(item):
                    await sender.send(full)
        finally:
            await sender.send(frames.take())
            await sender.acknowledge()
    done = sender.done
    done.records = sequence.counts
    done.first_us, done.last_us = stream.first_us or 0, stream.last_us or 0
    done.seconds = pace.elapsed_s
    return done


async def empty_partitions(address: Address, prefix: str) -> int:
    """Return the partitions of the sequence's topic; raises UsageError if it is missing or not empty."""
    (wanted,) = broker_topics.wanted_topics(prefix, 1, topics=[SEQUENCED])
    count = 1
    for difference in await broker_topics.plan(address, [wanted]):
        if difference.kind == "missing":
            raise UsageError(f"topic {difference.topic} is missing", "run `liqmon topics apply` first")
        if difference.kind == "partitions":
            count = int(difference.found)
    view = LogView(address, f"{prefix}replay", exact_ends=False)  # asked once: no need to know if it is right
    try:
        await view.start()
        ends = await view.ends(TopicPartition(full_name(SEQUENCED, prefix), number) for number in range(count))
    finally:
        await view.stop()
    if any(ends.values()):
        # A second sequence would begin with ordinal 0 again: workers would take none of it.
        raise UsageError(f"topic {wanted.name} holds a sequence already", "give another --prefix and create its topics")
    return count


class Frames:
    """Rows of each partition on their way into frames; a record is encoded once, however many partitions get it."""

    def __init__(self, partitions: int, max_rows: int = MAX_FRAME_ROWS) -> None:
        self._max_rows = max_rows
        self._rows: list[list[bytes]] = [[] for _ in range(partitions)]
        self._bytes = [0] * partitions

    def add(self, item: Sourced) -> list[Message]:
        """Add a record; return the frames that are full now."""
        record = SequencedRecord(ordinal=item.offset, topic=item.topic, record=Raw(codec.encode(item.record)), v=1)
        row = codec.encode(record)
        full: list[Message] = []
        targets: Iterable[int] = range(len(self._rows)) if item.topic in _MARKET else (item.partition,)
        for partition in targets:
            if self._bytes[partition] + len(row) > FULL_BYTES:
                full += self._take(partition)
            rows = self._rows[partition]
            rows.append(row)
            self._bytes[partition] += len(row) + 1
            if len(rows) >= self._max_rows:
                full += self._take(partition)
        return full

    def take(self) -> list[Message]:
        """Return frames of all that is left."""
        return [message for partition in range(len(self._rows)) for message in self._take(partition)]

    def _take(self, partition: int) -> list[Message]:
        rows = self._rows[partition]
        messages = [Message(SEQUENCED.name, partition, None, frame, len(rows)) for frame in codec.packed(rows)]
        self._rows[partition], self._bytes[partition] = [], 0
        return messages
