"""dYdX: bankruptcy and the insurance fund."""

from __future__ import annotations

import math

import pytest

from kernels.liquidation.dydx import (
    Position,
    bankruptcy_rating,
    bankruptcy_value,
    fillable_price,
    insurance_delta,
    maintenance,
    net_collateral,
)

TWO = {"BTC": Position(0.5, 50_000.0, 0.1), "ETH": Position(-4.0, 3_000.0, 0.05)}


def test_a_close_at_its_value_at_bankruptcy_costs_nobody() -> None:
    """What is left of the account is as well collateralised as before, at any price of the part closed."""
    balance = -12_000.0
    value = bankruptcy_value(balance, TWO, "BTC", 0.2)
    rest = {**TWO, "BTC": Position(0.3, 50_000.0, 0.1)}
    before = net_collateral(balance, TWO) / maintenance(TWO)
    assert net_collateral(balance + value, rest) / maintenance(rest) == pytest.approx(before, rel=1e-12)
    assert insurance_delta(balance, TWO, "BTC", 0.2, value / 0.2, 0.005) == pytest.approx(0.0, abs=1e-9)


def test_the_fund_is_paid_up_to_the_fee_and_pays_without_a_limit() -> None:
    """A gain is capped at the fee on the notional filled, a shortfall is not."""
    balance = -12_000.0
    neutral = bankruptcy_value(balance, TWO, "BTC", 0.2) / 0.2
    assert insurance_delta(balance, TWO, "BTC", 0.2, neutral + 1.0, 0.005) == pytest.approx(0.2)
    assert insurance_delta(balance, TWO, "BTC", 0.2, neutral + 5_000.0, 0.005) == pytest.approx(
        0.005 * 0.2 * (neutral + 5_000.0)
    )
    assert insurance_delta(balance, TWO, "BTC", 0.2, neutral - 5_000.0, 0.005) == pytest.approx(-1_000.0)


def test_a_close_beyond_the_position_closes_the_position() -> None:
    """Liquidation orders only reduce, and the sign of the part does not matter."""
    assert insurance_delta(0.0, TWO, "ETH", 9.0, 3_001.0, 0.01) == insurance_delta(0.0, TWO, "ETH", 4.0, 3_001.0, 0.01)
    assert bankruptcy_value(0.0, TWO, "ETH", -1.0) == bankruptcy_value(0.0, TWO, "ETH", 1.0)


@pytest.mark.parametrize(
    ("collateral_usd", "rating"), [(200.0, 0.0), (100.0, 0.0), (75.0, 0.5), (0.0, 1.0), (-50.0, 1.0)]
)
def test_the_rating_goes_from_maintenance_to_bankruptcy(collateral_usd: float, rating: float) -> None:
    """With an adjustment of 2 it is complete half way down, and never outside 0 and 1."""
    assert bankruptcy_rating(collateral_usd, 100.0, 2.0) == rating


def test_a_healthy_account_fills_at_the_oracle() -> None:
    """Without a rating there is no spread, on either side."""
    for market, position in TWO.items():
        assert fillable_price(100_000.0, TWO, market, 1.0, 0.1) == position.oracle_price


@pytest.mark.parametrize(
    "wrong",
    [
        {"balance_usd": math.nan}, {"liquidated": "SOL"}, {"positions": {"BTC": Position(0.0, 50_000.0, 0.1)}},
        {"positions": {"BTC": Position(1.0, 0.0, 0.1)}}, {"positions": {"BTC": Position(1.0, math.nan, 0.1)}},
        {"positions": {"BTC": Position(math.inf, 1.0, 0.1)}}, {"positions": {"BTC": Position(1.0, 1.0, -0.1)}},
        {"positions": {"BTC": Position(1.0, 1.0, 0.0)}}, {"close_coins": 0.0}, {"close_coins": math.nan},
        {"fill_price": -1.0}, {"max_fee_rate": math.inf},
    ],
)  # fmt: skip
def test_what_cannot_be_closed_is_refused(wrong: dict[str, object]) -> None:
    """Missing positions, prices and parts are errors and not numbers."""
    given = {"balance_usd": 0.0, "positions": TWO, "liquidated": "BTC", "close_coins": 0.1, "fill_price": 49_000.0,
             "max_fee_rate": 0.005}  # fmt: skip
    with pytest.raises(ValueError, match=r"has to be|there is no|positive|is not|nothing"):
        insurance_delta(**{**given, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"adjustment": -1.0}, {"spread_to_mm": math.nan}, {"liquidated": "SOL"}])
def test_a_spread_without_meaning_is_refused(wrong: dict[str, object]) -> None:
    """Adjustment and spread are not negative."""
    given = {"balance_usd": 0.0, "positions": TWO, "liquidated": "BTC", "adjustment": 1.0, "spread_to_mm": 0.1}
    with pytest.raises(ValueError, match=r"has to be|there is no|is not"):
        fillable_price(**{**given, **wrong})  # type: ignore[arg-type]


def test_an_account_without_maintenance_has_no_rating() -> None:
    """Nothing held is nothing to liquidate."""
    with pytest.raises(ValueError, match="without maintenance"):
        bankruptcy_rating(-1.0, 0.0, 1.0)
