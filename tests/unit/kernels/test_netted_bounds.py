"""Sweeps of netted accounts against one curve at a time, and what new matrices leave of mixtures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kernels import accounts, move_losses, netted_accounts, netted_bounds, netted_rows, netting
from kernels.certificates import conditions
from kernels.netted_accounts import PAGE
from kernels.segment_tables import empty_table
from monitor.engine.figures import Figures
from monitor.engine.judged import Judged
from monitor.engine.segments import Segments
from monitor.engine.tables import Tables

ROWS = 30
BETWEEN, STRESS = np.array([[[[1.0, 0.7], [0.7, 1.0]], [[1.0, 0.2], [0.2, 1.0]]]]), np.array([0.1])
MM_FACTOR = np.array([0.8])
Inputs = tuple[Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any]
Receivers = tuple[Any, Any, Any, Any, Any, Any, Any, Any]


class Swept:
    """Accounts in one underlying, with gaps and accounts of nobody between them, swept at random prices."""

    def __init__(self, moves: int, extended: int, *, broken: bool = False) -> None:
        rng = np.random.default_rng(moves)
        self.moves, self.side = moves, np.array([-1, 1, 1, -1][:extended], dtype=np.int64)
        self.pnl = rng.normal(size=(ROWS, 3 * moves + extended))
        self.value = rng.normal(size=ROWS)
        if broken:
            self.pnl[3, 5] = math.nan
        self.segments, self.figures, self.judged = Segments(), Figures(PAGE + 200, 3), Judged()
        self.segments.add_column()
        self.judged.thresholds = np.array([[0.9, 0.85, 1.0, 0.95, 1.0, 1.0]])
        self.judged.make_room(PAGE + 200)
        s, f = self.segments, self.figures
        for row in range(0, PAGE + 200, 1):
            slot = s.take(0, row)
            count = int(rng.integers(0, 6))
            s.set_positions(slot, rng.integers(0, ROWS, count).tolist(), rng.normal(size=count).tolist())
            s.place[slot] = rng.integers(0, 3)
            s.hedge[slot] = rng.normal()
            s.left[slot], s.right[slot], s.share[slot] = 0, moves - 1, rng.uniform()
            f.count[row], f.traits[row], f.cash[row] = 3, accounts.NETTED, rng.uniform(0.0, 30.0)
            f.slot[row, s.place[slot]] = slot
            if row % 7 == 0:
                s.give_back(slot)

    def sweep(self, *, held: bool = False, judging: bool = True) -> None:
        """Take the prices."""
        s, f, j = self.segments, self.figures, self.judged
        layout = move_losses.columns_of(self.moves, self.side)
        table = empty_table(ROWS, len(layout))
        move_losses.fill_curves(np.arange(ROWS), self.pnl, self.value, self.value, layout, table)
        first, last = s.pages(0)
        falls = int(np.sum(self.side < 0))
        j.begin()
        netted_bounds.sweep(
            first, last, s.start, s.stop, s.row, s.quantity, table, self.moves, falls, len(self.side) - falls, held,
            judging, s.account, s.place, s.hedge, s.left, s.right, s.share, s.seen_held, f.record, f.shorts,
            np.array([0.8]), j.thresholds, j.bits, j.changed, j.unsure, j.counts,
        )  # fmt: skip

    def one(self, slot: int) -> tuple[float, Any]:
        """Value and curve of one segment."""
        rows, quantity = self.segments.positions(slot)
        value, delta, losses = np.empty(1), np.empty(1), np.empty((1, self.moves))
        move_losses.evaluate(
            np.array([0, len(rows)]), rows, quantity, self.pnl, self.value, self.value, self.side, value, delta, losses
        )
        return float(value[0]), losses[0]


@pytest.mark.parametrize("extended", [0, 4])
@pytest.mark.parametrize("moves", [3, 9, 15, 33])
def test_a_sweep_gives_every_account_what_it_has_by_itself(moves: int, extended: int) -> None:
    """Value, residual and chord of each segment equal those of one evaluation, to the bit; nobody else is touched."""
    book = Swept(moves, extended)
    book.sweep()
    s, f = book.segments, book.figures
    live = s.live(0)
    assert len(live) == s.held_by(0) == PAGE + 200 - len(range(0, PAGE + 200, 7))
    untouched = np.ones((f.rows, f.places), dtype=np.bool_)
    for slot in live.tolist():
        at = int(s.account[slot]), int(s.place[slot])
        value, curve = book.one(slot)
        assert f.value[at] == value
        assert f.upper[at] == netting.residual(curve, float(s.hedge[slot]))
        assert f.lower[at] == pytest.approx(
            (1.0 - s.share[slot]) * curve[0] + s.share[slot] * curve[-1], rel=1e-12, abs=1e-12
        )
        untouched[at] = False
    for figure in (f.value, f.upper, f.lower):
        assert (figure[untouched] == 0.0).all()


def test_a_sweep_judges_as_a_round_over_its_accounts_does() -> None:
    """Judged while they are swept or after it, accounts have the same bits, and the same ones changed or are open."""
    at_once, after = Swept(9, 2), Swept(9, 2)
    at_once.sweep()
    after.sweep(judging=False)
    assert not after.judged.counts.any()
    f, j = after.figures, after.judged
    rows = after.segments.account[after.segments.live(0)]
    accounts.judge_rows(
        rows, f.record, f.shorts, np.array([0.8]), j.thresholds, j.bits, j.changed, j.unsure, j.counts
    )  # fmt: skip
    assert at_once.judged.changed_rows() == j.changed_rows()
    assert at_once.judged.open_rows().tolist() == j.open_rows().tolist()
    assert j.counts.all()
    assert np.array_equal(at_once.figures.flags, f.flags)


def test_a_hold_is_counted_once_for_every_account() -> None:
    """Accounts count a held underlying when it becomes so and when it ends, not at every tick."""
    book = Swept(9, 0)
    rows = book.segments.account[book.segments.live(0)]
    for held, wanted in ((False, 0), (True, 1), (True, 1), (False, 0)):
        book.sweep(held=held)
        assert (book.figures.held_places[rows] == wanted).all()


def test_a_price_that_is_missing_makes_bounds_missing() -> None:
    """An account with a row that is not a number has neither bound, and no condition but that."""
    book = Swept(9, 0, broken=True)
    book.sweep()
    s, f = book.segments, book.figures
    found = 0
    for slot in s.live(0).tolist():
        at = int(s.account[slot]), int(s.place[slot])
        broken = 3 in s.positions(slot)[0].tolist()
        assert math.isnan(f.upper[at]) == math.isnan(f.lower[at]) == broken
        assert (f.flags[at[0]] == book.judged.bits[7]) == broken
        found += broken
    assert found


class TwoColumns:
    """Accounts in one of two underlyings or in both, which have different moves, and nobody in some slots."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        self.segments, self.figures, self.judged, self.tables = Segments(), Figures(400, 4), Judged(), Tables()
        self.judged.thresholds = np.array([[0.9, 0.85, 1.0, 0.95, 1.0, 1.0]])
        self.judged.make_room(400)
        s, f = self.segments, self.figures
        for column, (moves, falls, rises) in enumerate(((9, 1, 2), (15, 0, 0))):
            s.add_column()
            self.tables.add_column(column)
            side = np.array([-1] * falls + [1] * rises, dtype=np.int64)
            layout = move_losses.columns_of(moves, side)
            self.tables.resize(column, ROWS * len(layout), moves, falls, rises)
            pnl, value = rng.normal(size=(ROWS, 3 * moves + len(side))), rng.normal(size=ROWS)
            move_losses.fill_curves(np.arange(ROWS), pnl, value, value, layout, self.tables.of(column))
        for row in range(400):
            for column, moves in enumerate((9, 15)):
                if row % 3 in (column, 2):
                    place, slot = int(f.count[row]), s.take(column, row)
                    count = int(rng.integers(1, 6))
                    s.set_positions(slot, rng.integers(0, ROWS, count).tolist(), rng.normal(size=count).tolist())
                    s.place[slot], s.hedge[slot], f.slot[row, place] = place, rng.normal(), slot
                    s.left[slot], s.right[slot], s.share[slot] = 0, moves - 1, rng.uniform()
                    f.count[row] = place + 1
            f.traits[row], f.cash[row] = accounts.NETTED | accounts.HAS_POSITIONS, rng.uniform(0.0, 30.0)
            if row % 11 == 0:
                s.give_back(int(f.slot[row, 0]))
        self.rows = np.array([row for row in range(400) if row % 11], dtype=np.int64)

    open: np.ndarray  # by the bounds at hand

    def sweep(self, column: int) -> None:
        """Take the prices of a column for all who hold it."""
        s, f, j, t = self.segments, self.figures, self.judged, self.tables
        width, falls, rises = t.columns[column, netted_accounts.WIDTH : netted_accounts.COIN].tolist()
        netted_bounds.sweep(
            *s.pages(column), s.start, s.stop, s.row, s.quantity, t.of(column), width, falls, rises, False, False,
            s.account, s.place, s.hedge, s.left, s.right, s.share, s.seen_held, f.record, f.shorts, np.array([0.8]),
            j.thresholds, j.bits, j.changed, j.unsure, j.counts,
        )  # fmt: skip

    def have_bounds(self) -> None:
        """Let mixtures be feasible, and norms those of the hedges."""
        s, f = self.segments, self.figures
        s.share[:] = 0.5  # as much of the first move as of the last
        netted_accounts.take_matrices(
            self.rows, f.slot, s.page_column, self.tables.columns, s.hedge, s.left, s.right, s.share, f.record,
            f.shorts, BETWEEN, STRESS, np.ones(1),
        )  # fmt: skip

    def judge(self, rows: np.ndarray, states: np.ndarray | None = None, *, from_tables: bool) -> None:
        """Judge some accounts by their figures, or by the tables of all columns; by the descent who is left open."""
        f, j = self.figures, self.judged
        if from_tables:
            states = np.full(len(rows), conditions.ANY) if states is None else states
            netted_rows.judge_by_tables(rows, states, *self._tables(), *self._receivers(), j.unsure, j.counts)
            return
        accounts.judge_rows(
            rows, f.record, f.shorts, MM_FACTOR, j.thresholds, j.bits, j.changed, j.unsure, j.counts
        )  # fmt: skip
        self.open = j.open_rows()
        j.counts[1] = 0
        netted_rows.judge_by_descent(self.open, *self._tables(), *self._receivers(), j.unsure, j.counts)

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """Solve some accounts, judge them by that, and return their requirements."""
        requirement = np.empty(len(rows))
        judged = self._receivers()
        netted_accounts.solve_rows(
            rows, True, *self._tables(), *judged[:-1], requirement, judged[-1], self.judged.counts
        )  # fmt: skip
        return requirement

    def _tables(self) -> Inputs:
        s, f, t = self.segments, self.figures, self.tables
        return (
            f.slot, s.page_column, t.columns, t.values, s.start, s.stop, s.row, s.quantity, s.hedge, s.left, s.right,
            s.share,
        )  # fmt: skip

    def _receivers(self) -> Receivers:
        f, j = self.figures, self.judged
        return f.record, f.shorts, BETWEEN, STRESS, MM_FACTOR, j.thresholds, j.bits, j.changed


