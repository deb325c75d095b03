"""What if: hypothetical fills, transfers, shocks, another model or parameter set.

Fills and transfers are booked by the ledger that books the real ones, at the market of the view, so what is said of a
fill is what the engine says after it. Then the model and the parameters change, then the market.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from monitor.answers.between import change_between
from monitor.answers.figures import Evaluator, Figures, bits_of, standing_of
from monitor.answers.groups import Change
from monitor.answers.shock import RefusedShock, Shock, shocked
from monitor.answers.view import View, copy_account
from monitor.engine import funding, ledger
from monitor.engine.column import is_plain, is_swept
from monitor.engine.ledger import RejectedRecord
from monitor.engine.pricing import Pricing
from monitor.models.registry import MODELS
from schemas.fields import InvalidRecord
from schemas.records import ParameterSet, Trade, Transfer

if TYPE_CHECKING:
    from monitor.engine.market import Market
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.state import Account
    from schemas.records import Instrument


class Fill(Struct, frozen=True, forbid_unknown_fields=True):
    """A hypothetical fill: signed contracts, at a price in the contract's own unit (None: its mark)."""

    instrument: str
    quantity: float
    price: float | None = None
    fee: float = 0.0


class Move(Struct, frozen=True, forbid_unknown_fields=True):
    """A hypothetical transfer: units of an asset, positive deposited."""

    asset: str
    amount: float


class Hypothesis(Struct, frozen=True, forbid_unknown_fields=True):
    """What is supposed, in this order: fills, transfers, model, parameters, shock."""

    fills: tuple[Fill, ...] = ()
    transfers: tuple[Move, ...] = ()
    model: str | None = None
    parameters: ParameterSet | None = None
    shock: Shock = Shock()

    @property
    def names(self) -> tuple[str, ...]:
        """What a view has to know beside what the account holds: for `monitor.answers.view.take`."""
        moved = [name for name in self.shock.moves if name != "market"]
        return (*(one.instrument for one in self.fills), *(one.asset for one in self.transfers), *moved)


class Standing(Struct, frozen=True):
    """Figures of one account, USD, None where something has no price; excesses are equity less the requirement."""

    model: str
    parameter_set: str
    standing: str
    equity_usd: float | None
    im_requirement_usd: float | None
    mm_requirement_usd: float | None
    im_excess_usd: float | None
    mm_excess_usd: float | None
    v: float | None
    u: float | None


class WhatIf(Struct, frozen=True):
    """An account before and after a hypothesis; `change` is that of the initial requirement, by groups."""

    account: str
    market_time_us: int
    before: Standing
    after: Standing
    prices: dict[str, float]
    change: Change | None = None


class RefusedQuestion(ValueError):
    """A hypothesis that cannot be: a contract that is not listed or has no price, an unknown model, an amount of 0."""


def what_if(view: View, hypothesis: Hypothesis, *, shapley: bool = False, attributed: bool = True) -> WhatIf:
    """Answer what an account would be under a hypothesis; raises RefusedQuestion.

    Without `attributed` the change is not split: the check before a trade.
    """
    after, prices = supposed(view, hypothesis)
    change = change_between(view, after, shapley=shapley) if attributed else None
    then = Evaluator(after)
    alike = is_swept(model := view.account.config.margin_model, plain=is_plain(view.active.set)) and (
        model == after.account.config.margin_model
    )
    now = Evaluator(view, then if alike else None)
    return WhatIf(view.account.name, view.facts.time_us, _standing(now), _standing(then), prices, change)


def supposed(view: View, hypothesis: Hypothesis) -> tuple[View, dict[str, float]]:
    """Return the view under a hypothesis, and at which prices it was traded; raises RefusedQuestion."""
    market = view.market()
    account = copy_account(view.account)
    account.kept = None  # of other holdings, or of another model
    prices = booked(account, market, hypothesis.fills, lambda instrument: mark_of(view, instrument))
    book_moves(account, hypothesis.transfers, market.time_us)
    if hypothesis.model is not None:
        if hypothesis.model not in MODELS:
            raise RefusedQuestion(f"there is no model {hypothesis.model!r}; one of {', '.join(MODELS)}")
        account.config = msgspec.structs.replace(account.config, margin_model=hypothesis.model)
    after = view.with_account(account)
    if hypothesis.parameters is not None:
        after = after.with_set(hypothesis.parameters)
    try:
        return shocked(after, hypothesis.shock), prices
    except RefusedShock as error:
        raise RefusedQuestion(str(error)) from error


