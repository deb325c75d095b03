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
from monitor.engine.judged import Judged
from monitor.engine.segments import Segments as Held
from monitor.engine.tables import Tables

STEP = 5e-5
THRESHOLDS = np.array([[0.90, 0.85, 1.0, 0.95, 1.0, 1.0]])
MM_FACTOR, STRESS = np.array([0.8]), np.array([0.1])
SOLVED = 2_000  # accounts in a sample of solves


class Accounts:
    """Figures of all accounts, solved once at the first prices."""

    def __init__(self, held: list[Segments], instruments: list[Instruments], priced: list[Priced]) -> None:
        self._instruments, self._priced = instruments, priced
        self._matrices = matrices(len(held))
        self._figures, self._segments, self._tables, self._judged = (
            Figures(ACCOUNTS, MOST_HELD),
            Held(),
            Tables(),
            Judged(),
        )
        self._judged.thresholds = THRESHOLDS
        self._judged.make_room(ACCOUNTS)
        self._layout = move_losses.columns_of(WIDTH, SIDE)
        self._rows = np.arange(len(priced[0].value))
        for u, segments in enumerate(held):
            self._load(u, segments)
        self._segments.arrange(self._figures)
        for u in range(len(held)):
            self._fill(u)
        f = self._figures
        f.traits[:] = accounts.NETTED | accounts.HAS_POSITIONS
        self._everyone = np.arange(ACCOUNTS)
        requirement = self.solve(self._everyone)
        f.cash[:] = requirement * (1.0 + np.random.default_rng(1).exponential(size=ACCOUNTS)) - f.value.sum(axis=1)
        self.solves = self.ticks = 0
        self.solve(self._everyone, judging=True)
        self._up = [False] * len(held)

    def _load(self, u: int, held: Segments) -> None:
        f, s = self._figures, self._segments
        s.add_column()
        self._tables.add_column(u)
        self._tables.resize(u, len(self._rows) * len(self._layout), WIDTH)
        for k, row in enumerate(held.accounts.tolist()):
            slot = s.take(u, row)
            own = slice(held.indptr[k], held.indptr[k + 1])
            s.set_positions(slot, held.row[own], held.quantity[own])  # type: ignore[arg-type]
            place = s.place[slot] = f.count[row]
            f.slot[row, place] = slot
            f.count[row] += 1

    def tick(self, u: int) -> None:
        """Move one index, and bring every account that holds something of it up to date."""
        self._move(u)
        self._sweep(u, judging=True)
        self._solve_open()
        self.ticks += 1

    def refresh(self) -> None:
        """Move all indices, and bring every account up to date."""
        for u in range(len(self._priced)):
            self._move(u)
            self._sweep(u, judging=False)
        f, j = self._figures, self._judged
        accounts.judge_rows(
            self._everyone, f.record, f.shorts, MM_FACTOR, j.thresholds, j.bits, j.changed, j.unsure, j.counts
        )
        self._solve_open()

    def _move(self, u: int) -> None:
        self._up[u] = not self._up[u]
        price(self._instruments[u], INDEX_USD * (1.0 + STEP * self._up[u]), self._priced[u])
        self._fill(u)

    def _fill(self, u: int) -> None:
        p = self._priced[u]
        move_losses.fill_curves(self._rows, p.pnl, p.value, p.delta, self._layout, self._tables.of(u))

    def _sweep(self, u: int, *, judging: bool) -> None:
        f, s, j = self._figures, self._segments, self._judged
        first, last = s.pages(u)
        j.begin()
        netted_bounds.sweep(
            first, last, s.start, s.stop, s.row, s.quantity, self._tables.of(u), WIDTH, 0, 0, False, judging, s.account,
            s.place, s.hedge, s.left, s.right, s.share, s.seen_held, f.record, f.shorts, MM_FACTOR, j.thresholds,
            j.bits, j.changed, j.unsure, j.counts,
        )  # fmt: skip

    def _solve_open(self) -> None:
        if self._judged.counts[1]:
            rows = self._judged.open_rows()
            self.solves += len(rows)
            self.solve(rows, judging=True)

    def solve(self, rows: Ints, *, judging: bool = False) -> Floats:
        """Solve some accounts exactly; return their requirements."""
        f, s, t, j = self._figures, self._segments, self._tables, self._judged
        requirement = np.empty(len(rows))
        j.begin()
        netted_accounts.solve_rows(
            rows, judging, f.slot, s.page_column, t.columns, t.values, s.start, s.stop, s.row, s.quantity, s.hedge,
            s.left, s.right, s.share, f.record, f.shorts, self._matrices, STRESS, MM_FACTOR, j.thresholds, j.bits,
            requirement, j.changed, j.counts,
        )  # fmt: skip
        return requirement

    def solve_figures(self) -> dict[str, float]:
        """Return the time of a cold exact solve by number of underlyings, and of the closed-form screen by curve."""
        held = self._figures.count
        figures = {}
        for count in range(1, MOST_HELD + 1):
            rows = np.flatnonzero(held == count)[:SOLVED]
            samples = []
            for _ in range(5):
                start_s = time.perf_counter()
                self.solve(rows)
                samples.append(time.perf_counter() - start_s)
            figures[f"solve_us_{count}_underlyings"] = float(np.median(samples)) / len(rows) * 1e6
        curves = self._curves(0)[:10_000]
        counts, hedges = np.full(len(curves), WIDTH), np.empty(len(curves))
        screen_s = medians({"screen": partial(netting.screen, curves, counts, hedges)})["screen"]
        return {**figures, "screen_ns_per_curve": screen_s / len(curves) * 1e9}

    def _curves(self, u: int) -> Floats:
        """Return the curves of all accounts of an underlying by a sweep of its own."""
        s, p = self._segments, self._priced[u]
        slots = s.live(u)
        length = s.stop[slots] - s.start[slots]
        indptr = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
        at = np.repeat(s.start[slots] - indptr[:-1], length) + np.arange(indptr[-1])
        curves = np.empty((len(slots), WIDTH))
        move_losses.move_losses(indptr, s.row[at], s.quantity[at], p.pnl, SIDE, curves)
        return curves

    def facts(self) -> dict[str, bool]:
        """Return whether ticks left the bounds of a full sweep, and the conditions of solving every account."""
        f, s = self._figures, self._segments
        same = True
        for u in range(len(self._priced)):
            slots = s.live(u)
            at = s.account[slots], s.place[slots]
            for curve, hedge, upper in zip(self._curves(u), s.hedge[slots], f.upper[at], strict=True):
                same &= netting.residual(curve, float(hedge)) == upper
        flags = f.flags.copy()
        self.solve(self._everyone, judging=True)
        return {
            "tick_bounds_equal_sweep_bit_for_bit": bool(same),
            "tick_conditions_equal_solves": bool((flags == f.flags).all()),
        }


def matrices(underlyings: int) -> Floats:
    """Return a set of three matrices: an estimate, and two with one correlation for all."""
    equal = [np.full((underlyings, underlyings), rho) + (1.0 - rho) * np.eye(underlyings) for rho in (0.5, 0.85)]
    factor = np.random.default_rng(2).normal(0.0, 0.6, underlyings) + 1.0
    estimate = np.outer(factor, factor) + np.eye(underlyings)
    deviation = np.sqrt(np.diag(estimate))
    estimate /= np.outer(deviation, deviation)
    np.fill_diagonal(estimate, 1.0)
    return np.array([[estimate, equal[1], equal[0]]])
