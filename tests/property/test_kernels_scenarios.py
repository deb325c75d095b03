"""The risk array against a plain evaluation of the methodology in 50 digits, and its relations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import scenarios
from tests.property.kernels_oracle import (
    Contract,
    Shocks,
    mp,
    option_value,
    pnl_usd,
    standard_and_extended,
    value_usd,
)

CODES = {
    "coin": scenarios.COIN,
    "linear": scenarios.LINEAR,
    "inverse": scenarios.INVERSE,
    "linear_option": scenarios.LINEAR_OPTION,
    "inverse_option": scenarios.INVERSE_OPTION,
}
EXTENDED = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
INDEX = 65_000.0
Arrays = tuple[Any, Any, Any, Any]


def risk_array(contracts: list[Contract], index: float, table: Any, shocks: Shocks) -> Arrays:
    """P&L, value, delta and market delta of the contracts."""
    n = len(contracts)
    kind = np.array([CODES[c.kind] for c in contracts], dtype=np.int64)
    is_call = np.array([c.is_call for c in contracts], dtype=np.bool_)
    size, strike, price, years, vol, fixed, funding = (
        np.array([getattr(c, name) for c in contracts], dtype=np.float64)
        for name in ("size", "strike", "price", "years", "vol", "fixed", "funding")
    )
    pnl, value, delta, market = np.empty((n, len(table.move))), np.empty(n), np.empty(n), np.empty(n)
    scenarios.risk_array(
        kind, is_call, size, strike, price, fixed, funding, years, vol, index,
        table.move, table.linear_move, table.vol_direction, table.weight,
        shocks.up, shocks.down, shocks.min_up, shocks.short_power, shocks.long_power, shocks.dte_floor_days,
        pnl, value, delta, market,
    )  # fmt: skip
    return pnl, value, delta, market


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """One contract of any kind near the index: expired and without volatility, inside its window, funded."""
    kind = draw(st.sampled_from(sorted(CODES)))
    price = INDEX * (1.0 + draw(st.floats(-0.1, 0.2)))
    size = draw(st.sampled_from([0.01, 1.0, 10.0, 100.0]))
    fixed = price * draw(st.one_of(st.just(0.0), st.sampled_from([1.0, 0.5]), st.floats(0.0, 1.0)))
    if "option" not in kind:
        funding = draw(st.one_of(st.just(0.0), st.floats(-0.2, 0.2))) * (price if kind == "linear" else 1.0 / price)
        return Contract(kind, size, price, fixed=fixed, funding=0.0 if kind == "coin" else funding)
    years = draw(st.one_of(st.just(0.0), st.floats(1e-6, 3.0)))
    vol = draw(st.one_of(st.just(0.0), st.floats(0.05, 4.0)))
    strike = price * math.exp(draw(st.one_of(st.just(0.0), st.floats(-2.5, 2.5))))
    return Contract(kind, size, price, strike, draw(st.booleans()), years, vol, fixed)


shock_sets = st.builds(
    Shocks,
    up=st.floats(0.0, 2.0),
    down=st.floats(0.0, 1.0),
    min_up=st.floats(0.0, 1.0),
    short_power=st.floats(0.0, 1.0),
    long_power=st.floats(0.0, 1.0),
    dte_floor_days=st.floats(0.1, 5.0),
)


def scale_usd(contract: Contract, move: float) -> float:
    """What a rounding of a price of this contract is worth: the largest number in its formula."""
    if contract.kind == "inverse":
        return contract.size * INDEX / contract.price
    return contract.size * max(INDEX, contract.price, contract.price * (1.0 + move), contract.strike)


@settings(deadline=None, max_examples=120)
@given(st.lists(contracts(), min_size=1, max_size=4), shock_sets, st.floats(0.02, 0.6), st.integers(1, 5))
def test_every_cell_equals_the_plain_evaluation(
    book: list[Contract], shocks: Shocks, price_range: float, buckets: int
) -> None:
    """Values and every scenario P&L, standard and extended, equal the 50-digit evaluation to 1e-14 of their scale."""
    table = scenarios.scenario_table(price_range, buckets, EXTENDED)
    cells = standard_and_extended(price_range, buckets, EXTENDED)
    pnl, value, _, _ = risk_array(book, INDEX, table, shocks)
    assert pnl.shape == (len(book), len(cells))
    for i, contract in enumerate(book):
        assert abs(value[i] - value_usd(contract, INDEX)) <= 1e-14 * scale_usd(contract, 0.0)
        for s, cell in enumerate(cells):
            exact = pnl_usd(contract, INDEX, cell, price_range, shocks)
            assert abs(pnl[i, s] - exact) <= 1e-14 * scale_usd(contract, cell.move), (contract, cell)


@settings(deadline=None, max_examples=80)
@given(contracts().filter(lambda c: "option" not in c.kind or (c.years > 1e-3 and c.vol > 0.0)))
def test_deltas_are_derivatives_of_the_value(contract: Contract) -> None:
    """Delta is the slope of the USD value by the index at a fixed basis; market delta that of the expiry itself."""
    table = scenarios.scenario_table(0.16, 1, ())
    _, _, delta, market = risk_array([contract], INDEX, table, Shocks())
    slope = mp.diff(lambda m: value_usd(contract, INDEX, m), 0) / INDEX
    assert abs(delta[0] - slope) <= 1e-12 * contract.size
    assert abs(market[0] - _market_delta(contract)) <= 1e-12 * contract.size


def _market_delta(c: Contract) -> Any:
    if c.kind == "coin":
        return 0
    moving = (mp.mpf(c.price) - c.fixed) / c.price
    if c.kind == "linear":
        return c.size * moving
    if c.kind == "inverse":
        return mp.mpf(c.size) / c.price * moving

    def value(forward: Any) -> Any:
        return option_value(is_call=c.is_call, forward=forward, strike=c.strike, vol=c.vol, years=c.years)

    return c.size * moving * mp.diff(value, c.price)


@settings(deadline=None, max_examples=100)
@given(contracts())
def test_nothing_moves_in_the_centre_of_the_table(contract: Contract) -> None:
    """Without a move and without a volatility shock the P&L is exactly zero."""
    table = scenarios.scenario_table(0.16, 4, EXTENDED)
    pnl, _, _, _ = risk_array([contract], INDEX, table, Shocks())
    assert pnl[0, 3 * 4 + 1] == 0.0


@settings(deadline=None, max_examples=60)
@given(contracts(), st.sampled_from([0.5, 2.0, 1024.0]))
def test_risk_is_linear_in_contract_size(contract: Contract, factor: float) -> None:
    """A contract twice as large has exactly twice the value, deltas and P&L, subnormal numbers apart."""
    table = scenarios.scenario_table(0.16, 4, EXTENDED)
    larger = Contract(
        contract.kind,
        contract.size * factor,
        contract.price,
        contract.strike,
        contract.is_call,
        contract.years,
        contract.vol,
        contract.fixed,
        contract.funding,
    )
    for one, many in zip(
        risk_array([contract], INDEX, table, Shocks()), risk_array([larger], INDEX, table, Shocks()), strict=True
    ):
        np.testing.assert_allclose(one * factor, many, rtol=0.0, atol=1e-300)


@pytest.mark.parametrize("field", ["size", "price", "strike", "years", "vol", "fixed", "funding"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@settings(deadline=None, max_examples=30)
@given(contracts())
def test_a_bad_number_makes_its_whole_row_nan(field: str, bad: float, contract: Contract) -> None:
    """A NaN or infinity that a row needs makes the row NaN, and no other row."""
    option = {"strike", "years", "vol"}
    unread = option | {"price", "fixed", "funding"} if contract.kind == "coin" else option
    names = ("size", "price", "strike", "years", "vol", "fixed", "funding")
    numbers = {name: getattr(contract, name) for name in names}
    broken = Contract(contract.kind, is_call=contract.is_call, **{**numbers, field: bad})
    table = scenarios.scenario_table(0.16, 2, EXTENDED)
    before = risk_array([contract, contract], INDEX, table, Shocks())
    after = risk_array([contract, broken], INDEX, table, Shocks())
    for whole, damaged in zip(before, after, strict=True):
        np.testing.assert_array_equal(whole[0], damaged[0])
        if "option" not in contract.kind and field in unread:
            np.testing.assert_array_equal(whole[1], damaged[1])
        else:
            assert np.isnan(damaged[1]).all()


@pytest.mark.parametrize("index", [math.nan, math.inf, 0.0, -1.0])
@settings(deadline=None, max_examples=30)
@given(contracts())
def test_without_an_index_nothing_has_a_value(index: float, contract: Contract) -> None:
    """An index that is no price makes every row NaN."""
    table = scenarios.scenario_table(0.16, 2, EXTENDED)
    for array in risk_array([contract], index, table, Shocks()):
        assert np.isnan(array).all()
