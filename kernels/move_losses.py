"""Worst losses by price move: the volatility cells of each account block reduced to one curve per underlying.

The curve of a segment is `losses[a, j]`, the largest loss over the volatility cells at the j-th standard move, so that
the normalised move is `m_j = -1 + 2 j / (width - 1)`. Losses of the extended table, weighted already, count at the end
of the range on their side. A loss is minus a P&L: a negative one is a gain in every cell of that move.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.blocks import check_segments
from kernels.scenarios import ScenarioTable

VOL_CELLS = 3  # volatility up, same, down: the layout of `scenarios.scenario_table`


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


@kernel("f8[::1], i8[::1], f8[::1]")
def _reduce(block: Floats, side: Ints, losses: Floats) -> None:
    """Write the curve of one block; NaN throughout if any cell is not finite."""
    width = losses.shape[0]
    total = 0.0
    for j in range(width):
        a, b, c = block[3 * j], block[3 * j + 1], block[3 * j + 2]
        total += a + b + c
        losses[j] = 0.0 - min(a, min(b, c))  # noqa: PLW3301
    for j in range(side.shape[0]):
        loss = 0.0 - block[VOL_CELLS * width + j]
        total += loss
        end = 0 if side[j] < 0 else width - 1
        losses[end] = max(losses[end], loss)
    # A minimum may pass over NaN, a sum cannot.
    if not math.isfinite(total):
        losses[:] = math.nan


@kernel("i8[::1], i8[::1], f8[::1], f8[:, ::1], i8[::1], f8[:, ::1]")
def move_losses(indptr: Ints, row: Ints, quantity: Floats, pnl: Floats, side: Ints, losses: Floats) -> None:
    """Write the worst loss by move of m segments, in one pass over their positions.

    Segments as in `kernels.blocks`; pnl: float64[n, S] as `scenarios.scenario_table` lays it out; side: int64[S - 3
    width] from `extended_sides`; losses: float64[m, width], USD. An empty segment is 0. A row that is not finite makes
    the curve of a segment that holds it NaN throughout. Raises ValueError on shapes, rows and sides that do not fit.
    """
    m, width = losses.shape
    scenarios = pnl.shape[1]
    check_segments(indptr, row, quantity, pnl.shape[0])
    _check_layout(scenarios, width, side)
    if indptr.shape[0] != m + 1:
        raise ValueError("losses needs one row per segment")
    block = np.empty(scenarios)
    for a in range(m):
        block[:] = 0.0
        for k in range(indptr[a], indptr[a + 1]):
            q = quantity[k]
            unit = pnl[row[k]]
            for s in range(scenarios):
                block[s] += q * unit[s]
        _reduce(block, side, losses[a])


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
