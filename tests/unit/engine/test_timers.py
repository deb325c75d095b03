"""The heap of timers: bounded, and what it drops was not in force."""

from __future__ import annotations

import json
from typing import Any

from monitor.engine import new_state, open_shard, step
from monitor.engine.transitions import TIMERS_ROOM
from schemas.records import Heartbeat, Trade, Transfer
from tests.engine_market import SPOT_USD, START_US, Log, both, opening


def test_timers_of_an_account_that_goes_to_and_fro_do_not_pile_up() -> None:
    """An account that crosses a threshold thousands of times within a dwell leaves few entries; the last one fires."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in opening()])
    entry: dict[str, Any] = {"account": "a", "event_time_us": START_US}
    step(state, [log(Transfer(transfer_id="1", asset="USD", amount=30_000.0, **entry))])
    trade = Trade(trade_id="1", instrument="BTC-PERPETUAL", quantity=1.0, price=SPOT_USD["BTC"], **entry)
    step(state, [log(trade)])
    equity, requirement, _ = state.book.figures("a")
    # Equity falls by a dollar with each dollar of the price; the requirement by its share of the price.
    share = requirement / SPOT_USD["BTC"]
    called = SPOT_USD["BTC"] - (equity - requirement) / (1.0 - share)
    time_us, longest = START_US, 0
    for _ in range(1_100):
        for price in (called - 50.0, called + 50.0):
            time_us += 100
            step(state, [log(tick) for tick in both("BTC", round(price, 2), time_us)])
            longest = max(longest, len(state.shards[0].timers))
    assert TIMERS_ROOM < longest <= TIMERS_ROOM + 3
    since_us = time_us + 100
    assert step(state, [log(tick) for tick in both("BTC", round(called - 50.0, 2), since_us)]) == []
    events = step(state, [log(Heartbeat(source="clock", event_time_us=since_us + 5_000_000))])
    told = [json.loads(item.body) for item in events]
    assert [(event["kind"], event["event_time_us"]) for event in told] == [("margin_call", since_us + 1_000_000)]
