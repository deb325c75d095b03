"""How far an account is from its target after trades, by the exact model; and what one more contract does to it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kernels import move_losses, scenarios
from kernels._jit import Floats, Ints
from kernels.segment_curves import VOL_CELLS
from monitor.answers.plan.candidates import Candidates, after
from monitor.answers.plan.costs import Costs
from monitor.answers.plan.situation import CannotPlan, Situation
from monitor.models import netted
from schemas.add_ons import OFF, beside
from schemas.collateral import CollateralParameters

DEGENERATE = 1e-9  # of a loss: cells as near as that to the worst one are worst, too


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Model P of one underlying over all rows that may be held: P&L by scenario, and the move of each scenario.

    `pnl_usd` float64[rows, S], `move` float64[S] from -1 to 1, `held` float64[rows] before any trade.
    """

    pnl_usd: Floats
    move: Floats
    width: int
    held: Floats

    @property
    def at(self) -> Ints:
        """The move of each scenario by number, int64[S]."""
        found: Ints = np.rint((self.move + 1.0) * (self.width - 1) / 2.0).astype(np.int64)
        return found


def tables(situation: Situation, of: Candidates) -> tuple[Table, ...]:
    """Return model P's tables of a portfolio and its candidates; rows without a price gain nothing and are not held."""
    read = netted.NettedParameters(
        situation.parameters.risk_matrix, situation.parameters.underlyings, situation.parameters.netting
    )
    found = []
    for u in of.portfolio.underlyings:
        shocks = read.of(u.name)
        buckets = shocks.buckets_each_side * u.refinement
        price_range = shocks.price_range if u.price_range is None else u.price_range
        table = scenarios.scenario_table(price_range, buckets, shocks.extended_moves)
        width = 2 * buckets + 1
        move = np.concatenate([
            np.repeat(np.linspace(-1.0, 1.0, width), VOL_CELLS), 1.0 * move_losses.extended_sides(table, buckets)
        ])  # fmt: skip
        found.append(Table(np.nan_to_num(u.pnl_usd(table, shocks)), move, width, u.quantity))
    return tuple(found)


def is_netted_alone(situation: Situation) -> bool:
    """Whether the account's requirement is M* and nothing on top."""
    chosen = situation.parameters
    return (
        situation.model == netted.NAME
        and beside(situation.model, chosen.add_ons) == OFF
        and chosen.collateral == CollateralParameters()
    )


class Evaluator:
    """The excess of an account over its target after trades.

    The excess is `equity - IM/target_v`, USD: at or above zero the target is met. Under model P alone the tables are
    priced once; every other requirement is the registry's, asked anew.
    """

    def __init__(self, situation: Situation, of: Candidates, costs: Costs, target_v: float) -> None:
        self.of, self.costs, self.target_v = of, costs, target_v
        self.tables = tables(situation, of) if situation.model == netted.NAME else ()
        self._situation = situation
        self._alone = is_netted_alone(situation)
        self._equity_usd = situation.portfolio.equity_usd
        self.evaluations = 0

    def equity_usd(self, trade: Floats) -> float:
        """Return equity after trades and their costs."""
        return self._equity_usd - self.costs.total(trade)

    def requirement_usd(self, trade: Floats) -> float:
        """Return the initial requirement after trades: by the same solve as the exact model."""
        self.evaluations += 1
        if not self._alone:
            return self._situation.margin(after(self.of, trade, self.costs.of_each(trade))).im_requirement_usd
        return self.netted(trade).requirement_usd

    def netted(self, trade: Floats) -> netted.Solution:
        """Return model P's solution after trades; raises CannotPlan where the losses are not finite."""
        blocks = self.blocks(trade)
        losses = [curve(table, block) for table, block in zip(self.tables, blocks, strict=True)]
        if not all(np.isfinite(one).all() for one in losses):
            raise CannotPlan(f"account {self.of.portfolio.account} cannot be valued: no losses")
        correlations = self.of.portfolio.correlations
        return netted.solve(losses, correlations.matrices, correlations.stress)

    def blocks(self, trade: Floats) -> list[Floats]:
        """Return the P&L by scenario of each underlying after trades, USD."""
        quantities = [table.held.copy() for table in self.tables]
        cost = self.costs.of_each(trade)
        for i in np.flatnonzero(trade):
            place, row = int(self.of.place[i]), int(self.of.row[i])
            if row:
                left = quantities[place][row] + trade[i]
                quantities[place][row] = 0.0 if trade[i] == self.of.closing[i] else left
                if self.of.coins[i] != 0.0:
                    price = self.of.portfolio.underlyings[place].index_price
                    quantities[place][0] += trade[i] * self.of.coins[i] - cost[i] / price
            else:
                quantities[place][0] += trade[i]
        return [q @ table.pnl_usd for q, table in zip(quantities, self.tables, strict=True)]

    def excess_usd(self, trade: Floats) -> float:
        """Return equity less IM/target_v after trades."""
        return self.equity_usd(trade) - self.requirement_usd(trade) / self.target_v

    def slopes(self, trade: Floats) -> Floats:
        """Return what the requirement changes per contract bought of each candidate, USD, float64[n].

        Under model P in the worst mixture of cells as it stands, else between two neighbouring sizes.
        """
        if self._alone:
            return self.frozen_slopes(trade)
        return self._differences(trade)

    def unit_pnl(self, place: int) -> tuple[Ints, Floats]:
        """Return the candidates of an underlying and the P&L of one contract bought of each, coins it pays included."""
        chosen = np.flatnonzero(self.of.place == place)
        pnl = self.tables[place].pnl_usd
        own = np.where((self.of.row[chosen] > 0)[:, None], pnl[self.of.row[chosen]], 0.0)
        return chosen, own + self.of.coins[chosen, None] * pnl[0]

    def frozen_slopes(self, trade: Floats) -> Floats:
        """Return what M* changes per contract bought while its worst mixture stays, USD, float64[n]; model P."""
        solution, blocks, found = self.netted(trade), self.blocks(trade), np.zeros(len(trade))
        for place, (table, block) in enumerate(zip(self.tables, blocks, strict=True)):
            worst = worst_scenarios(table, block)
            chosen, pnl = self.unit_pnl(place)
            found[chosen] = -pnl[:, worst] @ solution.mixture[place]
        return found

    def _differences(self, trade: Floats) -> Floats:
        base, found = self.requirement_usd(trade), np.zeros(len(trade))
        for i, size in enumerate(self.of.size):
            step = 1e-4 * size
            step = -step if trade[i] + step > self.of.high[i] else step
            moved = trade.copy()
            moved[i] += step
            found[i] = (self.requirement_usd(moved) - base) / step
        return found


def curve(table: Table, block: Floats) -> Floats:
    """Return losses by move from P&L by scenario, float64[width]."""
    cells = VOL_CELLS * table.width
    found = -block[:cells].reshape(table.width, VOL_CELLS).min(axis=1)
    for at, loss in zip(table.at[cells:], -block[cells:], strict=True):
        found[at] = max(found[at], loss)
    losses: Floats = np.ascontiguousarray(found)
    return losses


def worst_scenarios(table: Table, block: Floats) -> Ints:
    """Return the scenario with the largest loss at each move, the first of equals, int64[width]."""
    found = np.zeros(table.width, dtype=np.int64)
    best = np.full(table.width, -math.inf)
    for scenario, (at, loss) in enumerate(zip(table.at, -block, strict=True)):
        if loss > best[at]:
            best[at], found[at] = loss, scenario
    return found
