"""Rates that grow with size: by the open interest of a market, and by the size of one position."""

from __future__ import annotations

import math


def open_interest_rate(base_rate: float, open_interest_usd: float, lower_cap_usd: float, upper_cap_usd: float) -> float:
    """Return an initial rate that grows linearly from the base at the lower cap of open interest to 1 at the upper.

    NaN open interest gives 1: a market whose size is unknown is not lent against. Source: dYdX v4, liquidity tiers; an
    upper cap of 0 means that nothing is scaled. Raises ValueError on a base outside [0, 1] or caps that do not rise.
    """
    if not 0.0 <= base_rate <= 1.0:
        raise ValueError(f"a base rate lies in [0, 1], got {base_rate}")
    if upper_cap_usd == 0.0:
        return base_rate
    if not 0.0 <= lower_cap_usd < upper_cap_usd:
        raise ValueError("the lower cap of open interest lies below the upper one")
    share = (open_interest_usd - lower_cap_usd) / (upper_cap_usd - lower_cap_usd)
    if math.isnan(share):
        return 1.0
    return base_rate + (1.0 - base_rate) * min(max(share, 0.0), 1.0)


def liability_weight(weight: float, imf: float, size_units: float) -> float:
    """Return the weight of a debt or a perpetual's margin ratio: max(w, 0.8 w + imf sqrt(size)).

    size_units: coins, its sign does not matter; imf: growth per root of a coin. Source: Drift, size premium of
    liability weights. Raises ValueError on a weight or imf that is negative, and on what is not finite.
    """
    _check(weight, imf, size_units)
    return max(weight, 0.8 * weight + imf * math.sqrt(abs(size_units))) if imf > 0.0 else weight


def asset_weight(weight: float, imf: float, size_units: float) -> float:
    """Return the weight of a collateral: min(w, 1.1/(1 + imf sqrt(size))).

    Source: Drift, size discount of asset weights. Raises ValueError as `liability_weight`.
    """
    _check(weight, imf, size_units)
    return min(weight, 1.1 / (1.0 + imf * math.sqrt(abs(size_units)))) if imf > 0.0 else weight


def _check(weight: float, imf: float, size_units: float) -> None:
    if not (0.0 <= weight < math.inf and 0.0 <= imf < math.inf and math.isfinite(size_units)):
        raise ValueError("weight and imf are not negative, and all is finite")
