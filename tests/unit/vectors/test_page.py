"""The page of vectors says what the command does."""

from __future__ import annotations

import doctest
import re
import shlex

import pytest
from click.testing import CliRunner

from monitor.cli import liqmon
from monitor.vectors.registry import CALLABLES
from monitor.vectors.runner import Outcome
from tests.support import ROOT

PAGE = ROOT / "docs" / "vectors.md"
TEXT = PAGE.read_text()


def test_the_examples_print_what_the_page_shows() -> None:
    """Every line of the Python example is what the function returns."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert (failed, attempted) == (0, 4)


def test_the_command_prints_what_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table in the page is the command's, to the last digit: the cases shown need nothing but IEEE arithmetic."""
    monkeypatch.chdir(ROOT)
    (shown,) = re.findall(r"```\n\$ liqmon (.*)\n((?:.+\n)+)```", TEXT)
    output = CliRunner().invoke(liqmon, shlex.split(shown[0]), standalone_mode=False).output
    assert [line.rstrip() for line in output.splitlines()] == shown[1].splitlines()


def test_the_page_names_every_function_and_its_accuracy() -> None:
    """No group is missing from the table of functions or from that of differences, and no other one is there."""
    differences = re.findall(r"^\| `(\w+)` \| [\d,]+ \| (\S+) \|$", TEXT, re.MULTILINE)
    assert {group for group, _ in differences} == set(CALLABLES)
    assert all(float(size) < 1e-12 for _, size in differences)
    functions = TEXT.partition("## Functions")[2].partition("### Edges")[0]
    assert {name for name in CALLABLES if f"`{name}`" in functions} == set(CALLABLES)


def test_the_page_explains_each_outcome() -> None:
    """What a case may come to is named in the page as the table names it."""
    assert [str(outcome) for outcome in Outcome if f"`{outcome}`" not in TEXT] == []
