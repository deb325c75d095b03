"""The merged sequence of a replay: every record once, in the order in which it is to be applied, with its ordinal.

The merge orders by (event time, rank, arrival) within each topic's order of arrival, as the worker's does on topics. To
know what an input still owes, the stream is read `AHEAD_US` further than the merge has come: a record that arrives
later than that after its event is taken when it comes, as a late one.

The ordinal is given before accounts are spread over partitions, and it is the record's position from then on: through
the engine directly, or through the topic of the sequence and any number of workers.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from aiokafka.partitioner import murmur2

from monitor.engine import Sourced
from monitor.engine.merge import record_time_us
from monitor.replay.arrival import Merged
from monitor.replay.sources.base import TOPIC_OF
from schemas.records import AccountConfig, Input, Trade, Transfer
from schemas.topics import SOURCE_RANK

ACCOUNT_RECORDS: Final = (Trade, Transfer, AccountConfig)
AHEAD_US = 300_000_000  # the latest tick of 2025-10-10 came 180 s after its event

_Head = tuple[int, int, str, deque[Input]]  # no two are equal in time and rank: a rank is one topic's


@lru_cache(maxsize=1 << 18)  # hashed in Python, at 5 us; accounts come again and again
def partition_of(account: str, partitions: int) -> int:
    """Return an account's partition, as Kafka's default partitioner gives it for the same key."""
    return int(murmur2(account.encode()) & 0x7FFFFFFF) % partitions


class Sequence:
    """A merged stream as `Sourced` records.

    They carry the topic that a record belongs to, its account's partition (0 for a market record), its ordinal as
    offset, and index 0. The order does not depend on `partitions`: each topic is one input of the merge. `counts` are
    records by topic, `taken` all records given so far, `reached_us` the largest event time among them, `late` how many
    were given after one of a later event time.
    """

    def __init__(self, stream: Merged, partitions: int) -> None:
        self._stream = stream
        self._partitions = partitions
        self._inputs = {topic: (rank, topic, deque[Input]()) for topic, rank in SOURCE_RANK.items()}
        self._heads: list[_Head] = []  # of the inputs with records, by their oldest ones
        self._newest_us = 0
        self.late = 0
        self.counts: dict[str, int] = {}
        self.taken = 0
        self.reached_us = 0

    @property
    def fraction(self) -> float:
        """Share of the sources read so far."""
        return self._stream.fraction

    def __iter__(self) -> Iterator[Sourced]:
        """Give all records in merged order, once; raises what the sources raise."""
        arrived_us = 0
        for at_us, record in self._stream:
            self._push(record)
            if at_us > arrived_us:
                arrived_us = at_us
                self.reached_us = self.reached_us or at_us
            while self._heads and arrived_us >= self.reached_us + AHEAD_US:
                yield self._take()
        while self._heads:
            yield self._take()

    def _push(self, record: Input) -> None:
        rank, topic, queue = self._inputs[TOPIC_OF[type(record)]]
        if not queue:
            heapq.heappush(self._heads, (record_time_us(record), rank, topic, queue))
        queue.append(record)

    def _take(self) -> Sourced:
        """Take the head that comes first; what follows it in its input is a head from then on, whatever its time."""
        time_us, rank, topic, queue = self._heads[0]
        record = queue.popleft()
        if queue:
            heapq.heapreplace(self._heads, (record_time_us(queue[0]), rank, topic, queue))
        else:
            heapq.heappop(self._heads)
        if time_us < self._newest_us:
            self.late += 1
        else:
            self._newest_us = time_us
            self.reached_us = max(self.reached_us, time_us)
        ordinal = self.taken
        self.taken += 1
        self.counts[topic] = self.counts.get(topic, 0) + 1
        return numbered(topic, ordinal, record, self._partitions)


def numbered(topic: str, ordinal: int, record: Input, partitions: int) -> Sourced:
    """Return a record at its place in the sequence, in its account's partition (0 for a market record)."""
    partition = partition_of(record.account, partitions) if isinstance(record, ACCOUNT_RECORDS) else 0
    return Sourced(topic, partition, ordinal, 0, record)
