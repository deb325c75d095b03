"""Group `derive_dutch_auction`: bids in an auction of Derive, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from kernels.liquidation import auction
from monitor.vectors.inputs import read, refused_at

NotNegative = Annotated[float, Meta(ge=0.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class _Parameters(msgspec.Struct, frozen=True):
    starting_mtm_pct: Share
    fast_cutoff_pct: Share
    fast_length_s: NotNegative
    slow_length_s: NotNegative
    insolvent_length_s: NotNegative
    liquidator_fee_rate: NotNegative
    buffer_margin_pct: NotNegative
    small_account_mtm: float = 0.0


class _Step(msgspec.Struct, frozen=True):
    elapsed_s: NotNegative
    mtm: float
    mm: float
    requested_fraction: NotNegative
    reserved_cash: NotNegative = 0.0


class _Inputs(msgspec.Struct, frozen=True):
    params: _Parameters
    steps: list[_Step]


def derive_dutch_auction(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Bid in an auction: params, steps[{elapsed_s, mtm, mm, reserved_cash, requested_fraction}] -> steps[].

    A step is one bid, and its requested_fraction one of what is left then. Returns for each the buffer_margin before
    it, discount and phase, max_fraction and filled_of_current (of what is left), filled_fraction (of the original,
    that is times what earlier steps left), cash_from_bidder, cash_to_bidder, and what the account is worth after it at
    unchanged marks: post_mtm, post_mm, post_reserved_cash, post_buffer_margin, post_max_fraction at the same discount.
    """
    given = read(inputs, _Inputs)
    terms = _terms(given.params)
    steps, left = [], 1.0
    for number, step in enumerate(given.steps):
        before = auction.Account(step.mtm, step.mm, step.reserved_cash)
        with refused_at(f"steps[{number}]"):
            done = auction.bid(terms, before, step.elapsed_s, step.requested_fraction)
        after, share = auction.settled(before, done), auction.discount(terms, step.elapsed_s)
        steps.append({
            "phase": done.phase, "discount": share, "buffer_margin": done.buffer_margin_usd,
            "max_fraction": done.available, "filled_of_current": done.fraction,
            "filled_fraction": done.fraction * left,
            "cash_from_bidder": done.cash_from_bidder_usd, "cash_to_bidder": done.cash_to_bidder_usd,
            "post_mtm": after.value_usd, "post_mm": after.mm_excess_usd, "post_reserved_cash": after.reserved_usd,
            "post_buffer_margin": auction.buffer_margin(terms, after),
            "post_max_fraction": auction.available_fraction(terms, after, share),
        })  # fmt: skip
        left *= 1.0 - done.fraction
    return {"steps": steps}


def _terms(given: _Parameters) -> auction.Auction:
    return auction.Auction(
        start_share=given.starting_mtm_pct,
        cutoff_share=given.fast_cutoff_pct,
        fast_s=given.fast_length_s,
        slow_s=given.slow_length_s,
        insolvent_s=given.insolvent_length_s,
        fee_rate=given.liquidator_fee_rate,
        buffer_share=given.buffer_margin_pct,
        small_account_usd=given.small_account_mtm,
    )
