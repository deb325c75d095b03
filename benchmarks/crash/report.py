"""What a recording says, as lines of text and tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from benchmarks.crash import estimates as est
from benchmarks.crash.books import Case, Forces, Parts, largest_rise, parts, requirement, requirements
from benchmarks.crash.estimates import ESTIMATES, Inputs, mean_correlation
from benchmarks.crash.forces import Form, at_constant_ranges, blended, stress_of
from benchmarks.crash.options import OptionBook, OptionParts
from benchmarks.crash.recording import Floats, Ints, Recording
from kernels.estimators import dcc
from kernels.estimators.hayashi_yoshida import hayashi_yoshida
from kernels.estimators.realised import realised_correlation, refresh_time_by_pairs
from monitor.engine.minutes import MINUTE_US

REGIMES = ("calm", "concentration", "breakdown")
HOUR_US, DAY_US = 60 * MINUTE_US, 1_440 * MINUTE_US


def clock(time_us: int) -> str:
    """Return a moment as month, day and minute, UTC."""
    return datetime.fromtimestamp(int(time_us) / 1e6, UTC).strftime("%m-%d %H:%M")


def day(time_us: int) -> str:
    """Return the date of a moment, UTC."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table, its first column to the left and the others to the right."""
    out = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return [*out, *("| " + " | ".join(row) + " |" for row in rows)]


def estimator_extremes(times_us: Ints, curves: dict[str, Floats], mark_us: int | None) -> list[str]:
    """Return each estimator's mean correlation: lowest and highest with their times, and after the mark."""
    head = ["estimator", "lowest", "at", "highest", "at"]
    if mark_us is not None:
        head += [f"at {clock(mark_us)}", "lowest after", "at"]
    rows = []
    for name, values in curves.items():
        low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
        row = [name, f"{values[low]:.3f}", clock(times_us[low]), f"{values[high]:.3f}", clock(times_us[high])]
        if mark_us is not None:
            at = int(np.searchsorted(times_us, mark_us))
            after = at + int(np.nanargmin(values[at:]))
            row += [f"{values[at]:.3f}", f"{values[after]:.3f}", clock(times_us[after])]
        rows.append(row)
    return table(head, rows)


def windows_table(inputs: Sequence[Inputs], windows: Sequence[tuple[int, int]]) -> list[str]:
    """Return the mean correlation of raw ticks by window, for several choices of sources."""
    head = ["sources", "window, UTC", "naive 1 min", "naive 5 min", "refresh, all ticks", "refresh, 1 a minute",
            "HY, all ticks", "HY, 1 a minute", "fast at its end"]  # fmt: skip
    rows = []
    for one in inputs:
        distinct = replace(one, coins=tuple(dict.fromkeys(one.coins)))
        for start_us, end_us in windows:
            row = int(np.searchsorted(one.recording.times_us, end_us))
            length = (end_us - start_us) // MINUTE_US
            every, thin = est.window_ticks(one, row, 1, length), est.window_ticks(one, row, MINUTE_US, length)
            matrices = (
                est.naive(one, row, length), est.naive(one, row, length, 5),
                refresh_time_by_pairs(every), refresh_time_by_pairs(thin),
                hayashi_yoshida(every), hayashi_yoshida(thin), est.fast(distinct, row),
            )  # fmt: skip
            when = f"{clock(start_us)} to {clock(end_us)[6:]}"
            rows.append([" ".join(one.coins), when, *(f"{mean_correlation(matrix):.3f}" for matrix in matrices)])
    return table(head, rows)


def dcc_fit_line(inputs: Inputs) -> str:
    """Return the weights that fit the whole recording best."""
    rows = est.complete_rows(inputs.residuals)
    mean = realised_correlation(rows)
    found = dcc.fit(rows, mean)
    start = dcc.log_likelihood(rows, mean, dcc.A, dcc.B)
    return (
        f"DCC fitted to {len(rows)} minutes: a = {found.a:.4f}, b = {found.b:.4f}, composite log likelihood "
        f"{found.log_likelihood - start:+.0f} against a = {dcc.A}, b = {dcc.B}"
    )


def _share(change: float, old: float) -> str:
    return f"{change / old:+.1%}"


