"""What correlation does to the requirement of two constant books, minute by minute through recorded market data.

    python -m benchmarks.correlation_day FILES... --mark 2025-10-10T20:45 --csv day.csv --svg day.svg

The books hold the same amount in every coin (the range of each is one unit of risk): all long, and hedged, long and
short by turns in the order of the coins' names. The requirement is that of model P for delta-one books, as a share of
the gross amount: sqrt((1 - k) max over R of w'Rw + k (sum |w|)^2) / sum |w|, R in {fast, slow, floor}. Books need no
prices, so the figures show the correlation estimate and nothing else.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np

from monitor.engine.composite import TicksFold
from monitor.engine.correlation import CorrelationView, gather
from monitor.engine.minutes import boundary_after
from monitor.replay.arrival import Merged, Span
from monitor.replay.sources import open_sources
from monitor.replay.sources.table import iso_us
from schemas.records import Heartbeat, NettingParameters, PriceTick

WIDTH, LEFT, RIGHT = 860, 56, 150
PANELS = ((44, 190), (270, 160))  # top and height of each, pixels
HOUR_US = 3_600_000_000
# Field, label, colour, and how far below its line's end the label stands: lines that end together are kept apart.
REQUIREMENTS = (
    ("all_long", "all long", "#b2182b", -4),
    ("hedged", "hedged", "#2166ac", -4),
    ("hedged_unfloored", "without floor", "#92c5de", 12),
)
CORRELATIONS = (("fast", "fast, mean", "#b35806", 12), ("slow", "slow, mean", "#542788", -4))


@dataclass(frozen=True, slots=True)
class Row:
    """One minute: requirements as shares of the gross amount, mean correlations over all pairs of the books."""

    time_us: int
    version: int
    estimated: int
    all_long: float
    hedged: float
    hedged_unfloored: float
    """The hedged book's without the floor in the set: what the estimates alone would ask."""
    fast: float
    slow: float


def views(files: tuple[Path, ...]) -> list[tuple[int, CorrelationView]]:
    """Fold ticks and heartbeats in order of arrival; return the published view at every whole minute."""
    fold = TicksFold()
    found: list[tuple[int, CorrelationView]] = []
    minute_us = 0
    for _, record in Merged(open_sources(files), Span()):
        if isinstance(record, PriceTick | Heartbeat):
            fold.apply(record)
            if fold.time_us > minute_us:
                if minute_us:
                    found.append((minute_us, fold.correlation))
                minute_us = boundary_after(fold.time_us)
    return found


def requirement(matrices: np.ndarray, w: np.ndarray, k: float) -> float:
    """Return the requirement of hedge vector `w` over a set of matrices, as a share of sum |w|."""
    gross = float(np.abs(w).sum())
    netted = max(float(w @ matrix @ w) for matrix in matrices)
    return float(np.sqrt((1.0 - k) * netted + k * gross * gross)) / gross


def series(found: list[tuple[int, CorrelationView]], coins: tuple[str, ...], netting: NettingParameters) -> list[Row]:
    """Return one row a minute for the books over `coins`."""
    n = len(coins)
    long, hedged = np.ones(n), np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    pairs = np.triu_indices(n, 1)
    rows = []
    known: tuple[int, tuple[float, ...]] = (-1, ())
    for time_us, view in found:
        if view.version != known[0]:
            matrices = gather(view, coins, netting.floor_correlation)
            k = netting.correlation_stress
            known = (
                view.version,
                (
                    len(set(coins) & set(view.underlyings)),
                    requirement(matrices, long, k),
                    requirement(matrices, hedged, k),
                    requirement(matrices[:2], hedged, k),
                    float(matrices[0][pairs].mean()),
                    float(matrices[1 % len(matrices)][pairs].mean()),
                ),
            )
        estimated, *values = known[1]
        rows.append(Row(time_us, view.version, int(estimated), *values))
    return rows


def summary(rows: list[Row], coins: tuple[str, ...], netting: NettingParameters, mark_us: int | None) -> list[str]:
    """Return what the series say, a line each, from the first minute at which every coin has an estimate."""
    full = [row for row in rows if row.estimated == len(coins)]
    lines = [
        f"k = {netting.correlation_stress:.2f}, floor {netting.floor_correlation:.2f}, {len(coins)} coins: "
        + " ".join(coins),
        f"versions {rows[-1].version} in {len(rows)} minutes; all estimated from {_clock(full[0].time_us)}",
    ]
    for name in ("all_long", "hedged", "hedged_unfloored", "fast", "slow"):
        values = [getattr(row, name) for row in full]
        low, high = int(np.argmin(values)), int(np.argmax(values))
        line = f"{name:16s} {values[low]:.3f} ({_clock(full[low].time_us)})"
        line += f" to {values[high]:.3f} ({_clock(full[high].time_us)})"
        if name not in {"fast", "slow"}:
            rise = max(values[i + 60] / values[i] for i in range(len(values) - 60))
            line += f", largest rise in an hour x{rise:.2f}"
        at = [row for row in full if mark_us is not None and row.time_us == mark_us]
        if at and mark_us is not None:
            after = [getattr(row, name) for row in full if row.time_us > mark_us]
            now = getattr(at[0], name)
            line += f"; {now:.3f} at {_clock(mark_us)}, then {min(after) / now - 1:+.1%} to {max(after) / now - 1:+.1%}"
        lines.append(line)
    return lines


