"""What live order holds of the market before it is applied."""

from __future__ import annotations

import asyncio

from monitor.engine import Sourced, gate_open, open_shard
from monitor.engine.state import Account, Marker
from monitor.worker.dead_letters import Letter
from monitor.worker.live_order import LiveOrder
from monitor.worker.liveness import Pulse
from monitor.worker.log_view import LogView
from monitor.worker.market_reader import MarketBatch, MarketReader
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Publisher
from monitor.worker.snapshots import Snapshots
from schemas.records import AccountConfig
from schemas.topics import INSTRUMENTS, TICKS, VOLATILITY
from tests.engine_market import START_US, index_tick, smile

OPTIONS = WorkerOptions(broker="b:1", partitions=1)


def test_refused_rows_count_until_they_are_taken_in() -> None:
    """Rows that do not decode fill the reader's share as records do: a topic of rubbish does not fill the memory."""
    reader = MarketReader(OPTIONS, asyncio.Event())
    view = LogView(OPTIONS.broker, OPTIONS.group)
    snapshots = Snapshots(OPTIONS, view, Publisher(OPTIONS, Pulse(OPTIONS.session_timeout_s)))
    order = LiveOrder(OPTIONS, view, reader, snapshots)
    letter = Letter(TICKS.name, 0, 0, 0, "bad_json", "", None, b"{")
    record = Sourced(TICKS.name, 0, 1, 0, index_tick("BTC", 100.0, START_US))
    topic = reader._topics[TICKS.name]
    reader._hand_over(topic, 0, MarketBatch(TICKS.name, [record], [letter, letter]))
    assert topic.held == 3
    assert order.take_in() == [letter, letter]
    assert topic.held == 1


def test_what_waits_of_the_market_is_told_in_time() -> None:
    """The lag of a market topic is the event time from its oldest waiting record to its newest; nothing waits: none."""
    reader = MarketReader(OPTIONS, asyncio.Event())
    view = LogView(OPTIONS.broker, OPTIONS.group)
    snapshots = Snapshots(OPTIONS, view, Publisher(OPTIONS, Pulse(OPTIONS.session_timeout_s)))
    order = LiveOrder(OPTIONS, view, reader, snapshots)
    assert order.market_seen().waiting_us[TICKS.name] == 0
    ticks = [
        Sourced(TICKS.name, 0, number, 0, index_tick("BTC", 100.0, START_US + number * 1_500_000))
        for number in range(4)
    ]
    reader._hand_over(reader._topics[TICKS.name], 0, MarketBatch(TICKS.name, ticks, []))
    order.take_in()
    assert order.market_seen().waiting_us == {name: 4_500_000 * (name == TICKS.name) for name in reader.ends()}
    assert order.market_seen().waiting_us[INSTRUMENTS.name] == 0


def _order() -> tuple[LiveOrder, MarketReader]:
    reader = MarketReader(OPTIONS, asyncio.Event())
    view = LogView(OPTIONS.broker, OPTIONS.group)
    snapshots = Snapshots(OPTIONS, view, Publisher(OPTIONS, Pulse(OPTIONS.session_timeout_s)))
    return LiveOrder(OPTIONS, view, reader, snapshots), reader


def _hand_over(reader: MarketReader, topic: str, records: list[Sourced]) -> None:
    found = reader._topics[topic]
    found.position = found.end = records[-1].offset + 1
    reader._hand_over(found, 0, MarketBatch(topic, records, []))


def test_a_gate_opens_where_its_shard_was_however_late_a_topic_comes() -> None:
    """Ticks wait at the shard's positions until the volatility below them has come: none is folded unseen before."""
    order, reader = _order()
    (state,) = order.states
    marker = Marker(0, 1, epoch=1, flush=1, published_flush=1, positions={TICKS.name: (2, 0), VOLATILITY.name: (0, 0)})
    account = Account(config=AccountConfig(account="a", event_time_us=START_US), positions=dict(marker.positions))
    open_shard(state, 0, marker, [account], partitions=1, epoch=2)
    reader._topics[VOLATILITY.name].end = 1  # known to be on the broker, and slow
    ticks = [
        Sourced(TICKS.name, 0, number, 0, index_tick("BTC", 100.0, START_US + number * 1_000)) for number in range(9)
    ]
    _hand_over(reader, TICKS.name, ticks)
    now_ms = 0.0
    for _ in range(20):
        order.take_in()
        order.step(now_ms)
        now_ms += 1_000.0
    assert state.market.positions[TICKS.name] < (3, 0), "a tick behind the shard was folded before its gate opened"
    assert not gate_open(state, 0)
    _hand_over(reader, VOLATILITY.name, [Sourced(VOLATILITY.name, 0, 0, 0, smile("BTC", START_US))])
    opened_at = None
    while state.market.positions[TICKS.name] < (8, 0):
        order.take_in()
        before = gate_open(state, 0)
        order.step(now_ms)
        if not before and gate_open(state, 0):
            opened_at = dict(state.market.positions)
    assert opened_at is not None
    assert (opened_at[TICKS.name], opened_at[VOLATILITY.name]) == ((2, 0), (0, 0))
