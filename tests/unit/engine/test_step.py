"""`step`: from records to events, positions, gates and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest

from monitor.engine import (
    Marker,
    Sourced,
    State,
    close_shard,
    collect,
    confirm,
    decode_account,
    decode_marker,
    evaluate_account,
    gate_open,
    new_state,
    open_shard,
    pending,
    rewind,
    step,
    urgent,
)
from monitor.engine.state import Account
from schemas.records import (
    START,
    AccountConfig,
    AccountEvent,
    AccountState,
    Heartbeat,
    Input,
    MarginModel,
    Trade,
    Transfer,
)
from tests.engine_market import START_US, Log, both, index_tick, opening

SECOND_US = 1_000_000


def _state() -> State:
    state = new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    return state


def _run(state: State, log: Log, records: Sequence[Input]) -> list[AccountEvent]:
    outgoing = step(state, [log(record) for record in records])
    return [msgspec.json.decode(item.body, type=AccountEvent) for item in outgoing]


def _long(account: str, quantity: float, deposit: float) -> list[Input]:
    """One long perpetual under model A, whose requirement can be added up by hand."""
    return [
        AccountConfig(account=account, margin_model="A", event_time_us=START_US),
        Transfer(transfer_id="1", account=account, asset="USD", amount=deposit, event_time_us=START_US),
        Trade(
            trade_id="1",
            account=account,
            instrument="BTC-PERPETUAL",
            quantity=quantity,
            price=100_000.0,
            event_time_us=START_US,
        ),
    ]


def test_a_falling_price_takes_an_account_from_warning_to_call_to_liquidation() -> None:
    """A long account is warned, called after one second of shortfall, liquidated at maintenance, each once."""
    state, log = _state(), Log()
    events = _run(state, log, [*opening(), *_long("a", 1.0, 20_000.0)])
    assert events == []
    for second in range(1, 80):
        events += _run(state, log, [*both("BTC", 100_000.0 - 100.0 * second, START_US + second * SECOND_US)])
    assert [event.kind for event in events] == ["warning", "margin_call", "liquidation"]
    assert [event.sequence for event in events] == [1, 2, 3]
    warning, call, liquidation = events
    # One long perpetual: IM = 16 % scan + 1 % roll of the notional, MM = 0.8 IM, equity = deposit + P&L.
    assert warning.equity_usd == pytest.approx(20_000.0 - (100_000.0 - warning.underlyings[0].index_price))
    assert warning.im_requirement_usd == pytest.approx(0.17 * warning.underlyings[0].index_price)
    assert call.cause.topic == "timer"
    assert liquidation.mm_requirement_usd == pytest.approx(0.8 * liquidation.im_requirement_usd)
    assert liquidation.mm_requirement_usd >= liquidation.equity_usd
    assert liquidation.shortfall_usd == pytest.approx(liquidation.mm_requirement_usd - liquidation.equity_usd)
    assert not liquidation.jump


def test_a_gap_liquidates_at_once_and_is_marked_as_a_jump() -> None:
    """A liquidation without an earlier call in its episode says so."""
    state, log = _state(), Log()
    _run(state, log, [*opening(), *_long("a", 1.0, 20_000.0)])
    events = _run(state, log, both("BTC", 92_000.0, START_US + SECOND_US))
    assert [(event.kind, event.jump) for event in events] == [("liquidation", True)]


@pytest.mark.parametrize("model", ["A", "P"])
def test_an_account_that_traded_before_the_first_price_is_judged_by_it(model: MarginModel) -> None:
    """What could not be valued yet leaves nothing behind that hides the account later."""
    state, log = _state(), Log()
    records = [
        *opening(priced=("ETH",)),
        AccountConfig(account="a", margin_model=model, event_time_us=START_US),
        *_long("a", 1.0, 9_000.0)[1:],
        Trade(trade_id="2", account="a", instrument="ETH-PERPETUAL", quantity=-0.1, price=4_000.0,
              event_time_us=START_US),
    ]  # fmt: skip
    assert _run(state, log, records) == []
    events = _run(state, log, both("BTC", 100_000.0, START_US + SECOND_US))
    assert [(event.kind, event.sequence) for event in events] == [("liquidation", 1)]


def test_equity_is_the_dollar_balance_plus_the_value_of_every_underlying() -> None:
    """The parts of an evaluation add up to its equity and requirement."""
    state, log = _state(), Log()
    records = [
        *opening(),
        *_long("a", 0.5, 50_000.0),
        Transfer(transfer_id="2", account="a", asset="ETH", amount=3.0, event_time_us=START_US),
        Trade(
            trade_id="2", account="a", instrument="ETH-INVERSE", quantity=-800.0, price=4_100.0, event_time_us=START_US
        ),
        Trade(trade_id="3", account="a", instrument="BTC-P", quantity=-0.2, price=0.02, event_time_us=START_US),
    ]
    _run(state, log, records)
    evaluation = evaluate_account(state, "a")
    cash = state.shards[0].accounts["a"].balances["USD"]
    parts = evaluation.underlyings
    assert {part.underlying for part in parts} == {"BTC", "ETH"}
    assert cash + sum(part.value_usd for part in parts) == pytest.approx(evaluation.equity_usd, rel=1e-12)
    assert sum(part.im_usd for part in parts) == pytest.approx(evaluation.im_requirement_usd, rel=1e-12)
    # The inverse short: 3 coins, and 8,000 USD of face sold at 4,100: unrealised 8000 (1/4000 - 1/4100) coins.
    ether = next(part for part in parts if part.underlying == "ETH")
    coins = 3.0 + 8_000.0 * (1.0 / 4_000.0 - 1.0 / 4_100.0)
    assert ether.value_usd == pytest.approx(coins * 4_000.0, rel=1e-12)


def test_a_record_at_or_below_a_position_changes_nothing() -> None:
    """Delivering every record a second time gives no event and leaves every account as it was."""
    state, log = _state(), Log()
    sources = [log(record) for record in [*opening(), *_long("a", 1.0, 20_000.0), *both("BTC", 97_000.0, START_US + 1)]]
    step(state, sources)
    before = collect(state)
    confirm(state, before)
    assert step(state, sources) == []
    assert not collect(state).accounts


def test_an_unknown_instrument_is_refused_with_its_reason_and_applies_nothing() -> None:
    """A trade in an unlisted instrument becomes a refusal; the record after it is applied."""
    state, log = _state(), Log()
    bad = Trade(trade_id="9", account="a", instrument="NOPE", quantity=1.0, price=1.0, event_time_us=START_US)
    _run(state, log, [*opening(), bad, *_long("a", 1.0, 20_000.0)])
    assert [(item.source.record, item.error_kind) for item in state.rejected] == [(bad, "unknown_instrument")]
    assert urgent(state)
    assert list(state.shards[0].accounts["a"].holdings) == ["BTC-PERPETUAL"]


def test_a_refused_account_record_leaves_no_account_behind() -> None:
    """An account whose only record was refused does not exist."""
    state, log = _state(), Log()
    bad = Trade(trade_id="9", account="ghost", instrument="NOPE", quantity=1.0, price=1.0, event_time_us=START_US)
    _run(state, log, [*opening(), bad])
    assert "ghost" not in state.shards[0].accounts
    assert "ghost" not in state.partition_of


def test_a_tick_from_the_future_is_refused_and_fires_no_timer() -> None:
    """A tick whose clock is wrong must not let a call's dwell time pass."""
    state, log = _state(), Log()
    _run(state, log, [*opening(), Heartbeat(source="clock", event_time_us=START_US), *_long("a", 1.0, 16_500.0)])
    assert state.shards[0].accounts["a"].timers
    wrong = index_tick("BTC", 100_000.0, START_US + 3_600 * SECOND_US)
    assert _run(state, log, [wrong]) == []
    assert [item.error_kind for item in state.rejected] == ["clock_ahead"]
    assert state.market.time_us == START_US
    assert state.market.positions["market.ticks.v1"] == (log.offsets["market.ticks.v1", 0], 0)


