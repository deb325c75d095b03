"""Fixtures of the worker's broker tests."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.brokers.selfcheck import Checked
from tests.integration.worker.deployment import Deployment
from tests.integration.worker.support import Kafka, Process

Spawn = Callable[[list[str]], Process]


@pytest.fixture
def broker(kafka: str, checked: Checked) -> Iterator[Kafka]:
    """Helpers over the session's broker."""
    helpers = Kafka(kafka, checked)
    yield helpers
    helpers.close()


@pytest.fixture
def name() -> str:
    """A fresh name, so that tests share a broker without sharing topics or groups."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start processes that are gone when the test is."""
    started: list[Process] = []

    def start(arguments: list[str]) -> Process:
        # An orderly end is over when it is over: how long it takes is the machine's.
        # Snapshots come every few seconds of these tests, so that whoever starts begins from some.
        every = os.environ.get("LIQMON_SNAPSHOT_EVERY_OFFSETS", "50")
        process = Process(arguments, {"LIQMON_SHUTDOWN_TIMEOUT_S": "90", "LIQMON_SNAPSHOT_EVERY_OFFSETS": every})
        started.append(process)
        return process

    yield start
    for process in started:
        process.end()


@pytest.fixture
def deployment(
    broker: Kafka, topic_prefix: str, create_topics: Callable[..., object], spawn: Spawn, tmp_path: Path
) -> Iterator[Deployment]:
    """Topics of its own, ready for workers."""
    create_topics(partitions=Deployment.PARTITIONS)
    made = Deployment(broker, topic_prefix, spawn, tmp_path)
    yield made
    made.finish_publishing()
