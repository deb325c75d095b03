"""Correlation distance: bounds by hedges and by chords, against an independent solver and closed forms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from kernels import netting_distance
from kernels._jit import Ints
from kernels.netting_distance import Distance
from tests.netting_books import books, correlations, requirement, solve
from tests.netting_oracle import Book, Floats, optimum, upper_bound

BOOKS = 1_000
TOLERANCE = 1e-9


def table(book: Book) -> tuple[Floats, Ints]:
    """Curves as rows of one table, and how much of each is used."""
    counts = np.array([len(curve) for curve in book.curves], dtype=np.int64)
    losses = np.full((book.size, int(counts.max())), np.nan)
    for u, curve in enumerate(book.curves):
        losses[u, : len(curve)] = curve
    return losses, counts


def distance(book: Book, limit: float) -> Distance:
    """Bounds of the smallest k at which a book needs more than a limit."""
    return Distance(*netting_distance.distance(*table(book), np.ascontiguousarray(book.matrices), limit, TOLERANCE))


def frozen(book: Book, w: Floats, limit: float) -> float:
    """The crossing of the limit at fixed hedges."""
    return float(netting_distance.frozen_distance(*table(book), np.ascontiguousarray(book.matrices), w, limit))


def plain(book: Book) -> float:
    """The requirement at k = 1, by definition."""
    return max(0.0, sum(float(curve.max()) for curve in book.curves))


def limits(count: int, seed: int, least_rise: float = 1e-3) -> Iterator[tuple[Book, float, np.random.Generator]]:
    """Books whose requirement rises with k, each with a limit somewhere between k = 0 and k = 1."""
    rng = np.random.default_rng(seed)
    found = 0
    for book in books(4 * count, seed, sizes=(2, 6)):
        low, high = requirement(replace(book, k=0.0)), plain(book)
        if high - low > least_rise * high:
            found += 1
            yield book, low + float(rng.uniform(0.02, 0.98)) * (high - low), rng
        if found == count:
            return


def test_the_requirement_crosses_the_limit_between_the_bounds() -> None:
    """On 1,000 books: at the lower bound at most the limit, at the upper one at least, and both are one number."""
    apart = []
    for book, limit, _ in limits(BOOKS, 31):
        got = distance(book, limit)
        assert 0.0 <= got.least <= got.most <= 1.0
        assert requirement(replace(book, k=got.least)) <= limit * (1.0 + 2.0 * TOLERANCE)
        assert requirement(replace(book, k=got.most)) >= limit * (1.0 - 2.0 * TOLERANCE)
        apart.append(got.most - got.least)
    assert len(apart) == BOOKS
    assert max(apart) < 1e-4
    assert np.quantile(apart, 0.9) <= 1e-8


def test_an_independent_solver_finds_the_same_distance() -> None:
    """Bisection on optima of Clarabel ends where the bounds are, to what its own tolerance leaves of k."""
    for book, limit, _ in limits(60, 32, least_rise=0.02):
        low, high = 0.0, 1.0
        for _ in range(24):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if optimum(replace(book, k=middle))[0] > limit else (middle, high)
        got = distance(book, limit)
        assert low - 1e-4 <= got.least <= got.most <= high + 1e-4


def test_no_hedges_cross_the_limit_later() -> None:
    """The closed form at the hedges of any k, or at any hedges at all, is never above the true distance."""
    near = 0
    for book, limit, rng in limits(BOOKS, 33):
        got = distance(book, limit)
        hedges = [solve(replace(book, k=float(k)))[1] for k in (0.0, book.k, rng.random())]
        scale = max(float(np.abs(curve).max()) for curve in book.curves)
        for w in (*hedges, scale * rng.normal(size=book.size), np.zeros(book.size)):
            at = frozen(book, w, limit)
            # A hedge that never crosses would prove that the requirement does not: only rounding may say so.
            assert at <= got.most + 1e-7 * (got.most > 0.999) + 1e-12 or (math.isnan(at) and got.most > 0.999)
            if 0.0 < at < 1.0:
                along = float(upper_bound(replace(book, k=at), w))
                assert along == pytest.approx(limit, rel=1e-9, abs=1e-9 * scale)
        near += frozen(book, solve(replace(book, k=got.least))[1], limit) > got.least - 1e-6
    assert near > 0.99 * BOOKS


def test_perpetuals_have_a_distance_in_closed_form() -> None:
    """A book of lines is its own hedge: k = (limit^2 - Q) / (G^2 - Q)."""
    rng = np.random.default_rng(34)
    seen = 0
    for book in books(BOOKS, 34, sizes=(2, 6), kinds=("perpetuals",)):
        deltas = np.array([(curve[0] - curve[-1]) / 2.0 for curve in book.curves])
        square, gross = max(float(deltas @ r @ deltas) for r in book.matrices), float(np.abs(deltas).sum())
        if gross - math.sqrt(square) < 1e-3 * gross:
            continue
        seen += 1
        limit = math.sqrt(square) + float(rng.uniform(0.05, 0.95)) * (gross - math.sqrt(square))
        expected = (limit**2 - square) / (gross**2 - square)
        got = distance(book, limit)
        assert got.least == pytest.approx(expected, abs=1e-6)
        assert got.most == pytest.approx(expected, abs=1e-6)
        assert frozen(book, deltas, limit) == pytest.approx(expected, abs=1e-9)
    assert seen > BOOKS // 2


def test_it_grows_with_what_the_account_can_bear() -> None:
    """More equity never brings the distance nearer, and another matrix in the set never takes it away."""
    for book, limit, rng in limits(BOOKS // 2, 35):
        got = distance(book, limit)
        richer = distance(book, limit * (1.0 + float(rng.random())))
        assert math.isnan(richer.most) or richer.most >= got.least - 1e-9
        more = replace(book, matrices=np.concatenate([book.matrices, correlations(rng, book.size, 2)[:1]]))
        assert distance(more, limit).least <= got.most + 1e-9


def test_it_is_zero_or_none_beyond_the_ends() -> None:
    """Breached without any k: 0. Never, up to the plain sum: none. One underlying knows no other cases."""
    for book in books(BOOKS // 2, 36):
        low, high = requirement(replace(book, k=0.0)), plain(book)
        scale = max(float(np.abs(curve).max()) for curve in book.curves)
        assert distance(book, low - 1e-6 * scale)[:2] == (0.0, 0.0)
        assert distance(book, -1.0)[:2] == (0.0, 0.0)
        for limit in (high, high * 1.01, math.inf):
            assert np.isnan(distance(book, limit)[:2]).all()


def test_what_is_no_number_has_no_distance() -> None:
    """A loss or a limit that is no number gives none, at frozen hedges too."""
    book = Book((np.array([3.0, 0.0, -3.0]), np.array([4.0, 0.0, -4.0])), np.array([np.eye(2)]), 0.1)
    broken = replace(book, curves=(book.curves[0], np.array([4.0, math.nan, -4.0])))
    assert np.isnan(distance(book, math.nan)[:2]).all()
    assert np.isnan(distance(broken, 5.5)[:2]).all()
    assert math.isnan(frozen(broken, np.array([3.0, 4.0]), 5.5))
    assert math.isnan(frozen(book, np.array([math.nan, 4.0]), 5.5))
    assert math.isnan(frozen(book, np.array([3.0, 4.0]), math.nan))


def test_shapes_that_do_not_fit_are_refused() -> None:
    """Hedges of another length, even counts and other matrices raise ValueError."""
    losses, counts, matrices = np.zeros((2, 3)), np.array([3, 3]), np.array([np.eye(2)])
    with pytest.raises(ValueError, match="w needs"):
        netting_distance.frozen_distance(losses, counts, matrices, np.zeros(3), 1.0)
    with pytest.raises(ValueError, match="count of moves"):
        netting_distance.distance(losses, np.array([3, 2]), matrices, 1.0, TOLERANCE)
    with pytest.raises(ValueError, match="matrices must"):
        netting_distance.distance(losses + 1.0, counts, np.array([np.eye(3)]), 1.0, TOLERANCE)


def part(book: Book, after: Book) -> float:
    """What matrices and k of the second book change of the first one's requirement."""
    before_of, after_of = np.ascontiguousarray(book.matrices), np.ascontiguousarray(after.matrices)
    return float(netting_distance.correlation_part(*table(book), before_of, book.k, after_of, after.k, TOLERANCE))


