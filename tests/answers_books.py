"""Accounts under every margin model over a random market, for tests of answers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from monitor.engine import State, new_state, open_shard, step
from monitor.models.registry import MODELS
from schemas.records import AccountConfig, Input, Trade
from tests.engine_market import START_US, Log, random_market

NAMES = tuple(f"acc-{model.lower()}" for model in MODELS)


def records(seed: int, count: int = 300, pace: int = 40) -> Iterator[Input]:
    """Yield a random market whose accounts have one margin model each."""
    settings: list[Input] = [
        AccountConfig(account=f"acc-{model.lower()}", event_time_us=START_US, margin_model=model)  # type: ignore[arg-type]
        for model in MODELS
    ]
    for number, record in enumerate(random_market(seed, count, NAMES, pace)):
        if not isinstance(record, AccountConfig):
            yield record
        if number == count - 10:  # late: some models take their time with every minute
            yield from settings


@cache
def folded(seed: int, count: int = 300, pace: int = 40) -> State:
    """Return an engine's state after `records`, for whoever only reads it."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in records(seed, count, pace)])
    return state


def holding_most(state: State) -> list[str]:
    """Return the accounts that hold any contract."""
    return [name for name in NAMES if state.shards[0].accounts[name].holdings]


def trades_of(seed: int) -> list[Trade]:
    """Return the fills of a random market."""
    return [record for record in records(seed) if isinstance(record, Trade)]
