"""What all processes of one simulation share: the log, the network, the faults that are on, and what was counted."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from monitor.worker.errors import Ending, WorkerError
from monitor.worker.options import WorkerOptions
from tests.simulator.log import Log, Partition
from tests.simulator.loop import Clock, Process, SimulatedLoop
from tests.simulator.plan import Plan

LATENCY_S = 0.001


@dataclass
class World:
    """One simulation; `counts` are faults that happened, `failures` what no fault excuses."""

    plan: Plan
    options: WorkerOptions
    loop: SimulatedLoop
    clock: Clock
    log: Log = field(default_factory=Log)
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    slow: dict[Process, float] = field(default_factory=dict)  # until when its sends are slow
    frozen: dict[tuple[Process, str], tuple[float, dict[int, int]]] = field(default_factory=dict)
    armed: dict[Process, str] = field(default_factory=dict)
    down_until_s: float = 0.0
    faulty: bool = True
    stopped: Any = None  # called with a process that is dead, and whether it was killed

    def __post_init__(self) -> None:
        self.draw = random.Random(f"faults-{self.plan.seed}")

    # --- network --------------------------------------------------------------------------------

    async def travel(self, process: Process | None = None) -> None:
        """Take as long as a message takes; while the broker is down, for as long as it is."""
        seconds = self.draw.expovariate(1.0 / LATENCY_S)
        if process is not None and self.slow.get(process, 0.0) > self.loop.now_s:
            seconds *= 200.0
        await asyncio.sleep(seconds)
        while self.down_until_s > self.loop.now_s:  # noqa: ASYNC110 (time is virtual)
            await asyncio.sleep(self.down_until_s - self.loop.now_s)

    def chance(self, share: float) -> bool:
        """Whether a fault of this share happens now."""
        return self.faulty and self.draw.random() < share

    def visible_end(self, process: Process, partition: Partition) -> int:
        """Where a partition ends for a fetch of a process: some topics are behind others now and then."""
        found = self.frozen.get((process, partition.topic))
        if found is None or found[0] < self.loop.now_s:
            return partition.end
        return found[1].get(partition.number, partition.end)

    async def arrival(self, partitions: list[Partition], within_s: float) -> None:
        """Wait for an append to one of some partitions, or for the time to be over."""
        if within_s <= 0:
            return
        waiter: asyncio.Future[None] = self.loop.create_future()
        for partition in partitions:
            partition.waiters.append(waiter)
        timer = self.loop.call_later(within_s, _let_go, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            for partition in partitions:
                if waiter in partition.waiters:
                    partition.waiters.remove(waiter)

    # --- processes ------------------------------------------------------------------------------

    def process(self, name: str) -> Process:
        """Make a process."""
        process = Process(name)
        self.processes.append(process)
        return process

    def point(self, process: Process, name: str) -> None:
        """Pass a named point: a process that is to die at it has a few callbacks left."""
        if self.armed.get(process) == name:
            del self.armed[process]
            self.counts[f"crash at {name}"] += 1
            process.doom = self.draw.choice((0, 0, 1, 2, 4, 8))

    def killed(self, process: Process) -> None:
        """Note that a process was killed, and what it was about."""
        self.counts["crash"] += 1
        self.stopped(process)

    def ended(self, process: Process, error: BaseException) -> None:
        """Note that a process ended by itself."""
        if process.dead:
            return
        process.kill()
        name = type(error).__name__
        if isinstance(error, WorkerError) and error.ending is Ending.RESTART:
            self.counts[f"ended: {name}"] += 1
        elif isinstance(error, WorkerError) or not _of_the_broker(error):
            self.failures.append(f"{process.name} at {self.loop.now_s:.3f} s ended with {name}: {error}")
        else:
            self.counts[f"ended: {name}"] += 1
        self.stopped(process)

    def partition_of(self, tp: TopicPartition | tuple[str, int]) -> Partition:
        """Return a partition of the log."""
        return self.log.partition(tp[0], tp[1])


def _of_the_broker(error: BaseException) -> bool:
    return isinstance(error, KafkaError | OSError)


def _let_go(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
