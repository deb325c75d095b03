"""Publish a replay to the topics: market data in frames in arrival order, account records on their partitions.

Records are collected in windows of arrival time, short enough that live readers see topics advance together. At the end
of a window its messages go out topic by topic in the merge's rank (definitions before what needs them); a definition is
acknowledged before anything after it is sent. Within a topic and partition the order is that of arrival.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.codec import has_lz4
from aiokafka.errors import KafkaError

from monitor.brokers import topics as broker_topics
from monitor.brokers.interface import BrokerError
from monitor.brokers.selfcheck import has_idempotence
from monitor.connection import Address, client_options
from monitor.errors import UsageError
from monitor.replay.arrival import Merged
from monitor.replay.pause import Pause
from monitor.replay.progress import OnStep, Step, ignore
from monitor.replay.sequence import partition_of
from monitor.replay.sources.base import TOPIC_OF
from schemas import codec
from schemas.fields import MAX_RECORD_BYTES
from schemas.records import AccountConfig, Input, Trade, Transfer
from schemas.topics import (
    ACCOUNT_TOPICS,
    ACCOUNTS,
    ALL,
    INSTRUMENTS,
    PARAMETERS,
    SOURCE_RANK,
    TRANSFERS,
    Topic,
    full_name,
)

FRAME_ROWS = 500  # about 100 kB: large enough that a message costs little, small enough that it is decoded in 1 ms
MAX_WINDOW_US = 1_000_000  # of arrival time: live readers see topics at most this far apart
PACED_WINDOW_S = 0.02  # of real time, when the replay is paced: half of what a person sees
IN_FLIGHT = 256  # messages not yet acknowledged: a hundredth of a second of work for a local broker
STEP_EVERY_S = 0.25
MESSAGE_OVERHEAD = 4_096  # what Kafka adds to a message before it measures it

_BY_NAME: dict[str, Topic] = {topic.name: topic for topic in ALL}
_RANKED = sorted(SOURCE_RANK, key=lambda name: SOURCE_RANK[name])
_ACCOUNT = frozenset(topic.name for topic in ACCOUNT_TOPICS)
_FOUNDATIONS = frozenset({PARAMETERS.name, INSTRUMENTS.name, ACCOUNTS.name, TRANSFERS.name})


class PublishFailed(BrokerError):
    """The broker did not take what was sent."""


@dataclass(slots=True)
class Published:
    """What was sent: records and messages by topic, the arrival times covered, and the time it took."""

    records: dict[str, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    first_us: int = 0
    last_us: int = 0
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Records of all topics."""
        return sum(self.records.values())


@dataclass(frozen=True, slots=True)
class Message:
    """One message to send: a frame (no key, explicit partition) or a single record under its key."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes
    rows: int


async def publish(
    stream: Merged, address: Address, *, prefix: str = "", speed: float | None = None, on_step: OnStep = ignore,
    clock: Callable[[], float] = time.monotonic, pause: Pause | None = None,
) -> Published:  # fmt: skip
    """Send a merged stream to the topics under `prefix`; `speed` is seconds of arrival a second, None unpaced.

    With `pause` it stops when it is asked to, all that was sent acknowledged. Raises UsageError if a topic is missing,
    BrokerError if the broker fails, and what the sources raise; everything read before that has been sent and
    acknowledged.
    """
    partitions = await account_partitions(address, prefix)
    async with connected(address) as producer:
        sender = Sender(producer, prefix)
        pace = Pace(stream, speed, on_step, clock)
        window = Window(partitions)
        window_us = MAX_WINDOW_US if speed is None else paced_window_us(speed)
        end_us: int | None = None
        try:
            for at_us, record in stream:
                if end_us is None:
                    end_us = at_us + window_us
                if at_us >= end_us:
                    await sender.send(window.take())
                    await rest(pause, sender, pace)
                    await pace.reach(at_us, sender.done.total)
                    end_us = at_us + window_us
                window.add(record)
        finally:
            await sender.send(window.take())
            await sender.acknowledge()
    done = sender.done
    done.first_us, done.last_us = stream.first_us or 0, stream.last_us or 0
    done.seconds = pace.elapsed_s
    return done


def paced_window_us(speed: float) -> int:
    """Return the arrival time that one window of a paced replay covers."""
    return min(MAX_WINDOW_US, max(1, int(PACED_WINDOW_S * speed * 1e6)))


async def account_partitions(address: Address, prefix: str) -> int:
    """Return P of the account topics under `prefix`; raises UsageError if an input topic is missing or P differs."""
    wanted = broker_topics.wanted_topics(prefix, 1, topics=[_BY_NAME[name] for name in _RANKED])
    found = dict.fromkeys(_RANKED, 1)
    for difference in await broker_topics.plan(address, wanted):
        if difference.kind == "missing":
            raise UsageError(f"topic {difference.topic} is missing", "run `liqmon topics apply` first")
        if difference.kind == "partitions":
            found[difference.topic.removeprefix(prefix)] = int(difference.found)
    counts = {found[name] for name in _ACCOUNT}
    if len(counts) != 1:
        raise UsageError("account topics differ in their partitions", "see `liqmon topics plan`")
    return counts.pop()


class Window:
    """Records of one window by topic and partition, made into messages when the window ends."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._rows: dict[str, dict[int, list[Input]]] = {name: {} for name in _RANKED}

    def add(self, record: Input) -> None:
        """Add a record to its topic and partition."""
        topic = TOPIC_OF[type(record)]
        partition = 0
        if isinstance(record, (Trade, Transfer, AccountConfig)):
            partition = partition_of(record.account, self._partitions)
        self._rows[topic].setdefault(partition, []).append(record)

    def take(self) -> list[Message]:
        """Return the window's messages in the order to send, and start the next window."""
        messages: list[Message] = []
        for topic, by_partition in self._rows.items():
            for partition, rows in by_partition.items():
                messages += _messages(topic, partition, rows)
            by_partition.clear()
        return messages


