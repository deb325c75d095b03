"""The kernels' view of all accounts: rows of figures, columns of underlyings.

A cache over the authoritative accounts: it can be thrown away and rebuilt at any time, and then says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from kernels import accounts as kernel
from monitor.engine.column import ALONE, Column, Results, is_plain, is_swept
from monitor.engine.contributions import (
    added_risk,
    correlation_state,
    entries_usd,
    modelled_risks,
    netted_risk,
)
from monitor.engine.evaluation import Evaluation
from monitor.engine.expiry import unsettled
from monitor.engine.figures import Figures, Floats, Ints
from monitor.engine.ledger import DOLLAR_TOKENS, exposures
from monitor.engine.modelled import Modelled
from monitor.engine.netting import Netting
from monitor.engine.portfolio import stale_funding
from monitor.engine.status import ALL_CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.engine.market import Market
    from monitor.engine.pricing import Pricing
    from monitor.engine.state import Account
    from monitor.models.margin import Margin
    from schemas.records import MarginModel, NettingParameters, ParameterSet, StatusParameters

_NO_BOUNDS = np.zeros(0)
GROWTH = 2  # arrays double when full: appending n accounts copies O(n) in all


class Book:
    """Figures of every account of this worker that is being evaluated."""

    def __init__(self) -> None:
        self._row_of: dict[str, int] = {}
        self._name_of: list[str | None] = []
        self._free: list[int] = []
        self._columns: list[Column] = []
        self._column_of: dict[tuple[str, str, MarginModel | Literal[""]], Column] = {}
        self._of_underlying: dict[str, list[Column]] = {}
        self._sets: dict[str, int] = {}
        self._thresholds = np.zeros((0, kernel.THRESHOLDS))
        self._bits = np.array([int(flag) for flag in ALL_CONDITIONS], dtype=np.int64)
        self._changed_rows = np.zeros(0, dtype=np.int64)
        self._unsure_rows = np.zeros(0, dtype=np.int64)
        self._counts = np.zeros(2, dtype=np.int64)
        self._figures = Figures(64, 4, 8)
        self._netting = Netting()
        self._modelled = Modelled()
        self._accounts: dict[int, Account] = {}
        self._plain: list[bool] = []  # by set

    # --- accounts -------------------------------------------------------------------------------

    def set_account(self, account: Account, market: Market, *, resumed: bool = False) -> bool:
        """Take an account's portfolio as it is now and evaluate it; return whether its conditions changed.

        A `resumed` account is as it was stored: a requirement that was kept with it stays in force.
        """
        row = self._row_of.get(account.name)
        if row is None:
            row = self._new_row(account.name)
        threshold_set = self._set_index(account.config.parameter_set, market)
        portfolio = exposures(account, market.instruments)
        swept = is_swept(account.config.margin_model, plain=self._plain[threshold_set])
        columns = [self._column(underlying, account, market, swept=swept) for underlying in sorted(portfolio.rows)]
        self._set_columns(row, columns)
        f = self._figures
        f.threshold_set[row] = threshold_set
        f.netted[row] = swept and account.config.margin_model == "P"
        f.cash[row] = portfolio.usd
        f.has_positions[row] = bool(account.holdings)
        f.degraded[row] = bool(portfolio.unlisted or unsettled(account, market))
        rows = np.array([row], dtype=np.int64)
        for place, column in enumerate(columns):
            asleep = not column.has_accounts  # nobody held it, so nobody priced it
            column.set_exposure(row, place, portfolio.rows[column.underlying])
            if asleep or column.rows_stale:
                self._price(column, market)
            if column.swept:
                self._store(column, rows, np.array([place], dtype=np.int64), column.evaluate_one(row))
        self._accounts[row] = account
        if swept:
            self._modelled.forget(row)
        else:
            self._modelled.take(row, account, resumed=resumed)
            self._compute([row], market, whole=not resumed)
        if f.netted[row]:
            self._netting.solve(rows, f)
        return self._refresh(rows) > 0

    def remove(self, name: str) -> None:
        """Forget an account."""
        row = self._row_of.pop(name, None)
        if row is None:
            return
        self._set_columns(row, [])
        self._modelled.forget(row)
        del self._accounts[row]
        self._figures.clear_row(row)
        self._name_of[row] = None
        self._free.append(row)

    def __contains__(self, name: str) -> bool:
        """Whether the account is being evaluated."""
        return name in self._row_of

    # --- market ---------------------------------------------------------------------------------

    def refresh(
        self, underlyings: Iterable[str], market: Market, *, surface: bool = False, whole: bool = False
    ) -> list[str]:
        """Reprice underlyings and re-evaluate every account that holds them.

        `surface` says that listings or volatilities changed, `whole` that models which are too slow for ticks are to
        be run as well. Returns the names whose conditions changed, sorted.
        """
        touched, modelled = [], []
        underlyings = list(underlyings)
        for underlying in underlyings:
            for column in self._of_underlying.get(underlying, ()):
                if surface:
                    column.set_surface_stale()
                if column.has_accounts:
                    self._price(column, market)
                    rows = self._evaluate(column)
                    touched.append(rows)
                    if not column.swept:
                        modelled.append(rows)
        if not DOLLAR_TOKENS.isdisjoint(underlyings) and self._modelled.rows:
            # Some models read the price of dollar tokens that an account does not hold.
            touched.append(np.array(self._modelled.rows, dtype=np.int64))
            modelled.append(touched[-1])
        if modelled:
            self._compute(np.unique(np.concatenate(modelled)).tolist(), market, whole=whole or surface)
        return self._changed(touched)

    def refresh_all(self, market: Market) -> list[str]:
        """Reprice everything: time moved to another point of the pricing grid."""
        return self.refresh(list(self._of_underlying), market, whole=True)

    def take_ranges(self, underlyings: Iterable[str]) -> None:
        """Take newly published price ranges at the next refresh of these underlyings."""
        for underlying in underlyings:
            for column in self._of_underlying.get(underlying, ()):
                if column.netted:
                    column.set_parameters_stale()

    def refresh_correlations(self, market: Market) -> list[str]:
        """Take newly published correlations; returns the names whose conditions changed, sorted."""
        rows = self._all_rows()
        self._netting.take_correlations(rows, self._figures, market)
        self._compute(self._modelled.rows, market, whole=False)
        return self._changed([rows])

    def refresh_parameters(self, names: Iterable[str], market: Market) -> list[str]:
        """Take changed parameter sets; returns the names whose conditions changed, sorted."""
        chosen = set(names)
        for name, index in self._sets.items():
            if name in chosen or "default" in chosen:
                self._thresholds[index] = _thresholds(status_parameters(market, name))
        self._set_netting(market)
        moved = self._sort_accounts(market)
        affected: dict[str, None] = {}
        for column in self._columns:
            if column.set_name in chosen or "default" in chosen:
                column.set_parameters_stale()
                affected[column.underlying] = None
        changed = self.refresh(affected, market, whole=True)
        return sorted({*moved, *changed, *self.refresh_correlations(market)})

    def _sort_accounts(self, market: Market) -> list[str]:
        """Take again the accounts whose sets ask for something on top now, or do no more; return those that changed."""
        plain = [is_plain(_set(market, name)) for name in self._sets]
        before, self._plain = self._plain, plain
        other = {index for index, is_one in enumerate(plain) if is_one != before[index]}
        rows = [row for row in sorted(self._accounts) if int(self._figures.threshold_set[row]) in other]
        accounts = [self._accounts[row] for row in rows]
        return [account.name for account in accounts if self.set_account(account, market)]

    def take_kept(self) -> dict[str, Margin]:
        """Return by account the new requirements that have to be stored with it."""
        return self._modelled.take_new()

    # --- figures --------------------------------------------------------------------------------

    def conditions(self, name: str) -> int:
        """Condition bits of an account."""
        return int(self._figures.flags[self._row_of[name]])

    def figures(self, name: str) -> tuple[float, float, float]:
        """Equity, initial and maintenance requirement of an account, USD; a netted one is solved if it has to be."""
        row = self._row_of[name]
        if self._figures.netted[row] and not self._figures.exact[row]:
            rows = np.array([row], dtype=np.int64)
            self._netting.solve(rows, self._figures)  # conditions stay: only a refresh may change them
        return float(self._figures.equity[row]), float(self._figures.im[row]), float(self._figures.mm[row])

    def basis_of(self, name: str) -> tuple[dict[str, Pricing], Floats | None]:
        """Return what a requirement rests on: rows by underlying, sorted, and the matrices between them if any."""
        row = self._row_of[name]
        columns = [self._columns[index] for index in self._figures.columns_of(row)]
        pricings = {column.underlying: column.pricing for column in columns}
        if not self._figures.netted[row] or len(columns) < 2:
            return pricings, None
        return pricings, self._netting.matrices_for(columns, row, self._figures)

    def evaluation(self, account: Account, market: Market) -> Evaluation:
        """Evaluate an account at present prices, underlying by underlying.

        Equity is the USD balance plus the `value_usd` of all underlyings: coins and dollar tokens, options at their
        marks, and the unrealised P&L of futures.
        """
        row = self._row_of[account.name]
        entries = entries_usd(account, market)
        columns = [self._columns[index] for index in self._figures.columns_of(row)]
        flags = sorted(
            [f"unsettled:{name}" for name in unsettled(account, market)]
            + [flag for column in columns for flag in column.pricing.flags]
            + list(stale_funding(account.holdings, market))
        )
        equity, im, mm = self.figures(account.name)
        correlation, components = None, None
        margin = self._modelled.margin(row)
        if margin is not None:
            parts = modelled_risks(margin, columns, entries)
            flags = sorted({*flags, *margin.flags, *margin.degraded})
            components = margin.im_components
        elif self._figures.netted[row]:
            solution = self._netting.solution(row, self._figures)
            parts = [
                netted_risk(column, solution, u, row, entries.get(column.underlying, 0.0))
                for u, column in enumerate(columns)
            ]
            if len(columns) > 1:
                correlation = correlation_state(solution, market, self._netting.stress_of(row, self._figures))
        else:
            parts = [added_risk(column, row, entries.get(column.underlying, 0.0)) for column in columns]
        return Evaluation(
            equity_usd=equity, im_requirement_usd=im, mm_requirement_usd=mm, underlyings=tuple(parts),
            data_quality=tuple(flags), correlation=correlation, components=components,
        )  # fmt: skip

    # --- inside ---------------------------------------------------------------------------------

    def _price(self, column: Column, market: Market) -> None:
        column.price(market)
        self._figures.held[column.index] = column.pricing.held

    def _evaluate(self, column: Column) -> Ints:
        """Evaluate every account that holds a column; return their rows."""
        if column.netted:
            return self._netting.sweep(column, self._figures)
        if not column.swept:
            return np.sort(column.segments().accounts)
        results = column.evaluate_all()
        held = column.segments()
        self._store(column, held.accounts, held.places, results)
        return held.accounts

    def _store(self, column: Column, accounts: Ints, places: Ints, results: Results) -> None:
        f = self._figures
        factor = column.parameters.mm_factor
        kernel.scatter(accounts, places, results.value, results.requirement, factor, f.value, f.im_part, f.mm_part)
        if column.netted:
            self._netting.store(column, accounts, places, results.losses, f)

    def _compute(self, rows: list[int], market: Market, *, whole: bool) -> None:
        """Run the models of accounts that are computed one by one."""
        f = self._figures
        priced = {
            row: {self._columns[index].underlying: self._columns[index].pricing for index in f.columns_of(row)}
            for row in rows
        }
        self._modelled.evaluate(rows, f, priced, market, whole=whole)

    def _set_columns(self, row: int, columns: list[Column]) -> None:
        """Give an account a place for each of its columns, and forget what it held in others."""
        if len(columns) > self._figures.places:
            self._figures = self._figures.grown(self._figures.rows, GROWTH * len(columns), self._figures.columns)
        f = self._figures
        wanted = [column.index for column in columns]
        before = f.columns_of(row)
        for index in before:
            if index not in wanted:
                self._columns[index].remove(row)
        for place in range(len(wanted), len(before)):
            self._netting.free_slot(f, row, place)
        f.column[row] = -1
        f.column[row, : len(wanted)] = wanted
        f.count[row] = len(wanted)
        for place, column in enumerate(columns):
            if column.netted:
                self._netting.take_slot(f, row, place)
            else:
                self._netting.free_slot(f, row, place)

    def _refresh(self, rows: Ints) -> int:
        """Refresh totals and conditions; return how many changed, whose rows are in `_changed_rows`.

        Netted accounts that their upper bound leaves open are taken again with the lower one, and what is open then
        is solved.
        """
        changed = self._refresh_once(rows, _NO_BOUNDS)
        if not self._counts[1]:
            return changed
        decided = [self._changed_rows[:changed].copy()]
        rows = self._unsure_rows[: self._counts[1]].copy()
        self._netting.bound(rows, self._figures)
        changed = self._refresh_once(rows, self._figures.lower)
        if self._counts[1]:
            decided.append(self._changed_rows[:changed].copy())
            rows = self._unsure_rows[: self._counts[1]].copy()
            self._netting.solve(rows, self._figures)
            changed = self._refresh_once(rows, _NO_BOUNDS)
        for earlier in decided:
            self._changed_rows[changed : changed + len(earlier)] = earlier
            changed += len(earlier)
        return changed

    def _refresh_once(self, rows: Ints, lower: Floats) -> int:
        if len(rows) > len(self._changed_rows):
            self._changed_rows = np.zeros(GROWTH * len(rows), dtype=np.int64)
            self._unsure_rows = np.zeros(GROWTH * len(rows), dtype=np.int64)
        f = self._figures
        kernel.refresh_totals(
            rows, f.cash, f.value, f.im_part, f.mm_part, f.count, f.column, f.held, f.degraded, f.has_positions,
            f.netted, f.exact, f.norm, f.residual, lower, self._netting.mm_factor,
            f.threshold_set, self._thresholds, self._bits, f.equity, f.im, f.mm, f.flags,
            self._changed_rows, self._unsure_rows, self._counts,
        )  # fmt: skip
        return int(self._counts[0])

    def _changed(self, touched: list[Ints]) -> list[str]:
        if not touched:
            return []
        rows = touched[0] if len(touched) == 1 else np.unique(np.concatenate(touched))
        count = self._refresh(rows)
        names = [self._name_of[row] for row in self._changed_rows[:count]]
        return sorted(name for name in names if name is not None)

    def _all_rows(self) -> Ints:
        return np.array(sorted(self._row_of.values()), dtype=np.int64)

    def _set_netting(self, market: Market) -> None:
        """Hand the netting parameters of the sets to the netting, in the order of their indices."""
        self._netting.set_parameters([netting_parameters(market, name) for name in self._sets], market)

    def _column(self, underlying: str, account: Account, market: Market, *, swept: bool) -> Column:
        key = (underlying, account.config.parameter_set, account.config.margin_model if swept else ALONE)
        column = self._column_of.get(key)
        if column is None:
            column = Column(*key, len(self._columns))
            self._columns.append(column)
            self._column_of[key] = column
            self._of_underlying.setdefault(underlying, []).append(column)
            self._netting.add_column(column, market)
            if len(self._columns) > self._figures.columns:
                f = self._figures
                self._figures = f.grown(f.rows, f.places, GROWTH * f.columns)
        return column

    def _set_index(self, name: str, market: Market) -> int:
        index = self._sets.get(name)
        if index is None:
            index = self._sets[name] = len(self._sets)
            self._thresholds = np.vstack([self._thresholds, _thresholds(status_parameters(market, name))])
            self._plain.append(is_plain(_set(market, name)))
            self._set_netting(market)
        return index

    def _new_row(self, name: str) -> int:
        if self._free:
            row = self._free.pop()
            self._name_of[row] = name
        else:
            row = len(self._name_of)
            if row == self._figures.rows:
                f = self._figures
                self._figures = f.grown(GROWTH * f.rows, f.places, f.columns)
            self._name_of.append(name)
        self._row_of[name] = row
        return row


def status_parameters(market: Market, set_name: str) -> StatusParameters:
    """Thresholds and dwell times of a parameter set (of the default set while it is unknown)."""
    return _set(market, set_name).status


def netting_parameters(market: Market, set_name: str) -> NettingParameters:
    """Netting parameters of a set (of the default set while it is unknown)."""
    return _set(market, set_name).netting


def _set(market: Market, name: str) -> ParameterSet:
    active = market.parameters.get(name) or market.parameters.get("default")
    assert active is not None, "the default set always exists"
    return active.set


def _thresholds(p: StatusParameters) -> list[float]:
    return [
        p.warning_enter_v, p.warning_leave_v, p.margin_call_enter_v, p.margin_call_leave_v, p.liquidation_enter_u,
        p.liquidation_leave_v,
    ]  # fmt: skip
