"""Liquidation in rounds: a plan, cut down to what may be closed at once, margined again, and a wait.

Every round plans anew at the prices of its moment, so a market that comes back ends a liquidation early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kernels._jit import Floats
from monitor.answers.plan.candidates import Candidates, after, by_name, candidates
from monitor.answers.plan.costs import costs_of
from monitor.answers.plan.planner import plan
from monitor.answers.plan.result import Plan
from monitor.answers.plan.situation import Policy, Situation
from monitor.models.portfolio import Portfolio

_US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a venue liquidates.

    `wait_s` between rounds; at most `cap_usd` of notional in any `cap_interval_s`, of one account and of all together
    if the same `Budget` is given to all; rounds end after `most_rounds`.
    """

    wait_s: float = 1.0
    cap_usd: float = float("inf")
    cap_interval_s: float = 60.0
    most_rounds: int = 1_000

    def __post_init__(self) -> None:
        """Refuse a pace at which nothing ever happens (raises ValueError)."""
        if not (self.wait_s > 0.0 and self.cap_usd > 0.0 and self.cap_interval_s > 0.0 and self.most_rounds > 0):
            raise ValueError("waits, caps and rounds are above zero")


class Budget:
    """What may still be closed, or spent, in the running interval of event time, USD."""

    def __init__(self, cap_usd: float, interval_s: float) -> None:
        self._cap_usd, self._interval_us = cap_usd, round(interval_s * _US_PER_S)
        self._taken: list[tuple[int, float]] = []

    def left_usd(self, at_us: int) -> float:
        """Return what is left at a time: what was taken longer ago than the interval counts no more."""
        self._taken = [(when, usd) for when, usd in self._taken if when > at_us - self._interval_us]
        return max(0.0, self._cap_usd - sum(usd for _, usd in self._taken))

    def take(self, at_us: int, usd: float) -> None:
        """Count an amount at a time."""
        self._taken.append((at_us, usd))


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """One round: what was closed, contracts by instrument, at what cost, and the plan that it was a part of.

    `share` of the plan was within the cap, 1 if all of it was.
    """

    number: int
    at_us: int
    trades: dict[str, float]
    notional_usd: float
    cost_usd: float
    share: float
    plan: Plan
    portfolio: Portfolio


def rounds(
    situation: Situation, policy: Policy, pace: Pace, *, start_us: int, budget: Budget | None = None,
    market: Callable[[Portfolio, int], Situation] | None = None,
) -> Iterator[Round]:  # fmt: skip
    """Yield the rounds of one account's liquidation until it has left its state, or no trades help.

    `market` gives the account at a later time, from its portfolio after the last round; without one prices stay. A
    round whose cap is used up trades nothing and is not told; the next one comes after the wait. Raises CannotPlan.
    """
    purse = budget or Budget(pace.cap_usd, pace.cap_interval_s)
    now, number = situation, 0
    for k in range(pace.most_rounds):
        at_us = start_us + round(k * pace.wait_s * _US_PER_S)
        if k and market is not None:
            now = market(now.portfolio, at_us)
        if purse.left_usd(at_us) <= 0.0:
            continue
        found = plan(now, policy)
        if found.outcome != "reduce":
            return
        of = candidates(now, policy)
        trade = by_name(of, {order.instrument: order.quantity for order in found.orders})
        trade, share = capped(of, trade, purse.left_usd(at_us))
        if not trade.any():
            continue
        notional = notional_usd(of, trade)
        purse.take(at_us, notional)
        each = costs_of(of, now.parameters.add_ons.liquidity, policy).of_each(trade)
        number += 1
        portfolio = after(of, trade, each)
        now = Situation(
            portfolio, now.model, now.parameters, now.parameter_hash, now.in_liquidation, now.hedges
        )  # fmt: skip
        trades = {of.names[i]: float(trade[i]) for i in np.flatnonzero(trade)}
        yield Round(number, at_us, trades, notional, float(np.sum(each)), share, found, portfolio)


def notional_usd(of: Candidates, trade: Floats) -> float:
    """Return the notional of trades, USD."""
    return float(np.abs(of.notional_usd * trade).sum())


def capped(of: Candidates, trade: Floats, left_usd: float) -> tuple[Floats, float]:
    """Return the same share of every trade that a cap on notional allows, in whole lots rounded down, and that share.

    If that is not one lot of anything, one lot of the largest trade that a cap has room for.
    """
    whole = notional_usd(of, trade)
    if whole <= left_usd:
        return trade, 1.0
    share = left_usd / whole
    lots = np.floor(np.abs(trade) * share / of.lot + 1e-9)
    part = np.sign(trade) * np.minimum(lots * of.lot, np.abs(trade))
    if not part.any():
        one = np.minimum(of.lot, np.abs(trade)) * np.abs(of.notional_usd)
        fits = np.flatnonzero((trade != 0.0) & (one <= left_usd))
        if fits.size:
            i = fits[np.argmax(np.abs(trade * of.notional_usd)[fits])]
            part[i] = np.sign(trade[i]) * min(of.lot[i], abs(trade[i]))
    return part, share
