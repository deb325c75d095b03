"""What certificates need of columns: contracts and scenarios in arrays of all columns, indices, and drifts.

Each class of options has a level, a number that says where volatilities are and comes back when these do. What else
happens at an unchanged index is drift. Drifts count from references, copies of contracts: one for each class of drift,
of futures and perpetuals, and of the options of an expiry (of several, where there are more expiries than classes).
Another reference costs every certificate what the drift had come to, which stays in a sum; a certificate that is made
late pays for the drift until then twice. So there is a new one when a drift has become large, but not at every update.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kernels.certificates import book, drift_rows, joint, places, watch
from kernels.netted_accounts import CELLS, CONTRACTS, SCENARIOS
from monitor.engine.figures import Floats, Ints
from monitor.engine.pricing import NO_OPTION_US
from monitor.engine.regions import Regions
from monitor.engine.shared_rows import SharedRows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.engine.column import Column
    from monitor.engine.segments import Segments
    from monitor.engine.tables import Tables

LEAST_INDEX, MOST_INDEX = 0.5, 2.0  # of the reference's: the prices that drifts are bounded for
FAR = 1e-3  # a drift of a class from which on another reference is taken
NEAR = 1e-7  # and one from which on it is taken for accounts that have too little room for it


@dataclass(slots=True)
class _Reference:
    """What the drifts of a column count from, and what its certificates rest on beside prices."""

    version: int
    scenarios: Floats
    shocks: Floats
    averaged: bool
    least: float = np.nan
    most: float = np.nan
    contracts: Floats = field(default_factory=lambda: np.zeros((0, book.FIELDS)))
    drifts: Floats = field(default_factory=lambda: np.zeros(0))
    """By part of the rows, of what is held."""
    parts: list[Ints] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    """By part."""
    parts_of: list[list[int]] = field(default_factory=list)
    """By class."""
    class_of: dict[int, int] = field(default_factory=dict)
    levels: Floats = field(default_factory=lambda: np.zeros(joint.EXPIRIES))
    """Of classes 1 and on, when the drifts began."""

    def class_for(self, expiry_us: int) -> int:
        """Return the class of an expiry's options, the same for ever; of what is no option it is 0."""
        if expiry_us == NO_OPTION_US:
            return 0
        return self.class_of.setdefault(expiry_us, 1 + len(self.class_of) % (joint.CLASSES - 1))

    def allows(self, price: float) -> bool:
        """Whether drifts are bounded at an index price."""
        return self.least <= price <= self.most


