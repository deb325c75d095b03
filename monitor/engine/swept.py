"""Arrays of all accounts of a book, and what is computed for all of them at once: the exact path.

Sweeps take the prices of a column for every account that holds it, and judge the accounts by their figures; netted ones
between whose bounds a threshold lies get closer ones, and are solved where it lies between these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels import accounts as kernel
from kernels import added_sweep, netted_bounds, netted_rows
from kernels.netted_accounts import COIN, WIDTH
from monitor.engine.figures import Figures, Floats, Ints
from monitor.engine.judged import Judged
from monitor.engine.netting import Netting
from monitor.engine.segments import Segments
from monitor.engine.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.engine.column import Column

GROWTH = 2  # arrays double when full: appending n accounts copies O(n) in all


class Swept:
    """Figures by account, segments by account and column, tables by column, and thresholds by parameter set."""

    def __init__(self) -> None:
        self.figures = Figures(64, 4)
        self.segments = Segments()
        self.tables = Tables()
        self.judged = Judged()
        self.netting = Netting()

    def make_room(self, rows: int, places: int = 0) -> None:
        """Have room for so many accounts in so many underlyings each."""
        f = self.figures
        if rows > f.rows or places > f.places:
            self.figures = f.grown(
                GROWTH * f.rows if rows > f.rows else f.rows, GROWTH * places if places > f.places else f.places
            )
        self.judged.make_room(self.figures.rows)

    def sweep(self, column: Column, *, judging: bool) -> None:
        """Take a column's new prices for all accounts that hold it."""
        f, s, j = self.figures, self.segments, self.judged
        if not column.swept:
            self.take_held(column)
            return
        totals = (s.seen_held, f.record, f.shorts, self.netting.mm_factor, j.thresholds, j.bits, j.changed)
        first, last = s.pages(column.index)
        p, table = column.pricing, self.tables.of(column.index)
        if column.netted:
            width, falls, rises = self.tables.columns[column.index, WIDTH:COIN].tolist()
            netted_bounds.sweep(
                first, last, s.start, s.stop, s.row, s.quantity, table, width, falls, rises, p.held, judging,
                s.account, s.place, s.hedge, s.left, s.right, s.share, *totals, j.unsure, j.counts,
            )  # fmt: skip
            self._settle_open()
        else:
            self._sweep_added(column, first, last, judging=judging)

    def sweep_segments(self, column: Column, slots: Ints) -> None:
        """Take the prices of a column of model A for some accounts that hold it, by their segments."""
        self._sweep_added(column, slots, slots + 1, judging=False)

    def _sweep_added(self, column: Column, first: Ints, last: Ints, *, judging: bool) -> None:
        f, s, j, p = self.figures, self.segments, self.judged, column.pricing
        shock = p.parameters
        added_sweep.sweep(
            first, last, s.start, s.stop, s.row, s.quantity, self.tables.of(column.index), len(p.table.move),
            p.group_rate, p.index_price, shock.delta_shock_slope, shock.delta_shock_threshold_usd,
            shock.max_delta_shock, shock.mm_factor, p.held, judging, s.account, s.place, s.seen_held, f.record,
            f.shorts, self.netting.mm_factor, j.thresholds, j.bits, j.changed, j.counts,
        )  # fmt: skip

    def take_held(self, column: Column) -> None:
        """Let the accounts of a column that is not swept count it as held, or not any more."""
        s, held = self.segments, column.pricing.held
        slots = s.live(column.index)
        other = slots[s.seen_held[slots] != held]
        s.seen_held[other] = held
        self.figures.held_places[s.account[other]] += 1 if held else -1

    def judge(self, rows: Ints) -> None:
        """Judge accounts by their figures."""
        f, j = self.figures, self.judged
        kernel.judge_rows(
            rows, f.record, f.shorts, self.netting.mm_factor, j.thresholds, j.bits, j.changed, j.unsure, j.counts
        )
        self._solve_open()

    def judge_by_tables(self, rows: Ints, states: Ints) -> None:
        """Judge netted accounts at the prices of all their columns' tables, whatever their figures were of.

        states: int64[n], those of `kernels.certificates.conditions`: accounts are changed where a bit is that matters
        there, and other bits may stay as they were. All matter in ANY.
        """
        f, s, j, t, n = self.figures, self.segments, self.judged, self.tables, self.netting
        netted_rows.judge_by_tables(
            rows, states, f.slot, s.page_column, t.columns, t.values, s.start, s.stop, s.row, s.quantity, s.hedge,
            s.left, s.right, s.share, f.record, f.shorts, *n.in_force, n.mm_factor, j.thresholds, j.bits, j.changed,
            j.unsure, j.counts,
        )  # fmt: skip
        self._solve_open()

    def solve(self, rows: Ints, *, judging: bool) -> Floats:
        """Return the exact requirements of netted accounts, USD, and judge them by these if that is asked for."""
        return self.netting.solve(rows, self.figures, self.segments, self.tables, self.judged, judging=judging)

    def shrink(self, rows: Ints, shrunk: Floats) -> None:
        """Let bounds of netted accounts rest on the matrices in force: `Netting.shrink`."""
        self.netting.shrink(rows, self.figures, self.segments, self.tables, shrunk)

    def is_netted(self, row: int) -> bool:
        """Whether an account is swept under model P."""
        return bool(self.figures.traits[row] & kernel.NETTED)

    def _settle_open(self) -> None:
        """Judge those whom a sweep left open, by the descent's bounds, and by a solve if these do, too.

        A solve takes their values anew, the descent does not.
        """
        if not self.judged.counts[1]:
            return
        f, s, j, t, n = self.figures, self.segments, self.judged, self.tables, self.netting
        rows = j.open_rows()
        j.counts[1] = 0
        netted_rows.judge_by_descent(
            rows, f.slot, s.page_column, t.columns, t.values, s.start, s.stop, s.row, s.quantity, s.hedge, s.left,
            s.right, s.share, f.record, f.shorts, *n.in_force, n.mm_factor, j.thresholds, j.bits, j.changed, j.unsure,
            j.counts,
        )  # fmt: skip
        self._solve_open()

    def _solve_open(self) -> None:
        if self.judged.counts[1]:
            rows = self.judged.open_rows()
            self.judged.counts[1] = 0
            self.solve(rows, judging=True)


def rows_of(columns: Iterable[Column]) -> Ints:
    """Return the accounts that hold something of some columns, ascending."""
    return union([column.accounts for column in columns if column.has_accounts])


def union(found: Sequence[Ints]) -> Ints:
    """Return all rows of accounts that are in any of some arrays, ascending."""
    rows = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
    if not len(rows):
        return rows
    there = np.zeros(rows.max() + 1, dtype=np.bool_)  # a tenth of the time of sorting them
    there[rows] = True
    return np.flatnonzero(there)
