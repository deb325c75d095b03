"""The accounts of `benchmarks.sweep_book` under model P, ticked as the engine ticks them.

Arrays and order of calls are those of `monitor.engine.book`. Equity is the requirement times 1 + Exp(1), so one account
in a hundred is within 1 % of a margin call and one in six in some state that is not healthy. Every tick moves one index
by half a basis point, there and back.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from benchmarks.rounds import medians
from benchmarks.sweep_book import ACCOUNTS, INDEX_USD, MOST_HELD, SIDE, WIDTH, Instruments, Priced, Segments, price
from kernels import accounts, move_losses, netted_accounts, netted_bounds, netting
from kernels._jit import Floats, Ints
from monitor.engine.figures import Figures

STEP = 5e-5
THRESHOLDS = np.array([[0.90, 0.85, 1.0, 0.95, 1.0, 1.0]])
BITS = 1 << np.arange(8, dtype=np.int64)
MM_FACTOR, STRESS = np.array([0.8]), np.array([0.1])
SOLVED = 2_000  # accounts in a sample of solves


class Accounts:
    """Figures of all accounts, solved once at the first prices."""

    def __init__(self, held: list[Segments], instruments: list[Instruments], priced: list[Priced]) -> None:
        self._held, self._instruments, self._priced = held, instruments, priced
        self._allocate(len(held))
        slots = 0
        for u, segments in enumerate(held):
            places = self._count[segments.accounts]
            self._column[segments.accounts, places] = u
            self._count[segments.accounts] += 1
            self._places.append(places)
            # As the engine arranges them: underlying by underlying, in the order of the segments.
            self._slot[segments.accounts, places] = np.arange(slots, slots + len(places))
            slots += len(places)
        self._pool = np.zeros((slots, WIDTH))
        for u in range(len(held)):
            self._sweep(u)
        self.solve(np.arange(ACCOUNTS))
        equity = self._im * (1.0 + np.random.default_rng(1).exponential(size=ACCOUNTS))
        self._cash[:] = equity - self._value.sum(axis=1)
        self.unsure = self.solves = self.ticks = 0
        self._refresh(np.arange(ACCOUNTS))
        self._up = [False] * len(held)

    def _allocate(self, underlyings: int) -> None:
        n = ACCOUNTS
        f = Figures(n, MOST_HELD, underlyings)
        self._value, self._hedge, self._mean, self._residual = f.value, f.hedge, f.mean, f.residual
        self._count, self._column, self._slot, self._places = f.count, f.column, f.slot, list[Ints]()
        self._parts, self._lower = f.im_part, f.lower  # requirements that are sums: none here
        self._cash, self._norm, self._equity, self._im, self._mm = f.cash, f.norm, f.equity, f.im, f.mm
        self._exact, self._degraded, self._flags, self._set = f.exact, f.degraded, f.flags, f.threshold_set
        self._yes = np.ones(n, dtype=np.bool_)
        self._changed, self._unsure = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self._counts = np.zeros(2, dtype=np.int64)
        self._no_column = np.zeros(underlyings, dtype=np.bool_)
        self._width, self._coin = np.full(underlyings, WIDTH), np.arange(underlyings)
        equal = [np.full((underlyings, underlyings), rho) + (1.0 - rho) * np.eye(underlyings) for rho in (0.5, 0.85)]
        factor = np.random.default_rng(2).normal(0.0, 0.6, underlyings) + 1.0
        estimate = np.outer(factor, factor) + np.eye(underlyings)
        deviation = np.sqrt(np.diag(estimate))
        estimate /= np.outer(deviation, deviation)
        np.fill_diagonal(estimate, 1.0)
        self._matrices = np.array([[estimate, equal[1], equal[0]]])

    def tick(self, u: int) -> None:
        """Move one index, and bring every account that holds something of it up to date."""
        self._move(u)
        self._refresh(self._held[u].accounts)
        self.ticks += 1

    def tick_upper(self, u: int) -> None:
        """Move one index; accounts that their upper bound leaves open keep the conditions that they had."""
        self._move(u)
        self._totals(self._held[u].accounts, np.zeros(0))

    def refresh(self) -> None:
        """Move all indices, and bring every account up to date."""
        for u in range(len(self._held)):
            self._move(u)
        self._refresh(np.arange(ACCOUNTS))

    def _move(self, u: int) -> None:
        self._up[u] = not self._up[u]
        price(self._instruments[u], INDEX_USD * (1.0 + STEP * self._up[u]), self._priced[u])
        self._sweep(u)

    def _sweep(self, u: int) -> None:
        s, p = self._held[u], self._priced[u]
        netted_bounds.sweep(
            s.indptr, s.row, s.quantity, p.pnl, p.value, SIDE, s.accounts, self._places[u], self._slot, WIDTH,
            self._pool, self._hedge, self._residual, self._value, self._exact,
        )  # fmt: skip

    def solve(self, rows: Ints) -> None:
        """Solve some accounts exactly."""
        netted_accounts.solve_rows(
            rows, self._count, self._column, self._slot, self._width, self._coin, self._set, self._matrices, STRESS,
            self._pool, self._hedge, self._mean, self._residual, self._norm, self._im, self._exact,
        )  # fmt: skip

    def _refresh(self, rows: Ints) -> None:
        """Decide conditions by the upper bound, those left open by the lower one too, the rest by solves."""
        nothing = np.zeros(0)
        self._totals(rows, nothing)
        if not self._counts[1]:
            return
        rows = self._unsure[: self._counts[1]].copy()
        netted_bounds.lower_bounds(
            rows, self._count, self._column, self._slot, self._width, self._pool, self._mean, self._lower
        )
        self.unsure += len(rows)
        self._totals(rows, self._lower)
        if self._counts[1]:
            rows = self._unsure[: self._counts[1]].copy()
            self.solve(rows)
            self.solves += len(rows)
            self._totals(rows, nothing)

    def _totals(self, rows: Ints, lower: Floats) -> None:
        accounts.refresh_totals(
            rows, self._cash, self._value, self._parts, self._parts, self._count, self._column, self._no_column,
            self._degraded, self._yes, self._yes, self._exact, self._norm, self._residual, lower, MM_FACTOR, self._set,
            THRESHOLDS, BITS, self._equity, self._im, self._mm, self._flags, self._changed, self._unsure, self._counts,
        )  # fmt: skip

    def solve_figures(self) -> dict[str, float]:
        """Return the time of a cold exact solve by number of underlyings, and of the closed-form screen by curve."""
        held = self._count
        figures = {}
        for count in range(1, MOST_HELD + 1):
            rows = np.flatnonzero(held == count)[:SOLVED]
            samples = []
            for _ in range(5):
                start_s = time.perf_counter()
                self.solve(rows)
                samples.append(time.perf_counter() - start_s)
            figures[f"solve_us_{count}_underlyings"] = float(np.median(samples)) / len(rows) * 1e6
        curves = self._pool[:10_000]
        counts, hedges = np.full(len(curves), WIDTH), np.empty(len(curves))
        screen_s = medians({"screen": partial(netting.screen, curves, counts, hedges)})["screen"]
        return {**figures, "screen_ns_per_curve": screen_s / len(curves) * 1e9}

    def facts(self) -> dict[str, bool]:
        """Return whether ticks left the curves of a full sweep, and the conditions of solving every account."""
        same = True
        for u, (s, p) in enumerate(zip(self._held, self._priced, strict=True)):
            curves = np.empty((len(s.accounts), WIDTH))
            move_losses.move_losses(s.indptr, s.row, s.quantity, p.pnl, SIDE, curves)
            same &= np.array_equal(curves, self._pool[self._slot[s.accounts, self._places[u]]])
        everyone = np.arange(ACCOUNTS)
        flags = self._flags.copy()
        self.solve(everyone)
        self._totals(everyone, np.zeros(0))
        return {
            "tick_curves_equal_sweep_bit_for_bit": bool(same),
            "tick_conditions_equal_solves": bool((flags == self._flags).all()),
        }
