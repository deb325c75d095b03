"""Where broker tests can run, and the list of those that could not."""

from __future__ import annotations

import os

import pytest

from monitor.brokers.interface import BrokerError
from monitor.brokers.kafka.jars import jars_complete, jars_dir
from monitor.brokers.kafka.java import find_java, find_maven

NOT_RUN = pytest.StashKey[list[str]]()


def local_obstacle() -> str | None:
    """Return why no local broker can be had here, None if one can: then a failure to start is a failure."""
    try:
        find_java()
        if not jars_complete(jars_dir()):
            find_maven()
    except BrokerError as error:
        return error.cause
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark broker tests as not run where no broker can be had."""
    config.stash[NOT_RUN] = []
    obstacle = local_obstacle()
    if obstacle is None:
        return
    markers = ["local_broker"] if os.environ.get("BROKER_URL") else ["local_broker", "broker"]
    for item in items:
        if any(item.get_closest_marker(name) for name in markers):
            item.add_marker(pytest.mark.skip(reason=obstacle))
            config.stash[NOT_RUN].append(item.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List by name the broker tests that were not run."""
    not_run = config.stash.get(NOT_RUN, [])
    if not_run:
        terminalreporter.section(f"not run, no broker: {len(not_run)}")
        for name in not_run:
            terminalreporter.line(name)
