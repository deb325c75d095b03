"""Other ways to liquidate, over the same ticks: what would have been closed, at what cost, and what debt would be left.

An account that is acted on closes one share of everything that it has, coins it holds as collateral among it, so profit
and loss, requirements and notional shrink in proportion. That is exact for models whose requirement scales with
positions, and leaves out what closing does to prices: `liqmon cascade` looks at that.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from monitor.judgement.insurance import Insurance, ranks
from monitor.judgement.paths import Bools, Floats, Paths
from monitor.judgement.probes import KINDS as PROBES

Share = Annotated[float, Meta(gt=0.0, le=1.0)]


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When and how much is closed; costs are of the notional closed."""

    name: str
    trigger: Literal["margin_call", "liquidation"] = "liquidation"
    close: Literal["everything", "least"] = "least"
    """Everything, or the least share that brings IM down to `leave_v` of equity after costs."""
    most_per_sample: Share = 1.0
    """Of what the account held when it was first acted on."""
    delay_samples: Annotated[int, Meta(ge=0, le=1_000)] = 1
    """Samples between the trigger and the first close."""
    cost_rate: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.002
    """Half a spread, impact and fee, of the notional closed [ours]."""
    leave_v: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.95


POLICIES = (
    Policy(name="close all", close="everything"),
    Policy(name="least share"),
    Policy(name="a fifth a sample", most_per_sample=0.2),
    Policy(name="at the call", trigger="margin_call"),
    Policy(name="late", delay_samples=10),
)


class Outcome(msgspec.Struct, frozen=True):
    """What a policy came to under one configuration, USD."""

    configuration: str
    policy: str
    acted_on: int
    closed_usd: float
    cost_usd: float
    bad_debt_usd: float
    """Debts of accounts that hold nothing any more: what insurance and winners pay."""
    open_debt_usd: float
    """Debts of accounts that still hold something at the end."""
    debt_without_usd: float
    """Debts at the end if nobody had acted."""
    defaults_without: int
    defaults_avoided: int
    """Accounts that were worth nothing at some sample had nobody acted, and never were under the policy."""
    cost_per_avoided_usd: float | None
    needless: int
    """Accounts acted on that would have kept equity above maintenance to the end from then on."""
    insurance_used_usd: float = 0.0
    deleveraged_usd: float = 0.0
    """Debts that winners bore once the fund was empty."""
    deleveraged: int = 0
    """Winners whose positions were closed for that."""
    unpaid_usd: float = 0.0
    """Debts beyond both."""


def outcome(paths: Paths, name: str, policy: Policy, insurance_usd: float | None = None) -> Outcome:
    """Return what a policy would have come to, over all accounts but probes, with so large a fund (None: no end)."""
    of = paths.where(~np.isin(paths.kinds, PROBES))
    one = of.of(name)
    status = one.configuration.parameters.status
    size = len(of.accounts)
    equity, left = of.equity_usd[0].copy(), np.ones(size)
    since = np.full(size, -1)
    closed, cost = np.zeros(size), np.zeros(size)
    ruined, reached = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    fund = Insurance() if insurance_usd is None else Insurance(insurance_usd)
    profit = np.zeros(size)
    for t in range(len(of.times_us)):
        if t:
            flow = of.flow_usd[t] - of.flow_usd[t - 1]
            earned = of.equity_usd[t] - of.equity_usd[t - 1] - flow
            profit = profit + left * np.nan_to_num(earned)
            equity = equity + left * np.nan_to_num(earned) + flow
        im, mm, gross = (left * np.nan_to_num(row[t]) for row in (one.im_usd, one.mm_usd, of.gross_usd))
        ruined |= (equity <= 0.0) & (left > 0.0)
        need = im >= status.margin_call_enter_v * equity if policy.trigger == "margin_call" else (
            mm >= status.liquidation_enter_u * equity)  # fmt: skip
        need &= (left > 0.0) & (gross > 0.0) & ~of.held[t]
        over = (equity > 0.0) & (im <= policy.leave_v * equity)
        since = np.where((since >= 0) & over, -1, np.where((since < 0) & need, t, since))
        acts = (since >= 0) & (t - since >= policy.delay_samples) & (left > 0.0) & ~of.held[t]
        share = np.where(acts, _share(policy, equity, im, gross), 0.0)
        if policy.most_per_sample < 1.0:
            share = np.where(
                left > 0.0, np.minimum(share, policy.most_per_sample / np.where(left > 0.0, left, 1.0)), 0.0
            )
        spent = policy.cost_rate * share * gross
        closed, cost, equity = closed + share * gross, cost + spent, equity - spent
        gone = (share >= 1.0) & (left > 0.0) & (equity < 0.0)
        left = np.where(share >= 1.0, 0.0, left * (1.0 - share))
        if gone.any() and (unpaid := fund.pay(float(-equity[gone].sum()))) > 0.0:
            own = left * np.nan_to_num(of.gross_usd[t])
            rank = ranks(profit, equity, own, since >= 0)
            borne, taken = fund.deleverage(unpaid, float(gross[gone].sum()), rank, own)
            equity, reached = equity - borne, reached | (taken > 0.0)
            left = left * (1.0 - np.divide(taken, own, out=np.zeros(size), where=own > 0.0))
    last = np.nan_to_num(of.equity_usd[-1])
    without = np.any((of.equity_usd <= 0.0) & (of.gross_usd > 0.0), axis=0)
    acted = closed > 0.0
    avoided = int((without & ~ruined & acted).sum())
    total = float(cost.sum())
    return Outcome(
        name, policy.name, int(acted.sum()), float(closed.sum()), total,
        float(np.maximum(-equity, 0.0)[left <= 0.0].sum()), float(np.maximum(-equity, 0.0)[left > 0.0].sum()),
        float(np.maximum(-last, 0.0).sum()), int(without.sum()), avoided, total / avoided if avoided else None,
        int((acted & ~_fell(of, name)).sum()), fund.used_usd, fund.deleveraged_usd, int(reached.sum()), fund.unpaid_usd,
    )  # fmt: skip


def _share(policy: Policy, equity: Floats, im: Floats, gross: Floats) -> Floats:
    """Return the share of what is left that has to be closed: (1 - x) IM = leave_v (equity - cost x gross)."""
    if policy.close == "everything":
        return np.ones_like(equity)
    need, gain = im - policy.leave_v * equity, im - policy.leave_v * policy.cost_rate * gross
    enough = (gain > 0.0) & (need < gain) & (equity > 0.0)
    found: Floats = np.where(enough, np.maximum(need, 0.0) / np.where(enough, gain, 1.0), 1.0)
    return found


def _fell(of: Paths, name: str) -> Bools:
    """Return who was ever at or below maintenance, bool[N]."""
    with np.errstate(invalid="ignore"):
        fell: Bools = np.asarray(np.any(of.equity_usd <= of.of(name).mm_usd, axis=0))
    return fell
