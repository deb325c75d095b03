"""A broker that cannot be had: a non-zero exit and one line with cause and remedy."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.brokers import LocalKafka, UrlBroker
from monitor.brokers.interface import StartFailed, StorageUnusable, Unreachable
from tests.integration.processes import Tools, assert_told, children, environment, liqmon

UNREACHABLE = 3


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """An empty folder for PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return Tools(folder)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connections are accepted and never answered."""
    # Connections wait in the backlog: to the client they are accepted.
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def http_port() -> Iterator[int]:
    """A port where something that is not Kafka answers and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.local_broker
def test_a_taken_port(taken_port: int) -> None:
    """A port that another process holds is named before anything is started."""
    assert_told(liqmon("broker", "--port", str(taken_port)), UNREACHABLE, str(taken_port), "--port")


def test_no_java(tools: Tools) -> None:
    """Without java the line says which one to install, and the other way out."""
    told = liqmon("broker", "--kind", "kafka", env=environment(PATH=str(tools.folder)))
    assert_told(told, UNREACHABLE, "java", "install", "BROKER_URL")


def test_a_java_home_without_java(tmp_path: Path) -> None:
    """A JAVA_HOME that holds no java is named, not passed over."""
    told = liqmon("broker", "--kind", "kafka", env=environment(JAVA_HOME=str(tmp_path)))
    assert_told(told, UNREACHABLE, "JAVA_HOME", str(tmp_path))


def test_a_java_that_is_too_old(tools: Tools) -> None:
    """A java older than the broker needs is named with its version."""
    tools.script("java", "echo 'openjdk version \"11.0.22\" 2024-01-16' >&2")
    told = liqmon("broker", "--kind", "kafka", env=environment(PATH=str(tools.folder)))
    assert_told(told, UNREACHABLE, "Java 11", "17")


def test_a_java_that_does_not_run(tools: Tools) -> None:
    """Something called java that is none is refused."""
    tools.script("java", "exit 3")
    told = liqmon("broker", "--kind", "kafka", env=environment(PATH=str(tools.folder)))
    assert_told(told, UNREACHABLE, "java", "install")


def test_no_maven_at_the_first_run(tools: Tools, tmp_path: Path) -> None:
    """With java and an empty cache, a missing mvn is named."""
    tools.script("java", "echo 'openjdk version \"17.0.1\"' >&2")
    env = environment(PATH=str(tools.folder), LIQMON_CACHE_DIR=str(tmp_path / "cache"))
    assert_told(liqmon("broker", "--kind", "kafka", env=env), UNREACHABLE, "mvn", "install", "BROKER_URL")


@pytest.mark.parametrize("asked", [("--data", "kept"), ("--kind", "kafka")])
def test_data_that_is_to_be_kept_needs_kafka(tools: Tools, tmp_path: Path, asked: tuple[str, str]) -> None:
    """Without java, whoever names a data folder or Apache Kafka is told what is missing, and gets no other broker."""
    told = liqmon("broker", *asked, env=environment(PATH=str(tools.folder), LIQMON_CACHE_DIR=str(tmp_path)))
    assert_told(told, UNREACHABLE, "java")


def test_a_folder_for_a_broker_in_memory(tmp_path: Path) -> None:
    """A data folder for the embedded broker is wrong use: it would stay empty."""
    assert_told(liqmon("broker", "--kind", "tansu", "--data", str(tmp_path)), 2, "memory", "--data")


@pytest.mark.skipif(shutil.which("mvn") is None, reason="no mvn on PATH")
def test_offline_at_the_first_run(tmp_path: Path) -> None:
    """Maven offline with nothing fetched yet: the line says so, and the cache stays as empty as it was."""
    home = tmp_path / "home"
    (home / ".m2").mkdir(parents=True)
    (home / ".m2" / "settings.xml").write_text("<settings><offline>true</offline></settings>")
    cache = tmp_path / "cache"
    env = environment(
        LIQMON_CACHE_DIR=str(cache), MAVEN_OPTS=f"-Duser.home={home} -Dmaven.repo.local={tmp_path / 'repository'}"
    )
    assert_told(liqmon("broker", "fetch", env=env), UNREACHABLE, "offline", "connect to the network")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("url", ["127.0.0.1:1", "no-such-host.invalid:9092"])
def test_a_url_where_nothing_listens(url: str) -> None:
    """A closed port and an unknown host are unreachable."""
    assert_told(liqmon("--insecure", "topics", "plan", env=environment(BROKER_URL=url)), UNREACHABLE, url, "BROKER_URL")


def test_a_url_that_is_none() -> None:
    """A malformed address is refused with an example of a good one."""
    assert_told(liqmon("topics", "plan", env=environment(BROKER_URL="nonsense")), UNREACHABLE, "nonsense", "host:port")


def test_a_url_of_something_else(http_port: int) -> None:
    """A port that answers, but not in Kafka's protocol, is no broker."""
    assert_told(liqmon("topics", "plan", "--broker", f"127.0.0.1:{http_port}"), UNREACHABLE, str(http_port))


def test_a_url_that_never_answers(silent_port: int) -> None:
    """A port that accepts and stays silent is given up after the time allowed."""
    with pytest.raises(Unreachable):
        UrlBroker(f"127.0.0.1:{silent_port}", timeout_s=1.0).start()


@pytest.mark.local_broker
def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A data folder below a file is refused by name."""
    (tmp_path / "file").write_text("")
    told = liqmon("broker", "--port", "0", "--data", str(tmp_path / "file" / "data"))
    assert_told(told, UNREACHABLE, "file/data", "cannot be written")


def test_a_cache_folder_that_cannot_be_made(tools: Tools, tmp_path: Path) -> None:
    """A cache folder below a file is refused, with the variable that names another."""
    (tmp_path / "file").write_text("")
    tools.script("mvn", "exit 0")
    env = environment(PATH=str(tools.folder), LIQMON_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert_told(liqmon("broker", "fetch", env=env), UNREACHABLE, "LIQMON_CACHE_DIR")


@pytest.mark.local_broker
def test_a_data_folder_in_use(tmp_path: Path) -> None:
    """A second broker on one data folder is refused, and the first goes on."""
    with LocalKafka(data_dir=tmp_path, heap_mb=512) as first:
        with pytest.raises(StorageUnusable):
            LocalKafka(data_dir=tmp_path, heap_mb=512).start()
        assert first.alive


@pytest.mark.local_broker
def test_a_broker_that_ends_while_starting_leaves_its_log() -> None:
    """A setting that Kafka refuses is a start that failed, with the log kept and no process left."""
    before = children(os.getpid())
    broker = LocalKafka(heap_mb=512, overrides={"num.network.threads": "-1"})
    with pytest.raises(StartFailed) as caught:
        broker.start()
    log = Path(caught.value.remedy.removeprefix("read "))
    try:
        assert "num.network.threads" in log.read_text()
        assert not broker.alive
        assert not (log.parent / "data").exists()
        assert children(os.getpid()) <= before
    finally:
        shutil.rmtree(log.parent)
