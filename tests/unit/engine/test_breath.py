"""Opening many accounts at once tells that it is work."""

from __future__ import annotations

from monitor.engine import Account, Marker, new_state, open_shard, step
from monitor.engine.step import BREATH
from schemas.records import AccountConfig
from tests.engine_market import START_US, Log, opening


def test_a_shard_that_opens_breathes_between_its_accounts() -> None:
    """Every few hundred accounts the caller is told, so that minutes of opening are not taken for a standstill."""
    log, state, breaths = Log(), new_state(), [0]

    def breathe() -> None:
        breaths[0] += 1

    state.breathe = breathe
    count = 3 * BREATH + 1
    accounts = [Account(config=AccountConfig(account=f"a{n}", event_time_us=START_US)) for n in range(count)]
    items = [log(record) for record in opening()]
    last = items[-1]
    open_shard(state, 0, Marker(0, 1, positions={last.topic: last.position}), accounts, partitions=1, epoch=2)
    step(state, items[:-1])
    assert not state.shards[0].open
    step(state, items[-1:])
    assert state.shards[0].open
    assert breaths[0] == 4
