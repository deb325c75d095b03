"""The requirement of model P against solvers, searches and worst cases that share no function with the kernels."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import netting_solve
from tests.netting_books import KINDS, books, descended, requirement, solve
from tests.netting_oracle import (
    Book,
    common_move,
    ellipsoid_worst,
    moves,
    optimum,
    search,
    steepest_gain,
    upper_bound,
)


def test_every_requirement_is_certified() -> None:
    """On 1,000 books hedge and mixtures are what they claim: both bounds by definition, and a gap of at most 1e-9."""
    for book in books(1_000, seed=1):
        solution, w, duals, weight = solve(book)
        gross = sum(float(np.abs(curve).max()) for curve in book.curves)
        assert solution.status == netting_solve.SOLVED
        assert solution.requirement == pytest.approx(float(upper_bound(book, w)), rel=1e-12, abs=1e-12 * gross)
        below = sum(float(duals[u, : len(curve)] @ curve) for u, curve in enumerate(book.curves))
        assert solution.lower_bound == pytest.approx(below, rel=1e-12, abs=1e-12 * gross)
        assert (duals >= 0.0).all()
        assert duals.sum(axis=1) == pytest.approx(np.ones(book.size), rel=1e-14)
        assert weight.sum() == pytest.approx(1.0, rel=1e-14)
        assert solution.requirement - solution.lower_bound <= max(1e-9 * solution.requirement, 1e-12 * gross)


def test_the_descent_alone_bounds_every_requirement() -> None:
    """On 1,000 books its bounds are what hedge and mixtures claim by definition, around the requirement; most meet."""
    open_books = 0
    for book in books(1_000, seed=7):
        (high, low), w, duals = descended(book)
        got, gross = requirement(book), sum(float(np.abs(curve).max()) for curve in book.curves)
        assert high == pytest.approx(max(0.0, float(upper_bound(book, w))), rel=1e-12, abs=1e-12 * gross)
        assert high >= got - 1e-12 * gross
        if low > -np.inf:
            below = sum(float(duals[u, : len(curve)] @ curve) for u, curve in enumerate(book.curves))
            assert low == pytest.approx(below, rel=1e-12, abs=1e-12 * gross)
            assert low <= got + 1e-12 * gross
        open_books += high - low > max(1e-9 * high, 1e-12 * gross)
    assert open_books < 250


def test_moves_of_the_descent_gain_no_more_than_they_cost() -> None:
    """The mean moves of its mixtures lie in the unit ball of the dual norm, whether bounds meet or not."""
    found = 0
    for book in books(90, seed=8, sizes=(2, 6)):
        (_, low), _, duals = descended(book)
        mean = np.array([duals[u, : len(curve)] @ moves(curve) for u, curve in enumerate(book.curves)])
        if low > -np.inf:
            assert steepest_gain(book, mean) <= 1.0 + 1e-12
            found += 1
    assert found > 60


def test_no_hedge_gains_more_than_it_costs() -> None:
    """The mean moves of the mixtures lie in the unit ball of the dual norm: no direction climbs above 1."""
    for book in books(60, seed=2, sizes=(2, 6)):
        duals = solve(book)[2]
        mean = np.array([duals[u, : len(curve)] @ moves(curve) for u, curve in enumerate(book.curves)])
        assert steepest_gain(book, mean) <= 1.0 + 1e-12


def test_the_requirement_is_the_optimum_of_an_independent_solver() -> None:
    """Clarabel finds the same minimum on 1,000 books, to 1e-8 (1e-7 where it is unsure), and never a better hedge."""
    unsure = 0
    for book in books(1_000, seed=3):
        gross = sum(float(np.abs(curve).max()) for curve in book.curves)
        got = requirement(book)
        value, w, solved = optimum(book)
        unsure += not solved
        assert got == pytest.approx(value, rel=1e-8 if solved else 1e-7, abs=1e-9 * gross)
        assert got <= upper_bound(book, w) * (1.0 + 1e-9) + 1e-12 * gross
    assert unsure < 250


@pytest.mark.parametrize(("count", "size"), [(120, 2), (1, 3)])
def test_the_requirement_is_the_minimum_by_search(count: int, size: int) -> None:
    """Nested searches on the definition find the same minimum, to 1e-8."""
    for book in books(count, seed=4, sizes=(size, size), kinds=KINDS if size == 2 else ("options",)):
        gross = sum(float(np.abs(curve).max()) for curve in book.curves)
        assert requirement(book) == pytest.approx(search(book), rel=1e-8, abs=1e-8 * gross)


@pytest.mark.parametrize(("sizes", "per_axis"), [((2, 2), 161), ((3, 3), 25)])
def test_no_joint_move_of_the_ellipsoid_loses_more(sizes: tuple[int, int], per_axis: int) -> None:
    """The requirement is at least the loss of every sampled joint move of the ellipsoids."""
    for book in books(120, seed=5, sizes=sizes):
        gross = sum(float(np.abs(curve).max()) for curve in book.curves)
        assert requirement(book) >= ellipsoid_worst(book, per_axis) - 1e-12 * gross


def test_perfect_correlation_is_one_common_move() -> None:
    """With R = s s' and k = 0 the requirement is the worst common move of the summed hulls."""
    rng = np.random.default_rng(6)
    for book in books(120, seed=6, sizes=(2, 4)):
        sides = rng.choice([-1, 1], size=book.size)
        tied = Book(book.curves, np.outer(sides, sides)[np.newaxis].astype(np.float64), 0.0)
        gross = sum(float(np.abs(curve).max()) for curve in book.curves)
        assert requirement(tied) == pytest.approx(
            common_move(tied, [int(s) for s in sides]), rel=1e-9, abs=1e-11 * gross
        )


def test_two_short_strangles_are_the_known_cost() -> None:
    """Convexity is not netted: two equal short strangles need their sum, sqrt(2) and more above the ellipsoid."""
    m = np.linspace(-1.0, 1.0, 33)
    curve = np.maximum(0.0, np.abs(m) - 0.4)
    book = Book((curve, curve), np.array([np.eye(2)]), 0.0)
    assert requirement(book) == pytest.approx(1.2, rel=1e-12)
    assert requirement(book) / ellipsoid_worst(book, 801) > 1.4
