"""What a move of the level of volatilities costs a place, class by class: true vegas, and how far they may change.

Let every vol sqrt(T) of a class move by m, and f m after a shock that multiplies it by f. A cell of one unit has the
derivative f F' n(d1) by m, F' = F (1 + move), and while |m| <= D, |x| <= X that changes by no more than

    cross |x| + bend |m|,    cross = f F' (D1 + A (D2 + s D1)) / s_low,    bend = f^2 F' (D2 + s D1) / s_low

with A >= |ds/dy|, and D1 and D2 >= |d2| n(d1) and d2^2 n(d1). Positions of a class net in the first, not in the others.
Where a shocked volatility may be cut off, and where m may take half of s, a row is charged f F' n(0) |m|, whatever way
m goes. Proof: `docs/certificates.md`.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import scenarios
from kernels._jit import Bools, Floats, Ints, inlined, kernel
from kernels.black76_loops import densities
from kernels.certificates import conditions, joint, levels, places, smile, tangents
from kernels.certificates.book import (
    DIRECTION,
    MOVE,
    NUMBER,
    PRICE,
    PRICED_CLASS,
    PRICED_STRIKE,
    PRICED_YEARS,
    WEIGHT,
)
from kernels.certificates.cells import FARTHEST, MOST_FIRST, MOST_SECOND
from kernels.certificates.drift import PEAK
from kernels.netted_bounds import mixture
from kernels.polynomials import log_ratio
from kernels.scenarios_options import of_direction
from kernels.scenarios_table import tenor_scale

LEAST_LEFT = 0.5  # of vol sqrt(T), whatever the level does
FULL, CROSS, BEND = range(3)  # of a class: what is charged whatever way the level goes, and sums of both bounds
SIDES = 3  # of the second axis of `reaches`: volatility up, same, down
BASE = SIDES  # and the unmoved cell
SPAN = 3 * (SIDES + 1)  # behind what is not signed of a row, by part, side and unmoved cell: how far its level may go
RESTS = SPAN + 1


@kernel("i8[::1]")
def _options(kind: Ints) -> Ints:
    """Return which rows are options."""
    found, n = np.empty(kind.shape[0], dtype=np.int64), 0
    for i in range(kind.shape[0]):
        if kind[i] >= scenarios.LINEAR_OPTION:
            found[n] = i
            n += 1
    return found[:n]


@kernel("f8[::1], f8, f8[:, ::1]")
def reaches_of(multiplier: Floats, raised: float, scenario: Floats) -> Floats:
    """Return how many times its cells by direction, and its unmoved one, a row counts in any curve at most."""
    out = np.zeros(SIDES + 1)
    pairs = (
        (multiplier[conditions.UPPER_EQUITY], multiplier[conditions.UPPER_REQUIREMENT]),
        (raised if multiplier[conditions.LOWER_EQUITY] > 0.0 else 0.0, multiplier[conditions.LOWER_REQUIREMENT]),
    )
    for c, d in pairs:
        for t in range(scenario.shape[1]):
            side = 1 - int(scenario[DIRECTION, t])
            out[side] = max(out[side], d * scenario[WEIGHT, t] * (1.0 + scenario[MOVE, t]))
            out[BASE] = max(out[BASE], abs(c - d * scenario[WEIGHT, t]))
    return out


@kernel("i8[::1], i8[::1], f8[:, ::1], f8[:, ::1], f8[:, :, ::1]")
def _densities(option: Ints, cell: Ints, priced: Floats, scenario: Floats, path: Floats) -> Floats:
    """Return n(d1) of some cells of some options, and of their unmoved ones behind these."""
    wide = cell.shape[0]
    log_move, near = np.empty(wide), np.empty((option.shape[0], wide + 1))
    for t in range(wide):
        log_move[t] = log_ratio(1.0 + scenario[MOVE, cell[t]], 1.0)
    for j in range(option.shape[0]):
        i = option[j]
        of, at = near[j], log_ratio(priced[PRICE, i], priced[PRICED_STRIKE, i])
        up, same, down = path[i, 0, smile.NOW], path[i, 1, smile.NOW], path[i, 2, smile.NOW]
        of[wide] = min(max(at / same + 0.5 * same, -FARTHEST), FARTHEST)
        for t in range(wide):
            s = of_direction(int(scenario[DIRECTION, cell[t]]), up, same, down)
            of[t] = min(max((at + log_move[t]) / s + 0.5 * s, -FARTHEST), FARTHEST)
    found = np.empty(near.shape)
    densities(near.ravel(), found.ravel())
    return found


@inlined()
def _second(path: Floats, factor: float, most: float) -> tuple[float, float]:
    """Return cross and bend of a cell of one unit at 1:1 while the level moves by at most so much."""
    low, high = path[smile.LOW] - factor * most, path[smile.HIGH] + factor * most
    first = MOST_FIRST + high * PEAK
    product = MOST_SECOND + high * (2.0 * MOST_FIRST + high * PEAK) + high * first
    steep = path[smile.STEEP] + path[smile.KINK]
    return factor * (first + steep * product) / low, factor * factor * product / low


@kernel("f8, f8[:, ::1], f8[::1], f8, f8, f8, f8[::1], f8[::1]")
def _rests(
    held: float, path: Floats, shocks: Floats, years: float, most: float, radius: float, factor: Floats, out: Floats
) -> None:  # fmt: skip
    """Write the factors of a row's signed cells by side, and what is not signed of it, of each part by side.

    held: USD at 1:1; most: D; factor: float64[SIDES], 0 where a cell is charged in full; out: float64[RESTS].
    """
    scale, low, high = tenor_scale(years, shocks[3], shocks[4], shocks[5]), path[1, smile.LOW], path[1, smile.HIGH]
    factor[0], factor[1], factor[2] = 1.0 + shocks[0] * scale, 1.0, max(1.0 - shocks[1] * scale, 0.0)
    charged, full = (1.0 + radius) * PEAK * held, FULL * (SIDES + 1)
    cross, bend = CROSS * (SIDES + 1), BEND * (SIDES + 1)
    out[:], out[SPAN] = 0.0, most
    if not most <= LEAST_LEFT * low:
        out[full + BASE] = charged
        for side in range(SIDES):
            out[full + side] = charged * factor[side]
        factor[:] = 0.0
        return
    least = shocks[2] * math.sqrt(years)
    if not factor[0] * (low - most) >= least:
        if factor[0] * (high + most) > least:
            out[full] = charged * factor[0]
        factor[0] = 0.0
    one, two = _second(path[1], 1.0, most)
    out[cross + BASE], out[bend + BASE] = held * one, held * two
    for side in range(SIDES):
        if factor[side] > 0.0:
            one, two = _second(path[side], factor[side], most)
            out[cross + side], out[bend + side] = held * one, held * two


@inlined()
def count_rests(by: float, rest: Floats, at: int, reaches: Floats, sums: Floats) -> None:
    """Add what is not signed of a row, from rest[at] on, to the sums of its class."""
    for part in range(3):
        first, most = at + (SIDES + 1) * part, 0.0
        for side in range(SIDES):
            most = max(most, reaches[side] * rest[first + side])
        sums[part] += by * (reaches[BASE] * rest[first + BASE] + most)


@kernel(
    "i8[::1], b1[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[:, :, ::1], f8[:, ::1], f8[::1], f8, f8[:, ::1], f8[:, ::1]"
)
def of_rows(
    kind: Ints, good: Bools, priced: Floats, scenario: Floats, shocks: Floats, path: Floats, own: Floats, now: Floats,
    radius: float, slope: Floats, rest: Floats,
) -> None:  # fmt: skip
    """Write what a move of their level does to one of each of some rows, USD; zeros of what has no level.

    slope, float64[n, S + 1]: of its part in each scenario, and of its own value behind these; rest: float64[n, RESTS].
    """
    option, n, wide = np.empty(kind.shape[0], dtype=np.int64), 0, scenario.shape[1]
    slope[:], rest[:] = 0.0, 0.0
    for i in range(kind.shape[0]):
        if kind[i] >= scenarios.LINEAR_OPTION and good[i] and priced[PRICED_CLASS, i] > 0.0:
            option[n] = i
            n += 1
    option, factor = option[:n], np.empty(SIDES)
    density = _densities(option, np.arange(wide), priced, scenario, path)
    for j in range(n):
        i = option[j]
        most = levels.relative_span(radius) * abs(now[joint.LEVEL + int(priced[PRICED_CLASS, i]) - 1])
        gross = own[i, tangents.GROSS]
        _rests(gross, path[i], shocks, priced[PRICED_YEARS, i], most, radius, factor, rest[i])
        slope[i, wide] = gross * factor[1] * density[j, wide]
        for t in range(wide):
            shocked = scenario[WEIGHT, t] * (1.0 + scenario[MOVE, t]) * factor[1 - int(scenario[DIRECTION, t])]
            slope[i, t] = gross * shocked * density[j, t]


@inlined()
def _least_above(found: Floats, j: int, s: int, at: int, radius: float, curves: Floats) -> float:
    """Return by how much curve j of found is above one that is kept, wherever within the radius; negative: not."""
    value, bend = found[places.VALUE, j] - curves[s, at + places.VALUE], found[places.CURVE, j]
    bend -= curves[s, at + places.CURVE]
    kink = found[places.KINK, j] - curves[s, at + places.KINK]
    least = value
    for side in (-1.0, 1.0):
        slope = side * (found[places.SLOPE, j] - curves[s, at + places.SLOPE]) - kink
        least = min(least, value + radius * (slope - 0.5 * radius * bend))
        if bend < 0.0 and 0.0 < slope / bend < radius:
            least = min(least, value + 0.5 * slope * slope / bend)
    above: float = least
    return above


@inlined()
def _rise(s: int, radius: float, curves: Floats) -> float:
    """Return by how much the least curve of a segment may rise within the radius."""
    most, at = 0.0, joint.UPPER_AT
    for side in (-1.0, 1.0):
        slope, bend = side * curves[s, at + places.SLOPE] - curves[s, at + places.KINK], curves[s, at + places.CURVE]
        if slope > 0.0:
            far = min(slope / bend, radius) if bend > 0.0 else radius
            most = max(most, far * (slope - 0.5 * far * bend))
    return most


@kernel("i8, f8, f8, i8[::1], f8[:, ::1], f8[:, ::1], f8[::1]")
def write_gaps(
    s: int, swing: float, radius: float, chosen: Ints, upper: Floats, curves: Floats, gap: Floats
) -> None:  # fmt: skip
    """Write how far above the least of what is kept each curve of the upper constraint stays within the radius, USD.

    gap: the value of each scenario's curve but for a constant, which becomes its gap; upper: curves of the scenarios
    chosen; of the others it is known that they do not fall by more than swing.
    """
    least = math.inf
    for t in range(gap.shape[0]):
        least = min(least, gap[t])
    least += swing * (1.0 + places.OF_SWING) + _rise(s, radius, curves)
    for t in range(gap.shape[0]):
        gap[t] = max(gap[t] - least, 0.0)
    for j in range(chosen.shape[0]):
        most = 0.0
        for i in range(int(curves[s, joint.COUNT])):
            most = max(most, _least_above(upper, j, s, joint.UPPER_AT + places.CURVES * i, radius, curves))
        gap[chosen[j]] = most


@kernel("f8[::1], f8[:, ::1], f8[:, ::1], f8, f8")
def _heights(amount: Floats, pnl: Floats, scenario: Floats, d: float, hedge: float) -> Floats:
    """Return the values of all scenarios' curves of the upper constraint but for a constant, USD."""
    found = np.empty(scenario.shape[1])
    for t in range(found.shape[0]):
        found[t] = -(d * hedge) * scenario[NUMBER, t]
    for k in range(amount.shape[0]):
        scaled, of = d * amount[k], pnl[k]
        for t in range(found.shape[0]):
            found[t] += scaled * of[t]
    return found


