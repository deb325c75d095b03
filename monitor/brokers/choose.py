"""Which broker a command uses."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from monitor.brokers.interface import BrokerError
from monitor.brokers.kafka import LocalKafka
from monitor.brokers.kafka.jars import jars_complete, jars_dir
from monitor.brokers.kafka.java import find_java, find_maven
from monitor.brokers.tansu import EmbeddedTansu
from monitor.brokers.url import UrlBroker
from monitor.connection import Address

LocalBroker = Literal["auto", "kafka", "tansu"]


def kafka_obstacle() -> BrokerError | None:
    """Return why no local Apache Kafka can be had here, None if one can: then a failure to start is a failure."""
    try:
        find_java()
        if not jars_complete(jars_dir()):
            find_maven()
    except BrokerError as error:
        return error
    return None


def choose_broker(
    broker_url: Address | None, *, local: LocalBroker = "auto", port: int = 0, data_dir: Path | None = None,
    heap_mb: int = 768,
) -> UrlBroker | LocalKafka | EmbeddedTansu:  # fmt: skip
    """Return the broker to use, not started: the one at `broker_url` if given, else a local one.

    `local` names the kind; "auto" is Apache Kafka where Java and Maven (or its jars) are, else the embedded Tansu.
    What is to be kept in `data_dir` needs Apache Kafka. `port`, `data_dir` and `heap_mb` are for a local one; see
    LocalKafka. Raises BadAddress.
    """
    if broker_url:
        return UrlBroker(broker_url)
    if local == "tansu":
        return EmbeddedTansu(port=port, reason="asked for")
    if local == "auto" and data_dir is None:
        obstacle = kafka_obstacle()
        if obstacle is not None:
            return EmbeddedTansu(port=port, reason=obstacle.cause)
    return LocalKafka(port=port, data_dir=data_dir, heap_mb=heap_mb)
