"""Add-ons on random books: a second implementation, and what must hold of them."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.models.add_ons import add_ons, with_add_ons
from monitor.models.collateral import collateral, with_collateral
from schemas.add_ons import PRUDENT, AddOnParameters, LiquidityAddOn, NakedShortAddOn
from schemas.collateral import PRUDENT as PRUDENT_COLLATERAL
from schemas.collateral import CollateralParameters, Haircut
from tests import add_ons_oracle as plain
from tests.portfolios import Coin, Contract, netted, portfolio

INDEX = {"BTC": 60_000.0, "ETH": 3_000.0, "XYZ": 2.0, "USDT": 0.998}
LINEAR_IN_SIZE = AddOnParameters(
    naked_shorts=PRUDENT.naked_shorts, roll=PRUDENT.roll, funding=PRUDENT.funding, minimum=PRUDENT.minimum,
    data_quality=PRUDENT.data_quality,
)  # fmt: skip


@st.composite
def contracts(draw: st.DrawFn, coin: str) -> tuple[Contract, ...]:
    """Up to six contracts of one coin, of all kinds, with amounts from dust to more than a day's volume."""
    index, found = INDEX[coin], []
    for number in range(draw(st.integers(0, 6))):
        kind = draw(
            st.sampled_from(["future"] if coin == "USDT" else ["future", "inverse", "option", "inverse_option"])
        )
        in_coins = kind in {"inverse", "inverse_option"}
        dollars = draw(st.sampled_from([10.0, 1e4, 1e6, 3e8])) * draw(st.floats(0.1, 1.0))
        size = draw(st.sampled_from([10.0, 100.0])) if kind == "inverse" else draw(st.sampled_from([0.01, 1.0]))
        quantity = draw(st.sampled_from([-1.0, 1.0])) * dollars / (size if kind == "inverse" else size * index)
        price = index * draw(st.floats(0.97, 1.03))
        days = draw(st.sampled_from([7.0, 30.0, 200.0] if "option" in kind else [0.0, 30.0, 200.0]))
        found.append(
            Contract(
                f"{coin}-{number}", kind, quantity, price, size, days,
                strike=index * draw(st.sampled_from([0.8, 1.0, 1.2])), is_call=draw(st.booleans()),
                vol=draw(st.floats(0.3, 1.2)), average=price * draw(st.floats(0.8, 1.25)),
                settlement=coin if in_coins else draw(st.sampled_from(["USD", "USDT", "USDC"])),
                funding_rate=draw(st.sampled_from([-0.001, 0.0001, 0.003, math.nan])) if not days else 0.0,
            )
        )  # fmt: skip
    return tuple(found)


@st.composite
def books(draw: st.DrawFn) -> tuple[Coin, ...]:
    """One to four coins with balances, contracts and flags."""
    flags = st.sampled_from([(), ("stale",), ("dispersed", "single_source"), ("new",)])
    return tuple(
        Coin(
            name, INDEX[name], draw(contracts(name)), draw(st.sampled_from([0.0, -1.0, 0.5, 1e3])) * 3e4 / INDEX[name],
            draw(st.floats(0.2, 2.0)), draw(flags),
        )
        for name in draw(st.lists(st.sampled_from(sorted(INDEX)), min_size=1, max_size=4, unique=True))
    )  # fmt: skip


def scaled(coins: tuple[Coin, ...], by: float) -> tuple[Coin, ...]:
    return tuple(
        replace(c, coins=by * c.coins, contracts=tuple(replace(one, quantity=by * one.quantity) for one in c.contracts))
        for c in coins
    )


