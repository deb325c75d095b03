"""The local Apache Kafka: what it keeps, and that nothing of it outlives its starter."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from monitor.brokers import LocalKafka, topics
from monitor.brokers.kafka import local, ports
from monitor.brokers.kafka.properties import HOST
from tests.integration.processes import LIQMON, children, environment, running
from tests.support import ROOT, eventually

pytestmark = pytest.mark.local_broker

TOPIC = topics.Wanted("kept", 1, {"cleanup.policy": "delete"})


async def produce(address: str, values: list[bytes], timeout_ms: int = 40_000) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=address, acks="all", enable_idempotence=True, request_timeout_ms=timeout_ms
    ) as producer:
        for value in values:
            await producer.send_and_wait(TOPIC.name, value)


async def consume(address: str, count: int) -> list[bytes]:
    partition = TopicPartition(TOPIC.name, 0)
    async with AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        assert end == count
        return [(await consumer.getone()).value for _ in range(count)]


@contextmanager
def foreground(*arguments: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run `liqmon broker` with its temporary files in `folder`, and wait for its address."""
    process = subprocess.Popen(
        [*LIQMON, "broker", "--port", "0", "--heap-mb", "512", "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(TMPDIR=str(folder)),
    )
    try:
        first = _pipe(process.stdout).readline()
        assert first, _pipe(process.stderr).read()
        yield process, json.loads(first)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def test_what_is_acknowledged_outlives_the_broker(tmp_path: Path) -> None:
    """Records in a named folder are there after a kill of the broker and a start on other ports."""
    values = [b"%d" % i for i in range(100)]
    broker = LocalKafka(data_dir=tmp_path, heap_mb=512)
    try:
        address = broker.start()
        asyncio.run(topics.apply(address, [TOPIC]))
        asyncio.run(produce(address, values))
        os.kill(broker.pid, signal.SIGKILL)
        eventually(lambda: not broker.alive)
        broker.stop()
        again = broker.start()
        assert again != address
        assert asyncio.run(consume(again, 100)) == values
    finally:
        broker.stop()


def test_stop_leaves_neither_process_nor_folder() -> None:
    """After stop no process of the broker runs, its temporary folder is gone, and it can be started again."""
    before = children(os.getpid())
    broker = LocalKafka(heap_mb=512)
    broker.start()
    ours = children(os.getpid()) - before
    assert broker.pid in ours
    folder = broker.log_path.parent if broker.log_path else None
    assert folder is not None
    assert folder.is_dir()
    broker.stop()
    broker.stop()
    assert [pid for pid in ours if running(pid)] == []
    assert not folder.exists()
    assert (broker.port, broker.pid, broker.log_path) == (0, 0, None)


def test_a_misspelt_topic_is_not_created() -> None:
    """Producing to a topic that nobody created fails and creates none."""
    with LocalKafka(heap_mb=512) as broker:
        address = f"{HOST}:{broker.port}"
        with pytest.raises(KafkaError):
            asyncio.run(produce(address, [b"x"], timeout_ms=2000))
        assert [d.kind for d in asyncio.run(topics.plan(address, [TOPIC]))] == ["missing"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_command_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the command with exit code 0, no process and no file left."""
    with foreground(folder=tmp_path) as (process, told):
        ours = children(process.pid)
        assert told["pid"] in ours
        assert told["address"].startswith(f"{HOST}:")
        process.send_signal(how)
        assert process.wait(60) == 0
        assert [pid for pid in ours if running(pid)] == []
        assert list(tmp_path.iterdir()) == []


def test_killing_the_starter_ends_the_broker(tmp_path: Path) -> None:
    """After SIGKILL of the command, the broker ends and its temporary folder goes."""
    with foreground(folder=tmp_path) as (process, told):
        ours = children(process.pid)
        assert told["pid"] in ours
        process.kill()
        eventually(lambda: not any(running(pid) for pid in ours))
        eventually(lambda: list(tmp_path.iterdir()) == [])


def test_killing_the_supervisor_ends_the_broker(tmp_path: Path) -> None:
    """After SIGKILL of the supervising process the broker ends, and the command says so with its log."""
    with foreground(folder=tmp_path) as (process, told):
        (supervisor,) = (pid for pid in children(process.pid) if told["pid"] in children(pid))
        os.kill(supervisor, signal.SIGKILL)
        assert process.wait(60) == 3
        assert not running(told["pid"])
        assert told["log"] in _pipe(process.stderr).read().splitlines()[-1]


def test_a_broker_that_dies_ends_its_command(tmp_path: Path) -> None:
    """If the broker dies by itself, the command ends with exit code 3 and a line that names a log that is there."""
    with foreground("--data", str(tmp_path / "data"), folder=tmp_path) as (process, told):
        os.kill(told["pid"], signal.SIGKILL)
        assert process.wait(60) == 3
        assert told["log"] in _pipe(process.stderr).read().splitlines()[-1]
        assert Path(told["log"]).is_file()


def test_a_port_lost_between_choosing_and_starting_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """If another process takes a chosen port before the broker does, the broker is started again on another."""
    with socket.create_server((HOST, 0)) as thief:
        lost = thief.getsockname()[1]
        # The check before, the first attempt, and then the real ones.
        answers = [(lost, 0), (lost, ports.choose_ports(0)[1])]
        monkeypatch.setattr(
            local, "choose_ports", lambda asked, more=0: answers.pop(0) if answers else ports.choose_ports(asked, more)
        )
        with LocalKafka(heap_mb=512) as broker:
            assert broker.alive
            assert broker.port != lost
            assert answers == []


def test_a_broker_started_in_a_thread_outlives_it(tmp_path: Path) -> None:
    """The life of the broker follows the process that started it, not the thread."""
    broker = LocalKafka(heap_mb=512, data_dir=tmp_path)

    async def start() -> str:
        return await asyncio.to_thread(broker.start)

    try:
        address = asyncio.run(start())  # ends the thread together with its loop
        asyncio.run(topics.apply(address, [TOPIC]))
        asyncio.run(produce(address, [b"x"]))
        assert broker.alive
    finally:
        broker.stop()
