"""Joint expected shortfall and covariance: `python -m benchmarks es --json`.

The book: 10 underlyings of 96 options and 4 futures each, accounts of 20 positions in 1 to 4 underlyings whose
popularity falls as 1/rank; 10,000 paths of correlated Student-t moves, 4 degrees of freedom, of spot and volatility.

`es_vs_reprice`: a revaluation in float64 of every position of an account on every path, then its tail by
`np.partition`, over our tails of 300 accounts, plus the account's share of the revaluation of all instruments in a
book of 100,000 accounts. `es_vs_reprice_without_matrix` leaves that share out, `es_vs_reprice_small_book` has 300
accounts share it. The peer prices with the library's own formulas, hoisted; `es_vs_numba_erfc` revalues in the form
that most would write.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for 50 x 50 its threads only cost: numpy's best form is the peer

import numpy as np
from numba import njit

from benchmarks.rounds import medians
from kernels import black76, black76_loops, covariance, joint_pnl, path_pnl, scenarios, selection, tail
from kernels import black76_formulas as formulas
from kernels._jit import Bools, Floats, Ints

ACCOUNTS, BOOK, POSITIONS, PATHS = 300, 100_000, 20, 10_000
UNDERLYINGS, OPTIONS, FUTURES = 10, 96, 4
ROWS = OPTIONS + FUTURES
CONFIDENCE = 0.975
BLOCK = 500  # paths that the peer prices at a time, in the cache
TOLERANCE = 1e-6
ASSETS = 50


@njit(error_model="numpy", fastmath=True)
def erfc_prices(call: Bools, forward: Floats, strike: Floats, stdev: Floats, _discount: Floats, out: Floats) -> None:
    """Write prices as most would."""
    half = math.sqrt(0.5)
    for i in range(out.shape[0]):
        d1 = math.log(forward[i] / strike[i]) / stdev[i] + 0.5 * stdev[i]
        d2 = d1 - stdev[i]
        if call[i]:
            out[i] = 0.5 * (forward[i] * math.erfc(-d1 * half) - strike[i] * math.erfc(-d2 * half))
        else:
            out[i] = 0.5 * (strike[i] * math.erfc(d2 * half) - forward[i] * math.erfc(d1 * half))


@njit(error_model="numpy")
def reprice_erfc(  # noqa: PLR0913, PLR0917 (numba calls by position)
    rows: Ints, quantities: Floats, calls: Bools, strikes: Floats, forwards: Floats, years: Floats, vols: Floats,
    index: Floats, moves: Floats, vol_moves: Floats, out: Floats,
) -> None:  # fmt: skip
    """Write the results of one account on all paths, every position revalued as most would."""
    call, strike, one = np.empty(BLOCK, dtype=np.bool_), np.empty(BLOCK), np.ones(BLOCK)
    forward, stdev, value = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    out[:] = 0.0
    for k in range(rows.shape[0]):
        u, i, quantity = rows[k] // ROWS, rows[k] % ROWS, quantities[k]
        now = forwards[i] * index[u]
        if i >= OPTIONS:
            for p in range(out.shape[0]):
                out[p] += quantity * (now * moves[u, p])
            continue
        root = math.sqrt(years[i])
        call[:], strike[:] = calls[i], strikes[i] * index[u]
        forward[0], stdev[0] = now, vols[i] * root
        erfc_prices(call[:1], forward[:1], strike[:1], stdev[:1], one[:1], value[:1])
        value_now = value[0]
        for start in range(0, out.shape[0], BLOCK):
            n = min(BLOCK, out.shape[0] - start)
            for j in range(n):
                forward[j] = now * (1.0 + moves[u, start + j])
                stdev[j] = vols[i] * (1.0 + vol_moves[u, start + j]) * root
            erfc_prices(call[:n], forward[:n], strike[:n], stdev[:n], one[:n], value[:n])
            for j in range(n):
                out[start + j] += quantity * (value[j] - value_now)


@njit(error_model="numpy")
def reprice(  # noqa: PLR0913, PLR0917 (numba calls by position)
    rows: Ints, quantities: Floats, calls: Bools, strikes: Floats, forwards: Floats, years: Floats, vols: Floats,
    index: Floats, moves: Floats, vol_moves: Floats, log_moves: Floats, out: Floats,
) -> None:  # fmt: skip
    """Do the same with our formulas, what a position's paths share hoisted, one logarithm per path and underlying."""
    a, b, low = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    out[:] = 0.0
    for k in range(rows.shape[0]):
        u, i, quantity = rows[k] // ROWS, rows[k] % ROWS, quantities[k]
        now = forwards[i] * index[u]
        if i >= OPTIONS:
            for p in range(out.shape[0]):
                out[p] += quantity * (now * moves[u, p])
            continue
        stdev, strike, call = vols[i] * math.sqrt(years[i]), strikes[i] * index[u], calls[i]
        value_now = black76.price(call, now, strike, stdev, 1.0)
        log_moneyness = math.log(now / strike)
        for start in range(0, out.shape[0], BLOCK):
            end = min(start + BLOCK, out.shape[0])
            _distances(
                now, strike, stdev, log_moneyness, moves[u, start:end], vol_moves[u, start:end],
                log_moves[u, start:end], a, b, low,
            )  # fmt: skip
            n = end - start
            black76_loops.time_values(a[:n], b[:n], low[:n])
            _add(call, now, strike, quantity, value_now, moves[u, start:end], a, out[start:end])


