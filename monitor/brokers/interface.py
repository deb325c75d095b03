"""What the rest of the shell knows about a broker, and the ways one can fail."""

from __future__ import annotations

from typing import Protocol

from monitor.connection import Address
from monitor.errors import ExitCode, MonitorError


class Broker(Protocol):
    """A Kafka protocol endpoint whose life time may be ours.

    Calls block; inside a coroutine use `asyncio.to_thread`.
    """

    @property
    def name(self) -> str:
        """Short name for consoles and logs."""
        ...

    @property
    def durable(self) -> bool:
        """Whether acknowledged records outlive the broker process."""
        ...

    def start(self) -> Address:
        """Return the bootstrap address once a metadata request is answered; raise BrokerError otherwise."""
        ...

    def stop(self) -> None:
        """End whatever `start` started; calling it twice does nothing."""
        ...

    def describe(self) -> str:
        """One line: which broker, where, and where its data is."""
        ...


class BrokerError(MonitorError):
    """No usable broker: every cause below is one of these."""

    exit_code = ExitCode.UNREACHABLE


class BadAddress(BrokerError):
    """The address is not `host:port[,host:port...]`."""


class Unreachable(BrokerError):
    """Nothing that speaks Kafka answers at the address."""


class PortTaken(BrokerError):
    """The port asked for belongs to another process."""


class NoJava(BrokerError):
    """There is no `java` to run a broker with."""


class JavaTooOld(BrokerError):
    """The `java` found is older than the broker needs."""


class NoMaven(BrokerError):
    """There is no `mvn`, and the broker's jars are not in the cache yet."""


class JarsUnavailable(BrokerError):
    """Maven did not deliver the broker's jars: no network at the first run, or an altered jar."""


class EmbeddedUnavailable(BrokerError):
    """The embedded broker is not installed, or in another version than the one that was tested."""


class StorageUnusable(BrokerError):
    """A folder of the broker cannot be written, or another broker uses it."""


class StartFailed(BrokerError):
    """The broker process ended, or did not answer in time; its log says why."""
