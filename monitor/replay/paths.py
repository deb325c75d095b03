"""Correlated jump-diffusion of several coins through a calm, a crash, a break of correlation, and an aftermath.

Log prices on a grid of one second: dx = drift dt + sigma dW + jumps, with dW correlated within and across two groups of
coins. Everything is drawn from PCG64 streams of one seed, so that the same parameters give the same paths (for one
version of numpy, whose normal generator may change between versions).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SECONDS_PER_YEAR = 365 * 86_400
MAX_MINUTES = 7 * 1_440  # a week on a one-second grid is 100 MB for twelve coins and three venues


@dataclass(frozen=True, slots=True)
class Coin:
    """One underlying: first price in USD, annual volatility, and how much it moves when the market moves by 1."""

    name: str
    price_usd: float
    vol_annual: float
    beta: float
    group: int
    decimals: int
    contract_coins: float


# Groups matter in the break only: coins of one group keep together, the groups part company.
COINS: tuple[Coin, ...] = (
    Coin("BTC", 95_000.0, 0.45, 1.0, 0, 1, 0.001),
    Coin("ETH", 3_300.0, 0.60, 1.3, 1, 2, 0.01),
    Coin("SOL", 195.0, 0.75, 1.6, 1, 3, 0.1),
    Coin("XRP", 2.40, 0.80, 1.4, 0, 5, 10.0),
    Coin("DOGE", 0.350, 0.90, 1.7, 1, 6, 100.0),
    Coin("AVAX", 38.0, 0.85, 1.7, 1, 4, 1.0),
    Coin("LINK", 22.0, 0.80, 1.5, 0, 4, 1.0),
    Coin("LTC", 110.0, 0.70, 1.2, 0, 3, 1.0),
)


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of the market.

    `share` of the duration; correlation `within` a group and `across` the groups; `vol` multiplies the coins' annual
    volatilities; `drift` is the log move of a coin of beta 1 over the phase, by group; `jumps` is the expected number
    of common jumps and `jump_size` the mean of their log size at beta 1; `level` is the implied volatility reached at
    the end of the phase, as a multiple of the first; `basis` is the annual basis of dated futures at its end.
    """

    name: str
    share: float
    within: float
    across: float
    vol: float
    drift: tuple[float, float]
    jumps: float
    jump_size: float
    level: float
    basis: float


# Volatilities are those of minutes, not of days: a crash of 15 % in minutes needs a multiple that no day has.
PHASES: tuple[Phase, ...] = (
    Phase("calm", 0.40, 0.62, 0.58, 1.0, (0.0, 0.0), 0.0, 0.0, 1.0, 0.08),
    Phase("crash", 0.15, 0.93, 0.92, 7.0, (-0.09, -0.09), 6.0, -0.012, 1.9, -0.05),
    Phase("break", 0.25, 0.55, -0.35, 4.0, (0.045, -0.04), 0.0, 0.0, 1.6, 0.0),
    Phase("aftermath", 0.20, 0.60, 0.50, 2.0, (0.01, 0.01), 0.0, 0.0, 1.3, 0.05),
)


@dataclass(frozen=True, slots=True)
class Paths:
    """Simulated market on a grid of one second: `steps` + 1 rows.

    `log_price` [row, coin]; `deviation` [row, coin, venue] is a venue's log distance from it; `level` [row] the
    implied volatility as a multiple of the first; `basis` [row] the annual basis of dated futures; `perpetual`
    [row, coin] the basis of the perpetuals; `phase` [row] the index of the phase.
    """

    log_price: Floats
    deviation: Floats
    level: Floats
    basis: Floats
    perpetual: Floats
    phase: NDArray[np.int64]

    @property
    def steps(self) -> int:
        """Seconds simulated."""
        return len(self.level) - 1


