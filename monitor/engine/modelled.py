"""Accounts that no sweep over the whole book computes, because of their model or of what their parameter set adds.

Each is computed by itself, over its columns' rows. A cache like the book. A run of a model takes one to ten
milliseconds (docs/performance.md). Under model E a tick runs it for those accounts alone that left their certificates
(`monitor.engine.bounded`); under others for each that it concerns: for a few accounts live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.engine.kept import margin_of
from monitor.engine.portfolio import active_set, portfolio_of
from monitor.models.registry import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.engine.figures import Figures
    from monitor.engine.market import Market
    from monitor.engine.pricing import Pricing
    from monitor.engine.state import Account
    from monitor.models.margin import Margin
    from monitor.models.portfolio import Portfolio


class Modelled:
    """Accounts by their row in the book, and what their models said last."""

    def __init__(self) -> None:
        self._accounts: dict[int, Account] = {}
        self._margins: dict[int, Margin] = {}
        self._new: dict[str, Margin] = {}

    def take(self, row: int, account: Account, *, resumed: bool = False) -> None:
        """Take an account; one that is `resumed` after a crash or from another worker has what was kept with it."""
        self._accounts[row] = account
        kept = account.kept
        if resumed and kept is not None and kept.margin.model == account.config.margin_model:
            self._margins[row] = margin_of(kept)

    def __len__(self) -> int:
        """How many accounts these are."""
        return len(self._accounts)

    def __contains__(self, row: int) -> bool:
        """Whether the account in a row is one of these."""
        return row in self._accounts

    def forget(self, row: int) -> None:
        """Forget an account."""
        self._accounts.pop(row, None)
        self._margins.pop(row, None)

    @property
    def rows(self) -> list[int]:
        """The rows of all these accounts, ascending."""
        return sorted(self._accounts)

    def margin(self, row: int) -> Margin | None:
        """Return what an account's model said last, None if it has not been asked."""
        return self._margins.get(row)

    def take_new(self) -> dict[str, Margin]:
        """Return by account what models that are too slow for ticks have said since the last call."""
        if not self._new:
            return {}
        new, self._new = self._new, {}
        return new

    def evaluate(
        self, rows: Iterable[int], f: Figures, priced: Mapping[int, Mapping[str, Pricing]], market: Market,
        *, whole: bool,
    ) -> None:  # fmt: skip
        """Compute some accounts and write their figures; `priced` are an account's rows by underlying, sorted.

        Unless `whole`, an account whose model belongs to the pricing grid keeps its requirement and gets its value
        alone: such a model is too slow for ticks.
        """
        for row in rows:
            account = self._accounts[row]
            model = MODELS[account.config.margin_model]
            portfolio = portfolio_of(account, market, priced[row])
            kept = self._margins.get(row)
            if whole or kept is None or model.each_tick:
                active = active_set(account, market)
                kept = self._margins[row] = model.compute(portfolio, active.set, active.hash)
                if not model.each_tick:
                    self._new[account.name] = kept
            _write(row, portfolio, kept, f)


def _write(row: int, portfolio: Portfolio, margin: Margin, f: Figures) -> None:
    """Write an account's values by place, and its requirement at the first one: no model is a sum over places."""
    for place, underlying in enumerate(portfolio.underlyings):
        f.value[row, place] = underlying.position_usd
        f.upper[row, place] = f.lower[row, place] = 0.0
    if portfolio.underlyings:
        f.upper[row, 0] = margin.im_requirement_usd
        f.lower[row, 0] = margin.mm_requirement_usd
