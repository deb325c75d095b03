"""A broker that somebody else runs."""

from __future__ import annotations

from monitor.brokers.probe import ClusterInfo, parse_address, probe
from monitor.connection import Address, Endpoint


class UrlBroker:
    """The cluster at a given address: checked at `start`, never stopped."""

    name = "given broker"
    durable = True

    def __init__(self, url: Address, *, timeout_s: float = 10.0) -> None:
        self._address = url if isinstance(url, Endpoint) else Endpoint(parse_address(url))
        self._timeout_s = timeout_s
        self._info: ClusterInfo | None = None

    def start(self) -> Address:
        """Return the address once the cluster answers a metadata request; raise BrokerError."""
        self._info = probe(self._address, self._timeout_s)
        return self._address

    def stop(self) -> None:
        """Leave the cluster running: it is not ours."""
        self._info = None

    def describe(self) -> str:
        """One line with the address and the size of the cluster."""
        nodes = f", brokers {len(self._info.brokers)}" if self._info else ""
        return f"{self.name} at {self._address}{nodes}"
