"""Certificates of model A: inside the intervals scan, roll and delta shock leave the conditions as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import accounts, risk_matrix
from kernels._jit import Floats, Ints
from kernels.certificates import account, charges, conditions, places
from tests.certificate_books import BITS, MM_FACTOR, THRESHOLDS, Account, Certificate, Held, World, held, world

RATE, LEAST_RATE = 0.075, 0.01


def groups_of(of: World, h: Held) -> tuple[Ints, Floats]:
    """Each row's expiry group (the coin has none, futures one each) and the rates of all groups."""
    years = of.coins[h.coin].years
    group = np.arange(len(years), dtype=np.int64) - 1
    expiries = np.unique(years[5:])
    group[5:] = 4 + np.searchsorted(expiries, years[5:])
    rates = np.maximum(LEAST_RATE, RATE * np.concatenate([np.zeros(4), expiries]))
    return group, rates


def evaluate(of: World, h: Held, limit_usd: float) -> tuple[Floats, int, Floats]:
    """Value, scan, roll, shock and delta of one place, its worst scenario, and its inputs."""
    c = of.coins[h.coin]
    pnl, value, delta, market_delta = c.priced()
    group, rates = groups_of(of, h)
    out, worst = np.empty((5, 1)), np.empty(1, dtype=np.int64)
    indptr = np.array([0, len(h.rows)], dtype=np.int64)
    risk_matrix.evaluate(
        indptr, h.rows, h.quantity, pnl, value, delta, market_delta, group, rates, c.index, 1e-6 * c.index, limit_usd,
        0.1, out[0], out[1], worst, out[2], out[3], out[4],
    )  # fmt: skip
    return out[:, 0], int(worst[0]), delta


def figures(of: World, found: Account, limit_usd: float) -> tuple[float, float, int]:
    """Equity, IM and bits of one account, from nothing."""
    parts = [evaluate(of, h, limit_usd)[0] for h in found.held]
    equity, im = found.cash + sum(p[0] for p in parts), sum(p[1] + p[2] + p[3] for p in parts)
    return equity, im, accounts.conditions(equity, im, MM_FACTOR * im, True, False, THRESHOLDS, BITS)


def certify(of: World, found: Account, limit_usd: float, radius: float) -> Certificate | None:
    """The certificate of one account under model A, put together as a caller of the kernels does."""
    equity, im, _ = figures(of, found, limit_usd)
    ratio, multiplier = np.empty(6), np.empty(4)
    conditions.ratios(THRESHOLDS, MM_FACTOR, ratio)
    if not conditions.constraints(equity, im, ratio, multiplier):
        return None
    count = len(found.held)
    widest = max(len(of.coins[h.coin].table.move) for h in found.held)
    upper, lower = np.zeros((count, 4, widest)), np.zeros((count, 4, 1))
    scenario_count, moving, summed = np.empty(count, dtype=np.int64), np.empty(count), abs(found.cash)
    for u, h in enumerate(found.held):
        c = of.coins[h.coin]
        cells, own, good = c.tangents(h.rows, radius)
        if not good.all():
            return None
        pnl, value, _, _ = c.priced()
        (_, _, roll, shock, _), worst, delta = evaluate(of, h, limit_usd)
        moving[u], one, _ = places.gross(h.rows, h.quantity, value, own)
        summed += one
        group, rates = groups_of(of, h)
        steep = charges.roll_slope(h.rows, h.quantity, own, group, rates) + charges.shock_slope(
            h.rows, h.quantity, delta, own, c.index, 1e-6 * c.index, limit_usd, 0.1, radius
        )
        scenario = np.arange(len(c.table.move))
        scenario_count[u] = len(scenario)
        part = np.zeros((4, len(scenario)))
        places.upper_curves(
            h.rows, h.quantity, pnl, value, scenario, cells, own, c.table.weight, np.zeros(len(scenario)),
            multiplier[0], multiplier[1], 0.0, part,
        )  # fmt: skip
        charges.add_charges(part, multiplier[1] * (roll + shock), multiplier[1] * steep, -1.0)
        upper[u, :, : len(scenario)] = part
        two, curve = np.array([worst, worst]), np.empty(4)
        frozen, own, _ = c.tangents(h.rows, radius, two)
        places.lower_curve(
            h.rows, h.quantity, pnl, value, two, frozen, own, c.table.weight, 1.0, multiplier[2], multiplier[3], curve
        )
        lower[u, :, 0] = curve
        charges.add_charges(lower[u], multiplier[3] * (roll + shock), multiplier[3] * steep, 1.0)
    padding = conditions.pad(im, summed)
    budget, x, tolerance, none = np.empty(count), np.empty((count, 2)), np.empty(2), np.zeros(count)
    stands = account.certify(
        multiplier, multiplier[2], found.cash, 0.0, none, 1.0, 0.0, padding, upper, scenario_count, lower, moving,
        np.ones(count), np.ones(count), radius, np.zeros(2), budget, x, tolerance,
    )  # fmt: skip
    return Certificate(x, tolerance[0], tolerance[1]) if stands else None


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_conditions_of_model_a_stand_inside_all_intervals(seed: int) -> None:
    """Corners and insides of all intervals have the bits of certification, delta shocks included."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 4))
    of = world(rng, count)
    holding = [held(rng, of, u, int(rng.integers(1, 9))) for u in range(count)]
    limit_usd = float(rng.choice([2e7, 1e5, 1e4]))
    equity, im, _ = figures(of, Account(0.0, holding), limit_usd)
    ratio = float(rng.choice([0.3, 0.7, 0.88, 0.92, 0.97, 1.001, 1.1, 1.3]))
    found = Account(im / ratio - equity, holding)
    if rng.random() < 0.1:
        found = replace(found, cash=found.cash - 2.0 * abs(im))
    c = certify(of, found, limit_usd, float(rng.choice([0.01, 0.05, 0.25])))
    if c is None:
        return
    bits = figures(of, found, limit_usd)[2]
    for _ in range(8):
        x = np.array([rng.choice([low, high, rng.uniform(low, high)]) for low, high in c.x])
        assert figures(of.moved(x), found, limit_usd)[2] == bits
