"""What live order holds of the market before it is applied."""

from __future__ import annotations

import asyncio

from monitor.engine import Sourced
from monitor.worker.dead_letters import Letter
from monitor.worker.live_order import LiveOrder
from monitor.worker.log_view import LogView
from monitor.worker.market_reader import MarketBatch, MarketReader
from monitor.worker.options import WorkerOptions
from schemas.topics import TICKS
from tests.engine_market import START_US, index_tick

OPTIONS = WorkerOptions(broker="b:1", partitions=1)


def test_refused_rows_count_until_they_are_taken_in() -> None:
    """Rows that do not decode fill the reader's share as records do: a topic of rubbish does not fill the memory."""
    reader = MarketReader(OPTIONS, asyncio.Event())
    order = LiveOrder(OPTIONS, LogView(OPTIONS.broker, OPTIONS.group), reader)
    letter = Letter(TICKS.name, 0, 0, 0, "bad_json", "", None, b"{")
    record = Sourced(TICKS.name, 0, 1, 0, index_tick("BTC", 100.0, START_US))
    topic = reader._topics[TICKS.name]
    reader._hand_over(topic, 0, MarketBatch(TICKS.name, [record], [letter, letter]))
    assert topic.held == 3
    assert order.take_in() == [letter, letter]
    assert topic.held == 1
