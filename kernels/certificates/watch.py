"""Whose certificates a price, a level or a drift has left: boxes of all segments of a column, extremes of their blocks.

Boxes as in `kernels.certificates.joint`; a segment without a certificate has one that no price is in. BLOCK segments
that lie together have their extremes apart from them, number by number, so a tick of an index reads two numbers for
each block, an update of a slice five, and the segments of the few blocks that were left. A gap looks at all of them,
which costs what reading them costs.
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
    EXPIRIES,
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


@kernel("i8, f8[:, ::1], i8[::1], f8[:, ::1]")
def take_extremes(block: int, boxes: Floats, account: Ints, extremes: Floats) -> None:
    """Write the extremes of one block, float64[BOX_FIELDS, blocks]: the box that is within those of all its accounts.

    account: int64[slots], the row of each segment, -1: none.
    """
    for field in range(BOX_FIELDS):
        _take_extreme(block, field, boxes, account, extremes)


@kernel("i8[::1], i8[::1], f8[:, ::1], i8[::1], f8[:, ::1]")
def take_all_extremes(first: Ints, last: Ints, boxes: Floats, account: Ints, extremes: Floats) -> None:
    """Write the extremes of all blocks of a column; first, last: int64[pages], segments of each page."""
    for page in range(first.shape[0]):
        for block in range(first[page] // BLOCK, (last[page] + BLOCK - 1) // BLOCK):
            take_extremes(block, boxes, account, extremes)


@inlined()
def _is_within(now: Floats, boxes: Floats, s: int) -> bool:
    """Return whether price, drifts and levels are within a box; what is not a number is in none."""
    within = boxes[s, LOW] <= now[PRICE] <= boxes[s, HIGH]
    for k in range(CLASSES):
        within &= now[DRIFT + k] <= boxes[s, LIMIT + k]
    for k in range(EXPIRIES):
        within &= boxes[s, FLOOR + k] <= now[LEVEL + k] <= boxes[s, CEILING + k]
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
    since everybody was within his box, or had one that no price is in. out: int64[>= segments]; in the order of
    segments.
    """
    found = 0
    for page in range(first.shape[0]):
        for block in range(first[page] // BLOCK, (last[page] + BLOCK - 1) // BLOCK):
            if _is_block_within(now, extremes, block, moved):
                continue
            for s in range(block * BLOCK, min((block + 1) * BLOCK, last[page])):
                if account[s] >= 0 and not _is_within(now, boxes, s):
                    out[found] = account[s]
                    found += 1
    return found


@inlined()
def replace(s: int, before: Floats, boxes: Floats, account: Ints, extremes: Floats) -> None:
    """Bring the extremes of a block up to date after one of its boxes changed: few others have to be looked at."""
    block = s // BLOCK
    for field in range(BOX_FIELDS):
        was, now, extreme = before[field], boxes[s, field], extremes[field, block]
        if _is_from_below(field):
            if was == extreme and now < was:
                _take_extreme(block, field, boxes, account, extremes)
            else:
                extremes[field, block] = max(extreme, now)
        elif was == extreme and now > was:
            _take_extreme(block, field, boxes, account, extremes)
        else:
            extremes[field, block] = min(extreme, now)


@inlined()
def _fetch(row: int, slot: Ints, shorts: Shorts, curves: Floats, boxes: Floats, covers: Floats) -> None:
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
    "f8[:, :, :, ::1], f8[::1], i8[::1], f8[:, ::1], i8[::1]"
)
def review_rows(
    rows: Ints, count: int, changed: float, now: Floats, slot: Ints, page_column: Ints, columns: Ints, curves: Floats,
    boxes: Floats, covers: Floats, shorts: Shorts, matrices: Floats, stress: Floats, account: Ints, extremes: Floats,
    failed: Ints,
) -> int:  # fmt: skip
    """Review the first `count` accounts of rows; write those that have to be evaluated, return how many there are.

    Arguments of `joint.review`, and of `take_extremes`; failed: int64[>= count].
    """
    found, before = 0, np.empty((slot.shape[1], BOX_FIELDS))
    for k in range(count):
        if k + AHEAD < count:
            _fetch(rows[k + AHEAD], slot, shorts, curves, boxes, covers)
        row = rows[k]
        for u in range(shorts[row, COUNT]):
            before[u] = boxes[slot[row, u]]
        if not review(
            row, changed, now, slot, page_column, columns, curves, boxes, covers, shorts, matrices, stress
        ):  # fmt: skip
            failed[found] = row
            found += 1
            continue
        for u in range(shorts[row, COUNT]):
            replace(slot[row, u], before[u], boxes, account, extremes)
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