def _parts(found: Parts, old: float) -> list[str]:
    return [_share(one, old) for one in (found.total, found.ranges, found.prices, found.correlation)]


def rises_table(times_us: Ints, cases: Sequence[Case], mark_us: int | None) -> list[str]:
    """Return the largest rise of each book, and what happens up to the mark and since, by cause; exposures in USD."""
    rows = []
    for case in cases:
        values = requirements(case.forces, case.exposures)
        whole = largest_rise(times_us, values)
        spans = [("largest", whole.start, whole.end)]
        if mark_us is not None:
            at = int(np.searchsorted(times_us, mark_us))
            top, low = at + int(values[at:].argmax()), at + int(values[at:].argmin())
            spans += [
                ("start to mark", 0, at),
                ("mark to highest", at, top),
                ("mark to lowest", at, low),
                ("mark to end", at, len(values) - 1),
            ]
        for what, start, end in spans:
            found = parts(case.forces, case.exposures, start, end)
            when = f"{clock(times_us[start])} to {clock(times_us[end])}"
            shown = [f"{value / case.gross_usd:.3f}" for value in (values[start], values[end])]
            rows.append([case.name, what, when, *shown, *_parts(found, float(values[start]))])
    head = ["book", "change", "from, to, UTC", "old", "new", "all", "ranges", "prices", "correlation"]
    return table(head, rows)


def constant_table(times_us: Ints, cases: Sequence[Case], mark_us: int | None) -> list[str]:
    """Return what correlation alone does: the same with every range 1 and constant exposures."""
    head = ["book", "lowest", "at", "highest", "at", "largest 1 h rise", "largest 24 h rise"]
    if mark_us is not None:
        head += [f"at {clock(mark_us)}", "then at least", "then at most"]
    rows = []
    for case in cases:
        values = requirements(at_constant_ranges(case.forces), case.constant) / case.gross_usd
        low, high = int(values.argmin()), int(values.argmax())
        row = [case.name, f"{values[low]:.3f}", clock(times_us[low]), f"{values[high]:.3f}", clock(times_us[high])]
        row += [f"x{largest_rise(times_us, values, within).ratio:.3f}" for within in (HOUR_US, DAY_US)]
        if mark_us is not None:
            at = int(np.searchsorted(times_us, mark_us))
            after = values[at:] / values[at] - 1.0
            row += [f"{values[at]:.3f}", f"{after.min():+.1%}", f"{after.max():+.1%}"]
        rows.append(row)
    return table(head, rows)


def alone_table(
    times_us: Ints, curves: dict[str, list[Floats | None]], books: dict[str, Floats], k: float, mark_us: int | None
) -> list[str]:
    """Return what each estimator alone would ask of each book at constant ranges: lowest, highest, after the mark."""
    rows = []
    for name in ESTIMATES:
        found = [(m, est.repaired(matrix)) for m, matrix in enumerate(curves[name]) if matrix is not None]
        at = np.array([m for m, _ in found])
        row = [name]
        for exposures in books.values():
            gross = float(np.abs(exposures[0]).sum())
            forces = Forces([matrix[None] for _, matrix in found], np.full(len(found), k), np.ones((len(found), 1)))
            values = requirements(forces, np.broadcast_to(exposures[0], (len(found), exposures.shape[1]))) / gross
            row += [f"{values.min():.3f}", f"{values.max():.3f}"]
            if mark_us is not None:
                after = values[times_us[at] >= mark_us]
                row += [f"{after.min() / after[0] - 1.0:+.1%}", f"{after.max() / after[0] - 1.0:+.1%}"]
        rows.append(row)
    head = ["estimator alone"]
    for name in books:
        head += [f"{name}: lowest", "highest"]
        if mark_us is not None:
            head += ["after the mark, at least", "at most"]
    return table(head, rows)


