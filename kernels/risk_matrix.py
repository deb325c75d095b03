"""Model A's requirement of every segment of one underlying, in one pass over its positions.

requirement = scan + roll + delta shock, with

* scan = max(0, -worst), worst the smallest scenario P&L of the segment;
* roll = S sum over expiries |net market delta of the expiry| rate, rate = max(minimum move, annual move T);
* delta shock = min(maximum, slope x / S) x, x = max(0, |delta| S - threshold).

Parameters and their sources: `docs/margin-model-a.md`.
"""

from __future__ import annotations

import math

from kernels import vectors
from kernels._jit import Floats, Ints, inlined, kernel
from kernels.segment_sums import CHUNK, sum_segments
from kernels.segment_tables import check_segments, empty_table, stride_of, table_rows
from kernels.vectors import LANES

NO_GROUP = -1  # of an instrument that has no expiry to roll, such as a coin
NO_SCENARIO = -1  # worst scenario of a segment whose P&L is not a number


@kernel("f8, f8, f8, f8, f8")
def delta_shock(delta_coins: float, index_price: float, slope: float, threshold_usd: float, max_shock: float) -> float:
    """Return the charge in USD on a net delta beyond a threshold: min(max_shock, slope x / S) x.

    x = max(0, |delta| S - threshold) in USD; slope per coin. NaN stays NaN.
    """
    excess = abs(delta_coins) * index_price - threshold_usd
    if excess <= 0.0:
        return 0.0
    return min(max_shock, slope * excess / index_price) * excess


@inlined()
def _worst_narrow(sums: Floats, at: int, scenarios: int) -> tuple[float, int]:
    worst, scenario, total = sums[at], 0, 0.0
    for s in range(scenarios):
        pnl = sums[at + s]
        total += pnl - pnl
        if pnl < worst:
            worst, scenario = pnl, s
    return worst + total, scenario