class Followed:
    """`contracts`, `scenarios` and `market` as `kernels.certificates.book` takes them, `now` as `joint` does."""

    def __init__(self, segments: Segments, tables: Tables) -> None:
        self._segments, self._tables = segments, tables
        self._contracts, self._scenarios = Regions((256, book.FIELDS)), Regions((4096,))
        self.market: Floats = np.zeros((0, book.MARKET))
        self.now: Floats = np.zeros((0, joint.NOW_FIELDS))
        self.shared = SharedRows()
        self._references: dict[int, _Reference] = {}
        self._moved: dict[int, int] = {}

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
        self.shared.add_column()

    def take(self, column: Column, *, index_only: bool, moved: bool) -> bool:
        """Take what a column has read of the market; return whether its certificates stand.

        `index_only`: nothing but the index moved; not `moved`: rows may be others, but the market is what it was when
        it was last taken.
        """
        c, p = column.index, column.pricing
        before, still = self._moved.get(c, 0), p.index_price == self.market.item(c, book.INDEX)
        self._moved[c] = before | 1
        self.now[c, joint.PRICE] = self.market[c, book.INDEX] = p.index_price
        reference = self._references.get(c)
        if reference is None or p.version != reference.version:
            return self._take_rows(column, reference) and not moved
        if index_only and reference.allows(p.index_price):
            return True
        parts = p.take_moved()
        if parts is None:
            p.write_contracts(self._rows(column))
            self.shared.forget(c)
        else:
            rows = self._rows(column)
            for part in parts:
                p.write_part(part, rows)
                self.shared.forget(c, p.parts[part])
        stands = not (p.averaged or reference.averaged)
        reference.averaged = p.averaged
        if not reference.allows(p.index_price):
            self._moved[c] = watch.EVERYTHING
            self._refer(column, reference)
            return False
        every = column.take_newly_held() or parts is None
        if still and parts and stands:
            self._moved[c] = before  # what parts did is all there is
        self._drift(column, reference, range(len(p.parts)) if every or parts is None else parts)
        return stands

    def look_at_all(self, column: int) -> None:
        """Let whoever has no certificate be looked at, though no price moved."""
        self._moved[column] = self._moved.get(column, 0) | 1

    def take_moved(self, column: int) -> int:
        """Return what moved of a column since this was asked last, bits of `watch.leavers`."""
        return self._moved.pop(column, 0)

    def _rows(self, column: Column) -> Floats:
        at = int(self._tables.columns[column.index, CONTRACTS])
        return self.contracts[at : at + len(column.pricing.row_of)]

    def _take_rows(self, column: Column, before: _Reference | None) -> bool:
        """Take other rows or another scenario table; return whether nothing but rows is new."""
        p, fields = column.pricing, self._tables.columns[column.index]
        self._moved[column.index] = watch.EVERYTHING
        numbers = np.empty(len(p.table.move))
        places.move_numbers(column.width, p.side, numbers)
        scenarios = np.concatenate([p.table.move, p.table.linear_move, p.table.vol_direction, p.table.weight, numbers])
        shocks = np.array(p.shocks)
        fields[CONTRACTS] = self._contracts.region(column.index, len(p.row_of))
        fields[SCENARIOS], fields[CELLS] = self._scenarios.region(column.index, len(scenarios)), len(p.table.move)
        self.scenarios[fields[SCENARIOS] : fields[SCENARIOS] + len(scenarios)] = scenarios
        self.market[column.index, book.SHOCK :] = shocks
        if column.netted:
            self.shared.resize(column.index, len(p.row_of), len(p.table.move))
        p.take_moved()
        column.take_newly_held()
        contracts = self._rows(column)
        p.write_contracts(contracts)
        now = self._references[column.index] = _Reference(p.version, scenarios, shocks, p.averaged)
        if before is not None:
            now.class_of = before.class_of
        now.classes = [now.class_for(expiry_us) for expiry_us in p.part_expiries]
        for rows, of in zip(p.parts, now.classes, strict=True):
            contracts[rows, book.CLASS] = of
        now.drifts, now.parts = np.zeros(len(p.parts)), p.parts
        now.parts_of = [[part for part, of in enumerate(now.classes) if of == k] for k in range(joint.CLASSES)]
        stands = not self._refer(column, now)
        return (
            stands
            and before is not None
            and np.array_equal(before.scenarios, scenarios)
            and np.array_equal(before.shocks, shocks)
            and not (before.averaged or p.averaged)
        )

    def _drift(self, column: Column, reference: _Reference, parts: Iterable[int]) -> None:
        """Take the drifts of some parts; where they are large, or not bounded, a class counts from here on."""
        c, p, holders = column.index, column.pricing, column.holders
        contracts = self._rows(column)
        for part in parts:
            k, level = reference.classes[part], 0.0
            if k:
                level = self._follow_level(c, reference, part, contracts) - reference.levels.item(k - 1)
            reference.drifts[part] = drift_rows.part_drift(
                reference.contracts, contracts, p.parts[part], holders, reference.least, reference.most,
                reference.shocks, level,
            )  # fmt: skip
        for k in {reference.classes[part] for part in parts}:
            self._moved[c] |= 2 << k
            drift = max(map(reference.drifts.item, reference.parts_of[k]))
            if drift < np.inf:
                self.now[c, joint.DRIFT + k] = self.now[c, joint.SINCE + k] + drift
            else:
                self._void_class(column, k)
            if drift >= FAR:
                self._refer_class(c, reference, k, contracts)

    def _follow_level(self, c: int, reference: _Reference, part: int, contracts: Floats) -> float:
        """Take the level of a class, and return it; where several expiries share the class it stays where it was."""
        k = reference.classes[part]
        level = self.now.item(c, joint.LEVEL + k - 1)
        if len(reference.parts_of[k]) == 1:
            level = drift_rows.part_level(contracts, reference.parts[part], level)
            self.now[c, joint.LEVEL + k - 1] = level
        return level

    def refer_near(self, column: int) -> bool:
        """Let what has drifted at all in a column count from here on; return whether anything had."""
        reference = self._references[column]
        drifted = self.now[column, joint.DRIFT : joint.SINCE] - self.now[column, joint.SINCE : joint.LEVEL]
        near = np.flatnonzero(drifted >= NEAR).tolist()
        for k in near:
            at = int(self._tables.columns[column, CONTRACTS])
            self._refer_class(column, reference, k, self.contracts[at : at + len(reference.contracts)])
        return bool(near)

    def _refer_class(self, column: int, reference: _Reference, k: int, contracts: Floats) -> None:
        """Let the drift of a class count from the present."""
        self.now[column, joint.SINCE + k] = self.now[column, joint.DRIFT + k]
        if k:
            reference.levels[k - 1] = self.now[column, joint.LEVEL + k - 1]
        for part in reference.parts_of[k]:
            rows = reference.parts[part]
            reference.contracts[rows] = contracts[rows]
            reference.drifts[part] = 0.0

    def _void_class(self, column: Column, k: int) -> None:
        """Let nobody have a certificate who pays for a class of drift that is not bounded."""
        self.look_at_all(column.index)
        s = self._segments
        live = s.live(column.index)
        live = live[s.curves[live, joint.EXPOSED + k] > 0.0]
        s.boxes[joint.PRICES, live, joint.LOW], s.boxes[joint.PRICES, live, joint.HIGH] = np.inf, -np.inf
        s.curves[live, joint.RADIUS] = joint.NOWHERE
        watch.take_all_extremes(*s.pages(column.index), s.boxes, s.account, s.extremes)

    def _refer(self, column: Column, reference: _Reference) -> bool:
        """Let all drifts count from the present; what they had come to stays in their sums.

        Return whether a level moved: it was another number for the same volatilities, which no certificate outlives.
        """
        c = column.index
        contracts, before = self._rows(column), self.now[c, joint.LEVEL :].copy()
        for part, k in enumerate(reference.classes):
            if k:
                self._follow_level(c, reference, part, contracts)
        self.now[c, joint.SINCE : joint.LEVEL] = self.now[c, joint.DRIFT : joint.SINCE]
        reference.levels = self.now[c, joint.LEVEL :].copy()
        reference.drifts[:] = 0.0
        reference.contracts = contracts.copy()
        price = column.pricing.index_price
        reference.least, reference.most = LEAST_INDEX * price, MOST_INDEX * price
        return not np.array_equal(before, reference.levels)
