"""Bits of some netted accounts (model P) by bounds that are made for them: from the tables, and by the descent.

`kernels.netted_bounds.sweep` takes the new prices of one column for every account that holds it, and rests on figures
of the others that are up to date. Here accounts are taken whose figures may be of any time (`judge_by_tables`), or
whom the bounds of a sweep left open (`judge_by_descent`).

A bound does not have to be M* to tell on which side of a threshold it is. Whoever is left open by the hedge and the
mixture that he has gets others by the descent that an exact solve begins with, and a solve only where a threshold lies
between the two bounds of that.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import netting, netting_solve
from kernels._jit import Floats, Ints, Shorts, inlined, kernel
from kernels._operations import prefetch
from kernels.accounts import (
    ALL,
    COUNT,
    FLAGS,
    LIMITS,
    LOWER,
    NORM,
    SET,
    THRESHOLDS,
    UNSURE,
    UPPER,
    VALUE,
    figure,
    judge_between,
    limits_of_bits,
    stays,
    totals,
)
from kernels.certificates import conditions
from kernels.curves import extra_stride, sum_curves
from kernels.netted_accounts import FALLS, PAGE, RISES, TABLE, TABLE_END, WIDTH, curves_of, matrices_of
from kernels.netted_bounds import ask_for, chord, groups_of_moves, moves_of, residual_in
from kernels.segment_sums import CHUNK

AHEAD = 8  # accounts that are asked for
ACCOUNTS = 512  # whose curves wait in the second-level cache to be judged
STATES = conditions.RECOVERED - conditions.ANY + 1
NOBODY = -1


@kernel("f8[::1], f8[:, ::1], i8[::1], i8[:, ::1], f8[::1]")
def watched_bits(mm_factor: Floats, thresholds: Floats, bits: Ints, watched: Ints, limits: Floats) -> None:
    """Write the condition bits that matter in each state from ANY on, of each set (`certificates.conditions.watched`).

    watched: int64[STATES, sets]; limits: float64[STATES * sets * LIMITS], of `kernels.accounts.limits_of_bits`. All
    matter in ANY; what makes an account bankrupt and doubtful data matter in every state.
    """
    ratio, chosen, sets = np.empty(THRESHOLDS), np.empty(THRESHOLDS), thresholds.shape[0]
    for state in range(STATES):
        for of in range(sets):
            conditions.ratios(thresholds[of], mm_factor[of], ratio)
            found = bits[6] | bits[7]
            for i in range(conditions.watched(state + conditions.ANY, ratio, chosen)):
                for j in range(THRESHOLDS):
                    if ratio[j] == chosen[i]:
                        found |= bits[j]
            watched[state, of] = found
        first = LIMITS * sets * state
        limits_of_bits(mm_factor, thresholds, bits, watched[state], limits[first : first + LIMITS * sets])


@inlined()
def _tell(
    row: int, now: int, watched: int, shorts: Shorts, changed: Ints, changes: int, unsure: Ints, open_cases: int
) -> tuple[int, int]:
    """Note what is known of an account's bits; return how many changed and how many are open so far."""
    if now == UNSURE:
        unsure[open_cases] = row
        return changes, open_cases + 1
    before, shorts[row, FLAGS] = int(shorts[row, FLAGS]), now
    if (before ^ now) & watched:
        changed[changes] = row
        return changes + 1, open_cases
    return changes, open_cases


