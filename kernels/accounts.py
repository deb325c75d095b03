"""Account totals and status conditions from what accounts have in their underlyings.

Rows are accounts; each has a place for every underlying that it holds, in the order of their names. All that a tick
needs of an account is one record of doubles, `record[row]`, on cache lines of its own, some of them seen as 16-bit
integers, `shorts[row]`: a tick waits for memory. USD, unused elements are zero:

* `CASH`, which no index moves, and the `NORM` of its hedges;
* of the shorts: condition `FLAGS`, in how many underlyings it is (`COUNT`), its parameter `SET`, how many of its
  underlyings are `HELD`, and `TRAITS`;
* by place from `PLACES` on, `EACH` numbers: `VALUE`, and two of the requirement. Of a netted account (model P) they are
  the terms of its two bounds (`kernels.netted_bounds`), `UPPER` besides the norm, and `LOWER`; of any other they are
  its initial and its maintenance requirement.

The conditions compare u = MM/equity and v = IM/equity with the thresholds of the account states by cross-
multiplication, so that no division decides a status.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, Shorts, inlined, kernel

# Threshold columns of one parameter set.
WARN_ENTER_V, WARN_LEAVE_V, CALL_ENTER_V, CALL_LEAVE_V, LIQ_ENTER_U, LIQ_LEAVE_V = range(6)
THRESHOLDS = 6

CASH, NORM = 0, 1  # of a record
FLAGS, COUNT, SET, HELD, TRAITS = range(8, 13)  # of its shorts
PLACES, EACH, VALUE, UPPER, LOWER = 4, 3, 0, 1, 2
LEAST_PLACES = 4  # for which a record has room

NETTED, HAS_POSITIONS, DEGRADED = 1, 2, 4  # bits of TRAITS

SLACK = 4e-9  # more than the gap and the rounding of an exact solve: a bound that decides, decides as the solve would
UNSURE = -1
ALL = -1  # condition bits


@inlined()
def _compared(equity: float, im: float, mm: float, limits: Floats, of: int, bits: Ints) -> int:
    """Return the bits of an account with equity. All is loaded first: what is not read needs no jump."""
    b0, b1, b2, b3, b4, b5 = bits[0], bits[1], bits[2], bits[3], bits[4], bits[5]
    warn_enter, warn_leave = limits[of, WARN_ENTER_V] * equity, limits[of, WARN_LEAVE_V] * equity
    call_enter, call_leave = limits[of, CALL_ENTER_V] * equity, limits[of, CALL_LEAVE_V] * equity
    enter, leave = limits[of, LIQ_ENTER_U] * equity, limits[of, LIQ_LEAVE_V] * equity
    flags: int = (b0 if im >= warn_enter else 0) | (b1 if im < warn_leave else 0)
    flags |= (b2 if im >= call_enter else 0) | (b3 if im < call_leave else 0)
    return flags | (b4 if mm >= enter else 0) | (b5 if im <= leave else 0)


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
        flags |= _compared(equity, im, mm, limits, of, bits)
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


@inlined()
def figure(place: int, which: int) -> int:
    """Return where a record has a figure of a place."""
    return PLACES + EACH * place + which


@inlined()
def _totals(row: int, record: Floats, shorts: Shorts) -> tuple[float, float, float]:
    """Return equity and the sums of both figures of the requirement; most accounts have as many places as are spelt."""
    equity, high, low = record[row, CASH], 0.0, 0.0
    for place in range(LEAST_PLACES):
        equity += record[row, PLACES + EACH * place + VALUE]
        high += record[row, PLACES + EACH * place + UPPER]
        low += record[row, PLACES + EACH * place + LOWER]
    for place in range(LEAST_PLACES, shorts[row, COUNT]):
        equity += record[row, PLACES + EACH * place + VALUE]
        high += record[row, PLACES + EACH * place + UPPER]
        low += record[row, PLACES + EACH * place + LOWER]
    return equity, high, low


@inlined()
def judge(row: int, record: Floats, shorts: Shorts, mm_factor: Floats, thresholds: Floats, bits: Ints) -> int:
    """Return the condition bits of one account by its figures, UNSURE if a threshold lies between its two bounds.

    mm_factor: float64[sets]; thresholds: float64[sets, THRESHOLDS]; bits as in `conditions`.
    """
    equity, high, low = _totals(row, record, shorts)
    of, trait = shorts[row, SET], shorts[row, TRAITS]
    some, held = (trait & HAS_POSITIONS) != 0, shorts[row, HELD] > 0 or (trait & DEGRADED) != 0
    if not trait & NETTED:
        sums: int = _conditions(equity, high, low, some, held, thresholds, of, bits)
        return sums
    high += record[row, NORM]
    usual, least = _at_both(row, equity, high, low, shorts, mm_factor, thresholds, bits)
    return usual if usual == least else UNSURE


@inlined()
def judge_between(
    row: int, equity: float, high: float, low: float, shorts: Shorts, mm_factor: Floats, thresholds: Floats, bits: Ints,
    watched: int,
) -> int:  # fmt: skip
    """Return the condition bits of a netted account whose requirement lies between two bounds, USD.

    UNSURE if a threshold lies between them that can change a `watched` bit, or a watched bit changes and any threshold
    lies between them. A bit that is left open where neither is so stays as it was.
    """
    usual, least = _at_both(row, equity, high, low, shorts, mm_factor, thresholds, bits)
    flags = int(shorts[row, FLAGS])
    if usual != least and (usual < 0 or (usual ^ flags | least ^ flags) & watched):
        return UNSURE
    return usual & least | flags & (usual ^ least)


@inlined()
def _at_both(
    row: int, equity: float, high: float, low: float, shorts: Shorts, mm_factor: Floats, thresholds: Floats, bits: Ints
) -> tuple[int, int]:  # fmt: skip
    """Return the condition bits of a netted account at both bounds of its requirement; UNSURE and 0: neither."""
    of, trait = shorts[row, SET], shorts[row, TRAITS]
    some, held = (trait & HAS_POSITIONS) != 0, shorts[row, HELD] > 0 or (trait & DEGRADED) != 0
    high *= 1.0 + SLACK
    low = max(0.0, low) * (1.0 - SLACK)
    check = equity + high + low
    if equity > 0.0 and high >= 0.0 and check - check == 0.0:
        factor, held_bit = mm_factor[of], bits[7] if held else 0
        usual: int = _compared(equity, high, factor * high, thresholds, of, bits) | held_bit
        least: int = _compared(equity, low, factor * low, thresholds, of, bits) | held_bit
        return usual, least
    now: int = _judge_unusual(equity, high, low, some, held, mm_factor[of], thresholds, of, bits)
    return now, 0 if now == UNSURE else now


@kernel("f8, f8, f8, b1, b1, f8, f8[:, ::1], i8, i8[::1]")
def _judge_unusual(
    equity: float, high: float, low: float, some: bool, held: bool, factor: float, thresholds: Floats, of: int,
    bits: Ints,
) -> int:  # fmt: skip
    """As `judge`, of a netted account that has no equity or no requirement."""
    low = low if math.isfinite(high) else high
    now: int = _conditions(equity, high, factor * high, some, held, thresholds, of, bits)
    other: int = _conditions(equity, low, factor * low, some, held, thresholds, of, bits)
    return now if now == other else UNSURE


SIX = 64  # sets of the six bits that ratios decide
LIMITS = 2 * SIX  # numbers of one parameter set
OF_LIMITS = 1e-12  # more than what rounds on the way to a comparison, of an equity that is not next to nothing:
LEAST_EQUITY = 1e-280


@kernel("f8[::1], f8[:, ::1], i8[::1], i8[::1], f8[::1]")
def limits_of_bits(mm_factor: Floats, thresholds: Floats, bits: Ints, watched: Ints, out: Floats) -> None:
    """Write between which ratios of the requirement to equity `watched` bits are what they are, two for each six bits.

    watched: int64[sets]; out: float64[sets * LIMITS]. Ratios for which products may round are on neither side.
    """
    for of in range(thresholds.shape[0]):
        for flags in range(SIX):
            least, most = 0.0, math.inf
            for i in range(THRESHOLDS):
                ratio = thresholds[of, i] / mm_factor[of] if i == LIQ_ENTER_U else thresholds[of, i]
                enters = i in (WARN_ENTER_V, CALL_ENTER_V, LIQ_ENTER_U)
                if not bits[i] & watched[of]:
                    continue
                if not ratio > 0.0:
                    least = math.inf
                elif ((flags & bits[i]) != 0) == enters:
                    least = max(least, ratio)
                else:
                    most = min(most, ratio)
            at = LIMITS * of + 2 * flags
            out[at], out[at + 1] = least * (1.0 + OF_LIMITS), most * (1.0 - OF_LIMITS)


@inlined()
def stays(row: int, record: Floats, shorts: Shorts, limits: Floats, first: int, bits: Ints) -> bool:
    """Return whether the bounds of a netted account prove that its watched bits are what they were, at a glance.

    limits: of `limits_of_bits`, those of set 0 from `first` on. Most accounts are far from any threshold; comparing
    with all six costs as much as everything else that a sweep does with an account.
    """
    equity, high, low = _totals(row, record, shorts)
    high = (record[row, NORM] + high) * (1.0 + SLACK)
    low = max(0.0, low) * (1.0 - SLACK)
    flags, trait = int(shorts[row, FLAGS]), shorts[row, TRAITS]
    held = bits[7] if shorts[row, HELD] > 0 else 0
    at = first + LIMITS * int(shorts[row, SET]) + 2 * (flags & (SIX - 1))
    # Without a jump between them: each of these alone could not be foretold.
    within = (equity > LEAST_EQUITY) & (low >= limits[at] * equity) & (high < limits[at + 1] * equity)
    same: bool = within & ((flags & ~(SIX - 1)) == held) & ((trait & (NETTED | DEGRADED)) == NETTED)
    return same


@kernel("i8, f8[:, ::1], i2[:, ::1]")
def totals(row: int, record: Floats, shorts: Shorts) -> tuple[float, float, float]:
    """Return the equity of one account and the sums of its figures of the requirement, USD."""
    found: tuple[float, float, float] = _totals(row, record, shorts)
    return found


@inlined()
def judge_exact(
    row: int, equity: float, requirement: float, shorts: Shorts, mm_factor: Floats, thresholds: Floats, bits: Ints
) -> int:
    """Return the condition bits of a netted account by its exact requirement, USD."""
    of, trait = shorts[row, SET], shorts[row, TRAITS]
    some, held = (trait & HAS_POSITIONS) != 0, shorts[row, HELD] > 0 or (trait & DEGRADED) != 0
    now: int = _conditions(equity, requirement, mm_factor[of] * requirement, some, held, thresholds, of, bits)
    return now


@kernel("i8[::1], f8[:, ::1], i2[:, ::1], f8[::1], f8[:, ::1], i8[::1], i8[::1], i8[::1], i8[::1]")
def judge_rows(
    rows: Ints, record: Floats, shorts: Shorts, mm_factor: Floats, thresholds: Floats, bits: Ints, changed: Ints,
    unsure: Ints, counts: Ints,
) -> None:  # fmt: skip
    """Judge some accounts by their figures as they are; receivers as in `kernels.netted_bounds.sweep`."""
    changes, open_cases = counts[0], counts[1]
    for k in range(rows.shape[0]):
        row = rows[k]
        now = judge(row, record, shorts, mm_factor, thresholds, bits)
        if now < 0:
            unsure[open_cases] = row
            open_cases += 1
        elif now != shorts[row, FLAGS]:
            shorts[row, FLAGS] = now
            changed[changes] = row
            changes += 1
    counts[0], counts[1] = changes, open_cases
