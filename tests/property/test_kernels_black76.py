"""Black-76 against 50 digits, and the relations that hold whatever the inputs."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernels import black76, black76_arrays
from tests.property.kernels_oracle import black76 as exact_price
from tests.property.kernels_oracle import mp

EPS = 2.0**-52
DISCOUNTS = st.one_of(st.just(0.0), st.floats(1e-6, 2.0))
Inputs = tuple[bool, float, float, float]


@st.composite
def options(draw: st.DrawFn, widest: float = 37.0, smallest_stdev: float = -6.0) -> Inputs:
    """Call or put, forward, strike and total stdev; the strike up to `widest` standard deviations away."""
    forward = 10.0 ** draw(st.floats(-6.0, 9.0))
    total_stdev = 10.0 ** draw(st.floats(smallest_stdev, 1.38))
    moneyness = draw(st.one_of(st.just(0.0), st.floats(-3.0, 3.0), st.floats(-widest, widest)))
    log_moneyness = max(-50.0, min(50.0, moneyness * total_stdev))
    return draw(st.booleans()), forward, forward * math.exp(log_moneyness), total_stdev


def price(is_call: bool, forward: float, strike: float, total_stdev: float) -> float:
    return black76.price(is_call, forward, strike, total_stdev, 1.0)


@settings(deadline=None, max_examples=400)
@given(options())
def test_price_is_within_1e_15_of_the_forward_or_of_itself(option: Inputs) -> None:
    """A price differs from 50 digits by at most 1e-15 of the larger of forward and price."""
    is_call, forward, strike, total_stdev = option
    exact = exact_price(is_call=is_call, forward=forward, strike=strike, total_stdev=total_stdev)
    assert abs(price(*option) - exact) <= 1e-15 * max(mp.mpf(forward), exact)


@settings(deadline=None, max_examples=400)
@given(options(smallest_stdev=-2.0))
def test_out_of_the_money_price_is_accurate_relative_to_its_larger_leg(option: Inputs) -> None:
    """Deep in a tail the error stays in proportion to the leg min(F, K) N(d1), not to the forward."""
    _, forward, strike, total_stdev = option
    is_call = strike >= forward
    exact = exact_price(is_call=is_call, forward=forward, strike=strike, total_stdev=total_stdev)
    low, high = min(forward, strike), max(forward, strike)
    d1 = mp.log(mp.mpf(low) / high) / total_stdev + mp.mpf(total_stdev) / 2
    leg = low * mp.ncdf(d1)
    conditioning = 1 + (abs(d1) + total_stdev) ** 2  # of exp(-d^2/2) at a rounded d
    assert abs(price(is_call, forward, strike, total_stdev) - exact) <= 6 * EPS * conditioning * leg + mp.mpf("1e-300")


@settings(deadline=None, max_examples=300)
@given(options())
def test_delta_is_within_4e_16_of_the_derivative(option: Inputs) -> None:
    """Delta differs from 50 digits by at most 4e-16."""
    is_call, forward, strike, total_stdev = option
    d1 = mp.log(mp.mpf(forward) / strike) / total_stdev + mp.mpf(total_stdev) / 2
    exact = mp.ncdf(d1) if is_call else -mp.ncdf(-d1)
    assert abs(black76.delta(is_call, forward, strike, total_stdev, 1.0) - exact) <= 4e-16


@settings(deadline=None, max_examples=500)
@given(options(), DISCOUNTS)
@example((True, 1e6, 1e-6, 0.1), 1.0)
def test_put_call_parity(option: Inputs, discount: float) -> None:
    """Call minus put is D (F - K) to two roundings of the larger leg."""
    _, forward, strike, total_stdev = option
    call = black76.price(True, forward, strike, total_stdev, discount)
    put = black76.price(False, forward, strike, total_stdev, discount)
    assert abs((call - put) - discount * (forward - strike)) <= 2 * EPS * discount * max(forward, strike)


@settings(deadline=None, max_examples=500)
@given(options())
def test_put_is_the_call_with_forward_and_strike_exchanged(option: Inputs) -> None:
    """A put on F struck at K is bit for bit a call on K struck at F."""
    _, forward, strike, total_stdev = option
    assert price(False, forward, strike, total_stdev) == price(True, strike, forward, total_stdev)


@settings(deadline=None, max_examples=500)
@given(options(), DISCOUNTS)
# Without the clamps these three round below zero, above the forward and above the strike.
@example((True, 0.1064856866565111, 0.1064856866565058, 4.025731233477403e-15), 1.0)
@example((False, 0.1064856866565111, 0.1064856866565058, 4.025731233477403e-15), 1.0)
@example((True, 410.2193481859129, 74.7238483104363, 16.853911299567862), 1.0)
@example((False, 0.011192847853812776, 0.3169152015789362, 20.604351930025068), 1.0)
def test_price_lies_between_intrinsic_and_its_bound(option: Inputs, discount: float) -> None:
    """No rounding puts a price below D intrinsic, above D F (call) or D K (put), or below zero."""
    is_call, forward, strike, total_stdev = option
    value = black76.price(is_call, forward, strike, total_stdev, discount)
    intrinsic = max(forward - strike if is_call else strike - forward, 0.0)
    assert 0.0 <= discount * intrinsic <= value <= discount * (forward if is_call else strike)


@settings(deadline=None, max_examples=300)
@given(options(widest=20.0, smallest_stdev=-3.0), st.integers(-40, 40))
def test_price_scales_exactly_with_powers_of_two(option: Inputs, power: int) -> None:
    """Doubling forward and strike doubles the price, bit for bit where it is no subnormal number."""
    is_call, forward, strike, total_stdev = option
    scale = 2.0**power
    assert price(is_call, forward * scale, strike * scale, total_stdev) == scale * price(*option)


@settings(deadline=None, max_examples=200)
@given(options(widest=6.0, smallest_stdev=-2.0), st.floats(1e-4, 0.5))
def test_price_is_monotone_and_convex_in_the_strike(option: Inputs, step: float) -> None:
    """Calls fall, puts rise and both are convex along strikes, within rounding."""
    is_call, forward, strike, total_stdev = option
    strikes = [strike * (1.0 + step * i) for i in range(12)]
    values = [price(is_call, forward, k, total_stdev) for k in strikes]
    rounding = 4e-15 * max(forward, strikes[-1])
    sign = -1.0 if is_call else 1.0
    slopes = []
    for (k0, v0), (k1, v1) in pairwise(zip(strikes, values, strict=True)):
        assert sign * (v1 - v0) >= -rounding
        slopes.append((v1 - v0) / (k1 - k0))
    for before, after in pairwise(slopes):
        assert after - before >= -rounding / (strike * step)


@settings(deadline=None, max_examples=200)
@given(options(widest=6.0, smallest_stdev=-3.0))
def test_price_rises_with_volatility(option: Inputs) -> None:
    """More volatility never makes an option cheaper, beyond rounding."""
    is_call, forward, strike, total_stdev = option
    values = [price(is_call, forward, strike, total_stdev * (1.0 + 0.1 * i)) for i in range(8)]
    for before, after in pairwise(values):
        assert after - before >= -4e-15 * max(forward, strike)


def exact_greeks(is_call: bool, f: float, k: float, vol: float, years: float, rate: float) -> dict[str, Any]:
    """Differentiate the 50-digit price numerically: nobody's closed form is trusted."""

    def value(forward: Any, sigma: Any, t: Any, r: Any) -> Any:
        return exact_price(
            is_call=is_call, forward=forward, strike=k, total_stdev=sigma * mp.sqrt(t), discount=mp.exp(-r * t)
        )

    at = tuple(mp.mpf(x) for x in (f, vol, years, rate))
    orders = {
        "delta": (1, 0, 0, 0),
        "gamma": (2, 0, 0, 0),
        "vega": (0, 1, 0, 0),
        "theta": (0, 0, 1, 0),
        "vanna": (1, 1, 0, 0),
        "volga": (0, 2, 0, 0),
        "rho": (0, 0, 0, 1),
        "speed": (3, 0, 0, 0),
    }
    greeks = {name: mp.diff(value, at, order) for name, order in orders.items()}
    greeks["theta"] = -greeks["theta"]  # time passes, time to expiry falls
    greeks["price"] = value(*at)
    return greeks


