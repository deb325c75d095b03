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

from aiokafka.partitioner import murmur2

from monitor.engine import Sourced
from monitor.engine.merge import record_time_us
from monitor.replay.arrival import Merged
from monitor.replay.sources.base import TOPIC_OF
from schemas.records import AccountConfig, Input, Trade, Transfer
from schemas.topics import SOURCE_RANK

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
        heads, inputs = self._heads, {kind: self._inputs[topic] for kind, topic in TOPIC_OF.items()}
        arrived_us = 0
        for at_us, record in self._stream:
            rank, topic, queue = inputs[type(record)]
            if not queue:
                heapq.heappush(heads, (record_time_us(record), rank, topic, queue))
            queue.append(record)
            if at_us > arrived_us:
                arrived_us = at_us
                self.reached_us = self.reached_us or at_us
            if arrived_us >= self.reached_us + AHEAD_US:
                yield from self._taken(arrived_us - AHEAD_US)
        yield from self._taken(None)

    def _taken(self, until_us: int | None) -> Iterator[Sourced]:
        """Take heads in order as long as what was reached is not after a moment; all, if none is given.

        What follows a head in its input is a head from then on, whatever its time.
        """
        heads, counts, partitions = self._heads, self.counts, self._partitions
        while heads and (until_us is None or self.reached_us <= until_us):
            time_us, rank, topic, queue = heads[0]
            record = queue.popleft()
            if queue:
                heapq.heapreplace(heads, (record_time_us(queue[0]), rank, topic, queue))
            else:
                heapq.heappop(heads)
            if time_us < self._newest_us:
                self.late += 1
            else:
                self._newest_us = time_us
                if time_us > self.reached_us:  # noqa: PLR1730 - max() would be a tenth of the record
                    self.reached_us = time_us
            ordinal = self.taken
            self.taken = ordinal + 1
            counts[topic] = counts.get(topic, 0) + 1
            yield numbered(topic, ordinal, record, partitions)


def numbered(topic: str, ordinal: int, record: Input, partitions: int) -> Sourced:
    """Return a record at its place in the sequence, in its account's partition (0 for a market record)."""
    if type(record) is Trade or type(record) is Transfer or type(record) is AccountConfig:
        return Sourced(topic, partition_of(record.account, partitions), ordinal, 0, record)
    return Sourced(topic, 0, ordinal, 0, record)
