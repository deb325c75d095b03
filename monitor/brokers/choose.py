"""Which broker a command uses."""

from __future__ import annotations

from pathlib import Path

from monitor.brokers.interface import Broker
from monitor.brokers.kafka import LocalKafka
from monitor.brokers.url import UrlBroker


def choose_broker(broker_url: str | None, *, port: int = 0, data_dir: Path | None = None, heap_mb: int = 768) -> Broker:
    """Return the broker to use, not started: the one at `broker_url` if given, else a local Apache Kafka.

    `port`, `data_dir` and `heap_mb` are for a local one; see LocalKafka. Raises BadAddress.
    """
    if broker_url:
        return UrlBroker(broker_url)
    return LocalKafka(port=port, data_dir=data_dir, heap_mb=heap_mb)
