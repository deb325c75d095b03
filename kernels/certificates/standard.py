"""Certificates of accounts under model E: positions charged one by one, nothing netted, one equity.

Equity and both requirements are sums over the underlyings, and what is required of a position lies in a cone around
its present amount: between `low` x and `high` x for a move x of the index within the radius. So each of the two
inequalities that hold an account's bits has one curve a place (`kernels.certificates.places`), and what is kept of
them, and who has left, is as for any other account (`joint`, `watch`). Proofs: `docs/certificates.md`.

Beside the arrays of `kernels.certificates.renew` there are, by column, `rates` float64[C, RATES]: rates of the
parameter set for the underlying, then TIER_FLOOR, TIER_MM and TIER_IM of each of its tiers, `TIERS` of them.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import scenarios
from kernels._jit import Floats, Ints, Shorts, inlined, kernel
from kernels.accounts import (
    CALL_ENTER_V,
    CALL_LEAVE_V,
    CASH,
    COUNT,
    DEGRADED,
    HELD,
    LIQ_ENTER_U,
    LIQ_LEAVE_V,
    SET,
    TRAITS,
    WARN_ENTER_V,
    WARN_LEAVE_V,
    totals,
)
from kernels.certificates import conditions, joint, places, priced_places, smile, tangents
from kernels.certificates.book import (
    FIXED,
    INDEX,
    KIND,
    PRICE,
    PRICED,
    PRICED_CLASS,
    PRICED_SIZE,
    PRICED_STRIKE,
    SCENARIO,
    SHARE,
    SHOCK,
    SIZE,
    VALUE,
    WEIGHT,
    gather,
    price,
)
from kernels.certificates.drift import DRIFT_ROOM, PEAK
from kernels.netted_accounts import CONTRACTS, PAGE

FLAT, SIZED, TIERED = range(3)  # forms of model E
IM_RATE, MM_RATE, GROWTH, MOST_INITIAL, LEAST_INITIAL, MAINTENANCE, PUT_MARK, TIERS, FIRST_TIER = range(9)
TIER_FLOOR, TIER_MM, TIER_IM = range(3)
TIER = 3
MOST_TIERS = 64
RATES = FIRST_TIER + TIER * MOST_TIERS

IM, MM = 0, 1  # requirements
LOW, HIGH, AHEAD, DRIFTED = range(4)  # of a requirement of a position: its cone, jumps paid beforehand, and per drift
CHARGE = 4

EQUITY, REQUIREMENT, WHICH = range(3)  # of a constraint: c, d and of which requirement
UPPER, LOWER = 0, 1

LEAST_RADIUS, MOST_RADIUS, OF_ROOM = 0.02, 0.3, 3.0  # as for model P
NEAR = 0.01  # of the logarithm of a notional: the jump at a tier's edge nearer than that is paid beforehand
FAR = 0.05  # beyond what prices reach: there a drift alone comes to an edge
LARGER = 1.05  # (1 + 1 %) twice and room: a notional after drifts, against the one before


@inlined()
def _usual(limits: Floats) -> bool:
    """Tell whether thresholds are in the usual order, MM being no more than IM."""
    rising = limits[WARN_LEAVE_V] <= limits[CALL_LEAVE_V] <= limits[LIQ_LEAVE_V] <= limits[LIQ_ENTER_U]
    entering = limits[WARN_ENTER_V] <= limits[CALL_ENTER_V] <= limits[LIQ_ENTER_U]
    leaving = limits[WARN_LEAVE_V] <= limits[WARN_ENTER_V] and limits[CALL_LEAVE_V] <= limits[CALL_ENTER_V]
    usual: bool = rising and entering and leaving
    return usual


@kernel("i8, i8, b1")
def _is_watched(status: int, threshold: int, usual: bool) -> bool:
    """Tell whether an account in a state can leave it, start or stop a timer at a threshold: `conditions.watched`."""
    if status == conditions.BANKRUPT:
        return False
    if not usual or status < conditions.HEALTHY or status > conditions.RECOVERED:
        return True
    if status == conditions.HEALTHY:
        return threshold == WARN_ENTER_V
    if status == conditions.WARNING:
        return threshold in (LIQ_ENTER_U, CALL_ENTER_V, WARN_LEAVE_V)
    if status == conditions.MARGIN_CALL:
        return threshold in (LIQ_ENTER_U, CALL_LEAVE_V)
    if status == conditions.LIQUIDATION:
        return threshold == LIQ_LEAVE_V
    return threshold == LIQ_ENTER_U


@kernel("i8, f8, f8, f8, f8[::1], f8[:, ::1]")
def constraints(status: int, equity: float, im: float, mm: float, limits: Floats, out: Floats) -> bool:
    """Write the two inequalities that hold an account's bits, and return whether two are enough.

    limits: float64[THRESHOLDS]; out: float64[2, 3], EQUITY and REQUIREMENT multipliers c and d of UPPER, c E - d R, and
    of LOWER, d R - c E, and WHICH requirement R is. With MM <= IM a bound of MM from below is one of IM, and a bound of
    IM from above one of MM; where that leaves more than one inequality a side there is no certificate.
    """
    out[:] = 0.0
    if not (math.isfinite(equity) and equity != 0.0 and 0.0 <= mm <= im < math.inf):
        return False
    if equity < 0.0:
        out[LOWER, EQUITY] = 1.0
        return True
    usual = _usual(limits)
    above, below = np.full(2, math.inf), np.zeros(2)
    for threshold in range(limits.shape[0]):
        if not _is_watched(status, threshold, usual):
            continue
        which = MM if threshold == LIQ_ENTER_U else IM
        t, required = limits[threshold], mm if threshold == LIQ_ENTER_U else im
        if not (t > 0.0 and required != t * equity):
            return False
        if required < t * equity:
            above[which] = min(above[which], t)
        else:
            below[which] = max(below[which], t)
    if above[MM] < above[IM] < math.inf or below[IM] > below[MM] > 0.0:
        return False
    which = IM if above[IM] < math.inf else MM
    out[UPPER, EQUITY] = 1.0
    if above[which] < math.inf:
        out[UPPER, EQUITY], out[UPPER, REQUIREMENT], out[UPPER, WHICH] = above[which], 1.0, which
    which = MM if below[MM] > 0.0 else IM
    if below[which] > 0.0:
        out[LOWER, EQUITY], out[LOWER, REQUIREMENT], out[LOWER, WHICH] = below[which], 1.0, which
    return True


@inlined()
def _larger(
    one: float, one_low: float, one_high: float, other: float, other_low: float, other_high: float, radius: float
) -> tuple[float, float, float]:
    """Return value and cone of the larger of two amounts with cones: both cones' hull if they may cross."""
    if one < other:
        one, one_low, one_high, other, other_low, other_high = other, other_low, other_high, one, one_low, one_high
    fall = radius * max(abs(one_low), abs(one_high))
    rise = radius * max(abs(other_low), abs(other_high))
    if other + rise < one - fall:
        return one, one_low, one_high
    return one, min(one_low, other_low), max(one_high, other_high)


