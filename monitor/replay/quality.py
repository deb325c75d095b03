"""What is wrong with the data of a replay, told before anything runs: a summary for each file.

Nothing is repaired here: duplicates, gaps and disorder are counted as they stand, and replayed as they stand. Files are
read by the adapters that replay them, so that what is malformed here is what is left out there.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from monitor.errors import MonitorError
from monitor.replay.ahead import LEAST_BYTES, cores
from monitor.replay.sources.base import CsvSource, RecordsSource, Source
from schemas.records import Heartbeat, Instrument, PriceTick

MAX_NAMED: Final = 10  # findings of a kind that are named; all are counted
REMEMBERED: Final = 65_536  # rows among which a repeated one is seen; between this and twice as many are kept
DEFAULT_GAP_US: Final = 60_000_000  # of prices that do not say how long they stay fresh

_UNITS = {10: "s", 13: "ms", 16: "us", 19: "ns"}  # of whole numbers that are times of this century, by their digits


@dataclass(frozen=True, slots=True)
class Gap:
    """A silence of one feed, between the event times of two of its records."""

    feed: str
    from_us: int
    until_us: int


@dataclass(slots=True)
class Quality:
    """One file. Times are microseconds since 1970, 0 for none; lists are the first or the longest, counts are of all.

    `duplicates` are rows that repeat an earlier one in every field; `disorder` are records of a feed whose event time
    is before an earlier one's, `late_arrivals` rows that arrive before the row above. `unknown` are symbols without an
    instrument, with their first line and how many rows they have. `error` is what ended the reading.
    """

    name: str
    rows: int = 0
    records: int = 0
    feeds: int = 0
    first_event_us: int = 0
    last_event_us: int = 0
    first_arrival_us: int = 0
    last_arrival_us: int = 0
    malformed: int = 0
    malformed_lines: list[str] = field(default_factory=list)
    bad_prices: int = 0
    duplicates: int = 0
    duplicate_lines: list[str] = field(default_factory=list)
    disorder: int = 0
    most_disorder_us: int = 0
    late_arrivals: int = 0
    gaps: int = 0
    longest_gaps: list[Gap] = field(default_factory=list)
    unit_changes: list[str] = field(default_factory=list)
    unknown: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    error: str = ""

    @property
    def clean(self) -> bool:
        """Whether every row was understood; gaps, duplicates and disorder are in the nature of feeds."""
        return not (self.malformed or self.unknown or self.error or self.unit_changes)


def check(sources: Sequence[Source], *, gap_us: int | None = None) -> Iterator[Quality]:
    """Read all sources to their ends and give a summary of each, in their order, as soon as it is there.

    `gap_us` is the silence from which on a gap is counted; None is what a price says that it stays fresh for, else
    60 s, and no bound for volatilities, which stay until the next ones. Large files are read at the same time, on as
    many cores as there are.
    """
    workers = min(cores(), len(sources))
    if workers < 2 or sum(source.size_bytes for source in sources) < LEAST_BYTES:
        yield from (inspect(source, gap_us) for source in sources)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(inspect, sources, [gap_us] * len(sources))


def inspect(source: Source, gap_us: int | None = None) -> Quality:
    """Read one source to its end; what its adapter raises is the summary's `error`."""
    watch = _Rows(source)
    if isinstance(source, CsvSource | RecordsSource):
        source.watch = watch
    if isinstance(source, CsvSource):
        source.lenient = True
    quality = Quality(source.name)
    feeds: dict[tuple[str, str], _Feed] = {}
    try:
        for at_us, record in source.records():
            quality.first_arrival_us = quality.first_arrival_us or at_us
            quality.last_arrival_us = at_us
            if isinstance(record, Instrument | Heartbeat):
                continue
            key = _feed_of(record)
            feed = feeds.get(key)
            if feed is None:
                feed = feeds[key] = _Feed(key)
            bound_us = gap_us
            if bound_us is None and isinstance(record, PriceTick):
                bound_us = 1_000 * record.max_age_ms if record.max_age_ms else DEFAULT_GAP_US
            feed.take(record.event_time_us, bound_us)
    except MonitorError as error:
        quality.error = error.cause
    report = source.report
    quality.rows, quality.records, quality.malformed = report.rows, report.records, report.malformed
    quality.malformed_lines, quality.bad_prices = report.listed, report.bad_prices
    quality.unknown = report.unknown
    quality.notes = {text: count for text, count in report.notes.items() if not text.startswith(LATE)}
    quality.late_arrivals = sum(count for text, count in report.notes.items() if text.startswith(LATE))
    quality.duplicates, quality.duplicate_lines = watch.repeated, watch.named
    quality.unit_changes = watch.changes
    _sum_up(quality, feeds.values())
    return quality


