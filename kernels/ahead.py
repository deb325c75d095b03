"""Memory asked for before its turn.

Figures of an account lie on a dozen cache lines, and the loop over accounts is too long for a processor to look from one
into the next: it would wait for each line by itself. Asked for some accounts ahead, they come together. Nothing here
reads or writes a figure.
"""

from __future__ import annotations

from typing import Any

from kernels._bits import prefetch
from kernels._jit import Bools, Floats, Ints, inlined

AHEAD = 16  # accounts
LINE = 8  # doubles in a cache line


@inlined()
def ask_for_places(
    accounts: Ints, places: Ints, begin: int, end: int, chunk: int, slot: Ints, pool: Floats, width: int, hedge: Floats,
    residual: Floats, value_usd: Floats, exact: Bools,
) -> None:  # fmt: skip
    """Ask for what the next chunk of a sweep needs, to come while its sums are taken; of the chunk after it the slots."""
    held, wide = slot.shape[1], pool.shape[1]
    for a in range(begin, end):
        at = accounts[a] * held + places[a]
        prefetch(hedge, at)
        prefetch(residual, at)
        prefetch(value_usd, at)
        prefetch(exact, accounts[a])
        to = slot[accounts[a], places[a]] * wide
        for j in range(0, width, LINE):
            prefetch(pool, to + j)
        prefetch(pool, to + width - 1)
    for a in range(end, min(end + chunk, accounts.shape[0])):
        prefetch(slot, accounts[a] * held + places[a])


@inlined()
def ask_for_totals(
    rows: Ints, k: int, value_usd: Floats, residual_usd: Floats, column: Ints, figures: Any, numbers: Any, facts: Any
) -> None:
    """Ask for the totals of an account that comes AHEAD of the k-th: tuples of one-dimensional arrays by account."""
    if k + AHEAD >= rows.shape[0]:
        return
    later = rows[k + AHEAD]
    first = later * value_usd.shape[1]
    prefetch(value_usd, first)
    prefetch(residual_usd, first)
    prefetch(column, first)
    for figure in figures:
        prefetch(figure, later)
    for number in numbers:
        prefetch(number, later)
    for fact in facts:
        prefetch(fact, later)


@inlined()
def ask_for_bounds(
    rows: Ints, k: int, count: Ints, column: Ints, slot: Ints, width: Ints, pool: Floats, mean: Floats, lower: Floats
) -> None:
    """Ask for the places of an account that comes AHEAD of the k-th, and for the curves of one half as far."""
    if k + AHEAD < rows.shape[0]:
        later = rows[k + AHEAD]
        first = later * slot.shape[1]
        prefetch(count, later)
        prefetch(slot, first)
        prefetch(column, first)
        prefetch(mean, first)
        prefetch(lower, later)
    if k + AHEAD // 2 < rows.shape[0]:
        later = rows[k + AHEAD // 2]
        for place in range(count[later]):
            to = slot[later, place] * pool.shape[1]
            for j in range(0, width[column[later, place]], LINE):
                prefetch(pool, to + j)