@kernel("f8, f8, f8[::1], f8, f8[:, ::1]")
def _charge_tiers(notional: float, moves: float, rates: Floats, radius: float, out: Floats) -> None:
    """Write what a notional at tiered rates is charged; moves: 1 where it moves with the index, 0 where it does not."""
    count = int(rates[TIERS])
    tier = 0
    for k in range(1, count):
        if rates[FIRST_TIER + TIER * k + TIER_FLOOR] < notional:
            tier = k
    at = FIRST_TIER + TIER * tier
    last = FIRST_TIER + TIER * (count - 1)
    scale = LARGER * (1.0 + radius) * notional
    for which in range(2):
        rate = rates[at + (TIER_MM if which == MM else TIER_IM)]
        out[which, LOW] = out[which, HIGH] = moves * rate * notional
        out[which, DRIFTED] = moves * scale * (rates[last + TIER_MM] if which == MM else rate)
    if moves == 0.0:
        return
    reached = -math.log(1.0 - radius)
    for k in range(1, count):
        edge = FIRST_TIER + TIER * k
        apart = abs(math.log(rates[edge + TIER_FLOOR] / notional))
        jump = scale * (rates[edge + TIER_IM] - rates[edge - TIER + TIER_IM])
        if apart < NEAR:
            out[IM, AHEAD] += jump
        elif apart > reached + FAR:
            out[IM, DRIFTED] += jump / (apart - reached)
        else:
            out[IM, HIGH] += 2.0 * jump / (apart * (1.0 - radius))
            out[IM, DRIFTED] += 2.0 * jump / apart
        steeper = notional * (rates[edge + TIER_MM] - rates[edge - TIER + TIER_MM])
        if apart <= reached and k > tier:
            out[MM, HIGH] += steeper
        elif apart <= reached:
            out[MM, LOW] -= steeper


