"""Start and stop one local Apache Kafka."""

from __future__ import annotations

import base64
import fcntl
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.brokers.child import Child
from monitor.brokers.interface import BrokerError, PortTaken, StartFailed, StorageUnusable
from monitor.brokers.kafka.jars import KAFKA_VERSION, ensure_jars
from monitor.brokers.kafka.java import find_java
from monitor.brokers.kafka.ports import choose_ports
from monitor.brokers.kafka.properties import HOST, Listener, Node, render, server_properties

LOG = "broker.log"
# Kafka's orderly stop takes 1 to 2 s with a few hundred partitions; a stop that hangs must not hang us.
_STOP_GRACE_S = 15.0
# Free ports are found by binding and releasing; another process may take one in between.
_PORT_ATTEMPTS = 3
# A broker whose starter was killed needs a second or two to end; whoever starts again at once waits for it.
_LOCK_WAIT_S = 5.0


class LocalKafka:
    """Apache Kafka, one KRaft node on 127.0.0.1, in a child process.

    `port` 0 takes a free one. `data_dir` None uses a temporary folder that is removed at `stop`; a named folder is
    kept and can be started again, on any port. `overrides` are broker settings that win over ours. `listeners` maps
    names to protocols (SSL, SASL_SSL): more ways to the broker, each at a free port that `ports` tells after `start`.
    `format_options` go to the tool that makes the data folder, for users that have to be there from the beginning.
    """

    name = "local Apache Kafka"

    def __init__(
        self,
        *,
        port: int = 0,
        data_dir: Path | None = None,
        heap_mb: int = 768,
        start_timeout_s: float = 90.0,
        overrides: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
    ) -> None:
        self._asked_port = port
        self._data_dir = data_dir.expanduser().absolute() if data_dir else None
        self._heap_mb = heap_mb
        self._start_timeout_s = start_timeout_s
        self._overrides = dict(overrides or {})
        self._listeners = dict(listeners or {})
        self._format_options = list(format_options)
        self._child: Child | None = None
        self._folder: Path | None = None
        self.port = 0
        self.ports: dict[str, int] = {}

    @property
    def durable(self) -> bool:
        """Whether the data outlives `stop`: only in a folder that the user named."""
        return self._data_dir is not None

    @property
    def alive(self) -> bool:
        """Whether the process that `start` began still runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int:
        """Process id of the broker, 0 if none was started."""
        return self._child.pid if self._child else 0

    @property
    def log_path(self) -> Path | None:
        """Where the broker writes its log, None before `start`."""
        return self._folder / LOG if self._folder else None

    def describe(self) -> str:
        """One line with version, address and data folder."""
        where = f"data in {self._data_dir}, kept" if self._data_dir else "data in a temporary folder"
        at = f" at {HOST}:{self.port}" if self.port else ""
        return f"{self.name} {KAFKA_VERSION}{at}, {where}"

    def start(self) -> str:
        """Return `host:port` once the broker answers a metadata request; raise BrokerError."""
        if self._child is not None:
            return f"{HOST}:{self.port}"
        choose_ports(self._asked_port)  # first: no use in fetching anything for a port that is taken
        java = find_java()
        jars = ensure_jars()
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            try:
                return self._start_once(java, jars)
            except PortTaken:
                if self._asked_port or attempt == _PORT_ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def stop(self) -> None:
        """End the broker: SIGTERM, SIGKILL after a grace time; remove a temporary folder."""
        self._stop_process()
        if self._data_dir is None and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self.port = None, 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_once(self, java: str, jars: Path) -> str:
        folder = self._folder = self._make_folder()
        lock = _lock(folder)
        try:
            (folder / LOG).unlink(missing_ok=True)  # what it says must be of this start
            port, controller_port, *more = choose_ports(self._asked_port, len(self._listeners))
            self.ports = dict(zip(self._listeners, more, strict=True))
            listeners = {name: Listener(self.ports[name], protocol) for name, protocol in self._listeners.items()}
            node = Node(1, port, controller_port, folder / "data", overrides=self._overrides, listeners=listeners)
            config = folder / "server.properties"
            config.write_text(render(server_properties(node)))
            run = [java, "-cp", f"{jars}/*", "-Dorg.apache.logging.log4j.level=WARN"]
            if not (node.log_dir / "meta.properties").exists():
                self._format(run, config, folder)
            self._launch(run, config, folder, lock)
            address = f"{HOST}:{port}"
            assert self._child is not None  # narrows the type
            self._child.await_answer(
                address, self._start_timeout_s, lambda what: start_error(folder / LOG, f"Apache Kafka {what}")
            )
        except BaseException as error:
            self._stop_process()
            if self._data_dir is None:
                # The error names the log, so the log stays.
                shutil.rmtree(folder / "data" if isinstance(error, StartFailed) else folder, ignore_errors=True)
            self._folder = None
            raise
        finally:
            os.close(lock)  # the broker holds its own copy
        self.port = port
        return address

    def _make_folder(self) -> Path:
        try:
            if self._data_dir is None:
                return Path(tempfile.mkdtemp(prefix="liqmon-kafka-"))
            self._data_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._data_dir):
                return self._data_dir
        except OSError as error:
            folder = self._data_dir or Path(tempfile.gettempdir())
            raise StorageUnusable(
                f"data folder {folder} cannot be written ({error.strerror})", "name another one, or free its disk"
            ) from error

    def _format(self, run: list[str], config: Path, folder: Path) -> None:
        tool = [
            *run,
            "kafka.tools.StorageTool",
            "format",
            "-t",
            new_cluster_id(),
            "-c",
            str(config),
            *self._format_options,
        ]
        with (folder / LOG).open("ab") as log:
            # Half a second less than the server compiler takes to get warm in a program of two seconds.
            tool[1:1] = ["-XX:TieredStopAtLevel=1", "-Xmx256m"]
            code = subprocess.run(tool, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode
        if code != 0:
            raise start_error(folder / LOG, "Apache Kafka could not format its data folder")

    def _launch(self, run: list[str], config: Path, folder: Path, lock: int) -> None:
        initial_mb = min(256, self._heap_mb)
        command = [*run, "kafka.Kafka", str(config)]
        command[1:1] = [f"-Xms{initial_mb}m", f"-Xmx{self._heap_mb}m"]
        self._child = Child(
            command, log=folder / LOG, folder=folder if self._data_dir is None else None, grace_s=_STOP_GRACE_S,
            pass_fds=[lock],
        )  # fmt: skip

    def _stop_process(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.stop()


def new_cluster_id() -> str:
    """Return a cluster id in Kafka's form: 16 random bytes in URL-safe base64 without padding.

    It never begins with "-", which the format tool would take for an option: one in 64 starts would fail.
    """
    raw = secrets.token_bytes(16)
    return base64.urlsafe_b64encode(bytes([raw[0] & 0x7F]) + raw[1:]).decode().rstrip("=")


def _lock(folder: Path) -> int:
    """Return the descriptor of a lock on `folder`; raise StorageUnusable if a broker has it.

    The lock lives as long as a process that inherited the descriptor. Kafka's own comes too late: a second broker
    on the folder writes into the metadata log of the first, which dies of it, before it asks for the lock.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise StorageUnusable(
                    f"another broker uses the data folder {folder}", "stop it, or name another folder with --data"
                ) from error
            time.sleep(0.1)
        else:
            return descriptor


def start_error(log: Path, what: str) -> BrokerError:
    """Return the error of a start that failed, from what the broker's log says."""
    text = log.read_text(errors="replace") if log.exists() else ""
    if "Address already in use" in text:
        return PortTaken(f"{what}: its port was taken meanwhile", "start it again, or choose a port with --port")
    if "No space left on device" in text:
        return StorageUnusable(f"{what}: no space left for {log.parent}", "free some disk, or name another data folder")
    told = re.findall(r"(?:ERROR|FATAL|Exception in thread|Error:|[a-z.]+Exception:) ?(.+)", text)
    reason = f" ({told[-1].strip()[:160]})" if told else ""
    return StartFailed(f"{what}{reason}", f"read {log}")
