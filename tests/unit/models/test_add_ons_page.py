"""The pages on add-ons, collateral and owners say what the code does."""

from __future__ import annotations

import doctest

import pytest

from schemas.add_ons import BUILT_IN, PRUDENT, Liquidity
from schemas.collateral import PRUDENT as PRUDENT_COLLATERAL
from schemas.collateral import Haircut
from tests.support import ROOT

PAGES = {name: ROOT / "docs" / f"{name}.md" for name in ("add-ons", "collateral")}


@pytest.mark.parametrize(("page", "least"), [("add-ons", 19), ("collateral", 18)])
def test_the_examples_print_what_the_pages_show(page: str, least: int) -> None:
    """Every line of the worked examples is what the code returns."""
    failed, attempted = doctest.testfile(str(PAGES[page]), module_relative=False)
    assert attempted >= least
    assert failed == 0


def row_of(page: str, start: str) -> str:
    (row,) = [line for line in PAGES[page].read_text().splitlines() if line.startswith(f"| {start}")]
    return row.split("|")[2].strip()


def test_the_table_of_add_ons_has_the_values() -> None:
    """Liquidity, rates and confidence on the page are those of the prudent set."""
    liquidity, quality, minimum = PRUDENT.liquidity, PRUDENT.data_quality, PRUDENT.minimum
    assert liquidity is not None
    assert quality is not None
    assert minimum is not None
    assert row_of("add-ons", "`liquidity.impact`") == f"{liquidity.impact}, {liquidity.participation:.2f}"
    depths: list[Liquidity] = [liquidity.underlyings["BTC"], liquidity.underlyings["ETH"], liquidity.default]
    for name in (
        "daily_volume_usd", "half_spread", "daily_vega_usd", "vega_half_spread_points", "vega_daily_move_points"
    ):  # fmt: skip
        assert [float(x) for x in row_of("add-ons", f"`{name}`").split(",")] == [getattr(d, name) for d in depths]
    shown = [float(x) for x in row_of("add-ons", "`minimum.net_rate`").split(",")]
    assert shown == [minimum.net_rate, minimum.hedged_rate, minimum.mm_factor]
    pairs = (pair.split() for pair in row_of("add-ons", "`data_quality.confidence`").split(","))
    assert {name: float(value) for name, value in pairs} == quality.confidence
    shown = [float(x) for x in row_of("add-ons", "`data_quality.growth`").split(",")]
    assert shown == [quality.growth, quality.age_free_s, quality.age_span_s]
    assert PRUDENT.naked_shorts is not None
    rates = [float(x) for x in row_of("add-ons", "`naked_shorts.im_rate`").split(",")]
    assert rates == [PRUDENT.naked_shorts.im_rate, PRUDENT.naked_shorts.mm_rate]


def test_the_table_of_models_names_what_they_have() -> None:
    """What is left off beside a model on the page is what `beside` leaves off."""
    for line in PAGES["add-ons"].read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[1] in BUILT_IN:
            assert tuple(cells[3].replace("`", "").split(", ")) == BUILT_IN[cells[1]]


def test_the_table_of_haircuts_has_the_values() -> None:
    """The slices of the large coins on the page are those of the prudent set."""
    by = PRUDENT_COLLATERAL.assets["BTC"].positive
    assert isinstance(by, Haircut)
    mm, ends = ([100 * tier.rate for tier in by.mm.tiers], [(tier.up_to_usd or 0.0) / 1e6 for tier in by.mm.tiers])
    extra = [100 * tier.rate for tier in by.im_extra.tiers]
    said = (
        f"{', '.join(f'{x:g}' for x in mm)} % from 0, {', '.join(f'{x:g}' for x in ends[:-1])} million; "
        f"initially {', '.join(f'{x:g}' for x in extra)} % more"
    )
    assert row_of("collateral", "`PRUDENT`") == said
