"""The book of `benchmarks.sweep_book` as accounts of the engine, with a market of its own records.

Every account has model P and stands at IM over equity 1 / (1 + Exp(1)), so one in a hundred is within 1 % of a call
and one in six in some state that is not healthy; all went through the status machine, without dwell times. Scenarios
are the 45 of the sweep: 15 moves with three volatilities, no finer grid, fixed ranges. Surfaces are a smile for each of
the eight expiries; each index has one source, futures are at their marks. Three correlation matrices are in force.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks import sweep_book
from benchmarks.sweep import SEED
from benchmarks.sweep_accounts import matrices
from benchmarks.sweep_book import BUCKETS, INDEX_USD, INSTRUMENTS, LINEARS, PRICE_RANGE, UNDERLYINGS, Segments
from kernels._jit import Floats, Ints
from monitor.engine import Sourced, State
from monitor.engine.book import Book
from monitor.engine.correlation import millionths, view_of
from monitor.engine.ledger import exposures
from monitor.engine.market import Market
from monitor.engine.parameters import DEFAULT_SET
from monitor.engine.state import Account, Holding, Marker, Shard
from monitor.engine.transitions import conditions_changed
from monitor.replay.sources.base import TOPIC_OF
from schemas.records import (
    AccountConfig,
    Cause,
    ExpiryVolatility,
    Input,
    Instrument,
    NettingParameters,
    ParameterSet,
    PriceTick,
    RiskMatrixParameters,
    StatusParameters,
)

COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "LTC", "LINK", "AVAX", "DOT", "UNI")  # by popularity
START_US = 1_760_000_040_000_000  # a whole minute
DAY_US = 86_400_000_000
DAYS = (2, 9, 16, 30, 60, 90, 180, 360)
TICK_US = 100  # between two records: many thousands fit into a minute, at whose end everything is priced
FOREVER_MS = 86_400_000
LEAST_USD = 1.0
CAUSE = Cause(topic="benchmark")
SET = "venue"
assert len(COINS) == UNDERLYINGS


def parameters() -> ParameterSet:
    """Return the scenarios of the sweep, and states without dwell times."""
    return msgspec.structs.replace(
        DEFAULT_SET, name=SET, event_time_us=START_US,
        risk_matrix=RiskMatrixParameters(price_range=PRICE_RANGE, buckets_each_side=BUCKETS, extended_moves=()),
        netting=NettingParameters(ranges="fixed", fine_grid_days=0.0, finest_grid_days=0.0),
        status=StatusParameters(margin_call_dwell_ms=0, leave_dwell_ms=0, recovered_dwell_ms=0),
    )  # fmt: skip


class Quotes:
    """Records of the market, each a step of random walks; times grow by `TICK_US`."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(SEED + 1)
        self.time_us = START_US
        self.price = dict.fromkeys(COINS, INDEX_USD)
        self.vol = {(coin, days): float(self.rng.uniform(0.4, 1.2)) for coin in COINS for days in DAYS}

    def definitions(self) -> list[Input]:
        """Return parameters, contracts, surfaces, first prices and marks."""
        found: list[Input] = [parameters()]
        for coin in COINS:
            found += contracts(coin)
            found += [self.smile(coin, days) for days in DAYS]
            found.append(self.tick(coin, 1.0))
            found += [self._mark(coin, number) for number in range(1, LINEARS)]
        return found

    def tick(self, coin: str, factor: float) -> PriceTick:
        """Return an index tick that moves a coin."""
        self.price[coin] *= factor
        return PriceTick(
            underlying=coin, source="venue", price_kind="index", price=self.price[coin], index_source=True,
            event_time_us=self._next_us(), max_age_ms=FOREVER_MS,
        )  # fmt: skip

    def smile(self, coin: str, days: int, factor: float = 1.0) -> ExpiryVolatility:
        """Return a slice of one expiry whose level moves."""
        self.vol[coin, days] *= factor
        return ExpiryVolatility(
            underlying=coin, source="options", expiry_us=START_US + days * DAY_US, slope=-0.03, curvature=0.02,
            atm_vol_annual=self.vol[coin, days], forward_basis=0.05 * days / 365.0, event_time_us=self._next_us(),
        )  # fmt: skip

    def _mark(self, coin: str, number: int) -> PriceTick:
        return PriceTick(
            underlying=coin, source="exchange", price_kind="mark", instrument=names(coin)[number],
            price=self.price[coin] * (1.0 + 0.005 * (number - 1)), event_time_us=self._next_us(),
            max_age_ms=FOREVER_MS,
        )  # fmt: skip

    def _next_us(self) -> int:
        self.time_us += TICK_US
        return self.time_us


def names(coin: str) -> list[str]:
    """Return the contract in each row of `sweep_book.instruments`; row 0 is the coin itself."""
    options = [f"{coin}-{days}-{strike}-{kind}" for days in DAYS for strike in range(6) for kind in "CP"]
    return [coin, *(f"{coin}-F{number}" for number in range(1, LINEARS)), *options]


