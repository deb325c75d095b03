"""Tables of marginal tiers: each slice of an amount at its own rate."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from schemas.base import Record
from schemas.fields import InvalidRecord

Bound = Annotated[float, Meta(gt=0.0, le=1e18)]
TierRate = Annotated[float, Meta(ge=0.0, le=1_000.0)]


class MarginalTier(Record, frozen=True, kw_only=True):
    """One slice of an amount, from the end of the slice before it."""

    rate: TierRate
    """Rate of the slice: a fraction, or a multiplier."""
    up_to_usd: Bound | None = None
    """Where the slice ends, USD; the last one has no end."""


class MarginalTiers(Record, frozen=True, kw_only=True):
    """A table without gaps: slices follow each other, rates do not fall, and the last slice has no end."""

    tiers: Annotated[tuple[MarginalTier, ...], Meta(min_length=1, max_length=64)]
    """The slices, from 0 upwards."""

    def __post_init__(self) -> None:
        """Refuse slices out of order, falling rates and a table that ends (raises InvalidRecord)."""
        *inner, last = self.tiers
        if last.up_to_usd is not None:
            raise InvalidRecord("the last tier has no end: what lies beyond it would be charged nothing")
        ends = [0.0, *(tier.up_to_usd or 0.0 for tier in inner)]
        if any(after <= before for before, after in pairwise(ends)):
            raise InvalidRecord("each tier but the last ends above the one before")
        if any(after.rate < before.rate for before, after in pairwise(self.tiers)):
            raise InvalidRecord("a larger amount has no lower marginal rate")


def _table(*slices: tuple[float | None, float]) -> MarginalTiers:
    return MarginalTiers(tiers=tuple(MarginalTier(up_to_usd=end, rate=rate) for end, rate in slices))


OKX_MINIMUM_CHARGE = _table(
    (10_000.0, 1.0), (70_000.0, 2.0), (170_000.0, 4.0), (300_000.0, 6.0), (470_000.0, 8.0), (700_000.0, 10.0),
    (None, 12.0),
)  # fmt: skip
"""Multipliers of the raw minimum charge, unit MR7 [doc: OKX help pages, portfolio margin]."""

# The page ends at 10,000,000; that its last rate goes on is ours.
OKX_DEPEG = _table((1_000_000.0, 0.0075), (5_000_000.0, 0.0175), (None, 0.025))
"""Rates on the size hedged across quote currencies, unit MR9 [doc: OKX rule update, December 2024]."""