@kernel("f8[::1], i8[::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[::1], f8")
def _cells(gap: Floats, option: Ints, priced: Floats, held: Floats, sums: Floats, spared: Floats, most: float) -> Ints:
    """Return the scenarios whose curves may fall faster by a level than those that are kept, gaps counted.

    spared: by class, the part of a gap that counts per unit of the level; most: of `reaches_of`, in all.
    """
    limit = 0.0
    of_class = np.zeros(joint.EXPIRIES)
    for j in range(option.shape[0]):
        of_class[int(priced[PRICED_CLASS, option[j]]) - 1] += held[option[j]]
    for k in range(joint.EXPIRIES):
        if of_class[k] > 0.0 and sums[k, BEND] > 0.0:
            limit = max(limit, 2.0 * PEAK * most * of_class[k] / spared[k] if spared[k] > 0.0 else math.inf)
    found, n = np.empty(gap.shape[0], dtype=np.int64), 0
    for t in range(gap.shape[0]):
        if gap[t] <= limit:
            found[n] = t
            n += 1
    return found[:n]


@kernel(
    "i8[::1], f8[::1], f8[:, ::1], f8[::1], i8[::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8, f8, f8[::1], f8[::1],"
    "f8[:, ::1]"
)
def _add_upper(
    option: Ints, amount: Floats, priced: Floats, gross: Floats, cell: Ints, scenario: Floats, density: Floats,
    factor: Floats, c: float, d: float, gap: Floats, spared: Floats, worst: Floats,
) -> None:  # fmt: skip
    """Write by how much a curve that matters may fall per unit of each level up and down, float64[2, EXPIRIES], USD.

    A curve that stays above those that are kept by a gap may fall faster by what that is over the spans of all levels.
    """
    wide = cell.shape[0]
    slope, held = np.zeros((joint.EXPIRIES, wide)), np.zeros(joint.EXPIRIES)
    part, moved, side = np.empty(wide), np.empty(wide), np.empty(wide, dtype=np.int64)
    for t in range(wide):
        part[t] = d * scenario[WEIGHT, cell[t]]
        moved[t], side[t] = part[t] * (1.0 + scenario[MOVE, cell[t]]), 1 - int(scenario[DIRECTION, cell[t]])
    for j in range(option.shape[0]):
        i = option[j]
        k = int(priced[PRICED_CLASS, i]) - 1
        to, of, own = slope[k], density[j], amount[i] * gross[i]
        base = own * factor[j, 1] * of[wide]
        held[k] += abs(own)
        for t in range(wide):
            to[t] += (c - part[t]) * base + moved[t] * factor[j, side[t]] * own * of[t]
    for k in range(joint.EXPIRIES):
        if held[k] > 0.0:
            for t in range(wide):
                counted = gap[cell[t]] * spared[k]
                worst[0, k] = max(worst[0, k], -slope[k, t] - counted)
                worst[1, k] = max(worst[1, k], slope[k, t] - counted)


