"""Certificates of accounts under model A: the worst scenario of each underlying and its charges, added up.

As model P's without hedges: the upper inequality has a curve for each scenario that may become the worst one, the lower
one the cell that is the worst now, and roll and delta shock stay within a Lipschitz constant (`charges`). Proofs:
`docs/certificates.md`. Arrays as in `kernels.certificates.renew`; beside them, by column, `terms` float64[C, TERMS].
"""

from __future__ import annotations

import math

import numpy as np

from kernels import scenarios
from kernels._jit import Floats, Ints, Shorts, inlined, kernel
from kernels.accounts import CASH, COUNT, DEGRADED, HELD, SET, THRESHOLDS, TRAITS, UPPER, figure, totals
from kernels.certificates import charges, conditions, drift, joint, levels, places, priced_places, smile, tangents
from kernels.certificates.book import (
    DELTA,
    DIRECTION,
    INDEX,
    LINEAR,
    MOVE,
    NUMBER,
    PRICE,
    PRICED,
    PRICED_CLASS,
    PRICED_HIGH,
    PRICED_LOW,
    PRICED_SIZE,
    PRICED_STRIKE,
    PRICED_YEARS,
    SCENARIO,
    SHOCK,
    VALUE,
    WEIGHT,
    gather,
    price,
)
from kernels.certificates.standard import gross_usd
from kernels.netted_accounts import CELLS, CONTRACTS, PAGE, SCENARIOS

ANNUAL_MOVE, LEAST_MOVE, SHOCK_SLOPE, SHOCK_FROM_USD, MOST_SHOCK, FACTOR = range(6)
TERMS = 6

LEAST_RADIUS, MOST_RADIUS, OF_ROOM = 0.02, 0.3, 3.0  # as for model P
KEPT = 0.5  # of an option's vol sqrt(T), whatever it drifts by
ABOVE, BELOW, SUMMED, RISE, LEAST_DEVIATION = range(5)
SUMS = 5
DAY_YEARS = 1.01 / 365.0  # a certificate is no older than a day: rates of roll charges fall with time
LARGER = 1.05  # gross after drifts, against that before


