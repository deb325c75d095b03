"""The audit of the lock: what it lets pass, what it refuses, and what it says where it cannot ask."""

from __future__ import annotations

import datetime as dt
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import ROOT

TODAY = dt.date(2026, 1, 1)
HASH = "--hash=sha256:" + "a" * 64
# What pip-audit says of a package; of one that it could not ask about it says so, and ends with 0 all the same.
SOUND = '{"dependencies": [{"name": "a", "version": "1", "vulns": []}], "fixes": []}'
VULNERABLE = '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X-1"}]}], "fixes": []}'
SKIPPED = '{"dependencies": [{"name": "a", "skip_reason": "not found"}], "fixes": []}'
TABLE = '[[exception]]\nid = "{}"\npackage = "{}"\nreason = "{}"\nexpires = {}\n'


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / "requirements" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_our_locks_are_as_they_should_be(audit: ModuleType) -> None:
    """Every package of both locks is pinned and hashed, and neither names an index."""
    for name in audit.LOCKS:
        text = (ROOT / "requirements" / name).read_text()
        assert text.count("==") > 20
        assert list(audit.judge_lock(name, text)) == []


@pytest.mark.parametrize(
    "line",
    [
        f"a>=1 {HASH}", f"a {HASH}", "a==1", f"--index-url https://index.example/ a==1 {HASH}",
        "--extra-index-url https://index.example/simple", f"a @ https://files.example/a.whl {HASH}", "-e .",
        f"a==1 --hash=md5:{'a' * 32}",
    ],
)  # fmt: skip
def test_what_is_not_pinned_is_refused(audit: ModuleType, line: str) -> None:
    """Ranges, lines without a SHA-256, and every index or address are each told."""
    assert len(list(audit.judge_lock("run.txt", f"# fine\nb==2 \\\n    {HASH}\n{line}\n"))) == 1


def test_exceptions_expire(audit: ModuleType) -> None:
    """An exception holds up to its day; one day later, too far ahead, or for a package that is gone it is refused."""

    def judged(expires: str, package: str = "a") -> int:
        found = audit.exceptions(TABLE.format("X-1", package, "not reached", expires))
        return len(list(audit.judge_exceptions(found, TODAY, f"a==1 {HASH}\n")))

    assert (judged("2026-01-01"), judged("2026-03-31")) == (0, 0)
    assert (judged("2025-12-31"), judged("2026-06-01"), judged("2026-01-31", "gone")) == (1, 1, 1)


WITHOUT = [
    TABLE.format("X-1", "a", "", "2026-01-01"),
    TABLE.format("X-1", "a", "why", '"soon"'),
    '[[exception]]\nid="X"',
]


@pytest.mark.parametrize("text", WITHOUT)
def test_an_exception_has_a_reason_and_a_date(audit: ModuleType, text: str) -> None:
    """Without either, the file is refused."""
    with pytest.raises(ValueError, match="exception"):
        audit.exceptions(text)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (f"echo '{SOUND}'", 0),
        (f"echo '{VULNERABLE}'; exit 1", 1),
        (f"echo '{SKIPPED}'", 3),
        ("echo 'cannot connect' >&2; exit 1", 3),
        ("exit 0", 3),
    ],
)
def test_findings_are_told_from_failures(tmp_path: Path, script: str, code: int) -> None:
    """Findings fail; a tool that cannot ask is said to, which fails unless no network is allowed for."""
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        # -I would drop the environment's variables; the tool is found on this PATH alone.
        return subprocess.run(
            [sys.executable, ROOT / "requirements" / "audit.py", *arguments],
            capture_output=True, text=True, check=False, env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        )  # fmt: skip

    assert run().returncode == code
    lenient = run("--offline-ok")
    assert lenient.returncode == (0 if code == 3 else code)
    assert ("NOT asked" in lenient.stderr) == (code == 3)
