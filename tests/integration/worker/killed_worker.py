"""A real worker that is killed (SIGKILL) at a named point of a flush: everything else is the command's own code.

Usage: killed_worker.py POINT COUNT SIGNAL -- arguments of `liqmon worker`. Points are the effects of a flush: `values`,
`events`, `states`, `commit`. The process gets the signal right after the COUNT-th such effect that sent anything, or
before it with `before-POINT`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from monitor.cli import main
from monitor.engine.outbox import Event
from monitor.worker.flush import Flusher
from monitor.worker.group import Group
from monitor.worker.publisher import Outbound, Publisher

POINT, COUNT, SIGNAL = sys.argv[1], int(sys.argv[2]), getattr(signal, sys.argv[3])
seen = 0
opening = False


def kind_of(messages: Sequence[Outbound]) -> str:
    topic = messages[0].topic
    if topic.endswith("-changelog"):
        # Opening a shard writes markers alone.
        return "values" if any(not (message.key or b"!").startswith(b"!") for message in messages) else "markers"
    return "states" if "account-states" in topic else "again" if opening else "events"


def reached(point: str) -> None:
    global seen  # noqa: PLW0603 (one process, one counter)
    if point == POINT:
        seen += 1
        if seen == COUNT:
            sys.stderr.write('{"event": "killed"}\n')
            sys.stderr.flush()
            os.kill(os.getpid(), SIGNAL)


real_send, real_commit = Publisher.send, Group.commit


async def send(self: Publisher, messages: Sequence[Outbound]) -> None:
    if messages:
        reached(f"before-{kind_of(messages)}")
    await real_send(self, messages)
    if messages:
        reached(kind_of(messages))


async def commit(self: Group) -> None:
    due: dict[Any, int] = dict(self._due)
    if due:
        reached("before-commit")
    await real_commit(self)
    if due:
        reached("commit")


real_events = Flusher.events


async def send_again(self: Flusher, events: Iterable[Event]) -> None:
    global opening  # noqa: PLW0603 (one process, one opening at a time)
    opening = True
    await real_events(self, events)
    opening = False


Flusher.events = send_again  # type: ignore[method-assign]
Publisher.send = send  # type: ignore[method-assign]
Group.commit = commit  # type: ignore[method-assign]
sys.argv = ["liqmon", *sys.argv[sys.argv.index("--") + 1 :]]
main()
