"""What an account keeps of its certificate: few curves per place, and the room that all its places share.

Curves as in `kernels.certificates.places`, around the prices of the certification. As long as

    room = fixed - d L(w) + sum_u min_s U_us(x_u) - levels - drift >= 0

(and the same for the lower constraint), no watched threshold is crossed, wherever in their radii the prices are. For
detection each place has a box of its own, whose budgets add up to the room: outside of it the room is split anew around
the present prices and levels, which takes neither prices of contracts nor a solve. Proofs: `docs/certificates.md`.

By segment, `curves` float64[slots, CURVE_FIELDS]: the index at the certification (CENTER, USD), the radius of x that
the curves are good for (negative: no certificate), what a unit of each class of drift costs (EXPOSED, USD) and what all
of them cost but for what is now (SPENT, USD), the hedge (USD), how many curves (COUNT), five numbers for each level
(`kernels.certificates.levels`), the lower constraint's curve, and up to KEPT of the upper one's, four numbers each.
`boxes` float64[BOXES, slots, BOX]: in PRICES LOW and HIGH (index, USD), in 1 + k up to where drift of class k is
provided for (LIMIT), and between which levels (FLOOR, CEILING; futures and perpetuals have none); what does not concern
a segment has no bounds. By account, `covers` float64[rows, COVER_FIELDS]: of each constraint what is fixed (USD, the
norm apart), how much room there was at the certification (0: no such constraint), d of the upper one, the norm L of the
hedges and at which sum of changes of correlations it was taken, up to which one the account is provided for, and what
shares of its room levels and drift have.

By column, `now` float64[columns, NOW_FIELDS]: the index (PRICE), and by class of drift the sum of what references had
drifted from one to the next (SINCE), and that sum with the drift since the last one (DRIFT); by expiry of options the
level (LEVEL), which is no part of the drift.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import netting
from kernels._jit import Floats, Ints, Shorts, inlined, kernel
from kernels.accounts import COUNT as PLACES_OF
from kernels.accounts import SET
from kernels.certificates import correlation, levels
from kernels.certificates.levels import root
from kernels.certificates.places import CURVE, CURVES, KINK, SLOPE, VALUE
from kernels.netted_accounts import PAGE, matrices_of

CLASSES = 9  # of drift: of futures and perpetuals, and of options by expiry
EXPIRIES = CLASSES - 1  # those of options: each has a level
CENTER, RADIUS, SPENT, HEDGE, COUNT, EXPOSED = range(6)
LEVELS_AT = EXPOSED + CLASSES
LOWER_AT = LEVELS_AT + levels.LEVEL * EXPIRIES
UPPER_AT = LOWER_AT + CURVES
KEPT = 6
CURVE_FIELDS = UPPER_AT + CURVES * KEPT

PRICES, BOXES, BOX = 0, 1 + CLASSES, 3
LOW, HIGH = range(2)  # of prices
LIMIT, FLOOR, CEILING = range(3)  # of a class

(UPPER_FIXED, UPPER_FULL, UPPER_WEIGHT, NORM, NORM_AT, LOWER_FIXED, LOWER_FULL, LOWER_LIMIT, CORRELATION_LIMIT,
 OF_LEVELS, OF_DRIFT) = range(11)  # fmt: skip
COVER_FIELDS = 11

PRICE, DRIFT, SINCE = 0, 1, 1 + CLASSES
LEVEL = SINCE + CLASSES
NOW_FIELDS = LEVEL + EXPIRIES

FRESH = 0.05  # of the room at the certification: with less an account is looked at from nothing
OF_CORRELATION = 0.03  # share of the room that is kept for it at a split
LEAST_OF_LEVELS, MOST_OF_LEVELS = 0.15, 0.6  # share that is kept for levels
LEAST_OF_DRIFT, MOST_OF_DRIFT = 0.04, 0.3  # and for drift
RISEN, FALLEN = 0.7, 0.85  # a share grows by that part of its distance to the most, or falls to that part of itself
ROUNDS = 5
NOWHERE = -1.0  # radius of a segment without a certificate


@kernel("i8, f8[:, ::1], f8[:, :, ::1]")
def void(s: int, curves: Floats, boxes: Floats) -> None:
    """Let a segment have no certificate: no price and no drift is within its box."""
    curves[s, RADIUS] = NOWHERE
    boxes[PRICES, s, LOW], boxes[PRICES, s, HIGH] = math.inf, -math.inf
    for k in range(CLASSES):
        boxes[1 + k, s, LIMIT] = boxes[1 + k, s, CEILING] = -math.inf
        boxes[1 + k, s, FLOOR] = math.inf


@inlined()
def concerns(curves: Floats, s: int, k: int) -> bool:
    """Return whether what a class of drift does, or its level, costs a segment anything: its box has bounds then."""
    concerned: bool = curves[s, EXPOSED + k] > 0.0
    if k > 0:
        concerned |= levels.counts(curves, s, LEVELS_AT + levels.LEVEL * (k - 1))
    return concerned


@inlined()
def _unbound(s: int, boxes: Floats) -> None:
    """Let nothing concern a segment but prices."""
    for k in range(CLASSES):
        boxes[1 + k, s, LIMIT] = boxes[1 + k, s, CEILING] = math.inf
        boxes[1 + k, s, FLOOR] = -math.inf


@kernel("i8, f8[::1], f8[:, ::1]")
def count_drift(s: int, now: Floats, curves: Floats) -> None:
    """Write the levels at the certification, and what drifts cost a segment but for what is now.

    From here to the last reference the drift was now[DRIFT] - now[SINCE], and it is counted from that reference on.
    """
    curves[s, SPENT] = 0.0
    for k in range(CLASSES):
        if curves[s, EXPOSED + k] > 0.0:
            curves[s, SPENT] += curves[s, EXPOSED + k] * (now[DRIFT + k] - 2.0 * now[SINCE + k])
    for k in range(EXPIRIES):
        curves[s, LEVELS_AT + levels.LEVEL * k + levels.AT] = now[LEVEL + k]


@inlined()
def charge_level(s: int, of: int, cost: float, curves: Floats) -> None:
    """Let a move of the level of a class, 0 < of < CLASSES, cost so much more per unit, whichever way it goes, USD."""
    at = LEVELS_AT + levels.LEVEL * (of - 1)
    curves[s, at + levels.UP] += cost
    curves[s, at + levels.DOWN] += cost


@inlined()
def _worth(curves: Floats, s: int, at: int, x: float) -> float:
    worth: float = curves[s, at + VALUE] + x * (curves[s, at + SLOPE] - 0.5 * x * curves[s, at + CURVE])
    worth -= curves[s, at + KINK] * abs(x)
    return worth


@inlined()
def _least(curves: Floats, s: int, first: int, count: int, x: float) -> float:
    """Return the least of a segment's curves at x."""
    least = _worth(curves, s, first, x)
    for j in range(1, count):
        least = min(least, _worth(curves, s, first + CURVES * j, x))
    return least


