"""Apache Kafka in KRaft mode as a child process: jars from Maven, one `java`, its own ports and folder."""

from __future__ import annotations

from monitor.brokers.kafka.jars import KAFKA_VERSION, ensure_jars
from monitor.brokers.kafka.local import LocalKafka

__all__ = ["KAFKA_VERSION", "LocalKafka", "ensure_jars"]
