"""Risk arrays of one long contract, against 40 digits of the definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels.span.arrays import risk_arrays
from kernels.span.scenarios import span_scenarios
from tests.unit.kernels.span import plain
from tests.unit.kernels.span.build import POINT_WEIGHTS, arrays

INDEX = 65_000.0
COIN = {"kind": "coin", "size": 1.0, "price": INDEX}
LINEAR = {"kind": "linear", "size": 0.01, "price": 65_400.0}
INVERSE = {"kind": "inverse", "size": 10.0, "price": 65_400.0}
CALL = {"kind": "linear_option", "type": "call", "size": 1.0, "price": 65_650.0, "strike": 70_000.0, "years": 30 / 365,
        "vol": 0.6}  # fmt: skip
CONTRACTS: list[dict[str, Any]] = [
    COIN, LINEAR, INVERSE,
    CALL, {**CALL, "type": "put"}, {**CALL, "kind": "inverse_option"},
    {**CALL, "kind": "inverse_option", "type": "put"},
    {**CALL, "years": 0.5 / 365}, {**CALL, "years": 0.0, "strike": 60_000.0}, {**CALL, "vol": 0.02},
    # Inside the settlement average: a third of the price is fixed.
    {**LINEAR, "fixed": 21_800.0}, {**INVERSE, "fixed": 21_800.0},
    {**CALL, "years": 0.01 / 365, "fixed": 20_000.0}, {**CALL, "kind": "inverse_option", "fixed": 20_000.0},
]  # fmt: skip


@pytest.mark.parametrize("price_range", [0.093, 0.3, 0.5, 0.9])
@pytest.mark.parametrize(("relative", "vol_scan", "look_ahead_days"), [(False, 0.15, 1.0), (True, 0.25, 0.0)])
@pytest.mark.parametrize("extreme", [(2.0, 0.35), (3.0, 0.33)])
def test_arrays_equal_the_definitions(
    price_range: float, relative: bool, vol_scan: float, look_ahead_days: float, extreme: tuple[float, float]
) -> None:
    """P&L, value and composite delta of every kind of contract are those of 40 digits, prices of zero included."""
    got = arrays(CONTRACTS, INDEX, price_range, vol_scan, relative=relative, look_ahead_days=look_ahead_days,
                 multiplier=extreme[0], covered=extreme[1])  # fmt: skip
    assert np.isfinite(got.pnl_usd).all()
    for i, contract in enumerate(CONTRACTS):
        want = plain.array(contract, INDEX, price_range, vol_scan, relative=relative, look_ahead_days=look_ahead_days,
                           table=plain.scenarios(*extreme))  # fmt: skip
        # A time value is a difference of prices of the size of the forward.
        assert got.pnl_usd[i].tolist() == pytest.approx([float(x) for x in want], rel=1e-12, abs=1e-9), contract
        delta = plain.delta_coins(contract, price_range, look_ahead_days)
        assert got.delta_coins[i] == pytest.approx(float(delta), rel=1e-12, abs=1e-15), contract
        value = 0.0
        if contract["kind"] == "coin":
            value = INDEX
        elif "strike" in contract:
            value = float(plain.option_usd(contract, INDEX, 0, contract["vol"], contract["years"]))
        assert got.value_usd[i] == pytest.approx(value, rel=1e-12), contract


def test_the_scenario_table() -> None:
    """Sixteen scenarios in the order of the files: pairs of volatility up and down, then the two extremes."""
    table = span_scenarios(2.0, 0.35)
    assert (table.move * 3).round(12).tolist() == [0, 0, 1, 1, -1, -1, 2, 2, -2, -2, 3, 3, -3, -3, 6, -6]
    assert table.vol_direction.tolist() == [1, -1] * 7 + [0, 0]
    assert table.weight.tolist() == [1.0] * 14 + [0.35, 0.35]


@pytest.mark.parametrize(
    ("multiplier", "covered"), [(0.9, 0.35), (math.inf, 0.35), (2.0, 0.0), (2.0, 1.1), (2.0, math.nan)]
)
def test_a_table_out_of_range_is_refused(multiplier: float, covered: float) -> None:
    """An extreme move inside the range, or a share that is none, is an error."""
    with pytest.raises(ValueError, match=r"extreme|covered"):
        span_scenarios(multiplier, covered)


def test_an_inverse_future_gains_what_its_contract_pays_in_coins() -> None:
    """Coins gained by face (1/p - 1/p') are the array's USD over the coin's new price, in every scenario."""
    pnl = arrays([INVERSE], INDEX, 0.3, 0.1).pnl_usd[0]
    table = span_scenarios(2.0, 0.35)
    m = table.move * 0.3
    coins = 10.0 * (1 / 65_400.0 - 1 / (65_400.0 * (1 + m)))
    assert (pnl / (INDEX * (1 + m))).tolist() == pytest.approx((table.weight * coins).tolist(), rel=1e-12, abs=1e-18)


def test_look_ahead_alone_costs_a_day_of_time_value() -> None:
    """With no volatility scan, scenarios 1 and 2 are the option a day older at the same price."""
    pnl = arrays([CALL], INDEX, 0.3, 0.0).pnl_usd[0]
    aged = float(plain.option_usd(CALL, INDEX, 0, 0.6, 29 / 365) - plain.option_usd(CALL, INDEX, 0, 0.6, 30 / 365))
    assert pnl[:2].tolist() == pytest.approx([aged, aged], rel=1e-11)
    assert aged < 0.0


@pytest.mark.parametrize(
    "change",
    [
        {"price": math.nan}, {"price": 0.0}, {"price": -1.0}, {"size": math.inf}, {"strike": math.nan},
        {"vol": math.nan}, {"vol": -0.1}, {"vol": math.inf}, {"years": math.nan}, {"fixed": 70_000.0}, {"fixed": -1.0},
    ],
)  # fmt: skip
def test_a_number_that_is_missing_makes_its_row_nan(change: dict[str, float]) -> None:
    """What cannot be priced is NaN throughout, and its neighbours are not."""
    got = arrays([LINEAR, {**CALL, **change}], INDEX, 0.3, 0.1)
    assert np.isfinite(got.pnl_usd[0]).all()
    assert np.isnan([*got.pnl_usd[1], got.value_usd[1], got.delta_coins[1]]).all()


@pytest.mark.parametrize(("index", "price_range", "vol_scan"), [(math.nan, 0.3, 0.1), (INDEX, math.nan, 0.1),
                                                                (INDEX, 0.3, math.nan), (INDEX, 0.0, 0.1)])  # fmt: skip
def test_a_range_that_is_missing_makes_all_rows_nan(index: float, price_range: float, vol_scan: float) -> None:
    """Without index or ranges there is no array, rather than one without risk."""
    assert np.isnan(arrays([COIN, LINEAR, CALL], index, price_range, vol_scan).pnl_usd).all()


def test_an_unknown_kind_is_nan() -> None:
    """A code that names no kind of contract has no array."""
    one = np.ones(1)
    got = risk_arrays(np.array([9]), np.array([True]), one, one, one, 0 * one, one, one, 1.0, 0.1, 0.1, False, 0.0,
                      span_scenarios(2.0, 0.35), POINT_WEIGHTS)  # fmt: skip
    assert np.isnan(got.pnl_usd).all()


@pytest.mark.parametrize("weights", [np.zeros(7), np.ones(6), np.array([1, 1, 1, 1, 1, 1, -1.0]), np.full(7, math.nan)])
def test_weights_that_are_none_are_refused(weights: Any) -> None:
    """A composite delta needs seven weights with a sum."""
    one = np.ones(1)
    with pytest.raises(ValueError, match="seven weights"):
        risk_arrays(np.array([0]), np.array([True]), one, one, one, 0 * one, one, one, 1.0, 0.1, 0.1, False, 0.0,
                    span_scenarios(2.0, 0.35), weights)  # fmt: skip
