"""The check before a trade, inside the worker that has the account: what it would be after some fills and transfers.

Says what `what_if` says of the same fills, from the prices that the worker has already instead of a copy of them, so an
account of hundreds of contracts is answered within a millisecond. Nothing of the state is changed. Accounts whose model
is computed by itself are asked as everything else is: by a view.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np

from monitor.answers.figures import Figures
from monitor.answers.view import take
from monitor.answers.what_if import (
    Hypothesis,
    RefusedQuestion,
    WhatIf,
    book_moves,
    booked,
    mark_in,
    standing_from_figures,
    what_if,
)
from monitor.engine.column import Results, evaluate_exposure, range_of, refinement_of
from monitor.engine.ledger import exposures
from monitor.engine.netting import matrices_of, stress_in
from monitor.engine.portfolio import active_set
from monitor.engine.pricing import Pricing
from monitor.engine.state import Account
from monitor.models.netted import solve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.engine.ledger import Exposures
    from monitor.engine.market import Market
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.state import State
    from schemas.records import Instrument


def pre_trade(state: State, name: str, hypothesis: Hypothesis) -> WhatIf:
    """Answer what an account of a state would be after fills and transfers.

    Raises RefusedQuestion, also for any other hypothesis, and KeyError if the account is not here.
    """
    if hypothesis != Hypothesis(fills=hypothesis.fills, transfers=hypothesis.transfers):
        raise RefusedQuestion("the check before a trade is of fills and transfers; ask what-if of the rest")
    account = state.shards[state.partition_of[name]].accounts[name]
    if name not in state.book or not state.book.is_swept(name):
        return what_if(take(state, name, also=hypothesis.names), hypothesis, attributed=False)
    market, active = state.market, active_set(account, state.market)
    prices = _Prices(state.book.basis_of(name)[0], market, active, netted=account.config.margin_model == "P")
    after = Account(  # holdings are never changed in place, so they may be the account's own
        config=account.config, balances=dict(account.balances), holdings=dict(account.holdings)
    )
    traded = booked(after, market, hypothesis.fills, prices.mark)
    book_moves(after, hypothesis.transfers, market.time_us)
    now = Figures(*state.book.figures(name))
    then = _figures(exposures(after, market.instruments), prices)
    return WhatIf(
        name, market.time_us, standing_from_figures(account, active, now),
        standing_from_figures(after, active, then), traded,
    )  # fmt: skip


class _Joined:
    """Rows of a worker and rows priced beside them, as `evaluate_exposure` reads rows of model P."""

    def __init__(self, known: Pricing, beside: Pricing, names: Iterable[str]) -> None:
        here = [name for name in names if name in known.row_of]
        there = [name for name in beside.row_of if name is not None]
        first = np.array([0, *map(known.row_of.__getitem__, here)], dtype=np.int64)
        second = np.array([*map(beside.row_of.__getitem__, there)], dtype=np.int64)
        self.row_of: dict[str | None, int] = {name: k for k, name in enumerate([None, *here, *there])}
        self.pnl = np.concatenate((known.pnl.take(first, 0), beside.pnl.take(second, 0)))
        self.value = np.concatenate((known.value.take(first), beside.value.take(second)))
        self.delta = np.concatenate((known.delta.take(first), beside.delta.take(second)))
        self.side, self.buckets = known.side, known.buckets


class _Prices:
    """Rows of each underlying as the worker has them; what it has no rows of is priced here."""

    def __init__(self, known: Mapping[str, Pricing], market: Market, active: ActiveSet, *, netted: bool) -> None:
        self.market, self.active, self.netted = market, active, netted
        self._known = known
        self._beside: dict[str, Pricing] = {}

    def mark(self, instrument: Instrument) -> float:
        """Return a contract's mark in the unit of its trades, NaN without one."""
        underlying, name = instrument.underlying, instrument.instrument
        known = self._known.get(underlying)
        if known is not None and (instrument.type == "spot" or name in known.row_of):
            return mark_in(known, instrument)
        return mark_in(self._priced(underlying, () if instrument.type == "spot" else (name,)), instrument)

    def of(self, underlying: str, names: Sequence[str]) -> Pricing:
        """Return rows that have some contracts among them."""
        known = self._known.get(underlying)
        missing = names if known is None else [name for name in names if name not in known.row_of]
        if known is None or not self.netted:
            return known if known is not None and not missing else self._priced(underlying, names)
        if not missing:
            return known
        return cast("Pricing", _Joined(known, self._priced(underlying, missing), names))

    def _priced(self, underlying: str, names: Iterable[str]) -> Pricing:
        before = self._beside.get(underlying)
        if before is not None and all(name in before.row_of for name in names):
            return before
        pricing = self._beside[underlying] = Pricing(underlying)
        market, active = self.market, self.active
        pricing.set_names(sorted(names), market)
        matrix, known = active.risk_matrix(underlying), self._known.get(underlying)
        if known is not None:
            pricing.set_parameters(known.parameters, known.refinement, known.price_range)
        elif self.netted:
            refinement = refinement_of(market, underlying, active.set.netting)
            pricing.set_parameters(matrix, refinement, range_of(market, underlying, active))
        else:
            pricing.set_parameters(matrix)
        pricing.read_surfaces(market)
        pricing.price(market)
        return pricing


def _figures(held: Exposures, prices: _Prices) -> Figures:
    """Return equity and requirements of what is held, by the functions that the book uses."""
    if held.unlisted:
        return Figures(math.nan, math.nan, math.nan)
    results: list[Results] = []
    for u, rows in held.rows.items():
        pricing = prices.of(u, [name for name, _ in rows if name is not None])
        results.append(evaluate_exposure(pricing, prices.netted, rows))
    equity = held.usd
    for one in results:
        equity += float(one.value[0])
    market, active = prices.market, prices.active
    if not prices.netted:
        im = mm = 0.0
        for u, one in zip(held.rows, results, strict=True):
            im += float(one.requirement[0])
            mm += active.risk_matrix(u).mm_factor * float(one.requirement[0])
        return Figures(equity, im, mm)
    netting = active.set.netting
    matrices = matrices_of(market, list(held.rows), netting.floor_correlation) if held.rows else np.zeros((1, 0, 0))
    stress = stress_in(market.ticks.regime.regime, netting)
    im = solve([one.losses[0] for one in results], matrices, stress).requirement_usd
    return Figures(equity, im, netting.mm_factor * im)
