"""Reads the market topics into every worker, outside the consumer group.

Each worker needs every market record, in order, from the beginning of the fold; a consumer group would share them
out, and a GlobalTable was seen to stop updating with two workers. One consumer for each topic, so that a long poll
for a quiet topic never holds back a busy one, and so that each topic has its own bound: definitions must be able to
arrive while prices fill their queue.
"""

from __future__ import annotations

import asyncio
import bisect
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from monitor.connection import client_options
from monitor.engine.state import Sourced
from monitor.worker.clients import KAFKA, Clients
from monitor.worker.dead_letters import Letter, of_refused
from monitor.worker.errors import LostInput
from monitor.worker.intake import without_tombstones
from monitor.worker.options import WorkerOptions
from schemas.codec import decode_message
from schemas.topics import MARKET_TOPICS, TICKS

POLL_MS = 200
POLL_RECORDS = 500  # decoding these takes a few ms; the loop turns in between

log = structlog.get_logger("monitor.worker")


@dataclass(frozen=True, slots=True)
class MarketBatch:
    """Decoded records of one topic, in order, and its rows that did not decode."""

    topic: str
    records: list[Sourced]
    letters: list[Letter]


class _Topic:
    """Progress on one market topic."""

    def __init__(self, name: str, full_name: str) -> None:
        self.name = name
        self.partition = TopicPartition(full_name, 0)
        self.held = 0
        self.position = 0  # next offset to hand over
        self.end = 0
        self.fold = 0
        self.room = asyncio.Event()


class MarketReader:
    """Folds start at the beginning of the topics; `rewind` starts a new one."""

    def __init__(self, options: WorkerOptions, wake: asyncio.Event, clients: Clients = KAFKA) -> None:
        self._options = options
        self._clients = clients
        self._wake = wake
        self._fold = 0
        self._starts: Mapping[str, int] = {}
        self._batches: deque[tuple[int, MarketBatch]] = deque()
        self._topics = {topic.name: _Topic(topic.name, options.topic(topic)) for topic in MARKET_TOPICS}
        # A share for each topic: one queue for all would let prices keep definitions out.
        self._max_held = max(POLL_RECORDS, options.queue_records // len(MARKET_TOPICS))
        self.records = 0
        self.heard_s = time.monotonic()  # when a tick or heartbeat came last
        # (last offset, when it came) of the newest polls of ticks: seconds of a busy market.
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=4_096)

    def readers(self) -> list[Coroutine[Any, Any, None]]:
        """Return one endless coroutine for each topic; each raises what cannot be repaired."""
        return [self._read(topic) for topic in self._topics.values()]

    def rewind(self, starts: Mapping[str, int] | None = None) -> None:
        """Begin a new fold; batches of the old one are not handed out any more.

        `starts` are offsets to begin at, by topic; the others begin with their first records.
        """
        self._fold += 1
        self._starts = dict(starts or {})
        self._batches.clear()
        self._arrivals.clear()
        for topic in self._topics.values():
            topic.held = 0
            topic.position = self._starts.get(topic.name, 0)
            topic.room.set()

    def take(self) -> MarketBatch | None:
        """Return the next batch of the present fold, None if there is none; its records still count as held."""
        while self._batches:
            fold, batch = self._batches.popleft()
            if fold == self._fold:
                return batch
        return None

    def release(self, topic: str, records: int = 1) -> None:
        """Give back the room of records that were taken."""
        found = self._topics[topic]
        found.held = max(0, found.held - records)
        found.room.set()

    def ends(self) -> dict[str, int]:
        """Return where each topic ended on the broker at its last poll."""
        return {name: topic.end for name, topic in self._topics.items()}

    def arrived_s(self, offset: int) -> float | None:
        """Return when the tick at an offset came, monotonic; None if that is too long ago, or not yet."""
        index = bisect.bisect_left(self._arrivals, (offset, 0.0))
        if index == len(self._arrivals) or (index == 0 and len(self._arrivals) == self._arrivals.maxlen):
            return None
        return self._arrivals[index][1]

    def handed_over(self, topic: str) -> int:
        """Return the offset below which all of a topic was read in the present fold."""
        found = self._topics[topic]
        return found.position if found.fold == self._fold else 0

    def unfetched(self, topic: str) -> bool:
        """Whether the broker is known to hold records of a topic that were not handed over."""
        found = self._topics[topic]
        return found.fold != self._fold or found.position < found.end

    async def _read(self, topic: _Topic) -> None:
        # No reset: a jump over deleted records would be a silent one.
        consumer = self._clients.consumer(
            **client_options(self._options.broker), client_id="liqmon-market", enable_auto_commit=False,
            auto_offset_reset="none", max_partition_fetch_bytes=4 * 1024 * 1024,
        )  # fmt: skip
        await consumer.start()
        try:
            consumer.assign([topic.partition])
            await self._begin(consumer, topic)
            while True:
                if topic.fold != self._fold:
                    await self._begin(consumer, topic)
                if topic.held >= self._max_held:
                    topic.room.clear()
                    await topic.room.wait()
                    continue
                await self._poll(consumer, topic)
        except OffsetOutOfRangeError as error:
            raise LostInput(
                f"{topic.partition.topic}: offset {topic.position} was deleted before it was read",
                "give the topic more retention; a restart begins at what is left",
            ) from error
        finally:
            await consumer.stop()

    async def _begin(self, consumer: Any, topic: _Topic) -> None:
        fold, start = self._fold, self._starts.get(topic.name)
        begin = (await consumer.beginning_offsets([topic.partition]))[topic.partition]
        end = (await consumer.end_offsets([topic.partition]))[topic.partition]
        late = start is None and begin > 0
        start = begin if start is None else max(start, begin)
        consumer.seek(topic.partition, start)
        topic.position, topic.end, topic.fold = start, end, fold
        if late:
            log.warning("market_begins_late", topic=topic.partition.topic, offset=start)
        self._wake.set()

    async def _poll(self, consumer: Any, topic: _Topic) -> None:
        fold = self._fold
        found = await consumer.getmany(topic.partition, timeout_ms=POLL_MS, max_records=POLL_RECORDS)
        position = await consumer.position(topic.partition)
        if fold != self._fold or fold != topic.fold:
            return  # rewound meanwhile
        batch = MarketBatch(topic.name, [], [])
        for message in found.get(topic.partition, []):
            decoded = decode_message(topic.name, message.key, message.value)
            raw = message.value or b""
            batch.records.extend(
                Sourced(topic.name, 0, message.offset, index, record, raw)  # type: ignore[arg-type]
                for index, record in without_tombstones(decoded.records)
            )
            if decoded.refused:
                batch.letters.extend(
                    of_refused(topic.name, 0, message.offset, message.key, message.value, decoded.refused)
                )
        moved = position != topic.position
        topic.position = position
        topic.end = max(position, consumer.highwater(topic.partition) or 0)
        self._hand_over(topic, fold, batch)
        if moved:
            self._wake.set()

    def _hand_over(self, topic: _Topic, fold: int, batch: MarketBatch) -> None:
        if batch.records or batch.letters:
            # Refused rows are memory, too: a topic of rubbish would else be read without end.
            topic.held += len(batch.records) + len(batch.letters)
            self.records += len(batch.records)
            self._batches.append((fold, batch))
            if batch.records and topic.name == TICKS.name:
                self.heard_s = time.monotonic()
                self._arrivals.append((batch.records[-1].offset, self.heard_s))
