"""A burst beyond what a worker can evaluate record by record."""

from __future__ import annotations

import itertools
import json
import sys

import pytest

from schemas.codec import encode_frame
from schemas.records import Heartbeat, Input, PriceTick, Trade
from schemas.topics import TICKS
from tests.engine_market import SPOT_USD, START_US, index_tick
from tests.integration.worker.deployment import ACCOUNTS, Deployment, check_events, check_positions, market
from tests.integration.worker.support import eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]  # only what hangs takes so long

TICKS_OF_BURST = 20_000
FRAME = 500
TRADES_OF_BURST = 40


def falling(start_us: int) -> list[PriceTick | Heartbeat]:
    """A fall by two fifths in 200 s of market time, from two venues in turn, with a heartbeat each second."""
    records: list[PriceTick | Heartbeat] = []
    for number in range(TICKS_OF_BURST):
        time_us = start_us + number * 10_000
        if number % 100 == 0:
            records.append(Heartbeat(source="clock", event_time_us=time_us))
        price = round(SPOT_USD["BTC"] * (1.0 - 0.4 * number / TICKS_OF_BURST), 2)
        records.append(index_tick("BTC", price, time_us, "venue-a" if number % 2 else "venue-b"))
    return records


def trades(start_us: int) -> list[Input]:
    """Trades at every price of the fall."""
    return [
        Trade(
            trade_id=f"burst-{number}", account=ACCOUNTS[number % len(ACCOUNTS)], instrument="BTC-PERPETUAL",
            quantity=0.01, price=90_000.0, event_time_us=start_us + number * 200_000_000 // TRADES_OF_BURST,
        )
        for number in range(TRADES_OF_BURST)
    ]  # fmt: skip


def test_a_burst_is_declared_conflated_marked_and_recovered_from(deployment: Deployment) -> None:
    """Trades are all applied, events say how many records they stand for, and the lag is gone in the end."""
    deployment.publish(itertools.islice(market(seed=13), 200))
    worker = deployment.spawn([
        sys.executable, "-m", "tests.integration.worker.slow_worker", *deployment.arguments(),
    ])  # fmt: skip
    worker.wait_for("ready")
    deployment.wait_until_caught_up()
    start_us = START_US + 60_000_000
    ticks = falling(start_us)
    frames = [(0, None, encode_frame(ticks[at : at + FRAME])) for at in range(0, len(ticks), FRAME)]
    deployment.broker.produce(f"{deployment.prefix}{TICKS.name}", frames)
    deployment.publish(trades(start_us))
    worker.wait_for("overload")
    worker.wait_for("overload_over")
    deployment.wait_until_caught_up()
    eventually(lambda: deployment.events_so_far() > 0, 120)
    assert worker.terminate() == 0

    last = worker.wait_for_last("progress")
    assert (last["overloaded"], last["sound"]) == (0, True)
    assert last["overloads"] == len(worker.said("overload"))
    assert last["conflated"] > TICKS_OF_BURST / 4
    assert last["audited"] > 0
    state = deployment.state()
    events = deployment.events()
    check_events(events, state)
    check_positions(deployment.published, state)
    assert not deployment.dead_letters()
    marked = [json.loads(event.value or b"").get("conflated_records", 0) for event in events]
    assert 0 < max(marked) < TICKS_OF_BURST
