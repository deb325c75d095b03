"""What the broker really holds: offsets, holes and tails, asked by a consumer that belongs to no group."""

from __future__ import annotations

import asyncio
import bisect
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from monitor.brokers.ends import end_offsets
from monitor.connection import Address, client_options
from monitor.worker.clients import KAFKA, Clients

READ_S = 30.0  # the broker has delivered a later record already: this one is there or it is not
READ_AHEAD = 5_000  # a compacted topic has a hole at every other record: one read answers for many


class Unanswered(TimeoutError):
    """The broker did not deliver what it says it holds."""


@dataclass(slots=True)
class _Known:
    """Offsets that exist in [first, end) of one partition."""

    first: int = 0
    end: int = 0
    offsets: list[int] = field(default_factory=list)


class LogView:
    """Reads partitions beside the group; every call is about what exists now.

    `inputs` are the partitions that the group commits. `exact_ends` tells that the broker's ListOffsets was seen to be
    right (see `monitor.brokers.selfcheck`); without it ends are looked up twice, which is right on every broker.
    """

    def __init__(
        self, broker: Address, group: str, inputs: Sequence[TopicPartition] = (), *, exact_ends: bool = False,
        clients: Clients = KAFKA,
    ) -> None:  # fmt: skip
        self._broker = broker
        self._group = group
        self._inputs = list(inputs)
        self._exact_ends = exact_ends
        self._clients = clients
        self._consumer: Any = None
        self._admin: Any = None
        self._known: dict[TopicPartition, _Known] = {}

    async def start(self) -> None:
        """Connect."""
        # No reset: an offset that is gone must be seen as gone.
        self._consumer = self._clients.consumer(
            **client_options(self._broker), client_id="liqmon-log-view", enable_auto_commit=False,
            auto_offset_reset="none", fetch_max_wait_ms=50,
        )  # fmt: skip
        await self._consumer.start()
        self._admin = self._clients.admin(**client_options(self._broker), client_id="liqmon-log-view")
        await self._admin.start()

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()
        if self._admin is not None:
            await self._admin.close()

    async def begins(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the first offset of each partition's log."""
        wanted = list(partitions)
        return await self._consumer.beginning_offsets(wanted) if wanted else {}

    async def ends(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the offset after the last of each partition's log."""
        wanted = list(partitions)
        if not self._exact_ends:
            return await end_offsets(self._broker, wanted, exact=False)
        return await self._consumer.end_offsets(wanted) if wanted else {}

    async def committed(self) -> dict[TopicPartition, int]:
        """Return the committed offsets of the group, partitions without one left out."""
        # By name: the embedded broker garbles the answer to the question for all.
        found = await self._admin.list_consumer_group_offsets(self._group, partitions=self._inputs)
        return {TopicPartition(tp.topic, tp.partition): item.offset for tp, item in found.items() if item.offset >= 0}

    async def first_at(self, partition: TopicPartition, offset: int) -> int | None:
        """Return the smallest existing offset that is not below `offset`; None when there is none.

        Raises `OffsetOutOfRangeError` if the log starts later.
        """
        known = self._known.setdefault(partition, _Known())
        while True:
            if known.first <= offset < known.end:
                index = bisect.bisect_left(known.offsets, offset)
                if index < len(known.offsets):
                    return known.offsets[index]
                offset = known.end
            end = (await self.ends([partition]))[partition]
            if offset >= end:
                return None
            known.offsets = [record.offset async for record in self.read(partition, offset, end, limit=READ_AHEAD)]
            known.first = offset
            known.end = end if len(known.offsets) < READ_AHEAD else known.offsets[-1] + 1

    async def read(
        self, partition: TopicPartition, start: int, end: int, limit: int | None = None
    ) -> AsyncGenerator[Any, None]:
        """Yield the records in [start, end), at most `limit`.

        Raises `OffsetOutOfRangeError` if the log starts after `start`, Unanswered when nothing comes.
        """
        begin = (await self.begins([partition]))[partition]
        if start < begin:
            raise OffsetOutOfRangeError({partition: start})
        if start >= end:
            return
        count = 0
        async for record in self._read({partition: (start, end)}):
            yield record
            count += 1
            if count == limit:
                return

    async def read_all(self, partitions: Iterable[TopicPartition]) -> AsyncIterator[Any]:
        """Yield all records of some partitions up to where they end now, each partition in order; raises Unanswered."""
        wanted = list(partitions)
        begins, ends = await self.begins(wanted), await self.ends(wanted)
        ranges = {tp: (begins[tp], ends[tp]) for tp in wanted if begins[tp] < ends[tp]}
        if not ranges:
            # Not only to save time: a client that is stopped right after an assignment can miss that it is to stop.
            return
        async for record in self._read(ranges):
            yield record

    async def _read(self, ranges: Mapping[TopicPartition, tuple[int, int]]) -> AsyncIterator[Any]:
        """Yield what lies in some ranges, none of them empty."""
        left = {tp: start for tp, (start, _) in ranges.items()}
        self._consumer.assign(list(left))
        for tp, start in left.items():
            self._consumer.seek(tp, start)
        deadline_s = time.monotonic() + READ_S
        while left:
            # Short polls: a poll that meets only transaction markers moves the position and returns nothing.
            batches = await self._consumer.getmany(*left, timeout_ms=200)
            for tp, records in batches.items():
                for record in records:
                    if record.offset < ranges[tp][1]:
                        yield record
            for tp, before in list(left.items()):
                position = await self._consumer.position(tp)
                if position > before:
                    deadline_s = time.monotonic() + READ_S
                    left[tp] = position
                if position >= ranges[tp][1]:
                    del left[tp]
            if time.monotonic() > deadline_s:
                raise Unanswered(f"nothing is delivered of {sorted(left.items())}")
            await asyncio.sleep(0)
