"""What the book says of an account, against the same account computed from nothing.

The book follows its inputs in small steps; a book that was made this moment for one account, at the same market, must
say the same. Asking changes nothing that a later event depends on: a requirement that is solved because of it depends
on losses and matrices alone, and conditions are left as they are.

A model that is too slow for ticks keeps its requirement from the last point of the pricing grid, so of these accounts
the value and the conditions are computed again, and the requirement is taken as it was stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kernels.accounts import SLACK
from monitor.engine.book import Book
from monitor.engine.ledger import exposures
from monitor.engine.state import Account, State

TOLERANCE = 1e-12
"""Of the larger of a dollar and the gross figure: both sides add up the same numbers, and solve the same losses."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Equity and requirements of one account in USD, the bounds that it is judged by, and its condition bits."""

    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float
    least_im_requirement_usd: float
    most_im_requirement_usd: float
    conditions: int


@dataclass(frozen=True, slots=True)
class Difference:
    """An account of which the running `book` says something else than one made `anew`.

    `gross_usd` is the scale that the tolerance is relative to: what its positions are worth and can lose, each by
    itself.
    """

    account: str
    book: Figures
    anew: Figures
    gross_usd: float


def audit(state: State, names: Iterable[str]) -> list[Difference]:
    """Compare accounts with a recomputation from nothing; those that are not evaluated at present are left out.

    Equity and requirements have to agree within `TOLERANCE`, condition bits have to be equal. Raises KeyError for an
    account that is not here.
    """
    found = (_compare(state, name) for name in names if name in state.book)
    return [difference for difference in found if difference is not None]


def _compare(state: State, name: str) -> Difference | None:
    account = state.shards[state.partition_of[name]].accounts[name]
    fresh = Book(certificates=False)
    fresh.set_account(account, state.market, resumed=True)
    book, anew = _figures(state.book, name), _figures(fresh, name)
    gross_usd = _gross_usd(fresh, account, state)
    room = TOLERANCE * max(1.0, gross_usd)
    pairs = (
        (book.equity_usd, anew.equity_usd),
        (book.im_requirement_usd, anew.im_requirement_usd),
        (book.mm_requirement_usd, anew.mm_requirement_usd),
    )
    agrees = book.conditions == anew.conditions and all(_agree(*pair, room) for pair in pairs)
    if agrees and _bounded(book, anew.im_requirement_usd, room):
        return None
    return Difference(name, book, anew, gross_usd)


def _bounded(book: Figures, requirement_usd: float, room: float) -> bool:
    """Whether a requirement that was solved from nothing lies between the bounds that its account is judged by."""
    if not math.isfinite(requirement_usd):
        return True
    room += SLACK * abs(requirement_usd)
    return book.least_im_requirement_usd - room <= requirement_usd <= book.most_im_requirement_usd + room


def _figures(book: Book, name: str) -> Figures:
    equity, least, most = book.bounds(name)  # first: a solve writes them anew
    _, im, mm = book.figures(name)
    return Figures(equity, im, mm, least, most, book.conditions(name))


def _agree(one: float, other: float, room: float) -> bool:
    """Whether two figures are equal within `room`; what is not finite has to be the same."""
    if math.isfinite(one) and math.isfinite(other):
        return abs(one - other) <= room
    return one == other or (math.isnan(one) and math.isnan(other))


def _gross_usd(fresh: Book, account: Account, state: State) -> float:
    """Return the sum of what the balance and each position are worth or can lose in a scenario, without signs, USD."""
    portfolio = exposures(account, state.market.instruments)
    total = abs(portfolio.usd)
    pricings, _ = fresh.basis_of(account.name)
    for underlying, exposure in portfolio.rows.items():
        pricing = pricings[underlying]
        for instrument, quantity in exposure:
            row = pricing.row_of[instrument]
            worst = float(np.max(np.abs(pricing.pnl[row]), initial=0.0))
            total += abs(quantity) * max(abs(float(pricing.value[row])), worst)
    return total if math.isfinite(total) else 0.0
