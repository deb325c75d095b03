"""The one task that owns the engine's state: it takes records from the order, steps, and flushes.

Agents, the market reader and Faust's rebalance callbacks only hand things over; nothing else touches the state. A turn
and a change of ownership exclude each other (`lock`), and a flush is part of its turn: intake waits while it is sent,
so one flush is in flight and what it contains is exactly what was applied before it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from monitor.engine import collect, confirm, urgent
from monitor.engine.outbox import Flush, OversizedAccountError
from monitor.worker.auditor import Auditor
from monitor.worker.dead_letters import Letter, Owed, of_refused, of_rejected
from monitor.worker.errors import LostInput, OffsetHole, OversizedAccount
from monitor.worker.flush import Flusher, together
from monitor.worker.group import Group
from monitor.worker.intake import Delivered, Intake, Source, delivered
from monitor.worker.liveness import Pulse
from monitor.worker.log_view import LogView
from monitor.worker.observer import measure_events, offsets_of
from monitor.worker.options import WorkerOptions
from monitor.worker.order import IDLE_MS, Order
from monitor.worker.watchdogs import offset_hole
from schemas.records import START, Position
from schemas.topics import ALL

TURN_MS = 20.0  # then the loop serves agents, heartbeats and rebalances; longer delays them, shorter costs switches
STATE_INTERVAL_MS = 250.0  # how long a change without an event may wait for its flush while no more records do
MARKER_INTERVAL_MS = 1_000.0  # how long anything may
BACKLOG_SHARE = 4.0  # in a backlog that is longer, if collecting the last flush took more than a part of it in so many,
BACKLOG_INTERVAL_MS = 4_000.0  # but no longer than this
FLUSH_RECORDS = 20_000  # applied records that end the wait: bounds what a crash applies again
FLUSH_ACCOUNTS = 5_000  # changed accounts that do: bounds a flush's size
GATHER_S = 0.001
LOOK_MS = 5.0  # how old the known ends of the sources may be: asking costs more than a record
STALL_MS = 2_000.0  # Faust delivers within milliseconds, after a rebalance within a second
STALL_MESSAGES = 100  # read at once for a stalled source: frames of 1 MB are memory
BEHIND_RECORDS = 10_000  # read at once of a source that is behind: a read costs 20 ms, as much as a turn
PRIME_S = 5.0  # how long a new shard waits for the first delivery of its sources, before the market runs ahead

# Rows that do not decode are met when they are read, records that the engine refuses when they are applied, far behind:
# behind the name of a topic, this has the former counted apart.
UNREAD = "?"

_TOPICS = {topic.name: topic for topic in ALL}

log = structlog.get_logger("monitor.worker")


class Engine:
    """Sources and turns of one worker; `order` has its states, `group` is its place in the consumer group."""

    def __init__(
        self, options: WorkerOptions, flusher: Flusher, order: Order, intake: Intake, view: LogView,
        pulse: Pulse, group: Group, wake: asyncio.Event,
    ) -> None:  # fmt: skip
        self.options = options
        self.group = group
        self.flusher = flusher
        self.order = order
        self.intake = intake
        self.view = view
        self.pulse = pulse
        self.wake = wake
        self.lock = asyncio.Lock()
        self.active = False
        self.sources: dict[tuple[str, int], Source] = {}
        self.owed = Owed()
        self.auditor = Auditor(options.audit_every_records, ends=options.audit_ends)
        self.reported: dict[str, Position] = {}  # last refused market record reported, by topic; see `UNREAD`
        # By partition: accounts whose last state a former owner stored and may not have published.
        self.unstated: dict[int, list[str]] = {}
        self.prime_until_s = 0.0
        self.applied = 0
        self.flushes = 0
        self.stale = 0
        self.refetched = 0
        self.holes = 0
        self._unread: list[Letter] = []  # of the market
        # By message: sent when all of it is applied, with its acknowledgement behind them. A rebalance before that has
        # the message delivered again.
        self._letters: dict[tuple[str, int, int], list[Letter]] = {}
        self._applied_since_flush = 0
        self._dirty_since_ms: float | None = None
        self._urgent_since_ms: float | None = None
        self._flushed_ms = _now_ms()
        self._collect_ms = 0.0
        self._looked_ms = 0.0

    # --- turns ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Turn for ever; raises what cannot be repaired."""
        wait_s = IDLE_MS / 1000.0
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    await self.wake.wait()
            except TimeoutError:
                pass
            self.wake.clear()
            async with self.lock:
                wait_s = await self.turn() if self.active else IDLE_MS / 1000.0
            # Messages come one by one: letting them gather for a moment has many of them pay for one turn.
            await asyncio.sleep(GATHER_S if wait_s else 0.0)

    async def turn(self) -> float:
        """Take in what has arrived, apply some, flush if due; return how many seconds to wait if nothing comes."""
        self.pulse.check()
        self._unread.extend(letter for letter in self.order.take_in() if self._reportable(letter, UNREAD))
        await self._take_messages()
        behind = await self._read_behind()
        wait_ms = self._apply() if self._primed() else IDLE_MS
        if behind:
            wait_ms = 0.0
        now_ms = _now_ms()
        self._note_urgency(now_ms)
        if self._flush_due(now_ms):
            await self.flush()
            return 0.0 if wait_ms == 0.0 else self._seconds(wait_ms)
        return self._seconds(wait_ms)

    def _seconds(self, wait_ms: float) -> float:
        """Shorten a wait to the next flush."""
        now_ms = _now_ms()
        due = [IDLE_MS, wait_ms, self._states_due_ms() - now_ms]
        if self._urgent_since_ms is not None:
            due.append(self._urgent_since_ms + self.options.flush_interval_ms - now_ms)
        return max(0.0, min(due)) / 1000.0

    # --- intake ---------------------------------------------------------------------------------

    def drop_unread_market(self) -> None:
        """Forget refused market records: a new fold meets them again."""
        self._unread.clear()

    def _reportable(self, letter: Letter, how: str = "") -> bool:
        """Whether a refused market record is ours to report, and is not one that was reported before."""
        shard = self.order.shards.get(0)
        if shard is None:
            return False
        reached = max(shard.marker.positions.get(letter.topic, START), self.reported.get(letter.topic + how, START))
        return letter.position > reached

    async def _take_messages(self) -> None:
        took = False
        while (message := self.intake.take()) is not None:
            source = self.sources.get((message.topic, message.partition))
            if source is None or message.generation != self.group.generation:
                # Fetched before a rebalance: never applied and never acknowledged, it is delivered again.
                self.stale += 1
                self.intake.release(message.weight)
                continue
            if message.offset > source.expected and not source.behind:
                await self._fill_hole(source, message.offset)
            if message.offset != source.expected:
                self.intake.release(message.weight)
                continue
            self._accept(source, message)
            took = True
        now_ms = _now_ms()
        if took or now_ms - self._looked_ms >= LOOK_MS:
            self._look(now_ms)
            await self._fill_stalled(now_ms)

    def _look(self, now_ms: float) -> None:
        """Ask how far the broker is with each source."""
        self._looked_ms = now_ms
        for source in self.sources.values():
            source.end = self.group.highwater(source.topic, source.partition)
            source.looked_ms = self.group.looked_ms(source.topic, source.partition)
        self.order.look(self.sources.values(), crowded=self.intake.crowded)

    async def _fill_stalled(self, now_ms: float) -> None:
        """Read what the broker has had for long and Faust does not deliver: the message after a hole may never come."""
        if self.intake.crowded:
            return  # Faust waits for us, not we for Faust
        for source in self.sources.values():
            if source.expected >= source.end or source.behind:
                source.moved_ms = now_ms
            elif now_ms - source.moved_ms > STALL_MS:
                log.warning("stalled", topic=source.topic, partition=source.partition, offset=source.expected)
                await self._fill_hole(source, source.end, limit=STALL_MESSAGES)

    async def _fill_hole(self, source: Source, offset: int, limit: int | None = None) -> None:
        """Take in what lies between the expected offset and `offset`, as the broker has it, at most `limit` messages.

        Compaction and transaction markers leave offsets without records: they are passed and counted. But Faust also
        loses messages: when it ends a recovery it clears its queues after it has begun to read the sources. Those are
        read again here, so nothing is applied or committed beyond a record that was not. Raises LostInput if the
        broker has deleted them.
        """
        partition = self._partition(source)
        count = 0
        try:
            found = await self.view.first_at(partition, source.expected)
            if found is not None and found < offset:
                async with aclosing(self._logged(source, found, offset, limit)) as messages:
                    async for message in messages:
                        self._accept(source, message)
                        count += 1
        except OffsetOutOfRangeError as error:
            raise _lost(partition, source.expected, offset) from error
        self.refetched += count
        source.moved_ms = _now_ms()
        if count != limit and source.expected < offset:
            self.holes += 1
            log.debug("hole", topic=partition.topic, partition=partition.partition, first=source.expected, next=offset)
            source.expected = offset

    async def _read_behind(self) -> bool:
        """Read some of the log of a source that is behind; return whether any still is.

        One source at a time, and the next part when all of the last one is applied: what is read beside the intake
        must not fill it. At the end of its log a source goes on with what the group delivers.
        """
        behind = [source for source in self.sources.values() if source.behind]
        if not behind or any(source.unapplied for source in behind):
            return bool(behind)
        source = min(behind, key=lambda one: one.expected)
        partition = self._partition(source)
        start = source.expected
        end = (await self.view.ends([partition]))[partition]
        weight = 0
        try:
            async with aclosing(self._logged(source, start, end)) as messages:
                async for message in messages:
                    weight += message.weight
                    self._accept(source, message)
                    if weight >= BEHIND_RECORDS:
                        return True
        except OffsetOutOfRangeError as error:
            raise _lost(partition, start, end) from error
        source.expected = max(source.expected, end)
        source.behind = False
        self.intake.passed_over.discard((source.topic, source.partition))
        return len(behind) > 1

    async def _logged(
        self, source: Source, start: int, end: int, limit: int | None = None
    ) -> AsyncGenerator[Delivered, None]:  # fmt: skip
        """Yield messages of a source from its log, counted in the intake."""
        async with aclosing(self.view.read(self._partition(source), start, end, limit)) as records:
            async for record in records:
                message = delivered(_TOPICS[source.topic], record, self.group.generation, self.options)
                yield self.intake.admit(message)

    def _partition(self, source: Source) -> TopicPartition:
        return TopicPartition(self.options.topic(_TOPICS[source.topic]), source.partition)

    def _accept(self, source: Source, message: Delivered) -> None:
        source.expected = message.offset + 1
        source.moved_ms = _now_ms()
        source.primed = True
        source.unacked.append(message)
        weight = message.weight
        letters = self.order.push(source, message)
        if message.offset >= source.start:  # what is committed has been reported
            letters += of_refused(
                message.topic, message.partition, message.offset, message.key, message.value, message.refused
            )
            letters += self.owed.claim(message)
            if letters:
                self._letters[message.topic, message.partition, message.offset] = letters
        self.intake.release(weight - len(message.records))
        self._mark_dirty()

    # --- applying -------------------------------------------------------------------------------

    def _primed(self) -> bool:
        """Whether every source has delivered once, or has had its time."""
        return time.monotonic() >= self.prime_until_s or all(source.primed for source in self.sources.values())

    def _apply(self) -> float:
        """Apply records for at most a turn's time; return how many ms to wait for more."""
        until_ms = _now_ms() + TURN_MS
        while True:
            began_s = time.perf_counter()
            done = self.order.step(_now_ms())
            if done.records:
                self.flusher.meters.step_s.observe(time.perf_counter() - began_s)
                self.flusher.meters.applied(done.topics)
            self.applied += done.records
            self.intake.release(done.held)
            if done.accounts:
                self._applied_since_flush += done.accounts
                self._mark_dirty()
            self.auditor.look(self.applied, self.order.states)  # before what it doubts is sent
            if done.wait_ms is not None:
                return done.wait_ms
            if _now_ms() >= until_ms or self._is_full():
                return 0.0

    def add_source(self, topic: str, partition: int, begin: int, end: int, committed: int | None) -> None:
        """Read a source from now on."""
        source = self.order.add_source(topic, partition, begin, end, committed)
        source.moved_ms = _now_ms()
        self.sources[topic, partition] = source
        if source.behind:
            self.intake.passed_over.add((topic, partition))

    # --- flushing -------------------------------------------------------------------------------

    def _mark_dirty(self) -> None:
        if self._dirty_since_ms is None:
            self._dirty_since_ms = _now_ms()

    def _note_urgency(self, now_ms: float) -> None:
        if self._urgent_since_ms is None and (self._unread or any(map(urgent, self.order.states))):
            self._urgent_since_ms = now_ms

    def _flush_due(self, now_ms: float) -> bool:
        if self._urgent_since_ms is not None and now_ms - self._urgent_since_ms >= self.options.flush_interval_ms:
            return True
        if self._is_full():
            return True
        if now_ms >= self._states_due_ms():
            return True
        return bool(self.order.shards) and now_ms - self._flushed_ms >= self._interval_ms()

    def _is_full(self) -> bool:
        """Whether so much was applied that it is flushed at once."""
        applied = self._applied_since_flush
        if applied < FLUSH_ACCOUNTS:
            return applied >= FLUSH_RECORDS
        changed = sum(len(shard.changed) for shard in self.order.shards.values())
        return applied >= FLUSH_RECORDS or changed >= FLUSH_ACCOUNTS

    def _states_due_ms(self) -> float:
        """Return when a change without an event is flushed.

        With more to come, most of these accounts would change again at once: writing them is half of a trade's cost.
        """
        if self._dirty_since_ms is None:
            return math.inf
        return self._dirty_since_ms + (self._interval_ms() if self.intake.held else STATE_INTERVAL_MS)

    def _interval_ms(self) -> float:
        """Return how long anything may wait for its flush: longer where flushes are much of the work of a backlog."""
        if not self.intake.held:
            return MARKER_INTERVAL_MS
        return max(MARKER_INTERVAL_MS, min(BACKLOG_SHARE * self._collect_ms, BACKLOG_INTERVAL_MS))

    async def flush(self) -> None:
        """Send all that has changed, then acknowledge the messages it came from; the caller holds the lock."""
        done = [message for source in self.sources.values() for message in source.take_applied()]
        # Before anything is sent: a marker that has passed a record keeps it from being applied for ever.
        self._check_offsets()
        states = self.order.states
        letters = [of_rejected(item) for state in states for item in state.rejected]
        rejected = [letter for letter in letters if not letter.is_market or self._reportable(letter)]
        unread, self._unread = self._unread, []
        for message in done:
            unread += self._letters.pop((message.topic, message.partition, message.offset), ())
        for how, letters in ((UNREAD, unread), ("", rejected)):
            for letter in letters:
                if letter.is_market:
                    mark = letter.topic + how
                    self.reported[mark] = max(letter.position, self.reported.get(mark, START))
        self._owe_states()
        began_ms = _now_ms()
        flush = self._collect()
        self._collect_ms = _now_ms() - began_ms
        if flush or unread or rejected:
            began_s = time.monotonic()
            await self.flusher.send(self.order.shards, flush, unread, rejected, self.reported, self.owed)
            self._measure(flush, began_s)
            for state in states:
                confirm(state, flush)
            self.owed.settle(unread)
            self.flushes += 1
        for message in done:
            source = self.sources[message.topic, message.partition]
            if message.offset >= source.start:
                source.done = message.offset + 1
        if done:
            self._check_offsets()  # and what is committed now
            self.group.acknowledge({(s.topic, s.partition): s.done for s in self.sources.values() if s.done >= 0})
        await self.flusher.arrays.publish_if_due(states)
        self._applied_since_flush = 0
        self._dirty_since_ms = None
        self._urgent_since_ms = None
        self._flushed_ms = _now_ms()

    def _measure(self, flush: Flush, began_s: float) -> None:
        meters, now_s = self.flusher.meters, time.monotonic()
        meters.flush_s.observe(now_s - began_s)
        measure_events(meters, flush.events, self.order.arrived_s, now_s)

    def _check_offsets(self) -> None:
        """Raise OffsetHole rather than store or commit beyond a record that is not dealt with."""
        if hole := offset_hole(offsets_of(self.sources.values())):
            raise OffsetHole(hole, "restart it: it reads on from what is committed")

    def _owe_states(self) -> None:
        """Have this flush write accounts again whose states a former owner may not have published, and state them.

        Its marker would tell a successor that nothing is owed. As they are now they may not be published before they
        are stored: a crash in between has their last records applied again, perhaps elsewhere.
        """
        for partition, shard in self.order.shards.items():
            if shard.open:
                shard.changed.update(dict.fromkeys(self.unstated.pop(partition, ())))

    def _collect(self) -> Flush:
        """Take what has changed in all states."""
        try:
            return together([collect(state) for state in self.order.states])
        except OversizedAccountError as error:
            raise OversizedAccount(str(error), "close positions of the account or split it") from error

    def forget_intake(self) -> None:
        """Drop all messages and sources: what is not acknowledged is delivered again."""
        self.intake.clear()
        for source in self.sources.values():
            self.order.remove_source(source)
        self.sources.clear()
        self._letters.clear()


def _lost(partition: TopicPartition, expected: int, offset: int) -> LostInput:
    return LostInput(
        f"{partition.topic}/{partition.partition}: offsets {expected} to {offset - 1} were deleted before they were "
        "applied",
        "positions would be wrong; restore the records, or start a new application id from a known state",
    )


def _now_ms() -> float:
    return time.monotonic() * 1000.0
