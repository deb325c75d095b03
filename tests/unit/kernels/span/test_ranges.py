"""Scan ranges of coins."""

from __future__ import annotations

import math

import pytest

from kernels.span.ranges import price_scan_range, vol_scan_range
from schemas.span import SpanParameters

DEFAULT = SpanParameters()


def price_range(vol: float) -> float:
    return price_scan_range(vol, DEFAULT.price_sigmas, DEFAULT.horizon_days, DEFAULT.price_floor, DEFAULT.price_cap)


@pytest.mark.parametrize(
    ("vol", "expected"),
    [(0.0, 0.093), (0.2, 0.093), (0.6, 0.26648395567), (1.125, 0.49965741688), (1.9, 0.5), (5.0, 0.5)],
)
def test_a_price_range_is_six_deviations_of_two_days_between_floor_and_cap(vol: float, expected: float) -> None:
    """6 sigma_day sqrt(2), at least 9.3 %, at most 50 %."""
    assert price_range(vol) == pytest.approx(expected, abs=5e-9)


def test_without_a_cap_a_wild_coin_would_have_84_percent() -> None:
    """The cap is what keeps a volatility of 190 % from a range of 84 %."""
    assert price_scan_range(1.9, 6.0, 2.0, 0.093, 1.0) == pytest.approx(0.8439, abs=5e-5)


@pytest.mark.parametrize(("vol", "expected"), [(0.1, 0.04), (0.16, 0.04), (0.6, 0.15), (2.0, 0.5)])
def test_a_volatility_scan_is_a_quarter_of_the_volatility_above_a_floor(vol: float, expected: float) -> None:
    """max(4 points, sigma/4)."""
    assert vol_scan_range(vol, DEFAULT.volatility_share, DEFAULT.volatility_floor) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("vol", [math.nan, math.inf, -0.1])
def test_a_volatility_that_is_missing_gives_no_range(vol: float) -> None:
    """No volatility is no range, rather than the floor."""
    assert math.isnan(price_range(vol))
    assert math.isnan(vol_scan_range(vol, 0.25, 0.04))


@pytest.mark.parametrize(
    "parameters",
    [(6.0, 2.0, 0.6, 0.5), (6.0, 2.0, 0.0, 0.5), (6.0, 2.0, 0.1, 1.1), (0.0, 2.0, 0.1, 0.5), (6.0, math.inf, 0.1, 0.5)],
)
def test_ranges_out_of_range_are_refused(parameters: tuple[float, float, float, float]) -> None:
    """A floor above its cap, or no multiple or horizon, is an error."""
    with pytest.raises(ValueError, match="scan range"):
        price_scan_range(0.5, *parameters)
    with pytest.raises(ValueError, match="not negative"):
        vol_scan_range(0.5, -0.1, 0.04)
