"""The demonstration from beginning to end, and its events read by a consumer that shares no code with us."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from monitor.brokers.kafka.jars import jars_dir
from monitor.brokers.kafka.java import find_java
from monitor.brokers.selfcheck import Checked
from tests.integration.processes import LIQMON, children, environment, liqmon, running
from tests.support import ROOT, eventually

CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
EVENT_TOPICS = ("risk.margin-calls.v1", "risk.liquidations.v1")

pytestmark = pytest.mark.timeout(900)  # only what hangs takes so long


async def _messages(address: str, topic: str) -> int:
    """Number of messages of a topic, as the broker tells its ends."""
    async with AIOKafkaConsumer(topic, bootstrap_servers=address) as consumer:
        return sum((await consumer.end_offsets(consumer.assignment())).values())


def _console_consumer(address: str, topic: str, checked: Checked) -> list[tuple[str, dict[str, Any]]]:
    """Read a topic from its beginning with Kafka's own console consumer; returns (key, decoded JSON body)."""
    # Where the broker names its ends the consumer need not find out by waiting that nothing more comes.
    count = asyncio.run(_messages(address, topic)) if checked.ends_exact else 0
    until = ["--timeout-ms", "120000", "--max-messages", str(count)] if count else ["--timeout-ms", "20000"]
    done = subprocess.run(
        [
            str(find_java()), "-Xmx128m", "-cp", f"{jars_dir()}/*", CONSOLE_CONSUMER, "--bootstrap-server", address,
            "--topic", topic, "--from-beginning", "--formatter-property", "print.key=true", *until,
        ],
        capture_output=True, text=True, timeout=240, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    rows = [line.partition("\t") for line in done.stdout.splitlines() if "\t" in line]
    return [(key, json.loads(body)) for key, _, body in rows]


def _printed(output: str, name: str) -> int:
    found = re.search(rf"^│ +{name} +│ ([0-9,]+) +│$", output, re.MULTILINE)
    return int(found.group(1).replace(",", "")) if found else 0


@pytest.mark.broker
@pytest.mark.local_broker  # the independent consumer is Kafka's own, so this needs Java
def test_another_consumer_reads_the_events_that_the_demo_counts(
    kafka: str, checked: Checked, topic_prefix: str
) -> None:
    """Kafka's console consumer finds the same events: unique ids, gapless sequences, keyed by account."""
    done = liqmon(
        "demo", "--broker", kafka, "--prefix", topic_prefix, "--keep-topics", "--minutes", "6", "--accounts", "120",
        "--speed", "30x", timeout_s=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    rows = [row for topic in EVENT_TOPICS for row in _console_consumer(kafka, topic_prefix + topic, checked)]
    events = {body["id"]: body for _, body in rows}
    assert all(key == body["account"] for key, body in rows)
    assert len(events) == _printed(done.stdout, "events") > 0
    kinds = Counter(body["kind"] for body in events.values())
    assert kinds["margin_call"] == _printed(done.stdout, "margin_call") > 0
    assert kinds["liquidation"] == _printed(done.stdout, "liquidation") > 0
    sequences: dict[str, list[int]] = {}
    for body in events.values():
        sequences.setdefault(body["account"], []).append(body["sequence"])
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in sequences.values())
    for body in events.values():
        if body["kind"] == "liquidation":
            assert body["mm_requirement_usd"] >= body["equity_usd"]


@pytest.mark.broker
@pytest.mark.local_broker
def test_the_demo_starts_its_own_kafka_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Without a broker, and without a terminal, the demo ends by itself with nothing running and no files left."""
    done = liqmon(
        "demo", "--minutes", "4", "--accounts", "60", "--speed", "60x", timeout_s=600,
        env=environment(BROKER_URL=None, TMPDIR=str(tmp_path)),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    assert "local Apache Kafka" in done.stdout
    assert _printed(done.stdout, "events") > 0
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False)
    assert left.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.broker
def test_the_demo_draws_a_live_table_on_a_terminal(kafka: str, topic_prefix: str) -> None:
    """With a terminal the table is drawn in place, and the end is the same."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    arguments = ["demo", "--broker", kafka, "--prefix", topic_prefix, "--minutes", "4", "--accounts", "60"]
    process = subprocess.Popen(
        [*LIQMON, *arguments, "--speed", "60x"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env=environment(TERM="xterm"), close_fds=True,
    )  # fmt: skip
    os.close(theirs)
    drawn = bytearray()
    with suppress(OSError):  # the other end is closed when the process ends
        while part := os.read(ours, 65_536):
            drawn += part
    os.close(ours)
    assert process.wait(timeout=120) == 0, drawn[-3_000:].decode(errors="replace")
    text = drawn.decode(errors="replace")
    assert "\x1b[" in text
    assert "latest events" in text
    assert "first of each kind" in text


@pytest.mark.broker
def test_the_demo_removes_its_topics_from_a_broker_that_is_not_its_own(kafka: str, topic_prefix: str) -> None:
    """On the user's Kafka nothing is left, changelog included."""

    async def names() -> list[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        try:
            return [name for name in await admin.list_topics() if name.startswith(topic_prefix)]
        finally:
            await admin.close()

    done = liqmon(
        "demo", "--broker", kafka, "--prefix", topic_prefix, "--minutes", "3", "--accounts", "40", "--speed", "60x",
        timeout_s=600,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr[-3_000:]  # three calm minutes may hold no event
    assert asyncio.run(names()) == []


@pytest.mark.broker
@pytest.mark.local_broker
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_demo_that_is_ended_leaves_nothing_running(tmp_path: Path, how: signal.Signals) -> None:
    """Terminated, interrupted or killed in the middle, broker and worker end too."""
    process = subprocess.Popen(
        [*LIQMON, "demo", "--minutes", "30", "--accounts", "20"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, cwd=ROOT, env=environment(BROKER_URL=None, TMPDIR=str(tmp_path)), text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert any(line.startswith("market:") for line in process.stdout), "the demo did not get to its market"
    started = children(process.pid)
    assert len(started) >= 4  # broker, worker, and a supervisor for each
    process.send_signal(how)
    process.stdout.close()
    process.wait(timeout=120)
    assert process.returncode != 0
    eventually(lambda: not [pid for pid in started if running(pid)], within_s=120)


def test_wrong_options_are_refused_in_one_line() -> None:
    """An address that is none ends with the usage or broker exit code and a remedy."""
    done = liqmon("demo", "--broker", "nonsense")
    assert done.returncode in {2, 3}
    assert len(done.stderr.strip().splitlines()) == 1
