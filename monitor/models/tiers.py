"""Tables of marginal tiers in the form that kernels take."""

from __future__ import annotations

import math
from itertools import pairwise

from kernels.marginal_tiers import Tier
from schemas.tiers import MarginalTiers


def tiers_of(table: MarginalTiers) -> tuple[Tier, ...]:
    """Return the slices of a table with both their bounds, USD."""
    ends = [0.0, *(math.inf if tier.up_to_usd is None else tier.up_to_usd for tier in table.tiers)]
    return tuple(Tier(*bounds, tier.rate) for bounds, tier in zip(pairwise(ends), table.tiers, strict=True))
