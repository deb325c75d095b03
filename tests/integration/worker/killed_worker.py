"""A real worker that is killed (SIGKILL) at a named point of a flush: everything else is the command's own code.

Usage: killed_worker.py POINT COUNT SIGNAL -- arguments of `liqmon worker`. Points are the effects of a flush: `values`,
`events`, `states`, `commit`. The process gets the signal right after the COUNT-th such effect that sent anything, or
before it with `before-POINT`.

How many flushes there are must not hang on the speed of the machine: a turn is one step, and a flush follows each one
that brings an event. Effects count in flushes with events alone, commits when no flush is under way.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from monitor.cli import main
from monitor.engine.outbox import Event, Flush
from monitor.worker import engine_task
from monitor.worker.engine_task import Engine
from monitor.worker.flush import Flusher
from monitor.worker.group import Group
from monitor.worker.publisher import Outbound, Publisher

POINT, COUNT, SIGNAL = sys.argv[1], int(sys.argv[2]), getattr(signal, sys.argv[3])
seen = 0
sending = ""  # what is under way: "again" of an opening, "flush" with events, "idle" one without


def kind_of(messages: Sequence[Outbound]) -> str:
    topic = messages[0].topic
    if topic.endswith("-changelog"):
        # Opening a shard writes markers alone.
        return "values" if any(not (message.key or b"!").startswith(b"!") for message in messages) else "markers"
    if "market-snapshots" in topic:  # beside the flushes, at any time
        return "snapshots"
    return "states" if "account-states" in topic else "events"


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
    counts = messages and sending == "flush"
    if counts:
        reached(f"before-{kind_of(messages)}")
    await real_send(self, messages)
    if counts:
        reached(kind_of(messages))


async def commit(self: Group) -> None:
    due: dict[Any, int] = dict(self._due)
    if due and not sending:
        reached("before-commit")
    await real_commit(self)
    if due and not sending:
        reached("commit")


@contextmanager
def under_way(what: str) -> Iterator[None]:
    global sending  # noqa: PLW0603 (one process, one flush or opening at a time)
    sending = what
    yield
    sending = ""


real_flush, real_again, real_due = Flusher.send, Flusher.events, Engine._flush_due


async def send_flush(self: Flusher, shards: Any, flush: Flush, *rest: Any) -> None:
    with under_way("flush" if flush.events else "idle"):
        await real_flush(self, shards, flush, *rest)


async def send_again(self: Flusher, events: Iterable[Event]) -> None:
    with under_way("again"):
        await real_again(self, events)


def due_at_once(self: Engine, now_ms: float) -> bool:
    return self._urgent_since_ms is not None or real_due(self, now_ms)


engine_task.TURN_MS = 0.0
Engine._flush_due = due_at_once  # type: ignore[method-assign]
Flusher.send = send_flush  # type: ignore[method-assign, assignment]
Flusher.events = send_again  # type: ignore[method-assign]
Publisher.send = send  # type: ignore[method-assign]
Group.commit = commit  # type: ignore[method-assign]
sys.argv = ["liqmon", *sys.argv[sys.argv.index("--") + 1 :]]
main()
