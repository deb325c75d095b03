"""Exact netted requirements (model P) of accounts, and what new correlations leave of older ones.

Arrays by account and place, and the pool of losses, as in `kernels.netted_bounds`. A solve leaves hedges w and mean
moves x behind, from which bounds follow that outlive it:

    M* = min over w of L(w) + sum_u r_u(w_u)            solved by `kernels.netting_solve`
    w stays feasible under any matrices, x = 0 lies in the dual ball of any
"""

from __future__ import annotations

import math

import numpy as np

from kernels import netting, netting_solve
from kernels._jit import Bools, Floats, Ints, kernel

TOLERANCE = 1e-9  # primal-dual gap of a solve, relative


@kernel("f8[:, :, ::1], i8[::1], i8[:]")
def _gathered(matrices: Floats, coin: Ints, columns: Ints) -> Floats:
    """Return the matrices of some columns, float64[K, U, U]."""
    places = np.empty(columns.shape[0], dtype=np.int64)
    for i in range(columns.shape[0]):
        places[i] = coin[columns[i]]
    out = np.empty((matrices.shape[0], columns.shape[0], columns.shape[0]))
    netting.gather(matrices, places, out)
    return out


@kernel(
    "i8[::1], b1[::1], i8[:], i8[:, :], i8[::1], i8[:], f8[:, :, :, ::1], f8[::1], f8[:, :], f8[:, :], f8[:], b1[::1]"
)
def take_matrices(
    rows: Ints,
    netted: Bools,
    count: Ints,
    column: Ints,
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

    matrices: float64[sets, K, N, N], stress k: float64[sets]; coin: int64[C], a column's place in the matrices;
    hedge, mean: float64[A, P].
    """
    for k in range(rows.shape[0]):
        row = rows[k]
        if not netted[row]:
            continue
        held = column[row, : count[row]]
        mean[row, : count[row]] = 0.0
        gathered = _gathered(matrices[set_of[row]], coin, held)
        norm[row] = netting.norm(hedge[row, : count[row]].copy(), gathered, stress[set_of[row]])
        exact[row] = False


@kernel(
    "i8[::1], i8[:], i8[:, :], i8[:, :], i8[::1], i8[::1], i8[:], f8[:, :, :, ::1], f8[::1], f8[:, ::1],"
    "f8[:, :], f8[:, :], f8[:, :], f8[:], f8[:], b1[::1]"
)
def solve_rows(
    rows: Ints,
    count: Ints,
    column: Ints,
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
    in `take_matrices` and `kernels.netted_bounds`. Losses that are not finite give a NaN requirement, and hedges and
    mean moves of zero.
    """
    for k in range(rows.shape[0]):
        row = rows[k]
        size = count[row]
        exact[row] = True
        requirement[row] = 0.0
        norm[row] = 0.0
        if size == 0:
            continue
        held = column[row, :size]
        counts = np.empty(size, dtype=np.int64)
        widest = 1
        for i in range(size):
            counts[i] = width[held[i]]
            widest = max(widest, counts[i])
        losses = np.zeros((size, widest))
        for i in range(size):
            losses[i, : counts[i]] = pool[slot[row, i], : counts[i]]
        gathered = _gathered(matrices[set_of[row]], coin, held)
        w = np.zeros(size)
        duals = np.zeros((size, widest))
        matrix_weight = np.zeros(matrices.shape[1])
        found = netting_solve.solve(losses, counts, gathered, stress[set_of[row]], TOLERANCE, w, duals, matrix_weight)
        requirement[row] = found[0]
        # What stays behind must be finite: a NaN would outlive the prices it came from. Hedges and mean moves of zero
        # are bounds of any losses.
        if not math.isfinite(found[0]):
            w[:] = 0.0
            duals[:] = 0.0
        norm[row] = netting.norm(w, gathered, stress[set_of[row]])
        for i in range(size):
            n = counts[i]
            x = 0.0
            for j in range(n):
                x += duals[i, j] * (-1.0 + 2.0 * j / (n - 1))
            hedge[row, i] = w[i]
            mean[row, i] = x
            residual[row, i] = netting.residual(losses[i, :n], w[i])