@inlined()
def _edge(value: float, slope: float, curve: float, kink: float, floor: float, x: float) -> float:
    """Return the largest z >= x between which and x a curve does not fall below a floor that it is not below at x.

    The curve is concave, with its kink at 0.
    """
    if x < 0.0:
        if value < floor:
            here = value + x * (slope + kink - 0.5 * x * curve)
            return min(x + root(max(here - floor, 0.0), curve * x - slope - kink, curve), 0.0)
        return root(value - floor, kink - slope, curve)
    here = value + x * (slope - kink - 0.5 * x * curve)
    return x + root(max(here - floor, 0.0), kink - slope + curve * x, curve)


@inlined()
def _fall(
    curves: Floats, s: int, first: int, count: int, least: float, cross: float, x: float, step: float
) -> float:  # fmt: skip
    """Return about how far a place's term may fall when x moves by a step to either side, USD; not negative."""
    most = 0.0
    for j in range(count):
        at = first + CURVES * j
        bend = curves[s, at + KINK] if x >= 0.0 else -curves[s, at + KINK]
        slope = abs(curves[s, at + SLOPE] - bend - curves[s, at + CURVE] * x)
        if x == 0.0:
            slope = abs(curves[s, at + SLOPE]) + curves[s, at + KINK]
        most = max(most, least - _worth(curves, s, at, x) + step * (slope + 0.5 * step * curves[s, at + CURVE]))
    return most + step * cross


