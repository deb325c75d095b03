"""Live order: one state, and a merge of the market with the partitions of this worker by event time."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition

from monitor.engine import close_shard, gate_open, new_state, rewind, step
from monitor.engine.merge import MAX_WAIT_MS, LiveMerge, Wait, order_time_us
from monitor.engine.snapshot import Restored, market_of
from monitor.engine.state import Marker, Shard, Sourced, State
from monitor.worker.changelog import Recovered
from monitor.worker.dead_letters import Letter
from monitor.worker.errors import LostInput
from monitor.worker.intake import Delivered, Source
from monitor.worker.log_view import LogView
from monitor.worker.market_reader import MarketReader
from monitor.worker.options import WorkerOptions
from monitor.worker.order import IDLE_MS, MarketSeen, Progress
from monitor.worker.overload import Overload
from monitor.worker.snapshots import Snapshots
from schemas.records import START, Position
from schemas.topics import ACCOUNT_TOPICS, INSTRUMENTS, MARKET_TOPICS, PARAMETERS, SOURCE_RANK, TICKS

CHUNK = 64  # records given to `step` at once: small, so that gates and time are looked at often
OWN_CHUNK = 512  # the same of accounts: a frame's rows are evaluated together, and open no gate
OVERLOADED_CHUNK = 2_000  # the same under overload: accounts are evaluated once for most of it
# An account's inputs are waited for longer than a market's: a trade without its deposit, or a price without the trade
# that came before it, is a wrongful liquidation.
ACCOUNT_WAIT_MS = 250.0

_DEFINITIONS = frozenset({PARAMETERS.name, INSTRUMENTS.name})
_MARKET_NAMES = tuple(topic.name for topic in MARKET_TOPICS)

log = structlog.get_logger("monitor.worker")


class LiveOrder:
    """All shards in one state; `reader` brings the market to it."""

    def __init__(
        self, options: WorkerOptions, view: LogView, reader: MarketReader, snapshots: Snapshots
    ) -> None:  # fmt: skip
        self._options = options
        self._view = view
        self._reader = reader
        self._snapshots = snapshots
        self._state: State = new_state()
        self._merge = LiveMerge()
        self._sources: dict[tuple[str, int], Source] = {}
        self._gated: list[Source] = []
        # Where the market has to stop next, because a closed shard or a waiting account was there; None: to be found.
        self._aim: Mapping[str, Position] | None = None
        self._kept_back: frozenset[str] = frozenset()  # inputs that wait there for others
        self._overload = Overload(options.overload_lag_ms)
        self._known_us = 0  # of the last tick that was taken in
        self._open_market()

    # --- state ----------------------------------------------------------------------------------

    @property
    def states(self) -> Collection[State]:
        """The one state."""
        return (self._state,)

    @property
    def shards(self) -> dict[int, Shard]:
        """All shards by partition."""
        return dict(sorted(self._state.shards.items()))

    def state_of(self, partition: int) -> State:  # noqa: ARG002 (there is one for all)
        """Return the one state."""
        return self._state

    async def check(self, recovered: Recovered) -> None:
        """Refuse positions beyond the end of a topic."""
        partition, marker, options = recovered.partition, recovered.marker, self._options
        if marker is None:
            return
        tps = {topic.name: TopicPartition(options.topic(topic), partition) for topic in ACCOUNT_TOPICS}
        tps |= {topic.name: TopicPartition(options.topic(topic), 0) for topic in MARKET_TOPICS}
        begins, ends = await self._view.begins(tps.values()), await self._view.ends(tps.values())
        for name, (offset, _) in marker.positions.items():
            tp = tps[name]
            if offset >= ends[tp]:
                raise LostInput(
                    f"the state knows offset {offset} of {tp.topic}/{tp.partition}, which ends at {ends[tp]}",
                    "the topic was made anew or cut; restore it, or start a new application id",
                )
            if name in _MARKET_NAMES and begins[tp] > offset + 1:
                log.error("market_gap", topic=tp.topic, partition=partition, first=offset + 1, end=begins[tp])

    async def prepare(self, gained: Sequence[Recovered]) -> bool:
        """Fold the market again if a shard has not seen what our market has passed, or a snapshot lies before us all.

        It is folded on from the newest snapshots that are not beyond any shard, or from its beginning.
        """
        at = self._state.market.positions
        positions = [marker.positions for marker in self._markers(gained)]
        floor = {name: min((one.get(name, START) for one in positions), default=START) for name in at}
        found: dict[str, Restored] = {}
        begins: dict[str, int] = {}
        if positions and max(position for one in positions for position in (START, *one.values())) > START:
            tps = {topic.name: TopicPartition(self._options.topic(topic), 0) for topic in MARKET_TOPICS}
            first = await self._view.begins(tps.values())
            begins = {name: first[tp] for name, tp in tps.items()}
            if self._is_behind(gained) or self._snapshots.worth_reading(floor, at):
                found = await self._snapshots.load(floor, begins)
        again = self._is_behind(gained) or any(one.position > at[name] for name, one in found.items())
        self._release()
        if again:
            log.info("rewind", partitions=[recovered.partition for recovered in gained])
            for name in _MARKET_NAMES:
                self._merge.remove_input(name)
            rewind(self._state, market_of(found))
            # The last message of a snapshot is read again: behind it there may be rows that did not decode.
            self._reader.rewind({name: one.position[0] for name, one in found.items()})
            self._snapshots.begin(found)
            self._open_market()
        if again or all(position == START for position in at.values()):
            self._look_for_losses(positions, found, begins)
        return again

    def _markers(self, gained: Sequence[Recovered]) -> list[Marker]:
        """Return the markers of all shards, those to be opened included; a new shard has an empty one."""
        held = [shard.marker for shard in self._state.shards.values()]
        return held + [one.marker or Marker(one.partition, self._options.partitions) for one in gained]

    def _look_for_losses(
        self, positions: list[dict[str, Position]], found: Mapping[str, Restored], begins: Mapping[str, int]
    ) -> None:  # fmt: skip
        """Hold all accounts if the broker has deleted records that lie between a snapshot and what is left."""
        lost = [
            name for name, begin in begins.items()
            if begin > (found[name].offset if name in found else 0)
            and any(one.get(name, START) > START for one in positions)
        ]  # fmt: skip
        self._state.market.lost = tuple(lost)
        if lost:
            log.error("market_lost", topics=lost, begins={name: begins[name] for name in lost})

    def _is_behind(self, gained: Sequence[Recovered]) -> bool:
        """Whether a shard has not seen what our market has passed."""
        market = self._state.market.positions

        def behind(recovered: Recovered) -> bool:
            # An empty shard has nothing to evaluate; partition 0 reports refused market records all the same.
            if not recovered.accounts and recovered.partition != 0:
                return False
            reached: dict[str, Position] = recovered.marker.positions if recovered.marker else {}
            # Rows that do not decode were passed over while partition 0 was not ours, and reading is ahead of folding.
            if recovered.partition == 0 and any(
                self._reader.handed_over(topic) > reached.get(topic, START)[0] + 1 for topic in market
            ):
                return True
            return any(position > reached.get(topic, START) for topic, position in market.items())

        return any(behind(recovered) for recovered in gained)

    def close(self, partition: int) -> None:
        """Give up a shard."""
        close_shard(self._state, partition)
        self._release()

    def _open_market(self) -> None:
        """Register the market's inputs, at the beginning of a fold."""
        for name in _MARKET_NAMES:
            self._merge.add_input(name, SOURCE_RANK[name], definitions=name in _DEFINITIONS)
            self._merge.set_unfetched(name, True)

    # --- records --------------------------------------------------------------------------------

    def add_source(self, topic: str, partition: int, begin: int, end: int, committed: int | None) -> Source:
        """Read a source from its committed offset; it is held back until its shard's gate opens."""
        expected = begin if committed is None else committed
        self._release()
        is_open = gate_open(self._state, partition)
        # A closed gate holds its sources back anyway.
        source = Source(topic, partition, expected=expected, primed=expected >= end or not is_open, end=end)
        self._sources[topic, partition] = source
        self._merge.add_input(source.key, SOURCE_RANK[topic], is_open=is_open, max_wait_ms=ACCOUNT_WAIT_MS)
        if not is_open:
            self._gated.append(source)
        return source

    def remove_source(self, source: Source) -> None:
        """Forget a source with what waits of it."""
        self._release()
        self._merge.remove_input(source.key)
        del self._sources[source.topic, source.partition]
        if source in self._gated:
            self._gated.remove(source)

    def readers(self) -> list[Coroutine[Any, Any, None]]:
        """Return the market reader's coroutines, and what writes snapshots."""
        return [*self._reader.readers(), self._snapshots.run()]

    def take_in(self) -> list[Letter]:
        """Take in market records."""
        letters: list[Letter] = []
        while (batch := self._reader.take()) is not None:
            for record in batch.records:
                self._merge.push(batch.topic, record)
            if batch.records and batch.topic == TICKS.name:
                # The last one, not the latest: a clock that is ahead would be a lag for ever.
                self._known_us = order_time_us(batch.records[-1])
            letters += batch.letters
            self._reader.release(batch.topic, len(batch.letters))
        self._keep_back()
        for name in _MARKET_NAMES:
            patience_ms = math.inf if self._is_short(name) else MAX_WAIT_MS
            self._merge.set_unfetched(name, self._reader.unfetched(name), max_wait_ms=patience_ms)
        return letters

    def push(self, source: Source, message: Delivered) -> list[Letter]:
        """Take in a message; its offsets are in order."""
        for _, record in message.records:
            self._merge.push(source.key, record)
        return []

    def look(self, sources: Iterable[Source], *, crowded: bool) -> None:
        """Tell the merge which sources may still owe records that belong before those that have come.

        A source is caught up when all below its end has been taken in, and that end was seen by a fetch not older than
        the newest message of its partition: fetches leave out what is still buffered, so a trade can come in before
        the deposit that stood on the broker long before it.
        """
        sources = list(sources)
        newest: dict[int, int] = {}
        for source in sources:
            if self._merge.buffered(source.key):
                newest[source.partition] = max(source.looked_ms, newest.get(source.partition, 0))
        for source in sources:
            known = source.expected < source.end
            unseen = source.looked_ms < newest.get(source.partition, 0)
            # What is on the broker is waited for until it comes: the engine task sees to it that it does. But a full
            # intake holds everybody back, and then waiting for one source would be waiting for ourselves.
            patience_ms = math.inf if known and not crowded else ACCOUNT_WAIT_MS
            self._merge.set_unfetched(source.key, known or unseen, max_wait_ms=patience_ms)

    def step(self, now_ms: float) -> Progress:
        """Apply the next records of the merge."""
        chunk: list[Sourced] = []
        wait_ms: float | None = None
        conflate = self._overload.active
        size = OVERLOADED_CHUNK if conflate else CHUNK
        own_share = size / self._own_size(size)
        room = float(size)
        self._keep_back()
        while room > 0.0 and wait_ms is None:
            item = self._merge.next(now_ms)
            if isinstance(item, Sourced):
                chunk.append(item)
                room -= 1.0 if item.topic in _MARKET_NAMES else own_share
                if self._is_there(item):
                    break  # as far as this topic may go for now
            else:
                wait_ms = item.wait_ms if isinstance(item, Wait) else IDLE_MS
        accounts = 0
        topics: Counter[str] = Counter()
        if chunk:
            last = {(item.topic, item.partition): item for item in chunk}
            if self._snapshots.may_be_due(last):
                self._step_by_snapshots(chunk, conflate=conflate)
            else:
                step(self._state, chunk, conflate=conflate)
            topics = self._note_applied(chunk, last)
            accounts = sum(topics[topic.name] for topic in ACCOUNT_TOPICS)
            if self._gated:
                self._open_gates()
        self._look_at_lag(now_ms)
        return Progress(len(chunk), accounts, accounts, wait_ms, topics)

    def _look_at_lag(self, began_ms: float) -> None:
        """Declare an overload, or its end. A market that is folded again up to a shard's positions is none."""
        now_ms = 1000.0 * time.monotonic()
        caught_up = self._state.gated or not self._merge.buffered(TICKS.name)
        lag_us = self._known_us - self._state.market.time_us
        overload = self._overload
        if overload.look(lag_us, now_ms - began_ms, now_ms, caught_up=caught_up):
            say = log.warning if overload.active else log.info
            say(
                "overload" if overload.active else "overload_over", lag_ms=overload.lag_us // 1000,
                waiting=self._merge.buffered(), conflated=self._state.conflated,
                positions={topic: list(at) for topic, at in self._state.market.positions.items()},
            )  # fmt: skip

    def _own_size(self, size: int) -> int:
        """Return how many records of accounts alone are given to `step` at once, where `size` is that of others."""
        return size if self._state.book.has_slow else max(size, OWN_CHUNK)

    def _step_by_snapshots(self, chunk: list[Sourced], *, conflate: bool) -> None:
        """Step, with a stop before each record that lies beyond a multiple of its topic's offsets."""
        start = 0
        for place, item in enumerate(chunk):
            if self._snapshots.is_due(item):
                if place > start:
                    step(self._state, chunk[start:place], conflate=conflate)
                self._snapshots.take(self._state, item)
                start = place
        step(self._state, chunk[start:], conflate=conflate)

    def _note_applied(
        self, chunk: list[Sourced], last: Mapping[tuple[str, int], Sourced]
    ) -> Counter[str]:  # fmt: skip
        """Remember how far each source has come, give the market's room back; return how many were of each topic."""
        counts = Counter((item.topic, item.partition) for item in chunk)
        topics: Counter[str] = Counter()
        for place, count in counts.items():
            topics[place[0]] += count
            source = self._sources.get(place)
            if source is None:
                self._reader.release(place[0], count)
            else:
                source.applied = last[place].position
                source.applied_records += count
        return topics

    # --- stopping where a shard was ---------------------------------------------------------------

    def _keep_back(self) -> None:
        """Have no topic pass the positions of the next closed shard before the others have reached them.

        Its accounts were evaluated up to there and not beyond: a tick that is folded before the gate opens is a breach
        that nobody sees. Merged by event time, a topic whose first fetch is late would be passed.
        """
        if not self._state.gated:
            if self._aim or self._kept_back:
                self._release()
            return
        market = self._state.market
        if self._aim is None or market.reached(dict(self._aim)):
            self._aim = self._next_aim()
        short = [name for name in _MARKET_NAMES if self._is_short(name)]
        there = [name for name in _MARKET_NAMES if market.positions[name] >= self._aim.get(name, START)]
        # With prices kept back, records of open shards would come before the prices that they follow.
        shards = [one.key for one in self._sources.values() if gate_open(self._state, one.partition)]
        kept = frozenset([*there, *shards]) if short else frozenset()
        for key in kept - self._kept_back:
            self._merge.close(key)
        self._let_go(self._kept_back - kept)
        self._kept_back = kept

    def _next_aim(self) -> Mapping[str, Position]:
        """Return the nearest positions that a closed shard or a waiting account was at; empty if there are none."""
        state = self._state
        found = [shard.marker.positions for shard in state.shards.values() if not shard.open]
        found += [
            positions for shard in state.shards.values() if shard.open
            for positions in {
                tuple(sorted(shard.accounts[name].positions.items())): shard.accounts[name].positions
                for name in shard.waiting
            }.values()
        ]  # fmt: skip
        aims = [
            {name: one.get(name, START) for name in _MARKET_NAMES} for one in found if not state.market.reached(one)
        ]
        return min(aims, key=lambda aim: tuple(map(sum, zip(*aim.values(), strict=True))), default={})

    def _is_there(self, item: Sourced) -> bool:
        """Whether a topic of the market reaches the aim with a record."""
        aim = self._aim.get(item.topic) if self._aim else None
        return aim is not None and self._state.market.positions[item.topic] < aim <= item.position

    def _is_short(self, name: str) -> bool:
        """Whether a topic of the market has not reached the aim, and can."""
        if not self._aim or self._state.market.positions[name] >= self._aim[name]:
            return False
        return bool(self._merge.buffered(name)) or self._reader.unfetched(name)

    def _release(self) -> None:
        """Keep nothing back; the aim is found anew."""
        self._let_go(self._kept_back)
        self._aim, self._kept_back = None, frozenset()

    def _let_go(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._merge.open(key)

    def _open_gates(self) -> None:
        for source in [source for source in self._gated if gate_open(self._state, source.partition)]:
            self._merge.open(source.key)
            self._gated.remove(source)

    def market_seen(self) -> MarketSeen:
        """Return how far the market is."""
        positions = self._state.market.positions
        behind = {name: max(0, end - 1 - positions[name][0]) for name, end in self._reader.ends().items()}
        waiting_us = {name: self._merge.waiting_us(name) for name in behind}
        return MarketSeen(behind, waiting_us, self._reader.heard_s, self._overload.lag_us)

    def arrived_s(self, topic: str, offset: int) -> float | None:
        """Return when the tick at an offset came here, monotonic; None if that is not known any more."""
        return self._reader.arrived_s(offset) if topic == TICKS.name else None

    def figures(self) -> dict[str, int]:
        """Return how many records came late, how often the merge waited, and what overloads there were."""
        return {
            "late": self._merge.late, "waits": self._merge.waits, "lag_ms": self._overload.lag_us // 1000,
            "overloaded": int(self._overload.active), "overloads": self._overload.declared,
            "conflated": self._state.conflated, **self._snapshots.figures(),
        }  # fmt: skip
