"""Tiers against the amounts their venue prints, scaling by open interest and size."""

from __future__ import annotations

import math

import pytest

from kernels.standard import scaling, tiers
from schemas.standard import BINANCE_BTCUSDT

TABLE = tiers.tiers(
    [tier.floor_usd for tier in BINANCE_BTCUSDT],
    [tier.mm_rate for tier in BINANCE_BTCUSDT],
    [tier.im_rate for tier in BINANCE_BTCUSDT],
)
# Maintenance amounts that Binance gave with this table, from memory.
AMOUNTS = [0, 50, 1_300, 16_300, 266_300, 1_266_300, 2_516_300, 5_016_300, 25_016_300, 100_016_300]


def test_deductions_are_those_of_the_venue() -> None:
    """Continuity alone gives the venue's maintenance amounts."""
    assert TABLE.cum_usd == pytest.approx(AMOUNTS, rel=1e-14)


@pytest.mark.parametrize(
    ("notional", "tier", "expected"),
    [(0.0, 0, 0.0), (50_000.0, 0, 200.0), (50_001.0, 1, 200.005), (3e6, 3, 58_700.0), (1e9, 9, 399_983_700.0)],
)
def test_maintenance_is_charged_slice_by_slice(notional: float, tier: int, expected: float) -> None:
    """A floor belongs to the tier below it, and nothing jumps there."""
    assert tiers.tier_of(TABLE, notional) == tier
    assert tiers.tiered_maintenance(TABLE, notional) == pytest.approx(expected, rel=1e-14)


def test_the_initial_rate_is_the_tiers_or_that_of_the_leverage() -> None:
    """3 million at most 20 times leveraged need 5 %, at 4 times a quarter."""
    assert tiers.tiered_margin(TABLE, 3e6, 200_000.0).im_requirement == 150_000.0
    assert tiers.tiered_margin(TABLE, 3e6, 200_000.0, leverage=4.0).im_excess == -550_000.0
    assert math.isnan(tiers.tiered_margin(TABLE, math.nan, 1.0).im_requirement)
    with pytest.raises(ValueError, match="leverage"):
        tiers.tiered_margin(TABLE, 1.0, 1.0, leverage=0.5)
    with pytest.raises(ValueError, match="negative"):
        tiers.tiered_maintenance(TABLE, -1.0)


def test_a_liquidation_price_takes_the_tier_it_leads_to() -> None:
    """20 coins at 55,000 stand in the fourth tier and are liquidated in the third; a short rises into the fourth."""
    long_ = tiers.tiered_liquidation_price(TABLE, 20.0, 55_000.0, 200_000.0)
    assert long_ == pytest.approx((20 * 55_000 - 200_000 - 1_300) / (20 - 0.01 * 20), rel=1e-14)
    short = tiers.tiered_liquidation_price(TABLE, -18.0, 55_000.0, 200_000.0)
    assert short == pytest.approx((-18 * 55_000 - 200_000 - 16_300) / (-18 * 1.025), rel=1e-14)
    assert tiers.tiered_liquidation_price(TABLE, 1.0, 100.0, 101.0) is None
    assert tiers.tiered_liquidation_price(TABLE, 0.0, 100.0, 1.0) is None
    with pytest.raises(ValueError, match="entry"):
        tiers.tiered_liquidation_price(TABLE, 1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("floor", "mm", "im"),
    [
        ([], [], []),
        ([1.0], [0.1], [0.2]),
        ([0.0, 0.0], [0.1, 0.2], [0.2, 0.3]),
        ([0.0, math.nan], [0.1, 0.2], [0.2, 0.3]),
        ([0.0, 5.0], [0.2, 0.1], [0.2, 0.3]),
        ([0.0, 5.0], [0.1, 0.2], [0.3, 0.2]),
        ([0.0], [0.1], [0.05]),
        ([0.0], [1.0], [1.0]),
        ([0.0], [math.nan], [1.0]),
        ([0.0], [0.1, 0.2], [0.2]),
    ],
)
def test_tiers_that_do_not_rise_are_refused(floor: list[float], mm: list[float], im: list[float]) -> None:
    """Floors begin at zero and rise, rates do not fall, and maintenance is not above initial."""
    with pytest.raises(ValueError, match=r"tier|rates"):
        tiers.tiers(floor, mm, im)


def test_collateral_counts_less_and_debt_in_full() -> None:
    """A haircut never makes a debt smaller; without a requirement a ratio has no end."""
    equity = tiers.adjusted_equity([2.0, -1_000.0, 0.0], [50_000.0, 1.0, math.nan], [0.95, 0.99, 0.5])
    assert equity == 94_000.0
    assert tiers.maintenance_ratio(equity, [40_000.0, 7_000.0]) == 2.0
    assert tiers.maintenance_ratio(equity, []) == math.inf
    assert tiers.maintenance_ratio(-1.0, [0.0]) == -math.inf
    assert math.isnan(tiers.maintenance_ratio(math.nan, []))
    with pytest.raises(ValueError, match="rates"):
        tiers.adjusted_equity([1.0], [1.0], [1.1])
    with pytest.raises(ValueError, match="each asset"):
        tiers.adjusted_equity([1.0], [], [1.0])


@pytest.mark.parametrize(
    ("open_interest", "expected"),
    [(0.0, 0.05), (2e7, 0.05), (3.5e7, 0.525), (5e7, 1.0), (9e7, 1.0), (math.nan, 1.0)],
)
def test_initial_rates_grow_with_open_interest(open_interest: float, expected: float) -> None:
    """From the base at the lower cap to 1 at the upper, and 1 where the open interest is unknown."""
    assert scaling.open_interest_rate(0.05, open_interest, 2e7, 5e7) == pytest.approx(expected, rel=1e-15)


def test_caps_have_to_rise() -> None:
    """No upper cap scales nothing; caps in the wrong order and rates beyond 1 raise."""
    assert scaling.open_interest_rate(0.02, 1e12, 0.0, 0.0) == 0.02
    with pytest.raises(ValueError, match="cap"):
        scaling.open_interest_rate(0.05, 1.0, 5e7, 2e7)
    with pytest.raises(ValueError, match="base"):
        scaling.open_interest_rate(1.5, 1.0, 2e7, 5e7)


@pytest.mark.parametrize("weigh", [scaling.asset_weight, scaling.liability_weight])
def test_weights_depend_on_size_alone(weigh: object) -> None:
    """A short weighs what a long does, no factor changes nothing, and what is not finite raises."""
    assert callable(weigh)
    assert weigh(0.9, 0.01, -2_500.0) == weigh(0.9, 0.01, 2_500.0)
    assert weigh(1.2, 0.0, 1e9) == 1.2
    for bad in ((-0.1, 0.1, 1.0), (0.1, math.nan, 1.0), (0.1, 0.1, math.inf)):
        with pytest.raises(ValueError, match="negative"):
            weigh(*bad)
