"""Sales as venues do them, over time: Derive's auction as a schedule, Drift's steps, dYdX's orders.

Built on the closed forms of `kernels.liquidation`, with the terms of `schemas.liquidation`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from kernels.liquidation import auction, drift, dydx
from kernels.liquidation.auction import Account, Auction, Phase
from kernels.liquidation.bidding import FirstBid, first_bid
from schemas.liquidation import AuctionParameters, DriftLiquidationParameters, DydxLiquidationParameters


class Offer(NamedTuple):
    """What an auction offers at one time: phase, share of the value asked, largest fraction, and its price in USD.

    A price below zero is paid to the bidder.
    """

    elapsed_s: float
    phase: Phase
    share: float
    fraction: float
    price_usd: float


def terms_of(parameters: AuctionParameters) -> Auction:
    """Return the terms of an auction; fields go by name."""
    return Auction(**msgspec.structs.asdict(parameters))


def offers(parameters: AuctionParameters, account: Account, times_s: Iterable[float]) -> list[Offer]:
    """Return what an auction offers at some times at unchanged marks, with nobody bidding before.

    Raises ValueError as `kernels.liquidation.auction.check`, and on a negative time.
    """
    terms, found = terms_of(parameters), []
    for elapsed_s in times_s:
        whole = auction.bid(terms, account, elapsed_s, 1.0)
        share = auction.discount(terms, elapsed_s) if whole.phase in {"fast", "slow"} else 0.0
        price = whole.cash_from_bidder_usd - whole.cash_to_bidder_usd
        found.append(Offer(elapsed_s, whole.phase, share, whole.fraction, price))
    return found


def profitable_from(
    parameters: AuctionParameters, account: Account, min_edge_usd: float, cost_usd: float = 0.0, most: float = 1.0
) -> FirstBid | None:
    """Return time, fraction and edge of the first bid that earns an edge, or None; raises ValueError as `first_bid`."""
    return first_bid(terms_of(parameters), account, min_edge_usd, cost_usd, most)


class DriftMarket(NamedTuple):
    """A perpetual market of Drift: oracle price, maintenance ratio, fees; the largest of the liquidator's fee."""

    oracle_price: float
    mm_ratio: float
    liquidator_fee: float
    max_liquidator_fee: float
    insurance_fee: float


class DriftStep(NamedTuple):
    """One step of Drift: coins closed, price to the liquidator, fees to both in USD, and margin freed in USD."""

    coins: float
    price: float
    liquidator_fee_usd: float
    insurance_fee_usd: float
    freed_usd: float


def drift_step(
    parameters: DriftLiquidationParameters, market: DriftMarket, quantity_coins: float, shortage_usd: float,
    freed_usd: float, slots_elapsed: float,
) -> DriftStep:  # fmt: skip
    """Return what one step closes of a position: the shortage's share allowed by now, at the fee of this moment.

    The liquidator takes over below the oracle from a long, above it from a short. Raises ValueError as the forms do.
    """
    share = drift.step_share(
        shortage_usd, freed_usd, slots_elapsed, parameters.initial_share, parameters.duration_slots
    )  # fmt: skip
    fee = drift.ramped_fee(
        market.liquidator_fee, market.max_liquidator_fee, parameters.grace_slots, parameters.increase_per_slot,
        slots_elapsed,
    )  # fmt: skip
    held = abs(quantity_coins)
    if_fee = drift.insurance_fee(
        shortage_usd, held, market.mm_ratio, fee, market.oracle_price, market.insurance_fee
    )  # fmt: skip
    needed = drift.base_to_cover(shortage_usd * share, market.mm_ratio, fee, if_fee, market.oracle_price)
    coins = min(held, needed)
    notional = coins * market.oracle_price
    price = market.oracle_price * (1.0 - math.copysign(fee, quantity_coins))
    freed = notional * (market.mm_ratio - fee - if_fee)
    return DriftStep(coins, price, notional * fee, notional * if_fee, freed)


class DydxOrder(NamedTuple):
    """One liquidation order of dYdX: coins to sell (above zero) or buy, limit price, price at bankruptcy, USD."""

    market: str
    coins: float
    fillable_price: float
    bankruptcy_price: float


def dydx_order(
    parameters: DydxLiquidationParameters, balance_usd: float, positions: Mapping[str, dydx.Position], market: str,
    block_limit_usd: float = math.inf,
) -> DydxOrder:  # fmt: skip
    """Return the order that closes a position as far as the block's limit of notional goes; raises as the forms do."""
    price = dydx.fillable_price(
        balance_usd, positions, market, parameters.bankruptcy_adjustment, parameters.spread_to_mm
    )
    position = positions[market]
    coins = min(abs(position.quantity_coins), block_limit_usd / position.oracle_price)
    value = dydx.bankruptcy_value(balance_usd, positions, market, coins)
    signed = math.copysign(coins, position.quantity_coins)
    return DydxOrder(market, signed, price, value / signed)
