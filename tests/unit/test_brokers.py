"""The parts of the brokers that need none."""

from __future__ import annotations

import asyncio
import base64
import importlib.metadata
import json
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from monitor.brokers import EmbeddedTansu, LocalBroker, LocalKafka, UrlBroker, choose_broker, tansu, topics
from monitor.brokers.interface import (
    BadAddress,
    BrokerError,
    EmbeddedUnavailable,
    PortTaken,
    StartFailed,
    StorageUnusable,
)
from monitor.brokers.kafka import jars
from monitor.brokers.kafka.jars import maven_reason
from monitor.brokers.kafka.java import java_version
from monitor.brokers.kafka.local import new_cluster_id, start_error
from monitor.brokers.kafka.properties import Node, render, server_properties
from monitor.brokers.probe import parse_address
from monitor.brokers.selfcheck import Checked
from monitor.brokers.topics import wanted_topics
from monitor.config import load
from monitor.errors import UsageError
from schemas import topics as table
from tests.support import ROOT

NAME = "embedded Kafka-compatible broker (Tansu), in memory, not durable"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_402"', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xshare:auto\nopenjdk version "24-ea" 2025-03-18', 24),
        ("not java", None),
    ],
)
def test_java_tells_its_version_in_two_ways(text: str, version: int | None) -> None:
    """Both numberings of Java are read, and anything else is no version."""
    assert java_version(text) == version


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("127.0.0.1:9092", "127.0.0.1:9092"),
        ("kafka://broker:9092", "broker:9092"),
        ("a.example:1, kafka://b-2:65535", "a.example:1,b-2:65535"),
        ("[::1]:9092", "[::1]:9092"),
    ],
)
def test_an_address_is_one_or_more_of_host_and_port(given: str, address: str) -> None:
    """Lists, Faust's scheme and IPv6 are addresses."""
    assert parse_address(given) == address


@pytest.mark.parametrize(
    "given", ["", "host", "host:", ":9092", "host:0", "host:65536", "host:9092,", "http://host:9092", "host:٣٣"]
)
def test_what_is_no_address_is_refused(given: str) -> None:
    """A missing host, a port out of range, another scheme and foreign digits are refused."""
    with pytest.raises(BadAddress):
        parse_address(given)


@pytest.mark.parametrize("local", ["auto", "kafka", "tansu"])
def test_a_given_url_decides_the_broker(local: LocalBroker) -> None:
    """A given URL is used whatever local broker is asked for, and a wrong one is refused before any start."""
    assert isinstance(choose_broker("127.0.0.1:9092", local=local), UrlBroker)
    with pytest.raises(BadAddress):
        choose_broker("nonsense", local=local)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on its PATH but what a test puts into the folder `bin`, and an empty cache."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("LIQMON_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def install(machine: Path, name: str, text: str = "exit 0") -> None:
    program = machine / "bin" / name
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def java(machine: Path, version: str = "17.0.1") -> None:
    install(machine, "java", f"echo 'openjdk version \"{version}\"' >&2")


def fill_cache() -> None:
    folder = jars.jars_dir()
    folder.mkdir(parents=True)
    stamp = {"checksums": jars._digest(jars.CHECKSUMS), "sizes": {}}
    (folder / jars.STAMP).write_text(json.dumps(stamp))


@pytest.mark.parametrize(
    ("version", "mvn", "cached", "kind"),
    [
        (None, True, True, EmbeddedTansu),
        ("11.0.22", True, True, EmbeddedTansu),
        ("17.0.1", False, False, EmbeddedTansu),
        ("17.0.1", True, False, LocalKafka),
        ("21", False, True, LocalKafka),
    ],
)
def test_kafka_is_chosen_where_it_can_be_had(
    machine: Path, version: str | None, mvn: bool, cached: bool, kind: type[object]
) -> None:
    """Java 17 with Maven, or with the jars in the cache, means Apache Kafka; anything less the embedded broker."""
    if version:
        java(machine, version)
    if mvn:
        install(machine, "mvn")
    if cached:
        fill_cache()
    assert type(choose_broker(None)) is kind
    assert type(choose_broker("")) is kind
    assert type(choose_broker(None, local="kafka")) is LocalKafka
    assert type(choose_broker(None, local="tansu")) is EmbeddedTansu


