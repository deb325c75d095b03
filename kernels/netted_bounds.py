"""Two bounds of the netted requirements (model P) of many accounts, so that few have to be solved.

Rows are accounts with a place for each underlying that they hold (`kernels.accounts`); `slot[row, place]` is the row of
`pool` with its losses by move. An exact solve leaves hedges w and mean moves x behind (`kernels.netted_accounts`). When
losses l_u move on,

    sum_u e_u(x_u) <= M* <= L(w) + sum_u r_u(w_u),   r_u(w) = max_m (l_u(m) + w m),

with e_u the concave envelope of l_u, since x stays in the dual ball of L while the matrices and k are those of the
solve, and any w is feasible. A tick of one underlying changes its own terms only. Most accounts are decided by the
upper bound alone; the lower one is computed for those that are not, and few of these have to be solved.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import netting
from kernels._jit import Bools, Floats, Ints, inlined, kernel
from kernels.curves import reduce_curves, residual_of
from kernels.move_losses import curve_table
from kernels.segment_sums import CHUNK, empty_table, stride_of, sum_segments


@inlined()
def _moves(width: int) -> Floats:
    """Return the normalised moves, in the arithmetic of `kernels.netting.residual`."""
    step = 2.0 / (width - 1)
    moves = np.empty(width)
    for j in range(width):
        moves[j] = j * step - 1.0
    return moves


@kernel(
    "i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], i8[::1], i8[::1], i8[::1], i8[:, ::1], i8, f8[:, ::1],"
    "f8[:, ::1], f8[:, ::1], f8[:, ::1], b1[::1]"
)
def sweep(
    indptr: Ints,
    row: Ints,
    quantity: Floats,
    pnl: Floats,
    value: Floats,
    side: Ints,
    accounts: Ints,
    places: Ints,
    slot: Ints,
    width: int,
    pool: Floats,
    hedge: Floats,
    residual: Floats,
    value_usd: Floats,
    exact: Bools,
) -> None:
    """Take one underlying's new prices: value, losses and the term of the upper bound of m accounts, in one pass.

    Segments, pnl, value and side as in `kernels.move_losses`; accounts, places: int64[m], whose they are. Writes
    `pool[slot[row, place], :width]`, `residual` and `value_usd`, float64[A, P], and clears `exact`: a solve of before
    does not hold any more. hedge: float64[A, P], USD. Raises ValueError on shapes, rows and sides that do not fit.
    """
    m, scenarios, wide = accounts.shape[0], pnl.shape[1], pool.shape[1]
    table, unit = curve_table(indptr, row, quantity, pnl, value, value, side, width)
    if indptr.shape[0] != m + 1 or places.shape[0] != m or width > wide:
        raise ValueError("accounts needs one row per segment, and the pool a place for every move")
    stride = stride_of(scenarios + 2)
    sums = empty_table(CHUNK, stride)
    falls = int(np.sum(side < 0))
    moves = _moves(width)
    curves = np.empty(CHUNK * width)
    for begin in range(0, m, CHUNK):
        end = min(begin + CHUNK, m)
        sum_segments(indptr, unit, quantity, table, stride, begin, end, sums)
        reduce_curves(sums, stride, end - begin, width, falls, side.shape[0] - falls, curves, 0)
        for a in range(end - begin):
            account, place = accounts[begin + a], places[begin + a]
            pool[slot[account, place], :width] = curves[a * width : (a + 1) * width]
            residual[account, place] = residual_of(curves, a * width, moves, hedge[account, place])
            value_usd[account, place] = sums[a * stride + scenarios]
            exact[account] = False


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


@kernel("i8[::1], i8[::1], f8[:, ::1], i8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], b1[::1]")
def store_losses(
    accounts: Ints,
    places: Ints,
    losses: Floats,
    slot: Ints,
    pool: Floats,
    hedge: Floats,
    residual: Floats,
    exact: Bools,
) -> None:
    """Take one underlying's new losses, float64[m, width], of m accounts and its terms of their bounds, as `sweep`."""
    width = losses.shape[1]
    for k in range(accounts.shape[0]):
        row, place = accounts[k], places[k]
        pool[slot[row, place], :width] = losses[k]
        residual[row, place] = netting.residual(losses[k], hedge[row, place])
        exact[row] = False


@kernel("i8[::1], i8[::1], i8[:, ::1], i8[:, ::1], i8[::1], f8[:, ::1], f8[:, ::1], f8[::1]")
def lower_bounds(
    rows: Ints, count: Ints, column: Ints, slot: Ints, width: Ints, pool: Floats, mean: Floats, lower: Floats
) -> None:
    """Write the lower bound of some accounts, float64[A], USD: the losses of a mixture with the stored mean moves.

    slot: int64[A, P] rows of `pool`; width: int64[C]; mean: float64[A, P].
    """
    for row in rows:
        total = 0.0
        for place in range(count[row]):
            total += envelope(pool[slot[row, place]], width[column[row, place]], mean[row, place])
        lower[row] = total
