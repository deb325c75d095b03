"""CSV files, plain or gzip, row by row in constant memory, with the line number of the current row."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

from monitor.replay.sources.errors import SourceError, Truncated, UnclearTime

GZIP_MAGIC = b"\x1f\x8b"
MAX_LISTED = 20  # malformed lines named in a summary; all are counted

# Milliseconds and microseconds of 2000 to 2100 do not overlap, so magnitude decides; anything else is refused.
_MS = range(946_684_800_000, 4_102_444_800_000)
_US = range(946_684_800_000_000, 4_102_444_800_000_000)


class UnclearUnit(ValueError):
    """A time that is neither milliseconds nor microseconds of this century."""


@dataclass(slots=True)
class Report:
    """What was read from one file: rows, records, and what was left out and why (`file:line: reason`)."""

    rows: int = 0
    records: int = 0
    malformed: int = 0
    listed: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)

    def refuse(self, path: Path, line: int, reason: str | ValueError) -> None:
        """Count a malformed line and name it, up to `MAX_LISTED`.

        Raises UnclearTime for a time of unclear unit before any good row: then it is the column, not the line.
        """
        if isinstance(reason, UnclearUnit) and self.malformed == self.rows - 1:
            raise UnclearTime(path, line, str(reason))
        self.malformed += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(f"{path.name}:{line}: {str(reason)[:160]}")

    def note(self, text: str) -> None:
        """Count something decided on the way that is no fault of the file."""
        self.notes[text] = self.notes.get(text, 0) + 1


class Table:
    """One open file. `header` is its first row; `line` is the number of the row given last (the header is 1)."""

    def __init__(self, path: Path) -> None:
        """Open and read the header; raises SourceError if the file cannot be read at all."""
        self.path = path
        try:
            self._raw: BinaryIO = path.open("rb")
        except OSError as error:
            raise SourceError(f"{path.name}: cannot be read: {error.strerror}", "check the path") from error
        packed = self._raw.read(2) == GZIP_MAGIC
        self._raw.seek(0)
        unpacked = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw)) if packed else self._raw
        # A byte that is no UTF-8 must spoil its own line, not the file: it becomes U+FFFD and fails to parse.
        self._text = TextIOWrapper(unpacked, encoding="utf-8", errors="replace", newline="")
        self._reader = csv.reader(self._text)
        self.header: tuple[str, ...] = ()
        try:
            self.header = tuple(next(self._reader, ()))
        except (csv.Error, EOFError, OSError, zlib.error) as error:
            self.close()
            raise SourceError(f"{path.name}:1: no header row: {error}", "give a CSV file, plain or gzip") from error

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
        try:
            while True:
                try:
                    for row in reader:
                        report.rows += 1
                        if len(row) == width:
                            yield row
                        else:
                            report.refuse(self.path, reader.line_num, f"{len(row)} fields instead of {width}")
                    return
                except csv.Error as error:
                    report.rows += 1
                    report.refuse(self.path, reader.line_num, str(error))
        except (EOFError, OSError, zlib.error) as error:
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
    if value in _US:
        return value
    if value in _MS:
        return value * 1_000
    raise UnclearUnit(f"time {text[:40]} is neither milliseconds nor microseconds since 1970")


def iso_us(text: str) -> int:
    """Read an ISO date and time, UTC if it names no zone; raises ValueError if it is none of 2000 to 2100."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    value = int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond
    if value not in _US:
        raise ValueError(f"time {text[:40]} out of range")
    return value


def price(text: str) -> float:
    """Read a price; raises ValueError unless it is finite, positive and within the wire's limits."""
    value = float(text)
    if not 0.0 < value <= 1e12:
        raise ValueError(f"price {text[:40]} out of range")
    return value
