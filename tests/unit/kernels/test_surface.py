"""Volatility of each option from its surface row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import surface

YEARS = 0.25


def volatility(
    code: int,
    parameters: tuple[float, ...],
    *,
    strike: float = 100.0,
    forward: float = 100.0,
    years: float = YEARS,
    bounds: tuple[float, float] = (-1.0, 1.0),
) -> float:
    """One row through the array kernel."""
    p = np.zeros((1, surface.PARAMETERS))
    p[0, : len(parameters)] = parameters
    lo, hi, k, f, t = (np.array([x], dtype=np.float64) for x in (*bounds, strike, forward, years))
    out = np.empty(1)
    surface.volatilities(np.array([code], dtype=np.int64), p, lo, hi, k, f, t, out)
    return float(out[0])


def smile(x: float) -> float:
    return 0.6 - 0.1 * x + 0.2 * x * x


def svi_total_variance(k: float, a: float, b: float, rho: float, m: float, sigma: float) -> float:
    return a + b * (rho * (k - m) + math.hypot(k - m, sigma))


SMILE = (0.6, -0.1, 0.2)
SVI = (0.01, 0.1, -0.3, 0.05, 0.2)


def test_constant_row() -> None:
    """Code 0 is its first parameter, whatever the strike, forward and time."""
    assert volatility(surface.CONSTANT, (0.45,)) == 0.45
    assert volatility(surface.CONSTANT, (0.45,), forward=math.nan, years=math.nan) == 0.45


@pytest.mark.parametrize("x", [-1.0, -0.4, 0.0, 0.3, 1.0])
def test_smile_row(x: float) -> None:
    """Code 1 is the parabola in ln(K/F)/sqrt(T)."""
    strike = 100.0 * math.exp(x * math.sqrt(YEARS))
    assert volatility(surface.SMILE, SMILE, strike=strike) == pytest.approx(smile(x), rel=1e-14)


@pytest.mark.parametrize("k", [-1.0, -0.4, 0.0, 0.05, 0.3, 1.0])
def test_svi_row(k: float) -> None:
    """Code 2 is the square root of SVI's total variance over time."""
    expected = math.sqrt(svi_total_variance(k, *SVI) / YEARS)
    assert volatility(surface.SVI, SVI, strike=100.0 * math.exp(k)) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("strike", "x"), [(1.0, -1.0), (1e4, 1.0), (5e-324, -1.0), (1e300, 1.0)])
def test_outside_the_bounds_the_volatility_is_flat(strike: float, x: float) -> None:
    """Beyond the quoted strikes the volatility is that of the bound, for the smile and for SVI."""
    assert volatility(surface.SMILE, SMILE, strike=strike) == pytest.approx(smile(x), rel=1e-15)
    expected = math.sqrt(svi_total_variance(x, *SVI) / YEARS)
    assert volatility(surface.SVI, SVI, strike=strike) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(("strike", "x"), [(99.0, -1.0), (100.0, 0.0), (101.0, 1.0)])
def test_smile_at_expiry_stands_at_its_bound(strike: float, x: float) -> None:
    """At T = 0 every strike is infinitely far: the bound on its side, and the middle exactly at the money."""
    assert volatility(surface.SMILE, SMILE, strike=strike, years=0.0) == pytest.approx(smile(x), rel=1e-15)


def test_svi_at_expiry() -> None:
    """At T = 0 a positive total variance is the cap, and none the floor."""
    assert volatility(surface.SVI, SVI, years=0.0) == surface.MAX_VOL
    assert volatility(surface.SVI, (0.0, 0.0, 0.0, 0.0, 0.1), years=0.0) == surface.MIN_VOL
    nearly = volatility(surface.SVI, SVI, years=1e-12)
    assert nearly == surface.MAX_VOL


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        (surface.CONSTANT, (0.0,)),
        (surface.CONSTANT, (-1.0,)),
        (surface.SMILE, (-0.2, 0.0, 0.0)),
        (surface.SVI, (-1.0, 0.0, 0.0, 0.0, 0.1)),
    ],
)
def test_a_volatility_is_at_least_its_floor(code: int, parameters: tuple[float, ...]) -> None:
    """A smile that dips below zero between quotes gives the floor."""
    assert volatility(code, parameters) == surface.MIN_VOL


