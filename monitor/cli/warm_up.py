"""`liqmon warm-up`: compile the kernels for this machine, so that nothing waits for it later."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from kernels._jit import Tally

PLAIN_EVERY_S = 20.0
POLL_S = 0.25


@click.command(
    "warm-up", epilog="\b\nExample:\n  liqmon warm-up\n  liqmon warm-up --json | jq .compiled"
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> None:
    """Compile all kernels for this CPU, or load what was compiled before.

    The first time takes one to four minutes; later ones, and every worker's start, a second or two. Upgrades of this
    package or of numba compile again.
    """
    # Imported here: `--help` needs no kernels.
    from kernels import warmup  # noqa: PLC0415
    from kernels._jit import TALLY  # noqa: PLC0415
    from monitor.models import warmup as models  # noqa: PLC0415

    with _progress(TALLY):
        warmup.warm_up()
        models.warm_up()
    if as_json:
        click.echo(orjson.dumps({"compiled": TALLY.compiled, "loaded": TALLY.loaded, "seconds": TALLY.seconds}))
    else:
        click.echo(f"kernels: {TALLY.compiled} compiled, {TALLY.loaded} loaded, {TALLY.seconds:.1f} s")


@contextmanager
def _progress(tally: Tally) -> Iterator[None]:
    """Say on standard error how far compilation is: a moving line on a terminal, now and then a line elsewhere."""
    console, ended = Console(stderr=True), threading.Event()
    watch = _bar if console.is_terminal else _plain
    watcher = threading.Thread(target=watch, args=(console, tally, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _bar(console: Console, tally: Tally, ended: threading.Event) -> None:
    columns = (
        TextColumn("compiling kernels"), BarColumn(),
        TextColumn("{task.fields[compiled]} compiled, {task.fields[loaded]} loaded"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        # Without a total: how many there are is known when the last one is.
        task = bar.add_task("", total=None, compiled=0, loaded=0)
        while not ended.wait(POLL_S):
            bar.update(task, compiled=tally.compiled, loaded=tally.loaded)


def _plain(console: Console, tally: Tally, ended: threading.Event) -> None:
    start_s = time.monotonic()
    while not ended.wait(PLAIN_EVERY_S):
        console.print(
            f"compiling kernels: {tally.compiled} so far, {time.monotonic() - start_s:.0f} s", highlight=False
        )
