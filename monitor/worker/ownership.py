"""Taking partitions over and giving them up: the one path of start, crash and rebalance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import structlog
from aiokafka import TopicPartition

from monitor.engine import confirm_pending, open_shard, pending
from monitor.engine.outbox import marker_key
from monitor.engine.state import encode
from monitor.worker.changelog import Recovered, RecoveredState
from monitor.worker.engine_task import PRIME_S, Engine
from monitor.worker.errors import Fenced, LostState, RebalanceTimeout, WrongPartitions

REBALANCE_TIMEOUT_S = 30.0  # the group waits so long for a member to give its partitions up

log = structlog.get_logger("monitor.worker")


class Ownership:
    """Moves partitions between the changelog and the engine.

    `give_up` runs before the group may assign our partitions to others, `take_over` when it has given us ours.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._options = engine.options
        self._member = ""
        self.recovered = 0  # changelog records read
        self.ready = False
        self.finished = False
        self.waiting_since_s = time.monotonic()

    def quicken(self) -> None:
        """Have what is delivered to us delivered at once."""
        self._engine.group.quicken()

    # --- giving up ------------------------------------------------------------------------------

    async def give_up(self) -> None:
        """Finish: flush, store what is published, commit. After this nothing is sent for our partitions.

        The group assigns them to others only after this has returned. A flush under way is waited for; if it cannot
        end in time the process does (raises RebalanceTimeout), and recovery takes its place. Raises Fenced if the
        group has put us out already: then others may be writing, and we say nothing more.
        """
        self.ready = False
        self.waiting_since_s = time.monotonic()
        if self._engine.order.shards and self._engine.group.expelled:
            raise Fenced("the group has put this worker out", "restart it; look for pauses or a lost connection")
        try:
            async with asyncio.timeout(REBALANCE_TIMEOUT_S * 0.8):
                async with self._engine.lock:
                    await self._finish()
        except TimeoutError as error:
            raise RebalanceTimeout(
                "a flush did not end before partitions had to be given up", "check the broker; a restart recovers"
            ) from error

    async def shut_down(self) -> None:
        """Finish for good."""
        self.ready = False
        async with self._engine.lock:
            await self._finish()
        self.finished = True

    async def _finish(self) -> None:
        engine = self._engine
        if engine.active:
            engine.active = False
            await engine.flush()
            await engine.flusher.markers(engine.order.shards)
            await engine.group.commit()
        engine.forget_intake()
        engine.group.forget()

    # --- taking over ----------------------------------------------------------------------------

    async def changelog_ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return where the changelog of each partition ends now."""
        ends = await self._engine.view.ends(TopicPartition(self._options.changelog, p) for p in partitions)
        return {tp.partition: end for tp, end in ends.items()}

    async def take_over(self, partitions: Iterable[int]) -> None:
        """Own exactly `partitions`; raises WorkerError if their state is unusable.

        A partition that was ours before is kept as it is in memory, if the group has known us all the time: then
        nobody else can have owned it in between.
        """
        ours = sorted(set(partitions))
        async with self._engine.lock:
            engine = self._engine
            member, self._member = self._member, engine.group.member
            kept = set(ours) if member == self._member else set()
            for partition in set(engine.order.shards) - kept:
                engine.order.close(partition)
                engine.owed.drop(partition)
            gained = await self._recover([p for p in ours if p not in engine.order.shards])
            await self._check_inputs(gained)
            if engine.order.prepare(gained):
                engine.drop_unread_market()
            for recovered in gained:
                await self._open(recovered)
            await self._open_sources(ours)
            engine.active = True
            engine.wake.set()

    async def _recover(self, partitions: list[int]) -> list[Recovered]:
        """Read the whole changelog of some partitions."""
        state, topic = RecoveredState(self._options.changelog), self._options.changelog
        async for record in self._engine.view.read_all(TopicPartition(topic, p) for p in partitions):
            state.add(record.partition, record.offset, record.key, record.value)
            self.recovered += 1
        return [state.take(partition) for partition in partitions]

    async def _check_inputs(self, gained: list[Recovered]) -> None:
        """Refuse a state that does not belong to these topics."""
        engine, options = self._engine, self._options
        committed = await engine.view.committed()
        for recovered in gained:
            partition, marker = recovered.partition, recovered.marker
            if marker is None:
                tps = [TopicPartition(options.topic(topic), partition) for topic in options.inputs]
                self._check_unused(recovered, [(tp, committed.get(tp, 0)) for tp in tps])
            elif marker.partitions != options.partitions:
                raise WrongPartitions(
                    f"the state was written for {marker.partitions} partitions, this worker is set to "
                    f"{options.partitions}",
                    "set the former number; another one needs a new deployment",
                )
            await engine.order.check(recovered)

    def _check_unused(self, recovered: Recovered, committed: list[tuple[TopicPartition, int]]) -> None:
        """Refuse a partition whose inputs were consumed and whose marker is gone."""
        for tp, offset in committed:
            if offset > 0:
                raise LostState(
                    f"{tp.topic}/{tp.partition} was consumed up to offset {offset}, but {self._options.changelog} "
                    "holds no marker of it",
                    "restore the changelog, or start a new application id from the beginning of the topics",
                )
        if recovered.accounts:
            raise LostState(
                f"{self._options.changelog} partition {recovered.partition} holds accounts and no marker",
                "restore the changelog, or start a new application id from the beginning of the topics",
            )

    async def _open(self, recovered: Recovered) -> None:
        """Open one shard: the new epoch is written and acknowledged before anything else is."""
        engine, partition = self._engine, recovered.partition
        state = engine.order.state_of(partition)
        open_shard(
            state, partition, recovered.marker, recovered.accounts, partitions=self._options.partitions,
            epoch=recovered.epoch + 1,
        )  # fmt: skip
        shard = state.shards[partition]
        await engine.flusher.values(partition, [(marker_key(partition), encode(shard.marker)), *recovered.repairs])
        engine.flusher.opened(shard)
        if recovered.letters is not None:
            engine.owed.add(partition, recovered.letters, shard.marker.positions)
            if partition == 0:
                engine.reported = dict(recovered.letters.market)
        events = pending(state, partition)
        await engine.flusher.events(events)
        confirm_pending(state, partition)
        log.info(
            "opened", partition=partition, epoch=shard.marker.epoch, accounts=len(shard.accounts),
            sent_again=len(events), repaired=len(recovered.repairs), gate_open=shard.open,
        )  # fmt: skip

    async def _open_sources(self, partitions: list[int]) -> None:
        engine, options = self._engine, self._options
        committed = await engine.view.committed()
        tps = {
            (topic.name, partition): TopicPartition(options.topic(topic), partition)
            for partition in partitions for topic in options.inputs
        }  # fmt: skip
        begins, ends = await engine.view.begins(tps.values()), await engine.view.ends(tps.values())
        for (topic, partition), tp in tps.items():
            engine.add_source(topic, partition, begins[tp], ends[tp], committed.get(tp))
        engine.prime_until_s = time.monotonic() + PRIME_S

    # --- readiness ------------------------------------------------------------------------------

    def announce(self) -> None:
        """Say once that all our partitions are evaluated, as soon as they are."""
        engine = self._engine
        if self.ready or not engine.active or not engine.group.settled:
            return
        shards = engine.order.shards
        if all(shard.open for shard in shards.values()):
            self.ready = True
            log.info(
                "ready", partitions=sorted(shards), accounts=sum(len(shard.accounts) for shard in shards.values()),
                epochs={str(p): shard.marker.epoch for p, shard in sorted(shards.items())},
                generation=engine.group.generation, waited_s=round(time.monotonic() - self.waiting_since_s, 3),
            )  # fmt: skip