@settings(deadline=None, max_examples=60)
@given(
    st.booleans(),
    st.floats(-3.0, 6.0),
    st.floats(-5.0, 5.0),
    st.floats(0.02, 4.0),
    st.floats(1e-4, 5.0),
    st.floats(-0.2, 0.5),
)
def test_greeks_equal_the_derivatives_of_the_exact_price(
    is_call: bool, log_forward: float, moneyness: float, vol: float, years: float, rate: float
) -> None:
    """Every Greek equals the numerical derivative of the 50-digit price to 1e-13 of its own scale."""
    forward = 10.0**log_forward
    s = vol * math.sqrt(years)
    strike = forward * math.exp(moneyness * s)
    got = black76.greeks(is_call, forward, strike, vol, years, rate)._asdict()
    want = exact_greeks(is_call, forward, strike, vol, years, rate)
    d = abs(math.log(forward / strike) / s) + s
    density = math.exp(-0.5 * (math.log(forward / strike) / s + 0.5 * s) ** 2 - rate * years)
    top = max(forward, strike) * math.exp(-rate * years)
    scale = {
        "price": top,
        "delta": math.exp(-rate * years),
        "gamma": density / (forward * s),
        "vega": density * forward * math.sqrt(years),
        "theta": density * forward * vol / math.sqrt(years) + abs(rate) * top,
        "vanna": density * (1.0 + d) / vol,
        "volga": density * forward * math.sqrt(years) * (1.0 + d * d) / vol,
        "rho": years * top,
        "speed": density / (forward * forward * s) * (1.0 + d / s),
    }
    for name, value in want.items():
        assert abs(got[name] - value) <= 1e-13 * scale[name], name


