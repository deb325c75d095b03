"""Model E's forms over whole portfolios: prices at which a cross account is liquidated."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from kernels.standard.cross import Positions, cross_liquidation_prices
from monitor.models import standard
from monitor.models.portfolio import Portfolio
from schemas.standard import StandardSet
from tests.portfolios import Coin, Contract, portfolio

SET = StandardSet()
MM_RATE = SET.default.perpetual.mm_rate


def moved(book: Portfolio, name: str, index: float) -> Portfolio:
    """The same portfolio with every price of one coin moved as its index."""
    underlyings = []
    for u in book.underlyings:
        if u.name != name:
            underlyings.append(u)
            continue
        x = index / u.index_price
        rows = u.rows._replace(forward=u.rows.forward * x, value_usd=u.rows.value_usd * x)
        inverse = u.rows.kind == 2
        rows.value_usd[inverse] = u.rows.value_usd[inverse]  # coins of a debt in USD move in row 0
        underlyings.append(replace(u, index_price=index, rows=rows))
    return replace(book, underlyings=tuple(underlyings))


def test_prices_are_those_of_the_closed_form() -> None:
    """With one linear perpetual on each coin they are the kernel's, the other positions' maintenance included."""
    dice = random.Random(3)
    for _ in range(50):
        size = [dice.choice((-1.0, 1.0)) * dice.uniform(0.1, 3.0) for _ in range(2)]
        marks = (60_000.0, 3_000.0)
        coins = [
            Coin(name, mark, contracts=(Contract(f"{name}-P", "future", q, mark, average=mark),))
            for name, mark, q in zip(("BTC", "ETH"), marks, size, strict=True)
        ]
        book = portfolio(*coins, cash=dice.uniform(20_000.0, 60_000.0))
        found = standard.cross(book, SET, "0" * 16)
        expected = cross_liquidation_prices(Positions(size, marks, (MM_RATE, MM_RATE)), found.equity_usd)
        for name, price in zip(("BTC", "ETH"), expected, strict=True):
            told = found.statistics.get(f"liquidation_price:{name}")
            if price is None:
                assert told is None or not found.mm_excess_usd >= 0.0
            else:
                assert told is not None
                assert math.isclose(told, price, rel_tol=1e-12)


def test_there_equity_is_the_maintenance() -> None:
    """Also with inverse contracts, coins owned and owed: a portfolio moved there has no excess left."""
    dice = random.Random(4)
    seen = 0
    for _ in range(60):
        contracts = (
            Contract("BTC-P", "future", dice.uniform(-2.0, 2.0), 60_100.0, average=60_000.0),
            Contract("BTC-I", "inverse", dice.uniform(-9_000.0, 9_000.0), 60_050.0, 10.0, average=60_000.0),
        )
        book = portfolio(
            Coin("BTC", 60_000.0, coins=dice.uniform(-0.5, 1.0), contracts=contracts),
            Coin("ETH", 3_000.0, contracts=(Contract("ETH-P", "future", 4.0, 3_000.0, average=3_000.0),)),
            cash=40_000.0,
        )
        found = standard.cross(book, SET, "0" * 16)
        for name, price in found.statistics.items():
            coin = name.removeprefix("liquidation_price:")
            there = standard.cross(moved(book, coin, price), SET, "0" * 16)
            assert math.isclose(there.mm_excess_usd, 0.0, abs_tol=1e-6 * found.equity_usd)
            seen += 1
    assert seen > 60
