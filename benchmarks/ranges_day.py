"""What ladder the price ranges take through recorded market data: every step, and the ranges that were in force.

    python -m benchmarks.ranges_day FILES... --at 2025-10-10T20:45 --at 2025-10-10T21:30

Ranges in force are those of the built-in parameter set, from a market that begins with the first record. `wanted` is
what the volatility asks for before steps and cap; nothing of it is in force before the first estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import click

from monitor.engine.composite import TicksFold
from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.ranges import HORIZON_DAYS, SIGMAS, in_force, rounded_up
from monitor.replay.arrival import Merged, Span
from monitor.replay.sources import open_sources
from monitor.replay.sources.table import iso_us
from schemas.records import Heartbeat, PriceTick, RangeStep

HOUR_US = 3_600_000_000


@dataclass(slots=True)
class Coin:
    """One coin's published steps, and what it was charged and would have been after each."""

    own: float
    steps: list[RangeStep] = field(default_factory=list)
    charged: list[tuple[int, float]] = field(default_factory=list)
    wanted: dict[int, float | None] = field(default_factory=dict)
    """By the moments asked for: the unrounded range, None before an estimate."""

    def at(self, time_us: int) -> float:
        """Return the range in force at a time."""
        found = self.own
        for step_us, value in self.charged:
            if step_us <= time_us:
                found = value
        return found

    def ladder(self) -> list[tuple[int, float]]:
        """Return when the ladder itself changed, and to what."""
        points = [(step.event_time_us, step.price_range) for step in self.steps]
        return [points[0], *(after for before, after in pairwise(points) if before[1] != after[1])]


def largest_rise(points: list[tuple[int, float]]) -> tuple[float, int]:
    """Return the largest quotient of ranges at most an hour apart, and when it was reached; times ascend."""
    best = (1.0, 0)
    for (before_us, before), later in zip(points, (points[k + 1 :] for k in range(len(points))), strict=True):
        until_us = later[0][0] if later else before_us  # the range before holds up to the next step
        for after_us, after in later:
            if after_us <= until_us + HOUR_US:
                best = max(best, (after / before, after_us))
    return best


def coins(files: tuple[Path, ...], moments: list[int]) -> dict[str, Coin]:
    """Fold ticks and heartbeats in order of arrival."""
    fold = TicksFold()
    found: dict[str, Coin] = {}
    left = sorted(moments)
    for _, record in Merged(open_sources(files), Span()):
        if not isinstance(record, PriceTick | Heartbeat):
            continue
        for step in fold.apply(record).steps:
            own = DEFAULT_ACTIVE.risk_matrix(step.underlying).price_range
            coin = found.setdefault(step.underlying, Coin(rounded_up(own)))
            coin.steps.append(step)
            charged = in_force(fold.range_step(step.underlying), own)
            if charged != coin.at(step.event_time_us):
                coin.charged.append((step.event_time_us, charged))
        while left and fold.time_us > left[0]:
            moment = left.pop(0)
            for name, coin in found.items():
                annual = fold.annual_volatility(name)
                coin.wanted[moment] = None if annual is None else SIGMAS * annual * math.sqrt(HORIZON_DAYS / 365.0)
    return found


def table(found: dict[str, Coin], moments: list[int]) -> list[str]:
    """Return one line a coin, in Markdown: in force (and wanted) at the moments asked for, largest rises."""
    heads = "".join(f" {_clock(moment)} |" for moment in moments)
    lines = [
        f"| coin | set's own | first estimate | ladder then |{heads} steps | ladder in an hour | in force in an hour |",
        "|---|---:|---|---:|" + "---:|" * len(moments) + "---:|---:|---:|",
    ]
    for name, coin in sorted(found.items()):
        first = coin.steps[0]
        line = f"| {name} | {coin.own:.2f} | {_clock(first.event_time_us)} | {first.price_range:.2f} |"
        for moment in moments:
            wanted = coin.wanted.get(moment)
            line += f" {coin.at(moment):.2f} ({'-' if wanted is None else f'{wanted:.3f}'}) |"
        ladder = coin.ladder()
        line += f" {len(ladder) - 1} |"
        for rise, when_us in (largest_rise(ladder), largest_rise([(0, coin.own), *coin.charged])):
            line += f" x{rise:.2f} ({_clock(when_us)}) |" if when_us else " none |"
        lines.append(line)
    return lines


def _clock(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%m-%d %H:%M")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--at", multiple=True, help="A minute, UTC, for the table; as often as you like.")
@click.option("--steps", is_flag=True, help="List every step of the ladder.")
def main(files: tuple[Path, ...], at: tuple[str, ...], steps: bool) -> None:
    """Fold market data and tell the steps of the price ranges."""
    moments = [iso_us(one) for one in at]
    found = coins(files, moments)
    click.echo("\n".join(table(found, moments)))
    if steps:
        every = sorted((step for coin in found.values() for step in coin.steps), key=lambda step: step.event_time_us)
        for step in every:
            click.echo(
                f"{_clock(step.event_time_us)} {step.underlying:5s} {step.price_range:.2f} reach {step.reach} "
                f"volatility {step.annual_volatility:.2f}"
            )


if __name__ == "__main__":
    main()
