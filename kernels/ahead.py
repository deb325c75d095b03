"""Memory asked for before its turn.

The figures of an account lie on several cache lines, and the loop over accounts is too long for a processor to look
from one into the next: it would wait for each account by itself. Asked for some accounts ahead, they come together.
Nothing here changes a figure, and one array is asked for where others lie on its line (`monitor.engine.figures`).
"""

from __future__ import annotations

from kernels._jit import Floats, Ints, inlined
from kernels._operations import prefetch

AHEAD = 16  # accounts
LINE, BYTES = 8, 8  # doubles in a cache line, bytes in a double


@inlined()
def ask_for_places(
    accounts: Ints, places: Ints, begin: int, end: int, chunk: int, slot: Ints, pool: Floats, width: int, hedge: Floats,
    value_usd: Floats,
) -> None:  # fmt: skip
    """Ask for the curves of a sweep's chunk, which come while its sums are taken, and for figures of the one after."""
    values, hedges, wide = value_usd.strides[0] // BYTES, hedge.strides[0] // BYTES, pool.shape[1]
    for a in range(end, min(end + chunk, accounts.shape[0])):
        prefetch(value_usd, accounts[a] * values)
        prefetch(hedge, accounts[a] * hedges)
    for a in range(begin, end):
        to = slot[accounts[a], places[a]] * wide
        for j in range(0, width, LINE):
            prefetch(pool, to + j)
        prefetch(pool, to + width - 1)


@inlined()
def ask_for_totals(rows: Ints, k: int, value_usd: Floats, column: Ints, cash_usd: Floats) -> None:
    """Ask for the totals of the account that comes AHEAD of the k-th."""
    if k + AHEAD < rows.shape[0]:
        later = rows[k + AHEAD]
        prefetch(value_usd, later * (value_usd.strides[0] // BYTES))
        prefetch(column, later * (column.strides[0] // BYTES))
        prefetch(cash_usd, later * (cash_usd.strides[0] // BYTES))


@inlined()
def ask_for_bounds(rows: Ints, k: int, count: Ints, column: Ints, slot: Ints, width: Ints, pool: Floats) -> None:
    """Ask for the places of the account that comes AHEAD of the k-th, and for the curves of the one half as far."""
    if k + AHEAD < rows.shape[0]:
        later = rows[k + AHEAD]
        prefetch(count, later * (count.strides[0] // BYTES))
        prefetch(slot, later * (slot.strides[0] // BYTES))
        prefetch(column, later * (column.strides[0] // BYTES))
    if k + AHEAD // 2 < rows.shape[0]:
        later = rows[k + AHEAD // 2]
        for place in range(count[later]):
            to = slot[later, place] * pool.shape[1]
            for j in range(0, width[column[later, place]], LINE):
                prefetch(pool, to + j)
