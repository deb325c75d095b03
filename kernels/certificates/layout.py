"""Where the contracts of one account lie while it is evaluated, place by place, and what they are worth."""

from __future__ import annotations

import numpy as np

from kernels._jit import Bools, Floats, Ints, kernel
from kernels.certificates import priced_places
from kernels.certificates.book import NUMBER, SCENARIO
from kernels.netted_accounts import CELLS, CONTRACTS, PAGE, SCENARIOS, WIDTH

LAYOUT = 7  # of a place: first contract, where its P&L and its sums begin, moves, scenarios, column, segment
FIRST, PNL_AT, SUMS_AT, MOVES, COUNTED, COLUMN, SEGMENT = range(LAYOUT)


@kernel("i8, i8[:, ::1], i8[::1], i8[:, ::1], i8[::1], i8[::1], i8")
def layout_of(row: int, slot: Ints, page_column: Ints, columns: Ints, start: Ints, stop: Ints, size: int) -> Ints:
    """Return where an account's contracts and P&L lie, int64[size + 1, LAYOUT]; the last row has the totals."""
    out = np.zeros((size + 1, LAYOUT), dtype=np.int64)
    for u in range(size):
        s = slot[row, u]
        c = page_column[s // PAGE]
        held = stop[s] - start[s]
        out[u, MOVES], out[u, COUNTED], out[u, COLUMN], out[u, SEGMENT] = columns[c, WIDTH], columns[c, CELLS], c, s
        out[u + 1, FIRST] = out[u, FIRST] + held
        out[u + 1, PNL_AT] = out[u, PNL_AT] + held * columns[c, CELLS]
        out[u + 1, SUMS_AT] = out[u, SUMS_AT] + columns[c, CELLS]
    return out


@kernel("f8[::1], i8[:, ::1], i8[:, ::1], i8")
def scenario_of(scenarios: Floats, columns: Ints, layout: Ints, u: int) -> Floats:
    """Return the scenarios of a place, float64[SCENARIO, S]."""
    at, count = columns[layout[u, COLUMN], SCENARIOS], layout[u, COUNTED]
    return scenarios[at : at + SCENARIO * count].reshape(SCENARIO, count)


@kernel("f8[:, ::1], i8")
def side_of(scenario: Floats, moves: int) -> Ints:
    """Return the sides of a place's extended scenarios."""
    side = np.empty(scenario.shape[1] - 3 * moves, dtype=np.int64)
    for j in range(side.shape[0]):
        side[j] = int(scenario[NUMBER, 3 * moves + j])
    return side


@kernel("i8[:, ::1], i8")
def widest_of(layout: Ints, size: int) -> int:
    """Return the largest number of moves of any place, at least 1."""
    widest = 1
    for u in range(size):
        widest = max(widest, layout[u, MOVES])
    return widest


@kernel(
    "i8, i8[:, ::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[::1], i8[::1],"
    "b1[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1], f8[::1]"
)
def value(
    size: int, layout: Ints, columns: Ints, start: Ints, stop: Ints, position_row: Ints, quantity: Floats,
    contracts: Floats, scenarios: Floats, market: Floats, amount: Floats, kind: Ints, is_call: Bools, code: Ints,
    parameters: Floats, priced: Floats, pnl: Floats, losses: Floats, values: Floats,
) -> None:  # fmt: skip
    """Price an account's contracts place by place, and write its losses by move and its values, USD."""
    for u in range(size):
        a, b, s, c = layout[u, FIRST], layout[u + 1, FIRST], layout[u, SEGMENT], layout[u, COLUMN]
        scenario = scenario_of(scenarios, columns, layout, u)
        amount[a:b] = quantity[start[s] : stop[s]]
        values[u] = priced_places.value_place(
            contracts[columns[c, CONTRACTS] :], position_row[start[s] : stop[s]], amount[a:b], scenario, market[c],
            kind[a:b], is_call[a:b], priced_places.block(priced, a, b), code[a:b], parameters[a:b],
            pnl[layout[u, PNL_AT] : layout[u + 1, PNL_AT]].reshape(b - a, layout[u, COUNTED]),
            side_of(scenario, layout[u, MOVES]), losses[u, : layout[u, MOVES]],
        )  # fmt: skip
