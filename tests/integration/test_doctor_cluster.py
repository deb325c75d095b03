"""What `liqmon doctor` finds on a broker: topics, workers and the market, each as it is."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from monitor.brokers.topics import Difference
from monitor.config import Settings
from monitor.doctor.cluster import cluster, of_market, of_topics, of_workers
from monitor.doctor.finding import Finding
from schemas.topics import ALL, TICKS, TRADES, full_name
from tests.integration.conftest import CreateTopics

MISSING = Difference("risk.trades.v1", "missing", "", "12 partitions", "", changeable=True)
SHAPE = Difference("risk.trades.v1", "partitions", "", "12", "4", changeable=False)
CONFIG = Difference("risk.trades.v1", "config", "retention.ms", "604800000", "1", changeable=True)


@pytest.mark.parametrize(
    ("differences", "outcome", "remedy"),
    [
        ([], "ok", ""),
        ([CONFIG], "warning", "liqmon topics plan"),
        ([CONFIG, SHAPE], "failure", "LIQMON_PARTITIONS=4"),
        ([CONFIG, SHAPE, MISSING], "failure", "liqmon topics apply"),
    ],
)
def test_the_gravest_difference_is_told(differences: list[Difference], outcome: str, remedy: str) -> None:
    """A missing topic before a wrong number of partitions before a setting, each with what to do."""
    found = of_topics(differences, 12)
    assert found.outcome == outcome
    assert remedy in found.remedy


def test_many_missing_topics_are_counted() -> None:
    """Three are named."""
    found = of_topics([MISSING] * 5, 12)
    assert "and 2 more" in found.said


@pytest.mark.parametrize(
    ("members", "outcome"), [(0, "warning"), (1, "ok"), (3, "ok"), (4, "warning"), (13, "warning")]
)
def test_workers_and_partitions(members: int, outcome: str) -> None:
    """None at all, more than partitions, and too few partitions for each are told."""
    assert of_workers(members, 12).outcome == outcome


@pytest.mark.parametrize(
    ("last_ms", "outcome"), [(None, "warning"), (99_000, "ok"), (30_000, "warning"), (105_000, "warning")]
)
def test_the_age_of_the_market(last_ms: int | None, outcome: str) -> None:
    """No tick, an old one, and one from a clock that is ahead are told."""
    assert of_market(last_ms, 100_000).outcome == outcome


@pytest.mark.broker
def test_on_a_broker(kafka: str, topic_prefix: str, create_topics: CreateTopics) -> None:
    """Nothing there, topics alone, then a member of the group and a tick."""
    settings = Settings(broker_url=kafka, topic_prefix=topic_prefix, partitions=3)
    (topics,) = cluster(settings)
    assert (topics.outcome, topics.values["missing"]) == ("failure", len(ALL))
    create_topics(partitions=3)
    found = told(settings)
    assert found["topics"].outcome == "ok"
    assert (found["workers"].said, found["market"].outcome) == ("none runs", "warning")
    assert told(Settings(broker_url=kafka, topic_prefix=topic_prefix, partitions=2))["topics"].outcome == "failure"
    found = asyncio.run(with_a_member(settings))
    assert found["workers"].said == "1 for 3 partitions"
    assert found["market"].outcome == "ok"
    assert found["market"].said.startswith("last tick ")


def test_without_a_broker_nothing_is_said() -> None:
    """The broker's own finding says that it is not named or does not answer."""
    assert list(cluster(Settings())) == []
    assert list(cluster(Settings(broker_url="127.0.0.1:1"))) == []


def told(settings: Settings) -> dict[str, Finding]:
    return {one.name: one for one in cluster(settings)}


async def with_a_member(settings: Settings) -> dict[str, Finding]:
    """What is told while a member of the workers' group runs, and after a tick."""
    prefix, broker = settings.topic_prefix, settings.broker_url
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await producer.send_and_wait(full_name(TICKS, prefix), b"{}", timestamp_ms=time.time_ns() // 1_000_000)
    consumer = AIOKafkaConsumer(
        full_name(TRADES, prefix), bootstrap_servers=broker, group_id=f"{prefix}{settings.application_id}"
    )
    async with consumer:
        while not consumer.assignment():  # noqa: ASYNC110 (the client has no event for it)
            await asyncio.sleep(0.1)
        return await asyncio.to_thread(told, settings)
