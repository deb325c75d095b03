"""Certificates of random accounts: inside them the exact conditions are those at certification."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import scenarios
from kernels._jit import Floats
from kernels.certificates import drift, drift_rows, tangents
from tests.certificate_books import (
    SHOCKS,
    Account,
    Certificate,
    Coin,
    World,
    certify,
    coin,
    funded,
    held,
    solve,
    world,
)  # fmt: skip

SEEDS = st.integers(0, 2**32 - 1)
RATIOS = (0.3, 0.7, 0.84, 0.88, 0.92, 0.97, 0.999, 1.001, 1.1, 1.24, 1.3, 2.0)  # of IM to equity, between thresholds
RADII = (0.01, 0.05, 0.25)


def account_of(rng: np.random.Generator, most: int = 3) -> tuple[World, Account]:
    """A random world with an account in all of its underlyings; one in ten has lost more than it had."""
    count = int(rng.integers(1, most + 1))
    of = world(rng, count)
    holding = [held(rng, of, u, int(rng.integers(1, 9))) for u in range(count)]
    found = funded(of, holding, float(rng.choice(RATIOS)))
    if rng.random() < 0.1:
        found = replace(found, cash=found.cash - 2.0 * abs(solve(of, found).equity))
    return of, found


def inside(rng: np.random.Generator, c: Certificate) -> Floats:
    """A point of all intervals, corners above all."""
    return np.array([rng.choice([low, high, rng.uniform(low, high)]) for low, high in c.x])


def drifted(rng: np.random.Generator, of: Coin, size: float) -> Coin:
    """The same underlying with other volatilities, bases, funding and less time."""
    n = len(of.kind)
    scale = np.where(of.code == 2, of.parameters[:, :1].T * 0.5, 1.0).reshape(n, 1)
    noise = rng.normal(0.0, size, (n, 5)) * scale * rng.choice([0.0, 1.0], (1, 5))
    noise[of.code == 0, 1:] = 0.0
    parameters, code = of.parameters + noise, of.code.copy()
    other = (code != 0) & (rng.random(n) < 0.2)  # a volatility of its own instead of a smile
    code[other], parameters[other, 0] = 0, of.vol()[other] * np.exp(rng.normal(0.0, size, int(other.sum())))
    return replace(
        of,
        code=code,
        parameters=parameters,
        years=of.years * (1.0 - rng.choice([0.0, size * rng.random()])),
        basis=np.where(
            of.kind == scenarios.COIN, 0.0, of.basis + rng.normal(0.0, 0.2 * size, n) * rng.choice([0.0, 1.0])
        ),
        funding=np.where(of.funding != 0.0, of.funding * (1.0 + rng.normal(0.0, size, n)), 0.0),
    )


def drift_of(before: Coin, after: Coin, radius: float, level: float = 0.0) -> Floats:
    """Drift of every row between two states of the market, but for a change of all vol sqrt(T) by a level."""
    out = np.empty((len(before.kind), drift_rows.COLUMNS))
    drift_rows.drifts(
        before.kind, before.is_call, before.strike, before.index * (1.0 - radius), before.index * (1.0 + radius),
        SHOCKS, level, 1.0 + before.basis, before.funding, before.years, before.code, before.parameters, before.lo,
        before.hi, 1.0 + after.basis, after.funding, after.years, after.code, after.parameters, after.lo, after.hi, out,
    )  # fmt: skip
    return out


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_conditions_stand_inside_all_intervals_at_once(seed: int) -> None:
    """Whatever prices do inside their intervals, a solve from nothing gives the bits of certification."""
    rng = np.random.default_rng(seed)
    of, found = account_of(rng)
    c = certify(of, found, float(rng.choice(RADII)))
    if c is None:
        return
    bits = solve(of, found).bits
    for _ in range(8):
        assert solve(of.moved(inside(rng, c)), found).bits == bits


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_conditions_stand_under_price_drift_and_correlation_at_once(seed: int) -> None:
    """Prices, volatilities, time, bases, funding and correlations may use up their tolerances together."""
    rng = np.random.default_rng(seed)
    of, found = account_of(rng)
    radius = float(rng.choice(RADII))
    c = certify(of, found, radius, (0.3, 0.3))
    if c is None:
        return
    bits = solve(of, found).bits
    tried = 0
    for size in np.geomspace(1e-1, 1e-9, 17):
        coins = [drifted(rng, one, float(size)) for one in of.coins]
        worst = max(
            float(drift_of(of.coins[h.coin], coins[h.coin], radius)[h.rows, drift_rows.RHO].max()) for h in found.held
        )
        if not worst <= c.drift:
            continue
        tried += 1
        eps = min(c.correlation, 2.0)
        matrices = np.clip(of.matrices + eps * rng.choice([-1.0, 1.0]), -1.0, 1.0)
        for m in matrices:
            np.fill_diagonal(m, 1.0)
        if any(np.linalg.eigvalsh(m)[0] < 0.0 for m in matrices):
            matrices = of.matrices
        after = replace(of, coins=coins, matrices=matrices)
        for _ in range(4):
            assert solve(after.moved(inside(rng, c)), found).bits == bits
        if tried > 2:
            break


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_every_cell_stays_between_its_bounds(seed: int) -> None:
    """No cell of any row leaves tangent, curvature and kink anywhere within the radius."""
    rng = np.random.default_rng(seed)
    of, radius = coin(rng), float(rng.choice(RADII))
    rows = np.arange(len(of.kind))
    cells, own, good = of.tangents(rows, radius)
    pnl, value, _, _ = of.priced()
    option = of.kind >= scenarios.LINEAR_OPTION
    weight = np.where(option[:, None], of.table.weight, 0.0)
    gross = (
        own[:, tangents.GROSS, None] + np.abs(value)[:, None] + of.size[:, None] * of.strike[:, None] * option[:, None]
    )
    for x in (-radius, radius, *rng.uniform(-radius, radius, 6)):
        moved_pnl, moved_value, _, _ = of.moved(x).priced()
        for bounds, change in (
            (own[:, :4, None], (moved_value - value)[:, None]),
            (
                np.concatenate([cells[:, :1] + weight[:, None] * own[:, :1, None], cells[:, 1:]], axis=1),
                moved_pnl + weight * moved_value[:, None] - pnl - weight * value[:, None],
            ),
        ):
            tangent = change - bounds[:, 0] * x
            room = 1e-11 * gross + bounds[:, 3] * abs(x)
            assert (tangent <= bounds[:, 1] * x * x / 2.0 + room)[good].all()
            assert (tangent >= -bounds[:, 2] * x * x / 2.0 - room)[good].all()


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_drift_bounds_every_cell_at_every_price(seed: int) -> None:
    """Between two states of a market no cell changes by more than drift times gross, anywhere within the radius."""
    rng = np.random.default_rng(seed)
    of, radius = coin(rng), float(rng.choice(RADII))
    after = drifted(rng, of, float(10.0 ** rng.uniform(-6.0, -1.0)))
    rho = drift_of(of, after, radius)[:, drift_rows.RHO]
    rows = np.arange(len(of.kind))
    _, own, good = of.tangents(rows, radius)
    good &= np.isfinite(rho)
    rho[~good], own[~good] = 0.0, 0.0
    cell = of.table.weight * (1.0 + of.table.move)
    for x in (-radius, 0.0, radius, *rng.uniform(-radius, radius, 4)):
        (pnl, value, _, _), (new_pnl, new_value, _, _) = of.moved(x).priced(), after.moved(x).priced()
        limit = drift.DRIFT_ROOM * rho * own[:, tangents.GROSS] * (1.0 + radius) + 1e-11 * (
            own[:, tangents.GROSS] + abs(value)
        )
        assert (np.abs(new_value - value) <= limit)[good].all()
        # What a curve is made of: (c - d weight) V(now) + d weight V(cell).
        reach = np.abs(1.0 - of.table.weight) + np.maximum(cell, 1.0)
        change = np.abs(new_pnl + new_value[:, None] - pnl - value[:, None])
        assert (change <= limit[:, None] * reach)[good].all()


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_drift_bounds_both_deltas_at_every_price(seed: int) -> None:
    """What model A's charges are made of changes by no more than the second column times gross."""
    rng = np.random.default_rng(seed)
    of, radius = coin(rng), float(rng.choice(RADII))
    after = drifted(rng, of, float(10.0 ** rng.uniform(-6.0, -1.0)))
    turn = drift_of(of, after, radius)[:, drift_rows.TURN]
    _, own, good = of.tangents(np.arange(len(of.kind)), radius)
    good &= np.isfinite(turn)
    turn[~good], own[~good] = 0.0, 0.0
    gross = np.maximum(own[:, tangents.GROSS], of.size * of.index * (of.kind != scenarios.INVERSE))
    for x in (-radius, 0.0, radius, *rng.uniform(-radius, radius, 4)):
        before, now = of.moved(x), after.moved(x)
        limit = drift.DRIFT_ROOM * turn * gross * (1.0 + radius) + 1e-11 * gross
        for old, new in zip(before.priced()[2:], now.priced()[2:], strict=True):
            assert (np.abs(new - old) * before.index <= limit)[good].all()
