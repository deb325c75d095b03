"""The option groups where the formula ends: every edge through the functions a vector file reaches."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest

from kernels import black76
from monitor.vectors.registry import CALLABLES
from tests.unit.vectors.second import mp, price

D = 0.95
TINY, HUGE = 5e-324, 1e307


def black76_price(kind: str, forward: float, strike: float, stdev: float) -> float:
    inputs = {"forward": forward, "discount": D, "rows": [[kind, strike, stdev]]}
    (value,) = CALLABLES["black76_price"](inputs)["price"]
    return float(value)


def edge(kind: str, forward: float, strike: float, stdev: float) -> dict[str, float]:
    inputs = {"forward": forward, "discount": D, "total_stdev": stdev, "rows": [[kind, strike]]}
    return {name: values[0] for name, values in CALLABLES["black76_greeks_edge"](inputs).items()}


@pytest.mark.parametrize(
    ("kind", "forward", "strike", "price", "delta"),
    [
        ("call", 110.0, 100.0, 9.5, D), ("call", 90.0, 100.0, 0.0, 0.0), ("call", 100.0, 100.0, 0.0, D / 2),
        ("put", 110.0, 100.0, 0.0, 0.0), ("put", 90.0, 100.0, 9.5, -D), ("put", 100.0, 100.0, 0.0, -D / 2),
    ],
)  # fmt: skip
def test_without_deviation(kind: str, forward: float, strike: float, price: float, delta: float) -> None:
    """At s = 0 price is D intrinsic, delta D in, 0 out, D/2 exactly at the money; the other Greeks are 0."""
    assert black76_price(kind, forward, strike, 0.0) == pytest.approx(price, rel=1e-15)
    got = edge(kind, forward, strike, 0.0)
    assert got.pop("delta_forward") == pytest.approx(delta, rel=1e-15)
    assert set(got.values()) == {0.0}


@pytest.mark.parametrize("stdev", [24.0, 30.0, 1e6])
@pytest.mark.parametrize(("kind", "price", "delta"), [("call", 100.0 * D, D), ("put", 80.0 * D, 0.0)])
def test_without_bound(kind: str, price: float, delta: float, stdev: float) -> None:
    """From s = 24 a call is D F and a put D K, and nothing moves them but the forward of the call."""
    assert black76_price(kind, 100.0, 80.0, stdev) == price
    got = edge(kind, 100.0, 80.0, stdev)
    assert got.pop("delta_forward") == pytest.approx(delta, rel=1e-15)
    assert set(got.values()) == {0.0}


def test_the_bound_at_24_is_what_the_formula_gives() -> None:
    """At s = 24 the formula itself is within a rounding of the bound, from 1e-20 to 1e20 of moneyness."""
    for kind, strike in product(("call", "put"), (1e-18, 1.0, 100.0, 1e22)):
        exact = price(kind, 100.0, strike, 24.0, D)
        assert black76_price(kind, 100.0, strike, 24.0) == pytest.approx(float(exact), rel=1e-15)


@pytest.mark.parametrize("strike", [0.0, -5.0])
@pytest.mark.parametrize("stdev", [0.0, 0.3, 30.0])
def test_a_strike_that_is_not_positive(strike: float, stdev: float) -> None:
    """At K <= 0 a call is its discounted forward and a put is worth nothing."""
    assert (black76_price("call", 100.0, strike, stdev), black76_price("put", 100.0, strike, stdev)) == (95.0, 0.0)


@pytest.mark.parametrize("forward", [0.0, -5.0])
@pytest.mark.parametrize("stdev", [0.0, 0.3, 30.0])
def test_a_forward_that_is_not_positive(forward: float, stdev: float) -> None:
    """At F <= 0 a call is worth nothing and a put its discounted strike."""
    assert (black76_price("call", forward, 80.0, stdev), black76_price("put", forward, 80.0, stdev)) == (0.0, 76.0)


def test_expired_options_on_a_spot() -> None:
    """At T = 0 an option on a spot is intrinsic, with the delta of the stock or of nothing, half at the money."""
    rows = [[kind, strike, 100.0, 0.02, 0.05, 0.0, 0.4] for kind in ("call", "put") for strike in (90.0, 100.0, 120.0)]
    assert CALLABLES["bsm_price"]({"rows": rows})["price"] == [10.0, 0.0, 0.0, 0.0, 0.0, 20.0]
    deltas = CALLABLES["bsm_greeks"]({"rows": [["delta", *row] for row in rows]})["value"]
    assert deltas == [1.0, 0.5, 0.0, 0.0, -0.5, -1.0]


def test_greeks_of_an_expired_option_with_everything_stated() -> None:
    """At maturity 0 every Greek is finite: probabilities are 0, 1/2 or 1 and a strike's value moves against it."""
    inputs = {"type": "call", "forward": 100.0, "strike": 90.0, "total_stdev": 0.0, "discount": 1.0, "spot": 100.0,
              "maturity": 0.0}  # fmt: skip
    got = CALLABLES["black76_greeks"](inputs)
    assert all(math.isfinite(x) for x in got.values())
    assert (got["itm_cash_probability"], got["itm_asset_probability"], got["strike_sensitivity"]) == (1.0, 1.0, -1.0)
    at_the_money = CALLABLES["black76_greeks"]({**inputs, "strike": 100.0})
    assert (at_the_money["itm_cash_probability"], at_the_money["strike_sensitivity"]) == (0.5, -0.5)


