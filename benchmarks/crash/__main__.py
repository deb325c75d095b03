"""Correlation estimators and requirements of constant books through recorded market data.

    python -m benchmarks.crash FILES... --mark 2025-10-10T20:45 --svg crash.svg

Two books hold the same USD of perpetuals in every coin at the first minute (`--from`), and the same number of coins
ever after: all long, and hedged, long and short by turns in the order of the coins' names. Where
options are recorded there is a third (`benchmarks.crash.options`).
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from benchmarks.crash import report
from benchmarks.crash.books import Case, Forces, largest_rise, requirements
from benchmarks.crash.estimates import ESTIMATES, Inputs, curves, inputs_of, mean_correlation
from benchmarks.crash.figure import Line, Panel, plot
from benchmarks.crash.forces import Form, at_constant_ranges, forms, not_held_back, only, published
from benchmarks.crash.options import Blocks, OptionBook, option_parts, read_options
from benchmarks.crash.ranges import unheld
from benchmarks.crash.recording import Floats, Ints, record
from monitor.engine.correlation import FLOOR
from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.ranges import MAX_STEP, STEPS
from monitor.replay.sources.table import iso_us

COLOURS = {
    "fast": "#b35806",
    "slow": "#542788",
    "naive": "#b2182b",
    "refresh": "#ef8a62",
    "hayashi_yoshida": "#999999",
    "dcc": "#1b7837",
    "riskmetrics": "#7fbf7b",
    "ledoit_wolf": "#2166ac",
    "oas": "#67a9cf",
}
SMALLER_SETS = {
    "hedged, no floor in the set": ("fast", "slow", "latched_high", "latched_low"),
    "hedged, fast and slow alone": ("fast", "slow"),
}
OPTION_COINS = 10.0
HEDGE = "ETH"


def books_of(prices: Floats) -> dict[str, Floats]:
    """Return each book's exposures in USD by minute, float64[M, C], 1 USD a coin at the first."""
    coins = prices.shape[1]
    held = prices / prices[0]
    return {"all long": held, "hedged": held * np.where(np.arange(coins) % 2 == 0, 1.0, -1.0)}


def panels(
    means: dict[str, Floats], found: list[Form], forces: Forces, free: Forces, books: dict[str, Floats], every: int
) -> tuple[Panel, ...]:
    """Return correlations, requirements at constant ranges, with everything that moves, and without any damping."""
    still, naive = at_constant_ranges(forces), at_constant_ranges(found[0].forces)
    constant, moving, undamped = [], [], []
    for (name, exposures), colour in zip(books.items(), ("#b2182b", "#2166ac"), strict=True):
        gross = float(np.abs(exposures[0]).sum())
        held = np.broadcast_to(exposures[0], exposures.shape)
        constant.append(Line(name, colour, requirements(still, held)[::every] / gross))
        constant.append(Line(f"{name}, naive", colour, requirements(naive, held)[::every] / gross, is_dashed=True))
        now = Line(name, colour, requirements(forces, exposures)[::every] / gross)
        loose = requirements(free, exposures)[::every] / gross
        bare = requirements(found[0].forces, exposures)[::every] / gross
        moving += [now, Line(f"{name}, not held back", colour, loose, is_dashed=True)]
        undamped += [now, Line(f"{name}, undamped", colour, bare, is_dashed=True)]
    lines = tuple(Line(name.replace("_", " "), COLOURS[name], values) for name, values in means.items())
    return (
        Panel("Mean pairwise correlation", lines, 230),
        Panel("Requirement at constant ranges, share of the plain sum", tuple(constant), 170),
        Panel("Requirement over the gross at the start: ranges, prices and correlation", tuple(moving), 170, 0.5),
        Panel("The same against no damping: naive matrix, volatility of 2 h", tuple(undamped), 170, 0.5),
    )


def show_options(files: tuple[Path, ...], inputs: Inputs, forces: Forces, first: int, mark_us: int | None) -> list[str]:
    """Return what the options book says; `forces` begin at row `first` of the recording."""
    recording = inputs.recording
    times, prices = recording.times_us[first:], recording.last_prices(("BTC", HEDGE))[first:]
    options = read_options(files, times)
    at = [inputs.coins.index("BTC"), inputs.coins.index(HEDGE)]
    ranges = forces.ranges[:, at]
    matrices = [np.ascontiguousarray(stack[:, at][:, :, at]) for stack in forces.matrices]
    nearest = min((one for one in options if one.is_call), key=lambda one: one.strike)
    quantity = np.array([OPTION_COINS if one is nearest else -OPTION_COINS for one in options])
    book = OptionBook(options, quantity, Blocks(times, prices[:, 0], prices[:, 1]), 0)
    values = np.array([book.requirement(ranges[m], m, m, matrices[m], float(forces.k[m])) for m in range(len(times))])
    whole = largest_rise(times, values)
    spans = [("largest", whole.start, whole.end)]
    if mark_us is not None:
        mark = int(np.searchsorted(times, mark_us))
        spans.append(("mark to highest", mark, mark + int(values[mark:].argmax())))
        spans.append(("mark to end", mark, len(times) - 1))
    split = [
        (what, start, end, option_parts(book, ranges, matrices, forces.k, (start, end))) for what, start, end in spans
    ]
    return [report.options_line(book, HEDGE), "", *report.options_table(times, values, split)]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--from", "start", help="Begin there, UTC; where all coins have an estimate, if not given or earlier.")
