"""How far a worker has come: the markers in its changelog against the ends of its input topics."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from monitor.brokers.ends import end_offsets
from monitor.connection import Address, client_options
from monitor.demo.stage import WorkerProcess
from monitor.engine import decode_marker
from monitor.engine.outbox import MARKER_PREFIX
from schemas.records import START
from schemas.topics import ACCOUNT_TOPICS, MARKET_TOPICS, TICKS, full_name


class Drain:
    """Follows the shard markers of one deployment; `exact_ends` as in LogView."""

    def __init__(
        self, address: Address, prefix: str, changelog: str, partitions: int, *, exact_ends: bool = False
    ) -> None:  # fmt: skip
        self._address = address
        self._prefix = prefix
        self._changelog = changelog
        self._partitions = partitions
        self._exact_ends = exact_ends
        self._offsets: dict[tuple[int, str], int] = {}
        self.ticks_offset = -1

    async def follow(self) -> None:
        """Read markers until cancelled."""
        consumer = AIOKafkaConsumer(
            self._changelog, **client_options(self._address), group_id=None, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            while True:
                for messages in (await consumer.getmany(timeout_ms=200)).values():
                    for message in messages:
                        if message.key.startswith(MARKER_PREFIX):
                            self._take(message.value)
                await asyncio.sleep(0)
        finally:
            await consumer.stop()

    def _take(self, value: bytes) -> None:
        marker = decode_marker(value)
        for topic, (offset, _) in marker.positions.items():
            self._offsets[marker.partition, topic] = offset
        self.ticks_offset = max(self.ticks_offset, marker.positions.get(TICKS.name, START)[0])

    async def wait(self, process: WorkerProcess) -> None:
        """Return when every partition has applied all that is on its topics now; raises WorkerFailed."""
        ends = await self._ends()
        while any(self._offsets.get(key, -1) < end - 1 for key, end in ends.items()):
            process.check()
            await asyncio.sleep(0.1)

    async def _ends(self) -> dict[tuple[int, str], int]:
        """End offsets of the inputs, by account partition and topic; every partition reads all of the market."""
        inputs = {
            (partition, topic.name): TopicPartition(
                full_name(topic, self._prefix), 0 if topic in MARKET_TOPICS else partition
            )
            for topic in (*MARKET_TOPICS, *ACCOUNT_TOPICS)
            for partition in range(self._partitions)
        }
        ends = await end_offsets(self._address, inputs.values(), exact=self._exact_ends)
        return {key: ends[partition] for key, partition in inputs.items()}
