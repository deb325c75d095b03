"""Which snapshots a worker begins from, and which it deletes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from monitor.engine import Marker, Sourced, State, new_state, open_shard, step
from monitor.engine.snapshot import fold_of, is_kept
from monitor.worker.changelog import Recovered
from monitor.worker.live_order import LiveOrder
from monitor.worker.market_reader import MarketReader
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Outbound
from monitor.worker.snapshots import Snapshots
from schemas.codec import encode
from schemas.records import START, MarketSnapshotPart, Position
from schemas.topics import MARKET_SNAPSHOTS, MARKET_TOPICS, TICKS
from tests.engine_market import START_US, index_tick

EVERY = 10
OPTIONS = WorkerOptions(broker="b:1", partitions=1, snapshot_every_offsets=EVERY, snapshot_chunk_bytes=400)


@dataclass
class Topic:
    """The snapshots' topic: what is sent to it stands in it, latest per key."""

    messages: list[Outbound] = field(default_factory=list)
    begin: int = 0

    async def send(self, messages: Sequence[Outbound]) -> None:
        """Write."""
        self.messages += messages

    async def read_all(self, _partitions: Iterable[Any]) -> AsyncIterator[Outbound]:
        """Read."""
        for message in self.messages:
            yield message

    async def begins(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Tell where the topics begin."""
        return {tp: self.begin if tp.topic == TICKS.name else 0 for tp in partitions}

    def offsets(self) -> set[int]:
        """Offsets of the snapshots that are left."""
        latest = {message.key: message.value for message in self.messages}
        return {int(key.split(b"/")[1]) for key, value in latest.items() if key and value}


def snapshots(topic: Topic) -> Snapshots:
    return Snapshots(OPTIONS, topic, topic)  # type: ignore[arg-type]


def tick(offset: int) -> Sourced:
    return Sourced(TICKS.name, 0, offset, 0, index_tick("BTC", 100.0 + offset % 7, START_US + offset * 1_000_000))


def owner() -> State:
    state = new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    return state


def fold(state: State, writer: Snapshots, count: int, start: int = 0) -> dict[int, bytes]:
    """Fold ticks as live order does; return the fold as it was before each multiple."""
    told: dict[int, bytes] = {}
    for offset in range(start, count):
        item = tick(offset)
        if writer.is_due(item):
            told[offset] = of(state)
            writer.take(state, item)
            write(writer)
        step(state, [item])
    return told


def of(state: State) -> bytes:
    return msgspec.msgpack.encode(fold_of(state.market, TICKS.name).snapshot())


def write(writer: Snapshots) -> None:
    """Let the writer's task run until nothing waits."""

    async def work() -> None:
        task = asyncio.ensure_future(writer.run())
        while writer._waiting:  # noqa: ASYNC110 (nothing else runs in this loop)
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(work())


def load(topic: Topic, floor: Position, begins: int = 0) -> tuple[Snapshots, Any]:
    reader = snapshots(topic)
    floors = {one.name: START for one in MARKET_TOPICS} | {TICKS.name: floor}
    return reader, asyncio.run(reader.load(floors, {TICKS.name: begins})).get(TICKS.name)


@pytest.mark.parametrize(
    ("floor", "offset"), [((9, 0), None), ((19, 0), 20), ((29, 0), 30), ((38, 5), 30), ((49, 0), 50), ((8, 0), None)]
)
def test_the_newest_that_is_not_beyond_any_shard_is_begun_from(floor: Position, offset: int | None) -> None:
    """A fold begins from the newest snapshot without a record beyond the smallest position, exactly as it was."""
    topic = Topic()
    told = fold(owner(), snapshots(topic), 60)
    _, found = load(topic, floor)
    assert (found.offset if found else None) == offset
    if found:
        assert msgspec.msgpack.encode(found.fold.snapshot()) == told[offset]  # type: ignore[index]
        assert found.position == (offset - 1, 0)  # type: ignore[operator]


def _cut(messages: list[Outbound]) -> None:
    del messages[-1]


def _spoil(messages: list[Outbound]) -> None:
    messages[-1] = _with(messages[-1], state=b"other")


def _age(messages: list[Outbound]) -> None:
    messages[-1] = _with(messages[-1], layout=999)


def _break(messages: list[Outbound]) -> None:
    messages[-1] = Outbound(messages[-1].topic, 0, messages[-1].key, b"{")


def _with(message: Outbound, **change: Any) -> Outbound:
    part = msgspec.structs.replace(msgspec.json.decode(message.value or b"", type=MarketSnapshotPart), **change)
    return Outbound(message.topic, 0, message.key, encode(part))


@pytest.mark.parametrize(
    ("harm", "kind"), [(_cut, "incomplete"), (_spoil, "digest"), (_age, "layout"), (_break, "bad_json")]
)
def test_a_snapshot_that_cannot_be_used_is_passed_over_and_counted(harm: Any, kind: str) -> None:
    """Half written, changed, of another layout or no record at all: the one before is taken, and it is counted."""
    topic = Topic()
    fold(owner(), snapshots(topic), 31)
    mine = [message for message in topic.messages if b"/30/" in (message.key or b"")]
    assert len(mine) > 1
    rest = [message for message in topic.messages if message not in mine]
    harm(mine)
    reader, found = load(Topic(rest + mine), (100, 0))
    assert found.offset == 20
    assert reader.refused[kind] == 1


def test_a_snapshot_that_the_log_cannot_go_on_from_is_passed_over() -> None:
    """What lies before the first record that is left would be a jump."""
    topic = Topic()
    fold(owner(), snapshots(topic), 60)
    assert load(topic, (34, 0), begins=30)[1].offset == 30
    assert load(topic, (34, 0), begins=31)[1] is None


def test_only_the_owner_of_partition_0_writes() -> None:
    """A worker without it folds past every multiple in silence."""
    topic = Topic()
    state = new_state()
    open_shard(state, 1, None, [], partitions=2, epoch=1)
    fold(state, snapshots(topic), 60)
    assert topic.messages == []


def test_a_successor_writes_the_same_bytes_and_deletes_what_is_not_wanted() -> None:
    """Two writers leave one content under each key; what is left of many is few, the newest among them."""
    topic = Topic()
    fold(owner(), snapshots(topic), 305)
    fold(owner(), snapshots(topic), 500)
    contents: dict[bytes | None, set[bytes | None]] = {}
    for message in topic.messages:
        assert message.topic == MARKET_SNAPSHOTS.name
        if message.value is not None:
            contents.setdefault(message.key, set()).add(message.value)
    assert all(len(one) == 1 for one in contents.values())
    assert topic.offsets() == {offset for offset in range(10, 500, 10) if is_kept(offset, 490, EVERY)}


@pytest.mark.parametrize(
    ("begin", "lost", "position"), [(30, (), (29, 0)), (31, (TICKS.name,), START), (0, (), (29, 0))]
)
def test_a_market_that_cannot_be_gone_on_with_is_held(begin: int, lost: tuple[str, ...], position: Position) -> None:
    """Where the log goes on from a snapshot the market is that of the snapshot; where records are gone it says so."""
    topic = Topic(begin=begin)
    fold(owner(), snapshots(topic), 60)
    reader = MarketReader(OPTIONS, asyncio.Event())
    order = LiveOrder(OPTIONS, topic, reader, snapshots(topic))  # type: ignore[arg-type]
    marker = Marker(0, 1, positions={TICKS.name: (34, 0)})
    again = asyncio.run(order.prepare([Recovered(0, marker)]))
    (state,) = order.states
    assert again == (position != START)
    assert state.market.positions[TICKS.name] == position
    assert state.market.lost == lost


def test_a_deployment_without_state_begins_with_what_is_left() -> None:
    """A new shard has missed nothing: a topic whose first records are gone holds nobody."""
    topic = Topic(begin=31)
    order = LiveOrder(OPTIONS, topic, MarketReader(OPTIONS, asyncio.Event()), snapshots(topic))  # type: ignore[arg-type]
    assert not asyncio.run(order.prepare([Recovered(0)]))
    (state,) = order.states
    assert state.market.lost == ()
