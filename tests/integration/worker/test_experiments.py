"""What Faust does under kills, pauses and rebalances on Apache Kafka: the forms that the worker relies on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.worker.support import HERE, Kafka, Process, eventually, read_all

PARTITIONS = 4
SESSION_S = 6.0

pytestmark = [pytest.mark.broker, pytest.mark.experiment, pytest.mark.timeout(900)]  # only what hangs takes so long


class Run:
    """One experiment: its topics, its input and its processes."""

    def __init__(self, broker: Kafka, name: str, spawn: Callable[[list[str]], Process], tmp_path: Path) -> None:
        self.broker, self.name, self.spawn, self.tmp_path = broker, name, spawn, tmp_path
        self.broker.create({name: PARTITIONS, f"{name}.out": 1, f"{name}.state": PARTITIONS})

    def start(self, mode: str, *options: str) -> Process:
        folder = self.tmp_path / f"data-{time.monotonic_ns()}"
        repeats = [] if self.broker.checked.idempotent else ["--repeats"]
        return self.spawn(
            [
                sys.executable,
                str(HERE / "experiment_app.py"),
                mode,
                "--broker",
                self.broker.url,
                "--app-id",
                self.name,
                "--topic",
                self.name,
                "--datadir",
                str(folder),
                "--session-s",
                str(SESSION_S),
                *repeats,
                *options,
            ]
        )

    def produce(self, records: int) -> set[tuple[int, int]]:
        """Send `records` small messages round robin; returns their positions."""
        self.broker.produce(self.name, ((i % PARTITIONS, b"k", b"%d" % i) for i in range(records)))
        ends = self.broker.ends(self.name, PARTITIONS)
        return {(partition, offset) for partition, end in ends.items() for offset in range(end)}

    def applied(self) -> list[tuple[int, int]]:
        """Positions in the order in which the workers published that they applied them."""
        return [
            tuple(item)
            for message in read_all(self.broker.url, f"{self.name}.out")
            for item in json.loads(message.value or b"")["applied"]
        ]

    def applied_count(self) -> int:
        """Number of batches published so far."""
        return self.broker.ends(f"{self.name}.out", 1)[0]

    def committed_everything(self) -> bool:
        committed = self.broker.committed(self.name, {self.name: PARTITIONS})
        return {p: committed.get((self.name, p)) for p in range(PARTITIONS)} == self.broker.ends(self.name, PARTITIONS)


@pytest.fixture
def run(broker: Kafka, name: str, spawn: Callable[[list[str]], Process], tmp_path: Path) -> Run:
    return Run(broker, name, spawn, tmp_path)


def test_acks_in_offset_order_survive_kills(run: Run, record_property: Callable[[str, Any], None]) -> None:
    """Records acked by a task outside the agents are all applied, in commit order, over three kill -9."""
    expected: set[tuple[int, int]] = set()
    for _ in range(3):
        # Each round has forty batches of its own, so that there is something to apply whenever the kill comes.
        expected = run.produce(20_000)
        enough = run.applied_count() + 12
        process = run.start("acks", "--work-s", "0.02")
        process.wait_for("ready")
        eventually(lambda enough=enough: run.applied_count() >= enough, 240)  # type: ignore[misc]
        process.kill()
    last = run.start("acks")
    last.wait_for("ready")
    eventually(run.committed_everything, 240, every_s=0.5)

    applied = run.applied()
    assert set(applied) == expected
    highest = dict.fromkeys(range(PARTITIONS), -1)
    for partition, offset in applied:
        assert offset <= highest[partition] + 1, f"partition {partition} jumped from {highest[partition]} to {offset}"
        highest[partition] = max(highest[partition], offset)
    record_property("applied_again", len(applied) - len(expected))


FLUSH_VALUES = 50


@dataclass(frozen=True)
class Write:
    """One value of the fenced state, in log order."""

    partition: int
    key: str
    epoch: int
    version: int
    pid: int


def state_writes(run: Run) -> list[Write]:
    """All values of the fenced state, markers left out."""
    return [
        Write(message.partition, key, value["epoch"], value["version"], value["pid"])
        for message in read_all(run.broker.url, f"{run.name}.state")
        for key, value in [((message.key or b"").decode(), json.loads(message.value or b""))]
        if not key.startswith("!")
    ]


def late(writes: list[Write]) -> list[Write]:
    """Writes that came after one of a larger epoch to the same partition: what a zombie sends."""
    highest: dict[int, int] = {}
    stale = []
    for write in writes:
        if write.epoch < highest.get(write.partition, 0):
            stale.append(write)
        highest[write.partition] = max(highest.get(write.partition, 0), write.epoch)
    return stale


def opened(worker: Process) -> int:
    """How many partitions a worker has opened, those of several generations once."""
    return len({line["partition"] for line in worker.said("opened")})


def pause_over_session(run: Run) -> tuple[Process, Process]:
    """A worker stopped for longer than its session, while another takes over and writes, then continued."""
    run.produce(80_000)
    zombie = run.start("fence", "--work-s", "0.05", "--batch", str(FLUSH_VALUES))
    eventually(lambda: opened(zombie) == PARTITIONS, 240)
    zombie.pause()
    before = run.broker.ends(f"{run.name}.state", PARTITIONS)
    heir = run.start("fence", "--work-s", "0.05", "--batch", str(FLUSH_VALUES))
    eventually(lambda: opened(heir) == PARTITIONS, 240)

    def heir_has_written() -> bool:
        ends = run.broker.ends(f"{run.name}.state", PARTITIONS)
        return all(end > before[partition] + 200 for partition, end in ends.items())

    eventually(heir_has_written, 240)
    zombie.resume()
    return zombie, heir


# On the embedded broker a member joins so late that Faust's seek meets no assignment: it may never read a partition
# again, and the experiment does not come to its end. The worker itself passes its own test of a pause there.
@pytest.mark.apache_kafka
def test_a_paused_worker_does_not_overwrite_newer_state(run: Run, record_property: Callable[[str, Any], None]) -> None:
    """Values that a continued worker writes late lose against the heir's, because readers keep the larger epoch."""
    zombie, heir = pause_over_session(run)
    eventually(lambda: zombie.child.pid in {write.pid for write in late(state_writes(run))}, 240, every_s=1.0)
    # The heir is late as well once a rebalance has given the zombie partitions again: neither looks before it writes.
    zombie.kill()
    heir.kill()
    writes = state_writes(run)
    stale = late(writes)
    kept: dict[tuple[int, str], Write] = {}
    last: dict[tuple[int, str], Write] = {}
    for write in writes:
        key = write.partition, write.key
        last[key] = write
        kept[key] = max(kept.get(key, write), write, key=lambda item: (item.epoch, item.version))
    assert not set(kept.values()) & set(stale)
    overwritten = sum(value in stale for value in last.values())
    record_property("late_writes", len(stale))
    record_property("overwritten_without_epochs", overwritten)


def test_frames_in_an_own_queue_survive_a_rebalance(run: Run) -> None:
    """Frames that wait in a queue of our own are all applied, although workers join (`channel` mode loses some)."""
    expected = run.produce(1_000)
    options = ("--work-s", "0.004", "--queue", "200")
    run.start("queue", *options).wait_for("ready")
    eventually(lambda: run.applied_count() >= 200, 240)
    for _ in range(2):
        process = run.start("queue", *options)
        expected = run.produce(1_500)  # so that frames wait when it joins, however long it takes to start
        process.wait_for("ready")
    eventually(lambda: expected <= set(run.applied()), 240, every_s=1.0)
    assert set(run.applied()) == expected
