"""`liqmon topics`: the table against a real cluster."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from monitor.brokers import topics
from schemas import topics as table

pytestmark = pytest.mark.broker


def plan(address: str, wanted: tuple[topics.Wanted, ...]) -> tuple[topics.Difference, ...]:
    return asyncio.run(topics.plan(address, wanted))


def apply(address: str, wanted: tuple[topics.Wanted, ...]) -> tuple[topics.Difference, ...]:
    return asyncio.run(topics.apply(address, wanted))


def set_config(address: str, topic: str, **settings: str) -> None:
    async def alter() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        try:
            configs = {key.replace("_", "."): value for key, value in settings.items()}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])
        finally:
            await admin.close()

    asyncio.run(alter())


def test_apply_creates_what_plan_names_and_then_has_nothing_to_do(kafka: str, topic_prefix: str) -> None:
    """Plan names every topic of an empty cluster, apply creates them, and a second apply changes nothing."""
    wanted = topics.wanted_topics(topic_prefix, partitions=3)
    missing = plan(kafka, wanted)
    assert [(d.topic, d.kind) for d in missing] == [(f"{topic_prefix}{t.name}", "missing") for t in table.ALL]
    assert apply(kafka, wanted) == missing
    assert plan(kafka, wanted) == ()
    assert apply(kafka, wanted) == ()


@pytest.mark.apache_kafka  # the embedded broker alters no settings
def test_apply_restores_a_setting_and_keeps_those_it_does_not_know(kafka: str, topic_prefix: str) -> None:
    """A setting that left the table's value is altered back; an operator's own setting beside it stays."""
    wanted = topics.wanted_topics(topic_prefix, partitions=1, topics=[table.TRADES])
    apply(kafka, wanted)
    name = wanted[0].name
    set_config(kafka, name, retention_ms="1000", segment_ms="123456", cleanup_policy="delete")
    found = plan(kafka, wanted)
    assert [(d.kind, d.setting, d.found, d.changeable) for d in found] == [("config", "retention.ms", "1000", True)]
    assert apply(kafka, wanted) == found
    assert plan(kafka, wanted) == ()
    beside = topics.Wanted(name, 1, {"segment.ms": "123456"})
    assert plan(kafka, (beside,)) == ()


@pytest.mark.parametrize("partitions", [1, 6])
def test_another_partition_count_is_reported_and_never_changed(kafka: str, topic_prefix: str, partitions: int) -> None:
    """Fewer or more partitions than the cluster has are a finding that apply leaves."""
    apply(kafka, topics.wanted_topics(topic_prefix, partitions=3, topics=[table.TRADES]))
    wanted = topics.wanted_topics(topic_prefix, partitions=partitions, topics=[table.TRADES])
    found = plan(kafka, wanted)
    assert [(d.kind, d.wanted, d.found, d.changeable) for d in found] == [("partitions", str(partitions), "3", False)]
    assert apply(kafka, wanted) == ()
    assert plan(kafka, wanted) == found


@pytest.mark.apache_kafka  # the embedded broker takes any number of copies
def test_replication_beyond_the_cluster_is_refused(kafka: str, topic_prefix: str) -> None:
    """A replication factor that no cluster has is refused with the cluster's reason."""
    wanted = topics.wanted_topics(topic_prefix, partitions=1, replication=99, topics=[table.TICKS])
    with pytest.raises(topics.TopicsError):
        apply(kafka, wanted)
    assert [d.kind for d in plan(kafka, wanted)] == ["missing"]
