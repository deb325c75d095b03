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
def delta_shock(
    delta_coins: float, index_price: float, slope: float, threshold_usd: float, max_shock: float
) -> float:
    """Return the charge in USD on a net delta beyond a threshold: min(max_shock, slope x / S) x.

    x = max(0, |delta| S - threshold) in USD; slope per coin. NaN stays NaN.
    """
    excess = abs(delta_coins) * index_price - threshold_usd
    if excess <= 0.0:
        return 0.0
    return min(max_shock, slope * excess / index_price) * excess


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
    The lowest scenario wins ties; an empty segment is all 0 with scenario 0. A segment that holds a NaN row, or an
    index that is NaN, gives NaN and scenario -1. Raises ValueError on shapes and rows that do not fit.
    """
    m = out_value.shape[0]
    n, scenarios = pnl.shape
    groups = group_rate.shape[0]
    check_segments(indptr, row, quantity, n)
    if indptr.shape[0] != m + 1 or scenarios < 1:
        raise ValueError("outputs need one element per segment, and pnl at least one scenario")
    if not (value.shape[0] == delta.shape[0] == market_delta.shape[0] == expiry_group.shape[0] == n):
        raise ValueError("instrument columns must have one length")
    if not (out_scan.shape[0] == out_argmin.shape[0] == out_roll.shape[0] == out_delta_shock.shape[0] == m):
        raise ValueError("outputs must have one length")
    if out_delta.shape[0] != m:
        raise ValueError("outputs must have one length")
    for i in range(n):
        if expiry_group[i] < NO_GROUP or expiry_group[i] >= groups:
            raise ValueError("an instrument names an expiry group that does not exist")
    block = np.empty(scenarios)
    net = np.zeros(groups)
    for a in range(m):
        start, stop = indptr[a], indptr[a + 1]
        total_value = 0.0
        total_delta = 0.0
        block[:] = 0.0
        for k in range(start, stop):
            i = row[k]
            q = quantity[k]
            total_value += q * value[i]
            total_delta += q * delta[i]
            if expiry_group[i] >= 0:
                net[expiry_group[i]] += q * market_delta[i]
            unit = pnl[i]
            for s in range(scenarios):
                block[s] += q * unit[s]
        worst = block[0]
        worst_at = 0
        for s in range(scenarios):
            if block[s] < worst:
                worst = block[s]
                worst_at = s
            elif math.isnan(block[s]):
                worst = math.nan
                worst_at = NO_SCENARIO
                break
        # Each group is added once, at its first position, and cleared for the next segment.
        carried = 0.0
        for k in range(start, stop):
            group = expiry_group[row[k]]
            if group >= 0:
                carried += abs(net[group]) * group_rate[group]
                net[group] = 0.0
        out_value[a] = total_value
        out_delta[a] = total_delta
        out_scan[a] = -worst if worst < 0.0 else (0.0 if worst >= 0.0 else math.nan)
        out_argmin[a] = worst_at
        out_roll[a] = index_price * carried
        out_delta_shock[a] = delta_shock(total_delta, index_price, delta_slope, delta_threshold_usd, max_delta_shock)
