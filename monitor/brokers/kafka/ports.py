"""Ports of 127.0.0.1."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from monitor.brokers.interface import PortTaken
from monitor.brokers.kafka.properties import HOST


def choose_ports(asked: int, more: int = 0) -> tuple[int, ...]:
    """Return two and `more` different free ports, the first one `asked` unless that is 0; raise PortTaken."""
    with ExitStack() as stack:
        first, *others = [stack.enter_context(socket.socket()) for _ in range(2 + more)]
        # As the broker does, so that connections of a stopped broker in TIME_WAIT do not count as taken.
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            first.bind((HOST, asked))
        except OSError as error:
            raise PortTaken(
                f"port {asked} of {HOST} cannot be used ({error.strerror})",
                "choose another with --port, or stop the process that holds it",
            ) from error
        for other in others:
            other.bind((HOST, 0))
        return tuple(int(each.getsockname()[1]) for each in (first, *others))