@inlined()
def _worst_wide(sums: Floats, at: int, scenarios: int) -> tuple[float, int]:
    """As `_worst_narrow`, eight scenarios at a time; the last eight overlap those before."""
    worst = vectors.load(sums, at)
    scenario = vectors.numbers()
    total = worst
    for group in range(1, (scenarios + LANES - 1) // LANES):
        s = min(group * LANES, scenarios - LANES)
        pnl = vectors.load(sums, at + s)
        scenario = vectors.where_smaller(pnl, worst, vectors.add(vectors.numbers(), vectors.splat(s)), scenario)
        worst = vectors.smaller(pnl, worst)
        total = vectors.add(total, pnl)
    least = vectors.smallest_of(worst)
    # Of the lanes that share the least, the lowest scenario.
    scenario = vectors.where_smaller(vectors.splat(least), worst, vectors.splat(math.inf), scenario)
    return least + vectors.sum_of(vectors.subtract(total, total)), int(vectors.smallest_of(scenario))


@inlined()
def worst_of(sums: Floats, at: int, scenarios: int) -> tuple[float, int]:
    """Return the smallest P&L and its scenario, the lowest of equals; NaN and -1 if any is not finite."""
    if scenarios >= LANES:
        worst, scenario = _worst_wide(sums, at, scenarios)
    else:
        worst, scenario = _worst_narrow(sums, at, scenarios)
    return worst, NO_SCENARIO if math.isnan(worst) else scenario


@kernel("i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[::1], i8[::1], i8, f8[::1]")
def fill_table(
    held: Ints, pnl: Floats, value: Floats, delta: Floats, market_delta: Floats, expiry_group: Ints, stride: int,
    table: Floats,
) -> None:  # fmt: skip
    """Write the table of segments' sums for some rows: P&L by scenario, value, delta, market delta by expiry group.

    table: float64[len(held) * stride], zeros; stride: `table_stride`.
    """
    scenarios = pnl.shape[1]
    for i in range(held.shape[0]):
        at, unit = i * stride, held[i]
        table[at : at + scenarios] = pnl[unit]
        table[at + scenarios] = value[unit]
        table[at + scenarios + 1] = delta[unit]
        if expiry_group[unit] != NO_GROUP:
            table[at + scenarios + 2 + expiry_group[unit]] = market_delta[unit]


@kernel("i8, i8")
def table_stride(scenarios: int, groups: int) -> int:
    """Return the length of a table row."""
    return stride_of(scenarios + 2 + groups)


@inlined()
def carried(sums: Floats, at: int, group_rate: Floats) -> float:
    """Return sum over expiries |net market delta| rate, of the sums from element `at` on."""
    total = 0.0
    for group in range(group_rate.shape[0]):
        total += abs(sums[at + group]) * group_rate[group]
    return total


@kernel("i8[::1], i8")
def _check_groups(expiry_group: Ints, groups: int) -> None:
    for i in range(expiry_group.shape[0]):
        if expiry_group[i] < NO_GROUP or expiry_group[i] >= groups:
            raise ValueError("an instrument names an expiry group that does not exist")


@kernel(
    "i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[::1], f8[::1], f8[::1], i8[::1], f8[::1],"
    "f8, f8, f8, f8, f8[::1], f8[::1], i8[::1], f8[::1], f8[::1], f8[::1]"
)
def evaluate(
    indptr: Ints,
    row: Ints,
    quantity: Floats,
    pnl: Floats,
    value: Floats,
    delta: Floats,
    market_delta: Floats,
    expiry_group: Ints,
    group_rate: Floats,
    index_price: float,
    delta_slope: float,
    delta_threshold_usd: float,
    max_delta_shock: float,
    out_value: Floats,
    out_scan: Floats,
    out_argmin: Ints,
    out_roll: Floats,
    out_delta_shock: Floats,
    out_delta: Floats,
) -> None:
    """Write value, scan, worst scenario, roll, delta shock and net delta of m segments.

    Segments as in `kernels.blocks`; pnl: float64[n, S], S >= 1; value, delta, market_delta: float64[n];
    expiry_group: int64[n], the row's element of group_rate or -1; out_*: [m], USD, out_delta in coins.
    The lowest scenario wins ties; an empty segment is all 0 with scenario 0. A NaN row makes a segment that
    holds it NaN with scenario -1, a NaN index its roll and delta shock. Raises ValueError on shapes, rows and groups
    that do not fit.
    """
    m = out_value.shape[0]
    n, scenarios = pnl.shape
    check_segments(indptr, row, quantity, n)
    _check_groups(expiry_group, group_rate.shape[0])
    if not (value.shape[0] == delta.shape[0] == market_delta.shape[0] == expiry_group.shape[0] == n):
        raise ValueError("instrument columns must have one length")
    if not (out_scan.shape[0] == out_argmin.shape[0] == out_roll.shape[0] == m and indptr.shape[0] == m + 1):
        raise ValueError("outputs need one element per segment")
    if not (out_delta_shock.shape[0] == out_delta.shape[0] == m and scenarios > 0):
        raise ValueError("outputs need one element per segment, and pnl at least one scenario")
    held, place = table_rows(indptr, row, n)
    stride = table_stride(scenarios, group_rate.shape[0])
    table = empty_table(held.shape[0], stride)
    fill_table(held, pnl, value, delta, market_delta, expiry_group, stride, table)
    sums = empty_table(CHUNK, stride)
    for begin in range(0, m, CHUNK):
        end = min(begin + CHUNK, m)
        sum_segments(indptr[:-1], indptr[1:], place, quantity, table, stride, begin, end, sums)
        for a in range(begin, end):
            at = (a - begin) * stride
            worst, out_argmin[a] = worst_of(sums, at, scenarios)
            out_value[a] = sums[at + scenarios]
            out_delta[a] = sums[at + scenarios + 1]
            out_scan[a] = 0.0 if worst >= 0.0 else -worst
            out_roll[a] = index_price * carried(sums, at + scenarios + 2, group_rate)
            out_delta_shock[a] = delta_shock(
                out_delta[a], index_price, delta_slope, delta_threshold_usd, max_delta_shock
            )
