"""Strict order: a state for each partition, fed in the order of its part of the sequence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import pytest
from aiokafka import TopicPartition
from msgspec import Raw
from msgspec.structs import replace

from monitor.engine import Sourced, collect, confirm, new_state, open_shard, step
from monitor.engine.state import Marker, State
from monitor.replay.publish_sequenced import Frames
from monitor.replay.sequence import partition_of
from monitor.worker.changelog import Recovered
from monitor.worker.errors import LostInput
from monitor.worker.flush import together
from monitor.worker.intake import Delivered, Source, delivered
from monitor.worker.log_view import LogView
from monitor.worker.options import WorkerOptions
from monitor.worker.strict_order import StrictOrder
from schemas.codec import decode_message, encode, encode_frame
from schemas.records import Instrument, PriceTick, SequencedRecord, Trade
from schemas.topics import LIQUIDATIONS, MARKET_TOPICS, SEQUENCED, TICKS, TRADES
from tests.engine_market import START_US, TOPIC_OF, index_tick, opening, random_market

P = 2
OPTIONS = WorkerOptions("b:1", P, order="strict", prefix="desk.", application_id="app")
ACCOUNTS = tuple(name for p in range(P) for name in [f"a{k}" for k in range(40) if partition_of(f"a{k}", P) == p][:3])
MARKET = {topic.name for topic in MARKET_TOPICS}
MINE, ELSEWHERE = ACCOUNTS[0], ACCOUNTS[-1]


class View(LogView):
    """A log that begins where a test says."""

    def __init__(self, begin: int = 0) -> None:
        super().__init__("b:1", "group")
        self.begin = begin

    async def begins(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, self.begin)


class Message:
    """What a client gives: only what is read of it."""

    def __init__(self, value: bytes | None, offset: int, partition: int = 0) -> None:
        self.key, self.value, self.offset, self.partition = None, value, offset, partition


def sequence(records: int = 1_200) -> list[Sourced]:
    items = []
    for ordinal, record in enumerate(random_market(4, records, ACCOUNTS)):
        account = getattr(record, "account", None)
        partition = 0 if account is None else partition_of(account, P)
        items.append(Sourced(TOPIC_OF[type(record)].name, partition, ordinal, 0, record))
    return items


def log_of(items: list[Sourced], partition: int, rows: int = 100) -> list[Delivered]:
    """One partition's messages as they are published and decoded."""
    frames = Frames(P, rows)
    messages = [message for item in items for message in frames.add(item)] + frames.take()
    mine = [message for message in messages if message.partition == partition]
    return [delivered(SEQUENCED, Message(m.value, offset, partition), 1, OPTIONS) for offset, m in enumerate(mine)]


def opened(*partitions: int, marker: Marker | None = None) -> StrictOrder:
    order = StrictOrder(OPTIONS, View())
    asyncio.run(order.prepare([Recovered(partition) for partition in partitions]))
    for partition in partitions:
        open_shard(order.state_of(partition), partition, marker, [], partitions=P, epoch=1)
    return order


def feed(order: StrictOrder, source: Source, messages: Iterable[Delivered]) -> None:
    for message in messages:
        source.expected = message.offset + 1
        source.unacked.append(message)
        order.push(source, message)


def work_off(order: StrictOrder) -> int:
    """Apply all that waits; return how many records."""
    applied = 0
    while (done := order.step(0.0)).records:
        applied += done.records
    return applied


def events_of(states: Iterable[State]) -> dict[str, bytes]:
    flush = together([collect(state) for state in states])
    for state in states:
        confirm(state, flush)
    return {event.id: event.body for event in flush.events}


@pytest.mark.parametrize("rows", [1, 100, 1_000])
def test_partitions_through_frames_give_the_events_of_the_engine(rows: int) -> None:
    """What is published in frames, decoded and applied partition by partition says the same bytes as one state."""
    items = sequence()
    whole = new_state()
    for partition in range(P):
        open_shard(whole, partition, None, [], partitions=P, epoch=1)
    expected = {event.id: event.body.encode() for event in step(whole, items)}
    order = opened(0, 1)
    logs = [log_of(items, partition, rows) for partition in range(P)]
    for partition, log in enumerate(logs):
        feed(order, order.add_source(SEQUENCED.name, partition, 0, len(log), None), log)
    applied = work_off(order)
    assert applied == sum(len(message.records) for log in logs for message in log)
    assert applied == P * len([i for i in items if i.topic in MARKET]) + len(
        [i for i in items if i.topic not in MARKET]
    )
    found = events_of(order.states)
    assert found == expected
    assert {body.count(LIQUIDATIONS.name.encode()) for body in found.values()} == {0}
    assert len(found) > P


