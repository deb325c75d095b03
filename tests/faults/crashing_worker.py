"""A real worker that kills itself (SIGKILL) at a named point: everything else is the command's own code.

Usage: python -m tests.faults.crashing_worker POINT arguments of `liqmon worker`.

How many flushes there are must not hang on the speed of the machine: a turn is one step, and a flush follows each one
that brings an event. Points of a flush count in flushes with events alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from monitor.cli import main
from monitor.engine.outbox import Event, Flush
from monitor.worker import engine_task
from monitor.worker.changelog import RecoveredState
from monitor.worker.engine_task import Engine
from monitor.worker.flush import Flusher
from monitor.worker.group import Group
from monitor.worker.ownership import Ownership
from monitor.worker.publisher import Outbound, Publisher

POINTS = {
    "before-state": 2, "state-under-way": 2, "state-sent": 2, "events-under-way": 2, "events-sent": 2,
    "states-sent": 2, "before-commit": 1, "commit-under-way": 1, "commit-done": 1, "recovery-reading": 3,
    "recovery-claimed": 2, "recovery-sent-again": 1, "giving-up": 1, "gave-up": 1,
}  # fmt: skip
"""Points in the order of a run, and the how-manieth time a worker comes to one is its last."""
REBALANCE = frozenset({"giving-up", "gave-up"})
"""Points that another member of the group has to bring about."""
UNDER_WAY = 3  # turns of the loop in which a request leaves and its answer is not there yet

_KINDS = {"values": "state", "events": "events", "states": "states"}


class Points:
    """Counts how often the worker came to its point."""

    def __init__(self) -> None:
        self.point = ""
        self.left = 0
        self.flushing = False

    def reached(self, name: str) -> None:
        """End here if this is the point, and its time."""
        if name != self.point:
            return
        self.left -= 1
        if self.left == 0:
            sys.stderr.write('{"event": "killed"}\n')
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    async def around(self, name: str, work: Awaitable[Any]) -> Any:
        """Await something that may end while it is under way."""
        task = asyncio.ensure_future(work)
        if name == self.point:
            for _ in range(UNDER_WAY):
                await asyncio.sleep(0)
            self.reached(name)
        return await task


points = Points()


def kind_of(messages: Sequence[Outbound]) -> str:
    """Say which step of a flush sends these."""
    topic = messages[0].topic
    if topic.endswith("-changelog"):
        return "values" if any(not (message.key or b"!").startswith(b"!") for message in messages) else "markers"
    if "market-snapshots" in topic:  # beside the flushes, at any time
        return "snapshots"
    return "states" if "account-states" in topic else "events"


@contextmanager
def _flush_under_way(flush: Flush) -> Iterator[None]:
    points.flushing = bool(flush.events)
    yield
    points.flushing = False


def install() -> None:  # noqa: C901 (one replacement a step)
    """Put the points around the worker's own steps."""
    real_send, real_commit, real_flush = Publisher.send, Group.commit, Flusher.send
    real_again, real_finish, real_due = Flusher.events, Ownership._finish, Engine._flush_due
    real_claim, real_add = Ownership._claim, RecoveredState.add

    async def send(self: Publisher, messages: Sequence[Outbound]) -> None:
        kind = _KINDS.get(kind_of(messages)) if messages and points.flushing else None
        if kind is None:
            await real_send(self, messages)
            return
        points.reached(f"before-{kind}")
        await points.around(f"{kind}-under-way", real_send(self, messages))
        points.reached(f"{kind}-sent")

    async def commit(self: Group) -> None:
        if not self._due or self._due == self._committed:
            await real_commit(self)
            return
        points.reached("before-commit")
        await points.around("commit-under-way", real_commit(self))
        points.reached("commit-done")

    async def send_flush(self: Flusher, shards: Any, flush: Flush, *rest: Any) -> None:
        with _flush_under_way(flush):
            await real_flush(self, shards, flush, *rest)

    async def send_again(self: Flusher, events: Iterable[Event]) -> None:
        await real_again(self, events)
        points.reached("recovery-sent-again")

    async def claim(self: Ownership, *arguments: Any) -> None:
        await real_claim(self, *arguments)
        points.reached("recovery-claimed")

    async def finish(self: Ownership) -> None:
        had = bool(self._engine.order.shards)
        if had:
            points.reached("giving-up")
        await real_finish(self)
        if had:
            points.reached("gave-up")

    def add(self: RecoveredState, *arguments: Any) -> None:
        real_add(self, *arguments)
        points.reached("recovery-reading")

    def due_at_once(self: Engine, now_ms: float) -> bool:
        return self._urgent_since_ms is not None or real_due(self, now_ms)

    engine_task.TURN_MS = 0.0
    for owner, name, replacement in (
        (Publisher, "send", send), (Group, "commit", commit), (Flusher, "send", send_flush),
        (Flusher, "events", send_again), (Ownership, "_claim", claim), (Ownership, "_finish", finish),
        (RecoveredState, "add", add), (Engine, "_flush_due", due_at_once),
    ):  # fmt: skip
        setattr(owner, name, replacement)


if __name__ == "__main__":
    points.point = sys.argv[1]
    points.left = POINTS[points.point]
    install()
    sys.argv = ["liqmon", *sys.argv[2:]]
    main()
