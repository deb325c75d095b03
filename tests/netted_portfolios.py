"""Random portfolios for model P, the same ones in every run, and their losses once more without `kernels`.

A universe is a market of a few contracts on each underlying; a book is a quantity of each of them. What a contract
gains in a scenario is written anew from the definitions of `docs/margin-model-a.md`, in plain floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from monitor.models.margin import Margin
from monitor.models.netted import NettedParameters, margin
from monitor.models.portfolio import Correlations, Portfolio, Rows, Underlying
from schemas.parameters import NettingParameters, RiskMatrixParameters
from tests.netting_books import correlations
from tests.netting_oracle import Book, Floats

CODES = {"coin": 0, "linear": 1, "inverse": 2, "linear_option": 3, "inverse_option": 4}
BOOKS = 1_000
TOLERANCE = 3e-9  # of solves, relative: each is proved to 1e-9
CASH_USD = 25_000.0


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract of an underlying: `price` of a future or forward of an option, USD."""

    kind: str
    size: float = 1.0
    price: float = 0.0
    strike: float = 0.0
    is_call: bool = True
    years: float = 0.0
    vol: float = 0.0


@dataclass(frozen=True, slots=True)
class Coin:
    """One underlying: its index price, risk matrix, contracts (the coin first) and how much finer its moves are."""

    name: str
    index: float
    shocks: RiskMatrixParameters
    contracts: tuple[Contract, ...]
    refinement: int = 1


@dataclass(frozen=True, slots=True)
class Universe:
    """A market: underlyings, the matrices between them, and k."""

    coins: tuple[Coin, ...]
    matrices: Floats
    k: float

    @property
    def parameters(self) -> NettedParameters:
        """The parameters of model P here."""
        return NettedParameters(RiskMatrixParameters(), {c.name: c.shocks for c in self.coins}, NettingParameters())


Quantities = tuple[Floats, ...]  # of each underlying's contracts, those not held 0


def normal_cdf(x: Floats) -> Floats:
    """N(x)."""
    return np.array([0.5 * math.erfc(-one / math.sqrt(2.0)) for one in x])


def value(contract: Contract, index: float, move: Floats, vol: Floats) -> Floats:
    """USD values of one contract after index, price and forward moved by the same fractions, at these volatilities."""
    spot, price = index * (1.0 + move), contract.price * (1.0 + move)
    if contract.kind == "coin":
        return contract.size * spot
    if contract.kind == "linear":
        return contract.size * price
    if contract.kind == "inverse":
        return -contract.size * spot / price
    stdev = vol * math.sqrt(contract.years)
    d1 = np.log(price / contract.strike) / stdev + stdev / 2.0
    side = 1.0 if contract.is_call else -1.0
    worth = side * (price * normal_cdf(side * d1) - contract.strike * normal_cdf(side * (d1 - stdev)))
    return contract.size * (worth if contract.kind == "linear_option" else worth * spot / price)


def cells(coin: Coin) -> tuple[Floats, Floats, Floats]:
    """Scenarios as moves, directions of volatility (1, 0, -1) and weights; beyond the range a weight is range/move."""
    n = coin.shocks.buckets_each_side * coin.refinement
    span = coin.shocks.price_range
    beyond = [m for m in coin.shocks.extended_moves if abs(m) > span]
    move = np.array([i * span / n for i in range(-n, n + 1) for _ in range(3)] + beyond)
    weight = np.where(np.abs(move) > span * (1.0 + 1e-12), span / np.maximum(np.abs(move), span), 1.0)
    return move, np.array([1.0, 0.0, -1.0] * (2 * n + 1) + [1.0] * len(beyond)), weight


def gain(contract: Contract, coin: Coin) -> Floats:
    """P&L of one contract in every scenario, USD."""
    move, direction, weight = cells(coin)
    s, now = coin.shocks, value(contract, coin.index, np.zeros(1), np.full(1, contract.vol))
    if "option" not in contract.kind:
        return value(contract, coin.index, np.clip(move, -s.price_range, s.price_range), move) - now
    days = 365.0 * contract.years
    power = s.short_term_vega_power if days <= 30.0 else s.long_term_vega_power
    multiple = (30.0 / max(days, s.dte_floor_days)) ** power
    up = max(contract.vol * (1.0 + s.volatility_range_up * multiple), s.min_volatility_for_shock_up)
    down = contract.vol * (1.0 - s.volatility_range_down * multiple)
    vol = np.where(direction > 0.0, up, np.where(direction < 0.0, down, contract.vol))
    return weight * (value(contract, coin.index, move, vol) - now)


@lru_cache(maxsize=64)
def gains(coin: Coin) -> Floats:
    """P&L of every contract in every scenario, float64[contracts, S]."""
    return np.array([gain(contract, coin) for contract in coin.contracts])


def curve(coin: Coin, pnl: Floats) -> Floats:
    """Losses by move from the P&L by scenario: the worst volatility, and the extended table at the ends."""
    n = 2 * coin.shocks.buckets_each_side * coin.refinement + 1
    found = (-pnl[: 3 * n]).reshape(n, 3).max(axis=1)
    for move, loss in zip(cells(coin)[0][3 * n :], -pnl[3 * n :], strict=True):
        end = 0 if move < 0.0 else n - 1
        found[end] = max(found[end], loss)
    return np.asarray(found)


