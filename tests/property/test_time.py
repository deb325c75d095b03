"""Time: what acts without a record acts at its own moment, and moves money without making any."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import State, new_state, open_shard, step
from schemas.records import Funding, Heartbeat, Input, PriceTick, Trade, Transfer
from tests.engine_market import SOON_US, SPOT_USD, START_US, Log, both, expiring, opening, random_market

ACCOUNTS = ("a", "b", "c", "d", "e", "f")
SECOND_US = 1_000_000
FAR_US = SOON_US + 900 * SECOND_US


def run(records: list[Input]) -> tuple[list[dict[str, Any]], State]:
    """Events without what names places in the topics, and the state at the end."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    events = []
    for outgoing in step(state, [log(record) for record in records]):
        event = json.loads(outgoing.body)
        del event["positions"]
        event["cause"].pop("offset", None)
        events.append(event)
    return events, state


def arriving(records: list[Input]) -> list[Input]:
    """The same records with their ticks arriving at once, so that no heartbeat judges their clocks."""
    return [
        msgspec.structs.replace(record, received_time_us=record.event_time_us)
        if isinstance(record, PriceTick)
        else record
        for record in records
    ]


def with_heartbeats(records: list[Input], draw: random.Random) -> list[Input]:
    """Heartbeats before any tick: none, some or many, at any moments since the market's time, whole minutes too.

    Before a tick only: what an account's own record causes has the market's time, which a heartbeat moves on.
    """
    out: list[Input] = []
    now_us = START_US
    for record in records:
        if isinstance(record, PriceTick | Heartbeat | Funding):
            moments = {draw.randint(now_us, record.event_time_us) for _ in range(draw.choice((0, 0, 1, 2, 5, 60)))}
            minute_us = record.event_time_us // 60_000_000 * 60_000_000
            moments |= {moment for moment in (minute_us, minute_us + 1) if now_us <= moment and draw.random() < 0.5}
            out += [Heartbeat(source="extra", event_time_us=m) for m in sorted(moments) if m <= record.event_time_us]
            now_us = record.event_time_us
        out.append(record)
    return out


