"""How long each feed is silent: the measure behind `symbols.MAX_AGE_MS`. `python -m monitor.replay.gaps --help`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from monitor.replay.sources import Source, open_sources
from monitor.replay.sources.table import iso_us
from schemas.records import PriceTick

PERCENTILE = 99.9
SHORTEST_S = 60.0
LONGEST_S = 600.0
STEP_S = 10.0


@dataclass(frozen=True, slots=True)
class Gaps:
    """Silence of one feed before a moment: percentile and maximum of the gaps, the age proposed, the share stale."""

    source: str
    ticks: int
    p999_s: float
    longest_s: float
    max_age_s: float
    stale_before: float
    stale_after: float


def measure(sources: Iterable[Source], before_us: int) -> list[Gaps]:
    """Measure the gaps between event times of every index feed; the age proposed knows nothing of `before_us` on."""
    found: list[Gaps] = []
    for source in sources:
        times: dict[str, list[int]] = defaultdict(list)
        for _, record in source.records():
            if isinstance(record, PriceTick) and record.index_source:
                times[record.source].append(record.event_time_us)
        for name, at_us in times.items():
            gaps_s = np.diff(np.sort(np.array(at_us))) * 1e-6
            earlier = np.sort(np.array(at_us))[1:] < before_us
            if earlier.any():
                found.append(_gaps(name, gaps_s[earlier], gaps_s[~earlier], len(at_us)))
    return found


def _gaps(name: str, before_s: np.ndarray, after_s: np.ndarray, ticks: int) -> Gaps:
    p999_s = float(np.percentile(before_s, PERCENTILE))
    age_s = min(LONGEST_S, max(SHORTEST_S, math.ceil(p999_s / STEP_S) * STEP_S))
    return Gaps(name, ticks, p999_s, float(before_s.max()), age_s, _stale(before_s, age_s), _stale(after_s, age_s))


def _stale(gaps_s: np.ndarray, age_s: float) -> float:
    """Return the share of the time in which the newest tick is older than `age_s`."""
    total = float(gaps_s.sum())
    return float(np.maximum(gaps_s - age_s, 0.0).sum()) / total if total > 0.0 else 0.0


@click.command(epilog="\b\nExample:\n  python -m monitor.replay.gaps ../data/trades --before 2025-10-10T20:50")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--before", required=True, help="Ages are proposed from what was before this time, UTC.")
def main(files: tuple[Path, ...], before: str) -> None:
    """Print a table of gaps, with the age that keeps a feed fresh through all but one in a thousand of them."""
    click.echo("| feed | ticks | p99.9 gap, s | longest, s | max age, s | stale before | stale after |")
    click.echo("|---|---:|---:|---:|---:|---:|---:|")
    for gaps in measure(open_sources(files), iso_us(before)):
        click.echo(
            f"| `{gaps.source}` | {gaps.ticks:,} | {gaps.p999_s:.1f} | {gaps.longest_s:.1f} | {gaps.max_age_s:.0f} "
            f"| {gaps.stale_before:.1%} | {gaps.stale_after:.1%} |"
        )


if __name__ == "__main__":
    main()
