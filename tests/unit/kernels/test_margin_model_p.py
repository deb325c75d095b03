"""The formula page of model P says what the kernels do."""

from __future__ import annotations

import doctest
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from schemas.parameters import NettingParameters, RiskMatrixParameters
from tests.netted_portfolios import Coin, Contract, Universe, book, value
from tests.netting_oracle import optimum
from tests.support import ROOT

PAGE = ROOT / "docs" / "margin-model-p.md"


def test_the_examples_print_what_the_page_shows() -> None:
    """Every line of the worked example is what the kernels return."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 8
    assert failed == 0


def test_the_worked_requirements_are_right() -> None:
    """The requirements on the page follow from the cosine rule, in plain arithmetic."""
    text = PAGE.read_text()
    for rho, k, shown in ((0.5, 0.0, "M* 4605.55"), (0.9, 0.0, "k 0.0: 2843.91"), (0.5, 0.1, "k 0.1: 5074.31")):
        square = 3_000.0**2 + 4_000.0**2 - 2.0 * rho * 3_000.0 * 4_000.0
        need = math.sqrt((1.0 - k) * square + k * 7_000.0**2) + 1_000.0
        assert shown in text
        assert shown.endswith(f"{need:.2f}")


def test_the_worked_portfolio_is_right() -> None:
    """Equity, requirement and distance of the portfolio follow from plain floats and an independent solver."""
    option = Contract("linear_option", price=4_000.0, strike=4_000.0, years=30 / 365, vol=0.6)
    contracts = (
        (Contract("coin"), Contract("linear", price=100_000.0)),
        (Contract("coin"), Contract("linear", price=4_000.0), option, replace(option, is_call=False)),
    )
    coins = tuple(
        Coin(name, index, RiskMatrixParameters(), of)
        for name, index, of in zip(("BTC", "ETH"), (100_000.0, 4_000.0), contracts, strict=True)
    )
    matrices = np.array([[[1.0, rho], [rho, 1.0]] for rho in (0.85, 0.5)])
    held = book(Universe(coins, matrices, 0.1), (np.array([0.0, 0.3]), np.array([0.0, -6.0, -2.0, -2.0])))
    text, im = PAGE.read_text(), optimum(held)[0]
    premium = float(value(option, 4_000.0, np.zeros(1), np.array([0.6]))[0])
    assert round(premium, 1) == 274.2
    equity = 6_400.0 - 4.0 * 274.2
    assert f"equity {equity:.2f}, IM {im:.2f}, MM {0.8 * im:.2f}" in text
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if 0.8 * optimum(replace(held, k=middle))[0] > equity else (middle, high)
    (shown,) = re.findall(r"^k\* (0\.\d+), at least (0\.\d+)$", text, re.MULTILINE)
    assert float(shown[0]) == pytest.approx(low, abs=1e-4)
    assert float(shown[1]) <= low + 1e-4


def test_the_parameter_table_has_the_defaults() -> None:
    """Each netting parameter's default is the one of the record."""
    text, defaults = PAGE.read_text(), NettingParameters()
    assert f"| `correlation_stress`, k | {defaults.correlation_stress:.2f} |" in text
    assert f"| `floor_correlation` | {defaults.floor_correlation} |" in text
    assert (
        f"| `fine_grid_days`, `finest_grid_days` | {defaults.fine_grid_days:g}, {defaults.finest_grid_days:g} |" in text
    )
    assert f"| `mm_factor` | {defaults.mm_factor} |" in text


@pytest.mark.parametrize("number", range(196, 199))
def test_the_page_links_its_decisions(number: int) -> None:
    """Each decision on the model of a portfolio is reached from the page, under the name of its file."""
    (link,) = set(re.findall(rf"decisions/0{number}-[a-z-]+\.md", PAGE.read_text()))
    assert (ROOT / "docs" / link).exists()
