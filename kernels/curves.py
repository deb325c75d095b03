"""One segment's loss curve from its sums, and what a hedge leaves of it; eight moves at a time.

Sums begin with all cells of volatility up, then same, then down, each `width` moves long, then the extended falls, then
the extended rises (`kernels.move_losses`).

    losses[j] = max over cells of -pnl[cell, j],  at the ends also over the extended ones of that side
    residual  = max over j of losses[j] + w m_j
"""

from __future__ import annotations

import math

from kernels import vectors
from kernels._jit import Floats, inlined, kernel
from kernels.vectors import LANES

VOL_CELLS = 3  # volatility up, same, down: the layout of `scenarios.scenario_table`


@kernel("f8[::1], i8, i8")
def _fill(losses: Floats, to: int, width: int) -> None:
    for j in range(width):
        losses[to + j] = math.nan


@kernel("f8[::1], i8, i8, i8, f8[::1], i8")
def _narrow(sums: Floats, stride: int, segments: int, width: int, losses: Floats, first: int) -> None:
    for a in range(segments):
        at, to = a * stride, first + a * width
        check = 0.0
        for j in range(width):
            up, same, down = sums[at + j], sums[at + width + j], sums[at + 2 * width + j]
            check += up + same + down
            losses[to + j] = 0.0 - min(up, min(same, down))  # noqa: PLW3301
        # A minimum may pass over NaN, a sum cannot.
        if not math.isfinite(check):
            _fill(losses, to, width)


@kernel("f8[::1], i8, i8, i8, f8[::1], i8")
def _wide(sums: Floats, stride: int, segments: int, width: int, losses: Floats, first: int) -> None:
    """As `_narrow`, eight moves at a time; the last eight overlap those before."""
    zero = vectors.splat(0.0)
    for a in range(segments):
        at, to = a * stride, first + a * width
        check = zero
        for group in range(0, width, LANES):
            j = min(group, width - LANES)
            up = vectors.load(sums, at + j)
            same = vectors.load(sums, at + width + j)
            down = vectors.load(sums, at + 2 * width + j)
            check = vectors.add(check, vectors.add(up, vectors.add(same, down)))
            vectors.store(losses, to + j, vectors.subtract(zero, vectors.smaller(up, vectors.smaller(same, down))))
        if not math.isfinite(vectors.sum_of(check)):
            _fill(losses, to, width)


@kernel("f8[::1], i8, i8, i8, i8, i8, f8[::1], i8")
def _extend(
    sums: Floats, stride: int, segments: int, width: int, falls: int, rises: int, losses: Floats, first: int
) -> None:
    for a in range(segments):
        at, to = a * stride + VOL_CELLS * width, first + a * width
        low, high = losses[to], losses[to + width - 1]
        check = low
        for j in range(at, at + falls):
            low = max(low, 0.0 - sums[j])
            check += sums[j]
        for j in range(at + falls, at + falls + rises):
            high = max(high, 0.0 - sums[j])
            check += sums[j]
        losses[to], losses[to + width - 1] = low, high
        if not math.isfinite(check):
            _fill(losses, to, width)


@kernel("f8[::1], i8, i8, i8, i8, i8, f8[::1], i8")
def reduce_curves(
    sums: Floats, stride: int, segments: int, width: int, falls: int, rises: int, losses: Floats, first: int
) -> None:
    """Write the curves of some segments to `losses[first + a width : first + (a + 1) width]`, a = 0 .. segments - 1.

    NaN throughout if any cell is not finite. Nothing is checked: sums holds `stride` doubles per segment.
    """
    if width >= LANES:
        _wide(sums, stride, segments, width, losses, first)
    else:
        _narrow(sums, stride, segments, width, losses, first)
    if falls + rises > 0:
        _extend(sums, stride, segments, width, falls, rises, losses, first)


@inlined()
def keep_curve(losses: Floats, at: int, moves: Floats, w: float, pool: Floats, to: int) -> float:
    """Copy a curve to `pool[to : to + width]`, and return the max over j of `losses[at + j] + w moves[j]`.

    The same as `kernels.netting.residual` to the last bit. The curve is finite or NaN throughout, as `reduce_curves`
    leaves it.
    """
    width = moves.shape[0]
    largest = -math.inf
    if width >= LANES:
        hedge, most = vectors.splat(w), vectors.splat(-math.inf)
        for group in range(0, width, LANES):
            j = min(group, width - LANES)
            curve = vectors.load(losses, at + j)
            vectors.store(pool, to + j, curve)
            most = vectors.larger(vectors.add(curve, vectors.multiply(hedge, vectors.load(moves, j))), most)
        largest = vectors.largest_of(most)
    else:
        for j in range(width):
            pool[to + j] = losses[at + j]
            largest = max(largest, losses[at + j] + w * moves[j])
    return math.nan if math.isnan(losses[at] + w) else largest