@njit(error_model="numpy")
def _distances(  # noqa: PLR0913, PLR0917
    now: float, strike: float, stdev: float, log_moneyness: float, move: Floats, vol_move: Floats, log_move: Floats,
    a: Floats, b: Floats, low: Floats,
) -> None:  # fmt: skip
    for j in range(move.shape[0]):
        s = stdev * (1.0 + vol_move[j])
        a[j], b[j] = formulas.distances(-abs(log_moneyness + log_move[j]), s, 1.0 / s)
        low[j] = min(now * (1.0 + move[j]), strike)


@njit(error_model="numpy")
def _add(
    call: bool, now: float, strike: float, quantity: float, value_now: float, move: Floats, time_value: Floats,
    out: Floats,
) -> None:  # fmt: skip
    for j in range(out.shape[0]):
        out[j] += quantity * (formulas.with_intrinsic(call, now * (1.0 + move[j]), strike, time_value[j]) - value_now)


class Book:
    """Instruments, paths and accounts, all from one seed."""

    def __init__(self) -> None:
        draw = np.random.default_rng(2024)
        expiry = np.repeat([1, 3, 7, 14, 30, 60, 120, 240], 12) / 365.0
        moneyness = np.tile(np.repeat(np.linspace(-1.5, 1.5, 6), 2), 8)
        self.kind = np.array([scenarios.LINEAR_OPTION] * OPTIONS + [scenarios.LINEAR] * FUTURES)
        self.is_call = np.concatenate([np.tile([True, False], OPTIONS // 2), np.zeros(FUTURES, dtype=np.bool_)])
        self.years = np.concatenate([expiry, np.full(FUTURES, 0.25)])
        self.vol = np.concatenate([0.6 + 0.05 * moneyness**2, np.zeros(FUTURES)])
        self.index = np.geomspace(0.5, 60_000.0, UNDERLYINGS)
        self.strike = np.concatenate([np.exp(0.6 * np.sqrt(expiry) * moneyness), np.zeros(FUTURES)])
        self.forward = 1.0 + 0.05 * self.years
        self.one, self.nothing = np.ones(ROWS), np.zeros(ROWS)
        self.moves, self.vol_moves = _paths(draw)
        self.row, self.quantity = _positions(draw, self.index)
        self.indptr = np.arange(0, ACCOUNTS * POSITIONS + 1, POSITIONS)
        self.matrix = joint_pnl.empty_matrix(UNDERLYINGS * ROWS, PATHS)

    def revalue(self) -> None:
        """Fill the matrix."""
        for u, index in enumerate(self.index):
            path_pnl.revalue(
                self.kind, self.is_call, self.one, self.strike * index, self.forward * index, self.nothing,
                self.nothing, self.years, self.vol, self.one, index, self.moves[u], self.vol_moves[u], u * ROWS,
                self.matrix,
            )  # fmt: skip


def _paths(draw: np.random.Generator) -> tuple[Floats, Floats]:
    """Return moves of spots and of volatilities, float64[10, 10000] each."""
    p = 2 * UNDERLYINGS
    spot, vol = np.full((UNDERLYINGS, UNDERLYINGS), 0.7), np.full((UNDERLYINGS, UNDERLYINGS), 0.6)
    correlations = np.block([[spot, np.full_like(spot, -0.4)], [np.full_like(spot, -0.4), vol]])
    np.fill_diagonal(correlations, 1.0)
    deviations = np.concatenate([np.linspace(0.03, 0.06, UNDERLYINGS), np.full(UNDERLYINGS, 0.08)])
    shape, root = covariance.empty(p), covariance.empty(p)
    shape[:, :p] = correlations * np.outer(deviations, deviations)
    if covariance.root(shape, 0.0, root) != covariance.DEFINITE:
        raise ValueError("the paths' covariance is not definite")
    z = draw.standard_normal((p, PATHS)) * np.sqrt(2.0 / draw.chisquare(4.0, PATHS))
    moves = np.empty_like(z)
    path_pnl.correlate(root, z, moves)
    return np.maximum(moves[:UNDERLYINGS], -0.95), np.maximum(moves[UNDERLYINGS:], -0.9)


def _positions(draw: np.random.Generator, index: Floats) -> tuple[Ints, Floats]:
    """Return rows and quantities of all accounts, rows in order within each."""
    popularity = 1.0 / np.arange(UNDERLYINGS, 0, -1)  # the dearest leads
    rows = []
    for _ in range(ACCOUNTS):
        held = draw.choice(UNDERLYINGS, draw.integers(1, 5), replace=False, p=popularity / popularity.sum())
        rows.append(np.sort(draw.choice(held, POSITIONS) * ROWS + draw.integers(0, ROWS, POSITIONS)))
    row = np.concatenate(rows)
    quantity = draw.choice([-1.0, 1.0], row.size) * draw.lognormal(0.0, 1.0, row.size) * 1e4 / index[row // ROWS]
    return row, quantity


def peer_es(losses: Floats, end: tail.Tail) -> float:
    """Return the shortfall as a user of numpy finds it; the tail of this book is whole."""
    return -float(np.partition(losses, end.rank - 1)[: end.rank].mean())


def measure() -> dict[str, float | bool]:
    """Return the figures by key."""
    return {**joint_shortfall(), **covariances()}


def joint_shortfall() -> dict[str, float | bool]:
    """Measure the tails of accounts against revaluing them."""
    book, end = Book(), tail.tail_of(PATHS, CONFIDENCE)
    buffers = np.empty((ACCOUNTS, selection.buffer_length(end.rank)), dtype=np.float32)
    var, es, out = np.empty(ACCOUNTS), np.empty(ACCOUNTS), np.empty(PATHS)
    accounts = iter(itertools.cycle(range(ACCOUNTS)))

    def ours() -> None:
        joint_pnl.account_tails(
            book.indptr, book.row, book.quantity, book.matrix, PATHS, end.rank, end.size, buffers, var, es
        )

    log_moves = np.log1p(book.moves)

    def peer(account: int) -> float:
        held = slice(book.indptr[account], book.indptr[account + 1])
        reprice(
            book.row[held], book.quantity[held], book.is_call, book.strike, book.forward, book.years, book.vol,
            book.index, book.moves, book.vol_moves, log_moves, out,
        )  # fmt: skip
        return peer_es(out, end)

    def erfc_peer(account: int) -> float:
        held = slice(book.indptr[account], book.indptr[account + 1])
        reprice_erfc(
            book.row[held], book.quantity[held], book.is_call, book.strike, book.forward, book.years, book.vol,
            book.index, book.moves, book.vol_moves, out,
        )  # fmt: skip
        return peer_es(out, end)

    forms: dict[str, Callable[[], object]] = {
        "ours": ours,
        "matrix": book.revalue,
        "peer": lambda: peer(next(accounts)),
        "erfc": lambda: erfc_peer(next(accounts)),
    }
    singles = np.random.default_rng(1).standard_t(4.0, (1, PATHS)).astype(np.float32)
    one = np.empty(1)
    forms["tail"] = lambda: tail.tails_single(singles, end.rank, end.size, buffers[0], one, one)
    forms["partition"] = lambda: np.partition(singles[0], end.rank - 1)
    time_s = medians(forms)
    book.revalue()
    ours()
    exact = np.array([peer(account) for account in range(ACCOUNTS)])
    error = float(np.max(np.abs(es / exact - 1.0)))
    own_s = time_s["ours"] / ACCOUNTS
    return {
        "es_vs_reprice": time_s["peer"] / (own_s + time_s["matrix"] / BOOK),
        "es_vs_reprice_without_matrix": time_s["peer"] / own_s,
        "es_vs_reprice_small_book": time_s["peer"] / (own_s + time_s["matrix"] / ACCOUNTS),
        "es_vs_numba_erfc": time_s["erfc"] / (own_s + time_s["matrix"] / BOOK),
        "es_within_1e-6": error <= TOLERANCE,
        "es_error": error,
        "tail_vs_partition": time_s["partition"] / time_s["tail"],
        "es_us_per_account": own_s * 1e6,
        "matrix_ms": time_s["matrix"] * 1e3,
    }


def covariances() -> dict[str, float | bool]:
    """Measure the covariance of 50 underlyings against numpy's Cholesky of the finished matrix alone."""
    draw = np.random.default_rng(7)
    returns = draw.standard_normal((500, ASSETS)) @ np.linalg.cholesky(np.full((ASSETS, ASSETS), 0.5) + np.eye(ASSETS))
    sample = returns.T @ returns / len(returns)
    matrix, root, running = covariance.empty(ASSETS), covariance.empty(ASSETS), covariance.empty(ASSETS)
    matrix[:, :ASSETS] = sample
    x, scratch = np.zeros(covariance.columns(ASSETS)), np.empty(covariance.columns(ASSETS))
    x[:ASSETS] = returns[0]
    if covariance.root(matrix, 0.0, running) != covariance.DEFINITE:
        raise ValueError("the sample's covariance is not definite")
    decay, observations = 0.99, 199.0
    time_s = medians({
        "numpy": lambda: np.linalg.cholesky(sample),
        "full": lambda: covariance.refresh(matrix, x, decay, observations, root),
        "rank1": lambda: covariance.update_root(running, x, decay, scratch),
    })  # fmt: skip
    return {
        "covariance_full_vs_numpy": time_s["full"] / time_s["numpy"],
        "rank1_vs_numpy": time_s["rank1"] / time_s["numpy"],
        "cholesky_numpy_us": time_s["numpy"] * 1e6,
    }
