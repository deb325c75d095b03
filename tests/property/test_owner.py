"""Accounts of one owner put together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.models.merging import merge
from monitor.models.owner import SubAccount, owner_view
from monitor.models.portfolio import Portfolio
from schemas.collateral import OwnerParameters
from tests.portfolios import Coin, Contract, correlations, netted, portfolio

INDEX = {"BTC": 60_000.0, "ETH": 3_000.0, "XYZ": 2.0}
KINDS = ("future", "inverse", "option", "inverse_option")


def listed(coin: str, number: int) -> Contract:
    """One of eight contracts of a coin, the same in every account."""
    kind = KINDS[number % 4]
    size = 100.0 if kind == "inverse" else 1.0
    days = 30.0 if "option" in kind or number > 3 else 0.0
    strike = INDEX[coin] * (0.9 + 0.05 * number)
    return Contract(f"{coin}-{number}", kind, 0.0, INDEX[coin] * (1 + 0.001 * number), size, days, strike, number > 2)


@st.composite
def accounts(draw: st.DrawFn) -> list[tuple[tuple[Coin, ...], float]]:
    """Two to four accounts with positions in the same contracts, often against each other."""
    found = []
    for _ in range(draw(st.integers(2, 4))):
        coins = []
        for name in draw(st.lists(st.sampled_from(sorted(INDEX)), max_size=3, unique=True)):
            held = []
            for number in draw(st.lists(st.integers(0, 7), max_size=4, unique=True)):
                one = listed(name, number)
                unit = 1e5 / (one.size if one.kind == "inverse" else INDEX[name])
                quantity = unit * draw(st.sampled_from([-2.0, -1.0, 1.0, 1.0, 3.0]))
                held.append(replace(one, quantity=quantity, average=one.price * draw(st.floats(0.8, 1.2))))
            coins.append(Coin(name, INDEX[name], tuple(held), draw(st.sampled_from([0.0, 1.0])) * 1e4 / INDEX[name]))
        found.append((tuple(coins), draw(st.floats(0.0, 1e5))))
    return found


def books_of(given_accounts: list[tuple[tuple[Coin, ...], float]]) -> list[Portfolio]:
    return [portfolio(*coins, cash=cash, account=f"a{i}") for i, (coins, cash) in enumerate(given_accounts)]


def union(books: list[Portfolio]) -> list[str]:
    return sorted({u.name for book in books for u in book.underlyings})


@settings(deadline=None, max_examples=60)
@given(accounts())
def test_a_merged_portfolio_is_the_sum(found: list[tuple[tuple[Coin, ...], float]]) -> None:
    """Values, deltas, coins and cash add up, contract by contract, whatever nets out."""
    books = books_of(found)
    merged = merge(books, correlations(union(books)), "owner")
    assert merged.equity_usd == pytest.approx(math.fsum(b.equity_usd for b in books), abs=1e-6)
    for u in merged.underlyings:
        parts = [p for b in books for p in b.underlyings if p.name == u.name]
        amounts: dict[str | None, float] = {}
        for part in parts:
            for name, quantity in zip(part.names, part.quantity.tolist(), strict=True):
                amounts[name] = amounts.get(name, 0.0) + quantity
        left = {name: amount for name, amount in amounts.items() if name is None or abs(amount) > 1e-9}
        assert dict(zip(u.names, u.quantity.tolist(), strict=True)) == pytest.approx(left, abs=1e-9)
        assert list(u.names) == [None, *sorted(name for name in left if name is not None)]
        assert u.coins == pytest.approx(sum(p.coins for p in parts))
        delta = sum(float(p.quantity @ p.rows.delta_coins) for p in parts)
        assert float(u.quantity @ u.rows.delta_coins) == pytest.approx(delta, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(accounts())
def test_the_whole_never_needs_more_than_its_parts(found: list[tuple[tuple[Coin, ...], float]]) -> None:
    """Under a subadditive model netting over venues never costs: the benefit is not negative."""
    books = books_of(found)
    matrices = correlations(union(books))
    names = union(books)
    subs = []
    for book in books:
        at = [names.index(u.name) for u in book.underlyings]
        own = replace(matrices, matrices=np.ascontiguousarray(matrices.matrices[:, at][:, :, at]))
        subs.append(SubAccount("v", book, netted(replace(book, correlations=own))))
    view = owner_view("owner", subs, matrices, netted)
    assert view.netting_benefit_usd >= -1e-8 * max(1.0, view.im_requirement_usd)
    assert view.im_requirement_usd == math.fsum(v.margin.im_requirement_usd for v in view.venues)
    assert view.economic.equity_usd == pytest.approx(view.equity_usd, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(accounts(), st.floats(0.0, 1.0))
def test_what_may_leave_leaves_margin_and_buffer(found: list[tuple[tuple[Coin, ...], float]], buffer: float) -> None:
    """After a transfer an account still has its initial margin and the buffer, and nothing leaves one that is short."""
    books = books_of(found)
    subs = [SubAccount("v", book, netted(book)) for book in books]
    view = owner_view("owner", subs, correlations(union(books)), netted, OwnerParameters(buffer=buffer))
    for venue in view.venues:
        left = venue.margin.equity_usd - venue.transferable_usd
        if venue.transferable_usd > 0.0:
            assert venue.shortfall_usd == 0.0
            assert left >= (1 + buffer) * venue.margin.im_requirement_usd - 1e-6
        assert venue.shortfall_usd == max(0.0, -venue.excess_usd)
    assert view.uncovered_usd == max(0.0, view.shortfall_usd - view.transferable_usd)


@settings(deadline=None, max_examples=30)
@given(accounts(), st.randoms(use_true_random=False))
def test_accounts_come_in_any_order(found: list[tuple[tuple[Coin, ...], float]], random: object) -> None:
    """The order in which accounts are given changes no bit of what is merged."""
    books = books_of(found)
    other = list(books)
    random.shuffle(other)  # type: ignore[attr-defined]
    one, two = (merge(some, correlations(union(books)), "owner") for some in (books, other))
    assert one.cash_usd == two.cash_usd
    assert one.equity_usd == two.equity_usd
    for a, b in zip(one.underlyings, two.underlyings, strict=True):
        assert a.names == b.names
        assert a.quantity.tolist() == b.quantity.tolist()
        assert np.array_equal(a.average_price, b.average_price, equal_nan=True)


@settings(deadline=None, max_examples=30)
@given(accounts())
def test_a_mirror_account_leaves_cash_only(found: list[tuple[tuple[Coin, ...], float]]) -> None:
    """An account merged with its mirror image holds nothing but what was locked in, and needs nothing."""
    coins, cash = found[0]
    mirrored = tuple(
        replace(c, coins=-c.coins, contracts=tuple(replace(k, quantity=-k.quantity) for k in c.contracts))
        for c in coins
    )
    both = [portfolio(*coins, cash=cash), portfolio(*mirrored)]
    merged = merge(both, correlations(union(both)), "owner")
    assert all(u.names == (None,) and u.quantity.tolist() == [0.0] for u in merged.underlyings)
    assert netted(merged).im_requirement_usd == 0.0
    assert merged.equity_usd == pytest.approx(cash, abs=1e-6)
