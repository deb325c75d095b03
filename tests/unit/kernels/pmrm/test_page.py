"""The formula page of model B says what the kernels do."""

from __future__ import annotations

import doctest
import math
import re

import msgspec
import QuantLib as ql  # noqa: N813

from schemas.pmrm import PmrmParameters
from tests.support import ROOT

PAGE = ROOT / "docs" / "margin-model-b.md"
TEXT = PAGE.read_text()


def test_the_examples_print_what_the_page_shows() -> None:
    """Every line of the worked example is what the kernels return."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 15
    assert failed == 0


def test_the_worked_requirement_is_right() -> None:
    """The worst scenario of the example, with QuantLib's prices, gives the requirements on the page."""
    years, strike, forward = 30 / 365, 60_000.0, 60_300.0
    discount = math.exp(-0.06 * years)

    def owed(forward: float, vol: float) -> float:
        stdev = vol * math.sqrt(years)
        call, put = (
            ql.blackFormula(kind, strike, forward, stdev, discount) for kind in (ql.Option.Call, ql.Option.Put)
        )
        return float(call + 0.5 * put)

    factor = min(1.04 * math.exp(0.16 * years), 1 / discount)
    scan = owed(forward * 0.82, 0.55 * 1.5) * factor - owed(forward, 0.55) + 60_000.0 * 0.18
    mm = 0.8 * scan + 1.5 * 60_000.0 * 0.003 + 60_000.0 * 0.04
    im = scan + 1.5 * 60_000.0 * 0.005 + 60_000.0 * 0.055
    equity = 60_000.0 - 20_000.0 - owed(forward, 0.55)
    assert f"equity {equity:.2f}, IM {im:.2f}, MM {mm:.2f}" in TEXT


def test_the_parameter_table_has_the_defaults() -> None:
    """Every scalar parameter is in the table with its default."""
    shown: dict[str, float] = {}
    for names, values in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([-\d.]+(?:, [-\d.]+)*) \|", TEXT, re.MULTILINE):
        shown |= dict(zip(re.findall(r"\w+", names), map(float, values.split(", ")), strict=True))
    parameters = PmrmParameters()
    groups = (parameters.vol_shock, parameters.margin, parameters.basis, parameters.other, parameters.skew)
    assert shown == {name: value for group in groups for name, value in msgspec.structs.asdict(group).items()}
