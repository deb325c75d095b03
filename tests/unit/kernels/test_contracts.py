"""Contract conventions: futures P&L, spot and coin Greeks, settlement averages."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import black76, contracts
from tests.property.kernels_oracle import mp, option_value

prices = st.floats(1e-3, 1e6)


def test_linear_pnl() -> None:
    """Two short contracts of half a coin gain when the price falls."""
    assert contracts.linear_pnl_usd(-2.0, 0.5, 100.0, 90.0) == 10.0


def test_inverse_pnl() -> None:
    """Long 100 contracts of 10 USD from 50,000 to 40,000 lose 0.005 coins."""
    assert contracts.inverse_pnl_coins(100.0, 10.0, 50_000.0, 40_000.0) == pytest.approx(-0.005, rel=1e-15)


@settings(deadline=None, max_examples=200)
@given(prices, st.floats(-0.9, 5.0))
def test_inverse_pnl_of_a_relative_move(entry: float, move: float) -> None:
    """A base quantity q = n/p0 moved by m gains q m/(1+m) coins."""
    got = contracts.inverse_pnl_coins(1.0, 100.0, entry, entry * (1.0 + move))
    m = mp.mpf(entry * (1.0 + move)) / entry - 1
    assert abs(got - 100 / mp.mpf(entry) * m / (1 + m)) <= 4e-16 * 100.0 / entry * max(1.0, abs(float(m / (1 + m))))


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_inverse_pnl_without_a_price(bad: float) -> None:
    """A price that is none gives NaN on either side."""
    assert math.isnan(contracts.inverse_pnl_coins(1.0, 10.0, bad, 1.0))
    assert math.isnan(contracts.inverse_pnl_coins(1.0, 10.0, 1.0, bad))


@settings(deadline=None, max_examples=40)
@given(st.booleans(), st.floats(-1.5, 1.5), st.floats(0.1, 2.0), st.floats(0.01, 2.0))
def test_coin_greeks_are_derivatives_of_the_coin_price(
    is_call: bool, log_moneyness: float, vol: float, years: float
) -> None:
    """Price-adjusted delta is F dc/dF, gamma F^2 d2c/dF2, vega dc/dvol and theta -dc/dT of c = V(F)/F."""
    forward, strike = 65_000.0, 65_000.0 * math.exp(log_moneyness)
    g = black76.greeks(is_call, forward, strike, vol, years, 0.0)
    coin = contracts.inverse_greeks(g.price, g.delta, g.gamma, g.vega, g.theta, forward)

    def c(f: Any, sigma: Any, t: Any) -> Any:
        return option_value(is_call=is_call, forward=f, strike=strike, vol=sigma, years=t) / f

    at = (mp.mpf(forward), mp.mpf(vol), mp.mpf(years))
    rounding = 1e-13 * (1.0 + strike / forward) * (1.0 + 1.0 / (vol * math.sqrt(years)))
    assert abs(coin.price - c(*at)) <= rounding
    assert abs(coin.delta - forward * mp.diff(c, at, (1, 0, 0))) <= rounding
    assert abs(coin.gamma - forward**2 * mp.diff(c, at, (2, 0, 0))) <= rounding
    assert abs(coin.vega - mp.diff(c, at, (0, 1, 0))) <= rounding
    assert abs(coin.theta + mp.diff(c, at, (0, 0, 1))) <= rounding * max(1.0, vol / math.sqrt(years))


def test_premium_adjusted_gamma_of_a_call_may_be_negative() -> None:
    """A call deep in the money is concave in coins."""
    g = black76.greeks(True, 122_000.0, 102_000.0, 0.45, 0.13, 0.0)
    coin = contracts.inverse_greeks(g.price, g.delta, g.gamma, g.vega, g.theta, 122_000.0)
    assert coin.gamma < 0.0 < g.gamma


@settings(deadline=None, max_examples=40)
@given(
    st.booleans(), st.floats(-1.0, 1.0), st.floats(0.1, 2.0), st.floats(0.01, 2.0), st.floats(-0.05, 0.2),
    st.floats(-0.05, 0.2),
)  # fmt: skip
def test_spot_greeks_are_derivatives_by_the_spot(
    is_call: bool, log_moneyness: float, vol: float, years: float, rate: float, dividend: float
) -> None:
    """Delta, gamma, vanna, theta and rho by the spot equal the numerical derivatives of the discounted price."""
    spot = 100.0
    forward = spot * math.exp((rate - dividend) * years)
    strike = forward * math.exp(log_moneyness)
    g = black76.greeks(is_call, forward, strike, vol, years, rate)
    got = contracts.spot_greeks(
        g.price, g.delta, g.gamma, g.vanna, g.theta, forward, spot, years, rate, dividend
    )._asdict()

    def value(s: Any, sigma: Any, t: Any, r: Any) -> Any:
        f = s * mp.exp((r - dividend) * t)
        return mp.exp(-r * t) * option_value(is_call=is_call, forward=f, strike=strike, vol=sigma, years=t)

    at = tuple(mp.mpf(x) for x in (spot, vol, years, rate))
    want = {
        "delta": mp.diff(value, at, (1, 0, 0, 0)),
        "gamma": mp.diff(value, at, (2, 0, 0, 0)),
        "vanna": mp.diff(value, at, (1, 1, 0, 0)),
        "theta": -mp.diff(value, at, (0, 0, 1, 0)),
        "rho": mp.diff(value, at, (0, 0, 0, 1)),
    }
    stdev = vol * math.sqrt(years)
    for name, exact in want.items():
        assert abs(got[name] - exact) <= 1e-12 * (spot + strike) * (1.0 + 1.0 / stdev + vol / stdev / years), name


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_conversions_without_a_price_are_nan(bad: float) -> None:
    """Spot and coin Greeks need a positive spot and forward."""
    assert all(math.isnan(x) for x in contracts.inverse_greeks(1.0, 0.5, 0.1, 1.0, -1.0, bad))
    assert all(math.isnan(x) for x in contracts.spot_greeks(1.0, 0.5, 0.1, 0.0, 0.0, 100.0, bad, 1.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("seconds_left", "fixed", "variable"),
    [
        (7_200.0, 0.0, 66_000.0),
        (1_800.0, 0.0, 66_000.0),
        (1_350.0, 16_250.0, 49_500.0),
        (900.0, 32_500.0, 33_000.0),
        (1.0, 65_000.0 * 1_799 / 1_800, 66_000.0 / 1_800),
        (0.0, 65_000.0, 0.0),
        (-10.0, 65_000.0, 0.0),
    ],
)
def test_settlement_average_fixes_the_forward_bit_by_bit(seconds_left: float, fixed: float, variable: float) -> None:
    """In the last half hour the share of the average that has passed no longer moves."""
    split = contracts.settlement_forward(66_000.0, 65_000.0, seconds_left, 1_800.0)
    assert split == pytest.approx((fixed, variable), rel=1e-15)


def test_before_the_window_the_average_is_unread() -> None:
    """No average exists before the window, and none is needed."""
    assert contracts.settlement_forward(66_000.0, math.nan, 1_801.0, 1_800.0) == (0.0, 66_000.0)


def test_without_a_window_all_of_the_forward_moves_until_expiry() -> None:
    """A contract that settles on one price has no average: it moves until it is fixed at expiry."""
    assert contracts.settlement_forward(66_000.0, math.nan, 0.5, 0.0) == (0.0, 66_000.0)
    assert contracts.settlement_forward(66_000.0, math.nan, 0.0, 0.0) == (66_000.0, 0.0)


@pytest.mark.parametrize(("seconds_left", "window"), [(math.nan, 1_800.0), (1.0, math.nan), (1.0, -1.0)])
def test_settlement_without_a_time_is_nan(seconds_left: float, window: float) -> None:
    """A missing time or a negative window gives NaN."""
    assert all(math.isnan(x) for x in contracts.settlement_forward(1.0, 1.0, seconds_left, window))
