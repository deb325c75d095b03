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
from kernels.ahead import ask_for_bounds, ask_for_places
from kernels.curves import extra_stride, keep_curve, sum_curves
from kernels.move_losses import curve_table
from kernels.segment_sums import CHUNK


@inlined()
def _moves(width: int) -> Floats:
    """Return the normalised moves, in the arithmetic of `kernels.netting.residual`."""
    step = 2.0 / (width - 1)
    moves = np.empty(width)
    for j in range(width):
        moves[j] = j * step - 1.0
    return moves


@kernel(
    "i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], i8[::1], i8[::1], i8[::1], i8[:, :], i8, f8[:, ::1],"
    "f8[:, :], f8[:, :], f8[:, :], b1[::1]"
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
    m, wide = accounts.shape[0], pool.shape[1]
    table, unit = curve_table(indptr, row, quantity, pnl, value, value, side, width)
    if indptr.shape[0] != m + 1 or places.shape[0] != m or width > wide:
        raise ValueError("accounts needs one row per segment, and the pool a place for every move")
    each = extra_stride(width, side.shape[0])
    extras = np.empty(CHUNK * each)
    falls = int(np.sum(side < 0))
    moves = _moves(width)
    curves = np.empty(CHUNK * width)
    flat = pool.reshape(pool.shape[0] * wide)
    for begin in range(0, m, CHUNK):
        end = min(begin + CHUNK, m)
        ask_for_places(accounts, places, begin, end, CHUNK, slot, pool, width, hedge, value_usd)
        sum_curves(indptr, unit, quantity, table, width, falls, side.shape[0] - falls, begin, end, curves, 0, extras)
        for a in range(end - begin):
            account, place = accounts[begin + a], places[begin + a]
            to = slot[account, place] * wide
            residual[account, place] = keep_curve(curves, a * width, moves, hedge[account, place], flat, to)
            value_usd[account, place] = extras[a * each]
            exact[account] = False


@inlined()
def _chord(losses: Floats, at: int, left: int, right: int, position: float) -> float:
    """Return the line through two points of a curve, at a place between them."""
    share = (position - left) / (right - left)
    height: float = losses[at + left] + share * (losses[at + right] - losses[at + left])
    return height


@inlined()
def _envelope(losses: Floats, at: int, count: int, mean: float) -> float:
    """As `envelope`, of the curve from element `at` on.

    Of the lines through a left and a right point the highest at the mean is the one above which no point lies. For a
    fixed right end the best left one is where the slope is least, and the other way round; a line that neither turn can
    raise has no point above it. Turns end with the first that does not raise the line: on a curve that is straight but
    for rounding, slopes alone would turn for ever.
    """
    position = min(max(0.5 * (mean + 1.0) * (count - 1), 0.0), count - 1.0)
    below = int(position)
    at_move = position == below
    best: float = losses[at + below] if at_move else -math.inf
    first_right = below + 1
    last_left = below - 1 if at_move else below
    if last_left >= 0 and first_right < count:
        left, right = last_left, first_right
        chord, before = _chord(losses, at, left, right, position), -math.inf
        while chord > before:
            before = chord
            for i in range(last_left + 1):
                if (losses[at + right] - losses[at + i]) * (right - left) < (losses[at + right] - losses[at + left]) * (
                    right - i
                ):
                    left = i
            for j in range(first_right, count):
                if (losses[at + j] - losses[at + left]) * (right - left) > (losses[at + right] - losses[at + left]) * (
                    j - left
                ):
                    right = j
            chord = _chord(losses, at, left, right, position)
        best = max(best, before)
    check = 0.0
    for i in range(at, at + count):
        check += losses[i]
    return math.nan if math.isnan(check) else best


@kernel("f8[::1], i8, f8")
def envelope(losses: Floats, count: int, mean: float) -> float:
    """Return the concave envelope of losses at moves -1 .. 1 (uniform, `count` of them) at a mean move.

    It is the largest mean loss of a mixture of moves with this mean. NaN losses give NaN.
    """
    found: float = _envelope(losses, 0, count, mean)
    return found


@kernel("i8[::1], i8[::1], f8[:, ::1], i8[:, :], f8[:, ::1], f8[:, :], f8[:, :], b1[::1]")
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


@kernel("i8[::1], i8[:], i8[:, :], i8[:, :], i8[::1], f8[:, ::1], f8[:, :], f8[::1]")
def lower_bounds(
    rows: Ints, count: Ints, column: Ints, slot: Ints, width: Ints, pool: Floats, mean: Floats, lower: Floats
) -> None:
    """Write the lower bound of some accounts, float64[A], USD: the losses of a mixture with the stored mean moves.

    slot: int64[A, P] rows of `pool`; width: int64[C]; mean: float64[A, P].
    """
    wide = pool.shape[1]
    flat = pool.reshape(pool.shape[0] * wide)
    for k in range(rows.shape[0]):
        row = rows[k]
        ask_for_bounds(rows, k, count, column, slot, width, pool)
        total = 0.0
        for place in range(count[row]):
            total += _envelope(flat, slot[row, place] * wide, width[column[row, place]], mean[row, place])
        lower[row] = total
