"""The notebook runs from its first cell to its last, and draws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

pytest.importorskip("matplotlib")


def test_the_notebook_runs(tmp_path: Path) -> None:
    """It ends with a picture, with accounts called and liquidated in it, and with why the first one was called."""
    picture = tmp_path / "crash.png"
    done = subprocess.run(
        [sys.executable, "examples/crash_notebook.py", str(picture)], capture_output=True, text=True, check=True,
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "'liquidation': " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Margin call after ")
