"""Taking partitions over and giving them up: the one path of start, crash and rebalance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import structlog
from aiokafka import TopicPartition

from monitor.engine import close_shard, confirm_pending, gate_open, open_shard, pending, rewind
from monitor.engine.outbox import marker_key
from monitor.engine.state import encode
from monitor.worker.changelog import Recovered, RecoveredState
from monitor.worker.engine_task import PRIME_S, Engine
from monitor.worker.errors import Fenced, LostInput, LostState, RebalanceTimeout, WrongPartitions
from monitor.worker.intake import Source
from schemas.records import START, Position
from schemas.topics import ACCOUNT_TOPICS, MARKET_TOPICS

REBALANCE_TIMEOUT_S = 30.0  # the group waits so long for a member to give its partitions up

_MARKET_NAMES = frozenset(topic.name for topic in MARKET_TOPICS)

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
        if self._engine.state.shards and self._engine.group.expelled:
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
            await engine.flusher.markers(engine.state)
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
            for partition in set(engine.state.shards) - kept:
                close_shard(engine.state, partition)
            gained = await self._recover([p for p in ours if p not in engine.state.shards])
            await self._check_inputs(gained)
            self._rewind_if_behind(gained)
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
            tps = {topic.name: TopicPartition(options.topic(topic), partition) for topic in ACCOUNT_TOPICS}
            if marker is None:
                self._check_unused(recovered, [(tp, committed.get(tp, 0)) for tp in tps.values()])
                continue
            if marker.partitions != options.partitions:
                raise WrongPartitions(
                    f"the state was written for {marker.partitions} partitions, this worker is set to "
                    f"{options.partitions}",
                    "set the former number; another one needs a new deployment",
                )
            tps |= {topic.name: TopicPartition(options.topic(topic), 0) for topic in MARKET_TOPICS}
            begins, ends = await engine.view.begins(tps.values()), await engine.view.ends(tps.values())
            for name, (offset, _) in marker.positions.items():
                tp = tps[name]
                if offset >= ends[tp]:
                    raise LostInput(
                        f"the state knows offset {offset} of {tp.topic}/{tp.partition}, which ends at {ends[tp]}",
                        "the topic was made anew or cut; restore it, or start a new application id",
                    )
                if name in _MARKET_NAMES and begins[tp] > offset + 1:
                    log.error("market_gap", topic=tp.topic, partition=partition, first=offset + 1, end=begins[tp])

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

    def _rewind_if_behind(self, gained: list[Recovered]) -> None:
        """Fold the market again from its beginning if a shard has not seen what our market has passed."""
        engine = self._engine
        market = engine.state.market.positions

        def behind(recovered: Recovered) -> bool:
            # An empty shard has nothing to evaluate; partition 0 reports refused market records all the same.
            if not recovered.accounts and recovered.partition != 0:
                return False
            reached: dict[str, Position] = recovered.marker.positions if recovered.marker else {}
            return any(position > reached.get(topic, START) for topic, position in market.items())

        if any(behind(recovered) for recovered in gained):
            log.info("rewind", partitions=[recovered.partition for recovered in gained])
            engine.close_market()
            rewind(engine.state)
            engine.reader.rewind()
            engine.open_market()
            engine.drop_unread_market()

    async def _open(self, recovered: Recovered) -> None:
        """Open one shard: the new epoch is written and acknowledged before anything else is."""
        engine, partition = self._engine, recovered.partition
        open_shard(
            engine.state, partition, recovered.marker, recovered.accounts, partitions=self._options.partitions,
            epoch=recovered.epoch + 1,
        )  # fmt: skip
        shard = engine.state.shards[partition]
        await engine.flusher.values(partition, [(marker_key(partition), encode(shard.marker)), *recovered.repairs])
        engine.flusher.opened(engine.state, partition)
        if recovered.letters is not None:
            engine.owed.add(partition, recovered.letters, shard.marker.positions)
            if partition == 0:
                engine.reported = dict(recovered.letters.market)
        events = pending(engine.state, partition)
        await engine.flusher.events(events)
        confirm_pending(engine.state, partition)
        log.info(
            "opened", partition=partition, epoch=shard.marker.epoch, accounts=len(shard.accounts),
            sent_again=len(events), repaired=len(recovered.repairs), gate_open=gate_open(engine.state, partition),
        )  # fmt: skip

    async def _open_sources(self, partitions: list[int]) -> None:
        engine, options = self._engine, self._options
        committed = await engine.view.committed()
        tps = {
            (topic.name, partition): TopicPartition(options.topic(topic), partition)
            for partition in partitions for topic in ACCOUNT_TOPICS
        }  # fmt: skip
        begins, ends = await engine.view.begins(tps.values()), await engine.view.ends(tps.values())
        for (topic, partition), tp in tps.items():
            expected = committed.get(tp, begins[tp])
            # A closed gate holds its sources back anyway.
            primed = expected >= ends[tp] or not gate_open(engine.state, partition)
            engine.add_source(Source(topic, partition, expected=expected, primed=primed, end=ends[tp]))
        engine.prime_until_s = time.monotonic() + PRIME_S

    # --- readiness ------------------------------------------------------------------------------

    def announce(self) -> None:
        """Say once that all our partitions are evaluated, as soon as they are."""
        engine = self._engine
        if self.ready or not engine.active or not engine.group.settled:
            return
        shards = engine.state.shards
        if all(gate_open(engine.state, partition) for partition in shards):
            self.ready = True
            log.info(
                "ready", partitions=sorted(shards), accounts=sum(len(shard.accounts) for shard in shards.values()),
                epochs={str(p): shard.marker.epoch for p, shard in sorted(shards.items())},
                generation=engine.group.generation, waited_s=round(time.monotonic() - self.waiting_since_s, 3),
            )  # fmt: skip
