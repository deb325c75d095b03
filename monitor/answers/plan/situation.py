"""What a plan is made from: a portfolio at a moment, its model, what the venue allows, and where the account has to be.

A plain view. It knows no account, no market and no engine: `monitor.answers.plan.engine` builds one from those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from monitor.models.margin import Margin
from monitor.models.portfolio import Portfolio, Rows, Underlying
from monitor.models.registry import MODELS
from schemas.parameters import ParameterSet

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, Meta(gt=0.0)]


class CannotPlan(ValueError):
    """The account has no plan, and why: something of it has no price, or its model is not known."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a venue lets a liquidation do. Half spreads, volumes and impact are those of the liquidity add-on."""

    buffer: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.01
    """Share of the target ratio that is kept free, so that the next tick does not undo the plan [ours]."""
    hedges: bool = False
    """Whether futures without an expiry may be bought and sold beyond what is held."""
    hedge_limit: Annotated[float, Meta(ge=0.0, le=10.0)] = 1.0
    """Largest hedge, as a multiple of the gross delta that the account has in the underlying [ours]."""
    coins: bool = True
    """Whether coins may be sold, and coins owed bought back."""
    fee_rate: Share = 0.0005
    """Fee of each trade, as a share of its notional [ours]."""
    lot_usd: Positive = 10.0
    """Where no lot is known: the largest power of ten of contracts that is not worth more, USD [ours]."""
    lots: Mapping[str, Positive] = msgspec.field(default_factory=dict)
    """Smallest size of a trade by instrument, contracts; of a coin by its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """One account at one moment.

    `in_liquidation` says that its liquidation has begun, or would with these figures. `hedges` are rows of contracts
    that could be traded without being held, by underlying, each as the portfolio's own rows; with prices that are
    finite, and names that the portfolio does not have.
    """

    portfolio: Portfolio
    model: str
    parameters: ParameterSet
    parameter_hash: str
    in_liquidation: bool = True
    hedges: Mapping[str, Underlying] = field(default_factory=dict)

    @property
    def leave_v(self) -> float:
        """IM/equity at which the account leaves the state it is in."""
        status = self.parameters.status
        return status.liquidation_leave_v if self.in_liquidation else status.margin_call_leave_v

    def margin(self, portfolio: Portfolio) -> Margin:
        """Return the exact model's margin of a portfolio; raises CannotPlan where it has none."""
        if self.model not in MODELS:
            raise CannotPlan(f"there is no margin model {self.model}")
        found = MODELS[self.model].compute(portfolio, self.parameters, self.parameter_hash)
        if not found.computed:
            reasons = ", ".join(found.degraded) or "no figures"
            raise CannotPlan(f"account {portfolio.account} cannot be valued: {reasons}")
        return found


def joined(underlying: Underlying, more: Underlying) -> Underlying:
    """Return an underlying with the contracts of another one of the same coin behind its own, none of those held."""
    n = len(more.names) - 1
    rows = Rows._make(np.concatenate([a, b[1:]]) for a, b in zip(underlying.rows, more.rows, strict=True))
    settlement = underlying.settlement and (*underlying.settlement, *(more.settlement[1:] or (None,) * n))
    rates = underlying.funding_rate_8h
    if rates.size:
        rates = np.concatenate([rates, more.funding_rate_8h[1:] if more.funding_rate_8h.size else np.zeros(n)])
    nothing = np.zeros(n)
    return replace(
        underlying, names=(*underlying.names, *more.names[1:]), rows=rows, settlement=settlement, funding_rate_8h=rates,
        quantity=np.concatenate([underlying.quantity, nothing]),
        average_price=np.concatenate([underlying.average_price, nothing]),
        entry_usd=np.concatenate([underlying.entry_usd, nothing]),
        entry_coins=np.concatenate([underlying.entry_coins, nothing]),
    )  # fmt: skip


def without_empty_rows(underlying: Underlying) -> Underlying:
    """Return an underlying with the rows that are held, and the coin."""
    keep = np.flatnonzero(underlying.quantity != 0.0)
    keep = np.concatenate([np.zeros(1, dtype=np.int64), keep[keep > 0]])
    if len(keep) == len(underlying.names):
        return underlying
    settlement, rates = underlying.settlement, underlying.funding_rate_8h
    return replace(
        underlying, names=tuple(underlying.names[row] for row in keep),
        rows=Rows._make(column[keep] for column in underlying.rows),
        settlement=settlement and tuple(settlement[row] for row in keep),
        funding_rate_8h=rates[keep] if rates.size else rates, quantity=underlying.quantity[keep],
        average_price=underlying.average_price[keep], entry_usd=underlying.entry_usd[keep],
        entry_coins=underlying.entry_coins[keep],
    )  # fmt: skip