def test_the_gate_opens_when_the_market_has_reached_the_marker() -> None:
    """A recovered shard is evaluated from its positions on, and not before."""
    log = Log()
    sources = [log(record) for record in opening()]
    fall = [log(record) for record in both("BTC", 92_000.0, START_US + SECOND_US)]
    first = _state()
    step(first, sources)
    step(first, [log(record) for record in _long("a", 1.0, 20_000.0)])
    flush = collect(first)
    marker = decode_marker(flush.values[-1].value)
    account = decode_account(flush.values[0].value)

    second = new_state()
    open_shard(second, 0, marker, [account], partitions=1, epoch=2)
    assert not gate_open(second, 0)
    step(second, sources[:-1])
    assert not gate_open(second, 0)
    assert step(second, sources[-1:]) == []
    assert gate_open(second, 0)
    assert [msgspec.json.decode(item.body)["kind"] for item in step(second, fall)] == ["liquidation"]


def test_recovery_sends_stored_events_again_until_a_marker_confirms_them() -> None:
    """Events of the last flush are pending after a crash, with the same bytes; confirmed ones are not."""
    state, log = _state(), Log()
    _run(state, log, [*opening(), *_long("a", 1.0, 20_000.0), *both("BTC", 92_000.0, START_US + SECOND_US)])
    flush = collect(state)
    values = {value.key: value.value for value in flush.values}
    account, marker = values[b"a"], values[b"!marker/0"]

    again = new_state()
    open_shard(again, 0, decode_marker(marker), [decode_account(account)], partitions=1, epoch=2)
    assert [(event.id, event.body) for event in pending(again, 0)] == [(e.id, e.body) for e in flush.events]

    confirm(state, flush)
    _run(state, log, [Heartbeat(source="clock", event_time_us=START_US + 2 * SECOND_US)])
    last = collect(state)
    confirmed = decode_marker(next(v.value for v in last.values if v.key == b"!marker/0"))
    after = new_state()
    open_shard(after, 0, confirmed, [decode_account(account)], partitions=1, epoch=3)
    assert pending(after, 0) == []