@kernel(
    "i8, f8[:, ::1], i8[::1], i8[:, ::1], i8[::1], i8[:, ::1], f8[::1], i2[::1], i2[::1], f8[::1], f8[:, ::1],"
    "i2[:, ::1], f8[:, :, :, ::1], f8[::1]"
)
def tighten(
    row: int, losses: Floats, widths: Ints, slot: Ints, page_column: Ints, columns: Ints, hedge: Floats, left: Shorts,
    right: Shorts, share: Floats, record: Floats, shorts: Shorts, matrices: Floats, stress: Floats,
) -> tuple[float, float]:  # fmt: skip
    """Return an upper and a lower bound of one account's requirement, USD, by the descent from its losses by place.

    Its hedges, mixtures and figures become those of the bounds. NaN, and nothing is written, where a loss is no number.
    """
    size, of = losses.shape[0], shorts[row, SET]
    between = matrices_of(matrices[of], columns, page_column, slot, row, size)
    w, duals, weights = np.empty(size), np.empty(losses.shape), np.empty(matrices.shape[1])
    high, low = netting_solve.descended(losses, widths, between, stress[of], w, duals, weights)
    if not math.isfinite(high + low):
        return math.nan, math.nan
    record[row, NORM] = netting.norm(w, between, stress[of])
    for i in range(size):
        s, first, last = slot[row, i], -1, 0
        for j in range(widths[i]):
            if duals[i, j] > 0.0:
                first = j if first < 0 else first
                last = j
        hedge[s], left[s], right[s] = w[i], first, last
        share[s] = duals[i, last] if last > first else 0.0
        record[row, figure(i, UPPER)] = netting.residual(losses[i, : widths[i]], w[i])
        record[row, figure(i, LOWER)] = chord(losses[i], 0, first, last, share[s])
    return high, low


@kernel(
    "i8[::1], i8[:, ::1], i8[::1], i8[:, ::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i2[::1],"
    "i2[::1], f8[::1], f8[:, ::1], i2[:, ::1], f8[:, :, :, ::1], f8[::1], f8[::1], f8[:, ::1], i8[::1], i8[::1],"
    "i8[::1], i8[::1]"
)
def judge_by_descent(
    rows: Ints, slot: Ints, page_column: Ints, columns: Ints, tables: Floats, start: Ints, stop: Ints,
    position_row: Ints, quantity: Floats, hedge: Floats, left: Shorts, right: Shorts, share: Floats, record: Floats,
    shorts: Shorts, matrices: Floats, stress: Floats, mm_factor: Floats, thresholds: Floats, bits: Ints, changed: Ints,
    unsure: Ints, counts: Ints,
) -> None:  # fmt: skip
    """Judge netted accounts that a sweep left open, whose values are up to date, by the bounds of the descent.

    Arrays as in `kernels.netted_accounts.solve_rows`, receivers as in `kernels.netted_bounds.sweep`; rows and `unsure`
    may not be the same array.
    """
    changes, open_cases, widest = counts[0], counts[1], 1
    for c in range(columns.shape[0]):
        widest = max(widest, columns[c, WIDTH])
    places = slot.shape[1]
    losses, widths, values = np.zeros((places, widest)), np.empty(places, dtype=np.int64), np.empty(places)
    for k in range(rows.shape[0]):
        row = rows[k]
        size, now = shorts[row, COUNT], UNSURE
        if size > 0:
            curves_of(
                row, size, slot, page_column, columns, tables, start, stop, position_row, quantity, losses[:size],
                widths[:size], values,
            )  # fmt: skip
            high, low = tighten(
                row, losses[:size], widths[:size], slot, page_column, columns, hedge, left, right, share, record,
                shorts, matrices, stress,
            )  # fmt: skip
            if not math.isnan(high):
                equity, _, _ = totals(row, record, shorts)
                now = judge_between(row, equity, high, low, shorts, mm_factor, thresholds, bits, ALL)
        changes, open_cases = _tell(row, now, ALL, shorts, changed, changes, unsure, open_cases)
    counts[0], counts[1] = changes, open_cases


# --- from the tables of all columns ---------------------------------------------------------------


