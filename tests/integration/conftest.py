"""One Kafka for the whole test session, and a topic prefix of its own for each test."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from monitor.brokers import choose_broker, topics

CreateTopics = Callable[..., tuple[topics.Difference, ...]]


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap address of BROKER_URL, else of a local Apache Kafka that ends with the session."""
    broker = choose_broker(os.environ.get("BROKER_URL"), heap_mb=512)
    try:
        yield broker.start()
    finally:
        broker.stop()


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
