"""How far instruments went at an unchanged index: volatilities, time, bases, funding.

The drift of a row between two states of the market is a number rho >= 0 with which

    |change of the row's value in any cell, at any index within the radius X| <= DRIFT_ROOM rho gross (1 + X) times the
    cell's reach,

gross being the row's USD at 1:1 in either state. With s = vol sqrt(T), dV/ds = F n(d1) <= F n(0) and 0 <= dV/dF <= 1,
so rho is n(0) sup |change of s| + |change of ln F|, the supremum over all prices. It is a distance: what went from one
state to a second and on to a third is at most the sum, so one reference serves all accounts of an underlying. What all
options of a class have in common, a change of their level, is left out of it: it has a sign, and is counted apart.
"""

from __future__ import annotations

import math

from kernels import surface
from kernels._jit import Floats, kernel
from kernels.certificates.smile import nearest
from kernels.scenarios_table import tenor_scale

PEAK = 0.39894228040143276  # n(0), rounded up
FIRST = 0.24197073  # sup |d| n(d), rounded up
MOST_BASIS = 0.01  # of a change of ln F: beyond it the drift is infinite
DRIFT_ROOM = 1.03  # e^0.02 (1.006 of |e^h - 1| / |h|): gross of either state, and relative for logarithmic changes


@kernel("f8, f8, f8, f8, f8")
def _parabola(p0: float, p1: float, p2: float, low: float, high: float) -> tuple[float, float]:
    """Return the least and the largest p0 + p1 z + p2 z^2 for z in [low, high]."""
    first, last = p0 + low * (p1 + low * p2), p0 + high * (p1 + high * p2)
    least, most = min(first, last), max(first, last)
    if p2 != 0.0:
        turn = -0.5 * p1 / p2
        if low < turn < high:
            extreme = p0 + 0.5 * turn * p1
            least, most = min(least, extreme), max(most, extreme)
    return least, most


@kernel("f8[::1], f8, f8")
def _variances(p: Floats, low: float, high: float) -> tuple[float, float]:
    """Return a lower and an upper bound of raw SVI's total variance for k in [low, high]."""
    middle = nearest(low - p[3], high - p[3])
    wing = max(math.hypot(low - p[3], p[4]), math.hypot(high - p[3], p[4]))
    valley = math.hypot(middle, p[4])
    tilt = p[1] * p[2]
    tilts = min(tilt * (low - p[3]), tilt * (high - p[3])), max(tilt * (low - p[3]), tilt * (high - p[3]))
    bowls = min(p[1] * valley, p[1] * wing), max(p[1] * valley, p[1] * wing)
    least = p[0] + tilts[0] + bowls[0]
    if p[1] >= 0.0 and abs(p[2]) <= 1.0:
        # The parabola's own minimum, sharper than the sum of both parts'.
        least = max(least, p[0] + p[1] * abs(p[4]) * math.sqrt(1.0 - p[2] * p[2]))
    return least, p[0] + tilts[1] + bowls[1]


@kernel("i8, f8[::1], f8, f8, f8")
def vol_range(code: int, p: Floats, lo: float, hi: float, years: float) -> tuple[float, float]:
    """Return bounds of a surface row's volatility over all forwards; NaN for an unknown code."""
    low = high = math.nan
    if code == surface.CONSTANT:
        low = high = p[0]
    elif code == surface.SMILE:
        low, high = _parabola(p[0], p[1], p[2], lo, hi)
    elif code == surface.SVI:
        least, most = _variances(p, lo, hi)
        low, high = math.sqrt(max(least, 0.0) / years), math.sqrt(max(most, 0.0) / years)
    return (
        min(max(low, surface.MIN_VOL), surface.MAX_VOL) if math.isfinite(low) else math.nan,
        min(max(high, surface.MIN_VOL), surface.MAX_VOL) if math.isfinite(high) else math.nan,
    )


@kernel("f8[::1], f8, f8")
def is_parallel(p: Floats, lo: float, hi: float) -> bool:
    """Return whether no volatility of a smile is cut off: another level moves all of them alike."""
    least, most = _parabola(p[0], p[1], p[2], lo, hi)
    uncut: bool = least >= surface.MIN_VOL and most <= surface.MAX_VOL
    return uncut


