"""Whose certificates a price, a level or a drift has left: boxes of all segments of a column, extremes of their blocks.

Boxes as in `kernels.certificates.joint`; a segment without a certificate has one that no price is in. BLOCK segments
that lie together have their extremes apart from them, number by number, so a tick of an index reads two numbers for
each block, an update of a slice five, and the segments of the few blocks that were left. A gap looks at all of them,
which costs what reading them costs.

Extremes are at least as tight as the boxes of their block. A box that grew is not searched for at once: the block is
looked at when something leaves its extremes, and where nobody has left his box they are found anew.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, Shorts, inlined, kernel
from kernels._operations import prefetch
from kernels.accounts import COUNT
from kernels.certificates.joint import (
    BOX_FIELDS,
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
    PRICE,
    review,
    void,
)

BLOCK = 64  # of segments; a page is a whole number of blocks
AHEAD = 8  # accounts
LINE, LINES = 8, 9  # numbers of a cache line; lines of a certificate that are usually read
BOX_LINES = (BOX_FIELDS + LINE - 1) // LINE
EVERYTHING = -1  # of what may have moved: bit 0 is the price, bit 1 + k the drift and the level of class k


@inlined()
def _is_from_below(field: int) -> bool:
    """Return whether a field of a box is a least value: the extreme of many is the largest then."""
    below: bool = field == LOW or FLOOR <= field < CEILING
    return below


@inlined()
def _take_extreme(block: int, field: int, boxes: Floats, account: Ints, extremes: Floats) -> None:
    below = _is_from_below(field)
    found = -math.inf if below else math.inf
    for s in range(block * BLOCK, (block + 1) * BLOCK):
        if account[s] >= 0:
            found = max(found, boxes[s, field]) if below else min(found, boxes[s, field])
    extremes[field, block] = found


@inlined()
def _has_moved(field: int, moved: int) -> bool:
    """Return whether a field of boxes is of something that may have moved."""
    of = 0
    if field >= CEILING:
        of = 2 + field - CEILING
    elif field >= FLOOR:
        of = 2 + field - FLOOR
    elif field >= LIMIT:
        of = 1 + field - LIMIT
    hit: bool = (moved >> of) & 1 != 0
    return hit


@inlined()
def _take_extremes(block: int, moved: int, boxes: Floats, account: Ints, extremes: Floats) -> None:
    """Find the extremes of a block in all fields of what may have moved."""
    for field in range(BOX_FIELDS):
        if _has_moved(field, moved):
            _take_extreme(block, field, boxes, account, extremes)


@kernel("i8[::1], i8[::1], f8[:, ::1], i8[::1], f8[:, ::1]")
def take_all_extremes(first: Ints, last: Ints, boxes: Floats, account: Ints, extremes: Floats) -> None:
    """Write the extremes of all blocks of a column, float64[BOX_FIELDS, blocks]: boxes within those of their accounts.

    first, last: int64[pages], segments of each page; account: int64[slots], the row of each segment, -1: none.
    """
    for page in range(first.shape[0]):
        for block in range(first[page] // BLOCK, (last[page] + BLOCK - 1) // BLOCK):
            _take_extremes(block, EVERYTHING, boxes, account, extremes)


@inlined()
def _is_within(now: Floats, boxes: Floats, s: int, moved: int) -> bool:
    """Return whether what may have moved is within a box; what is not a number is in none."""
    within = boxes[s, LOW] <= now[PRICE] <= boxes[s, HIGH]
    if moved != 1:
        for k in range(CLASSES):
            if (moved >> (k + 1)) & 1:
                within &= now[DRIFT + k] <= boxes[s, LIMIT + k]
                if k > 0:
                    within &= boxes[s, FLOOR + k - 1] <= now[LEVEL + k - 1] <= boxes[s, CEILING + k - 1]
    inside: bool = within
    return inside


@inlined()
def _is_block_within(now: Floats, extremes: Floats, block: int, moved: int) -> bool:
    """As `_is_within`, of a block's extremes, and of what may have moved."""
    within = True
    if moved & 1:
        within = extremes[LOW, block] <= now[PRICE] <= extremes[HIGH, block]
    if moved != 1:
        for k in range(CLASSES):
            if (moved >> (k + 1)) & 1:
                within &= now[DRIFT + k] <= extremes[LIMIT + k, block]
                if k > 0:
                    at = k - 1
                    within &= extremes[FLOOR + at, block] <= now[LEVEL + at] <= extremes[CEILING + at, block]
    inside: bool = within
    return inside


