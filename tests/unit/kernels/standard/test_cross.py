"""Cross margin: prices by hand, the maintenance of the others, and moves of the market."""

from __future__ import annotations

import math

import pytest

from kernels.standard.cross import Positions, cross_liquidation_prices, cross_margin, market_liquidation

BOOK = Positions([1.0, -10.0], [50_000.0, 3_000.0], [0.05, 0.1])


def test_the_others_maintenance_is_in_the_price() -> None:
    """Two positions by hand: leaving out the other's 3,000 of maintenance would put the first price 3,158 too low."""
    long_, short = cross_liquidation_prices(BOOK, 20_000.0)
    assert long_ == pytest.approx((3_000 - 20_000 + 50_000) / 0.95, rel=1e-15)
    assert short == pytest.approx((2_500 - 20_000 - 30_000) / -11, rel=1e-15)


def test_one_position_is_liquidated_where_an_isolated_one_is() -> None:
    """A single position with all equity behind it has the isolated price."""
    (price,) = cross_liquidation_prices(Positions([2.0], [100.0], [0.05]), 30.0)
    assert price == pytest.approx((100 - 15) / 0.95, rel=1e-15)


@pytest.mark.parametrize(
    ("quantity", "equity"),
    [(1.0, 200.0), (0.0, 1.0), (1.0, 1.0), (-1.0, 1.0)],
    ids=["paid in full", "nothing", "long below maintenance", "short below maintenance"],
)
def test_what_a_price_alone_cannot_liquidate_has_none(quantity: float, equity: float) -> None:
    """No position, a price below zero, and an account that needs no move any more."""
    assert cross_liquidation_prices(Positions([quantity], [100.0], [0.05]), equity) == [None]


def test_an_account_on_the_line_is_liquidated_where_it_stands() -> None:
    """Equity equal to maintenance gives the mark itself."""
    assert cross_liquidation_prices(Positions([1.0], [100.0], [0.05]), 5.0) == [100.0]


def test_the_market_moves_all_by_their_betas() -> None:
    """By hand: 20,000 less 5,500 over the slope of a long and a short, and the prices there."""
    found = market_liquidation(BOOK, [1.0, 1.5], 20_000.0)
    slope = 50_000 * 0.95 - 1.5 * 30_000 * 1.1
    assert found is not None
    assert found.move == pytest.approx(-(20_000 - 5_500) / slope, rel=1e-14)
    assert found.price == pytest.approx((50_000 * (1 + found.move), 3_000 * (1 + 1.5 * found.move)), rel=1e-15)


def test_moves_that_no_market_makes_are_none() -> None:
    """Nothing moves with the market, prices would be negative, or the account is below its maintenance."""
    assert market_liquidation(BOOK, [0.0, 0.0], 20_000.0) is None
    assert market_liquidation(Positions([1.0], [100.0], [0.05]), [1.0], 100.0) is None
    assert market_liquidation(BOOK, [1.0, 1.0], 5_000.0) is None


def test_a_mark_is_needed_for_what_is_held() -> None:
    """A held position without a mark makes the margin NaN and its price an error; an empty one does not."""
    assert math.isnan(cross_margin(Positions([1.0], [math.nan], [0.05]), [0.1], 1.0).mm_requirement)
    assert cross_margin(Positions([0.0], [math.nan], [0.05]), [0.1], 1.0).mm_requirement == 0.0
    with pytest.raises(ValueError, match="mark"):
        cross_liquidation_prices(Positions([1.0], [math.nan], [0.05]), 1.0)


def test_the_margin_names_its_positions() -> None:
    """Parts are by position, and their sum is the requirement."""
    found = cross_margin(BOOK, [0.1, 0.2], 20_000.0)
    assert found.im_components == {"position 0": 5_000.0, "position 1": 6_000.0}
    assert (found.mm_requirement, found.mm_excess) == (5_500.0, 14_500.0)


@pytest.mark.parametrize(
    "positions",
    [Positions([1.0], [1.0, 2.0], [0.1]), Positions([math.inf], [1.0], [0.1]), Positions([1.0], [1.0], [1.0])],
)
def test_columns_that_do_not_fit_are_refused(positions: Positions) -> None:
    """Lengths that differ, quantities without end and rates that are none raise."""
    with pytest.raises(ValueError, match=r"position|quantities|rate"):
        cross_liquidation_prices(positions, 1.0)
    with pytest.raises(ValueError, match=r"position|quantities|rate"):
        market_liquidation(positions, [1.0], 1.0)
