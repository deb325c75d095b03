"""Which broker a command would use here, and whether it answers."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.brokers import choose_broker
from monitor.brokers.choose import kafka_obstacle
from monitor.brokers.endpoint import endpoint
from monitor.brokers.interface import BrokerError, Unreachable
from monitor.brokers.kafka import KAFKA_VERSION
from monitor.brokers.kafka.jars import jars_complete, jars_dir
from monitor.brokers.kafka.java import find_java, find_maven
from monitor.brokers.probe import probe
from monitor.brokers.tansu import EmbeddedTansu, find_binary
from monitor.config import Settings
from monitor.doctor.finding import Finding
from monitor.errors import MonitorError

TIMEOUT_S = 3.0


def tools() -> Finding:
    """Return where Java and Maven are, and whether Apache Kafka's jars are here."""
    found: dict[str, str | bool | None] = {"jars": jars_complete(jars_dir())}
    for name, find in (("java", find_java), ("maven", find_maven)):
        try:
            found[name] = find()
        except BrokerError:
            found[name] = None
    jars = "here" if found["jars"] else "not fetched"
    said = f"Java {found['java'] or 'not found'}, Maven {found['maven'] or 'not found'}, Kafka's jars {jars}"
    obstacle = kafka_obstacle()
    if obstacle is None:
        return Finding("kafka", "ok", said, values=found)
    return Finding("kafka", "warning", said, f"for a local Apache Kafka: {obstacle.remedy}", found)


def choice(settings: Settings) -> Iterator[Finding]:
    """Return the broker that commands would use, and, if it is named, whether it answers."""
    if settings.broker_url:
        yield _named(settings)
        return
    broker = choose_broker(None, local=settings.local_broker)
    if not isinstance(broker, EmbeddedTansu):
        yield Finding("broker", "ok", f"none named: commands start a local Apache Kafka {KAFKA_VERSION}")
        return
    said = f"none named: commands start the embedded Tansu, in memory and not durable ({broker.describe()})"
    try:
        find_binary()
    except BrokerError as error:
        yield Finding("broker", "failure", error.cause, error.remedy)
        return
    yield Finding(
        "broker", "ok" if settings.local_broker == "tansu" else "warning", said, "set BROKER_URL for anything to keep"
    )


def _named(settings: Settings) -> Finding:
    try:
        address = endpoint(settings)
        info = probe(address, TIMEOUT_S)
    except Unreachable as error:
        return Finding("broker", "failure", error.cause, error.remedy, {"reachable": False})
    except MonitorError as error:
        return Finding("broker", "failure", error.cause, error.remedy)
    said = f"{address} answers: {len(info.brokers)} broker(s), {info.topics} topics"
    return Finding(
        "broker", "ok", said, values={"reachable": True, "brokers": len(info.brokers), "topics": info.topics}
    )
