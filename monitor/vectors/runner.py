"""Run the cases of a file and say of each whether it passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.vectors.compare import Comparison, compare
from monitor.vectors.contract import Case
from monitor.vectors.inputs import InvalidInputs, Vector


class Outcome(StrEnum):
    """What became of a case, or of a group that was asked for."""

    PASSED = "pass"
    FAILED = "fail"
    MALFORMED = "malformed"
    NO_CALLABLE = "no callable"
    NO_CASE = "no case"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a case; `id` is empty for a group without one."""

    id: str
    group: str
    outcome: Outcome
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Report:
    """The results in the order of the file, groups without a case last, and how many cases were left out."""

    results: tuple[Result, ...]
    not_chosen: int

    @property
    def passed(self) -> int:
        """Count the cases that pass."""
        return sum(result.outcome is Outcome.PASSED for result in self.results)

    @property
    def failed(self) -> int:
        """Count everything else: failures, malformed inputs, groups without a function or a case."""
        return len(self.results) - self.passed


def run(cases: Sequence[Case], groups: Iterable[str], callables: Mapping[str, Vector]) -> Report:
    """Run the cases of the chosen groups, all if none is chosen.

    A chosen group without a case is a result of its own, which counts as failed. Raises nothing for a case that fails;
    what a function raises other than InvalidInputs is a defect of ours and passes through.
    """
    chosen = tuple(dict.fromkeys(groups))
    selected = [case for case in cases if not chosen or case.group in chosen]
    results = [run_case(case, callables.get(case.group)) for case in selected]
    there = {case.group for case in cases}
    for group in chosen:
        if group not in there:
            fault = "no case in the file" + ("" if group in callables else ", and no function here")
            results.append(Result("", group, Outcome.NO_CASE, Comparison(faults=[fault])))
    return Report(tuple(results), len(cases) - len(selected))


def run_case(case: Case, function: Vector | None) -> Result:
    """Run one case with the function of its group, None if there is none."""
    if function is None:
        fault = f"no function for group {case.group}"
        return Result(case.id, case.group, Outcome.NO_CALLABLE, Comparison(faults=[fault]))
    try:
        got = function(case.inputs)
    except InvalidInputs as error:
        fault = f"inputs.{error.place}: {error.text}" if error.place else f"inputs: {error.text}"
        return Result(case.id, case.group, Outcome.MALFORMED, Comparison(faults=[fault]))
    comparison = compare(case.expected, got, case.tolerance)
    return Result(case.id, case.group, Outcome.FAILED if comparison.faults else Outcome.PASSED, comparison)
