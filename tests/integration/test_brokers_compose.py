"""docker-compose.yml, as far as it can be judged without Docker."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from monitor.brokers import LocalKafka, topics
from monitor.brokers.kafka import KAFKA_VERSION
from monitor.cli import COMMANDS, LazyGroup, liqmon
from schemas.acls import ROLES
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


@pytest.mark.parametrize("name", ["kafka", "kafka-tls"])
def test_data_is_in_a_named_volume(name: str) -> None:
    """The folder that a broker writes is a volume declared in the file, and no two brokers share one."""
    service = COMPOSE["services"][name]
    mounts = dict(mount.split(":")[:2] for mount in service["volumes"])
    (volume,) = [each for each, folder in mounts.items() if folder == service["environment"]["KAFKA_LOG_DIRS"]]
    assert volume == f"{name}-data"
    assert volume in COMPOSE["volumes"]


def test_tls_is_a_profile_of_its_own() -> None:
    """What needs certificates starts only when it is asked for, and runs the same version."""
    named = {name: service for name, service in COMPOSE["services"].items() if name.endswith("-tls")}
    assert set(named) == {"kafka-tls", "users-tls"}
    assert {tuple(service["profiles"]) for service in named.values()} == {("tls",)}
    assert {service["image"] for service in named.values()} == {KAFKA["image"]}


def test_what_is_mounted_for_tls_is_what_the_script_makes(tmp_path: Path) -> None:
    """Every file that the services name below the mounted folder is there once the script has run."""
    subprocess.run([ROOT / "deploy" / "tls" / "make-certificates.sh", tmp_path], check=True, capture_output=True)
    assert TEXT.count("deploy/tls/make-certificates.sh deploy/tls/secrets") == 1
    named = set(re.findall(r"/etc/kafka/secrets/([\w.-]+)", TEXT))
    assert named == {"broker.pem", "ca.pem", "passwords"}
    assert {name for name in named if not (tmp_path / name).exists()} == set()
    assert {path.name for path in (tmp_path / "passwords").iterdir()} == {"owner", *ROLES}
    for service in ("kafka-tls", "users-tls"):
        assert "./deploy/tls/secrets:/etc/kafka/secrets:ro" in COMPOSE["services"][service]["volumes"]


def test_only_the_listener_with_users_leaves_the_container() -> None:
    """The published port is that of SASL_SSL; the plain ones are bound to the container's loopback."""
    settings: dict[str, str] = COMPOSE["services"]["kafka-tls"]["environment"]
    listeners = dict(entry.split("://") for entry in settings["KAFKA_LISTENERS"].split(","))
    protocols = dict(entry.split(":") for entry in settings["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert listeners.keys() == protocols.keys()
    outside = {name for name, address in listeners.items() if not address.startswith("localhost:")}
    assert {protocols[name] for name in outside} == {"SASL_SSL"}
    port = listeners["OUTSIDE"].rpartition(":")[2]
    assert COMPOSE["services"]["kafka-tls"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert settings["KAFKA_ADVERTISED_LISTENERS"].split(",")[0] == f"OUTSIDE://localhost:{port}"


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
