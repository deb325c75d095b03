"""What a requirement must be, on 1,000 random books each: coherent, certified, and a limit of simpler rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from kernels import netting, netting_solve
from tests.netting_books import books, correlations, requirement, solve
from tests.netting_oracle import Book, Floats, cost

BOOKS = 1_000


def gross(book: Book) -> float:
    """The size against which rounding is measured."""
    return sum(float(np.abs(curve).max()) for curve in book.curves)


def pairs(count: int, seed: int) -> Iterator[tuple[Book, Book, np.random.Generator]]:
    """Two books on the same underlyings, moves, matrices and k, of the same or of different kinds."""
    rng = np.random.default_rng(seed)
    others = list(books(count, seed + 1, sizes=(6, 6)))
    rng.shuffle(others)
    for first, other in zip(books(count, seed), others, strict=True):
        curves = [
            np.interp(np.linspace(-1, 1, len(one)), np.linspace(-1, 1, len(two)), two)
            for one, two in zip(first.curves, other.curves, strict=False)
        ]
        yield first, replace(first, curves=tuple(curves)), rng


def combined(first: Book, second: Book, weight: float, other: float) -> Book:
    """The book whose losses are a weighted sum, cell by cell."""
    return replace(
        first, curves=tuple(weight * a + other * b for a, b in zip(first.curves, second.curves, strict=True))
    )


def test_two_books_together_need_at_most_their_sum() -> None:
    """Subadditive."""
    for first, second, _ in pairs(BOOKS, 11):
        together = requirement(combined(first, second, 1.0, 1.0))
        apart = requirement(first) + requirement(second)
        assert together <= apart + 3e-9 * apart + 1e-12 * (gross(first) + gross(second))


def test_a_mixture_of_books_needs_at_most_the_mixture() -> None:
    """Convex."""
    for first, second, rng in pairs(BOOKS, 12):
        share = float(rng.random())
        mixed = requirement(combined(first, second, share, 1.0 - share))
        apart = share * requirement(first) + (1.0 - share) * requirement(second)
        assert mixed <= apart + 3e-9 * apart + 1e-12 * (gross(first) + gross(second))


def test_more_loss_in_any_cell_never_needs_less() -> None:
    """Monotone."""
    for first, second, rng in pairs(BOOKS, 13):
        more = tuple(
            a + np.maximum(b, 0.0) * (rng.random(len(b)) < 0.5)
            for a, b in zip(first.curves, second.curves, strict=True)
        )
        higher = replace(first, curves=more)
        assert requirement(higher) >= requirement(first) * (1.0 - 3e-9) - 1e-12 * gross(higher)


def test_the_requirement_scales_with_the_book() -> None:
    """Positively homogeneous: to the last bit for powers of two, to the tolerance for any factor."""
    rng = np.random.default_rng(14)
    for book in books(BOOKS, 14):
        one = requirement(book)
        power, factor = 2.0 ** int(rng.integers(-30, 40)), float(np.exp(rng.normal(0.0, 5.0)))
        assert requirement(combined(book, book, power, 0.0)) == power * one
        scaled = requirement(combined(book, book, factor, 0.0))
        assert scaled == pytest.approx(factor * one, rel=3e-9, abs=1e-12 * factor * gross(book))


def test_the_requirement_changes_by_no_more_than_its_losses() -> None:
    """Lipschitz: by at most the sum of the largest changes of each curve."""
    for first, second, rng in pairs(BOOKS, 15):
        size = 10.0 ** float(rng.uniform(-8.0, 0.0))
        moved = combined(first, second, 1.0, size)
        change = sum(float(np.abs(size * b).max()) for b in second.curves)
        assert abs(requirement(moved) - requirement(first)) <= change + 2e-9 * requirement(first) + 1e-12 * gross(first)


def test_one_underlying_needs_its_largest_loss() -> None:
    """One underlying: the risk matrix, to the last bit."""
    for book in books(BOOKS, 16, sizes=(1, 1)):
        assert requirement(book) == max(0.0, float(book.curves[0].max()))


def test_delta_one_books_need_the_norm_of_their_deltas() -> None:
    """Perpetuals only: the square root of the quadratic form, with the set of matrices and k included."""
    for book in books(BOOKS, 17, kinds=("perpetuals",)):
        deltas = np.array([(curve[0] - curve[-1]) / 2.0 for curve in book.curves])
        assert requirement(book) == pytest.approx(float(cost(book, deltas)), rel=1e-9, abs=1e-13 * gross(book))


def test_perfect_correlation_of_perpetuals_is_the_plain_sum() -> None:
    """R = s s' with deltas on the sides s: the sum of the single requirements; against them: the net."""
    rng = np.random.default_rng(18)
    for book in books(BOOKS, 18, kinds=("perpetuals",)):
        deltas = np.array([(curve[0] - curve[-1]) / 2.0 for curve in book.curves])
        sides = np.where(deltas < 0.0, -1.0, 1.0)
        tied = replace(book, matrices=np.outer(sides, sides)[np.newaxis], k=0.0)
        assert requirement(tied) == pytest.approx(float(np.abs(deltas).sum()), rel=1e-9)
        other = rng.choice([-1.0, 1.0], size=book.size)
        tied = replace(book, matrices=np.outer(other, other)[np.newaxis], k=0.0)
        assert requirement(tied) == pytest.approx(abs(float(other @ deltas)), rel=1e-9, abs=1e-12 * gross(book))