@pytest.mark.parametrize(
    ("code", "parameters"),
    [(surface.CONSTANT, (5.1,)), (surface.SMILE, (7.0, 0.0, 0.0)), (surface.SVI, (100.0, 0.0, 0.0, 0.0, 0.1))],
)
def test_a_volatility_is_at_most_its_cap(code: int, parameters: tuple[float, ...]) -> None:
    """More than 500 % is capped."""
    assert volatility(code, parameters) == surface.MAX_VOL


@pytest.mark.parametrize("code", [surface.NO_VOLATILITY, 3, -2, 99])
def test_a_row_without_a_volatility_is_nan(code: int) -> None:
    """Code -1 and any unknown code give NaN, not the floor."""
    assert math.isnan(volatility(code, (0.5, 0.5, 0.5, 0.5, 0.5)))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("code", "parameters"), [(1, SMILE), (2, SVI)])
def test_a_bad_number_is_nan(code: int, parameters: tuple[float, ...], bad: float) -> None:
    """NaN or infinity in a parameter, strike, forward or time gives NaN and no bound."""
    for k in range(len(parameters)):
        broken = (*parameters[:k], bad, *parameters[k + 1 :])
        assert math.isnan(volatility(code, broken, strike=120.0)), k
    broken_market: list[dict[str, Any]] = [{"strike": bad}, {"forward": bad}, {"years": bad}]
    for one in broken_market:
        assert math.isnan(volatility(code, parameters, **one)), one
    assert math.isnan(volatility(surface.CONSTANT, (bad,)))


@pytest.mark.parametrize("code", [1, 2])
@pytest.mark.parametrize(
    "market", [{"strike": 0.0}, {"strike": -1.0}, {"forward": 0.0}, {"forward": -1.0}, {"years": -0.1}]
)
def test_a_point_without_a_logarithm_or_root_is_nan(code: int, market: dict[str, Any]) -> None:
    """Strike, forward and time outside their domain give NaN."""
    assert math.isnan(volatility(code, (0.6, 0.0, 0.0, 0.0, 0.1), **market))


@pytest.mark.parametrize("bounds", [(1.0, -1.0), (math.nan, 1.0), (-1.0, math.nan)])
def test_bounds_that_hold_nothing_are_nan(bounds: tuple[float, float]) -> None:
    """A lower bound above the upper one, or a missing bound, gives NaN."""
    assert math.isnan(volatility(surface.SMILE, SMILE, bounds=bounds))


@settings(deadline=None, max_examples=200)
@given(st.floats(0.01, 2.0), st.floats(-2.0, 2.0), st.floats(-2.0, 2.0), st.floats(-3.0, 3.0), st.floats(1e-6, 3.0))
def test_every_smile_lies_between_floor_and_cap(atm: float, slope: float, curve: float, k: float, years: float) -> None:
    """Whatever the parabola, the volatility is the held one, clipped."""
    x = max(-1.0, min(1.0, k / math.sqrt(years)))
    expected = max(surface.MIN_VOL, min(surface.MAX_VOL, atm + slope * x + curve * x * x))
    got = volatility(surface.SMILE, (atm, slope, curve), strike=100.0 * math.exp(k), years=years)
    # A rounding of ln(K/F) is worth 1/sqrt(T) of itself in x.
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-13 / math.sqrt(years))


def test_shapes_that_do_not_fit_are_refused() -> None:
    """An array of another length, or other than five parameters, is a ValueError."""
    code = np.zeros(1, dtype=np.int64)
    for broken in range(6):
        lo, hi, strike, forward, years, out = (np.ones(2) if k == broken else np.ones(1) for k in range(6))
        with pytest.raises(ValueError, match=r"length|elements"):
            surface.volatilities(code, np.ones((1, 5)), lo, hi, strike, forward, years, out)
    one = np.ones(1)
    for shape in ((2, 5), (1, 4), (1, 6)):
        with pytest.raises(ValueError, match="elements"):
            surface.volatilities(code, np.ones(shape), one, one, one, one, one, one)
    with pytest.raises(ValueError, match="length"):
        surface.volatilities(np.zeros(2, dtype=np.int64), np.ones((1, 5)), one, one, one, one, one, one)
