"""Model P's requirement once more, by ways that share nothing with `kernels`.

* `optimum`: the cone program over all cells, by Clarabel, an independent solver.
* `search`: the same minimum by nested zooming on the definition, for two or three underlyings.
* `ellipsoid_worst`: the largest joint loss over sampled moves of an ellipsoid, the question the requirement stands for.
* `common_move`, `hull`: the closed forms of perfect correlation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Book:
    """One account: a loss curve per underlying, the set of correlation matrices, and k."""

    curves: tuple[Floats, ...]
    matrices: Floats
    k: float
    kind: str = ""

    @property
    def size(self) -> int:
        return len(self.curves)


def moves(curve: Floats) -> Floats:
    """The normalised moves of a curve."""
    return np.linspace(-1.0, 1.0, len(curve))


def cost(book: Book, w: Floats) -> Any:
    """L(w) by its definition; the last axis of w is the underlying."""
    squares = np.stack([np.sum(w * (w @ matrix.T), axis=-1) for matrix in book.matrices])
    return np.sqrt(
        (1.0 - book.k) * np.maximum(squares.max(axis=0), 0.0) + book.k * np.abs(w).sum(axis=-1) ** 2,
    )


def upper_bound(book: Book, w: Floats) -> Any:
    """M(w) by its definition."""
    left = [(curve + w[..., u, None] * moves(curve)).max(axis=-1) for u, curve in enumerate(book.curves)]
    return cost(book, w) + np.sum(left, axis=0)


def optimum(book: Book) -> tuple[float, Floats, bool]:
    """M* by Clarabel with its hedge, and whether it calls that solved rather than almost solved.

    Minimise t + sum s subject to every cell, to a >= |w|, and to one cone per matrix.
    """
    clarabel: Any = import_module("clarabel")
    sparse: Any = import_module("scipy.sparse")

    n = book.size
    scale = max(float(np.abs(curve).max()) for curve in book.curves) or 1.0
    width = 3 * n + 1  # w, s, a, t
    rows: list[Floats] = []
    right: list[float] = []
    for u, curve in enumerate(book.curves):
        for move, loss in zip(moves(curve), curve / scale, strict=True):
            row = np.zeros(width)
            row[u], row[n + u] = move, -1.0
            rows.append(row)
            right.append(-loss)
    for u, sign in itertools.product(range(n), (1.0, -1.0)):
        row = np.zeros(width)
        row[u], row[2 * n + u] = sign, -1.0
        rows.append(row)
        right.append(0.0)
    cones: list[Any] = [clarabel.NonnegativeConeT(len(rows))]
    for matrix in book.matrices:
        values, vectors = np.linalg.eigh(matrix)
        root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
        block = np.zeros((n + 2, width))
        block[0, -1] = -1.0
        block[1 : n + 1, :n] = -math.sqrt(1.0 - book.k) * root
        block[n + 1, 2 * n : 3 * n] = -math.sqrt(book.k)
        rows.extend(block)
        right.extend([0.0] * (n + 2))
        cones.append(clarabel.SecondOrderConeT(n + 2))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    price = np.concatenate([np.zeros(n), np.ones(n), np.zeros(n), [1.0]])
    nothing = sparse.csc_matrix((width, width))
    solver = clarabel.DefaultSolver(nothing, price, sparse.csc_matrix(np.array(rows)), np.array(right), cones, settings)
    found = solver.solve()
    solved = found.status == clarabel.SolverStatus.Solved
    return float(found.obj_val) * scale, np.array(found.x[:n]) * scale, solved


def search(book: Book, stages: int = 13) -> float:
    """M* by zooming: on 17 points of one hedge, each the minimum over the next one found in the same way.

    Minimised over the others, M is convex in one hedge, so its minimum lies beside the best point. Beyond the steepest
    slope of a curve the residual grows as fast as the hedge, so nothing is gained there.
    """
    edges = [float(np.abs(np.diff(curve) / np.diff(moves(curve))).max()) for curve in book.curves]

    def least(fixed: Floats) -> Floats:
        u = fixed.shape[-1]
        if u == book.size:
            return np.asarray(upper_bound(book, fixed))
        centre, reach = np.zeros(fixed.shape[:-1]), edges[u]
        best = np.full(fixed.shape[:-1], np.inf)
        for _ in range(stages):
            tried = centre[..., None] + reach * np.linspace(-1.0, 1.0, 17)
            repeated = np.broadcast_to(fixed[..., None, :], (*tried.shape, u))
            values = least(np.concatenate([repeated, tried[..., None]], axis=-1))
            at = values.argmin(axis=-1)[..., None]
            centre = np.take_along_axis(tried, at, axis=-1)[..., 0]
            best = np.minimum(best, values.min(axis=-1))
            reach /= 8.0
        return best

    return float(least(np.zeros(0)))


def hull(curve: Floats, move: float) -> float:
    """The largest loss of any mixture of two cells with a given mean, over all pairs."""
    grid = moves(curve)
    low, high = np.meshgrid(grid, grid, indexing="ij")
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(high > low, (move - low) / (high - low), 0.0)
    mixed = (1.0 - share) * curve[:, None] + share * curve[None, :]
    return float(np.where((low <= move) & (move <= high), mixed, -np.inf).max())


def common_move(book: Book, sides: Sequence[int]) -> float:
    """M* for R = s s' and k = 0: all underlyings make one move, each to its side."""
    grid = np.unique(np.concatenate([moves(curve) for curve in book.curves]))
    return max(sum(hull(curve, side * move) for curve, side in zip(book.curves, sides, strict=True)) for move in grid)


