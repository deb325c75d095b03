"""Funding: cumulative indices of perpetuals, and what holders owe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction

import msgspec
import pytest

from monitor.engine import State, collect, decode_marker, evaluate_account, funding, new_state, open_shard, rewind, step
from monitor.engine.composite import RejectedTick, TicksFold
from monitor.engine.ledger import apply_trade, entry_constant, exposures
from monitor.engine.state import Account, Holding, decode_account, encode
from schemas.records import (
    AccountConfig,
    AccountEvent,
    Funding,
    Heartbeat,
    Input,
    Instrument,
    PriceTick,
    Tick,
    Trade,
    Transfer,
)
from tests.engine_market import START_US, Log, index_tick, opening

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
NAME = "BTC-PERPETUAL"
INVERSE = "BTC-INVERSE"


def at(second: float) -> int:
    return START_US + round(second * SECOND_US)


def both(price: float, second: float) -> list[Tick]:
    """An index of two venues that is fresh for a day, and arrives at once."""
    ticks = [index_tick("BTC", price, at(second), source) for source in ("venue-a", "venue-b")]
    return [msgspec.structs.replace(tick, received_time_us=tick.event_time_us, max_age_ms=86_400_000) for tick in ticks]


def rate(
    value: float, second: float, *, name: str = NAME, underlying: str = "BTC", interval_ms: int = 28_800_000,
    received_s: float | None = None,
) -> Funding:  # fmt: skip
    received_us = at(second if received_s is None else received_s)
    return Funding(
        instrument=name, underlying=underlying, source="venue", rate=value, event_time_us=at(second),
        interval_ms=interval_ms, received_time_us=received_us,
    )  # fmt: skip


def beat(second: float) -> Heartbeat:
    return Heartbeat(source="clock", event_time_us=at(second))


def fold_of(*ticks: Tick) -> TicksFold:
    fold = TicksFold()
    for tick in ticks:
        fold.apply(tick)
    return fold


# --- the indices --------------------------------------------------------------------------------


def test_an_interval_costs_the_rate_on_the_mark() -> None:
    """Eight hours of silence at 0.01 % cost 10 USD a coin at 100,000 USD, and 1e-9 coins a dollar of face."""
    fold = fold_of(*both(100_000.0, 0), rate(0.0001, 0), beat(8 * 3_600 + 1))
    assert fold.funding(NAME).usd == pytest.approx(10.0, rel=1e-12)
    assert fold.funding(NAME).coins == pytest.approx(0.0001 / 100_000.0, rel=1e-12)
    assert fold.funding("OTHER") == (0.0, 0.0, 0)


def test_the_mark_of_each_minute_is_index_and_basis() -> None:
    """Minutes are paid at the index times 1 + basis at their end, whatever came in between."""
    mark = PriceTick(
        underlying="BTC", source="x", price_kind="mark", instrument=NAME, price=101_000.0, event_time_us=at(70),
        received_time_us=at(70), max_age_ms=86_400_000,
    )  # fmt: skip
    ticks = [*both(100_000.0, 0), rate(0.001, 0), mark, *both(200_000.0, 121), *both(50_000.0, 179)]
    fold = fold_of(*ticks, beat(241))
    share = 0.001 * 60 / 28_800
    paid = [100_000.0, 100_000.0 * 1.01, 50_000.0 * 1.01, 50_000.0 * 1.01]
    assert fold.funding(NAME).usd == pytest.approx(share * sum(paid), rel=1e-12)
    assert fold.funding(NAME).coins == pytest.approx(share * sum(1 / price for price in paid), rel=1e-12)


def test_a_rate_counts_from_its_second_on() -> None:
    """Rates that change inside a minute are weighed by time; a minute is booked when it is over, not before."""
    fold = fold_of(*both(100_000.0, 0), rate(0.0008, 20), rate(-0.0004, 50, interval_ms=3_600_000), beat(60))
    assert fold.funding(NAME).usd == 0.0
    fold.apply(beat(60.000001))
    earned = Fraction(8, 10_000) * 30 / 28_800 - Fraction(4, 10_000) * 10 / 3_600
    assert fold.funding(NAME).usd == pytest.approx(float(100_000 * earned), rel=1e-12)
    assert fold.funding_us == at(60)


def test_a_late_rate_does_not_change_what_has_been_paid() -> None:
    """A rate that comes late counts from market time on, and one older than the one in force not at all."""
    fold = fold_of(*both(100_000.0, 0), rate(0.0, 0), beat(600), rate(0.001, 300), rate(0.5, 200), beat(661))
    assert fold.funding(NAME).usd == pytest.approx(100_000.0 * 0.001 * 60 / 28_800, rel=1e-12)
    assert fold.late_ticks == 1


def test_a_rate_lives_for_two_intervals() -> None:
    """After two intervals without another one nothing is earned, and the perpetual is flagged until a rate comes."""
    fold = fold_of(*both(100_000.0, 0), rate(0.001, 30, interval_ms=3_600_000), beat(7_230))
    assert not fold.funding_stale(NAME)
    fold.apply(beat(20_000))
    assert fold.funding_stale(NAME)
    assert fold.funding(NAME).usd == pytest.approx(200.0, rel=1e-12)
    fold.apply(rate(0.001, 20_000, interval_ms=3_600_000))
    assert not fold.funding_stale(NAME)
    assert not fold.funding_stale("OTHER")


def test_funding_without_an_index_waits_for_one() -> None:
    """What was earned before there is a price is paid at the first minute that has one."""
    fold = fold_of(rate(0.001, 0), beat(301), *both(100_000.0, 310), beat(361))
    assert fold.funding(NAME).usd == pytest.approx(100_000.0 * 0.001 * 360 / 28_800, rel=1e-12)


@pytest.mark.parametrize("cut_s", [10, 60, 61, 95, 130, 4_000])
def test_a_restored_fold_goes_on_to_the_same_bytes(cut_s: float) -> None:
    """A snapshot taken anywhere, through JSON, ends in the same indices and the same snapshot."""
    ticks = [*both(100_000.0, 0), rate(0.001, 7), rate(-0.002, 95), *both(90_000.0, 130), beat(4_000), beat(9_999)]
    whole = fold_of(*ticks)
    first = fold_of(*(tick for tick in ticks if tick.event_time_us <= at(cut_s)))
    again = TicksFold.restore(json.loads(json.dumps(first.snapshot())))
    for tick in ticks:
        if tick.event_time_us > at(cut_s):
            again.apply(tick)
    assert again.funding(NAME) == whole.funding(NAME)
    assert again.snapshot() == whole.snapshot()


def test_an_underlying_is_reported_when_its_funding_grows() -> None:
    """The record that ends a minute with funding names the underlying; others, and a rate of zero, do not."""
    fold = fold_of(*both(100_000.0, 0), rate(0.0, 0), rate(0.0, 0, name="ETH-P", underlying="ETH"), beat(30))
    assert fold.apply(beat(61)).underlyings == ()
    fold.apply(rate(0.001, 62))
    assert fold.apply(beat(120)).underlyings == ()
    assert fold.apply(beat(121)).underlyings == ("BTC",)


def test_what_has_no_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is ahead, another underlying, and one perpetual too many are refused and change nothing."""
    monkeypatch.setattr(funding, "MAX_PERPETUALS", 1)
    fold = fold_of(*both(100_000.0, 0), rate(0.001, 0))
    before = fold.snapshot()
    for record, kind in (
        (rate(0.5, 100, received_s=90), "clock_ahead"),
        (rate(0.5, 10, underlying="ETH"), "other_underlying"),
        (rate(0.5, 10, name="ANOTHER"), "too_many"),
    ):
        with pytest.raises(RejectedTick) as refusal:
            fold.check(record)
        assert refusal.value.kind == kind
        with pytest.raises(RejectedTick):
            fold.apply(record)
    assert fold.snapshot() == before


