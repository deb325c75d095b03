"""Markets and accounts for the tests of certificates, and their conditions computed from nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kernels import accounts, move_losses, netted_accounts, netting, netting_solve, scenarios, surface
from kernels._jit import Bools, Floats, Ints
from kernels.certificates import account, conditions, correlation, places, smile, tangents
from kernels.certificates import rows as row_kernels
from kernels.netted_bounds import mixture

SHOCKS = np.array([0.5, 0.25, 0.5, 0.3, 0.13, 1.0])
EXTENDED = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
THRESHOLDS = np.array([0.90, 0.85, 1.0, 0.95, 1.0, 1.0])
BITS = 1 << np.arange(8, dtype=np.int64)
MM_FACTOR = 0.8


@dataclass(frozen=True, slots=True)
class Coin:
    """One underlying: its rows, its scenario table, and what the market says of it."""

    kind: Ints
    is_call: Bools
    size: Floats
    strike: Floats
    buckets: int
    table: scenarios.ScenarioTable
    index: float
    basis: Floats
    funding: Floats
    years: Floats
    code: Ints
    parameters: Floats
    lo: Floats
    hi: Floats

    @property
    def side(self) -> Ints:
        return move_losses.extended_sides(self.table, self.buckets)

    @property
    def width(self) -> int:
        return 2 * self.buckets + 1

    @property
    def move_number(self) -> Floats:
        out = np.empty(len(self.table.move))
        places.move_numbers(self.width, self.side, out)
        return out

    def moved(self, x: float) -> Coin:
        return replace(self, index=self.index * (1.0 + x))

    @property
    def forward(self) -> Floats:
        return (self.basis + 1.0) * self.index

    def vol(self) -> Floats:
        out = np.zeros(len(self.kind))
        surface.volatilities(self.code, self.parameters, self.lo, self.hi, self.strike, self.forward, self.years, out)
        return out

    def priced(self) -> tuple[Floats, Floats, Floats, Floats]:
        n = len(self.kind)
        out = np.empty((n, len(self.table.move))), np.empty(n), np.empty(n), np.empty(n)
        move, linear_move, direction, weight = self.table
        s = SHOCKS
        scenarios.risk_array(
            self.kind, self.is_call, self.size, self.strike, self.forward, np.zeros(n), self.funding, self.years,
            self.vol(), self.index, move, linear_move, direction, weight, s[0], s[1], s[2], s[3], s[4], s[5],
            out[0], out[1], out[2], out[3],
        )  # fmt: skip
        return out

    def tangents(self, rows: Ints, radius: float, scenario: Ints | None = None) -> tuple[Floats, Floats, Bools]:
        chosen = np.arange(len(self.table.move)) if scenario is None else scenario
        move, linear_move, direction, weight = self.table
        cells = np.empty((len(rows), tangents.CELL, len(chosen)))
        own, good = np.empty((len(rows), tangents.VALUE)), np.empty(len(rows), dtype=np.bool_)
        path = np.empty((len(rows), smile.DIRECTIONS, smile.PATH))
        row_kernels.prepare(
            rows, self.kind, self.is_call, self.size, self.strike, self.forward, np.zeros(len(self.kind)), self.funding,
            self.years, self.vol(), self.code, self.parameters, self.lo, self.hi, self.index, SHOCKS, radius, path, own,
            good,
        )  # fmt: skip
        tangents.tangents(
            rows, self.kind, self.is_call, self.strike, self.forward, radius, move[chosen], linear_move[chosen],
            direction[chosen], weight[chosen], path, own, good, cells,
        )  # fmt: skip
        return cells, own, good


@dataclass(frozen=True, slots=True)
class Held:
    """What an account has in one underlying: distinct rows and quantities."""

    coin: int
    rows: Ints
    quantity: Floats


@dataclass(frozen=True, slots=True)
class World:
    """Underlyings, and the correlations between all of them."""

    coins: list[Coin]
    matrices: Floats
    stress: float

    def moved(self, x: Floats) -> World:
        return replace(self, coins=[c.moved(float(v)) for c, v in zip(self.coins, x, strict=True)])


@dataclass(frozen=True, slots=True)
class Account:
    """One account: cash and what it has."""

    cash: float
    held: list[Held]


@dataclass(frozen=True, slots=True)
class Solved:
    """An exact solve of one account."""

    equity: float
    im: float
    hedge: Floats
    mean: Floats
    norm: float
    losses: Floats
    counts: Ints
    matrices: Floats
    priced: list[tuple[Floats, Floats, Floats, Floats]]

    @property
    def bits(self) -> int:
        return accounts.conditions(self.equity, self.im, MM_FACTOR * self.im, True, False, THRESHOLDS, BITS)


def solve(world: World, of: Account) -> Solved:
    """Everything about one account, from nothing."""
    count = len(of.held)
    coins = [world.coins[h.coin] for h in of.held]
    counts = np.array([c.width for c in coins], dtype=np.int64)
    losses = np.zeros((count, int(counts.max())))
    equity, priced = of.cash, []
    for u, (h, c) in enumerate(zip(of.held, coins, strict=True)):
        p = c.priced()
        priced.append(p)
        equity += float(h.quantity @ p[1][h.rows])
        out = np.empty((1, c.width))
        indptr = np.array([0, len(h.rows)], dtype=np.int64)
        move_losses.move_losses(indptr, h.rows, h.quantity, p[0], c.side, out)
        losses[u, : c.width] = out[0]
    matrices = np.empty((len(world.matrices), count, count))
    netting.gather(world.matrices, np.array([h.coin for h in of.held], dtype=np.int64), matrices)
    w, duals, weight = np.zeros(count), np.zeros(losses.shape), np.zeros(len(matrices))
    found = netting_solve.solve(losses, counts, matrices, world.stress, netted_accounts.TOLERANCE, w, duals, weight)
    mean = np.array([duals[u, :n] @ (-1.0 + 2.0 * np.arange(n) / (n - 1)) for u, n in enumerate(counts)])
    norm = netting.norm(w, matrices, world.stress)
    return Solved(equity, found.requirement, w, mean, norm, losses, counts, matrices, priced)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Intervals of x by place, tolerances of drift and of correlations."""

    x: Floats
    drift: float
    correlation: float