def test_a_shard_written_for_another_number_of_partitions_is_refused() -> None:
    """A changed P would look for accounts in the wrong place."""
    with pytest.raises(ValueError, match="12 partitions"):
        open_shard(new_state(), 0, Marker(partition=0, partitions=12), [], partitions=6, epoch=1)


def test_a_closed_shard_leaves_nothing_behind() -> None:
    """Accounts of a revoked partition are neither evaluated nor timed."""
    state, log = _state(), Log()
    _run(state, log, [*opening(), *_long("a", 1.0, 16_500.0)])
    close_shard(state, 0)
    assert _run(state, log, both("BTC", 80_000.0, START_US + 10 * SECOND_US)) == []
    assert not state.partition_of
    assert not collect(state)


def test_rewind_folds_the_market_again_without_acting_twice() -> None:
    """After a rewind the same market records give no event a second time, and later ones do."""
    state, log = _state(), Log()
    market = [log(record) for record in opening()]
    step(state, market)
    step(state, [log(record) for record in _long("a", 1.0, 20_000.0)])
    fall = [log(record) for record in both("BTC", 97_500.0, START_US + SECOND_US)]
    assert [msgspec.json.decode(item.body)["kind"] for item in step(state, fall)] == ["warning"]
    rewind(state)
    assert not gate_open(state, 0)
    assert step(state, [*market, *fall]) == []
    assert gate_open(state, 0)
    gap = [log(record) for record in both("BTC", 92_000.0, START_US + 2 * SECOND_US)]
    assert [msgspec.json.decode(item.body)["kind"] for item in step(state, gap)] == ["liquidation"]


def test_a_state_names_where_its_account_is_and_not_where_it_was_written() -> None:
    """Folding the market again and restating figures leave no positions at which nobody ever was."""
    state, log = _state(), Log()
    market = [log(record) for record in opening()]
    step(state, [*market, *(log(record) for record in _long("a", 1.0, 20_000.0))])
    fall = [log(record) for record in both("BTC", 97_500.0, START_US + SECOND_US)]
    step(state, fall)
    told = [_told(state)["a"]]
    assert [sorted(point) for point in told[0].path] == [
        ["market.ticks.v1", "risk.trades.v1", "risk.transfers.v1"], ["market.ticks.v1", "risk.trades.v1"],
        ["market.ticks.v1"],
    ]  # fmt: skip
    assert told[0].path[0]["risk.trades.v1"] == START
    # Another account's records take the partition further; "a" is not written with them.
    step(state, [log(record) for record in _long("b", 1.0, 90_000.0)])
    told.append(_told(state)["b"])
    rewind(state)
    step(state, [*market, *fall])
    minute = [log(record) for record in both("BTC", 97_400.0, START_US + 61 * SECOND_US)]
    step(state, minute)
    found = _told(state)
    assert set(found) == {"a"}
    assert found["a"].path == ()
    told.append(found["a"])
    for before, after in pairwise(told):
        assert all(position <= after.positions[topic] for topic, position in before.positions.items())
    assert told[-1].positions["risk.trades.v1"] == told[1].positions["risk.trades.v1"]


