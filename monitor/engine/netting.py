"""Model P over the book: correlation matrices in force, exact solves, and what new matrices leave of older ones.

A cache like the book: it can be thrown away and rebuilt, and then says the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kernels import netted_accounts
from monitor.engine.correlation import gather
from monitor.engine.figures import Figures, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.engine.judged import Judged
    from monitor.engine.market import Market
    from monitor.engine.segments import Segments
    from monitor.engine.tables import Tables
    from schemas.records import NettingParameters, Regime

LISTS = 1_024  # sets of coins whose matrices are kept as lists: as many as ten coins have


class InForce(NamedTuple):
    """Matrices between coins, float64[K, N, N]; never written to again, and no coin's place ever changes.

    `lists` has what `listed` was asked for.
    """

    matrices: Floats
    coin_of: Mapping[str, int]
    lists: dict[tuple[str, ...], list[float]]

    def between(self, underlyings: Sequence[str]) -> Floats:
        """Return the matrices between some underlyings, float64[K, U, U]."""
        places = np.array([self.coin_of[name] for name in underlyings], dtype=np.int64)
        return np.ascontiguousarray(self.matrices[:, places[:, None], places[None, :]])

    def listed(self, underlyings: tuple[str, ...]) -> list[float]:
        """Return `between` flattened in C order; nobody may write to it: many accounts hold the same coins."""
        found = self.lists.get(underlyings)
        if found is None:
            if len(self.lists) >= LISTS:
                self.lists.clear()
            found = self.lists[underlyings] = self.between(underlyings).ravel().tolist()
        return found


class Netting:
    """Matrices between the coins of one book, by parameter set."""

    def __init__(self) -> None:
        self._coin_of: dict[str, int] = {}
        self._sets: list[NettingParameters] = []
        self._matrices = np.zeros((0, 1, 0, 0))
        self._in_force: list[InForce] = []
        self.stress = np.zeros(0)
        self.mm_factor = np.zeros(0)

    def coin(self, underlying: str, market: Market) -> int:
        """Return an underlying's place in the matrices, a new one if it has none."""
        place = self._coin_of.get(underlying)
        if place is None:
            place = self._coin_of[underlying] = len(self._coin_of)
            self._build_matrices(market)
        return place

    def add_set(self, netting: NettingParameters, market: Market) -> None:
        """Take the netting parameters of a parameter set; its index is the number of those before it."""
        self.set_parameters([*self._sets, netting])
        self._build_matrices(market)

    def set_parameters(self, sets: Sequence[NettingParameters]) -> None:
        """Take changed parameters, by set index; matrices and k are in force with the next `take_correlations`."""
        self._sets = list(sets)
        self.mm_factor = np.array([p.mm_factor for p in sets])

    @property
    def in_force(self) -> tuple[Floats, Floats]:
        """Matrices and k by set index, float64[sets, K, N, N] and float64[sets]."""
        return self._matrices, self.stress

    def _build_matrices(self, market: Market) -> None:
        """Take the correlations now in force: matrices of all sets over all coins, and each set's k."""
        coins = list(self._coin_of)
        self.stress = np.array([stress_in(market.ticks.regime.regime, p) for p in self._sets])
        stacks = [matrices_of(market, coins, p.floor_correlation) for p in self._sets]
        self._matrices = np.ascontiguousarray(stacks) if stacks else np.zeros((0, 1, len(coins), len(coins)))
        self._in_force = [InForce(matrices, self._coin_of, {}) for matrices in self._matrices]

    def take_correlations(self, market: Market) -> Floats:
        """Put newly published correlations in force; return `netted_accounts.shrinkage` by set."""
        matrices, stress = self._matrices, self.stress
        self._build_matrices(market)
        return np.array([
            netted_accounts.shrinkage(before, after, old, new)
            for before, after, old, new in zip(matrices, self._matrices, stress, self.stress, strict=True)
        ])  # fmt: skip

    def shrink(self, rows: Ints, f: Figures, segments: Segments, tables: Tables, shrunk: Floats) -> None:
        """Let bounds of some netted accounts rest on the matrices in force; shrunk: float64[sets]."""
        s = segments
        netted_accounts.take_matrices(
            rows, f.slot, s.page_column, tables.columns, s.hedge, s.left, s.right, s.share, f.record, f.shorts,
            self._matrices, self.stress, shrunk,
        )  # fmt: skip

    def solve(
        self, rows: Ints, f: Figures, segments: Segments, tables: Tables, judged: Judged, *, judging: bool
    ) -> Floats:
        """Return the exact requirement of some netted accounts, USD, and judge them by it if that is asked for."""
        s, requirement = segments, np.empty(len(rows))
        netted_accounts.solve_rows(
            rows, judging, f.slot, s.page_column, tables.columns, tables.values, s.start, s.stop, s.row, s.quantity,
            s.hedge, s.left, s.right, s.share, f.record, f.shorts, self._matrices, self.stress, self.mm_factor,
            judged.thresholds, judged.bits, requirement, judged.changed, judged.counts,
        )  # fmt: skip
        return requirement

    def matrices_between(self, underlyings: Sequence[str], set_index: int) -> Floats:
        """Return the matrices in force between some underlyings for a parameter set, float64[K, U, U]."""
        return self.matrices_now(set_index).between(underlyings)

    def matrices_now(self, set_index: int) -> InForce:
        """Return all matrices in force for a parameter set: they stay as they are when others follow."""
        return self._in_force[set_index]


def largest_change(before: Floats, after: Floats, stress_before: float, stress_after: float) -> float:
    """Return by how much any element of a set's matrices changed; infinite where something else did."""
    if before.shape != after.shape or stress_before != stress_after:
        return math.inf
    largest = float(np.max(np.abs(after - before), initial=0.0))
    return largest if math.isfinite(largest) else math.inf


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