@kernel("i8, f8, f8, f8, f8[::1], f8, f8[:, ::1]")
def _charge(form: int, notional: float, coins: float, moves: float, rates: Floats, radius: float, out: Floats) -> None:
    """Write what a future, a perpetual or coins owed are charged, float64[2, CHARGE]; coins: the size of the position.

    The size of what moves with the index is constant; that of an inverse contract falls as the index rises.
    """
    out[:] = 0.0
    if not notional > 0.0:
        return
    if form == TIERED:
        _charge_tiers(notional, moves, rates, radius, out)
        return
    grown = rates[GROWTH] * math.sqrt(coins) if form == SIZED else 0.0
    initial = max(rates[IM_RATE], 0.8 * rates[IM_RATE] + grown) if grown > 0.0 else rates[IM_RATE]
    maintenance = max(rates[MM_RATE], 0.8 * rates[MM_RATE] + grown) if grown > 0.0 else rates[MM_RATE]
    maintenance = min(initial, maintenance)
    for which in range(2):
        rate = maintenance if which == MM else initial
        if moves != 0.0:
            out[which, LOW] = out[which, HIGH] = rate * notional
            out[which, DRIFTED] = LARGER * (1.0 + radius) * notional * (rate + 0.5 * grown)
        else:
            out[which, LOW] = -0.5 * notional * grown / math.pow(1.0 - radius, 1.5)


@kernel("b1, f8, f8, f8, f8[::1], f8[::1], f8, f8[:, ::1]")
def _charge_option(
    is_call: bool, units: float, index: float, strike: float, value: Floats, rates: Floats, radius: float, out: Floats
) -> None:
    """Write what options sold are charged beyond their value: units in coins; value: USD, low and high of its cone."""
    out[:] = 0.0
    money = units * index
    intrinsic = units * strike - money if is_call else money - units * strike
    moving = -money if is_call else money
    outside, low, high = _larger(0.0, 0.0, 0.0, intrinsic, moving, moving, radius)
    most, least = rates[MOST_INITIAL] * money, rates[LEAST_INITIAL] * money
    initial, initial_low, initial_high = _larger(most - outside, most - high, most - low, least, least, least, radius)
    upkeep = rates[MAINTENANCE] * money
    upkeep_low, upkeep_high = upkeep, upkeep
    if not is_call:
        share = rates[PUT_MARK]
        upkeep, upkeep_low, upkeep_high = _larger(
            upkeep, upkeep, upkeep, share * value[0], share * value[1], share * value[2], radius
        )
        initial, initial_low, initial_high = _larger(
            initial, initial_low, initial_high, upkeep, upkeep_low, upkeep_high, radius
        )
    out[IM, LOW], out[IM, HIGH] = initial_low, initial_high
    out[MM, LOW], out[MM, HIGH] = upkeep_low, upkeep_high


@inlined()
def _add(s: int, at: int, sign: float, equity_multiplier: float, quantity: float, own: Floats, curves: Floats) -> None:
    """Take a position's value into a curve: sign c V, convex or concave with the sign of its factor."""
    factor = sign * equity_multiplier * quantity
    curves[s, at + places.SLOPE] += factor * own[tangents.SLOPE]
    curves[s, at + places.CURVE] += factor * own[tangents.BELOW] if factor >= 0.0 else -factor * own[tangents.ABOVE]
    curves[s, at + places.KINK] += abs(factor) * own[tangents.KINK]


@inlined()
def _take(s: int, at: int, sign: float, multiplier: float, charge: Floats, curves: Floats) -> None:
    """Take a requirement with its cone into a curve: sign d R."""
    curves[s, at + places.SLOPE] += sign * multiplier * 0.5 * (charge[LOW] + charge[HIGH])
    curves[s, at + places.KINK] += multiplier * 0.5 * (charge[HIGH] - charge[LOW])


