"""Parquet and Arrow files, with hive partitions, as tables of the layouts that CSV files have.

What tells a layout is its columns, wherever they stand: in the file or in the names of the folders above it, as in
`exchange=gemini/symbol=BTCUSD/part-0.parquet`. Values are given to the adapters as the text that a CSV file would have:
times of any unit as whole microseconds, numbers in the shortest form that is the same number. Rows are read batch by
batch. Each file of a folder is a source of its own, and they are merged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.replay.sources.base import CsvSource
from monitor.replay.sources.errors import SourceError, Truncated
from monitor.replay.sources.table import Report, Rows, Watch

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

FORMATS = {".parquet": "parquet", ".arrow": "ipc", ".feather": "ipc"}
BATCH_ROWS = 8_192


class ArrowTable:
    """One file; `line` is the number of the row given last, the first row is 1."""

    def __init__(self, path: Path, market: str | None = None) -> None:
        """Open and read the columns; raises SourceError if the file cannot be read at all."""
        self.path = path
        self.market = market
        self.watch: Watch | None = None
        self.line = 0
        self._dataset = _dataset(path)
        self.header: tuple[str, ...] = tuple(self._dataset.schema.names)
        self._all_rows = 0

    def column(self, name: str) -> int:
        """Index of a column."""
        return self.header.index(name)

    def rows(self, report: Report) -> Iterator[list[str]]:
        """Give every row as text; raises Truncated at damage."""
        import pyarrow as pa  # noqa: PLC0415 (an extra)

        try:
            self._all_rows = self._dataset.count_rows()
            for batch in self._dataset.to_batches(batch_size=BATCH_ROWS, batch_readahead=1, fragment_readahead=1):
                yield from self._rows(batch, report)
        except (pa.ArrowException, OSError) as error:
            raise Truncated(self.path, self.line, str(error)[:200]) from error

    def _rows(self, batch: pa.RecordBatch, report: Report) -> Iterator[list[str]]:
        columns = [_texts(batch.column(number)) for number in range(batch.num_columns)]
        for row in map(list, zip(*columns, strict=True)):
            self.line += 1
            report.rows += 1
            if self.watch is not None:
                self.watch(self.line, row)
            yield row

    @property
    def fraction(self) -> float:
        """Share of the rows read."""
        return min(1.0, self.line / self._all_rows) if self._all_rows else 0.0

    def close(self) -> None:
        """Nothing is held open between batches."""


@dataclass(slots=True)
class ArrowSource(CsvSource):
    """A Parquet or Arrow file of a known layout."""

    def _open(self) -> Rows:
        return ArrowTable(self.path, self.market)


def is_arrow(path: Path) -> bool:
    """Return whether a file's name says that it is Parquet or Arrow."""
    return path.suffix in FORMATS


def _dataset(path: Path) -> ds.Dataset:
    try:
        import pyarrow as pa  # noqa: PLC0415 (an extra)
        import pyarrow.dataset as ds  # noqa: PLC0415
    except ImportError as error:
        raise SourceError(f"{path.name}: Parquet and Arrow need pyarrow", "install the extra `parquet`") from error
    try:
        return ds.dataset(
            str(path), format=FORMATS[path.suffix], partitioning="hive", partition_base_dir=str(_hive_root(path.parent))
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{path.name}: cannot be read: {str(error)[:160]}", "check the file") from error


def _hive_root(folder: Path) -> Path:
    """Return the folder above all `name=value` folders, so that one file alone has its partitions, too."""
    while "=" in folder.name:
        folder = folder.parent
    return folder


def _texts(column: pa.Array) -> list[str]:
    """Return values as text; times in microseconds, and nothing for null."""
    import pyarrow as pa  # noqa: PLC0415 (an extra)

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
    return ["" if value is None else _text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else repr(int(value)) if value.is_integer() else repr(value)  # noqa: PLR0124 (NaN)
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
