"""The pages of model A's variants say what the models do."""

from __future__ import annotations

import doctest
import re

import pytest

from schemas.okx import OKX_GROUPS, OKX_OTHERS, OkxParameters
from schemas.paradex import PARADEX_TAILS, ParadexParameters, ParadexScan
from schemas.tiers import MarginalTiers
from tests.support import ROOT

DOCS = ROOT / "docs"
OKX_TEXT = (DOCS / "margin-model-a-okx.md").read_text()
PARADEX_TEXT = (DOCS / "margin-model-a-paradex.md").read_text()


@pytest.mark.parametrize("page", ["margin-model-a-okx.md", "margin-model-a-paradex.md"])
def test_the_examples_print_what_the_page_shows(page: str) -> None:
    """Every line of the worked examples is what the functions return."""
    failed, attempted = doctest.testfile(str(DOCS / page), module_relative=False)
    assert attempted > 8
    assert failed == 0


def defaults(text: str, first: str) -> list[str]:
    """Return the second column of the parameter row that begins so, as a list of its numbers."""
    (row,) = re.findall(rf"^\| {re.escape(first)}.*$", text, re.MULTILINE)
    return re.findall(r"[\d.,]*\d", row.split("|")[2])


def numbers(text: str, first: str) -> list[float]:
    return [float(one.replace(",", "")) for one in defaults(text, first)]


def test_the_parameter_table_of_okx_has_the_defaults() -> None:
    """Moves by group, shocks, shares, rates and tiers are those of the record."""
    p, groups = OkxParameters(), (*OKX_GROUPS, OKX_OTHERS)
    for name, group in zip(("BTC and ETH", "next group", "others"), groups, strict=True):
        shown = defaults(OKX_TEXT, f"spot moves, {name}")
        assert [float(one.strip(",")) / 100 for one in shown] == pytest.approx(list(group.spot_moves))
    assert [g.basis_move * 100 for g in groups] == pytest.approx(numbers(OKX_TEXT, "basis move"))
    assert [g.extreme_move * 100 for g in groups] == pytest.approx(numbers(OKX_TEXT, "extreme move"))
    assert numbers(OKX_TEXT, "`extreme_share`") == [p.extreme_share]
    assert numbers(OKX_TEXT, "`volatility_range_up`") == [
        p.volatility_range_up, p.volatility_range_down, p.min_volatility_for_shock_up,
    ]  # fmt: skip
    assert numbers(OKX_TEXT, "`short_term_vega_power`") == [
        p.short_term_vega_power, p.long_term_vega_power, p.dte_floor_days,
    ]  # fmt: skip
    assert numbers(OKX_TEXT, "`vega_tenors_days`") == [*p.vega_tenors_days, p.vega_offset_charge]
    assert numbers(OKX_TEXT, "`future_charge`") == [p.future_charge, p.option_charge]
    for name in ("decay_hours", "basis_min_days", "rate_move", "im_factor"):
        assert numbers(OKX_TEXT, f"`{name}`") == [getattr(p, name)]
    assert numbers(OKX_TEXT, "`minimum_charge`") == flat(p.minimum_charge, 1.0, 1.0)
    assert numbers(OKX_TEXT, "`borrowing`") == pytest.approx(flat(p.borrowing, 100.0, 1e-6))
    assert numbers(OKX_TEXT, "`depeg`") == pytest.approx(flat(p.depeg, 100.0, 1e-6))


def flat(table: MarginalTiers, rate_unit: float, bound_unit: float) -> list[float]:
    """Return a table as it is printed: rate, bound, rate, bound, ..., rate."""
    shown = [(rate_unit * tier.rate, bound_unit * (tier.up_to_usd or 0.0)) for tier in table.tiers]
    return [number for pair in shown for number in pair][:-1]


def test_the_parameter_table_of_paradex_has_the_defaults() -> None:
    """Weights, shocks, minima and factors are those of the records."""
    p, scan = ParadexParameters(), ParadexScan()
    (row,) = re.findall(r"^\| 16 \.\. 23.*$", PARADEX_TEXT, re.MULTILINE)
    moves, weights = (re.findall(r"[-+]?[\d.]*\d", column) for column in (row.split("|")[2], row.split("|")[4]))
    assert [float(move) / 100 for move in moves] == pytest.approx([tail.move for tail in PARADEX_TAILS])
    assert [float(weight) for weight in weights] == [tail.weight for tail in PARADEX_TAILS]
    assert numbers(PARADEX_TEXT, "`volatility_range_up`") == [scan.volatility_range_up, scan.volatility_range_down]
    assert numbers(PARADEX_TEXT, "`short_term_vega_power`") == [
        scan.short_term_vega_power, scan.long_term_vega_power, scan.dte_floor_days,
    ]  # fmt: skip
    assert numbers(PARADEX_TEXT, "`net_delta_rate`") == [scan.net_delta_rate, scan.hedged_delta_rate]
    assert numbers(PARADEX_TEXT, "`min_volatility_for_shock_up`") == [scan.min_volatility_for_shock_up]
    assert numbers(PARADEX_TEXT, "`mm_factor`") == [p.mm_factor]
    assert numbers(PARADEX_TEXT, "`fee_rate`") == [p.fee_rate]