def close(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(books(), st.sampled_from(["strike", "contract"]))
def test_add_ons_equal_loops_over_contracts(coins: tuple[Coin, ...], cover: str) -> None:
    """Every add-on of a random book is that of a second implementation, and parts sum to what has an underlying."""
    shorts = NakedShortAddOn(cover=cover)  # type: ignore[arg-type]
    by = msgspec.structs.replace(PRUDENT, naked_shorts=shorts)
    book = portfolio(*coins)
    im, mm, _, _ = add_ons(book, by)
    want = plain.add_ons(coins, by)
    assert im == {name: close(usd) for name, usd in want.items()}
    assert by.roll is not None
    assert mm.keys() == im.keys()
    assert mm["add_on_roll_usd"] == close(by.roll.mm_factor * want["add_on_roll_usd"])
    assert mm["add_on_naked_shorts_usd"] == close(0.6 * want["add_on_naked_shorts_usd"])


@settings(deadline=None, max_examples=40)
@given(books(), st.floats(0.0, 1_000.0))
def test_margins_with_add_ons_are_sums(coins: tuple[Coin, ...], age_s: float) -> None:
    """Components sum to both requirements, concentration, staleness and floor are those of the definitions."""
    book = portfolio(*coins, cash=1e6)
    model = netted(book)
    ages = {coin.name: age_s for coin in coins}
    got = with_collateral(with_add_ons(model, book, PRUDENT, ages), book, PRUDENT_COLLATERAL)
    assert math.fsum(got.im_components.values()) == got.im_requirement_usd
    assert math.fsum(got.mm_components.values()) == got.mm_requirement_usd
    assert got.equity_usd == model.equity_usd
    risk = {part.underlying: part.im_usd for part in model.parts}
    days = {coin.name: plain.horizon(coin, PRUDENT) for coin in coins}
    longer = sum((days[name] ** 0.5 - 1) * max(0.0, risk[name]) for name in risk)
    assert got.im_components["add_on_concentration_usd"] == close(longer)
    stale = {c.name: max(1.0 if "stale" in c.flags else 0.0, min(1.0, max(0.0, age_s - 60) / 600)) for c in coins}
    assert got.im_components["add_on_staleness_usd"] == close(sum(0.25 * stale[n] * max(0.0, risk[n]) for n in risk))
    assert got.mm_components["add_on_staleness_usd"] == 0.0
    floor = plain.floor(coins, 0.02, 0.01)
    assert got.im_components["add_on_minimum_usd"] == close(max(0.0, floor - model.im_requirement_usd))
    assert got.mm_components["add_on_minimum_usd"] == close(max(0.0, floor / 2 - model.mm_requirement_usd))
    with_parts = math.fsum(part.im_usd for part in got.parts)
    assert with_parts == close(got.im_requirement_usd - got.im_components["add_on_minimum_usd"])


@settings(deadline=None, max_examples=40)
@given(books(), st.floats(-1e9, 1e9))
def test_cash_shifts_the_excess_one_for_one(coins: tuple[Coin, ...], cash: float) -> None:
    """No add-on and no haircut looks at dollars that are there."""
    one, other = portfolio(*coins), portfolio(*coins, cash=cash)
    assert add_ons(one, PRUDENT) == add_ons(other, PRUDENT)
    if cash >= 0.0:
        assert collateral(one, PRUDENT_COLLATERAL) == collateral(other, PRUDENT_COLLATERAL)
    assert other.equity_usd == close(one.equity_usd + cash)


@settings(deadline=None, max_examples=40)
@given(books())
def test_no_position_needs_nothing(coins: tuple[Coin, ...]) -> None:
    """An account that holds only dollars has no add-on; one with fresh coins none but haircuts and the peg."""
    assert all(usd == 0.0 for usd in add_ons(portfolio(cash=1e6), PRUDENT)[0].values())
    im, mm, _, _ = add_ons(portfolio(*(replace(c, contracts=(), flags=()) for c in coins)), PRUDENT)
    assert {name for name, usd in im.items() if usd} | {name for name, usd in mm.items() if usd} <= {"add_on_depeg_usd"}
    assert collateral(portfolio(cash=1e6), PRUDENT_COLLATERAL)[:2] == ({}, {})


@settings(deadline=None, max_examples=40)
@given(books(), st.randoms(use_true_random=False))
def test_order_of_positions_changes_no_bit(coins: tuple[Coin, ...], random: Random) -> None:
    """Rows in any order, here by other names, give the same bits."""
    book, other = portfolio(*coins), portfolio(*(renamed(coin, random) for coin in coins))
    assert add_ons(other, PRUDENT)[:2] == add_ons(book, PRUDENT)[:2]
    assert collateral(other, PRUDENT_COLLATERAL) == collateral(book, PRUDENT_COLLATERAL)


def renamed(coin: Coin, random: Random) -> Coin:
    """The coin with its contracts' names dealt out anew, so that they are sorted in another order."""
    names = [contract.name for contract in coin.contracts]
    random.shuffle(names)
    return replace(coin, contracts=tuple(replace(c, name=n) for c, n in zip(coin.contracts, names, strict=True)))


@settings(deadline=None, max_examples=40)
@given(books(), st.integers(1, 6))
def test_rates_scale_and_costs_grow_faster(coins: tuple[Coin, ...], doublings: int) -> None:
    """Twice the book has twice the rates to the last bit, and at least twice the cost, convex in between."""
    by = 2.0**doublings
    book, large = portfolio(*coins), portfolio(*scaled(coins, by))
    one, more = add_ons(book, LINEAR_IN_SIZE)[0], add_ons(large, LINEAR_IN_SIZE)[0]
    assert more == {name: by * usd for name, usd in one.items()}
    costs = AddOnParameters(liquidity=LiquidityAddOn())
    small, middle, big = (
        add_ons(portfolio(*scaled(coins, size)), costs)[0]["add_on_liquidation_cost_usd"]
        for size in (1.0, (1.0 + by) / 2, by)
    )
    assert small <= middle <= big
    assert big >= by * small * (1 - 1e-12)
    assert middle <= (small + big) / 2 * (1 + 1e-12)


@settings(deadline=None, max_examples=40)
@given(books(), st.floats(1.0, 5.0))
def test_a_larger_book_needs_no_less(coins: tuple[Coin, ...], factor: float) -> None:
    """Every add-on, haircut and horizon is monotone in size along the book."""
    small, large = portfolio(*coins), portfolio(*scaled(coins, factor))
    for one, more in (
        (add_ons(small, PRUDENT)[:2], add_ons(large, PRUDENT)[:2]),
        (collateral(small, PRUDENT_COLLATERAL)[:2], collateral(large, PRUDENT_COLLATERAL)[:2]),
    ):
        for before, after in zip(one, more, strict=True):
            assert all(after[name] >= usd * (1 - 1e-12) for name, usd in before.items())
    assert all(plain.horizon(c, PRUDENT) >= 1.0 for c in coins)


@settings(deadline=None, max_examples=40)
@given(books())
def test_collateral_equals_loops_over_balances(coins: tuple[Coin, ...]) -> None:
    """Haircuts and debts are each dollar at its slice's rate, initial and maintenance."""
    im, mm, _, _ = collateral(portfolio(*coins), PRUDENT_COLLATERAL)
    want_im, want_mm = {}, {}
    for coin in coins:
        by = PRUDENT_COLLATERAL.assets.get(coin.name, PRUDENT_COLLATERAL.default)
        assert isinstance(by.positive, Haircut)
        value = coin.coins * coin.index
        tables = (by.positive.mm, by.positive.im_extra) if value > 0 else (by.borrow_mm, by.borrow_im_extra)
        if value:
            name = f"{'haircut' if value > 0 else 'borrow'}:{coin.name}"
            want_mm[name] = close(plain.tiered(abs(value), tables[0]))
            want_im[name] = close(plain.tiered(abs(value), tables[0]) + plain.tiered(abs(value), tables[1]))
    assert im == want_im
    assert mm == want_mm


@settings(deadline=None, max_examples=30)
@given(books())
def test_what_is_off_changes_nothing(coins: tuple[Coin, ...]) -> None:
    """With the defaults a model's margin is the very same value."""
    book = portfolio(*coins)
    model = netted(book)
    assert with_add_ons(model, book, AddOnParameters()) is model
    assert with_collateral(model, book, CollateralParameters()) is model