def test_without_any_trust_in_correlation_it_is_the_plain_sum() -> None:
    """At k = 1 nothing is netted: the sum of the largest losses."""
    for book in books(BOOKS, 19):
        total = sum(float(curve.max()) for curve in book.curves)
        assert requirement(replace(book, k=1.0)) == pytest.approx(max(0.0, total), rel=1e-9, abs=1e-13 * gross(book))


def test_the_requirement_lies_between_no_move_and_the_plain_sum() -> None:
    """At least the losses without a move, at most the sum of the largest losses."""
    for book in books(BOOKS, 20):
        got = requirement(book)
        assert got <= sum(float(curve.max()) for curve in book.curves) * (1.0 + 1e-9) + 1e-13 * gross(book)
        assert got >= sum(float(curve[len(curve) // 2]) for curve in book.curves) - 1e-13 * gross(book)


def test_another_matrix_in_the_set_never_needs_less() -> None:
    """More correlations to fear: the requirement stays or rises, and it is never below a single matrix'."""
    rng = np.random.default_rng(21)
    for book in books(BOOKS, 21):
        more = replace(book, matrices=np.concatenate([book.matrices, correlations(rng, book.size, 2)[:1]]))
        assert requirement(more) >= requirement(book) * (1.0 - 3e-9) - 1e-12 * gross(book)


def test_the_requirement_is_concave_and_never_falls_in_k() -> None:
    """Along k from 0 to 1 the requirement never falls and its growth never rises."""
    grid = np.linspace(0.0, 1.0, 9)
    for book in books(BOOKS, 22):
        curve = np.array([requirement(replace(book, k=float(k))) for k in grid])
        slack = 3e-9 * curve.max() + 1e-12 * gross(book)
        assert (np.diff(curve) >= -slack).all()
        assert (np.diff(curve, 2) <= 2.0 * slack).all()


def test_the_order_of_underlyings_does_not_matter() -> None:
    """Renumbered underlyings need the same, to the tolerance."""
    rng = np.random.default_rng(23)
    for book in books(BOOKS, 23, sizes=(2, 6)):
        order = rng.permutation(book.size)
        matrices = book.matrices[:, order][:, :, order]
        other = replace(book, curves=tuple(book.curves[u] for u in order), matrices=matrices)
        assert requirement(other) == pytest.approx(requirement(book), rel=2e-9, abs=1e-12 * gross(book))


def test_a_mirrored_market_needs_the_same() -> None:
    """Falls and rises exchanged in every underlying: the same requirement, opposite hedges."""
    for book in books(BOOKS, 24):
        mirrored = replace(book, curves=tuple(curve[::-1] for curve in book.curves))
        assert requirement(mirrored) == pytest.approx(requirement(book), rel=2e-9, abs=1e-12 * gross(book))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e12])
def test_extreme_books_are_solved(scale: float) -> None:
    """Singular matrices, equal or opposite underlyings, empty and tiny curves, one-sided losses: gap closed, k = 0."""
    rng = np.random.default_rng(25)
    for i, book in enumerate(books(BOOKS // 4, 25, sizes=(2, 8))):
        curves: list[Floats] = [scale * curve for curve in book.curves]
        sides = rng.choice([-1.0, 1.0], size=book.size)
        matrices = book.matrices.copy()
        match i % 6:
            case 0:
                matrices = np.outer(sides, sides)[np.newaxis]
            case 1:
                curves[0] = curves[1].copy()
                matrices[:, 0], matrices[:, :, 0] = matrices[:, 1], matrices[:, :, 1]
                matrices[:, 0, 0] = 1.0
            case 2:
                curves[0], matrices = -curves[1], np.ones((1, book.size, book.size))
            case 3:
                curves[0] = curves[0] * 1e-12
            case 4:
                curves[0] = curves[0] * 0.0
            case _:
                curves = [np.maximum(0.0, curve) * (np.linspace(-1, 1, len(curve)) < 0) for curve in curves]
        solution = solve(Book(tuple(curves), matrices, float(rng.choice([0.0, 1e-9, 0.1]))))[0]
        assert solution.status == netting_solve.SOLVED


def test_a_solve_bounds_every_later_requirement() -> None:
    """While matrices and k stay, hedge and mixtures of one solve enclose the requirement of any other losses."""
    for first, second, rng in pairs(BOOKS, 26):
        _, w, duals, _ = solve(first)
        later = combined(first, second, 1.0, float(rng.choice([0.0, 1e-3, 0.1, 1.0])))
        upper = netting.norm(w, np.ascontiguousarray(first.matrices), first.k)
        upper += sum(netting.residual(curve, float(w[u])) for u, curve in enumerate(later.curves))
        lower = sum(float(duals[u, : len(curve)] @ curve) for u, curve in enumerate(later.curves))
        truth = solve(later)[0]
        slack = 1e-12 * gross(later)
        assert truth.lower_bound <= upper + slack
        assert lower <= truth.requirement + slack
