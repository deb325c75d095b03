"""Tables that `kernels.segment_sums` reads, and checks of the segments that read them.

A table is a copy of some columns per instrument, its rows padded to whole vectors and beginning at cache lines: one
copy per call costs little beside the sweep, and what is summed besides the scenarios (value, delta) rides along.
"""

from __future__ import annotations

import numpy as np

from kernels._jit import Floats, Ints, inlined, kernel
from kernels.vectors import LANES


@inlined()
def stride_of(columns: int) -> int:
    """Return the length of a table row that holds so many columns: a whole number of vectors."""
    return (columns + LANES - 1) // LANES * LANES


@kernel("i8, i8")
def empty_table(rows: int, columns: int) -> Floats:
    """Return zeros, float64[rows * stride], that begin at a cache line: a vector across two lines costs two loads."""
    size = rows * stride_of(columns)
    raw = np.zeros(size + LANES)
    skipped = (-raw.ctypes.data // raw.itemsize) % LANES
    return raw[skipped : skipped + size]


@kernel("i8[::1], i8[::1], f8[::1], i8")
def check_segments(indptr: Ints, row: Ints, quantity: Floats, rows: int) -> None:
    """Raise ValueError unless the segments lie inside their positions and there are instruments for positions.

    A compiled loop reads whatever lies behind an array's end. Rows are checked by `check_rows`.
    """
    m = indptr.shape[0] - 1
    if m < 0 or indptr[0] < 0 or indptr[-1] > row.shape[0] or row.shape[0] != quantity.shape[0]:
        raise ValueError("indptr, row and quantity do not fit each other")
    signs = 0  # collected without a jump, so that LLVM finds vectors
    for a in range(m):
        signs |= indptr[a + 1] | (indptr[a + 1] - indptr[a])
    if signs < 0:
        raise ValueError("indptr must not decrease")
    if rows == 0 and indptr[-1] > indptr[0]:
        raise ValueError("a position names a row that does not exist")


@kernel("i8[::1], i8")
def check_positions(row: Ints, rows: int) -> None:
    """Raise ValueError unless every position names one of `rows` instruments."""
    signs = 0  # as above
    for k in range(row.shape[0]):
        signs |= row[k] | (rows - 1 - row[k])
    if signs < 0:
        raise ValueError("a position names a row that does not exist")


@kernel("i8[::1], i8[::1], i8")
def check_rows(indptr: Ints, row: Ints, rows: int) -> None:
    """Raise ValueError unless every position of the segments names one of `rows` instruments."""
    check_positions(row[indptr[0] : indptr[-1]], rows)


@kernel("i8[::1], i8[::1], i8")
def table_rows(indptr: Ints, row: Ints, rows: int) -> tuple[Ints, Ints]:
    """Return which instrument each row of a table is to hold, and the table row of each position.

    All instruments in their order; but one row per position where there are fewer of these, as in a call for one
    account. The sums are the same to the last bit. Raises ValueError on rows that do not exist.
    """
    check_rows(indptr, row, rows)
    positions = indptr[-1]
    if positions >= rows:
        return np.arange(rows), row
    held = np.zeros(positions, dtype=np.int64)
    for k in range(indptr[0], positions):
        held[k] = row[k]
    return held, np.arange(positions)
