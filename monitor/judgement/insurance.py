"""Who pays for debts: an insurance fund as long as it lasts, then winners, whose positions are closed against debtors'.

Debts are met in the order of samples, at one sample together. What the fund does not pay closes so much of the debtors'
notional against accounts in profit, the highest rank first (profit over equity, times leverage: as venues that publish
a ranking have it), and each of them bears the debt of what it takes. Positions are shares of everything here, so a
winner is not asked whether it holds the other side of this debtor's contract: sums are right, whom they reach
is a guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitor.judgement.paths import Bools, Floats


@dataclass(slots=True)
class Insurance:
    """A fund and what was asked of it, USD; `left_usd` infinite is one that pays everything."""

    left_usd: float = math.inf
    used_usd: float = 0.0
    deleveraged_usd: float = 0.0
    """Debts that winners bore."""
    unpaid_usd: float = 0.0
    """Debts beyond what the positions of winners could be closed against."""

    def pay(self, debt_usd: float) -> float:
        """Pay a debt as far as the fund lasts; return what it does not pay."""
        paid = min(debt_usd, self.left_usd)
        self.left_usd -= paid
        self.used_usd += paid
        return debt_usd - paid

    def deleverage(
        self, debt_usd: float, notional_usd: float, rank: Floats, gross_usd: Floats
    ) -> tuple[Floats, Floats]:  # fmt: skip
        """Close a notional that left a debt against accounts in the order of `rank`, float64[N], NaN of those spared.

        Return what each bears, and the notional closed of each, float64[N] USD.
        """
        closed = np.zeros_like(gross_usd)
        order = [n for n in np.argsort(-rank, kind="stable").tolist() if math.isfinite(rank[n])]
        before = np.concatenate([[0.0], np.cumsum(gross_usd[order])[:-1]]) if order else np.zeros(0)
        closed[order] = np.clip(notional_usd - before, 0.0, gross_usd[order])
        borne = debt_usd * closed / notional_usd if notional_usd > 0.0 else np.zeros_like(closed)
        total = float(borne.sum())
        self.deleveraged_usd += total
        self.unpaid_usd += max(0.0, debt_usd - total)
        return borne, closed


def ranks(profit_usd: Floats, equity_usd: Floats, gross_usd: Floats, spared: Bools) -> Floats:
    """Return profit over equity times gross notional over equity, NaN for who is not in profit, or is spared."""
    winning = (profit_usd > 0.0) & (equity_usd > 0.0) & (gross_usd > 0.0) & ~spared
    safe = np.where(winning, equity_usd, 1.0)
    found: Floats = np.where(winning, profit_usd / safe * (gross_usd / safe), math.nan)
    return found
