"""Worst losses by price move: the volatility cells of each account block reduced to one curve per underlying.

The curve of a segment is `losses[a, j]`, the largest loss over the volatility cells at the j-th standard move, so that
the normalised move is `m_j = -1 + 2 j / (width - 1)`. Losses of the extended table, weighted already, count at the end
of the range on their side. A loss is minus a P&L: a negative one is a gain in every cell of that move.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.curves import extra_stride, extra_vectors, groups_of, has_partial, sum_curves
from kernels.scenarios import ScenarioTable
from kernels.segment_curves import VOL_CELLS
from kernels.segment_sums import CHUNK
from kernels.segment_tables import check_segments, empty_table, table_rows
from kernels.vectors import LANES

_NOTHING, _VALUE, _DELTA = -1, -2, -3  # columns of a table that are no scenario


def extended_sides(table: ScenarioTable, buckets_each_side: int) -> Ints:
    """Return int64[S - 3 (2n + 1)], the side of each extended scenario: -1 for a fall, +1 for a rise."""
    return np.sign(table.move[VOL_CELLS * (2 * buckets_each_side + 1) :]).astype(np.int64)


@kernel("i8, i8, i8[::1]")
def check_layout(scenarios: int, width: int, side: Ints) -> None:
    """Raise ValueError unless scenarios are three per standard move and one per extended side."""
    if width < 3 or width % 2 == 0:
        raise ValueError("a curve needs an odd number of moves, three or more")
    if scenarios != VOL_CELLS * width + side.shape[0]:
        raise ValueError("scenarios must be three per standard move and one per extended side")
    for j in range(side.shape[0]):
        if side[j] != 1 and side[j] != -1:
            raise ValueError("the side of an extended scenario is -1 or 1")


@kernel("i8, i8[::1]")
def columns_of(width: int, side: Ints) -> Ints:
    """Return the scenario of each column of a table, or what else is there: the order of `kernels.curves`."""
    groups, beyond = groups_of(width), VOL_CELLS * LANES * groups_of(width)
    column = np.full(beyond + LANES * extra_vectors(width, side.shape[0]), _NOTHING)
    for group in range(groups):
        for cell in range(VOL_CELLS):
            for lane in range(min(LANES, width - LANES * group)):
                column[LANES * (VOL_CELLS * group + cell) + lane] = VOL_CELLS * (LANES * group + lane) + cell
    at = beyond
    if has_partial(width):
        column[beyond - (VOL_CELLS - 1) * LANES - 1] = _VALUE
        column[beyond - (VOL_CELLS - 2) * LANES - 1] = _DELTA
    else:
        column[at], column[at + 1] = _VALUE, _DELTA
        at += 2
        for cell in range(VOL_CELLS):
            for j in range(LANES * groups, width):
                column[at] = VOL_CELLS * j + cell
                at += 1
    for wanted in (-1, 1):
        for j in range(side.shape[0]):
            if side[j] == wanted:
                column[at] = VOL_CELLS * width + j
                at += 1
    return column


@kernel("i8[::1], f8[:, ::1], f8[::1], f8[::1], i8[::1], f8[::1]")
def fill_curves(held: Ints, pnl: Floats, value: Floats, delta: Floats, layout: Ints, table: Floats) -> None:
    """Write the table of `kernels.curves.sum_curves` for some rows; layout: `columns_of`.

    pnl: float64[n, S]; value, delta: float64[n]; table: float64[len(held) * len(layout)], whose padding stays as it is.
    """
    stride = layout.shape[0]
    for i in range(held.shape[0]):
        unit = held[i]
        for c in range(stride):
            of = layout[c]
            if of >= 0:
                table[i * stride + c] = pnl[unit, of]
            elif of == _VALUE:
                table[i * stride + c] = value[unit]
            elif of == _DELTA:
                table[i * stride + c] = delta[unit]


@kernel("i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], i8[::1], i8")
def _held_rows(
    indptr: Ints, row: Ints, quantity: Floats, pnl: Floats, value: Floats, delta: Floats, side: Ints, width: int
) -> tuple[Ints, Ints]:
    """Return the instrument of each row of a table, and each position's row in it; refuse what does not fit."""
    check_segments(indptr, row, quantity, pnl.shape[0])
    check_layout(pnl.shape[1], width, side)
    if not value.shape[0] == delta.shape[0] == pnl.shape[0]:
        raise ValueError("instrument columns must have one length")
    return table_rows(indptr, row, pnl.shape[0])