# --- holdings -----------------------------------------------------------------------------------

LINEAR = Instrument(
    instrument=NAME, type="perpetual", underlying="BTC", settlement="USDT", contract_size=0.1, event_time_us=START_US
)
COIN = Instrument(
    instrument=INVERSE, type="perpetual", underlying="BTC", settlement="BTC", contract="inverse", contract_size=10.0,
    event_time_us=START_US,
)  # fmt: skip


def fill(account: Account, instrument: Instrument, quantity: float, price: float, index: float) -> None:
    trade = Trade(
        trade_id=str(len(account.recent_ids)), account="a", instrument=instrument.instrument, quantity=quantity,
        price=price, event_time_us=START_US,
    )  # fmt: skip
    assert apply_trade(account, trade, instrument, (index, START_US))


@pytest.fixture
def account() -> Account:
    return Account(config=AccountConfig(account="a", event_time_us=START_US))


def test_a_trade_settles_the_funding_of_the_position_before_it(account: Account) -> None:
    """Long 20 contracts of 0.1 coins from 5 to 35 USD a coin pays 60; the new position starts from there."""
    fill(account, LINEAR, 20.0, 50_000.0, 5.0)
    assert account.balances == {}
    fill(account, LINEAR, 10.0, 50_000.0, 35.0)
    assert account.balances == {"USDT": pytest.approx(-60.0)}
    assert account.holdings[NAME] == Holding(30.0, 50_000.0, -60.0, 0.0, 35.0, START_US)
    fill(account, LINEAR, -30.0, 50_000.0, 25.0)
    assert account.balances == {"USDT": pytest.approx(-60.0 + 30.0)}
    assert account.holdings == {}


