"""Certificates of accounts under model A, whose requirements are added up over underlyings.

The accounts of a parameter set are a group, as under model P (`monitor.engine.certified`): swept at every tick while
the group is `exact`, and looked at only where they leave their intervals while it is watched. An account that has to be
computed is swept by itself, from the tables of its columns, which gives what a sweep of all gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kernels.certificates import added
from kernels.netted_accounts import PAGE
from monitor.engine import certificate_groups
from monitor.engine.certificate_groups import STATUS
from monitor.engine.figures import Floats, Ints
from monitor.engine.swept import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.engine.certified import Certificates
    from monitor.engine.column import Column
    from monitor.engine.market import Market
    from monitor.engine.state import Account
    from monitor.engine.swept import Swept

RENEWED, RENEWED_SHARE, LOOKED = 50, 500, 32  # as of the group of model P: beside a sweep, and looked at for each
LEAST_HELD = 50_000  # segments of a group: a sweep of fewer costs less than pricing the columns of those who left
OUTSIDE_SHARE = 50  # 1 in so many of a column may be outside, swept by themselves, when a group is watched
FEW, GAP_SHARE = 100, 3  # accounts, and 1 in so many, that are outside at once are no gap: with more all are swept
TRIED = 4  # accounts outside that are certified at a tick of a watched group
DAY_US = 86_400_000_000
LONGEST_PAUSE = 1_000  # ticks without renewal while nobody can be certified


@dataclass(eq=False, slots=True)
class _Group:
    columns: list[Column] = field(default_factory=list)
    exact: bool = True
    up_to_date: bool = True  # what the exact path rests on
    since: int = 0  # when all accounts were last computed
    outside: dict[int, int] = field(default_factory=dict)
    turn: int = 0
    pause: int = 0
    paused: int = 0


class Added:
    """Which accounts of model A a move of the market concerns, and their renewal."""

    def __init__(
        self, swept: Swept, certificates: Certificates, accounts: dict[int, Account], columns: list[Column]
    ) -> None:  # fmt: skip
        self._swept, self._certificates, self._accounts = swept, certificates, accounts
        self._segments = swept.segments
        self._groups: dict[str, _Group] = {}
        self._columns, self._known = columns, 0  # of the book, and how many of them are sorted
        self._column: dict[int, Column] = {}
        self._terms: Floats = np.zeros((0, added.TERMS))  # by column
        self._moment = 0
        self._day = -1
        self._moved: dict[int, int] = {}  # by column, when it was last followed
        self._computed: dict[int, int] = {}  # by account

    def _sort_columns(self) -> None:
        """Take new columns; only those of model A matter."""
        for column in self._columns[self._known :]:
            if column.swept and not column.netted:
                self._groups.setdefault(column.set_name, _Group()).columns.append(column)
                self._column[column.index] = column
        self._known = len(self._columns)

    # --- market ---------------------------------------------------------------------------------

    def follow(self, columns: list[Column], market: Market, *, index_only: bool) -> list[Column]:
        """Follow the market in columns whose accounts are watched, and judge whom it concerns; return the others."""
        self._sort_columns()
        if market.time_us // DAY_US != self._day:
            self._day = market.time_us // DAY_US
            self.forget()
        others: list[Column] = []
        watched: dict[_Group, list[Column]] = {}
        self._moment += 1
        for column in columns:
            group = self._groups[column.set_name] if column.index in self._column else None
            if group is None or group.exact:
                others.append(column)
                if group is not None:
                    self._enter(group)
                continue
            self._certificates.follow_one(column, market, index_only=index_only)
            self._moved[column.index] = self._moment
            watched.setdefault(group, []).append(column)
        for group, own in watched.items():
            self._look_at(group, own)
        return others

    def _look_at(self, group: _Group, own: list[Column]) -> None:
        """Judge accounts that left their intervals and have too little room; after a gap all are swept."""
        rows = self._certificates.outside(own)
        held = sum(self._segments.held_by(column.index) for column in own)
        gap = len(rows) > max(FEW, held // GAP_SHARE)
        failed = rows if gap else self._certificates.split(rows)
        if not len(failed):
            return
        self.bring(failed)
        self._swept.judge(failed)
        self._certificates.void(failed)
        if gap:
            group.exact, group.up_to_date = True, False
            group.outside = {column.index: 1 for column in group.columns}
            self._certificates.work.swept += 1
        else:
            group.turn += TRIED
            self.certify(np.roll(failed, -(group.turn % len(failed)))[:TRIED], group)

    def bring(self, rows: Ints) -> None:
        """Compute some accounts of watched groups at the prices last taken."""
        s = self._segments
        slots = self._swept.figures.slot[rows]
        slots = slots[slots >= 0]
        of = s.page_column[slots // PAGE]
        for index in np.unique(of).tolist():
            self._column[index].catch_up()
            self._swept.sweep_segments(self._column[index], slots[of == index])
        self._computed.update(dict.fromkeys(rows.tolist(), self._moment))

    def is_behind(self, row: int) -> bool:
        """Whether a price of an account has moved since the account was computed."""
        s, slots = self._segments, self._swept.figures.slots_of(row)
        columns = [s.column_of(slot) for slot in slots]
        if not columns or columns[0] not in self._column:
            return False
        group = self._groups[self._column[columns[0]].set_name]
        computed = max(group.since, self._computed.get(row, 0))
        swept = group.exact and group.up_to_date  # after a gap, once the next record has come
        return not swept and any(self._moved.get(index, 0) > computed for index in columns)

    # --- certificates ---------------------------------------------------------------------------

    def set_account(self, row: int) -> None:
        """Take notice that an account was computed at the present prices with another portfolio."""
        self._sort_columns()
        self._computed[row] = self._moment
        rows = np.array([row], dtype=np.int64)
        self._certificates.void(rows)
        slots = self._swept.figures.slots_of(row)
        if slots:
            group = self._groups[self._column[self._segments.column_of(slots[0])].set_name]
            if not group.exact:
                self.certify(rows, group)

    def forget(self) -> None:
        """Let nobody have a certificate, and all be swept, from now on."""
        for group in self._groups.values():
            if not group.exact:
                group.exact, group.up_to_date = True, False
                self._enter(group)
            self._certificates.void(rows_of(group.columns))

    def certify(self, rows: Ints, group: _Group) -> int:
        """Certify those of some accounts that can be, their figures being of the present prices; return how many."""
        s, f, t, certificates = self._segments, self._swept.figures, self._swept.tables, self._certificates
        self._read_terms(group)
        statuses = np.array([STATUS[self._accounts[row].status] for row in rows.tolist()], dtype=np.int64)
        made = np.empty(len(rows), dtype=np.int64)
        certificates.void(rows)
        of = certificates.followed
        count = added.certify(
            rows, statuses, f.slot, s.page_column, t.columns, s.start, s.stop, s.row, s.quantity, f.record, f.shorts,
            self._swept.judged.thresholds, of.contracts, of.scenarios, of.market, of.now, self._terms, s.curves,
            certificates.covers, made,
        )  # fmt: skip
        none = np.setdiff1d(rows, made[:count])
        none = np.concatenate([none, certificates.split(made[:count])])
        certificates.void(none)
        certificates.work.certified += len(rows) - len(none)
        return len(rows) - len(none)

    def _read_terms(self, group: _Group) -> None:
        needed = 1 + max(column.index for column in group.columns)
        if len(self._terms) < needed:
            self._terms = np.vstack([self._terms, np.zeros((2 * needed - len(self._terms), added.TERMS))])
        for column in group.columns:
            if column.has_accounts:
                p = column.parameters
                self._terms[column.index] = (
                    p.annualised_move_risk, p.min_annualised_move, p.delta_shock_slope, p.delta_shock_threshold_usd,
                    p.max_delta_shock, p.mm_factor,
                )  # fmt: skip

    # --- the exact path and back ----------------------------------------------------------------

    def _enter(self, group: _Group) -> None:
        """Bring all that the exact path rests on up to date."""
        if group.up_to_date:
            return
        group.up_to_date = True
        for column in group.columns:
            if column.has_accounts:
                column.catch_up()
                self._swept.sweep(column, judging=False)

    def renew(self, columns: Sequence[Column]) -> None:
        """Certify some accounts of columns that were just swept; where few are left, watch their group from now on."""
        for column in columns:
            if column.index not in self._column:
                continue
            group = self._groups[column.set_name]
            held = sum(self._segments.held_by(one.index) for one in group.columns)
            if not group.exact or held < LEAST_HELD:
                continue
            if group.pause:
                group.pause -= 1
                continue
            self._renew_some(column, group)
            if all(group.outside.get(one.index, 0) <= 0 for one in group.columns):
                for one in group.columns:
                    self._count(one, group, len(self._certificates.outside([one])))
                if all(group.outside[one.index] <= 0 for one in group.columns):
                    group.exact, group.since = False, self._moment

    def _renew_some(self, column: Column, group: _Group) -> None:
        rows, held = self._certificates.outside([column]), self._segments.held_by(column.index)
        left = len(rows)
        if left:
            renewed = RENEWED + held // RENEWED_SHARE
            group.turn += renewed
            some = np.roll(rows, -(group.turn % left))[: LOOKED * renewed]
            failed = self._certificates.split(some)
            found = len(some) - len(failed) + (self.certify(failed[:renewed], group) if len(failed) else 0)
            group.paused = 0 if found else min(2 * group.paused + 1, LONGEST_PAUSE)
            group.pause, left = group.paused, left - found
        self._count(column, group, left)

    def _count(self, column: Column, group: _Group, left: int) -> None:
        calm = certificate_groups.CALM + self._segments.held_by(column.index) // OUTSIDE_SHARE
        group.outside[column.index] = left - calm