@kernel("f8[::1], f8, f8, f8, f8[::1], f8, f8, f8, f8, f8")
def _smile_change(
    p: Floats, lo: float, hi: float, years: float, q: Floats, low: float, high: float, after: float, basis: float,
    level: float,
) -> float:  # fmt: skip
    """Return a bound of the change of s but for that of the level under code 1; q .. after: the new row and time."""
    one, two = math.sqrt(years), math.sqrt(after)
    ratio = math.sqrt(min(years, after) / max(years, after))
    farthest = max(abs(lo), abs(hi))
    moved = max(abs(lo - low), abs(hi - high)) + farthest * (1.0 - ratio) + abs(basis) / two
    first, last = min(lo, low), max(hi, high)
    steep = max(abs(q[1] + 2.0 * q[2] * first), abs(q[1] + 2.0 * q[2] * last)) * moved
    least, most = _parabola(q[0] - p[0], q[1] - p[1], q[2] - p[2], lo, hi)
    _, before = vol_range(surface.SMILE, p, lo, hi, years)
    found: float = abs(two - one) * before + two * (max(abs(least), abs(most)) + steep) + abs(level)
    if is_parallel(p, lo, hi) and is_parallel(q, low, high):
        # The level, and the shape around it.
        least, most = _parabola(0.0, q[1] - p[1], q[2] - p[2], lo, hi)
        lowest, highest = _parabola(0.0, p[1], p[2], lo, hi)
        shape = two * (max(abs(least), abs(most)) + steep) + abs(two - one) * max(abs(lowest), abs(highest))
        found = min(found, abs(two * q[0] - one * p[0] - level) + shape)
    return found


@kernel("f8, f8[::1]")
def most_shocked(years: float, shocks: Floats) -> float:
    """Return how many times as far as s itself it may move under any shock; shocks: of `tangents`, at one time."""
    scale = tenor_scale(years, shocks[3], shocks[4], shocks[5])
    most: float = max(1.0, 1.0 + shocks[0] * scale, abs(1.0 - shocks[1] * scale))
    return most


@kernel("f8[::1], f8, f8, f8, f8[::1], f8, f8, f8, f8")
def _svi_change(
    p: Floats, lo: float, hi: float, years: float, q: Floats, low: float, high: float, after: float, basis: float
) -> float:
    """As `_smile_change`, of code 2."""
    least, most = _variances(p, lo, hi)
    fewest, highest = _variances(q, low, high)
    least, most = min(least, fewest), max(most, highest)
    if not least > 0.0:
        return math.inf
    farthest = max(abs(lo - p[3]), abs(hi - p[3]))
    # psi = rho (k - m) + sqrt((k - m)^2 + sigma^2) of the old row, and its derivatives by rho, m and sigma.
    psi = abs(p[2]) * farthest + math.hypot(farthest, p[4])
    of_shape = farthest * abs(q[2] - p[2]) + (1.0 + max(abs(p[2]), abs(q[2]))) * abs(q[3] - p[3]) + abs(q[4] - p[4])
    moved = max(abs(lo - low), abs(hi - high)) + abs(basis)
    variance = abs(q[0] - p[0]) + abs(q[1] - p[1]) * psi + abs(q[1]) * (of_shape + (1.0 + abs(q[2])) * moved)
    change: float = 0.5 * variance / math.sqrt(least)
    shorter, longer = min(years, after), max(years, after)
    if least >= surface.MIN_VOL * surface.MIN_VOL * longer and most <= surface.MAX_VOL * surface.MAX_VOL * shorter:
        return change
    clipped: float = surface.MAX_VOL * abs(math.sqrt(after) - math.sqrt(years))
    return max(change, clipped)


@kernel("i8, f8[::1], f8, f8, f8, i8, f8[::1], f8, f8, f8")
def _other_code(
    code: int, p: Floats, lo: float, hi: float, years: float, new_code: int, q: Floats, low: float, high: float,
    after: float,
) -> float:  # fmt: skip
    """Return a bound of the change of s from one kind of surface row to another: they are somewhere in their ranges."""
    least, most = vol_range(code, p, lo, hi, years)
    fewest, highest = vol_range(new_code, q, low, high, after)
    before, now = math.sqrt(years), math.sqrt(after)
    found: float = max(highest * now - least * before, most * before - fewest * now)
    return found


@kernel("i8, f8[::1], f8, f8, f8, i8, f8[::1], f8, f8, f8, f8, f8")
def stdev_change(
    code: int, p: Floats, lo: float, hi: float, years: float, new_code: int, q: Floats, low: float, high: float,
    after: float, basis: float, level: float,
) -> float:  # fmt: skip
    """Return a bound of |change of vol sqrt(T) - level| over all prices from one surface row and time to another.

    p, lo, hi, years: before; q, low, high, after: now; basis: change of ln F at an unchanged index; level: any number,
    that by which the level of the row's class changed. Infinite where an option expired, or a number is not finite.
    """
    if not (years > 0.0 and after > 0.0):
        return math.inf
    found = math.inf
    if new_code != code:
        found = _other_code(code, p, lo, hi, years, new_code, q, low, high, after) + abs(level)
    elif code == surface.CONSTANT:
        moved = math.sqrt(after) * q[0] - math.sqrt(years) * p[0]
        if min(p[0], q[0]) >= surface.MIN_VOL and max(p[0], q[0]) <= surface.MAX_VOL:
            found = abs(moved - level)
        else:
            found = max(abs(moved), surface.MAX_VOL * abs(math.sqrt(after) - math.sqrt(years))) + abs(level)
    elif code == surface.SMILE:
        found = _smile_change(p, lo, hi, years, q, low, high, after, basis, level)
    elif code == surface.SVI:
        found = _svi_change(p, lo, hi, years, q, low, high, after, basis) + abs(level)
    return found if math.isfinite(found) else math.inf