@kernel("i8, i8[::1], f8[::1], f8[::1], f8[::1], i8, b1, f8, f8[:, ::1], f8[::1]")
def _shares(
    size: int, segments: Ints, x: Floats, least: Floats, cross: Floats, first: int, single: bool, room: float,
    curves: Floats, budget: Floats,
) -> None:  # fmt: skip
    """Write the shares of the room: as the roots of what all places fall by where together they use it up.

    Where that is, is found as in `intervals.split`, around any prices. With such shares boxes are left more seldom than
    if all places could move equally far: what falls little gets more room for little.
    """
    step, before, fell, total = 0.0, 0.0, 0.0, 0.0
    for u in range(size):
        step = max(step, curves[segments[u], RADIUS])
    for turn in range(ROUNDS):
        total = 0.0
        for u in range(size):
            s = segments[u]
            count = 1 if single else int(curves[s, COUNT])
            budget[u] = _fall(curves, s, first, count, least[u], cross[u], x[u], step)
            total += budget[u]
        if not total > 0.0 or turn == ROUNDS - 1 or abs(total - room) <= 0.05 * room or (turn == 0 and total <= room):
            break
        power = math.log(total / fell) / math.log(step / before) if turn > 0 and fell > 0.0 and step != before else 1.0
        before, fell = step, total
        step *= math.pow(room / total, 1.0 / min(max(power, 1.0), 2.5))
    total = 0.0
    for u in range(size):
        budget[u] = math.sqrt(budget[u])
        total += budget[u]
    for u in range(size):
        budget[u] = room * (budget[u] / total) if total > 0.0 else room / size


@kernel("i8, i8[::1], f8[::1], f8[::1], f8[::1], i8, b1, f8, f8[:, ::1], f8[:, :, ::1], f8[::1]")
def _narrow(
    size: int, segments: Ints, x: Floats, least: Floats, cross: Floats, first: int, single: bool, room: float,
    curves: Floats, boxes: Floats, budget: Floats,
) -> None:  # fmt: skip
    """Narrow the boxes of an account's places to where its share of the room of one constraint lasts.

    cross: what levels, where they are now, cost each place for every |x|: a kink more of all its curves.
    """
    _shares(size, segments, x, least, cross, first, single, room, curves, budget)
    for u in range(size):
        s = segments[u]
        floor, radius = least[u] - cross[u] * abs(x[u]) - budget[u], curves[s, RADIUS]
        up, down = radius, radius
        for j in range(1 if single else int(curves[s, COUNT])):
            at = first + CURVES * j
            value, slope = curves[s, at + VALUE], curves[s, at + SLOPE]
            curve, kink = curves[s, at + CURVE], curves[s, at + KINK] + cross[u]
            up = min(up, _edge(value, slope, curve, kink, floor, x[u]))
            down = min(down, _edge(value, -slope, curve, kink, floor, -x[u]))
        center = curves[s, CENTER]
        boxes[PRICES, s, LOW] = max(boxes[PRICES, s, LOW], center * (1.0 - down))
        boxes[PRICES, s, HIGH] = min(boxes[PRICES, s, HIGH], center * (1.0 + up))


@inlined()
def _spent(curves: Floats, s: int, now: Floats, c: int) -> tuple[float, float]:
    """Return what drifts and levels may have cost a segment since its certification, and what more for each |x|, USD.

    Infinite where a level went farther than its cost is bounded for.
    """
    spent, cross = curves[s, SPENT], 0.0
    for k in range(CLASSES):
        if curves[s, EXPOSED + k] > 0.0:
            spent += curves[s, EXPOSED + k] * now[c, DRIFT + k]
    for k in range(EXPIRIES):
        at = LEVELS_AT + levels.LEVEL * k
        if levels.counts(curves, s, at):
            moved = now[c, LEVEL + k] - curves[s, at + levels.AT]
            bounded = abs(moved) <= levels.span(curves, s, at, curves[s, RADIUS])
            spent += levels.cost(curves, s, at, moved) if bounded else math.inf
            cross += curves[s, at + levels.CROSS] * abs(moved)
    return spent, cross


