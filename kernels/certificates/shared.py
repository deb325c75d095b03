"""Rows of a column around one price, which all its accounts share: certificates as sums of them.

What `kernels.certificates.places` needs of a contract depends on the account by its quantity alone, as long as all
accounts have one radius and one center. A column's center C is a price near the present one; a row is made when an
account first needs it, with the contract's values, slopes and bounds in all scenarios for |S/C - 1| <= RADIUS, and is
good until the price is WITHIN of the center no more, or anything but the index moved for the contract. Curves around C
are good for the present price x = S/C - 1: nothing in `kernels.certificates.joint` needs x = 0.

By row, `ROW` numbers and six for each scenario: its own value and bounds (`tangents.VALUE` numbers, USD), its value
(WORTH), its kind and the class of its drift, whether it may be part of a certificate (GOOD), the number of the center
that it was made around (MADE), what a move of its level does to its value (VEGA) and what of that has no sign
(`vegas.RESTS` numbers, from REST on), then P&L, SLOPE, ABOVE, BELOW, KINK and what a move of its level does by
scenario. By column, `centers` float64[C, 2]: the price, and its number, which grows.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, inlined, kernel
from kernels._operations import prefetch
from kernels.certificates import places, smile, tangents, vegas
from kernels.certificates import rows as row_kernels
from kernels.certificates.book import (
    DIRECTION,
    LINEAR,
    MOVE,
    NUMBER,
    PRICE,
    PRICED,
    PRICED_CLASS,
    PRICED_FIXED,
    PRICED_FUNDING,
    PRICED_HIGH,
    PRICED_LOW,
    PRICED_SIZE,
    PRICED_STRIKE,
    PRICED_YEARS,
    SHOCK,
    VALUE,
    VOL,
    WEIGHT,
    gather,
    price,
)  # fmt: skip
from kernels.certificates.places import CURVE, CURVES, KINK, OF_SWING, SLOPE

RADIUS = 0.025  # that rows are made for
WITHIN = 0.0025  # of its center a price has to be

WORTH, KIND, OF_CLASS, GOOD, MADE, VEGA, REST = range(tangents.VALUE, tangents.VALUE + 7)
ROW = REST + vegas.RESTS
BY_LEVEL = 1 + tangents.CELL  # of what is there by scenario
BY_SCENARIO = BY_LEVEL + 1

CENTER, MADE_OF = range(2)  # of a column
CENTERS = 2
NEVER = 0.0  # number of no center

# Of a place, sums over its positions: value, slope, curvature where what multiplies q is positive and where it is
# negative, kink, what is added up, and bounds of slopes.
BASE_WORTH, BASE_SLOPE, RISING, FALLING, BASE_KINK, SUMMED, SWINGING, MOVING = range(8)
BASE = 8
SUMS = 4  # by scenario: P&L, slope, curvature, kink
LINE = 8  # numbers of a cache line


@inlined()
def row_length(cells: int) -> int:
    """Return how many numbers a row of so many scenarios has."""
    return ROW + BY_SCENARIO * cells


@inlined()
def place_of(price: float, of: Floats) -> float:
    """Return where a price is from a column's center; the price is the center from now on if it is too far away."""
    x: float = price / of[CENTER] - 1.0
    if not abs(x) <= WITHIN:
        of[CENTER], of[MADE_OF] = price, of[MADE_OF] + 1.0
        x = 0.0
    return x


@kernel("f8[:, ::1], i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[::1], f8[::1], i8")
def make(
    contracts: Floats, rows: Ints, scenario: Floats, market: Floats, now: Floats, of: Floats, tables: Floats, at: int
) -> None:  # fmt: skip
    """Make some rows of a column around its center; contracts, scenario, market: as in `book`.

    now: float64[NOW_FIELDS] of `joint`, for the levels; of: float64[CENTERS]; tables: those of all columns, flat, of
    which this one's begin at `at`.
    """
    count, cells = rows.shape[0], scenario.shape[1]
    every, center = np.arange(count), of[CENTER]
    kind, is_call, good = np.empty(count, np.int64), np.empty(count, np.bool_), np.empty(count, np.bool_)
    code, parameters, priced = np.empty(count, np.int64), np.empty((count, 5)), np.empty((PRICED, count))
    pnl, found = np.empty((count, cells)), np.empty((count, tangents.CELL, cells))
    path, own = np.empty((count, smile.DIRECTIONS, smile.PATH)), np.empty((count, tangents.VALUE))
    direction = np.empty(cells, dtype=np.int64)
    for s in range(cells):
        direction[s] = int(scenario[DIRECTION, s])
    gather(contracts, rows, center, kind, is_call, priced, code, parameters)
    price(kind, is_call, priced, center, scenario, market[SHOCK:], pnl)
    row_kernels.prepare(
        every, kind, is_call, priced[PRICED_SIZE], priced[PRICED_STRIKE], priced[PRICE], priced[PRICED_FIXED],
        priced[PRICED_FUNDING], priced[PRICED_YEARS], priced[VOL], code, parameters, priced[PRICED_LOW],
        priced[PRICED_HIGH], center, market[SHOCK:], RADIUS, path, own, good,
    )  # fmt: skip
    tangents.tangents(
        every, kind, is_call, priced[PRICED_STRIKE], priced[PRICE], RADIUS, scenario[MOVE], scenario[LINEAR],
        direction, scenario[WEIGHT], path, own, good, found,
    )  # fmt: skip
    slope, rest = np.empty((count, cells + 1)), np.empty((count, vegas.RESTS))
    vegas.of_rows(kind, good, priced, scenario, market[SHOCK:], path, own, now, RADIUS, slope, rest)
    for k in range(count):
        to = at + rows[k] * row_length(cells)
        for n in range(tangents.VALUE):
            tables[to + n] = own[k, n]
        tables[to + WORTH], tables[to + KIND] = priced[VALUE, k], kind[k]
        tables[to + OF_CLASS], tables[to + GOOD] = priced[PRICED_CLASS, k], 1.0 if good[k] else 0.0
        tables[to + MADE], tables[to + VEGA] = of[MADE_OF], slope[k, cells]
        for n in range(vegas.RESTS):
            tables[to + REST + n] = rest[k, n]
        to += ROW
        for s in range(cells):
            tables[to + s] = pnl[k, s]
        for n in range(tangents.CELL):
            to += cells
            for s in range(cells):
                tables[to + s] = found[k, n, s]
        to += cells
        for s in range(cells):
            tables[to + s] = slope[k, s]


