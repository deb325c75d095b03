"""What a worker shows of its recovery: a bar with rate and time left on a terminal, log lines anywhere else."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars

from monitor.worker.recovery import Progress

LOOK_S: Final = 0.25
SAY_S: Final = 3.0
TITLES: Final = {"recovering": "reading the stored state", "catching_up": "catching up"}

log = structlog.get_logger("monitor.worker")


class Lines:
    """A log line when a stage begins, and every few seconds while it goes on."""

    def __init__(self, every_s: float = SAY_S) -> None:
        self._every_s = every_s
        self._stage = ""
        self._said_s = 0.0

    def show(self, progress: Progress | None, now_s: float) -> None:
        """Say how far it is, if it is time to."""
        if progress is None:
            self._stage = ""
        elif progress.stage != self._stage or now_s - self._said_s >= self._every_s:
            self._stage, self._said_s = progress.stage, now_s
            left_s = None if progress.left_s is None else round(progress.left_s, 1)
            log.info(
                progress.stage, read=progress.read, total=progress.total, share=round(progress.share, 3),
                rate_per_s=round(progress.rate_per_s), left_s=left_s,
            )  # fmt: skip

    def end(self) -> None:
        """Nothing more comes."""


class Bar:
    """A bar at the foot of a terminal; log lines go above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Bars | None = None
        self._streams: list[tuple[logging.StreamHandler[Any], Any]] = []

    def show(self, progress: Progress | None, now_s: float) -> None:  # noqa: ARG002 (lines need it)
        """Draw how far it is; None takes the bar away."""
        if progress is None:
            self.end()
            return
        if self._bars is None:
            self._bars = self._begin()
        left = "" if progress.left_s is None else f"{progress.left_s:.0f} s left"
        self._bars.update(
            self._bars.task_ids[0], description=TITLES[progress.stage], completed=progress.share, read=progress.read,
            of=progress.total, rate=progress.rate_per_s, left=left,
        )  # fmt: skip
        self._bars.refresh()

    def end(self) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            for handler, stream in self._streams:
                handler.setStream(stream)
            self._streams.clear()

    def _begin(self) -> Bars:
        columns = (
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[read]:,} of {task.fields[of]:,} offsets {task.fields[rate]:>9,.0f}/s"),
            TextColumn("{task.fields[left]}"),
        )  # fmt: skip
        bars = Bars(*columns, console=self._console, transient=True, auto_refresh=False)
        before = sys.stderr
        bars.start()
        bars.add_task("", total=1.0, read=0, of=0, rate=0.0, left="")
        # The bar has put itself in the place of standard error; handlers that hold the former one would write into it.
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                self._streams.append((handler, before))
                handler.setStream(sys.stderr)
        return bars


async def show(look: Callable[[], Progress | None]) -> None:
    """Show for ever what `look` returns."""
    console = Console(stderr=True)
    shown = Bar(console) if console.is_terminal else Lines()
    try:
        while True:
            shown.show(look(), time.monotonic())
            await asyncio.sleep(LOOK_S)
    finally:
        shown.end()