LATE: Final = "arrival time before"  # what `base` notes of a row that arrives before the one above


def _sum_up(quality: Quality, feeds: Iterable[_Feed]) -> None:
    gaps: list[Gap] = []
    for feed in feeds:
        quality.feeds += 1
        quality.first_event_us = min(quality.first_event_us or feed.first_us, feed.first_us)
        quality.last_event_us = max(quality.last_event_us, feed.last_us)
        quality.disorder += feed.disorder
        quality.most_disorder_us = max(quality.most_disorder_us, feed.most_us)
        quality.gaps += feed.gaps
        gaps += feed.longest
    gaps.sort(key=lambda gap: (gap.from_us - gap.until_us, gap.from_us, gap.feed))
    quality.longest_gaps = gaps[:MAX_NAMED]


def _feed_of(record: object) -> tuple[str, str]:
    """Return what a record's event times are ordered within: its source, and what it says something about."""
    about = getattr(record, "instrument", None) or getattr(record, "account", None) or ""
    kind = record.price_kind if isinstance(record, PriceTick) else type(record).__name__
    return f"{getattr(record, 'source', '')} {kind}", str(about)


class _Feed:
    """Event times of one feed."""

    __slots__ = ("_name", "disorder", "first_us", "gaps", "last_us", "longest", "most_us")

    def __init__(self, key: tuple[str, str]) -> None:
        self._name = " ".join(part for part in key if part)
        self.first_us = self.last_us = 0
        self.disorder = self.most_us = self.gaps = 0
        self.longest: list[Gap] = []

    def take(self, event_us: int, bound_us: int | None) -> None:
        last_us = self.last_us
        if not last_us:
            self.first_us = self.last_us = event_us
            return
        if event_us < last_us:
            self.disorder += 1
            self.most_us = max(self.most_us, last_us - event_us)
            self.first_us = min(self.first_us, event_us)
            return
        self.last_us = event_us
        if bound_us is not None and event_us - last_us > bound_us:
            self.gaps += 1
            self.longest.append(Gap(self._name, last_us, event_us))
            if len(self.longest) > 2 * MAX_NAMED:
                self.longest.sort(key=lambda gap: gap.from_us - gap.until_us)
                del self.longest[MAX_NAMED:]


class _Rows:
    """Watches the rows of a file: which repeat an earlier one, and where a column of times changes its unit."""

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._times = source.layout.times if isinstance(source, CsvSource) else ()
        self._columns: list[tuple[int, str]] | None = None
        self._source = source
        self._units: dict[int, str] = {}
        self._seen: dict[int, int] = {}
        self._older: dict[int, int] = {}
        self.repeated = 0
        self.named: list[str] = []
        self.changes: list[str] = []

    def __call__(self, line: int, row: Sequence[str] | Sequence[bytes]) -> None:
        key = hash(tuple(row))
        before = self._seen.get(key) or self._older.get(key)
        if before is None:
            self._seen[key] = line
            if len(self._seen) >= REMEMBERED:
                self._older, self._seen = self._seen, {}
        else:
            self.repeated += 1
            if len(self.named) < MAX_NAMED:
                self.named.append(f"{self._name}:{line}: as line {before}")
        if self._times:
            self._watch_units(line, row)

    def _watch_units(self, line: int, row: Sequence[str] | Sequence[bytes]) -> None:
        if self._columns is None:
            assert isinstance(self._source, CsvSource)
            header = self._source.header
            self._columns = [(header.index(name), name) for name in self._times if name in header]
        for at, name in self._columns:
            text = row[at] if at < len(row) else ""
            unit = _UNITS.get(len(text)) if text.isdigit() else None
            if unit is None:
                continue
            before = self._units.setdefault(at, unit)
            if before != unit:
                self._units[at] = unit
                if len(self.changes) < MAX_NAMED:
                    self.changes.append(f"{self._name}:{line}: {name} from {before} to {unit}")