def test_positions_are_ordinals_and_broker_offsets_stand_nowhere() -> None:
    """A decoded record has the topic it came from, its account's partition, its ordinal, and its own bytes."""
    items = sequence(50)
    rows = [record for message in log_of(items, 0, 7) for _, record in message.records]
    mine = [item for item in items if item.topic in MARKET or item.partition == 0]
    assert [(row.topic, row.partition, row.position, row.record) for row in rows] == [
        (item.topic, item.partition, item.position, item.record) for item in mine
    ]
    assert [row.raw for row in rows] == [encode(item.record) for item in mine]


def test_a_partition_goes_on_where_it_was_after_a_rebalance() -> None:
    """A message that was applied in part comes again as a whole, and its rows count once."""
    items = sequence()
    log = log_of(items, 0, 300)
    order = opened(0)
    source = order.add_source(SEQUENCED.name, 0, 0, len(log), None)
    feed(order, source, log[:3])
    for _ in range(6):
        order.step(0.0)  # two messages and a part of the third
    assert source.take_applied() == log[:2]
    order.remove_source(source)
    source = order.add_source(SEQUENCED.name, 0, 0, len(log), 1)
    assert (source.expected, source.behind) == (2, False)
    feed(order, source, log_of(items, 0, 300)[2:])
    work_off(order)
    reference = opened(0)
    feed(reference, reference.add_source(SEQUENCED.name, 0, 0, len(log), None), log_of(items, 0, 300))
    work_off(reference)
    assert events_of(order.states) == events_of(reference.states)


def test_what_lies_before_the_committed_offset_is_read_from_the_log() -> None:
    """A shard that is taken over begins with the first message, and reports and commits from the committed one on."""
    order = opened(0)
    source = order.add_source(SEQUENCED.name, 0, 0, 90, 60)
    assert (source.expected, source.start, source.behind) == (0, 60, True)
    assert order.figures() == {"behind": 1}


def frame(*rows: SequencedRecord) -> bytes:
    return encode_frame(rows)


def row(ordinal: int, record: Trade | PriceTick | Instrument, topic: str = "") -> SequencedRecord:
    return SequencedRecord(
        ordinal=ordinal, topic=topic or TOPIC_OF[type(record)].name, record=Raw(encode(record)), v=1
    )  # fmt: skip


def trade(account: str, number: int = 1) -> Trade:
    return Trade(
        trade_id=str(number), account=account, instrument="BTC-PERPETUAL", quantity=1.0, price=1.0,
        event_time_us=START_US,
    )  # fmt: skip


def test_rows_that_cannot_be_read_are_refused_and_the_others_applied() -> None:
    """An unknown topic, a broken record, and an account of another partition are refused with their rows' bytes."""
    tick = index_tick("BTC", 100.0, START_US)
    rows = [
        row(1, tick),
        row(2, tick, topic="risk.nothing.v1"),
        row(3, tick, topic=SEQUENCED.name),
        SequencedRecord(ordinal=4, topic=TICKS.name, record=Raw(b'{"underlying":"BTC"}'), v=1),
        row(5, trade(ELSEWHERE)),
        row(6, trade(MINE)),
    ]
    value = frame(*rows)
    message = delivered(SEQUENCED, Message(value, 9), 1, OPTIONS)
    assert [(index, record.offset) for index, record in message.records] == [(0, 1), (5, 6)]
    assert [(bad.index, bad.error_kind) for bad in message.refused] == [
        (1, "unknown_value"), (2, "unknown_value"), (3, "missing_field"), (4, "wrong_partition"),
    ]  # fmt: skip
    assert [bad.raw for bad in message.refused] == [encode(rows[index]) for index in (1, 2, 3, 4)]
    assert message.weight == 6
    for nothing in (None, b"", b"{", b"[]"):
        broken = delivered(SEQUENCED, Message(nothing, 9), 1, OPTIONS)
        assert (len(broken.records), len(broken.refused)) == (0, 1)