def test_the_part_of_correlations_is_the_difference_of_two_optima() -> None:
    """An independent solver finds the same difference; there and back is nothing, and so is one underlying."""
    rng = np.random.default_rng(37)
    for i, book in enumerate(books(200, 37)):
        after = replace(book, matrices=correlations(rng, book.size, 2), k=float(rng.choice([0.0, 0.1, 0.8])))
        size = sum(float(np.abs(curve).max()) for curve in book.curves)
        got = part(book, after)
        assert got == -part(after, book)
        if book.size == 1:
            assert got == 0.0
        if i % 2 == 0:
            expected = max(0.0, optimum(after)[0]) - max(0.0, optimum(book)[0])
            assert got == pytest.approx(expected, abs=2e-7 * size)


def test_more_to_fear_is_never_a_fall() -> None:
    """A set that only grew and a k that only rose never have a negative part."""
    rng = np.random.default_rng(38)
    for book in books(BOOKS // 2, 38):
        more = np.concatenate([book.matrices, correlations(rng, book.size, 2)[:1]])
        after = replace(book, matrices=more, k=min(1.0, book.k + float(rng.uniform(0.0, 0.5))))
        size = sum(float(np.abs(curve).max()) for curve in book.curves)
        assert part(book, after) >= -4e-9 * size