def test_an_inverse_perpetual_pays_in_coins(account: Account) -> None:
    """Short 1,000 contracts of 10 USD over 2e-7 coins a dollar receives 0.002 coins."""
    fill(account, COIN, -1_000.0, 50_000.0, 1e-7)
    fill(account, COIN, 1_000.0, 50_000.0, 3e-7)
    assert account.balances == {"BTC": pytest.approx(0.002)}


def test_a_position_gives_back_what_was_there_before_it(account: Account) -> None:
    """Unit values contain the whole index; the entry constant takes out what the holder does not owe."""
    fill(account, LINEAR, 20.0, 50_000.0, 5.0)
    fill(account, COIN, -1_000.0, 50_000.0, 1e-7)
    assert entry_constant(account.holdings[NAME], LINEAR)[0] == pytest.approx(-100_000.0 + 10.0)
    assert entry_constant(account.holdings[INVERSE], COIN)[1] == pytest.approx(-0.2 - 0.001)
    seen = exposures(account, {NAME: LINEAR, INVERSE: COIN})
    assert seen.usd == pytest.approx(-100_000.0 + 10.0)


def test_holdings_of_before_there_was_funding_are_read() -> None:
    """A stored account without the field has paid nothing so far."""
    old = b'{"config":{"account":"a","event_time_us":1760000040000000},"holdings":{"P":{"quantity":2.0}}}'
    assert decode_account(old).holdings["P"].funding_index == 0.0
    assert decode_account(encode(decode_account(old))).holdings["P"].funding_index == 0.0


# --- the engine ---------------------------------------------------------------------------------


def run(state: State, log: Log, records: Sequence[Input]) -> list[AccountEvent]:
    outgoing = step(state, [log(record) for record in records])
    return [msgspec.json.decode(item.body, type=AccountEvent) for item in outgoing]


def trade(name: str, quantity: float, price: float, number: str) -> Trade:
    return Trade(trade_id=number, account="a", instrument=name, quantity=quantity, price=price, event_time_us=START_US)


def test_equity_pays_by_the_minute_and_balances_with_a_trade() -> None:
    """Linear and inverse positions lose their funding minute by minute; a trade moves it to the balance, not equity."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    deposits = [
        Transfer(transfer_id=asset, account="a", asset=asset, amount=amount, event_time_us=START_US)
        for asset, amount in (("USD", 1e6), ("BTC", 5.0))
    ]
    records: list[Input] = [*opening(), *both(100_000.0, 0), *deposits]
    run(state, log, [*records, rate(0.01, 0), rate(-0.02, 0, name=INVERSE)])
    run(state, log, [beat(3_601), trade(NAME, 2.0, 100_000.0, "1"), trade(INVERSE, 30_000.0, 100_000.0, "2")])
    before = evaluate_account(state, "a").equity_usd
    run(state, log, [beat(7_201)])
    linear_usd = 2.0 * 100_000.0 * 0.01 / 8
    inverse_coins = -(300_000.0 / 100_000.0) * 0.02 / 8
    owed = linear_usd + inverse_coins * 100_000.0
    assert before - evaluate_account(state, "a").equity_usd == pytest.approx(owed, rel=1e-9)
    assert evaluate_account(state, "a").underlyings[0].value_usd == pytest.approx(500_000.0 - owed, rel=1e-9)
    held = dict(state.shards[0].accounts["a"].balances)
    paid = evaluate_account(state, "a").equity_usd
    run(state, log, [trade(NAME, -1.0, 100_000.0, "3"), trade(INVERSE, 10_000.0, 100_000.0, "4")])
    assert evaluate_account(state, "a").equity_usd == pytest.approx(paid, rel=1e-12)
    account = state.shards[0].accounts["a"]
    assert held["USD"] - account.balances["USD"] == pytest.approx(linear_usd, rel=1e-9)
    assert held["BTC"] - account.balances["BTC"] == pytest.approx(inverse_coins, rel=1e-9)


def test_funding_alone_can_end_in_a_call() -> None:
    """A long that pays 3 % an hour is warned when a minute is over, through silence and with the cause `time`."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    deposit = Transfer(transfer_id="d", account="a", asset="USD", amount=25_000.0, event_time_us=START_US)
    run(state, log, [*opening(), *both(100_000.0, 0), deposit, trade(NAME, 1.0, 100_000.0, "1")])
    requirement = evaluate_account(state, "a").im_requirement_usd
    events = run(state, log, [rate(0.03, 0, interval_ms=3_600_000), beat(7_200)])
    assert [event.kind for event in events][:2] == ["warning", "margin_call"]
    warned, called = events[:2]
    minutes = next(k for k in range(1, 120) if requirement >= 0.9 * (25_000.0 - k * 50.0))
    assert (warned.event_time_us, warned.cause.topic) == (at(60 * minutes) + 1, "time")
    minutes = next(k for k in range(1, 120) if requirement >= 25_000.0 - k * 50.0)
    assert (called.event_time_us, called.cause.topic) == (at(60 * minutes) + 1 + SECOND_US, "timer")
    assert evaluate_account(state, "a").data_quality == ()
    run(state, log, [*both(100_000.0, 7_200), beat(7_201)])
    assert evaluate_account(state, "a").data_quality == (f"stale_funding:{NAME}",)


