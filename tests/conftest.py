"""Where broker tests run, and the list of those that could not.

The broker of a test run is the one at BROKER_URL, else a local Apache Kafka where Java and Maven are, else the embedded
Tansu. What needs Apache Kafka and cannot have it is named at the end; where Kafka can be had, a failure to start it is
a failure. Tests of the page are named likewise where there is no Chromium.

`make test` shares the modules out to three processes, each with a broker of its own. Those that wait for brokers come
first, so that no process is left with a long one at the end.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from monitor.brokers import LocalBroker, choose_broker, kafka_obstacle, selfcheck
from monitor.brokers.interface import BrokerError
from monitor.brokers.tansu import EmbeddedTansu
from monitor.config import load

# A test that shares its core with others is slow now and then; no case is wrong for that.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

CLIENTS = Path(__file__).parents[1] / "clients"
BROKER = pytest.StashKey[str]()
NOT_RUN = pytest.StashKey[dict[str, str]]()
BROWSER_FOLDER = "tests/browser/"


def local_broker() -> LocalBroker:
    """Return which local broker the settings ask for."""
    return load(None, os.environ).local_broker


def session_obstacle() -> str | None:
    """Return why the broker of this run is not Apache Kafka, None if it is or cannot be asked."""
    url = os.environ.get("BROKER_URL")
    broker = choose_broker(url, local=local_broker(), heap_mb=512)
    if isinstance(broker, EmbeddedTansu):
        return broker.describe()
    if not url:
        return None
    try:
        with ThreadPoolExecutor(1) as pool:
            checked = pool.submit(asyncio.run, selfcheck.check(broker.start())).result()
    except BrokerError:
        return None  # the tests themselves fail on it
    if checked.ends_exact and checked.idempotent:
        return None
    return f"the broker at BROKER_URL is not Apache Kafka ({checked.line})"


def client_obstacle(folder: str, program: str) -> str | None:
    """Return why a client in another language cannot be tested, None if it can."""
    if shutil.which(program) is None:
        return f"there is no {program}"
    built = (CLIENTS / folder / ".built").exists()
    return None if built else f"clients/{folder} is not built: run `make clients`"


@pytest.hookimpl(trylast=True)  # what -m and -k leave out is not asked for
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests as not run that need Apache Kafka where it cannot be had; put what takes longest first."""
    if _is_part(config):
        items.sort(key=_rank)
    not_run = config.stash[NOT_RUN] = {}
    obstacles: dict[str, Callable[[], str | None]] = {
        "local_broker": _local_obstacle,
        "apache_kafka": session_obstacle,
        "browser": browser_obstacle,
        "go_client": lambda: client_obstacle("go", "go"),
        "prometheus": _prometheus_obstacle,
        "typescript_client": lambda: client_obstacle("typescript", "node"),
    }
    for marker, obstacle in obstacles.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        reason = obstacle() if marked else None
        if reason is not None:
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))
                not_run.setdefault(item.nodeid, reason)


def chromium() -> str | None:
    """Return the Chromium of this machine: CHROMIUM, else what is on the path, None if there is none."""
    names = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


def browser_obstacle() -> str | None:
    """Return why no browser can show the page, None if one can."""
    return None if chromium() else "there is no Chromium: install it, or set CHROMIUM"


def _is_part(config: pytest.Config) -> bool:
    """Whether this process runs a part of the tests for another one."""
    return hasattr(config, "workerinput")


def _rank(item: pytest.Item) -> int:
    folders = (
        "tests/integration/worker/",
        "tests/integration/",
        BROWSER_FOLDER,
        "tests/property/",
        "tests/golden/",
        "",
    )
    return next(place for place, folder in enumerate(folders) if item.nodeid.startswith(folder))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what the summary needs to the process that writes it."""
    config: Any = session.config
    if _is_part(config):
        told = {"broker": config.stash.get(BROKER, None), "not_run": config.stash.get(NOT_RUN, {})}
        config.workeroutput["liqmon"] = told


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a process that ran a part of the tests has for the summary."""
    del error
    told = getattr(node, "workeroutput", {}).get("liqmon")
    if told:
        node.config.stash.setdefault(NOT_RUN, {}).update(told["not_run"])
        if told["broker"]:
            node.config.stash[BROKER] = told["broker"]


def _local_obstacle() -> str | None:
    obstacle = kafka_obstacle()
    return None if obstacle is None else obstacle.cause


def _prometheus_obstacle() -> str | None:
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    return f"{' and '.join(missing)} not found on PATH" if missing else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which broker the run had, and list the tests that were not run, by name with the reason."""
    if told := config.stash.get(BROKER, None):
        terminalreporter.section("broker of this run")
        terminalreporter.line(told)
    not_run = config.stash.get(NOT_RUN, {})
    if not not_run:
        return
    terminalreporter.section(f"not run, something they need is missing: {len(not_run)}")
    for name, reason in not_run.items():
        terminalreporter.line(f"{name}: {reason}")
