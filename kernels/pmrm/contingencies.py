"""The charges of model B that are no scenario: basis, naked shorts, perpetuals, collateral, confidence, depeg."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Basis(NamedTuple):
    """Moves of the forward against spot, as factors, and the share of their loss that is charged."""

    spot_up: float
    spot_down: float
    add_factor: float
    mult_factor: float


class Charges(NamedTuple):
    """Rates on notional, and the two thresholds of data: of the stable coin's price and of confidence."""

    peg_threshold: float
    peg_factor: float
    conf_threshold: float
    conf_margin: float
    mm_perp_pct: float
    im_perp_pct_extra: float
    mm_option_pct: float
    im_option_pct_extra: float


def basis_contingency(mtm: float, value_up: float, value_down: float, years: float, by: Basis) -> float:
    """Return one expiry's basis contingency, not above zero: min(both changes, 0) (add_factor + mult_factor T).

    The values are undiscounted (statically) at spot_up and spot_down with volatility as it is. Source: PMRMLib_2.
    """
    return min(value_up - mtm, value_down - mtm, 0.0) * (by.add_factor + by.mult_factor * years)


def naked_shorts(net_by_strike: Iterable[float]) -> float:
    """Return how many options are short and not covered by the other type at the same strike and expiry.

    net_by_strike: calls plus puts of each strike of one expiry. With both short the net is their sum, with opposite
    signs what is left uncovered, with both long it is positive: so all the source's cases are max(0, -net).
    """
    return math.fsum(max(0.0, -net) for net in net_by_strike)


def confidence_charge(confidence: float, notional_usd: float, by: Charges) -> float:
    """Return (1 - c) conf_margin notional where confidence c is below conf_threshold, else 0. Source: PMRMLib_2."""
    return (1.0 - confidence) * by.conf_margin * notional_usd if confidence < by.conf_threshold else 0.0


def depeg_factor(stable_price: float, by: Charges) -> float:
    """Return what a stable coin below its threshold adds to im_factor: (threshold - price) peg_factor, at least 0."""
    return max(0.0, by.peg_threshold - stable_price) * by.peg_factor
