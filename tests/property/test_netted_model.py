"""Model P of whole portfolios, against losses and optima that share no function with the kernels."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from monitor.models.netted import block
from tests.netted_portfolios import (
    BOOKS,
    CASH_USD,
    TOLERANCE,
    book,
    evaluate,
    gains,
    gross,
    need,
    portfolio,
    random_books,
    with_coin,
)
from tests.netting_oracle import Book, moves, optimum


def test_losses_are_those_of_the_definition() -> None:
    """On 1,000 books every curve is the one that plain floats make of the published cells."""
    for universe, held in random_books(BOOKS, 1):
        expected = book(universe, held)
        for underlying, curve in zip(portfolio(universe, held).underlyings, expected.curves, strict=True):
            losses = block(underlying, universe.parameters.of(underlying.name)).losses_usd
            assert losses == pytest.approx(curve, rel=1e-9, abs=1e-11 * CASH_USD + 1e-11 * float(np.abs(curve).max()))


def test_requirements_are_the_optima_of_an_independent_solver() -> None:
    """Of 250 books, losses and optimum both found without the kernels."""
    for universe, held in random_books(250, 2):
        expected = book(universe, held)
        value, _, solved = optimum(expected)
        assert need(universe, held) == pytest.approx(
            max(0.0, value), rel=1e-8 if solved else 1e-7, abs=1e-8 * gross(expected) + 1e-9
        )


def test_figures_add_up() -> None:
    """Components sum to both requirements, parts and the losses of the worst mixture to the initial one."""
    for universe, held in random_books(BOOKS, 3):
        got, expected = evaluate(universe, held), book(universe, held)
        size = gross(expected)
        assert got.mm_requirement_usd == 0.8 * got.im_requirement_usd
        assert sum(got.im_components.values()) == pytest.approx(got.im_requirement_usd, abs=1e-13 * size)
        assert sum(got.mm_components.values()) == pytest.approx(got.mm_requirement_usd, abs=1e-13 * size)
        need_usd = pytest.approx(got.im_requirement_usd, rel=2e-9, abs=1e-11 * size)
        assert sum(part.im_usd for part in got.parts) == need_usd
        assert -sum(cell.weight * cell.pnl_usd for cell in got.worst) == need_usd
        assert got.equity_usd == pytest.approx(CASH_USD + sum(part.value_usd for part in got.parts), rel=1e-12)
        assert 0.0 <= got.statistics["gap_usd"] <= 1e-9 * got.im_requirement_usd + 1e-12 * size
        weights = [value for name, value in got.statistics.items() if name.startswith("matrix_weight:")]
        assert sum(weights) == pytest.approx(1.0, rel=1e-12)


def test_the_hedges_are_what_perpetuals_would_do() -> None:
    """A book of perpetuals has no residual: all of it can be hedged, and all of it is netted."""
    for universe, held in random_books(BOOKS, 5):
        linear = tuple(np.where(np.arange(len(q)) < 2, q, 0.0) for q in held)
        got = evaluate(universe, linear)
        deltas = np.array(
            [
                -coin.shocks.price_range
                * sum(n * value for n, value in zip(q[:2], (coin.index, one.price), strict=True))
                for coin, q in zip(universe.coins, linear, strict=True)
                for one in coin.contracts[1:2]
            ]
        )
        size = float(np.abs(deltas).sum())
        if len(deltas) > 1:
            assert got.im_components["residual"] == pytest.approx(0.0, abs=1e-9 * size)
            quadratic = max(float(deltas @ r @ deltas) for r in universe.matrices)
            root = math.sqrt((1.0 - universe.k) * max(0.0, quadratic) + universe.k * size**2)
            assert got.im_components["netted"] == pytest.approx(root, rel=1e-8, abs=1e-9 * size)


def test_one_underlying_needs_the_worst_cell_of_model_a() -> None:
    """With one underlying the requirement is the risk matrix on model A's own grid."""
    for universe, held in random_books(BOOKS, 15, sizes=(1, 1)):
        alone = with_coin(universe, 0, replace(universe.coins[0], refinement=1))
        worst = float((held[0] @ gains(alone.coins[0])).min())
        got = evaluate(alone, held)
        assert got.im_requirement_usd == pytest.approx(max(0.0, -worst), rel=1e-9, abs=1e-8)
        assert got.im_components == {"netted": 0.0, "residual": got.im_requirement_usd}


def test_without_any_trust_in_correlation_it_is_the_plain_sum() -> None:
    """At k = 1 the requirement is the sum of the worst cells of each underlying."""
    for universe, held in random_books(BOOKS, 16):
        plain = replace(universe, k=1.0)
        pnl = [q @ gains(coin) for q, coin in zip(held, plain.coins, strict=True)]
        total = sum(max(0.0, -float(one.min())) for one in pnl)
        got = evaluate(plain, held)
        assert got.im_requirement_usd == pytest.approx(total, rel=1e-8, abs=1e-8)
        assert got.statistics["plain_sum_usd"] == pytest.approx(total, rel=1e-9, abs=1e-8)


def ellipsoid_on_grid(one: Book) -> float:
    """The largest summed loss over all joint moves of the grid inside the ellipsoid of any matrix of the set."""
    grids = [moves(curve) for curve in one.curves]
    joint = np.array(list(itertools.product(*grids)))
    lost = np.zeros(1)
    for curve in one.curves:
        lost = (lost[:, None] + curve[None, :]).ravel()
    worst = -math.inf
    for matrix in one.matrices:
        inside = np.einsum("ij,jk,ik->i", joint, np.linalg.inv(matrix), joint) <= 1.0
        worst = max(worst, float(lost[inside].max()))
    return worst


def test_no_joint_move_of_the_grid_inside_the_ellipsoid_loses_more() -> None:
    """On 1,000 books the requirement is at least the largest loss of every joint grid move in the ellipsoids."""
    found = 0
    for universe, held in random_books(BOOKS, 17, sizes=(2, 3)):
        coarse = replace(universe, coins=tuple(replace(coin, refinement=1) for coin in universe.coins))
        expected = book(coarse, held)
        worst = ellipsoid_on_grid(expected)
        got = need(coarse, held)
        found += worst > 0.5 * got
        assert got >= worst * (1.0 - 1e-9) - 1e-9 * gross(expected) - 1e-9
    assert found > BOOKS // 2


def test_the_distance_is_where_maintenance_meets_equity() -> None:
    """At k* the maintenance requirement is equity, below it less, and hedges of now never see it later."""
    met = 0
    for universe, held in random_books(BOOKS // 4, 18, sizes=(2, 4)):
        without = evaluate(replace(universe, k=0.0), held).mm_requirement_usd
        plain = 0.8 * evaluate(universe, held).statistics["plain_sum_usd"]
        worth = evaluate(universe, held, 0.0).equity_usd
        target = without + 0.4 * (plain - without)
        got = evaluate(universe, held, target - worth)
        if plain - without <= 1e-4 * plain:
            continue
        met += 1
        k = got.statistics["correlation_distance"]
        assert 0.0 <= got.statistics["frozen_distance"] <= k + 1e-6
        assert k <= 1.0
        at = evaluate(replace(universe, k=k), held).mm_requirement_usd
        assert at == pytest.approx(got.equity_usd, rel=1e-7)
        assert evaluate(replace(universe, k=0.99 * k), held).mm_requirement_usd <= got.equity_usd * (1.0 + TOLERANCE)
    assert met > BOOKS // 8