@kernel("f8, f8, f8, i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1]")
def _add_lower(
    share: float, c: float, d: float, cell: Ints, option: Ints, amount: Floats, priced: Floats, gross: Floats,
    scenario: Floats, density: Floats, factor: Floats, worst: Floats,
) -> None:  # fmt: skip
    """As `_add_upper`, of the lower constraint's curve: a mixture of two cells, `share` of it the first."""
    slope = np.zeros(joint.EXPIRIES)
    for j in range(option.shape[0]):
        i = option[j]
        shifted, rest = 0.0, c
        for side in range(2):
            t = cell[side]
            part = d * scenario[WEIGHT, t] * (share if side == 0 else 1.0 - share)
            shocked = factor[j, 1 - int(scenario[DIRECTION, t])]
            shifted += part * (1.0 + scenario[MOVE, t]) * shocked * density[j, side]
            rest -= part
        slope[int(priced[PRICED_CLASS, i]) - 1] -= (
            amount[i] * gross[i] * (shifted + rest * factor[j, 1] * density[j, 2])
        )
    for k in range(joint.EXPIRIES):
        worst[0, k], worst[1, k] = max(worst[0, k], -slope[k]), max(worst[1, k], slope[k])


@kernel("f8[:, ::1], f8[::1], f8[::1]")
def spare(sums: Floats, span: Floats, spared: Floats) -> None:
    """Write the part of a gap that counts for a unit of each level: they share it."""
    signed = 0
    for k in range(joint.EXPIRIES):
        signed += sums[k, BEND] > 0.0
    for k in range(joint.EXPIRIES):
        spared[k] = 1.0 / (signed * span[k]) if sums[k, BEND] > 0.0 and span[k] > 0.0 else 0.0


