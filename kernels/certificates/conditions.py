"""Which inequalities keep an account's condition bits as they are.

`kernels.accounts` compares the requirement M with t E, E the equity, for a few ratios t > 0, and E with 0. For E > 0
every bit is decided by the two ratios next to M/E; for E < 0 by E < 0 alone. So the bits stand while

    UPPER   c E - d M >= pad        LOWER   d M - c E >= pad

with (c, d) = (t, 1), or (1, 0) where only the sign of E is left to watch, or (0, 0) where nothing is. An account in a
state can leave it, start or stop a timer by some bits only: `watched` says at which ratios, and a certificate for these
is all that events need. Whoever needs the other bits too, at a timer or a deposit, computes them then.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, kernel
from kernels.accounts import (
    CALL_ENTER_V,
    CALL_LEAVE_V,
    LIQ_ENTER_U,
    LIQ_LEAVE_V,
    THRESHOLDS,
    WARN_ENTER_V,
    WARN_LEAVE_V,
)  # fmt: skip

UPPER_EQUITY, UPPER_REQUIREMENT, LOWER_EQUITY, LOWER_REQUIREMENT = range(4)
CONSTRAINTS = 4

HEALTHY, WARNING, MARGIN_CALL, LIQUIDATION, BANKRUPT, RECOVERED = range(6)
ANY = -1  # a state of which nothing is known: all ratios matter

# Of the distance to a threshold: the engine's slack of 4e-9 and the gap of a solve, both relative to M, with room.
OF_REQUIREMENT = 1e-8
# Of all amounts that are summed: prices to 1e-13 of the larger of forward and strike, and sums of up to 1e4 terms.
OF_GROSS = 8e-12


@kernel("f8[::1], f8, f8[::1]")
def ratios(thresholds: Floats, mm_factor: float, out: Floats) -> None:
    """Write the ratios t of IM to equity at which bits change, float64[6], MM being mm_factor times IM.

    thresholds: float64[6] as `kernels.accounts` has them. Raises ValueError on other shapes.
    """
    if thresholds.shape[0] != THRESHOLDS or out.shape[0] != THRESHOLDS:
        raise ValueError("an account has six thresholds")
    for i in range(THRESHOLDS):
        out[i] = thresholds[i]
    out[LIQ_ENTER_U] /= mm_factor


@kernel("f8[::1]")
def _in_usual_order(ratio: Floats) -> bool:
    """Tell whether leaving a state takes less than entering it, and a worse state more than a milder one."""
    rising = ratio[WARN_LEAVE_V] <= ratio[CALL_LEAVE_V] <= ratio[LIQ_LEAVE_V] <= ratio[LIQ_ENTER_U]
    entering = ratio[WARN_ENTER_V] <= ratio[CALL_ENTER_V] <= ratio[LIQ_ENTER_U]
    leaving = ratio[WARN_LEAVE_V] <= ratio[WARN_ENTER_V] and ratio[CALL_LEAVE_V] <= ratio[CALL_ENTER_V]
    usual: bool = rising and entering and leaving
    return usual


@kernel("i8, f8[::1], f8[::1]")
def watched(status: int, ratio: Floats, out: Floats) -> int:
    """Write the ratios at which an account in a state can leave it, start or stop a timer; return how many.

    status: HEALTHY .. RECOVERED, on good data; ratio: of `ratios`; out: float64[6]. A bankrupt account leaves by a
    deposit only: 0, and nothing has to be certified. All six for an unknown state, and if the thresholds are in an
    unusual order.
    """
    if out.shape[0] != THRESHOLDS or ratio.shape[0] != THRESHOLDS:
        raise ValueError("an account has six thresholds")
    if status == BANKRUPT:
        return 0
    if not _in_usual_order(ratio) or status < HEALTHY or status > RECOVERED:
        for i in range(THRESHOLDS):
            out[i] = ratio[i]
        return THRESHOLDS
    out[0] = ratio[LIQ_ENTER_U]
    if status == HEALTHY:
        out[0] = ratio[WARN_ENTER_V]
    elif status == WARNING:
        out[1], out[2] = ratio[CALL_ENTER_V], ratio[WARN_LEAVE_V]
        return 3
    elif status == MARGIN_CALL:
        out[1] = ratio[CALL_LEAVE_V]
        return 2
    elif status == LIQUIDATION:
        out[0] = ratio[LIQ_LEAVE_V]
    return 1


@kernel("f8, f8, f8[::1], f8[::1]")
def constraints(equity: float, requirement: float, ratio: Floats, out: Floats) -> bool:
    """Write the multipliers of the two inequalities that hold an account's bits; return whether there are any.

    equity, requirement: USD; ratio: float64[n] from `ratios`; out: float64[CONSTRAINTS], c and d of the upper one, c
    and d of the lower one. False, and zeros, where equity is 0 or not finite, the requirement is negative or not
    finite, a ratio is not positive, or the account is on a threshold.
    """
    if out.shape[0] != CONSTRAINTS:
        raise ValueError("constraints are four multipliers")
    out[:] = 0.0
    if not (math.isfinite(equity) and math.isfinite(requirement) and equity != 0.0 and requirement >= 0.0):
        return False
    if equity < 0.0:
        out[LOWER_EQUITY] = 1.0
        return True
    above, below = math.inf, 0.0
    for i in range(ratio.shape[0]):
        t = ratio[i]
        if not (t > 0.0 and requirement != t * equity):
            return False
        if requirement < t * equity:
            above = min(above, t)
        else:
            below = max(below, t)
    if above < math.inf:
        out[UPPER_EQUITY], out[UPPER_REQUIREMENT] = above, 1.0
    else:
        out[UPPER_EQUITY] = 1.0
    if below > 0.0:
        out[LOWER_EQUITY], out[LOWER_REQUIREMENT] = below, 1.0
    return True


@kernel("f8, f8")
def pad(requirement: float, gross: float) -> float:
    """Return what an inequality must hold by, USD: more than everything that rounds between it and a status.

    requirement: USD; gross: sum of what is added up, USD: |q| (gross + |value|) of every position, and |cash|.
    """
    return OF_REQUIREMENT * requirement + OF_GROSS * gross
