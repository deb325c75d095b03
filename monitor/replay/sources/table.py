"""CSV files, packed or not, row by row in constant memory, with the line number of the current row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol

from monitor.replay.sources.errors import SourceError, Truncated, UnclearTime, UnknownSymbol
from monitor.replay.sources.packed import DAMAGE, opened
from monitor.replay.sources.shapes import names_of
from monitor.replay.sources.symbols import Unlisted

MAX_LISTED = 20  # malformed lines named in a summary; all are counted

# Milliseconds and microseconds of 2000 to 2100 do not overlap, so magnitude decides; anything else is refused.
_FIRST_MS, _END_MS = 946_684_800_000, 4_102_444_800_000
_FIRST_US, _END_US = 1_000 * _FIRST_MS, 1_000 * _END_MS


class UnclearUnit(ValueError):
    """A time that is neither milliseconds nor microseconds of this century."""


class BadPrice(ValueError):
    """A price that is no positive finite number within the wire's limits."""


@dataclass(slots=True)
class Report:
    """What was read from one file: rows, records, and what was left out and why (`file:line: reason`).

    `bad_prices` of the malformed lines had a price that is zero, negative or no number. A `lenient` report counts
    symbols without an instrument in `unknown`, with the first line of each, instead of ending the replay.
    """

    rows: int = 0
    records: int = 0
    malformed: int = 0
    listed: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    bad_prices: int = 0
    lenient: bool = False
    unknown: dict[str, tuple[int, int]] = field(default_factory=dict)

    def refuse(self, path: Path, line: int, reason: str | ValueError) -> None:
        """Count a malformed line and name it, up to `MAX_LISTED`.

        Raises UnclearTime for a time of unclear unit before any good row: then it is the column, not the line. Raises
        UnknownSymbol for an Unlisted one, unless lenient.
        """
        if isinstance(reason, UnclearUnit) and self.malformed == self.rows - 1:
            raise UnclearTime(path, line, str(reason))
        if isinstance(reason, Unlisted):
            if not self.lenient:
                raise UnknownSymbol(path, line, reason.venue, reason.symbol)
            key = f"{reason.venue[:40]} {reason.symbol[:40]}"
            first, count = self.unknown.get(key, (line, 0))
            self.unknown[key] = (first, count + 1)
            return
        self.malformed += 1
        self.bad_prices += isinstance(reason, BadPrice)
        if len(self.listed) < MAX_LISTED:
            self.listed.append(f"{path.name}:{line}: {str(reason)[:160]}")

    def note(self, text: str) -> None:
        """Count something decided on the way that is no fault of the file."""
        self.notes[text] = self.notes.get(text, 0) + 1


# Told of the line and the fields of every row, good or not; a line of records is one field, its bytes.
Watch = Callable[[int, Sequence[str] | Sequence[bytes]], None]


class Rows(Protocol):
    """What an adapter reads: a header, and rows of text with their line numbers."""

    path: Path
    header: tuple[str, ...]
    market: str | None
    watch: Watch | None

    @property
    def line(self) -> int:
        """Line number of the row given last."""
        ...

    def column(self, name: str) -> int:
        """Index of a column of the header."""
        ...

    def rows(self, report: Report) -> Iterator[list[str]]:
        """Give every row with as many fields as the header."""
        ...

    @property
    def fraction(self) -> float:
        """Share read so far, 0 to 1."""
        ...

    def close(self) -> None:
        """Close what is read."""
        ...


class Table:
    """One open file. `header` is its first row; `line` is the number of the row given last (the header is 1).

    A file without a header row whose shape is known gets the names of its columns. `market` is what the user has said
    of a file that does not say where it is from.
    """

    def __init__(self, path: Path, market: str | None = None) -> None:
        """Open and read the header; raises SourceError if the file cannot be read at all."""
        self.path = path
        self.market = market
        self.watch: Watch | None = None
        self._raw, unpacked = opened(path)
        # A byte that is no UTF-8 must spoil its own line, not the file: it becomes U+FFFD and fails to parse.
        self._text = TextIOWrapper(unpacked, encoding="utf-8-sig", errors="replace", newline="")
        self._reader = csv.reader(self._text)
        self.header: tuple[str, ...] = ()
        self._first: list[str] | None = None
        try:
            first = next(self._reader, [])
        except (csv.Error, *DAMAGE) as error:
            self.close()
            raise SourceError(f"{path.name}:1: no header row: {error}", "give a CSV file, packed or not") from error
        names = names_of(first)
        if names is not None:
            self._first = first
        self.header = names or tuple(first)

    @property
    def line(self) -> int:
        """Line number of the row given last."""
        return self._reader.line_num

    def column(self, name: str) -> int:
        """Index of a column of the header."""
        return self.header.index(name)

    def rows(self, report: Report) -> Iterator[list[str]]:
        """Give every row with as many fields as the header; count the others. Raises Truncated at damage."""
        width = len(self.header)
        reader = self._reader
        watch = self.watch
        try:
            if self._first is not None:
                report.rows += 1
                if watch is not None:
                    watch(1, self._first)
                yield self._first
            while True:
                try:
                    for row in reader:
                        report.rows += 1
                        if watch is not None:
                            watch(reader.line_num, row)
                        if len(row) == width:
                            yield row
                        else:
                            report.refuse(self.path, reader.line_num, f"{len(row)} fields instead of {width}")
                    return
                except csv.Error as error:
                    report.rows += 1
                    report.refuse(self.path, reader.line_num, str(error))
        except DAMAGE as error:
            raise Truncated(self.path, reader.line_num, str(error)) from error
        finally:
            self.close()

    @property
    def fraction(self) -> float:
        """Share of the file's bytes read so far, for progress."""
        if self._raw.closed:
            return 1.0
        return self._raw.tell() / max(1, self.path.stat().st_size)

    def close(self) -> None:
        """Close the file."""
        self._text.close()
        self._raw.close()


def time_us(text: str) -> int:
    """Read a time in milliseconds or microseconds by its magnitude; raises ValueError if it is neither."""
    value = int(text)
    if _FIRST_US <= value < _END_US:
        return value
    if _FIRST_MS <= value < _END_MS:
        return value * 1_000
    raise UnclearUnit(f"time {text[:40]} is neither milliseconds nor microseconds since 1970")


def iso_us(text: str) -> int:
    """Read an ISO date and time, UTC if it names no zone; raises ValueError if it is none of 2000 to 2100."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    value = int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond
    if not _FIRST_US <= value < _END_US:
        raise ValueError(f"time {text[:40]} out of range")
    return value


def price(text: str) -> float:
    """Read a price; raises ValueError unless it is finite, positive and within the wire's limits."""
    try:
        value = float(text)
    except ValueError as error:
        raise BadPrice(f"price {text[:40]!r} is no number") from error
    if not 0.0 < value <= 1e12:
        raise BadPrice(f"price {text[:40]} out of range")
    return value