@settings(deadline=None, max_examples=100)
@given(st.lists(options(), max_size=20), st.floats(0.0, 3.0), st.floats(-0.5, 0.5))
def test_arrays_hold_what_the_scalars_return(many: list[Inputs], years: float, rate: float) -> None:
    """The array forms give bit for bit the scalar results, for any length from none."""
    n = len(many)
    is_call = np.array([o[0] for o in many], dtype=np.bool_)
    forward, strike, stdev = (np.array([o[j] for o in many], dtype=np.float64) for j in (1, 2, 3))
    prices, greeks = np.empty(n), np.empty((black76_arrays.GREEKS, n))
    black76_arrays.price_array(is_call, forward, strike, stdev, np.full(n, 0.9), prices)
    black76_arrays.greeks_array(is_call, forward, strike, stdev, np.full(n, years), np.full(n, rate), greeks)
    assert prices.tolist() == [black76.price(c, f, k, s, 0.9) for c, f, k, s in many]
    for i, (c, f, k, s) in enumerate(many):
        assert tuple(greeks[:, i]) == black76.greeks(c, f, k, s, years, rate)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@settings(deadline=None, max_examples=25)
@given(options())
def test_a_number_that_is_none_gives_nan(position: int, bad: float, option: Inputs) -> None:
    """NaN or infinity in any input makes every output NaN."""
    is_call, *numbers = option
    numbers.append(1.0)
    numbers[position] = bad
    forward, strike, stdev, discount = numbers
    assert math.isnan(black76.price(is_call, forward, strike, stdev, discount))
    assert math.isnan(black76.delta(is_call, forward, strike, stdev, discount))
    years, rate = (1.0, 0.0) if position != 3 else (bad, 0.0)
    assert all(math.isnan(x) for x in black76.greeks(is_call, forward, strike, stdev, years, rate))
    if position == 3:
        assert all(math.isnan(x) for x in black76.greeks(is_call, forward, strike, stdev, 1.0, bad))