def certify(
    world: World, of: Account, radius: float = 0.05, share: tuple[float, float] = (0.05, 0.05), status: int = -1
) -> Certificate | None:
    """The certificate of one account, put together as a caller of the kernels does; None where there is none.

    Of all bits, or of those that count in a state.
    """
    s = solve(world, of)
    ratio, watched, multiplier = np.empty(6), np.empty(6), np.empty(4)
    conditions.ratios(THRESHOLDS, MM_FACTOR, ratio)
    ratio = watched[: conditions.watched(status, ratio, watched)]
    if not conditions.constraints(s.equity, s.im, ratio, multiplier):
        return None
    count = len(of.held)
    bare, summed, moving = [], abs(of.cash), np.empty(count)
    for u, h in enumerate(of.held):
        _, own, good = world.coins[h.coin].tangents(h.rows, radius, np.zeros(0, dtype=np.int64))
        if not good.all():
            return None
        moving[u], one, swing = places.gross(h.rows, h.quantity, s.priced[u][1], own)
        bare.append(swing)
        summed += one
    padding = conditions.pad(s.im, summed)
    raised = account.raised_ratio(multiplier, s.equity, s.im, padding, share[1] if count > 1 else 0.0)
    widest = max(len(world.coins[h.coin].table.move) for h in of.held) + 2
    upper, lower = np.zeros((count, 4, widest)), np.zeros((count, 4, 1))
    scenario_count = np.empty(count, dtype=np.int64)
    reach = np.empty((2, count))
    for u, (h, swing) in enumerate(zip(of.held, bare, strict=True)):
        c, (pnl, value, _, _) = world.coins[h.coin], s.priced[u]
        reach[0, u] = places.reach(multiplier[0], multiplier[1], c.table.move, c.table.weight)
        reach[1, u] = places.reach(raised, multiplier[3], c.table.move, c.table.weight)
        _, first, second, right = mixture(s.losses[u], s.counts[u], s.mean[u])
        one = places.worst_cell(h.rows, h.quantity, pnl, c.side, c.width, first)
        two = places.worst_cell(h.rows, h.quantity, pnl, c.side, c.width, second)
        chosen = np.empty(widest, dtype=np.int64)
        scenario_count[u] = places.select(
            h.rows, h.quantity, pnl, value, c.move_number, multiplier[0], multiplier[1], s.hedge[u], one, two,
            reach[0, u] * swing * radius, chosen,
        )  # fmt: skip
        chosen = chosen[: scenario_count[u]]
        cells, own, _ = c.tangents(h.rows, radius, chosen)
        places.upper_curves(
            h.rows, h.quantity, pnl, value, chosen, cells, own, c.table.weight, c.move_number, multiplier[0],
            multiplier[1], s.hedge[u], upper[u],
        )  # fmt: skip
        curve = np.empty(4)
        places.lower_curve(
            h.rows, h.quantity, pnl, value, chosen, cells, own, c.table.weight, 1.0 - right, raised, multiplier[3],
            curve,
        )  # fmt: skip
        lower[u, :, 0] = curve
    eigenvalue = float(np.linalg.eigvalsh(s.matrices[-1])[0])
    eta = correlation.sensitivity(count, world.stress, eigenvalue * (1.0 - 1e-9))
    budget, x, tolerance = np.empty(count), np.empty((count, 2)), np.empty(2)
    stands = account.certify(
        multiplier, raised, of.cash, s.norm, s.hedge, world.stress, eta, padding, upper, scenario_count, lower, moving,
        reach[0], reach[1], radius, np.array(share), budget, x, tolerance,
    )  # fmt: skip
    return Certificate(x, tolerance[0], tolerance[1]) if stands else None


