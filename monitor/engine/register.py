"""Who is in a book, in which row, and what of which column each account holds.

What one record changed of an account is taken without its whole portfolio (`monitor.engine.sums`): one quantity in one
segment, and the sums that it is a part of.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Literal

import numpy as np

from kernels.accounts import NETTED
from kernels.netted_accounts import PAGE
from monitor.engine.column import ALONE, Column
from monitor.engine.figures import Ints
from monitor.engine.grounds import Shared
from monitor.engine.ledger import DOLLAR
from monitor.engine.sums import KeptSums, Place, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.engine.certified import Certificates
    from monitor.engine.market import Market
    from monitor.engine.state import Account
    from monitor.engine.swept import Swept
    from schemas.records import Instrument, MarginModel


class Register:
    """Rows of accounts, columns of underlyings, and which segments of these are whose.

    `row_of` and `name_of` by account, `columns` by index, `of_underlying` the columns of each underlying.
    """

    def __init__(self, swept: Swept, certificates: Certificates | None) -> None:
        self.row_of: dict[str, int] = {}
        self.name_of: list[str | None] = []
        self.columns: list[Column] = []
        self.of_underlying: dict[str, list[Column]] = {}
        self._swept, self._segments = swept, swept.segments
        self._certificates = certificates
        self._free: list[int] = []
        self._column_of: dict[tuple[str, str, MarginModel | Literal[""]], Column] = {}
        self._sums = KeptSums()

    # --- accounts -------------------------------------------------------------------------------

    def row(self, name: str) -> int:
        """Return an account's row, a new one if it has none."""
        row = self.row_of.get(name)
        if row is not None:
            return row
        if self._free:
            row = self._free.pop()
            self.name_of[row] = name
        else:
            row = len(self.name_of)
            self._swept.make_room(row + 1)
            self.name_of.append(name)
        self.row_of[name] = row
        return row

    def remove(self, name: str) -> None:
        """Forget an account and what it holds."""
        row = self.row_of.pop(name)
        self.set_columns(row, [])
        self._sums.forget(row)
        self.name_of[row] = None
        self._free.append(row)

    def forget_sums(self, row: int) -> None:
        """Take an account's whole portfolio when a record changes it next."""
        self._sums.forget(row)

    def forget_all_sums(self) -> None:
        """Take whole portfolios: segments have moved."""
        self._sums.clear()

    # --- columns --------------------------------------------------------------------------------

    def column(self, underlying: str, account: Account, market: Market, *, swept: bool) -> Column:
        """Return the column that an account holds an underlying in, a new one if there is none."""
        set_name = account.config.parameter_set
        key = (underlying, set_name, account.config.margin_model if swept else ALONE)
        column = self._column_of.get(key)
        if column is None:
            s = self._swept
            s.segments.add_column()
            s.tables.add_column(s.netting.coin(underlying, market))
            column = Column(*key, len(self.columns), s.segments, s.tables)
            if self._certificates is not None:
                self._certificates.add_column(column, int(s.figures.set_of[self.row_of[account.name]]))
            self.columns.append(column)
            self._column_of[key] = column
            self.of_underlying.setdefault(underlying, []).append(column)
        return column

    def columns_of(self, row: int) -> list[Column]:
        """Return the columns of an account, by place."""
        return [self.columns[self._segments.column_of(slot)] for slot in self._swept.figures.slots_of(row)]

    def places(self, row: int) -> list[Place]:
        """Return where an account holds something, in the order of its places."""
        kept = self._sums.get(row)
        return self._places(row) if kept is None else kept.places

    def _places(self, row: int) -> list[Place]:
        found = [(slot, self.columns[self._segments.column_of(slot)]) for slot in self._swept.figures.slots_of(row)]
        return [Place(slot, column, column.underlying) for slot, column in found]

    def set_columns(self, row: int, columns: list[Column]) -> list[int]:
        """Give an account a segment of each of its columns, and take back those of others; return them by place."""
        self._swept.make_room(0, len(columns))
        f, s = self._swept.figures, self._segments
        before = {s.column_of(slot): slot for slot in f.slots_of(row)}
        wanted = {column.index for column in columns}
        for index, slot in before.items():
            if index not in wanted:
                self.columns[index].release(slot)
        slots = [
            before[column.index] if column.index in before else s.take(column.index, row) for column in columns
        ]  # fmt: skip
        f.set_slots(row, slots)
        s.place[slots] = np.arange(len(slots))
        return slots

    # --- one record -----------------------------------------------------------------------------

    def take_record(
        self, row: int, account: Account, market: Market, instrument: Instrument | None, assets: Iterable[str]
    ) -> Sums | None:
        """Take the position in `instrument` and balances of `assets`; return the sums of the account.

        None if the whole portfolio has to be taken: something that is held is not listed, or may be past its expiry.
        """
        sums = self._sums.get(row) or self._read_sums(row, account, market)
        if sums is None:
            return None
        if instrument is not None and instrument.type != "spot":
            name = instrument.instrument
            holding = account.holdings.get(name)
            sums.take(name, instrument, holding)
            quantity = 0.0 if holding is None else holding.quantity
            self._set_quantity(row, sums, account, market, instrument.underlying, name, quantity)
        if sums.first_expiry_us < market.time_us:
            return None
        for asset in assets:
            if asset != DOLLAR:
                self._set_quantity(row, sums, account, market, asset, None, sums.coins(account, asset))
        return sums

    def _read_sums(self, row: int, account: Account, market: Market) -> Sums | None:
        sums = self._sums.read(row, account, market.instruments)
        if sums is not None:
            sums.places = self._places(row)
        return sums

    def _set_quantity(
        self, row: int, sums: Sums, account: Account, market: Market, underlying: str, name: str | None,
        quantity: float,
    ) -> None:  # fmt: skip
        """Replace one quantity of an account's exposure; an underlying that this empties or begins goes or comes."""
        places = sums.places
        for place in places:
            if place.underlying == underlying:
                if not place.column.set_quantity(place, name, quantity):
                    self.set_columns(row, [other.column for other in places if other is not place])
                    sums.places = self._places(row)
                return
        if quantity != 0.0:
            column = self.column(underlying, account, market, swept=True)
            asleep = not column.has_accounts
            at = bisect_left(places, underlying, key=_underlying)
            slot = self._insert(row, at, column)
            places.insert(at, Place(slot, column, underlying))
            column.begin(slot, name, quantity)
            if asleep:  # `take_places` does not know that nobody priced it
                have_priced(column, market, self._certificates, asleep=True)

    def _insert(self, row: int, place: int, column: Column) -> int:
        """Give an account a segment of one more column, between its others; return it."""
        f, s = self._swept.figures, self._segments
        count = f.count.item(row)
        if count == f.places:
            self._swept.make_room(0, count + 1)
            f = self._swept.figures
        slot = s.take(column.index, row)
        slots = f.slot[row]
        if place < count:
            slots[place + 1 : count + 1] = slots[place:count].copy()
            s.place[slots[place + 1 : count + 1]] += 1
        slots[place] = slot
        s.place[slot] = place
        f.count[row] = count + 1
        return slot

    def take_places(self, rows: Ints, market: Market) -> None:
        """Price what accounts hold where that was put off, and count which of it is doubtful; all accounts netted."""
        f, s = self._swept.figures, self._segments
        slots = f.slot[rows]
        used = slots >= 0
        columns = s.page_column[slots // PAGE]
        held = np.zeros(len(self.columns) + 1, dtype=np.bool_)  # unused places name a first column, if there is any
        for index in np.flatnonzero(np.bincount(columns[used], minlength=1)).tolist():
            column = self.columns[index]
            have_priced(column, market, self._certificates, asleep=False)
            held[index] = column.pricing.held
        now = held[columns] & used
        s.seen_held[slots[used]] = now[used]
        f.held_places[rows] = now.sum(axis=1)

    def grounds_of(self, rows: Ints) -> Shared:
        """Return what the requirements of swept accounts rest on, all columns priced or followed."""
        s, netting = self._segments, self._swept.netting
        slots = self._swept.figures.slot[rows]
        used = slots >= 0
        counts = used.sum(axis=1)
        slots = slots[used]
        column, start = s.page_column[slots // PAGE], s.start[slots]
        length = s.stop[slots] - start
        first_position = _from_zero(length)
        at = s.row[np.repeat(start - first_position[:-1], length) + np.arange(first_position[-1])]
        of = np.repeat(column, length)
        order = np.argsort(of, kind="stable")
        ends = np.cumsum(np.bincount(of, minlength=1))
        heads, marks = {}, []
        for index in np.flatnonzero(np.bincount(column, minlength=1)).tolist():
            p = self.columns[index].pricing
            heads[index] = (p.underlying, p.index_price, p.refinement, p.price_range)
            own = order[ends[index - 1] if index else 0 : ends[index]]
            marks.append(p.own_marks(at[own]))
        sets, traits = self._swept.figures.set_of[rows].tolist(), self._swept.figures.traits[rows].tolist()
        matrices = [
            netting.matrices_now(index) if trait & NETTED and count > 1 else None
            for index, trait, count in zip(sets, traits, counts.tolist(), strict=True)
        ]
        return Shared(heads, _from_zero(counts), matrices, column, first_position, marks, order)


def _underlying(place: Place) -> str:
    return place.underlying


def _from_zero(lengths: Ints) -> Ints:
    """Return where each of some parts begins, one after the other, and where the last ends."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])


def have_priced(column: Column, market: Market, certificates: Certificates | None, *, asleep: bool) -> None:
    """Price a column that has other rows now, or that nobody held until now (`asleep`): so nobody priced it."""
    if asleep or column.rows_stale:
        column.price(market)
        if certificates is not None:
            certificates.take(column, index_only=False, moved=asleep)
    elif column.newly_held and certificates is not None:
        certificates.take(column, index_only=False, moved=False)
