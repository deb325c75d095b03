"""The book against accounts computed from nothing: nothing is found in a sound one, and what was altered in another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import Sourced, State, new_state, open_shard, step
from monitor.engine.audit import audit
from schemas.records import AccountConfig, MarginModel
from tests.engine_market import START_US, Log, both, random_market

ACCOUNTS = tuple(f"acct-{number}" for number in range(len(get_args(MarginModel))))
MODEL_OF = dict(zip(ACCOUNTS, get_args(MarginModel), strict=True))
PARTITION_OF = {name: number % 2 for number, name in enumerate(ACCOUNTS)}


def sources(seed: int, records: int, pace: int = 1) -> list[Sourced]:
    """A random market with an account of every model; event times never fall."""
    log, found, named = Log(partition_of=PARTITION_OF), [], False
    for record in random_market(seed, records, ACCOUNTS, pace):
        if not named and record.event_time_us > START_US:
            named = True
            found += [
                log(AccountConfig(account=name, event_time_us=START_US, margin_model=model))
                for name, model in MODEL_OF.items()
            ]
        found.append(log(record))
    return found


def opened() -> State:
    """A state with two empty shards."""
    state = new_state()
    for partition in (0, 1):
        open_shard(state, partition, None, [], partitions=2, epoch=1)
    return state


@pytest.mark.parametrize("pace", [1, 20])
@pytest.mark.parametrize("seed", range(3))
def test_a_sound_book_agrees_at_every_moment(seed: int, pace: int) -> None:
    """Over trades, transfers, prices, volatilities, expiries and time, no account of any model differs."""
    state, valued = opened(), dict.fromkeys(ACCOUNTS, 0)
    for number, source in enumerate(sources(seed, 300, pace)):
        step(state, [source])
        if number % 9 == 0:
            assert audit(state, ACCOUNTS) == []
            for name in ACCOUNTS:
                if name in state.book:
                    valued[name] += math.isfinite(state.book.figures(name)[1])
    # Returns of the past that model D-history draws from take days: it has figures before it has positions.
    assert min(count for name, count in valued.items() if MODEL_OF[name] != "D-history") > 10


@given(seed=st.integers(0, 10_000), every=st.integers(1, 60))
@settings(max_examples=5, deadline=None)
def test_audits_change_no_event(seed: int, every: int) -> None:
    """With audits anywhere in between, the events are the same, byte for byte."""
    records = sources(seed, 120)
    expected = [item.body for item in step(opened(), records)]
    state, found = opened(), []
    for start in range(0, len(records), every):
        audit(state, ACCOUNTS)
        found += [item.body for item in step(state, records[start : start + every])]
    assert found == expected


def _equity(state: State, row: int) -> None:
    state.book._figures.value[row, 0] *= 1.0 + 1e-9


def _requirement(state: State, row: int) -> None:
    state.book._figures.upper[row, 0] -= 0.01


def _maintenance(state: State, row: int) -> None:
    state.book._figures.lower[row, 0] += 0.01


def _condition(state: State, row: int) -> None:
    state.book._figures.flags[row] ^= 1


def _cash(state: State, row: int) -> None:
    state.book._figures.cash[row] += 0.01


@pytest.mark.parametrize("alter", [_equity, _requirement, _maintenance, _condition, _cash])
@pytest.mark.parametrize("name", ["acct-0", "acct-11"])
def test_an_altered_figure_is_found(alter: Callable[[State, int], None], name: str) -> None:
    """A figure that the market did not put there is a difference of its account, and of no other."""
    state = opened()
    step(state, sources(2, 300))
    assert audit(state, ACCOUNTS) == []
    state.book.figures(name)
    alter(state, state.book._row_of[name])
    log = Log(offsets={("market.ticks.v1", 0): 1_000_000})
    if alter is _cash:  # seen in the figures after the next price
        step(state, [log(tick) for tick in both("BTC", 91_000.0, state.market.time_us)])
    found = audit(state, ACCOUNTS)
    assert [difference.account for difference in found] == [name]
    assert found[0].book != found[0].anew
    assert found[0].gross_usd > 1_000.0


def test_a_stale_quantity_is_found() -> None:
    """A position that a sweep reads and the account does not have is found once a price has moved its account."""
    state = opened()
    step(state, sources(2, 300))
    column = next(one for one in state.book._columns if one.underlying == "BTC" and one.swept and one.has_accounts)
    segments = state.book._segments
    slot = int(next(slot for slot in segments.live(column.index) if segments.stop[slot] > segments.start[slot]))
    segments.quantity[segments.start[slot]] += 0.001
    victim = state.book._name_of[int(segments.account[slot])]
    log = Log(offsets={("market.ticks.v1", 0): 1_000_000})
    step(state, [log(tick) for tick in both("BTC", 91_000.0, state.market.time_us)])
    assert [difference.account for difference in audit(state, ACCOUNTS)] == [victim]
