"""An owner's accounts side by side: margin is called venue by venue, risk is looked at as a whole.

What the whole needs less than its parts is economic only: no venue gives it, and a call at one of them is met by money
that has to be moved there (`docs/collateral.md`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from monitor.models.collateral import usd_balance
from monitor.models.margin import Margin
from monitor.models.merging import merge
from monitor.models.portfolio import Correlations, Portfolio
from schemas.collateral import OwnerParameters
from schemas.records import AccountConfig


@dataclass(frozen=True, slots=True)
class Group:
    """Accounts of one owner, sorted; `owner` is the group's name, or the account's that has none."""

    owner: str
    accounts: tuple[str, ...]
    grouped: bool


@dataclass(frozen=True, slots=True, eq=False)
class SubAccount:
    """One account as its venue margins it."""

    venue: str
    portfolio: Portfolio
    margin: Margin


@dataclass(frozen=True, slots=True)
class VenueView:
    """One account in its owner's view, USD.

    `excess_usd` is equity less initial requirement, negative in a call; `shortfall_usd` what is missing.
    `transferable_usd` is what may leave: excess beyond the buffer, at most the balances, since profit that is not
    realised and the value of options cannot be sent. `transfer_minutes` is how long that takes.
    """

    account: str
    venue: str
    margin: Margin
    excess_usd: float
    shortfall_usd: float
    transferable_usd: float
    transfer_minutes: float


@dataclass(frozen=True, slots=True)
class OwnerView:
    """An owner's venues and the whole, USD; NaN where a part could not be computed.

    `economic` is the margin of the merged portfolio under one model; `netting_benefit_usd` the sum of the venues'
    initial requirements less its: negative where venues ask for less than the whole needs. `uncovered_usd` is what
    all transferable excess together does not cover of all shortfalls.
    """

    owner: str
    venues: tuple[VenueView, ...]
    economic: Margin
    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float
    netting_benefit_usd: float
    transferable_usd: float
    shortfall_usd: float
    largest_shortfall_account: str
    uncovered_usd: float
    degraded: tuple[str, ...]


def groups(configs: Iterable[AccountConfig]) -> tuple[Group, ...]:
    """Return the accounts that are open by owner, owners sorted by name; an account without a group is its own."""
    found: dict[tuple[str, bool], list[str]] = {}
    for config in configs:
        if not config.closed:
            found.setdefault((config.group or config.account, config.group is not None), []).append(config.account)
    return tuple(Group(owner, tuple(sorted(accounts)), grouped) for (owner, grouped), accounts in sorted(found.items()))


def owner_view(
    owner: str,
    accounts: Sequence[SubAccount],
    correlations: Correlations,
    model: Callable[[Portfolio], Margin],
    parameters: OwnerParameters | None = None,
) -> OwnerView:
    """Return an owner's view; `model` margins the merged portfolio, `correlations` are between all underlyings.

    Accounts come in order of their names, then venues. Raises as `monitor.models.merging.merge`.
    """
    by = parameters or OwnerParameters()
    ordered = sorted(accounts, key=lambda one: (one.portfolio.account, one.venue))
    economic = model(merge([one.portfolio for one in ordered], correlations, owner))
    venues = tuple(_venue(one, by) for one in ordered)
    im_usd = math.fsum(venue.margin.im_requirement_usd for venue in venues)
    shortfall_usd = math.fsum(venue.shortfall_usd for venue in venues)
    transferable_usd = math.fsum(venue.transferable_usd for venue in venues)
    short = [venue for venue in venues if venue.shortfall_usd > 0.0]
    reasons = {f"{venue.account}:{reason}" for venue in venues for reason in venue.margin.degraded}
    return OwnerView(
        owner=owner,
        venues=venues,
        economic=economic,
        equity_usd=math.fsum(venue.margin.equity_usd for venue in venues),
        im_requirement_usd=im_usd,
        mm_requirement_usd=math.fsum(venue.margin.mm_requirement_usd for venue in venues),
        netting_benefit_usd=im_usd - economic.im_requirement_usd,
        transferable_usd=transferable_usd,
        shortfall_usd=shortfall_usd,
        largest_shortfall_account=max(short, key=lambda venue: venue.shortfall_usd).account if short else "",
        uncovered_usd=_positive(shortfall_usd - transferable_usd),
        degraded=tuple(sorted(reasons | set(economic.degraded))),
    )


def _venue(one: SubAccount, by: OwnerParameters) -> VenueView:
    margin = one.margin
    free = margin.im_excess_usd - by.buffer * margin.im_requirement_usd
    return VenueView(
        account=one.portfolio.account,
        venue=one.venue,
        margin=margin,
        excess_usd=margin.im_excess_usd,
        shortfall_usd=_positive(-margin.im_excess_usd),
        transferable_usd=_positive(_least(free, _balances(one.portfolio))),
        transfer_minutes=by.transfer_minutes.get(one.venue, by.default_transfer_minutes),
    )


def _balances(portfolio: Portfolio) -> float:
    """Return the value of all balances that are not debts, USD."""
    coins = [u.coins * u.index_price for u in portfolio.underlyings if u.coins > 0.0]
    return math.fsum([max(0.0, usd_balance(portfolio)), *coins])


def _least(one: float, other: float) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else min(one, other)


def _positive(usd: float) -> float:
    return usd if math.isnan(usd) else max(0.0, usd)
