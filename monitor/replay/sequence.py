"""The merged sequence of a replay: every record once, in the order in which it is to be applied, with its ordinal.

The merge orders by (event time, rank, arrival) within each topic's order of arrival, as the worker's does on topics. To
know what an input still owes, the stream is read `AHEAD_US` further than the merge has come: a record that arrives
later than that after its event is taken when it comes, as a late one.

The ordinal is given before accounts are spread over partitions, and it is the record's position from then on: through
the engine directly, or through the topic of the sequence and any number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from aiokafka.partitioner import murmur2

from monitor.engine import Sourced
from monitor.engine.merge import LiveMerge, order_time_us
from monitor.replay.arrival import Merged
from monitor.replay.sources.base import TOPIC_OF
from schemas.records import AccountConfig, Input, Trade, Transfer
from schemas.topics import ACCOUNT_TOPICS, INSTRUMENTS, MARKET_TOPICS, PARAMETERS, SOURCE_RANK

AHEAD_US = 300_000_000  # the latest tick of 2025-10-10 came 180 s after its event


@lru_cache(maxsize=1 << 18)  # hashed in Python, at 5 us; accounts come again and again
def partition_of(account: str, partitions: int) -> int:
    """Return an account's partition, as Kafka's default partitioner gives it for the same key."""
    return int(murmur2(account.encode()) & 0x7FFFFFFF) % partitions


class Sequence:
    """A merged stream as `Sourced` records.

    They carry the topic that a record belongs to, its account's partition (0 for a market record), its ordinal as
    offset, and index 0. The order does not depend on `partitions`: each topic is one input of the merge. `counts` are
    records by topic, `taken` all records given so far, `reached_us` the largest event time among them.
    """

    def __init__(self, stream: Merged, partitions: int) -> None:
        self._stream = stream
        self._partitions = partitions
        self._merge = LiveMerge()
        self._arrivals: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.taken = 0
        self.reached_us = 0
        for topic in (*MARKET_TOPICS, *ACCOUNT_TOPICS):
            definitions = topic in (PARAMETERS, INSTRUMENTS)
            self._merge.add_input(topic.name, SOURCE_RANK[topic.name], definitions=definitions)

    @property
    def late(self) -> int:
        """Records taken after one of a later event time."""
        return self._merge.late

    def __iter__(self) -> Iterator[Sourced]:
        """Give all records in merged order, once; raises what the sources raise."""
        arrived_us = 0
        for at_us, record in self._stream:
            self._push(record)
            arrived_us = max(arrived_us, at_us)
            self.reached_us = self.reached_us or at_us
            while arrived_us >= self.reached_us + AHEAD_US and (item := self._next()) is not None:
                yield item
        while (item := self._next()) is not None:
            yield item

    def _push(self, record: Input) -> None:
        topic = TOPIC_OF[type(record)]
        arrival = self._arrivals.get(topic, -1) + 1
        self._arrivals[topic] = arrival
        self._merge.push(topic, Sourced(topic, 0, arrival, 0, record))

    def _next(self) -> Sourced | None:
        item = self._merge.next(0.0)
        if not isinstance(item, Sourced):
            return None
        record, topic, ordinal = item.record, item.topic, self.taken
        self.reached_us = max(self.reached_us, order_time_us(item))
        self.counts[topic] = self.counts.get(topic, 0) + 1
        self.taken += 1
        partition = 0
        if isinstance(record, (Trade, Transfer, AccountConfig)):
            partition = partition_of(record.account, self._partitions)
        return Sourced(topic, partition, ordinal, 0, record)
