"""What add-ons look at in a book: coins behind contracts, net amounts by group, vega.

Sums are `math.fsum`, rounded once, so an account gives the same bits in any order of its positions.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from kernels import black76_arrays
from kernels._jit import Bools, Floats, Ints
from kernels.scenarios_units import COIN, INVERSE, INVERSE_OPTION, LINEAR_OPTION

Group = TypeVar("Group", bound=Hashable)

POINT = 0.01  # volatility as a decimal in one point


def coins_per_contract(kind: Ints, size: Floats, price: Floats) -> Floats:
    """Return coins behind one contract, float64[n]: its size, and of an inverse future its face over its price.

    kind: `kernels.scenarios`; size: coins, USD of face for inverse futures; price: USD, read of inverse futures only.
    """
    inverse = kind == INVERSE
    return size / np.where(inverse, price, 1.0)


def notional_usd(kind: Ints, size: Floats, price: Floats, index_price: float) -> Floats:
    """Return what funding is paid on for one contract, USD, float64[n]: size times price, or face at S/p of an inverse.

    Rows of coins and options have none: 0. Columns as in `coins_per_contract`.
    """
    paid = np.where(kind == INVERSE, size * (index_price / price), size * price)
    return np.where(np.isin(kind, (COIN, LINEAR_OPTION, INVERSE_OPTION)), 0.0, paid)


def net_by(groups: Sequence[Group], amounts: Floats) -> dict[Group, float]:
    """Return the sum of amounts by group, groups in order of first appearance. Raises ValueError on two lengths."""
    found: dict[Group, list[float]] = {}
    for group, amount in zip(groups, amounts.tolist(), strict=True):
        found.setdefault(group, []).append(amount)
    return {group: math.fsum(values) for group, values in found.items()}


def hedged(amounts: Iterable[float]) -> float:
    """Return the smaller of what is long and what is short: the size that is hedged. NaN in gives NaN."""
    values = list(amounts)
    if any(math.isnan(value) for value in values):
        return math.nan
    return min(math.fsum(v for v in values if v > 0.0), -math.fsum(v for v in values if v < 0.0))


def vega_usd_per_point(
    kind: Ints, is_call: Bools, size: Floats, forward: Floats, strike: Floats, years: Floats, vol: Floats, index: float
) -> Floats:
    """Return the vega of one contract in USD per volatility point, float64[n]; 0 of what is no option.

    Of an inverse option S/F times that of its forward price, as its value (`kernels.scenarios`). Edges as
    `kernels.black76.greeks`: nothing left of time or volatility has no vega, what is not a number gives none.
    """
    out = np.zeros(len(kind))
    rows = np.flatnonzero(np.isin(kind, (LINEAR_OPTION, INVERSE_OPTION)))
    if rows.size:
        greeks = np.empty((black76_arrays.FIRST_GREEKS, rows.size))
        black76_arrays.first_greeks_array(
            is_call[rows], forward[rows], strike[rows], vol[rows], years[rows], np.zeros(rows.size), greeks
        )
        in_coins = np.where(kind[rows] == INVERSE_OPTION, index / forward[rows], 1.0)
        out[rows] = size[rows] * in_coins * greeks[black76_arrays.VEGA] * POINT
    return out
