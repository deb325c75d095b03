"""Expiry: who is settled, when, at which price, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from monitor.engine import (
    Sourced,
    collect,
    confirm,
    decode_account,
    decode_marker,
    evaluate_account,
    new_state,
    open_shard,
    rewind,
    step,
)
from monitor.engine.expiries import NEVER_US, Expiries
from monitor.engine.settlement import MEMORY_MINUTES, MINUTE_US
from monitor.engine.state import Account
from schemas.records import AccountEvent, Heartbeat, Input, Instrument, PriceTick, Trade, Transfer
from tests.engine_market import START_US, Log, index_tick, opening

SECOND_US = 1_000_000
EXPIRY_US = START_US + 3_600 * SECOND_US
COMMON: dict[str, Any] = {"underlying": "BTC", "event_time_us": START_US, "expiry_us": EXPIRY_US}
LINEAR: dict[str, Any] = {**COMMON, "settlement": "USD"}
COIN: dict[str, Any] = {**COMMON, "settlement": "BTC", "contract": "inverse"}
CALL = Instrument(instrument="C", type="option", strike=99_000.0, option_type="call", contract_size=0.1, **LINEAR)
PUT = Instrument(instrument="P", type="option", strike=120_000.0, option_type="put", **LINEAR)
COIN_CALL = Instrument(instrument="IC", type="option", strike=90_000.0, option_type="call", **COIN)
COIN_PUT = Instrument(instrument="IP", type="option", strike=125_000.0, option_type="put", contract_size=2.0, **COIN)
FUTURE = Instrument(instrument="F", type="future", contract_size=0.01, **LINEAR)
COIN_FUTURE = Instrument(instrument="IF", type="future", contract_size=10.0, **COIN)
CONTRACTS = (CALL, PUT, COIN_CALL, COIN_PUT, FUTURE, COIN_FUTURE)


class Desk:
    """An engine with one shard and a log; `run` gives the events of records."""

    def __init__(self) -> None:
        self.log = Log()
        self.state = new_state()
        open_shard(self.state, 0, None, [], partitions=1, epoch=1)
        self.told: list[Sourced] = []
        self.run([*opening(), *CONTRACTS])

    def run(self, records: Sequence[Input]) -> list[AccountEvent]:
        sources = [self.log(record) for record in records]
        self.told += sources
        return [msgspec.json.decode(item.body, type=AccountEvent) for item in step(self.state, sources)]

    def account(self, name: str = "a") -> Account:
        return self.state.shards[0].accounts[name]


def both(price: float, time_us: int) -> list[PriceTick]:
    """The same price from two venues that arrives at once, so that heartbeats do not judge it."""
    ticks = [index_tick("BTC", price, time_us, source) for source in ("venue-a", "venue-b")]
    return [msgspec.structs.replace(tick, received_time_us=time_us) for tick in ticks]


def beat(time_us: int) -> Heartbeat:
    return Heartbeat(source="clock", event_time_us=time_us)


def deposit(account: str, amount: float, asset: str = "USD") -> Transfer:
    return Transfer(transfer_id=f"{asset}{amount}", account=account, asset=asset, amount=amount, event_time_us=START_US)


def trade(
    account: str, instrument: str, quantity: float, price: float, time_us: int = START_US, trade_id: str = ""
) -> Trade:
    return Trade(
        trade_id=trade_id or f"{instrument}{quantity}", account=account, instrument=instrument, quantity=quantity,
        price=price, event_time_us=time_us,
    )  # fmt: skip


def window(price: float, *, until_us: int = EXPIRY_US) -> list[Input]:
    """Prices of both venues every minute from before the window on, the last one before `until_us`."""
    times = range(START_US + MINUTE_US, until_us, MINUTE_US)
    return [tick for time_us in times for tick in both(price, time_us)]


def test_every_kind_of_contract_pays_what_it_is_worth_at_the_average() -> None:
    """Two thirds of the window at 100,000 and one third at 130,000 settle at 110,000, each contract in its own way."""
    desk = Desk()
    desk.run([deposit("a", 1e6), deposit("a", 10.0, "BTC")])
    fills = {"C": (30.0, 1_500.0), "P": (-2.0, 900.0), "IC": (4.0, 0.1), "IP": (-3.0, 0.2), "F": (50.0, 101_000.0)}
    desk.run([trade("a", name, *fill) for name, fill in fills.items()] + [trade("a", "IF", -4_000.0, 104_000.0)])
    paid = dict(desk.account().balances)
    change_us = EXPIRY_US - 600 * SECOND_US
    desk.run([*window(100_000.0, until_us=change_us), *both(100_000.0, change_us - SECOND_US)])
    desk.run([tick for k in range(10) for tick in both(130_000.0, change_us + k * MINUTE_US)])
    assert len(desk.account().holdings) == 6
    desk.run([beat(EXPIRY_US + 1)])
    price = 110_000.0
    usd = 30.0 * 0.1 * (price - 99_000.0) - 2.0 * (120_000.0 - price) + 50.0 * 0.01 * (price - 101_000.0)
    coins = 4.0 * (price - 90_000.0) / price - 3.0 * 2.0 * (125_000.0 - price) / price
    coins += -4_000.0 * 10.0 * (1.0 / 104_000.0 - 1.0 / price)
    assert desk.account().holdings == {}
    assert desk.account().balances["USD"] - paid["USD"] == pytest.approx(usd, rel=1e-12)
    assert desk.account().balances["BTC"] - paid["BTC"] == pytest.approx(coins, rel=1e-12)
    evaluation = evaluate_account(desk.state, "a")
    assert evaluation.equity_usd == pytest.approx(
        desk.account().balances["USD"] + desk.account().balances["BTC"] * 130_000.0
    )


def near_call(name: str) -> list[Input]:
    """An account that is healthy while a future stands 4,000 USD above the average, and warned when it settles there.

    Its short perpetual needs 20,000 to 21,000 USD; of the 29,300 of equity 8,000 are the future's.
    """
    mark = PriceTick(
        underlying="BTC", source="x", price_kind="mark", instrument="F", price=104_000.0, max_age_ms=3_600_000,
        event_time_us=EXPIRY_US - 30 * SECOND_US, received_time_us=EXPIRY_US - 30 * SECOND_US,
    )  # fmt: skip
    trades = [trade(name, "F", 200.0, 100_000.0), trade(name, "BTC-PERPETUAL", -1.0, 100_000.0)]
    return [mark, deposit(name, 21_300.0), *trades]


def test_a_settlement_acts_at_the_expiry_however_late_the_next_record_is() -> None:
    """What follows from an expiry in ten silent minutes has its very microsecond and the cause `expiry`."""
    desk = Desk()
    desk.run([*window(100_000.0, until_us=EXPIRY_US - 30 * SECOND_US), *near_call("a")])
    assert desk.account().status == "healthy"
    (warning,) = desk.run([beat(EXPIRY_US + 600 * SECOND_US)])
    assert (warning.kind, warning.event_time_us) == ("warning", EXPIRY_US)
    assert (warning.cause.topic, warning.cause.offset) == ("expiry", -1)
    assert warning.data_quality == ()
    assert warning.equity_usd == pytest.approx(21_300.0)


def test_a_record_of_the_same_microsecond_comes_before_the_settlement() -> None:
    """At the expiry itself positions are still there; a microsecond later they are not."""
    desk = Desk()
    desk.run([deposit("a", 1e6), trade("a", "C", 1.0, 1_000.0), *window(100_000.0), beat(EXPIRY_US)])
    assert list(desk.account().holdings) == ["C"]
    assert evaluate_account(desk.state, "a").data_quality == ()
    desk.run([beat(EXPIRY_US + 1)])
    assert desk.account().holdings == {}


def test_accounts_settle_in_order_and_each_once() -> None:
    """All holders of all contracts of one expiry are settled, in order of their names, and never again."""
    desk = Desk()
    desk.run(window(100_000.0))
    for name in ("c", "a", "b"):
        desk.run([*near_call(name), trade(name, "P", 0.5, 20_000.0), trade(name, "C", -5.0, 1_000.0)])
    events = desk.run([beat(EXPIRY_US + 1)])
    events += desk.run([*both(100_000.0, EXPIRY_US + 2 * SECOND_US), beat(EXPIRY_US + 90 * SECOND_US)])
    settled = [event for event in events if event.cause.topic == "expiry"]
    assert [event.account for event in settled] == ["a", "b", "c"]
    assert {event.event_time_us for event in settled} == {EXPIRY_US}
    for name in ("a", "b", "c"):
        assert desk.account(name).balances["USD"] == pytest.approx(21_300.0)
        assert desk.account(name).holdings.keys() == {"BTC-PERPETUAL"}


def test_a_window_that_was_partly_held_settles_on_the_rest_and_says_so() -> None:
    """Ten stale minutes have no weight, and the event of the settlement carries the flag."""
    desk = Desk()
    desk.run([*window(100_000.0, until_us=EXPIRY_US - 780 * SECOND_US), beat(EXPIRY_US - 60 * SECOND_US)])
    # Silent from 13 minutes before the expiry on: stale after three of them.
    desk.run([near_call("a")[0], *both(100_000.0, EXPIRY_US - 30 * SECOND_US), *near_call("a")])
    (warning,) = desk.run([beat(EXPIRY_US + SECOND_US)])
    assert desk.account().holdings.keys() == {"BTC-PERPETUAL"}
    assert warning.cause.topic == "expiry"
    assert warning.data_quality == ("partly_settled:F",)


def test_without_a_price_a_position_waits_held_and_settles_when_one_comes() -> None:
    """No good index in the whole window: nothing is booked, nothing liquidated; the first good minute settles."""
    desk = Desk()
    desk.run([deposit("a", 1_000.0), trade("a", "C", -1.0, 500.0), trade("a", "BTC-PERPETUAL", 0.01, 100_000.0)])
    events = desk.run([beat(EXPIRY_US + 20 * SECOND_US)])
    assert desk.account().holdings.keys() == {"BTC-PERPETUAL", "C"}
    assert "unsettled:C" in evaluate_account(desk.state, "a").data_quality
    assert not any(event.kind == "liquidation" for event in events)
    back_us = EXPIRY_US + 130 * SECOND_US
    events = desk.run([*both(200_000.0, back_us), *both(110_000.0, back_us + SECOND_US)])
    # The index is good again, but the position is still unsettled: a loss of ten times the equity is held back.
    assert {event.kind for event in events} <= {"warning", "data_hold", "margin_call"}
    assert "unsettled:C" in evaluate_account(desk.state, "a").data_quality
    before_usd = desk.account().balances["USD"]
    end_us = EXPIRY_US + 180 * SECOND_US
    desk.run([beat(end_us)])
    assert "C" in desk.account().holdings
    desk.run([beat(end_us + 1)])
    assert "C" not in desk.account().holdings
    price = (200_000.0 + 49 * 110_000.0) / 50
    assert desk.account().balances["USD"] - before_usd == pytest.approx(-0.1 * (price - 99_000.0), rel=1e-9)
    assert evaluate_account(desk.state, "a").data_quality == ()


def test_a_late_trade_is_booked_and_settled_at_once_at_the_remembered_price() -> None:
    """A fill of before the expiry that comes an hour after it ends as if it had come in time."""
    late, timely = Desk(), Desk()
    for desk in (late, timely):
        desk.run([deposit("a", 50_000.0), *window(100_000.0)])
    fill = trade("a", "IC", 2.0, 0.05, time_us=EXPIRY_US - SECOND_US)
    timely.run([fill, beat(EXPIRY_US + 1)])
    late.run([beat(EXPIRY_US + 1), *both(140_000.0, EXPIRY_US + SECOND_US), beat(EXPIRY_US + 3_600 * SECOND_US)])
    late.run([fill])
    assert late.account().holdings == {}
    assert late.account().balances == timely.account().balances
    assert late.account().balances["BTC"] == pytest.approx(2.0 * (10_000.0 / 100_000.0 - 0.05))


def test_a_trade_that_comes_too_late_to_know_the_price_is_refused() -> None:
    """After a day of later minutes the price is forgotten: the fill becomes a refusal, a repeated one stays silent."""
    desk = Desk()
    known = trade("a", "C", 1.0, 500.0)
    desk.run([deposit("a", 50_000.0), known, *window(100_000.0)])
    end_us = EXPIRY_US + (MEMORY_MINUTES + 2) * MINUTE_US
    for time_us in range(EXPIRY_US, end_us, 60 * MINUTE_US):
        desk.run([beat(time_us), *both(100_000.0 + time_us % 7, time_us)])
    desk.run(both(100_000.0, end_us))
    desk.run([known, trade("a", "C", 2.0, 500.0, time_us=EXPIRY_US - SECOND_US)])
    assert [(item.error_kind, item.source.record) for item in desk.state.rejected] == [
        ("settlement_forgotten", trade("a", "C", 2.0, 500.0, time_us=EXPIRY_US - SECOND_US))
    ]
    assert desk.account().holdings == {}


def test_a_gate_that_opens_after_the_expiry_settles_what_is_still_held() -> None:
    """A stored account with an expired position is settled as soon as its shard is evaluated again."""
    desk = Desk()
    desk.run([deposit("a", 50_000.0), trade("a", "C", 1.0, 500.0), *window(100_000.0)])
    flush = collect(desk.state)
    account = next(value.value for value in flush.values if value.key == b"a")
    confirm(desk.state, flush)
    desk.run([beat(EXPIRY_US + 1)])
    assert desk.account().holdings == {}
    marker = next(value.value for value in collect(desk.state).values if value.key.startswith(b"!"))

    again = new_state()
    open_shard(again, 0, decode_marker(marker), [decode_account(account)], partitions=1, epoch=2)
    step(again, [source for source in desk.told if source.topic.startswith(("market", "risk.parameters"))])
    recovered = again.shards[0].accounts["a"]
    assert recovered.holdings == {}
    assert recovered.balances == desk.account().balances
    assert any(value.key == b"a" for value in collect(again).values)


def test_a_crash_before_the_settlement_was_stored_repeats_it() -> None:
    """A shard recovered at a position before the expiry settles when the market passes it, to the same balance."""
    desk = Desk()
    desk.run([deposit("a", 50_000.0), trade("a", "C", 1.0, 500.0), *window(100_000.0)])
    flush = collect(desk.state)
    values = {value.key: value.value for value in flush.values}
    desk.run([beat(EXPIRY_US + 1)])

    again = new_state()
    marker, account = decode_marker(values[b"!marker/0"]), decode_account(values[b"a"])
    open_shard(again, 0, marker, [account], partitions=1, epoch=2)
    step(again, [source for source in desk.told if source.topic.startswith(("market", "risk.parameters"))])
    assert again.shards[0].accounts["a"].holdings == {}
    assert again.shards[0].accounts["a"].balances == desk.account().balances
    rewind(again)
    step(again, [source for source in desk.told if source.topic.startswith(("market", "risk.parameters"))])
    assert again.shards[0].accounts["a"].balances == desk.account().balances


def test_only_what_is_held_is_waited_for() -> None:
    """A listed contract costs nothing; one that is opened and closed a thousand times is one entry."""
    desk = Desk()
    assert desk.state.expiries.next_us == NEVER_US
    desk.run([deposit("a", 1e6)])
    for number in range(200):
        side = 1.0 if number % 2 == 0 else -1.0
        desk.run([trade("a", "C", side, 500.0, trade_id=str(number))])
    assert desk.state.expiries.next_us == EXPIRY_US
    assert desk.state.expiries.due(EXPIRY_US) == {}
    assert desk.state.expiries.next_us == NEVER_US


def test_expiries_come_by_account_and_contract_in_order() -> None:
    """What is due is sorted; a forgotten account, a released contract and a later one are not in it."""
    expiries = Expiries()
    for account, instrument, at_us in (("b", "y", 5), ("a", "z", 5), ("a", "x", 4), ("c", "x", 4), ("a", "w", 9)):
        expiries.hold(account, instrument, at_us)
    expiries.hold("d", "x", 4)
    expiries.forget("c", ["w", "x"])
    expiries.release("d", "x")
    expiries.release("d", "x")
    assert expiries.next_us == 4
    assert expiries.due(3) == {}
    assert list(expiries.due(5).items()) == [("a", ["x", "z"]), ("b", ["y"])]
    assert expiries.next_us == 9
