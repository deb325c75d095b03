"""The data-quality summary of a replay: as plain data, and a line or a few for each file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from monitor.replay.quality import Gap, Quality
from monitor.replay.report import clock

SECONDS = 1e-6  # of a microsecond
NAMED_SYMBOLS = 10


def quality_data(found: Sequence[Quality]) -> list[dict[str, Any]]:
    """Return the summary as plain values."""
    return [
        {
            **asdict(one), "clean": one.clean,
            "unknown": {name: {"line": line, "rows": rows} for name, (line, rows) in one.unknown.items()},
        }
        for one in found
    ]  # fmt: skip


def print_quality(console: Console, found: Sequence[Quality]) -> None:
    """Print the summary, text from the files as it is."""
    for one in found:
        for line in _lines(one):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    unclean = sum(not one.clean for one in found)
    rows = sum(one.rows for one in found)
    console.print(
        f"data: {len(found):,} files, {rows:,} rows; {unclean or 'none'} with rows that were not understood",
        highlight=False,
    )


def _lines(one: Quality) -> Iterator[str]:
    yield f"{one.name}: {', '.join(_figures(one))}"
    if one.error:
        yield f"  cannot be read to its end: {one.error}"
    yield from (f"  malformed {line}" for line in one.malformed_lines)
    if one.malformed > len(one.malformed_lines):
        yield f"  malformed {one.name}: {one.malformed - len(one.malformed_lines)} more lines"
    yield from (f"  unit of time {line}" for line in one.unit_changes)
    for name, (line, rows) in list(one.unknown.items())[:NAMED_SYMBOLS]:
        yield f"  not understood {one.name}:{line}: symbol {name}, {rows:,} rows"
    if len(one.unknown) > NAMED_SYMBOLS:
        yield f"  not understood {one.name}: {len(one.unknown) - NAMED_SYMBOLS} more symbols"
    yield from (f"  repeated {line}" for line in one.duplicate_lines[:1])
    yield from (f"  {count:,} x {text}" for text, count in one.notes.items())


def _figures(one: Quality) -> Iterator[str]:
    yield f"{one.rows:,} rows"
    if one.first_event_us:
        yield f"events {clock(one.first_event_us)} to {clock(one.last_event_us)}"
        yield f"arrivals {clock(one.first_arrival_us)} to {clock(one.last_arrival_us)} UTC"
    if one.gaps:
        yield f"{one.gaps:,} gaps (longest {_gap(one.longest_gaps[0])})"
    if one.disorder:
        yield f"{one.disorder:,} out of order (by at most {one.most_disorder_us * SECONDS:,.3f} s)"
    for count, text in (
        (one.late_arrivals, "arrive before the row above"), (one.duplicates, "repeated"),
        (one.malformed, "malformed"), (one.bad_prices, "of them without a positive price"),
    ):  # fmt: skip
        if count:
            yield f"{count:,} {text}"


def _gap(gap: Gap) -> str:
    return f"{(gap.until_us - gap.from_us) * SECONDS:,.1f} s of {gap.feed} from {clock(gap.from_us)}"