@pytest.mark.parametrize("stdev", [1e-17, 1e-12, 1e-6, 0.3])
def test_deviations_near_zero_meet_the_formula(stdev: float) -> None:
    """Exactly at the money a price is D F s/sqrt(2 pi) down to the smallest deviations: nothing cancels."""
    exact = mp.mpf(D) * 100 * mp.erf(mp.mpf(stdev) / 2 / mp.sqrt(2))
    for kind in ("call", "put"):
        assert black76_price(kind, 100.0, 100.0, stdev) == pytest.approx(float(exact), rel=3e-16)


def test_no_finite_input_makes_a_greek_infinite() -> None:
    """At the ends of the floats every Greek is a number, held at the largest one with its sign."""
    forwards = (TINY, 1e-310, 1e-200, 1e-18, 1.0, 1e200, HUGE)
    sizes = (0.0, TINY, 1e-300, 1e-9, 0.5, 1e9, 1e300)
    for is_call, forward, strike, vol, years in product((True, False), forwards, forwards, sizes, sizes):
        greeks = black76.greeks(is_call, forward, strike, vol, years, 0.0)
        assert all(math.isfinite(x) for x in greeks), (is_call, forward, strike, vol, years)
    least = black76.greeks(True, 1e-300, 1e-300, 1e-9, 1.0, 0.0)
    assert (least.gamma, least.speed) == (black76.LARGEST, -black76.LARGEST)


@pytest.mark.parametrize(
    ("group", "change"),
    [
        ("black76_price", {"rows": [["call", 100.0, 0.0], ["put", 0.0, 0.0], ["put", -1.0, 30.0]]}),
        ("black76_price", {"forward": 0.0, "rows": [["call", 100.0, 0.2], ["put", 100.0, 0.2]]}),
        ("black76_price", {"rows": [["call", 100.0, 0.0], ["put", 100.0, 0.0]]}),
    ],
)
def test_edges_equal_the_second_implementation(group: str, change: dict[str, Any]) -> None:
    """The limits were written twice, and agree."""
    inputs = {"forward": 100.0, "discount": D, **change}
    exact = [price(kind, inputs["forward"], max(strike, 0.0), stdev, D) for kind, strike, stdev in inputs["rows"]]
    assert CALLABLES[group](inputs)["price"] == pytest.approx([float(x) for x in exact], rel=1e-15)