@kernel("f8[:, ::1], i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[::1], f8[::1], i8")
def have(
    contracts: Floats, held: Ints, scenario: Floats, market: Floats, now: Floats, of: Floats, tables: Floats, at: int
) -> bool:  # fmt: skip
    """Have the rows of a place made around the center of its column; return whether all may be part of a certificate.

    Arguments of `make`; held: int64[k], rows of the place's positions.
    """
    length = row_length(scenario.shape[1])
    missing = 0
    for k in range(held.shape[0]):
        missing += tables[at + held[k] * length + MADE] != of[MADE_OF]
    if missing:
        rows = np.empty(missing, dtype=np.int64)
        found = 0
        for k in range(held.shape[0]):
            if tables[at + held[k] * length + MADE] != of[MADE_OF]:
                rows[found] = held[k]
                found += 1
        make(contracts, rows, scenario, market, now, of, tables, at)
    bad = 0
    for k in range(held.shape[0]):
        bad += tables[at + held[k] * length + GOOD] != 1.0
    return bad == 0


@kernel("i8[::1], f8[::1], i8, i8")
def forget(rows: Ints, tables: Floats, at: int, length: int) -> None:
    """Let some rows of a column be made anew when they are needed; length: of a row."""
    for k in range(rows.shape[0]):
        tables[at + rows[k] * length + MADE] = NEVER


@inlined()
def _add(to: Floats, at: int, of: Floats, first: int, count: int, by: float) -> None:
    for s in range(count):
        to[at + s] += by * of[first + s]


