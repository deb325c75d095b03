"""What live order holds of the market before it is applied."""

from __future__ import annotations

import asyncio

from monitor.engine import Sourced
from monitor.worker.dead_letters import Letter
from monitor.worker.live_order import LiveOrder
from monitor.worker.liveness import Pulse
from monitor.worker.log_view import LogView
from monitor.worker.market_reader import MarketBatch, MarketReader
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Publisher
from monitor.worker.snapshots import Snapshots
from schemas.topics import INSTRUMENTS, TICKS
from tests.engine_market import START_US, index_tick

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
