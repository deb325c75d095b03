"""The input of a run: one record after the other, at a pace, in live order or as the sequence of strict order."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from monitor.engine import Sourced
from monitor.replay.publish_sequenced import Frames
from monitor.replay.sequence import numbered
from schemas.codec import encode, key_of
from schemas.records import Input, Trade
from schemas.topics import SEQUENCED, full_name
from tests.engine_market import TOPIC_OF

P = 4
CHUNK = 20  # records between two looks at the clock
IN_FLIGHT = 2_000
SLOW = 20.0  # records a second once `many` are published: a slow machine must not be given ever more to check
Order = Literal["live", "strict"]


@dataclass
class Feed:
    """Publishes records until it is told to stop; `per_second` may be changed on the way, and sinks after `many`.

    `sourced` are the records as the engine takes them in strict order (kept there alone), `trades` the sums of the
    published trades by account and instrument, `count` all records.
    """

    broker: str
    prefix: str
    order: Order
    records: Iterable[Input]
    per_second: float
    many: int = 15_000
    count: int = 0
    sourced: list[Sourced] = field(default_factory=list)
    trades: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    failed: list[BaseException] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 180.0) -> None:
        """Stop, and return when the broker has acknowledged everything."""
        assert self._thread is not None, "it was started"
        self._stop.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError("the input was not acknowledged")
        if self.failed:
            raise self.failed[0]

    def abandon(self) -> None:
        """Stop without asking what was acknowledged."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(60.0)

    def _run(self) -> None:
        try:
            asyncio.run(self._publish())
        except BaseException as error:  # noqa: BLE001 (raised by `stop`, in the thread that asked for it)
            self.failed.append(error)

    async def _publish(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.broker, acks="all", linger_ms=2, enable_idempotence=True)
        await producer.start()
        waiting: deque[Any] = deque()
        frames = Frames(P)
        due_s = time.monotonic()
        try:
            for record in self.records:
                if isinstance(record, Trade):
                    self.trades[record.account, record.instrument] += record.quantity
                if self.order == "strict":
                    item = numbered(TOPIC_OF[type(record)].name, self.count, record, P)
                    self.sourced.append(item)
                    frames.add(item)  # far from full: taken every few records
                else:
                    topic = TOPIC_OF[type(record)]
                    message = (full_name(topic, self.prefix), encode(record), key_of(topic.name, record), None)
                    waiting.append(await _hand_over(producer, *message))
                self.count += 1
                if self.count % CHUNK:
                    continue
                for frame in frames.take():
                    name = full_name(SEQUENCED, self.prefix)
                    waiting.append(await _hand_over(producer, name, frame.value, None, frame.partition))
                while len(waiting) > IN_FLIGHT or (waiting and waiting[0].done()):
                    await waiting.popleft()
                if self._stop.is_set():
                    break
                rate = self.per_second if self.count < self.many else min(SLOW, self.per_second)
                due_s = max(due_s + CHUNK / rate, time.monotonic() - 1.0)
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await asyncio.gather(*waiting)
        finally:
            await producer.stop()


async def _hand_over(producer: Any, topic: str, value: bytes, key: bytes | None, partition: int | None) -> Any:
    """Put a message behind those before it, however long the broker is away; the future is its acknowledgement."""
    while True:
        try:
            return await producer.send(topic, value, key=key, partition=partition)
        except KafkaTimeoutError:
            continue
