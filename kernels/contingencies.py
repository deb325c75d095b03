"""Contingencies of a risk matrix, as a venue's older rules had them: what a grid of parallel moves does not show.

Each takes the positions of one underlying as arrays of n rows. Source: Deribit's portfolio margin page (older rule
set); how offsets are measured is ours (docs/margin-model-a.md).
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints


def naked_short_coins(coins: Floats, expiry_us: Ints, strike: Floats) -> float:
    """Return the coins of net short options, strike by strike: sum over (expiry, strike) of max(0, -net).

    Rows are options; a call and a put of one strike net, as they do where both legs are of one exercise.
    """
    net: dict[tuple[int, float], list[float]] = {}
    for amount, expiry, level in zip(coins.tolist(), expiry_us.tolist(), strike.tolist(), strict=True):
        net.setdefault((expiry, level), []).append(amount)
    return math.fsum(max(0.0, -math.fsum(amounts)) for amounts in net.values())


def offset_between(amounts: Floats, group: Ints) -> float:
    """Return what groups set against each other: the smaller of the sums of positive and of negative net amounts.

    amounts: float64[n]; group: int64[n], the expiry of each. In the unit of the amounts; NaN in gives NaN.
    """
    net = [math.fsum(amounts[group == one].tolist()) for one in np.unique(group)]
    if any(math.isnan(one) for one in net):
        return math.nan
    return min(math.fsum(one for one in net if one > 0.0), -math.fsum(one for one in net if one < 0.0))
