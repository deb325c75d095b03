"""The one task that owns the engine's state: it takes from the merge, steps, and flushes.

Agents, the market reader and Faust's rebalance callbacks only hand things over; nothing else touches the state. A turn
and a change of ownership exclude each other (`lock`), and a flush is part of its turn: intake waits while it is sent,
so one flush is in flight and what it contains is exactly what was applied before it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from monitor.engine import collect, confirm, gate_open, new_state, step, urgent
from monitor.engine.merge import LiveMerge, Wait
from monitor.engine.outbox import OversizedAccountError
from monitor.engine.state import Sourced, State
from monitor.worker.dead_letters import Letter, Owed, of_refused, of_rejected
from monitor.worker.errors import LostInput, OversizedAccount
from monitor.worker.flush import Flusher
from monitor.worker.group import Group
from monitor.worker.intake import Delivered, Intake, Source, delivered
from monitor.worker.liveness import Pulse
from monitor.worker.log_view import LogView
from monitor.worker.market_reader import MarketReader
from monitor.worker.options import WorkerOptions
from schemas.records import START, Position
from schemas.topics import ALL, INSTRUMENTS, MARKET_TOPICS, PARAMETERS, SOURCE_RANK

CHUNK = 64  # records given to `step` at once: small, so that gates and time are looked at often
TURN_MS = 20.0  # then the loop serves agents, heartbeats and rebalances; longer delays them, shorter costs switches
STATE_INTERVAL_MS = 250.0  # how long a change without an event may wait for its flush
MARKER_INTERVAL_MS = 1_000.0  # and how long progress of the market alone may
FLUSH_RECORDS = 5_000  # applied records that end the wait: bounds what a crash applies again, and a flush's size
IDLE_S = 0.25
GATHER_S = 0.001
LOOK_MS = 5.0  # how old the known ends of the sources may be: asking costs more than a record
# An account's inputs are waited for longer than a market's: a trade without its deposit, or a price without the trade
# that came before it, is a wrongful liquidation.
ACCOUNT_WAIT_MS = 250.0
STALL_MS = 2_000.0  # Faust delivers within milliseconds, after a rebalance within a second
STALL_MESSAGES = 100  # read at once for a stalled source: frames of 1 MB are memory
PRIME_S = 5.0  # how long a new shard waits for the first delivery of its sources, before the market runs ahead

_DEFINITIONS = frozenset({PARAMETERS.name, INSTRUMENTS.name})
_MARKET_NAMES = tuple(topic.name for topic in MARKET_TOPICS)
_TOPICS = {topic.name: topic for topic in ALL}

log = structlog.get_logger("monitor.worker")


class Engine:
    """State, sources and turns of one worker; `group` is its place in the consumer group."""

    def __init__(
        self, options: WorkerOptions, flusher: Flusher, reader: MarketReader, intake: Intake, view: LogView,
        pulse: Pulse, group: Group, wake: asyncio.Event,
    ) -> None:  # fmt: skip
        self.options = options
        self.group = group
        self.flusher = flusher
        self.reader = reader
        self.intake = intake
        self.view = view
        self.pulse = pulse
        self.wake = wake
        self.state: State = new_state()
        self.merge = LiveMerge()
        self.lock = asyncio.Lock()
        self.active = False
        self.sources: dict[tuple[str, int], Source] = {}
        self.owed = Owed()
        self.reported: dict[str, Position] = {}  # last refused market record reported, by topic
        self.prime_until_s = 0.0
        self.applied = 0
        self.flushes = 0
        self.stale = 0
        self.refetched = 0
        self.holes = 0
        self._unread: list[Letter] = []
        self._applied_since_flush = 0
        self._dirty_since_ms: float | None = None
        self._urgent_since_ms: float | None = None
        self._flushed_ms = _now_ms()
        self._looked_ms = 0.0
        self._gated: list[Source] = []
        self.open_market()

    # --- turns ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Turn for ever; raises what cannot be repaired."""
        wait_s = IDLE_S
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    await self.wake.wait()
            except TimeoutError:
                pass
            self.wake.clear()
            async with self.lock:
                wait_s = await self.turn() if self.active else IDLE_S
            # Messages come one by one: letting them gather for a moment has many of them pay for one turn.
            await asyncio.sleep(GATHER_S if wait_s else 0.0)

    async def turn(self) -> float:
        """Take in what has arrived, apply some, flush if due; return how many seconds to wait if nothing comes."""
        self.pulse.check()
        self._take_market()
        await self._take_messages()
        wait_ms = self._apply() if self._primed() else IDLE_S * 1000.0
        now_ms = _now_ms()
        self._note_urgency(now_ms)
        if self._flush_due(now_ms):
            await self.flush()
            return 0.0 if wait_ms == 0.0 else self._seconds(wait_ms)
        return self._seconds(wait_ms)

    def _seconds(self, wait_ms: float) -> float:
        """Shorten a wait to the next flush."""
        now_ms = _now_ms()
        due = [IDLE_S * 1000.0, wait_ms]
        if self._urgent_since_ms is not None:
            due.append(self._urgent_since_ms + self.options.flush_interval_ms - now_ms)
        if self._dirty_since_ms is not None:
            due.append(self._dirty_since_ms + STATE_INTERVAL_MS - now_ms)
        return max(0.0, min(due)) / 1000.0

    # --- intake ---------------------------------------------------------------------------------

    def open_market(self) -> None:
        """Register the market's inputs, at the beginning of a fold."""
        for name in _MARKET_NAMES:
            self.merge.add_input(name, SOURCE_RANK[name], definitions=name in _DEFINITIONS)
            self.merge.set_unfetched(name, True)

    def close_market(self) -> None:
        """Forget the market's inputs with what they hold."""
        for name in _MARKET_NAMES:
            self.merge.remove_input(name)

    def drop_unread_market(self) -> None:
        """Forget refused market records: a new fold meets them again."""
        self._unread = [letter for letter in self._unread if not letter.is_market]

    def _take_market(self) -> None:
        while (batch := self.reader.take()) is not None:
            for record in batch.records:
                self.merge.push(batch.topic, record)
            self._unread.extend(letter for letter in batch.letters if self._reportable(letter))
        for name in _MARKET_NAMES:
            self.merge.set_unfetched(name, self.reader.unfetched(name))

    def _reportable(self, letter: Letter) -> bool:
        """Whether a refused market record is ours to report, and is not one that was reported before."""
        shard = self.state.shards.get(0)
        if shard is None:
            return False
        reached = max(shard.marker.positions.get(letter.topic, START), self.reported.get(letter.topic, START))
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
            if message.offset > source.expected:
                await self._fill_hole(source, message.offset)
            if message.offset < source.expected:
                self.intake.release(message.weight)
                continue
            self._accept(source, message)
            took = True
        now_ms = _now_ms()
        if took or now_ms - self._looked_ms >= LOOK_MS:
            self._look(now_ms)
            await self._fill_stalled(now_ms)

    def _look(self, now_ms: float) -> None:
        """Tell the merge which sources may still owe records that belong before those that have come.

        A source is caught up when all below its end has been taken in, and that end was seen by a fetch not older than
        the newest message of its partition: fetches leave out what is still buffered, so a trade can come in before
        the deposit that stood on the broker long before it.
        """
        self._looked_ms = now_ms
        newest: dict[int, int] = {}
        for source in self.sources.values():
            source.end = self.group.highwater(source.topic, source.partition)
            source.looked_ms = self.group.looked_ms(source.topic, source.partition)
            if self.merge.buffered(source.key):
                newest[source.partition] = max(source.looked_ms, newest.get(source.partition, 0))
        for source in self.sources.values():
            known = source.expected < source.end
            unseen = source.looked_ms < newest.get(source.partition, 0)
            # What is on the broker is waited for until it comes: `_fill_stalled` sees to it that it does. But a full
            # intake holds everybody back, and then waiting for one source would be waiting for ourselves.
            patience_ms = math.inf if known and not self.intake.crowded else ACCOUNT_WAIT_MS
            self.merge.set_unfetched(source.key, known or unseen, max_wait_ms=patience_ms)

    async def _fill_stalled(self, now_ms: float) -> None:
        """Read what the broker has had for long and Faust does not deliver: the message after a hole may never come."""
        if self.intake.crowded:
            return  # Faust waits for us, not we for Faust
        for source in self.sources.values():
            if source.expected >= source.end:
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
        topic = _TOPICS[source.topic]
        partition = TopicPartition(self.options.topic(topic), source.partition)
        count = 0
        try:
            found = await self.view.first_at(partition, source.expected)
            if found is not None and found < offset:
                async for record in self.view.read(partition, found, offset, limit):
                    message = delivered(topic, record, self.group.generation, self.options)
                    self._accept(source, self.intake.admit(message))
                    count += 1
        except OffsetOutOfRangeError as error:
            raise LostInput(
                f"{partition.topic}/{partition.partition}: offsets {source.expected} to {offset - 1} were deleted "
                "before they were applied",
                "positions would be wrong; restore the records, or start a new application id from a known state",
            ) from error
        self.refetched += count
        source.moved_ms = _now_ms()
        if count != limit and source.expected < offset:
            self.holes += 1
            log.debug("hole", topic=partition.topic, partition=partition.partition, first=source.expected, next=offset)
            source.expected = offset

    def _accept(self, source: Source, message: Delivered) -> None:
        source.expected = message.offset + 1
        source.moved_ms = _now_ms()
        source.primed = True
        source.unacked.append(message)
        raw = message.value or b""
        for index, record in message.records:
            sourced = Sourced(message.topic, message.partition, message.offset, index, record, raw)  # type: ignore[arg-type]
            self.merge.push(source.key, sourced)
        if message.refused:
            self._unread.extend(
                of_refused(
                    message.topic, message.partition, message.offset, message.key, message.value, message.refused
                )
            )
        self._unread.extend(self.owed.claim(message))
        self.intake.release(message.weight - len(message.records))
        self._mark_dirty()

    # --- applying -------------------------------------------------------------------------------

    def _primed(self) -> bool:
        """Whether every source has delivered once, or has had its time."""
        return time.monotonic() >= self.prime_until_s or all(source.primed for source in self.sources.values())

    def _apply(self) -> float:
        """Step through the merge for at most a turn's time; return how many ms to wait for more."""
        until_ms = _now_ms() + TURN_MS
        while True:
            chunk: list[Sourced] = []
            wait: Wait | None = None
            now_ms = _now_ms()
            while len(chunk) < CHUNK:
                item = self.merge.next(now_ms)
                if item is None:
                    break
                if isinstance(item, Wait):
                    wait = item
                    break
                chunk.append(item)
            if chunk:
                step(self.state, chunk)
                self._note_applied(chunk)
                if self._gated:
                    self._open_gates()
            if len(chunk) < CHUNK:
                return IDLE_S * 1000.0 if wait is None else wait.wait_ms
            if _now_ms() >= until_ms or self._applied_since_flush >= FLUSH_RECORDS:
                return 0.0

    def _note_applied(self, chunk: list[Sourced]) -> None:
        """Remember how far each source has come, and give the room of its records back."""
        counts = Counter((item.topic, item.partition) for item in chunk)
        last = {(item.topic, item.partition): item for item in chunk}
        accounts = 0
        for place, count in counts.items():
            source = self.sources.get(place)
            if source is None:
                self.reader.release(place[0], count)
            else:
                source.applied = last[place].position
                accounts += count
        self.applied += len(chunk)
        if accounts:
            self.intake.release(accounts)
            self._applied_since_flush += accounts
            self._mark_dirty()

    def add_source(self, source: Source) -> None:
        """Read a source from now on; it is held back until its shard's gate opens."""
        is_open = gate_open(self.state, source.partition)
        source.moved_ms = _now_ms()
        self.sources[source.topic, source.partition] = source
        self.merge.add_input(source.key, SOURCE_RANK[source.topic], is_open=is_open, max_wait_ms=ACCOUNT_WAIT_MS)
        if not is_open:
            self._gated.append(source)

    def _open_gates(self) -> None:
        for source in [source for source in self._gated if gate_open(self.state, source.partition)]:
            self.merge.open(source.key)
            self._gated.remove(source)

    # --- flushing -------------------------------------------------------------------------------

    def _mark_dirty(self) -> None:
        if self._dirty_since_ms is None:
            self._dirty_since_ms = _now_ms()

    def _note_urgency(self, now_ms: float) -> None:
        if self._urgent_since_ms is None and (self._unread or urgent(self.state)):
            self._urgent_since_ms = now_ms

    def _flush_due(self, now_ms: float) -> bool:
        if self._urgent_since_ms is not None and now_ms - self._urgent_since_ms >= self.options.flush_interval_ms:
            return True
        if self._dirty_since_ms is not None and (
            now_ms - self._dirty_since_ms >= STATE_INTERVAL_MS or self._applied_since_flush >= FLUSH_RECORDS
        ):
            return True
        return bool(self.state.shards) and now_ms - self._flushed_ms >= MARKER_INTERVAL_MS

    async def flush(self) -> None:
        """Send all that has changed, then acknowledge the messages it came from; the caller holds the lock."""
        done = [message for source in self.sources.values() for message in source.take_applied()]
        rejected = [letter for item in self.state.rejected if self._keeps(letter := of_rejected(item))]
        unread, self._unread = self._unread, []
        for letter in (*unread, *rejected):
            if letter.is_market:
                self.reported[letter.topic] = max(letter.position, self.reported.get(letter.topic, START))
        try:
            flush = collect(self.state)
        except OversizedAccountError as error:
            raise OversizedAccount(str(error), "close positions of the account or split it") from error
        if flush or unread or rejected:
            await self.flusher.send(self.state, flush, unread, rejected, self.reported)
            confirm(self.state, flush)
            self.flushes += 1
        for message in done:
            self.sources[message.topic, message.partition].done = message.offset + 1
        if done:
            self.group.acknowledge({(s.topic, s.partition): s.done for s in self.sources.values() if s.done >= 0})
        self._applied_since_flush = 0
        self._dirty_since_ms = None
        self._urgent_since_ms = None
        self._flushed_ms = _now_ms()

    def _keeps(self, letter: Letter) -> bool:
        return self._reportable(letter) if letter.is_market else True

    def forget_intake(self) -> None:
        """Drop all messages and sources: what is not acknowledged is delivered again."""
        self.intake.clear()
        for source in self.sources.values():
            self.merge.remove_input(source.key)
        self.sources.clear()
        self._gated.clear()
        self.owed.clear()
        self._unread = [letter for letter in self._unread if letter.is_market]


def _now_ms() -> float:
    return time.monotonic() * 1000.0
