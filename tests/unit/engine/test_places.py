"""What is kept of an account's segments between its records: it is what they hold, and the book that of nothing."""

from __future__ import annotations

import random

import pytest

from monitor.engine import State, new_state, open_shard, step
from monitor.engine.book import Book
from monitor.engine.column import LEAST_UNHELD
from schemas.records import ExpiryVolatility, Input, Instrument, PriceTick, Trade, Transfer
from tests.engine_market import EXPIRY_US, SPOT_USD, START_US, Log

COINS = ("BTC", "ETH")
STRIKES = 3 * LEAST_UNHELD  # so many rows that those of nobody are taken away
NAMES = ("a", "b", "c")


def _market() -> list[Input]:
    found: list[Input] = []
    for coin in COINS:
        found += [
            Instrument(
                instrument=f"{coin}-{k:03d}", type="option", underlying=coin, settlement="USD", option_type="call",
                strike=SPOT_USD[coin] * (0.5 + k / STRIKES), expiry_us=EXPIRY_US, event_time_us=START_US,
            )
            for k in range(STRIKES)
        ]  # fmt: skip
        found.append(
            ExpiryVolatility(
                underlying=coin, source="venue", expiry_us=EXPIRY_US, atm_vol_annual=0.6, event_time_us=START_US
            )
        )
        found.append(_tick(coin, SPOT_USD[coin], START_US))
    found += [Transfer(transfer_id="1", account=one, asset="USD", amount=1e6, event_time_us=START_US) for one in NAMES]
    return found


def _tick(coin: str, price: float, time_us: int) -> PriceTick:
    return PriceTick(
        underlying=coin, source="venue", price_kind="index", price=price, index_source=True, event_time_us=time_us,
        max_age_ms=86_400_000,
    )  # fmt: skip


def _fill(state: State, draw: random.Random, number: int, time_us: int) -> Trade:
    """Return a fill that closes a position as a whole one time out of two."""
    account = state.shards[0].accounts[draw.choice(NAMES)]
    name, quantity = f"{draw.choice(COINS)}-{draw.randrange(STRIKES):03d}", draw.choice((-1.0, 0.5, 2.0))
    if account.holdings and draw.random() < 0.5:
        name = draw.choice(sorted(account.holdings))
        quantity = -account.holdings[name].quantity
    return Trade(
        trade_id=str(number), account=account.name, instrument=name, quantity=quantity, price=100.0,
        event_time_us=time_us,
    )  # fmt: skip


def _rows_of(state: State, name: str) -> None:
    """Compare what is kept of an account with its segments, and with its holdings by name."""
    register, segments = state.book._register, state.book._segments
    held: dict[str, float] = {}
    for place in register.places(register.row_of[name]):
        rows, quantities = segments.positions(place.slot)
        assert place.read() == rows.tolist() == place.at().tolist()
        assert place.start == segments.start[place.slot]
        by_row = {row: of for of, row in place.column.pricing.row_of.items()}
        held |= {str(by_row[row]): quantity for row, quantity in zip(rows.tolist(), quantities.tolist(), strict=True)}
    assert held == {of: one.quantity for of, one in state.shards[0].accounts[name].holdings.items()}


@pytest.mark.parametrize("together", [1, 5])
def test_what_is_kept_of_segments_is_what_they_hold(together: int) -> None:
    """Positions come and go, rows get other numbers, fills come one by one or together: the book is that of nothing."""
    draw, log, state = random.Random(together), Log(), new_state()
    open_shard(state, 0, None, (), partitions=1, epoch=1)
    step(state, [log(record) for record in _market()])
    sizes, fewer, price = list[int](), 0, dict(SPOT_USD)
    for number in range(600):
        time_us = START_US + 1_000_000 * (1 + number // 20)
        if number % 7 == 0:
            coin = draw.choice(COINS)
            price[coin] *= draw.uniform(0.99, 1.01)
            step(state, [log(_tick(coin, price[coin], time_us))])
        step(state, [log(_fill(state, draw, together * number + k, time_us)) for k in range(together)])
        for name in NAMES:
            _rows_of(state, name)
        before, sizes = sizes, [len(column.holders) for column in state.book._register.columns]
        fewer += any(now < then for then, now in zip(before, sizes, strict=False))
    fresh, accounts = Book(certificates=False), state.shards[0].accounts
    for account in accounts.values():
        fresh.set_account(account, state.market)
    for name in NAMES:
        assert fresh.figures(name) == state.book.figures(name)
        ours, theirs = state.book.grounds(name), fresh.grounds(name)
        assert ours is not None
        assert theirs is not None
        assert [one.made().tolist() for one in ours.marks] == [one.made().tolist() for one in theirs.marks]
    assert fewer, "rows of nobody were taken away"
    assert not state.rejected
