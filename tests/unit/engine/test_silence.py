"""Silence: nothing but heartbeats comes, and everything that is due acts at its own moment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from monitor.engine import State, evaluate_account, new_state, open_shard, step
from schemas.records import Funding, Heartbeat, Input, Instrument, Trade, Transfer
from tests.engine_market import START_US, Log, both, opening

SECOND_US = 1_000_000
SILENCE_S = 600
STALE_S = 180  # how long the prices of `both` are fresh
PERPETUAL = "BTC-PERPETUAL"


def transfer(amount: float, number: str = "d") -> Transfer:
    return Transfer(transfer_id=number, account="a", asset="USD", amount=amount, event_time_us=START_US)


def trade(quantity: float, name: str = PERPETUAL, price: float = 100_000.0, number: str = "t") -> Trade:
    return Trade(trade_id=number, account="a", instrument=name, quantity=quantity, price=price, event_time_us=START_US)


def rate(value: float) -> Funding:
    return Funding(
        instrument=PERPETUAL, underlying="BTC", source="venue", rate=value, interval_ms=3_600_000,
        event_time_us=START_US,
    )  # fmt: skip


def beats(spacing_s: float) -> list[Input]:
    """Heartbeats through the silence and one at its end."""
    count = int(SILENCE_S / spacing_s)
    times = [round(k * spacing_s * SECOND_US) for k in range(1, count + 1)]
    times = [*(time for time in times if time < SILENCE_S * SECOND_US), SILENCE_S * SECOND_US]
    return [Heartbeat(source="clock", event_time_us=START_US + time) for time in times]


def run(before: Sequence[Input], spacing_s: float) -> tuple[list[dict[str, Any]], State]:
    """Events of the silence, without the positions they name, and the state at its end."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in [*opening(), *before]])
    events = []
    for outgoing in step(state, [log(record) for record in beats(spacing_s)]):
        event = json.loads(outgoing.body)
        del event["positions"]
        events.append(event)
    return events, state


def told(events: list[dict[str, Any]]) -> list[tuple[str, float, str]]:
    """Kind, seconds since the start, and cause."""
    return [(e["kind"], (e["event_time_us"] - START_US) / SECOND_US, e["cause"]["topic"]) for e in events]


# An account of 19,500 USD is short of the 20,000 that a perpetual needs: warned with its trade.
SHORT_OF_MARGIN: list[Input] = [transfer(19_500.0), trade(1.0)]
# Liquidated at 88,000, then given so much that it has recovered, and is far from any trouble.
RECOVERED: list[Input] = [
    transfer(25_000.0), trade(1.0), *both("BTC", 88_000.0, START_US), transfer(60_000.0, "more"),
]  # fmt: skip
# The same, but what is left is a warning.
BARELY_RECOVERED: list[Input] = [*RECOVERED[:-1], transfer(6_300.0, "more")]


@pytest.mark.parametrize("spacing_s", [1.0, 7.3, 61.0, 600.0])
class TestTimers:
    def test_a_call_comes_when_its_second_is_over(self, spacing_s: float) -> None:
        """The dwell of a call ends a second after the trade, whatever heartbeats come."""
        events, _ = run(SHORT_OF_MARGIN, spacing_s)
        assert told(events) == [("margin_call", 1.0, "timer")]

    def test_a_recovery_lasts_a_minute_and_steps_down_once(self, spacing_s: float) -> None:
        """An account that is well again is healthy after the 60 s of its recovery."""
        events, _ = run(RECOVERED, spacing_s)
        assert told(events) == [("resolved", 60.0, "timer")]

    def test_a_recovery_that_is_none_ends_in_what_is_left(self, spacing_s: float) -> None:
        """With little margin left the minute ends in a warning."""
        events, _ = run(BARELY_RECOVERED, spacing_s)
        assert told(events) == [("warning", 60.0, "timer")]

    def test_stale_data_hold_a_liquidation_back_and_call_a_human(self, spacing_s: float) -> None:
        """Funding eats an account up after its index has become stale: held at that minute, a human 300 s later."""
        records: list[Input] = [transfer(20_500.0), trade(1.0), *both("BTC", 100_000.0, START_US), rate(0.75)]
        events, state = run(records, spacing_s)
        kinds = told(events)
        assert [kind for kind, _, _ in kinds] == ["margin_call", "data_hold", "data_hold"]
        assert kinds[1:] == [("data_hold", 240.000001, "time"), ("data_hold", 540.000001, "timer")]
        assert "stale:BTC" in events[1]["data_quality"]
        assert "human" in events[2]["reason"]
        assert state.shards[0].accounts["a"].data_hold

    def test_prices_are_stale_a_microsecond_after_their_age(self, spacing_s: float) -> None:
        """Flags appear when the age is exceeded; an option loses its time value minute by minute meanwhile."""
        state, log = new_state(), Log()
        open_shard(state, 0, None, [], partitions=1, epoch=1)
        step(state, [log(r) for r in [*opening(), transfer(20_000.0), trade(1.0, "BTC-C", 0.03)]])
        flagged_us = 0
        values = set()
        for record in beats(spacing_s):
            step(state, [log(record)])
            evaluation = evaluate_account(state, "a")
            values.add(evaluation.underlyings[0].value_usd)
            assert (state.market.time_us > START_US + STALE_S * SECOND_US) == ("stale:BTC" in evaluation.data_quality)
            flagged_us = flagged_us or (state.market.time_us if evaluation.data_quality else 0)
        assert flagged_us - START_US - STALE_S * SECOND_US <= spacing_s * SECOND_US
        assert len(values) == min(SILENCE_S // 60, len(beats(spacing_s))) + (spacing_s < 60)

    def test_an_expiry_acts_in_silence(self, spacing_s: float) -> None:
        """A short call that ends worthless leaves a healthy account at its expiry's very time value."""
        expiry_us = START_US + 150 * SECOND_US
        call = Instrument(
            instrument="SOON", type="option", underlying="BTC", settlement="USD", strike=110_000.0, option_type="call",
            expiry_us=expiry_us, event_time_us=START_US,
        )  # fmt: skip
        events, state = run([call, transfer(20_000.0), trade(-1.0, "SOON", 10.0)], spacing_s)
        account = state.shards[0].accounts["a"]
        assert account.holdings == {}
        assert account.balances == {"USD": 20_010.0}
        assert account.status == "healthy"
        assert all(event["event_time_us"] <= expiry_us + 60 * SECOND_US for event in events)


@pytest.mark.parametrize("before", [SHORT_OF_MARGIN, RECOVERED, BARELY_RECOVERED])
def test_spacing_decides_nothing(before: list[Input]) -> None:
    """Ten minutes of heartbeats give the same events to the byte, but for positions, however they are spaced."""
    reference, _ = run(before, 7.0)
    for spacing_s in (2.9, 59.99, 600.0):
        assert run(before, spacing_s)[0] == reference
