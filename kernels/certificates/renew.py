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
    estimate,
    joint,
    places,
    priced_places,
    shared,
    shared_levels,
    smile,
    tangents,
    vegas,
    watch,
)
from kernels.certificates.book import MOVE, PRICE, PRICED, PRICED_CLASS, PRICED_SIZE, SHOCK, WEIGHT
from kernels.certificates.drift import DRIFT_ROOM
from kernels.certificates.layout import (
    COLUMN,
    COUNTED,
    FIRST,
    MOVES,
    PNL_AT,
    SEGMENT,
    SUMS_AT,
    layout_of,
    scenario_of,
    side_of,
    value,
    widest_of,
)
from kernels.netted_accounts import settle
from kernels.netted_bounds import mixture
from kernels.netting_solve import SOLVED
from kernels.scenarios import COIN

LEAST_RADIUS, MOST_RADIUS = 0.01, 0.3
OF_ROOM = 6.0  # the radius, in multiples of what the account has left of its gross
KEEP, VOID, CERTIFY = range(3)  # what becomes of certificates
NOT_EVALUATED = -1.0  # in place of a requirement
PROVEN = 0.5  # of an account's room: with less from shared rows its own are taken


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
        scenario = scenario_of(scenarios, columns, layout, u)
        cells = layout[u, COUNTED]
        multiplier[conditions.CONSTRAINTS], multiplier[conditions.CONSTRAINTS + 1] = hedge[s], mean[u]
        reach = places.reach(of[0], of[1], scenario[MOVE], scenario[WEIGHT])
        upper, lower = np.empty((places.CURVES, cells + 2)), np.empty((places.CURVES, 1))
        chosen = np.empty(cells + 2, dtype=np.int64)
        count = priced_places.bound_place(
            amount[a:b], radius, kind[a:b], is_call[a:b], priced_places.block(priced, a, b),
            pnl[layout[u, PNL_AT] : layout[u + 1, PNL_AT]].reshape(b - a, cells), side_of(scenario, layout[u, MOVES]),
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


# --- from rows that a column's accounts share -----------------------------------------------------


@kernel(
    "i8, f8, f8[::1], f8[::1], f8[::1], i8[:, ::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1],"
    "f8[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[:, ::1], f8, f8[:, ::1],"
    "f8[::1]"
)
def _bound_shared(
    size: int, stress: float, solved: Floats, w: Floats, mean: Floats, layout: Ints, columns: Ints, start: Ints,
    stop: Ints, position_row: Ints, quantity: Floats, scenarios: Floats, tables: Floats, table_at: Ints,
    centers: Floats, x: Floats, sums: Floats, base: Floats, losses: Floats, multiplier: Floats, now: Floats,
    changed: float, curves: Floats, cover: Floats,
) -> bool:  # fmt: skip
    """Write the curves and the cover of an account from sums of shared rows; return whether it can be certified.

    solved: cash, equity, requirement and norm, USD, the second and the third of them perhaps estimates: how much of the
    room that they tell is proven decides whether these curves are good enough. Otherwise as `_certify`.
    """
    cash, equity, requirement, norm = solved
    summed, most = abs(cash), requirement
    for u in range(size):
        summed += base[u, shared.SUMMED]
        most += abs(x[u]) * base[u, shared.SWINGING]
    padding = conditions.pad(most, summed)
    of = multiplier[: conditions.CONSTRAINTS]
    raised = account.raised_ratio(of, equity, requirement, padding, joint.OF_CORRELATION if size > 1 else 0.0)
    above, below, curve = 0.0, 0.0, np.empty(places.CURVES)
    for u in range(size):
        s, c, cells, width = layout[u, SEGMENT], layout[u, COLUMN], layout[u, COUNTED], layout[u, MOVES]
        scenario, first = scenario_of(scenarios, columns, layout, u), shared.SUMS * layout[u, SUMS_AT]
        own_sums, held = sums[first : first + shared.SUMS * cells], position_row[start[s] : stop[s]]
        reach = places.reach(of[0], of[1], scenario[MOVE], scenario[WEIGHT])
        swing = reach * base[u, shared.SWINGING] * shared.RADIUS
        upper, chosen = np.empty((places.CURVES, cells)), np.empty(cells, dtype=np.int64)
        count, least = shared.upper_curves(
            own_sums, base[u], scenario, of[0], of[1], w[u], x[u], swing, chosen, upper
        )  # fmt: skip
        curves[s, joint.CENTER], curves[s, joint.RADIUS] = centers[c, shared.CENTER], shared.RADIUS
        curves[s, joint.HEDGE] = w[u]
        joint.keep(upper, count, shared.RADIUS, s, curves)
        above += least
        curve[:] = 0.0
        first_cell, second_cell, share = 0, 0, 1.0
        if of[2] > 0.0:
            _, one, two, right = mixture(losses[u, :width], width, mean[u])
            first_cell = shared.worst_cell(own_sums, scenario, width, one, x[u])
            second_cell, share = shared.worst_cell(own_sums, scenario, width, two, x[u]), 1.0 - right
            shared.lower_curve(
                held, quantity[start[s] : stop[s]], tables, table_at[c], own_sums, base[u], scenario, first_cell,
                second_cell, share, raised, of[3], curve,
            )  # fmt: skip
        for n in range(places.CURVES):
            curves[s, joint.LOWER_AT + n] = curve[n]
        below += curve[places.VALUE] + x[u] * (curve[places.SLOPE] - 0.5 * x[u] * curve[places.CURVE])
        below -= curve[places.KINK] * abs(x[u])
        kind, drifting = np.empty(held.shape[0], dtype=np.int64), np.empty(held.shape[0])
        own = np.empty((held.shape[0], tangents.VALUE))
        shared.own_rows(held, tables, table_at[c], cells, kind, drifting, own)
        both = max(reach, places.reach(raised, of[3], scenario[MOVE], scenario[WEIGHT]))
        _expose(s, quantity[start[s] : stop[s]], kind, drifting, own, shared.RADIUS, both, now[c], curves)
        if not shared_levels.write(
            s, held, quantity[start[s] : stop[s]], tables, table_at[c], own_sums, scenario, of, raised, w[u], swing,
            first_cell, second_cell, share, chosen[:count], upper, curves,
        ):  # fmt: skip
            return False
    eta = correlation.sensitivity(size, stress, 0.0)
    if not _cover(of, raised, cash, norm, padding, above, below, changed, eta, cover):
        return False
    upper_room, lower_room = of[0] * equity - of[1] * requirement, of[3] * requirement - of[2] * equity
    proven: bool = not of[0] > 0.0 or cover[joint.UPPER_FULL] >= PROVEN * upper_room
    proven &= not of[2] > 0.0 or cover[joint.LOWER_FULL] >= PROVEN * lower_room
    return proven


@kernel("f8, f8, f8[::1]")
def _has_room(equity: float, requirement: float, multiplier: Floats) -> bool:
    """Return whether both constraints seem to hold."""
    upper, lower = multiplier[: conditions.LOWER_EQUITY], multiplier[conditions.LOWER_EQUITY :]
    above: bool = not upper[0] > 0.0 or upper[0] * equity - upper[1] * requirement > 0.0
    below: bool = not lower[0] > 0.0 or lower[1] * requirement - lower[0] * equity > 0.0
    return above and below


@kernel(
    "i8, i8, b1, f8[::1], i8, i8[:, ::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1],"
    "f8[:, ::1], f8[::1], i8[::1], f8[:, ::1], i8[:, ::1], i8[::1], f8[:, ::1], i2[:, ::1], f8[:, :, :, ::1], f8[::1],"
    "f8, f8[::1], f8[:, ::1], f8, f8[:, ::1], f8[::1]"
)
def _certify_again(
    row: int, status: int, judging: bool, judged: Floats, size: int, layout: Ints, columns: Ints, start: Ints,
    stop: Ints, position_row: Ints, quantity: Floats, contracts: Floats, scenarios: Floats, market: Floats,
    tables: Floats, table_at: Ints, centers: Floats, slot: Ints, page_column: Ints, record: Floats, shorts: Shorts,
    matrices: Floats, stress: Floats, factor: float, threshold: Floats, now: Floats, changed: float, curves: Floats,
    cover: Floats,
) -> bool:  # fmt: skip
    """Certify an account at the sides of its thresholds that it was judged to be on, if curves alone prove it is.

    judged: equity and requirement when its bits were computed. False, and nothing is proven, where the constraints do
    not hold, or not by most of what they seem to: then the account has to be evaluated.
    """
    multiplier, ratio = np.empty(conditions.CONSTRAINTS + 2), np.empty(THRESHOLDS)
    conditions.ratios(threshold, factor, ratio)
    if size == 0 or not _is_certifiable(row, shorts, status, judged[0], judged[1], SOLVED, ratio, multiplier):
        return False
    x, sums, base = np.empty(size), np.empty(shared.SUMS * layout[size, SUMS_AT]), np.empty((size, shared.BASE))
    if not estimate.add_up(
        size, layout, columns, start, stop, position_row, quantity, contracts, scenarios, market, tables, table_at,
        centers, now, x, sums, base,
    ):  # fmt: skip
        return False
    losses, w, mean = np.zeros((size, widest_of(layout, size))), np.zeros(size), np.empty(size)
    solved, moving = np.empty(4), 0.0
    if not estimate.solve_about(
        row, size, layout, columns, scenarios, x, sums, base, slot, page_column, record, shorts, matrices, stress,
        losses, w, mean, solved,
    ):  # fmt: skip
        return False
    for u in range(size):
        moving += base[u, shared.MOVING]
    if not _has_room(solved[1], solved[2], multiplier):
        return False
    if not (judging or _radius(solved[1], solved[2], moving, multiplier) <= shared.RADIUS):
        return False
    stands: bool = _bound_shared(
        size, stress[shorts[row, SET]], solved, w, mean, layout, columns, start, stop, position_row, quantity,
        scenarios, tables, table_at, centers, x, sums, base, losses, multiplier, now, changed, curves, cover,
    )  # fmt: skip
    return stands


@kernel(
    "i8, b1, b1, f8, f8[::1], f8[::1], i8[:, ::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1],"
    "f8[:, ::1], f8[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1], f8,"
    "f8[:, ::1], f8[::1]"
)
def _certify_shared(
    size: int, judging: bool, tried: bool, stress: float, solved: Floats, mean: Floats, layout: Ints, columns: Ints,
    start: Ints, stop: Ints, position_row: Ints, quantity: Floats, contracts: Floats, scenarios: Floats, market: Floats,
    tables: Floats, table_at: Ints, centers: Floats, amount: Floats, priced: Floats, losses: Floats, hedge: Floats,
    multiplier: Floats, now: Floats, changed: float, curves: Floats, cover: Floats,
) -> bool:  # fmt: skip
    """As `_certify`, from shared rows; False where these are not enough, or were tried before."""
    gross = _gross(amount, priced, layout, size)
    if tried or size == 0:
        return False
    if not (judging or _radius(solved[1], solved[2], gross, multiplier) <= shared.RADIUS):
        return False
    x, sums, base = np.empty(size), np.empty(shared.SUMS * layout[size, SUMS_AT]), np.empty((size, shared.BASE))
    w = np.empty(size)
    for u in range(size):
        w[u] = hedge[layout[u, SEGMENT]]
    stands: bool = estimate.add_up(
        size, layout, columns, start, stop, position_row, quantity, contracts, scenarios, market, tables, table_at,
        centers, now, x, sums, base,
    ) and _bound_shared(
        size, stress, solved, w, mean, layout, columns, start, stop, position_row, quantity, scenarios, tables,
        table_at, centers, x, sums, base, losses, multiplier, now, changed, curves, cover,
    )  # fmt: skip
    return stands


@kernel("b1, i8, i8[:, ::1], f8[:, ::1], f8[:, :, ::1], f8[:, :, ::1], f8[::1], i8[::1]")
def _finish(
    stands: bool, size: int, layout: Ints, curves: Floats, boxes: Floats, extremes: Floats, cover: Floats, counts: Ints
) -> None:  # fmt: skip
    """Count an account's certificate if it has one, or end what is left of it."""
    counts[1] += stands
    if not stands:
        cover[joint.CORRELATION_LIMIT] = -math.inf
    for u in range(size):
        s = layout[u, SEGMENT]
        if stands:
            watch.replace(s, curves, boxes, extremes)
        else:
            watch.void_one(s, curves, boxes, extremes)


@kernel(
    "i8[::1], i8[::1], b1, i8, i8[:, ::1], i8[::1], i8[:, ::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i2[::1],"
    "i2[::1], f8[::1], f8[:, ::1], i2[:, ::1], f8[:, :, :, ::1], f8[::1], f8[::1], f8[:, ::1], i8[::1],"
    "f8[:, ::1], f8[::1], f8[:, ::1], f8[:, ::1], f8, f8[:, ::1], f8[:, :, ::1], f8[:, ::1], f8[:, :, ::1], f8[::1],"
    "i8[::1], f8[:, ::1], f8[:, ::1], f8[::1], i8[::1], i8[::1]"
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
    extremes: Floats,
    tables: Floats,
    table_at: Ints,
    centers: Floats,
    judged: Floats,
    requirement: Floats,
    changed: Ints,
    counts: Ints,
) -> None:
    """Evaluate some accounts at the present prices from nothing, and judge and certify them if that is asked for.

    statuses: `conditions.HEALTHY` .. by account of rows, for which certificates are. contracts, scenarios, market: of
    `kernels.certificates.book`; now, curves, boxes, covers: of `joint`; changed_by: sum of changes of correlations;
    extremes: of `watch`. aim: CERTIFY those whose bits stand, VOID all certificates, or KEEP them. All else as in
    `netted_accounts.solve_rows`. Adds to counts[1] how many were certified.

    tables, from table_at[c] on for a column (negative: none), and centers: of `shared`. judged, float64[accounts, 2]:
    equity and requirement when an account's bits were computed, NaN where that is not known. Whoever can be certified
    at the sides of his thresholds that he was on then is not evaluated: his requirement is NOT_EVALUATED.
    """
    for k in range(rows.shape[0]):
        row = rows[k]
        watch.fetch(rows[min(k + 1, rows.shape[0] - 1)] if k else row, slot, shorts, curves, boxes, covers)
        size, of = shorts[row, COUNT], shorts[row, SET]
        layout = layout_of(row, slot, page_column, columns, start, stop, size)
        known = aim == CERTIFY and math.isfinite(judged[row, 0])
        if known and (
            _certify_again(
                row, statuses[k], judging, judged[row], size, layout, columns, start, stop, position_row, quantity,
                contracts, scenarios, market, tables, table_at, centers, slot, page_column, record, shorts, matrices,
                stress, mm_factor[of], thresholds[of], now, changed_by, curves, covers[row],
            )
            and joint.review(
                row, True, changed_by, now, slot, page_column, columns, curves, boxes, covers, shorts, matrices, stress
            )
        ):  # fmt: skip
            requirement[k] = NOT_EVALUATED
            _finish(True, size, layout, curves, boxes, extremes, covers[row], counts)
            continue
        requirement[k] = 0.0
        record[row, NORM] = 0.0
        total = layout[size, FIRST]
        amount, kind, is_call = np.empty(total), np.empty(total, dtype=np.int64), np.empty(total, dtype=np.bool_)
        code, parameters = np.empty(total, dtype=np.int64), np.empty((total, 5))
        priced, pnl, mean = np.empty(PRICED * total), np.empty(layout[size, PNL_AT]), np.zeros(size)
        losses, widths, values = np.zeros((size, widest_of(layout, size))), layout[:size, MOVES].copy(), np.empty(size)
        found = SOLVED
        value(
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
        if judging or aim == CERTIFY:
            judged[row, 0], judged[row, 1] = equity, requirement[k]
        if aim == KEEP:
            continue
        multiplier, ratio = np.empty(conditions.CONSTRAINTS + 2), np.empty(THRESHOLDS)
        conditions.ratios(thresholds[of], mm_factor[of], ratio)
        solved = np.array([record[row, CASH], equity, requirement[k], record[row, NORM]])
        stands = (
            stands
            and aim == CERTIFY
            and _is_certifiable(row, shorts, statuses[k], equity, requirement[k], found, ratio, multiplier)
            and (
                _certify_shared(
                    size, judging, known, stress[of], solved, mean, layout, columns, start, stop, position_row,
                    quantity, contracts, scenarios, market, tables, table_at, centers, amount, priced, losses, hedge,
                    multiplier, now, changed_by, curves, covers[row],
                )
                or _certify(
                    size, stress[of], solved, mean, columns, market, scenarios, layout, amount, kind, is_call, code,
                    parameters, priced, pnl, losses, hedge, multiplier, now, changed_by, curves, covers[row],
                )
            )
            and joint.review(
                row, True, changed_by, now, slot, page_column, columns, curves, boxes, covers, shorts, matrices, stress
            )
        )  # fmt: skip
        _finish(stands, size, layout, curves, boxes, extremes, covers[row], counts)