def joint_moves(matrix: Floats, k: float, per_axis: int) -> Iterator[Floats]:
    """Points in and on the ellipsoids m' A^-1 m <= 1 of A = (1-k) R + k s s', for every s: a grid, and rays' ends."""
    rays = np.random.default_rng(per_axis).normal(size=(20 * per_axis, len(matrix)))
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    axes = np.meshgrid(*[np.linspace(-1.0, 1.0, per_axis)] * len(matrix), indexing="ij")
    points = np.stack([axis.ravel() for axis in axes], axis=1)
    for rest in itertools.product((1.0, -1.0), repeat=len(matrix) - 1):
        sides = np.array([1.0, *rest])
        spread = (1.0 - k) * matrix + k * np.outer(sides, sides)
        inside = np.einsum("ij,jk,ik->i", points, np.linalg.inv(spread), points) <= 1.0
        values, vectors = np.linalg.eigh(spread)
        yield np.concatenate([points[inside], rays @ (np.sqrt(np.maximum(values, 0.0)) * vectors).T])
        if k == 0.0:
            return


def ellipsoid_worst(book: Book, per_axis: int) -> float:
    """The largest sum of interpolated losses over sampled joint moves: a lower bound of the true ellipsoid worst."""
    worst = -math.inf
    for matrix in book.matrices:
        for points in joint_moves(matrix, book.k, per_axis):
            losses = [np.interp(points[:, u], moves(curve), curve) for u, curve in enumerate(book.curves)]
            worst = max(worst, float(np.sum(losses, axis=0).max()))
    return worst


def steepest_gain(book: Book, mean: Floats, seeds: int = 64) -> float:
    """The largest m'w / L(w) found over many hedges: above 1, the mean moves are not in the unit ball of the dual norm.

    Starts are random and the directions A^-1 m; each climbs by the exact gradient with halving steps.
    """
    rng = np.random.default_rng(seeds)
    starts = [*rng.normal(size=(seeds, book.size)), mean, *(np.linalg.pinv(r) @ mean for r in book.matrices)]
    w = np.array([x if x @ mean >= 0.0 else -x for x in starts])
    w = w / np.maximum(cost(book, w), 1e-300)[:, None]
    step = np.full(len(w), 1.0)
    gain = w @ mean
    for _ in range(200):
        which = np.argmax(np.stack([np.sum(w * (w @ r), axis=1) for r in book.matrices]), axis=0)
        slope = (1.0 - book.k) * np.einsum("ijk,ik->ij", book.matrices[which], w)
        slope += book.k * np.abs(w).sum(axis=1, keepdims=True) * np.sign(w)
        tried = w + step[:, None] * (mean - gain[:, None] * slope)
        size = np.maximum(cost(book, tried), 1e-300)
        tried = tried / size[:, None]
        better = tried @ mean > gain
        w = np.where(better[:, None], tried, w)
        step = np.where(better, step * 1.5, step * 0.5)
        gain = w @ mean
    return float(gain.max())
