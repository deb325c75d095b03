"""What an account's own record changes is taken alone: the book and the baseline are those of a whole evaluation."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from monitor.engine import State, certificate_groups, collect, evaluate_account, new_state, open_shard, step
from monitor.engine.book import Book
from monitor.engine.outbox import Flush
from monitor.engine.segments import Segments
from monitor.engine.state import Account, Rejected, Sourced
from schemas.records import AccountConfig, Input, Instrument, Trade, Transfer
from tests.engine_market import (
    DAY_US,
    SPOT_USD,
    START_US,
    Log,
    both,
    expiring,
    first_records,
    opening,
    random_market,
    random_trade,
    smile,
)

ACCOUNTS = ("a", "b", "c", "d", "e")
OWN = (Trade, Transfer, AccountConfig)


def _contracts(draw: random.Random) -> list[Instrument]:
    """Return options of both settlements, futures, perpetuals and a spot pair, some of which expire on the way."""
    found = []
    for underlying, spot in SPOT_USD.items():
        common: dict[str, Any] = {"underlying": underlying, "event_time_us": START_US}
        coin: dict[str, Any] = {**common, "settlement": underlying, "contract": "inverse"}
        for days in (0.001, 0.003, 20, 40):
            for level in (0.9, 1.1):
                terms = coin if draw.random() < 0.5 else {**common, "settlement": "USDC"}
                expiry_us = START_US + int(days * DAY_US)
                strike: dict[str, Any] = {"strike": level * spot, "option_type": "call", "expiry_us": expiry_us}
                name = f"{underlying}-{days}-{level}"
                found.append(Instrument(instrument=name, type="option", **terms, **strike))
        found += [
            Instrument(instrument=f"{underlying}-L", type="perpetual", settlement="USDT", **common),
            Instrument(instrument=f"{underlying}-I", type="perpetual", contract_size=10.0, **coin),
            Instrument(instrument=f"{underlying}-S", type="spot", settlement="USDT", **common),
        ]
    return found


def _own_record(draw: random.Random, number: int, time_us: int, listed: list[Instrument]) -> Input:
    account, kind = draw.choice(ACCOUNTS), draw.random()
    if kind < 0.15:
        asset, amount = draw.choice((("USD", 5_000.0), ("BTC", 0.1), ("BTC", -0.1), ("USDT", -300.0), ("ETH", 0.5)))
        return Transfer(
            transfer_id=str(number), account=account, asset=asset, amount=amount, event_time_us=time_us
        )  # fmt: skip
    if kind < 0.2:
        model, chosen = draw.choice((("P", "default"), ("A", "default"), ("P", "unknown")))
        return AccountConfig(account=account, margin_model=model, parameter_set=chosen, event_time_us=time_us)  # type: ignore[arg-type]
    instrument = draw.choice(listed)
    inverse = instrument.contract == "inverse"
    quantity = draw.choice((-2.0, -1.0, 1.0, 2.0)) * (20.0 if inverse and instrument.type == "perpetual" else 0.01)
    price = 0.02 if inverse and instrument.type == "option" else SPOT_USD[instrument.underlying] * 1.01
    return Trade(
        trade_id=str(number), account=account, instrument=instrument.instrument, quantity=quantity, price=price,
        fee=0.5, event_time_us=time_us,
    )  # fmt: skip


def _stream(seed: int, records: int) -> Iterator[Input]:
    """Yield a market in which each contract is listed, traded away and back, expires, and is listed after the start."""
    draw = random.Random(seed)
    contracts = _contracts(draw)
    listed, later = contracts[::2], contracts[1::2]
    yield from listed
    time_us = START_US
    for underlying, spot in SPOT_USD.items():
        yield smile(underlying, time_us)
        yield from both(underlying, spot, time_us)
    for number in range(records):
        time_us += draw.choice((0, 0, 100_000, 1_500_000))
        if later and draw.random() < 0.05:
            listed.append(later.pop())
            yield listed[-1]
        if draw.random() < 0.2:
            underlying = draw.choice(tuple(SPOT_USD))
            yield from both(underlying, SPOT_USD[underlying] * draw.uniform(0.97, 1.03), time_us)
        yield _own_record(draw, number, time_us, listed)


def _opened() -> State:
    state = new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    return state


def _same_as_from_nothing(state: State, account: Account) -> None:
    """Assert that the book says of an account what an empty book says that takes its portfolio."""
    fresh = Book()
    fresh.set_account(account, state.market)
    name = account.name
    assert state.book.evaluation(account, state.market) == fresh.evaluation(account, state.market)
    assert state.book.figures(name) == fresh.figures(name)
    assert state.book.conditions(name) == fresh.conditions(name)


def _steps(state: State, records: Iterator[Input]) -> Iterator[Sourced]:
    log = Log()
    for record in records:
        source = log(record)
        step(state, [source])
        yield source


@pytest.mark.parametrize("seed", range(3))
def test_a_record_is_taken_as_the_whole_portfolio_would_be(seed: int) -> None:
    """After each own record the account is what a book built from nothing says, bit for bit, for models P and A."""
    state, compared = _opened(), 0
    for source in _steps(state, _stream(seed, 250)):
        name = source.record.account if isinstance(source.record, OWN) else ""
        account = state.shards[0].accounts.get(name)
        if account is not None:
            _same_as_from_nothing(state, account)
            compared += 1
    assert compared > 200


@pytest.mark.parametrize("seed", range(2))
def test_records_find_segments_that_have_been_put_in_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for an account's next record outlives ticks, and minutes that move its segments."""
    monkeypatch.setattr(Segments, "is_in_order", lambda _: False)
    state = _opened()
    for _ in _steps(state, random_market(seed, 300, ACCOUNTS, pace=20)):
        pass
    for account in state.shards[0].accounts.values():
        _same_as_from_nothing(state, account)


