"""Unit tables of all columns in one array: what kernels that go account by account read.

Each column has a region, written again at every price; `kernels.move_losses.fill_curves` and `kernels.risk_matrix`
say what stands in it.
"""

from __future__ import annotations

import numpy as np

from kernels.netted_accounts import COIN, COLUMN_FIELDS, FALLS, RISES, TABLE, TABLE_END, WIDTH
from kernels.segment_tables import empty_table
from monitor.engine.figures import Floats, Ints

GROWTH = 2  # arrays double when full


class Tables:
    """`values`, float64, and `columns`, int64[C, COLUMN_FIELDS], as `kernels.netted_accounts` takes them."""

    def __init__(self) -> None:
        self.values: Floats = empty_table(1, 4096)
        self.columns: Ints = np.zeros((0, COLUMN_FIELDS), dtype=np.int64)
        self._filled = 0

    def add_column(self, coin: int) -> None:
        """Take a column without a table; `coin` is its place in the matrices."""
        fields = np.zeros((1, COLUMN_FIELDS), dtype=np.int64)
        fields[0, COIN] = coin
        self.columns = np.vstack([self.columns, fields])

    def of(self, column: int) -> Floats:
        """Return a column's table."""
        return self.values[self.columns[column, TABLE] : self.columns[column, TABLE_END]]

    def resize(self, column: int, size: int, width: int = 0, falls: int = 0, rises: int = 0) -> None:
        """Give a column a table of zeros with so many elements, whole cache lines of them, and a layout."""
        fields = self.columns[column]
        if size > fields[TABLE_END] - fields[TABLE]:
            fields[TABLE] = self._take(size)
        fields[TABLE_END] = fields[TABLE] + size
        fields[WIDTH], fields[FALLS], fields[RISES] = width, falls, rises
        self.of(column)[:] = 0.0

    def _take(self, size: int) -> int:
        if self._filled + size > len(self.values):
            self._gather(size)
        start, self._filled = self._filled, self._filled + size
        return start

    def _gather(self, size: int) -> None:
        """Lay all tables side by side in a larger array, without what tables of before left behind."""
        lengths = self.columns[:, TABLE_END] - self.columns[:, TABLE]
        before = self.values
        self.values = empty_table(1, GROWTH * (int(lengths.sum()) + size))
        at = 0
        for fields, length in zip(self.columns, lengths.tolist(), strict=True):
            self.values[at : at + length] = before[fields[TABLE] : fields[TABLE_END]]
            fields[TABLE], fields[TABLE_END] = at, at + length
            at += length
        self._filled = at