def table(rows: list[Row], times_us: list[int]) -> list[str]:
    """Return a table of the minutes asked for, in Markdown."""
    lines = [
        "| time, UTC | fast, mean | slow, mean | all long | hedged | hedged without floor | version |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        if row.time_us in times_us:
            values = (row.fast, row.slow, row.all_long, row.hedged, row.hedged_unfloored)
            figures = " | ".join(f"{value:.3f}" for value in values)
            lines.append(f"| {_clock(row.time_us)} | {figures} | {row.version} |")
    return lines


def plot(rows: list[Row], title: str, subtitle: str, every: int, mark_us: int | None) -> str:
    """Return an SVG of two panels: requirements above, mean correlations below."""
    rows = rows[::every]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 470" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="470" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="15" font-weight="bold">{title}</text>',
        f'<text x="{LEFT}" y="36" fill="#555">{subtitle}</text>',
    ]
    out += _panel(rows, 0, REQUIREMENTS, mark_us)
    out += _panel(rows, 1, CORRELATIONS, mark_us)
    out.append("</svg>")
    return "\n".join(out) + "\n"


def _panel(rows: list[Row], panel: int, lines: tuple[tuple[str, str, str, int], ...], mark_us: int | None) -> list[str]:
    top, height = PANELS[panel]
    first, last = rows[0].time_us, rows[-1].time_us
    right = WIDTH - RIGHT

    def x(time_us: int) -> float:
        return LEFT + (right - LEFT) * (time_us - first) / (last - first)

    def y(value: float) -> float:
        return top + height * (1.0 - value)

    out = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        out.append(f'<path d="M{LEFT} {y(tick):.1f}H{right}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end" fill="#555">{tick:.2f}</text>')
    step_us = 3 * HOUR_US if last - first < 48 * HOUR_US else 24 * HOUR_US
    for time_us in range(-(-first // step_us) * step_us, last + 1, step_us):
        label = datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%H:%M" if step_us < 24 * HOUR_US else "%d %b")
        out.append(f'<path d="M{x(time_us):.1f} {top}V{top + height}" stroke="#eee"/>')
        out.append(
            f'<text x="{x(time_us):.1f}" y="{top + height + 16}" text-anchor="middle" fill="#555">{label}</text>'
        )
    if mark_us is not None:
        out.append(f'<path d="M{x(mark_us):.1f} {top}V{top + height}" stroke="#333" stroke-dasharray="4 3"/>')
    for name, label, colour, shift in lines:
        points = " ".join(f"{x(row.time_us):.1f},{y(getattr(row, name)):.1f}" for row in rows)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        end = getattr(rows[-1], name)
        out.append(f'<text x="{right + 8}" y="{y(end) + shift:.1f}" fill="{colour}">{label} {end:.2f}</text>')
    return out


def _clock(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%m-%d %H:%M")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--coins", help="Coins of the books, by comma; all that have an estimate in the end, by name, if not given."
)
@click.option("--mark", help="A moment, UTC, drawn and compared with what follows.")
@click.option("--at", multiple=True, help="A minute, UTC, for a table; as often as you like.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="One row a minute.")
@click.option("--svg", "svg_file", type=click.Path(path_type=Path), help="A plot.")
@click.option("--every", default=5, show_default=True, help="Minutes from one point of the plot to the next.")
def main(
    files: tuple[Path, ...],
    coins: str | None,
    mark: str | None,
    at: tuple[str, ...],
    csv_file: Path | None,
    svg_file: Path | None,
    every: int,
) -> None:
    """Fold market data and write the requirements of two constant books."""
    netting = NettingParameters()
    found = views(files)
    last = found[-1][1]
    names = tuple(coins.split(",")) if coins else tuple(sorted(set(last.underlyings) - set(last.quiet)))
    rows = series(found, names, netting)
    mark_us = iso_us(mark) if mark else None
    for line in summary(rows, names, netting, mark_us):
        click.echo(line)
    if at:
        click.echo("\n".join(table(rows, [iso_us(one) for one in at])))
    if csv_file is not None:
        with csv_file.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(Row.__slots__)
            writer.writerows([getattr(row, name) for name in Row.__slots__] for row in rows)
    if svg_file is not None:
        day = datetime.fromtimestamp(rows[0].time_us / 1e6, UTC).strftime("%Y-%m-%d")
        title = f"Requirement of constant books over gross, {day}, {len(names)} coins"
        subtitle = (
            f"k = {netting.correlation_stress:.2f} in force, set {{fast, slow, floor {netting.floor_correlation:.2f}}}"
        )
        svg_file.write_text(plot(rows, title, subtitle, every, mark_us))


if __name__ == "__main__":
    main()
