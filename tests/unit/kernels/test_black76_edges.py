"""Degenerate inputs of Black-76, one row each."""

from __future__ import annotations

import math
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from kernels import black76, black76_arrays

ZERO_GREEKS = ("gamma", "vega", "vanna", "volga", "speed")
TINY = 5e-324


@pytest.mark.parametrize(
    ("is_call", "forward", "strike", "price", "delta"),
    [
        (True, 110.0, 100.0, 9.0, 0.9),
        (True, 90.0, 100.0, 0.0, 0.0),
        (True, 100.0, 100.0, 0.0, 0.45),
        (False, 110.0, 100.0, 0.0, 0.0),
        (False, 90.0, 100.0, 9.0, -0.9),
        (False, 100.0, 100.0, 0.0, -0.45),
    ],
)
@pytest.mark.parametrize(("vol", "years"), [(0.0, 1.0), (0.5, 0.0), (0.0, 0.0), (TINY, TINY)])
def test_without_uncertainty_an_option_is_intrinsic(
    is_call: bool, forward: float, strike: float, price: float, delta: float, vol: float, years: float
) -> None:
    """At zero time or volatility price is D intrinsic, delta D in, 0 out, D/2 at the money, the rest 0."""
    assert black76.price(is_call, forward, strike, 0.0, 0.9) == pytest.approx(price, abs=0.0)
    assert black76.delta(is_call, forward, strike, 0.0, 0.9) == pytest.approx(delta, abs=0.0)
    greeks = black76.greeks(is_call, forward, strike, vol, years, 0.0)
    assert greeks.price == max(forward - strike if is_call else strike - forward, 0.0)
    assert greeks.delta == pytest.approx(delta / 0.9, abs=0.0)
    assert [getattr(greeks, name) for name in ZERO_GREEKS] == [0.0] * 5


@pytest.mark.parametrize("total_stdev", [24.0, 25.0, 1e3, 1e300])
def test_unbounded_uncertainty_leaves_the_bound(total_stdev: float) -> None:
    """From s = 24 a call is worth its discounted forward and a put its discounted strike."""
    assert black76.price(True, 80.0, 100.0, total_stdev, 0.5) == 40.0
    assert black76.price(False, 80.0, 100.0, total_stdev, 0.5) == 50.0
    assert black76.delta(True, 80.0, 100.0, total_stdev, 0.5) == 0.5
    assert black76.delta(False, 80.0, 100.0, total_stdev, 0.5) == 0.0
    greeks = black76.greeks(True, 80.0, 100.0, total_stdev, 1.0, 0.0)
    assert [getattr(greeks, name) for name in ZERO_GREEKS] == [0.0] * 5


def test_the_limit_at_24_is_continuous() -> None:
    """Just below s = 24 price and delta are within rounding of the limit."""
    below = math.nextafter(24.0, 0.0)
    assert black76.price(True, 80.0, 100.0, below, 1.0) == pytest.approx(80.0, rel=1e-15)
    assert black76.price(False, 80.0, 100.0, below, 1.0) == pytest.approx(100.0, rel=1e-15)
    assert black76.delta(False, 80.0, 100.0, below, 1.0) == pytest.approx(0.0, abs=1e-30)


@pytest.mark.parametrize("strike", [0.0, -0.0, -10.0])
@pytest.mark.parametrize("total_stdev", [0.0, 0.3, 30.0])
def test_a_strike_that_is_not_positive(strike: float, total_stdev: float) -> None:
    """At K <= 0 a call is the discounted forward and a put worthless."""
    assert black76.price(True, 50.0, strike, total_stdev, 0.9) == 45.0
    assert black76.price(False, 50.0, strike, total_stdev, 0.9) == 0.0
    assert black76.delta(True, 50.0, strike, total_stdev, 0.9) == 0.9
    assert black76.delta(False, 50.0, strike, total_stdev, 0.9) == 0.0


@pytest.mark.parametrize("forward", [0.0, -0.0, -10.0])
@pytest.mark.parametrize("total_stdev", [0.0, 0.3, 30.0])
def test_a_forward_that_is_not_positive(forward: float, total_stdev: float) -> None:
    """At F <= 0 a call is worthless and a put the discounted strike."""
    assert black76.price(True, forward, 50.0, total_stdev, 0.9) == 0.0
    assert black76.price(False, forward, 50.0, total_stdev, 0.9) == 45.0
    assert black76.price(False, forward, -50.0, total_stdev, 0.9) == 0.0
    assert black76.delta(True, forward, 50.0, total_stdev, 0.9) == 0.0
    assert black76.delta(False, forward, 50.0, total_stdev, 0.9) == -0.9
    assert black76.delta(False, forward, -50.0, total_stdev, 0.9) == 0.0


@pytest.mark.parametrize(
    ("stdev", "discount"), [(-0.1, 1.0), (-TINY, 1.0), (0.2, -1.0)], ids=["stdev", "tiny stdev", "discount"]
)
def test_a_negative_deviation_or_discount_gives_nan(stdev: float, discount: float) -> None:
    """Values without a meaning give NaN, not a number."""
    assert math.isnan(black76.price(True, 1.0, 1.0, stdev, discount))
    assert math.isnan(black76.delta(True, 1.0, 1.0, stdev, discount))


