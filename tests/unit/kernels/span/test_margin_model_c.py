"""The formula page of model C says what the kernels and the parameters do."""

from __future__ import annotations

import doctest
import re
from typing import Any

import msgspec
import pytest

from schemas.span import SpanParameters, SpanSet
from tests.support import ROOT
from tests.unit.kernels.span import plain
from tests.unit.vectors.second import mp

PAGE = ROOT / "docs" / "margin-model-c.md"
TEXT = PAGE.read_text()
PERPETUAL = {"kind": "inverse", "size": 10, "price": 65_065.0, "tier": 0, "option": 0}
FUTURE = {"kind": "linear", "size": 1, "price": 65_650.0, "tier": 1, "option": 0}
CALL = {"kind": "linear_option", "type": "call", "size": 1, "strike": 70_000.0, "price": 65_650.0, "years": 30 / 365,
        "vol": 0.6, "tier": 1, "option": 1}  # fmt: skip
ETHER = {"kind": "linear", "size": 1, "price": 2_500.0, "tier": 0, "option": 0}


def test_the_examples_print_what_the_page_shows() -> None:
    """Every line of the worked example is what the functions return."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 10
    assert failed == 0


def priced(contract: dict[str, Any], commodity: int, index: float, annual_vol: float) -> dict[str, Any]:
    price_range = min(mp.mpf("0.5"), max(mp.mpf("0.093"), 6 * mp.mpf(annual_vol) * mp.sqrt(mp.mpf(2) / 365)))
    vol_scan = max(mp.mpf("0.04"), mp.mpf(annual_vol) / 4)
    pnl = plain.array(contract, index, price_range, vol_scan, relative=False, look_ahead_days=1.0,
                      table=plain.scenarios())  # fmt: skip
    is_option = contract["option"] != 0
    value = plain.option_usd(contract, index, 0, contract["vol"], contract["years"]) if is_option else 0
    delta = plain.delta_coins(contract, price_range, 1.0)
    return {**contract, "pnl": pnl, "value": value, "delta": delta, "commodity": commodity, "premium": is_option,
            "range": price_range}  # fmt: skip


def test_the_worked_requirement_is_right() -> None:
    """Every number of the example equals a plain 40-digit evaluation of the same book."""
    bitcoin = [(q, priced(one, 0, 65_000.0, 0.55)) for q, one in ((6_000, PERPETUAL), (-2, FUTURE), (-3, CALL))]
    ether = [(40, priced(ETHER, 1, 2_500.0, 0.75))]
    commodities = [
        {"index": 65_000, "range": bitcoin[0][1]["range"], "tiers": 2, "short_option_usd": 650, "delivery_usd": 0,
         "calendar": [(0, 1, 1, 1, mp.mpf("0.0175") * 65_650)]},
        {"index": 2_500, "range": ether[0][1]["range"], "tiers": 1, "short_option_usd": 25, "delivery_usd": 0,
         "calendar": []},
    ]  # fmt: skip
    spread = ([(0, 1, 1), (1, -1, 1)], mp.mpf("0.5"), "scan_range_capped")
    got = plain.requirement([*bitcoin, *ether], commodities, [spread], larger_side=False)
    for name, one in zip(("BTC", "ETH"), got, strict=True):
        assert (
            f"{name}: scan {float(one['scan']):.2f} in scenario {one['number']}, intra {float(one['intra']):.2f}, "
            f"credit {float(one['credit']):.2f}, minimum {float(one['minimum']):.2f}\n"
            f"     risk {float(one['risk']):.2f}, option value {float(one['nov']):.2f}, "
            f"requirement {float(one['requirement']):.2f}\n"
        ) in TEXT
    total = float(sum(one["requirement"] for one in got))
    assert f"IM {total:.2f}, MM {0.8 * total:.2f}" in TEXT


def test_the_parameter_table_has_every_parameter_and_its_default() -> None:
    """No parameter is missing from the table, and none has another default there."""
    rows = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| ([^|]+) \|", TEXT, re.MULTILINE)
    shown = {name: value for names, value in rows for name, value in _each(names, value)}
    parameters = SpanParameters()
    for field in msgspec.structs.fields(SpanParameters):
        value = getattr(parameters, field.name)
        if isinstance(value, float):
            assert float(shown[field.name]) == value, field.name
        elif isinstance(value, tuple):
            assert [float(x) for x in shown[field.name].split()] == list(value)
        else:
            assert field.name in shown
    assert shown["volatility_scan"] == parameters.volatility_scan
    assert shown["option_style"] == parameters.option_style
    assert shown["short_option_side"] == SpanSet().short_option_side
    assert float(shown["mm_factor"]) == SpanSet().mm_factor
    assert SpanSet().inter_spreads == ()


def _each(names: str, value: str) -> list[tuple[str, str]]:
    each = names.replace("`", "").split(", ")
    return list(zip(each, value.split(", "), strict=False)) if len(each) > 1 else [(each[0], value)]


@pytest.mark.parametrize("number", range(164, 168))
def test_the_page_links_its_decisions(number: int) -> None:
    """Each decision on model C is reached from the page, under the name of its file."""
    (link,) = set(re.findall(rf"decisions/0{number}-[a-z-]+\.md", TEXT))
    assert (ROOT / "docs" / link).exists()
