"""Prices between which a place does not use up its share of an account's room.

Curves as in `kernels.certificates.places`: value + slope x - curve x^2/2 - kink |x|, curve and kink not negative, hence
concave on either side of 0. A place's term is the least of its curves.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, inlined, kernel
from kernels.certificates.places import CURVE, CURVES, KINK, SLOPE, VALUE

ROUNDS = 5  # of the search for one width of all places


@inlined()
def _reach(room: float, fall: float, curve: float, radius: float) -> float:
    """Return the first x in [0, radius] at which room - fall x - curve x^2/2 is negative no later; room >= 0."""
    root = math.sqrt(fall * fall + 2.0 * curve * room)
    if fall > 0.0:
        x = 2.0 * room / (fall + root)
    elif curve > 0.0:
        x = (root - fall) / curve
    else:
        x = radius
    return min(x, radius)


@kernel("f8[:, ::1], i8")
def least(curves: Floats, count: int) -> float:
    """Return the least value of a place's first `count` curves; NaN if any is."""
    found = curves[VALUE, 0]
    for s in range(count):
        if math.isnan(curves[VALUE, s]):
            return math.nan
        found = min(found, curves[VALUE, s])
    least_value: float = found
    return least_value


@kernel("f8[:, ::1], i8, f8, f8")
def interval(curves: Floats, count: int, budget: float, radius: float) -> tuple[float, float]:
    """Return the x_lo <= 0 <= x_hi in [-radius, radius] between which no curve is below the least value now - budget.

    curves: float64[CURVES, >= count]; budget in USD, not negative: else, or with a NaN, the interval is (0, 0).
    """
    floor = least(curves, count) - budget
    down = up = radius
    if not budget >= 0.0:
        return 0.0, 0.0
    for s in range(count):
        room, slope, curve, kink = curves[VALUE, s] - floor, curves[SLOPE, s], curves[CURVE, s], curves[KINK, s]
        if not math.isfinite(room + slope + curve + kink):
            return 0.0, 0.0
        up = min(up, _reach(room, kink - slope, curve, radius))
        down = min(down, _reach(room, kink + slope, curve, radius))
    return -down, up


@kernel("f8[:, ::1], i8, f8, f8")
def fall(curves: Floats, count: int, floor: float, x: float) -> float:
    """Return by how much a place's term may be below `floor` at -x or x, x >= 0; not negative."""
    most = 0.0
    half = 0.5 * x * x
    for s in range(count):
        most = max(
            most, floor - curves[VALUE, s] + (abs(curves[SLOPE, s]) + curves[KINK, s]) * x + curves[CURVE, s] * half
        )
    return most


@kernel("f8[:, :, ::1], i8[::1], f8, f8, f8[::1]")
def split(curves: Floats, count: Ints, room: float, radius: float, budget: Floats) -> None:
    """Write the shares of an account's room, float64[P], USD, that let all its places move about equally far.

    curves: float64[P, CURVES, W], of which place u uses the first count[u] columns. Every split is sound: the budgets
    are not negative and add up to the room but for rounding. Found by a few steps of the secant on ln(sum of falls) by
    ln(x).
    """
    places = count.shape[0]
    x, before, fell = radius, 0.0, 0.0
    total = 0.0
    for step in range(ROUNDS):
        total = 0.0
        for u in range(places):
            budget[u] = fall(curves[u], count[u], least(curves[u], count[u]), x)
            total += budget[u]
        if not total > 0.0 or not room > 0.0 or step == ROUNDS - 1 or abs(total - room) <= 0.05 * room:
            break
        if step == 0 and total <= room:
            break
        power = math.log(total / fell) / math.log(x / before) if step > 0 and fell > 0.0 and x != before else 1.0
        before, fell = x, total
        x = min(x * math.pow(room / total, 1.0 / min(max(power, 1.0), 2.5)), radius)
    for u in range(places):
        budget[u] = room * (budget[u] / total) if total > 0.0 else room / places


@kernel("f8[:, :, ::1], i8[::1], f8, f8, f8[::1], f8[:, ::1]")
def narrow(curves: Floats, count: Ints, room: float, radius: float, budget: Floats, x: Floats) -> bool:
    """Narrow the intervals of an account's places to where one constraint stands; return whether it stands now.

    room: what the constraint holds by beyond its pad and its other shares, USD. budget: float64[P] out; x: float64[P,
    2] in and out, x_lo and x_hi.
    """
    if curves.shape[1] != CURVES or budget.shape[0] != count.shape[0] or x.shape[0] != count.shape[0]:
        raise ValueError("an account needs four rows of curves, a budget and an interval per place")
    if not room >= 0.0:
        return False
    split(curves, count, room, radius, budget)
    for u in range(count.shape[0]):
        down, up = interval(curves[u], count[u], budget[u], radius)
        x[u, 0], x[u, 1] = max(x[u, 0], down), min(x[u, 1], up)
    return True
