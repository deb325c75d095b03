"""Random accounts that are short, for plans: books of `tests.netted_portfolios` with coins and cash of their own.

`python -m tests.plan_books [BOOKS] [MODEL]` plans for that many and prints what plans save against the baselines, and
how well shadow prices say what one lot more releases.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import click
import numpy as np

from monitor.answers.plan import Plan, Policy, Situation, plan
from monitor.answers.plan.candidates import after, by_name, candidates
from monitor.answers.plan.costs import costs_of
from monitor.models.margin import Margin
from monitor.models.portfolio import Portfolio
from monitor.models.registry import MODELS
from schemas.parameters import ParameterSet
from tests.netted_portfolios import CODES, Quantities, Universe, portfolio, random_books

SHARES = (5, 25, 50, 75, 95)


def owned(of: Portfolio) -> Portfolio:
    """The portfolio with its coins as balances; inverse contracts entered at their marks, with the market's delta."""
    found = []
    for u in of.underlyings:
        inverse = u.rows.kind == CODES["inverse"]
        delta = np.where(inverse, u.rows.size / u.rows.forward, u.rows.market_delta_coins)
        rows = u.rows._replace(market_delta_coins=delta)
        entry_coins = np.where(inverse, u.quantity * u.rows.size / u.rows.forward, 0.0)
        coins, average = float(u.quantity[0] - entry_coins.sum()), np.where(inverse, u.rows.forward, 0.0)
        own = dataclasses.replace(u, coins=coins, rows=rows, entry_coins=entry_coins, average_price=average)
        found.append(own)
    return dataclasses.replace(of, underlyings=tuple(found))


def parameters(universe: Universe) -> ParameterSet:
    """The parameter set of a universe."""
    return ParameterSet(name="s", event_time_us=1, underlyings={coin.name: coin.shocks for coin in universe.coins})


def situation(universe: Universe, held: Quantities, v: float, model: str = "P") -> Situation:
    """An account whose cash makes IM/equity so large, in liquidation."""
    chosen = parameters(universe)
    without = owned(portfolio(universe, held, 0.0))
    need = MODELS[model].compute(without, chosen, "hash").im_requirement_usd
    account = owned(portfolio(universe, held, need / v - without.equity_usd))
    return Situation(account, model, chosen, "hash")


def breached(count: int, seed: int, model: str = "P") -> Iterator[Situation]:
    """So many accounts that need something and are short of it, by a little or by most of it."""
    dice = np.random.default_rng(seed)
    every = (situation(u, held, float(dice.uniform(1.05, 2.5)), model) for u, held in random_books(2 * count, seed))
    short = (one for one in every if one.portfolio.equity_usd > 1.0)
    return itertools.islice(short, count)


def cheapest_baseline(found: Plan) -> float:
    """Cost of the cheaper baseline that gets there, infinite if none does."""
    return min((one.cost_usd for one in found.baselines if one.cost_usd is not None), default=math.inf)


def executed(one: Situation, found: Plan, more: Mapping[str, float] | None = None) -> Margin:
    """Return the exact model's margin after a plan, and further trades at no further cost."""
    of = candidates(one, Policy())
    trades = {order.instrument: order.quantity for order in found.orders}
    cost = costs_of(of, one.parameters.add_ons.liquidity, Policy()).of_each(by_name(of, trades))
    for name, quantity in (more or {}).items():
        trades[name] = trades.get(name, 0.0) + quantity
    return one.margin(after(of, by_name(of, trades), cost))


@dataclass
class Shadows:
    """How shadow prices did: one lot more by the exact model, against what was said of it.

    Smooth is where one lot more releases what one lot less binds, to 5 %: no kink of the exact requirement between. A
    slope lies between the two, so at a kink it can be far from either. `near` is within 5 %.
    """

    smooth: int = 0
    near: int = 0
    wrong_sign: int = 0
    kinks: int = 0
    kinks_near: int = 0
    kinks_wrong_sign: int = 0
    nothing: int = 0

    def take(self, one: Situation, found: Plan) -> None:
        """Count the shadow prices of a plan."""
        of, traded = candidates(one, Policy()), {order.instrument: order.quantity for order in found.orders}
        before = executed(one, found).im_requirement_usd
        for price in found.shadow_prices:
            i = of.names.index(price.instrument)
            left = of.held[i] + traded.get(price.instrument, 0.0)
            lot = min(float(of.lot[i]), abs(left)) * (1.0 if price.side == "buy" else -1.0)
            if lot == 0.0:
                continue
            released = before - executed(one, found, {price.instrument: lot}).im_requirement_usd
            bound = executed(one, found, {price.instrument: -lot}).im_requirement_usd - before
            said = price.release_usd * abs(lot)
            wrong, near = bool(said * released <= 0.0), bool(abs(said - released) <= 0.05 * abs(released))
            if abs(released) < 1e-6 * before:
                self.nothing += 1
            elif abs(released - bound) > 0.05 * abs(released):
                self.kinks += 1
                self.kinks_near += near
                self.kinks_wrong_sign += wrong
            else:
                self.smooth += 1
                self.near += near
                self.wrong_sign += wrong


def main(count: int, model: str) -> None:
    """Print outcomes, what found the plans, and the distribution of savings."""
    outcomes: Counter[str] = Counter()
    savings, above, shadows = [], [], Shadows()
    for one in breached(count, 1, model):
        found = plan(one, Policy())
        outcomes[f"{found.outcome} by {found.method}"] += 1
        best = cheapest_baseline(found)
        if found.outcome == "reduce":
            assert found.im_after_usd <= one.leave_v * found.equity_after_usd, "the target is missed"
            assert found.cost_usd <= best * (1.0 + 1e-12), "a baseline is cheaper"
            if math.isfinite(best):
                savings.append(1.0 - found.cost_usd / best)
            else:
                outcomes["no baseline gets there"] += 1
            shadows.take(one, found)
            if found.program_cost_usd:
                above.append(found.cost_usd / found.program_cost_usd - 1.0)
    click.echo(str(dict(outcomes)))
    for name, values in (("saved against the cheaper baseline", savings), ("above the program's optimum", above)):
        shares = ", ".join(
            f"p{share} {value:.5f}" for share, value in zip(SHARES, np.percentile(values, SHARES), strict=True)
        )
        click.echo(f"{name}: {shares}")
    click.echo(str(shadows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000, sys.argv[2] if len(sys.argv) > 2 else "P")
