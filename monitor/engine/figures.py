"""Arrays of account figures: rows are accounts, with a place for each underlying that an account holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels import accounts as kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shorts = NDArray[np.int16]
Bools = NDArray[np.bool_]


_LINE = 8  # doubles in a cache line


def _records(rows: int, figures: int) -> Floats:
    """Return zeros, float64[rows, >= figures], whose rows begin at cache lines."""
    width = (figures + _LINE - 1) // _LINE * _LINE
    raw = np.zeros(rows * width + _LINE)
    skipped = (-raw.ctypes.data // raw.itemsize) % _LINE
    return raw[skipped : skipped + rows * width].reshape(rows, width)


def _figure(place: int, which: int) -> int:
    return kernel.PLACES + kernel.EACH * place + which


class Figures:
    """Figures of up to `rows` accounts in up to `places` underlyings each; USD, unused elements are zero.

    `record` and `shorts` as `kernels.accounts` takes them, and by names what stands in them: by account `cash`, `norm`,
    `flags`, `count`, `set_of`, `held_places` and `traits`; by account and place `value`, `upper` and `lower`. `slot` is
    an account's segment at a place (-1: none).
    """

    def __init__(self, rows: int, places: int) -> None:
        places = max(places, kernel.LEAST_PLACES)
        end = _figure(places, 0)
        self.record = _records(rows, end)
        self.shorts: Shorts = self.record.view(np.int16)
        self.cash, self.norm = self.record[:, kernel.CASH], self.record[:, kernel.NORM]
        fields = (kernel.FLAGS, kernel.COUNT, kernel.SET, kernel.HELD, kernel.TRAITS)
        self.flags, self.count, self.set_of, self.held_places, self.traits = (self.shorts[:, i] for i in fields)
        self.value, self.upper, self.lower = (
            self.record[:, _figure(0, which) : end : kernel.EACH]
            for which in (kernel.VALUE, kernel.UPPER, kernel.LOWER)
        )
        self.slot: Ints = np.full((rows, places), -1, dtype=np.int64)

    @property
    def rows(self) -> int:
        """How many accounts fit."""
        return len(self.record)

    @property
    def places(self) -> int:
        """In how many underlyings an account can be."""
        return int(self.slot.shape[1])

    def slots_of(self, row: int) -> list[int]:
        """Return the segments of one account, in the order of its places."""
        found: list[int] = self.slot[row, : self.count[row]].tolist()
        return found

    def equity_of(self, rows: Ints) -> Floats:
        """Return the equity of some accounts, USD: what `kernels.accounts.totals` says of each."""
        values = self.value[rows]
        equity = self.cash[rows]
        for place in range(int(self.count[rows].max(initial=0))):  # in the order of places; unused ones are zero
            equity += values[:, place]
        return equity

    def grown(self, rows: int, places: int) -> Figures:
        """Return larger arrays with the same content."""
        larger = Figures(rows, places)
        for before, after in ((self.record, larger.record), (self.slot, larger.slot)):
            after[: len(before), : before.shape[1]] = before
        return larger

    def set_slots(self, row: int, slots: list[int]) -> None:
        """Give an account its segments by place, and clear the figures of places beyond."""
        self.slot[row] = -1
        self.slot[row, : len(slots)] = slots
        self.count[row] = len(slots)
        self.record[row, _figure(len(slots), 0) :] = 0.0

    def clear_row(self, row: int) -> None:
        """Forget one account."""
        self.record[row] = 0.0
        self.slot[row] = -1
