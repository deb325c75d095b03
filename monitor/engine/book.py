"""The kernels' view of all accounts: rows of figures, columns of underlyings.

A cache over the authoritative accounts: it can be thrown away and rebuilt at any time, and then says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from kernels import accounts as kernel
from kernels import added_sweep, netted_bounds
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
from monitor.engine.judged import Judged
from monitor.engine.ledger import DOLLAR_TOKENS, exposures
from monitor.engine.modelled import Modelled
from monitor.engine.netting import Netting
from monitor.engine.portfolio import stale_funding
from monitor.engine.segments import Segments
from monitor.engine.tables import Tables
from monitor.models.netted import solve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.engine.market import Market
    from monitor.engine.pricing import Pricing
    from monitor.engine.state import Account
    from monitor.models.margin import Margin
    from schemas.records import MarginModel, NettingParameters, ParameterSet, StatusParameters

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
        self._figures = Figures(64, 4)
        self._segments = Segments()
        self._tables = Tables()
        self._judged = Judged()
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
        set_index = self._set_index(account.config.parameter_set, market)
        portfolio = exposures(account, market.instruments)
        swept = is_swept(account.config.margin_model, plain=self._plain[set_index])
        netted = swept and account.config.margin_model == "P"
        columns = [self._column(underlying, account, market, swept=swept) for underlying in sorted(portfolio.rows)]
        asleep = [not column.has_accounts for column in columns]  # nobody held it, so nobody priced it
        slots = self._set_columns(row, columns)
        f = self._figures
        f.set_of[row] = set_index
        f.cash[row] = portfolio.usd
        f.traits[row] = (
            netted * kernel.NETTED
            + bool(account.holdings) * kernel.HAS_POSITIONS
            + bool(portfolio.unlisted or unsettled(account, market)) * kernel.DEGRADED
        )
        f.norm[row] = 0.0
        held = 0
        for place, (slot, column, was_asleep) in enumerate(zip(slots, columns, asleep, strict=True)):
            column.set_exposure(slot, portfolio.rows[column.underlying])
            if was_asleep or column.rows_stale:
                column.price(market)
            self._segments.seen_held[slot] = column.pricing.held
            held += column.pricing.held
            if swept and not netted:
                self._store_added(row, place, column, column.evaluate_one(slot))
        f.held_places[row] = held
        self._accounts[row] = account
        if swept:
            self._modelled.forget(row)
        else:
            self._modelled.take(row, account, resumed=resumed)
            self._compute([row], market, whole=not resumed)
        rows = np.array([row], dtype=np.int64)
        self._judged.begin()
        if netted:
            self._solve(rows, judging=True)
        else:
            self._judge(rows)
        return bool(self._judged.counts[0])

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
        underlyings = list(underlyings)
        at_once = len(underlyings) == 1  # no account is judged between the prices of two of its underlyings
        touched: list[Ints] = []
        modelled: list[Ints] = []
        self._judged.begin()
        for underlying in underlyings:
            for column in self._of_underlying.get(underlying, ()):
                if surface:
                    column.set_surface_stale()
                if column.has_accounts:
                    column.price(market)
                    self._sweep(column, judging=at_once)
                    if not column.swept:
                        modelled.append(column.accounts)
                    elif not at_once:
                        touched.append(column.accounts)
        if not DOLLAR_TOKENS.isdisjoint(underlyings) and self._modelled.rows:
            # Some models read the price of dollar tokens that an account does not hold.
            modelled.append(np.array(self._modelled.rows, dtype=np.int64))
        if modelled:
            touched.append(np.unique(np.concatenate(modelled)))
            self._compute(touched[-1].tolist(), market, whole=whole or surface)
        if touched:
            self._judge(np.unique(np.concatenate(touched)))
        return self._changed()

    def refresh_all(self, market: Market) -> list[str]:
        """Reprice everything: time moved to another point of the pricing grid."""
        if not self._segments.is_in_order():
            self._segments.arrange(self._figures)
        return self.refresh(list(self._of_underlying), market, whole=True)

    def take_ranges(self, underlyings: Iterable[str]) -> None:
        """Take newly published price ranges at the next refresh of these underlyings."""
        for underlying in underlyings:
            for column in self._of_underlying.get(underlying, ()):
                if column.netted:
                    column.set_parameters_stale()

    def refresh_correlations(self, market: Market) -> list[str]:
        """Take newly published correlations; returns the names whose conditions changed, sorted."""
        rows = np.array(sorted(self._row_of.values()), dtype=np.int64)
        self._netting.take_correlations(rows, self._figures, self._segments, self._tables, market)
        self._compute(self._modelled.rows, market, whole=False)
        self._judged.begin()
        self._judge(rows)
        return self._changed()

    def refresh_parameters(self, names: Iterable[str], market: Market) -> list[str]:
        """Take changed parameter sets; returns the names whose conditions changed, sorted."""
        chosen = set(names)
        for name, index in self._sets.items():
            if name in chosen or "default" in chosen:
                self._judged.thresholds[index] = _thresholds(status_parameters(market, name))
        self._netting.set_parameters([netting_parameters(market, name) for name in self._sets])
        moved = self._sort_accounts(market)
        affected: dict[str, None] = {}
        for column in self._columns:
            if column.set_name in chosen or "default" in chosen:
                column.set_parameters_stale()
                affected[column.underlying] = None
        changed = self.refresh(affected, market, whole=True)
        correlated = self.refresh_correlations(market)
        return sorted({*moved, *changed, *correlated})

    def _sort_accounts(self, market: Market) -> list[str]:
        """Take again the accounts whose sets ask for something on top now, or do no more; return those that changed."""
        plain = [is_plain(_set(market, name)) for name in self._sets]
        before, self._plain = self._plain, plain
        other = {index for index, is_one in enumerate(plain) if is_one != before[index]}
        rows = [row for row in sorted(self._accounts) if int(self._figures.set_of[row]) in other]
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
        """Equity, initial and maintenance requirement of an account, USD; a netted one is solved for it."""
        row, f = self._row_of[name], self._figures
        if not f.traits[row] & kernel.NETTED:
            return kernel.totals(row, f.record, f.shorts)
        # Conditions stay: only a refresh may change them.
        im = float(self._solve(np.array([row], dtype=np.int64), judging=False)[0])
        mm = float(self._netting.mm_factor[f.set_of[row]]) * im
        return kernel.totals(row, f.record, f.shorts)[0], im, mm

    def bounds(self, name: str) -> tuple[float, float, float]:
        """Equity, and least and largest initial requirement of an account by its figures as they stand, USD.

        Of a netted account they are what its last sweep or solve left; of any other one both bounds are the figure.
        """
        row, f = self._row_of[name], self._figures
        equity, im, least = kernel.totals(row, f.record, f.shorts)
        if not f.traits[row] & kernel.NETTED:
            return equity, im, im
        return equity, least, float(f.norm[row]) + im

    def basis_of(self, name: str) -> tuple[dict[str, Pricing], Floats | None]:
        """Return what a requirement rests on: rows by underlying, sorted, and the matrices between them if any."""
        row, f = self._row_of[name], self._figures
        pricings = {column.underlying: column.pricing for column in self._columns_of(row)}
        if not f.traits[row] & kernel.NETTED or len(pricings) < 2:
            return pricings, None
        return pricings, self._netting.matrices_between(list(pricings), int(f.set_of[row]))

    def evaluation(self, account: Account, market: Market) -> Evaluation:
        """Evaluate an account at present prices, underlying by underlying.

        Equity is the USD balance plus the `value_usd` of all underlyings: coins and dollar tokens, options at their
        marks, and the unrealised P&L of futures.
        """
        row, f = self._row_of[account.name], self._figures
        entries = entries_usd(account, market)
        columns, slots = self._columns_of(row), f.slots_of(row)
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
        elif f.traits[row] & kernel.NETTED:
            index = int(f.set_of[row])
            stress = float(self._netting.stress[index])
            losses = [column.evaluate_one(slot).losses[0] for column, slot in zip(columns, slots, strict=True)]
            matrices = self._netting.matrices_between([column.underlying for column in columns], index)
            solution = solve(losses, matrices, stress)
            parts = [
                netted_risk(column, solution, u, slots[u], entries.get(column.underlying, 0.0))
                for u, column in enumerate(columns)
            ]
            if len(columns) > 1:
                correlation = correlation_state(solution, market, stress)
        else:
            parts = [
                added_risk(column, slot, entries.get(column.underlying, 0.0))
                for column, slot in zip(columns, slots, strict=True)
            ]
        return Evaluation(
            equity_usd=equity, im_requirement_usd=im, mm_requirement_usd=mm, underlyings=tuple(parts),
            data_quality=tuple(flags), correlation=correlation, components=components,
        )  # fmt: skip

    # --- inside ---------------------------------------------------------------------------------

    def _columns_of(self, row: int) -> list[Column]:
        return [self._columns[self._segments.column_of(slot)] for slot in self._figures.slots_of(row)]

    def _sweep(self, column: Column, *, judging: bool) -> None:
        """Take a column's new prices for all accounts that hold it."""
        f, s, j = self._figures, self._segments, self._judged
        if not column.swept:
            self._take_held(column)
            return
        totals = (s.seen_held, f.record, f.shorts, self._netting.mm_factor, j.thresholds, j.bits, j.changed)
        first, last = s.pages(column.index)
        p, table = column.pricing, self._tables.of(column.index)
        if column.netted:
            _, _, width, falls, rises, _ = self._tables.columns[column.index].tolist()
            netted_bounds.sweep(
                first, last, s.start, s.stop, s.row, s.quantity, table, width, falls, rises, p.held, judging,
                s.account, s.place, s.hedge, s.left, s.right, s.share, *totals, j.unsure, j.counts,
            )  # fmt: skip
            self._solve_open()
        else:
            shock = p.parameters
            added_sweep.sweep(
                first, last, s.start, s.stop, s.row, s.quantity, table, len(p.table.move), p.group_rate, p.index_price,
                shock.delta_shock_slope, shock.delta_shock_threshold_usd, shock.max_delta_shock, shock.mm_factor,
                p.held, judging, s.account, s.place, *totals, j.counts,
            )  # fmt: skip

    def _take_held(self, column: Column) -> None:
        """Let accounts that are computed one by one count a column as held, or not any more."""
        s, held = self._segments, column.pricing.held
        slots = s.live(column.index)
        other = slots[s.seen_held[slots] != held]
        s.seen_held[other] = held
        self._figures.held_places[s.account[other]] += 1 if held else -1

    def _store_added(self, row: int, place: int, column: Column, results: Results) -> None:
        f, requirement = self._figures, float(results.requirement[0])
        f.value[row, place] = results.value[0]
        f.upper[row, place] = requirement
        f.lower[row, place] = column.parameters.mm_factor * requirement

    def _compute(self, rows: list[int], market: Market, *, whole: bool) -> None:
        """Run the models of accounts that are computed one by one."""
        priced = {row: {column.underlying: column.pricing for column in self._columns_of(row)} for row in rows}
        self._modelled.evaluate(rows, self._figures, priced, market, whole=whole)

    def _judge(self, rows: Ints) -> None:
        """Judge accounts by their figures; netted ones between whose bounds a threshold lies are solved."""
        f, j = self._figures, self._judged
        kernel.judge_rows(
            rows, f.record, f.shorts, self._netting.mm_factor, j.thresholds, j.bits, j.changed, j.unsure, j.counts
        )
        self._solve_open()

    def _solve_open(self) -> None:
        if self._judged.counts[1]:
            rows = self._judged.open_rows()
            self._judged.counts[1] = 0
            self._solve(rows, judging=True)

    def _solve(self, rows: Ints, *, judging: bool) -> Floats:
        return self._netting.solve(
            rows, self._figures, self._segments, self._tables, self._judged, judging=judging
        )  # fmt: skip

    def _changed(self) -> list[str]:
        """Return the names of accounts whose conditions changed, sorted."""
        names = [self._name_of[row] for row in self._judged.changed_rows()]
        return sorted(name for name in names if name is not None)

    def _set_columns(self, row: int, columns: list[Column]) -> list[int]:
        """Give an account a segment of each of its columns, and take back those of others; return them by place."""
        if len(columns) > self._figures.places:
            self._figures = self._figures.grown(self._figures.rows, GROWTH * len(columns))
        f, s = self._figures, self._segments
        before = {s.column_of(slot): slot for slot in f.slots_of(row)}
        wanted = {column.index for column in columns}
        for index, slot in before.items():
            if index not in wanted:
                self._columns[index].release(slot)
        slots = [
            before[column.index] if column.index in before else s.take(column.index, row) for column in columns
        ]  # fmt: skip
        f.set_slots(row, slots)
        s.place[slots] = np.arange(len(slots))
        return slots

    def _column(self, underlying: str, account: Account, market: Market, *, swept: bool) -> Column:
        key = (underlying, account.config.parameter_set, account.config.margin_model if swept else ALONE)
        column = self._column_of.get(key)
        if column is None:
            self._segments.add_column()
            self._tables.add_column(self._netting.coin(underlying, market))
            column = Column(*key, len(self._columns), self._segments, self._tables)
            self._columns.append(column)
            self._column_of[key] = column
            self._of_underlying.setdefault(underlying, []).append(column)
        return column

    def _set_index(self, name: str, market: Market) -> int:
        index = self._sets.get(name)
        if index is None:
            index = self._sets[name] = len(self._sets)
            limits = _thresholds(status_parameters(market, name))
            self._judged.thresholds = np.vstack([self._judged.thresholds, limits])
            self._plain.append(is_plain(_set(market, name)))
            self._netting.add_set(netting_parameters(market, name), market)
        return index

    def _new_row(self, name: str) -> int:
        if self._free:
            row = self._free.pop()
            self._name_of[row] = name
        else:
            row = len(self._name_of)
            if row == self._figures.rows:
                self._figures = self._figures.grown(GROWTH * row, self._figures.places)
            self._judged.make_room(self._figures.rows)
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
