"""`liqmon watch` on a broker: tables of what is there, lines of what comes, and no group that remembers it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from typing import Any

import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from monitor.worker.health import HealthServer
from monitor.worker.metrics import Figures
from monitor.worker.recovery import Progress
from schemas import examples
from schemas.codec import encode
from schemas.headers import event_headers, state_headers
from schemas.records import AccountEvent, AccountState
from schemas.topics import ACCOUNT_STATES, LIQUIDATIONS, MARGIN_CALLS, full_name
from tests.client_messages import event
from tests.integration.conftest import CreateTopics
from tests.integration.processes import assert_told, environment, liqmon
from tests.support import ROOT

pytestmark = pytest.mark.broker
(STATE,) = (one for one in examples.of(AccountState) if isinstance(one, AccountState))


def state(account: str, **changes: Any) -> AccountState:
    return msgspec.structs.replace(STATE, account=account, **{"closed": False, **changes})


async def put(broker: str, prefix: str, *records: AccountState | AccountEvent, epoch: int = 1) -> None:
    """Send records as a worker does."""
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        for record in records:
            body = encode(record)
            if isinstance(record, AccountState):
                topic, headers = ACCOUNT_STATES, state_headers(epoch)
            else:
                topic = LIQUIDATIONS if record.kind == "liquidation" else MARGIN_CALLS
                headers = event_headers(body, source="desk", epoch=epoch)
            await producer.send_and_wait(
                full_name(topic, prefix), body, key=record.account.encode(), headers=list(headers)
            )


def test_one_look(kafka: str, topic_prefix: str, create_topics: CreateTopics) -> None:
    """`--once` shows the latest state and event of each account; exit code 1 while somebody shown is called."""
    create_topics(partitions=3)
    options = ("watch", "--broker", kafka, "--prefix", topic_prefix, "--once")
    assert_shown(liqmon(*options), 0, "no account yet")
    warned, called = (state("desk-7", status=one, version=n) for n, one in enumerate(("warning", "margin_call")))
    asyncio.run(put(kafka, topic_prefix, warned, called, state("calm-1", status="healthy"), event("desk-7")))
    assert_shown(liqmon(*options), 1, "1 healthy, 1 margin_call", "desk-7", "Margin call after")
    assert_shown(liqmon(*options, "--status", "healthy"), 0, "calm-1")
    data = orjson.loads(liqmon(*options, "--json").stdout)
    assert data["statuses"]["margin_call"] == 1
    assert [one["account"] for one in data["accounts"]] == ["desk-7", "calm-1"]
    assert [one["id"] for one in data["events"]] == [event("desk-7").id]


def test_workers_are_asked(kafka: str, topic_prefix: str, create_topics: CreateTopics) -> None:
    """One that recovers says how far it is, one that is gone that it does not answer; JSON has both by address."""
    create_topics(partitions=1)
    recovering = Figures(at_s=100.0, partitions=1, recovery=Progress("recovering", 62, 100, 4.75, 8.0))
    server = HealthServer(lambda: recovering, lambda: b"", session_timeout_s=10.0, clock=lambda: 100.0)
    _, port = server.start()
    try:
        here, gone = f"http://127.0.0.1:{port}", "http://127.0.0.1:1"
        options = ("watch", "--broker", kafka, "--prefix", topic_prefix, "--once", "--worker", here, "--worker", gone)
        told = "recovering, 62 %, 8 s left (62 of 100 offsets of the stored state)"
        assert_shown(liqmon(*options), 0, f"worker {here}: {told}", f"worker {gone}: unreachable, ")
        data = orjson.loads(liqmon(*options, "--json").stdout)
        assert data["workers"][here]["recovering"].startswith("62 %, 8 s left")
        assert_told(liqmon("watch", "--once", "--worker", "127.0.0.1:8787"), 2, "is no address of a worker")
    finally:
        server.stop()


def test_lines(kafka: str, topic_prefix: str, create_topics: CreateTopics) -> None:
    """Where no terminal is, new events come as lines; with --json the record as it was sent."""
    create_topics(partitions=3)
    asyncio.run(put(kafka, topic_prefix, event("before-1")))
    command = [sys.executable, "-m", "monitor", "watch", "--broker", kafka, "--prefix", topic_prefix, "--json"]
    with _following(command) as new, _following([*command, "--from-beginning"]) as every:
        assert orjson.loads(_line(every))["account"] == "before-1"
        seen = threading.Event()
        sending = threading.Thread(target=_until, args=(seen, kafka, topic_prefix))
        sending.start()
        try:
            first = orjson.loads(_line(new))
        finally:
            seen.set()
            sending.join()
        assert first["kind"] == "liquidation"
        assert first["account"].startswith("later-")
    assert "watch" not in asyncio.run(_groups(kafka))


def test_topics_that_are_not_there(kafka: str, topic_prefix: str) -> None:
    """It says what is missing, and ends with 3."""
    found = liqmon("watch", "--broker", kafka, "--prefix", topic_prefix, "--once")
    assert_told(found, 3, ACCOUNT_STATES.name, "liqmon topics apply")


@contextlib.contextmanager
def _following(command: list[str]) -> Any:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment())
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _line(process: Any) -> str:
    line = process.stdout.readline()
    assert line
    return str(line)


def _until(seen: threading.Event, broker: str, prefix: str) -> None:
    """Send one event after the other: nobody knows when a follower has started."""
    number = 0
    while not seen.wait(0.2):
        number += 1
        asyncio.run(put(broker, prefix, event(f"later-{number}", kind="liquidation")))


def assert_shown(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Check the exit code, and that words are on standard output."""
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stdout


async def _groups(broker: str) -> str:
    client = AIOKafkaAdminClient(bootstrap_servers=broker)
    await client.start()
    try:
        return str(await client.list_consumer_groups())
    finally:
        await client.close()
