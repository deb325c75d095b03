"""`liqmon vectors` as an operator sees it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from monitor.cli import liqmon
from monitor.vectors import report
from monitor.vectors.contract import decode
from monitor.vectors.registry import CALLABLES
from monitor.vectors.runner import run
from tests.support import ROOT

EWMA: dict[str, Any] = {
    "id": "ewma/one", "group": "ewma",
    "inputs": {"lambda_": 0.94, "prev_variance": 0.0004, "last_return": 0.0}, "expected": {"variance": 0.000376},
    "tolerance": {"rel": 1e-12},
}  # fmt: skip
WRONG = {**EWMA, "id": "ewma/wrong", "expected": {"variance": 0.000377}}
BAD = {**EWMA, "id": "ewma/bad", "inputs": {"lambda_": 0.94}}
FOREIGN = {**EWMA, "id": "far/one", "group": "foreign"}


def written(folder: Path, *cases: Any) -> Path:
    path = folder / "vectors.json"
    path.write_text(json.dumps({"schema": "margin-vectors/1", "note": "", "cases": cases}))
    return path


def invoke(*arguments: object, **more: Any) -> Result:
    return CliRunner().invoke(liqmon, ["vectors", *map(str, arguments)], standalone_mode=False, **more)


def test_cases_that_pass_exit_with_0(tmp_path: Path) -> None:
    """Each case has its line with the largest error and its place, and the last line counts."""
    result = invoke(written(tmp_path, EWMA))
    assert result.return_value == 0
    header, line, total = result.output.splitlines()
    assert header.split() == ["outcome", "case", "values", "largest", "error", "relative", "at"]
    assert line.split()[:3] == ["pass", "ewma/one", "1"]
    assert line.split()[-1] == "variance"
    assert total == "1 passed, 0 failed"


def test_a_case_that_fails_exits_with_1_and_says_what_is_wrong(tmp_path: Path) -> None:
    """The table names the case, the lines below it both numbers and the tolerance."""
    result = invoke(written(tmp_path, EWMA, WRONG, BAD))
    assert result.return_value == 1
    assert [line.split()[0] for line in result.output.splitlines()[1:4]] == ["pass", "fail", "malformed"]
    assert "ewma/wrong: variance: 0.000376 is not 0.000377 within 3.77e-16" in result.output
    assert "ewma/bad: inputs: Object missing required field `prev_variance`" in result.output
    assert result.output.splitlines()[-1] == "1 passed, 2 failed"


def test_a_group_without_a_function_fails_unless_it_is_left_out(tmp_path: Path) -> None:
    """Choosing other groups is how to run a file of which some groups are not ours."""
    path = written(tmp_path, EWMA, FOREIGN)
    everything = invoke(path)
    assert everything.return_value == 1
    assert "no function for: foreign" in everything.output
    chosen = invoke(path, "--group", "ewma")
    assert chosen.return_value == 0
    assert chosen.output.splitlines()[-1] == "1 passed, 0 failed, 1 not chosen"


def test_a_group_without_a_case_fails(tmp_path: Path) -> None:
    """A group asked for that the file does not have is a failure and not silence."""
    result = invoke(written(tmp_path, EWMA), "--group", "ewma", "--group", "bsm_price")
    assert result.return_value == 1
    assert "[bsm_price]: no case in the file" in result.output


def test_json_is_one_object(tmp_path: Path) -> None:
    """`--json` tells the same in one line for machines."""
    path = written(tmp_path, EWMA, WRONG, FOREIGN)
    result = invoke(path, "--json", "--group", "ewma", "--group", "none")
    assert result.return_value == 1
    (line,) = result.output.splitlines()
    data = json.loads(line)
    assert {key: data[key] for key in ("file", "schema", "passed", "failed", "not_chosen")} == {
        "file": str(path), "schema": "margin-vectors/1", "passed": 1, "failed": 2, "not_chosen": 1,
    }  # fmt: skip
    good, wrong, none = data["results"]
    assert (good["id"], good["outcome"], good["compared"], good["faults"]) == ("ewma/one", "pass", 1, [])
    assert wrong["largest_abs_error"]["at"] == wrong["largest_rel_error"]["at"] == "variance"
    assert wrong["largest_abs_error"]["error"] == pytest.approx(1e-6)
    assert wrong["largest_rel_error"]["error"] == pytest.approx(1e-6 / 0.000377)
    assert (none["id"], none["group"], none["outcome"], none["largest_abs_error"]) == (None, "none", "no case", None)


def test_json_of_an_error_without_bound_is_json(tmp_path: Path) -> None:
    """A result that is not finite is told in words; the error is null, since JSON has no infinity."""
    rows = [["call", 100.0, 100.0, 0.0, -1e6, 1.0, 0.3]]
    case = {**EWMA, "id": "bsm/far", "group": "bsm_price", "inputs": {"rows": rows}, "expected": {"price": [1.0]}}
    (result,) = json.loads(invoke(written(tmp_path, case), "--json").output)["results"]
    assert (result["outcome"], result["largest_abs_error"]) == ("fail", None)
    assert result["faults"] == ["price[0]: not a number"]


def test_standard_input_is_a_file_too(tmp_path: Path) -> None:
    """`-` reads from a pipe."""
    result = invoke("-", "--json", input=written(tmp_path, EWMA).read_bytes())
    assert result.return_value == 0
    assert json.loads(result.output)["file"] == "standard input"


def test_help_shows_an_example_and_needs_no_kernels() -> None:
    """The help has a line to copy, and costs no compilation."""
    assert "Example:\n    liqmon vectors vectors.json\n" in invoke("--help").output
    code = (
        "import sys\nfrom monitor.cli import liqmon\n"
        "liqmon.main(['vectors', '--help'], standalone_mode=False)\n"
        "assert 'numba' not in sys.modules, 'kernels are loaded'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("content", "code", "out", "err"),
    [
        (json.dumps({"schema": "margin-vectors/1", "cases": [EWMA]}), 0, "1 passed, 0 failed", ""),
        (json.dumps({"schema": "margin-vectors/1", "cases": [WRONG]}), 1, "0 passed, 1 failed", ""),
        ('{"schema": "margin-vectors/1", "cases": [{}]}', 2, "", "cases[0]: Object missing required field `id`"),
        ("{", 2, "", "liqmon: "),
        (None, 2, "", "does not exist"),
    ],
    ids=["pass", "fail", "malformed", "no JSON", "no file"],
)
def test_the_process_ends_with_the_code_of_the_outcome(
    tmp_path: Path, content: str | None, code: int, out: str, err: str
) -> None:
    """0 all pass, 1 something failed, 2 a file that is none: results on standard output, errors on standard error."""
    path = tmp_path / "vectors.json"
    if content is not None:
        path.write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "vectors", str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert out in done.stdout
    assert err in done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stderr) is bool(err)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A folder in place of a file is wrong use."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "vectors", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "is a directory" in done.stderr


def test_markup_in_names_is_shown_as_it_is(tmp_path: Path) -> None:
    """An id with brackets is not taken for a style."""
    path = written(tmp_path, {**WRONG, "id": "[red]ewma[/red]"})
    assert "[red]ewma[/red]" in invoke(path).output


def test_a_terminal_sees_columns(tmp_path: Path) -> None:
    """On a narrow terminal names are folded, never cut, and numbers stay whole."""
    long = {**EWMA, "id": "ewma/" + "x" * 60, "expected": {"variance": 0.000377}}
    done = run(decode(written(tmp_path, long).read_bytes(), "f"), (), CALLABLES)
    screen = io.StringIO()
    report.print_report(Console(width=60, force_terminal=True, color_system=None, file=screen), done)
    table = screen.getvalue().partition("ewma/" + "x" * 60)[0]
    assert table.count("x") >= 60
    assert "1.00e-06" in table


def test_many_faults_are_counted(tmp_path: Path) -> None:
    """The table names the first three faults of a case and how many more there are; JSON has them all."""
    rows = [["call", 100.0 + i, 100.0, 0.0, 0.0, 1.0, 0.3] for i in range(10)]
    case = {**EWMA, "id": "bsm/ten", "group": "bsm_price", "inputs": {"rows": rows}, "expected": {"price": [0.0] * 10}}
    path = written(tmp_path, case)
    lines = invoke(path).output.splitlines()
    assert sum("is not 0.0" in line for line in lines) == 3
    assert "bsm/ten [bsm_price]: 7 more" in lines
    assert len(json.loads(invoke(path, "--json").output)["results"][0]["faults"]) == 10
