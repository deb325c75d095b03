"""The embedded broker: where it listens, whose life it shares, what it loses, and that what it says wrongly is seen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from monitor.brokers import EmbeddedTansu, LocalKafka, tansu, topics
from monitor.brokers.ends import end_offsets
from monitor.brokers.interface import PortTaken, StartFailed
from monitor.brokers.kafka import ports
from monitor.brokers.kafka.properties import HOST
from monitor.brokers.selfcheck import Checked, check
from monitor.worker.log_view import LogView
from tests.integration.processes import LIQMON, children, environment, liqmon, running
from tests.support import ROOT, eventually

pytestmark = pytest.mark.broker

NAME = "embedded Kafka-compatible broker (Tansu), in memory, not durable"
BATCHES = ((1, 10, 100), (7,), (), (1, 1, 1), (500, 2))
"""Sizes of the batches in each partition of a topic."""


@pytest.fixture(scope="module")
def embedded() -> Iterator[str]:
    """Address of an embedded broker of this module."""
    with EmbeddedTansu() as broker:
        yield f"{HOST}:{broker.port}"


async def names_on(address: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def write(address: str, topic: str) -> None:
    """Make a topic with the partitions of BATCHES."""
    await topics.apply(address, [topics.Wanted(topic, len(BATCHES))])
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        for partition, sizes in enumerate(BATCHES):
            for size in sizes:
                batch = producer.create_batch()
                for number in range(size):
                    batch.append(key=None, value=b"%d" % number, timestamp=None)
                await (await producer.send_batch(batch, topic, partition=partition))


async def count(address: str, topic: str) -> dict[int, int]:
    """Read all records until none has come for a while; return how many each partition has."""
    counts = dict.fromkeys(range(len(BATCHES)), 0)
    async with AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        while batches := await consumer.getmany(timeout_ms=2_000):
            for partition, records in batches.items():
                counts[partition.partition] += len(records)
    return counts


def listening(pid: int) -> set[str]:
    """Local addresses on which a process listens, as the system writes them (hexadecimal)."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the process has closed it meanwhile
            target = str(link.readlink())
            if target.startswith("socket:["):
                inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1])
    return found


def test_it_listens_on_loopback_alone_and_stop_leaves_nothing() -> None:
    """Its one port is on 127.0.0.1; after stop neither process nor folder is left, and a new start knows no topic."""
    before = children(os.getpid())
    broker = EmbeddedTansu()
    address = broker.start()
    assert listening(broker.pid) == {f"0100007F:{broker.port:04X}"}
    ours = children(os.getpid()) - before
    assert broker.pid in ours
    assert broker.log_path is not None
    folder = broker.log_path.parent
    asyncio.run(topics.apply(address, [topics.Wanted("gone", 1)]))
    assert asyncio.run(names_on(address)) == ["gone"]
    broker.stop()
    broker.stop()
    assert [pid for pid in ours if running(pid)] == []
    assert not folder.exists()
    assert not broker.durable
    with broker:
        assert asyncio.run(names_on(f"{HOST}:{broker.port}")) == []


def test_its_settings_come_from_us_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither variables nor a settings file of the user's folder move it elsewhere or make it ask for a password."""
    settings = {"AUTHENTICATION": "true", "LISTENER_URL": "tcp://0.0.0.0:9", "STORAGE_ENGINE": "null://sink"}
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    monkeypatch.chdir(tmp_path)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with EmbeddedTansu() as broker:
        address = f"{HOST}:{broker.port}"
        asyncio.run(write(address, "kept"))
        assert listening(broker.pid) == {f"0100007F:{broker.port:04X}"}
        assert asyncio.run(count(address, "kept")) == {p: sum(sizes) for p, sizes in enumerate(BATCHES)}


def test_a_taken_port_is_named() -> None:
    """A port that was asked for and belongs to another process is refused."""
    with socket.create_server((HOST, 0)) as server, pytest.raises(PortTaken):
        EmbeddedTansu(port=server.getsockname()[1]).start()