@kernel("i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], i8[::1], f8[::1], f8[::1], f8[:, ::1]")
def evaluate(
    indptr: Ints,
    row: Ints,
    quantity: Floats,
    pnl: Floats,
    value: Floats,
    delta: Floats,
    side: Ints,
    out_value: Floats,
    out_delta: Floats,
    losses: Floats,
) -> None:
    """Write value, net delta and the worst loss by move of m segments, in one pass over their positions.

    Segments as in `kernels.blocks`; pnl: float64[n, S] as `scenarios.scenario_table` lays it out; value, delta:
    float64[n]; side: int64[S - 3 width] from `extended_sides`; out_value: float64[m], USD, out_delta: float64[m],
    coins, losses: float64[m, width], USD. An empty segment is 0. A row that is not finite makes the curve of a segment
    that holds it NaN throughout. Raises ValueError on shapes, rows and sides that do not fit.
    """
    m, width = losses.shape
    held, place = _held_rows(indptr, row, quantity, pnl, value, delta, side, width)
    layout = columns_of(width, side)
    table = empty_table(held.shape[0], layout.shape[0])
    fill_curves(held, pnl, value, delta, layout, table)
    if indptr.shape[0] != m + 1 or out_value.shape[0] != m or out_delta.shape[0] != m:
        raise ValueError("outputs need one row per segment")
    falls = int(np.sum(side < 0))
    each = extra_stride(width, side.shape[0])
    extras = np.empty(CHUNK * each)
    flat = losses.reshape(m * width)
    for begin in range(0, m, CHUNK):
        end = min(begin + CHUNK, m)
        sum_curves(
            indptr[:-1], indptr[1:], place, quantity, table, width, falls, side.shape[0] - falls, begin, end, flat,
            begin * width, extras,
        )  # fmt: skip
        for a in range(begin, end):
            at = (a - begin) * each
            out_value[a] = extras[at]
            out_delta[a] = extras[at + 1]


@kernel("i8[::1], i8[::1], f8[::1], f8[:, ::1], i8[::1], f8[:, ::1]")
def move_losses(indptr: Ints, row: Ints, quantity: Floats, pnl: Floats, side: Ints, losses: Floats) -> None:
    """Write the worst loss by move of m segments: `evaluate` where value and delta do not matter."""
    nothing = np.zeros(pnl.shape[0])
    unread = np.empty(losses.shape[0])
    evaluate(indptr, row, quantity, pnl, nothing, nothing, side, unread, unread, losses)


@kernel("f8[::1], i8[::1], i8[::1]")
def worst_scenarios(block: Floats, side: Ints, scenario: Ints) -> None:
    """Write the scenario that gives the loss of each move of one block: int64[width], the lowest of equals.

    block: float64[S], the P&L of one segment. All -1 if any P&L is NaN. Raises ValueError on shapes that do not fit.
    """
    width = scenario.shape[0]
    check_layout(block.shape[0], width, side)
    for s in range(block.shape[0]):
        if not math.isfinite(block[s]):
            scenario[:] = -1
            return
    for j in range(width):
        at = VOL_CELLS * j
        for s in range(at + 1, at + VOL_CELLS):
            if block[s] < block[at]:
                at = s
        scenario[j] = at
    for j in range(side.shape[0]):
        s = VOL_CELLS * width + j
        end = 0 if side[j] < 0 else width - 1
        if block[s] < block[scenario[end]]:
            scenario[end] = s
