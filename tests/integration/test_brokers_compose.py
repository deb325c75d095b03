"""docker-compose.yml, as far as it can be judged without Docker."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from monitor.brokers import LocalKafka, topics
from monitor.brokers.kafka import KAFKA_VERSION
from monitor.cli import COMMANDS, LazyGroup, liqmon
from tests.support import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
KAFKA: dict[str, Any] = COMPOSE["services"]["kafka"]


def broker_settings() -> dict[str, str]:
    """Return the image's variables as broker settings, by the rule of the image: prefix off, `_` to `.`."""
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in KAFKA["environment"].items()
    }


def test_the_image_is_the_version_of_the_pom() -> None:
    """Docker users run the Kafka version that everybody else runs."""
    assert KAFKA["image"] == f"apache/kafka:{KAFKA_VERSION}"


def test_ports_are_on_loopback() -> None:
    """No service publishes a port to other machines."""
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_data_is_in_a_named_volume() -> None:
    """The folder that the broker writes is a volume declared in the file."""
    mounts = dict(mount.split(":") for mount in KAFKA["volumes"])
    assert {name for name, folder in mounts.items() if folder == broker_settings()["log.dirs"]} == set(
        COMPOSE["volumes"]
    )


def test_every_command_in_the_comments_exists() -> None:
    """Each `liqmon` line that the file tells to type is a command of ours."""
    told = re.findall(r"liqmon ((?:[a-z-]+ ?)+)$", TEXT, re.MULTILINE)
    assert told
    for words in told:
        first, *rest = words.split()
        assert first in COMMANDS
        command: click.Command | None = None
        for word in [first, *rest] if rest else []:
            group = liqmon if command is None else command
            assert isinstance(group, click.Group | LazyGroup)
            command = group.get_command(click.Context(group), word)
            assert command is not None


@pytest.mark.local_broker
def test_a_broker_with_its_settings_takes_the_topics(tmp_path: Path) -> None:
    """The settings start this Kafka version, and the topic table can be created on it."""
    ours = {"controller.quorum.voters", "log.dirs", "listeners", "advertised.listeners", "node.id", "process.roles"}
    names = {"controller.listener.names", "inter.broker.listener.name", "listener.security.protocol.map"}
    overrides = {key: value for key, value in broker_settings().items() if key not in ours | names}
    with LocalKafka(data_dir=tmp_path, heap_mb=512, overrides=overrides) as broker:
        address = f"127.0.0.1:{broker.port}"
        wanted = topics.wanted_topics()
        assert len(asyncio.run(topics.apply(address, wanted))) == len(wanted)


def test_listeners_fit_together() -> None:
    """Every listener has a protocol, the advertised ones listen, and the published port is the one for this machine."""
    settings = broker_settings()
    listeners = dict(entry.split("://") for entry in settings["listeners"].split(","))
    advertised = dict(entry.split("://") for entry in settings["advertised.listeners"].split(","))
    protocols = dict(entry.split(":") for entry in settings["listener.security.protocol.map"].split(","))
    assert listeners.keys() == protocols.keys()
    assert listeners.keys() - advertised.keys() == {settings["controller.listener.names"]}
    assert settings["inter.broker.listener.name"] in advertised
    for name, address in advertised.items():
        assert address.rpartition(":")[2] == listeners[name].rpartition(":")[2]
    assert KAFKA["ports"] == [
        f"127.0.0.1:{advertised['HOST'].rpartition(':')[2]}:{listeners['HOST'].rpartition(':')[2]}"
    ]
