"""What one record of an account changes of its exposure, without reading the whole portfolio again.

A sum is always added up anew, in the order of names, from parts that are kept: it is a function of the account as it
is, and not of the records that led there.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from monitor.engine.expiries import NEVER_US
from monitor.engine.ledger import DOLLAR, entry_constant

if TYPE_CHECKING:
    from monitor.engine.column import Column
    from monitor.engine.figures import Ints
    from monitor.engine.grounds import Head
    from monitor.engine.ledger import Listing
    from monitor.engine.marks import Marks
    from monitor.engine.state import Account, Holding
    from schemas.records import Instrument

ROOM = 8_192  # accounts whose sums are kept; they are read again from the portfolio when they are asked for


class Place(Struct, gc=False, eq=False):
    """An account's segment of a column, and what was read of it: that stands until a position comes or goes.

    From position `start` on it has the column's `rows`, which are of a `version` of these (-1: not known), and `array`.
    `ground` is what a note has of it, at a `moment` of the column (-1: none).
    """

    slot: int
    column: Column
    underlying: str
    version: int = -1
    start: int = 0
    rows: list[int] = []
    array: Ints | None = None
    moment: int = -1
    ground: tuple[Head, Marks] | None = None

    def read(self) -> list[int]:
        """Return the column's rows of its positions; nobody may write to it."""
        version = self.column.pricing.version
        if version != self.version:
            self.start, self.rows = self.column.rows_of(self.slot)
            self.version, self.array = version, None
        return self.rows

    def at(self) -> Ints:
        """Return what `read` does as an array that is never written to again."""
        rows, at = self.read(), self.array
        if at is None:
            at = self.array = np.array(rows, dtype=np.int64)
        return at

    def noted(self) -> tuple[Head, Marks]:
        """Return what a note has of it: head and marks, which stand until the column reads the market again."""
        found, moment = self.ground, self.column.moment
        if found is None or moment != self.moment:
            p = self.column.pricing
            found = (p.underlying, p.index_price, p.refinement, p.price_range), p.own_marks(self.at())
            self.ground, self.moment = found, moment
        return found

    def forget(self) -> None:
        """Read the rows anew: a position came or went."""
        self.version = self.moment = -1


class Sums(Struct, gc=False, eq=False):
    """The entry sides of one account's futures, by name, and no later than when anything that it holds expires.

    `places` are the account's in the book, in their order.
    """

    places: list[Place] = []
    first_expiry_us: int = NEVER_US
    _names: list[str] = []
    _sides: dict[str, tuple[str, float, float]] = {}

    def take(self, name: str, instrument: Instrument, holding: Holding | None) -> None:
        """Take what an account holds of a contract now (None: nothing)."""
        expiry_us = instrument.expiry_us
        if holding is not None and expiry_us is not None and expiry_us < self.first_expiry_us:
            self.first_expiry_us = expiry_us
        if instrument.type == "option":
            return
        if holding is None:
            if self._sides.pop(name, None) is not None:
                del self._names[bisect_left(self._names, name)]
            return
        if name not in self._sides:
            insort(self._names, name)
        self._sides[name] = (instrument.underlying, *entry_constant(holding, instrument))

    def cash_usd(self, account: Account) -> float:
        """Return the dollars that no index moves: `monitor.engine.ledger.Exposures.usd`."""
        usd = account.balances.get(DOLLAR, 0.0)
        for name in self._names:
            usd += self._sides[name][1]
        return usd

    def coins(self, account: Account, underlying: str) -> float:
        """Return the account's quantity of a coin: its balance and the entry sides of inverse futures."""
        coins = account.balances.get(underlying, 0.0)
        for name in self._names:
            of, _, entry = self._sides[name]
            if of == underlying:
                coins += entry
        return coins


class KeptSums:
    """Sums of the accounts that traded lately, by their row in the book."""

    __slots__ = ("_of", "get")

    def __init__(self) -> None:
        self._of: dict[int, Sums] = {}
        self.get = self._of.get  # an account's sums if they are kept

    def read(self, row: int, account: Account, listing: Listing) -> Sums | None:
        """Return an account's sums from its portfolio, and keep them; None if it holds what is not listed."""
        found = Sums()
        listed, first_us = listing.get, NEVER_US
        for name, holding in account.holdings.items():
            instrument = listed(name)
            if instrument is None:
                return None
            if instrument.type != "option":
                found.take(name, instrument, holding)
            elif instrument.expiry_us is not None and instrument.expiry_us < first_us:
                first_us = instrument.expiry_us
        found.first_expiry_us = min(found.first_expiry_us, first_us)
        if len(self._of) >= ROOM:
            self._of.clear()
        self._of[row] = found
        return found

    def forget(self, row: int) -> None:
        """Read an account's sums anew when they are asked for next."""
        self._of.pop(row, None)

    def clear(self) -> None:
        """Read all sums anew: segments have moved."""
        self._of.clear()
