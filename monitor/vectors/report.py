"""A run of vectors for people, as an aligned table, and as plain data for `--json`."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.vectors.compare import Error
from monitor.vectors.contract import SCHEMA
from monitor.vectors.runner import Outcome, Report, Result

SHOWN = 3  # faults of a case that the table names
STYLES = {Outcome.PASSED: "green", Outcome.NO_CALLABLE: "yellow"}


def data(report: Report, name: str) -> dict[str, Any]:
    """Return a run as plain data; an error that is not finite is null."""
    return {
        "file": name,
        "schema": SCHEMA,
        "passed": report.passed,
        "failed": report.failed,
        "not_chosen": report.not_chosen,
        "results": [_result_data(result) for result in report.results],
    }


def print_report(console: Console, report: Report) -> None:
    """Print one line for each case, what is wrong below the table, and the totals."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("outcome", no_wrap=True)
    table.add_column("case", overflow="fold")
    table.add_column("values", justify="right", no_wrap=True)
    table.add_column("largest error", justify="right", no_wrap=True)
    table.add_column("relative", justify="right", no_wrap=True)
    table.add_column("at", overflow="fold")
    for result in report.results:
        found = result.comparison
        table.add_row(
            Text(result.outcome, STYLES.get(result.outcome, "red")), Text(_name(result)),
            str(found.compared) if found.compared else "-", _size(found.largest_abs), _size(found.largest_rel),
            Text(_places(found.largest_abs, found.largest_rel)),
        )  # fmt: skip
    if report.results:
        console.print(table)
    for result in report.results:
        faults = [] if result.outcome is Outcome.NO_CALLABLE else result.comparison.faults
        for fault in faults[:SHOWN]:
            console.print(Text(f"{_name(result)}: {fault}"), soft_wrap=True)
        if (more := len(faults) - SHOWN) > 0:
            console.print(Text(f"{_name(result)}: {more} more"), soft_wrap=True)
    without = dict.fromkeys(result.group for result in report.results if result.outcome is Outcome.NO_CALLABLE)
    if without:
        console.print(Text(f"no function for: {', '.join(without)}"), soft_wrap=True)
    left_out = f", {report.not_chosen} not chosen" if report.not_chosen else ""
    console.print(Text(f"{report.passed} passed, {report.failed} failed{left_out}"))


def _name(result: Result) -> str:
    """Return a case by its id, with the group where the id does not begin with it."""
    if not result.id:
        return f"[{result.group}]"
    return result.id if result.id.startswith(result.group) else f"{result.id} [{result.group}]"


def _places(largest: Error | None, relative: Error | None) -> str:
    """Return where the two errors are, once if that is one place."""
    places = [error.at for error in (largest, relative) if error is not None]
    return " / ".join(dict.fromkeys(places)) or "-"


def _size(error: Error | None) -> str:
    return "-" if error is None else f"{error.size:.2e}"


def _result_data(result: Result) -> dict[str, Any]:
    found = result.comparison
    return {
        "id": result.id or None,
        "group": result.group,
        "outcome": str(result.outcome),
        "compared": found.compared,
        "largest_abs_error": _error_data(found.largest_abs),
        "largest_rel_error": _error_data(found.largest_rel),
        "faults": found.faults,
    }


def _error_data(error: Error | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"error": error.size if math.isfinite(error.size) else None, "at": error.at}
