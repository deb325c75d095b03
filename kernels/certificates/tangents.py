"""Tangents of instruments at the present price, and how far their values may curve away from them.

For a relative move x of the index in [-X, X] at a fixed basis, with f the value of one contract in a cell, USD,

    f(0) + f'(0) x - below x^2/2 - kink |x|  <=  f(x)  <=  f(0) + f'(0) x + above x^2/2 + kink |x|.

Futures and coins are straight. An option's cell is weight unit V(F'(1 + x), s(x)), F' = F (1 + m), convex at a fixed s,
so that `below` is of the smile alone. Proof: `docs/certificates.md`.
"""

from __future__ import annotations

import numpy as np

from kernels import scenarios
from kernels._jit import Bools, Floats, Ints, kernel
from kernels.certificates import smile
from kernels.certificates.cells import ABOVE, BELOW, CELL, KINK, SLOPE, write_cells
from kernels.polynomials import log_ratio

__all__ = [
    "ABOVE", "BELOW", "CARRY", "CELL", "DELTA", "GROSS", "KINK", "SLOPE", "SWING", "VALUE", "option_cells", "tangents",
]  # fmt: skip

# Columns of a row's own value, after those of a cell: USD that one contract moves at 1:1, what model A's charges take,
# and a bound of the slope of any cell, in multiples of the cell's weight (1 + m).
GROSS, CARRY, DELTA, SWING = range(4, 8)
VALUE = 8


@kernel("i8[::1], i8[::1], b1[::1], f8[::1], f8[::1], f8[:, :, ::1], f8, f8[::1], i8[::1], b1[::1], i8[::1]")
def option_cells(
    rows: Ints, kind: Ints, is_call: Bools, strike: Floats, forward: Floats, path: Floats, radius: float,
    move: Floats, direction: Ints, certifiable: Bools, place: Ints,
) -> Floats:  # fmt: skip
    """Return the cells of those rows that are certifiable options, of one unit, and write which rows these are.

    float64[k, CELL, S], of which place, int64[k], has as many that are not negative.
    """
    options = 0
    for at in range(rows.shape[0]):
        if certifiable[at] and kind[rows[at]] >= scenarios.LINEAR_OPTION:
            place[options] = at
            options += 1
    place[options:] = -1
    call, forwards, moneyness = np.empty(options, dtype=np.bool_), np.empty(options), np.empty(options)
    paths, log_move = np.empty((options, smile.DIRECTIONS, smile.PATH)), np.empty(move.shape[0])
    for j in range(options):
        i = rows[place[j]]
        call[j], forwards[j], moneyness[j] = is_call[i], forward[i], log_ratio(forward[i], strike[i])
        paths[j] = path[place[j]]
    for s in range(move.shape[0]):
        log_move[s] = log_ratio(1.0 + move[s], 1.0)
    found = np.empty((options, CELL, move.shape[0]))
    down, up = log_ratio(1.0 - radius, 1.0), log_ratio(1.0 + radius, 1.0)
    write_cells(call, forwards, moneyness, paths, down, up, move, log_move, direction, found)
    return found


@kernel(
    "i8[::1], i8[::1], b1[::1], f8[::1], f8[::1], f8, f8[::1], f8[::1], i8[::1], f8[::1], f8[:, :, ::1], f8[:, ::1],"
    "b1[::1], f8[:, :, ::1]"
)
def tangents(
    rows: Ints, kind: Ints, is_call: Bools, strike: Floats, price_or_forward: Floats, radius: float, move: Floats,
    linear_move: Floats, vol_direction: Ints, weight: Floats, path: Floats, value: Floats, certifiable: Bools,
    cells: Floats,
) -> None:  # fmt: skip
    """Write slopes and curvature bounds of some scenarios of the rows that were prepared.

    path, value, certifiable: of `kernels.certificates.rows.prepare`, at the same radius and columns; move, linear_move,
    vol_direction, weight: S scenarios, any part of a table. cells: float64[>= k, CELL, S], USD: the slope of the P&L,
    and the bounds of the scenario's part of it. Rows that are not certifiable get zeros. Raises ValueError on other
    shapes.
    """
    count = rows.shape[0]
    if cells.shape[0] < count or cells.shape[1] != CELL or cells.shape[2] != move.shape[0]:
        raise ValueError("cells need four columns per row and scenario")
    place = np.empty(count, dtype=np.int64)
    found = option_cells(
        rows, kind, is_call, strike, price_or_forward, path, radius, move, vol_direction, certifiable, place
    )
    for at in range(count):
        cells[at] = 0.0
        if certifiable[at] and kind[rows[at]] < scenarios.LINEAR_OPTION:
            for s in range(move.shape[0]):
                cells[at, SLOPE, s] = value[at, SLOPE] * linear_move[s]
    for j in range(found.shape[0]):
        at = place[j]
        unit = value[at, GROSS] / price_or_forward[rows[at]]
        for c in range(CELL):
            base = value[at, SLOPE] if c == SLOPE else 0.0
            of, to = found[j, c], cells[at, c]
            for s in range(move.shape[0]):
                to[s] = weight[s] * (unit * of[s] - base)
