"""Fixtures of the worker's broker tests."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.worker.support import Kafka, Process


@pytest.fixture
def broker() -> Kafka:
    """Helpers over the session's broker."""
    return Kafka(os.environ["BROKER_URL"])


@pytest.fixture
def name() -> str:
    """A fresh name, so that tests share a broker without sharing topics or groups."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[[list[str]], Process]]:
    """Start processes that are gone when the test is."""
    started: list[Process] = []

    def start(arguments: list[str]) -> Process:
        process = Process(arguments)
        started.append(process)
        return process

    yield start
    for process in started:
        process.end()
