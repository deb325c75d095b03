"""Model A's charges around the present price: roll and delta shock move by at most a Lipschitz constant times |x|.

roll = S sum over expiries |net market delta| rate, and delta shock = min(most, slope e / S) e with e = max(0, |delta| S
- threshold) (`kernels.risk_matrix`). `tangents` bounds how fast S times either delta moves; proofs:
`docs/certificates.md`.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, Ints, kernel
from kernels.certificates import tangents
from kernels.certificates.places import KINK, VALUE


@kernel("i8[::1], f8[::1], f8[:, ::1], i8[::1], f8[::1]")
def roll_slope(rows: Ints, quantity: Floats, own: Floats, expiry_group: Ints, group_rate: Floats) -> float:
    """Return the Lipschitz constant of a place's roll in x, USD; groups and rates as in `kernels.risk_matrix`."""
    total = 0.0
    for k in range(rows.shape[0]):
        group = expiry_group[rows[k]]
        if group >= 0:
            total += abs(quantity[k]) * own[k, tangents.CARRY] * group_rate[group]
    return total


@kernel("i8[::1], f8[::1], f8[::1], f8[:, ::1], f8, f8, f8, f8, f8")
def shock_slope(
    rows: Ints, quantity: Floats, delta: Floats, own: Floats, index_price: float, slope: float, threshold_usd: float,
    max_shock: float, radius: float,
) -> float:  # fmt: skip
    """Return the Lipschitz constant of a place's delta shock in x within the radius, USD.

    delta: float64[n] by row, coins, of `risk_array`; slope, threshold_usd, max_shock: as
    `kernels.risk_matrix.delta_shock`.
    """
    net, turning = 0.0, 0.0
    for k in range(rows.shape[0]):
        net += quantity[k] * delta[rows[k]]
        turning += abs(quantity[k]) * own[k, tangents.DELTA]
    excess = abs(net) * index_price + turning * radius - threshold_usd
    if math.isnan(excess):
        return math.inf
    if excess <= 0.0:
        return 0.0
    rate = min(max_shock, slope * excess / (index_price * (1.0 - radius)))
    return rate * (2.0 * turning + excess / (1.0 - radius))


@kernel("f8[:, ::1], f8, f8, f8")
def add_charges(curves: Floats, charges: float, steep: float, sign: float) -> None:
    """Take charges and their Lipschitz constant, USD, into curves: sign -1 for the upper constraint, 1 for the lower.

    Both are times what the constraint takes the requirement times (d, or d and the factor of MM).
    """
    for s in range(curves.shape[1]):
        curves[VALUE, s] += sign * charges
        curves[KINK, s] += steep