def procyclicality_table(
    times_us: Ints, found: Sequence[Form], books: dict[str, Floats], stress_k: float, cap: float
) -> list[str]:
    """Return the largest rise within 1 h and within 24 h of each form, books at constant exposures."""
    rows = []
    for form in found:
        row = [form.name]
        for exposures in books.values():
            constant = np.broadcast_to(exposures[0], exposures.shape)
            values = requirements(form.forces, constant)
            if form.stress_weight:
                stress = requirements(stress_of(form.forces, stress_k, cap), constant)
                values = blended(values, stress, form.stress_weight)
            gross = float(np.abs(exposures[0]).sum())
            hour, day = (largest_rise(times_us, values, within) for within in (HOUR_US, DAY_US))
            row += [f"x{hour.ratio:.2f}", clock(times_us[hour.end]), f"x{day.ratio:.2f}"]
            row += [f"{values.min() / gross:.3f} to {values.max() / gross:.3f}"]
        rows.append(row)
    head = ["form"]
    for name in books:
        head += [f"{name}: 1 h", "at", "24 h", "of gross"]
    return table(head, rows)


def ranges_table(
    times_us: Ints, coins: Sequence[str], volatility: Floats, forces: tuple[Forces, Forces], mark_us: int | None
) -> list[str]:
    """Return daily volatility and ranges, in force and not held back, at the first minute, the mark and the last."""
    at = [0, *([] if mark_us is None else [int(np.searchsorted(times_us, mark_us))]), len(times_us) - 1]
    whats = ("volatility a day", "in force", "not held back")
    head = ["coin", *(f"{what} {clock(times_us[m])}" for m in at for what in whats)]
    rows = []
    for c, coin in enumerate(coins):
        row = [coin]
        for m in at:
            row += [f"{volatility[m, c]:.1%}", *(f"{one.ranges[m, c]:.2f}" for one in forces)]
        rows.append(row)
    return table(head, rows)


def changes_table(recording: Recording, forces: Forces, books: dict[str, Floats]) -> list[str]:
    """Return what each change of regime does at constant ranges; `forces` from the first minute on."""
    rows = []
    for change in recording.changes:
        m = int(np.searchsorted(recording.times_us, change.entered.since_us))
        row = [f"{change.left} to {change.entered.regime}", clock(change.entered.since_us)]
        row.append(f"{forces.k[m - 1]:.2f} to {forces.k[m]:.2f}")
        for exposures in books.values():
            w = exposures[0] / np.abs(exposures[0]).sum()
            old, new = (requirement(forces.matrices[r], float(forces.k[r]), w) for r in (m - 1, m))
            row += [f"{old:.3f} to {new:.3f}", _share(new - old, old)]
        rows.append(row)
    head = ["change of regime", "at", "k"]
    for name in books:
        head += [f"{name}: requirement", "rise"]
    return table(head, rows) if rows else ["No regime changes."]


def regime_line(recording: Recording, first: int) -> str:
    """Return minutes by regime from a row on, and what they were judged by."""
    regimes = recording.regimes[first:]
    count = ", ".join(f"{name} {sum(one.regime == name for one in regimes)}" for name in REGIMES)
    most = (max(one.distance for one in regimes), max(one.rise for one in regimes))
    ratios = [one.absorption_ratio for one in regimes]
    judged = (
        f"largest distance {most[0]:.3f}, rise {most[1]:.3f}, absorption ratio {min(ratios):.3f} to {max(ratios):.3f}"
    )
    return f"minutes by regime: {count}; {judged}"


def options_table(times_us: Ints, values: Floats, found: Sequence[tuple[str, int, int, OptionParts]]) -> list[str]:
    """Return the changes of the options book, split by cause."""
    rows = []
    for what, start, end, split in found:
        old = float(values[start])
        causes = (split.ranges, split.prices, split.volatility, split.correlation)
        when = f"{clock(times_us[start])} to {clock(times_us[end])}"
        shown = [f"{old:,.0f}", f"{values[end]:,.0f}", _share(float(values[end]) - old, old)]
        rows.append([what, when, *shown, *(_share(one, old) for one in causes)])
    head = ["change", "from, to, UTC", "old, USD", "new, USD", "all", "ranges", "prices", "volatility", "correlation"]
    return table(head, rows)


def options_line(book: OptionBook, hedge: str) -> str:
    """Return what the options book holds and how old its marks were."""
    held = ", ".join(f"{q:+.0f} {one.name}" for q, one in zip(book.quantity.tolist(), book.options, strict=True))
    oldest = max(one.oldest_us for one in book.options) / 1e6
    return f"options book: {held}, {book.hedge_coins:+.1f} {hedge} perpetual; oldest mark {oldest:.1f} s"