def test_judging_from_tables_is_sweeping_all_columns_for_some() -> None:
    """Figures, bits, and who changed or is open are those of sweeps of all columns, to the bit; others stay."""
    swept, tabled = TwoColumns(), TwoColumns()
    some = swept.rows[swept.rows % 5 != 0]
    swept.sweep(0)
    swept.sweep(1)
    swept.judge(some, from_tables=False)
    assert len(swept.open) > 5
    for row in some.tolist():
        tabled.figures.value[row, : tabled.figures.count[row]] = math.nan  # of any time
    before = tabled.figures.record.copy()
    tabled.judge(some, from_tables=True)
    assert np.array_equal(tabled.figures.record[some], swept.figures.record[some])
    assert np.array_equal(tabled.figures.flags[some], swept.figures.flags[some])
    assert sorted(tabled.judged.changed_rows()) == sorted(swept.judged.changed_rows())
    assert tabled.judged.open_rows().tolist() == swept.judged.open_rows().tolist()
    assert tabled.judged.counts[0]
    others = np.setdiff1d(np.arange(400), some)
    assert np.array_equal(tabled.figures.record[others], before[others])


def test_bits_by_bounds_are_those_of_exact_solves() -> None:
    """Whoever is not left open has the bits that his exact requirement gives him, and it is between his bounds."""
    book, solved = TwoColumns(), TwoColumns()
    requirement = solved.solve(solved.rows)
    book.have_bounds()
    book.judge(book.rows, from_tables=True)
    f, left = book.figures, book.judged.open_rows()
    decided = np.setdiff1d(book.rows, left)
    assert len(decided) > 20 * len(left)
    assert np.array_equal(f.flags[decided], solved.figures.flags[decided])
    assert sorted(book.judged.changed_rows()) == sorted(set(solved.judged.changed_rows()) - set(left.tolist()))
    high = f.norm[book.rows] + f.upper[book.rows].sum(axis=1)
    assert (high >= requirement * (1.0 - 1e-12)).all()
    assert (f.lower[book.rows].sum(axis=1) <= requirement * (1.0 + 1e-12) + 1e-12).all()