def test_a_count_that_is_lost_begins_again() -> None:
    """When the first ticks are deleted and a shard is taken over, positions owe what the new count says, not less."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    deposit = Transfer(transfer_id="d", account="a", asset="USD", amount=1e6, event_time_us=START_US)
    run(state, log, [*opening(), *both(100_000.0, 0), deposit, rate(0.01, 0), beat(3_601)])
    run(state, log, [trade(NAME, 2.0, 100_000.0, "1")])
    holding = state.shards[0].accounts["a"].holdings[NAME]
    assert holding.funding_index > 0.0
    assert holding.funding_since_us == START_US
    kept = {value.key: value.value for value in collect(state).values}

    later, log = new_state(), Log()
    marker = decode_marker(kept[b"!marker/0"])
    marker.positions = {"market.ticks.v1": (3, 0)}  # the last tick of what is left of the topic's beginning
    account = decode_account(kept[b"a"])
    account.positions = {}
    open_shard(later, 0, marker, [account], partitions=1, epoch=2)
    run(later, log, opening())
    assert account.holdings[NAME].funding_since_us == 0
    run(later, log, [*both(100_000.0, 7_200), rate(0.01, 7_200), beat(7_200 + 28_801)])
    assert evaluate_account(later, "a").equity_usd == pytest.approx(1e6 - 2.0 * 100_000.0 * 0.01)


def test_a_take_over_of_the_same_count_changes_nothing() -> None:
    """A shard whose topics are whole goes on with the index that it remembers."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    deposit = Transfer(transfer_id="d", account="a", asset="USD", amount=1e6, event_time_us=START_US)
    records: list[Input] = [*opening(), *both(100_000.0, 0), rate(0.01, 0), beat(3_601)]
    market = [log(record) for record in records]
    step(state, market)
    run(state, log, [deposit, trade(NAME, 2.0, 100_000.0, "1")])
    before = encode(state.shards[0].accounts["a"])
    rewind(state)
    step(state, market)
    holding = state.shards[0].accounts["a"].holdings[NAME]
    assert holding == decode_account(before).holdings[NAME]
    assert holding.funding_index > 0.0


def test_an_underlying_changes_with_its_rates() -> None:
    """A rate that comes, and the minute at whose end one is not believed any more, are changes of the underlying."""
    fold = fold_of(*both(100_000.0, 0), beat(30))
    assert fold.apply(rate(0.0, 30, interval_ms=600_000)).underlyings == ("BTC",)
    assert not fold.apply(rate(0.0, 20, interval_ms=600_000)).underlyings
    assert fold.apply(rate(0.0, 30, interval_ms=600_000)).underlyings == ("BTC",)
    for second in (60, 1_230, 1_260):
        fold.apply(beat(second))
    assert not fold.funding_stale(NAME)
    assert fold.apply(beat(1_260.000001)).underlyings == ("BTC",)
    assert fold.funding_stale(NAME)
    assert not fold.apply(beat(1_400)).underlyings
