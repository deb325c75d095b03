"""Netted requirements (model P) of many accounts, held between two bounds so that few have to be solved.

Rows are accounts, columns underlyings; an active pair (row, column) owns one row of `pool`, its losses by move. An
exact solve leaves hedges w and mean moves x behind (`kernels.netting_solve`). When losses l_u move on,

    sum_u e_u(x_u) <= M* <= L(w) + sum_u r_u(w_u),   r_u(w) = max_m (l_u(m) + w m),

with e_u the concave envelope of l_u, since x stays in the dual ball of L while the matrices and k are those of the
solve, and any w is feasible. A tick of one underlying changes its own terms only. Most accounts are decided by the
upper bound alone; the lower one is computed for those that are not, and few of these have to be solved.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import netting, netting_solve
from kernels._jit import Bools, Floats, Ints, kernel

TOLERANCE = 1e-9  # primal-dual gap of a solve, relative


@kernel("f8[::1], i8, f8")
def envelope(losses: Floats, count: int, mean: float) -> float:
    """Return the concave envelope of losses at moves -1 .. 1 (uniform, `count` of them) at a mean move.

    It is the largest mean loss of a mixture of moves with this mean. NaN losses give NaN.
    """
    step = 2.0 / (count - 1)
    best = -math.inf
    for i in range(count):
        if math.isnan(losses[i]):
            return math.nan
        left = -1.0 + i * step
        if left > mean:
            break
        for j in range(count - 1, i - 1, -1):
            right = -1.0 + j * step
            if right < mean:
                break
            # Both ends may be the mean itself: then the mixture is this move alone.
            share = (mean - left) / (right - left) if right > left else 0.0
            best = max(best, losses[i] + share * (losses[j] - losses[i]))
    return best


@kernel("i8[::1], i8[::1], f8[:, ::1], i8, f8[:, ::1], f8[:, ::1], f8[:, ::1], b1[::1]")
def store_losses(
    accounts: Ints,
    slots: Ints,
    losses: Floats,
    column: int,
    pool: Floats,
    hedge: Floats,
    residual: Floats,
    exact: Bools,
) -> None:
    """Take one underlying's new losses, f8[m, width], of m accounts and update its term of their upper bounds.

    accounts: int64[m] rows; slots: int64[m] rows of `pool`; hedge, residual: float64[A, C], USD. `exact` is cleared: a
    solve of before does not hold any more.
    """
    width = losses.shape[1]
    for k in range(accounts.shape[0]):
        row = accounts[k]
        line = losses[k]
        pool[slots[k], :width] = line
        residual[row, column] = netting.residual(line, hedge[row, column])
        exact[row] = False


@kernel("i8[::1], b1[:, ::1], i8[::1], i8[:, ::1], i8[::1], f8[:, ::1], f8[:, ::1], f8[::1]")
def lower_bounds(
    rows: Ints, active: Bools, order: Ints, slot: Ints, width: Ints, pool: Floats, mean: Floats, lower: Floats
) -> None:
    """Write the lower bound of some accounts, float64[A], USD: the losses of a mixture with the stored mean moves.

    slot: int64[A, C] rows of `pool`; width: int64[C].
    """
    for row in rows:
        total = 0.0
        for c in order:
            if active[row, c]:
                total += envelope(pool[slot[row, c]], width[c], mean[row, c])
        lower[row] = total


@kernel("f8[:, :, ::1], i8[::1], i8[::1]")
def _gathered(matrices: Floats, coin: Ints, columns: Ints) -> Floats:
    """Return the matrices of some columns, float64[K, U, U]."""
    places = np.empty(columns.shape[0], dtype=np.int64)
    for i in range(columns.shape[0]):
        places[i] = coin[columns[i]]
    out = np.empty((matrices.shape[0], columns.shape[0], columns.shape[0]))
    netting.gather(matrices, places, out)
    return out


@kernel(
    "i8[::1], b1[::1], b1[:, ::1], i8[::1], i8[::1], i8[::1], f8[:, :, :, ::1], f8[::1], f8[:, ::1], f8[:, ::1],"
    "f8[::1], b1[::1]"
)
def take_matrices(
    rows: Ints,
    netted: Bools,
    active: Bools,
    order: Ints,
    coin: Ints,
    set_of: Ints,
    matrices: Floats,
    stress: Floats,
    hedge: Floats,
    mean: Floats,
    norm: Floats,
    exact: Bools,
) -> None:
    """Take new correlations: the norm of the stored hedges anew, and mean moves of zero, which every matrix allows.

    matrices: float64[sets, K, N, N], stress k: float64[sets]; coin: int64[C], a column's place in the matrices.
    """
    columns = np.empty(order.shape[0], dtype=np.int64)
    for k in range(rows.shape[0]):
        row = rows[k]
        if not netted[row]:
            continue
        count = 0
        for c in order:
            if active[row, c]:
                columns[count] = c
                count += 1
                mean[row, c] = 0.0
        held = columns[:count]
        w = np.empty(count)
        for i in range(count):
            w[i] = hedge[row, held[i]]
        norm[row] = netting.norm(w, _gathered(matrices[set_of[row]], coin, held), stress[set_of[row]])
        exact[row] = False


@kernel(
    "i8[::1], b1[:, ::1], i8[::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[:, :, :, ::1], f8[::1], f8[:, ::1],"
    "f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1], b1[::1]"
)
def solve_rows(
    rows: Ints,
    active: Bools,
    order: Ints,
    slot: Ints,
    width: Ints,
    coin: Ints,
    set_of: Ints,
    matrices: Floats,
    stress: Floats,
    pool: Floats,
    hedge: Floats,
    mean: Floats,
    residual: Floats,
    norm: Floats,
    requirement: Floats,
    exact: Bools,
) -> None:
    """Solve some accounts exactly, from nothing: the result depends on losses and matrices alone.

    Writes `requirement` in USD, and hedges, their norm and residuals and mean moves for the ticks to come. Arrays as
    in `take_matrices` and `lower_bounds`. Losses that are not finite give a NaN requirement, and hedges and mean moves
    of zero.
    """
    columns = np.empty(order.shape[0], dtype=np.int64)
    for k in range(rows.shape[0]):
        row = rows[k]
        count = 0
        widest = 1
        for c in order:
            if active[row, c]:
                columns[count] = c
                count += 1
                widest = max(widest, width[c])
        held = columns[:count]
        exact[row] = True
        requirement[row] = 0.0
        norm[row] = 0.0
        if count == 0:
            continue
        losses = np.zeros((count, widest))
        counts = np.empty(count, dtype=np.int64)
        for i in range(count):
            counts[i] = width[held[i]]
            losses[i, : counts[i]] = pool[slot[row, held[i]], : counts[i]]
        gathered = _gathered(matrices[set_of[row]], coin, held)
        w = np.zeros(count)
        duals = np.zeros((count, widest))
        matrix_weight = np.zeros(matrices.shape[1])
        found = netting_solve.solve(losses, counts, gathered, stress[set_of[row]], TOLERANCE, w, duals, matrix_weight)
        requirement[row] = found[0]
        # What stays behind must be finite: a NaN would outlive the prices it came from. Hedges and mean moves of zero
        # are bounds of any losses.
        if not math.isfinite(found[0]):
            w[:] = 0.0
            duals[:] = 0.0
        norm[row] = netting.norm(w, gathered, stress[set_of[row]])
        for i in range(count):
            c = held[i]
            n = counts[i]
            x = 0.0
            for j in range(n):
                x += duals[i, j] * (-1.0 + 2.0 * j / (n - 1))
            hedge[row, c] = w[i]
            mean[row, c] = x
            residual[row, c] = netting.residual(losses[i, :n], w[i])