@pytest.mark.parametrize(
    ("state", "watched"),
    [
        (conditions.ANY, 255), (conditions.HEALTHY, 193), (conditions.WARNING, 214), (conditions.MARGIN_CALL, 216),
        (conditions.LIQUIDATION, 224), (conditions.BANKRUPT, 192), (conditions.RECOVERED, 208),
    ],
)  # fmt: skip
def test_bits_that_matter_are_judged_and_others_may_wait(state: int, watched: int) -> None:
    """Bits that matter in a state are exact, whoever has another one of these is changed, and no bit becomes wrong."""
    book, solved = TwoColumns(), TwoColumns()
    solved.solve(solved.rows)
    exact = solved.figures.flags[solved.rows].astype(np.int64)
    before = np.random.default_rng(2).choice(np.unique(exact), len(book.rows))
    before[::2] = exact[::2]
    book.have_bounds()
    book.figures.flags[book.rows] = before
    book.judge(book.rows, np.full(len(book.rows), state), from_tables=True)
    now, left = book.figures.flags[book.rows].astype(np.int64), np.isin(book.rows, book.judged.open_rows())
    assert not ((now ^ exact)[~left] & watched).any()
    assert not ((now ^ exact) & (now ^ before))[~left].any()
    changed = np.isin(book.rows, book.judged.changed_rows())
    assert np.array_equal(changed[~left], ((before ^ exact)[~left] & watched) != 0)
    assert np.array_equal(now[changed], exact[changed])
    assert np.array_equal(now[left], before[left])
    assert changed.any() or watched == 192


