"""Drift: sizes that cover a shortage, fees, and the share of a step."""

from __future__ import annotations

import math

import pytest

from kernels.liquidation.drift import base_to_cover, insurance_fee, liability_transfer, ramped_fee, step_share


def test_the_size_covers_the_shortage() -> None:
    """Closing it releases its maintenance and costs both fees, which leaves no shortage."""
    coins = base_to_cover(500.0, 0.05, 0.01, 0.004, 64_000.0, 0.999)
    released = coins * 64_000.0 * 0.999 * 0.05
    paid = coins * 64_000.0 * (0.999 * 0.01 + 0.004)
    assert released - paid == pytest.approx(500.0, rel=1e-12)


def test_a_debt_taken_over_covers_the_shortage() -> None:
    """What leaves with the debt at its weight, less what is given for it at the asset's and the fund's fee."""
    coins = liability_transfer(500.0, 0.8, 1.02, 1.2, 0.98, 3_000.0, 0.005)
    lighter = coins * 3_000.0 * 1.2 - coins * 3_000.0 * 1.02 / 0.98 * 0.8
    assert lighter - coins * 3_000.0 * 0.005 * 1.2 == pytest.approx(500.0, rel=1e-12)


@pytest.mark.parametrize(
    "coins",
    [
        base_to_cover(10.0, 0.1, 0.1, 0.0, 100.0), base_to_cover(10.0, 0.1, 0.2, 0.0, 100.0),
        base_to_cover(10.0, 0.1, 0.06, 0.04, 100.0), base_to_cover(10.0, 0.1, 0.0, 0.0, 0.0),
        base_to_cover(10.0, 0.1, 0.0, 0.0, 100.0, 0.0), base_to_cover(0.0, 0.1, 0.2, 0.0, 100.0),
        liability_transfer(10.0, 1.0, 1.0, 1.0, 1.0, 100.0, 0.0),
        liability_transfer(10.0, 0.8, 1.0, 1.2, 1.0, 0.0, 0.0),
        liability_transfer(10.0, 0.9, 1.1, 1.1, 0.9, 100.0, 0.0),
    ],
)  # fmt: skip
def test_where_a_coin_releases_nothing_no_size_suffices(coins: float) -> None:
    """Fees as large as the ratio, weights that are equal and prices of zero give infinity, decimals that cancel too."""
    assert coins == math.inf


def test_no_shortage_needs_nothing() -> None:
    """Zero coins cover zero."""
    assert base_to_cover(0.0, 0.1, 0.01, 0.0, 100.0) == 0.0
    assert liability_transfer(0.0, 0.8, 1.0, 1.2, 1.0, 100.0, 0.0) == 0.0


def test_the_fund_takes_what_a_close_of_all_leaves_over() -> None:
    """95 % of it, never more than the maximum; nothing where there is no position or price."""
    assert insurance_fee(20.0, 10.0, 0.05, 0.01, 100.0, 0.05) == pytest.approx(0.95 * 0.02)
    assert insurance_fee(0.0, 10.0, 0.2, 0.01, 100.0, 0.05) == 0.05
    assert insurance_fee(20.0, 10.0, 0.05, 0.01, 100.0, 0.05, 0.5) == 0.0
    assert insurance_fee(20.0, 0.0, 0.05, 0.01, 100.0, 0.05) == insurance_fee(20.0, 10.0, 0.05, 0.01, 0.0, 0.05) == 0.0


def test_a_fee_above_the_maximum_stands_inside_the_grace() -> None:
    """The venue bounds the fee only when it raises it."""
    assert [ramped_fee(0.04, 0.03, 1_500.0, 1e-6, slots) for slots in (1_499.0, 1_500.0)] == [0.04, 0.03]


@pytest.mark.parametrize(
    ("shortage_usd", "freed_usd", "slots", "initial", "duration", "share"),
    [
        (49.0, 0.0, 1.0, 0.1, 10.0, 1.0),  # tiny
        (50.0, 0.0, 0.0, 0.1, 100.0, 0.1), (1_000.0, 0.0, 40.0, 0.1, 100.0, 0.5),
        (1_000.0, 0.0, 90.0, 0.1, 100.0, 1.0),
        (500.0, 500.0, 40.0, 0.1, 100.0, 0.0),  # half may be freed by now, and was
        (750.0, 250.0, 40.0, 0.1, 100.0, 1 / 3), (100.0, 900.0, 10.0, 0.1, 100.0, 0.0),
        (1_000.0, 0.0, 0.0, 0.1, 0.0, 1.0),
        (1_000.0, 0.0, 0.0, 0.0, 100.0, 0.0), (1_000.0, 0.0, 0.0, 1.0, 100.0, 1.0),
    ],
)  # fmt: skip
def test_the_share_of_a_step_grows_with_time(
    shortage_usd: float, freed_usd: float, slots: float, initial: float, duration: float, share: float
) -> None:
    """What may be freed by now, of the whole shortage since the start, less what was, over what is left."""
    assert step_share(shortage_usd, freed_usd, slots, initial, duration) == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (base_to_cover, (-1.0, 0.1, 0.0, 0.0, 100.0)), (base_to_cover, (1.0, math.nan, 0.0, 0.0, 100.0)),
        (base_to_cover, (1.0, 0.1, 0.0, 0.0, math.inf)), (liability_transfer, (1.0, 0.8, 1.0, 1.2, 0.0, 100.0, 0.0)),
        (liability_transfer, (1.0, -0.8, 1.0, 1.2, 1.0, 100.0, 0.0)), (insurance_fee, (1.0, -1.0, 0.1, 0.0, 1.0, 0.1)),
        (ramped_fee, (0.01, 0.02, 10.0, 1e-6, -1.0)), (ramped_fee, (math.nan, 0.02, 10.0, 1e-6, 1.0)),
        (step_share, (100.0, -1.0, 0.0, 0.1, 10.0)), (step_share, (100.0, 0.0, 0.0, 1.1, 10.0)),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(function: object, arguments: tuple[float, ...]) -> None:
    """Negative amounts, shares above one and NaN are errors."""
    assert callable(function)
    with pytest.raises(ValueError, match=r"is not negative|has to be finite|lies in|worth nothing"):
        function(*arguments)
