"""Isolated perpetuals: liquidation prices by hand, and what has none."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from kernels.standard import isolated


@pytest.mark.parametrize(
    ("quantity", "entry", "margin", "rate", "expected"),
    [
        (1.0, 50_000.0, 5_000.0, 0.005, 45_000 / 0.995),  # ten times leveraged
        (-1.0, 50_000.0, 5_000.0, 0.005, 55_000 / 1.005),
        (2.0, 3_000.0, 600.0, 0.0, 2_700.0),  # without maintenance it is the bankruptcy price
        (0.5, 100.0, -5.0, 0.0, 110.0),  # a debt: liquidated already
    ],
)
def test_a_linear_position_is_liquidated_at_its_price(
    quantity: float, entry: float, margin: float, rate: float, expected: float
) -> None:
    """The price is the one at which what is left of the margin is the maintenance."""
    assert isolated.linear_liquidation_price(quantity, entry, margin, rate) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("side", [1, -1])
def test_an_inverse_position_is_liquidated_at_its_price(side: int) -> None:
    """60,000 USD at 50,000 with a tenth of its coins posted: in rationals, by its definition."""
    face, entry, margin, rate = 60_000 * side, 50_000, Fraction(12, 100), Fraction(5, 1000)
    found = isolated.inverse_liquidation_price(face, entry, float(margin), float(rate))
    # Equity less maintenance in coins, times the price: margin p + face (p/entry - 1) = rate |face|.
    expected = (rate * abs(face) + face) / (margin + Fraction(face, entry))
    assert found == pytest.approx(float(expected), rel=1e-15)


@pytest.mark.parametrize(
    ("quantity", "margin"),
    [(1.0, 50_000.0), (1.0, 60_000.0), (0.0, 100.0)],
)
def test_a_long_that_is_paid_in_full_has_no_price(quantity: float, margin: float) -> None:
    """A price of zero or below is none, and neither has nothing one."""
    assert isolated.linear_liquidation_price(quantity, 50_000.0, margin, 0.005) is None


@pytest.mark.parametrize(("face", "margin"), [(-50_000.0, 1.0), (-50_000.0, 1.5), (0.0, 1.0)])
def test_an_inverse_short_with_its_coins_has_no_price(face: float, margin: float) -> None:
    """Who is short a face and holds its coins cannot be liquidated by any price."""
    assert isolated.inverse_liquidation_price(face, 50_000.0, margin, 0.005) is None


@pytest.mark.parametrize(
    ("quantity", "entry", "margin", "rate"),
    [
        (math.nan, 1.0, 1.0, 0.1), (1.0, 0.0, 1.0, 0.1), (1.0, -1.0, 1.0, 0.1), (1.0, math.inf, 1.0, 0.1),
        (1.0, 1.0, math.inf, 0.1), (1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, -0.1), (1.0, 1.0, 1.0, math.nan),
    ],
)  # fmt: skip
def test_what_is_no_position_is_refused(quantity: float, entry: float, margin: float, rate: float) -> None:
    """Numbers that are not finite, entries that are not positive and rates that are none raise."""
    for price in (isolated.linear_liquidation_price, isolated.inverse_liquidation_price):
        with pytest.raises(ValueError, match=r"finite|rate|entry"):
            price(quantity, entry, margin, rate)


def test_margins_of_both_contracts() -> None:
    """Equity is the margin and the P&L, in USD or coins; requirements are rates on the notional at the mark."""
    linear = isolated.linear_isolated(-2.0, 50_000.0, 51_000.0, 10_000.0, 0.1, 0.065)
    assert (linear.equity, linear.im_requirement, linear.mm_requirement) == (8_000.0, 10_200.0, 6_630.0)
    assert (linear.im_excess, linear.mm_excess) == (-2_200.0, 1_370.0)
    inverse = isolated.inverse_isolated(60_000.0, 50_000.0, 40_000.0, 0.5, 0.1, 0.065)
    assert inverse.equity == pytest.approx(0.5 - 0.3, rel=1e-15)
    assert inverse.im_components == {"position": pytest.approx(0.15, rel=1e-15)}
    assert inverse.mm_requirement == pytest.approx(0.0975, rel=1e-15)


@pytest.mark.parametrize("mark", [math.nan, 0.0, -1.0, math.inf])
def test_a_position_without_a_mark_has_no_margin(mark: float) -> None:
    """Requirement, equity and excess are NaN, never zero."""
    for found in (
        isolated.linear_isolated(1.0, 100.0, mark, 10.0, 0.1, 0.05),
        isolated.inverse_isolated(1.0, 100.0, mark, 10.0, 0.1, 0.05),
    ):
        assert all(math.isnan(x) for x in found[:5])


def test_positions_that_help_each_other_nowhere_add_up() -> None:
    """A long and a short cost both, at their own rates; rates that fall below maintenance are refused."""
    found = isolated.isolated_requirement([1_000.0, -3_000.0], [0.1, 0.2], [0.05, 0.1], 500.0)
    assert (found.im_requirement, found.mm_requirement, found.im_excess) == (700.0, 350.0, -200.0)
    assert math.isnan(isolated.isolated_requirement([math.nan], [0.1], [0.05], 1.0).im_requirement)
    with pytest.raises(ValueError, match="initial rate"):
        isolated.isolated_requirement([1.0], [0.04], [0.05], 1.0)
    with pytest.raises(ValueError, match="each position"):
        isolated.isolated_requirement([1.0], [], [0.05], 1.0)
