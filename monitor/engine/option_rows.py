"""Surface rows of the options of one underlying: read by expiry, and after an update only what it touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels import surface
from monitor.engine.figures import Floats, Ints
from monitor.engine.surface import NO_SLICE_US, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.engine.market import Market
    from monitor.engine.surface import Touch
    from schemas.records import Instrument

NO_OWN_US = NO_SLICE_US - 1


class OptionRows:
    """`code` int64[n], `parameters` float64[n, 5], `low` and `high` float64[n]: rows of `kernels.surface`.

    Rows that are no options have a constant volatility. `rows` are those of each of the `expiries`, ascending;
    `of_futures` the rows whose forward is a future's, with its name: nobody published a forward basis.
    """

    def __init__(self, underlying: str, options: Sequence[tuple[int, Instrument]], n: int) -> None:
        self.code: Ints = np.zeros(n, dtype=np.int64)
        self.parameters: Floats = np.full((n, surface.PARAMETERS), 1.0)
        self.low: Floats = np.zeros(n)
        self.high: Floats = np.zeros(n)
        self.of_futures: list[tuple[int, str]] = []
        self._underlying = underlying
        by_expiry: dict[int, list[int]] = {}
        for row, instrument in options:
            assert instrument.expiry_us is not None, "an option expires"
            by_expiry.setdefault(instrument.expiry_us, []).append(row)
        self.expiries = sorted(by_expiry)
        self.rows: list[Ints] = [np.array(by_expiry[at], dtype=np.int64) for at in self.expiries]
        self._place_of = {at: place for place, at in enumerate(self.expiries)}
        self._row_of = {instrument.instrument: row for row, instrument in options}
        self._place_of_row = {row: place for place, rows in enumerate(self.rows) for row in rows.tolist()}
        self._implied: set[int] = set()  # expiries without slices
        self._forwards: list[float | None] = [None] * len(self.rows)
        self._own_us: Ints = np.full(n, NO_OWN_US, dtype=np.int64)
        self._own_vol: Floats = np.zeros(n)
        self._slice_us = [NO_SLICE_US] * len(self.rows)  # event time of the slice that was written
        self._reading = Reading()
        self._listing: object = None
        self._is_lent = False

    def read(self, market: Market, basis: Floats, *, whole: bool) -> Iterable[int] | None:
        """Take volatilities, and forwards to `basis`; return the places of the expiries that moved, None: all.

        basis: float64[n], F/S - 1 by row. All is read where that is asked for, the listing is another one, or what was
        touched since the last time is not known any more.
        """
        listing = market.instruments.of_underlying(self._underlying)
        self._reading, touched = market.volatility.since(self._underlying, self._reading)
        if whole or touched is None or listing is not self._listing:
            self._listing = listing
            self._read_all(market, basis)
            return None
        places, own = self._take(touched, market)
        forwards: set[int] = set()
        for touch in touched:
            if touch.basis:
                if self._forwards and self._forwards[0] is None:
                    self._read_all(market, basis)  # the first forward that anybody publishes
                    return None
                forwards = self._read_forwards(market, basis)
                break
        for place in places:
            self._write(place, market)
        for row in own:
            self._write_own(row)
        return places | forwards | {self._place_of_row[row] for row in own}

    def lend(self) -> tuple[Ints, Floats, Floats, Floats]:
        """Return `code`, `parameters`, `low` and `high` as they are now: what is read later goes to copies."""
        self._is_lent = True
        return self.code, self.parameters, self.low, self.high

    def _take(self, touched: Iterable[Touch], market: Market) -> tuple[set[int], set[int]]:
        """Take own volatilities; return the places that have to be written, and the rows beside them."""
        places: set[int] = set()
        own: set[int] = set()
        for expiry_us, instrument, _ in touched:
            if instrument is None:
                if expiry_us in self._place_of:
                    places.add(self._place_of[expiry_us])
                places |= self._implied
                continue
            row = self._row_of.get(instrument)
            if row is not None:
                self._read_own(row, instrument, market)
                own.add(row)
        return places, {row for row in own if self._place_of_row[row] not in places} if places else own

    def _read_all(self, market: Market, basis: Floats) -> None:
        self._own_us.fill(NO_OWN_US)
        for name, row in self._row_of.items():
            self._read_own(row, name, market)
        self._implied.clear()
        for place in range(len(self.rows)):
            self._write(place, market)
        self._forwards = [None] * len(self.rows)
        self._read_forwards(market, basis)
        self.of_futures = self._read_futures(market) if None in self._forwards else []

    def _read_own(self, row: int, name: str, market: Market) -> None:
        own = market.volatility.own(self._underlying, name)
        if own is not None:
            self._own_vol[row], self._own_us[row] = own

    def _take_back(self) -> None:
        """Write to copies, if somebody has the arrays."""
        if self._is_lent:
            self._is_lent = False
            self.code, self.parameters = self.code.copy(), self.parameters.copy()
            self.low, self.high = self.low.copy(), self.high.copy()

    def _write_own(self, row: int) -> None:
        """Write an option's own volatility where it is in force; its expiry's slice is the one that was written."""
        if self._own_us.item(row) >= self._slice_us[self._place_of_row[row]]:
            self._take_back()
            self.code[row] = surface.CONSTANT
            parameters = self.parameters[row]
            parameters.fill(0.0)
            parameters[0] = self._own_vol.item(row)
            self.low[row] = self.high[row] = 0.0

    def _write(self, place: int, market: Market) -> None:
        self._take_back()
        rows = self.rows[place]
        row, slice_us = market.volatility.expiry_row(self._underlying, self.expiries[place])
        self._slice_us[place] = slice_us
        if slice_us == NO_SLICE_US:
            self._implied.add(place)
        else:
            self._implied.discard(place)
        self.code[rows], self.parameters[rows] = row.code, row[1:6]
        self.low[rows], self.high[rows] = row.lo, row.hi
        own = rows[self._own_us[rows] >= slice_us]
        if len(own):
            self.code[own], self.parameters[own] = surface.CONSTANT, 0.0
            self.parameters[own, 0] = self._own_vol[own]
            self.low[own] = self.high[own] = 0.0

    def _read_forwards(self, market: Market, basis: Floats) -> set[int]:
        """Take the forward bases of all expiries; return the places of those that are others."""
        moved = set()
        for place, expiry_us in enumerate(self.expiries):
            forward = market.volatility.forward_basis(self._underlying, expiry_us)
            if forward is not None and forward != self._forwards[place]:
                self._forwards[place] = basis[self.rows[place]] = forward
                moved.add(place)
        return moved

    def _read_futures(self, market: Market) -> list[tuple[int, str]]:
        """Return the rows of options that have a future of their expiry, and its name."""
        futures: dict[int, str] = {}
        for instrument in market.instruments.of_underlying(self._underlying):
            if instrument.type == "future" and instrument.expiry_us is not None:
                futures.setdefault(instrument.expiry_us, instrument.instrument)
        return [
            (row, futures[expiry_us])
            for place, expiry_us in enumerate(self.expiries) if expiry_us in futures
            for row in self.rows[place].tolist()
        ]  # fmt: skip
