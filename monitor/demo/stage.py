"""What the demonstration runs on: a broker, its topics, and one worker as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from monitor.brokers import supervise, topics
from monitor.brokers.interface import Broker
from monitor.connection import Address, client_options
from monitor.errors import MonitorError

READY_S = 90.0  # a worker that compiles its kernels for the first time on a busy machine needs half of it
STOP_S = 15.0  # a worker flushes and leaves within 10 s
LOOK_S = 0.1


class WorkerFailed(MonitorError):
    """The worker of the demonstration ended, or did not get ready."""


@asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[Address]:
    """Start a broker and give its address; stop it at the end."""
    address = await asyncio.to_thread(broker.start)
    try:
        yield address
    finally:
        await asyncio.to_thread(broker.stop)


@asynccontextmanager
async def prepared_topics(address: Address, prefix: str, partitions: int, *, keep: bool) -> AsyncIterator[None]:
    """Create the topics under a prefix; delete everything under it at the end unless `keep`."""
    await topics.apply(address, topics.wanted_topics(prefix, partitions))
    try:
        yield
    finally:
        if not keep:
            await _delete(address, prefix)


async def _delete(address: Address, prefix: str) -> None:
    admin = AIOKafkaAdminClient(**client_options(address))
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
    finally:
        await admin.close()


OF_ANOTHER_BROKER = ("LIQMON_SECURITY_", "LIQMON_TLS_", "LIQMON_SASL_")  # variables


@dataclass(slots=True)
class WorkerProcess:
    """A worker in a process of its own, under a supervisor that ends it when we are gone, however that happens."""

    supervisor: asyncio.subprocess.Process
    log: Path
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    last_line: str = "it said nothing"
    page: str = ""  # where its desk page is

    @property
    def exit_code(self) -> int | None:
        """The worker's exit code, None while it runs."""
        return self.supervisor.returncode

    async def follow(self) -> None:
        """Read the log until the worker ends."""
        with self.log.open() as lines:
            while self.exit_code is None:
                for line in lines:
                    self._take(line.rstrip())
                await asyncio.sleep(LOOK_S)
            for line in lines:
                self._take(line.rstrip())
        self.ready.set()

    async def wait_ready(self) -> None:
        """Wait until it is ready; raises WorkerFailed."""
        try:
            async with asyncio.timeout(READY_S):
                await self.ready.wait()
        except TimeoutError as error:
            raise WorkerFailed(f"the worker was not ready after {READY_S:.0f} s", "run it by itself") from error
        self.check()

    def _take(self, line: str) -> None:
        self.last_line = line or self.last_line
        with suppress(ValueError):
            told = json.loads(line)
            if told.get("event") == "health":
                self.page = f"http://{told['host']}:{told['port']}/"
            if told.get("event") == "ready":
                self.ready.set()

    def check(self) -> None:
        """Raise WorkerFailed if it has ended."""
        if self.exit_code is not None:
            raise WorkerFailed(
                f"the worker ended with code {self.exit_code}: {self.last_line}", "run `liqmon worker` by itself"
            )


@asynccontextmanager
async def worker(
    address: Address, prefix: str, partitions: int, session_timeout_s: float | None = None
) -> AsyncIterator[WorkerProcess]:
    """Run a worker until the block ends, then stop it as a supervisor would; raises WorkerFailed."""
    session = [] if session_timeout_s is None else ["--session-timeout", str(session_timeout_s)]
    with tempfile.TemporaryDirectory(prefix="liqmon-demo-") as folder:
        log = _empty_file(folder, "worker.log")
        supervisor = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", supervise.__file__, str(os.getpid()), str(STOP_S), folder, str(log),
            sys.executable, "-m", "monitor", "worker", "--broker", str(address), "--prefix", prefix,
            "--partitions", str(partitions), *session,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, start_new_session=True,
            env=worker_environment(address, os.environ),
        )  # fmt: skip
        process = WorkerProcess(supervisor, log)
        following = asyncio.create_task(process.follow())
        try:
            await process.wait_ready()
            yield process
        finally:
            if supervisor.returncode is None:
                supervisor.terminate()
            await supervisor.wait()
            await following


def worker_environment(address: Address, ours: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a worker that connects to `address` as we do.

    A local broker of ours is in plain text, whatever protects the way to the broker that the variables are for.
    """
    env = dict(ours)
    if isinstance(address, str):
        env = {name: value for name, value in ours.items() if not name.startswith(OF_ANOTHER_BROKER)}
    elif address.security.insecure:
        env["LIQMON_INSECURE"] = "true"
    return {**env, "LIQMON_LOG_LEVEL": "info"}


def _empty_file(folder: str, name: str) -> Path:
    path = Path(folder, name)
    path.touch()
    return path
