"""Greeks of rows by the index price, with the basis of each contract as it is: Black-76 on the forward, undiscounted.

With V(F) the USD price of an option on one coin and g = dF/dS (the share of F that still moves, over S):

| kind | value | d2/dS2 | vega and theta |
|---|---|---|---|
| linear option | n V(F) | n V'' g^2 | n times V's |
| inverse option | n S h(F), h = V/F | n (2 h' g + S h'' g^2) | n S/F times V's |
| inverse future | -n S h(p), h = 1/p | as above | 0 |
| coin, linear future | linear | 0 | 0 |

n is the contract size. Deltas are those of the risk array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kernels import black76_arrays as arrays
from kernels import scenarios

if TYPE_CHECKING:
    from kernels._jit import Floats
    from monitor.models.portfolio import Rows

DAYS_PER_YEAR = 365.0
POINT = 0.01


class RowGreeks(NamedTuple):
    """One contract of each row, USD, float64[n]: delta, its change in a 1 % move, a point of volatility, a day."""

    delta_usd: Floats
    gamma_usd_per_pct: Floats
    vega_usd_per_point: Floats
    theta_usd_per_day: Floats


def greeks_of(rows: Rows, index_price: float) -> RowGreeks:
    """Return the Greeks of rows; NaN where a row has no price."""
    n = len(rows.kind)
    options = np.isin(rows.kind, (scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION))
    at = np.flatnonzero(options)
    out = np.zeros((arrays.GREEKS, len(at)))
    forward, strike = np.ascontiguousarray(rows.forward[at]), np.ascontiguousarray(rows.strike[at])
    arrays.greeks_array(
        np.ascontiguousarray(rows.is_call[at]), forward, strike, np.ascontiguousarray(rows.vol[at]),
        np.ascontiguousarray(rows.years[at]), np.zeros(len(at)), out,
    )  # fmt: skip
    slope = (rows.forward - rows.fixed) / index_price
    gamma, vega, theta = np.zeros(n), np.zeros(n), np.zeros(n)
    size, g = rows.size[at], slope[at]
    price, first, second = out[arrays.PRICE], out[arrays.DELTA], out[arrays.GAMMA]
    inverse = rows.kind[at] == scenarios.INVERSE_OPTION
    ratio_1 = first / forward - price / forward**2
    ratio_2 = second / forward - 2.0 * first / forward**2 + 2.0 * price / forward**3
    in_coins = size * (2.0 * ratio_1 * g + index_price * ratio_2 * g * g)
    gamma[at] = np.where(inverse, in_coins, size * second * g * g)
    unit = np.where(inverse, size * index_price / forward, size)
    vega[at], theta[at] = unit * out[arrays.VEGA], unit * out[arrays.THETA]
    futures = np.flatnonzero(rows.kind == scenarios.INVERSE)
    p, g = rows.forward[futures], slope[futures]
    gamma[futures] = -rows.size[futures] * (-2.0 * g / p**2 + 2.0 * index_price * g * g / p**3)
    return RowGreeks(
        rows.delta_coins * index_price, gamma * index_price * index_price * 0.01, vega * POINT, theta / DAYS_PER_YEAR
    )