def test_a_row_out_of_order_is_refused() -> None:
    """Within a message and between messages ordinals grow; what comes again or too late is a dead letter."""
    order = opened(0)
    source = order.add_source(SEQUENCED.name, 0, 0, 9, None)
    ticks = [row(ordinal, index_tick("BTC", 100.0 + ordinal, START_US)) for ordinal in range(9)]
    values = [frame(ticks[0], ticks[4], ticks[3], ticks[5]), frame(ticks[5], ticks[6])]
    refused = []
    for offset, value in enumerate(values):
        message = delivered(SEQUENCED, Message(value, offset), 1, OPTIONS)
        refused += [(letter.offset, letter.index, letter.kind, letter.raw) for letter in order.push(source, message)]
        source.unacked.append(message)
    assert refused == [(0, 2, "out_of_order", encode(ticks[3])), (1, 0, "out_of_order", encode(ticks[5]))]
    assert work_off(order) == 4
    assert [message.offset for message in source.take_applied()] == [0, 1]
    assert order.state_of(0).market.positions[TICKS.name] == (6, 0)


def test_the_owner_of_partition_0_alone_reports_refused_market_records() -> None:
    """Each partition carries the market, and one of them speaks of its faults."""
    listed = next(record for record in opening() if isinstance(record, Instrument))
    items = [listed, replace(listed, contract_size=2.0 * listed.contract_size)]
    rows = [row(ordinal, record) for ordinal, record in enumerate(items)]
    rows.append(row(50, replace(trade(ELSEWHERE), instrument="NOPE")))
    order = opened(0, 1)
    for partition in (0, 1):
        message = delivered(SEQUENCED, Message(frame(*rows[: len(rows) - 1 + partition]), 0, partition), 1, OPTIONS)
        feed(order, order.add_source(SEQUENCED.name, partition, 0, 1, None), [message])
    work_off(order)
    rejected = {p: [item.source.position for item in order.state_of(p).rejected] for p in (0, 1)}
    assert rejected == {0: [(len(items) - 1, 0)], 1: [(50, 0)]}


def test_a_sequence_without_its_beginning_is_refused() -> None:
    """The market of a partition is folded from its first record."""
    asyncio.run(StrictOrder(OPTIONS, View(0)).check(Recovered(0)))
    with pytest.raises(LostInput, match="begins at offset 7"):
        asyncio.run(StrictOrder(OPTIONS, View(7)).check(Recovered(0)))


def test_a_sequence_that_ends_before_its_state_is_refused() -> None:
    """Positions beyond the end mean another sequence: going on would skip its records."""
    marker = Marker(partition=0, partitions=P, positions={TICKS.name: (10_000, 0)})
    items = sequence(40)
    log = log_of(items, 0)
    order = opened(0, marker=marker)
    source = order.add_source(SEQUENCED.name, 0, 0, len(log), len(log))
    assert order.step(0.0).records == 0  # not read yet: nothing can be said
    feed(order, source, log)
    with pytest.raises(LostInput, match="ends at ordinal"):
        work_off(order)


def test_strict_order_has_a_group_and_a_changelog_of_its_own() -> None:
    """Positions mean ordinals there; a state of live order must never be taken for one."""
    live = WorkerOptions("b:1", P, prefix="desk.", application_id="app")
    assert (OPTIONS.group, live.group) == ("desk.app-strict", "desk.app")
    assert OPTIONS.changelog != live.changelog
    assert OPTIONS.inputs == (SEQUENCED,)
    assert TRADES in live.inputs


def test_deployments_can_share_a_sequence() -> None:
    """The sequence's topic may have another prefix than all others."""
    shared = WorkerOptions("b:1", P, order="strict", prefix="one.", sequence_prefix="all.")
    assert shared.topic(SEQUENCED) == "all.risk.sequenced.v1"
    assert shared.topic(LIQUIDATIONS) == "one.risk.liquidations.v1"
    assert OPTIONS.topic(SEQUENCED) == "desk.risk.sequenced.v1"


def test_frames_stay_within_rows_and_bytes() -> None:
    """A frame is full at its rows or before a row more could be too many bytes; every row reads back."""
    items = sequence(300)
    frames = Frames(P, 64)
    messages = [message for item in items for message in frames.add(item)] + frames.take()
    assert frames.take() == []
    assert max(message.rows for message in messages) == 64
    wide = trade(MINE)
    rows = [
        Sourced(TRADES.name, 0, k, 0, replace(wide, trade_id=f"{k:064}", instrument="B" * 64)) for k in range(9_000)
    ]
    frames = Frames(P, 10_000)
    sizes = []
    for item in rows:
        for message in frames.add(item):
            sizes.append(len(message.value))
            assert message.value is not None
            assert not decode_message(SEQUENCED.name, None, message.value).refused
    assert sizes
    assert max(sizes) <= 1_000_000
