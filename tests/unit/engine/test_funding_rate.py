"""What the market says a perpetual will pay in eight hours, and what a portfolio says of its contracts."""

from __future__ import annotations

import math

import pytest

from monitor.engine import new_state, open_shard, step
from monitor.engine.portfolio import portfolio_of
from schemas.records import Funding, Heartbeat, Trade
from tests.engine_market import START_US, Log, first_records, opening

HOUR_US = 3_600_000_000


def test_rates_are_scaled_to_eight_hours_and_forgotten_when_old() -> None:
    """A rate of an hour counts eight times; two intervals after its event nobody knows; others pay nothing."""
    log, state = Log(), new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    rate = Funding(
        instrument="BTC-PERPETUAL", underlying="BTC", source="venue", rate=0.0001, interval_ms=3_600_000,
        event_time_us=START_US, received_time_us=START_US,
    )  # fmt: skip
    records = [*opening(), *first_records(("a",)), rate]
    records += [
        Trade(trade_id=name, account="a", instrument=name, quantity=1.0, price=1e5, event_time_us=START_US)
        for name in ("BTC-PERPETUAL", "BTC-INVERSE", "BTC-FUTURE")
    ]
    step(state, [log(record) for record in records])
    account = state.shards[0].accounts["a"]
    (bitcoin,) = portfolio_of(account, state.market).underlyings
    by_name = dict(zip(bitcoin.names, bitcoin.funding_rate_8h.tolist(), strict=True))
    assert by_name["BTC-PERPETUAL"] == pytest.approx(0.0008)
    assert math.isnan(by_name["BTC-INVERSE"])
    assert by_name["BTC-FUTURE"] == by_name[None] == 0.0
    assert dict(zip(bitcoin.names, bitcoin.settlement, strict=True)) == {
        None: None, "BTC-PERPETUAL": "USD", "BTC-INVERSE": "BTC", "BTC-FUTURE": "BTC",
    }  # fmt: skip
    step(state, [log(Heartbeat(source="clock", event_time_us=START_US + 2 * HOUR_US + 1))])
    (bitcoin,) = portfolio_of(account, state.market).underlyings
    assert math.isnan(bitcoin.funding_rate_8h[bitcoin.names.index("BTC-PERPETUAL")])
