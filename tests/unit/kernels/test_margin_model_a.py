"""The formula page of model A says what the kernels do."""

from __future__ import annotations

import doctest
import re

from schemas.deribit import DERIBIT_ETH, DERIBIT_USD
from schemas.records import RiskMatrixParameters
from tests.property.kernels_oracle import Contract, Shocks, pnl_usd, standard_and_extended
from tests.support import ROOT

PAGE = ROOT / "docs" / "margin-model-a.md"
INDEX = 65_000.0


def test_the_examples_print_what_the_page_shows() -> None:
    """Every line of the worked example is what the kernels return."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 10
    assert failed == 0


def test_the_worked_requirement_is_right() -> None:
    """The initial margin on the page equals a plain 50-digit evaluation of the same portfolio."""
    book = [
        (1.0, Contract("coin", 1.0, INDEX)),
        (3_000.0, Contract("inverse", 10.0, 65_065.0)),
        (-0.4, Contract("linear", 1.0, 65_065.0)),
        (-2.0, Contract("inverse_option", 1.0, 65_650.0, 70_000.0, is_call=True, years=30 / 365, vol=0.6)),
    ]
    defaults = RiskMatrixParameters()
    cells = standard_and_extended(defaults.price_range, defaults.buckets_each_side, defaults.extended_moves)
    losses = [-sum(q * pnl_usd(c, INDEX, cell, defaults.price_range, Shocks()) for q, c in book) for cell in cells]
    scan = max(losses)
    call_delta = 0.387067  # to the page's digits; 50-digit derivatives are the property tests' business
    roll = INDEX * 0.01 * (abs(3_000 * 10 / 65_065 - 0.4) + 2 * call_delta)
    text = PAGE.read_text()
    assert losses.index(scan) == 34
    assert f"scan {float(scan):.2f} + roll {float(roll):.2f} + delta shock 0.00" in text
    assert f"IM {float(scan + roll):.2f}, MM {float(0.8 * (scan + roll)):.2f}" in text


def test_the_parameter_table_has_the_defaults() -> None:
    """The BTC column names every default of the parameter record."""
    text = PAGE.read_text()
    defaults = RiskMatrixParameters()
    shown = {
        "price_range": "0.16", "buckets_each_side": "4", "volatility_range_up": "0.50",
        "min_volatility_for_shock_up": "0.50", "short_term_vega_power": "0.30", "dte_floor_days": "1",
        "annualised_move_risk": "0.075", "delta_shock_slope": "0.00005", "delta_shock_threshold_usd": "20,000,000",
        "mm_factor": "0.8", "pnl_offset": "0", "extended_factor": "1", "extended_dampener_usd": "100,000",
    }  # fmt: skip
    for name, printed in shown.items():
        (row,) = re.findall(rf"^\| `{name}`.*$", text, re.MULTILINE)
        assert row.split("|")[2].split(", ")[0].strip() == printed
        assert getattr(defaults, name) == float(printed.replace(",", ""))
    assert defaults.volatility_range_down == 0.25
    assert defaults.long_term_vega_power == 0.13
    assert defaults.min_annualised_move == 0.01
    assert defaults.max_delta_shock == 0.1


def test_the_parameter_table_has_the_venues_other_values() -> None:
    """The ETH column, and what the rows say of contracts settled in USD, are the published set's."""
    text = PAGE.read_text()
    for name in ("price_range", "delta_shock_slope", "extended_dampener_usd", "extended_factor", "mm_factor"):
        (row,) = re.findall(rf"^\| `{name}`.*$", text, re.MULTILINE)
        assert float(row.split("|")[3].replace(",", "")) == getattr(DERIBIT_ETH, name)
    (row,) = re.findall(r"^\| `pnl_offset`.*$", text, re.MULTILINE)
    assert row.split("|")[3].strip() == f"{DERIBIT_ETH.pnl_offset}, {DERIBIT_ETH.max_offsetable_pnl_usd:,.0f}"
    assert f"USD-settled {DERIBIT_USD.pnl_offset}, {DERIBIT_USD.max_offsetable_pnl_usd:,.0f}" in row
    assert f"USD-settled {DERIBIT_USD.extended_dampener_usd:,.0f}" in text
