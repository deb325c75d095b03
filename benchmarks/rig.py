"""What benchmarks over a broker share: an Apache Kafka of their own, a worker as a process, messages to publish.

Everything is on loopback, and each call says what it sends before it does: nothing grows without a bound.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from monitor.connection import client_options
from monitor.engine.outbox import marker_key
from monitor.engine.state import Account, Marker, encode
from monitor.replay.sources.base import TOPIC_OF
from monitor.worker.options import WorkerOptions
from monitor.worker.run import prepare_topics
from schemas import codec
from schemas.records import Input, Position
from schemas.topics import ALL, TICKS, full_name

PARTITIONS = 4
WAIT_S = 900.0
Message = tuple[str, int, bytes | None, bytes | None]
"""Topic, partition, key and value."""


@dataclass
class Worker:
    """A worker's process, with the lines it said and when they came (seconds since its start)."""

    arguments: list[str]
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lines: list[tuple[float, dict[str, Any]]] = []
        self.start_s = time.monotonic()
        self.child = subprocess.Popen(
            [sys.executable, "-m", "monitor", "worker", *self.arguments], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env={**os.environ, **self.settings},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stderr is not None
        for line in self.child.stderr:
            at_s = time.monotonic() - self.start_s
            try:
                told = json.loads(line)
            except ValueError:
                told = {"event": "?", "text": line.rstrip()}
            if isinstance(told, dict):
                self.lines.append((at_s, told))

    def wait_for(self, event: str) -> tuple[float, dict[str, Any]]:
        """Return the first line of an event and when it came; raises RuntimeError if the worker ends before."""
        deadline_s = time.monotonic() + WAIT_S
        while True:
            found = [(at_s, told) for at_s, told in self.lines if told.get("event") == event]
            if found:
                return found[0]
            if self.child.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"no {event}: {[told for _, told in self.lines[-5:]]}")
            time.sleep(0.02)

    def peak_rss_mb(self) -> float:
        """Return the most memory it has had resident."""
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
        if not found:
            raise RuntimeError(f"the worker has ended: {[told for _, told in self.lines[-5:]]}")
        return found[0] / 1024.0

    def cpu_s(self) -> float:
        """Return the processor time it has had."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it, in an orderly way if it can."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(30.0)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def options(address: str, prefix: str, **more: Any) -> WorkerOptions:
    """Return a worker's options."""
    return WorkerOptions(broker=address, partitions=more.pop("partitions", PARTITIONS), prefix=prefix, **more)


def worker(of: WorkerOptions, **settings: str) -> Worker:
    """Start a worker; settings by their names in the environment, without LIQMON_."""
    arguments = [
        "--broker", str(of.broker), "--prefix", of.prefix, "--partitions", str(of.partitions),
        "--app-id", of.application_id, "--session-timeout", "30", "--ready-timeout", "600", "--order", of.order,
    ]  # fmt: skip
    return Worker(arguments, {f"LIQMON_{name.upper()}": value for name, value in settings.items()})


async def make_topics(of: WorkerOptions) -> None:
    """Make the topics of a deployment, its changelog included."""
    from monitor.brokers import topics as cluster  # noqa: PLC0415 (admin clients only where they are needed)

    await cluster.apply(of.broker, cluster.wanted_topics(of.prefix, of.partitions))
    await prepare_topics(of)


def name_of(of: WorkerOptions, topic: str) -> str:
    """Return the broker's name of a topic of the table."""
    return full_name(next(one for one in ALL if one.name == topic), of.prefix)


def changelog(of: WorkerOptions, accounts: Iterable[Account], positions: Mapping[str, Position]) -> Iterator[Message]:
    """Yield accounts as a worker stores them at some positions of the market, and the markers behind them."""
    for account in accounts:
        account.epoch = account.version = account.flush = 1
        account.positions = dict(positions)
        key = account.name.encode()
        yield of.changelog, of.partition_of(key), key, encode(account)
    for partition in range(of.partitions):
        marker = Marker(
            partition, of.partitions, epoch=1, flush=1, published_flush=1, positions=dict(positions)
        )  # fmt: skip
        yield of.changelog, partition, marker_key(partition), encode(marker)


def messages(of: WorkerOptions, records: Iterable[Input], offsets: dict[str, int], rows: int = 1) -> Iterator[Message]:
    """Yield market records as messages in their order, frames of `rows` where it is not 1; count their offsets."""
    waiting: dict[str, list[Input]] = {}
    for record in records:
        topic = TOPIC_OF[type(record)]
        if rows == 1 or topic != TICKS.name:
            offsets[topic] = offsets.get(topic, -1) + 1
            yield name_of(of, topic), 0, codec.key_of(topic, record), codec.encode(record)
            continue
        frame = waiting.setdefault(topic, [])
        frame.append(record)
        if len(frame) == rows:
            offsets[topic] = offsets.get(topic, -1) + 1
            yield name_of(of, topic), 0, None, codec.encode_frame(frame)
            frame.clear()
    for topic, frame in waiting.items():
        if frame:
            offsets[topic] = offsets.get(topic, -1) + 1
            yield name_of(of, topic), 0, None, codec.encode_frame(frame)


async def read_raw(of: WorkerOptions, topic: str, partitions: int) -> float:
    """Return the seconds in which a consumer that does nothing else reads a topic; it is read once before."""
    consumer = AIOKafkaConsumer(
        **client_options(of.broker), enable_auto_commit=False, auto_offset_reset="none",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )  # fmt: skip
    await consumer.start()
    try:
        wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
        ends = await consumer.end_offsets(wanted)
        consumer.assign(wanted)
        for _ in range(2):
            start_s = time.monotonic()
            for tp in wanted:
                consumer.seek(tp, 0)
            left = {tp: end for tp, end in ends.items() if end}
            while left:
                for tp, found in (await consumer.getmany(*left, timeout_ms=200)).items():
                    if found and found[-1].offset + 1 >= left[tp]:
                        del left[tp]
        return time.monotonic() - start_s
    finally:
        await consumer.stop()


@asynccontextmanager
async def producer(address: str) -> AsyncIterator[AIOKafkaProducer]:
    """Give a producer as publishers of frames have it: large batches, all acknowledged."""
    client = AIOKafkaProducer(
        **client_options(address), acks="all", linger_ms=2, max_batch_size=512 * 1024, max_request_size=1_048_576
    )
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def publish(client: AIOKafkaProducer, messages: Iterable[Message]) -> int:
    """Publish messages and wait until all are acknowledged; return how many there were."""
    waiting: list[Any] = []
    count = 0
    for topic, partition, key, value in messages:
        waiting.append(await client.send(topic, value, key=key, partition=partition))
        count += 1
        if len(waiting) >= 20_000:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)
    return count