@kernel("i8, i8, f8[:, ::1], i8[:, ::1], i8[::1], f8[:, ::1], i8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1]")
def _measure(
    row: int, size: int, now: Floats, slot: Ints, page_column: Ints, curves: Floats, segments: Ints, x: Floats,
    upper: Floats, lower: Floats, cross: Floats, sums: Floats,
) -> bool:  # fmt: skip
    """Write an account's segments, moves and terms by place, and their sums; return whether curves are good for these.

    sums: float64[4], of the terms of both constraints, of what drifts and levels have cost, and of what a unit of drift
    costs.
    """
    sums[:] = 0.0
    for u in range(size):
        s = slot[row, u]
        c = page_column[s // PAGE]
        x[u] = now[c, PRICE] / curves[s, CENTER] - 1.0
        if not abs(x[u]) <= curves[s, RADIUS]:
            return False
        segments[u] = s
        upper[u] = _least(curves, s, UPPER_AT, int(curves[s, COUNT]), x[u])
        lower[u] = _worth(curves, s, LOWER_AT, x[u])
        spent, cross[u] = _spent(curves, s, now, c)
        sums[0] += upper[u]
        sums[1] += lower[u]
        sums[2] += spent + cross[u] * abs(x[u])
        for k in range(CLASSES):
            sums[3] += curves[s, EXPOSED + k]
    return True


@inlined()
def _weight(curves: Floats, s: int, at: int, farthest: float) -> float:
    """Return the weight of a level among those of an account: the root of what twice its height would about cost."""
    steepest = max(curves[s, at + levels.UP], curves[s, at + levels.DOWN]) + farthest * curves[s, at + levels.CROSS]
    weight: float = math.sqrt(max(steepest, 0.0) * abs(curves[s, at + levels.AT]))
    return weight


@inlined()
def _farthest(curves: Floats, boxes: Floats, s: int) -> float:
    """Return the largest |x| in a segment's box."""
    center = curves[s, CENTER]
    most = max(boxes[PRICES, s, HIGH] / center - 1.0, 1.0 - boxes[PRICES, s, LOW] / center)
    farthest: float = min(most, curves[s, RADIUS])
    return farthest


@kernel("i8, i8[::1], f8, f8, f8[:, ::1], i8[::1], f8[:, ::1], f8[:, :, ::1]")
def _provide(
    size: int, segments: Ints, more: float, room: float, now: Floats, page_column: Ints, curves: Floats, boxes: Floats
) -> None:  # fmt: skip
    """Let the boxes of an account's places allow for so much more drift of each class that concerns them, and levels.

    Levels have the room, which they get in proportion to their weights. Prices are anywhere in their boxes meanwhile.
    """
    total = 0.0
    for u in range(size):
        s = segments[u]
        farthest = _farthest(curves, boxes, s)
        for k in range(EXPIRIES):
            at = LEVELS_AT + levels.LEVEL * k
            if levels.counts(curves, s, at):
                total += _weight(curves, s, at, farthest)
    for u in range(size):
        s = segments[u]
        c = page_column[s // PAGE]
        farthest = _farthest(curves, boxes, s)
        for k in range(CLASSES):
            if curves[s, EXPOSED + k] > 0.0:
                boxes[1 + k, s, LIMIT] = now[c, DRIFT + k] + more
        for k in range(EXPIRIES):
            at, of = LEVELS_AT + levels.LEVEL * k, 2 + k
            if not levels.counts(curves, s, at):
                continue
            boxes[of, s, FLOOR], boxes[of, s, CEILING] = -math.inf, math.inf
            if not room < math.inf:
                continue
            level, zero = now[c, LEVEL + k], curves[s, at + levels.AT]
            bend, cross = curves[s, at + levels.BEND], farthest * curves[s, at + levels.CROSS]
            up, down = curves[s, at + levels.UP], curves[s, at + levels.DOWN]
            budget = room * (_weight(curves, s, at, farthest) / total) if total > 0.0 else 0.0
            higher = levels.farther(up + cross, down, bend, level - zero, budget)
            lower = levels.farther(down + cross, up, bend, zero - level, budget)
            span = levels.span(curves, s, at, curves[s, RADIUS])
            boxes[of, s, FLOOR] = max(level - lower, zero - span)
            boxes[of, s, CEILING] = min(level + higher, zero + span)


@kernel("i8, i8[::1], f8[:, ::1], i8[::1], f8[:, ::1], f8[:, :, ::1], f8[::1]")
def _take_shares(
    size: int, segments: Ints, now: Floats, page_column: Ints, curves: Floats, boxes: Floats, cover: Floats
) -> None:  # fmt: skip
    """Let the shares of the room for levels and drift grow where these asked for the split, and fall where not.

    Any share is sound. Volatilities move again and again while prices stand still, and the other way round.
    """
    level, drift = False, False
    for u in range(size):
        s = segments[u]
        c = page_column[s // PAGE]
        if not boxes[PRICES, s, LOW] <= boxes[PRICES, s, HIGH]:
            continue
        for k in range(CLASSES):
            if concerns(curves, s, k):
                drift |= now[c, DRIFT + k] > boxes[1 + k, s, LIMIT]
                if k > 0:
                    level |= not boxes[1 + k, s, FLOOR] <= now[c, LEVEL + k - 1] <= boxes[1 + k, s, CEILING]
    cover[OF_LEVELS] = _share(level, cover[OF_LEVELS], LEAST_OF_LEVELS, MOST_OF_LEVELS)
    cover[OF_DRIFT] = _share(drift, cover[OF_DRIFT], LEAST_OF_DRIFT, MOST_OF_DRIFT)


@inlined()
def _share(asked: bool, before: float, least: float, most: float) -> float:
    if asked:
        return before + RISEN * (most - before)
    return max(least, FALLEN * before)


@kernel("f8, f8, f8, f8[::1]")
def _lasts(changed: float, room: float, other: float, cover: Floats) -> bool:
    """Return whether enough of the room of both constraints is left."""
    upper: bool = not cover[UPPER_FULL] > 0.0 or room >= FRESH * cover[UPPER_FULL]
    lower: bool = not cover[LOWER_FULL] > 0.0 or (other >= FRESH * cover[LOWER_FULL] and changed <= cover[LOWER_LIMIT])
    return upper and lower


@kernel(
    "i8, b1, f8, f8[:, ::1], i8[:, ::1], i8[::1], i8[:, ::1], f8[:, ::1], f8[:, :, ::1], f8[:, ::1], i2[:, ::1],"
    "f8[:, :, :, ::1], f8[::1]"
)
def review(
    row: int, anew: bool, changed: float, now: Floats, slot: Ints, page_column: Ints, columns: Ints, curves: Floats,
    boxes: Floats, covers: Floats, shorts: Shorts, matrices: Floats, stress: Floats,
) -> bool:  # fmt: skip
    """Split an account's room anew around the present prices; return whether there is enough of it.

    anew: whether it has other curves than at its last split. changed: the sum of the changes of correlations so far;
    now: float64[columns, NOW_FIELDS]; other arrays as in `kernels.netted_accounts`. False, and no box is written, where
    a price is beyond its radius, a level beyond its span, a number is not one, correlations went further than the lower
    constraint allows, or less than FRESH of the room of a constraint is left: then the account has to be evaluated.
    """
    size, of, cover = shorts[row, PLACES_OF], shorts[row, SET], covers[row]
    segments, scratch = np.empty(size, dtype=np.int64), np.empty(6 * size + 4)  # allocations cost as much as the work
    x, upper, lower = scratch[:size], scratch[size : 2 * size], scratch[2 * size : 3 * size]
    budget, hedge, cross = scratch[3 * size : 4 * size], scratch[4 * size : 5 * size], scratch[5 * size : 6 * size]
    sums = scratch[6 * size :]
    if not _measure(row, size, now, slot, page_column, curves, segments, x, upper, lower, cross, sums):
        return False
    correlated = cover[UPPER_WEIGHT] > 0.0 and size > 1
    for u in range(size):
        hedge[u] = curves[segments[u], HEDGE]
    if correlated and changed != cover[NORM_AT]:
        between = matrices_of(matrices[of], columns, page_column, slot, row, size)
        cover[NORM], cover[NORM_AT] = netting.norm(hedge, between, stress[of]), changed
    room = cover[UPPER_FIXED] - cover[UPPER_WEIGHT] * cover[NORM] + sums[0] - sums[2]
    other = cover[LOWER_FIXED] + sums[1] - sums[2]
    if not _lasts(changed, room, other, cover):
        return False
    _take_shares(size, segments, now, page_column, curves, boxes, cover)
    share = cover[OF_LEVELS] + cover[OF_DRIFT]
    for u in range(size):
        s = segments[u]
        if anew or not boxes[PRICES, s, LOW] <= boxes[PRICES, s, HIGH]:
            _unbound(s, boxes)
        boxes[PRICES, s, LOW], boxes[PRICES, s, HIGH] = -math.inf, math.inf
    drift, limit = math.inf, cover[LOWER_LIMIT]
    if cover[UPPER_FULL] > 0.0:
        drift = share * room
        kept = OF_CORRELATION * room if correlated else 0.0
        if correlated:
            tolerated = correlation.upper_tolerance(hedge, cover[NORM], stress[of], kept / cover[UPPER_WEIGHT])
            limit = min(limit, changed + tolerated)
        _narrow(size, segments, x, upper, cross, UPPER_AT, False, room - drift - kept, curves, boxes, budget)
    if cover[LOWER_FULL] > 0.0:
        drift = min(drift, share * other)
        _narrow(size, segments, x, lower, cross, LOWER_AT, True, other * (1.0 - share), curves, boxes, budget)
    cover[CORRELATION_LIMIT] = limit
    of_levels = cover[OF_LEVELS] / share
    more = (1.0 - of_levels) * drift / sums[3] if sums[3] > 0.0 else math.inf
    _provide(size, segments, more, of_levels * drift, now, page_column, curves, boxes)
    return True


# --- what is kept ---------------------------------------------------------------------------------


@inlined()
def _is_above(one: Floats, j: int, other: Floats, i: int, radius: float) -> bool:
    """Return whether curve j of one is nowhere below curve i of the other within the radius."""
    value, bend = one[VALUE, j] - other[VALUE, i], one[CURVE, j] - other[CURVE, i]
    kink = one[KINK, j] - other[KINK, i]
    above = value >= 0.0
    for side in (-1.0, 1.0):
        slope = side * (one[SLOPE, j] - other[SLOPE, i]) - kink
        above &= value + radius * (slope - 0.5 * radius * bend) >= 0.0
        if bend < 0.0 and 0.0 < slope / bend < radius:
            above &= value + 0.5 * slope * slope / bend >= 0.0
    found: bool = above
    return found


@kernel("f8[:, ::1], i8, f8, i8, f8[:, ::1]")
def keep(found: Floats, count: int, radius: float, s: int, curves: Floats) -> None:
    """Keep those of a place's upper curves that can be the least of all within the radius, at most KEPT.

    found: float64[CURVES, >= count]. Of those beyond KEPT one curve is made that lies below all of them.
    """
    chosen, left = np.empty(KEPT, dtype=np.int64), np.ones(count, dtype=np.bool_)
    kept = 0
    for _ in range(count):
        lowest = -1
        for j in range(count):
            if left[j] and (lowest < 0 or found[VALUE, j] < found[VALUE, lowest]):
                lowest = j
        left[lowest] = False
        matters = True
        for i in range(min(kept, KEPT)):
            if _is_above(found, lowest, found, chosen[i], radius):
                matters = False
        if not matters:
            continue
        if kept < KEPT:
            chosen[kept] = lowest
            for n in range(CURVES):
                curves[s, UPPER_AT + CURVES * kept + n] = found[n, lowest]
            kept += 1
        else:
            _merge(found, lowest, s, UPPER_AT + CURVES * (KEPT - 1), curves)
    curves[s, COUNT] = kept


@inlined()
def _merge(found: Floats, j: int, s: int, at: int, curves: Floats) -> None:
    """Lower a segment's curve until it is nowhere above another one."""
    middle = 0.5 * (curves[s, at + SLOPE] + found[SLOPE, j])
    apart = 0.5 * abs(curves[s, at + SLOPE] - found[SLOPE, j])
    curves[s, at + VALUE] = min(curves[s, at + VALUE], found[VALUE, j])
    curves[s, at + SLOPE] = middle
    curves[s, at + CURVE] = max(curves[s, at + CURVE], found[CURVE, j])
    curves[s, at + KINK] = max(curves[s, at + KINK], found[KINK, j]) + apart
