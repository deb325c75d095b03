"""How far an account is from another standing, along each price, the market, volatility, correlation and pegs.

Everything else stays: other coins' prices, bases, time. The price of one coin moves with all its contracts, so a
liquidation price counts every other position of the account. The standing is judged by the thresholds of the account's
parameter set, as if the data were good, without dwell times.

The probability that a level at log distance b is touched within h, of a price without drift and with volatility sigma,
is 2 N(-b / (sigma sqrt h)) (reflection). That of either side is at most the sum of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from msgspec import Struct

from kernels import netting_distance, scenarios
from monitor.answers.crossing import Point, Walk, first_crossing
from monitor.answers.figures import Evaluator, Figures, standing_of
from monitor.answers.shock import MARKET, betas, leader_of, moved, price_of
from monitor.engine import status
from monitor.engine.column import is_plain, is_swept
from monitor.engine.ledger import DOLLAR_TOKENS
from monitor.engine.netting import stress_in
from monitor.models import joint
from monitor.models.netted import distance as netted_distance
from monitor.models.netted import solve

if TYPE_CHECKING:
    from monitor.answers.view import View
    from monitor.models.netted import Solution
    from schemas.records import StatusParameters

Target = Literal["warning", "margin_call", "liquidation"]
TARGETS: Final = ("warning", "margin_call", "liquidation")
HORIZONS_S: Final = {"5m": 300.0, "1h": 3_600.0, "1d": 86_400.0}
SECONDS_PER_YEAR = 31_536_000.0

DOWN, UP = -3.0, math.log(10.0)  # how far prices are followed: to a twentieth, and to ten times
PEG_DOWN, PEG_UP = math.log(0.5), math.log(1.2)
VOL_UP = 2.0  # 200 points
RESOLUTION = 5e-4  # of logarithms of prices and of volatility, under models A and P
SLOW_RESOLUTION = 5e-3  # under models that take a millisecond and more
SLOWEST_RESOLUTION = 5e-2  # under simulations
WIDTH = 1e-10  # of the interval around a crossing
STEADY = 4.0  # slope of a requirement and equity together over that of the gross position


class Crossing(Struct, frozen=True):
    """One crossing: the level, its move from now, the standings on both sides, chances to touch it by horizon."""

    level: float
    move: float
    standing_here: str
    standing_beyond: str
    probability: dict[str, float] = {}


class Direction(Struct, frozen=True):
    """One path: what is at the first crossing on each side, None where there is none between `least` and `most`.

    `kind` is price, market, peg, vol (decimals added to every volatility) or correlation (k). `resolution`: a breach
    that is shorter may be missed. `complete` is False where figures ended before the path did. Of correlation,
    `lower_bound` is what is proved of k, and `closed_form` the bound at the present hedges.
    """

    kind: str
    underlying: str
    now: float
    below: Crossing | None
    above: Crossing | None
    least: float
    most: float
    resolution: float
    evaluations: int
    complete: bool = True
    annual_vol: float | None = None
    lower_bound: float | None = None
    closed_form: float | None = None


class ContractPrice(Struct, frozen=True):
    """A contract's price at the first crossings of its coin's price (index of coins), None where there is none."""

    instrument: str
    underlying: str
    now: float
    below: float | None
    above: float | None


class Surface(Struct, frozen=True):
    """Standings under moves of a price (rows) and shifts of volatility (columns), with MM over equity (None: none)."""

    underlying: str
    moves: tuple[float, ...]
    vols: tuple[float, ...]
    standings: tuple[tuple[str, ...], ...]
    u: tuple[tuple[float | None, ...], ...]


class Distances(Struct, frozen=True):
    """How far one account is from the `target` standing, or if it is there from the way out."""

    account: str
    model: str
    market_time_us: int
    target: str
    standing: str
    directions: tuple[Direction, ...]
    contracts: tuple[ContractPrice, ...]
    surface: Surface | None


_BITS: Final = {"warning": status.WARN_ENTER, "margin_call": status.CALL_ENTER, "liquidation": status.LIQ_ENTER}


def distance(view: View, target: Target = "liquidation", *, surface: str | None = MARKET) -> Distances:
    """Return the first crossings of a standing's threshold along every path, and the surface of one coin's price.

    `surface` names the coin, or `MARKET`; None leaves it out.
    """
    search = Search(view, target)
    directions = [search.price(u) for u in search.evaluator.underlyings if u not in DOLLAR_TOKENS and search.has(u)]
    coins = [u for u in search.evaluator.underlyings if u not in DOLLAR_TOKENS and search.has(u)]
    if len(coins) > 1:
        directions.append(search.market(coins))
    directions += [search.price(u) for u in search.evaluator.underlyings if u in DOLLAR_TOKENS]
    if search.options:
        directions.append(search.vol())
    correlation = search.correlation()
    if correlation is not None:
        directions.append(correlation)
    return Distances(
        account=view.account.name, model=view.account.config.margin_model, market_time_us=view.facts.time_us,
        target=target, standing=search.standing(view), directions=tuple(directions),
        contracts=tuple(search.contracts(directions)),
        surface=None if surface is None else search.surface(surface),
    )  # fmt: skip


class Search:
    """Searches along paths from one view, for one threshold."""

    def __init__(self, view: View, target: Target) -> None:
        self.view, self._target = view, target
        self.evaluator = Evaluator(view)
        self._limits: StatusParameters = view.active.set.status
        self.evaluator.figures(view)
        self._gross = {u: self._gross_usd(u) for u in self.evaluator.underlyings}
        model = view.account.config.margin_model
        swept = is_swept(model, plain=is_plain(view.active.set))
        simulated = model in ("D", "D-history")
        self._resolution = RESOLUTION if swept else SLOWEST_RESOLUTION if simulated else SLOW_RESOLUTION
        self.options = any(self._vega_usd(u) for u in self.evaluator.underlyings)

    def has(self, underlying: str) -> bool:
        """Whether an underlying has a price."""
        return price_of(self.view.facts, underlying) is not None

    def standing(self, view: View) -> str:
        """Return the worst standing whose condition holds in a view."""
        return standing_of(self.evaluator.bits(view))

    def price(self, underlying: str) -> Direction:
        """Search along one coin's index."""
        token = underlying in DOLLAR_TOKENS
        now = price_of(self.view.facts, underlying)
        assert now is not None
        vol = self.view.facts.coins[underlying].annual_vol
        return self._both(
            "peg" if token else "price", underlying, now, (PEG_DOWN, PEG_UP) if token else (DOWN, UP),
            lambda x: {underlying: math.exp(x) - 1.0},
            lambda x: STEADY * self._gross[underlying] * math.exp(max(x, x + 0.25)), vol,
        )  # fmt: skip

    def market(self, coins: list[str]) -> Direction:
        """Search along the market: every coin by its beta, told by the leader's price."""
        by, leader = betas(self.view, coins), leader_of(coins)
        now = price_of(self.view.facts, leader)
        assert now is not None

        def slope(x: float) -> float:
            return STEADY * math.fsum(
                abs(beta) * self._gross[u] * math.exp(max(beta * x, beta * (x + 0.25), beta * (x - 0.25)))
                for u, beta in by.items()
            )

        return self._both(
            MARKET, leader, now, (DOWN, UP), lambda x: {u: math.exp(beta * x) - 1.0 for u, beta in by.items()},
            slope, self.view.facts.coins[leader].annual_vol,
        )  # fmt: skip

    def vol(self) -> Direction:
        """Search along a shift of all volatilities."""
        rows = [one.surface for one in self.view.facts.contracts.values() if one.surface is not None]
        least = -max((row.p0 for row in rows), default=1.0)
        vega = math.fsum(self._vega_usd(u) for u in self.evaluator.underlyings)

        def at(x: float) -> Point:
            return self._point(self.view.with_facts(moved(self.view.facts, {}, x)))

        walks = [
            first_crossing(at, lambda _x: STEADY * vega, end, resolution=self._resolution, width=WIDTH, max_step=0.1)
            for end in (least, VOL_UP)
        ]
        below, above = (self._crossing(walk, at=self._vol_view, now=0.0) for walk in walks)
        return Direction(
            "vol", "", 0.0, below, above, least, VOL_UP, self._resolution, sum(walk.evaluations for walk in walks),
            all(walk.known for walk in walks),
        )  # fmt: skip

    def correlation(self) -> Direction | None:
        """Search along k; None for models that net nothing by correlation, and for accounts in a single coin."""
        view, model = self.view, self.view.account.config.margin_model
        if len(self.evaluator.underlyings) < 2 or not all(map(self.has, self.evaluator.underlyings)):
            return None
        if model == "D":
            k = joint.correlation_distance(view.portfolio(), view.active.set.joint)
            if self._target != "liquidation" or math.isnan(k):
                return None
            found = Crossing(k, k, "", "liquidation") if math.isfinite(k) else None
            return Direction("correlation", "", math.nan, None, found, 0.0, 1.0, 1e-7, 0)
        if model != "P" or not is_swept(model, plain=is_plain(view.active.set)):
            return None
        return self._netted_correlation(self.evaluator.solution(view))

    def contracts(self, directions: list[Direction]) -> list[ContractPrice]:
        """Return the price of each contract that is held at the first crossings of its coin's price."""
        found = []
        for one in directions:
            if one.kind != "price":
                continue
            ends = [None if end is None else self._prices(one.underlying, end.move) for end in (one.below, one.above)]
            now = self._prices(one.underlying, 0.0)
            for name in sorted(now):
                below, above = (None if end is None else end[name] for end in ends)
                found.append(ContractPrice(name, one.underlying, now[name], below, above))
        return found

    def surface(self, underlying: str) -> Surface:
        """Return standings over moves of a price, or of the market, and shifts of volatility."""
        moves = tuple(round(-0.30 + 0.05 * k, 2) for k in range(13))
        vols = tuple(round(-0.20 + 0.10 * k, 2) for k in range(9)) if self.options else (0.0,)
        by = betas(self.view, self.view.underlyings) if underlying == MARKET else {underlying: 1.0}
        standings, ratios = [], []
        for move in moves:
            by_coin = {u: (1.0 + move) ** beta - 1.0 for u, beta in by.items()}
            figures = [self.evaluator.figures(self._moved(by_coin, vol)) for vol in vols]
            bits = [self._bits(one) for one in figures]
            standings.append(tuple(standing_of(one) for one in bits))
            ratios.append(tuple(_ratio(one) for one in figures))
        return Surface(underlying, moves, vols, tuple(standings), tuple(ratios))

    # --- inside ---------------------------------------------------------------------------------

    def _both(
        self, kind: str, underlying: str, now: float, ends: tuple[float, float],
        moves: Callable[[float], dict[str, float]], slope: Callable[[float], float], annual_vol: float | None,
    ) -> Direction:  # fmt: skip
        def view_at(x: float) -> View:
            return self._moved(moves(x), 0.0)

        walks = [
            first_crossing(
                lambda x: self._point(view_at(x)), slope, end, resolution=self._resolution, width=WIDTH
            )
            for end in ends
        ]  # fmt: skip
        below, above = (self._crossing(walk, at=view_at, now=now, annual_vol=annual_vol) for walk in walks)
        least, most = (now * math.exp(end) for end in ends)
        return Direction(
            kind, underlying, now, below, above, least, most, self._resolution,
            sum(walk.evaluations for walk in walks), all(walk.known for walk in walks), annual_vol,
        )  # fmt: skip

    def _crossing(
        self, walk: Walk, *, at: Callable[[float], View], now: float, annual_vol: float | None = None
    ) -> Crossing | None:
        if walk.inside is None or walk.outside is None:
            return None
        inside, outside = walk.inside, walk.outside
        x = 0.5 * (inside + outside)
        here, beyond = self.standing(at(inside)), self.standing(at(outside))
        if not now:
            return Crossing(x, x, here, beyond)
        chances = {}
        if annual_vol:
            chances = {name: touch(abs(x), annual_vol, seconds) for name, seconds in HORIZONS_S.items()}
        return Crossing(now * math.exp(x), math.exp(x) - 1.0, here, beyond, chances)

    def _netted_correlation(self, solution: Solution) -> Direction:
        view = self.view
        netting = view.active.set.netting
        equity = self.evaluator.figures(view).equity_usd
        now = stress_in(view.facts.correlation.regime.regime, netting)

        def at(k: float) -> Point:
            im = solve(solution.losses, solution.matrices, now + k).requirement_usd
            return self._judged(Figures(equity, im, netting.mm_factor * im))

        limit = self._limit(equity)
        proved = netted_distance(solution, limit)
        walks = [
            first_crossing(at, lambda _x: math.inf, end, resolution=1.0, width=WIDTH, max_step=1.0)
            for end in (-now, 1.0 - now)
        ]  # M* grows with k: one step tells whether there is a crossing
        below, above = (
            None if walk.inside is None or walk.outside is None else self._k_crossing(now, walk, equity, solution)
            for walk in walks
        )
        return Direction(
            "correlation", "", now, below, above, 0.0, 1.0, WIDTH, sum(walk.evaluations for walk in walks),
            lower_bound=_finite(proved.least),
            closed_form=_finite(frozen_bound(solution, limit)),
        )  # fmt: skip

    def _k_crossing(self, now: float, walk: Walk, equity: float, solution: Solution) -> Crossing:
        assert walk.inside is not None
        assert walk.outside is not None
        factor = self.view.active.set.netting.mm_factor
        standings = []
        for x in (walk.inside, walk.outside):
            im = solve(solution.losses, solution.matrices, now + x).requirement_usd
            standings.append(standing_of(self._bits(Figures(equity, im, factor * im))))
        x = 0.5 * (walk.inside + walk.outside)
        return Crossing(now + x, x, standings[0], standings[1])

    def _limit(self, equity: float) -> float:
        """Return the largest netted requirement below the threshold, USD."""
        if self._target == "liquidation":
            return self._limits.liquidation_enter_u * equity / self.view.active.set.netting.mm_factor
        if self._target == "margin_call":
            return self._limits.margin_call_enter_v * equity
        return self._limits.warning_enter_v * equity

    def _moved(self, moves: dict[str, float], vol: float) -> View:
        return self.view.with_facts(moved(self.view.facts, {u: m for u, m in moves.items() if m}, vol))

    def _vol_view(self, x: float) -> View:
        return self._moved({}, x)

    def _point(self, view: View) -> Point:
        return self._judged(self.evaluator.figures(view))

    def _bits(self, figures: Figures) -> int:
        return status.conditions(*figures, self.evaluator.has_positions, False, self._limits)

    def _judged(self, figures: Figures) -> Point:
        bits = self._bits(figures)
        if bits == status.UNKNOWN:
            return Point(None, 0.0)
        equity, im, mm = figures
        if self._target == "liquidation":
            excess = self._limits.liquidation_enter_u * equity - mm
        elif self._target == "margin_call":
            excess = self._limits.margin_call_enter_v * equity - im
        else:
            excess = self._limits.warning_enter_v * equity - im
        return Point(bool(bits & _BITS[self._target]), excess)

    def _prices(self, underlying: str, move: float) -> dict[str, float]:
        """Return what each contract of a coin costs, and the coin, at a move of its index."""
        self.evaluator.figures(self._moved({underlying: move}, 0.0))
        pricing = self.evaluator.pricing(underlying)
        at = np.array(sorted(pricing.row_of.values()), dtype=np.int64)
        rows = pricing.rows(at)
        futures = np.isin(rows.kind, (scenarios.LINEAR, scenarios.INVERSE))
        found = {underlying: pricing.index_price}
        for name, row in pricing.row_of.items():
            if name is not None and futures[row]:
                found[name] = float(rows.forward[row])
        return found

    def _gross_usd(self, underlying: str) -> float:
        """Return how much equity can change with the logarithm of a price at most, USD."""
        pricing = self.evaluator.pricing(underlying)
        total = 0.0
        at = np.array(sorted(pricing.row_of.values()), dtype=np.int64)
        rows = pricing.rows(at)
        for name, quantity in self._exposure(underlying):
            row = pricing.row_of[name]
            kind, size, price = int(rows.kind[row]), float(rows.size[row]), float(rows.forward[row])
            if kind == scenarios.COIN:
                price = pricing.index_price
            elif kind == scenarios.INVERSE:
                size, price = size / price, pricing.index_price
            total += abs(quantity) * size * price
        return total if math.isfinite(total) else 0.0

    def _vega_usd(self, underlying: str) -> float:
        """Return how much equity can change with volatility at most, USD for 1.00: 0.4 F sqrt(T) an option."""
        pricing = self.evaluator.pricing(underlying)
        rows = pricing.rows(np.array(sorted(pricing.row_of.values()), dtype=np.int64))
        total = 0.0
        for name, quantity in self._exposure(underlying):
            row = pricing.row_of[name]
            if int(rows.kind[row]) in (scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION):
                root = math.sqrt(float(rows.years[row]))
                total += abs(quantity) * float(rows.size[row]) * 0.4 * float(rows.forward[row]) * root
        return total if math.isfinite(total) else 0.0

    def _exposure(self, underlying: str) -> list[tuple[str | None, float]]:
        return self.evaluator.exposure(underlying)


def touch(log_distance: float, annual_vol: float, seconds: float) -> float:
    """Return the chance that a price without drift touches a level within some time: 2 N(-b / (sigma sqrt h))."""
    spread = annual_vol * math.sqrt(seconds / SECONDS_PER_YEAR)
    return math.erfc(log_distance / spread / math.sqrt(2.0)) if spread > 0.0 else 0.0


def frozen_bound(solution: Solution, limit_usd: float) -> float:
    """Return the closed-form lower bound of k* at the present hedges (`kernels.netting_distance`)."""
    counts = np.array([len(line) for line in solution.losses], dtype=np.int64)
    table = np.zeros((len(counts), int(max(counts, default=1))))
    for u, line in enumerate(solution.losses):
        table[u, : len(line)] = line
    found: float = netting_distance.frozen_distance(table, counts, solution.matrices, solution.hedge_usd, limit_usd)
    return found


def _ratio(figures: Figures) -> float | None:
    if not figures.known or figures.equity_usd <= 0.0:
        return None
    return figures.mm_requirement_usd / figures.equity_usd


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
