"""A flame graph of a tick: where the time of the engine's Python and kernels goes, as one SVG file.

    python -m benchmarks.flame docs/figures/tick-incremental.svg --without-certificates

A timer of processor time interrupts ticks of half a basis point (`benchmarks.ticks_book`) and takes the stack of Python
frames, weighed by the time since the sample before. The interpreter handles an interrupt when it is back in Python, so
a kernel's time is found on the line that called it; the kernel that the line calls becomes a frame of its own. Inside
of kernels nothing is seen, and what a line does besides its call counts as the kernel.
"""

from __future__ import annotations

import gc
import html
import linecache
import re
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Self

import click

from benchmarks import sweep, sweep_book
from benchmarks.ticks import Pair, walk, warm
from benchmarks.ticks_book import COINS, build
from monitor.engine import State
from schemas.records import PriceTick

SAMPLE_S = 0.000_5
WIDTH, ROW, LEAST_PX = 1_200, 18, 0.4
PYTHON, KERNEL, ROOT = "#f2c14e", "#5fa8d3", "#d9d9d9"
_CALL = re.compile(r"(\w+)\.(\w+)\(")


@dataclass(slots=True)
class Node:
    """A frame and what it called; seconds include those of its calls."""

    seconds: float = 0.0
    calls: dict[str, Node] = field(default_factory=dict)


class Sampler:
    """Takes stacks while it is entered; `root` has them all."""

    def __init__(self, within: Callable[..., object]) -> None:
        self.root = Node()
        self._within = within.__code__
        self._last_s = 0.0

    def __enter__(self) -> Self:
        """Start the timer."""
        self._last_s = time.process_time()
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the timer."""
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)

    def _take(self, _number: int, frame: FrameType | None) -> None:
        now_s = time.process_time()
        seconds, self._last_s = now_s - self._last_s, now_s
        stack: list[str] = []
        leaf = _kernel(frame) if frame is not None else None
        while frame is not None and frame.f_code is not self._within:
            stack.append(_name(frame))
            frame = frame.f_back
        if frame is None:
            return  # beside the ticks
        _add(self.root, [*reversed(stack), *([leaf] if leaf else [])], seconds)


def _name(frame: FrameType) -> str:
    module = frame.f_globals.get("__name__", "?").removeprefix("monitor.engine.")
    return f"{module}.{frame.f_code.co_qualname}"


def _kernel(frame: FrameType) -> str | None:
    """Return the kernel that a frame's line calls, None if it calls none."""
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno or 0)
    for owner, name in _CALL.findall(line):
        module = frame.f_globals.get(owner)
        if isinstance(module, ModuleType) and module.__name__.startswith("kernels"):
            return f"{module.__name__}.{name}"
    return None


def _add(root: Node, stack: Iterable[str], seconds: float) -> None:
    root.seconds += seconds
    node = root
    for name in stack:
        node = node.calls.setdefault(name, Node())
        node.seconds += seconds


def svg(root: Node, title: str) -> str:
    """Return a flame graph: widths are shares of the time, callers below what they call."""
    depth = _depth(root)
    height = (depth + 2) * ROW + 8
    style = 'font-family="monospace" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {style}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="4" y="13">{html.escape(title)}</text>',
    ]
    _draw(parts, "all", root, 0.0, height - ROW - 4, root.seconds)
    return "\n".join([*parts, "</svg>", ""])


def _depth(node: Node) -> int:
    return 1 + max((_depth(one) for one in node.calls.values()), default=0)


def _draw(parts: list[str], name: str, node: Node, x: float, y: float, total: float) -> None:
    width = WIDTH * node.seconds / total
    if width < LEAST_PX:
        return
    colour = ROOT if name == "all" else KERNEL if name.startswith("kernels.") else PYTHON
    label = f"{name} {100 * node.seconds / total:.1f} %"
    shown = html.escape(label[: max(0, int(width / 6.7))]) if width > 40 else ""
    parts.append(
        f'<g><title>{html.escape(label)}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" '
        f'fill="{colour}" stroke="white" stroke-width="0.5"/><text x="{x + 3:.1f}" y="{y + 12}">{shown}</text></g>'
    )
    for called, below in sorted(node.calls.items()):
        _draw(parts, called, below, x, y - ROW, total)
        x += WIDTH * below.seconds / total


def ticks(state: State, records: list[PriceTick]) -> None:
    """Let a book take ticks: what is sampled."""
    for record in records:
        change = state.market.apply(record)
        state.book.refresh(change.underlyings, state.market, index_only=change.index_only)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--accounts", default=sweep_book.ACCOUNTS, show_default=True)
@click.option("--count", default=4_000, show_default=True, help="Ticks.")
@click.option("--without-certificates", is_flag=True)
def main(out: Path, accounts: int, count: int, without_certificates: bool) -> None:
    """Sample ticks of one side, write the graph, and print the largest shares."""
    pair = Pair(build(sweep.Book(accounts).segments, accounts))
    warm(pair)
    walk(pair, 0.5e-4, 50)
    gc.collect()
    gc.freeze()
    gc.disable()
    state = pair.built.plain if without_certificates else pair.built.certified
    quotes, sampler = pair.built.quotes, Sampler(ticks)
    coins = [COINS[int(number)] for number in quotes.rng.integers(len(COINS), size=count)]
    records = [quotes.tick(coin, 1.00005 if k % 2 else 1.0 / 1.00005) for k, coin in enumerate(coins)]
    start_s = time.process_time()
    with sampler:
        ticks(state, records)
    spent_s = time.process_time() - start_s
    side = "without certificates" if without_certificates else "with certificates"
    title = f"a tick {side}: {1e6 * spent_s / count:.0f} us, {accounts:,} accounts; blue: kernels, yellow: Python"
    out.write_text(svg(sampler.root, title))
    own: dict[str, float] = {}
    _own(sampler.root, "all", own)
    for name, seconds in sorted(own.items(), key=lambda item: -item[1])[:12]:
        click.echo(f"{100 * seconds / sampler.root.seconds:5.1f} %  {name}")


def _own(node: Node, name: str, into: dict[str, float]) -> None:
    into[name] = into.get(name, 0.0) + node.seconds - sum(one.seconds for one in node.calls.values())
    for called, below in node.calls.items():
        _own(below, called, into)


if __name__ == "__main__":
    main()
