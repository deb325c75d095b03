"""What the demonstration runs on: a broker, its topics, and one worker as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient

from monitor.brokers import topics
from monitor.brokers.interface import Broker
from monitor.errors import MonitorError

READY_S = 90.0  # a worker that compiles its kernels for the first time on a busy machine needs half of it
STOP_S = 15.0  # a worker flushes and leaves within 10 s


class WorkerFailed(MonitorError):
    """The worker of the demonstration ended, or did not get ready."""


@asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[str]:
    """Start a broker and give its address; stop it at the end."""
    address = await asyncio.to_thread(broker.start)
    try:
        yield address
    finally:
        await asyncio.to_thread(broker.stop)


@asynccontextmanager
async def prepared_topics(address: str, prefix: str, partitions: int, *, keep: bool) -> AsyncIterator[None]:
    """Create the topics under a prefix; delete everything under it at the end unless `keep`."""
    await topics.apply(address, topics.wanted_topics(prefix, partitions))
    try:
        yield
    finally:
        if not keep:
            await _delete(address, prefix)


async def _delete(address: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
    finally:
        await admin.close()


@dataclass(slots=True)
class WorkerProcess:
    """A worker in a process of its own; its log lines are read as they come, the last ones kept for an error."""

    process: asyncio.subprocess.Process
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    exit_code: int | None = None

    async def follow(self) -> None:
        """Read the log to its end."""
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            line = raw.decode(errors="replace").rstrip()
            self.last_lines.append(line)
            with suppress(ValueError):
                if json.loads(line).get("event") == "ready":
                    self.ready.set()
        self.exit_code = await self.process.wait()
        self.ready.set()

    def check(self) -> None:
        """Raise WorkerFailed if it has ended."""
        if self.exit_code is not None:
            last = self.last_lines[-1] if self.last_lines else "it said nothing"
            raise WorkerFailed(f"the worker ended with code {self.exit_code}: {last}", "run `liqmon worker` by itself")


@asynccontextmanager
async def worker(address: str, prefix: str, partitions: int) -> AsyncIterator[WorkerProcess]:
    """Run a worker until the block ends, then stop it as a supervisor would; raises WorkerFailed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "worker", "--broker", address, "--prefix", prefix,
        "--partitions", str(partitions),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        limit=1 << 20, start_new_session=True, env={**os.environ, "LIQMON_LOG_LEVEL": "info"},
    )  # fmt: skip
    running_worker = WorkerProcess(process)
    following = asyncio.create_task(running_worker.follow())
    try:
        async with asyncio.timeout(READY_S):
            await running_worker.ready.wait()
        running_worker.check()
        yield running_worker
    except TimeoutError as error:
        raise WorkerFailed(
            f"the worker was not ready after {READY_S:.0f} s", "try again on a quieter machine"
        ) from error
    finally:
        await _stop(process)
        await following


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
