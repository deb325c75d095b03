"""Model P of a portfolio: what it says where something is missing, and of correlations that changed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from monitor.models.netted import Solution, block, correlation_part, distance, margin, solve
from monitor.models.portfolio import Correlations, Portfolio
from schemas.parameters import RiskMatrixParameters
from tests.netted_portfolios import Coin, Contract, Quantities, Universe, portfolio

RANGES = {"BTC": 0.16, "ETH": 0.25}
HELD: Quantities = (np.array([0.0, 1.0]), np.array([0.0, -2.0]))  # loses 16,000 and 10,000 at the ends of the ranges


def perpetuals(*rhos: float, k: float = 0.0, refinement: int = 1) -> Universe:
    """Two coins with a perpetual each, at 100,000 and at 20,000 USD."""
    coins = tuple(
        Coin(name, index, RiskMatrixParameters(price_range=RANGES[name]),
             (Contract("coin"), Contract("linear", price=index)), refinement)
        for name, index in (("BTC", 100_000.0), ("ETH", 20_000.0))
    )  # fmt: skip
    return Universe(coins, np.array([[[1.0, rho], [rho, 1.0]] for rho in rhos]), k)


def solution(universe: Universe, held: Quantities = HELD) -> Solution:
    """The solve of a book."""
    book = portfolio(universe, held)
    losses = [block(one, universe.parameters.of(one.name)).losses_usd for one in book.underlyings]
    return solve(losses, book.correlations.matrices, book.correlations.stress)


def test_hedged_perpetuals_by_hand() -> None:
    """Long 16 and short 10 thousand at correlation 0.8: sqrt(256 + 100 - 256); all of it netted, none of it left."""
    got = margin(portfolio(perpetuals(0.8), HELD), perpetuals(0.8).parameters, "hash")
    assert got.im_requirement_usd == pytest.approx(10_000.0, rel=1e-9)
    assert got.mm_components["netted"] == pytest.approx(8_000.0, rel=1e-9)
    assert got.im_components["residual"] == pytest.approx(0.0, abs=1e-5)
    assert got.statistics["plain_sum_usd"] == pytest.approx(26_000.0)
    assert got.equity_usd == 25_000.0 + 100_000.0 - 40_000.0
    assert (got.model, got.parameter_hash, got.flags, got.degraded) == ("P", "hash", (), ())


def test_the_distance_by_hand() -> None:
    """Equity of 14,400 bears M* = 18,000: k = (18^2 - 10^2) / (26^2 - 10^2); rich accounts have none, broke ones 0."""
    universe = perpetuals(0.8)
    expected = (18.0**2 - 100.0) / (26.0**2 - 100.0)
    got = margin(portfolio(universe, HELD, 14_400.0 - 60_000.0), universe.parameters, "hash")
    assert got.statistics["correlation_distance"] == pytest.approx(expected, abs=1e-8)
    assert got.statistics["frozen_distance"] == pytest.approx(expected, abs=1e-8)
    rich = margin(portfolio(universe, HELD, 26_000.0 - 60_000.0), universe.parameters, "hash")
    assert "correlation_distance" not in rich.statistics
    broke = margin(portfolio(universe, HELD, -70_000.0), universe.parameters, "hash")
    assert broke.statistics["correlation_distance"] == broke.statistics["frozen_distance"] == 0.0
    assert distance(solution(universe), 18_000.0).most == pytest.approx(expected, abs=1e-8)


def test_correlations_that_fall_cost_a_hedged_book() -> None:
    """From 0.8 to one half: sqrt(256 + 100 - 160) thousand less 10 thousand, at the same prices."""
    before = Correlations(("fast",), perpetuals(0.8).matrices, 0.0, version=1)
    after = perpetuals(0.8, 0.5)
    assert correlation_part(solution(after), 0.0, before) == pytest.approx(4_000.0, rel=1e-8)
    stressed = correlation_part(solution(perpetuals(0.8, k=0.5)), 0.5, before)
    assert stressed == pytest.approx(1_000.0 * math.sqrt(0.5 * 100.0 + 0.5 * 676.0) - 10_000.0, rel=1e-8)


def test_a_portfolio_of_nothing_needs_nothing() -> None:
    """Cash alone: no requirement, no worst case, no distance, and no part of correlations."""
    empty = Portfolio("a", 1, 500.0, (), Correlations(("floor",), np.zeros((1, 0, 0)), 0.1))
    got = margin(empty, perpetuals(0.5).parameters, "hash")
    assert (got.equity_usd, got.im_requirement_usd, got.mm_requirement_usd) == (500.0, 0.0, 0.0)
    assert (got.worst, got.parts, got.degraded) == ((), (), ())
    assert "correlation_distance" not in got.statistics
    nothing = solve([], empty.correlations.matrices, 0.1)
    assert correlation_part(nothing, 0.1, empty.correlations) == 0.0


def test_what_is_missing_is_told() -> None:
    """No price: NaN with the reason. Nothing estimated, or a holding past its expiry: figures, and the reason."""
    universe = perpetuals(0.5)
    book = portfolio(universe, HELD)
    dark = replace(book.underlyings[1], index_price=math.nan)
    got = margin(replace(book, underlyings=(book.underlyings[0], dark)), universe.parameters, "hash")
    assert not got.computed
    assert math.isnan(got.im_requirement_usd)
    assert got.degraded == ("no_price:ETH",)
    assumed = replace(book, correlations=replace(book.correlations, version=0), unsettled=("ETH-1",))
    got = margin(assumed, universe.parameters, "hash")
    assert got.computed
    assert got.degraded == ("assumed_correlations", "unsettled:ETH-1")
    single = Correlations(("floor",), np.ones((1, 1, 1)), 0.1)
    alone = replace(assumed, unsettled=(), underlyings=book.underlyings[:1], correlations=single)
    assert margin(alone, universe.parameters, "hash").degraded == ()


def test_losses_that_are_no_number_are_told() -> None:
    """A value without scenarios (a forward is missing) gives no figure, and names the underlying."""
    universe = perpetuals(0.5)
    book = portfolio(universe, HELD)
    rows = book.underlyings[1].rows._replace(forward=np.array([1.0, math.nan]))
    broken = replace(book.underlyings[1], rows=rows)
    got = margin(replace(book, underlyings=(book.underlyings[0], broken)), universe.parameters, "hash")
    assert not got.computed
    assert got.degraded == ("no_losses:ETH",)


def test_moves_and_ranges_in_force_come_from_the_portfolio() -> None:
    """Twice the refinement, twice the moves; a range of 0.3 in force instead of the parameters' 0.16."""
    universe = perpetuals(0.5, refinement=2)
    assert len(solution(universe).losses[0]) == 17
    bitcoin = replace(portfolio(universe, HELD).underlyings[0], price_range=0.3)
    assert block(bitcoin, universe.parameters.of("BTC")).losses_usd[0] == pytest.approx(30_000.0)
