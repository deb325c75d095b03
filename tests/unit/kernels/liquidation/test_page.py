"""The page of liquidation says what the kernels do and the parameters hold."""

from __future__ import annotations

import doctest
import re
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from kernels.liquidation.auction import Account, Auction, bid
from kernels.liquidation.paradex import Terms
from schemas.liquidation import LiquidationParameters
from tests.support import ROOT

PAGE = ROOT / "docs" / "liquidation.md"


def test_the_examples_print_what_the_page_shows() -> None:
    """Every line of the worked examples is what the kernels return."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 12
    assert failed == 0


def test_the_worked_bid_is_right() -> None:
    """The time of the example, found in rational numbers by halving the interval, is the page's."""
    mm, value, cost, wanted = Fraction(-600), Fraction(1000), Fraction(20), Fraction(60)
    margin = mm + Fraction(15, 100) * (mm - value)
    early, late = Fraction(0), Fraction(900)
    while late - early > Fraction(1, 10**6):
        middle = (early + late) / 2
        share = Fraction(95, 100) - Fraction(25, 100) * middle / 900
        fraction = margin / (margin - value * share)
        early, late = (middle, late) if (value * (1 - share) - cost) * fraction < wanted else (early, middle)
    share = Fraction(95, 100) - Fraction(25, 100) * late / 900
    fraction = margin / (margin - value * share)
    assert f"after {float(late):.0f} s, {float(fraction):.1%} of the account" in PAGE.read_text()
    assert f"paid {float(value * share * fraction):.2f} USD for {float(value * fraction):.2f}" in PAGE.read_text()


def test_the_parameter_table_has_the_defaults() -> None:
    """The table names every parameter with what the records hold."""
    shown: dict[str, float] = {}
    for names, numbers in re.findall(r"^\| `(\w+\.[^|]*)` \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE):
        group, _, rest = names.partition(".")
        fields = [f"{group}.{name}" for name in rest.replace("`", "").split(", ")]
        shown |= dict(zip(fields, map(float, numbers.split(", ")), strict=True))
    default = LiquidationParameters()
    held = {
        f"{group}.{name}": value
        for group in msgspec.structs.asdict(default)
        for name, value in msgspec.structs.asdict(getattr(default, group)).items()
    }
    assert shown == held
    assert msgspec.json.encode(default) == b"{}"


def test_kernels_take_the_parameters_by_their_names() -> None:
    """The records' fields are the kernels' terms, and the defaults sell an account."""
    default = LiquidationParameters()
    terms = Auction(**msgspec.structs.asdict(default.auction))
    assert bid(terms, Account(100.0, -50.0), 0.0, 1.0).fraction > 0.0
    assert Terms(**msgspec.structs.asdict(default.paradex)) == Terms()


@pytest.mark.parametrize(
    "wrong",
    [
        {"auction": {"start_share": 0.6}}, {"auction": {"start_share": 1.1}}, {"auction": {"slow_s": -1.0}},
        {"dydx": {"bankruptcy_adjustment": 0.5}}, {"dydx": {"spread_to_mm": 2.0}}, {"drift": {"initial_share": 1.5}},
        {"paradex": {"share_step": 0.0}}, {"paradex": {"target": 0.9}}, {"venue": {}},
    ],
)  # fmt: skip
def test_a_set_that_no_venue_could_mean_is_refused(wrong: dict[str, Any]) -> None:
    """Ranges, order and names are checked, also of what is nested."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, LiquidationParameters)
