"""Account totals and status conditions from what accounts have in their underlyings.

Rows are accounts; each has `count[row]` places, one for every underlying that it holds, in the order of their names;
`column[row, place]` says which. So the numbers of an account lie side by side: a tick waits for memory. The conditions
compare u = MM/equity and v = IM/equity with the thresholds of the account states by cross-multiplication, so that no
division decides a status.
"""

from __future__ import annotations

import math

from kernels._jit import Bools, Floats, Ints, inlined, kernel
from kernels.ahead import ask_for_totals

# Threshold columns of one parameter set.
WARN_ENTER_V, WARN_LEAVE_V, CALL_ENTER_V, CALL_LEAVE_V, LIQ_ENTER_U, LIQ_LEAVE_V = range(6)
THRESHOLDS = 6

SLACK = 4e-9  # more than the gap and the rounding of an exact solve: a bound that decides, decides as the solve would


@kernel("i8[::1], i8[::1], f8[::1], f8[::1], f8, f8[:, :], f8[:, ::1], f8[:, ::1]")
def scatter(
    account: Ints,
    place: Ints,
    value: Floats,
    requirement: Floats,
    mm_factor: float,
    value_usd: Floats,
    im_usd: Floats,
    mm_usd: Floats,
) -> None:
    """Write one underlying's segment results to the places that it has in its accounts.

    account, place: int64[m]; value, requirement: float64[m] USD; value_usd, im_usd, mm_usd: float64[accounts, places].
    """
    for k in range(account.shape[0]):
        row, p = account[k], place[k]
        value_usd[row, p] = value[k]
        im_usd[row, p] = requirement[k]
        mm_usd[row, p] = mm_factor * requirement[k]


@inlined()
def _conditions(
    equity: float, im: float, mm: float, has_positions: bool, held: bool, limits: Floats, of: int, bits: Ints
) -> int:
    """As `conditions`, with the thresholds in row `of` of `limits`."""
    if not (math.isfinite(equity) and math.isfinite(im) and math.isfinite(mm) and im >= 0.0 and mm >= 0.0):
        unvalued: int = bits[7]
        return unvalued
    flags: int = bits[7] if held else 0
    if equity > 0.0:
        flags |= bits[0] if im >= limits[of, WARN_ENTER_V] * equity else 0
        flags |= bits[1] if im < limits[of, WARN_LEAVE_V] * equity else 0
        flags |= bits[2] if im >= limits[of, CALL_ENTER_V] * equity else 0
        flags |= bits[3] if im < limits[of, CALL_LEAVE_V] * equity else 0
        flags |= bits[4] if mm >= limits[of, LIQ_ENTER_U] * equity else 0
        flags |= bits[5] if im <= limits[of, LIQ_LEAVE_V] * equity else 0
    elif equity < 0.0 or has_positions:
        flags |= bits[0] | bits[2] | bits[4] | bits[6]
    elif im > 0.0 or mm > 0.0:
        flags |= bits[0] | bits[2] | bits[4]
    else:
        flags |= bits[1] | bits[3] | bits[5]
    return flags


@kernel("f8, f8, f8, b1, b1, f8[::1], i8[::1]")
def conditions(
    equity: float, im: float, mm: float, has_positions: bool, held: bool, thresholds: Floats, bits: Ints
) -> int:
    """Return the condition bits of one account.

    thresholds: float64[THRESHOLDS]; bits: int64[8], the values of the flags in the order warn enter, warn leave, call
    enter, call leave, liquidation enter, liquidation leave, bankrupt, held. Numbers that are not finite, or a negative
    requirement, set held and nothing else. Without equity every ratio is infinite, except that an account with
    neither equity, requirement nor positions is healthy.
    """
    flags: int = _conditions(equity, im, mm, has_positions, held, thresholds.reshape(1, THRESHOLDS), 0, bits)
    return flags


@kernel(
    "i8[::1], f8[:], f8[:, :], f8[:, ::1], f8[:, ::1], i8[:], i8[:, :], b1[::1], b1[::1], b1[::1], b1[::1], b1[::1],"
    "f8[:], f8[:, :], f8[::1], f8[::1], i8[:], f8[:, ::1], i8[::1], f8[:], f8[:], f8[:], i8[:], i8[::1], i8[::1],"
    "i8[::1]"
)
def refresh_totals(
    rows: Ints,
    cash_usd: Floats,
    value_usd: Floats,
    im_usd: Floats,
    mm_usd: Floats,
    count: Ints,
    column: Ints,
    held_column: Bools,
    degraded: Bools,
    has_positions: Bools,
    netted: Bools,
    exact: Bools,
    norm_usd: Floats,
    residual_usd: Floats,
    lower_usd: Floats,
    mm_factor: Floats,
    threshold_set: Ints,
    thresholds: Floats,
    bits: Ints,
    equity: Floats,
    im: Floats,
    mm: Floats,
    flags: Ints,
    changed: Ints,
    unsure: Ints,
    counts: Ints,
) -> None:
    """Recompute equity, IM, MM and condition bits of some accounts.

    rows: int64[r] account rows to refresh. cash_usd, equity, im, mm: float64[accounts]; flags: int64[accounts].
    value_usd, im_usd, mm_usd, residual_usd: float64[accounts, places]; held_column: bool[columns]. A netted account
    whose `im` is not exact is judged by its two bounds (`kernels.netted_bounds`): norm + sum of residuals, and
    lower_usd, float64[accounts], or 0 if it is empty; mm_factor: float64[sets]. Receives the rows, in the order of
    `rows`: changed, those whose bits changed; unsure, those between whose bounds a threshold lies, with their bits as
    they were: solve them and come again. counts: int64[2], how many of each.
    """
    changes = 0
    open_cases = 0
    for k in range(rows.shape[0]):
        row = rows[k]
        ask_for_totals(rows, k, value_usd, column, cash_usd)
        total_value = cash_usd[row]
        total_im = norm_usd[row] if netted[row] else 0.0
        total_mm = 0.0
        held = degraded[row]
        for place in range(count[row]):
            total_value += value_usd[row, place]
            held |= held_column[column[row, place]]
            if netted[row]:
                total_im += residual_usd[row, place]
            else:
                total_im += im_usd[row, place]
                total_mm += mm_usd[row, place]
        equity[row] = total_value
        of, some = threshold_set[row], has_positions[row]
        if netted[row]:
            factor = mm_factor[of]
            if exact[row]:
                mm[row] = factor * im[row]
                now = _conditions(total_value, im[row], mm[row], some, held, thresholds, of, bits)
            else:
                upper = total_im * (1.0 + SLACK)
                lower = max(0.0, lower_usd[row]) * (1.0 - SLACK) if lower_usd.shape[0] else 0.0
                if not math.isfinite(total_im):
                    lower = total_im
                now = _conditions(total_value, upper, factor * upper, some, held, thresholds, of, bits)
                if now != _conditions(total_value, lower, factor * lower, some, held, thresholds, of, bits):
                    unsure[open_cases] = row
                    open_cases += 1
                    continue
        else:
            im[row] = total_im
            mm[row] = total_mm
            now = _conditions(total_value, total_im, total_mm, some, held, thresholds, of, bits)
        if now != flags[row]:
            flags[row] = now
            changed[changes] = row
            changes += 1
    counts[0] = changes
    counts[1] = open_cases