def test_a_local_broker_that_is_none_of_ours_is_a_wrong_setting() -> None:
    """The setting knows three words."""
    assert load(None, {"LIQMON_LOCAL_BROKER": "tansu"}).local_broker == "tansu"
    assert load(None, {}).local_broker == "auto"
    with pytest.raises(UsageError, match="local_broker"):
        load(None, {"LIQMON_LOCAL_BROKER": "another"})


def test_what_is_to_be_kept_is_never_put_into_memory(machine: Path, tmp_path: Path) -> None:
    """A data folder means Apache Kafka, also where it cannot be had: its start then says what is missing."""
    del machine
    assert isinstance(choose_broker(None, data_dir=tmp_path), LocalKafka)


def test_the_embedded_broker_says_what_it_is_and_why(machine: Path) -> None:
    """Its name says that it is in memory and not durable, and its description why it is not Apache Kafka."""
    del machine
    broker = choose_broker(None)
    assert broker.name == NAME
    assert not broker.durable
    assert broker.describe().startswith(NAME)
    assert "no java on PATH" in broker.describe()


def test_one_version_of_the_embedded_broker_is_named_everywhere() -> None:
    """The extra, the lock and the module that starts it name the same version, the lock with hashes."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["embedded"] == [f"{tansu.DISTRIBUTION}=={tansu.VERSION}"]
    lock = (ROOT / "requirements" / "dev.txt").read_text()
    pinned = rf"^{tansu.DISTRIBUTION}==(\S+) \\\n(?:    --hash=sha256:[0-9a-f]{{64}}.*\n)+"
    assert re.findall(pinned, lock, re.MULTILINE) == [tansu.VERSION]


def test_another_version_of_the_embedded_broker_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed in another version, or not at all, is named with the way to get it."""
    assert tansu.find_binary().name == "tansu"
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "0.1.3")
    with pytest.raises(EmbeddedUnavailable, match=r"0\.1\.3"):
        EmbeddedTansu().start()

    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(EmbeddedUnavailable, match="not installed"):
        EmbeddedTansu().start()


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ('\x1b[31mERROR\x1b[0m Os { code: 98, kind: AddrInUse, message: "Address in use" }', PortTaken),
        ("something else", StartFailed),
        (None, StartFailed),
    ],
)
def test_a_failed_start_of_the_embedded_broker_is_judged_by_its_log(
    tmp_path: Path, log: str | None, error: type[BrokerError]
) -> None:
    """A port that was lost meanwhile can be replaced; anything else names the log."""
    if log is not None:
        (tmp_path / tansu.LOG).write_text(log)
    found = tansu.start_error(tmp_path, "ended while starting")
    assert type(found) is error
    assert "\x1b" not in str(found)


@pytest.mark.parametrize("ends_exact", [True, False])
@pytest.mark.parametrize("idempotent", [True, False])
def test_the_line_of_the_self_check_says_which_fix_is_on(ends_exact: bool, idempotent: bool) -> None:
    """One line names what was seen and, of both fixes, exactly those that are on."""
    line = Checked(ends_exact, idempotent, "seen so").line
    assert "\n" not in line
    assert "seen so" in line
    assert ("fix on: end offsets are taken from fetches" in line) is not ends_exact
    assert ("no idempotent producers" in line) is not idempotent


def test_only_a_named_folder_is_durable(tmp_path: Path) -> None:
    """A local broker is durable exactly if its user named the folder."""
    assert LocalKafka(data_dir=tmp_path).durable
    assert not LocalKafka().durable


