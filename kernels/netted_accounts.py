"""Exact netted requirements (model P) of accounts, and what new correlations leave of older ones.

Arrays by account, by segment and by page as in `kernels.netted_bounds`; `slot[row, place]` is the segment that an
account has at a place. A column is what all accounts hold of one underlying under one parameter set; `columns[c]` says
where its part of `tables` begins and ends, its moves, its extended scenarios of both sides, and its coin's place in
the matrices. A solve leaves hedges w and mixtures behind, from which bounds follow that outlive it:

    M* = min over w of L(w) + sum_u r_u(w_u)            solved by `kernels.netting_solve`
    any w is feasible under any matrices; a mixture's mean moves x are as long as x'w <= L(w) for all w
"""

from __future__ import annotations

import math

import numpy as np

from kernels import netting, netting_solve
from kernels._jit import Floats, Ints, Shorts, inlined, kernel
from kernels.accounts import (
    COUNT,
    FLAGS,
    LOWER,
    NETTED,
    NORM,
    SET,
    TRAITS,
    UPPER,
    VALUE,
    figure,
    judge_exact,
    totals,
)
from kernels.curves import extra_stride, sum_curves
from kernels.netted_bounds import mixture

TOLERANCE = 1e-9  # primal-dual gap of a solve, relative

PAGE = 1024  # segments of one column that lie together: slot s is in page s // PAGE
# Of a row of `columns`; the last three are of `kernels.certificates.book`.
TABLE, TABLE_END, WIDTH, FALLS, RISES, COIN, CONTRACTS, SCENARIOS, CELLS = range(9)
COLUMN_FIELDS = 9