def book(universe: Universe, quantities: Quantities, pnl: Sequence[Floats] | None = None) -> Book:
    """The curves of a book, without `kernels`; `pnl` are the universe's `gains` where they are known."""
    pnl = pnl or [gains(coin) for coin in universe.coins]
    curves = [curve(coin, q @ g) for coin, q, g in zip(universe.coins, quantities, pnl, strict=True)]
    return Book(tuple(curves), universe.matrices, universe.k)


def portfolio(universe: Universe, quantities: Quantities, cash_usd: float = CASH_USD) -> Portfolio:
    """A book as the models see it."""
    names = tuple(f"matrix-{c}" for c in range(len(universe.matrices)))
    return Portfolio(
        account="a", market_time_us=1, cash_usd=cash_usd,
        underlyings=tuple(_underlying(c, q) for c, q in zip(universe.coins, quantities, strict=True)),
        correlations=Correlations(names, np.ascontiguousarray(universe.matrices), universe.k, version=1),
    )  # fmt: skip


@lru_cache(maxsize=64)
def _rows(coin: Coin) -> Rows:
    of = coin.contracts
    n, step = len(of), 1e-5
    ends = np.array([value(one, coin.index, np.array([0.0, step, -step]), np.full(3, one.vol)) for one in of])
    slope = (ends[:, 1] - ends[:, 2]) / (2.0 * step * coin.index)
    return Rows(
        kind=np.array([CODES[one.kind] for one in of], dtype=np.int64), is_call=np.array([one.is_call for one in of]),
        size=np.array([one.size for one in of]), strike=np.array([one.strike or 1.0 for one in of]),
        forward=np.array([one.price or 1.0 for one in of]), fixed=np.zeros(n), funding=np.zeros(n),
        years=np.array([one.years for one in of]), vol=np.array([one.vol for one in of]),
        expiry_us=np.zeros(n, dtype=np.int64), value_usd=ends[:, 0].copy(), delta_coins=slope, market_delta_coins=slope,
    )  # fmt: skip


def _underlying(coin: Coin, quantity: Floats) -> Underlying:
    n = len(coin.contracts)
    return Underlying(
        name=coin.name, index_price=coin.index, annual_vol=math.nan,
        names=(None, *(f"{coin.name}-{i}" for i in range(1, n))), quantity=quantity.copy(), rows=_rows(coin),
        average_price=np.zeros(n), entry_usd=np.zeros(n), entry_coins=np.zeros(n), refinement=coin.refinement,
    )  # fmt: skip


def universe(rng: np.random.Generator, size: int) -> Universe:
    """A random market: on each underlying the coin, two perpetuals and three options of three expiries."""
    coins = []
    for u in range(size):
        index = float(np.exp(rng.uniform(0.0, 11.0)))
        shocks = RiskMatrixParameters(
            price_range=float(rng.choice([0.05, 0.16, 0.25])), volatility_range_up=float(rng.choice([0.4, 0.5]))
        )
        of = [Contract("coin"), Contract("linear", price=index * 1.001), Contract("inverse", size=10.0, price=index)]
        for years in (rng.choice([0.8, 3.0]) / 365, rng.choice([7.0, 29.0]) / 365, rng.choice([0.25, 1.0])):
            forward = index * float(np.exp(rng.normal(0.0, 0.01)))
            of.append(
                Contract(
                    str(rng.choice(["linear_option", "inverse_option"])), price=forward,
                    strike=forward * float(np.exp(rng.normal(0.0, 0.12))), is_call=bool(rng.random() < 0.5),
                    years=float(years), vol=float(rng.uniform(0.3, 1.2)),
                )
            )  # fmt: skip
        coins.append(Coin(f"COIN-{u}", index, shocks, tuple(of), int(rng.choice([1, 1, 2]))))
    matrices = correlations(rng, size, int(rng.integers(1, 4)))
    return Universe(tuple(coins), matrices, float(rng.choice([0.0, 0.1, 0.2, 0.8])))


def quantities(rng: np.random.Generator, of: Universe) -> Quantities:
    """A random book: some 10,000 USD of each contract, half of them not held, sometimes only options or perpetuals."""
    found = []
    for coin in of.coins:
        usd = rng.normal(0.0, 10_000.0, len(coin.contracts)) * (rng.random(len(coin.contracts)) < 0.5)
        which = rng.random()
        if which < 0.2:
            usd[3:] = 0.0
        elif which < 0.4:
            usd[:3] = 0.0
        each = [one.size if one.kind == "inverse" else coin.index * one.size for one in coin.contracts]
        found.append(usd / np.array(each))
    return tuple(found)


def random_books(count: int, seed: int, sizes: tuple[int, int] = (1, 4)) -> Iterator[tuple[Universe, Quantities]]:
    """Books, five in turn in one universe."""
    rng = np.random.default_rng(seed)
    of = universe(rng, sizes[0])
    for i in range(count):
        if i % 5 == 0:
            of = universe(rng, int(rng.integers(sizes[0], sizes[1] + 1)))
        yield of, quantities(rng, of)


def with_coin(of: Universe, u: int, coin: Coin) -> Universe:
    """The universe with another coin in one place."""
    return replace(of, coins=(*of.coins[:u], coin, *of.coins[u + 1 :]))


def evaluate(universe: Universe, held: Quantities, cash_usd: float = CASH_USD) -> Margin:
    """The model's margin of a book."""
    return margin(portfolio(universe, held, cash_usd), universe.parameters, "hash")


def need(universe: Universe, held: Quantities) -> float:
    """The model's initial requirement of a book."""
    return evaluate(universe, held).im_requirement_usd


def gross(one: Book) -> float:
    """The size against which rounding is measured."""
    return sum(float(np.abs(curve).max()) for curve in one.curves)
