"""Curves that are summed from rows of a column: below what an account has, wherever the price is within the radius."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from kernels._jit import Floats
from kernels.certificates import book, joint, places, shared, tangents
from tests import certificate_books as books
from tests.unit.kernels.test_joint_certificates import worth
from tests.unit.kernels.test_priced_places import contracts


class Summed(NamedTuple):
    """One place of an account, from rows that were made around the coin's price."""

    coin: books.Coin
    held: books.Held
    scenario: Floats
    tables: Floats
    sums: Floats
    base: Floats

    def true(self, x: float) -> tuple[float, Floats]:
        """Value and P&L by scenario at a price, from nothing, USD."""
        pnl, value, _, _ = self.coin.moved(x).priced()
        return float(self.held.quantity @ value[self.held.rows]), self.held.quantity @ pnl[self.held.rows]

    @property
    def rounding(self) -> float:
        """What sums of prices may be apart, USD."""
        return 1e-10 * float(self.base[shared.SUMMED])


def summed(seed: int) -> Summed | None:
    """A random place, None if some row of it may not be part of a certificate."""
    rng = np.random.default_rng(seed)
    world = books.world(rng, 1)
    coin, held = world.coins[0], books.held(rng, world, 0, int(rng.integers(1, 12)))
    table = coin.table
    scenario = np.array(
        [table.move, table.linear_move, table.vol_direction.astype(float), table.weight, coin.move_number]
    )
    cells = scenario.shape[1]
    tables, center = np.zeros(3 + len(coin.kind) * shared.row_length(cells)), np.array([coin.index, 1.0])
    market = np.concatenate([[coin.index], books.SHOCKS])
    if not shared.have(contracts(coin), held.rows, scenario, market, np.zeros(joint.NOW_FIELDS), center, tables, 3):
        return None
    sums, base = np.empty(shared.SUMS * cells), np.empty(shared.BASE)
    shared.add_up(held.rows, held.quantity, tables, 3, cells, sums, base)
    return Summed(coin, held, scenario, tables, sums, base)


def prices(rng: np.random.Generator) -> Floats:
    """Moves within the radius, its ends among them."""
    ends = [-shared.RADIUS, -shared.WITHIN, 0.0, shared.WITHIN, shared.RADIUS]
    return np.concatenate([ends, rng.uniform(-shared.RADIUS, shared.RADIUS, 6)])


@pytest.mark.parametrize("seed", range(80))
def test_no_scenario_falls_below_the_upper_curves(seed: int) -> None:
    """The least of the curves is what the worst scenario has at the center, and no more than that anywhere else."""
    place, rng = summed(seed), np.random.default_rng(seed)
    if place is None:
        return
    scenario = place.scenario
    c, d = (float(rng.choice([0.7, 0.9, 1.0, 1.25])), 1.0) if rng.random() < 0.9 else (1.0, 0.0)
    w, at = float(rng.normal(0.0, 2e4)), float(rng.uniform(-shared.WITHIN, shared.WITHIN))
    swing = places.reach(c, d, scenario[book.MOVE], scenario[book.WEIGHT]) * place.base[shared.SWINGING] * shared.RADIUS
    out, chosen = np.empty((places.CURVES, scenario.shape[1])), np.empty(scenario.shape[1], dtype=np.int64)
    count, least = shared.upper_curves(place.sums, place.base, scenario, c, d, w, at, swing, chosen, out)
    assert least == pytest.approx(worth(out[:, :count], at).min(), rel=1e-12, abs=place.rounding)
    for x in prices(rng):
        value, pnl = place.true(float(x))
        true = float((c * value + d * (pnl - w * scenario[book.NUMBER])).min())
        found = float(worth(out[:, :count], float(x)).min())
        assert found <= true + place.rounding
        if x == 0.0:
            assert found == pytest.approx(true, abs=place.rounding)


@pytest.mark.parametrize("seed", range(80))
def test_a_frozen_mixture_stays_above_the_lower_curve(seed: int) -> None:
    """Any two scenarios in any mixture are worth no less than their curve, and as much at the center."""
    place, rng = summed(seed), np.random.default_rng(seed)
    if place is None:
        return
    cells = place.scenario.shape[1]
    for _ in range(6):
        c, d = (float(rng.choice([0.7, 0.9, 1.0, 1.25])), 1.0) if rng.random() < 0.9 else (1.0, 0.0)
        first, second = (int(s) for s in rng.integers(cells, size=2))
        share, curve = float(rng.random()), np.empty(places.CURVES)
        shared.lower_curve(
            place.held.rows, place.held.quantity, place.tables, 3, place.sums, place.base, place.scenario, first,
            second, share, c, d, curve,
        )  # fmt: skip
        for x in prices(rng):
            value, pnl = place.true(float(x))
            true = -c * value - d * (share * pnl[first] + (1.0 - share) * pnl[second])
            found = float(worth(curve.reshape(-1, 1), float(x))[0])
            assert found <= true + place.rounding
            if x == 0.0:
                assert found == pytest.approx(true, abs=place.rounding)


@pytest.mark.parametrize("seed", range(40))
def test_sums_of_rows_are_the_curves_of_the_account_itself(seed: int) -> None:
    """At one center and one radius an account's own rows give the same curves, and what it has and moves by."""
    place, rng = summed(seed), np.random.default_rng(seed)
    if place is None:
        return
    coin, held, scenario = place.coin, place.held, place.scenario
    pnl, value, _, _ = coin.priced()
    every = np.arange(scenario.shape[1])
    cells, own, good = coin.tangents(held.rows, shared.RADIUS)
    assert good.all()
    c, d, w = float(rng.choice([0.7, 0.9, 1.25])), 1.0, float(rng.normal(0.0, 2e4))
    theirs, ours = np.empty((places.CURVES, len(every))), np.empty((places.CURVES, len(every)))
    places.upper_curves(
        held.rows, held.quantity, pnl, value, every, cells, own, scenario[book.WEIGHT], scenario[book.NUMBER], c, d, w,
        theirs,
    )  # fmt: skip
    chosen = np.empty(len(every), dtype=np.int64)
    count, _ = shared.upper_curves(place.sums, place.base, scenario, c, d, w, 0.0, np.inf, chosen, ours)
    assert count == len(every)
    assert np.array_equal(chosen, every)
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())
    moving, added, swinging = places.gross(held.rows, held.quantity, value, own)
    assert place.base[[shared.MOVING, shared.SUMMED, shared.SWINGING]] == pytest.approx([moving, added, swinging])
    losses = np.empty(coin.width)
    shared.about_losses(place.sums, scenario, coin.width, 0.0, losses)
    _, exact = place.true(0.0)
    assert losses.max() == pytest.approx(-exact.min(), abs=place.rounding)
    for move in range(coin.width):
        worst = shared.worst_cell(place.sums, scenario, coin.width, move, 0.0)
        assert -exact[worst] == pytest.approx(losses[move], abs=place.rounding)
    kind, drifting = np.empty(len(held.rows), np.int64), np.empty(len(held.rows))
    copied = np.empty((len(held.rows), tangents.VALUE))
    shared.own_rows(held.rows, place.tables, 3, len(every), kind, drifting, copied)
    assert np.array_equal(kind, coin.kind[held.rows])
    assert np.array_equal(copied, own)