@kernel("i8, i8, i8, f8, f8[::1], f8, f8[:, ::1], f8, f8[:, ::1], f8[:, ::1], f8[::1]")
def _bound(
    s: int, kind: int, of: int, quantity: float, own: Floats, radius: float, charge: Floats, by_value: float,
    holds: Floats,
    curves: Floats, ahead: Floats,
) -> None:  # fmt: skip
    """Take one position into both curves of its segment; ahead: float64[2], what is paid beforehand, USD.

    of: class of its drift; own: of `rows.prepare`; by_value: what a requirement drifts by where the value drifts by 1.
    """
    drifting, tied = 0.0, abs(quantity) * own[tangents.GROSS]
    for side in range(2):
        sign = -1.0 if side == UPPER else 1.0
        at = joint.UPPER_AT if side == UPPER else joint.LOWER_AT
        which = int(holds[side, WHICH])
        c, d = holds[side, EQUITY], holds[side, REQUIREMENT]
        _add(s, at, -sign, c, quantity, own, curves)
        _take(s, at, sign, d, charge[which], curves)
        ahead[side] += d * charge[which, AHEAD]
        moved = DRIFT_ROOM * (1.0 + radius) * tied * (c + d * by_value)
        drifting = max(drifting, moved + d * charge[which, DRIFTED])
    if kind != scenarios.COIN:
        curves[s, joint.EXPOSED + of] += drifting
        if of > 0:
            joint.charge_level(s, of, drifting * PEAK, curves)


@kernel("i8, i8, f8, f8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], f8, f8[:, ::1], f8[:, ::1], f8[::1]")
def _bound_place(
    s: int, form: int, owed: float, rates: Floats, held: Ints, amount: Floats, contracts: Floats, market: Floats,
    now: Floats, radius: float, holds: Floats, curves: Floats, sums: Floats,
) -> bool:  # fmt: skip
    """Write the curves of one place; sums: float64[3], both amounts paid beforehand, and what is added up, USD."""
    n = held.shape[0]
    kind, is_call, code = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.bool_), np.empty(n, dtype=np.int64)
    parameters, priced, pnl = np.empty((n, 5)), np.empty((PRICED, n)), np.empty((n, 1))
    scenario, means = np.zeros((SCENARIO, 1)), np.empty(priced_places.MEANS)
    scenario[WEIGHT] = 1.0
    path, own = np.empty((n, smile.DIRECTIONS, smile.PATH)), np.empty((n, tangents.VALUE))
    good = np.empty(n, dtype=np.bool_)
    index = market[INDEX]
    gather(contracts, held, index, kind, is_call, priced, code, parameters)
    price(kind, is_call, priced, index, scenario, market[SHOCK:], pnl)
    if not priced_places.prepare_place(
        amount, radius, kind, is_call, priced, code, parameters, market, path, own, good, means
    ):  # fmt: skip
        return False
    sums[2] += means[1]
    curves[s, :] = 0.0
    curves[s, joint.CENTER], curves[s, joint.RADIUS] = now[joint.PRICE], radius
    curves[s, joint.COUNT] = 1.0
    charge, value = np.empty((2, CHARGE)), np.empty(3)
    for k in range(n):
        q, size = amount[k], priced[PRICED_SIZE, k]
        by_value = 0.0
        charge[:] = 0.0
        if contracts[held[k], SHARE] != 1.0 or contracts[held[k], FIXED] != 0.0:
            return False
        if kind[k] == scenarios.LINEAR:
            notional = abs(q) * size * priced[PRICE, k]
            _charge(form, notional, notional / index, 1.0, rates, radius, charge)
        elif kind[k] == scenarios.INVERSE:
            _charge(form, abs(q) * size, abs(q) * size / index, 0.0, rates, radius, charge)
        elif kind[k] >= scenarios.LINEAR_OPTION and q < 0.0:
            bent = 0.5 * radius * max(own[k, tangents.ABOVE], own[k, tangents.BELOW]) + own[k, tangents.KINK]
            value[0] = -q * priced[VALUE, k]
            value[1], value[2] = -q * (own[k, tangents.SLOPE] - bent), -q * (own[k, tangents.SLOPE] + bent)
            _charge_option(is_call[k], -q * size, index, priced[PRICED_STRIKE, k], value, rates, radius, charge)
            by_value = 0.0 if is_call[k] else rates[PUT_MARK]
        _bound(s, kind[k], int(priced[PRICED_CLASS, k]), q, own[k], radius, charge, by_value, holds, curves, sums[:2])
    if owed > 0.0:
        _charge(form, owed * index, owed, 1.0, rates, radius, charge)
        _bound(s, scenarios.COIN, 0, 0.0, np.zeros(tangents.VALUE), radius, charge, 0.0, holds, curves, sums[:2])
        sums[2] += owed * index
    joint.count_drift(s, now, curves)
    return True