@kernel("i8[::1], i8[:, ::1], i8[::1], f8[:, ::1], i2[:, ::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1]")
def _mark(
    rows: Ints, slot: Ints, page_column: Ints, record: Floats, shorts: Shorts, owner: Ints, account: Ints, at: Ints,
    first: Ints, last: Ints,
) -> None:  # fmt: skip
    """Give the places of some accounts numbers, those of account k from at[k] on, noted at their segments.

    Writes `account`, the k of each number, `owner`, the number by segment, and the range of segments of each column.
    """
    at[0] = 0
    first[:], last[:] = owner.shape[0], NOBODY
    for k in range(rows.shape[0]):
        ahead = rows[min(k + AHEAD, rows.shape[0] - 1)]
        ask_for(record, ahead)
        prefetch(slot, ahead * slot.shape[1])
        row = rows[k]
        size = shorts[row, COUNT]
        for p in range(size):
            s = slot[row, p]
            c = page_column[s // PAGE]
            owner[s], account[at[k] + p] = at[k] + p, k
            first[c], last[c] = min(first[c], s), max(last[c], s)
        at[k + 1] = at[k] + size


@kernel("i8, i8, i8, i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], f8[::1], i8[::1], i8[::1], i8[::1]")
def _collect(
    s: int, last: int, column: int, page_column: Ints, owner: Ints, start: Ints, stop: Ints, position_row: Ints,
    quantity: Floats, chosen: Ints, starts: Ints, stops: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Choose the next segments of a column that are somebody's; return how many, CHUNK at most, and where to go on."""
    count = 0
    while s <= last:
        page = s // PAGE
        end = min((page + 1) * PAGE, last + 1)
        if page_column[page] != column:
            s = end
            continue
        while s < end:
            if owner[s] != NOBODY:
                if count == CHUNK:
                    return count, s
                chosen[count], starts[count], stops[count] = s, start[s], stop[s]
                prefetch(position_row, starts[count])
                prefetch(quantity, starts[count])
                count += 1
            s += 1
    return count, s


@kernel(
    "i8[::1], i8, i8, i8, i8[::1], i8[:, ::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i2[::1],"
    "i2[::1], f8[::1], f8[:, ::1], i8[::1], i8[::1], i8[::1], f8[:, ::1], i8[::1]"
)
def _take_column(
    rows: Ints, column: int, first: int, last: int, page_column: Ints, columns: Ints, tables: Floats, start: Ints,
    stop: Ints, position_row: Ints, quantity: Floats, hedge: Floats, left: Shorts, right: Shorts, share: Floats,
    record: Floats, owner: Ints, account: Ints, at: Ints, losses: Floats, widths: Ints,
) -> None:  # fmt: skip
    """Take the prices of one column for the accounts at whose segments a number is noted, which is taken away.

    Writes their figures, and by number their curves, `losses`, and the moves of these, `widths`.
    """
    width, falls, rises = columns[column, WIDTH], columns[column, FALLS], columns[column, RISES]
    table = tables[columns[column, TABLE] : columns[column, TABLE_END]]
    moves, each, groups = moves_of(width), extra_stride(width, falls + rises), groups_of_moves(width)
    curves, extras = np.empty(CHUNK * width), np.empty(CHUNK * each)
    scratch = np.empty((3, CHUNK), dtype=np.int64)
    chosen, starts, stops = scratch[0], scratch[1], scratch[2]
    s = first
    while s <= last:
        count, s = _collect(
            s, last, column, page_column, owner, start, stop, position_row, quantity, chosen, starts, stops
        )
        sum_curves(starts, stops, position_row, quantity, table, width, falls, rises, 0, count, curves, 0, extras)
        for j in range(count):
            own, to = chosen[j], j * width
            number = owner[own]
            owner[own], k = NOBODY, account[number]
            row, p = rows[k], number - at[k]
            record[row, figure(p, VALUE)] = extras[j * each]
            record[row, figure(p, UPPER)] = residual_in(curves, to, moves, groups, hedge[own])
            record[row, figure(p, LOWER)] = chord(curves, to, left[own], right[own], share[own])
            widths[number] = width
            for m in range(width):
                losses[number, m] = curves[to + m]


@kernel(
    "i8[::1], i8[::1], i8[:, ::1], i8[::1], i8[:, ::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i2[::1],"
    "i2[::1], f8[::1], f8[:, ::1], i2[:, ::1], f8[:, :, :, ::1], f8[::1], f8[::1], f8[:, ::1], i8[::1], i8[::1],"
    "i8[::1], i8[::1]"
)
def judge_by_tables(
    rows: Ints, states: Ints, slot: Ints, page_column: Ints, columns: Ints, tables: Floats, start: Ints, stop: Ints,
    position_row: Ints, quantity: Floats, hedge: Floats, left: Shorts, right: Shorts, share: Floats, record: Floats,
    shorts: Shorts, matrices: Floats, stress: Floats, mm_factor: Floats, thresholds: Floats, bits: Ints, changed: Ints,
    unsure: Ints, counts: Ints,
) -> None:  # fmt: skip
    """Take the prices of the tables for some netted accounts in all their columns, each given once, and judge them.

    states: int64[n], those of `kernels.certificates.conditions`: an account is `changed` if a bit is that matters in
    its state (`watched_bits`), and others may stay as they were. Arrays as in `kernels.netted_accounts.solve_rows`,
    receivers as in `kernels.netted_bounds.sweep`. The mixtures must be feasible under the matrices in force, and the
    norms of hedges theirs. Accounts are taken some hundreds at a time, column by column in the order of segments:
    those of accounts that are near each other are so, too.
    """
    widest, room = 3, ACCOUNTS * slot.shape[1]
    for c in range(columns.shape[0]):
        widest = max(widest, columns[c, WIDTH])
    owner, account = np.full(start.shape[0], NOBODY, dtype=np.int64), np.empty(room, dtype=np.int64)
    ends = np.empty((2, columns.shape[0]), dtype=np.int64)
    first, last = ends[0], ends[1]
    at, widths = np.empty(ACCOUNTS + 1, dtype=np.int64), np.empty(room, dtype=np.int64)
    losses = np.zeros((room, widest))
    sets = thresholds.shape[0]
    watched, limits = np.empty((STATES, sets), dtype=np.int64), np.empty(STATES * sets * LIMITS)
    watched_bits(mm_factor, thresholds, bits, watched, limits)
    changes, open_cases = counts[0], counts[1]
    for begin in range(0, rows.shape[0], ACCOUNTS):
        some = rows[begin : min(begin + ACCOUNTS, rows.shape[0])]
        _mark(some, slot, page_column, record, shorts, owner, account, at, first, last)
        for c in range(columns.shape[0]):
            if last[c] != NOBODY:
                _take_column(
                    some, c, first[c], last[c], page_column, columns, tables, start, stop, position_row, quantity,
                    hedge, left, right, share, record, owner, account, at, losses, widths,
                )  # fmt: skip
        for k in range(some.shape[0]):
            row, state = some[k], states[begin + k] - conditions.ANY
            if stays(row, record, shorts, limits, LIMITS * sets * state, bits):
                continue
            matters = watched[state, shorts[row, SET]]
            equity, high, low = totals(row, record, shorts)
            high += record[row, NORM]
            now = judge_between(row, equity, high, low, shorts, mm_factor, thresholds, bits, matters)
            if now == UNSURE and at[k + 1] > at[k]:
                high, low = tighten(
                    row, losses[at[k] : at[k + 1]], widths[at[k] : at[k + 1]], slot, page_column, columns, hedge, left,
                    right, share, record, shorts, matrices, stress,
                )  # fmt: skip
                if not math.isnan(high):
                    now = judge_between(row, equity, high, low, shorts, mm_factor, thresholds, bits, matters)
            changes, open_cases = _tell(row, now, matters, shorts, changed, changes, unsure, open_cases)
    counts[0], counts[1] = changes, open_cases
