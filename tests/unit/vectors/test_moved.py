"""Every function on inputs moved by one percent, against the second implementation."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from monitor.vectors.registry import CALLABLES
from tests.support import ROOT
from tests.unit.vectors.generated import drawn
from tests.unit.vectors.held import check
from tests.unit.vectors.moved import moved
from tests.unit.vectors.second import SECOND

CASES = list(drawn())
OF_TESTS = {"tests.unit.vectors"}


@pytest.mark.parametrize(("group", "inputs"), CASES, ids=[f"{group}-{i}" for i, (group, _) in enumerate(CASES)])
def test_a_function_holds_on_moved_inputs(group: str, inputs: dict[str, Any]) -> None:
    """Drawn inputs, and each of their numbers moved by 1 % alone and together, give the second implementation's."""
    assert check(group, inputs) > 6


def test_every_function_has_a_second_implementation_and_drawn_cases() -> None:
    """No group is left out of the comparison."""
    assert set(CALLABLES) == set(SECOND) == {group for group, _ in CASES}


def test_a_second_implementation_shares_no_function_with_ours() -> None:
    """The modules of second implementations import nothing of the project but each other."""
    for path in (ROOT / "tests" / "unit" / "vectors").glob("second*.py"):
        tree = ast.parse(path.read_text())
        imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        ours = {name for name in imported if name.split(".")[0] in {"kernels", "monitor", "schemas", "tests"}}
        assert all(name.startswith("tests.unit.vectors.second") for name in ours), path.name
        assert {name.split(".")[0] for name in imported} - {"tests"} <= {
            "__future__", "collections", "datetime", "fractions", "functools", "itertools", "mpmath", "typing",
        }  # fmt: skip


def test_moves_reach_every_number_alone_and_all_together() -> None:
    """Each number moves by 1 % up and down, a zero only up, a count by at least one, and everything moves at once."""
    inputs = {"a": 2.0, "b": [0.0, {"buckets_each_side": 4}], "name": "x", "flag": True}
    variants = dict(moved(inputs))
    assert variants["a +1%"] == {**inputs, "a": 2.02}
    assert variants["b.0 +1%"]["b"][0] == 0.01
    assert "b.0 -1%" not in variants
    assert variants["b.1.buckets_each_side -1%"]["b"][1] == {"buckets_each_side": 3}
    assert variants["all -1%"] == {"a": 1.98, "b": [0.0, {"buckets_each_side": 3}], "name": "x", "flag": True}
    assert len(variants) == 7
    assert inputs["a"] == 2.0


def test_a_number_that_names_something_moves_wherever_it_stands() -> None:
    """An expiry and the options that name it move together."""
    inputs = {"expiries": [{"expiry_s": 100}], "options": [{"expiry_s": 100, "amount": 1.0}]}
    variants = dict(moved(inputs))
    assert variants["expiries.0.expiry_s +1%"]["options"][0] == {"expiry_s": 101.0, "amount": 1.0}
    assert len(variants) == 6