def test_a_port_lost_between_choosing_and_starting_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """If another process takes the chosen port first, the broker is started again on another."""
    with socket.create_server((HOST, 0)) as thief:
        lost = thief.getsockname()[1]
        answers = [(lost, 0)]
        monkeypatch.setattr(
            tansu, "choose_ports", lambda asked: answers.pop(0) if answers else ports.choose_ports(asked)
        )
        with EmbeddedTansu() as broker:
            assert broker.alive
            assert broker.port != lost


def test_a_program_that_does_not_answer_leaves_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that ends at once is a start that failed, with its last words, its log, and no process left."""
    program = tmp_path / "tansu"
    program.write_text("#!/bin/sh\necho no such engine\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(tansu, "find_binary", lambda: program)
    before = children(os.getpid())
    with pytest.raises(StartFailed, match="no such engine") as caught:
        EmbeddedTansu().start()
    log = Path(caught.value.remedy.removeprefix("read "))
    try:
        assert log.read_text() == "no such engine\n"
        assert children(os.getpid()) <= before
    finally:
        shutil.rmtree(log.parent)


@contextmanager
def foreground(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run `liqmon broker` with its temporary files in `folder`, and wait for its address."""
    process = subprocess.Popen(
        [*LIQMON, "broker", "--kind", "tansu", "--port", "0", "--json"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment(TMPDIR=str(folder)),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_its_command(tmp_path: Path, how: signal.Signals) -> None:
    """Interrupted, terminated or killed, the command leaves no process and no file."""
    with foreground(tmp_path) as (process, told):
        ours = children(process.pid)
        assert told["pid"] in ours
        assert (told["name"], told["durable"]) == (NAME, False)
        process.send_signal(how)
        assert process.wait(60) == (0 if how != signal.SIGKILL else -signal.SIGKILL)
        eventually(lambda: not any(running(pid) for pid in ours))
        eventually(lambda: list(tmp_path.iterdir()) == [])


def test_a_broker_that_dies_ends_its_command(tmp_path: Path) -> None:
    """If the broker dies by itself the command ends with exit code 3 and one line that does not call it Kafka."""
    with foreground(tmp_path) as (process, told):
        os.kill(told["pid"], signal.SIGKILL)
        assert process.wait(60) == 3
        assert process.stderr is not None
        assert f"{NAME} ended by itself" in process.stderr.read().splitlines()[-1]


def test_the_self_check_sees_what_it_does_wrongly_and_leaves_nothing(embedded: str) -> None:
    """Ends that ListOffsets tells are found wrong, idempotence missing; no topic of the check is left."""
    before = asyncio.run(names_on(embedded))
    checked = asyncio.run(check(embedded, "a."))
    assert (checked.ends_exact, checked.idempotent) == (False, False)
    assert asyncio.run(names_on(embedded)) == before


@pytest.mark.local_broker
def test_the_self_check_finds_nothing_on_kafka_and_leaves_nothing() -> None:
    """On Apache Kafka no fix is on and no topic is left; where topics cannot be made, the harmless fix is."""
    with LocalKafka(heap_mb=512) as broker:
        address = f"{HOST}:{broker.port}"
        checked = asyncio.run(check(address, "a."))
        assert (checked.ends_exact, checked.idempotent) == (True, True)
        # No topic may have a name as long as this.
        refused = asyncio.run(check(address, f"{'a' * 245}."))
        assert (refused.ends_exact, refused.idempotent) == (False, True)
        eventually(lambda: asyncio.run(names_on(address)) == [])


def test_ends_are_right_on_the_embedded_broker(embedded: str) -> None:
    """After batches of any size each end is the number of records read, where ListOffsets alone is short."""
    asyncio.run(write(embedded, "ends"))
    counts = asyncio.run(count(embedded, "ends"))
    partitions = [TopicPartition("ends", partition) for partition in counts]
    told = asyncio.run(end_offsets(embedded, partitions, exact=True))
    fixed = asyncio.run(end_offsets(embedded, partitions, exact=False))
    assert {tp.partition: end for tp, end in fixed.items()} == counts == {p: sum(s) for p, s in enumerate(BATCHES)}
    assert {tp.partition for tp in partitions if told[tp] < fixed[tp]} == {0, 1, 4}


def test_ends_of_the_run_s_broker_are_right(kafka: str, topic_prefix: str, checked: Checked) -> None:
    """As the self-check decided, and with the fix on any broker, ends are the numbers of records."""
    topic = f"{topic_prefix}ends"
    asyncio.run(write(kafka, topic))
    partitions = [TopicPartition(topic, partition) for partition in range(len(BATCHES))]
    for exact in {checked.ends_exact, False}:
        ends = asyncio.run(end_offsets(kafka, partitions, exact=exact))
        assert {tp.partition: end for tp, end in ends.items()} == {p: sum(s) for p, s in enumerate(BATCHES)}


def test_a_log_is_read_to_its_end(embedded: str) -> None:
    """A view that was told nothing about the broker reads every record of every partition."""
    topic = "whole"
    asyncio.run(write(embedded, topic))

    async def read() -> list[tuple[int, int]]:
        view = LogView(embedded, "a-group")
        await view.start()
        try:
            partitions = [TopicPartition(topic, partition) for partition in range(len(BATCHES))]
            return [(record.partition, record.offset) async for record in view.read_all(partitions)]
        finally:
            await view.stop()

    expected = {(partition, offset) for partition, sizes in enumerate(BATCHES) for offset in range(sum(sizes))}
    found = asyncio.run(read())
    assert len(found) == len(expected)
    assert set(found) == expected


@pytest.mark.apache_kafka  # the embedded broker deletes no records
def test_ends_of_emptied_partitions_are_right_with_the_fix(kafka: str, topic_prefix: str) -> None:
    """Where all records were deleted there is nothing to fetch, and the end stays where it was."""
    topic = f"{topic_prefix}emptied"
    asyncio.run(write(kafka, topic))

    async def empty() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        try:
            await admin.delete_records(
                {TopicPartition(topic, p): RecordsToDelete(sum(sizes)) for p, sizes in enumerate(BATCHES)}
            )
        finally:
            await admin.close()

    asyncio.run(empty())
    partitions = [TopicPartition(topic, partition) for partition in range(len(BATCHES))]
    ends = asyncio.run(end_offsets(kafka, partitions, exact=False))
    assert {tp.partition: end for tp, end in ends.items()} == {p: sum(s) for p, s in enumerate(BATCHES)}


def test_the_demo_runs_on_it_and_says_so(tmp_path: Path) -> None:
    """The demo on the embedded broker ends well, says what it ran on, and leaves no process and no file."""
    done = liqmon(
        "demo", "--minutes", "4", "--accounts", "60", "--speed", "60x", timeout_s=240,
        env=environment(LIQMON_LOCAL_BROKER="tansu", TMPDIR=str(tmp_path)),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    assert f"broker: {NAME}" in done.stdout
    assert "Apache Kafka" not in done.stdout
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False)
    assert left.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_demo_that_is_killed_leaves_nothing_running(tmp_path: Path) -> None:
    """Killed in the middle, the demo's embedded broker and worker end too."""
    process = subprocess.Popen(
        [*LIQMON, "demo", "--minutes", "30", "--accounts", "20"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, cwd=ROOT, env=environment(LIQMON_LOCAL_BROKER="tansu", TMPDIR=str(tmp_path)),
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as lines:
        assert any(line.startswith("market:") for line in lines), "the demo did not get to its market"
        started = children(process.pid)
        assert len(started) >= 4  # broker, worker, and a supervisor for each
        process.kill()
    process.wait(timeout=60)
    eventually(lambda: not [pid for pid in started if running(pid)], within_s=40)


@pytest.mark.parametrize("command", ["broker", "demo"])
def test_help_names_it_in_full(command: str) -> None:
    """The help of the commands that start it says what it is."""
    shown = " ".join(liqmon(command, "--help").stdout.split())
    assert NAME in shown
