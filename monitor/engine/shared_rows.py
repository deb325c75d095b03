"""Rows that the accounts of a column share in their certificates: `kernels.certificates.shared`.

They are made by the kernels when an account needs them; here is where they lie, and which of them something other than
the index has moved: these are made anew when they are needed again.
"""

from __future__ import annotations

import numpy as np

from kernels.certificates import shared
from monitor.engine.figures import Floats, Ints
from monitor.engine.regions import Regions

NONE = -1  # place of a column's rows that has none


class SharedRows:
    """`tables`, `table_at` and `centers` as `kernels.certificates.renew` takes them."""

    def __init__(self) -> None:
        self._regions = Regions((1,))
        self.table_at: Ints = np.zeros(0, dtype=np.int64)
        self.centers: Floats = np.zeros((0, shared.CENTERS))
        self._length: dict[int, int] = {}  # of a row, by column
        self._wanted: dict[int, int] = {}  # columns that wait for a place, and how many numbers theirs has

    @property
    def tables(self) -> Floats:
        """Rows of all columns, flat."""
        return self._regions.values

    def add_column(self) -> None:
        """Take a new column, without rows; its index is the number of those before it."""
        self.table_at = np.append(self.table_at, NONE)
        center = np.zeros((1, shared.CENTERS))
        center[0, shared.CENTER] = np.nan
        self.centers = np.vstack([self.centers, center])

    def resize(self, column: int, rows: int, scenarios: int) -> None:
        """Let a column have so many rows of so many scenarios, none of them made; they have a place when it is needed.

        While contracts are listed one by one no place is left behind for a larger one.
        """
        self._length[column] = shared.row_length(scenarios)
        self._wanted[column] = rows * self._length[column]
        self.table_at[column] = NONE
        self.forget(column)

    def have_places(self) -> None:
        """Let all rows have a place."""
        for column, size in self._wanted.items():
            at = self.table_at[column] = self._regions.region(column, size)
            self.tables[at : at + size] = shared.NEVER
        self._wanted.clear()

    def forget(self, column: int, rows: Ints | None = None) -> None:
        """Let some rows of a column, or all, be made anew when they are needed."""
        if rows is None:
            self.centers[column, shared.CENTER] = np.nan
        elif (at := self.table_at.item(column)) != NONE:
            shared.forget(rows, self.tables, at, self._length[column])
