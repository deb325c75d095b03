"""Ports of 127.0.0.1."""

from __future__ import annotations

import socket

from monitor.brokers.interface import PortTaken
from monitor.brokers.kafka.properties import HOST


def choose_ports(asked: int) -> tuple[int, int]:
    """Return two different free ports, the first one `asked` unless that is 0; raise PortTaken."""
    with socket.socket() as first, socket.socket() as second:
        # As the broker does, so that connections of a stopped broker in TIME_WAIT do not count as taken.
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            first.bind((HOST, asked))
        except OSError as error:
            raise PortTaken(
                f"port {asked} of {HOST} cannot be used ({error.strerror})",
                "choose another with --port, or stop the process that holds it",
            ) from error
        second.bind((HOST, 0))
        return int(first.getsockname()[1]), int(second.getsockname()[1])
