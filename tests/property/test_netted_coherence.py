"""What model P promises of positions, on 1,000 random portfolios each."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from tests.netted_portfolios import (
    BOOKS,
    CASH_USD,
    TOLERANCE,
    Contract,
    Quantities,
    Universe,
    evaluate,
    gain,
    need,
    quantities,
    random_books,
    with_coin,
)
from tests.netting_books import correlations


def test_cash_shifts_the_excess_one_for_one() -> None:
    """Cash is equity and nothing else: requirements keep their bits, both excesses move by the cash."""
    rng = np.random.default_rng(6)
    for universe, held in random_books(BOOKS, 6):
        cash = float(rng.normal(0.0, 100_000.0))
        before, after = evaluate(universe, held), evaluate(universe, held, CASH_USD + cash)
        assert after.im_components == before.im_components
        assert after.mm_requirement_usd == before.mm_requirement_usd
        for name in ("im_excess_usd", "mm_excess_usd"):
            moved = getattr(after, name) - getattr(before, name)
            assert moved == pytest.approx(cash, abs=1e-9 * (abs(cash) + abs(before.equity_usd) + CASH_USD))


def test_a_scaled_book_needs_as_many_times_as_much() -> None:
    """Positively homogeneous: twice the quantities, twice the requirement to the last bit; any factor, to rounding."""
    rng = np.random.default_rng(7)
    for universe, held in random_books(BOOKS, 7):
        one = need(universe, held)
        assert need(universe, tuple(2.0 * q for q in held)) == 2.0 * one
        factor = float(np.exp(rng.normal(0.0, 3.0)))
        scaled = need(universe, tuple(factor * q for q in held))
        assert scaled == pytest.approx(factor * one, rel=TOLERANCE, abs=1e-9 * factor)


def test_a_book_with_its_mirror_needs_nothing() -> None:
    """Every position held again the other way round in another listing of the same contract: nothing is required."""
    for universe, held in random_books(BOOKS, 8):
        both, mirrored = universe, []
        for u, (coin, q) in enumerate(zip(universe.coins, held, strict=True)):
            again = tuple(c for c in coin.contracts if c.kind != "coin")
            both = with_coin(both, u, replace(coin, contracts=(*coin.contracts, *again)))
            contracts = np.where(np.arange(len(q)) > 0, q, 0.0)
            mirrored.append(np.concatenate([contracts, -contracts[1:]]))
        assert need(both, tuple(mirrored)) == pytest.approx(0.0, abs=1e-8 * CASH_USD / 10.0)


def test_more_scenarios_never_need_less() -> None:
    """Twice as many moves, more moves beyond the range, another matrix: the requirement stays or rises."""
    rng = np.random.default_rng(9)
    for i, (universe, held) in enumerate(random_books(BOOKS, 9)):
        u = int(rng.integers(0, len(universe.coins)))
        coin = universe.coins[u]
        if i % 3 == 0:
            more = with_coin(universe, u, replace(coin, refinement=2 * coin.refinement))
        elif i % 3 == 1:
            beyond = (*coin.shocks.extended_moves, *(float(x) for x in rng.uniform(-0.9, 2.0, 3)))
            shocks = msgspec.structs.replace(coin.shocks, extended_moves=beyond)
            more = with_coin(universe, u, replace(coin, shocks=shocks))
        else:
            other = correlations(rng, len(universe.coins), 2)[:1]
            more = replace(universe, matrices=np.concatenate([universe.matrices, other]))
        assert need(more, held) >= need(universe, held) * (1.0 - TOLERANCE) - 1e-9


def test_the_order_of_positions_and_underlyings_does_not_matter() -> None:
    """Contracts in another order and underlyings under other names: the same requirement, each its own part."""
    rng = np.random.default_rng(10)
    for universe, held in random_books(BOOKS, 10, sizes=(2, 4)):
        order = rng.permutation(len(universe.coins))
        coins, shuffled = [], []
        for u in order:
            coin, rows = universe.coins[u], 1 + rng.permutation(len(universe.coins[u].contracts) - 1)
            rows = np.array([0, *rows])
            coins.append(replace(coin, contracts=tuple(coin.contracts[row] for row in rows)))
            shuffled.append(held[u][rows])
        other = replace(universe, coins=tuple(coins), matrices=universe.matrices[:, order][:, :, order])
        before, after = evaluate(universe, held), evaluate(other, tuple(shuffled))
        size = sum(abs(part.value_usd) for part in before.parts) + before.statistics["plain_sum_usd"]
        assert after.im_requirement_usd == pytest.approx(before.im_requirement_usd, rel=2e-9, abs=1e-12 * size)
        assert after.statistics["plain_sum_usd"] == pytest.approx(before.statistics["plain_sum_usd"], rel=1e-9)


def two_books(count: int, seed: int) -> list[tuple[Universe, Quantities, Quantities, float]]:
    """Universes with two books each and a share."""
    rng = np.random.default_rng(seed + 1)
    return [
        (universe, held, quantities(rng, universe), float(rng.random())) for universe, held in random_books(count, seed)
    ]


def combined(first: Quantities, second: Quantities, weight: float, other: float) -> Quantities:
    """A weighted sum of two books."""
    return tuple(weight * a + other * b for a, b in zip(first, second, strict=True))


def test_two_books_together_need_at_most_their_sum() -> None:
    """Subadditive in positions, on 1,000 pairs of books."""
    for universe, first, second, _ in two_books(BOOKS, 11):
        apart = need(universe, first) + need(universe, second)
        assert need(universe, combined(first, second, 1.0, 1.0)) <= apart * (1.0 + TOLERANCE) + 1e-9


def test_a_mixture_of_books_needs_at_most_the_mixture() -> None:
    """Convex in positions, on 1,000 pairs of books."""
    for universe, first, second, share in two_books(BOOKS, 12):
        apart = share * need(universe, first) + (1.0 - share) * need(universe, second)
        assert need(universe, combined(first, second, share, 1.0 - share)) <= apart * (1.0 + TOLERANCE) + 1e-9


def test_a_position_that_only_loses_never_needs_less() -> None:
    """Monotone: short of an option at the money that is worth nothing any more, which gains in no cell."""
    rng = np.random.default_rng(13)
    for universe, held in random_books(BOOKS, 13):
        u = int(rng.integers(0, len(universe.coins)))
        coin = universe.coins[u]
        short = Contract("linear_option", price=coin.index, strike=coin.index, years=1e-9, vol=1e-3)
        wider = with_coin(universe, u, replace(coin, contracts=(*coin.contracts, short)))
        sold = abs(float(rng.normal())) * 10_000.0 / coin.index
        best = sold * float((-gain(short, wider.coins[u])).max())
        added = tuple(np.append(q, -sold) if v == u else q for v, q in enumerate(held))
        assert best < 1e-3
        assert need(wider, added) >= need(universe, held) * (1.0 - TOLERANCE) - best - 1e-9


def test_a_short_option_pays_back_no_more_than_its_best_gain() -> None:
    """Selling an option lowers the requirement by at most what it gains in its best cell."""
    rng = np.random.default_rng(14)
    lowered = 0
    for universe, held in random_books(BOOKS, 14):
        u = int(rng.integers(0, len(universe.coins)))
        coin = universe.coins[u]
        row = int(rng.integers(3, len(coin.contracts)))
        sold = abs(float(rng.normal())) * 20_000.0 / coin.index
        best = sold * float((-gain(coin.contracts[row], coin)).max())
        more = tuple(q - sold * (np.arange(len(q)) == row) if v == u else q for v, q in enumerate(held))
        before, after = need(universe, held), need(universe, more)
        lowered += after < before
        assert before - after <= best * (1.0 + 1e-9) + TOLERANCE * before + 1e-9
    assert lowered > BOOKS // 20