@kernel("i8, i8, i8[:, ::1], i8[::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[:, ::1]")
def gross_usd(
    row: int, size: int, slot: Ints, page_column: Ints, columns: Ints, start: Ints, stop: Ints, position_row: Ints,
    quantity: Floats, contracts: Floats, now: Floats,
) -> float:  # fmt: skip
    """Return about what an account's contracts are worth at 1:1, USD."""
    gross = 0.0
    for u in range(size):
        s = slot[row, u]
        c = page_column[s // PAGE]
        for p in range(start[s], stop[s]):
            of = contracts[columns[c, CONTRACTS] + position_row[p]]
            price_usd = 1.0 if int(of[KIND]) == scenarios.INVERSE else now[c, joint.PRICE]
            gross += abs(quantity[p]) * of[SIZE] * price_usd
    return gross


@kernel("f8[:, ::1], f8, f8, f8")
def _radius(holds: Floats, equity: float, requirement: float, gross: float) -> float:
    """Return how far prices shall be provided for: a few times as far as the account could bear if all were one way."""
    room = math.inf
    if holds[UPPER, EQUITY] > 0.0:
        room = holds[UPPER, EQUITY] * equity - holds[UPPER, REQUIREMENT] * requirement
    if not (gross > 0.0 and 0.0 <= room < math.inf):
        return LEAST_RADIUS
    return min(max(OF_ROOM * room / gross, LEAST_RADIUS), MOST_RADIUS)


@kernel("f8[:, ::1], f8, f8, f8, f8[::1], f8[::1]")
def _cover(holds: Floats, equity: float, im: float, mm: float, sums: Floats, cover: Floats) -> bool:
    """Write an account's cover; return whether both inequalities hold by their pads."""
    cover[: joint.OF_LEVELS] = 0.0  # shares are learnt
    cover[joint.LOWER_LIMIT] = cover[joint.CORRELATION_LIMIT] = math.inf
    padding, stands = conditions.pad(im, sums[2]), True
    for side in range(2):
        c, d = holds[side, EQUITY], holds[side, REQUIREMENT]
        if c == 0.0:
            continue
        required = mm if int(holds[side, WHICH]) == MM else im
        room = (c * equity - d * required if side == UPPER else d * required - c * equity) - 2.0 * padding - sums[side]
        stands &= 0.0 < room < math.inf
        cover[joint.UPPER_FIXED if side == UPPER else joint.LOWER_FIXED] = room
        cover[joint.UPPER_FULL if side == UPPER else joint.LOWER_FULL] = room
    return stands


@kernel(
    "i8[::1], i8[::1], i8[::1], f8[:, ::1], i8[:, ::1], i8[::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1],"
    "f8[:, ::1], i2[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1],"
    "i8[::1]"
)
def certify(
    rows: Ints, statuses: Ints, forms: Ints, owed: Floats, slot: Ints, page_column: Ints, columns: Ints, start: Ints,
    stop: Ints, position_row: Ints, quantity: Floats, record: Floats, shorts: Shorts, thresholds: Floats,
    contracts: Floats, market: Floats, now: Floats, rates: Floats, curves: Floats, covers: Floats, made: Ints,
) -> int:  # fmt: skip
    """Write curves and covers of accounts whose figures are of the present prices; return how many have them.

    forms: FLAT, SIZED or TIERED by account of rows; owed: float64[n, places], coins owed at each place. All else as in
    `renew.renew`. made: int64[>= n], the accounts that have a certificate now but for its boxes (`watch.review_rows`);
    of the others curves are unspecified, and have to be void.
    """
    holds, sums, found = np.empty((2, 3)), np.empty(3), 0
    for k in range(rows.shape[0]):
        row = rows[k]
        size = shorts[row, COUNT]
        equity, im, mm = totals(row, record, shorts)
        if shorts[row, HELD] > 0 or shorts[row, TRAITS] & DEGRADED or size == 0:
            continue
        if not constraints(statuses[k], equity, im, mm, thresholds[shorts[row, SET]], holds):
            continue
        sums[:] = 0.0
        gross = gross_usd(row, size, slot, page_column, columns, start, stop, position_row, quantity, contracts, now)
        required = mm if int(holds[UPPER, WHICH]) == MM else im
        radius, stands = _radius(holds, equity, required, gross), True
        for u in range(size):
            s = slot[row, u]
            c = page_column[s // PAGE]
            stands &= _bound_place(
                s, forms[k], owed[k, u], rates[c], position_row[start[s] : stop[s]], quantity[start[s] : stop[s]],
                contracts[columns[c, CONTRACTS] :], market[c], now[c], radius, holds, curves, sums,
            )  # fmt: skip
            if not stands:
                break
        sums[2] += abs(record[row, CASH])
        if stands and _cover(holds, equity, im, mm, sums, covers[row]):
            made[found] = row
            found += 1
    return found
