"""Accounts of a folded state under several margin models: as values, as a table, as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.engine.parameters import DEFAULT
from monitor.engine.portfolio import correlations_of, portfolio_of
from monitor.errors import UsageError
from monitor.models.compare import Comparison, compare
from monitor.models.margin import Margin
from monitor.models.owner import OwnerView, SubAccount, groups, owner_view
from monitor.models.registry import MODELS

if TYPE_CHECKING:
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.state import Account, State

LAYOUT = 1  # of the JSON object
WHOLE = "P"  # the model of an owner's accounts together


@dataclass(frozen=True, slots=True)
class Compared:
    """One account: the model and the parameter set that it has, and every model asked for."""

    account: str
    own_model: str
    parameter_set: str
    comparison: Comparison

    @property
    def computed(self) -> bool:
        """Whether every model gave figures."""
        return all(margin.computed for margin in self.comparison.margins)


def compare_accounts(
    state: State, models: Sequence[str], accounts: Sequence[str], parameter_set: str | None = None
) -> list[Compared]:
    """Return accounts under several models, with their own parameter sets or one for all.

    Raises UsageError for a set that is not there, KeyError for an account or a model that is not.
    """
    found = []
    for name in accounts:
        account = state.shards[state.partition_of[name]].accounts[name]
        active = _active(state, parameter_set or account.config.parameter_set)
        portfolio = portfolio_of(account, state.market)
        comparison = compare(portfolio, models, active.set, active.hash)
        found.append(Compared(name, account.config.margin_model, active.set.name, comparison))
    return found


def owners(state: State, parameter_set: str | None = None) -> list[OwnerView]:
    """Return the view of each owner of several accounts: every venue under its own model, all together under model P.

    Owners are the groups of account settings, sorted. The whole is margined with the parameter set given, or the
    built-in one. Raises UsageError as `compare_accounts`.
    """
    accounts = {name: state.shards[partition].accounts[name] for name, partition in sorted(state.partition_of.items())}
    active = _active(state, parameter_set or DEFAULT)
    views = []
    for group in groups(account.config for account in accounts.values()):
        if not group.grouped:
            continue
        found = [_sub_account(accounts[name], state, parameter_set) for name in group.accounts]
        names = tuple(sorted({u.name for one in found for u in one.portfolio.underlyings}))
        views.append(
            owner_view(
                group.owner, found, correlations_of(names, state.market, active),
                lambda whole: MODELS[WHOLE].compute(whole, active.set, active.hash), active.set.owner,
            )
        )  # fmt: skip
    return views


def _sub_account(account: Account, state: State, parameter_set: str | None) -> SubAccount:
    active = _active(state, parameter_set or account.config.parameter_set)
    portfolio = portfolio_of(account, state.market)
    margin = MODELS[account.config.margin_model].compute(portfolio, active.set, active.hash)
    return SubAccount(account.config.venue or account.name, portfolio, margin)


def owners_data(views: Sequence[OwnerView]) -> list[dict[str, Any]]:
    """Return owners as plain JSON values."""
    return [
        {
            "owner": view.owner,
            "economic_model": view.economic.model,
            "economic_im_requirement_usd": _finite(view.economic.im_requirement_usd),
            "economic_mm_requirement_usd": _finite(view.economic.mm_requirement_usd),
            "equity_usd": _finite(view.equity_usd),
            "im_requirement_usd": _finite(view.im_requirement_usd),
            "mm_requirement_usd": _finite(view.mm_requirement_usd),
            "netting_benefit_usd": _finite(view.netting_benefit_usd),
            "transferable_usd": _finite(view.transferable_usd),
            "shortfall_usd": _finite(view.shortfall_usd),
            "uncovered_usd": _finite(view.uncovered_usd),
            "venues": [
                {
                    "account": venue.account, "venue": venue.venue, "model": venue.margin.model,
                    "im_requirement_usd": _finite(venue.margin.im_requirement_usd),
                    "excess_usd": _finite(venue.excess_usd), "shortfall_usd": _finite(venue.shortfall_usd),
                    "transferable_usd": _finite(venue.transferable_usd), "transfer_minutes": venue.transfer_minutes,
                }
                for venue in view.venues
            ],
            "degraded": list(view.degraded),
        }
        for view in views
    ]  # fmt: skip


def print_owners(console: Console, views: Sequence[OwnerView]) -> None:
    """Print a table for each owner, amounts in USD."""
    for view in views:
        table = Table(title=f"owner {view.owner}", title_justify="left")
        for column in ("account", "venue", "model"):
            table.add_column(column)
        for column in ("equity, USD", "IM, USD", "excess, USD", "may leave, USD", "minutes"):
            table.add_column(column, justify="right")
        for venue in view.venues:
            figures = (
                venue.margin.equity_usd,
                venue.margin.im_requirement_usd,
                venue.excess_usd,
                venue.transferable_usd,
            )
            names = (venue.account, venue.venue, venue.margin.model)
            table.add_row(*map(escape, names), *(f"{usd:,.2f}" for usd in figures), f"{venue.transfer_minutes:,.0f}")
        console.print(table)
        console.print(
            f"together {view.economic.im_requirement_usd:,.2f} USD under {view.economic.model}, apart "
            f"{view.im_requirement_usd:,.2f}; short {view.shortfall_usd:,.2f}, of which no excess elsewhere covers "
            f"{view.uncovered_usd:,.2f}"
        )
    if not views:
        console.print("no account names a group")


def data(found: Sequence[Compared], market_time_us: int, rejected: dict[str, int]) -> dict[str, Any]:
    """Return accounts as plain JSON values: a figure that is not there is null."""
    return {
        "v": LAYOUT,
        "market_time_us": market_time_us,
        "rejected": dict(rejected),
        "accounts": [
            {
                "account": one.account,
                "own_model": one.own_model,
                "parameter_set": one.parameter_set,
                "models": [_margin_data(margin, one.comparison) for margin in one.comparison.margins],
                "disagreement": _disagreement_data(one.comparison),
            }
            for one in found
        ],
    }


def print_accounts(console: Console, found: Sequence[Compared]) -> None:
    """Print a table for each account, amounts in USD."""
    for one in found:
        title = f"{one.account}, own model {one.own_model}, parameters {one.parameter_set}"
        table = Table(title=title, title_justify="left")
        table.add_column("model")
        for column in ("equity, USD", "IM, USD", "MM, USD", "IM excess, USD", "IM / isolated"):
            table.add_column(column, justify="right")
        table.add_column("rests on", overflow="fold")
        for margin in one.comparison.margins:
            table.add_row(*map(escape, _row(margin, one.comparison)))
        console.print(table)
        console.print(escape(_sentence(one.comparison)))
    if not found:
        console.print("no accounts")


def _active(state: State, name: str) -> ActiveSet:
    active = state.market.parameters.get(name)
    if active is None:
        raise UsageError(f"no parameter set {name!r} in the files", "name one that they define, or `default`")
    return active


def _row(margin: Margin, comparison: Comparison) -> tuple[str, ...]:
    if not margin.computed:
        return (margin.model, "-", "-", "-", "-", "-", "; ".join(margin.degraded) or "not computed")
    figures = (margin.equity_usd, margin.im_requirement_usd, margin.mm_requirement_usd, margin.im_excess_usd)
    ratio = comparison.ratio_to_isolated[margin.model]
    return (margin.model, *(f"{usd:,.2f}" for usd in figures), f"{ratio:.3f}", _rests_on(margin))


def _rests_on(margin: Margin) -> str:
    """Return the scenario that costs most, in words, and what stands in for better data."""
    texts = [f"{w.underlying}: {w.label}" if w.underlying else w.label for w in _costliest(margin)]
    return "; ".join([*texts, *margin.degraded])


def _costliest(margin: Margin) -> list[Any]:
    return [min(margin.worst, key=lambda worst: worst.weight * worst.pnl_usd)] if margin.worst else []


def _sentence(comparison: Comparison) -> str:
    found = comparison.disagreement
    if math.isnan(found.ratio):
        return "fewer than two models gave figures"
    calls = f"; short of IM under {', '.join(found.calls)}" if found.calls else "; short of IM under none"
    apart = f"{found.ratio:.2f} times" if math.isfinite(found.ratio) else "without bound"
    return f"{found.highest} asks for most, {found.lowest} for least: {apart}, {found.spread_usd:,.2f} USD apart{calls}"


def _margin_data(margin: Margin, comparison: Comparison) -> dict[str, Any]:
    return {
        "model": margin.model,
        "parameter_hash": margin.parameter_hash,
        "market_time_us": margin.market_time_us,
        "equity_usd": _finite(margin.equity_usd),
        "im_requirement_usd": _finite(margin.im_requirement_usd),
        "mm_requirement_usd": _finite(margin.mm_requirement_usd),
        "im_excess_usd": _finite(margin.im_excess_usd),
        "mm_excess_usd": _finite(margin.mm_excess_usd),
        "ratio_to_isolated": _finite(comparison.ratio_to_isolated[margin.model]),
        "im_components": {name: _finite(usd) for name, usd in margin.im_components.items()},
        "mm_components": {name: _finite(usd) for name, usd in margin.mm_components.items()},
        "worst": [
            {"underlying": w.underlying, "scenario": w.scenario, "label": w.label, "pnl_usd": _finite(w.pnl_usd),
             "weight": w.weight}
            for w in margin.worst
        ],
        "parts": [
            {"underlying": p.underlying, "value_usd": _finite(p.value_usd), "im_usd": _finite(p.im_usd),
             "mm_usd": _finite(p.mm_usd), "delta_coins": _finite(p.delta_coins)}
            for p in margin.parts
        ],
        "statistics": {name: _finite(value) for name, value in margin.statistics.items()},
        "flags": list(margin.flags),
        "degraded": list(margin.degraded),
    }  # fmt: skip


def _disagreement_data(comparison: Comparison) -> dict[str, Any]:
    found = comparison.disagreement
    return {
        "highest": found.highest or None,
        "lowest": found.lowest or None,
        "spread_usd": _finite(found.spread_usd),
        "ratio": _finite(found.ratio),
        "calls": list(found.calls),
        "liquidates": list(found.liquidates),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