@kernel(
    "i8, f8[::1], i8[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1], f8, f8[:, ::1], f8[::1], f8[:, :, ::1],"
    "f8[:, ::1], f8, i8[::1], f8[:, ::1], f8[:, ::1]"
)
def write_levels(
    s: int, amount: Floats, kind: Ints, priced: Floats, pnl: Floats, losses: Floats, multiplier: Floats, raised: float,
    scenario: Floats, shocks: Floats, path: Floats, own: Floats, swing: float, chosen: Ints, upper: Floats,
    curves: Floats,
) -> None:  # fmt: skip
    """Write what levels cost a segment that has its radius, curves (`joint.keep`) and levels (`joint.count_drift`).

    Arguments and results of `priced_places.bound_place`: multiplier: float64[6]; swing: the most that any curve may
    fall by within the radius, USD; upper: curves of the scenarios chosen. shocks: float64[6] of `tangents`.
    """
    option, radius, span = _options(kind), curves[s, joint.RADIUS], np.empty(joint.EXPIRIES)
    n = option.shape[0]
    if n == 0 or not (multiplier[conditions.UPPER_EQUITY] > 0.0 or multiplier[conditions.LOWER_EQUITY] > 0.0):
        return
    for k in range(joint.EXPIRIES):
        span[k] = levels.relative_span(radius) * abs(curves[s, joint.LEVELS_AT + levels.LEVEL * k + levels.AT])
    reaches, spared = reaches_of(multiplier, raised, scenario), np.empty(joint.EXPIRIES)
    factor, sums, gross = np.empty((n, SIDES)), np.zeros((joint.EXPIRIES, 3)), own[:, tangents.GROSS].copy()
    rest = np.empty(RESTS)
    for j in range(n):
        i = option[j]
        k = int(priced[PRICED_CLASS, i]) - 1
        _rests(
            abs(amount[i]) * gross[i], path[i], shocks, priced[PRICED_YEARS, i], span[k], radius, factor[j], rest
        )  # fmt: skip
        count_rests(1.0, rest, 0, reaches, sums[k])
    worst = np.full((2, joint.EXPIRIES), -math.inf)
    c, d, hedge = multiplier[0], multiplier[1], multiplier[conditions.CONSTRAINTS]
    if c > 0.0:
        spare(sums, span, spared)
        gap = _heights(amount, pnl, scenario, d, hedge)
        write_gaps(s, swing, radius, chosen, upper, curves, gap)
        most = reaches[BASE] + max(reaches[0] * factor.max(), reaches[1], reaches[2])
        cell = _cells(gap, option, priced, np.abs(amount) * gross, sums, spared, most)
        density = _densities(option, cell, priced, scenario, path)
        _add_upper(option, amount, priced, gross, cell, scenario, density, factor, c, d, gap, spared, worst)
    if multiplier[conditions.LOWER_EQUITY] > 0.0:
        _, _, _, right = mixture(losses, losses.shape[0], multiplier[conditions.CONSTRAINTS + 1])
        density = _densities(option, chosen[:2], priced, scenario, path)
        _add_lower(
            1.0 - right, raised, multiplier[conditions.LOWER_REQUIREMENT], chosen[:2], option, amount, priced, gross,
            scenario, density, factor, worst,
        )  # fmt: skip
    for k in range(joint.EXPIRIES):
        at = joint.LEVELS_AT + levels.LEVEL * k
        if worst[0, k] > -math.inf:
            curves[s, at + levels.UP] = worst[0, k] + sums[k, FULL]
            curves[s, at + levels.DOWN] = worst[1, k] + sums[k, FULL]
            curves[s, at + levels.BEND], curves[s, at + levels.CROSS] = sums[k, BEND], sums[k, CROSS]
