"""When the engine task flushes."""

from __future__ import annotations

import asyncio
from typing import Any

from monitor.worker.engine_task import MARKER_INTERVAL_MS, STATE_INTERVAL_MS, Engine
from monitor.worker.intake import Delivered, Intake
from monitor.worker.options import WorkerOptions
from schemas.topics import TRADES

OPTIONS = WorkerOptions(broker="b:1", partitions=1)


class Orders:
    """No state and no shard: a flush is due for what the task has noted alone."""

    states = ()
    shards: dict[int, Any] = {}  # noqa: RUF012 (never written to)


def test_states_wait_for_more_records_of_a_backlog() -> None:
    """What changed is written soon if nothing else comes, and if it does with the rest of a backlog, within a bound."""
    wake = asyncio.Event()
    nothing: Any = None
    intake = Intake(100, wake)
    orders: Any = Orders()
    engine = Engine(OPTIONS, nothing, orders, intake, nothing, nothing, nothing, wake)
    engine._dirty_since_ms = 1_000.0
    assert not engine._flush_due(1_000.0 + STATE_INTERVAL_MS - 1.0)
    assert engine._flush_due(1_000.0 + STATE_INTERVAL_MS)
    message = Delivered(TRADES.name, 0, 0, 1, None, b"", [], [])
    intake.admit(message)
    assert not engine._flush_due(1_000.0 + STATE_INTERVAL_MS)
    assert engine._flush_due(1_000.0 + MARKER_INTERVAL_MS)
    intake.release(message.weight)
    assert engine._flush_due(1_000.0 + STATE_INTERVAL_MS)
