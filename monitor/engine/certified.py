"""Certificates over the book: which accounts a move of the market concerns, and their renewal.

A layer over the exact path that can be left out: it says of which accounts no watched condition can have changed, and
evaluates the others from nothing, to the last bit as the exact path would (docs/certificates.md). The accounts of one
parameter set under model P are a group. A group is watched one account at a time as long as few leave their
certificates; when many do, it goes back to the exact path, which sweeps all accounts of a column, and is certified anew
beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.accounts import NETTED
from kernels.certificates import conditions, joint, renew, watch
from kernels.netted_accounts import shrinkage_by
from monitor.engine.certificate_groups import Group, Work
from monitor.engine.figures import Floats, Ints
from monitor.engine.followed import Followed
from monitor.engine.netting import largest_change
from monitor.engine.swept import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.engine.column import Column
    from monitor.engine.market import Market
    from monitor.engine.swept import Swept

HELD_BIT = 7  # of the bits of conditions

FEW = 16  # accounts with too little room at a record that are no gap, however small their group
MANY = 256  # more of them are judged from tables; up to so many are evaluated one by one, unless they are a gap
GAP_SHARE = 50  # as many accounts to be judged at once, times this, as a group has segments are a gap: all are swept
TRIED, TRIED_SHARE = 16, 16  # accounts, and 1 in so many, that are certified beside others that are judged from tables
SAMPLE = 64  # of more accounts that left their boxes at once so many are looked at first
RENEWED, RENEWED_SHARE = 10, 200  # accounts, and 1 in so many, that are certified beside a sweep
LOOKED = 32  # accounts that are looked at for each of these


class Certificates:
    """Certificates of the accounts of one book."""

    def __init__(self, swept: Swept) -> None:
        self.work = Work()
        self._swept = swept
        self._segments = swept.segments
        self._followed = Followed(swept.segments, swept.tables)
        self._groups: dict[int, Group] = {}
        self._changed_by = 0.0  # sum of the largest changes of correlations
        self._covers: Floats = np.zeros((0, joint.COVER_FIELDS))
        self._rows: Ints = np.zeros(0, dtype=np.int64)
        self._failed: Ints = np.zeros(0, dtype=np.int64)
        self._counts: Ints = np.zeros(2, dtype=np.int64)
        self._one_row: Ints = np.zeros(1, dtype=np.int64)
        self._state_of: Ints = np.zeros(0, dtype=np.int64)  # that certificates are for
        # Equity and requirement when bits were computed, USD; NaN where that is not known.
        self._judged: Floats = np.zeros((0, 2))
        self._held: dict[int, bool] = {}  # by column, whether its data are doubtful
        self._known: dict[int, float] = {}  # requirements that were solved since anything moved, USD
        self._bits_known: set[int] = set()  # accounts that were judged since then

    # --- accounts -------------------------------------------------------------------------------

    def set_account(self, row: int, state: int) -> float:
        """Judge, and certify if that is at hand, an account with another portfolio; return its requirement, USD.

        state: of `state_of`.
        """
        self._forget_known()
        self._have_covers()
        self._state_of[row] = state
        self._judged[row] = np.nan
        one = self._one_row
        one[0] = row
        if self.watches(row):
            self._evaluate(one, judging=True, aim=renew.CERTIFY)
            return self._known[row]
        self.void(one)
        return float(self._swept.solve(one, judging=True)[0])

    def set_accounts(self, rows: Ints, states: Ints) -> Floats:
        """Do what `set_account` does for several netted accounts at once: int64[n] each; return requirements, USD."""
        self._forget_known()
        self._have_covers()
        self._state_of[rows] = states
        self._judged[rows] = np.nan
        numbers = rows.tolist()
        watched = np.zeros(len(rows), dtype=np.bool_)
        if not all(group.exact for group in self._groups.values()):
            watched[:] = [self.watches(row) for row in numbers]
        requirement = np.empty(len(rows))
        if watched.any():
            self._evaluate(rows[watched], judging=True, aim=renew.CERTIFY)
            requirement[watched] = [self._known[row] for row in rows[watched].tolist()]
        if not watched.all():
            self.void(rows[~watched])
            requirement[~watched] = self._swept.solve(rows[~watched], judging=True)
        return requirement

    def set_state(self, row: int, state: int) -> None:
        """Take notice of an account's state; a certificate for another one ends."""
        if self._state_of[row] != state:
            self._state_of[row] = state
            self.void_changed(np.array([row], dtype=np.int64))

    def watches(self, row: int) -> bool:
        """Whether an account is looked at only where it leaves its certificate."""
        group = self._group_of(row)
        return group is not None and not group.exact

    def _group_of(self, row: int) -> Group | None:
        """Return the group of an account; None if it is not netted, or nobody of its set holds anything."""
        if not self._swept.is_netted(row):
            return None
        return self._groups.get(int(self._swept.figures.set_of[row]))

    def requirement(self, row: int) -> float:
        """Return the exact requirement of an account that is watched, USD."""
        self.know([row])
        return self._known[row]

    def know(self, rows: Sequence[int]) -> None:
        """Solve those of some accounts that are watched and were not solved since anything moved, all at once."""
        unknown = [row for row in rows if row not in self._known and self.watches(row)]
        if unknown:
            self._evaluate(np.array(unknown, dtype=np.int64), judging=False, aim=renew.KEEP)

    def bring(self, row: int) -> None:
        """Bring the figures of an account up to date, which may be of the time when its group was watched."""
        if self.watches(row):
            self.requirement(row)
        elif (group := self._group_of(row)) is not None:
            self._enter(group)

    def judge(self, row: int) -> None:
        """Bring the condition bits of an account up to date, those included that its certificate does not watch."""
        if row in self._bits_known:
            return
        rows = np.array([row], dtype=np.int64)
        if self.watches(row):
            self._evaluate(rows, judging=True, aim=renew.KEEP)
        elif (group := self._group_of(row)) is not None and group.unjudged(row):
            self._enter(group)
            self._swept.judged.begin()
            self._swept.judge(rows)

    def _forget_known(self) -> None:
        if self._known or self._bits_known:
            self._known, self._bits_known = {}, set()

    def void(self, rows: Ints) -> None:
        """Let some accounts have no certificates."""
        s, f = self._segments, self._swept.figures
        self._have_covers()
        self._judged[rows] = np.nan
        watch.void_rows(rows, f.slot, f.shorts, s.curves, s.boxes, self._covers, s.extremes)

    def void_changed(self, rows: Ints) -> None:
        """Let some accounts have no certificates after a change; what was judged since anything moved is known."""
        self._have_covers()
        known = rows[[row in self._bits_known for row in rows.tolist()]]
        judged = self._judged[known]
        self.void(rows)
        self._judged[known] = judged

    def _have_covers(self) -> None:
        """Have room for the covers of all accounts, new ones too."""
        rows = self._swept.figures.rows
        if len(self._covers) < rows:
            larger = np.zeros((rows, joint.COVER_FIELDS))
            larger[: len(self._covers)] = self._covers
            states = np.full(rows, conditions.ANY)
            states[: len(self._covers)] = self._state_of
            judged = np.full((rows, 2), np.nan)
            judged[: len(self._covers)] = self._judged
            self._covers, self._state_of, self._judged = larger, states, judged

    # --- market ---------------------------------------------------------------------------------

    def add_column(self, column: Column, set_index: int) -> None:
        """Take a new column; its index is the number of those before it."""
        self._followed.add_column()
        if column.netted:
            column.group = self._groups.setdefault(set_index, Group(self))
            column.group.columns.append(column)

    def take(self, column: Column, *, index_only: bool, moved: bool) -> None:
        """Take what a column has read of the market: `Followed.take`, and whether its data are doubtful."""
        held = column.pricing.held
        other = self._held.setdefault(column.index, held) != held
        self._held[column.index] = held
        stands = self._followed.take(column, index_only=index_only, moved=moved)
        if other:
            self._swept.take_held(column)
            self._followed.look_at_all(column.index)
        if not stands or (other and not column.netted):
            self.void(column.accounts)
        elif other:
            self._void_unhealthy(column)

    def _void_unhealthy(self, column: Column) -> None:
        """Let those have no certificate who may do something because a column's data are doubtful, or good again.

        Doubtful data hold a liquidation back, so whoever is healthy does nothing because of them: his certificate says
        that he is in no danger, and stands. The others have to be judged.
        """
        self._have_covers()
        rows, f, bit = column.accounts, self._swept.figures, self._swept.judged.bits.item(HELD_BIT)
        healthy = self._state_of[rows] == conditions.HEALTHY
        self.void(rows[~healthy])
        kept = rows[healthy & (self._covers[rows, joint.CORRELATION_LIMIT] > -np.inf)]
        f.flags[kept] = np.where(f.held_places[kept] > 0, f.flags[kept] | bit, f.flags[kept] & ~bit)

    def follow(self, columns: list[Column], market: Market, *, index_only: bool) -> list[Column]:
        """Follow the market in columns whose accounts are watched, and judge whom it concerns; return the others."""
        self._forget_known()
        watched: dict[Group, list[Column]] = {}
        others = []
        for column in columns:
            group = column.group
            if group is not None and not group.exact:
                self._follow(column, market, index_only=index_only)
                watched.setdefault(group, []).append(column)
                continue
            others.append(column)
            if group is not None:
                self._enter(group)
        for group, own in watched.items():
            group.looks += 1
            self._look_at(self._leavers(own, [self._followed.take_moved(column.index) for column in own]), group)
        return others

    def follow_index(self, columns: Sequence[Column], market: Market) -> bool:
        """Do what `follow` does of an index tick if one column, that is watched, is all there is; return whether it is.

        Nearly all that comes are such ticks, and most of them concern nobody.
        """
        if len(columns) != 1:
            return False
        column = columns[0]
        group = column.group
        if group is None or group.exact or not column.has_accounts:
            return False
        self._forget_known()
        self._follow(column, market, index_only=True)
        group.looks += 1
        rows = self._leavers_of(column, self._followed.take_moved(column.index))
        if len(rows):
            self._look_at(rows, group)
        return True

    def _follow(self, column: Column, market: Market, *, index_only: bool) -> None:
        followed = column.follow(market, index_only=index_only)
        if followed == "nothing":
            column.price(market)
        self.take(column, index_only=followed == "index", moved=True)

    # --- for accounts that are computed one by one ----------------------------------------------

    @property
    def followed(self) -> Followed:
        """Contracts, scenarios and drifts of all columns."""
        return self._followed

    @property
    def covers(self) -> Floats:
        """What is kept by account: `kernels.certificates.joint`."""
        return self._covers

    def follow_one(self, column: Column, market: Market, *, index_only: bool) -> None:
        """Follow the market in a column without pricing it."""
        self._follow(column, market, index_only=index_only)

    def outside(self, columns: Sequence[Column]) -> Ints:
        """Return the accounts that are outside of their boxes in some columns."""
        return self._leavers(columns)

    def leave(self, columns: Sequence[Column]) -> Ints:
        """Return the accounts that have to be computed of those that are outside of their boxes in some columns."""
        return self.split(self._leavers(columns, [self._followed.take_moved(column.index) for column in columns]))

    def split(self, rows: Ints) -> Ints:
        """Split the room of accounts anew around the present prices; return those that have too little of it."""
        return self._review(rows) if len(rows) else rows

    # --- correlations ---------------------------------------------------------------------------

    def take_correlations(self, rows: Ints, before: tuple[Floats, Floats]) -> Ints:
        """Judge whom new correlations concern of those watched among some accounts; return the others.

        before: matrices and k that were in force until now.
        """
        self._forget_known()
        for group in self._groups.values():
            if group.exact:
                self._enter(group)
        (old, old_k), (new, new_k) = before, self._swept.netting.in_force
        changes = [largest_change(*one) for one in zip(old, new, old_k, new_k, strict=True)]
        largest = max(changes, default=0.0)
        if largest == np.inf:
            self.forget()
            return rows
        self._changed_by += largest
        f = self._swept.figures
        netted, others = (f.traits[rows] & NETTED) != 0, np.ones(len(rows), dtype=np.bool_)
        for index, group in self._groups.items():
            if not group.exact:
                own = netted & (f.set_of[rows] == index)
                others &= ~own
                limits = self._covers[rows[own], joint.CORRELATION_LIMIT]
                self._look_at(rows[own][~(limits >= self._changed_by)], group)
        return rows[others]

    def forget(self) -> None:
        """Let nobody have a certificate, and all be swept, from now on."""
        for group in self._groups.values():
            if not group.exact:
                self._give_up(group)
                group.changed_by = -np.inf  # no bound outlives this
                self._enter(group)
            self.void(rows_of(group.columns))

    # --- who has to be looked at ----------------------------------------------------------------

    def _leavers(self, columns: Sequence[Column], moved: Sequence[int] | None = None) -> Ints:
        """Return the accounts that are outside of their boxes in some columns.

        moved: what may have moved, column by column, since everybody was inside or without any: `watch.leavers`.
        """
        if len(columns) == 1:
            return self._leavers_of(columns[0], moved[0] if moved else watch.EVERYTHING)
        every = moved or [watch.EVERYTHING] * len(columns)
        found = [self._leavers_of(column, what) for column, what in zip(columns, every, strict=True)]
        return np.unique(np.concatenate(found)) if found else _NOBODY

    def _leavers_of(self, column: Column, moved: int) -> Ints:
        """Return the accounts that are outside of their boxes in one column."""
        s = self._segments
        self._have_room()
        now = self._followed.now[column.index]
        count = watch.leavers(*s.pages(column.index), now, moved, s.boxes, s.account, s.extremes, self._rows)
        return self._rows[:count].copy() if count else _NOBODY

    def _look_at(self, rows: Ints, group: Group) -> None:
        """Judge accounts that left their boxes: few by themselves, more from tables; after a gap all are swept."""
        if not len(rows):
            return
        failed = self._review_some(rows)
        if len(failed) > MANY or (len(failed) > FEW and self._is_gap(len(failed), group)):
            self._judge_many(failed, group)
        elif len(failed):
            self._evaluate(failed, judging=True, aim=renew.CERTIFY)
        if not group.exact and group.costs_too_much(self.work.certified):
            self._give_up(group)
            self._enter(group)

    def _judge_many(self, rows: Ints, group: Group) -> None:
        """Judge accounts that have too little room from tables; certify some of them, or give all up."""
        for column in group.columns:
            if column.has_accounts:
                column.catch_up()
        self._take_matrices(group)
        before = self._swept.judged.counts.item(0)
        self._swept.judge_by_tables(rows, self._state_of[rows])
        changed = self._swept.judged.changed_rows()[before:]
        self._judged[rows] = np.nan
        self._bits_known.update(changed)
        if self._is_gap(len(rows), group):
            self._give_up(group)
            return
        # Whoever is not certified at once is looked at with everything that moves.
        self.void(rows[self._covers[rows, joint.CORRELATION_LIMIT] > -np.inf])
        tried = TRIED + len(rows) // TRIED_SHARE
        self._evaluate(group.by_turns(rows, tried)[:tried], judging=False, aim=renew.CERTIFY)

    def _is_gap(self, accounts: int, group: Group) -> bool:
        """Whether so many accounts with too little room at once are a gap."""
        return GAP_SHARE * accounts > self._held_by(group)

    def _held_by(self, group: Group) -> int:
        """Return how many segments a group has."""
        return sum(self._segments.held_by(column.index) for column in group.columns)

    def _review_some(self, rows: Ints) -> Ints:
        """Return those of some accounts for which there is too little room, or all of whom nobody looked at.

        After a gap most have too little: then a sample is enough to tell, and the others are not looked at.
        """
        if len(rows) <= SAMPLE:
            return self._review(rows)
        step = len(rows) // SAMPLE
        sampled = rows[::step].copy()
        failed = self._review(sampled)
        if 2 * len(failed) <= len(sampled):
            return np.concatenate([failed, self._review(np.delete(rows, slice(None, None, step)))])
        self.work.pops += len(rows) - len(sampled)
        having = set(sampled.tolist()).difference(failed.tolist())
        # In the order of segments, in which they are judged.
        return np.delete(rows, [step * k for k, row in enumerate(sampled.tolist()) if row in having])

    def _review(self, rows: Ints) -> Ints:
        """Split the room of accounts anew around the present prices; return those that have too little of it."""
        s, f, t = self._segments, self._swept.figures, self._swept.tables
        self._have_room()
        count = watch.review_rows(
            rows, len(rows), self._changed_by, self._followed.now, f.slot, s.page_column, t.columns, s.curves, s.boxes,
            self._covers, f.shorts, *self._swept.netting.in_force, s.extremes, self._failed,
        )  # fmt: skip
        self.work.pops += len(rows)
        self.work.resplit += len(rows) - count
        return self._failed[:count].copy()

    def _have_room(self) -> None:
        """Have room for all accounts of a column, or of all."""
        if len(self._rows) < len(self._segments.account):
            self._rows, self._failed = np.zeros((2, len(self._segments.account)), dtype=np.int64)

    def _evaluate(self, rows: Ints, *, judging: bool, aim: int) -> None:
        """Evaluate accounts at the prices last taken, from nothing; aim: `renew.KEEP`, VOID or CERTIFY."""
        s, f, j, t, of = self._segments, self._swept.figures, self._swept.judged, self._swept.tables, self._followed
        of.shared.have_places()
        netting = self._swept.netting
        requirement, counts = np.empty(len(rows)), self._counts
        before = counts[0] = j.counts.item(0)
        counts[1] = 0
        renew.renew(
            rows, self._state_of[rows], judging, aim, f.slot, s.page_column, t.columns, s.start, s.stop, s.row,
            s.quantity, s.hedge, s.left, s.right, s.share, f.record, f.shorts, *netting.in_force, netting.mm_factor,
            j.thresholds, j.bits, of.contracts, of.scenarios, of.market, of.now, self._changed_by, s.curves, s.boxes,
            self._covers, s.extremes, of.shared.tables, of.shared.table_at, of.shared.centers, self._judged,
            requirement, j.changed, counts,
        )  # fmt: skip
        found, certified = counts.tolist()
        j.counts[0] = found
        known = {
            row: im_usd
            for row, im_usd in zip(rows.tolist(), requirement.tolist(), strict=True)
            if im_usd != renew.NOT_EVALUATED
        }
        self._known.update(known)
        if judging:
            self._bits_known.update(known)
        self.work.evaluated += len(known)
        self.work.proven += len(rows) - len(known)
        self.work.certified += certified
        if aim == renew.CERTIFY and found - before + certified < len(rows):
            left = rows[self._covers[rows, joint.CORRELATION_LIMIT] == -np.inf]
            self._certify_nearer(np.setdiff1d(left, j.changed[before:found]))

    def _certify_nearer(self, rows: Ints) -> None:
        """Certify accounts with too little room for drifts that count from long ago: let these count from now on."""
        s, f = self._segments, self._swept.figures
        columns = {s.column_of(slot) for row in rows.tolist() for slot in f.slots_of(row)}
        nearer = [self._followed.refer_near(column) for column in sorted(columns)]
        if any(nearer):
            self._evaluate(rows, judging=False, aim=renew.CERTIFY)

    # --- the exact path and back ----------------------------------------------------------------

    def _give_up(self, group: Group) -> None:
        """Let the exact path do from the next record on."""
        group.give_up(self.work.certified)
        self.work.swept += 1

    def _enter(self, group: Group) -> None:
        """Bring all that the exact path rests on up to date."""
        if group.up_to_date:
            return
        group.up_to_date = True
        self._take_matrices(group)
        for column in group.columns:
            if column.has_accounts:
                column.catch_up()
                self._swept.sweep(column, judging=False)

    def _take_matrices(self, group: Group) -> None:
        """Let mixtures and norms of a group's accounts be of the matrices in force."""
        changed = self._changed_by - group.changed_by
        if changed:
            shrunk = [shrinkage_by(changed, k, k) if changed < np.inf else 0.0 for k in self._swept.netting.stress]
            self._swept.shrink(rows_of(group.columns), np.array(shrunk))
            group.changed_by = self._changed_by

    def renew(self, columns: Sequence[Column]) -> None:
        """Certify some accounts of columns that were just swept; where few are left, watch their group from now on."""
        for column in columns:
            group = column.group
            if group is None:
                continue
            held = self._held_by(group)
            if not group.is_renewed_beside_a_sweep(held):
                continue
            before = self.work.certified
            self._renew_some(column, group)
            most = max(group.columns, key=lambda one: group.outside.get(one.index, 0))
            if most is not column and group.outside.get(most.index, 0) > 0:
                self._renew_some(most, group)
            made = self.work.certified - before
            if group.is_calm:
                self._watch(group)
            group.count_made(made, held)

    def _watch(self, group: Group) -> None:
        """Watch a group from now on if hardly anybody in it is without a certificate.

        Boxes and correlations stand all at once or not at all: who is outside of one is looked at with any.
        """
        rows = rows_of(group.columns)
        lost = rows[~(self._covers[rows, joint.CORRELATION_LIMIT] >= self._changed_by)]
        self.void(self._review(np.union1d(self._leavers(group.columns), lost)))
        for column in group.columns:
            group.count_outside(column.index, len(self._leavers([column])), self._segments.held_by(column.index))
        if group.is_calm:
            group.changed_by = self._changed_by
            group.begin(self.work.certified)

    def _renew_some(self, column: Column, group: Group) -> None:
        rows, held = self._leavers([column]), self._segments.held_by(column.index)
        left = len(rows)
        if left:
            renewed = RENEWED + held // RENEWED_SHARE
            some = group.by_turns(rows, renewed)[: LOOKED * renewed]
            failed, certified = self._review(some), self.work.certified
            self._evaluate(failed[:renewed], judging=False, aim=renew.CERTIFY)
            found = self.work.certified - certified
            left -= len(some) - len(failed) + found
            if 2 * found < min(renewed, len(failed)):  # most have too little room for a certificate: not now
                group.wait()
        group.count_outside(column.index, left, held)


_NOBODY: Ints = np.zeros(0, dtype=np.int64)
