"""Model P over the book: losses by move of every account, correlation matrices, exact solves.

A cache like the book: it can be thrown away and rebuilt, and then says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels import netted_accounts, netted_bounds
from monitor.engine.correlation import gather
from monitor.engine.figures import Figures, Floats, Ints
from monitor.models.netted import Solution, solve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.engine.column import Column, Segments
    from monitor.engine.market import Market
    from schemas.records import NettingParameters, Regime


class Netting:
    """Losses and matrices of the netted accounts of one book."""

    def __init__(self) -> None:
        self._pool = np.zeros((64, 9))
        self._free = list(range(63, -1, -1))
        self._columns: list[Column] = []
        self._arranged: dict[int, Segments] = {}  # by column: the segments in whose order its losses lie
        self._coin_of: dict[str, int] = {}
        self._coin = np.zeros(0, dtype=np.int64)
        self._width = np.zeros(0, dtype=np.int64)
        self._sets: list[NettingParameters] = []
        self._matrices = np.zeros((0, 1, 0, 0))
        self._names: tuple[str, ...] = ()
        self._stress = np.zeros(0)
        self.mm_factor = np.zeros(0)

    # --- what the book has ------------------------------------------------------------------------

    def add_column(self, column: Column, market: Market) -> None:
        """Take a column; its index is the number of those before it."""
        self._columns.append(column)
        self._coin_of.setdefault(column.underlying, len(self._coin_of))
        self._coin = np.append(self._coin, self._coin_of[column.underlying])
        self._width = np.append(self._width, 1)
        self.build_matrices(market)

    def set_parameters(self, sets: Sequence[NettingParameters], market: Market) -> None:
        """Take the netting parameters of all parameter sets of the book, by set index."""
        self._sets = list(sets)
        self.mm_factor = np.array([p.mm_factor for p in sets])
        self.build_matrices(market)

    def build_matrices(self, market: Market) -> None:
        """Take the correlations now in force: matrices of all sets over all coins, and each set's k."""
        coins = list(self._coin_of)
        self._names = market.ticks.correlation.names
        self._stress = np.array([stress_in(market.ticks.regime.regime, p) for p in self._sets])
        stacks = [matrices_of(market, coins, p.floor_correlation) for p in self._sets]
        self._matrices = np.ascontiguousarray(stacks) if stacks else np.zeros((0, 1, len(coins), len(coins)))

    def take_slot(self, figures: Figures, row: int, place: int) -> None:
        """Give an account room in the pool for its losses in an underlying."""
        if figures.slot[row, place] >= 0:
            return
        if not self._free:
            size = len(self._pool)
            self._pool = np.vstack([self._pool, np.zeros_like(self._pool)])
            self._free = list(range(2 * size - 1, size - 1, -1))
        figures.slot[row, place] = self._free.pop()

    def free_slot(self, figures: Figures, row: int, place: int) -> None:
        """Take the room back; the account has no underlying at this place any more."""
        if figures.slot[row, place] >= 0:
            self._free.append(int(figures.slot[row, place]))
            figures.slot[row, place] = -1

    # --- figures ----------------------------------------------------------------------------------

    def sweep(self, column: Column, f: Figures) -> Ints:
        """Take a column's new prices for all accounts that hold it; return their rows."""
        p, segments = column.pricing, column.segments()
        width = 2 * p.buckets + 1
        self._make_room(column, width)
        if self._arranged.get(column.index) is not segments:
            self._arrange(column, segments, f)
        netted_bounds.sweep(
            segments.indptr, segments.row, segments.quantity, p.pnl, p.value, p.side, segments.accounts,
            segments.places, f.slot, width, self._pool, f.hedge, f.residual, f.value, f.exact,
        )  # fmt: skip
        return segments.accounts

    def _arrange(self, column: Column, segments: Segments, f: Figures) -> None:
        """Put losses of one column side by side, this one's in the order of its segments: a tick writes in sequence."""
        rows, places = np.nonzero(f.slot >= 0)
        of = f.column[rows, places]
        rank = np.arange(len(self._pool))
        rank[f.slot[segments.accounts, segments.places]] = np.arange(len(segments.accounts))
        order = np.lexsort((rank[f.slot[rows, places]], of))
        rows, places = rows[order], places[order]
        pool = np.zeros_like(self._pool)
        pool[: len(order)] = self._pool[f.slot[rows, places]]
        f.slot[rows, places] = np.arange(len(order))
        self._pool = pool
        self._free = list(range(len(pool) - 1, len(order) - 1, -1))
        self._arranged[column.index] = segments

    def store(self, column: Column, accounts: Ints, places: Ints, losses: Floats, f: Figures) -> None:
        """Take a column's new losses of some accounts, in which it has those places."""
        self._make_room(column, losses.shape[1])
        netted_bounds.store_losses(accounts, places, losses, f.slot, self._pool, f.hedge, f.residual, f.exact)

    def _make_room(self, column: Column, width: int) -> None:
        self._width[column.index] = width
        if width > self._pool.shape[1]:
            wider = np.zeros((len(self._pool), width))
            wider[:, : self._pool.shape[1]] = self._pool
            self._pool = wider

    def take_correlations(self, rows: Ints, f: Figures, market: Market) -> None:
        """Put newly published correlations in force for some accounts."""
        self.build_matrices(market)
        netted_accounts.take_matrices(
            rows, f.netted, f.count, f.column, self._coin, f.threshold_set, self._matrices, self._stress, f.hedge,
            f.mean, f.norm, f.exact,
        )  # fmt: skip

    def bound(self, rows: Ints, f: Figures) -> None:
        """Compute the lower bounds of some netted accounts."""
        netted_bounds.lower_bounds(rows, f.count, f.column, f.slot, self._width, self._pool, f.mean, f.lower)

    def solve(self, rows: Ints, f: Figures) -> None:
        """Make the requirement of some netted accounts exact."""
        netted_accounts.solve_rows(
            rows, f.count, f.column, f.slot, self._width, self._coin, f.threshold_set, self._matrices, self._stress,
            self._pool, f.hedge, f.mean, f.residual, f.norm, f.im, f.exact,
        )  # fmt: skip
        f.mm[rows] = self.mm_factor[f.threshold_set[rows]] * f.im[rows]

    def stress_of(self, row: int, f: Figures) -> float:
        """Return k as in force for an account."""
        return float(self._stress[f.threshold_set[row]])

    def matrices_for(self, columns: Sequence[Column], row: int, f: Figures) -> Floats:
        """Return the matrices in force between some columns for an account, float64[K, U, U]."""
        places = np.array([self._coin[column.index] for column in columns], dtype=np.int64)
        return np.ascontiguousarray(self._matrices[f.threshold_set[row]][:, places[:, None], places[None, :]])

    def solution(self, row: int, f: Figures) -> Solution:
        """Solve one account and keep everything that says why."""
        columns = [self._columns[index] for index in f.columns_of(row)]
        matrices = self.matrices_for(columns, row, f)
        losses = [self._pool[f.slot[row, place], : self._width[c.index]] for place, c in enumerate(columns)]
        return solve(losses, matrices, float(self._stress[f.threshold_set[row]]))


def matrices_of(market: Market, underlyings: Sequence[str], floor: float) -> Floats:
    """Return the matrices in force between some underlyings, float64[K, U, U], named by the published view."""
    return gather(market.ticks.correlation, underlyings, floor)


def stress_in(regime: Regime, netting: NettingParameters) -> float:
    """Return k in a correlation regime: its own, and never less than that of calm."""
    if regime == "breakdown":
        return max(netting.correlation_stress, netting.breakdown_stress)
    if regime == "concentration":
        return max(netting.correlation_stress, netting.concentration_stress)
    return netting.correlation_stress
