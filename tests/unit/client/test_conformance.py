"""What every client makes of the same messages: this one here, the others where their tools are."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from monitor.client import Alert, Message, Screen
from tests.client_cases import FILE, ON_TIME, cases, text
from tests.client_messages import KEYS
from tests.support import ROOT

CASES = cases()


def test_the_file_is_written_anew() -> None:
    """What other languages read is what stands here: `python -m tests.client_cases` writes it."""
    assert FILE.read_bytes() == text()


@pytest.mark.parametrize("name", CASES)
def test_the_python_client(name: str) -> None:
    """Each message is judged as it is said, in its order."""
    options, judged = CASES[name]
    screen = Screen(
        KEYS if options.get("keys", True) else None, require_signature=not options.get("allow_unsigned", False)
    )

    def verdict(message: Message) -> str:
        result = screen.judge(message, options.get("now_us", ON_TIME))
        return "delivered" if isinstance(result, Alert) else str(result.reason)

    assert [verdict(message) for message, _ in judged] == [reason for _, reason in judged]


def rebuilt() -> None:
    """Build what has changed since it was built; what has not needs neither time nor network."""
    told = run("./build.sh", folder=".")
    assert not told, told


def run(*command: str, folder: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT / "clients" / folder)
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    return done.stdout


@pytest.mark.go_client
def test_the_go_client() -> None:
    """The Go client judges all of them the same, is formatted, and vet finds nothing."""
    rebuilt()
    go = str(shutil.which("go"))
    assert run(go, "test", "-count=1", "-v", ".", folder="go").count("--- PASS: TestConformance/") == len(CASES)
    run(go, "vet", "./...", folder="go")
    assert run(str(shutil.which("gofmt")), "-l", ".", folder="go") == ""


@pytest.mark.typescript_client
def test_the_typescript_client() -> None:
    """The TypeScript client, compiled under strict rules, judges all of them the same."""
    rebuilt()
    told = run(str(shutil.which("node")), "--test", "--test-reporter=tap", "dist", folder="typescript")
    assert f"# pass {len(CASES)}" in told
    assert "# fail 0" in told
