"""Run the command line as its user does, and look at processes from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

LIQMON = [sys.executable, "-m", "monitor"]


def environment(**changes: str | None) -> dict[str, str]:
    """Return our environment without a broker, changed: None removes a variable."""
    merged = {**os.environ, "BROKER_URL": None, "JAVA_HOME": None, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def liqmon(
    *arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `liqmon` to its end with captured output."""
    return subprocess.run(
        [*LIQMON, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=ROOT,
        env=dict(env or environment()),
    )


def assert_told(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Check the exit code, that nothing went to standard output, and one line of cause and remedy with `words`."""
    lines = done.stderr.splitlines()
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert len(lines) == 1, done.stderr
    cause, _, remedy = lines[0].partition("; ")
    assert cause
    assert remedy
    missing = [word for word in words if word.lower() not in lines[0].lower()]
    assert not missing, lines[0]


@dataclass(frozen=True, slots=True)
class Tools:
    """A folder to put on PATH alone, with links to chosen programs."""

    folder: Path

    def link(self, *names: str) -> Tools:
        """Link programs found on our PATH."""
        for name in names:
            found = next(
                p for d in os.environ["PATH"].split(":") if (p := Path(d, name)).exists() and os.access(p, os.X_OK)
            )
            (self.folder / name).symlink_to(found.resolve())
        return self

    def script(self, name: str, text: str) -> Tools:
        """Write a shell script."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return self


def running(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent to notice does not."""
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in {"Z", "X"}
    return False


def children(pid: int) -> set[int]:
    """Return the pids of all descendants of a process."""
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(stat.parent.name)
                found |= {child} | children(child)
    return found
