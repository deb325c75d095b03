"""How a worker knows that it may still act, and how it ends when it may not.

A worker is crash-only: whatever it cannot repair ends the process, at once and before the next send or commit, and a
restart recovers. Nothing is tidied up on that path, because tidying would send.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import structlog
from aiokafka.errors import KafkaError

from monitor.errors import MonitorError
from monitor.worker.errors import Ending, Paused, WorkerError

BEAT_S = 0.25

log = structlog.get_logger("monitor.worker")


def clock_s() -> float:
    """Seconds of a clock that also runs while the machine sleeps, where there is one."""
    # CLOCK_MONOTONIC stands still during a suspend, and a suspended laptop is a paused worker.
    boot: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def end_process(error: BaseException) -> NoReturn:
    """Say why in one line and end now: no exit handler, no commit, no send."""
    if isinstance(error, WorkerError):
        ending = error.ending
        log.critical("ending", reason=type(error).__name__, cause=error.cause, remedy=error.remedy, code=int(ending))
    elif isinstance(error, MonitorError):
        ending = Ending.RESTART
        log.critical("ending", reason=type(error).__name__, cause=error.cause, remedy=error.remedy, code=int(ending))
    elif isinstance(error, KafkaError | OSError):
        # A broker that is away longer than its clients wait: the restart waits for it.
        ending = Ending.RESTART
        log.critical("ending", reason=type(error).__name__, cause=str(error), code=int(ending))
    else:
        ending = Ending.DEFECT
        log.critical("ending", reason=type(error).__name__, cause=str(error), code=int(ending), exc_info=error)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(ending)


class Pulse:
    """Notices that the process stood still for longer than its session.

    Whoever runs first after a pause sees it: the beating task, or the check before a send.
    """

    def __init__(self, session_timeout_s: float, clock: Callable[[], float] = clock_s) -> None:
        self.session_timeout_s = session_timeout_s
        self._clock = clock
        self._last_s = clock()

    def check(self) -> None:
        """Beat; raise Paused if the last beat is longer ago than a session."""
        now_s = self._clock()
        gap_s, self._last_s = now_s - self._last_s, now_s
        if gap_s > self.session_timeout_s:
            raise Paused(
                f"this worker stood still for {gap_s:.1f} s, its session is {self.session_timeout_s:.1f} s",
                "restart it; if the machine was not suspended, look for CPU starvation",
            )

    @property
    def age_s(self) -> float:
        """Seconds since the last beat."""
        return self._clock() - self._last_s

    async def run(self) -> None:
        """Beat for ever, from now on: what came before was the start, when nothing was owned that others could take."""
        self._last_s = self._clock()
        while True:
            self.check()
            await asyncio.sleep(BEAT_S)