@pytest.mark.parametrize(("vol", "years"), [(-0.1, 1.0), (0.1, -1.0), (-0.1, -1.0), (math.nan, 1.0), (0.1, math.nan)])
def test_greeks_refuse_a_negative_volatility_or_time(vol: float, years: float) -> None:
    """A negative or missing volatility or time makes every Greek NaN."""
    assert all(math.isnan(x) for x in black76.greeks(True, 1.0, 1.0, vol, years, 0.0))


def test_expired_greeks_carry_the_rate() -> None:
    """At zero volatility theta is r V and rho -T V, the growth of a certain payment."""
    greeks = black76.greeks(True, 120.0, 100.0, 0.0, 2.0, 0.05)
    value = 20.0 * math.exp(-0.1)
    assert greeks.price == pytest.approx(value, rel=1e-15)
    assert greeks.theta == pytest.approx(0.05 * value, rel=1e-15)
    assert greeks.rho == pytest.approx(-2.0 * value, rel=1e-15)


def test_nothing_finite_makes_a_nan() -> None:
    """Extreme finite inputs, the smallest and largest included, give numbers, and prices inside their bounds."""
    forwards = [TINY, 1e-300, 1e-9, 1.0, 1e9, 1e150]
    stdevs = [TINY, 1e-300, 1e-18, 1e-9, 1e-3, 1.0, 23.999, 24.0, 1e300]
    for is_call, forward, strike, stdev in product((True, False), forwards, forwards, stdevs):
        value = black76.price(is_call, forward, strike, stdev, 1.0)
        assert 0.0 <= value <= (forward if is_call else strike)
        assert -1.0 <= black76.delta(is_call, forward, strike, stdev, 1.0) <= 1.0
    for is_call, forward, strike, vol, years in product(
        (True, False),
        [1e-9, 1.0, 1e9],
        [1e-9, 1.0, 1e9],
        [TINY, 1e-300, 1e-9, 0.5, 1e9],
        [TINY, 1e-300, 1e-9, 1.0, 1e3],
    ):
        assert all(math.isfinite(x) for x in black76.greeks(is_call, forward, strike, vol, years, 0.0))


def test_prices_under_one_rounding_of_the_forward_are_still_ordered() -> None:
    """Far out-of-the-money options keep distinct positive prices down to the smallest floats."""
    values = [black76.price(False, 100.0, k, 0.1, 1.0) for k in (60.0, 40.0, 20.0, 10.0, 5.0)]
    assert all(a > b > 0.0 for a, b in pairwise(values))


def test_logarithm_keeps_its_digits_near_one() -> None:
    """ln(F/K) of neighbouring floats is their relative distance, not zero."""
    up = math.nextafter(100.0, 200.0)
    assert black76.log_ratio(up, 100.0) == pytest.approx((up - 100.0) / 100.0, rel=1e-15)
    assert black76.log_ratio(100.0, up) == pytest.approx(-(up - 100.0) / 100.0, rel=1e-15)


def test_logarithm_of_an_overflowing_ratio() -> None:
    """ln(F/K) is finite even where F/K is not."""
    assert black76.log_ratio(1e300, 1e-300) == pytest.approx(600.0 * math.log(10.0), rel=1e-15)
    assert black76.log_ratio(1e-300, 1e300) == pytest.approx(-600.0 * math.log(10.0), rel=1e-15)


def test_arrays_of_different_lengths_are_refused() -> None:
    """A length that does not match is a ValueError, not a read beyond an array."""
    one, two, call = np.ones(1), np.ones(2), np.ones(1, dtype=np.bool_)
    for k in range(1, 5):
        forward, strike, stdev, discount = (two if j == k else one for j in range(1, 5))
        with pytest.raises(ValueError, match="one length"):
            black76_arrays.price_array(call, forward, strike, stdev, discount, one)
    with pytest.raises(ValueError, match="one length"):
        black76_arrays.price_array(np.ones(2, dtype=np.bool_), one, one, one, one, one)
    for k in range(5):
        forward, strike, vol, years, rate = (two if j == k else one for j in range(5))
        with pytest.raises(ValueError, match="one length"):
            black76_arrays.greeks_array(call, forward, strike, vol, years, rate, np.empty((9, 1)))
    with pytest.raises(ValueError, match="nine rows"):
        black76_arrays.greeks_array(call, one, one, one, one, one, np.empty((8, 1)))


def test_other_types_are_refused() -> None:
    """A float32 or strided array is a TypeError: nothing is compiled or copied behind the caller's back."""
    one, call = np.ones(1), np.ones(1, dtype=np.bool_)
    narrow: Any = np.ones(1, dtype=np.float32)
    with pytest.raises(TypeError):
        black76_arrays.price_array(call, narrow, one, one, one, one)
    with pytest.raises(TypeError):
        black76_arrays.price_array(call, np.ones(4)[::2], one, one, one, one)
