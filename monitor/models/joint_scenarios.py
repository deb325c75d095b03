"""Scenarios of model D for one portfolio: what is held, the draws that belong to it, and its P&L under a correlation.

Factors of an underlying: its index, a move of all its volatilities, one of the basis in each bucket of tenors. Indices
are correlated; own moves of volatilities share one factor; bases are on their own. Every draw belongs to a name and to
the seed of the parameters (`kernels.joint.draws`), and all factors of a scenario share its mixing variable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kernels._jit import Bools, Floats, Ints
from kernels.joint import draws, paths, stress
from kernels.joint.paths import Book, Moves
from kernels.joint.revaluation import NO_BASIS
from kernels.scenarios_units import INVERSE
from monitor.models.portfolio import Portfolio, Underlying
from schemas.joint import JointParameters

DAYS_PER_YEAR = 365.0


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The p underlyings of a portfolio that it holds something of, in order of their names.

    `at` are their places in the portfolio; `deviation` float64[p] of a relative move over the horizon; `delta_coins`
    float64[p]; `notional_usd` of contracts, long options left out.
    """

    underlyings: tuple[Underlying, ...]
    at: Ints
    books: tuple[Book, ...]
    has_options: tuple[bool, ...]
    deviation: Floats
    delta_coins: Floats
    notional_usd: float
    assumed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the underlyings."""
        return tuple(underlying.name for underlying in self.underlyings)

    @property
    def delta_usd(self) -> Floats:
        """P&L of a relative move of 1 to first order, float64[p]."""
        prices: Floats = np.array([underlying.index_price for underlying in self.underlyings], dtype=np.float64)
        return self.delta_coins * prices

    @property
    def exposure_usd(self) -> Floats:
        """Signed deviation of each underlying's P&L to first order, float64[p]."""
        return self.delta_usd * self.deviation


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Moves of p underlyings in N scenarios and the P&L, float64[p, N] by underlying and float64[N] together."""

    moves: Moves
    parts: Floats
    pnl: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Scenarios:
    """Draws for a portfolio: `index` float64[p, N] of variance 1, `own` moves of volatilities, `basis` by underlying.

    Index draws have the correlations `history`, or none where that is None. So many draws in a row as `group` says
    depend on each other.
    """

    held: Held
    parameters: JointParameters
    index: Floats
    own: Floats
    basis: tuple[Floats, ...]
    history: Floats | None
    group: int

    def under(self, correlation: Floats | None) -> Outcome:
        """Return what the portfolio makes of the scenarios under a correlation matrix, None for that of the draws."""
        drawn = self.index
        if correlation is not None:
            root = stress.symmetric_root(correlation)
            if self.history is not None:
                inverse = stress.inverse_root(self.history)
                root = stress.correlate(root, inverse)
            drawn = stress.correlate(root, drawn)
        p = self.parameters
        index = paths.index_moves(drawn, self.held.deviation, p.least_move)
        volatility = paths.volatility_moves(index, self.own, p.volatility.beta_down, p.volatility.beta_up)
        moves = Moves(index, volatility, self.basis)
        parts = paths.results(self.held.books, moves)
        return Outcome(moves, parts, paths.total(parts))


def held_of(portfolio: Portfolio, parameters: JointParameters) -> Held:
    """Return what a portfolio holds; `assumed` and `refused` name underlyings without a volatility of their own."""
    at = [u for u, one in enumerate(portfolio.underlyings) if bool(np.any(one.quantity != 0.0))]
    underlyings = tuple(portfolio.underlyings[u] for u in at)
    assumed = [one.name for one in underlyings if not _is_volatility(one.annual_vol)]
    annual = {name: _assumed_annual_vol(name, name in portfolio.stable_price, parameters) for name in assumed}
    vols = np.array([annual.get(one.name, one.annual_vol) for one in underlyings])
    refused = tuple(name for name in assumed if math.isnan(annual[name]))
    return Held(
        underlyings=underlyings,
        at=np.array(at, dtype=np.int64),
        books=tuple(_book(one, parameters) for one in underlyings),
        has_options=tuple(bool(one.is_option.any()) for one in underlyings),
        deviation=vols * math.sqrt(parameters.horizon_days / DAYS_PER_YEAR),
        delta_coins=np.array([_delta_coins(one) for one in underlyings]),
        notional_usd=math.fsum(_notional_usd(one) for one in underlyings),
        assumed=tuple(name for name in assumed if name not in refused),
        refused=refused,
    )


def drawn(held: Held, parameters: JointParameters) -> Scenarios:
    """Return Monte Carlo scenarios: normal draws by name times the mixing variable of each scenario."""
    n, antithetic = parameters.draws, parameters.antithetic
    mixing = draws.mixing(parameters.seed, parameters.degrees_of_freedom, n, antithetic)
    index = _normals(parameters.seed, [f"index:{name}" for name in held.names], n, antithetic) * mixing
    own, basis = _own_moves(held, parameters, n, antithetic)
    return Scenarios(held, parameters, index, own, basis, None, 2 if antithetic else 1)


def past(held: Held, parameters: JointParameters, history: Floats, tokens: Bools) -> Scenarios:
    """Return filtered historical scenarios: all underlyings of one scenario have the standardised returns of one time.

    history: float64[T, p], complete but in columns of `tokens`, bool[p]: dollar tokens without one, which are drawn.
    No past is known of implied volatilities and bases, so their own moves are drawn too.
    """
    n = history.shape[0]
    mixing = draws.mixing(parameters.seed, parameters.degrees_of_freedom, n, antithetic=False)
    replaced = _normals(parameters.seed, [f"index:{name}" for name in held.names], n, antithetic=False) * mixing
    index = np.where(tokens[:, np.newaxis], replaced, np.ascontiguousarray(history.T))
    own, basis = _own_moves(held, parameters, n, antithetic=False)
    return Scenarios(held, parameters, index, own, basis, stress.second_moments(index), parameters.history_group)


def long_run(held: Held, parameters: JointParameters, tokens: Bools) -> Outcome:
    """Return the P&L under the long-run stress, a scenario for each of its moves; bases stay, and so do tokens[p]."""
    listed = parameters.stress_moves
    index = np.array([
        [one.moves.get(name, 0.0 if token else one.other) for one in listed]
        for name, token in zip(held.names, tokens.tolist(), strict=True)
    ]).reshape(len(held.names), len(listed))  # fmt: skip
    volatility = np.tile(np.array([one.volatility for one in listed], dtype=np.float64), (len(held.names), 1))
    moves = Moves(index, volatility, tuple(np.zeros((_buckets(book), len(listed))) for book in held.books))
    parts = paths.results(held.books, moves)
    return Outcome(moves, parts, paths.total(parts))


def _is_volatility(annual_vol: float) -> bool:
    return math.isfinite(annual_vol) and annual_vol > 0.0


def _assumed_annual_vol(name: str, is_token: bool, parameters: JointParameters) -> float:
    otherwise = parameters.assumed_annual_vol_token if is_token else parameters.assumed_annual_vol_other
    found = parameters.assumed_annual_vol.get(name, otherwise)
    return math.nan if found is None else found


def _normals(seed: int, names: list[str], n: int, antithetic: bool) -> Floats:
    return np.array([draws.normals(seed, name, n, antithetic) for name in names]).reshape(len(names), n)


def _own_moves(held: Held, parameters: JointParameters, n: int, antithetic: bool) -> tuple[Floats, tuple[Floats, ...]]:
    """Return what volatilities and bases do on their own: float64[p, N], and float64[B, N] by underlying."""
    seed, shape = parameters.seed, parameters.volatility
    horizon = math.sqrt(parameters.horizon_days)
    mixing = draws.mixing(seed, parameters.degrees_of_freedom, n, antithetic)
    own = np.zeros((len(held.names), n))
    basis = []
    daily = np.array([parameters.basis.perpetual, *parameters.basis.daily]) * horizon
    for u, (one, book) in enumerate(zip(held.underlyings, held.books, strict=True)):
        if held.has_options[u]:
            common = draws.normals(seed, "volatility", n, antithetic)
            alone = draws.normals(seed, f"volatility:{one.name}", n, antithetic)
            unit = math.sqrt(shape.common) * common + math.sqrt(1.0 - shape.common) * alone
            own[u] = shape.annual_vol * (horizon / math.sqrt(DAYS_PER_YEAR)) * (unit * mixing)
        names = [f"basis:{one.name}:{bucket}" for bucket in range(_buckets(book))]
        moved = _normals(seed, names, n, antithetic) * mixing * daily[: len(names), np.newaxis]
        basis.append(np.maximum(moved, parameters.least_move))
    return own, tuple(basis)


def _buckets(book: Book) -> int:
    """Return how many buckets there are up to the last that a row is in."""
    return int(book.bucket.max(initial=NO_BASIS)) + 1


def _book(underlying: Underlying, parameters: JointParameters) -> Book:
    rows, shape = underlying.rows, parameters.volatility
    left = np.maximum(rows.years - parameters.look_ahead_days / DAYS_PER_YEAR, 0.0)
    scale = paths.volatility_scale(rows.years, shape.short_term_power, shape.long_term_power, shape.dte_floor_days)
    is_contract = underlying.is_option | underlying.is_future
    tenor = 1 + np.searchsorted(parameters.basis.tenor_days, rows.years * DAYS_PER_YEAR)
    bucket = np.where(is_contract, np.where(rows.expiry_us > 0, tenor, 0), NO_BASIS).astype(np.int64)
    return Book(
        rows.kind, rows.is_call, rows.size, rows.strike, rows.forward, rows.fixed, rows.funding, rows.years, rows.vol,
        left, np.where(underlying.is_option, scale, 0.0), bucket, underlying.quantity, underlying.index_price,
    )  # fmt: skip


def _delta_coins(underlying: Underlying) -> float:
    held = underlying.quantity != 0.0
    return math.fsum((underlying.quantity * underlying.rows.delta_coins)[held])


def _notional_usd(underlying: Underlying) -> float:
    """Return what contracts are worth at the index or their price, long options left out: these can lose no more."""
    rows, quantity = underlying.rows, underlying.quantity
    in_usd = np.where(underlying.is_option, rows.size * underlying.index_price, rows.size * rows.forward)
    # An inverse future is so many dollars of its coin, at whatever price.
    inverse = underlying.is_future & (rows.kind == INVERSE)
    usd = np.where(inverse, rows.size * underlying.index_price / rows.forward, in_usd)
    counted = underlying.is_future | (underlying.is_option & (quantity < 0.0))
    return math.fsum((np.abs(quantity) * usd)[counted])