def _messages(topic: str, partition: int, rows: list[Input]) -> Iterator[Message]:
    if not _BY_NAME[topic].framed or len(rows) == 1:
        for row in rows:
            yield Message(topic, partition, codec.key_of(topic, row), codec.encode(row), 1)
        return
    for first in range(0, len(rows), FRAME_ROWS):
        part = rows[first : first + FRAME_ROWS]
        for frame in codec.frames(part):
            yield Message(topic, partition, None, frame, len(part))


class Sender:
    """Sends messages in order with a bounded number unacknowledged."""

    def __init__(self, producer: Any, prefix: str) -> None:
        self._producer = producer
        self._names = {name: full_name(topic, prefix) for name, topic in _BY_NAME.items()}
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self.done = Published()

    async def send(self, messages: Iterable[Message]) -> None:
        """Hand messages to the producer; what trades rest on is acknowledged before the next topic follows.

        A broker may append the batches of one request in any order, so that a worker could see a trade before the
        deposit or the instrument that it needs.
        """
        last = None
        for message in messages:
            if message.topic != last and last in _FOUNDATIONS:
                await self.acknowledge()
            last = message.topic
            future = await self._producer.send(
                self._names[message.topic], message.value, key=message.key, partition=message.partition
            )
            self._waiting.append(future)
            counts, sent = self.done.records, self.done.messages
            counts[message.topic] = counts.get(message.topic, 0) + message.rows
            sent[message.topic] = sent.get(message.topic, 0) + 1
            while len(self._waiting) > IN_FLIGHT:
                await self._waiting.popleft()

    async def acknowledge(self) -> None:
        """Wait until the broker has everything."""
        while self._waiting:
            await self._waiting.popleft()


class Pace:
    """Holds a stream back to its speed and says where it is."""

    def __init__(self, stream: Merged, speed: float | None, on_step: OnStep, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._speed = speed
        self._on_step = on_step
        self._clock = clock
        self._start_s = clock()
        self._next_step_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """Real seconds since the start, without pauses."""
        return self._clock() - self._start_s

    def pause(self, pause: Pause) -> None:
        """Stop, and go on as if no time had passed."""
        self._start_s += pause.stop(self._clock)

    async def reach(self, at_us: int, records: int) -> None:
        """Wait until arrival time `at_us` is due."""
        first_us = self._stream.first_us
        if self._speed is not None and first_us is not None:
            due_s = (at_us - first_us) * 1e-6 / self._speed
            await asyncio.sleep(max(0.0, due_s - self.elapsed_s))
        elapsed_s = self.elapsed_s
        if elapsed_s >= self._next_step_s:
            self._next_step_s = elapsed_s + STEP_EVERY_S
            self._on_step(Step(records, self._stream.fraction, at_us, records / max(elapsed_s, 1e-9)))


async def rest(pause: Pause | None, sender: Sender, pace: Pace) -> None:
    """Stop if that was asked for, when the broker has everything."""
    if pause is not None and pause.asked:
        await sender.acknowledge()
        pace.pause(pause)


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[Any]:
    """Give an idempotent producer; raises PublishFailed for what the broker does not take."""
    producer = AIOKafkaProducer(
        **client_options(address), client_id="liqmon-replay", acks="all", linger_ms=2,
        enable_idempotence=await has_idempotence(address),
        max_batch_size=MAX_RECORD_BYTES // 2, max_request_size=MAX_RECORD_BYTES + MESSAGE_OVERHEAD,
        compression_type="lz4" if has_lz4() else None,
    )  # fmt: skip
    try:
        await producer.start()
        yield producer
    except KafkaError as error:
        raise PublishFailed(
            f"the broker at {address} did not take a message ({error!r})", "check its health and `liqmon topics plan`"
        ) from error
    finally:
        await producer.stop()
