"""Worst losses by price move: the volatility cells of each account block reduced to one curve per underlying.

The curve of a segment is `losses[a, j]`, the largest loss over the volatility cells at the j-th standard move, so that
the normalised move is `m_j = -1 + 2 j / (width - 1)`. Losses of the extended table, weighted already, count at the end
of the range on their side. A loss is minus a P&L: a negative one is a gain in every cell of that move.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.curves import VOL_CELLS, reduce_curves
from kernels.scenarios import ScenarioTable
from kernels.segment_sums import CHUNK, sum_segments
from kernels.segment_tables import check_segments, empty_table, stride_of, table_rows


def extended_sides(table: ScenarioTable, buckets_each_side: int) -> Ints:
    """Return int64[S - 3 (2n + 1)], the side of each extended scenario: -1 for a fall, +1 for a rise."""
    return np.sign(table.move[VOL_CELLS * (2 * buckets_each_side + 1) :]).astype(np.int64)


@kernel("i8, i8, i8[::1]")
def _check_layout(scenarios: int, width: int, side: Ints) -> None:
    if width < 3 or width % 2 == 0:
        raise ValueError("a curve needs an odd number of moves, three or more")
    if scenarios != VOL_CELLS * width + side.shape[0]:
        raise ValueError("scenarios must be three per standard move and one per extended side")
    for j in range(side.shape[0]):
        if side[j] != 1 and side[j] != -1:
            raise ValueError("the side of an extended scenario is -1 or 1")


@kernel("i8, i8[::1]")
def _columns(width: int, side: Ints) -> Ints:
    """Return the scenario of each column of a table: up, same and down of all moves, then falls, then rises.

    Cells of neighbouring moves are neighbours, so that eight moves are reduced at once.
    """
    scenario = np.empty(VOL_CELLS * width + side.shape[0], dtype=np.int64)
    for j in range(width):
        for cell in range(VOL_CELLS):
            scenario[cell * width + j] = VOL_CELLS * j + cell
    at = VOL_CELLS * width
    for wanted in (-1, 1):
        for j in range(side.shape[0]):
            if side[j] == wanted:
                scenario[at] = VOL_CELLS * width + j
                at += 1
    return scenario


@kernel("i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], i8[::1], i8")
def curve_table(
    indptr: Ints, row: Ints, quantity: Floats, pnl: Floats, value: Floats, delta: Floats, side: Ints, width: int
) -> tuple[Floats, Ints]:
    """Return the table of `kernels.segment_tables` for curves, then value and delta, and each position's row in it.

    Raises ValueError on segments, shapes and sides that do not fit.
    """
    check_segments(indptr, row, quantity, pnl.shape[0])
    _check_layout(pnl.shape[1], width, side)
    if not value.shape[0] == delta.shape[0] == pnl.shape[0]:
        raise ValueError("instrument columns must have one length")
    held, place = table_rows(indptr, row, pnl.shape[0])
    scenario = _columns(width, side)
    columns = scenario.shape[0]
    stride = stride_of(columns + 2)
    table = empty_table(held.shape[0], stride)
    for i in range(held.shape[0]):
        at, unit = i * stride, held[i]
        for c in range(columns):
            table[at + c] = pnl[unit, scenario[c]]
        table[at + columns] = value[unit]
        table[at + columns + 1] = delta[unit]
    return table, place


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
    scenarios = pnl.shape[1]
    table, place = curve_table(indptr, row, quantity, pnl, value, delta, side, width)
    if indptr.shape[0] != m + 1 or out_value.shape[0] != m or out_delta.shape[0] != m:
        raise ValueError("outputs need one row per segment")
    stride = stride_of(scenarios + 2)
    sums = empty_table(CHUNK, stride)
    falls = int(np.sum(side < 0))
    flat = losses.reshape(m * width)
    for begin in range(0, m, CHUNK):
        end = min(begin + CHUNK, m)
        sum_segments(indptr, place, quantity, table, stride, begin, end, sums)
        reduce_curves(sums, stride, end - begin, width, falls, side.shape[0] - falls, flat, begin * width)
        for a in range(begin, end):
            at = (a - begin) * stride + scenarios
            out_value[a] = sums[at]
            out_delta[a] = sums[at + 1]


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
    _check_layout(block.shape[0], width, side)
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
