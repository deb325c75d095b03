"""Clients in Go and TypeScript go on in their group where the run before ended, as the Python client does."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Self

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from schemas.records import AccountEvent
from tests.client_messages import event, message
from tests.conftest import CLIENTS
from tests.integration.conftest import CreateTopics
from tests.integration.worker.support import eventually
from tests.unit.client.test_conformance import rebuilt

pytestmark = [pytest.mark.broker, pytest.mark.apache_kafka, pytest.mark.timeout(600)]

GO = pytest.param("go", marks=pytest.mark.go_client)
TYPESCRIPT = pytest.param("typescript", marks=pytest.mark.typescript_client)
Publish = Callable[..., None]


@dataclass(frozen=True)
class Client:
    """One client's program, with what every run of it is told."""

    command: list[str]
    flag: str
    group: str

    def arguments(self, **options: object) -> list[str]:
        given = {"group": self.group, **options}
        told = [
            part for name, value in given.items()
            for part in ([f"{self.flag}{name}"] if value is True else [f"{self.flag}{name}", str(value)])
        ]  # fmt: skip
        return [*self.command, *told]

    def run(self, **options: object) -> tuple[list[str], dict[str, int]]:
        """Run it to its end; return accounts in their order, and counts."""
        done = subprocess.run(self.arguments(**options), capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr[-2_000:]
        return accounts(done.stdout.splitlines()), json.loads(done.stderr.splitlines()[-1])


def accounts(lines: list[str]) -> list[str]:
    return [json.loads(line)["account"] for line in lines]


@pytest.fixture
def client(
    request: pytest.FixtureRequest, kafka: str, topic_prefix: str, create_topics: CreateTopics, tmp_path: Path
) -> Client:
    """The client of a language, over topics of its own with three partitions."""
    rebuilt()
    create_topics(partitions=3)
    (tmp_path / "keys").write_text(f"now hmac-sha256 {base64.b64encode(b'n' * 32).decode()}\n")
    if request.param == "go":
        command, flag = [str(CLIENTS / "go" / "bin" / "liqmon-events")], "-"
    else:
        command, flag = [str(shutil.which("node")), str(CLIENTS / "typescript" / "dist" / "events.js")], "--"
    told = ("broker", kafka, "prefix", topic_prefix, "keys", str(tmp_path / "keys"))
    named = [f"{flag}{part}" if number % 2 == 0 else part for number, part in enumerate(told)]
    return Client([*command, *named, f"{flag}replay"], flag, f"{topic_prefix}bot-{request.param}")


@pytest.fixture
def publish(kafka: str, topic_prefix: str) -> Publish:
    """Send events as a worker does, each on the partition of its account."""

    async def send(events: tuple[AccountEvent, ...]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            for one in events:
                of = message(one)
                await producer.send_and_wait(topic_prefix + of.topic, of.value, key=of.key, headers=of.headers)

    return lambda *events: asyncio.run(send(events))


async def committed(broker: str, group: str) -> int:
    """Offsets that a group has committed, summed over all partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group)
        return sum(item.offset for item in found.values())
    finally:
        await admin.close()


def made(first: int, count: int) -> list[AccountEvent]:
    kinds = ("margin_call", "liquidation")
    return [event(f"acct-{number}", kind=kinds[number % 2]) for number in range(first, first + count)]


@pytest.mark.parametrize("client", [GO, TYPESCRIPT], indirect=True)
def test_each_run_begins_where_the_one_before_ended(client: Client, publish: Publish, kafka: str) -> None:
    """Some, the rest, nothing, what came since; and an id that only an earlier process has handled is known."""
    events = made(0, 20)
    names = [one.account for one in events]
    publish(*events)
    first, before = client.run(limit=7)
    assert (len(first), before) == (7, {"delivered": 7})
    assert asyncio.run(committed(kafka, client.group)) == 7
    rest, after = client.run(**{"until-end": True})
    assert (sorted(first + rest), after) == (sorted(names), {"delivered": 13})
    assert client.run(**{"until-end": True}) == ([], {})
    publish(events[names.index(first[0])], event("acct-new"))
    assert client.run(**{"until-end": True}) == (["acct-new"], {"repeated": 1, "delivered": 1})
    assert asyncio.run(committed(kafka, client.group)) == 22


@pytest.mark.parametrize("client", [GO, TYPESCRIPT], indirect=True)
def test_members_share_and_a_kill_9_loses_nothing(client: Client, publish: Publish) -> None:
    """Partitions move to a second member and, when the first one is killed, all to it: every event is printed."""
    events = made(0, 48)
    names = [one.account for one in events]
    with ExitStack() as stack:
        first = stack.enter_context(Member(client))
        publish(*events[:12])
        first.wait_for(names[:12])
        second = stack.enter_context(Member(client))
        for number in range(12, 36):
            publish(events[number])
        first.wait_for(names[:36], second)
        first.process.kill()
        publish(*events[36:])
        second.wait_for(names, first)
        second.process.terminate()
        assert second.process.wait(60) == 0
        assert len(second.accounts) == len(set(second.accounts))
    assert client.run(**{"until-end": True}) == ([], {})


class Member:
    """A client that follows its group, and what it has printed so far."""

    def __init__(self, client: Client) -> None:
        self.accounts: list[str] = []
        self.process = subprocess.Popen(client.arguments(), stdout=subprocess.PIPE, text=True)
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.accounts += accounts([line])

    def wait_for(self, names: list[str], *others: Member) -> None:
        """Wait until this one and others have printed all of these."""
        wanted = set(names)
        eventually(lambda: wanted <= {name for one in (self, *others) for name in one.accounts})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reading.join(10.0)
        assert self.process.stdout is not None
        self.process.stdout.close()