def dual_length(x: np.ndarray, matrices: np.ndarray, stress: float) -> float:
    """The largest x'w / L(w) over many directions."""
    rng = np.random.default_rng(0)
    directions = np.vstack([rng.normal(size=(20_000, len(x))), np.linalg.inv(matrices[0]) @ x, np.sign(x)])
    return max(float(w @ x) / netting.norm(w, matrices, stress) for w in directions if w.any())


@pytest.mark.parametrize("stress", [(0.1, 0.1), (0.2, 0.1), (0.1, 0.5), (0.5, 0.2)])
@pytest.mark.parametrize("change", [0.0, 0.002, 0.05, 0.4])
def test_means_are_feasible_after_they_are_shrunk(change: float, stress: tuple[float, float]) -> None:
    """Mean moves on the edge of what old matrices allow are within what new ones do, times the shrinkage."""
    rng = np.random.default_rng(int(1000 * change) + int(100 * stress[0]))
    for size in (1, 2, 4):
        factor = rng.normal(size=(size, size))
        before = factor @ factor.T + 0.2 * np.eye(size)
        before /= np.sqrt(np.outer(np.diag(before), np.diag(before)))
        shift = np.triu(rng.uniform(-change, change, (size, size)), 1)
        after = before + shift + shift.T
        least = float(np.linalg.eigvalsh(after).min())
        if least < 1e-6:
            after = (after + (1e-6 - least) * np.eye(size)) / (1.0 + 1e-6 - least)
        old, new = np.ascontiguousarray(before[None]), np.ascontiguousarray(after[None])
        t = netted_accounts.shrinkage(old, new, *stress)
        assert 0.0 <= t <= 1.0
        if change == 0.0 and stress[0] == stress[1]:
            assert t == 1.0
        x = rng.normal(size=size)
        x /= dual_length(x, old, stress[0]) * (1.0 + 1e-6)
        assert dual_length(t * x, new, stress[1]) <= 1.0 + 1e-6


