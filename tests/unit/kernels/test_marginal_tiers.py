"""Charges slice by slice, and borrowing against collateral."""

from __future__ import annotations

import math

import pytest

from kernels.loan_to_value import borrowing, margin_ratio
from kernels.marginal_tiers import Tier, marginal_charge, minimum_charge
from schemas.fields import InvalidRecord
from schemas.tiers import OKX_DEPEG, OKX_MINIMUM_CHARGE, MarginalTier, MarginalTiers


def slices(table: MarginalTiers) -> list[Tier]:
    ends = [math.inf if tier.up_to_usd is None else tier.up_to_usd for tier in table.tiers]
    return [Tier(start, end, tier.rate) for start, end, tier in zip([0.0, *ends], ends, table.tiers, strict=False)]


@pytest.mark.parametrize(
    ("amount", "expected"), [(0.0, 0.0), (10_000.0, 10_000.0), (10_001.0, 10_002.0), (800_000.0, 6_170_000.0)]
)
def test_a_minimum_charge_grows_slice_by_slice(amount: float, expected: float) -> None:
    """The default table is the venue's, and a slice's rate is not that of the whole."""
    assert marginal_charge(amount, slices(OKX_MINIMUM_CHARGE)) == (expected, 0.0)


def test_the_published_example_of_the_depeg_charge() -> None:
    """Ten million hedged cost 202,500, and beyond the end of the printed table the last rate goes on."""
    assert marginal_charge(1e7, slices(OKX_DEPEG)).charge == pytest.approx(202_500.0, abs=1e-9)
    assert marginal_charge(2e7, slices(OKX_DEPEG)).charge == pytest.approx(452_500.0, abs=1e-9)


def test_what_lies_in_no_slice_is_told() -> None:
    """A table with a gap and an end charges what it covers and says what it does not."""
    assert marginal_charge(100.0, [Tier(60.0, 80.0, 2.0), Tier(10.0, 50.0, 1.0)]) == (80.0, 40.0)


def test_the_requirement_is_the_larger_of_minimum_and_units() -> None:
    """The raised minimum charge counts only where it is more than the other units."""
    tiers = [Tier(0.0, math.inf, 2.0)]
    assert minimum_charge(10.0, 15.0, tiers) == (20.0, 20.0)
    assert minimum_charge(10.0, 25.0, tiers) == (20.0, 25.0)
    assert math.isnan(minimum_charge(10.0, math.nan, tiers)[1])
    assert math.isnan(minimum_charge(math.nan, 1.0, tiers)[1])


def test_a_charge_on_nothing_known_is_refused() -> None:
    """A negative amount and a bound that is no number are errors; an amount that is no number is none."""
    with pytest.raises(ValueError, match="not negative"):
        marginal_charge(-1.0, [])
    with pytest.raises(ValueError, match="two bounds"):
        marginal_charge(1.0, [Tier(0.0, math.nan, 1.0)])
    assert math.isnan(marginal_charge(math.nan, []).charge)


@pytest.mark.parametrize(
    "rows",
    [
        [(1.0, 0.1)], [(2.0, 0.1), (1.0, 0.2), (None, 0.3)], [(1.0, 0.1), (1.0, 0.2), (None, 0.3)],
        [(1.0, 0.2), (None, 0.1)], [(None, 0.1), (None, 0.2)],
    ],
)  # fmt: skip
def test_a_table_that_ends_or_falls_is_refused(rows: list[tuple[float | None, float]]) -> None:
    """Parameters are tables without end, ascending in bounds and rates."""
    with pytest.raises(InvalidRecord):
        MarginalTiers(tiers=tuple(MarginalTier(up_to_usd=end, rate=rate) for end, rate in rows))


def test_borrowing_and_its_threshold() -> None:
    """The venue's example: 10,000 coins at 40 and half of it borrow 200,000, called in at three quarters."""
    assert borrowing(10_000.0, 40.0, 0.5) == (200_000.0, 0.75)
    assert math.isnan(borrowing(math.nan, 40.0, 0.5).borrowable_usd)
    for wrong in ((-1.0, 40.0, 0.5), (1.0, -40.0, 0.5), (1.0, 40.0, 1.5), (1.0, 40.0, -0.1)):
        with pytest.raises(ValueError, match="collateral"):
            borrowing(*wrong)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((190_000.0, 100_000.0, 1e6, 5_000.0, 1e9, 40.0, 0.75), 0.76),
        ((190_000.0, 100_000.0, 90_000.0, 5_000.0, 1e9, 40.0, 0.75), 1.0),  # the borrow cap binds
        ((160_000.0, 100_000.0, 1e6, 5_000.0, 2_000.0, 40.0, 0.75), 1.0),  # the supply cap binds
        ((0.0, 0.0, 0.0, 0.0, 0.0, 40.0, 0.75), 0.0),
        ((1.0, 0.0, 0.0, 0.0, 0.0, 40.0, 0.75), math.inf),
        ((1.0, -50.0, 0.0, 0.0, 0.0, 40.0, 0.75), math.inf),
    ],
)
def test_the_ratio_of_a_borrowed_token(arguments: tuple[float, ...], expected: float) -> None:
    """What is required over balance and collateral behind it, within the caps; of nothing it is infinite."""
    assert margin_ratio(*arguments) == pytest.approx(expected, rel=1e-15)
    assert math.isnan(margin_ratio(math.nan, *arguments[1:]))
    unknown = (*arguments[:-1], math.nan)
    assert math.isnan(margin_ratio(*unknown))
