"""What certificates need of columns: contracts and scenarios in arrays of all columns, indices, and drifts.

Drifts count from a reference by column, a copy of its contracts; another reference costs every certificate of the
column what the drifts had come to, so there is a new one only where rows come in or prices went far.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kernels.certificates import book, drift_rows, joint, places, watch
from kernels.netted_accounts import CELLS, CONTRACTS, SCENARIOS
from monitor.engine.figures import Floats

if TYPE_CHECKING:
    from monitor.engine.column import Column
    from monitor.engine.segments import Segments
    from monitor.engine.tables import Tables

LEAST_INDEX, MOST_INDEX = 0.5, 2.0  # of the reference's: the prices that drifts are bounded for
GROWTH = 2  # arrays double when full


@dataclass(slots=True)
class _Reference:
    """What the drifts of a column count from, and what its certificates rest on beside prices."""

    version: int
    scenarios: Floats
    shocks: Floats
    held: bool
    averaged: bool
    least: float = np.nan
    most: float = np.nan
    contracts: Floats = field(default_factory=lambda: np.zeros((0, book.FIELDS)))

    def allows(self, price: float) -> bool:
        """Whether drifts are bounded at an index price."""
        return self.least <= price <= self.most


class Followed:
    """`contracts`, `scenarios` and `market` as `kernels.certificates.book` takes them, `now` as `joint` does."""

    def __init__(self, segments: Segments, tables: Tables) -> None:
        self._segments, self._tables = segments, tables
        self._contracts, self._scenarios = _Regions((256, book.FIELDS)), _Regions((4096,))
        self.market: Floats = np.zeros((0, book.MARKET))
        self.now: Floats = np.zeros((0, joint.NOW_FIELDS))
        self._references: dict[int, _Reference] = {}

    @property
    def contracts(self) -> Floats:
        """Contracts of all columns, float64[R, FIELDS]."""
        return self._contracts.values

    @property
    def scenarios(self) -> Floats:
        """Scenarios of all columns, flat."""
        return self._scenarios.values

    def add_column(self) -> None:
        """Take a new column; its index is the number of those before it."""
        self.market = np.vstack([self.market, np.zeros((1, book.MARKET))])
        self.now = np.vstack([self.now, np.zeros((1, joint.NOW_FIELDS))])

    def take(self, column: Column, *, index_only: bool, moved: bool) -> bool:
        """Take what a column has read of the market; return whether its certificates stand.

        `index_only`: nothing but the index moved; not `moved`: rows may be others, but the market is what it was when
        it was last taken.
        """
        c, p = column.index, column.pricing
        self.now[c, joint.PRICE] = self.market[c, book.INDEX] = p.index_price
        reference = self._references.get(c)
        if reference is None or p.version != reference.version:
            return self._take_rows(column, reference) and not moved
        stands, reference.held = reference.held == p.held, p.held
        if index_only and reference.allows(p.index_price):
            return stands
        contracts = self._rows(column)
        p.write_contracts(contracts)
        stands &= not (p.averaged or reference.averaged)
        reference.averaged = p.averaged
        if not reference.allows(p.index_price):
            self._refer(column, reference)
            return False
        self.now[c, joint.DRIFT :] = drift_rows.column_drifts(
            reference.contracts, contracts, column.held_rows, reference.least, reference.most, reference.shocks
        )
        return stands

    def _rows(self, column: Column) -> Floats:
        at = int(self._tables.columns[column.index, CONTRACTS])
        return self.contracts[at : at + len(column.pricing.row_of)]

    def _take_rows(self, column: Column, before: _Reference | None) -> bool:
        """Take other rows or another scenario table; return whether nothing but rows is new."""
        p, fields = column.pricing, self._tables.columns[column.index]
        numbers = np.empty(len(p.table.move))
        places.move_numbers(column.width, p.side, numbers)
        scenarios = np.concatenate([p.table.move, p.table.linear_move, p.table.vol_direction, p.table.weight, numbers])
        shocks = np.array(p.shocks)
        fields[CONTRACTS] = self._contracts.region(column.index, len(p.row_of))
        fields[SCENARIOS], fields[CELLS] = self._scenarios.region(column.index, len(scenarios)), len(p.table.move)
        self.scenarios[fields[SCENARIOS] : fields[SCENARIOS] + len(scenarios)] = scenarios
        self.market[column.index, book.SHOCK :] = shocks
        p.write_contracts(self._rows(column))
        now = self._references[column.index] = _Reference(p.version, scenarios, shocks, p.held, p.averaged)
        self._refer(column, now)
        return (
            before is not None
            and np.array_equal(before.scenarios, scenarios)
            and np.array_equal(before.shocks, shocks)
            and not (before.averaged or p.averaged)
            and before.held == p.held
        )

    def _refer(self, column: Column, reference: _Reference) -> None:
        """Let drifts count from the present; what they had come to is taken off what certificates provide for."""
        c, s = column.index, self._segments
        live = s.live(c)
        for k in range(joint.CLASSES):
            drifted = self.now[c, joint.DRIFT + k]
            if drifted == np.inf:
                s.boxes[live, joint.LIMIT + k] = -np.inf
                s.curves[live, joint.RADIUS] = joint.NOWHERE
            elif drifted != 0.0:
                s.boxes[live, joint.LIMIT + k] -= drifted
                s.curves[live, joint.SPENT + k] += drifted
        watch.take_all_extremes(*s.pages(c), s.boxes, s.account, s.extremes)
        self.now[c, joint.DRIFT :] = 0.0
        reference.contracts = self._rows(column).copy()
        price = column.pricing.index_price
        reference.least, reference.most = LEAST_INDEX * price, MOST_INDEX * price


class _Regions:
    """One array with a region for each column, which moves to the end when it has become too small."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.values: Floats = np.zeros(shape)
        self._filled = 0
        self._of: dict[int, tuple[int, int]] = {}

    def region(self, column: int, size: int) -> int:
        """Return where the region of a column begins that has room for `size` elements."""
        at, room = self._of.get(column, (0, -1))
        if size <= room:
            return at
        at, room = self._filled, size + size // 4 + 8
        if at + room > len(self.values):
            larger = np.zeros((GROWTH * (at + room), *self.values.shape[1:]))
            larger[:at] = self.values[:at]
            self.values = larger
        self._of[column], self._filled = (at, room), at + room
        return at