def test_a_baseline_made_late_is_the_one_made_at_once() -> None:
    """A noted baseline does not see ticks, listings or settlements that come before somebody asks for it."""
    early, late = _opened(), _opened()
    waiting: dict[str, object] = {}
    for one, other in zip(_steps(early, _stream(5, 200)), _steps(late, _stream(5, 200)), strict=True):
        name = one.record.account if isinstance(one.record, OWN) else ""
        if name in early.shards[0].accounts and other.record == one.record:
            waiting[name] = early.shards[0].accounts[name].baseline
    asked = {name: account.baseline for name, account in late.shards[0].accounts.items()}
    assert asked == waiting
    assert any(baseline is not None for baseline in asked.values())
    assert evaluate_account(late, "a") == evaluate_account(early, "a")


def _crowded(seed: int) -> list[Input]:
    """Return a market in which many accounts trade between two ticks; some records are sent twice, some are refused."""
    draw = random.Random(seed)
    accounts = tuple(f"a{number:02d}" for number in range(24))
    records = [*opening(), *(soon for underlying in SPOT_USD for soon in expiring(underlying))]
    records += first_records(accounts)
    traded = [one.instrument for one in records if isinstance(one, Instrument)]
    price, time_us = dict(SPOT_USD), START_US
    own: list[Input] = []
    for number in range(700):
        time_us += draw.choice((0, 1_000, 400_000))
        kind, account = draw.random(), draw.choice(accounts)
        if kind < 0.06:
            underlying = draw.choice(tuple(SPOT_USD))
            price[underlying] *= 1.0 + draw.gauss(-0.001, 0.01)
            records += both(underlying, price[underlying], time_us)
            continue
        if kind < 0.12 and own:
            one = draw.choice(own)  # known by its id if that was one of the last of its account
        elif kind < 0.18:
            amount = draw.choice((-9_000.0, 7_000.0))
            one = Transfer(
                transfer_id=str(number), account=account, asset="USD", amount=amount, event_time_us=time_us
            )  # fmt: skip
        elif kind < 0.20:
            one = AccountConfig(account=account, margin_model=draw.choice(("P", "A")), event_time_us=time_us)
        else:
            one = random_trade(draw, str(number), draw.choice(traded), account, price, time_us)
        if kind > 0.97:
            one = msgspec.structs.replace(one, instrument="of-nobody")
        own.append(one)
        records.append(one)
    return records


def _run(records: list[Input], sizes: Iterator[int]) -> tuple[list[bytes], list[Rejected], Flush]:
    """Return events and refusals in their order, and what a flush at the end writes."""
    state = new_state()
    partition_of = {f"a{number:02d}": number % 2 for number in range(24)}
    for partition in (0, 1):
        open_shard(state, partition, None, [], partitions=2, epoch=1)
    log = Log(partition_of=partition_of)
    sources = [log(record) for record in records]
    events: list[bytes] = []
    while sources:
        size = next(sizes)
        events += [event.body.encode() for event in step(state, sources[:size])]
        sources = sources[size:]
    return events, list(state.rejected), collect(state)


@pytest.mark.parametrize("least_held", [1, 40_000])
@pytest.mark.parametrize("seed", range(3))
def test_records_that_are_taken_together_say_what_they_say_one_by_one(
    seed: int, least_held: int, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Events and refusals are the same in their order, and every stored byte is, watched by certificates or not."""
    monkeypatch.setattr(certificate_groups, "LEAST_HELD", least_held)
    records, draw = _crowded(seed), random.Random(seed)
    one_by_one = _run(records, itertools.repeat(1))
    assert _run(records, itertools.repeat(1_000)) == one_by_one
    assert _run(records, (draw.choice((1, 3, 30)) for _ in itertools.count())) == one_by_one
    events, rejected, flush = one_by_one
    assert len(events) > 20
    assert {one.error_kind for one in rejected} >= {"unknown_instrument"}
    assert len(flush.accounts) == 24


def test_accounts_with_dollars_alone_are_taken_together() -> None:
    """Nobody holds anything whose price moves: there is no column at all."""
    state, log = _opened(), Log()
    names = [f"a{number}" for number in range(5)]
    for amount in (100.0, 50.0):
        step(state, [
            log(Transfer(transfer_id=f"{amount}", account=name, asset="USD", amount=amount, event_time_us=START_US))
            for name in names
        ])  # fmt: skip
    assert [account.equity_usd for account in state.shards[0].accounts.values()] == [150.0] * 5
    for account in state.shards[0].accounts.values():
        assert account.baseline is not None
        assert account.baseline.coins == {}
        _same_as_from_nothing(state, account)
