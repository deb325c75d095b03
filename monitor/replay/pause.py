"""Ctrl-Z of a replay to topics: it stops when all that was sent is acknowledged, and goes on at its pace with `fg`.

A process that is stopped in the middle of a request would find its messages expired. Through the engine nothing has to
be done: the shell's own stop and `fg` are the pause.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


class Pause:
    """Takes SIGTSTP while its block runs, and stops when it is asked to; `stop` does the stopping."""

    def __init__(self, stop: Callable[[], None] = _stop) -> None:
        self._stop = stop
        self.asked = False

    def __enter__(self) -> Self:
        """Take the signal."""
        self._before = signal.signal(signal.SIGTSTP, self._ask)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Give the signal back."""
        signal.signal(signal.SIGTSTP, self._before)

    def stop(self, clock: Callable[[], float]) -> float:
        """Stop until SIGCONT; return how many seconds that were."""
        self.asked = False
        start_s = clock()
        self._stop()
        return clock() - start_s

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
