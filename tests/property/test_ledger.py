from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.ledger import RESIDUE, apply_trade, exposures
from monitor.engine.state import Account
from schemas.records import AccountConfig, Instrument, Trade

START_US = 1_700_000_000_000_000
EXPIRY_US = START_US + 86_400_000_000

LINEAR = Instrument(
    instrument="ETH-PERP", type="perpetual", underlying="ETH", settlement="USD", contract_size=0.01,
    event_time_us=START_US,
)  # fmt: skip
INVERSE = Instrument(
    instrument="BTC-PERP", type="perpetual", underlying="BTC", settlement="BTC", contract="inverse",
    contract_size=10.0, event_time_us=START_US,
)  # fmt: skip
OPTION = Instrument(
    instrument="SOL-C", type="option", underlying="SOL", settlement="USD", strike=150.0, option_type="call",
    expiry_us=EXPIRY_US, contract_size=1.0, event_time_us=START_US,
)  # fmt: skip
SPOT = Instrument(
    instrument="XRP-SPOT", type="spot", underlying="XRP", settlement="USD", contract_size=1.0, event_time_us=START_US
)
LISTING = {instrument.instrument: instrument for instrument in (LINEAR, INVERSE, OPTION, SPOT)}

LOTS = st.integers(-5_000, 5_000).filter(bool).map(lambda lots: lots / 1_000)
PRICES = st.integers(100, 20_000_000).map(lambda ticks: ticks / 100)
FEES = st.integers(-500, 5_000).map(lambda cents: cents / 100)
FILLS = st.lists(st.tuples(st.sampled_from(list(LISTING)), LOTS, PRICES, FEES), min_size=1, max_size=40)
Fill = tuple[str, float, float, float]


def book(fills: list[Fill]) -> Account:
    """An account after some fills."""
    account = Account(config=AccountConfig(account="desk", event_time_us=START_US))
    for number, fill in enumerate(fills):
        assert apply_trade(account, trade_of(number, fill), LISTING[fill[0]])
    return account


def trade_of(number: int, fill: Fill) -> Trade:
    name, quantity, price, fee = fill
    return Trade(
        trade_id=str(number), account="desk", instrument=name, quantity=quantity, price=price, fee=fee,
        event_time_us=START_US,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(FILLS)
def test_positions_equal_the_sum_of_trades(fills: list[Fill]) -> None:
    """Positions and spot balances are the decimal sums of their fills, exactly; nothing is held without a position."""
    account = book(fills)
    for name in LISTING:
        total = float(sum((Decimal(repr(fill[1])) for fill in fills if fill[0] == name), Decimal(0)))
        if name == SPOT.instrument:
            assert account.balances.get("XRP", 0.0) == total
        elif total == 0.0:
            assert name not in account.holdings
        else:
            assert account.holdings[name].quantity == total


@settings(max_examples=150, deadline=None)
@given(FILLS, PRICES)
def test_money_is_conserved(fills: list[Fill], mark: float) -> None:
    """Balances and open P&L at any mark equal the cash flows of all fills, asset by asset, in exact fractions."""
    account = book(fills)
    seen = exposures(account, LISTING)
    dollars, coins, scale_usd, scale_coins = Fraction(0), Fraction(0), Fraction(1), Fraction(1)
    at = Fraction(mark)
    for name, quantity, price, fee in fills:
        size = Fraction(LISTING[name].contract_size) * Fraction(quantity)
        if name == INVERSE.instrument:
            coins += size / Fraction(price) - size / at - Fraction(fee)
            scale_coins += abs(size) / Fraction(price) + abs(Fraction(fee))
        else:
            dollars += size * (at - Fraction(price)) - Fraction(fee)
            scale_usd += abs(size) * (Fraction(price) + at) + abs(Fraction(fee))
    found_usd, found_coins = Fraction(seen.usd), Fraction(0)
    for underlying, rows in seen.rows.items():
        for row, contracts in rows:
            if underlying == "BTC":
                found_coins += Fraction(contracts) * (1 if row is None else -10 / at)
            else:
                coins_each = LISTING[row].contract_size if row is not None else 1.0
                found_usd += Fraction(contracts) * Fraction(coins_each) * at
    assert abs(found_usd - dollars) <= scale_usd / 10**12
    assert abs(found_coins - coins) <= scale_coins / 10**12


@settings(max_examples=150, deadline=None)
@given(FILLS)
def test_average_lies_between_fills(fills: list[Fill]) -> None:
    """An average entry price is never outside the prices paid."""
    for name, holding in book(fills).holdings.items():
        prices = [price for filled, _, price, _ in fills if filled == name]
        assert min(prices) * (1 - 1e-14) <= holding.average_price <= max(prices) * (1 + 1e-14)


@settings(max_examples=100, deadline=None)
@given(FILLS, st.data())
def test_repeated_trades_change_nothing(fills: list[Fill], data: st.DataObject) -> None:
    """Applying any recent trade again, anywhere later, leaves the account as it was."""
    account = Account(config=AccountConfig(account="desk", event_time_us=START_US))
    for number, fill in enumerate(fills):
        apply_trade(account, trade_of(number, fill), LISTING[fill[0]])
        again = data.draw(st.integers(0, number))
        before = msgspec.json.encode(account)
        assert not apply_trade(account, trade_of(again, fills[again]), LISTING[fills[again][0]])
        assert msgspec.json.encode(account) == before


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6).filter(lambda q: abs(q) > 1e-3), min_size=1, max_size=30))
def test_any_doubles_close_to_nothing(quantities: list[float]) -> None:
    """Fills of arbitrary doubles, closed by what the ledger says is open, leave no position and no dust."""
    account = book([(LINEAR.instrument, quantity, 100.0, 0.0) for quantity in quantities])
    total = sum(map(Fraction, quantities))
    holding = account.holdings.get(LINEAR.instrument)
    found = Fraction(holding.quantity) if holding else Fraction(0)
    assert abs(found - total) <= Fraction(RESIDUE) * max(abs(Fraction(q)) for q in quantities) * len(quantities)
    if holding:
        closing = (LINEAR.instrument, -holding.quantity, 100.0, 0.0)
        apply_trade(account, trade_of(len(quantities), closing), LINEAR)
    assert account.holdings == {}