def test_without_stress_or_with_another_set_nothing_of_a_mean_is_kept() -> None:
    """Where no bound is known the factor is zero."""
    one, two = np.eye(2)[None], np.array([np.eye(2), np.eye(2)])
    assert netted_accounts.shrinkage(one, two, 0.1, 0.1) == 0.0
    assert netted_accounts.shrinkage(one, 1.0 - 0.1 * (1.0 - one), 0.0, 0.1) == 0.0
    assert netted_accounts.shrinkage(one, np.full((1, 2, 2), math.nan), 0.1, 0.1) == 0.0


@pytest.mark.parametrize("by", [0.0, 0.3, 0.99, 1.0])
def test_a_mixture_is_moved_toward_no_move(by: float) -> None:
    """Whichever two moves a mixture has, its mean is the old one times the factor."""
    width, moves = 9, np.linspace(-1.0, 1.0, 9)
    pairs = [(i, j) for i in range(width) for j in range(i, width)]
    segments, figures = Segments(), Figures(len(pairs), 1)
    segments.add_column()
    figures.count[:], figures.traits[:] = 1, accounts.NETTED
    for row, (left, right) in enumerate(pairs):
        slot = segments.take(0, row)
        figures.slot[row, 0] = slot
        segments.left[slot], segments.right[slot], segments.share[slot] = left, right, 0.3 if left < right else 0.0
    s, one = segments, np.ones((1, 1, 1, 1))
    before = moves[s.left[: len(pairs)]] * (1.0 - s.share[: len(pairs)])
    before += moves[s.right[: len(pairs)]] * s.share[: len(pairs)]
    columns = np.zeros((1, netted_accounts.COLUMN_FIELDS), dtype=np.int64)
    columns[0, netted_accounts.WIDTH] = width
    netted_accounts.take_matrices(
        np.arange(len(pairs)), figures.slot, s.page_column, columns, s.hedge, s.left, s.right, s.share, figures.record,
        figures.shorts, one, np.array([0.1]), np.array([by]),
    )  # fmt: skip
    after = moves[s.left[: len(pairs)]] * (1.0 - s.share[: len(pairs)])
    after += moves[s.right[: len(pairs)]] * s.share[: len(pairs)]
    assert after == pytest.approx(by * before, abs=1e-12)
    assert (s.share >= 0.0).all()
    assert (s.share <= 1.0).all()