@kernel("i8, i8, i8[:, ::1], i8[::1], f8[:, ::1], f8[:, ::1], i8, i8, f8, f8, f8[::1]")
def _constraints(
    row: int, size: int, slot: Ints, page_column: Ints, terms: Floats, thresholds: Floats, of: int, status: int,
    equity: float, requirement: float, out: Floats,
) -> bool:  # fmt: skip
    """Write `conditions.constraints` of an account; False, too, where maintenance is not one part of all it needs."""
    factor = terms[page_column[slot[row, 0] // PAGE], FACTOR]
    for u in range(1, size):
        if terms[page_column[slot[row, u] // PAGE], FACTOR] != factor:
            return False
    if not factor > 0.0:
        return False
    ratio, watched = np.empty(THRESHOLDS), np.empty(THRESHOLDS)
    conditions.ratios(thresholds[of], factor, ratio)
    count = conditions.watched(status, ratio, watched)
    stands: bool = conditions.constraints(equity, requirement, watched[:count], out)
    return stands


@inlined()
def _radius(multiplier: Floats, equity: float, requirement: float, gross: float) -> float:
    """Return how far prices shall be provided for: a few times as far as the account could bear if all were one way."""
    room = math.inf
    if multiplier[conditions.UPPER_EQUITY] > 0.0:
        room = multiplier[conditions.UPPER_EQUITY] * equity - multiplier[conditions.UPPER_REQUIREMENT] * requirement
    if multiplier[conditions.LOWER_EQUITY] > 0.0:
        other = multiplier[conditions.LOWER_REQUIREMENT] * requirement - multiplier[conditions.LOWER_EQUITY] * equity
        room = min(room, other)
    if not (gross > 0.0 and 0.0 <= room < math.inf):
        return LEAST_RADIUS
    return min(max(OF_ROOM * room / gross, LEAST_RADIUS), MOST_RADIUS)


@kernel("f8[::1], f8[:, ::1]")
def _worst(amount: Floats, pnl: Floats) -> tuple[int, float]:
    """Return the scenario with the least P&L, the lowest of equals, and that P&L, USD."""
    worst, least = 0, math.inf
    for s in range(pnl.shape[1]):
        total = 0.0
        for k in range(amount.shape[0]):
            total += amount[k] * pnl[k, s]
        if total < least:
            worst, least = s, total
    return worst, least


@kernel("i8[::1], f8[:, ::1], f8[::1], f8[::1], i8[::1]")
def _rates(kind: Ints, priced: Floats, terms: Floats, rate: Floats, group: Ints) -> None:
    """Write the rate of the roll charge of each row, and its group: one of its own, -1 for coins."""
    for k in range(kind.shape[0]):
        rate[k] = max(terms[ANNUAL_MOVE] * priced[PRICED_YEARS, k], terms[LEAST_MOVE])
        group[k] = -1 if kind[k] == scenarios.COIN else k


@kernel("i8, i8[::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1], f8[::1], f8, f8, f8[::1], f8[:, ::1], f8[::1]")
def _bound_place(
    s: int, held: Ints, amount: Floats, contracts: Floats, scenario: Floats, market: Floats, terms: Floats, now: Floats,
    requirement: float, radius: float, multiplier: Floats, curves: Floats, sums: Floats,
) -> bool:  # fmt: skip
    """Write the curves of one place.

    requirement: of the place, USD; sums: float64[SUMS], of the terms of both inequalities, of what is added up, of
    the most that terms may rise by within the radius, USD; and the least vol sqrt(T) of an option over all prices.
    """
    n, wide = held.shape[0], scenario.shape[1]
    kind, is_call, code = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.bool_), np.empty(n, dtype=np.int64)
    parameters, priced, pnl = np.empty((n, 5)), np.empty((PRICED, n)), np.empty((n, wide))
    path, own = np.empty((n, smile.DIRECTIONS, smile.PATH)), np.empty((n, tangents.VALUE))
    good, means = np.empty(n, dtype=np.bool_), np.empty(priced_places.MEANS)
    gather(contracts, held, market[INDEX], kind, is_call, priced, code, parameters)
    price(kind, is_call, priced, market[INDEX], scenario, market[SHOCK:], pnl)
    if not priced_places.prepare_place(
        amount, radius, kind, is_call, priced, code, parameters, market, path, own, good, means
    ):  # fmt: skip
        return False
    every, rate, group = np.arange(n), np.empty(n), np.empty(n, dtype=np.int64)
    c, d = multiplier[conditions.UPPER_EQUITY], multiplier[conditions.UPPER_REQUIREMENT]
    e, f = multiplier[conditions.LOWER_EQUITY], multiplier[conditions.LOWER_REQUIREMENT]
    worst, least = _worst(amount, pnl)
    _rates(kind, priced, terms, rate, group)
    steep = charges.roll_slope(every, amount, own, group, rate)
    steep += charges.shock_slope(
        every, amount, priced[DELTA], own, market[INDEX], terms[SHOCK_SLOPE], terms[SHOCK_FROM_USD], terms[MOST_SHOCK],
        radius,
    )  # fmt: skip
    if not math.isfinite(steep + least):
        return False
    charged = requirement - max(0.0, -least)
    reach = places.reach(c, d, scenario[MOVE], scenario[WEIGHT])
    chosen = np.empty(wide + 2, dtype=np.int64)
    count = places.select(
        every, amount, pnl, priced[VALUE], scenario[NUMBER], c, d, 0.0, worst, worst, reach * means[2] * radius, chosen
    )  # fmt: skip
    part, direction = np.empty((SCENARIO, count)), np.empty(count, dtype=np.int64)
    for j in range(count):
        part[MOVE, j], part[LINEAR, j] = scenario[MOVE, chosen[j]], scenario[LINEAR, chosen[j]]
        part[WEIGHT, j], direction[j] = scenario[WEIGHT, chosen[j]], int(scenario[DIRECTION, chosen[j]])
    cells = np.empty((n, tangents.CELL, count))
    tangents.tangents(
        every, kind, is_call, priced[PRICED_STRIKE], priced[PRICE], radius, part[MOVE], part[LINEAR], direction,
        part[WEIGHT], path, own, good, cells,
    )  # fmt: skip
    upper, lower = np.empty((places.CURVES, count)), np.empty(places.CURVES)
    places.upper_curves(
        every, amount, pnl, priced[VALUE], chosen[:count], cells, own, scenario[WEIGHT], scenario[NUMBER], c, d, 0.0,
        upper,
    )  # fmt: skip
    places.lower_curve(
        every, amount, pnl, priced[VALUE], chosen[:count], cells, own, scenario[WEIGHT], 1.0, e, f, lower
    )  # fmt: skip
    charges.add_charges(upper, d * charged, d * steep, -1.0)
    lower[places.VALUE] += f * charged
    lower[places.KINK] += f * steep
    curves[s, :] = 0.0
    joint.keep(upper, count, radius, s, curves)
    for m in range(places.CURVES):
        curves[s, joint.LOWER_AT + m] = lower[m]
    curves[s, joint.CENTER], curves[s, joint.RADIUS] = now[joint.PRICE], radius
    sums[LEAST_DEVIATION] = min(
        sums[LEAST_DEVIATION],
        _expose(
            s, kind, amount, own, priced, parameters, code, rate, terms, market[SHOCK:], radius,
            max(reach, places.reach(e, f, scenario[MOVE], scenario[WEIGHT])), max(d, f), f, curves,
        ),
    )  # fmt: skip
    sums[ABOVE] += curves[s, joint.UPPER_AT + places.VALUE]
    sums[BELOW] += curves[s, joint.LOWER_AT + places.VALUE]
    sums[SUMMED] += means[1]
    sums[RISE] += radius * (abs(curves[s, joint.UPPER_AT + places.SLOPE]) + abs(lower[places.SLOPE]))
    return True


@kernel(
    "i8, i8[::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], i8[::1], f8[::1], f8[::1], f8[::1], f8, f8, f8, f8,"
    "f8[:, ::1]"
)
def _expose(
    s: int, kind: Ints, amount: Floats, own: Floats, priced: Floats, parameters: Floats, code: Ints, rate: Floats,
    terms: Floats, shocks: Floats, radius: float, reach: float, d: float, lower: float, curves: Floats,
) -> float:  # fmt: skip
    """Write what a unit of each class of drift and of each level costs a segment, USD.

    Rates that fall with time are paid for beforehand. Return the least vol sqrt(T) of an option over all prices.
    """
    gross, narrow = 0.0, math.inf
    for k in range(amount.shape[0]):
        gross += abs(amount[k]) * own[k, tangents.GROSS]
    most = terms[MOST_SHOCK] if LARGER * (1.0 + radius) * gross > terms[SHOCK_FROM_USD] else 0.0
    for k in range(amount.shape[0]):
        if kind[k] == scenarios.COIN:
            continue
        tied, turn, most_shocked = abs(amount[k]) * own[k, tangents.GROSS], 1.0, 0.0
        if kind[k] >= scenarios.LINEAR_OPTION:
            years = priced[PRICED_YEARS, k]
            least, _ = drift.vol_range(code[k], parameters[k], priced[PRICED_LOW, k], priced[PRICED_HIGH, k], years)
            deviation = least * math.sqrt(years)
            narrow, most_shocked = min(narrow, deviation), drift.most_shocked(years, shocks)
            turn = drift.FIRST / (drift.PEAK * KEPT * deviation) + 2.0 + drift.PEAK / (KEPT * deviation)
        of, cost = int(priced[PRICED_CLASS, k]), reach + d * (rate[k] + 2.0 * most) * turn
        cost *= drift.DRIFT_ROOM * (1.0 + radius) * tied
        curves[s, joint.EXPOSED + of] += cost
        if of > 0:
            joint.charge_level(s, of, cost * drift.PEAK * most_shocked, curves)
        size = priced[PRICED_SIZE, k] * (1.0 if kind[k] == scenarios.INVERSE else priced[PRICE, k])
        curves[s, joint.LOWER_AT + places.VALUE] -= (
            lower
            * LARGER
            * (1.0 + radius)
            * abs(amount[k])
            * size
            * min(rate[k] - terms[LEAST_MOVE], terms[ANNUAL_MOVE] * DAY_YEARS)
        )
    return narrow


@kernel("i8, i8, f8, f8[::1], f8[::1], f8[:, ::1], i8[:, ::1], i8[::1], f8[:, ::1]")
def _count_drift(
    row: int, size: int, narrow: float, sums: Floats, cover: Floats, curves: Floats, slot: Ints, page_column: Ints,
    now: Floats,
) -> None:  # fmt: skip
    """Write the drifts at the certification, and let options' be paid for so that none halves its vol sqrt(T)."""
    most = max(cover[joint.UPPER_FULL], cover[joint.LOWER_FULL]) + sums[RISE]
    for u in range(size):
        s = slot[row, u]
        for k in range(1, joint.CLASSES):
            if curves[s, joint.EXPOSED + k] > 0.0:
                halving = most / (drift.PEAK * (1.0 - KEPT) * narrow)
                curves[s, joint.EXPOSED + k] = max(curves[s, joint.EXPOSED + k], halving)
                at = joint.LEVELS_AT + levels.LEVEL * (k - 1)
                curves[s, at + levels.UP] = max(curves[s, at + levels.UP], halving * drift.PEAK)
                curves[s, at + levels.DOWN] = curves[s, at + levels.UP]
        joint.count_drift(s, now[page_column[s // PAGE]], curves)


@kernel("f8[::1], f8, f8, f8[::1], f8[::1]")
def _cover(multiplier: Floats, cash: float, padding: float, sums: Floats, cover: Floats) -> bool:
    """Write an account's cover; return whether both inequalities hold by their pads."""
    cover[: joint.OF_LEVELS] = 0.0  # shares are learnt
    cover[joint.LOWER_LIMIT] = cover[joint.CORRELATION_LIMIT] = math.inf
    stands = True
    if multiplier[conditions.UPPER_EQUITY] > 0.0:
        cover[joint.UPPER_FIXED] = multiplier[conditions.UPPER_EQUITY] * cash - padding
        cover[joint.UPPER_FULL] = cover[joint.UPPER_FIXED] + sums[ABOVE]
        stands &= 0.0 < cover[joint.UPPER_FULL] < math.inf
    if multiplier[conditions.LOWER_EQUITY] > 0.0:
        cover[joint.LOWER_FIXED] = -multiplier[conditions.LOWER_EQUITY] * cash - padding
        cover[joint.LOWER_FULL] = cover[joint.LOWER_FIXED] + sums[BELOW]
        stands &= 0.0 < cover[joint.LOWER_FULL] < math.inf
    return stands


@kernel("f8[::1], i8[:, ::1], i8")
def _scenario(flat: Floats, columns: Ints, c: int) -> Floats:
    at, count = columns[c, SCENARIOS], columns[c, CELLS]
    return flat[at : at + SCENARIO * count].reshape(SCENARIO, count)


@kernel(
    "i8[::1], i8[::1], i8[:, ::1], i8[::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:, ::1], i2[:, ::1],"
    "f8[:, ::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], i8[::1]"
)
def certify(
    rows: Ints, statuses: Ints, slot: Ints, page_column: Ints, columns: Ints, start: Ints, stop: Ints,
    position_row: Ints, quantity: Floats, record: Floats, shorts: Shorts, thresholds: Floats, contracts: Floats,
    scenarios_of: Floats, market: Floats, now: Floats, terms: Floats, curves: Floats, covers: Floats, made: Ints,
) -> int:  # fmt: skip
    """Write curves and covers of accounts whose figures are of the present prices; return how many have them.

    Arrays as in `renew.renew`. made: int64[>= n], the accounts that have a certificate now but for its boxes
    (`watch.review_rows`); of the others curves are unspecified, and have to be void.
    """
    multiplier, sums, found = np.empty(conditions.CONSTRAINTS), np.empty(SUMS), 0
    for k in range(rows.shape[0]):
        row = rows[k]
        size = shorts[row, COUNT]
        equity, requirement, _ = totals(row, record, shorts)
        if shorts[row, HELD] > 0 or shorts[row, TRAITS] & DEGRADED or size == 0:
            continue
        if not _constraints(
            row, size, slot, page_column, terms, thresholds, shorts[row, SET], statuses[k], equity, requirement,
            multiplier,
        ):  # fmt: skip
            continue
        gross = gross_usd(row, size, slot, page_column, columns, start, stop, position_row, quantity, contracts, now)
        radius, stands = _radius(multiplier, equity, requirement, gross), True
        sums[:] = 0.0
        sums[LEAST_DEVIATION] = math.inf
        for u in range(size):
            s = slot[row, u]
            c = page_column[s // PAGE]
            stands &= _bound_place(
                s, position_row[start[s] : stop[s]], quantity[start[s] : stop[s]],
                contracts[columns[c, CONTRACTS] :], _scenario(scenarios_of, columns, c), market[c], terms[c], now[c],
                record[row, figure(u, UPPER)], radius, multiplier, curves, sums,
            )  # fmt: skip
            if not stands:
                break
        padding = conditions.pad(requirement, sums[SUMMED] + abs(record[row, CASH]))
        if stands and _cover(multiplier, record[row, CASH], 2.0 * padding, sums, covers[row]):
            _count_drift(row, size, sums[LEAST_DEVIATION], sums, covers[row], curves, slot, page_column, now)
            made[found] = row
            found += 1
    return found
