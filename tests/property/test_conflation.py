"""Folding every record and evaluating less: the market is the same at all times, and so is what is evaluated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import State, new_state, open_shard, step
from schemas.records import Heartbeat, Input, Trade, Transfer
from tests.engine_market import SPOT_USD, START_US, Log, both, index_tick, opening
from tests.property.test_audit import ACCOUNTS, MODEL_OF, opened, sources

TICK_MODELS = tuple(name for name in ACCOUNTS if not MODEL_OF[name].startswith("D"))


def said(state: State, names: tuple[str, ...]) -> dict[str, tuple[object, ...]]:
    """Conditions and figures of the accounts that are evaluated."""
    return {
        name: (state.book.conditions(name), *map(repr, state.book.figures(name)))
        for name in names if name in state.book
    }  # fmt: skip


def held(state: State) -> dict[str, tuple[object, ...]]:
    """What the accounts have."""
    return {
        name: (account.balances, account.holdings, account.positions)
        for shard in state.shards.values() for name, account in shard.accounts.items()
    }  # fmt: skip


@given(
    seed=st.integers(0, 10_000),
    pace=st.sampled_from([1, 20]),
    cuts=st.lists(st.integers(1, 120), min_size=1, max_size=9),
)  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_any_batches_evaluate_what_single_records_do(seed: int, pace: int, cuts: list[int]) -> None:
    """At each end of a batch the market, positions, conditions and figures are those of a run that left nothing out."""
    records = sources(seed, 120, pace)
    plain, conflated = opened(), opened()
    start = 0
    for length in [*cuts, len(records)]:
        batch = records[start : start + length]
        start += length
        for source in batch:
            step(plain, [source])
        step(conflated, batch, conflate=True)
        assert conflated.market.positions == plain.market.positions
        assert conflated.market.ticks.snapshot() == plain.market.ticks.snapshot()
        assert held(conflated) == held(plain)
        assert said(conflated, TICK_MODELS) == said(plain, TICK_MODELS)
    # Models that are too slow for ticks are run at the points of the pricing grid: from then on they agree, too.
    log = Log(offsets={("market.ticks.v1", 0): 1_000_000})
    beat = log(Heartbeat(source="clock", event_time_us=plain.market.time_us + 60_000_000))
    step(plain, [beat])
    step(conflated, [beat], conflate=True)
    assert said(conflated, ACCOUNTS) == said(plain, ACCOUNTS)
    assert plain.conflated == 0


@pytest.mark.parametrize("seed", range(2))
def test_batches_of_one_record_leave_nothing_out(seed: int) -> None:
    """An evaluation after each record gives the same events, byte for byte, and none says that it stands for others."""
    records = sources(seed, 250)
    state, found = opened(), []
    for source in records:
        found += [item.body for item in step(state, [source], conflate=True)]
    assert found == [item.body for item in step(opened(), records)]
    assert state.conflated == 0
    assert not any("conflated_records" in body for body in found)


def account(quantity: float = 1.0, usd: float = 30_000.0) -> tuple[State, Log]:
    """A long account on BTC in an opened market."""
    state, log = new_state(), Log(partition_of={"a": 0})
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    records: list[Input] = [
        *opening(),
        Transfer(transfer_id="1", account="a", asset="USD", amount=usd, event_time_us=START_US),
        Trade(
            trade_id="1", account="a", instrument="BTC-PERPETUAL", quantity=quantity, price=SPOT_USD["BTC"],
            event_time_us=START_US,
        ),
    ]  # fmt: skip
    assert step(state, [log(record) for record in records]) == []
    return state, log


def bodies(state: State, log: Log, records: list[Input]) -> list[dict[str, Any]]:
    """Events of a batch of records that is conflated, as JSON."""
    return [json.loads(item.body) for item in step(state, [log(record) for record in records], conflate=True)]


def test_an_event_says_how_many_records_it_stands_for() -> None:
    """An event names the last record that moved its account, where all stood, and how many before moved it unseen."""
    state, log = account()
    probe, probe_log = account()
    ticks = [tick for price in range(4) for tick in both("BTC", 80_000.0 + price, START_US + 1 + price)]
    batch: list[Input] = [
        *ticks,
        *both("ETH", 4_001.0, START_US + 5),
        Heartbeat(source="clock", event_time_us=START_US + 10),
    ]
    moved = []
    for record in batch:
        source, before = probe_log(record), probe.market.ticks.index("BTC")
        step(probe, [source])
        if probe.market.ticks.index("BTC") != before:
            moved.append(source.offset)
    assert len(moved) > 4
    last = probe.market.positions["market.ticks.v1"]
    events = bodies(state, log, batch)
    assert events
    for event in events:
        assert event["cause"]["offset"] == moved[-1]
        assert event["positions"]["market.ticks.v1"] == list(last)
        assert event["event_time_us"] == START_US + 10
        assert event["conflated_records"] == len(moved) - 1
    assert state.conflated >= len(moved) - 1


def test_an_account_record_meets_what_was_folded_before_it() -> None:
    """Before a transfer is booked the prices so far are evaluated, so it does not hide the danger that was there."""
    state, log = account()
    rescue = Transfer(transfer_id="2", account="a", asset="USD", amount=200_000.0, event_time_us=START_US + 5)
    prices: list[Input] = [index_tick("BTC", price, START_US + 4) for price in (90_000.0, 75_000.0)]
    prices += [index_tick("BTC", 75_000.0, START_US + 5, "venue-b")]
    events = bodies(state, log, [*prices, rescue, *both("BTC", 76_000.0, START_US + 6)])
    assert events[0]["kind"] == "liquidation"
    assert events[0]["cause"]["topic"] == "market.ticks.v1"
    assert "risk.transfers.v1" in {event["cause"]["topic"] for event in events}


def test_timers_and_minutes_are_not_jumped_over() -> None:
    """A dwell time that ends in the middle of a batch acts at its own moment, under the conditions of that moment."""
    state, log = account()
    plain, plain_log = account()
    records: list[Input] = []
    for second in range(1, 400):
        records += both("BTC", 100_000.0 - 50.0 * second, START_US + second * 1_000_000)
    expected = [json.loads(item.body) for item in step(plain, [plain_log(record) for record in records])]
    found = bodies(state, log, records)
    timers = [event for event in expected if event["cause"]["topic"] == "timer"]
    assert timers
    assert [event["kind"] for event in found] == [event["kind"] for event in expected]
    for event in found:
        if event["cause"]["topic"] == "timer":
            assert "conflated_records" not in event
            assert event["event_time_us"] < state.market.time_us
    assert state.conflated > 300


def test_a_doubtful_index_is_not_jumped_over() -> None:
    """The record that makes an index good again is evaluated, however the prices behind it in the batch are."""
    state, log = account()
    late = START_US + 30_000_000
    fresh: list[Input] = [
        index_tick("BTC", 100_000.0, START_US + 1, venue, max_age_ms=2_000) for venue in ("venue-a", "venue-b")
    ]
    silence = Heartbeat(source="clock", event_time_us=late)
    back = both("BTC", 72_000.0, late + 1)
    events = bodies(state, log, [*fresh, silence, *back, *both("BTC", 100_000.0, late + 2)])
    assert events[0]["kind"] == "liquidation"
    assert events[0]["event_time_us"] == late + 1
    assert not events[0]["data_hold"]


def test_time_meets_what_was_folded_before_it() -> None:
    """Before a point of the pricing grid acts, the prices so far are evaluated, at their own time."""
    state, log = account()
    fall = both("BTC", 75_000.0, START_US + 1_000_000)
    events = bodies(state, log, [*fall, Heartbeat(source="clock", event_time_us=START_US + 70_000_000)])
    assert events[0]["kind"] == "liquidation"
    assert events[0]["event_time_us"] == START_US + 1_000_000
    assert events[0]["cause"]["topic"] == "market.ticks.v1"
