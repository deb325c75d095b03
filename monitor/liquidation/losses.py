"""Who pays what a liquidated account cannot: its own equity, the insurance fund, profitable counterparties, everybody.

In this order. Source: docs/liquidation.md; the ranking of counterparties is the published idea of several venues, the
waterfall with its caps is ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fund:
    """An insurance fund: its cash, and what of it may be spent now, both USD."""

    cash_usd: float
    spendable_usd: float = math.inf

    def __post_init__(self) -> None:
        """Refuse a fund in debt (raises ValueError)."""
        if not (self.cash_usd >= 0.0 and self.spendable_usd >= 0.0):
            raise ValueError("a fund has no debt and no negative cap")


@dataclass(frozen=True, slots=True)
class Covered:
    """How a loss was covered, USD: by the fund, and what is left for others; the fund after it."""

    by_fund_usd: float
    left_usd: float
    fund: Fund


def bankruptcy_price(fee_usd: float, quantity: float, size: float, equity_usd: float, mark_usd: float) -> float:
    """Return the price at which closing a linear position leaves no equity, USD per coin; 0 at the least.

    `fee_usd` is the fee of the close; the account's other positions stay at their marks. Raises
    ValueError for no position.
    """
    if quantity == 0.0 or size <= 0.0:
        raise ValueError("a position has a quantity and a size")
    return max(0.0, mark_usd - (equity_usd - fee_usd) / (quantity * size))


def inverse_bankruptcy_price(quantity: float, size_usd: float, equity_coins: float, mark_usd: float) -> float:
    """Return the same of an inverse position, whose equity is in coins; infinite where no price leaves none.

    size_usd: face of a contract. Source: 1/p = 1/mark + equity/(q size), since a contract pays size (1/mark - 1/p).
    """
    if quantity == 0.0 or size_usd <= 0.0:
        raise ValueError("a position has a quantity and a size")
    inverse = 1.0 / mark_usd + equity_coins / (quantity * size_usd)
    return 1.0 / inverse if inverse > 0.0 else math.inf


def take_over(fund: Fund, gain_usd: float, max_fee_usd: float = math.inf) -> Covered:
    """Return what becomes of a close against its price at bankruptcy: a gain feeds the fund, a loss is paid from it.

    Of a gain the fund takes at most `max_fee_usd`, the rest is the account's. Of a loss it pays what it has and may
    spend; `left_usd` is for counterparties. Raises ValueError on NaN.
    """
    if math.isnan(gain_usd):
        raise ValueError("a gain is a number")
    if gain_usd >= 0.0:
        fee = min(gain_usd, max_fee_usd)
        return Covered(-fee, 0.0, Fund(fund.cash_usd + fee, fund.spendable_usd))
    paid = min(-gain_usd, fund.cash_usd, fund.spendable_usd)
    return Covered(paid, -gain_usd - paid, Fund(fund.cash_usd - paid, fund.spendable_usd - paid))


@dataclass(frozen=True, slots=True)
class Counterparty:
    """A holder of the other side: signed contracts, profit since entry, notional at entry and now, equity, USD."""

    account: str
    quantity: float
    profit_usd: float
    entry_notional_usd: float
    notional_usd: float
    equity_usd: float

    @property
    def rank(self) -> float:
        """Profit per notional at entry times leverage; zero of those without profit, who come last."""
        if self.profit_usd <= 0.0 or self.entry_notional_usd <= 0.0:
            return 0.0
        leverage = self.notional_usd / self.equity_usd if self.equity_usd > 0.0 else math.inf
        return self.profit_usd / self.entry_notional_usd * leverage


@dataclass(frozen=True, slots=True)
class Deleveraged:
    """Contracts closed by account, signed as their change of position, what found no counterparty, and overshoot.

    `overshoot` is what would be closed too much if everybody of the last tier were closed whole.
    """

    closed: dict[str, float]
    left: float
    overshoot: float


def deleverage(quantity: float, others: Sequence[Counterparty], tiers: int = 5) -> Deleveraged:
    """Close a residual position against the counterparties with the highest rank, exactly.

    quantity: the residual's signed contracts. Counterparties hold the other side and a profit; they are put into tiers
    of equal number by rank, those with one rank in one tier; of the last tier that is needed all are closed by the same
    share. Names break no tie: within a tier order does not matter. Raises ValueError on fewer tiers than one.
    """
    if tiers < 1:
        raise ValueError("there is at least one tier")
    side = -math.copysign(1.0, quantity)
    eligible = sorted(
        (one for one in others if one.quantity * side > 0.0 and one.rank > 0.0),
        key=lambda one: (-one.rank, one.account),
    )
    need, overshoot = abs(quantity), 0.0
    closed: dict[str, float] = {}
    for tier in _tiers(eligible, tiers):
        if need <= 0.0:
            break
        held = math.fsum(abs(one.quantity) for one in tier)
        share = min(1.0, need / held)
        for one in tier:
            closed[one.account] = closed.get(one.account, 0.0) - one.quantity * share
        overshoot = max(0.0, held - need)
        need = max(0.0, need - held)
    return Deleveraged(closed, math.copysign(need, quantity) if need else 0.0, overshoot)


def _tiers(ranked: Sequence[Counterparty], tiers: int) -> list[list[Counterparty]]:
    size, found = math.ceil(len(ranked) / tiers), list[list[Counterparty]]()
    for one in ranked:
        if found and (len(found[-1]) < size or found[-1][-1].rank == one.rank):
            found[-1].append(one)
        else:
            found.append([one])
    return found


def socialised(loss_usd: float, equities_usd: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """Return the haircut that a loss makes on all equity above zero, in [0, 1], and what each account pays, USD.

    A loss larger than all of it takes all of it. Raises ValueError on a negative loss.
    """
    if not loss_usd >= 0.0:
        raise ValueError("a loss is not negative")
    total = math.fsum(max(0.0, usd) for usd in equities_usd.values())
    haircut = min(1.0, loss_usd / total) if total > 0.0 else (0.0 if loss_usd == 0.0 else 1.0)
    return haircut, {name: haircut * max(0.0, usd) for name, usd in equities_usd.items() if usd > 0.0}
