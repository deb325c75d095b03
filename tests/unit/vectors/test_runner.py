"""Which cases run, and what counts as failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from monitor.vectors.contract import Case, Tolerance
from monitor.vectors.inputs import InvalidInputs
from monitor.vectors.runner import Outcome, run


def double(inputs: Mapping[str, Any]) -> dict[str, Any]:
    if "x" not in inputs:
        raise InvalidInputs("x", "missing")
    return {"y": 2.0 * inputs["x"]}


FUNCTIONS = {"double": double, "idle": double}
ONE = Case("one", "double", {"x": 1.0}, {"y": 2.0}, Tolerance(abs=1e-9))
WRONG = Case("wrong", "double", {"x": 1.0}, {"y": 3.0}, Tolerance(abs=1e-9))
BAD = Case("bad", "double", {}, {"y": 3.0}, Tolerance(abs=1e-9))
FOREIGN = Case("foreign", "unknown", {}, {"y": 3.0}, Tolerance(abs=1e-9))
ALL = (ONE, WRONG, BAD, FOREIGN)


def outcomes(*groups: str) -> list[tuple[str, Outcome]]:
    return [(result.id or result.group, result.outcome) for result in run(ALL, groups, FUNCTIONS).results]


def test_without_a_choice_every_case_counts() -> None:
    """A group without a function counts as failed, and so do malformed inputs; the other cases still run."""
    assert outcomes() == [
        ("one", Outcome.PASSED), ("wrong", Outcome.FAILED), ("bad", Outcome.MALFORMED),
        ("foreign", Outcome.NO_CALLABLE),
    ]  # fmt: skip
    report = run(ALL, (), FUNCTIONS)
    assert (report.passed, report.failed, report.not_chosen) == (1, 3, 0)


def test_a_choice_excludes_other_groups() -> None:
    """Only the chosen groups run, and a group that is not chosen cannot fail."""
    report = run((ONE, FOREIGN), ("double",), FUNCTIONS)
    assert (report.passed, report.failed, report.not_chosen) == (1, 0, 1)


def test_a_chosen_group_without_a_case_fails() -> None:
    """Asking for what the file does not have is a failure, with a function or without; asking twice is asking once."""
    assert outcomes("idle", "nothing", "idle") == [("idle", Outcome.NO_CASE), ("nothing", Outcome.NO_CASE)]
    assert run(ALL, ("idle",), FUNCTIONS).failed == 1


def test_a_chosen_group_without_a_function_fails() -> None:
    """A choice does not make a function."""
    assert outcomes("unknown") == [("foreign", Outcome.NO_CALLABLE)]


def test_malformed_inputs_are_named_by_their_place() -> None:
    """The fault of a case whose inputs cannot be read says where in the inputs."""
    (result,) = run((BAD,), (), FUNCTIONS).results
    assert result.comparison.faults == ["inputs.x: missing"]


def test_a_defect_of_a_function_is_not_a_failed_case() -> None:
    """An error that no function announces passes through instead of hiding as a number that does not fit."""

    def broken(_inputs: Mapping[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run((ONE,), (), {"double": broken})
