"""What moves of levels cost an account that is certified from shared rows: their vegas, added up by class.

As `kernels.certificates.vegas` has it of an account's own rows, around the center of the shared ones.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.certificates import conditions, joint, levels, shared, vegas
from kernels.certificates.book import NUMBER, WEIGHT


@kernel("i8, i8[::1], f8[::1], f8[::1], i8, f8[:, ::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[::1]")
def _add_up(
    s: int, held: Ints, amount: Floats, tables: Floats, at: int, curves: Floats, slope: Floats, reaches: Floats,
    rest: Floats, span: Floats,
) -> bool:  # fmt: skip
    """Add up what a place's rows do by class: slope float64[EXPIRIES, S + 1], their own value's last, rest as `vegas`.

    span: how far the level of each class may go, negative where there is no option. False where a row is not bounded
    as far as that.
    """
    cells = slope.shape[1] - 1
    slope[:], rest[:], span[:] = 0.0, 0.0, -1.0
    for i in range(held.shape[0]):
        to, q = at + held[i] * shared.row_length(cells), amount[i]
        k = int(tables[to + shared.OF_CLASS]) - 1
        if k < 0:
            continue
        zero = curves[s, joint.LEVELS_AT + levels.LEVEL * k + levels.AT]
        span[k] = levels.relative_span(shared.RADIUS) * abs(zero)
        if tables[to + shared.REST + vegas.SPAN] < span[k]:
            return False
        vegas.count_rests(abs(q), tables, to + shared.REST, reaches, rest[k])
        slope[k, cells] += q * tables[to + shared.VEGA]
        of, first = slope[k], to + shared.ROW + shared.BY_LEVEL * cells
        for t in range(cells):
            of[t] += q * tables[first + t]
    return True


@kernel("f8, f8, f8[:, ::1], f8[::1], f8[::1], f8[::1], f8[:, ::1], f8[:, ::1]")
def _take_upper(
    c: float, d: float, scenario: Floats, gap: Floats, spared: Floats, span: Floats, slope: Floats, worst: Floats
) -> None:  # fmt: skip
    """Write by how much a curve that matters may fall per unit of each level up and down: `vegas`, gaps counted."""
    cells = scenario.shape[1]
    for k in range(span.shape[0]):
        if span[k] >= 0.0:
            for t in range(cells):
                moved = d * slope[k, t] + (c - d * scenario[WEIGHT, t]) * slope[k, cells]
                worst[0, k] = max(worst[0, k], -moved - gap[t] * spared[k])
                worst[1, k] = max(worst[1, k], moved - gap[t] * spared[k])


@kernel(
    "i8, i8[::1], f8[::1], f8[::1], i8, f8[::1], f8[:, ::1], f8[::1], f8, f8, f8, i8, i8, f8, i8[::1], f8[:, ::1],"
    "f8[:, ::1]"
)
def write(
    s: int, held: Ints, amount: Floats, tables: Floats, at: int, sums: Floats, scenario: Floats, multiplier: Floats,
    raised: float, w: float, swing: float, first: int, second: int, share: float, chosen: Ints, upper: Floats,
    curves: Floats,
) -> bool:  # fmt: skip
    """Write what levels cost a segment that has its curves (`joint.keep`) and levels (`joint.count_drift`).

    Arguments of `shared.upper_curves` and `shared.lower_curve`, and what the former wrote; multiplier:
    float64[CONSTRAINTS]. False, and nothing is written, where rows were made for another level.
    """
    cells, parts = scenario.shape[1], joint.EXPIRIES
    slope, rest, span, spared = np.empty((parts, cells + 1)), np.empty((parts, 3)), np.empty(parts), np.empty(parts)
    reaches = vegas.reaches_of(multiplier, raised, scenario)
    if not _add_up(s, held, amount, tables, at, curves, slope, reaches, rest, span):
        return False
    c, d = multiplier[conditions.UPPER_EQUITY], multiplier[conditions.UPPER_REQUIREMENT]
    e, worst = multiplier[conditions.LOWER_REQUIREMENT], np.full((2, parts), -math.inf)
    if c > 0.0:
        vegas.spare(rest, span, spared)
        gap = np.empty(cells)
        for t in range(cells):
            gap[t] = d * (sums[t] - w * scenario[NUMBER, t])
        vegas.write_gaps(s, swing, shared.RADIUS, chosen, upper, curves, gap)
        _take_upper(c, d, scenario, gap, spared, span, slope, worst)
    if multiplier[conditions.LOWER_EQUITY] > 0.0:
        p, r = e * share, e * (1.0 - share)
        rest_of = raised - p * scenario[WEIGHT, first] - r * scenario[WEIGHT, second]
        for k in range(parts):
            moved = -(p * slope[k, first] + r * slope[k, second] + rest_of * slope[k, cells])
            worst[0, k], worst[1, k] = max(worst[0, k], -moved), max(worst[1, k], moved)
    for k in range(parts):
        if span[k] >= 0.0:
            to = joint.LEVELS_AT + levels.LEVEL * k
            curves[s, to + levels.UP] = worst[0, k] + rest[k, vegas.FULL]
            curves[s, to + levels.DOWN] = worst[1, k] + rest[k, vegas.FULL]
            curves[s, to + levels.BEND], curves[s, to + levels.CROSS] = rest[k, vegas.BEND], rest[k, vegas.CROSS]
    return True
