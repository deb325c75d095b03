"""Whose certificates a price or a drift has left: boxes of all segments of a column, and extremes of their blocks.

Boxes as in `kernels.certificates.joint`; a segment without a certificate has one that no price is in. BLOCK segments
that lie together have their extremes beside them, so a tick looks at one line in BLOCK, and at the segments of the few
blocks that were left. A gap looks at all of them, which costs what reading them costs.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, Shorts, kernel
from kernels.accounts import COUNT
from kernels.certificates.joint import BOX_FIELDS, CORRELATION_LIMIT, DRIFT, HIGH, LIMIT, LOW, PRICE, review, void

BLOCK = 64  # of segments; a page is a whole number of blocks
OPTIONS = 1  # classes of drift: 0, of futures and perpetuals, and this one


@kernel("i8, f8[:, ::1], i8[::1], f8[:, ::1]")
def take_extremes(block: int, boxes: Floats, account: Ints, extremes: Floats) -> None:
    """Write the extremes of one block, float64[blocks, BOX_FIELDS]: the box that is within those of all its accounts.

    account: int64[slots], the row of each segment, -1: none.
    """
    low, high, futures, options = -math.inf, math.inf, math.inf, math.inf
    for s in range(block * BLOCK, (block + 1) * BLOCK):
        if account[s] >= 0:
            low, high = max(low, boxes[s, LOW]), min(high, boxes[s, HIGH])
            futures, options = min(futures, boxes[s, LIMIT]), min(options, boxes[s, LIMIT + OPTIONS])
    extremes[block, LOW], extremes[block, HIGH] = low, high
    extremes[block, LIMIT], extremes[block, LIMIT + OPTIONS] = futures, options


@kernel("i8[::1], i8[::1], f8[:, ::1], i8[::1], f8[:, ::1]")
def take_all_extremes(first: Ints, last: Ints, boxes: Floats, account: Ints, extremes: Floats) -> None:
    """Write the extremes of all blocks of a column; first, last: int64[pages], segments of each page."""
    for page in range(first.shape[0]):
        for block in range(first[page] // BLOCK, (last[page] + BLOCK - 1) // BLOCK):
            take_extremes(block, boxes, account, extremes)


@kernel("i8[::1], i8[::1], f8[:, ::1], f8[::1]")
def bounds(first: Ints, last: Ints, extremes: Floats, out: Floats) -> None:
    """Write the box, float64[BOX_FIELDS], within which no segment of a column has to be looked at."""
    low, high, futures, options = -math.inf, math.inf, math.inf, math.inf
    for page in range(first.shape[0]):
        for block in range(first[page] // BLOCK, (last[page] + BLOCK - 1) // BLOCK):
            low, high = max(low, extremes[block, LOW]), min(high, extremes[block, HIGH])
            futures, options = min(futures, extremes[block, LIMIT]), min(options, extremes[block, LIMIT + OPTIONS])
    out[LOW], out[HIGH], out[LIMIT], out[LIMIT + OPTIONS] = low, high, futures, options


@kernel("i8[::1], i8[::1], f8[::1], f8[:, ::1], i8[::1], f8[:, ::1], i8[::1]")
def leavers(
    first: Ints, last: Ints, now: Floats, boxes: Floats, account: Ints, extremes: Floats, out: Ints
) -> int:  # fmt: skip
    """Write the accounts whose boxes a price and drifts are not within, and return how many there are.

    now: float64[NOW_FIELDS]; what is not a number is within nothing. out: int64[>= segments]; in the order of segments.
    """
    found = 0
    price, futures, options = now[PRICE], now[DRIFT], now[DRIFT + OPTIONS]
    for page in range(first.shape[0]):
        for block in range(first[page] // BLOCK, (last[page] + BLOCK - 1) // BLOCK):
            within = extremes[block, LOW] <= price <= extremes[block, HIGH]
            if within and futures <= extremes[block, LIMIT] and options <= extremes[block, LIMIT + OPTIONS]:
                continue
            for s in range(block * BLOCK, min((block + 1) * BLOCK, last[page])):
                inside = boxes[s, LOW] <= price <= boxes[s, HIGH]
                inside &= futures <= boxes[s, LIMIT] and options <= boxes[s, LIMIT + OPTIONS]
                if account[s] >= 0 and not inside:
                    out[found] = account[s]
                    found += 1
    return found


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
    found = 0
    for k in range(count):
        row = rows[k]
        if not review(
            row, changed, now, slot, page_column, columns, curves, boxes, covers, shorts, matrices, stress
        ):  # fmt: skip
            failed[found] = row
            found += 1
            continue
        for u in range(shorts[row, COUNT]):
            take_extremes(slot[row, u] // BLOCK, boxes, account, extremes)
    return found


@kernel("i8[::1], i8[:, ::1], i2[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], i8[::1], f8[:, ::1]")
def void_rows(
    rows: Ints, slot: Ints, shorts: Shorts, curves: Floats, boxes: Floats, covers: Floats, account: Ints,
    extremes: Floats,
) -> None:  # fmt: skip
    """Let some accounts have no certificates: they are looked at whenever anything of theirs moves."""
    for k in range(rows.shape[0]):
        row = rows[k]
        covers[row, CORRELATION_LIMIT] = -math.inf
        for u in range(shorts[row, COUNT]):
            s = slot[row, u]
            void(s, curves, boxes)
            take_extremes(s // BLOCK, boxes, account, extremes)


def nothing(segments: int) -> Floats:
    """Return extremes of blocks in which nobody is."""
    found = np.full((segments // BLOCK, BOX_FIELDS), math.inf)
    found[:, LOW] = -math.inf
    return found
