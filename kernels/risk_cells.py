"""Cells of several risk matrices side by side: profits that offset, cells brought nearer to zero, one common order.

Arrays of S cells as `kernels.scenarios_table.scenario_table` orders them. Sources: Deribit's documentation for the
offset of profits; the dampener is a third party's reading of the venue (docs/margin-model-a.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kernels._jit import Floats, Ints
from kernels.scenarios_table import ScenarioTable


def offset_profits(cells_usd: Floats, offset: float, most_usd: float) -> Floats:
    """Return what the cells of one underlying add to those of others: losses whole, profits min(offset profit, most).

    cells_usd: float64[S], and so is the result. NaN stays NaN. Source: Deribit, `pnl_offset` and `max_offsetable_pnl`.
    """
    # Of no profit at all an infinite share would be NaN.
    profit = np.minimum(np.maximum(cells_usd, 0.0) * offset, most_usd)
    added: Floats = np.where(cells_usd > 0.0, profit, cells_usd)
    return added


def scaled_extension(table: ScenarioTable, price_range: float, factor: float) -> ScenarioTable:
    """Return a table whose weights beyond the range are multiplied by a factor."""
    beyond = np.abs(table.move) > price_range * (1.0 + 1e-12)
    return table._replace(weight=np.where(beyond, table.weight * factor, table.weight))


def dampened(cells_usd: Floats, table: ScenarioTable, price_range: float, dampener_usd: float) -> Floats:
    """Return cells moved toward zero by (|move|/range - 1)+ dampener, at most to zero.

    cells_usd: float64[S]. In coins at the price at the end of the range this is the published form's
    (max(|m|/range, 1) - 1) dampener / ((1 + sign(m) range) S). NaN stays NaN.
    """
    reach = np.maximum(np.abs(table.move) / price_range, 1.0) - 1.0
    # The ends of the standard range are at it only up to rounding.
    reach[reach < 1e-12] = 0.0
    nearer: Floats = np.sign(cells_usd) * np.maximum(np.abs(cells_usd) - reach * dampener_usd, 0.0)
    return nearer


def common_cells(tables: Sequence[ScenarioTable], buckets_each_side: int) -> Ints:
    """Return which cell of each table stands for each cell of all: int64[U, C].

    The tables have one number of buckets: their standard cells correspond by number, so that a move is the same share
    of each range. After them comes every extended move of any table, ascending; a table whose own range reaches
    farther has its end of the range there, volatility up.
    """
    n = buckets_each_side
    standard = 3 * (2 * n + 1)
    extended = [{float(move): standard + j for j, move in enumerate(table.move[standard:])} for table in tables]
    moves = sorted(set().union(*extended))
    cells = np.empty((len(tables), standard + len(moves)), dtype=np.int64)
    cells[:, :standard] = np.arange(standard)
    for u, own in enumerate(extended):
        cells[u, standard:] = [own.get(move, standard - 3 if move > 0.0 else 0) for move in moves]
    return cells


def worst_cell(cells_usd: Floats) -> tuple[int, float]:
    """Return the cell with the smallest P&L, the lowest of equals, and that P&L; -1 and NaN if any is not a number."""
    if np.isnan(cells_usd).any():
        return -1, math.nan
    cell = int(np.argmin(cells_usd))
    return cell, float(cells_usd[cell])