@click.option("--mark", help="A moment, UTC, drawn and compared with what follows.")
@click.option("--window", "windows", multiple=True, help="START/END, UTC, for the table of raw ticks.")
@click.option("--sources", "groups", multiple=True, help="Sources by comma, a choice for the table of raw ticks.")
@click.option("--options", "options", multiple=True, type=click.Path(path_type=Path, exists=True), help="Options.")
@click.option("--blend", default=0.25, show_default=True, help="Weight of stress in the last form.")
@click.option("--stress-k", default=0.8, show_default=True, help="k of the stress.")
@click.option("--every", default=5, show_default=True, help="Minutes from one estimate to the next.")
@click.option("--svg", "svg_file", type=click.Path(path_type=Path), help="A plot.")
def main(  # noqa: PLR0913, PLR0917 - one argument an option
    files: tuple[Path, ...],
    start: str | None,
    mark: str | None,
    windows: tuple[str, ...],
    groups: tuple[str, ...],
    options: tuple[Path, ...],
    blend: float,
    stress_k: float,
    every: int,
    svg_file: Path | None,
) -> None:
    """Compare estimators and requirements through recorded market data."""
    active, mark_us = DEFAULT_ACTIVE, iso_us(mark) if mark else None
    netting = active.set.netting
    recording = record(files)
    coins = recording.coins()
    first = recording.first_full(coins)
    if start is not None:
        first = max(first, int(np.searchsorted(recording.times_us, iso_us(start))))
    inputs = inputs_of(recording, coins, recording.busiest(coins))
    times = recording.times_us[first:]
    forces, free = published(recording, coins, first, active), not_held_back(recording, coins, first, active)
    books = books_of(recording.last_prices(coins)[first:])
    rows = range(first, len(recording.minutes), every)
    matrices = curves(inputs, rows)
    means = {name: np.array([mean_correlation(one) for one in matrices[name]]) for name in ESTIMATES}
    found = forms(inputs, first, active, blend)
    cases = [Case(name, forces, exposures) for name, exposures in books.items()]
    views = recording.views[first:]
    partial = [Case(name, only(forces, views, of), books["hedged"]) for name, of in SMALLER_SETS.items()]
    compared = [Case(f"{name}, not held back", free, exposures) for name, exposures in books.items()]

    names = ", ".join(dict.fromkeys(name for view in views for name in view.names if name != FLOOR))
    in_force = f"k = {k_text(forces.k)} in force, set {{{names}, floor {netting.floor_correlation:.2f}}}"
    click.echo(f"{in_force}; {len(coins)} coins: {' '.join(coins)}; {clock_span(times)}")
    click.echo(report.regime_line(recording, first))
    click.echo(report.dcc_fit_line(inputs))
    sections: list[list[str]] = [report.estimator_extremes(times[::every], means, mark_us)]
    chosen = [_group(inputs, group) for group in groups]
    if chosen:
        bounds = [(iso_us(start), iso_us(end)) for start, end in (window.split("/") for window in windows)]
        sections.append(report.windows_table(chosen, bounds))
    sections += [
        [f"{in_force}; constant ranges", "", *report.constant_table(times, [*cases, *partial], mark_us)],
        report.changes_table(recording, published(recording, coins, 0, active), books),
        [
            f"k = {netting.correlation_stress:.2f}; constant ranges",
            "",
            *report.alone_table(times[::every], matrices, books, netting.correlation_stress, mark_us),
        ],
        report.ranges_table(times, coins, unheld(recording, coins).daily[first:], (forces, free), mark_us),
        [f"{in_force}; ranges in force", "", *report.rises_table(times, [*cases, partial[-1], *compared], mark_us)],
        [
            f"k = {k_text(forces.k)} in force, {stress_k:.2f} in the stress",
            "",
            *report.procyclicality_table(times, found, books, stress_k, MAX_STEP / STEPS),
        ],
    ]
    if options:
        sections.append([in_force, "", *show_options(options, inputs, forces, first, mark_us)])
    for section in sections:
        click.echo("\n" + "\n".join(section))
    if svg_file is not None:
        title = f"Correlation and requirement of constant books, {report.day(int(times[0]))}, {len(coins)} coins"
        drawn = panels(means, found, forces, free, books, every)
        svg_file.write_text(plot(times[::every], drawn, title, in_force, mark_us))


def k_text(k: Floats) -> str:
    """Return k in force: one figure, or from its lowest to its highest."""
    low, high = float(k.min()), float(k.max())
    return f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


def clock_span(times: Ints) -> str:
    """Return the first and the last minute."""
    return f"{report.clock(times[0])} to {report.clock(times[-1])} UTC"


def _group(inputs: Inputs, group: str) -> Inputs:
    sources = tuple(group.split(","))
    coins = tuple(inputs.recording.sources[name].underlying for name in sources)
    return inputs_of(inputs.recording, coins, sources)


if __name__ == "__main__":
    main()
