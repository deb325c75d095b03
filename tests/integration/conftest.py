"""One broker for the whole test session, and a topic prefix of its own for each test."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from monitor.brokers import choose_broker, selfcheck, topics
from monitor.brokers.selfcheck import Checked
from tests.conftest import BROKER, local_broker

CreateTopics = Callable[..., tuple[topics.Difference, ...]]

# Brokers of tests live too short for Java's second compiler to pay, and share two cores with what they serve.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session", autouse=True)
def java_options() -> Iterator[None]:
    """Have every Java of these tests start fast, unless the caller has options of his own."""
    with pytest.MonkeyPatch.context() as patch:
        if "JAVA_TOOL_OPTIONS" not in os.environ:
            patch.setenv("JAVA_TOOL_OPTIONS", JAVA_OPTIONS)
        yield


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """Bootstrap address of the run's broker: BROKER_URL, else a local Apache Kafka, else the embedded Tansu.

    A test that needs what only Apache Kafka does has the marker `apache_kafka`.
    """
    broker = choose_broker(os.environ.get("BROKER_URL"), local=local_broker(), heap_mb=512)
    try:
        address = broker.start()
        request.config.stash[BROKER] = broker.describe()
        yield str(address)
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def checked(kafka: str) -> Checked:
    """What the run's broker does, as commands find out at their start."""
    return asyncio.run(selfcheck.check(kafka))


@pytest.fixture
def topic_prefix() -> str:
    """A prefix no other test has, so that tests share a cluster and not their topics."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
def create_topics(kafka: str, topic_prefix: str) -> CreateTopics:
    """A function that creates the table's topics under this test's prefix: `create_topics(partitions=4)`."""

    def create(partitions: int = 4) -> tuple[topics.Difference, ...]:
        return asyncio.run(topics.apply(kafka, topics.wanted_topics(topic_prefix, partitions)))

    return create
