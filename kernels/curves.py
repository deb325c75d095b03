"""Curves of segments in full, and what a hedge leaves of one.

    losses[j] = max over cells of -pnl[cell, j],  at the ends also over the extended ones of that side
    residual  = max over j of losses[j] + w m_j

Where the sums are taken groups of eight moves are reduced (`kernels.segment_curves`); the rest is here.
"""

from __future__ import annotations

import math

from kernels import vectors
from kernels._jit import Floats, Ints, inlined, kernel
from kernels.segment_curves import AT_ONCE, EXTRAS, FUSED, PARTIAL, PLAIN, VOL_CELLS, reduced_sums
from kernels.segment_sums import sum_columns
from kernels.vectors import LANES


@inlined()
def groups_of(width: int) -> int:
    """Return how many groups of eight moves a curve of `width` moves has, the last one perhaps with seven."""
    return (width + 1) // LANES


@inlined()
def has_partial(width: int) -> bool:
    """Return whether seven moves are left over, which make a group with value and delta."""
    return width % LANES == LANES - 1


@inlined()
def extra_vectors(width: int, extended: int) -> int:
    """Return how many vectors follow the groups: value, delta and the rest of the moves, then extended scenarios."""
    own = 0 if has_partial(width) else 2 + VOL_CELLS * (width % LANES)
    return (own + extended + LANES - 1) // LANES


@inlined()
def extra_stride(width: int, extended: int) -> int:
    """Return how many doubles a segment has in `extras`; the first two are value and delta."""
    return LANES * ((1 if has_partial(width) else 0) + extra_vectors(width, extended))


@kernel("f8[::1], i8, i8, i8, i8, i8, f8[::1], i8, b1")
def _finish(
    extras: Floats,
    each: int,
    segments: int,
    width: int,
    falls: int,
    rises: int,
    losses: Floats,
    first: int,
    faults: bool,
) -> None:
    """Write the moves that make no group, put extended scenarios at the ends, and spread NaN over whole curves."""
    partial, rest = has_partial(width), 0 if has_partial(width) else width % LANES
    beyond = LANES if partial else 2 + VOL_CELLS * rest
    if rest == 0 and falls + rises == 0 and not faults:
        return
    for a in range(segments):
        to = first + a * width
        check = 0.0
        for j in range(width if faults else 0):
            check += losses[to + j] if j < width - rest else 0.0
        at = a * each + 2
        for j in range(rest):
            up, same, down = extras[at + j], extras[at + rest + j], extras[at + 2 * rest + j]
            check += up + same + down
            losses[to + width - rest + j] = 0.0 - min(up, min(same, down))  # noqa: PLW3301
        low, high = losses[to], losses[to + width - 1]
        at = a * each + beyond
        for j in range(at, at + falls):
            low = max(low, 0.0 - extras[j])
            check += extras[j]
        for j in range(at + falls, at + falls + rises):
            high = max(high, 0.0 - extras[j])
            check += extras[j]
        losses[to], losses[to + width - 1] = low, high
        if not math.isfinite(check):
            for j in range(width):
                losses[to + j] = math.nan


@kernel("i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i8, i8, i8, i8, i8, f8[::1], i8, f8[::1]")
def sum_curves(
    start: Ints, stop: Ints, row: Ints, quantity: Floats, table: Floats, width: int, falls: int, rises: int,
    begin: int, end: int, losses: Floats, first: int, extras: Floats,
) -> None:  # fmt: skip
    """Write the curves of segments begin .. end - 1 to `losses[first + a width]` on, a = 0 .. end - begin - 1.

    table: from `move_losses.curve_table`; extras: float64[>= (end - begin) extra_stride], of which the first two of
    each segment become its value and delta. A curve is NaN throughout if any of its cells is not finite. Segments as in
    `kernels.segment_sums.sum_columns`, and as there nothing is checked.
    """
    if begin >= end:
        return
    groups, vectors = groups_of(width), extra_vectors(width, falls + rises)
    stride = LANES * (VOL_CELLS * groups + vectors)
    each, partial = extra_stride(width, falls + rises), has_partial(width)
    faults = False
    behind = FUSED and vectors == 1 and not partial  # the vector of extras goes with the last groups
    passes = (groups + AT_ONCE - 1) // AT_ONCE
    for p in range(passes):
        left, right = groups * p // passes, groups * (p + 1) // passes
        kind = PLAIN
        if p == passes - 1 and (partial or behind):
            kind = PARTIAL if partial else EXTRAS
        faults |= reduced_sums(
            right - left, kind, table, stride, LANES * VOL_CELLS * left, start, stop, row, quantity, begin, end, losses,
            width, first + LANES * left, extras, each,
        )  # fmt: skip
    if vectors > 0 and not (behind and passes > 0):
        to = LANES if partial else 0
        sum_columns(
            start, stop, row, quantity, table, stride, LANES * VOL_CELLS * groups, vectors, begin, end, extras, each, to
        )
    _finish(extras, each, end - begin, width, falls, rises, losses, first, faults)


@inlined()
def residual_of(losses: Floats, at: int, moves: Floats, w: float) -> float:
    """Return the max over j of `losses[at + j] + w moves[j]`: what a hedge leaves of a curve.

    The same as `kernels.netting.residual` to the last bit. The curve is finite or NaN throughout, as
    `sum_curves` leaves it.
    """
    width = moves.shape[0]
    largest = -math.inf
    if width >= LANES:
        hedge, most = vectors.splat(w), vectors.splat(-math.inf)
        for group in range(0, width, LANES):
            j = min(group, width - LANES)
            curve = vectors.load(losses, at + j)
            most = vectors.larger(vectors.add(curve, vectors.multiply(hedge, vectors.load(moves, j))), most)
        largest = vectors.largest_of(most)
    else:
        for j in range(width):
            largest = max(largest, losses[at + j] + w * moves[j])
    return math.nan if math.isnan(losses[at] + w) else largest
