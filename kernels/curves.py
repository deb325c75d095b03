"""One segment's loss curve from its sums, and what a hedge leaves of it; eight moves at a time.

Sums begin with all cells of volatility up, then same, then down, each `width` moves long, then the extended falls, then
the extended rises (`kernels.move_losses`).

    losses[j] = max over cells of -pnl[cell, j],  at the ends also over the extended ones of that side
    residual  = max over j of losses[j] + w m_j
"""

from __future__ import annotations

import math

from kernels import vectors
from kernels._jit import Floats, inlined
from kernels.vectors import LANES

VOL_CELLS = 3  # volatility up, same, down: the layout of `scenarios.scenario_table`


@inlined()
def _narrow(sums: Floats, at: int, width: int, losses: Floats, to: int) -> float:
    total = 0.0
    for j in range(width):
        up, same, down = sums[at + j], sums[at + width + j], sums[at + 2 * width + j]
        total += up + same + down
        losses[to + j] = 0.0 - min(up, min(same, down))  # noqa: PLW3301
    return total - total


@inlined()
def _wide(sums: Floats, at: int, width: int, losses: Floats, to: int) -> float:
    """As `_narrow`, eight moves at a time; the last eight overlap those before."""
    zero = vectors.splat(0.0)
    total = zero
    for group in range((width + LANES - 1) // LANES):
        j = min(group * LANES, width - LANES)
        up = vectors.load(sums, at + j)
        same = vectors.load(sums, at + width + j)
        down = vectors.load(sums, at + 2 * width + j)
        total = vectors.add(total, vectors.add(up, vectors.add(same, down)))
        vectors.store(losses, to + j, vectors.subtract(zero, vectors.smaller(up, vectors.smaller(same, down))))
    # Differences are 0 or NaN, so that no finite sum is taken for an infinite one by adding it up.
    check: float = vectors.sum_of(vectors.subtract(total, total))
    return check


@inlined()
def reduce_curve(sums: Floats, at: int, width: int, falls: int, rises: int, losses: Floats, to: int) -> None:
    """Write the curve of one segment's sums to `losses[to : to + width]`; NaN throughout if any cell is not finite."""
    check = _wide(sums, at, width, losses, to) if width >= LANES else _narrow(sums, at, width, losses, to)
    at += VOL_CELLS * width
    for j in range(falls):
        loss = 0.0 - sums[at + j]
        check += loss - loss
        losses[to] = max(losses[to], loss)
    for j in range(falls, falls + rises):
        loss = 0.0 - sums[at + j]
        check += loss - loss
        losses[to + width - 1] = max(losses[to + width - 1], loss)
    # A minimum may pass over NaN, a sum cannot.
    if math.isnan(check):
        for j in range(width):
            losses[to + j] = math.nan


@inlined()
def residual_of(losses: Floats, at: int, moves: Floats, w: float) -> float:
    """Return max over j of `losses[at + j] + w moves[j]`, as `kernels.netting.residual` to the last bit.

    The curve is finite or NaN throughout, as `reduce_curve` leaves it.
    """
    width = moves.shape[0]
    largest = -math.inf
    if width >= LANES:
        hedge, most = vectors.splat(w), vectors.splat(-math.inf)
        for group in range((width + LANES - 1) // LANES):
            j = min(group * LANES, width - LANES)
            hedged = vectors.add(vectors.load(losses, at + j), vectors.multiply(hedge, vectors.load(moves, j)))
            most = vectors.larger(hedged, most)
        largest = vectors.largest_of(most)
    else:
        for j in range(width):
            largest = max(largest, losses[at + j] + w * moves[j])
    return math.nan if math.isnan(losses[at] + w) else largest
