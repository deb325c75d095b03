"""The book that the account sweep is measured on: drawn from a fixed seed, in the shape of a large venue's.

100,000 accounts with 20 positions each in one to four of ten underlyings, which are popular as 1/rank; per underlying
100 instruments: 96 options, three futures, the coin. The scenario table has 15 moves with three volatilities each and
no extended ones: 45 scenarios, and the three volatilities over which model P reduces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kernels import move_losses, scenarios
from kernels._jit import Bools, Floats, Ints
from monitor.engine.segments import BLOCK

ACCOUNTS, POSITIONS, UNDERLYINGS, MOST_HELD = 100_000, 20, 10, 4
INSTRUMENTS, LINEARS = 100, 4
BUCKETS = 7  # each side: 15 moves
WIDTH = 2 * BUCKETS + 1
PRICE_RANGE = 0.16
INDEX_USD = 1_000.0
SHOCKS = (0.5, 0.25, 0.5, 0.3, 0.13, 1.0)  # up, down, least up, powers of tenor, floor in days
TABLE = scenarios.scenario_table(PRICE_RANGE, BUCKETS, ())
SIDE = move_losses.extended_sides(TABLE, BUCKETS)
SCENARIOS = len(TABLE.move)


class Segments(NamedTuple):
    """One underlying's accounts and what they hold, as `kernels.blocks` takes it."""

    accounts: Ints
    indptr: Ints
    row: Ints
    quantity: Floats


@dataclass(frozen=True, slots=True)
class Instruments:
    """Rows of one underlying: its coin, three futures, then options by expiry, strike, call and put."""

    kind: Ints
    is_call: Bools
    strike: Floats
    price: Floats
    years: Floats
    vol: Floats


class Priced(NamedTuple):
    """What one contract of each row is worth, USD, and its deltas in coins: outputs of `scenarios.risk_array`."""

    pnl: Floats
    value: Floats
    delta: Floats
    market_delta: Floats


def instruments(rng: np.random.Generator) -> Instruments:
    """Draw the instruments of one underlying: eight expiries of six strikes around the index."""
    years = np.repeat(np.array([2, 9, 16, 30, 60, 90, 180, 360]) / 365.0, 12)
    strike = np.tile(np.repeat(INDEX_USD * np.array([0.7, 0.85, 0.95, 1.05, 1.2, 1.5]), 2), 8)
    options = INSTRUMENTS - LINEARS
    return Instruments(
        kind=np.array([scenarios.COIN] + [scenarios.LINEAR] * (LINEARS - 1) + [scenarios.LINEAR_OPTION] * options),
        is_call=np.concatenate([np.zeros(LINEARS, dtype=np.bool_), np.tile([True, False], options // 2)]),
        strike=np.concatenate([np.zeros(LINEARS), strike]),
        price=np.concatenate([INDEX_USD * (1.0 + 0.005 * np.arange(LINEARS)), INDEX_USD * (1.0 + 0.05 * years)]),
        years=np.concatenate([np.zeros(LINEARS), years]),
        vol=np.concatenate([np.zeros(LINEARS), rng.uniform(0.4, 1.2, options)]),
    )


def price(of: Instruments, index_usd: float, out: Priced) -> None:
    """Write the risk array of one underlying; forwards move with the index."""
    n = len(of.kind)
    zero, one = np.zeros(n), np.ones(n)
    scenarios.risk_array(
        of.kind, of.is_call, one, of.strike, of.price * (index_usd / INDEX_USD), zero, zero, of.years, of.vol,
        index_usd, *TABLE, *SHOCKS, *out,
    )  # fmt: skip


def empty_prices() -> Priced:
    """Return arrays for `price` to write to."""
    return Priced(np.empty((INSTRUMENTS, SCENARIOS)), *(np.empty(INSTRUMENTS) for _ in range(3)))


def segments(rng: np.random.Generator, accounts: int = ACCOUNTS) -> list[Segments]:
    """Draw what the accounts hold, underlying by underlying, in the engine's order of accounts, and sorted by row."""
    popularity = 1.0 / np.arange(1, UNDERLYINGS + 1)
    # The largest of log-weights with Gumbel noise are a draw without replacement.
    noise = np.log(popularity) + rng.gumbel(size=(accounts, UNDERLYINGS))
    ranked = np.argsort(-noise, axis=1)[:, :MOST_HELD]
    held = rng.integers(1, MOST_HELD + 1, accounts)
    # Every underlying of an account has a position, the rest fall where they fall.
    choice = np.where(
        np.arange(POSITIONS) < held[:, None],
        np.arange(POSITIONS),
        rng.integers(0, np.repeat(held[:, None], POSITIONS, axis=1)),
    )
    underlying = np.take_along_axis(ranked, choice, axis=1)
    account = np.repeat(np.arange(accounts), POSITIONS)
    return [_segments(rng, account[(underlying == u).ravel()]) for u in range(UNDERLYINGS)]


def _segments(rng: np.random.Generator, account: Ints) -> Segments:
    """Draw rows and quantities of positions whose accounts, sorted, are given."""
    accounts, first, count = np.unique(account, return_index=True, return_counts=True)
    indptr = np.concatenate([first, [len(account)]]).astype(np.int64)
    # Steps prime to 100 visit no instrument twice.
    step = rng.choice([1, 3, 7, 9, 11, 13, 17, 19, 21, 23, 27, 29, 31, 33, 37, 39], len(accounts))
    start = rng.integers(0, INSTRUMENTS, len(accounts))
    place = np.arange(len(account)) - np.repeat(first, count)
    row = (np.repeat(start, count) + place * np.repeat(step, count)) % INSTRUMENTS
    order = np.lexsort((row, account))
    drawn = Segments(
        accounts.astype(np.int64), indptr, row[order].astype(np.int64), rng.normal(0.0, 10.0, len(account))
    )
    return _by_length(drawn, count)


def _by_length(held: Segments, count: Ints) -> Segments:
    """Return the segments of each block of accounts with the shorter first, as `monitor.engine.segments` keeps them."""
    order = np.lexsort((count, np.arange(len(count)) // BLOCK))
    indptr = np.concatenate([[0], np.cumsum(count[order])]).astype(np.int64)
    from_here = np.repeat(held.indptr[:-1][order] - indptr[:-1], count[order]) + np.arange(len(held.row))
    return Segments(held.accounts[order], indptr, held.row[from_here], held.quantity[from_here])
