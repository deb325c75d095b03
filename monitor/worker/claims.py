"""Whether the partitions that we write are still ours: what the changelog says, and not the group.

The group's word can come late. A worker that is put out while it takes partitions over, and does not know it yet, may
claim them after the one that owns them now has. From then on all that the owner writes is void to its successors, and
what it commits behind that would be lost. But an owner is the only one that writes to its partition: the offsets that
the broker gives its records follow each other, and where they do not, somebody else has written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition

from monitor.worker.changelog import epoch_of
from monitor.worker.errors import Fenced
from monitor.worker.log_view import LogView

log = structlog.get_logger("monitor.worker")


@dataclass(slots=True)
class _Claim:
    """The epoch of a partition that is ours, and the offset behind all that is known of its log."""

    epoch: int
    end: int


class Claims:
    """Looks at where the broker puts our records of one changelog."""

    def __init__(self, changelog: str, view: LogView) -> None:
        self._changelog = changelog
        self._view = view
        self._claims: dict[int, _Claim] = {}

    def begin(self, partition: int) -> None:
        """Trust no offset: the partition is being claimed."""
        self._claims.pop(partition, None)

    def hold(self, partition: int, epoch: int, end: int) -> None:
        """Note that a partition is ours with `epoch`, by what its log says before offset `end`."""
        self._claims[partition] = _Claim(epoch, end)

    async def written(self, places: Iterable[Any]) -> None:
        """Take in where acknowledged records are; raises Fenced if a larger epoch stands before one of them.

        The caller has sent nothing yet that rests on these records, and acknowledged nothing.
        """
        for place in places:
            claim = self._claims.get(place.partition) if place.topic == self._changelog else None
            if claim is None:
                continue
            offset = place.offset
            if offset < 0:  # the broker knew a repeat and not where the first one is
                tp = TopicPartition(self._changelog, place.partition)
                offset = (await self._view.ends([tp]))[tp]
            if offset > claim.end:
                await self._look(place.partition, claim, offset)
            claim.end = max(claim.end, offset + (place.offset >= 0))

    async def _look(self, partition: int, claim: _Claim, end: int) -> None:
        """Read what others wrote: a repeated batch of ours and a fenced worker's late words are harmless."""
        tp = TopicPartition(self._changelog, partition)
        async for record in self._view.read(tp, claim.end, end):
            epoch = epoch_of(partition, record.key, record.value)
            if epoch > claim.epoch:
                raise Fenced(
                    f"another worker has claimed partition {partition} with epoch {epoch}, ours is {claim.epoch}",
                    "restart it; look for pauses or a lost connection",
                )
        log.info("others_wrote", partition=partition, first=claim.end, end=end)
