"""Random books for model P: real option blocks and curves of every shape, the same ones in every run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kernels import black76, move_losses, netting_solve, scenarios
from tests.netting_oracle import Book, Floats

KINDS = ("options", "perpetuals", "convex", "concave", "zigzag", "mixed")
EXTENDED = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)


def correlations(rng: np.random.Generator, size: int, count: int) -> Floats:
    """Correlation matrices of random factors, and the floor of one half last."""
    found = []
    for _ in range(count - 1):
        share = rng.uniform(0.2, 0.99)
        draws = np.sqrt(share) * rng.normal(size=4 * size) + np.sqrt(1.0 - share) * rng.normal(size=(size, 4 * size))
        matrix = np.corrcoef(draws).reshape(size, size)
        matrix = (matrix + matrix.T) / 2.0
        np.fill_diagonal(matrix, 1.0)
        found.append(matrix)
    floor = np.full((size, size), 0.5)
    np.fill_diagonal(floor, 1.0)
    return np.array([*found, floor])


def option_pnl(rng: np.random.Generator, table: scenarios.ScenarioTable, options: int) -> Floats:
    """P&L of options in every scenario by Black-76, volatility up by half or down by a quarter."""
    forward, pnl = 100.0, np.empty((options, len(table.move)))
    factor = np.array([1.0, 1.5, 0.75])[table.vol_direction]  # same, up, down
    for i in range(options):
        strike, root = (
            forward * float(np.exp(rng.normal(0.0, 0.1))),
            np.sqrt(float(rng.choice([1, 3, 7, 30, 90])) / 365),
        )
        is_call, vol = rng.random() < 0.5, float(rng.uniform(0.3, 1.2))
        now = black76.price(is_call, forward, strike, vol * root, 1.0)
        for s, move in enumerate(table.move):
            moved = black76.price(is_call, forward * (1.0 + move), strike, factor[s] * vol * root, 1.0)
            pnl[i, s] = table.weight[s] * (moved - now)
    return pnl


def option_curve(rng: np.random.Generator, buckets: int) -> Floats:
    """The loss curve of a few options on one underlying, sometimes with a perpetual, sometimes hedged by it."""
    table = scenarios.scenario_table(float(rng.choice([0.1, 0.15, 0.3])), buckets, EXTENDED)
    options = int(rng.integers(1, 7))
    perpetual = 100.0 * table.linear_move
    pnl = np.vstack([option_pnl(rng, table, options), perpetual])
    quantity = rng.normal(0.0, 1.0, options + 1)
    choice = rng.random()
    if choice < 0.3:
        quantity[-1] = 0.0
    elif choice < 0.6:  # flat over the smallest moves, volatility held
        up, down = 3 * (buckets + 1) + 1, 3 * (buckets - 1) + 1
        quantity[-1] = -quantity[:-1] @ (pnl[:-1, up] - pnl[:-1, down]) / (perpetual[up] - perpetual[down])
    losses = np.empty((1, 2 * buckets + 1))
    side = move_losses.extended_sides(table, buckets)
    move_losses.move_losses(np.array([0, options + 1]), np.arange(options + 1), quantity, pnl, side, losses)
    one: Floats = losses[0]
    return one


def curve(rng: np.random.Generator, kind: str, buckets: int) -> Floats:
    """One loss curve; zero without a move, except that zigzags may lose there too."""
    m = np.linspace(-1.0, 1.0, 2 * buckets + 1)
    slope, bend = float(rng.normal()), abs(float(rng.normal()))
    if kind == "options":
        return option_curve(rng, buckets)
    if kind == "perpetuals":
        return slope * m
    if kind == "convex":
        return slope * m + bend * m * m
    if kind == "concave":
        return slope * m - bend * m * m
    zigzag = slope * m + 0.5 * rng.normal(size=len(m))
    return np.asarray(zigzag - min(0.0, float(zigzag[buckets])))


def books(count: int, seed: int, sizes: tuple[int, int] = (1, 6), kinds: tuple[str, ...] = KINDS) -> Iterator[Book]:
    """Books in turn of every kind, one to six underlyings, one to three matrices, k from 0 to 1, 9 to 33 moves."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        kind = kinds[i % len(kinds)]
        size = int(rng.integers(sizes[0], sizes[1] + 1))
        curves = []
        for _ in range(size):
            one = kind if kind != "mixed" else KINDS[int(rng.integers(0, 5))]
            scale = 10.0 ** float(rng.choice([0.0, 0.0, 0.0, 1.0, -1.0]))
            curves.append(scale * curve(rng, one, int(rng.choice([4, 8, 16]))))
        matrices = correlations(rng, size, int(rng.integers(1, 4)))
        yield Book(tuple(curves), matrices, float(rng.choice([0.0, 0.1, 0.1, 0.2, 0.5])), kind)


def solve(book: Book, tolerance: float = 1e-9) -> tuple[Any, Floats, Floats, Floats]:
    """Solution, hedge, mixtures and matrix weights of a book by the kernel."""
    losses, counts, matrices, w, duals, weight = _arrays(book)
    return netting_solve.solve(losses, counts, matrices, book.k, tolerance, w, duals, weight), w, duals, weight


def descended(book: Book) -> tuple[tuple[float, float], Floats, Floats]:
    """Both bounds of a book by the descent alone, hedge and mixtures."""
    losses, counts, matrices, w, duals, weight = _arrays(book)
    return netting_solve.descended(losses, counts, matrices, book.k, w, duals, weight), w, duals


def _arrays(book: Book) -> tuple[Floats, Any, Floats, Floats, Floats, Floats]:
    counts = np.array([len(c) for c in book.curves], dtype=np.int64)
    losses = np.full((book.size, int(counts.max())), np.nan)
    for u, c in enumerate(book.curves):
        losses[u, : len(c)] = c
    w, duals, weight = np.empty(book.size), np.empty_like(losses), np.empty(len(book.matrices))
    return losses, counts, np.ascontiguousarray(book.matrices), w, duals, weight


def requirement(book: Book) -> float:
    """The requirement of a book by the kernel."""
    return float(solve(book)[0].requirement)