# --- random worlds ------------------------------------------------------------------------------------------


def coin(rng: np.random.Generator, smiles: bool = True, options: int = 24) -> Coin:
    """One underlying: its coin, futures and perpetuals linear and inverse, options of three expiries."""
    index = float(np.exp(rng.uniform(0.0, 11.0)))
    linear = [scenarios.COIN, scenarios.LINEAR, scenarios.LINEAR, scenarios.INVERSE, scenarios.INVERSE]
    kind = np.array(
        [*linear, *rng.choice([scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION], options)], dtype=np.int64
    )
    n = len(kind)
    size = np.ones(n)
    size[kind == scenarios.INVERSE] = 10.0
    expiries = rng.choice([0.2, 1.0, 3.0, 9.0, 30.0, 180.0], 3, replace=False) / 365.0
    years = np.zeros(n)
    years[len(linear) :] = rng.choice(expiries, options)
    basis = np.where(kind == scenarios.COIN, 0.0, rng.normal(0.0, 0.004, n))
    strike = np.ones(n)
    strike[len(linear) :] = index * np.exp(rng.normal(0.0, 0.1, options))
    funding = np.zeros(n)
    funding[2], funding[4] = rng.normal(0.0, 0.01) * index, rng.normal(0.0, 0.01) / index
    code, parameters = np.zeros(n, dtype=np.int64), np.zeros((n, 5))
    parameters[:, 0] = rng.uniform(0.3, 1.2, n)
    lo, hi = np.full(n, -4.0), np.full(n, 4.0)
    if smiles:
        code[len(linear) :] = rng.choice([surface.CONSTANT, surface.SMILE, surface.SVI], options)
        for i in range(n):
            if code[i] == surface.SMILE:
                parameters[i, 1:3] = rng.normal(0.0, 0.08), abs(rng.normal(0.0, 0.03))
                lo[i], hi[i] = -rng.uniform(0.5, 3.0), rng.uniform(0.5, 3.0)
            elif code[i] == surface.SVI:
                total = parameters[i, 0] ** 2 * years[i]
                root = np.sqrt(total)
                parameters[i] = (
                    0.7 * total, 0.3 * root * rng.uniform(0.3, 1.0), rng.uniform(-0.6, 0.6), rng.normal(0.0, 0.3) *
                    root, root * rng.uniform(0.5, 1.5),
                )  # fmt: skip
                lo[i], hi[i] = -3.0 * root * rng.uniform(0.5, 2.0), 3.0 * root * rng.uniform(0.5, 2.0)
    buckets = int(rng.choice([4, 8, 16]))
    table = scenarios.scenario_table(
        float(rng.choice([0.1, 0.16, 0.3])), buckets, EXTENDED if rng.random() < 0.7 else ()
    )
    return Coin(
        kind, rng.random(n) < 0.5, size, strike, buckets, table, index, basis, funding, years, code, parameters, lo, hi
    )


def world(rng: np.random.Generator, coins: int, smiles: bool = True) -> World:
    """Some underlyings under three matrices, the last of which is the floor."""
    found = []
    for _ in range(2):
        share, size = rng.uniform(0.3, 0.95), 5 * coins
        draws = np.sqrt(share) * rng.normal(size=size) + np.sqrt(1.0 - share) * rng.normal(size=(coins, size))
        found.append(np.corrcoef(draws).reshape(coins, coins))
    found.append(np.full((coins, coins), 0.5))
    for m in found:
        np.fill_diagonal(m, 1.0)
    matrices = np.array([(m + m.T) / 2.0 for m in found])
    return World([coin(rng, smiles) for _ in range(coins)], matrices, float(rng.choice([0.0, 0.1, 0.3])))


def held(rng: np.random.Generator, of: World, u: int, size: int) -> Held:
    """Random quantities of some rows, alike in USD."""
    c = of.coins[u]
    rows = np.sort(rng.choice(len(c.kind), min(size, len(c.kind)), replace=False)).astype(np.int64)
    unit = np.where(c.kind == scenarios.INVERSE, c.size, c.size * c.index)[rows]
    return Held(u, rows, rng.normal(0.0, 1e5, len(rows)) / unit)


def funded(of: World, holding: list[Held], ratio: float) -> Account:
    """An account whose requirement is `ratio` of its equity."""
    bare = solve(of, Account(0.0, holding))
    return Account(bare.im / ratio - bare.equity, holding)
