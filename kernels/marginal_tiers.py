"""Charges that grow slice by slice, as an income tax does: each slice of an amount at its own rate.

OKX's minimum charge (MR7) and stable-coin charge (MR9) are of this form (its help pages).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Tier(NamedTuple):
    """One slice: the amount it starts after, the amount it ends at (infinity: nowhere), and its rate."""

    start: float
    end: float
    rate: float


class MarginalCharge(NamedTuple):
    """The charge, and the part of the amount that lies in no slice and was charged nothing."""

    charge: float
    uncovered: float


def marginal_charge(amount: float, tiers: Sequence[Tier]) -> MarginalCharge:
    """Return sum over tiers of (min(amount, end) - start)+ rate, in the unit of the amount times that of the rate.

    Every slice counts as stated: where two overlap both do. NaN in gives NaN. Raises ValueError on a negative amount
    and on bounds that are NaN. Tables without gap and end are the business of `schemas.tiers`.
    """
    if amount < 0.0:
        raise ValueError("an amount to charge is not negative")
    if math.isnan(amount):
        return MarginalCharge(math.nan, math.nan)
    charge, covered_to, uncovered = 0.0, 0.0, 0.0
    for start, end, rate in sorted(tiers):
        if math.isnan(start) or math.isnan(end):
            raise ValueError("a tier has two bounds")
        reached = min(amount, end)
        if reached > start:
            charge += (reached - start) * rate
            uncovered += max(0.0, start - covered_to)
            covered_to = max(covered_to, reached)
    return MarginalCharge(charge, uncovered + max(0.0, amount - covered_to))


def minimum_charge(raw_charge: float, other_units: float, tiers: Sequence[Tier]) -> tuple[float, float]:
    """Return the raised minimum charge and the maintenance requirement: the larger of it and of the other units.

    All in one currency; `tiers` carry multipliers of the raw charge. Source: OKX, portfolio margin, unit MR7 (2022).
    NaN in gives NaN. Raises ValueError as `marginal_charge`.
    """
    raised = marginal_charge(raw_charge, tiers).charge
    if math.isnan(raised) or math.isnan(other_units):
        return raised, math.nan
    return raised, max(raised, other_units)
