"""Market snapshots on their topic: the owner of trades partition 0 writes them, every worker begins from them.

Whoever writes one writes the same bytes, so nothing here is fenced and nothing waits for it: what a crash leaves half
written is passed over, and written again by whoever folds past that offset next.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import TopicPartition
from msgspec.structs import replace

from monitor.engine.snapshot import Restored, Snapshot, UnusableSnapshot, is_kept, parts, restore, take
from monitor.engine.state import Sourced, State
from monitor.worker.log_view import LogView
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Outbound, Publisher
from schemas.codec import decode_message, encode
from schemas.keys import record_key
from schemas.records import START, MarketSnapshotPart, Position, Tombstone
from schemas.topics import MARKET_SNAPSHOTS, MARKET_TOPICS

OWNER = 0  # the partition whose owner writes
MAX_WAITING = 8  # snapshots that wait for the broker: each is the whole state of a fold

_NAMES = tuple(topic.name for topic in MARKET_TOPICS)

log = structlog.get_logger("monitor.worker")


@dataclass(slots=True)
class _Found:
    """Parts of one snapshot by chunk; without their state if it cannot be begun from."""

    parts: dict[int, MarketSnapshotPart] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return bool(self.parts) and len(self.parts) == next(iter(self.parts.values())).chunks


class Snapshots:
    """Snapshots of one deployment; `refused` counts by kind those that were passed over."""

    def __init__(self, options: WorkerOptions, view: LogView, publisher: Publisher) -> None:
        self._options = options
        self._view = view
        self._publisher = publisher
        self._every = options.snapshot_every_offsets
        self._topic = options.topic(MARKET_SNAPSHOTS)
        self._known: dict[tuple[str, int], int] = {}  # (topic, offset): chunks that may be on the topic
        self._complete: set[tuple[str, int]] = set()
        self._waiting: deque[Snapshot] = deque()
        self._wake = asyncio.Event()
        self._due: dict[str, int] = {}
        self.written = 0
        self.loaded = 0
        self.dropped = 0
        self.refused: Counter[str] = Counter()
        self.begin({})

    # --- taking and writing ---------------------------------------------------------------------

    def begin(self, restored: Mapping[str, Restored]) -> None:
        """Begin with a market that was put together from some snapshots."""
        if self._every:
            self._due = {
                name: (restored[name].offset if name in restored else 0) // self._every * self._every + self._every
                for name in _NAMES
            }

    def may_be_due(self, last: Mapping[tuple[str, int], Sourced]) -> bool:
        """Whether the last records of each source and partition cross a multiple."""
        return any(name in self._due and item.offset >= self._due[name] for (name, _), item in last.items())

    def is_due(self, item: Sourced) -> bool:
        """Whether a record is the first at or beyond a multiple."""
        return item.topic in self._due and item.offset >= self._due[item.topic]

    def take(self, state: State, item: Sourced) -> None:
        """Take what is below a multiple, before the first record beyond it is folded, if it is ours to write."""
        offset = item.offset // self._every * self._every
        self._due[item.topic] = offset + self._every
        if OWNER not in state.shards or (item.topic, offset) in self._complete:
            return
        newest = max((at for name, at in self._complete if name == item.topic), default=0)
        if newest > offset and not is_kept(offset, newest, self._every):
            return
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            log.warning("snapshot_dropped", topic=item.topic, offset=offset)
            return
        self._waiting.append(take(state.market, item.topic, offset))
        self._wake.set()

    async def run(self) -> None:
        """Write what was taken, for ever: beside the flushes, which never wait for it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._write(self._waiting.popleft())

    async def _write(self, snapshot: Snapshot) -> None:
        place = (snapshot.topic, snapshot.offset)
        count = 0
        for part in parts(snapshot, self._options.snapshot_chunk_bytes):
            # One at a time: a flush finds room between them.
            await self._publisher.send([Outbound(self._topic, 0, record_key(part), encode(part))])
            count += 1
        self._known[place] = max(count, self._known.get(place, 0))
        self._complete.add(place)
        self.written += 1
        log.info("snapshot", topic=snapshot.topic, offset=snapshot.offset, bytes=len(snapshot.state), chunks=count)
        await self._forget(snapshot.topic)

    async def _forget(self, topic: str) -> None:
        """Delete what is not wanted any more."""
        newest = max(offset for name, offset in self._complete if name == topic)
        old = [
            (name, offset) for name, offset in self._known
            if name == topic and not (offset % self._every == 0 and is_kept(offset, newest, self._every))
        ]  # fmt: skip
        for name, offset in old:
            chunks = range(self._known.pop((name, offset)))
            self._complete.discard((name, offset))
            await self._publisher.send(
                [Outbound(self._topic, 0, f"{name}/{offset}/{chunk}".encode(), None) for chunk in chunks]
            )

    def figures(self) -> dict[str, int]:
        """Return how many snapshots were written, begun from and passed over."""
        return {
            "snapshots": self.written, "snapshots_loaded": self.loaded, "snapshots_refused": self.refused.total(),
            "snapshots_dropped": self.dropped,
        }  # fmt: skip

    # --- beginning from them --------------------------------------------------------------------

    def worth_reading(self, floor: Mapping[str, Position], at: Mapping[str, Position]) -> bool:
        """Whether there may be a snapshot that lies before `floor` and beyond where the market is."""
        every = self._every
        return bool(every) and any(floor[name][0] // every > max(at[name][0], 0) // every for name in _NAMES)

    async def load(self, floor: Mapping[str, Position], begins: Mapping[str, int]) -> dict[str, Restored]:
        """Restore, for each topic, the newest fold that has nothing beyond `floor`, by topic.

        One before `begins`, the first offsets that are left, could not be gone on from. What cannot be used is passed
        over, told and counted.
        """
        if not self._every or all(floor[name] == START for name in _NAMES):
            return {}
        found = await self._read(floor)
        restored: dict[str, Restored] = {}
        for name in _NAMES:
            offsets = [offset for topic, offset in found if topic == name and offset >= begins.get(name, 0)]
            for offset in sorted(offsets, reverse=True):
                one = self._restored(name, offset, list(found[name, offset].parts.values()), floor[name])
                if one is not None:
                    restored[name] = one
                    break
        self.loaded += len(restored)
        if restored:
            log.info("snapshots_loaded", positions={name: list(one.position) for name, one in restored.items()})
        return restored

    async def _read(self, floor: Mapping[str, Position]) -> dict[tuple[str, int], _Found]:
        """Read the topic to its end; keep the state of what may be begun from."""
        found: dict[tuple[str, int], _Found] = defaultdict(_Found)
        chunks: dict[tuple[str, int], int] = {}
        async for message in self._view.read_all([TopicPartition(self._topic, 0)]):
            decoded = decode_message(MARKET_SNAPSHOTS.name, message.key, message.value)
            for refused in decoded.refused:
                self._refuse(refused.error_kind, key=(message.key or b"")[:100].decode(errors="replace"))
            for _, record in decoded.records:
                if isinstance(record, Tombstone):
                    _delete(found, record.key)
                elif isinstance(record, MarketSnapshotPart):
                    place = (record.topic, record.offset)
                    chunks[place] = max(record.chunk + 1, chunks.get(place, 0))
                    usable = record.position <= floor.get(record.topic, START)
                    found[place].parts[record.chunk] = record if usable else replace(record, state=b"")
        self._known = {place: count for place, count in chunks.items() if place in found}
        self._complete = {place for place, one in found.items() if one.complete}
        return {place: one for place, one in found.items() if one.parts}

    def _restored(
        self, topic: str, offset: int, found: Sequence[MarketSnapshotPart], floor: Position
    ) -> Restored | None:  # fmt: skip
        if any(part.position > floor for part in found):
            return None  # nothing is wrong with it: a shard has not come so far
        try:
            return restore(found)
        except UnusableSnapshot as trouble:
            self._refuse(trouble.kind, topic=topic, offset=offset, text=str(trouble))
            self._complete.discard((topic, offset))
            return None

    def _refuse(self, kind: str, **told: object) -> None:
        self.refused[kind] += 1
        log.warning("snapshot_refused", kind=kind, **told)


def _delete(found: dict[tuple[str, int], _Found], key: str) -> None:
    topic, _, numbers = key.partition("/")
    offset, _, chunk = numbers.partition("/")
    if not (offset.isdecimal() and chunk.isdecimal()):
        return  # not one of ours
    place = (topic, int(offset))
    if place in found:
        found[place].parts.pop(int(chunk), None)
        if not found[place].parts:
            del found[place]
