"""Equity and requirements of a view, and of views that differ from it in few things, without a book.

What is the same object in two views is computed once: a search along one coin's price reprices that coin alone. The
figures are those of the engine's book for the same view (`tests/property/test_answers.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from monitor.engine import status
from monitor.engine.column import Results, evaluate_exposure, is_plain, is_swept, range_of, refinement_of
from monitor.engine.ledger import exposures
from monitor.engine.netting import matrices_of, stress_in
from monitor.engine.portfolio import portfolio_of
from monitor.engine.pricing import Pricing
from monitor.models.netted import Solution, solve
from monitor.models.registry import MODELS

if TYPE_CHECKING:
    from monitor.answers.view import View
    from monitor.engine.figures import Floats
    from monitor.engine.market import Market
    from monitor.models.margin import Margin
    from schemas.records import RiskMatrixParameters, StatusParameters


class Figures(NamedTuple):
    """Equity and requirements of one account, USD; NaN where something has no price."""

    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float

    @property
    def known(self) -> bool:
        """Whether all of them are numbers."""
        return all(map(math.isfinite, self))


class _Seen(NamedTuple):
    """What the prices of an underlying were made from."""

    coin: object
    contracts: object
    active: object
    time_us: int
    netted: bool

    def says(self, other: _Seen | None) -> bool:
        """Whether another pricing was made from the same objects."""
        return other is not None and (
            self.coin is other.coin and self.contracts is other.contracts and self.active is other.active
            and self.time_us == other.time_us and self.netted == other.netted
        )  # fmt: skip


@dataclass(slots=True, eq=False)
class _Priced:
    """The rows of one underlying, what they were priced from, and how often they were."""

    pricing: Pricing
    seen: _Seen | None = None
    shocks: object = None
    surface: object = None
    times: int = 0


class Evaluator:
    """Evaluates one account's portfolio at one market after the other.

    All views must be of the same holdings and the same model; market, parameter set and k may differ.
    """

    def __init__(self, view: View, lender: Evaluator | None = None) -> None:
        """Begin with a view; a `lender` of the same model shares the prices of what is held here, too."""
        self.view = view
        market = view.market()
        self._exposures = exposures(view.account, market.instruments)
        self._priced: dict[str, _Priced] = {}
        for u, rows in self._exposures.rows.items():
            names = [name for name, _ in rows if name is not None]
            lent = None if lender is None else lender._priced.get(u)  # noqa: SLF001 (of its own class)
            if lent is not None and all(name in lent.pricing.row_of for name in names):
                self._priced[u] = lent
                continue
            one = self._priced[u] = _Priced(Pricing(u))
            one.pricing.set_names(names, market)
        self._results: dict[str, tuple[int, Results]] = {}
        self._matrices: tuple[tuple[object, float], Floats] | None = None

    @property
    def underlyings(self) -> tuple[str, ...]:
        """What the account holds anything of, sorted."""
        return tuple(self._exposures.rows)

    @property
    def has_positions(self) -> bool:
        """Whether the account holds any contract."""
        return bool(self.view.account.holdings)

    def exposure(self, underlying: str) -> list[tuple[str | None, float]]:
        """Return what the account holds of an underlying: contracts by name, first the coin (None)."""
        return self._exposures.rows[underlying]

    def pricing(self, underlying: str) -> Pricing:
        """Return the rows of an underlying as last priced."""
        return self._priced[underlying].pricing

    def figures(self, view: View) -> Figures:
        """Return equity and requirements of a view."""
        chosen, model = view.active, view.account.config.margin_model
        market = view.market()
        if self._exposures.unlisted:
            return Figures(math.nan, math.nan, math.nan)
        if not is_swept(model, plain=is_plain(chosen.set)):
            margin = self._margin(view, market)
            return Figures(margin.equity_usd, margin.im_requirement_usd, margin.mm_requirement_usd)
        netted = model == "P"
        results = [self._evaluate(u, view, market, netted) for u in self._exposures.rows]
        equity = self._exposures.usd
        for one in results:
            equity += float(one.value[0])
        if netted:
            im = self._solve(view, market, results).requirement_usd
            return Figures(equity, im, chosen.set.netting.mm_factor * im)
        im = mm = 0.0
        for u, one in zip(self._exposures.rows, results, strict=True):
            im += float(one.requirement[0])
            mm += chosen.risk_matrix(u).mm_factor * float(one.requirement[0])
        return Figures(equity, im, mm)

    def solution(self, view: View) -> Solution:
        """Return the netted requirement of a view in full (model P)."""
        market = view.market()
        return self._solve(view, market, [self._evaluate(u, view, market, True) for u in self._exposures.rows])

    def margin(self, view: View) -> Margin:
        """Return the margin of a view by its model, computed anew, whatever the model."""
        return self._margin(view, view.market())

    def bits(self, view: View) -> int:
        """Return the condition bits of a view as if its data were good; `UNKNOWN` where it has no figures."""
        return bits_of(self.figures(view), view.active.set.status, has_positions=self.has_positions)

    # --- inside ---------------------------------------------------------------------------------

    def _margin(self, view: View, market: Market) -> Margin:
        chosen = view.active
        for u in self._exposures.rows:
            self._price(u, view, market, False)
        pricings = {u: one.pricing for u, one in self._priced.items()}
        portfolio = portfolio_of(view.account, market, pricings)
        return MODELS[view.account.config.margin_model].compute(portfolio, chosen.set, chosen.hash)

    def _price(self, u: str, view: View, market: Market, netted: bool) -> _Priced:
        """Price an underlying if anything of it differs from the last time."""
        facts, active, one = view.facts, view.active, self._priced[u]
        coin = facts.coins[u]
        seen = _Seen(coin, facts.contracts, active, facts.time_us, netted)
        if seen.says(one.seen):
            return one
        pricing, matrix = one.pricing, active.risk_matrix(u)
        shocks: tuple[RiskMatrixParameters, int, float | None] = (matrix, 1, None)
        if netted:
            shocks = (matrix, refinement_of(market, u, active.set.netting), range_of(market, u, active))
        if one.shocks != shocks:
            pricing.set_parameters(*shocks)
            one.shocks = shocks
        if one.surface is not facts.contracts:
            pricing.read_surfaces(market)
            one.surface = facts.contracts
        pricing.price(market)
        one.seen = seen
        one.times += 1
        return one

    def _evaluate(self, u: str, view: View, market: Market, netted: bool) -> Results:
        one = self._price(u, view, market, netted)
        known = self._results.get(u)
        if known is None or known[0] != one.times:
            known = (one.times, evaluate_exposure(one.pricing, netted, self._exposures.rows[u]))
            self._results[u] = known
        return known[1]

    def _solve(self, view: View, market: Market, results: list[Results]) -> Solution:
        netting = view.active.set.netting
        key = (view.correlation, netting.floor_correlation)
        if self._matrices is None or self._matrices[0] != key:
            matrices = matrices_of(market, list(self._exposures.rows), netting.floor_correlation)
            self._matrices = (key, matrices)
        stress = stress_in(market.ticks.regime.regime, netting)
        return solve([one.losses[0] for one in results], self._matrices[1], stress)


def bits_of(figures: Figures, thresholds: StatusParameters, *, has_positions: bool) -> int:
    """Return the condition bits of figures as if the data were good."""
    return status.conditions(*figures, has_positions, False, thresholds)


def standing_of(bits: int) -> str:
    """Return the worst state whose condition to enter holds; `unknown` where there are no figures."""
    if bits == status.UNKNOWN:
        return "unknown"
    for bit, name in (
        (status.BANKRUPT, "bankrupt"), (status.LIQ_ENTER, "liquidation"), (status.CALL_ENTER, "margin_call"),
        (status.WARN_ENTER, "warning"),
    ):  # fmt: skip
        if bits & bit:
            return name
    return "healthy"
