"""Model A's requirement of every segment of one underlying, in one pass over its positions.

requirement = scan + roll + delta shock, with

* scan = max(0, -worst), worst the smallest scenario P&L of the segment;
* roll = S sum over expiries |net market delta of the expiry| rate, rate = max(minimum move, annual move T);
* delta shock = min(maximum, slope x / S) x, x = max(0, |delta| S - threshold).

Parameters and their sources: `docs/margin-model-a.md`.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, kernel
from kernels.blocks import check_segments

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


@kernel("f8[::1]")
def _worst(block: Floats) -> tuple[float, int]:
    """Return the smallest P&L and its scenario, the lowest of equals; NaN and -1 if any is NaN."""
    worst = block[0]
    at = 0
    for s in range(block.shape[0]):
        if math.isnan(block[s]):
            return math.nan, NO_SCENARIO
        if block[s] < worst:
            worst = block[s]
            at = s
    return worst, at


@kernel("i8[::1], i8[::1], f8[::1], f8[::1]")
def _carried(row: Ints, expiry_group: Ints, group_rate: Floats, net: Floats) -> float:
    """Return sum |net| rate over the groups of one segment's rows, and clear net for the next segment."""
    total = 0.0
    for k in range(row.shape[0]):
        group = expiry_group[row[k]]
        if group >= 0:
            total += abs(net[group]) * group_rate[group]
            net[group] = 0.0
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
    block = np.empty(scenarios)
    net = np.zeros(group_rate.shape[0])
    for a in range(m):
        total_value = 0.0
        total_delta = 0.0
        block[:] = 0.0
        for k in range(indptr[a], indptr[a + 1]):
            i = row[k]
            q = quantity[k]
            total_value += q * value[i]
            total_delta += q * delta[i]
            if expiry_group[i] >= 0:
                net[expiry_group[i]] += q * market_delta[i]
            unit = pnl[i]
            for s in range(scenarios):
                block[s] += q * unit[s]
        worst, out_argmin[a] = _worst(block)
        out_value[a] = total_value
        out_delta[a] = total_delta
        out_scan[a] = 0.0 if worst >= 0.0 else -worst
        out_roll[a] = index_price * _carried(row[indptr[a] : indptr[a + 1]], expiry_group, group_rate, net)
        out_delta_shock[a] = delta_shock(total_delta, index_price, delta_slope, delta_threshold_usd, max_delta_shock)
