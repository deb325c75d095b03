"""What a test run does where Apache Kafka cannot be had, and where it should be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.brokers import EmbeddedTansu
from tests.integration.processes import Tools, environment
from tests.support import ROOT

MODULE = "tests/integration/test_brokers_topics.py"
NAME = "embedded Kafka-compatible broker (Tansu), in memory, not durable"


def names(marked: str = "") -> set[str]:
    """Names of the module's tests, or of those that begin with a marker of their own."""
    found = re.findall(r"^(@pytest\.mark\.(\w+)\b.*\n)?def (test_\w+)", (ROOT / MODULE).read_text(), re.MULTILINE)
    return {name for _, marker, name in found if not marked or marker == marked}


def listed(output: str) -> set[str]:
    """Names in the section of tests that were not run."""
    _, found, section = output.partition("not run, something they need is missing")
    assert found, output
    return set(re.findall(rf"^{MODULE}::(\w+): \S", section, re.MULTILINE))


def passed(output: str) -> int:
    """Number of tests that passed."""
    found = re.search(r"(\d+) passed", output)
    return int(found[1]) if found else 0


@pytest.mark.broker
def test_without_java_the_embedded_broker_serves_and_the_rest_is_listed(tmp_path: Path) -> None:
    """Without java broker tests run on the embedded broker; those that need Apache Kafka are named with a reason."""
    done = pytest_here(PATH=str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert listed(done.stdout) == names("apache_kafka")
    assert passed(done.stdout) >= len(names() - names("apache_kafka")) > 0
    assert NAME in done.stdout


@pytest.mark.broker
def test_a_given_broker_that_is_not_kafka_is_seen(tmp_path: Path) -> None:
    """With the embedded broker at BROKER_URL, the self-check tells that the tests of Apache Kafka cannot run."""
    with EmbeddedTansu() as broker:
        done = pytest_here(PATH=str(tmp_path), BROKER_URL=f"127.0.0.1:{broker.port}")
    assert done.returncode == 0, done.stdout
    assert listed(done.stdout) == names("apache_kafka")
    assert passed(done.stdout) > 0


def test_broker_tests_fail_where_a_broker_should_be(tmp_path: Path) -> None:
    """With a BROKER_URL where nothing answers, broker tests fail; they are not passed over."""
    done = pytest_here(PATH=str(tmp_path), BROKER_URL="127.0.0.1:1")
    assert done.returncode == 1, done.stdout
    assert "skipped" not in done.stdout
    assert passed(done.stdout) == 0


@pytest.mark.parametrize("java", ["exit 1", "sleep 1"])
def test_broker_tests_fail_where_kafka_does_not_start(tmp_path: Path, java: str) -> None:
    """With Java and Maven there and a Kafka that cannot be fetched or started, broker tests fail on no other broker."""
    tools = Tools(tmp_path).link("sleep")
    tools.script("java", f'[ "$1" = -version ] && echo \'openjdk version "17.0.1"\' >&2 && exit 0\n{java}')
    tools.script("mvn", "exit 1")
    done = pytest_here(PATH=str(tmp_path), LIQMON_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 1, done.stdout
    assert "skipped" not in done.stdout
    assert passed(done.stdout) == 0
    assert NAME not in done.stdout


def pytest_here(**env: str) -> subprocess.CompletedProcess[str]:
    """Run one module of broker tests in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", MODULE]
    return subprocess.run(
        command, cwd=ROOT, env=environment(LIQMON_LOCAL_BROKER="auto", **env), capture_output=True, text=True,
        timeout=180, check=False,
    )  # fmt: skip
