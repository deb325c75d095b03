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
        self._held_column = np.zeros(0, dtype=np.bool_)
        self._sets: dict[str, int] = {}
        self._thresholds = np.zeros((0, kernel.THRESHOLDS))
        self._bits = np.array([int(flag) for flag in ALL_CONDITIONS], dtype=np.int64)
        self._capacity = 0
        self._grow(64, 8)

    # --- accounts -------------------------------------------------------------------------------

    def set_account(self, account: Account, market: Market) -> bool:
        """Take an account's portfolio as it is now and evaluate it; return whether its conditions changed."""
        row = self._row_of.get(account.name)
        if row is None:
            row = self._new_row(account.name)
        self._threshold_set[row] = self._set_index(account.config.parameter_set, market)
        portfolio = exposures(account, market.instruments)
        rows = dict(portfolio.rows)
        cash_usd = portfolio.usd
        for asset, quantity in portfolio.tokens:
            # Priced in a column of their own: at their index where one is published, else at par.
            cash_usd -= quantity
            rows[asset] = [(None, quantity), *rows.get(asset, [])]
        self._cash[row] = cash_usd
        self._has_positions[row] = bool(account.holdings)
        self._degraded[row] = bool(portfolio.unlisted)
        wanted = {self._column(underlying, account, market).index for underlying in rows}
        for index in np.flatnonzero(self._active[row]):
            if int(index) not in wanted:
                self._columns[index].set_exposure(row, [])
                self._active[row, index] = False
        for underlying, exposure in rows.items():
            column = self._column(underlying, account, market)
            column.set_exposure(row, exposure)
            self._active[row, column.index] = True
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
        for index in np.flatnonzero(self._active[row]):
            self._columns[index].set_exposure(row, [])
        self._active[row, :] = False
        self._flags[row] = 0
        self._name_of[row] = None
        self._free.append(row)

    def __contains__(self, name: str) -> bool:
        """Whether the account is being evaluated."""
        return name in self._row_of

    # --- market ---------------------------------------------------------------------------------

    def refresh(self, underlyings: Iterable[str], market: Market, *, rows: bool = False) -> list[str]:
        """Reprice underlyings and re-evaluate every account that holds them.

        `rows` says that listings or surfaces changed. Returns the names whose conditions changed, sorted.
        """
        touched = []
        for underlying in underlyings:
            for column in self._of_underlying.get(underlying, ()):
                if rows:
                    column.set_rows_stale()
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
        return int(self._flags[self._row_of[name]])

    def figures(self, name: str) -> tuple[float, float, float]:
        """Equity, initial and maintenance requirement of an account, USD."""
        row = self._row_of[name]
        return float(self._equity[row]), float(self._im[row]), float(self._mm[row])

    def evaluation(self, account: Account, market: Market) -> Evaluation:
        """An account's evaluation at present prices, underlying by underlying.

        Equity is the USD balance plus the `value_usd` of all underlyings: coins, tokens, options at their marks, and
        the unrealised P&L of futures.
        """
        row = self._row_of[account.name]
        entries = _entries_usd(account, market)
        parts = []
        flags: list[str] = []
        for index in self._order:
            if self._active[row, index]:
                column = self._columns[index]
                parts.append(_underlying_risk(column, row, entries.get(column.underlying, 0.0)))
                flags.extend(column.flags)
        equity, im, mm = self.figures(account.name)
        return Evaluation(
            equity_usd=equity, im_requirement_usd=im, mm_requirement_usd=mm,
            underlyings=tuple(parts), data_quality=tuple(sorted(flags)),
        )  # fmt: skip

    # --- inside ---------------------------------------------------------------------------------

    def _price(self, column: Column, market: Market) -> None:
        column.price(market)
        self._held_column[column.index] = column.held

    def _store(self, column: Column, accounts: np.ndarray, value: np.ndarray, requirement: np.ndarray) -> None:
        kernel.scatter(
            accounts, column.index, value, requirement, column.parameters.mm_factor, self._value, self._im_part,
            self._mm_part,
        )  # fmt: skip

    def _refresh(self, rows: np.ndarray) -> int:
        if len(rows) > len(self._changed_rows):
            self._changed_rows = np.zeros(GROWTH * len(rows), dtype=np.int64)
        return int(
            kernel.refresh_totals(
                rows, self._cash, self._value, self._im_part, self._mm_part, self._active, self._held_column,
                self._order, self._degraded, self._has_positions, self._threshold_set, self._thresholds, self._bits,
                self._equity, self._im, self._mm, self._flags, self._changed_rows,
            )  # fmt: skip
        )

    def _changed(self, touched: list[np.ndarray]) -> list[str]:
        if not touched:
            return []
        rows = touched[0] if len(touched) == 1 else np.unique(np.concatenate(touched))
        count = self._refresh(rows)
        names = [self._name_of[row] for row in self._changed_rows[:count]]
        return sorted(name for name in names if name is not None)

    def _column(self, underlying: str, account: Account, market: Market) -> Column:
        key = (underlying, account.config.parameter_set)
        column = self._column_of.get(key)
        if column is None:
            column = Column(underlying, key[1], len(self._columns))
            self._columns.append(column)
            self._column_of[key] = column
            self._of_underlying.setdefault(underlying, []).append(column)
            if len(self._columns) > self._active.shape[1]:
                self._grow(self._capacity, GROWTH * self._active.shape[1])
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
            if row == self._capacity:
                self._grow(GROWTH * self._capacity, self._active.shape[1])
            self._name_of.append(name)
        self._row_of[name] = row
        return row

    def _grow(self, accounts: int, columns: int) -> None:
        old = self.__dict__
        for name, dtype in _ROW_ARRAYS:
            grown = np.zeros(accounts, dtype=dtype)
            if self._capacity:
                grown[: self._capacity] = old[name]
            setattr(self, name, grown)
        for name, dtype in _GRID_ARRAYS:
            grid = np.zeros((accounts, columns), dtype=dtype)
            if self._capacity:
                before = old[name]
                grid[: before.shape[0], : before.shape[1]] = before
            setattr(self, name, grid)
        held = np.zeros(columns, dtype=np.bool_)
        held[: len(self._held_column)] = self._held_column
        self._held_column = held
        self._changed_rows = np.zeros(accounts, dtype=np.int64)
        self._capacity = accounts


_ROW_ARRAYS = (
    ("_cash", np.float64), ("_equity", np.float64), ("_im", np.float64), ("_mm", np.float64), ("_flags", np.int64),
    ("_degraded", np.bool_), ("_has_positions", np.bool_), ("_threshold_set", np.int64),
)  # fmt: skip
_GRID_ARRAYS = (("_value", np.float64), ("_im_part", np.float64), ("_mm_part", np.float64), ("_active", np.bool_))


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
    """The entry side of linear futures by underlying: what turns their notional value into P&L."""
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
        index_price=column.index_price,
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