def contracts(coin: str) -> list[Instrument]:
    """Return the listings of one coin: three perpetuals as futures, 96 linear options."""
    drawn = sweep_book.instruments(np.random.default_rng(0))
    found = [
        Instrument(instrument=name, type="perpetual", underlying=coin, settlement="USD", event_time_us=START_US)
        for name in names(coin)[1:LINEARS]
    ]
    for row in range(LINEARS, INSTRUMENTS):
        days = DAYS[(row - LINEARS) // 12]
        found.append(
            Instrument(
                instrument=names(coin)[row], type="option", underlying=coin, settlement="USD", event_time_us=START_US,
                expiry_us=START_US + days * DAY_US, strike=float(drawn.strike[row]),
                option_type="call" if drawn.is_call[row] else "put",
            )
        )  # fmt: skip
    return found


def accounts(held: list[Segments], count: int) -> list[Account]:
    """Return the accounts of drawn segments, without cash."""
    found = [
        Account(config=AccountConfig(account=f"a{number:06d}", event_time_us=START_US, parameter_set=SET))
        for number in range(count)
    ]
    for coin, of in zip(COINS, held, strict=True):
        known = names(coin)
        for k, owner in enumerate(of.accounts.tolist()):
            own = slice(int(of.indptr[k]), int(of.indptr[k + 1]))
            account = found[owner]
            for row, quantity in zip(of.row[own].tolist(), of.quantity[own].tolist(), strict=True):
                if row == 0:
                    account.balances[coin] = quantity
                else:
                    account.holdings[known[row]] = Holding(quantity=quantity, average_price=INDEX_USD)
    return found


@dataclass(frozen=True, slots=True)
class Built:
    """Two states of the same accounts over equal markets, and what it took to build the book of the second."""

    quotes: Quotes
    plain: State
    certified: State
    rebuild_s: float
    rss_bytes: int
    positions: int


def build(held: list[Segments], count: int) -> Built:
    """Build both states; certificates are made by the ticks that come."""
    quotes = Quotes()
    definitions = quotes.definitions()
    markets = [_market(definitions) for _ in range(2)]
    people = accounts(held, count)
    plain = _filled(Book(certificates=False), people, markets[0])
    _take_money(plain, people, markets[0])
    copies = [msgspec.structs.replace(one, timers={}, outbox=[]) for one in people]
    before, start_s = rss_bytes(), time.perf_counter()
    book = _filled(Book(certificates=True), copies, markets[1])
    rebuild_s, rss = time.perf_counter() - start_s, rss_bytes() - before
    states = [_state(*one) for one in zip((plain, book), (people, copies), markets, strict=True)]
    positions = sum(len(of.row) for of in held)
    return Built(quotes, states[0], states[1], rebuild_s, rss, positions)


def _market(definitions: list[Input]) -> Market:
    market = Market()
    for record in definitions:
        market.apply(record)
    put_correlations(market, matrices(UNDERLYINGS)[0, 0])
    return market


def put_correlations(market: Market, estimate: Floats) -> None:
    """Put a fast matrix in force between all coins beside a slow one of 0.85 throughout, as a new version."""
    slow = np.full_like(estimate, 0.85) + 0.15 * np.eye(len(estimate))
    estimator = market.ticks._correlation  # noqa: SLF001 (matrices are estimated over hours; here one is given)
    view = market.ticks.correlation
    estimator.view = view_of(view.version + 1, START_US, COINS, (), millionths(estimate), millionths(slow))


def _filled(book: Book, people: list[Account], market: Market) -> Book:
    for account in people:
        book.set_account(account, market)
    book.refresh_all(market)  # puts segments in their order
    return book


def _take_money(book: Book, people: list[Account], market: Market) -> None:
    """Give every account the cash that brings it to its utilisation."""
    rows = np.arange(len(people), dtype=np.int64)
    figures = book._figures  # noqa: SLF001 (a hundred thousand requirements in one call)
    requirement = solved(book, rows)
    places = figures.value[rows].sum(axis=1)
    # Some portfolios have no worst loss: without an equity of their own they would stand on a threshold, at zero.
    least = np.maximum(requirement, LEAST_USD)
    equity = least * (1.0 + np.random.default_rng(1).exponential(size=len(people)))
    others = figures.cash[rows].copy()  # the entry sides of futures
    for account, wanted, there in zip(people, (equity - places).tolist(), others.tolist(), strict=True):
        account.balances["USD"] = wanted - there
    # To the last digit what the book would take from the account.
    figures.cash[rows] = [exposures(account, market.instruments).usd for account in people]
    book.refresh_all(market)


def solved(book: Book, rows: Ints) -> Floats:
    """Return the requirements of accounts by their rows, each solved from its positions, USD."""
    return book._swept.solve(rows, judging=False)  # noqa: SLF001


def _state(book: Book, people: list[Account], market: Market) -> State:
    """Return a state of accounts that have done what their conditions ask for."""
    shard = Shard(marker=Marker(partition=0, partitions=1), open=True)
    shard.accounts = {account.name: account for account in people}
    state = State(market=market, book=book, shards={0: shard})
    state.partition_of = dict.fromkeys(shard.accounts, 0)
    for name in shard.accounts:
        conditions_changed(state, name, CAUSE, [])
    return state


def sourced(record: Input, ordinal: int) -> Sourced:
    """Return a record at a place in its topic."""
    return Sourced(TOPIC_OF[type(record)], 0, ordinal, 0, record)


def rss_bytes() -> int:
    """Return the memory that this process has resident."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def array_bytes(root: object) -> int:
    """Return the size of all arrays that a book holds, each buffer once; accounts are not its own."""
    buffers: dict[int, int] = {}
    seen: set[int] = set()
    waiting: list[object] = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, Account | Market | str | int | float):
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            base: np.ndarray[Any, Any] = one
            while isinstance(base.base, np.ndarray):
                base = base.base
            buffers[id(base)] = base.nbytes
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
        elif type(one).__module__.startswith(("monitor.engine", "kernels")):
            slots = [getattr(one, name) for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())
                     if hasattr(one, name)]  # fmt: skip
            waiting += [*getattr(one, "__dict__", {}).values(), *slots]
    return sum(buffers.values())
