"""A market whose records the broker has deleted decides nothing."""

from __future__ import annotations

import json

from monitor.engine import new_state, open_shard, step
from schemas.records import Trade, Transfer
from tests.engine_market import SPOT_USD, START_US, Log, both, opening


def test_an_account_is_held_and_not_liquidated_while_records_are_missing() -> None:
    """What would be a liquidation is a data_hold that names the topic, for as long as the market is the same."""
    kinds = {}
    for lost in ((), ("market.ticks.v1",)):
        log, state = Log(), new_state()
        state.market.lost = lost
        open_shard(state, 0, None, [], partitions=1, epoch=1)
        spot = SPOT_USD["BTC"]
        records = [
            *opening(),
            Transfer(transfer_id="1", account="a", asset="USD", amount=21_000.0, event_time_us=START_US),
            Trade(
                trade_id="1", account="a", instrument="BTC-PERPETUAL", quantity=1.0, price=spot, event_time_us=START_US
            ),
            *both("BTC", 0.9 * spot, START_US + 1_000_000), *both("BTC", 0.85 * spot, START_US + 2_000_000),
        ]  # fmt: skip
        bodies = [json.loads(event.body) for event in step(state, [log(record) for record in records])]
        kinds[lost] = [body["kind"] for body in bodies]
        if lost:
            assert any("lost_records:market.ticks.v1" in str(body) for body in bodies)
    assert "liquidation" in kinds[()]
    assert "data_hold" in kinds["market.ticks.v1",]
    assert "liquidation" not in kinds["market.ticks.v1",]
