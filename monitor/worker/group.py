"""The worker's place in its consumer group: generation, ends of partitions, and committed offsets.

Offsets are committed by us, not by Faust's acknowledgements. Faust forgets acknowledged offsets at a revocation before
anybody can commit them, its bookkeeping is known to get stuck on gaps, and its pure-Python stream acknowledges
messages that it skipped. Here one number for each partition says what a flush has dealt with, and it is committed
under the group's generation, so a worker that was put out of the group cannot move it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from faust.types import TP

from monitor.worker.errors import NotCommitting
from monitor.worker.options import WorkerOptions
from schemas.topics import ALL

COMMIT_INTERVAL_S = 0.5  # what a crash lets be delivered again; positions make that harmless, so not each flush
COMMIT_TIMEOUT_S = 120.0  # a group coordinator that moves takes seconds

_TOPICS = {topic.name: topic for topic in ALL}

log = structlog.get_logger("monitor.worker")

FETCH_WAIT_MS = 20  # 50 empty fetches a second cost the broker nothing


class Group:
    """What the worker asks of Faust's consumer, in one place."""

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._app: Any = None
        self._due: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._lock = asyncio.Lock()
        self._last_success_s = time.monotonic()
        self._recovery_tasks = 0
        self.uncommitted_since_s: float | None = None

    def attach(self, app: Any) -> None:
        """Use the consumer of a Faust app."""
        self._app = app

    def quicken(self) -> None:
        """Have the consumer's fetches answered within `FETCH_WAIT_MS`.

        A fetch leaves out the partitions whose last records are still buffered, and the next one is sent only after
        its answer; with Faust's fixed 1.5 s a trade could stay on the broker for so long.
        """
        self._app.consumer._thread._consumer._fetcher._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001

    @property
    def generation(self) -> int:
        """The group's generation that our assignment belongs to."""
        return int(self._app.consumer_generation_id)

    @property
    def settled(self) -> bool:
        """Whether Faust has finished its rebalance and reads the sources."""
        return not self._app.rebalancing and bool(self._app.consumer.flow_active)

    @property
    def recovery_alive(self) -> bool:
        """Whether Faust's recovery still runs: an exception in it ends its task, and nobody is told."""
        recovery = self._app.tables.recovery
        if not recovery.started or self._app.should_stop or recovery.should_stop:
            return not (recovery.crashed and not self._app.should_stop)
        running = sum(not future.done() for future in recovery._futures)  # noqa: SLF001 (Faust does not tell)
        self._recovery_tasks = max(self._recovery_tasks, running)
        return running >= self._recovery_tasks

    @property
    def member(self) -> str:
        """Our id in the group; a worker that was put out comes back with another."""
        return str(self._app.consumer._thread._consumer._coordinator.member_id)  # noqa: SLF001 (Faust does not tell)

    @property
    def expelled(self) -> bool:
        """Whether the broker has put this worker out of the group: others may own its partitions."""
        consumer = self._app.consumer._thread._consumer  # noqa: SLF001 (Faust does not tell)
        coordinator = getattr(consumer, "_coordinator", None)
        return coordinator is not None and coordinator.generation < 0

    def highwater(self, topic: str, partition: int) -> int:
        """End of a partition as the last fetch saw it; 0 if it is not known, or not ours any more."""
        try:
            return int(self._app.consumer.highwater(self._tp(topic, partition)) or 0)
        except (AssertionError, KeyError):  # the client's way to say that it has no such partition
            return 0

    def looked_ms(self, topic: str, partition: int) -> int:
        """Time of the last fetch that covered a partition, whether it brought anything or not; 0 if there was none."""
        try:
            consumer = self._app.consumer._thread._consumer  # noqa: SLF001 (Faust does not tell)
            return int(consumer.last_poll_timestamp(self._tp(topic, partition)) or 0)
        except (AssertionError, AttributeError, KeyError):
            return 0

    def acknowledge(self, offsets: dict[tuple[str, int], int]) -> None:
        """Note that everything below these offsets is dealt with, by (topic, partition)."""
        for (topic, partition), offset in offsets.items():
            self._due[self._tp(topic, partition)] = offset
        if self.uncommitted_since_s is None and self._due != self._committed:
            self.uncommitted_since_s = time.monotonic()

    async def run(self) -> None:
        """Commit what is due, for ever; raises NotCommitting."""
        while True:
            await asyncio.sleep(COMMIT_INTERVAL_S)
            await self.commit()

    async def commit(self) -> None:
        """Commit what is due now; what the broker does not take stays due. Raises NotCommitting."""
        async with self._lock:
            due = {tp: offset for tp, offset in self._due.items() if self._committed.get(tp) != offset}
            if not due:
                self._committed_all()
                return
            # Returns False while the group rebalances; what cannot be committed then is due again, or is lost with
            # the partition and applied once more by its new owner without effect.
            try:
                async with asyncio.timeout(COMMIT_TIMEOUT_S):
                    done = await self._app.consumer._commit(due)  # noqa: SLF001 (`commit` takes no offsets)
            except TimeoutError:
                done = False
            if done:
                self._committed |= due
                self._committed_all()
            elif time.monotonic() - self._last_success_s > COMMIT_TIMEOUT_S:
                raise NotCommitting(
                    f"no offset was committed for {COMMIT_TIMEOUT_S:.0f} s", "check the group's coordinator"
                )

    def _committed_all(self) -> None:
        self._last_success_s = time.monotonic()
        # What was acknowledged while a commit was under way waits from now on.
        self.uncommitted_since_s = None if self._due == self._committed else self._last_success_s

    def forget(self) -> None:
        """Forget all offsets: the partitions are given up."""
        self._due.clear()
        self._committed.clear()
        self.uncommitted_since_s = None

    def _tp(self, topic: str, partition: int) -> TP:
        return TP(self._options.topic(_TOPICS[topic]), partition)
