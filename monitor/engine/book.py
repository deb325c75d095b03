"""The kernels' view of all accounts: rows of figures, columns of underlyings.

A cache over the authoritative accounts: it can be thrown away and rebuilt at any time, and then says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from kernels import accounts as kernel
from kernels import scenarios
from monitor.engine.column import Column
from monitor.engine.evaluation import Evaluation
from monitor.engine.expiry import unsettled
from monitor.engine.figures import Figures, Floats, Ints
from monitor.engine.ledger import entry_constant, exposures
from monitor.engine.status import ALL_CONDITIONS
from schemas.records import UnderlyingRisk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.engine.market import Market
    from monitor.engine.state import Account
    from schemas.records import StatusParameters

GROWTH = 2  # arrays double when full: appending n accounts copies O(n) in all
VOL_NAMES: dict[int, Literal["up", "same", "down"]] = {
    scenarios.UP: "up", scenarios.SAME: "same", scenarios.DOWN: "down"
}  # fmt: skip


class Book:
    """Figures of every account of this worker that is being evaluated."""

    def __init__(self) -> None:
        self._row_of: dict[str, int] = {}
        self._name_of: list[str | None] = []
        self._free: list[int] = []
        self._columns: list[Column] = []
        self._column_of: dict[tuple[str, str], Column] = {}
        self._of_underlying: dict[str, list[Column]] = {}
        self._order = np.zeros(0, dtype=np.int64)
        self._sets: dict[str, int] = {}
        self._thresholds = np.zeros((0, kernel.THRESHOLDS))
        self._bits = np.array([int(flag) for flag in ALL_CONDITIONS], dtype=np.int64)
        self._changed_rows = np.zeros(0, dtype=np.int64)
        self._figures = Figures(64, 8)

    # --- accounts -------------------------------------------------------------------------------

    def set_account(self, account: Account, market: Market) -> bool:
        """Take an account's portfolio as it is now and evaluate it; return whether its conditions changed."""
        row = self._row_of.get(account.name)
        if row is None:
            row = self._new_row(account.name)
        self._figures.threshold_set[row] = self._set_index(account.config.parameter_set, market)
        portfolio = exposures(account, market.instruments)
        self._figures.cash[row] = portfolio.usd
        self._figures.has_positions[row] = bool(account.holdings)
        self._figures.degraded[row] = bool(portfolio.unlisted or unsettled(account, market))
        wanted = {self._column(underlying, account).index for underlying in portfolio.rows}
        for index in np.flatnonzero(self._figures.active[row]):
            if int(index) not in wanted:
                self._columns[index].set_exposure(row, [])
                self._figures.active[row, index] = False
        for underlying, exposure in portfolio.rows.items():
            column = self._column(underlying, account)
            column.set_exposure(row, exposure)
            self._figures.active[row, column.index] = True
            if column.rows_stale:
                self._price(column, market)
            results = column.evaluate_one(row)
            self._store(column, np.array([row], dtype=np.int64), results.value, results.requirement)
        return self._refresh(np.array([row], dtype=np.int64)) > 0

    def remove(self, name: str) -> None:
        """Forget an account."""
        row = self._row_of.pop(name, None)
        if row is None:
            return
        for index in np.flatnonzero(self._figures.active[row]):
            self._columns[index].set_exposure(row, [])
        self._figures.clear_row(row)
        self._name_of[row] = None
        self._free.append(row)

    def __contains__(self, name: str) -> bool:
        """Whether the account is being evaluated."""
        return name in self._row_of

    # --- market ---------------------------------------------------------------------------------

    def refresh(self, underlyings: Iterable[str], market: Market, *, surface: bool = False) -> list[str]:
        """Reprice underlyings and re-evaluate every account that holds them.

        `surface` says that listings or volatilities changed. Returns the names whose conditions changed, sorted.
        """
        touched = []
        for underlying in underlyings:
            for column in self._of_underlying.get(underlying, ()):
                if surface:
                    column.set_surface_stale()
                if column.has_accounts:
                    self._price(column, market)
                    column.evaluate_all()
                    accounts = column.accounts()
                    self._store(column, accounts, column.results.value, column.results.requirement)
                    touched.append(accounts)
        return self._changed(touched)

    def refresh_all(self, market: Market) -> list[str]:
        """Reprice everything: time moved to another point of the pricing grid."""
        return self.refresh(list(self._of_underlying), market)

    def refresh_parameters(self, names: Iterable[str], market: Market) -> list[str]:
        """Take changed parameter sets; returns the names whose conditions changed, sorted."""
        chosen = set(names)
        for name, index in self._sets.items():
            if name in chosen or "default" in chosen:
                self._thresholds[index] = _thresholds(status_parameters(market, name))
        affected: dict[str, None] = {}
        for column in self._columns:
            if column.set_name in chosen or "default" in chosen:
                column.set_parameters_stale()
                affected[column.underlying] = None
        changed = self.refresh(affected, market)
        rows = np.array(sorted(self._row_of.values()), dtype=np.int64)
        return sorted({*changed, *self._changed([rows])})

    # --- figures --------------------------------------------------------------------------------

    def conditions(self, name: str) -> int:
        """Condition bits of an account."""
        return int(self._figures.flags[self._row_of[name]])

    def figures(self, name: str) -> tuple[float, float, float]:
        """Equity, initial and maintenance requirement of an account, USD."""
        row = self._row_of[name]
        return float(self._figures.equity[row]), float(self._figures.im[row]), float(self._figures.mm[row])

    def evaluation(self, account: Account, market: Market) -> Evaluation:
        """Evaluate an account at present prices, underlying by underlying.

        Equity is the USD balance plus the `value_usd` of all underlyings: coins and dollar tokens, options at their
        marks, and the unrealised P&L of futures.
        """
        row = self._row_of[account.name]
        entries = _entries_usd(account, market)
        parts = []
        flags = [f"unsettled:{name}" for name in unsettled(account, market)]
        for index in self._order:
            if self._figures.active[row, index]:
                column = self._columns[index]
                parts.append(_underlying_risk(column, row, entries.get(column.underlying, 0.0)))
                flags.extend(column.pricing.flags)
        equity, im, mm = self.figures(account.name)
        return Evaluation(
            equity_usd=equity, im_requirement_usd=im, mm_requirement_usd=mm,
            underlyings=tuple(parts), data_quality=tuple(sorted(flags)),
        )  # fmt: skip

    # --- inside ---------------------------------------------------------------------------------

    def _price(self, column: Column, market: Market) -> None:
        column.price(market)
        self._figures.held[column.index] = column.pricing.held

    def _store(self, column: Column, accounts: Ints, value: Floats, requirement: Floats) -> None:
        f = self._figures
        factor = column.parameters.mm_factor
        kernel.scatter(accounts, column.index, value, requirement, factor, f.value, f.im_part, f.mm_part)

    def _refresh(self, rows: Ints) -> int:
        if len(rows) > len(self._changed_rows):
            self._changed_rows = np.zeros(GROWTH * len(rows), dtype=np.int64)
        f = self._figures
        return kernel.refresh_totals(
            rows, f.cash, f.value, f.im_part, f.mm_part, f.active, f.held, self._order, f.degraded, f.has_positions,
            f.threshold_set, self._thresholds, self._bits, f.equity, f.im, f.mm, f.flags, self._changed_rows,
        )  # fmt: skip

    def _changed(self, touched: list[Ints]) -> list[str]:
        if not touched:
            return []
        rows = touched[0] if len(touched) == 1 else np.unique(np.concatenate(touched))
        count = self._refresh(rows)
        names = [self._name_of[row] for row in self._changed_rows[:count]]
        return sorted(name for name in names if name is not None)

    def _column(self, underlying: str, account: Account) -> Column:
        key = (underlying, account.config.parameter_set)
        column = self._column_of.get(key)
        if column is None:
            column = Column(underlying, key[1], "A", len(self._columns))
            self._columns.append(column)
            self._column_of[key] = column
            self._of_underlying.setdefault(underlying, []).append(column)
            if len(self._columns) > self._figures.columns:
                self._figures = self._figures.grown(self._figures.rows, GROWTH * self._figures.columns)
            names = sorted(self._column_of)
            self._order = np.array([self._column_of[name].index for name in names], dtype=np.int64)
        return column

    def _set_index(self, name: str, market: Market) -> int:
        index = self._sets.get(name)
        if index is None:
            index = self._sets[name] = len(self._sets)
            self._thresholds = np.vstack([self._thresholds, _thresholds(status_parameters(market, name))])
        return index

    def _new_row(self, name: str) -> int:
        if self._free:
            row = self._free.pop()
            self._name_of[row] = name
        else:
            row = len(self._name_of)
            if row == self._figures.rows:
                self._figures = self._figures.grown(GROWTH * self._figures.rows, self._figures.columns)
            self._name_of.append(name)
        self._row_of[name] = row
        return row