def _told(state: State) -> dict[str, AccountState]:
    """Flush, and return the account states that were published."""
    flush = collect(state)
    confirm(state, flush)
    found = [msgspec.json.decode(value.value, type=AccountState) for value in flush.account_states]
    return {one.account: one for one in found}


def test_a_parameter_set_changes_the_requirement_of_its_accounts_at_once() -> None:
    """An account moved to the wide set needs 30 % instead of 16 %."""
    state, log = _state(), Log()
    _run(state, log, [*opening(), *_long("a", 1.0, 60_000.0)])
    assert evaluate_account(state, "a").im_requirement_usd == pytest.approx(17_000.0)
    _run(state, log, [AccountConfig(account="a", margin_model="A", event_time_us=START_US, parameter_set="wide")])
    assert evaluate_account(state, "a").im_requirement_usd == pytest.approx(31_000.0)


def test_an_account_without_a_price_is_held_and_never_liquidated() -> None:
    """A coin that nobody prices makes the account degraded: no status moves on numbers that are not there."""
    state, log = _state(), Log()
    _run(state, log, [*opening(), *_long("a", 1.0, 16_500.0)])
    coin = Transfer(transfer_id="5", account="a", asset="DOGE", amount=-1.0, event_time_us=START_US)
    assert _run(state, log, [coin]) == []
    evaluation = evaluate_account(state, "a")
    assert not evaluation.valued
    assert evaluation.data_quality == ("no_price:DOGE",)
    assert _run(state, log, both("BTC", 70_000.0, START_US + SECOND_US)) == []


def test_a_stable_coin_is_taken_at_par_and_says_so_until_it_has_an_index() -> None:
    """USDT counts one dollar with a flag, then its index."""
    state, log = _state(), Log()
    deposit = Transfer(transfer_id="1", account="a", asset="USDT", amount=1_000.0, event_time_us=START_US)
    _run(state, log, [*opening(), deposit])
    assert evaluate_account(state, "a").equity_usd == pytest.approx(1_000.0)
    assert evaluate_account(state, "a").data_quality == ("assumed_par:USDT",)
    _run(state, log, both("USDT", 0.97, START_US + 1))
    assert evaluate_account(state, "a").equity_usd == pytest.approx(970.0)


def test_sourced_records_of_a_foreign_partition_are_an_error_of_the_caller() -> None:
    """The shell must not feed a partition that it does not own."""
    record = Transfer(transfer_id="1", account="a", asset="USD", amount=1.0, event_time_us=START_US)
    with pytest.raises(KeyError):
        step(_state(), [Sourced("risk.transfers.v1", 7, 0, 0, record)])


def test_an_account_ahead_of_its_marker_waits_for_the_market() -> None:
    """A value whose flush lost its marker is evaluated from its own positions on, so nothing is decided twice."""
    state, log = _state(), Log()
    _run(state, log, [*opening(), *_long("a", 1.0, 20_000.0)])
    old = collect(state)
    confirm(state, old)
    marker = old.values[-1].value
    fall = [log(record) for record in both("BTC", 92_000.0, START_US + SECOND_US)]
    step(state, fall)
    account = collect(state).values[0].value

    again, replay = new_state(), Log()
    open_shard(again, 0, decode_marker(marker), [decode_account(account)], partitions=1, epoch=2)
    market = [replay(record) for record in opening()]
    assert step(again, market) == []
    assert gate_open(again, 0)
    assert step(again, fall) == []
    assert isinstance(again.shards[0].accounts["a"], Account)
    assert again.shards[0].accounts["a"].sequence == 1
    assert len(pending(again, 0)) == 1


def test_an_underlying_that_nobody_held_is_priced_at_the_market_of_now() -> None:
    """A position opened after others were closed and the price has moved is worth what the market says now."""
    state, log = _state(), Log()
    there = _long("a", 1.0, 1e6)
    back = [msgspec.structs.replace(record, trade_id=key) for key in "23" for record in there if type(record) is Trade]
    back[0] = msgspec.structs.replace(back[0], quantity=-1.0)
    _run(state, log, [*opening(), *there, back[0], *both("BTC", 90_000.0, START_US + SECOND_US), back[1]])
    assert evaluate_account(state, "a").equity_usd == pytest.approx(990_000.0)
