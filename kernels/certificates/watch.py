"""Whose certificates a price, a level or a drift has left: boxes of all segments of a column, extremes of their blocks.

Boxes as in `kernels.certificates.joint`; a segment without a certificate has one that no price is in. BLOCK segments
that lie together have their extremes apart from them, so a tick of an index reads two numbers for each block, an update
of a slice three, and the boxes of the few blocks that were left. A gap looks at all of them, which costs what reading
them costs. Boxes of prices, and those of each class, are arrays of their own: a block's are read without the others.

Extremes are at least as tight as the boxes of their block: where a box grew they are left as they were until something
leaves them and the block is looked at.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Bools, Floats, Ints, Shorts, inlined, kernel
from kernels._operations import prefetch
from kernels.accounts import COUNT
from kernels.certificates.joint import (
    BOX,
    BOXES,
    CEILING,
    CLASSES,
    CORRELATION_LIMIT,
    COVER_FIELDS,
    CURVE_FIELDS,
    DRIFT,
    FLOOR,
    HIGH,
    LEVEL,
    LIMIT,
    LOW,
    NOW_FIELDS,
    PRICE,
    PRICES,
    concerns,
    review,
    void,
)

BLOCK = 32  # of segments; a page is a whole number of blocks
AHEAD = 8  # accounts
LINE, LINES = 8, 9  # numbers of a cache line; lines of a certificate that are usually read
BLOCK_LINES = (BOX * BLOCK + LINE - 1) // LINE  # of what a block has in one of its boxes
EVERYTHING = -1  # of what may have moved: bit 0 is the price, bit 1 + k the drift and the level of class k


@inlined()
def _look_at_prices(block: int, price: float, boxes: Floats, account: Ints, extremes: Floats, is_out: Bools) -> None:
    """Tell of the segments of a block that are somebody's which a price has left, and find the block's extremes."""
    low, high = -math.inf, math.inf
    for i in range(BLOCK):
        s = block * BLOCK + i
        least, most = boxes[PRICES, s, LOW], boxes[PRICES, s, HIGH]
        is_out[i] = account[s] >= 0 and not (least <= price <= most)
        if account[s] >= 0:
            low, high = max(low, least), min(high, most)
    extremes[PRICES, block, LOW], extremes[PRICES, block, HIGH] = low, high


@inlined()
def _look_at_class(
    block: int, k: int, now: Floats, boxes: Floats, account: Ints, extremes: Floats, is_out: Bools
) -> None:  # fmt: skip
    """As `_look_at_prices`, of the drift and the level of a class, whose leavers join those that are out already."""
    of, drift, level = 1 + k, now[DRIFT + k], now[LEVEL + max(k - 1, 0)]
    limit, floor, ceiling = math.inf, -math.inf, math.inf
    for i in range(BLOCK):
        s = block * BLOCK + i
        if account[s] >= 0:
            within = drift <= boxes[of, s, LIMIT]
            if k > 0:
                within &= boxes[of, s, FLOOR] <= level <= boxes[of, s, CEILING]
            is_out[i] |= not within
            limit = min(limit, boxes[of, s, LIMIT])
            floor, ceiling = max(floor, boxes[of, s, FLOOR]), min(ceiling, boxes[of, s, CEILING])
    extremes[of, block, LIMIT] = limit
    extremes[of, block, FLOOR], extremes[of, block, CEILING] = floor, ceiling


@inlined()
def _look_at(
    block: int, now: Floats, moved: int, boxes: Floats, account: Ints, extremes: Floats, is_out: Bools
) -> None:  # fmt: skip
    """Tell who is out of the segments of a block by what may have moved, and find its extremes."""
    is_out[:] = False
    if moved & 1:
        _look_at_prices(block, now[PRICE], boxes, account, extremes, is_out)
    if moved != 1:
        for k in range(CLASSES):
            if (moved >> (k + 1)) & 1:
                _look_at_class(block, k, now, boxes, account, extremes, is_out)


@kernel("i8[::1], i8[::1], f8[:, :, ::1], i8[::1], f8[:, :, ::1]")
def take_all_extremes(first: Ints, last: Ints, boxes: Floats, account: Ints, extremes: Floats) -> None:
    """Write the extremes of all blocks of a column, float64[BOXES, blocks, BOX]: boxes within those of their accounts.

    first, last: int64[pages], segments of each page; account: int64[slots], the row of each segment, -1: none.
    """
    now, is_out = np.zeros(NOW_FIELDS), np.empty(BLOCK, dtype=np.bool_)
    for page in range(first.shape[0]):
        for block in range(first[page] // BLOCK, (last[page] + BLOCK - 1) // BLOCK):
            _look_at(block, now, EVERYTHING, boxes, account, extremes, is_out)


@inlined()
def _is_block_within(now: Floats, extremes: Floats, block: int, moved: int) -> bool:
    """Return whether what may have moved is within the extremes of a block; what is not a number is in none."""
    within = True
    if moved & 1:
        within = extremes[PRICES, block, LOW] <= now[PRICE] <= extremes[PRICES, block, HIGH]
    if moved != 1:
        for k in range(CLASSES):
            if (moved >> (k + 1)) & 1:
                of = 1 + k
                within &= now[DRIFT + k] <= extremes[of, block, LIMIT]
                if k > 0:
                    within &= extremes[of, block, FLOOR] <= now[LEVEL + k - 1] <= extremes[of, block, CEILING]
    inside: bool = within
    return inside


@inlined()
def _ask_for(block: int, moved: int, slots: int, boxes: Floats) -> None:
    """Ask for the boxes of a block that are looked at: they lie anywhere in memory."""
    for of in range(BOXES):
        if (moved >> of) & 1:
            for line in range(BLOCK_LINES):
                prefetch(boxes, (of * slots + block * BLOCK) * BOX + LINE * line)


@kernel("i8[::1], i8[::1], f8[::1], i8, f8[:, :, ::1], i8[::1], f8[:, :, ::1], i8[::1]")
def leavers(
    first: Ints, last: Ints, now: Floats, moved: int, boxes: Floats, account: Ints, extremes: Floats, out: Ints
) -> int:  # fmt: skip
    """Write the accounts whose boxes a price, drifts and levels are not within, and return how many there are.

    now: float64[NOW_FIELDS]; what is not a number is within nothing. moved: bits of what may have moved (EVERYTHING)
    since everybody was within his box, or had one that nothing is in. out: int64[>= segments]; in the order of
    segments. Extremes of blocks that are looked at are brought up to date.
    """
    found, is_out, left = 0, np.empty(BLOCK, dtype=np.bool_), -1
    for page in range(first.shape[0]):
        for block in range(first[page] // BLOCK, (last[page] + BLOCK - 1) // BLOCK):
            if _is_block_within(now, extremes, block, moved):
                continue
            # Its boxes are on their way while those of the one before are looked at.
            _ask_for(block, moved, boxes.shape[1], boxes)
            if left >= 0:
                found = _find(left, now, moved, boxes, account, extremes, is_out, found, out)
            left = block
    if left >= 0:
        found = _find(left, now, moved, boxes, account, extremes, is_out, found, out)
    return found


@inlined()
def _find(
    block: int, now: Floats, moved: int, boxes: Floats, account: Ints, extremes: Floats, is_out: Bools, found: int,
    out: Ints,
) -> int:  # fmt: skip
    """Write the accounts that left their boxes in a block behind those found before; return how many there are now."""
    _look_at(block, now, moved, boxes, account, extremes, is_out)
    for i in range(BLOCK):
        if is_out[i]:
            out[found] = account[block * BLOCK + i]
            found += 1
    return found


@inlined()
def replace(s: int, curves: Floats, boxes: Floats, extremes: Floats) -> None:
    """Let the extremes of a block be within one of its boxes that changed; those that do not concern it are within."""
    block = s // BLOCK
    extremes[PRICES, block, LOW] = max(extremes[PRICES, block, LOW], boxes[PRICES, s, LOW])
    extremes[PRICES, block, HIGH] = min(extremes[PRICES, block, HIGH], boxes[PRICES, s, HIGH])
    for k in range(CLASSES):
        if concerns(curves, s, k):
            of = 1 + k
            extremes[of, block, LIMIT] = min(extremes[of, block, LIMIT], boxes[of, s, LIMIT])
            extremes[of, block, FLOOR] = max(extremes[of, block, FLOOR], boxes[of, s, FLOOR])
            extremes[of, block, CEILING] = min(extremes[of, block, CEILING], boxes[of, s, CEILING])


@inlined()
def fetch(row: int, slot: Ints, shorts: Shorts, curves: Floats, boxes: Floats, covers: Floats) -> None:
    """Ask for what the review of an account reads: its certificates lie anywhere in memory."""
    prefetch(covers, row * COVER_FIELDS)
    for u in range(shorts[row, COUNT]):
        at = slot[row, u] * CURVE_FIELDS
        for line in range(LINES):
            prefetch(curves, at + LINE * line)
        for of in range(BOXES):
            prefetch(boxes, (of * boxes.shape[1] + slot[row, u]) * BOX)


@kernel(
    "i8[::1], i8, f8, f8[:, ::1], i8[:, ::1], i8[::1], i8[:, ::1], f8[:, ::1], f8[:, :, ::1], f8[:, ::1], i2[:, ::1],"
    "f8[:, :, :, ::1], f8[::1], f8[:, :, ::1], i8[::1]"
)
def review_rows(
    rows: Ints, count: int, changed: float, now: Floats, slot: Ints, page_column: Ints, columns: Ints, curves: Floats,
    boxes: Floats, covers: Floats, shorts: Shorts, matrices: Floats, stress: Floats, extremes: Floats, failed: Ints,
) -> int:  # fmt: skip
    """Review the first `count` accounts of rows; write those that have to be evaluated, return how many there are.

    Arguments of `joint.review`, and extremes of blocks. Whoever has no certificate has to be. failed: int64[>= count].
    """
    found = 0
    for k in range(min(AHEAD, count)):
        fetch(rows[k], slot, shorts, curves, boxes, covers)
    for k in range(count):
        if k + AHEAD < count:
            fetch(rows[k + AHEAD], slot, shorts, curves, boxes, covers)
        row = rows[k]
        if covers[row, CORRELATION_LIMIT] == -math.inf or not review(
            row, False, changed, now, slot, page_column, columns, curves, boxes, covers, shorts, matrices, stress
        ):  # fmt: skip
            failed[found] = row
            found += 1
            continue
        for u in range(shorts[row, COUNT]):
            replace(slot[row, u], curves, boxes, extremes)
    return found


@inlined()
def void_one(s: int, curves: Floats, boxes: Floats, extremes: Floats) -> None:
    """Let a segment have no certificate: nothing is within its box, and so within those of its block."""
    void(s, curves, boxes)
    for of in range(BOXES):
        for n in range(BOX):
            extremes[of, s // BLOCK, n] = boxes[of, s, n]


@kernel("i8[::1], i8[:, ::1], i2[:, ::1], f8[:, ::1], f8[:, :, ::1], f8[:, ::1], f8[:, :, ::1]")
def void_rows(
    rows: Ints, slot: Ints, shorts: Shorts, curves: Floats, boxes: Floats, covers: Floats, extremes: Floats
) -> None:  # fmt: skip
    """Let some accounts have no certificates: they are looked at whenever anything of theirs moves."""
    for k in range(rows.shape[0]):
        row = rows[k]
        covers[row, CORRELATION_LIMIT] = -math.inf
        for u in range(shorts[row, COUNT]):
            void_one(slot[row, u], curves, boxes, extremes)


def nothing(segments: int) -> Floats:
    """Return extremes of blocks in which nobody is."""
    found = np.zeros((BOXES, segments // BLOCK, BOX))
    found[PRICES, :, LOW], found[PRICES, :, HIGH] = -math.inf, math.inf
    found[1:, :, LIMIT] = found[1:, :, CEILING] = math.inf
    found[1:, :, FLOOR] = -math.inf
    return found
