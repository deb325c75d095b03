"""The kernels' view of all accounts: rows of figures, columns of underlyings.

A cache over the authoritative accounts: it can be thrown away and rebuilt at any time, and then says the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kernels import accounts as kernel
from kernels.certificates import joint
from monitor.engine.added import Added
from monitor.engine.bounded import Bounded
from monitor.engine.certificate_groups import Work, state_of
from monitor.engine.certified import Certificates
from monitor.engine.column import Column, Results, is_plain, is_swept
from monitor.engine.contributions import (
    added_risk,
    correlation_state,
    entries_usd,
    modelled_risks,
    netted_risk,
)
from monitor.engine.evaluation import Evaluation, Netted
from monitor.engine.expiry import unsettled
from monitor.engine.figures import Figures, Floats, Ints
from monitor.engine.grounds import Own, Share
from monitor.engine.ledger import DOLLAR_TOKENS, exposures
from monitor.engine.modelled import Modelled
from monitor.engine.portfolio import stale_funding
from monitor.engine.register import Register, have_priced
from monitor.engine.swept import Swept, union
from monitor.models.netted import solve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.engine.market import Market
    from monitor.engine.pricing import Pricing
    from monitor.engine.state import Account
    from monitor.models.margin import Margin
    from schemas.records import Instrument, NettingParameters, ParameterSet, StatusParameters

CONTRACTS = 10  # a column without any takes as long to price as so many
PRICED_FOR_ONE = 4  # contracts that are priced in the time that the tables save with one account

Taken = tuple[int, tuple[float, float, float]]  # condition bits; equity, initial and maintenance requirement, USD


class Book:
    """Figures of every account of this worker that is being evaluated."""

    def __init__(self, *, certificates: bool = True) -> None:
        self._sets: dict[str, int] = {}
        self._swept = Swept()
        self._segments, self._tables = self._swept.segments, self._swept.tables
        self._judged, self._netting = self._swept.judged, self._swept.netting
        self._certificates = Certificates(self._swept) if certificates else None
        self._register = Register(self._swept, self._certificates)
        self._row_of, self._name_of = self._register.row_of, self._register.name_of
        self._columns, self._of_underlying = self._register.columns, self._register.of_underlying
        self._modelled = Modelled()
        self._accounts: dict[int, Account] = {}
        certified, columns = self._certificates, self._register.columns
        self._bounded = None if certified is None else Bounded(self._swept, certified, self._modelled)
        self._added = None if certified is None else Added(self._swept, certified, self._accounts, columns)
        self._plain: list[bool] = []  # by set
        self._one_row: Ints = np.zeros(1, dtype=np.int64)
        self._taken_im_usd = math.nan

    # --- accounts -------------------------------------------------------------------------------

    def set_account(self, account: Account, market: Market, *, resumed: bool = False) -> bool:
        """Take an account's portfolio as it is now and evaluate it; return whether its conditions changed.

        A `resumed` account is as it was stored: a requirement that was kept with it stays in force.
        """
        row = self._register.row(account.name)
        set_index = self._set_index(account.config.parameter_set, market)
        self._figures.set_of[row] = set_index
        portfolio = exposures(account, market.instruments)
        swept = is_swept(account.config.margin_model, plain=self._plain[set_index])
        netted = swept and account.config.margin_model == "P"
        columns = [
            self._register.column(underlying, account, market, swept=swept) for underlying in sorted(portfolio.rows)
        ]
        asleep = [not column.has_accounts for column in columns]
        slots = self._register.set_columns(row, columns)
        f = self._figures
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
            have_priced(column, market, self._certificates, asleep=was_asleep)
            self._segments.seen_held[slot] = column.pricing.held
            held += column.pricing.held
            if swept and not netted:
                column.catch_up()
                self._store_added(row, place, column, column.evaluate_one(slot))
        f.held_places[row] = held
        self._accounts[row] = account
        self._register.forget_sums(row)
        if swept:
            self._modelled.forget(row)
        else:
            self._modelled.take(row, account, resumed=resumed)
            self._compute([row], market, whole=not resumed)
        changed = self._judge_one(row, account, netted=netted)
        if self._bounded is not None and not swept:
            self._bounded.void([row])
            self._bounded.certify([row], self._accounts, self._register.columns, market)
        return changed

    def take_record(
        self, account: Account, market: Market, instrument: Instrument | None, assets: Iterable[str]
    ) -> int | None:
        """Take what a record changed: the position in `instrument` and balances of `assets`; return the account's row.

        With `evaluate_rows`, which has to follow before anything is asked of the account, it does what `set_account`
        does. Returns None if that has to be called: for an account that is new, computed by itself, or degraded.
        """
        row = self._row_of.get(account.config.account)
        if row is None or row in self._modelled:
            return None
        sums = self._register.take_record(row, account, market, instrument, assets)
        if sums is None:
            return None
        f = self._swept.figures
        f.cash[row] = sums.cash_usd(account)
        before = f.traits.item(row)
        traits = before & kernel.NETTED | (kernel.HAS_POSITIONS if account.holdings else 0)
        if traits != before:
            f.traits[row] = traits
        return row

    def evaluate_rows(self, rows: list[int], market: Market) -> list[Taken]:
        """Evaluate accounts, each given once, after `take_record`; return what `taken` does of each."""
        if len(rows) == 1:
            return [self._evaluate_one(rows[0], market)]
        traits = self._figures.traits[rows]
        together = [row for row, trait in zip(rows, traits.tolist(), strict=True) if trait & kernel.NETTED]
        found = dict(zip(together, self._evaluate_together(together, market), strict=True)) if together else {}
        return [found[row] if row in found else self._evaluate_one(row, market) for row in rows]

    def _evaluate_one(self, row: int, market: Market) -> Taken:
        f = self._swept.figures
        netted = bool(f.traits.item(row) & kernel.NETTED)
        f.norm[row] = 0.0
        self._take_places(row, market, netted=netted)
        self._judge_one(row, self._accounts[row], netted=netted)
        return self._taken(row)

    def _evaluate_together(self, rows: list[int], market: Market) -> list[Taken]:
        """Evaluate netted accounts in one solve."""
        of = np.array(rows, dtype=np.int64)
        self._register.take_places(of, market)
        self._judged.begin()
        if self._certificates is None:
            im_usd = self._swept.solve(of, judging=True)
        else:
            states = np.array([state_of(self._accounts[row]) for row in rows], dtype=np.int64)
            im_usd = self._certificates.set_accounts(of, states)
        f = self._figures
        mm_usd = self._netting.mm_factor[f.set_of[of]] * im_usd
        figures = zip(f.equity_of(of).tolist(), im_usd.tolist(), mm_usd.tolist(), strict=True)
        return list(zip(f.flags[of].tolist(), figures, strict=True))

    def _take_places(self, row: int, market: Market, *, netted: bool) -> None:
        """Take what the columns of an account say of it beside its positions."""
        seen_held, certificates = self._segments.seen_held, self._certificates
        places = self._register.places(row)
        held = 0
        for place in places:
            column = place.column
            if column.rows_stale or (column.newly_held and certificates is not None):
                have_priced(column, market, certificates, asleep=False)
            now = column.pricing.held
            seen_held[place.slot] = now
            held += now
        self._swept.figures.held_places[row] = held
        if not netted:
            for number, place in enumerate(places):
                place.column.catch_up()
                self._store_added(row, number, place.column, place.column.evaluate_one(place.slot))

    def _judge_one(self, row: int, account: Account, *, netted: bool) -> bool:
        """Judge an account by its exact requirement, and keep that; return whether its conditions changed."""
        one = self._one_row
        one[0] = row
        self._judged.begin()
        if not netted:
            self._swept.judge(one)
            if self._added is not None and row not in self._modelled:
                self._added.set_account(row)
        elif self._certificates is None:
            self._taken_im_usd = self._swept.solve(one, judging=True).item()
        else:
            self._taken_im_usd = self._certificates.set_account(row, state_of(account))
        return self._judged.counts.item(0) > 0

    def taken(self, name: str) -> Taken:
        """Return `conditions` and `figures` right after the account has been taken, without another solve."""
        return self._taken(self._row_of[name])

    def _taken(self, row: int) -> Taken:
        f = self._swept.figures
        equity, im, mm = kernel.totals(row, f.record, f.shorts)
        if f.traits.item(row) & kernel.NETTED:
            im = self._taken_im_usd
            mm = self._netting.mm_factor.item(f.set_of.item(row)) * im
        return f.flags.item(row), (equity, im, mm)

    def grounds(self, name: str) -> Own | None:
        """Return what an account's requirement rests on now, for later; None if it is computed by itself."""
        row = self._row_of[name]
        if row in self._modelled:
            return None
        places = self._register.places(row)
        heads, marks = [], []
        for place in places:
            head, own = place.noted()
            heads.append(head)
            marks.append(own)
        if len(places) < 2 or not places[0].column.netted:
            return Own(heads, marks, None)
        return Own(heads, marks, self._netting.matrices_now(self._figures.set_of.item(row)))

    def grounds_of(self, names: Sequence[str]) -> list[Share]:
        """Return what `grounds` does of several accounts, none of which is computed by itself."""
        shared = self._register.grounds_of(np.array([self._row_of[name] for name in names], dtype=np.int64))
        return [Share(shared, number) for number in range(len(names))]

    def remove(self, name: str) -> None:
        """Forget an account."""
        row = self._row_of.get(name)
        if row is None:
            return
        self._register.remove(name)
        self._modelled.forget(row)
        del self._accounts[row]
        self._figures.clear_row(row)

    def set_status(self, account: Account) -> None:
        """Take notice of an account's status: its certificate is for the ways out of it."""
        row = self._row_of[account.name]
        if self._certificates is not None and self._swept.is_netted(row):
            self._certificates.set_state(row, state_of(account))
        elif self._certificates is not None:
            self._certificates.void(np.array([row], dtype=np.int64))

    @property
    def work(self) -> Work:
        """What the certificates have done."""
        return Work() if self._certificates is None else self._certificates.work

    @property
    def certified_share(self) -> float:
        """Which part of the accounts have a certificate in every underlying that they hold; 0 without any account."""
        rows = sorted(self._register.row_of.values())
        slots = self._figures.slot[rows]
        lost = (slots >= 0) & (self._segments.curves[slots, joint.RADIUS] < 0.0)
        return float(1.0 - lost.any(axis=1).mean()) if rows else 0.0

    @property
    def certifying(self) -> bool:
        """Whether accounts have certificates."""
        return self._certificates is not None

    def __contains__(self, name: str) -> bool:
        """Whether the account is being evaluated."""
        return name in self._row_of

    def is_swept(self, name: str) -> bool:
        """Whether the account is computed with all others at once, and not by itself."""
        return self._row_of[name] not in self._modelled

    @property
    def has_slow(self) -> bool:
        """Whether any account is computed by itself, which takes milliseconds."""
        return len(self._modelled) > 0

    # --- market ---------------------------------------------------------------------------------

    def refresh(
        self, underlyings: Iterable[str], market: Market, *, surface: bool = False, whole: bool = False,
        index_only: bool = False,
    ) -> list[str]:  # fmt: skip
        """Take what moved of underlyings, and re-evaluate every account that it can concern.

        `surface` says that listings or volatilities changed, `whole` that models which are too slow for ticks are to
        be run as well, `index_only` that nothing but indices moved. Returns the names whose conditions changed, sorted;
        under certificates only where the status of the account hangs on them.
        """
        underlyings = list(underlyings)
        if index_only and not (surface or whole) and self._follow_index(underlyings, market):
            return self._changed()
        columns = [column for name in underlyings for column in self._of_underlying.get(name, ())]
        if surface:
            for column in columns:
                column.set_surface_stale()
        columns = [column for column in columns if column.has_accounts]
        if not (columns or len(self._modelled)):
            return []
        index_only &= not surface
        self._judged.begin()
        columns, modelled = self._follow(columns, market, index_only=index_only)
        if not (columns or modelled or len(self._modelled)):
            return self._changed()  # nothing is swept, and nobody computed by himself
        at_once = len(underlyings) == 1  # no account is judged between the prices of two of its underlyings
        self._sweep(columns, market, judging=at_once, index_only=index_only)
        modelled += [column.accounts for column in columns if not column.swept]
        if not DOLLAR_TOKENS.isdisjoint(underlyings) and self._modelled.rows:
            # Some models read the price of dollar tokens that an account does not hold.
            modelled.append(np.array(self._computed_always(), dtype=np.int64))
        computed = union(modelled) if modelled else None
        touched = [] if at_once else [column.accounts for column in columns if column.swept]
        return self._judge_touched(columns, computed, touched, market, whole=whole or surface)

    def _judge_touched(
        self, columns: list[Column], computed: Ints | None, touched: list[Ints], market: Market, *, whole: bool
    ) -> list[str]:  # fmt: skip
        """Compute and judge accounts, then certify some of those of columns that were swept; return as `refresh`.

        computed: whose models are to be run; touched: who was swept and not judged.
        """
        if computed is not None:
            touched = [*touched, computed]
            self._compute(computed.tolist(), market, whole=whole)
        if touched:
            self._swept.judge(union(touched))
        changed = self._changed()
        if self._certificates is not None and self._added is not None and not changed:
            self._certificates.renew(columns)
            self._added.renew(columns)
        if self._bounded is not None and computed is not None:
            self._bounded.certify(computed.tolist(), self._accounts, self._register.columns, market)
        return changed

    def _follow_index(self, underlyings: list[str], market: Market) -> bool:
        """Take an index tick where all that it can concern is watched together; return whether that is so."""
        if self._certificates is None or len(underlyings) != 1 or underlyings[0] in DOLLAR_TOKENS:
            return False
        self._judged.begin()
        return self._certificates.follow_index(self._of_underlying.get(underlyings[0], ()), market)

    def _follow(self, columns: list[Column], market: Market, *, index_only: bool) -> tuple[list[Column], list[Ints]]:
        """Let certificates follow the market where they can; return the other columns, and who has to be computed."""
        if self._certificates is None or self._bounded is None or self._added is None:
            return columns, []
        columns = self._certificates.follow(columns, market, index_only=index_only)
        if not columns:
            return columns, []
        columns, left = self._bounded.follow(columns, market, index_only=index_only)
        return self._added.follow(columns, market, index_only=index_only), [left] if len(left) else []

    def _sweep(self, columns: list[Column], market: Market, *, judging: bool, index_only: bool) -> None:
        """Price columns, and take their prices for all accounts that hold them."""
        for column in columns:
            column.price(market)
            if self._certificates is not None:
                self._certificates.take(column, index_only=index_only, moved=True)
            self._swept.sweep(column, judging=judging)

    def refresh_all(self, market: Market) -> list[str]:
        """Reprice everything: time moved to another point of the pricing grid."""
        if not self._segments.is_in_order():
            self._segments.arrange(self._figures)
            self._register.forget_all_sums()
        return self.refresh(list(self._of_underlying), market, whole=True)

    def take_ranges(self, underlyings: Iterable[str]) -> None:
        """Take newly published price ranges at the next refresh of these underlyings."""
        for underlying in underlyings:
            for column in self._of_underlying.get(underlying, ()):
                if column.netted:
                    column.set_parameters_stale()

    def refresh_correlations(self, market: Market) -> list[str]:
        """Take newly published correlations; returns the names whose conditions changed, sorted."""
        rows = np.sort(np.fromiter(self._row_of.values(), dtype=np.int64, count=len(self._row_of)))
        before = self._netting.in_force
        shrunk = self._netting.take_correlations(market)
        self._judged.begin()
        if self._certificates is not None:
            rows = self._certificates.take_correlations(rows, before)
        self._swept.shrink(rows, shrunk)
        self._compute(self._computed_always(), market, whole=False)
        self._swept.judge(rows)
        return self._changed()

    def refresh_parameters(self, names: Iterable[str], market: Market) -> list[str]:
        """Take changed parameter sets; returns the names whose conditions changed, sorted."""
        chosen = set(names)
        for name, index in self._sets.items():
            if name in chosen or "default" in chosen:
                self._judged.thresholds[index] = _thresholds(status_parameters(market, name))
        if self._certificates is not None:
            self._certificates.forget()
        if self._bounded is not None and self._added is not None:
            self._bounded.forget()
            self._added.forget()
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
        row = self._row_of[name]
        if self._certificates is not None:
            self._certificates.judge(row)
            self._bring(row)
        return int(self._figures.flags[row])

    def figures(self, name: str) -> tuple[float, float, float]:
        """Equity, initial and maintenance requirement of an account, USD; a netted one is solved for it."""
        row, f = self._row_of[name], self._figures
        self._bring(row)
        if not f.traits[row] & kernel.NETTED:
            return kernel.totals(row, f.record, f.shorts)
        # Conditions stay: only a refresh may change them.
        im = self._requirement(row)
        mm = float(self._netting.mm_factor[f.set_of[row]]) * im
        return kernel.totals(row, f.record, f.shorts)[0], im, mm

    def figures_of(self, names: Sequence[str]) -> list[tuple[float, float, float]]:
        """Return `figures` of several accounts; netted ones are solved together."""
        f, rows = self._figures, [self._row_of[name] for name in names]
        is_netted = ((f.traits[rows] & kernel.NETTED) != 0).tolist()
        netted = [row for row, is_one in zip(rows, is_netted, strict=True) if is_one]
        for row, is_one in zip(rows, is_netted, strict=True):
            if not is_one:
                self._bring(row)
        solved = dict(zip(netted, self._solved(netted), strict=True))
        return [
            solved[row] if is_one else kernel.totals(row, f.record, f.shorts)
            for row, is_one in zip(rows, is_netted, strict=True)
        ]

    def _solved(self, rows: list[int]) -> list[tuple[float, float, float]]:
        """Return `figures` of netted accounts, solved together."""
        if not rows:
            return []
        f, of = self._figures, np.array(rows, dtype=np.int64)
        certified = self._certificates
        if certified is not None and any(map(certified.watches, rows)) and not self._have_tables(len(rows)):
            certified.know(rows)
            im_usd = np.array([self._requirement(row) for row in rows])
        else:
            im_usd = self._swept.solve(of, judging=False)
        mm_usd = self._netting.mm_factor[f.set_of[of]] * im_usd
        return list(zip(f.equity_of(of).tolist(), im_usd.tolist(), mm_usd.tolist(), strict=True))

    def _have_tables(self, accounts: int) -> bool:
        """Have all netted columns' tables of the present, if that pays for so many accounts to solve; return whether.

        From tables an account takes a third of the time that it takes from nothing.
        """
        behind = [one for one in self._columns if one.netted and one.has_accounts and one.is_behind]
        if accounts < sum(CONTRACTS + len(one.pricing.row_of) for one in behind) // PRICED_FOR_ONE:
            return False
        for column in behind:
            column.catch_up()
        return True

    def bounds(self, name: str) -> tuple[float, float, float]:
        """Equity, and least and largest initial requirement of an account by its figures as they stand, USD.

        Of a netted account they are what its last sweep or solve left; of any other one both bounds are the figure.
        """
        row, f = self._row_of[name], self._figures
        if self._certificates is not None:
            self._certificates.bring(row)
        self._bring(row)
        equity, im, least = kernel.totals(row, f.record, f.shorts)
        if not f.traits[row] & kernel.NETTED:
            return equity, im, im
        return equity, least, float(f.norm[row]) + im

    def basis_of(self, name: str) -> tuple[dict[str, Pricing], Floats | None]:
        """Return what a requirement rests on: rows by underlying, sorted, and the matrices between them if any."""
        row, f = self._row_of[name], self._figures
        self._catch_up(row)
        pricings = {column.underlying: column.pricing for column in self._register.columns_of(row)}
        if not f.traits[row] & kernel.NETTED or len(pricings) < 2:
            return pricings, None
        return pricings, self._netting.matrices_between(list(pricings), int(f.set_of[row]))

    def evaluation(self, account: Account, market: Market) -> Evaluation:
        """Evaluate an account at present prices, underlying by underlying.

        Equity is the USD balance plus the `value_usd` of all underlyings: coins and dollar tokens, options at their
        marks, and the unrealised P&L of futures.
        """
        return self.evaluated(account, market)[0]

    def evaluated(self, account: Account, market: Market) -> tuple[Evaluation, Netted | None]:
        """Return `evaluation`, and what the requirement was computed from if it is a netted one."""
        equity, im, mm = self.figures(account.name)
        row, f = self._row_of[account.name], self._figures
        self._catch_up(row)
        entries = entries_usd(account, market)
        columns, slots = self._register.columns_of(row), f.slots_of(row)
        flags = sorted(
            [f"unsettled:{name}" for name in unsettled(account, market)]
            + [flag for column in columns for flag in column.pricing.flags]
            + list(stale_funding(account.holdings, market))
        )
        correlation, components, netted = None, None, None
        margin = self._modelled.margin(row)
        if margin is not None:
            parts = modelled_risks(margin, columns, entries)
            flags = sorted({*flags, *margin.flags, *margin.degraded})
            components = margin.im_components
        elif f.traits[row] & kernel.NETTED:
            index = int(f.set_of[row])
            stress = float(self._netting.stress[index])
            exposed = [column.exposed(slot) for column, slot in zip(columns, slots, strict=True)]
            in_force = self._netting.matrices_now(index)
            matrices = in_force.between([column.underlying for column in columns])
            solution = solve([one.losses for one in exposed], matrices, stress)
            parts = [
                netted_risk(one, solution, u, entries.get(one.column.underlying, 0.0)) for u, one in enumerate(exposed)
            ]
            if len(columns) > 1:
                correlation = correlation_state(solution, market, stress)
            netted = Netted(exposed, in_force, matrices, stress, solution.requirement_usd)
        else:
            parts = [
                added_risk(column, slot, entries.get(column.underlying, 0.0))
                for column, slot in zip(columns, slots, strict=True)
            ]
        evaluation = Evaluation(
            equity_usd=equity, im_requirement_usd=im, mm_requirement_usd=mm, underlyings=tuple(parts),
            data_quality=tuple(flags), correlation=correlation, components=components,
        )  # fmt: skip
        return evaluation, netted

    # --- inside ---------------------------------------------------------------------------------

    @property
    def _figures(self) -> Figures:
        return self._swept.figures

    def _requirement(self, row: int) -> float:
        """Return the exact requirement of a netted account, USD."""
        if self._certificates is not None and self._certificates.watches(row):
            return self._certificates.requirement(row)
        return float(self._swept.solve(np.array([row], dtype=np.int64), judging=False)[0])

    def _catch_up(self, row: int) -> None:
        """Price what an account holds, where that was put off."""
        for column in self._register.columns_of(row):
            column.catch_up()

    def _bring(self, row: int) -> None:
        """Bring an account that is computed by itself up to date: a certificate may stand for its figures."""
        if self._bounded is None or self._added is None or self._swept.is_netted(row):
            return
        rows = np.array([row], dtype=np.int64)
        if row in self._modelled:
            if not self._bounded.is_behind(row):
                return
            assert self._bounded.market is not None, "only who followed a market is behind it"
            self._compute([row], self._bounded.market, whole=False)
        elif self._added.is_behind(row):
            self._added.bring(rows)
        else:
            return
        self._judged.begin()
        self._swept.judge(rows)

    def _computed_always(self) -> list[int]:
        """Return the accounts that are computed by themselves whatever moved."""
        return self._modelled.rows if self._bounded is None else self._bounded.without()

    def _store_added(self, row: int, place: int, column: Column, results: Results) -> None:
        f, requirement = self._figures, float(results.requirement[0])
        f.value[row, place] = results.value[0]
        f.upper[row, place] = requirement
        f.lower[row, place] = column.parameters.mm_factor * requirement

    def _compute(self, rows: list[int], market: Market, *, whole: bool) -> None:
        """Run the models of accounts that are computed one by one."""
        if self._bounded is not None:
            for row in rows:
                self._catch_up(row)
            self._bounded.computed(rows)
        priced = {row: {column.underlying: column.pricing for column in self._register.columns_of(row)} for row in rows}
        self._modelled.evaluate(rows, self._figures, priced, market, whole=whole)

    def _changed(self) -> list[str]:
        """Return the names of accounts whose conditions changed, sorted; their certificates end."""
        if not self._judged.counts.item(0):
            return []
        rows = self._judged.changed_rows()
        if self._certificates is not None:
            of = np.array(rows, dtype=np.int64)
            self._certificates.void_changed(of[(self._figures.traits[of] & kernel.NETTED) != 0])
        names = [self._name_of[row] for row in rows]
        return sorted(name for name in names if name is not None)

    def _set_index(self, name: str, market: Market) -> int:
        index = self._sets.get(name)
        if index is None:
            index = self._sets[name] = len(self._sets)
            limits = _thresholds(status_parameters(market, name))
            self._judged.thresholds = np.vstack([self._judged.thresholds, limits])
            self._plain.append(is_plain(_set(market, name)))
            self._netting.add_set(netting_parameters(market, name), market)
        return index


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