@kernel("i8[::1], i8[::1], f8[::1], i8, f8[:, ::1], i8[::1], f8[:, ::1], i8[::1]")
def leavers(
    first: Ints, last: Ints, now: Floats, moved: int, boxes: Floats, account: Ints, extremes: Floats, out: Ints
) -> int:  # fmt: skip
    """Write the accounts whose boxes a price, drifts and levels are not within, and return how many there are.

    now: float64[NOW_FIELDS]; what is not a number is within nothing. moved: bits of what may have moved (EVERYTHING)
    since everybody was within his box, or had one that nothing is in. out: int64[>= segments]; in the order of
    segments. Extremes of blocks that nobody has left are brought up to date.
    """
    found = 0
    for page in range(first.shape[0]):
        for block in range(first[page] // BLOCK, (last[page] + BLOCK - 1) // BLOCK):
            if _is_block_within(now, extremes, block, moved):
                continue
            before = found
            for s in range(block * BLOCK, min((block + 1) * BLOCK, last[page])):
                if account[s] >= 0 and not _is_within(now, boxes, s, moved):
                    out[found] = account[s]
                    found += 1
            if found == before:
                _take_extremes(block, moved, boxes, account, extremes)
    return found


@inlined()
def replace(s: int, boxes: Floats, extremes: Floats) -> None:
    """Let the extremes of a block be within one of its boxes that changed."""
    block = s // BLOCK
    for field in range(BOX_FIELDS):
        if _is_from_below(field):
            extremes[field, block] = max(extremes[field, block], boxes[s, field])
        else:
            extremes[field, block] = min(extremes[field, block], boxes[s, field])


@inlined()
def fetch(row: int, slot: Ints, shorts: Shorts, curves: Floats, boxes: Floats, covers: Floats) -> None:
    """Ask for what the review of an account reads: its certificates lie anywhere in memory."""
    prefetch(covers, row * COVER_FIELDS)
    for u in range(shorts[row, COUNT]):
        at = slot[row, u] * CURVE_FIELDS
        for line in range(LINES):
            prefetch(curves, at + LINE * line)
        for line in range(BOX_LINES):
            prefetch(boxes, slot[row, u] * BOX_FIELDS + LINE * line)


@kernel(
    "i8[::1], i8, f8, f8[:, ::1], i8[:, ::1], i8[::1], i8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], i2[:, ::1],"
    "f8[:, :, :, ::1], f8[::1], f8[:, ::1], i8[::1]"
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
            row, changed, now, slot, page_column, columns, curves, boxes, covers, shorts, matrices, stress
        ):  # fmt: skip
            failed[found] = row
            found += 1
            continue
        for u in range(shorts[row, COUNT]):
            replace(slot[row, u], boxes, extremes)
    return found


@inlined()
def void_one(s: int, curves: Floats, boxes: Floats, extremes: Floats) -> None:
    """Let a segment have no certificate: nothing is within its box, and so within those of its block."""
    void(s, curves, boxes)
    extremes[:, s // BLOCK] = boxes[s]


@kernel("i8[::1], i8[:, ::1], i2[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1]")
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
    found = np.full((BOX_FIELDS, segments // BLOCK), math.inf)
    found[LOW] = found[FLOOR:CEILING] = -math.inf
    return found
