"""Bounds of some netted accounts (model P) from the tables of all their columns: a sweep of those whom a jump concerns.

`kernels.netted_bounds.sweep` takes the new prices of one column for every account that holds it, and rests on figures
of the others that are up to date. Here accounts are taken whose figures may be of any time: every place is summed anew,
column by column, and they are judged as there. An account costs about what a sweep pays for its places.
"""

from __future__ import annotations

import numpy as np

from kernels._jit import Floats, Ints, Shorts, kernel
from kernels._operations import prefetch
from kernels.accounts import COUNT, FLAGS, LOWER, UPPER, VALUE, figure, judge
from kernels.curves import extra_stride, residual_of, sum_curves
from kernels.netted_accounts import FALLS, PAGE, RISES, TABLE, TABLE_END, WIDTH
from kernels.netted_bounds import ask_for, chord, moves_of
from kernels.segment_sums import CHUNK

AHEAD = 8  # accounts that are asked for
ALONG = 5  # segments from one that is wanted to the next, within which all are summed
SEGMENT, ACCOUNT, PLACE = range(3)


@kernel("i8[::1], i8[:, ::1], i8[::1], i2[:, ::1], i8[::1], i8[:, ::1]")
def _by_column(rows: Ints, slot: Ints, page_column: Ints, shorts: Shorts, first: Ints, found: Ints) -> None:
    """Write the segments of some accounts column by column, with their accounts and places, int64[3, segments].

    Those of column c are first[c] .. first[c + 1] - 1, in the order of rows; first: int64[columns + 1], zeros.
    """
    for k in range(rows.shape[0]):
        for p in range(shorts[rows[k], COUNT]):
            first[page_column[slot[rows[k], p] // PAGE] + 1] += 1
    for c in range(1, first.shape[0]):
        first[c] += first[c - 1]
    filled = first.copy()
    for k in range(rows.shape[0]):
        for p in range(shorts[rows[k], COUNT]):
            s = slot[rows[k], p]
            c = page_column[s // PAGE]
            found[SEGMENT, filled[c]], found[ACCOUNT, filled[c]], found[PLACE, filled[c]] = s, rows[k], p
            filled[c] += 1


@kernel("i8[:, ::1], i8, i8")
def _run(found: Ints, first: int, last: int) -> int:
    """Return how many segments from the first one on are summed at once: few others are between them.

    Sums of many that lie side by side cost a fifth of as many sums of one, so that four others may come along.
    """
    count, begin = 1, found[SEGMENT, first]
    while (
        first + count < last
        and 0 < found[SEGMENT, first + count] - found[SEGMENT, first + count - 1] <= ALONG
        and found[SEGMENT, first + count] - begin < CHUNK
    ):
        count += 1
    return count


@kernel(
    "i8[::1], i8[:, ::1], i8[::1], i8[:, ::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i2[::1],"
    "i2[::1], f8[::1], f8[:, ::1], i2[:, ::1], f8[::1], f8[:, ::1], i8[::1], i8[::1], i8[::1], i8[::1]"
)
def judge_by_tables(
    rows: Ints,
    slot: Ints,
    page_column: Ints,
    columns: Ints,
    tables: Floats,
    start: Ints,
    stop: Ints,
    position_row: Ints,
    quantity: Floats,
    hedge: Floats,
    left: Shorts,
    right: Shorts,
    share: Floats,
    record: Floats,
    shorts: Shorts,
    mm_factor: Floats,
    thresholds: Floats,
    bits: Ints,
    changed: Ints,
    unsure: Ints,
    counts: Ints,
) -> None:
    """Take the prices of the tables for some netted accounts in all their columns, and judge them.

    Arrays as in `kernels.netted_accounts.solve_rows`, receivers as in `kernels.netted_bounds.sweep`. The mixtures must
    be feasible under the matrices in force, and the norms of hedges theirs.
    """
    total, widest, most = 0, 3, 1
    for k in range(rows.shape[0]):
        total += shorts[rows[k], COUNT]
    for c in range(columns.shape[0]):
        widest = max(widest, columns[c, WIDTH])
        most = max(most, extra_stride(columns[c, WIDTH], columns[c, FALLS] + columns[c, RISES]))
    first, found = np.zeros(columns.shape[0] + 1, dtype=np.int64), np.empty((3, total), dtype=np.int64)
    _by_column(rows, slot, page_column, shorts, first, found)
    curves, extras = np.empty(CHUNK * widest), np.empty(CHUNK * most)
    for c in range(columns.shape[0]):
        width, falls, rises, at, end = columns[c, WIDTH], columns[c, FALLS], columns[c, RISES], first[c], first[c + 1]
        if at == end:
            continue
        table = tables[columns[c, TABLE] : columns[c, TABLE_END]]
        moves, each = moves_of(width), extra_stride(width, falls + rises)
        while at < end:
            count, s = _run(found, at, end), found[SEGMENT, at]
            sum_curves(
                start, stop, position_row, quantity, table, width, falls, rises, s,
                found[SEGMENT, at + count - 1] + 1, curves, 0, extras,
            )  # fmt: skip
            for k in range(at, at + count):
                ahead = min(k + AHEAD, end - 1)
                ask_for(record, found[ACCOUNT, ahead])
                prefetch(position_row, start[found[SEGMENT, ahead]])
                prefetch(quantity, start[found[SEGMENT, ahead]])
                row, p, own = found[ACCOUNT, k], found[PLACE, k], found[SEGMENT, k]
                j = own - s
                record[row, figure(p, VALUE)] = extras[j * each]
                record[row, figure(p, UPPER)] = residual_of(curves, j * width, moves, hedge[own])
                record[row, figure(p, LOWER)] = chord(curves, j * width, left[own], right[own], share[own])
            at += count
    changes, open_cases = counts[0], counts[1]
    for k in range(rows.shape[0]):
        row = rows[k]
        ask_for(record, rows[min(k + AHEAD, rows.shape[0] - 1)])
        now = judge(row, record, shorts, mm_factor, thresholds, bits)
        if now < 0:
            unsure[open_cases] = row
            open_cases += 1
        elif now != shorts[row, FLAGS]:
            shorts[row, FLAGS] = now
            changed[changes] = row
            changes += 1
    counts[0], counts[1] = changes, open_cases