def status_parameters(market: Market, set_name: str) -> StatusParameters:
    """Thresholds and dwell times of a parameter set (of the default set while it is unknown)."""
    active = market.parameters.get(set_name) or market.parameters.get("default")
    assert active is not None, "the default set always exists"
    return active.set.status


def _thresholds(p: StatusParameters) -> list[float]:
    return [
        p.warning_enter_v, p.warning_leave_v, p.margin_call_enter_v, p.margin_call_leave_v, p.liquidation_enter_u,
        p.liquidation_leave_v,
    ]  # fmt: skip


def _entries_usd(account: Account, market: Market) -> dict[str, float]:
    """Return the entry side of linear futures by underlying: what turns their notional value into P&L."""
    entries: dict[str, float] = {}
    for name in sorted(account.holdings):
        instrument = market.instruments.get(name)
        if instrument is not None:
            usd, _ = entry_constant(account.holdings[name], instrument)
            entries[instrument.underlying] = entries.get(instrument.underlying, 0.0) + usd
    return entries


def _underlying_risk(column: Column, row: int, entry_usd: float) -> UnderlyingRisk:
    results = column.evaluate_one(row)
    scenario = int(results.worst[0])
    move, direction = column.scenario(scenario)
    return UnderlyingRisk(
        underlying=column.underlying,
        index_price=column.pricing.index_price,
        value_usd=float(results.value[0]) + entry_usd,
        scan_usd=float(results.scan[0]),
        roll_usd=float(results.roll[0]),
        delta_shock_usd=float(results.delta_shock[0]),
        im_usd=float(results.requirement[0]),
        delta_coins=float(results.delta[0]),
        scenario=scenario,
        price_move=move,
        vol_shock=VOL_NAMES[direction],
        scenario_pnl_usd=-float(results.scan[0]),
    )