@inlined()
def _column(row: int, place: int, slot: Ints, page_column: Ints) -> int:
    return int(page_column[slot[row, place] // PAGE])


@kernel("f8[:, :, ::1], i8[:, ::1], i8[::1], i8[:, ::1], i8, i8")
def matrices_of(matrices: Floats, columns: Ints, page_column: Ints, slot: Ints, row: int, size: int) -> Floats:
    """Return the matrices between an account's underlyings, float64[K, U, U]."""
    places = np.empty(size, dtype=np.int64)
    for i in range(size):
        places[i] = columns[_column(row, i, slot, page_column), COIN]
    out = np.empty((matrices.shape[0], size, size))
    netting.gather(matrices, places, out)
    return out


@kernel(
    "i8, i8, i8[:, ::1], i8[::1], i8[:, ::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:, ::1], i8[::1], f8[::1]"
)
def curves_of(
    row: int,
    size: int,
    slot: Ints,
    page_column: Ints,
    columns: Ints,
    tables: Floats,
    start: Ints,
    stop: Ints,
    position_row: Ints,
    quantity: Floats,
    losses: Floats,
    widths: Ints,
    value: Floats,
) -> None:
    """Write an account's losses by place and move, float64[>= size, >= widest], their widths and its values, USD."""
    for i in range(size):
        s = slot[row, i]
        c = _column(row, i, slot, page_column)
        width, falls, rises = columns[c, WIDTH], columns[c, FALLS], columns[c, RISES]
        extras = np.empty(extra_stride(width, falls + rises))
        table = tables[columns[c, TABLE] : columns[c, TABLE_END]]
        sum_curves(
            start, stop, position_row, quantity, table, width, falls, rises, s, s + 1, losses[i], 0, extras
        )  # fmt: skip
        widths[i] = width
        value[i] = extras[0]


@kernel(
    "i8, i8, f8[:, ::1], i8[::1], f8[::1], i8[:, ::1], i8[::1], i8[:, ::1], f8[::1], i2[::1], i2[::1], f8[::1],"
    "f8[:, ::1], i2[:, ::1], f8[:, :, :, ::1], f8[::1], f8[::1]"
)
def settle(
    row: int,
    size: int,
    losses: Floats,
    widths: Ints,
    value: Floats,
    slot: Ints,
    page_column: Ints,
    columns: Ints,
    hedge: Floats,
    left: Shorts,
    right: Shorts,
    share: Floats,
    record: Floats,
    shorts: Shorts,
    matrices: Floats,
    stress: Floats,
    mean: Floats,
) -> tuple[float, int]:
    """Solve one account by its losses; return its requirement, USD, and the status of `kernels.netting_solve`.

    Writes the account's figures, hedges and mixtures.

    losses, widths, value: as `curves_of` writes them, of `size` places, one or more; mean: float64[size], out, the mean
    moves of the solve.
    """
    gathered = matrices_of(matrices[shorts[row, SET]], columns, page_column, slot, row, size)
    w, duals, weights = np.zeros(size), np.zeros((size, losses.shape[1])), np.zeros(matrices.shape[1])
    found = netting_solve.solve(losses, widths, gathered, stress[shorts[row, SET]], TOLERANCE, w, duals, weights)
    # What stays behind must be finite: a NaN would outlive the prices it came from. Hedges and mean moves of zero are
    # bounds of any losses.
    if not math.isfinite(found[0]):
        w[:] = 0.0
        duals[:] = 0.0
    record[row, NORM] = netting.norm(w, gathered, stress[shorts[row, SET]])
    for i in range(size):
        n, s = widths[i], slot[row, i]
        mean[i] = 0.0
        for j in range(n):
            mean[i] += duals[i, j] * (-1.0 + 2.0 * j / (n - 1))
        hedge[s] = w[i]
        record[row, figure(i, VALUE)] = value[i]
        record[row, figure(i, UPPER)] = netting.residual(losses[i, :n], w[i])
        record[row, figure(i, LOWER)], left[s], right[s], share[s] = mixture(losses[i, :n], n, mean[i])
    return float(found[0]), found[3]


@kernel(
    "i8[::1], b1, i8[:, ::1], i8[::1], i8[:, ::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i2[::1],"
    "i2[::1], f8[::1], f8[:, ::1], i2[:, ::1],"
    "f8[:, :, :, ::1], f8[::1], f8[::1], f8[:, ::1], i8[::1], f8[::1], i8[::1], i8[::1]"
)
def solve_rows(
    rows: Ints,
    judging: bool,
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
    matrices: Floats,
    stress: Floats,
    mm_factor: Floats,
    thresholds: Floats,
    bits: Ints,
    requirement: Floats,
    changed: Ints,
    counts: Ints,
) -> None:
    """Solve some netted accounts exactly at the prices of the tables, and judge them if that is asked for.

    The result depends on positions, prices and matrices alone. Writes `requirement`, float64[len(rows)], USD, the
    accounts' figures by place, and hedges and mixtures for the ticks to come. matrices: float64[sets, K, N, N]; stress
    k: float64[sets]. Losses that are not finite give a NaN requirement, and hedges and mean moves of zero. Receives:
    `changed`, from counts[0] on, the rows whose condition bits changed.
    """
    for k in range(rows.shape[0]):
        row = rows[k]
        size = shorts[row, COUNT]
        requirement[k] = 0.0
        record[row, NORM] = 0.0
        if size > 0:
            widest = 1
            for i in range(size):
                widest = max(widest, columns[_column(row, i, slot, page_column), WIDTH])
            losses, widths, values = np.zeros((size, widest)), np.empty(size, dtype=np.int64), np.empty(size)
            curves_of(
                row, size, slot, page_column, columns, tables, start, stop, position_row, quantity, losses, widths,
                values,
            )  # fmt: skip
            requirement[k], _ = settle(
                row, size, losses, widths, values, slot, page_column, columns, hedge, left, right, share, record,
                shorts, matrices, stress, np.empty(size),
            )  # fmt: skip
        if judging:
            equity, _, _ = totals(row, record, shorts)
            now = judge_exact(row, equity, requirement[k], shorts, mm_factor, thresholds, bits)
            if now != shorts[row, FLAGS]:
                shorts[row, FLAGS] = now
                changed[counts[0]] = row
                counts[0] += 1


@kernel("f8[:, :, ::1], f8[:, :, ::1], f8, f8")
def shrinkage(before: Floats, after: Floats, stress_before: float, stress_after: float) -> float:
    """Return t such that mean moves that were feasible are so again when they are multiplied by t, in [0, 1].

    L(w)^2 = (1 - k) max over R of w'Rw + k g^2 with g = sum |w|. With e the largest change of an element of the
    matrices, in their order, the first term loses at most (1 - k) e g^2; so L(w) falls by no more than the factor t,
    t^2 = min((1 - k')/(1 - k), (k' - (1 - k') e)/k), and t x'w <= t L(w) <= L'(w). Without a k nothing is known: 0.
    """
    if before.shape != after.shape:
        return 0.0
    largest, check = 0.0, 0.0
    for c in range(before.shape[0]):
        for u in range(before.shape[1]):
            for v in range(before.shape[2]):
                largest = max(largest, abs(after[c, u, v] - before[c, u, v]))
                check += after[c, u, v] - before[c, u, v]
    if not math.isfinite(check):
        return 0.0
    return shrinkage_by(largest, stress_before, stress_after)


@kernel("f8, f8, f8")
def shrinkage_by(largest: float, stress_before: float, stress_after: float) -> float:
    """Return the factor of `shrinkage` for matrices no element of which changed by more than `largest`."""
    if largest == 0.0 and stress_after == stress_before:
        return 1.0
    if not 0.0 < stress_before < 1.0:
        return 0.0
    least = (stress_after - (1.0 - stress_after) * largest) / stress_before
    square = min((1.0 - stress_after) / (1.0 - stress_before), least)
    return math.sqrt(min(max(square, 0.0), 1.0)) * (1.0 - 1e-12)


@kernel(
    "i8[::1], i8[:, ::1], i8[::1], i8[:, ::1], f8[::1], i2[::1], i2[::1], f8[::1], f8[:, ::1], i2[:, ::1],"
    "f8[:, :, :, ::1], f8[::1], f8[::1]"
)
def take_matrices(
    rows: Ints,
    slot: Ints,
    page_column: Ints,
    columns: Ints,
    hedge: Floats,
    left: Shorts,
    right: Shorts,
    share: Floats,
    record: Floats,
    shorts: Shorts,
    matrices: Floats,
    stress: Floats,
    shrunk: Floats,
) -> None:
    """Take new correlations: the norm of the stored hedges anew, and mean moves that the new matrices allow.

    shrunk: float64[sets] from `shrinkage`. A mixture whose mean has to move by t keeps its two moves where the new mean
    lies between them, and gets the one of no move otherwise; until the next tick its loss is bounded by t times what it
    was, for the envelope is concave and not negative where nothing moves.
    """
    for k in range(rows.shape[0]):
        row = rows[k]
        size = shorts[row, COUNT]
        if not shorts[row, TRAITS] & NETTED or size == 0:
            continue
        of = shorts[row, SET]
        gathered = matrices_of(matrices[of], columns, page_column, slot, row, size)
        w = np.empty(size)
        for i in range(size):
            s = slot[row, i]
            w[i] = hedge[s]
            record[row, figure(i, LOWER)] *= shrunk[of]
            _shrink(s, columns[_column(row, i, slot, page_column), WIDTH], shrunk[of], left, right, share)
        record[row, NORM] = netting.norm(w, gathered, stress[of])


@inlined()
def _shrink(s: int, width: int, by: float, left: Shorts, right: Shorts, share: Floats) -> None:
    """Multiply the mean move of a mixture by a factor of 0 to 1; moves are counted from the middle here."""
    middle = (width - 1) // 2
    mean = ((1.0 - share[s]) * (left[s] - middle) + share[s] * (right[s] - middle)) * by
    if left[s] - middle <= mean <= right[s] - middle and left[s] < right[s]:
        share[s] = (mean - (left[s] - middle)) / (right[s] - left[s])
    elif mean > 0.0:
        left[s], share[s] = middle, mean / (right[s] - middle)
    elif mean < 0.0:
        right[s] = middle
        share[s] = (mean - (left[s] - middle)) / (middle - left[s])
    else:
        left[s], right[s], share[s] = middle, middle, 0.0
