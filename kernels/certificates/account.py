"""One account's certificate from the curves of its places: what each constraint leaves, and how it is shared.

A constraint holds by some USD beyond its pad. Of that a share is kept for drift, one for correlation where there is
any, and the rest is room for prices (`kernels.certificates.intervals`). So all three may be used up together.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.certificates import conditions, correlation, drift, intervals
from kernels.certificates.places import CURVES

DRIFT, CORRELATION = range(2)  # of shares, and of tolerances


@kernel("f8, f8[:, :, ::1], i8[::1]")
def _room(fixed: float, curves: Floats, count: Ints) -> float:
    """Return what a constraint holds by: a fixed part and the least of every place, USD."""
    total = fixed
    for u in range(count.shape[0]):
        total += intervals.least(curves[u], count[u])
    return total


@kernel("f8, f8[::1], f8[::1], f8")
def _tolerated(budget: float, moving: Floats, reach: Floats, radius: float) -> float:
    """Return the drift that moves an account by no more than its budget; infinite where nothing drifts."""
    exposure = 0.0
    for u in range(moving.shape[0]):
        exposure += moving[u] * reach[u]
    if not budget >= 0.0:
        return 0.0
    return budget / (drift.DRIFT_ROOM * (1.0 + radius) * exposure) if exposure > 0.0 else math.inf


@kernel("f8[::1], f8, f8, f8, f8")
def raised_ratio(multiplier: Floats, equity: float, requirement: float, padding: float, share: float) -> float:
    """Return the ratio to compute lower curves with: c of the lower constraint, and room for correlation.

    requirement, equity: USD; padding: `conditions.pad`; share: of what the constraint holds by. c itself without a
    share, or where the requirement is no part of the constraint.
    """
    c, d = multiplier[conditions.LOWER_EQUITY], multiplier[conditions.LOWER_REQUIREMENT]
    room = requirement - c * equity - 2.0 * padding
    if not (d > 0.0 and share > 0.0 and room > 0.0 and equity > 0.0):
        return float(c)
    return float(min(c + share * room / equity, c / correlation.LEAST_KEPT))


@kernel(
    "f8[::1], f8, f8, f8, f8[::1], f8, f8, f8, f8[:, :, ::1], i8[::1], f8[:, :, ::1], f8[::1], f8[::1], f8[::1],"
    "f8, f8[::1], f8[::1], f8[:, ::1], f8[::1]"
)
def certify(
    multiplier: Floats, raised: float, cash: float, norm: float, hedge: Floats, k: float, eta: float, padding: float,
    upper: Floats, count: Ints, lower: Floats, moving: Floats, upper_reach: Floats, lower_reach: Floats,
    radius: float, share: Floats, budget: Floats, x: Floats, tolerance: Floats,
) -> bool:  # fmt: skip
    """Write an account's certificate: intervals of x = S/S0 - 1 by place, and tolerances of drift and of correlations.

    multiplier: float64[4] of `conditions.constraints`; raised: of `raised_ratio`; cash, norm (L of the hedges), hedge
    float64[P]: USD; k, eta: as `kernels.certificates.correlation`; padding: `conditions.pad`. upper: float64[P, CURVES,
    W] of `places.upper_curves`, of which place u uses count[u] columns; lower: float64[P, CURVES, 1] of `lower_curve`
    with `raised`; moving: float64[P], first of `places.gross`; upper_reach, lower_reach: float64[P] of `places.reach`.
    share: float64[2], DRIFT and CORRELATION. Outputs: budget float64[P], unspecified; x float64[P, 2]; tolerance
    float64[2].

    The account's bits stand while every S_u is in its interval, every row of the account drifted by at most
    tolerance[DRIFT], and no correlation changed by more than tolerance[CORRELATION]; all of that at once. False, and
    nothing tolerated, where a constraint does not hold by its pad.
    """
    places = count.shape[0]
    if x.shape[0] != places or x.shape[1] != 2 or upper.shape[0] != places or lower.shape[0] != places:
        raise ValueError("every place needs its curves and an interval")
    if upper.shape[1] != CURVES or lower.shape[1] != CURVES or share.shape[0] != 2 or tolerance.shape[0] != 2:
        raise ValueError("a curve has four numbers, and there are two shares and two tolerances")
    x[:, 0], x[:, 1] = -radius, radius
    drifted = correlated = math.inf
    stands = True
    c, d = multiplier[conditions.UPPER_EQUITY], multiplier[conditions.UPPER_REQUIREMENT]
    if c > 0.0:
        room = _room(c * cash - d * norm - padding, upper, count)
        kept = max(share[CORRELATION] * room, 0.0) if d > 0.0 and places > 1 else 0.0
        if d > 0.0:
            correlated = correlation.upper_tolerance(hedge, norm, k, kept / d)
        drifted = _tolerated(share[DRIFT] * room, moving, upper_reach, radius)
        stands = intervals.narrow(upper, count, room * (1.0 - share[DRIFT]) - kept, radius, budget, x)
    c, d = multiplier[conditions.LOWER_EQUITY], multiplier[conditions.LOWER_REQUIREMENT]
    if c > 0.0 and stands:
        single = np.ones(places, dtype=np.int64)
        room = _room(-raised * cash - 2.0 * padding, lower, single)
        if d > 0.0:
            correlated = min(correlated, correlation.lower_tolerance(c, raised, eta))
        drifted = min(drifted, _tolerated(share[DRIFT] * room, moving, lower_reach, radius))
        stands = intervals.narrow(lower, single, room * (1.0 - share[DRIFT]), radius, budget, x)
    if not stands:
        x[:] = 0.0
        drifted = correlated = 0.0
    tolerance[DRIFT], tolerance[CORRELATION] = drifted, correlated
    return stands
