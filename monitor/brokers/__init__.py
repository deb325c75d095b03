"""Brokers behind one interface: a given URL, a local Apache Kafka, or the embedded Tansu."""

from __future__ import annotations

from monitor.brokers.choose import LocalBroker, choose_broker, kafka_obstacle
from monitor.brokers.interface import Broker, BrokerError
from monitor.brokers.kafka import LocalKafka
from monitor.brokers.probe import ClusterInfo, probe
from monitor.brokers.tansu import EmbeddedTansu
from monitor.brokers.url import UrlBroker

__all__ = [
    "Broker", "BrokerError", "ClusterInfo", "EmbeddedTansu", "LocalBroker", "LocalKafka", "UrlBroker", "choose_broker",
    "kafka_obstacle", "probe",
]  # fmt: skip