def test_every_listener_is_on_loopback() -> None:
    """No listener of a local broker can be reached from another machine, and topics are never made by accident."""
    settings = server_properties(Node(1, 9092, 9093, Path("/data")))
    listeners = settings["listeners"].split(",") + settings["advertised.listeners"].split(",")
    assert {listener.split("://")[1].rpartition(":")[0] for listener in listeners} == {"127.0.0.1"}
    assert settings["auto.create.topics.enable"] == "false"


def test_three_voters_give_three_copies() -> None:
    """A node that knows two others asks for three copies and two in sync; one alone asks for one of each."""
    three = server_properties(Node(2, 9094, 9095, Path("/data"), voters={1: 9093, 2: 9095, 3: 9097}))
    assert three["controller.quorum.voters"] == "1@127.0.0.1:9093,2@127.0.0.1:9095,3@127.0.0.1:9097"
    assert (three["default.replication.factor"], three["min.insync.replicas"]) == ("3", "2")
    one = server_properties(Node(1, 9092, 9093, Path("/data")))
    assert (one["default.replication.factor"], one["min.insync.replicas"]) == ("1", "1")


def test_cluster_ids_are_never_taken_for_an_option() -> None:
    """Every new cluster id is different, 16 bytes in Kafka's form, and does not begin with a dash."""
    ids = {new_cluster_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert all(len(base64.urlsafe_b64decode(f"{one}==")) == 16 for one in ids)
    assert [one for one in ids if one.startswith("-")] == []


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("java.net.BindException: Address already in use", PortTaken),
        ("java.io.IOException: No space left on device", StorageUnusable),
        ("ERROR Exiting Kafka due to fatal exception", StartFailed),
        ("", StartFailed),
        (None, StartFailed),
    ],
)
def test_a_failed_start_is_judged_by_its_log(tmp_path: Path, log: str | None, error: type[BrokerError]) -> None:
    """The broker's last words decide which error it is; without any it is a start that failed."""
    path = tmp_path / "broker.log"
    if log is not None:
        path.write_text(log)
    assert type(start_error(path, "Apache Kafka ended while starting")) is error


def test_properties_escape_backslashes() -> None:
    """A backslash in a folder name survives Java's properties format."""
    assert render({"log.dirs": "/a\\b"}) == "log.dirs=/a\\\\b\n"


def test_the_reason_of_maven_is_the_inner_cause() -> None:
    """The last cause of the first error is kept, colours and chain are dropped, and it is never long."""
    log = (
        "\x1b[31m[ERROR]\x1b[m Plugin p or one of its dependencies could not be resolved: Cannot access central in "
        "offline mode and the artifact p has not been downloaded from it before. -> [Help 1]\n[ERROR] \n"
    )
    assert maven_reason(log).endswith("has not been downloaded from it before.")
    assert len(maven_reason("[ERROR] " + "x" * 5000)) <= 200
    assert maven_reason("") == "no output"


def test_account_topics_share_one_partition_count() -> None:
    """Every topic without partitions of its own gets P, so that accounts are co-partitioned."""
    wanted = {topic.name: topic.partitions for topic in wanted_topics("x.", 7)}
    assert {wanted[f"x.{topic.name}"] for topic in table.ACCOUNT_TOPICS} == {7}
    assert {wanted[f"x.{topic.name}"] for topic in table.MARKET_TOPICS} == {1}


class _Behind:
    """An admin client of a cluster in which one broker lists a topic and another does not know it yet."""

    async def describe_topics(self) -> list[dict[str, object]]:
        return [{"topic": "t", "partitions": [{"replicas": [1, 2, 3]}]}]

    async def describe_configs(self, _asked: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(resources=[(UnknownTopicOrPartitionError.errno, None, 2, "t", [])])]


def test_a_topic_that_not_every_broker_knows_yet_is_still_missing() -> None:
    """After its creation it is asked for again until it is there, and nothing fails meanwhile."""
    (found,) = asyncio.run(topics._differences(_Behind(), [topics.Wanted("t", 1, {"cleanup.policy": "compact"})]))
    assert (found.kind, found.changeable) == ("missing", True)
