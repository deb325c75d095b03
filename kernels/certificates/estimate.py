"""An account from rows that its columns' accounts share: sums of them, and about what it has and needs now.

An estimate proves nothing by itself; its hedges and mixtures are as good as any for `kernels.certificates.renew`.
"""

from __future__ import annotations

import numpy as np

from kernels._jit import Floats, Ints, Shorts, kernel
from kernels.accounts import CASH, SET
from kernels.certificates import shared
from kernels.certificates.book import INDEX
from kernels.certificates.layout import COLUMN, COUNTED, MOVES, SEGMENT, SUMS_AT, scenario_of
from kernels.netted_accounts import CONTRACTS, TOLERANCE, matrices_of
from kernels.netting import norm
from kernels.netting_solve import SOLVED, solve


@kernel(
    "i8, i8[:, ::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[::1],"
    "i8[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1]"
)
def add_up(
    size: int, layout: Ints, columns: Ints, start: Ints, stop: Ints, position_row: Ints, quantity: Floats,
    contracts: Floats, scenarios: Floats, market: Floats, tables: Floats, table_at: Ints, centers: Floats,
    now: Floats, x: Floats, sums: Floats, base: Floats,
) -> bool:  # fmt: skip
    """Add up the shared rows of an account's places; return whether all may be part of a certificate."""
    for u in range(size):
        c, s, cells = layout[u, COLUMN], layout[u, SEGMENT], layout[u, COUNTED]
        if table_at[c] < 0:
            return False
        x[u] = shared.place_of(market[c, INDEX], centers[c])
        held, first = position_row[start[s] : stop[s]], shared.SUMS * layout[u, SUMS_AT]
        if not shared.have(
            contracts[columns[c, CONTRACTS] :], held, scenario_of(scenarios, columns, layout, u), market[c],
            now[c], centers[c], tables, table_at[c],
        ):  # fmt: skip
            return False
        shared.add_up(
            held, quantity[start[s] : stop[s]], tables, table_at[c], cells, sums[first : first + shared.SUMS * cells],
            base[u],
        )  # fmt: skip
    return True


@kernel(
    "i8, i8, i8[:, ::1], i8[:, ::1], f8[::1], f8[::1], f8[::1], f8[:, ::1], i8[:, ::1], i8[::1], f8[:, ::1],"
    "i2[:, ::1], f8[:, :, :, ::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], f8[::1]"
)
def solve_about(
    row: int, size: int, layout: Ints, columns: Ints, scenarios: Floats, x: Floats, sums: Floats, base: Floats,
    slot: Ints, page_column: Ints, record: Floats, shorts: Shorts, matrices: Floats, stress: Floats, losses: Floats,
    w: Floats, mean: Floats, solved: Floats,
) -> bool:  # fmt: skip
    """Solve an account along the tangents of its shared rows.

    Writes hedges, mean moves, and solved: cash, equity, requirement and norm, USD.

    Returns whether the solve closed its gap: then no hedge does much better, and the means are moves of a mixture that
    the matrices allow. Both are so whatever the losses were.
    """
    of, widths = shorts[row, SET], layout[:size, MOVES].copy()
    solved[0], solved[1] = record[row, CASH], record[row, CASH]
    for u in range(size):
        first = shared.SUMS * layout[u, SUMS_AT]
        shared.about_losses(
            sums[first : first + shared.SUMS * layout[u, COUNTED]], scenario_of(scenarios, columns, layout, u),
            widths[u], x[u], losses[u],
        )  # fmt: skip
        solved[1] += base[u, shared.BASE_WORTH] + x[u] * base[u, shared.BASE_SLOPE]
    gathered = matrices_of(matrices[of], columns, page_column, slot, row, size)
    duals, weights = np.zeros((size, losses.shape[1])), np.zeros(matrices.shape[1])
    found = solve(losses, widths, gathered, stress[of], TOLERANCE, w, duals, weights)
    solved[2], solved[3] = found[0], norm(w, gathered, stress[of])
    for u in range(size):
        mean[u] = 0.0
        for j in range(widths[u]):
            mean[u] += duals[u, j] * (-1.0 + 2.0 * j / (widths[u] - 1))
    closed: bool = found[3] == SOLVED
    return closed