def generator(seed: int, purpose: int) -> np.random.Generator:
    """Return the stream of a purpose: streams are independent, so one may draw more without moving another."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, purpose])))


def correlation(coins: tuple[Coin, ...], within: float, across: float) -> Floats:
    """Return the correlation matrix of a phase; raises ValueError if it is not positive definite."""
    group = np.array([coin.group for coin in coins])
    matrix = np.where(group[:, None] == group[None, :], within, across)
    np.fill_diagonal(matrix, 1.0)
    if np.linalg.eigvalsh(matrix)[0] <= 1e-9:
        raise ValueError(f"correlations {within} within and {across} across groups fit no market")
    return matrix


def phase_starts(seconds: int, phases: tuple[Phase, ...] = PHASES) -> list[int]:
    """Return the first second of each phase, and the end."""
    total = sum(phase.share for phase in phases)
    edges = np.cumsum([0.0] + [phase.share / total for phase in phases])
    return [round(float(edge) * seconds) for edge in edges]


def simulate(
    coins: tuple[Coin, ...], seconds: int, venues: int, seed: int, phases: tuple[Phase, ...] = PHASES
) -> Paths:
    """Simulate the paths; a function of its arguments alone."""
    starts = phase_starts(seconds, phases)
    phase_of_step = np.zeros(seconds + 1, dtype=np.int64)
    for index, start in enumerate(starts[:-1]):
        phase_of_step[start:] = index
    moves = _diffusion(coins, starts, phases, generator(seed, 1)) + _jumps(coins, starts, phases, generator(seed, 2))
    log_price = np.log([coin.price_usd for coin in coins]) + np.vstack([np.zeros(len(coins)), np.cumsum(moves, axis=0)])
    stress = np.array([phase.vol for phase in phases])[phase_of_step]
    knots = np.array(starts, dtype=np.float64)
    grid = np.arange(seconds + 1, dtype=np.float64)
    level = np.interp(grid, knots, [1.0] + [phase.level for phase in phases])
    basis = np.interp(grid, knots, [phases[0].basis] + [phase.basis for phase in phases])
    return Paths(
        log_price=log_price,
        deviation=_deviation(stress, len(coins), venues, generator(seed, 3)),
        level=level,
        basis=basis,
        perpetual=_perpetual_basis(stress, basis, len(coins), generator(seed, 4)),
        phase=phase_of_step,
    )


def _diffusion(
    coins: tuple[Coin, ...], starts: list[int], phases: tuple[Phase, ...], draws: np.random.Generator
) -> Floats:
    """Draw drift and diffusion of every step, float64[seconds, coins]."""
    sigma = np.array([coin.vol_annual for coin in coins]) / np.sqrt(SECONDS_PER_YEAR)
    beta = np.array([coin.beta for coin in coins])
    group = np.array([coin.group for coin in coins])
    normals = draws.standard_normal((starts[-1], len(coins)))
    moves = np.empty_like(normals)
    for phase, first, last in zip(phases, starts[:-1], starts[1:], strict=True):
        if last == first:
            continue
        root = np.linalg.cholesky(correlation(coins, phase.within, phase.across))
        drift = beta * np.array(phase.drift)[group] / (last - first)
        moves[first:last] = drift + phase.vol * sigma * (normals[first:last] @ root.T)
    return moves


def _jumps(coins: tuple[Coin, ...], starts: list[int], phases: tuple[Phase, ...], draws: np.random.Generator) -> Floats:
    """Draw common jumps, float64[seconds, coins]; each coin takes its beta of them with some noise of its own."""
    moves = np.zeros((starts[-1], len(coins)))
    beta = np.array([coin.beta for coin in coins])
    for phase, first, last in zip(phases, starts[:-1], starts[1:], strict=True):
        count = int(draws.poisson(phase.jumps)) if phase.jumps else 0
        for _ in range(count if last > first else 0):
            second = int(draws.integers(first, last))
            size = phase.jump_size * draws.exponential()
            moves[second] += size * beta * np.exp(0.2 * draws.standard_normal(len(coins)))
    return moves


def _deviation(stress: Floats, coins: int, venues: int, draws: np.random.Generator) -> Floats:
    """Draw how far each venue stands from the market: mean-reverting, wider on later venues and under stress."""
    keep = 0.5 ** (1.0 / 20.0)  # half of a deviation is gone after 20 s
    width = 1e-4 * np.array([1.0 + venue for venue in range(venues)])
    noise = draws.standard_normal((len(stress), coins, venues)) * np.sqrt(1.0 - keep * keep)
    deviation: Floats = np.empty_like(noise)
    state = np.zeros((coins, venues))
    for step in range(len(stress)):
        state = keep * state + noise[step] * width * stress[step]
        deviation[step] = state
    return deviation


def _perpetual_basis(stress: Floats, basis: Floats, coins: int, draws: np.random.Generator) -> Floats:
    """Draw the basis of the perpetuals: a few basis points around a thirtieth of the futures' annual one."""
    keep = 0.5 ** (1.0 / 60.0)
    noise = draws.standard_normal((len(stress), coins)) * np.sqrt(1.0 - keep * keep) * 1.5e-4
    out: Floats = np.empty_like(noise)
    state = np.zeros(coins)
    for step in range(len(stress)):
        state = keep * state + noise[step] * stress[step]
        out[step] = basis[step] / 30.0 + state
    return out
