"""Standard margin of options: by hand."""

from __future__ import annotations

import math

import pytest

from kernels.standard.options import OptionPosition, OptionRates, option_margin, short_option

RATES = OptionRates()


@pytest.mark.parametrize(
    ("is_call", "strike", "mark", "im", "mm"),
    [
        (True, 10_000.0, 0.05, 0.20, 0.125),  # at the money
        (True, 10_300.0, 0.04, 0.16, 0.115),  # 3 % out
        (True, 20_000.0, 0.001, 0.101, 0.076),  # far out: the least rate
        (True, 5_000.0, 0.51, 0.66, 0.585),  # in the money
        (False, 10_000.0, 0.05, 0.20, 0.125),
        (False, 9_700.0, 0.04, 0.16, 0.115),
        (False, 5_000.0, 0.001, 0.101, 0.076),
        (False, 25_000.0, 1.6, 1.75, 1.72),  # the mark's own part is the larger
        (False, 60_000.0, 5.0, 5.375, 5.375),  # and it holds the initial margin up
    ],
)
def test_one_short_option(is_call: bool, strike: float, mark: float, im: float, mm: float) -> None:
    """Initial and maintenance margin in units of the underlying."""
    assert short_option(is_call, 10_000.0, strike, mark, RATES) == pytest.approx((im, mm), rel=1e-14)


def test_longs_cover_nothing() -> None:
    """A spread costs what its short leg costs, and parts are named by what was sold."""
    sold = OptionPosition(is_call=True, strike=10_000.0, mark=0.05, quantity=-2.0)
    bought = OptionPosition(is_call=True, strike=10_001.0, mark=0.049, quantity=2.0)
    found = option_margin([sold, bought], 10_000.0, 1.0, RATES)
    assert found.im_components == {"short calls": 0.4, "short puts": 0.0}
    assert (found.mm_requirement, found.mm_excess) == (0.25, 0.75)
    assert option_margin([bought], 10_000.0, 1.0, RATES).im_requirement == 0.0


@pytest.mark.parametrize(("price", "mark"), [(math.nan, 0.1), (0.0, 0.1), (100.0, math.nan), (100.0, -0.1)])
def test_a_short_without_a_price_has_no_margin(price: float, mark: float) -> None:
    """Requirements are NaN, never zero; a long needs no price."""
    position = OptionPosition(is_call=False, strike=100.0, mark=mark, quantity=-1.0)
    assert math.isnan(option_margin([position], price, 1.0, RATES).mm_requirement)
    assert option_margin([position._replace(quantity=1.0)], price, 1.0, RATES).mm_requirement == 0.0


@pytest.mark.parametrize(
    "rates", [OptionRates(max_initial=0.05), OptionRates(maintenance=0.12), OptionRates(put_mark_maintenance=1.5)]
)
def test_rates_that_nobody_means_are_refused(rates: OptionRates) -> None:
    """Initial rates below maintenance and rates beyond 1 raise."""
    with pytest.raises(ValueError, match="rates"):
        option_margin([], 1.0, 1.0, rates)


def test_a_quantity_has_to_be_a_number() -> None:
    """A position of unknown size raises."""
    with pytest.raises(ValueError, match="quantities"):
        option_margin([OptionPosition(is_call=True, strike=1.0, mark=0.1, quantity=math.nan)], 1.0, 1.0, RATES)
