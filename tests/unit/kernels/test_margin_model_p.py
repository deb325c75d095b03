"""The formula page of model P says what the kernels do."""

from __future__ import annotations

import doctest
import math

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
