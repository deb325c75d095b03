"""Brokers behind one interface: a given URL, or a local Apache Kafka."""

from __future__ import annotations

from monitor.brokers.choose import choose_broker
from monitor.brokers.interface import Broker, BrokerError
from monitor.brokers.kafka import LocalKafka
from monitor.brokers.probe import ClusterInfo, probe
from monitor.brokers.url import UrlBroker

__all__ = ["Broker", "BrokerError", "ClusterInfo", "LocalKafka", "UrlBroker", "choose_broker", "probe"]
