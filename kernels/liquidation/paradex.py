"""Paradex: the same share of every position, the smallest multiple of a step that suffices.

A share s closes s of every position at its mark and costs s fee MMR, so the ratio after it is
MMR (1 - s)/(value - s fee MMR). It falls with s as long as target fee < 1, and the smallest share under the target is
above (MMR - target value)/(MMR (1 - target fee)). Source: Paradex documentation, page Liquidations: steps of 20 %, a
target of 90 %; its text states a fee of 70 % of the MMR released, its example computes with 50 %: the fee is an input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from kernels.liquidation import checks

NEARLY_ALL = 1.0 - 1e-12  # n steps of 1/n may add up to a rounding less than 1 and would leave dust
# Of the maintenance: what a comparison takes for equal. Value is a difference of collateral and losses, so an account
# on the line is off it by a rounding of either sign; a thousand times more would move the line by what one can see.
ON_THE_LINE = 1e-9


class Position(NamedTuple):
    """A perpetual: signed coins, entry and mark in USD, maintenance fraction of the notional."""

    quantity_coins: float
    entry_price: float
    mark_price: float
    mm_rate: float


class Terms(NamedTuple):
    """The target of the margin ratio, the step of the share, and the penalty per MMR released."""

    target_ratio: float = 0.9
    share_step: float = 0.2
    fee_of_mm: float = 0.7


class PartialLiquidation(NamedTuple):
    """What is closed and what is left; `shortfall_usd` is what the account cannot pay of its losses and penalty."""

    account_value_usd: float
    mm_usd: float
    share: float
    penalty_usd: float
    collateral_after_usd: float
    value_after_usd: float
    margin_ratio_after: float
    quantities_after_coins: tuple[float, ...]
    shortfall_usd: float


def partial_liquidation(collateral_usd: float, positions: Sequence[Position], terms: Terms) -> PartialLiquidation:
    """Return the liquidation of an account: share 0 while its margin ratio is at most 1, the whole if no less suffices.

    Raises ValueError on what is not finite, prices that are not positive, a target outside (0, 1] and a step outside
    (0, 1].
    """
    _check(collateral_usd, positions, terms)
    pnl_usd = math.fsum(p.quantity_coins * (p.mark_price - p.entry_price) for p in positions)
    mm_usd = math.fsum(abs(p.quantity_coins) * p.mark_price * p.mm_rate for p in positions)
    value_usd = collateral_usd + pnl_usd
    share = liquidation_share(value_usd, mm_usd, terms)
    penalty_usd = share * terms.fee_of_mm * mm_usd
    mm_after_usd, value_after_usd = mm_usd * (1.0 - share), value_usd - penalty_usd
    return PartialLiquidation(
        value_usd, mm_usd, share, penalty_usd, collateral_usd + share * pnl_usd - penalty_usd, value_after_usd,
        margin_ratio(mm_after_usd, value_after_usd), tuple(p.quantity_coins * (1.0 - share) for p in positions),
        max(0.0, -value_after_usd) if share == 1.0 else 0.0,
    )  # fmt: skip


def liquidation_share(value_usd: float, mm_usd: float, terms: Terms) -> float:
    """Return the smallest multiple of the step, at most 1, that brings the margin ratio below the target.

    0 while maintenance is met, which an account without positions always does; on the line is met, and on the target is
    not below it. Ratios are compared as products, so an account without value needs no rule of its own: only the whole
    helps it.
    """
    equal_usd = ON_THE_LINE * mm_usd
    if mm_usd - value_usd <= equal_usd or mm_usd == 0.0:
        return 0.0
    relief_usd = mm_usd * (1.0 - terms.target_ratio * terms.fee_of_mm)
    least = (mm_usd - terms.target_ratio * value_usd) / relief_usd if relief_usd > 0.0 else math.inf
    if least >= 1.0:
        return 1.0
    steps = max(1, math.floor(least / terms.share_step))  # one too few at most, which the products settle
    while steps * terms.share_step < NEARLY_ALL:
        share = steps * terms.share_step
        value_after_usd = value_usd - share * terms.fee_of_mm * mm_usd
        if terms.target_ratio * value_after_usd - mm_usd * (1.0 - share) > equal_usd:
            return share
        steps += 1
    return 1.0


def margin_ratio(mm_usd: float, value_usd: float) -> float:
    """Return maintenance over value: 0 with nothing to maintain, infinite without value."""
    if mm_usd == 0.0:
        return 0.0
    return mm_usd / value_usd if value_usd > 0.0 else math.inf


def _check(collateral_usd: float, positions: Sequence[Position], terms: Terms) -> None:
    checks.finite(collateral_usd=collateral_usd)
    checks.not_negative(fee_of_mm=terms.fee_of_mm)
    if not (0.0 < terms.target_ratio <= 1.0 and 0.0 < terms.share_step <= 1.0):
        raise ValueError("target and step lie in (0, 1]")
    for position in positions:
        checks.finite(quantity_coins=position.quantity_coins)
        checks.not_negative(mm_rate=position.mm_rate)
        for price in (position.entry_price, position.mark_price):
            if not 0.0 < price < math.inf:
                raise ValueError(f"prices are positive, got {price}")
