"""Requirements of models that are too slow for ticks, as an account keeps them from one computation to the next.

Such a requirement is of an earlier moment than the market. A worker that takes the account over could not compute it
again from the market that it finds, and must write the same events: so it is part of the account's stored value.
"""

from __future__ import annotations

from dataclasses import replace

from msgspec import Struct

from monitor.models.margin import Margin, not_computed


class Kept(Struct):
    """What a model said last; `computed` is False where its figures are not numbers, which JSON cannot carry."""

    margin: Margin
    computed: bool = True


def kept_of(margin: Margin) -> Kept:
    """Return a margin as it is stored: without what no event says."""
    if margin.computed:
        return Kept(replace(margin, mm_components={}, statistics={}))
    bare = replace(
        margin, equity_usd=0.0, im_requirement_usd=0.0, mm_requirement_usd=0.0, im_components={}, mm_components={},
        worst=(), parts=(), statistics={},
    )  # fmt: skip
    return Kept(bare, computed=False)


def margin_of(kept: Kept) -> Margin:
    """Return a stored margin; figures that could not be computed are NaN again."""
    m = kept.margin
    return m if kept.computed else not_computed(m.model, m.parameter_hash, m.market_time_us, m.degraded, m.flags)