def standing(view: View) -> Standing:
    """Return the figures of a view, computed anew."""
    return _standing(Evaluator(view))


def _standing(of: Evaluator) -> Standing:
    return standing_from(of.view, of.figures(of.view), has_positions=of.has_positions)


def standing_from(view: View, figures: Figures, *, has_positions: bool) -> Standing:
    """Return figures as an answer."""
    return _said(view.account, view.active, figures, has_positions=has_positions)


def standing_from_figures(account: Account, active: ActiveSet, figures: Figures) -> Standing:
    """Return figures of an account under a parameter set as an answer."""
    return _said(account, active, figures, has_positions=bool(account.holdings))


def _said(account: Account, active: ActiveSet, figures: Figures, *, has_positions: bool) -> Standing:
    equity, im, mm = figures
    ratio = 1.0 / equity if equity > 0.0 else math.nan
    return Standing(
        model=account.config.margin_model, parameter_set=active.set.name,
        standing=standing_of(bits_of(figures, active.set.status, has_positions=has_positions)),
        equity_usd=_finite(equity), im_requirement_usd=_finite(im), mm_requirement_usd=_finite(mm),
        im_excess_usd=_finite(equity - im), mm_excess_usd=_finite(equity - mm), v=_finite(im * ratio),
        u=_finite(mm * ratio),
    )  # fmt: skip


def booked(
    account: Account, market: Market, fills: Sequence[Fill], mark: Callable[[Instrument], float]
) -> dict[str, float]:
    """Book fills in an account, at their marks where they say no price; return the prices. Raises RefusedQuestion."""
    prices: dict[str, float] = {}
    for number, fill in enumerate(fills):
        instrument = market.instruments.get(fill.instrument)
        if instrument is None:
            raise RefusedQuestion(f"{fill.instrument} is not listed in this view")
        price = mark(instrument) if fill.price is None else fill.price
        if not math.isfinite(price):
            raise RefusedQuestion(f"{fill.instrument} has no price: give one")
        prices[fill.instrument] = price
        try:
            trade = Trade(
                trade_id=f"what-if:{number}", account=account.name, instrument=fill.instrument,
                quantity=fill.quantity, price=price, fee=fill.fee, event_time_us=market.time_us,
            )  # fmt: skip
            ledger.apply_trade(account, trade, instrument, funding.index_of(instrument, market.ticks))
        except (RejectedRecord, InvalidRecord) as error:
            raise RefusedQuestion(f"{fill.instrument}: {error}") from error
    return prices


def book_moves(account: Account, transfers: Sequence[Move], time_us: int) -> None:
    """Book transfers in an account; raises RefusedQuestion."""
    try:
        for number, one in enumerate(transfers):
            transfer = Transfer(
                transfer_id=f"what-if:{number}", account=account.name, asset=one.asset, amount=one.amount,
                event_time_us=time_us,
            )  # fmt: skip
            ledger.apply_transfer(account, transfer)
    except (RejectedRecord, InvalidRecord) as error:
        raise RefusedQuestion(str(error)) from error


def mark_of(view: View, instrument: Instrument) -> float:
    """Return a contract's mark in the unit of its trades, NaN without one: a price, or an option's premium."""
    market, name = view.market(), instrument.instrument
    pricing = Pricing(instrument.underlying)
    if instrument.type == "spot":
        pricing.read_index(market)
        return pricing.index_price
    pricing.set_names([name], market)
    pricing.set_parameters(view.active.risk_matrix(instrument.underlying))
    pricing.read_surfaces(market)
    pricing.price(market)
    return mark_in(pricing, instrument)


def mark_in(pricing: Pricing, instrument: Instrument) -> float:
    """Return a contract's mark as `mark_of`, from rows that are priced."""
    name = instrument.instrument
    if instrument.type == "spot":
        return pricing.index_price
    row = pricing.row_of[name]
    if instrument.type == "option":
        value = float(pricing.value[row]) / instrument.contract_size
        return value / pricing.index_price if instrument.contract == "inverse" else value
    mark = pricing.mark(name)
    return mark.fixed + mark.share * (1.0 + mark.basis) * pricing.index_price


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
