"""A portfolio's P&L in each scenario, from the values of one option of each row."""

from __future__ import annotations

import math
from typing import NamedTuple

from kernels._jit import Floats, Ints, kernel
from kernels.pmrm.values import LINEAR


class Discounting(NamedTuple):
    """Static discount on shocked option values: a base for each sign, and what is added to the rate."""

    long_rate_mult: float
    long_rate_add: float
    short_rate_mult: float
    short_rate_add: float
    long_static_discount: float
    short_static_discount: float


def static_discounts(years: float, rate: float, by: Discounting) -> tuple[float, float]:
    """Return the factors on a shocked expiry value that is positive and on one that is negative.

    long_static_discount exp(-T (rate long_rate_mult + long_rate_add)), and
    min(short_static_discount exp(T (rate short_rate_mult + short_rate_add)), exp(rate T)): the last undoes the discount
    of the prices. The rate is that of the prices, not negative. Source: PMRMLib_2.
    """
    long = by.long_static_discount * math.exp(-years * (rate * by.long_rate_mult + by.long_rate_add))
    short = by.short_static_discount * math.exp(years * (rate * by.short_rate_mult + by.short_rate_add))
    return long, min(short, math.exp(rate * years))


@kernel("f8[::1], i8[::1], f8[:, ::1], f8[:, ::1]")
def expiry_values(amount: Floats, expiry: Ints, unit: Floats, out: Floats) -> None:
    """Write the value of what is held of each expiry in each scenario: sum of amount times unit value, in row order.

    unit: float64[rows, scenarios]; out: float64[expiries, scenarios], overwritten.
    """
    out[:] = 0.0
    for i in range(amount.size):
        for s in range(unit.shape[1]):
            out[expiry[i], s] += amount[i] * unit[i, s]


@kernel("f8[:, ::1], f8[::1], f8[::1], f8[::1], f8[::1], i8[::1], f8[::1], f8, f8[::1]")
def scenario_pnl(
    values: Floats,
    mtm: Floats,
    long_discount: Floats,
    short_discount: Floats,
    spot: Floats,
    direction: Ints,
    damping: Floats,
    moving_usd: float,
    out: Floats,
) -> None:
    """Write the P&L of each scenario, USD.

    values: float64[expiries, scenarios], shocked and not yet statically discounted; mtm and both discounts by expiry;
    moving_usd is what goes with spot itself, the perpetual at its own price and collateral that cancels risk. Each
    expiry gives (value times the discount of its sign - mtm) damping; in skew scenarios the negative absolute value of
    that, since the slice may turn either way. Source: PMRMLib_2.
    """
    for s in range(spot.size):
        total = moving_usd * (spot[s] - 1.0) * damping[s]
        for e in range(mtm.size):
            value = values[e, s]
            gain = (value * (long_discount[e] if value >= 0.0 else short_discount[e]) - mtm[e]) * damping[s]
            total += -abs(gain) if direction[s] >= LINEAR else gain
        out[s] = total