@inlined()
def _ask_for(tables: Floats, at: int, length: int) -> None:
    """Ask for a row ahead: rows lie anywhere in more than a second-level cache holds."""
    for line in range((length + LINE - 1) // LINE):
        prefetch(tables, at + LINE * line)


@kernel("i8[::1], f8[::1], f8[::1], i8, i8, f8[::1], f8[::1]")
def add_up(held: Ints, amount: Floats, tables: Floats, at: int, cells: int, sums: Floats, base: Floats) -> None:
    """Write the sums of a place's positions: sums float64[SUMS S], base float64[BASE]."""
    sums[:] = 0.0
    base[:] = 0.0
    length = row_length(cells)
    for k in range(held.shape[0]):
        if k + 1 < held.shape[0]:
            _ask_for(tables, at + held[k + 1] * length, length)
        q, to = amount[k], at + held[k] * length
        size = abs(q)
        above, below = size * tables[to + tangents.ABOVE], size * tables[to + tangents.BELOW]
        base[BASE_WORTH] += q * tables[to + WORTH]
        base[BASE_SLOPE] += q * tables[to + tangents.SLOPE]
        base[RISING] += below if q >= 0.0 else above
        base[FALLING] += above if q >= 0.0 else below
        base[BASE_KINK] += size * tables[to + tangents.KINK]
        base[SUMMED] += size * (tables[to + tangents.GROSS] + abs(tables[to + WORTH]))
        base[SWINGING] += size * tables[to + tangents.SWING]
        base[MOVING] += size * tables[to + tangents.GROSS]
        first = to + ROW
        bend = 1 + (tangents.BELOW if q >= 0.0 else tangents.ABOVE)
        _add(sums, 0, tables, first, cells, q)
        _add(sums, cells, tables, first + (1 + tangents.SLOPE) * cells, cells, q)
        _add(sums, 2 * cells, tables, first + bend * cells, cells, size)
        _add(sums, 3 * cells, tables, first + (1 + tangents.KINK) * cells, cells, size)


@kernel("f8[::1], f8[:, ::1], i8, f8, f8[::1]")
def about_losses(sums: Floats, scenario: Floats, width: int, x: float, losses: Floats) -> None:
    """Write about what a place loses by move at x, float64[>= width], USD: along its tangents."""
    cells = scenario.shape[1]
    for j in range(width):
        losses[j] = -math.inf
        for s in range(3 * j, 3 * j + 3):
            losses[j] = max(losses[j], -(sums[s] + x * sums[cells + s]))
    for s in range(3 * width, cells):
        j = 0 if scenario[NUMBER, s] < 0.0 else width - 1
        losses[j] = max(losses[j], -(sums[s] + x * sums[cells + s]))


@kernel("f8[::1], f8[::1], f8[:, ::1], f8, f8, f8, f8, f8, i8[::1], f8[:, ::1]")
def upper_curves(
    sums: Floats, base: Floats, scenario: Floats, c: float, d: float, w: float, x: float, swing: float, chosen: Ints,
    out: Floats,
) -> tuple[int, float]:  # fmt: skip
    """Write the curves of one place under the upper constraint that matter, float64[CURVES, >= S], and of which cells.

    c, d, w, swing: as `places.select` takes them. Returns how many there are, and the least of them at x.
    """
    chosen[0] = 0
    if c == 0.0:
        for n in range(CURVES):
            out[n, 0] = 0.0
        return 1, 0.0
    cells, least = scenario.shape[1], math.inf
    for s in range(cells):
        out[CURVE, s] = c * base[BASE_WORTH] + d * (sums[s] - w * scenario[NUMBER, s])
        least = min(least, out[CURVE, s])
    found, lowest = 0, math.inf
    for s in range(cells):
        value = out[CURVE, s]
        if value - least > swing * (1.0 + OF_SWING):
            continue
        share = c - d * scenario[WEIGHT, s]
        slope = c * base[BASE_SLOPE] + d * sums[cells + s]
        curve = d * sums[2 * cells + s] + (share * base[RISING] if share >= 0.0 else -share * base[FALLING])
        kink = d * sums[3 * cells + s] + abs(share) * base[BASE_KINK]
        chosen[found] = s
        out[places.VALUE, found], out[SLOPE, found], out[CURVE, found], out[KINK, found] = value, slope, curve, kink
        lowest = min(lowest, value + x * (slope - 0.5 * x * curve) - kink * abs(x))
        found += 1
    return found, lowest


@kernel("f8[::1], f8[:, ::1], i8, i8, f8")
def worst_cell(sums: Floats, scenario: Floats, width: int, move: int, x: float) -> int:
    """Return a scenario with about the largest loss of a place at x among those that count at a move."""
    cells, worst = scenario.shape[1], 3 * move
    for s in range(cells):
        here = s // 3 if s < 3 * width else (0 if scenario[NUMBER, s] < 0.0 else width - 1)
        if here == move and sums[s] + x * sums[cells + s] < sums[worst] + x * sums[cells + worst]:
            worst = s
    return worst


@kernel("i8[::1], f8[::1], f8[::1], i8, f8[::1], f8[::1], f8[:, ::1], i8, i8, f8, f8, f8, f8[::1]")
def lower_curve(
    held: Ints, amount: Floats, tables: Floats, at: int, sums: Floats, base: Floats, scenario: Floats, first: int,
    second: int, share: float, c: float, d: float, out: Floats,
) -> None:  # fmt: skip
    """Write the curve of one place under the lower constraint, float64[CURVES].

    first, second: the scenarios of a mixture, with weights share and 1 - share; c, d: as `places.lower_curve`.
    """
    cells = scenario.shape[1]
    p, r = d * share, d * (1.0 - share)
    scaled = c - p * scenario[WEIGHT, first] - r * scenario[WEIGHT, second]
    out[places.VALUE] = -(c * base[BASE_WORTH] + p * sums[first] + r * sums[second])
    out[SLOPE] = -(c * base[BASE_SLOPE] + p * sums[cells + first] + r * sums[cells + second])
    out[KINK] = p * sums[3 * cells + first] + r * sums[3 * cells + second] + abs(scaled) * base[BASE_KINK]
    out[CURVE] = scaled * base[FALLING] if scaled >= 0.0 else -scaled * base[RISING]
    for k in range(held.shape[0]):
        q = amount[k]
        bend = 1 + (tangents.BELOW if q <= 0.0 else tangents.ABOVE)
        of = at + held[k] * row_length(cells) + ROW + bend * cells
        out[CURVE] += abs(q) * (p * tables[of + first] + r * tables[of + second])


@kernel("i8[::1], f8[::1], i8, i8, i8[::1], f8[::1], f8[:, ::1]")
def own_rows(held: Ints, tables: Floats, at: int, cells: int, kind: Ints, drifting: Floats, own: Floats) -> None:
    """Write kinds, classes of drift and `tangents` values of a place's rows: what drifts are charged by."""
    for k in range(held.shape[0]):
        to = at + held[k] * row_length(cells)
        kind[k], drifting[k] = int(tables[to + KIND]), tables[to + OF_CLASS]
        for n in range(tangents.VALUE):
            own[k, n] = tables[to + n]
