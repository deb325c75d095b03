"""Certificates of accounts that are computed one by one: model E's.

Such an account has an interval of prices in each of its underlyings, and room for drifts, within which no condition
that its state hangs on can change (`kernels.certificates.standard`). A move of the market looks at intervals, an array
for each column, and has the models of those accounts run that left theirs, and of those that have none. Figures of all
others are of an earlier price until somebody asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from kernels.certificates import joint, standard
from monitor.engine.certificate_groups import STATUS
from monitor.engine.figures import Floats, Ints
from monitor.models.standard import CROSS, ISOLATED, TIERED
from schemas.add_ons import OFF
from schemas.collateral import CollateralParameters

if TYPE_CHECKING:
    from monitor.engine.certified import Certificates
    from monitor.engine.column import Column
    from monitor.engine.market import Market
    from monitor.engine.modelled import Modelled
    from monitor.engine.state import Account
    from monitor.engine.swept import Swept
    from schemas.records import ParameterSet

FORMS: Final = {ISOLATED: standard.FLAT, CROSS: standard.SIZED, TIERED: standard.TIERED}


class Bounded:
    """Which accounts that are computed one by one need it, and what they are certified by."""

    def __init__(self, swept: Swept, certificates: Certificates, modelled: Modelled) -> None:
        self._swept, self._certificates, self._modelled = swept, certificates, modelled
        self._segments = swept.segments
        self._rates: Floats = np.zeros((0, standard.RATES))  # by column
        self._rated: set[int] = set()  # columns whose rates are those in force
        self.market: Market | None = None  # that was last followed
        self._moment = 0
        self._moved: dict[int, int] = {}  # by column, when it was last followed
        self._computed: dict[int, int] = {}  # by account

    # --- market ---------------------------------------------------------------------------------

    def follow(self, columns: list[Column], market: Market, *, index_only: bool) -> tuple[list[Column], Ints]:
        """Follow the market in the columns of these accounts; return the others, and who has to be computed."""
        own = [column for column in columns if not column.swept]
        if not own:
            return columns, _NOBODY
        self._moment, self.market = self._moment + 1, market
        for column in own:
            self._certificates.follow_one(column, market, index_only=index_only)
            self._moved[column.index] = self._moment
        failed = self._certificates.leave(own)
        self._certificates.void(failed)
        return [column for column in columns if column.swept], failed

    def is_behind(self, row: int) -> bool:
        """Whether a price of an account has moved since the account was computed."""
        s, computed = self._segments, self._computed.get(row, 0)
        return any(self._moved.get(s.column_of(slot), 0) > computed for slot in self._swept.figures.slots_of(row))

    def computed(self, rows: list[int]) -> None:
        """Take notice that some accounts were computed at the present prices."""
        self._computed.update(dict.fromkeys(rows, self._moment))

    def without(self) -> list[int]:
        """Return those of these accounts that have no certificate, ascending."""
        rows = np.array(self._modelled.rows, dtype=np.int64)
        if not len(rows):
            return []
        slots = self._swept.figures.slot[rows]
        lost = (slots >= 0) & (self._segments.curves[slots, joint.RADIUS] < 0.0)
        found: list[int] = rows[lost.any(axis=1) | (slots[:, 0] < 0)].tolist()
        return found

    # --- certificates ---------------------------------------------------------------------------

    def forget(self) -> None:
        """Let nobody have a certificate: parameters are others."""
        self._rated.clear()
        self.void(self._modelled.rows)

    def void(self, rows: list[int]) -> None:
        """Let some accounts have no certificates."""
        self._certificates.void(np.array(rows, dtype=np.int64))

    def certify(self, rows: list[int], accounts: dict[int, Account], columns: list[Column], market: Market) -> None:
        """Certify those of some accounts that can be, their figures and condition bits being of the present prices.

        columns: all of the book.
        """
        own = [row for row in rows if accounts[row].config.margin_model in FORMS]
        own = [row for row in own if self._read_rates(row, columns, market)]
        if not own:
            return
        of, made = np.array(own, dtype=np.int64), np.empty(len(own), dtype=np.int64)
        s, f, t, certificates = self._segments, self._swept.figures, self._swept.tables, self._certificates
        statuses = np.array([STATUS[accounts[row].status] for row in own], dtype=np.int64)
        forms = np.array([FORMS[accounts[row].config.margin_model] for row in own], dtype=np.int64)
        self._certificates.void(of)
        followed = certificates.followed
        count = standard.certify(
            of, statuses, forms, self._owed(own, accounts, columns), f.slot, s.page_column, t.columns, s.start, s.stop,
            s.row, s.quantity, f.record, f.shorts, self._swept.judged.thresholds, followed.contracts, followed.market,
            followed.now, self._rates, s.curves, certificates.covers, made,
        )  # fmt: skip
        stand = made[:count]
        none = np.setdiff1d(of, stand) if count < len(of) else _NOBODY
        if count:
            none = np.concatenate([none, certificates.split(stand)])
        certificates.void(none)
        certificates.work.certified += len(of) - len(none)

    def _owed(self, rows: list[int], accounts: dict[int, Account], columns: list[Column]) -> Floats:
        """Return the coins that accounts owe in each of their places."""
        owed, s = np.zeros((len(rows), self._swept.figures.places)), self._segments
        for k, row in enumerate(rows):
            balances = accounts[row].balances
            if any(amount < 0.0 for amount in balances.values()):
                for place, slot in enumerate(self._swept.figures.slots_of(row)):
                    owed[k, place] = max(0.0, -balances.get(columns[s.column_of(slot)].underlying, 0.0))
        return owed

    def _read_rates(self, row: int, columns: list[Column], market: Market) -> bool:
        """Have the rates of an account's columns at hand; return whether its parameter set asks for nothing on top."""
        if len(self._rates) < len(columns):
            more = np.zeros((2 * len(columns) - len(self._rates), standard.RATES))
            self._rates = np.vstack([self._rates, more])
        for slot in self._swept.figures.slots_of(row):
            column = columns[self._segments.column_of(slot)]
            chosen = _chosen(column, market)
            if chosen.add_ons != OFF or chosen.collateral != CollateralParameters():
                return False
            if column.index not in self._rated:
                self._rates[column.index] = rates_of(chosen, column.underlying)
                self._rated.add(column.index)
        return True


def rates_of(chosen: ParameterSet, underlying: str) -> Floats:
    """Return what model E charges on an underlying under a parameter set, as its certificates take it."""
    found = np.zeros(standard.RATES)
    p = chosen.standard.underlyings.get(underlying, chosen.standard.default)
    tiers = p.tiered.tiers
    found[: standard.FIRST_TIER] = (
        p.perpetual.im_rate, p.perpetual.mm_rate, p.size.imf, p.option.max_initial, p.option.min_initial,
        p.option.maintenance, p.option.put_mark_maintenance, len(tiers),
    )  # fmt: skip
    rows = [[tier.floor_usd, tier.mm_rate, tier.im_rate] for tier in tiers]
    found[standard.FIRST_TIER : standard.FIRST_TIER + standard.TIER * len(tiers)] = np.ravel(rows)
    return found


def _chosen(column: Column, market: Market) -> ParameterSet:
    active = market.parameters.get(column.set_name) or market.parameters.get("default")
    assert active is not None, "the default set always exists"
    return active.set


_NOBODY: Ints = np.zeros(0, dtype=np.int64)
