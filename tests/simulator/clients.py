"""aiokafka's clients over the simulated log: what they promise, and how they fail.

The producer keeps the order within a partition, also over retries; idempotent, it writes nothing twice. A request that
is under way when its process dies is written or not. Consumers see a topic up to where a fetch gets, and pass holes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from tests.simulator.log import Partition, Stored
from tests.simulator.loop import PROCESS, Process
from tests.simulator.world import World

Message = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]], "asyncio.Future[object]"]


class _Committed(NamedTuple):
    offset: int


class SimulatedClients:
    """Clients of one process."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def producer(self, **settings: Any) -> Producer:
        return Producer(self._world, self._process, idempotent=settings["enable_idempotence"])

    def consumer(self, **settings: Any) -> Consumer:
        assert settings["auto_offset_reset"] == "none"
        return Consumer(self._world, self._process)

    def admin(self, **_settings: Any) -> Admin:
        return Admin(self._world)


class Producer:
    def __init__(self, world: World, process: Process, *, idempotent: bool) -> None:
        self._world = world
        self._process = process
        self._idempotent = idempotent
        self._queues: dict[tuple[str, int], deque[Message]] = {}

    async def start(self) -> None:
        await self._world.travel()

    async def stop(self) -> None:
        while any(self._queues.values()):  # noqa: ASYNC110 (time is virtual)
            await asyncio.sleep(0.001)

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]:  # fmt: skip
        world = self._world
        assert self._process is PROCESS.get(), "a client is used by another process"
        world.point(self._process, world.plan.point_of("send", topic))
        number = world.options.partition_of(key or b"") if partition is None else partition
        future: asyncio.Future[object] = world.loop.create_future()
        queue = self._queues.setdefault((topic, number), deque())
        queue.append((key, value, headers or (), future))
        if len(queue) == 1:
            world.loop.start(self._drain(topic, number, queue))
        return future

    async def _drain(self, topic: str, number: int, queue: deque[Message]) -> None:  # noqa: C901 (the faults in order)
        """Send what waits for a partition, batch by batch: the client's own task, which stops with its process."""
        world, process = self._world, self._process
        while queue:
            while process.paused:  # noqa: ASYNC110 (time is virtual)
                await asyncio.sleep(0.05)
            if process.dead:
                world.counts["sends lost in a crash"] += len(queue)
                return
            size = world.draw.choice((1, 2, 10, 1_000))
            batch = [queue[at] for at in range(min(size, len(queue)))]
            await world.travel(process)
            if process.dead and world.draw.random() < 0.5:
                world.counts["sends lost in a crash"] += len(queue)
                return
            if world.chance(world.plan.refused) and not process.dead:
                world.counts["send refused"] += 1
                _settle(batch, KafkaError("refused"))
                queue.clear()
                return
            written = [world.log.append(topic, number, key, value, headers) for key, value, headers, _ in batch]
            if process.dead:
                world.counts["written after the crash"] += len(batch)
            if world.chance(world.plan.lost_ack):
                world.counts["ack lost, written"] += 1
                await asyncio.sleep(world.draw.uniform(0.0, 0.2))
                if not self._idempotent:
                    world.counts["batch written twice"] += 1
                    for key, value, headers, _ in batch:
                        world.log.append(topic, number, key, value, headers)
            await world.travel(process)
            for _ in batch:
                queue.popleft()
            world.point(process, world.plan.point_of("acknowledged", topic))
            for message, stored in zip(batch, written, strict=True):
                _settle([message], stored)


def _settle(batch: list[Message], result: object) -> None:
    for *_, future in batch:
        if not future.done():
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)


class Consumer:
    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self._positions: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        await self._world.travel()

    async def stop(self) -> None:
        """Nothing is held."""

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._positions = dict.fromkeys(partitions, 0)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition in self._positions
        self._positions[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        return self._positions[partition]

    def highwater(self, partition: TopicPartition) -> int | None:
        return self._ends.get(partition)

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await self._world.travel()
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await self._world.travel()
        return {tp: self._world.partition_of(tp).end for tp in partitions}

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Stored]]:  # fmt: skip
        world = self._world
        wanted = list(partitions or self._positions)
        until_s = world.loop.now_s + timeout_ms / 1000.0
        world.point(self._process, world.plan.point_of("read", wanted[0].topic))
        await world.travel()
        while True:
            found, moved = {}, False
            for tp in wanted:
                before = self._positions[tp]
                records = self._fetch(tp, world.partition_of(tp), max_records)
                moved |= self._positions[tp] != before
                if records:
                    found[tp] = records
            if moved or world.loop.now_s >= until_s:
                return found
            await world.arrival([world.partition_of(tp) for tp in wanted], until_s - world.loop.now_s)

    def _fetch(self, tp: TopicPartition, partition: Partition, max_records: int | None) -> list[Stored]:
        position = self._positions[tp]
        if position > partition.end:
            raise OffsetOutOfRangeError({tp: position})
        end = self._world.visible_end(self._process, partition)
        self._ends[tp] = end
        count = min(max_records or 500, self._world.draw.choice(self._world.plan.fetch))
        records = partition.slice(position, end, count)
        # Beyond the last record there may be holes: the position passes them.
        self._positions[tp] = records[-1].offset + 1 if records else max(position, end)
        return records


class Admin:
    def __init__(self, world: World) -> None:
        self._world = world

    async def start(self) -> None:
        await self._world.travel()

    async def close(self) -> None:
        """Nothing is held."""

    async def list_consumer_group_offsets(
        self, group: str, *, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, _Committed]:  # fmt: skip
        assert group == self._world.options.group
        await self._world.travel()
        return {tp: _Committed(self._world.committed.get((tp.topic, tp.partition), -1)) for tp in partitions}
