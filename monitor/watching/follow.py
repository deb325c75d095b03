"""Reads states and events of a deployment into a board, in no group: watching moves nobody's offsets."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer

from monitor.brokers import topics as broker_topics
from monitor.brokers.interface import BrokerError
from monitor.connection import Address, client_options
from monitor.watching.board import RECENT, Board
from schemas.codec import decode_message
from schemas.headers import EPOCH
from schemas.records import AccountEvent, AccountState, Tombstone
from schemas.topics import ACCOUNT_STATES, LIQUIDATIONS, MARGIN_CALLS, full_name

POLL_MS: Final = 200
ASSIGNED_S: Final = 30.0
EVENT_TOPICS: Final = (MARGIN_CALLS, LIQUIDATIONS)
Since = Literal["recent", "now", "beginning"]
OnEvent = Callable[[AccountEvent, bytes], None]


class Follower:
    """A consumer of state and event topics, and the board that it keeps; made by `follower`."""

    def __init__(self, consumer: Any, names: dict[str, str], board: Board, on_event: OnEvent) -> None:
        self._consumer = consumer
        self._names = names
        self._board = board
        self._on_event = on_event
        self.undecoded = 0

    async def catch_up(self, since: Since) -> None:
        """Read all states, and events from where they are wanted, up to their present ends."""
        partitions = self._consumer.assignment()
        ends = await self._consumer.end_offsets(partitions)
        begins = await self._consumer.beginning_offsets(partitions)
        of_events = [one for one in partitions if self._names[one.topic] != ACCOUNT_STATES.name]
        share = math.ceil(RECENT / max(1, len(of_events)))
        for one in partitions:
            begin = begins[one]
            if one in of_events and since == "now":
                begin = ends[one]
            elif one in of_events and since == "recent":
                begin = max(begin, ends[one] - share)
            self._consumer.seek(one, begin)
        while any([await self._consumer.position(one) < end for one, end in ends.items()]):
            await self.poll()

    async def poll(self) -> None:
        """Take what comes within `POLL_MS`."""
        found = await self._consumer.getmany(timeout_ms=POLL_MS)
        for partition, messages in found.items():
            name = self._names[partition.topic]
            for message in messages:
                self._take(name, message)
            await asyncio.sleep(0)

    def _take(self, name: str, message: Any) -> None:
        decoded = decode_message(name, message.key, message.value)
        self.undecoded += len(decoded.refused)
        for _, record in decoded.records:
            if isinstance(record, AccountEvent):
                if self._board.event(record, message.timestamp):
                    self._on_event(record, message.value)
            elif isinstance(record, AccountState):
                self._board.state(record, _epoch(message.headers), message.timestamp)
            elif isinstance(record, Tombstone):
                self._board.gone((message.key or b"").decode())


@asynccontextmanager
async def follower(address: Address, prefix: str, board: Board, on_event: OnEvent) -> AsyncIterator[Follower]:
    """Connect, and have every partition of the state and event topics; raises BrokerError without them."""
    topics = (ACCOUNT_STATES, *EVENT_TOPICS)
    names = {full_name(topic, prefix): topic.name for topic in topics}
    differences = await broker_topics.plan(address, broker_topics.wanted_topics(prefix, 1, topics=topics))
    missing = [difference.topic for difference in differences if difference.kind == "missing"]
    if missing:
        raise BrokerError(f"no topic {', '.join(missing)}", "run `liqmon topics apply`, or check --prefix")
    consumer: Any = AIOKafkaConsumer(
        *names, **client_options(address), group_id=None, client_id="liqmon-watch", enable_auto_commit=False,
        auto_offset_reset="earliest",
    )  # fmt: skip
    await consumer.start()
    try:
        # In no group the client assigns all partitions as soon as it knows them, and has no event for it.
        async with asyncio.timeout(ASSIGNED_S):
            while {one.topic for one in consumer.assignment()} != set(names):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield Follower(consumer, names, board, on_event)
    finally:
        await consumer.stop()


def _epoch(headers: Any) -> int:
    for name, value in headers:
        if name == EPOCH:
            return int(value) if value.isdigit() else 0
    return 0
