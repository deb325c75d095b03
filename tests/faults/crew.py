"""The workers of one run, looked after as a supervisor does: who asks for a restart gets one, any other end breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.feed import P
from tests.integration.worker.support import Process

RESTART = 75
POLL_S = 0.05
HANGS_S = 600.0  # only what hangs takes so long, also on a machine that has ten times as much to do


INTERRUPTED = threading.Event()
"""Somebody wants the run to end: nothing is waited for any more, and nothing new begins."""


class Broken(Exception):
    """Something that has to happen did not; the row says so."""


@dataclass
class Crew:
    """`make` starts one worker; `ended` holds all that are gone."""

    make: Callable[[], Process]
    members: list[Process] = field(default_factory=list)
    ended: list[Process] = field(default_factory=list)
    restarts: int = 0

    def add(self, worker: Process | None = None) -> Process:
        """Have one more."""
        self.members.append(worker or self.make())
        return self.members[-1]

    def remove(self, worker: Process) -> Process:
        """Count a worker no more; nobody starts it again."""
        self.members = [member for member in self.members if member is not worker]  # equal ones are not the same
        self.ended.append(worker)
        return worker

    def kill(self, worker: Process) -> None:
        """`kill -9`."""
        self.remove(worker).kill()

    def tend(self) -> None:
        """Start those again that asked for it; raises Broken on any other end, and when the run is to end."""
        if INTERRUPTED.is_set():
            raise Broken("interrupted")
        for worker in list(self.members):
            code = worker.child.poll()
            if code is None:
                continue
            self.remove(worker)
            worker.ended()
            if code != RESTART:
                raise Broken(f"a worker ended with {code}: {worker.tail(5)}")
            self.restarts += 1
            self.add()

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = HANGS_S) -> Any:
        """Return the first true value of `condition`, looking after the workers; raises Broken when time is up."""
        deadline_s = time.monotonic() + timeout_s
        while not (value := condition()):
            self.tend()
            if time.monotonic() > deadline_s:
                raise Broken(f"{what}: not within {timeout_s:.0f} s")
            time.sleep(POLL_S)
        return value

    def idle_for(self, seconds: float) -> None:
        """Let time pass, looking after the workers."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.tend()
            time.sleep(POLL_S)

    def shared(self) -> bool:
        """Whether all are ready in one generation of the group, with every partition owned once."""
        lines = [worker.said("ready")[-1] for worker in self.members if worker.said("ready")]
        owned = sorted(partition for line in lines for partition in line["partitions"])
        same = len(lines) == len(self.members) and len({line["generation"] for line in lines}) == 1
        return same and owned == list(range(P))

    def wait_until_shared(self) -> float:
        """Wait until the partitions are shared out; return the seconds it took."""
        start_s = time.monotonic()
        self.until(self.shared, "partitions shared out and ready")
        return time.monotonic() - start_s

    def finish(self) -> list[tuple[int, float]]:
        """End all in an orderly way, one after the other; return exit code and seconds of each."""
        done = []
        for worker in list(self.members):
            start_s = time.monotonic()
            code = self.remove(worker).terminate()
            done.append((code, time.monotonic() - start_s))
        return done

    @property
    def sent_again(self) -> int:
        """Stored events that new owners sent again."""
        return sum(line["sent_again"] for one in (*self.ended, *self.members) for line in one.said("opened"))

    def end(self) -> None:
        """Leave nothing behind."""
        for worker in (*self.members, *self.ended):
            worker.end()