@given(seed=st.integers(0, 10_000), beats=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_heartbeats_decide_nothing(seed: int, beats: int) -> None:
    """The same records with heartbeats inserted anywhere give the same events, but for the positions in them."""
    records = arriving(list(random_market(seed, 250, ACCOUNTS)))
    end = Heartbeat(source="end", event_time_us=FAR_US)
    events, state = run([*records, end])
    others, other = run(with_heartbeats([*records, end], random.Random(beats)))
    assert others == events
    assert other.market.ticks.snapshot() == state.market.ticks.snapshot()
    for name, account in state.shards[0].accounts.items():
        again = other.shards[0].accounts[name]
        assert (again.balances, again.holdings, again.timers) == (account.balances, account.holdings, account.timers)


def test_random_markets_hold_expiries_and_what_time_moves() -> None:
    """The property above is about something: its markets settle positions, pay funding and have events of their own."""
    causes: set[str] = set()
    settled = funded = 0
    for seed in range(20):
        records = arriving(list(random_market(seed, 250, ACCOUNTS)))
        events, state = run([*records, Heartbeat(source="end", event_time_us=FAR_US)])
        causes |= {event["cause"]["topic"] for event in events}
        traded = {r.account for r in records if isinstance(r, Trade) and "SOON" in r.instrument}
        settled += len(traded)
        funded += any(h.funding_index for a in state.shards[0].accounts.values() for h in a.holdings.values())
        assert not any("SOON" in name for a in state.shards[0].accounts.values() for name in a.holdings)
    assert settled > 12
    assert funded > 6
    assert {"timer", "time"} <= causes


def matched_trades(seed: int, count: int) -> list[Trade]:
    """Trades in which one account buys what another one sells."""
    draw = random.Random(seed)
    names = [item.instrument for underlying in SPOT_USD for item in expiring(underlying)]
    trades = []
    for number in range(count):
        name = draw.choice(names)
        price = 5.0 if name.endswith("-C") else SPOT_USD[name[:3]] * draw.uniform(0.9, 1.1)
        quantity = round(draw.uniform(0.1, 40.0), 3)
        for account, side in zip(draw.sample(ACCOUNTS, 2), (quantity, -quantity), strict=True):
            trades.append(
                Trade(
                    trade_id=f"{number}{account}",
                    account=account,
                    instrument=name,
                    quantity=side,
                    price=round(price, 2),
                    event_time_us=START_US,
                )
            )
    return trades


@pytest.mark.parametrize("seed", range(6))
def test_an_expiry_moves_money_and_makes_none(seed: int) -> None:
    """Over accounts that trade with each other only, balances are what was deposited, before and after the expiry."""
    deposits = [
        Transfer(transfer_id=asset, account=name, asset=asset, amount=amount, event_time_us=START_US)
        for name in ACCOUNTS
        for asset, amount in (("USD", 1e6), ("BTC", 10.0), ("ETH", 100.0))
    ]
    soon = [item for underlying in SPOT_USD for item in expiring(underlying)]
    draw = random.Random(seed)
    ticks: list[Input] = []
    for k in range(1, 36):
        for underlying, price in SPOT_USD.items():
            ticks += both(underlying, price * draw.uniform(0.9, 1.2), START_US + 5 * k * SECOND_US)
    _, state = run([*opening(), *soon, *deposits, *matched_trades(seed, 60), *ticks])
    accounts = state.shards[0].accounts.values()
    assert any(account.holdings for account in accounts)
    before = [dict(account.balances) for account in accounts]
    _, state = run(
        [*opening(), *soon, *deposits, *matched_trades(seed, 60), *ticks, Heartbeat(source="h", event_time_us=FAR_US)]
    )
    accounts = state.shards[0].accounts.values()
    assert not any(account.holdings for account in accounts)
    assert [dict(account.balances) for account in accounts] != before
    for asset, amount in (("USD", 1e6), ("BTC", 10.0), ("ETH", 100.0)):
        scale = sum(abs(account.balances.get(asset, 0.0)) for account in accounts)
        total = sum(account.balances.get(asset, 0.0) for account in accounts)
        assert abs(total - len(ACCOUNTS) * amount) <= 1e-12 * scale


PERPETUALS = {"BTC-PERPETUAL": 1.0, "BTC-INVERSE": 10.0, "ETH-PERPETUAL": 1.0, "ETH-INVERSE": 10.0}


def crossed(seed: int, draw: random.Random) -> Iterator[Input]:
    """Prices, rates, and trades in which one account takes what another gives, always at the opening prices."""
    time_us = START_US
    for number in range(150):
        time_us += draw.choice((100_000, 7_000_000, 60_000_000, 500_000_000))
        underlying = draw.choice(tuple(SPOT_USD))
        yield from arriving(list(both(underlying, SPOT_USD[underlying] * draw.uniform(0.7, 1.4), time_us)))
        name = draw.choice(tuple(PERPETUALS))
        if draw.random() < 0.4:
            yield Funding(
                instrument=name, underlying=name[:3], source="venue", rate=draw.uniform(-0.01, 0.01),
                interval_ms=draw.choice((60_000, 3_600_000, 28_800_000)), event_time_us=time_us,
                received_time_us=time_us,
            )  # fmt: skip
        quantity = round(draw.uniform(0.001, 5_000.0 if "INVERSE" in name else 2.0), 3)
        for account, side in zip(draw.sample(ACCOUNTS, 2), (quantity, -quantity), strict=True):
            yield trade(f"{seed}-{number}", account, name, side, time_us)


def trade(number: str, account: str, name: str, quantity: float, time_us: int) -> Trade:
    return Trade(
        trade_id=number, account=account, instrument=name, quantity=quantity, price=SPOT_USD[name[:3]],
        event_time_us=time_us,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_funding_moves_money_and_makes_none(seed: int) -> None:
    """Closed at their entry prices, accounts end with what minute-by-minute payments leave; together with nothing."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in opening()])
    paid: dict[tuple[str, str], Fraction] = {}
    held: dict[tuple[str, str], Fraction] = {}
    before = dict.fromkeys(PERPETUALS, state.market.ticks.funding(""))
    records = list(crossed(seed, random.Random(seed)))
    for record in records:
        # Minutes that end before the record are paid by what was held then.
        step(state, [log(Heartbeat(source="beat", event_time_us=record.event_time_us))])
        for name, size in PERPETUALS.items():
            index = state.market.ticks.funding(name)
            grown = index[1] - before[name][1] if "INVERSE" in name else index[0] - before[name][0]
            before[name] = index
            asset = name[:3] if "INVERSE" in name else "USD"
            for account in ACCOUNTS:
                owed = held.get((account, name), Fraction(0)) * Fraction(size) * Fraction(grown)
                paid[account, asset] = paid.get((account, asset), Fraction(0)) + owed
        step(state, [log(record)])
        if isinstance(record, Trade):
            key = (record.account, record.instrument)
            held[key] = held.get(key, Fraction(0)) + Fraction(str(record.quantity))
    assert any(paid.values())
    for (account, name), quantity in held.items():
        if quantity:
            step(state, [log(trade("close", account, name, -float(quantity), records[-1].event_time_us))])
    accounts = state.shards[0].accounts
    assert not any(owner.holdings for owner in accounts.values())
    for asset in ("USD", "BTC", "ETH"):
        scale = sum(abs(float(amount)) for (_, found), amount in paid.items() if found == asset)
        for owner in accounts.values():
            left = owner.balances.get(asset, 0.0) + float(paid.get((owner.name, asset), Fraction(0)))
            assert abs(left) <= 1e-10 * scale
        assert abs(sum(owner.balances.get(asset, 0.0) for owner in accounts.values())) <= 1e-10 * scale
