"""`make setup` and the targets that begin with it, in a copy of the checkout."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.integration.processes import Tools
from tests.support import ROOT

# Nothing answers there: pip has no index, as without a network.
OFFLINE = {
    "PIP_INDEX_URL": "http://127.0.0.1:1/",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_CONFIG_FILE": os.devnull,
}
IGNORED = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout as a clone has it: without an environment."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT, copy, ignore=IGNORED)
    return copy


def make(checkout: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run make without a broker's address, and as the outermost make even inside `make test`."""
    dropped = ("BROKER_URL", "MAKE", "MFLAGS", "PYTHON", "DATA", "ARGS")
    merged = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return subprocess.run(
        ["make", *arguments], cwd=checkout, env=merged | env, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout whose `.venv` has the pinned packages already, by a link to those of this test run."""
    checkout = tmp_path_factory.mktemp("ready") / "checkout"
    shutil.copytree(ROOT, checkout, ignore=IGNORED)
    venv.create(checkout / ".venv", with_pip=True)
    (packages,) = (checkout / ".venv" / "lib").glob("python*/site-packages")
    links = [path for path in [*site.getsitepackages(), *sys.path] if path.endswith("site-packages")]
    (packages / "pinned.pth").write_text("\n".join(dict.fromkeys(links)) + "\n")
    return checkout


def assert_told(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check for a failure with one line of ours, beside make's own last word."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0
    assert len(lines) == 1, done.stderr
    cause, _, remedy = lines[0].partition("; ")
    assert cause
    assert remedy
    missing = [word for word in words if word not in lines[0]]
    assert not missing, lines[0]


def test_help_lists_every_target(checkout: Path) -> None:
    """Each phony target stands in the help with a sentence."""
    text = (checkout / "Makefile").read_text()
    (phony,) = (line.split()[1:] for line in text.splitlines() if line.startswith(".PHONY"))
    listed = [line.split()[1] for line in make(checkout, "help").stdout.splitlines()]
    assert sorted(listed) == sorted(phony)


def test_no_python(checkout: Path) -> None:
    """Without a Python the line says which one to install."""
    assert_told(make(checkout, "setup", "PYTHON=no-such-python"), "Python 3.11", "install")
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_too_old(checkout: Path, tmp_path: Path) -> None:
    """A Python that says it is older than 3.11 is passed over."""
    tools = tmp_path / "bin"
    tools.mkdir()
    Tools(tools).script("old-python", "exit 1")
    assert_told(make(checkout, "setup", f"PYTHON={tools}/old-python"), "Python 3.11", "install")


def test_a_python_without_venv(checkout: Path, tmp_path: Path) -> None:
    """A Python whose venv module is missing, as on a bare Debian, gets the name of the package."""
    tools = tmp_path / "bin"
    tools.mkdir()
    Tools(tools).script("bare-python", f'[ "$1" = -m ] && exit 1\nexec {sys.executable} "$@"')
    assert_told(make(checkout, "setup", f"PYTHON={tools}/bare-python"), "python3-venv")


def test_offline_at_the_first_run(checkout: Path) -> None:
    """Without a network and without packages, the line says to connect; the next run starts over."""
    done = make(checkout, "setup", f"PYTHON={sys.executable}", **OFFLINE)
    assert_told(done, "network", "setup.log")
    assert not (checkout / ".venv" / "setup.done").exists()
    assert (checkout / ".venv" / "setup.log").read_text()


def test_offline_at_the_second_run(ready: Path) -> None:
    """With the packages there, set-up needs no network, and then has nothing to do."""
    environment = {**OFFLINE, "BROKER_URL": "127.0.0.1:1"}
    log = ready / ".venv" / "setup.log"
    first = make(ready, "setup", **environment)
    assert first.returncode == 0, first.stdout + first.stderr + log.read_text()
    shown = subprocess.run(
        [ready / ".venv/bin/liqmon", "--version"], capture_output=True, text=True, check=True, cwd=ready.parent
    )
    assert shown.stdout.startswith("liqmon")
    before = log.stat().st_mtime_ns
    second = make(ready, "setup", **environment)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert log.stat().st_mtime_ns == before


@pytest.mark.parametrize("target", ["topics", "demo"])
def test_a_wrong_broker_url_ends_the_target(ready: Path, target: str) -> None:
    """A target that needs the broker ends with its line where BROKER_URL leads nowhere."""
    environment = {**OFFLINE, "BROKER_URL": "127.0.0.1:1"}
    assert make(ready, "setup", **environment).returncode == 0
    assert_told(make(ready, target, **environment), "127.0.0.1:1", "BROKER_URL")


def test_setup_without_java_says_what_is_used_instead(ready: Path, tmp_path: Path) -> None:
    """Without java set-up succeeds, fetches nothing, and names the broker that demo and tests will have."""
    tools = Tools(tmp_path).link("make", "sh", "cat", "cksum", "dirname", "grep", "tail", "cut")
    bare = {"PATH": str(tools.folder), "JAVA_HOME": "", "LIQMON_CACHE_DIR": str(tmp_path / "cache")}
    done = make(ready, "setup", LIQMON_LOCAL_BROKER="auto", **bare, **OFFLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no java" in done.stdout
    assert "embedded Kafka-compatible broker (Tansu), in memory, not durable" in done.stdout
    assert not (tmp_path / "cache").exists()


def test_a_moved_checkout_gets_a_new_environment(checkout: Path) -> None:
    """An environment made at another path is not used: its scripts point there."""
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "setup.path").write_text("/elsewhere")
    (checkout / ".venv" / "setup.done").write_text("")
    assert_told(make(checkout, "setup", "PYTHON=no-such-python", **OFFLINE), "Python 3.11")
    assert not (checkout / ".venv").exists()


def test_locks_name_no_index(checkout: Path) -> None:
    """Both locks pin every package with hashes and name no address."""
    for name in ("run.txt", "dev.txt"):
        text = (checkout / "requirements" / name).read_text()
        assert "://" not in text
        assert "index-url" not in text
        blocks = [block for block in text.split("\n") if block and not block.startswith((" ", "#"))]
        assert blocks
        assert all("==" in block and block.endswith("\\") for block in blocks)
