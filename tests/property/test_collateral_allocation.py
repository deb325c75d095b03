from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.answers.collateral import Asset, CannotAllocate, Venue, Weights, allocate

USDC, BTC = Asset("USDC", 100_000.0, 1.0), Asset("BTC", 2.0, 60_000.0)
HAIRCUTS = {"USDC": 0.0, "BTC": 0.2}


def objective(
    venues: list[Venue], assets: list[Asset], units: np.ndarray, weights: Weights
) -> float:  # what allocate minimises, from its definition
    need = [v.requirement_usd * (1.0 + v.buffer) - v.equity_usd for v in venues]
    unit = max(1.0, *(abs(x) for x in need), *(a.units * a.value_usd for a in assets))
    total = 0.0
    for i, venue in enumerate(venues):
        counted = sum((1 - venue.haircuts.get(a.name, 1.0)) * a.value_usd * units[i, j] for j, a in enumerate(assets))
        short = max(0.0, need[i] - counted) / unit
        total += weights.shortfall * short + weights.shortfall_squared * short**2
        for j, a in enumerate(assets):
            held, moved = a.value_usd * units[i, j] / unit, units[i, j] - venue.now.get(a.name, 0.0)
            total += venue.cost_rate.get(a.name, 0.0) * held + weights.moving * (a.value_usd * moved / unit) ** 2
    return total


def random_case(dice: np.random.Generator) -> tuple[list[Venue], list[Asset]]:
    """Two to four venues and one to three assets, with locks, buffers and costs."""
    assets = [
        Asset(f"a{j}", float(dice.uniform(1.0, 50.0)), float(dice.uniform(1.0, 2_000.0)))
        for j in range(int(dice.integers(1, 4)))
    ]
    count = int(dice.integers(2, 5))
    venues = []
    for i in range(count):
        now = {a.name: float(dice.uniform(0.0, a.units / count)) for a in assets}
        venues.append(
            Venue(
                f"v{i}", float(dice.uniform(0.0, 30_000.0)), float(dice.uniform(-5_000.0, 10_000.0)),
                {a.name: float(dice.uniform(0.0, 0.5)) for a in assets if dice.random() < 0.9},
                buffer=float(dice.uniform(0.0, 0.2)), now=now,
                locked={name: units * float(dice.random() < 0.2) for name, units in now.items()},
                cost_rate={a.name: float(dice.uniform(0.0, 0.02)) for a in assets},
            )
        )  # fmt: skip
    return venues, assets


def test_no_allocation_nearby_or_at_random_is_better() -> None:
    """Of 60 random cases none has a feasible allocation, near the answer or far from it, with a smaller objective."""
    dice = np.random.default_rng(1)
    for _ in range(60):
        venues, assets = random_case(dice)
        found = allocate(venues, assets)
        best = np.array([[found.units[v.name][a.name] for a in assets] for v in venues])
        total = np.array([a.units for a in assets])
        locked = np.array([[v.locked.get(a.name, 0.0) for a in assets] for v in venues])
        assert (best.sum(axis=0) <= total * (1.0 + 1e-6)).all()
        assert (best >= locked).all()
        least = objective(venues, assets, best, Weights())
        for _ in range(40):
            wide = dice.dirichlet(np.ones(len(venues) + 1), size=len(assets)).T[:-1] * (total - locked.sum(axis=0))
            other = locked + wide
            for share in (1.0, 0.1, 0.001):
                tried = (1.0 - share) * best + share * other
                assert objective(venues, assets, tried, Weights()) >= least - 1e-7


def test_what_is_needed_goes_where_it_is_short() -> None:
    """Enough collateral leaves no shortfall, and a venue that has what it needs is left alone."""
    venues = [
        Venue("a", 50_000.0, 10_000.0, HAIRCUTS, now={"USDC": 0.0}),
        Venue("b", 20_000.0, 0.0, HAIRCUTS, now={"USDC": 20_000.0}),
    ]
    found = allocate(venues, [USDC, BTC], Weights(shortfall=100.0))
    assert all(short < 0.01 for short in found.shortfall_usd.values())
    worth = found.units["a"]["USDC"] + 0.8 * 60_000.0 * found.units["a"]["BTC"]
    assert math.isclose(worth, 40_000.0, rel_tol=1e-6)
    assert found.moves["b"] == {}


def test_a_shortage_is_spread() -> None:
    """What is not enough for two equal venues leaves both the same shortfall."""
    venues = [Venue(name, 100_000.0, 0.0, {"USDC": 0.0}) for name in ("a", "b")]
    found = allocate(venues, [USDC])
    assert math.isclose(found.shortfall_usd["a"], 50_000.0, rel_tol=1e-6)
    assert math.isclose(found.shortfall_usd["b"], 50_000.0, rel_tol=1e-6)
    assert found.price["a"] > 1.0


def test_locked_collateral_stays() -> None:
    """Units that are locked at a venue are not moved though they are needed elsewhere."""
    venues = [
        Venue("a", 0.0, 0.0, HAIRCUTS, now={"USDC": 60_000.0}, locked={"USDC": 60_000.0}),
        Venue("b", 100_000.0, 0.0, HAIRCUTS),
    ]
    found = allocate(venues, [USDC], Weights(shortfall=100.0))
    assert found.units["a"]["USDC"] >= 60_000.0
    assert math.isclose(found.shortfall_usd["b"], 60_000.0, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("venue", "reason"),
    [
        (Venue("a", math.nan, 0.0, HAIRCUTS), "not finite"),
        (Venue("a", 1.0, 0.0, {"USDC": 1.5}), "haircut of a"),
        (Venue("a", 1.0, 0.0, HAIRCUTS, locked={"USDC": 1e6}), "are locked"),
    ],
)
def test_impossible_figures_are_refused(venue: Venue, reason: str) -> None:
    """Figures that no allocation can meet are refused by what is wrong with them."""
    with pytest.raises(CannotAllocate, match=reason):
        allocate([venue], [USDC])
