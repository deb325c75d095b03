"""What a source is: a file that gives typed records in arrival order, and can say what it left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from monitor.replay.sources.records_file import Lines, arrival_us
from monitor.replay.sources.table import Report, Rows, Table, Watch
from schemas.records import (
    AccountConfig,
    ExpiryVolatility,
    Funding,
    Heartbeat,
    Input,
    Instrument,
    InstrumentVolatility,
    ParameterSet,
    PriceTick,
    SviVolatility,
    Trade,
    Transfer,
)
from schemas.topics import ACCOUNTS, INSTRUMENTS, MARKET_TOPICS, PARAMETERS, TICKS, TRADES, TRANSFERS, VOLATILITY

Arrived = tuple[int, Input]  # (arrival time at the recorder in microseconds, record)
Adapter = Callable[[Rows, Report], Iterator[Arrived]]

TOPIC_OF: dict[type, str] = {
    PriceTick: TICKS.name,
    Heartbeat: TICKS.name,
    Funding: TICKS.name,
    InstrumentVolatility: VOLATILITY.name,
    ExpiryVolatility: VOLATILITY.name,
    SviVolatility: VOLATILITY.name,
    Instrument: INSTRUMENTS.name,
    ParameterSet: PARAMETERS.name,
    AccountConfig: ACCOUNTS.name,
    Transfer: TRANSFERS.name,
    Trade: TRADES.name,
}


class Source(Protocol):
    """Something to replay. `report` (what was read and left out) and `fraction` belong to the latest pass.

    A source that does not lead is a companion: it is replayed only within the span of the leading ones beside it.
    """

    report: Report

    @property
    def name(self) -> str:
        """Name for messages."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics its records belong to; it gives no others."""
        ...

    @property
    def leads(self) -> bool:
        """Whether it spans the replay."""
        ...

    @property
    def size_bytes(self) -> int:
        """Size of the file it reads, 0 if it reads none."""
        ...

    @property
    def fraction(self) -> float:
        """Share read by the latest pass, 0 to 1."""
        ...

    def records(self) -> Iterator[Arrived]:
        """Give all records from the start; arrival times never go back. Raises SourceError or Truncated."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """A table's layout: the columns that tell it, who reads it, its topics, whether it leads, its columns of times.

    A header with one of the columns `without` is of another layout.
    """

    name: str
    columns: frozenset[str]
    read: Adapter
    topics: tuple[str, ...]
    leads: bool = True
    times: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()


@dataclass(slots=True)
class CsvSource:
    """A CSV file of a known layout.

    `market` is what the user says of files that do not tell their market. A `lenient` one passes over symbols without
    an instrument, and counts them. `watch` is told of every row.
    """

    path: Path
    layout: Layout
    market: str | None = None
    lenient: bool = False
    watch: Watch | None = None
    report: Report = field(default_factory=Report)
    _table: Rows | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def topics(self) -> tuple[str, ...]:
        """The layout's topics."""
        return self.layout.topics

    @property
    def leads(self) -> bool:
        """The layout's word."""
        return self.layout.leads

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.path.stat().st_size

    @property
    def fraction(self) -> float:
        """Share of the file's bytes read."""
        return self._table.fraction if self._table is not None else 0.0

    def records(self) -> Iterator[Arrived]:
        """Read the file from its start; every complete row before a damage has been given when it raises."""
        self.report = report = Report(lenient=self.lenient)
        self._table = table = self._open()
        table.watch = self.watch
        try:
            yield from _in_order(self.layout.read(table, report), report)
        finally:
            table.close()

    @property
    def header(self) -> tuple[str, ...]:
        """The header of the latest pass, empty before any."""
        return self._table.header if self._table is not None else ()

    def _open(self) -> Rows:
        return Table(self.path, self.market)


@dataclass(slots=True)
class RecordsSource:
    """A file of our own records as JSON lines; `watch` is told of every line.

    One that was `recorded` from a topic has all that was there, heartbeats included.
    """

    path: Path
    topics: tuple[str, ...] = tuple(topic.name for topic in MARKET_TOPICS)
    leads: bool = True
    recorded: bool = False
    watch: Watch | None = None
    report: Report = field(default_factory=Report)
    _lines: Lines | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.path.stat().st_size

    @property
    def fraction(self) -> float:
        """Share of the file's bytes read."""
        return self._lines.fraction if self._lines is not None else 0.0

    def records(self) -> Iterator[Arrived]:
        """Read the file from its start; a record of a topic not in `topics` is counted as malformed."""
        self.report = report = Report()
        self._lines = lines = Lines(self.path)
        lines.watch = self.watch
        try:
            yield from _in_order(self._wanted(lines, report), report)
        finally:
            lines.close()

    def _wanted(self, lines: Lines, report: Report) -> Iterator[Arrived]:
        for topic, record in lines.records(report):
            if topic in self.topics:
                yield arrival_us(record), record
            else:
                report.refuse(self.path, lines.line, f"{topic} does not belong into this file")


@dataclass(slots=True)
class ListSource:
    """Records in memory, as (topic, record) in order of arrival."""

    name: str
    items: Sequence[tuple[str, Input]]
    topics: tuple[str, ...]
    leads: bool = False
    report: Report = field(default_factory=Report)
    fraction: float = 0.0
    size_bytes: int = 0

    def records(self) -> Iterator[Arrived]:
        """Give the records from the first."""
        self.report = report = Report()
        for number, (at_us, record) in enumerate(_in_order(map(_arrived, self.items), report), 1):
            self.fraction = number / len(self.items)
            yield at_us, record


def _arrived(item: tuple[str, Input]) -> Arrived:
    return arrival_us(item[1]), item[1]


def _in_order(arrived: Iterator[Arrived], report: Report) -> Iterator[Arrived]:
    """Hold arrival times back to the largest so far: a row may not arrive before the row above it."""
    latest_us = 0
    for at_us, record in arrived:
        if at_us < latest_us:
            report.note("arrival time before the row above: kept in file order")
        else:
            latest_us = at_us
        report.records += 1
        yield latest_us, record
