"""Accounts that left their certificates: evaluated from nothing, judged, and certified anew.

An account is priced by itself (`kernels.certificates.book`) and solved, which gives figures, hedges and condition bits
to the last bit as a sweep and a solve of the whole book would. If the bits are what they were, the account gets a
certificate for its status; if not, it gets none: what follows from the change comes first.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Bools, Floats, Ints, Shorts, kernel
from kernels.accounts import (
    CASH,
    COUNT,
    DEGRADED,
    FLAGS,
    HELD,
    NORM,
    SET,
    THRESHOLDS,
    TRAITS,
    judge_exact,
    totals,
)
from kernels.certificates import (
    account,
    conditions,
    correlation,
    joint,
    places,
    priced_places,
    smile,
    tangents,
    vegas,
    watch,
)
from kernels.certificates.book import (
    MOVE,
    NUMBER,
    PRICE,
    PRICED,
    PRICED_CLASS,
    PRICED_SIZE,
    SCENARIO,
    SHOCK,
    WEIGHT,
)
from kernels.certificates.drift import DRIFT_ROOM
from kernels.netted_accounts import CELLS, CONTRACTS, PAGE, SCENARIOS, WIDTH, settle
from kernels.netting_solve import SOLVED
from kernels.scenarios import COIN

LEAST_RADIUS, MOST_RADIUS = 0.01, 0.3
OF_ROOM = 6.0  # the radius, in multiples of what the account has left of its gross
KEEP, VOID, CERTIFY = range(3)  # what becomes of certificates
LAYOUT = 6  # of a place: first contract, where its P&L begins, moves, scenarios, column, segment
FIRST, PNL_AT, MOVES, COUNTED, COLUMN, SEGMENT = range(LAYOUT)


@kernel("i8, i8[:, ::1], i8[::1], i8[:, ::1], i8[::1], i8[::1], i8")
def _layout(row: int, slot: Ints, page_column: Ints, columns: Ints, start: Ints, stop: Ints, size: int) -> Ints:
    """Return where an account's contracts and P&L lie, int64[size + 1, LAYOUT]; the last row has the totals."""
    out = np.zeros((size + 1, LAYOUT), dtype=np.int64)
    for u in range(size):
        s = slot[row, u]
        c = page_column[s // PAGE]
        held = stop[s] - start[s]
        out[u, MOVES], out[u, COUNTED], out[u, COLUMN], out[u, SEGMENT] = columns[c, WIDTH], columns[c, CELLS], c, s
        out[u + 1, FIRST] = out[u, FIRST] + held
        out[u + 1, PNL_AT] = out[u, PNL_AT] + held * columns[c, CELLS]
    return out


@kernel("f8[::1], i8[:, ::1], i8[:, ::1], i8")
def _scenario(scenarios: Floats, columns: Ints, layout: Ints, u: int) -> Floats:
    at, count = columns[layout[u, COLUMN], SCENARIOS], layout[u, COUNTED]
    return scenarios[at : at + SCENARIO * count].reshape(SCENARIO, count)


@kernel("f8[:, ::1], i8")
def _side(scenario: Floats, moves: int) -> Ints:
    """Return the sides of a place's extended scenarios."""
    side = np.empty(scenario.shape[1] - 3 * moves, dtype=np.int64)
    for j in range(side.shape[0]):
        side[j] = int(scenario[NUMBER, 3 * moves + j])
    return side


@kernel("f8[::1], f8[::1], i8[:, ::1], i8")
def _gross(amount: Floats, priced: Floats, layout: Ints, size: int) -> float:
    """Return about what an account's contracts are worth at 1:1, USD."""
    total = 0.0
    for u in range(size):
        a, b = layout[u, FIRST], layout[u + 1, FIRST]
        of = priced_places.block(priced, a, b)
        for k in range(b - a):
            total += abs(amount[a + k]) * of[PRICED_SIZE, k] * of[PRICE, k]
    return total


@kernel("f8, f8, f8, f8[::1]")
def _radius(equity: float, requirement: float, gross: float, multiplier: Floats) -> float:
    """Return how far prices shall be provided for: a few times as far as the account could bear if all were one way."""
    room = math.inf
    c, d = multiplier[conditions.UPPER_EQUITY], multiplier[conditions.UPPER_REQUIREMENT]
    if c > 0.0:
        room = c * equity - d * requirement
    c, d = multiplier[conditions.LOWER_EQUITY], multiplier[conditions.LOWER_REQUIREMENT]
    if c > 0.0:
        room = min(room, d * requirement - c * equity)
    if not (gross > 0.0 and room >= 0.0):
        return LEAST_RADIUS
    return min(max(OF_ROOM * room / gross, LEAST_RADIUS), MOST_RADIUS)


@kernel("i8, f8[::1], i8[::1], f8[::1], f8[:, ::1], f8, f8, f8[::1], f8[:, ::1]")
def _expose(
    s: int, amount: Floats, kind: Ints, drifting: Floats, own: Floats, radius: float, reach: float, now: Floats,
    curves: Floats,
) -> None:  # fmt: skip
    """Write what a unit of each class of drift costs a segment, USD, and where levels are: `joint.count_drift`."""
    curves[s, joint.EXPOSED : joint.LOWER_AT] = 0.0
    for i in range(amount.shape[0]):
        if kind[i] != COIN:
            curves[s, joint.EXPOSED + int(drifting[i])] += (
                DRIFT_ROOM * (1.0 + radius) * reach * abs(amount[i]) * own[i, tangents.GROSS]
            )
    joint.count_drift(s, now, curves)


@kernel(
    "i8, f8, f8[::1], f8[::1], i8[:, ::1], f8[:, ::1], f8[::1], i8[:, ::1], f8[::1], i8[::1],"
    "b1[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1], f8, f8[:, ::1],"
    "f8[::1]"
)
def _certify(
    size: int, stress: float, solved: Floats, mean: Floats,
    columns: Ints, market: Floats, scenarios: Floats, layout: Ints, amount: Floats, kind: Ints, is_call: Bools,
    code: Ints, parameters: Floats, priced: Floats, pnl: Floats, losses: Floats, hedge: Floats, multiplier: Floats,
    now: Floats, changed: float, curves: Floats, cover: Floats,
) -> bool:  # fmt: skip
    """Write the curves and the cover of an account that was priced and solved; return whether it can be certified.

    solved: cash, equity, requirement and norm, USD; multiplier: `conditions.constraints`, then two numbers of scratch.
    """
    cash, equity, requirement, norm = solved
    radius = _radius(equity, requirement, _gross(amount, priced, layout, size), multiplier)
    positions = amount.shape[0]
    path = np.empty((positions, smile.DIRECTIONS, smile.PATH))
    own, good = np.empty((positions, tangents.VALUE)), np.empty(positions, dtype=np.bool_)
    means, summed = np.empty((size, priced_places.MEANS)), abs(cash)
    for u in range(size):
        a, b = layout[u, FIRST], layout[u + 1, FIRST]
        if not priced_places.prepare_place(
            amount[a:b], radius, kind[a:b], is_call[a:b], priced_places.block(priced, a, b), code[a:b],
            parameters[a:b], market[layout[u, COLUMN]], path[a:b], own[a:b], good[a:b], means[u],
        ):  # fmt: skip
            return False
        summed += means[u, 1]
    padding = conditions.pad(requirement, summed)
    of = multiplier[: conditions.CONSTRAINTS]
    raised = account.raised_ratio(of, equity, requirement, padding, joint.OF_CORRELATION if size > 1 else 0.0)
    above, below = 0.0, 0.0
    for u in range(size):
        a, b, s = layout[u, FIRST], layout[u + 1, FIRST], layout[u, SEGMENT]
        scenario = _scenario(scenarios, columns, layout, u)
        cells = layout[u, COUNTED]
        multiplier[conditions.CONSTRAINTS], multiplier[conditions.CONSTRAINTS + 1] = hedge[s], mean[u]
        reach = places.reach(of[0], of[1], scenario[MOVE], scenario[WEIGHT])
        upper, lower = np.empty((places.CURVES, cells + 2)), np.empty((places.CURVES, 1))
        chosen = np.empty(cells + 2, dtype=np.int64)
        count = priced_places.bound_place(
            amount[a:b], radius, kind[a:b], is_call[a:b], priced_places.block(priced, a, b),
            pnl[layout[u, PNL_AT] : layout[u + 1, PNL_AT]].reshape(b - a, cells), _side(scenario, layout[u, MOVES]),
            losses[u, : layout[u, MOVES]], multiplier, raised, scenario, path[a:b], own[a:b], good[a:b],
            reach * means[u, 2] * radius, chosen, upper, lower,
        )  # fmt: skip
        curves[s, joint.CENTER], curves[s, joint.RADIUS] = now[layout[u, COLUMN], joint.PRICE], radius
        curves[s, joint.HEDGE] = hedge[s]
        joint.keep(upper, count, radius, s, curves)
        for n in range(places.CURVES):
            curves[s, joint.LOWER_AT + n] = lower[n, 0]
        above += curves[s, joint.UPPER_AT + places.VALUE]
        below += lower[places.VALUE, 0]
        both = max(reach, places.reach(raised, of[3], scenario[MOVE], scenario[WEIGHT]))
        drifting = priced_places.block(priced, a, b)[PRICED_CLASS]
        _expose(s, amount[a:b], kind[a:b], drifting, own[a:b], radius, both, now[layout[u, COLUMN]], curves)
        vegas.write_levels(
            s, amount[a:b], kind[a:b], priced_places.block(priced, a, b),
            pnl[layout[u, PNL_AT] : layout[u + 1, PNL_AT]].reshape(b - a, cells), losses[u, : layout[u, MOVES]],
            multiplier, raised, scenario, market[layout[u, COLUMN], SHOCK:], path[a:b], own[a:b],
            reach * means[u, 2] * radius, chosen[:count], upper, curves,
        )  # fmt: skip
    eta = correlation.sensitivity(size, stress, 0.0)
    return _cover(of, raised, cash, norm, padding, above, below, changed, eta, cover)


@kernel("f8[::1], f8, f8, f8, f8, f8, f8, f8, f8, f8[::1]")
def _cover(
    multiplier: Floats, raised: float, cash: float, norm: float, padding: float, above: float, below: float,
    changed: float, eta: float, cover: Floats,
) -> bool:  # fmt: skip
    """Write an account's cover; return whether every constraint holds by its pad."""
    cover[: joint.OF_LEVELS] = 0.0  # shares are learnt
    cover[joint.NORM], cover[joint.NORM_AT] = norm, changed
    cover[joint.LOWER_LIMIT] = cover[joint.CORRELATION_LIMIT] = math.inf
    stands = True
    c, d = multiplier[conditions.UPPER_EQUITY], multiplier[conditions.UPPER_REQUIREMENT]
    if c > 0.0:
        cover[joint.UPPER_FIXED], cover[joint.UPPER_WEIGHT] = c * cash - padding, d
        cover[joint.UPPER_FULL] = cover[joint.UPPER_FIXED] - d * norm + above
        stands &= 0.0 < cover[joint.UPPER_FULL] < math.inf
    c, d = multiplier[conditions.LOWER_EQUITY], multiplier[conditions.LOWER_REQUIREMENT]
    if c > 0.0:
        cover[joint.LOWER_FIXED] = -raised * cash - 2.0 * padding
        cover[joint.LOWER_FULL] = cover[joint.LOWER_FIXED] + below
        stands &= 0.0 < cover[joint.LOWER_FULL] < math.inf
        if d > 0.0:
            cover[joint.LOWER_LIMIT] = changed + correlation.lower_tolerance(c, raised, eta)
    return stands


@kernel("i8, i2[:, ::1], i8, f8, f8, i8, f8[::1], f8[::1]")
def _is_certifiable(
    row: int, shorts: Shorts, status: int, equity: float, requirement: float, found: int,
    ratio: Floats, multiplier: Floats,
) -> bool:  # fmt: skip
    """Return whether numbers alone decide an account's bits, and write the multipliers that hold them.

    Of doubtful data they decide all but one bit, which stays until the data are good; all six ratios are watched then,
    for what a state does with the bits depends on it, but of a healthy account, which does nothing in any case.
    """
    if shorts[row, TRAITS] & DEGRADED or found != SOLVED:
        return False
    if shorts[row, HELD] > 0 and status != conditions.HEALTHY:
        status = conditions.ANY
    watched = np.empty(THRESHOLDS)
    count = conditions.watched(status, ratio, watched)
    stands: bool = conditions.constraints(equity, requirement, watched[:count], multiplier[: conditions.CONSTRAINTS])
    return stands


@kernel("i8[:, ::1], i8")
def _widest(layout: Ints, size: int) -> int:
    widest = 1
    for u in range(size):
        widest = max(widest, layout[u, MOVES])
    return widest


@kernel(
    "i8, i8[:, ::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[::1], i8[::1],"
    "b1[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1], f8[::1]"
)
def _value(
    size: int, layout: Ints, columns: Ints, start: Ints, stop: Ints, position_row: Ints, quantity: Floats,
    contracts: Floats, scenarios: Floats, market: Floats, amount: Floats, kind: Ints, is_call: Bools, code: Ints,
    parameters: Floats, priced: Floats, pnl: Floats, losses: Floats, values: Floats,
) -> None:  # fmt: skip
    """Price an account's contracts place by place, and write its losses by move and its values, USD."""
    for u in range(size):
        a, b, s, c = layout[u, FIRST], layout[u + 1, FIRST], layout[u, SEGMENT], layout[u, COLUMN]
        scenario = _scenario(scenarios, columns, layout, u)
        amount[a:b] = quantity[start[s] : stop[s]]
        values[u] = priced_places.value_place(
            contracts[columns[c, CONTRACTS] :], position_row[start[s] : stop[s]], amount[a:b], scenario, market[c],
            kind[a:b], is_call[a:b], priced_places.block(priced, a, b), code[a:b], parameters[a:b],
            pnl[layout[u, PNL_AT] : layout[u + 1, PNL_AT]].reshape(b - a, layout[u, COUNTED]),
            _side(scenario, layout[u, MOVES]), losses[u, : layout[u, MOVES]],
        )  # fmt: skip


@kernel(
    "i8[::1], i8[::1], b1, i8, i8[:, ::1], i8[::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i2[::1],"
    "i2[::1], f8[::1], f8[:, ::1], i2[:, ::1], f8[:, :, :, ::1], f8[::1], f8[::1], f8[:, ::1], i8[::1],"
    "f8[:, ::1], f8[::1], f8[:, ::1], f8[:, ::1], f8, f8[:, ::1], f8[:, ::1], f8[:, ::1], i8[::1], f8[:, ::1],"
    "f8[::1], i8[::1], i8[::1]"
)
def renew(
    rows: Ints,
    statuses: Ints,
    judging: bool,
    aim: int,
    slot: Ints,
    page_column: Ints,
    columns: Ints,
    start: Ints,
    stop: Ints,
    position_row: Ints,
    quantity: Floats,
    hedge: Floats,
    left: Shorts,
    right: Shorts,
    share: Floats,
    record: Floats,
    shorts: Shorts,
    matrices: Floats,
    stress: Floats,
    mm_factor: Floats,
    thresholds: Floats,
    bits: Ints,
    contracts: Floats,
    scenarios: Floats,
    market: Floats,
    now: Floats,
    changed_by: float,
    curves: Floats,
    boxes: Floats,
    covers: Floats,
    account_of: Ints,
    extremes: Floats,
    requirement: Floats,
    changed: Ints,
    counts: Ints,
) -> None:
    """Evaluate some accounts at the present prices from nothing, and judge and certify them if that is asked for.

    statuses: `conditions.HEALTHY` .. by account of rows, for which certificates are. contracts, scenarios, market: of
    `kernels.certificates.book`; now, curves, boxes, covers: of `joint`; changed_by: sum of changes of correlations;
    account_of, extremes: of `watch`. aim: CERTIFY those whose bits stand, VOID all certificates, or KEEP them. All else
    as in `netted_accounts.solve_rows`. Adds to counts[1] how many were certified.
    """
    for k in range(rows.shape[0]):
        row = rows[k]
        size, of = shorts[row, COUNT], shorts[row, SET]
        requirement[k] = 0.0
        record[row, NORM] = 0.0
        layout = _layout(row, slot, page_column, columns, start, stop, size)
        total = layout[size, FIRST]
        amount, kind, is_call = np.empty(total), np.empty(total, dtype=np.int64), np.empty(total, dtype=np.bool_)
        code, parameters = np.empty(total, dtype=np.int64), np.empty((total, 5))
        priced, pnl, mean = np.empty(PRICED * total), np.empty(layout[size, PNL_AT]), np.zeros(size)
        losses, widths, values = np.zeros((size, _widest(layout, size))), layout[:size, MOVES].copy(), np.empty(size)
        found = SOLVED
        _value(
            size, layout, columns, start, stop, position_row, quantity, contracts, scenarios, market, amount, kind,
            is_call, code, parameters, priced, pnl, losses, values,
        )  # fmt: skip
        if size > 0:
            requirement[k], found = settle(
                row, size, losses, widths, values, slot, page_column, columns, hedge, left, right, share, record,
                shorts, matrices, stress, mean,
            )  # fmt: skip
        equity, _, _ = totals(row, record, shorts)
        stands = True
        if judging:
            bit = judge_exact(row, equity, requirement[k], shorts, mm_factor, thresholds, bits)
            if bit != shorts[row, FLAGS]:
                stands = False
                shorts[row, FLAGS] = bit
                changed[counts[0]] = row
                counts[0] += 1
        if aim == KEEP:
            continue
        multiplier, ratio = np.empty(conditions.CONSTRAINTS + 2), np.empty(THRESHOLDS)
        before = np.empty((size, joint.BOX_FIELDS))
        for u in range(size):
            before[u] = boxes[layout[u, SEGMENT]]
        conditions.ratios(thresholds[of], mm_factor[of], ratio)
        stands = (
            stands
            and aim == CERTIFY
            and _is_certifiable(row, shorts, statuses[k], equity, requirement[k], found, ratio, multiplier)
            and _certify(
                size, stress[of], np.array([record[row, CASH], equity, requirement[k], record[row, NORM]]), mean,
                columns, market, scenarios, layout, amount, kind, is_call, code, parameters, priced, pnl, losses,
                hedge, multiplier, now, changed_by, curves, covers[row],
            )
            and joint.review(
                row, changed_by, now, slot, page_column, columns, curves, boxes, covers, shorts, matrices, stress
            )
        )  # fmt: skip
        counts[1] += stands
        if not stands:
            covers[row, joint.CORRELATION_LIMIT] = -math.inf
        for u in range(size):
            s = layout[u, SEGMENT]
            if stands:
                watch.replace(s, before[u], boxes, account_of, extremes)
            else:
                watch.void_one(s, curves, boxes, extremes)
