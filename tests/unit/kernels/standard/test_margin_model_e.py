"""The page of model E says what the kernels do."""

from __future__ import annotations

import doctest
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.standard import DeriveStandardParameters, OpenInterestParameters, StandardOptionParameters
from tests.support import ROOT
from tests.unit.vectors.second_standard import black, expiry

PAGE = ROOT / "docs" / "margin-model-e.md"


def test_the_examples_print_what_the_page_shows() -> None:
    """Every line of the worked example is what the kernels return."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 15
    assert failed == 0


def test_the_worked_margin_is_right() -> None:
    """The numbers of the last example are those of 40 digits, the calls priced by Black's formula."""
    rates = msgspec.structs.asdict(DeriveStandardParameters().option)
    calls: list[Mapping[str, Any]] = [
        {"type": "call", "strike": k, "amount": a, "forward": 3_010.0, "mark_vol": 0.7, "expiry_s": 30 * 86_400}
        for k, a in ((3_200.0, -2.0), (3_600.0, 2.0))
    ]
    value = sum(float(call["amount"] * black(call)) for call in calls)
    equity = 5_000.0 + 40.0 + value
    options = float(expiry(calls, 3_000.0, rates, initial=True))
    im = 5_000.0 + 40.0 + options - 600.0 - 240.0
    mm = 5_000.0 + 40.0 + float(expiry(calls, 3_000.0, rates, initial=False)) - 390.0
    assert f"equity {equity:.2f}, IM {equity - im:.2f}, MM {equity - mm:.2f}" in PAGE.read_text()


def test_the_parameter_table_has_the_defaults() -> None:
    """The table names what the parameter records hold."""
    text = PAGE.read_text()
    option, derive = StandardOptionParameters(), DeriveStandardParameters()
    (row,) = re.findall(r"^\| `option\.max_initial`.*$", text, re.MULTILINE)
    shown = [float(x) for x in row.split("|")[2].split(",")]
    assert shown == [option.max_initial, option.min_initial, option.maintenance, option.put_mark_maintenance]
    (row,) = re.findall(r"^\| `derive\.option\.unpaired.*$", text, re.MULTILINE)
    shown = [float(x) for x in row.split("|")[2].split(",")]
    assert shown == [derive.option.unpaired_im_scale, derive.option.unpaired_mm_scale, derive.option.mm_offset_scale]
    (row,) = re.findall(r"^\| `derive\.option\.max_spot_req.*$", text, re.MULTILINE)
    assert [float(x) for x in row.split("|")[2].split(",")] == [derive.option.max_spot_req, derive.option.min_spot_req]
    assert "| `perpetual.im_rate`, `mm_rate` | 0.10, 0.065 |" in text
    assert (derive.perp.im_rate, derive.perp.mm_rate) == (0.10, 0.065)
    assert (derive.depeg_threshold, derive.depeg_factor, derive.oracle.factor) == (0.99, 2.0, 1.0)
    assert OpenInterestParameters().base_rate == 0.05
