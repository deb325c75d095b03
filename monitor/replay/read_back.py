"""Reads the events of a deployment back from its topics, outside any group."""

from __future__ import annotations

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from monitor.brokers import topics as broker_topics
from monitor.brokers.interface import BrokerError
from monitor.connection import Address
from monitor.errors import UsageError
from monitor.worker.log_view import LogView, Unanswered
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS, REGIMES

EVENT_TOPICS = (MARGIN_CALLS, LIQUIDATIONS, REGIMES)


class ReadFailed(BrokerError):
    """The broker did not give what is on a topic."""


async def event_bodies(address: Address, prefix: str = "") -> list[bytes]:
    """Return the value of every message now on the event topics under `prefix` (empty for a null value).

    Raises UsageError if a topic is missing, BrokerError if the broker fails.
    """
    wanted = broker_topics.wanted_topics(prefix, 1, topics=EVENT_TOPICS)
    counts = {topic.name: topic.partitions for topic in wanted}
    for difference in await broker_topics.plan(address, wanted):
        if difference.kind == "missing":
            raise UsageError(f"topic {difference.topic} is missing", "check --prefix, or run `liqmon topics apply`")
        if difference.kind == "partitions":
            counts[difference.topic] = int(difference.found)
    partitions = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
    view = LogView(address, f"{prefix}digest", exact_ends=False)  # asked once: no need to know if it is right
    try:
        await view.start()
        return [record.value or b"" async for record in view.read_all(partitions)]
    except (KafkaError, Unanswered) as error:
        raise ReadFailed(f"the broker at {address} did not give its events ({error!r})", "check its health") from error
    finally:
        await view.stop()
