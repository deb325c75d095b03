"""How a replay gets on: a bar with rate and time left on a terminal, nothing anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@dataclass(frozen=True, slots=True)
class Step:
    """Where a replay is: records so far, share of the sources read, arrival time reached, records a second."""

    records: int
    fraction: float
    market_time_us: int
    rate: float


OnStep = Callable[[Step], None]


def ignore(_step: Step) -> None:
    """Show nothing."""


@contextmanager
def progress_bar(title: str, *, quiet: bool) -> Iterator[OnStep]:
    """Show a bar on standard error while the block runs; quiet, or without a terminal, show nothing."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield ignore
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[records]:>12,} records {task.fields[rate]:>9,.0f}/s  market {task.fields[clock]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=1.0, records=0, rate=0.0, clock="-")

        def show(step: Step) -> None:
            moment = datetime.fromtimestamp(step.market_time_us * 1e-6, UTC)
            bar.update(task, completed=step.fraction, records=step.records, rate=step.rate,
                       clock=f"{moment:%Y-%m-%d %H:%M:%S}")  # fmt: skip

        yield show
