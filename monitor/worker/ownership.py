"""Taking partitions over and giving them up: the one path of start, crash and rebalance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import structlog
from aiokafka import TopicPartition
from msgspec.structs import replace

from monitor.engine import confirm_pending, open_shard, pending
from monitor.engine.outbox import marker_key
from monitor.engine.state import Marker, Shard, encode
from monitor.worker.changelog import Letters, Recovered, RecoveredState, encode_letters, letters_key
from monitor.worker.claims import Claims
from monitor.worker.engine_task import PRIME_S, Engine
from monitor.worker.errors import Fenced, LostState, RebalanceTimeout, WrongPartitions
from monitor.worker.recovery import Recovery

MAX_CLAIMS = 20
REBALANCE_TIMEOUT_S = 30.0  # the group waits so long for a member to give its partitions up

log = structlog.get_logger("monitor.worker")


class Ownership:
    """Moves partitions between the changelog and the engine.

    `give_up` runs before the group may assign our partitions to others, `take_over` when it has given us ours.
    """

    def __init__(self, engine: Engine, claims: Claims) -> None:
        self._engine = engine
        self._claims = claims
        self._options = engine.options
        self._member = ""
        self._assigned: frozenset[int] | None = None  # what the group has given us last, until it asks for it back
        self.recovery = Recovery()
        self.recovered = 0  # changelog records read
        self.opened = 0  # partitions taken over
        self.rewinds = 0
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
        self._assigned = None
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
        self._assigned = None
        async with self._engine.lock:
            await self._finish()
        self.finished = True

    async def _finish(self) -> None:
        engine = self._engine
        if engine.active:
            engine.active = False
            await engine.flush()
            # A partition whose states are still owed must look unpublished to its next owner.
            published = {p: shard for p, shard in engine.order.shards.items() if p not in engine.unstated}
            await engine.flusher.markers(published)
            await engine.group.commit()
        engine.forget_intake()
        engine.group.forget()

    # --- taking over ----------------------------------------------------------------------------

    async def changelog_ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Note what is assigned to us; return where the changelog of each partition ends now."""
        assigned = list(partitions)
        self._assigned = frozenset(assigned)
        ends = await self._engine.view.ends(TopicPartition(self._options.changelog, p) for p in assigned)
        return {tp.partition: end for tp, end in ends.items()}

    async def take_over(self, partitions: Iterable[int]) -> None:
        """Own exactly `partitions`; raises WorkerError if their state is unusable.

        A partition that was ours before is kept as it is in memory, if the group has known us all the time: then
        nobody else can have owned it in between. Faust ends a recovery that a later rebalance has overtaken, and calls
        this for it: then others may own what it names, and the call that belongs to the present assignment follows.
        """
        ours = sorted(set(partitions))
        async with self._engine.lock:
            engine = self._engine
            if engine.active or self._assigned != frozenset(ours):
                log.info("overtaken", partitions=ours)
                return
            member, self._member = self._member, engine.group.member
            kept = set(ours) if member == self._member else set()
            for partition in set(engine.order.shards) - kept:
                engine.order.close(partition)
                engine.unstated.pop(partition, None)
                engine.owed.drop(partition)
            began_s = time.monotonic()
            gained = await self._recover([p for p in ours if p not in engine.order.shards])
            recovered_s = time.monotonic()
            if await engine.order.prepare(gained):
                engine.drop_unread_market()
                self.rewinds += 1
            prepared_s = time.monotonic()
            for recovered in gained:
                await self._open(recovered)
            await self._open_sources(ours)
            log.info(
                "taken_over", partitions=ours, accounts=sum(len(recovered.accounts) for recovered in gained),
                changelog_s=round(recovered_s - began_s, 3), market_s=round(prepared_s - recovered_s, 3),
                open_s=round(time.monotonic() - prepared_s, 3),
            )  # fmt: skip
            engine.active = True
            engine.wake.set()

    async def _recover(self, partitions: list[int]) -> list[Recovered]:
        """Make some partitions ours, and read their whole changelog."""
        state, view = RecoveredState(self._options.changelog), self._engine.view
        tps = {p: TopicPartition(self._options.changelog, p) for p in partitions}
        read = dict.fromkeys(partitions, 0)
        begins, ends = await view.begins(tps.values()), await view.ends(tps.values())
        self.recovery.begin({p: begins[tp] for p, tp in tps.items()}, {p: ends[tp] for p, tp in tps.items()})
        async for record in view.read_all(tps.values()):
            self._take_in(state, record)
            read[record.partition] = self.recovery.read[record.partition] = record.offset + 1
        self.recovery.end()
        await self._check_inputs(state, partitions)
        for partition in partitions:
            await self._claim(state, partition, read[partition])
        taken = []
        for partition in partitions:
            self._engine.pulse.check()  # decoding 100,000 accounts takes seconds
            await asyncio.sleep(0)
            taken.append(state.take(partition))
        return taken

    def _take_in(self, state: RecoveredState, record: Any) -> None:
        state.add(record.partition, record.offset, record.key, record.value)
        self.recovered += 1

    async def _claim(self, state: RecoveredState, partition: int, read: int) -> None:
        """Write a marker of a new epoch, then read up to it: what a former owner wrote behind it counts for nobody.

        Only then is it known what there is to go on from. Another worker that claims the same epoch at the same time
        finds ours, or we find its; who finds one claims again.
        """
        engine, tp = self._engine, TopicPartition(self._options.changelog, partition)
        self._claims.begin(partition)
        for _ in range(MAX_CLAIMS):
            marker = state.marker(partition) or Marker(partition=partition, partitions=self._options.partitions)
            marker.epoch = epoch = state.epoch(partition) + 1
            await engine.flusher.values(partition, [(marker_key(partition), encode(marker))])
            async for record in engine.view.read(tp, read, (await engine.view.ends([tp]))[tp]):
                self._take_in(state, record)
                read = record.offset + 1
            if state.epoch(partition) == epoch and state.openings(partition) == 1:
                self._claims.hold(partition, epoch, read)
                return
        raise Fenced(f"others claim partition {partition} again and again", "look for workers outside the group")

    async def _check_inputs(self, state: RecoveredState, partitions: list[int]) -> None:
        """Refuse a state that does not belong to these topics."""
        engine, options = self._engine, self._options
        committed = await engine.view.committed()
        for partition in partitions:
            marker = state.marker(partition)
            if marker is None:
                tps = [TopicPartition(options.topic(topic), partition) for topic in options.inputs]
                self._check_unused(state, partition, [(tp, committed.get(tp, 0)) for tp in tps])
            elif marker.partitions != options.partitions:
                raise WrongPartitions(
                    f"the state was written for {marker.partitions} partitions, this worker is set to "
                    f"{options.partitions}",
                    "set the former number; another one needs a new deployment",
                )
            await engine.order.check(Recovered(partition, marker))

    def _check_unused(
        self, state: RecoveredState, partition: int, committed: list[tuple[TopicPartition, int]]
    ) -> None:  # fmt: skip
        """Refuse a partition whose inputs were consumed and whose marker is gone."""
        for tp, offset in committed:
            if offset > 0:
                raise LostState(
                    f"{tp.topic}/{tp.partition} was consumed up to offset {offset}, but {self._options.changelog} "
                    "holds no marker of it",
                    "restore the changelog, or start a new application id from the beginning of the topics",
                )
        if state.has_accounts(partition):
            raise LostState(
                f"{self._options.changelog} partition {partition} holds accounts and no marker",
                "restore the changelog, or start a new application id from the beginning of the topics",
            )

    async def _open(self, recovered: Recovered) -> None:
        """Open one shard, whose new epoch is written and acknowledged."""
        engine, partition = self._engine, recovered.partition
        state = engine.order.state_of(partition)
        published = recovered.marker.published_flush if recovered.marker else 0
        # All accounts of a partition are evaluated at once, in one turn: for 100,000 that is longer than a session.
        state.breathe = engine.pulse.check
        unpublished = [account.name for account in recovered.accounts if account.flush > published]
        open_shard(
            state, partition, recovered.marker, recovered.accounts, partitions=self._options.partitions,
            epoch=recovered.epoch,
        )  # fmt: skip
        shard = state.shards[partition]
        await engine.flusher.values(partition, recovered.repairs)
        engine.flusher.opened(shard)
        if recovered.letters is not None:
            engine.owed.add(partition, recovered.letters, shard.marker.positions, recovered.accounts)
            await self._keep_owed(recovered.letters, shard)
            if partition == 0:
                engine.reported = dict(recovered.letters.market)
        events = pending(state, partition)
        await engine.flusher.events(events)
        confirm_pending(state, partition)
        self.opened += 1
        if unpublished:
            engine.unstated[partition] = unpublished
            shard.marker_stale = False
        log.info(
            "opened", partition=partition, epoch=shard.marker.epoch, accounts=len(shard.accounts),
            sent_again=len(events), repaired=len(recovered.repairs), gate_open=shard.open,
        )  # fmt: skip

    async def _keep_owed(self, letters: Letters, shard: Shard) -> None:
        """Store owed letters without the rows that are judged again: the market may have come to allow them."""
        partition, marker = shard.marker.partition, shard.marker
        rows = tuple(self._engine.owed.rows(partition))
        if len(rows) < len(letters.rows):
            kept = replace(letters, epoch=marker.epoch, flush=marker.flush, rows=rows)
            await self._engine.flusher.values(partition, [(letters_key(partition), encode_letters(kept))])

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
            if not shards:
                log.warning(
                    "idle", generation=engine.group.generation,
                    reason="the group gives this worker no partition: there are more workers than partitions",
                )  # fmt: skip
            log.info(
                "ready", partitions=sorted(shards), accounts=sum(len(shard.accounts) for shard in shards.values()),
                epochs={str(p): shard.marker.epoch for p, shard in sorted(shards.items())},
                generation=engine.group.generation, waited_s=round(time.monotonic() - self.waiting_since_s, 3),
            )  # fmt: skip
