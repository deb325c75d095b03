"""Processes, topics and reading back: what the worker's broker tests share."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from monitor.brokers.ends import end_offsets
from monitor.brokers.selfcheck import Checked

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
END_S = 120.0
"""How long a process may take to start and to end by itself; a loaded machine takes a third of it."""


def eventually(condition: Callable[[], Any], timeout_s: float = 120.0, every_s: float = 0.1) -> Any:
    """Return the first truthy value of `condition`; fail with what it last said when time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {condition}, last value {value!r}"
        time.sleep(every_s)


@dataclass
class Process:
    """A child that writes JSON lines on stderr, with the lines read so far."""

    arguments: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.text: list[str] = []
        self.child = subprocess.Popen(
            self.arguments,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **self.environment},
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.child.stderr is not None
        for line in self.child.stderr:
            self.text.append(line)
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                self.lines.append(value)

    def said(self, event: str) -> list[dict[str, Any]]:
        """All lines of one event so far."""
        return [line for line in self.lines if line.get("event") == event]

    def wait_for(self, event: str, count: int = 1, timeout_s: float = 240.0) -> dict[str, Any]:
        """Wait for the `count`-th line of one event; fail early when the process has ended."""

        def arrived() -> dict[str, Any] | None:
            lines = self.said(event)
            if len(lines) < count:
                assert self.child.poll() is None, f"ended with {self.child.returncode}: {self.tail()}"
                return None
            return lines[count - 1]

        return eventually(arrived, timeout_s)  # type: ignore[no-any-return]

    def wait_for_last(self, event: str) -> dict[str, Any]:
        """The last line of one event of a process that has ended."""
        self.reader.join(60.0)
        lines = self.said(event)
        assert lines, self.tail()
        return lines[-1]

    def tail(self, lines: int = 30) -> str:
        """The last lines it wrote."""
        return "".join(self.text[-lines:])

    def kill(self) -> None:
        """`kill -9`, and wait."""
        self.child.kill()
        self.child.wait()

    def pause(self) -> None:
        """SIGSTOP."""
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.child.send_signal(signal.SIGCONT)

    def terminate(self, timeout_s: float = END_S) -> int:
        """SIGTERM, and wait; returns the exit code."""
        self.child.terminate()
        return self.ended(timeout_s)

    def ended(self, timeout_s: float = END_S) -> int:
        """Wait until it has ended and all it wrote is read; returns the exit code, and shows what was said before."""
        code = self.child.wait(timeout_s)
        self.reader.join(60.0)
        if code:
            sys.stderr.write(f"ended with {code}: {self.tail()}")  # shown where a test fails
        return code

    def end(self) -> None:
        """Leave nothing behind, whatever state the process is in."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.kill()
        self.reader.join(10.0)
        assert self.child.stderr is not None
        self.child.stderr.close()


@dataclass(frozen=True)
class Read:
    """One message read back by the collecting process."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def read_all(broker: str, topic: str) -> list[Read]:
    """Every message of a topic, read by another process that shares no code with the project."""
    result = subprocess.run(
        [sys.executable, str(HERE / "collect.py"), broker, topic], capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    messages = []
    for line in result.stdout.splitlines():
        item = json.loads(line)
        messages.append(
            Read(
                item["partition"],
                item["offset"],
                None if item["key"] is None else bytes.fromhex(item["key"]),
                None if item["value"] is None else bytes.fromhex(item["value"]),
                {name: bytes.fromhex(value) for name, value in item["headers"]},
            )
        )
    return messages


T = TypeVar("T")


class Kafka:
    """Blocking helpers over one broker; the clients live in a loop of their own, because tests ask often."""

    def __init__(self, url: str, checked: Checked) -> None:
        self.url = url
        self.checked = checked
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._admin: AIOKafkaAdminClient | None = None
        self._consumer: AIOKafkaConsumer | None = None

    def close(self) -> None:
        """Close the clients and the loop."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120.0)

    async def _close(self) -> None:
        if self._admin is not None:
            await self._admin.close()
        if self._consumer is not None:
            await self._consumer.stop()

    async def _administer(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(bootstrap_servers=self.url)
            await self._admin.start()
        return self._admin

    async def _consume(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(bootstrap_servers=self.url)
            await self._consumer.start()
        return self._consumer

    def create(self, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
        """Create topics with their partition counts."""
        self._call(self._create(topics, dict(config or {})))

    async def _create(self, topics: Mapping[str, int], config: dict[str, str]) -> None:
        admin = await self._administer()
        await admin.create_topics([NewTopic(name, count, 1, topic_configs=config) for name, count in topics.items()])

    def configure(self, topic: str, settings: Mapping[str, str]) -> None:
        """Give a topic exactly these settings of its own."""
        self._call(self._configure(topic, dict(settings)))

    async def _configure(self, topic: str, settings: dict[str, str]) -> None:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, settings)
        await (await self._administer()).alter_configs([resource])

    def delete(self, topic: str) -> None:
        """Delete a topic and wait until the broker does not name it any more."""
        self._call(self._delete(topic))

    async def _delete(self, topic: str) -> None:
        admin = await self._administer()
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():  # noqa: ASYNC110 (nobody here sets an event)
            await asyncio.sleep(0.1)

    def produce(
        self,
        topic: str,
        messages: Iterable[tuple[int | None, bytes | None, bytes | None]],
        transaction: str | None = None,
    ) -> None:
        """Send (partition, key, value) messages in order and wait for all; with an id, in one transaction."""
        self._call(self._produce(topic, messages, transaction))

    async def _produce(
        self, topic: str, messages: Iterable[tuple[int | None, bytes | None, bytes | None]], transaction: str | None
    ) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.url, acks="all", linger_ms=5, max_batch_size=262144, transactional_id=transaction,
            enable_idempotence=self.checked.idempotent,
        )  # fmt: skip
        await producer.start()
        try:
            if transaction:
                await producer.begin_transaction()
            sent = [await producer.send(topic, value, key=key, partition=p) for p, key, value in messages]
            await asyncio.gather(*sent)
            if transaction:
                await producer.commit_transaction()
        finally:
            await producer.stop()

    def ends(self, topic: str, partitions: int) -> dict[int, int]:
        """End offset of each partition."""
        return self._call(self._ends(topic, partitions))

    async def _ends(self, topic: str, partitions: int) -> dict[int, int]:
        wanted = [TopicPartition(topic, p) for p in range(partitions)]
        if self.checked.ends_exact:
            ends = await (await self._consume()).end_offsets(wanted)
        else:
            ends = await end_offsets(self.url, wanted, exact=False)
        return {tp.partition: offset for tp, offset in ends.items()}

    def committed(self, group: str, topics: Mapping[str, int]) -> dict[tuple[str, int], int]:
        """Committed offsets of a group by (topic, partition), of some topics with their partition counts."""
        return self._call(self._committed(group, topics))

    async def _committed(self, group: str, topics: Mapping[str, int]) -> dict[tuple[str, int], int]:
        wanted = [TopicPartition(topic, partition) for topic, count in topics.items() for partition in range(count)]
        offsets = await (await self._administer()).list_consumer_group_offsets(group, partitions=wanted)
        return {(tp.topic, tp.partition): item.offset for tp, item in offsets.items() if item.offset >= 0}
