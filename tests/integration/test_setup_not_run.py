"""What a test run does where no broker can be had."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.integration.processes import environment
from tests.support import ROOT

MODULE = "tests/integration/test_brokers_topics.py"


def test_broker_tests_are_listed_where_java_is_missing(tmp_path: Path) -> None:
    """Without java every broker test is named as not run, none runs, and the run is no failure."""
    names = re.findall(r"^def (test_\w+)", (ROOT / MODULE).read_text(), re.MULTILINE)
    done = pytest_here(PATH=str(tmp_path))
    listed = {name for name in names if f"{MODULE}::{name}" in done.stdout}
    assert (done.returncode, listed) == (0, set(names)), done.stdout


def test_broker_tests_fail_where_a_broker_should_be(tmp_path: Path) -> None:
    """With a BROKER_URL where nothing answers, broker tests fail; they are not passed over."""
    done = pytest_here(PATH=str(tmp_path), BROKER_URL="127.0.0.1:1")
    assert done.returncode == 1, done.stdout
    assert "skipped" not in done.stdout


def pytest_here(**env: str) -> subprocess.CompletedProcess[str]:
    """Run one module of broker tests in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", MODULE]
    return subprocess.run(
        command, cwd=ROOT, env=environment(**env), capture_output=True, text=True, timeout=120, check=False
    )
