"""Seeded portfolios of six kinds: who is on the other side of a margin call.

| kind | what it holds |
|---|---|
| directional | perpetuals of one to three coins, three quarters of them long |
| hedged pair | one coin long against another short, about equal in dollars |
| basis | spot or perpetual against perpetual or dated future of the same coin |
| covered call | spot bought, calls sold on half to all of it |
| short volatility | strangles and straddles sold, delta hedged in part |
| market maker | small positions of both signs in many instruments |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.errors import UsageError
from monitor.replay.universe import CoinMarket, Contract, Universe

Kind = Literal["directional", "hedged-pair", "basis", "covered-call", "short-volatility", "market-maker"]

# Shares of the accounts: each kind 10 to 25 %.
SHARES: dict[Kind, float] = {
    "directional": 0.22,
    "hedged-pair": 0.16,
    "basis": 0.14,
    "covered-call": 0.13,
    "short-volatility": 0.17,
    "market-maker": 0.18,
}
# Lower and upper end and most likely value of v = IM / equity at the start. Hedged books carry more of it.
UTILISATION: dict[Kind, tuple[float, float, float]] = {
    "directional": (0.10, 0.40, 0.88),
    "hedged-pair": (0.15, 0.50, 0.88),
    "basis": (0.10, 0.35, 0.85),
    "covered-call": (0.10, 0.35, 0.80),
    "short-volatility": (0.10, 0.45, 0.85),
    "market-maker": (0.05, 0.30, 0.80),
}
MEDIAN_SIZE_USD = 250_000.0
SIZE_SPREAD = 1.2  # of the log: one account in a hundred is sixteen times the median
MAX_SIZE_USD = 30_000_000.0
MAJOR_WEIGHT = {"BTC": 5.0, "ETH": 4.0, "SOL": 2.0}

Leg = tuple[Contract, float]  # contract, signed number of them


@dataclass(frozen=True, slots=True)
class Portfolio:
    """One account's positions and how it is to be funded: `utilisation` = IM / equity, collateral by share."""

    kind: Kind
    legs: tuple[Leg, ...]
    utilisation: float
    collateral: dict[str, float]

    @property
    def gross_usd(self) -> float:
        """Sum of the absolute notionals."""
        return sum(abs(quantity) * contract.notional_usd for contract, quantity in self.legs)


def kinds(accounts: int, draws: np.random.Generator, *, even: bool = False) -> list[Kind]:
    """Return a kind for each account: the shares, or `even` ones, by largest remainder, in random order."""
    exact = {kind: (1.0 / len(SHARES) if even else share) * accounts for kind, share in SHARES.items()}
    counts = {kind: int(value) for kind, value in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: accounts - sum(counts.values())]:
        counts[kind] += 1
    listed = [kind for kind, count in counts.items() for _ in range(count)]
    return [listed[k] for k in draws.permutation(accounts)]


def draw(kind: Kind, universe: Universe, draws: np.random.Generator, deposit: str | None = None) -> Portfolio:
    """Draw a portfolio of a kind, all of its money in one asset if that is given.

    Raises UsageError if the market has nothing to make it of.
    """
    size_usd = min(MAX_SIZE_USD, MEDIAN_SIZE_USD * float(np.exp(SIZE_SPREAD * draws.standard_normal())))
    legs = _DRAW[kind](universe, size_usd, draws)
    merged: dict[str, Leg] = {}
    for contract, quantity in legs:
        held = merged.get(contract.name, (contract, 0.0))[1]
        merged[contract.name] = (contract, held + quantity)
    kept = tuple(leg for leg in merged.values() if leg[1] != 0.0)
    low, mode, high = UTILISATION[kind]
    utilisation = float(draws.triangular(low, mode, high))
    return Portfolio(kind, kept, utilisation, _collateral(universe, utilisation, draws, deposit))


def _directional(universe: Universe, size_usd: float, draws: np.random.Generator) -> list[Leg]:
    coins = _choose(list(universe.coins.values()), int(draws.integers(1, 4)), draws)
    sign = 1.0 if draws.random() < 0.75 else -1.0
    return [_sized(_one(coin.perpetuals, draws), sign * size_usd / len(coins)) for coin in coins]


def _hedged_pair(universe: Universe, size_usd: float, draws: np.random.Generator) -> list[Leg]:
    if len(universe.coins) < 2:
        raise UsageError("hedged pairs need two coins", "replay more files")
    first, second = _choose(list(universe.coins.values()), 2, draws)
    tilt = float(draws.uniform(0.95, 1.05))
    return [
        _sized(_one(first.perpetuals, draws), size_usd),
        _sized(_one(second.perpetuals, draws), -size_usd * tilt),
    ]


def _basis(universe: Universe, size_usd: float, draws: np.random.Generator) -> list[Leg]:
    pairs = [coin for coin in universe.coins.values() if coin.spot or coin.futures or len(coin.perpetuals) > 1]
    if not pairs:
        raise UsageError("basis accounts need a coin with two instruments", "replay a market with spot or futures")
    legs: list[Leg] = []
    for coin in _choose(pairs, int(draws.integers(1, 3)), draws):
        cash: list[Contract] = [coin.spot] if coin.spot else []
        short = _one([*coin.perpetuals, *coin.futures], draws)
        long = _one([leg for leg in [*cash, *coin.perpetuals] if leg is not short] or [short], draws)
        tilt = float(draws.uniform(0.98, 1.02))
        # Twice the size: a basis is small, and those who trade it are not.
        legs += [_sized(long, 2.0 * size_usd), _sized(short, -2.0 * size_usd * tilt)]
    return legs


def _covered_call(universe: Universe, size_usd: float, draws: np.random.Generator) -> list[Leg]:
    coin = _option_coin(universe, draws, "calls", spot=True)
    assert coin.spot is not None
    spot = _sized(coin.spot, size_usd)
    coins = spot[1] * coin.spot.instrument.contract_size
    sold = _choose_contracts(coin.calls, int(draws.integers(1, 3)), draws)
    share = float(draws.uniform(0.5, 1.0)) / len(sold)
    return [spot, *((call, -_lots(share * coins / call.instrument.contract_size)) for call in sold)]


def _short_volatility(universe: Universe, size_usd: float, draws: np.random.Generator) -> list[Leg]:
    coin = _option_coin(universe, draws, "calls and puts")
    above = [call for call in coin.calls if (call.instrument.strike or 0.0) >= coin.index_usd] or coin.calls
    below = [put for put in coin.puts if (put.instrument.strike or 0.0) <= coin.index_usd] or coin.puts
    legs: list[Leg] = []
    count = int(draws.integers(1, 4))
    for _ in range(count):
        for option in (_one(above, draws), _one(below, draws)):
            legs.append(_sized(option, -size_usd / count))  # noqa: PERF401 (draws must come one after the other)
    delta = sum(contract.delta_coins * quantity for contract, quantity in legs)
    hedge_usd = -delta * coin.index_usd * float(draws.uniform(0.5, 1.0))
    perpetual = _one(coin.perpetuals, draws)
    return [*legs, _sized(perpetual, hedge_usd)] if abs(hedge_usd) >= perpetual.notional_usd else legs


def _market_maker(universe: Universe, size_usd: float, draws: np.random.Generator) -> list[Leg]:
    everything: list[Contract] = []
    for coin in universe.coins.values():
        everything += [*coin.perpetuals, *coin.futures, *coin.calls, *coin.puts]
    chosen = _choose_contracts(everything, min(len(everything), int(draws.integers(6, 21))), draws)
    sizes = draws.uniform(0.2, 1.0, len(chosen)) * np.where(draws.random(len(chosen)) < 0.5, -1.0, 1.0)
    scale = 2.0 * size_usd / float(np.abs(sizes).sum())
    return [_sized(contract, scale * float(part)) for contract, part in zip(chosen, sizes, strict=True)]


_DRAW = {
    "directional": _directional,
    "hedged-pair": _hedged_pair,
    "basis": _basis,
    "covered-call": _covered_call,
    "short-volatility": _short_volatility,
    "market-maker": _market_maker,
}


def _collateral(
    universe: Universe, utilisation: float, draws: np.random.Generator, deposit: str | None
) -> dict[str, float]:  # fmt: skip
    """Draw shares of USD, USDC, BTC, ETH (and USDE where it is priced) that sum to 1; or all in `deposit`."""
    wanted = {"USD": 0.35, "USDC": 0.28, "BTC": 0.20, "ETH": 0.12, "USDE": 0.05}
    names = [name for name in wanted if name in universe.collateral_usd]
    weights = np.array([wanted[name] for name in names])
    first, second = draws.choice(names, size=2, replace=False, p=weights / weights.sum())
    share = float(draws.uniform(0.6, 1.0))
    shares = {str(first): share, str(second): 1.0 - share} if deposit is None else {deposit: 1.0}
    # A volatile deposit brings its own requirement: with more of it than this, no deposit would be large enough.
    most = min(1.0, 2.0 * utilisation)
    volatile = sum(part for name, part in shares.items() if name not in ("USD", "USDC"))
    if volatile > most:
        shares = {name: part * (1.0 if name in ("USD", "USDC") else most / volatile) for name, part in shares.items()}
        shares["USD"] = shares.get("USD", 0.0) + 1.0 - sum(shares.values())
    return {name: part for name, part in shares.items() if part > 0.0}


def _option_coin(universe: Universe, draws: np.random.Generator, what: str, *, spot: bool = False) -> CoinMarket:
    found = [
        coin for coin in universe.coins.values()
        if coin.calls and (coin.spot is not None if spot else bool(coin.puts))
    ]  # fmt: skip
    if not found:
        raise UsageError(f"no coin has {what}{' and spot' if spot else ''}", "replay a market with options")
    return _choose(found, 1, draws)[0]


def _choose(coins: list[CoinMarket], count: int, draws: np.random.Generator) -> list[CoinMarket]:
    weights = np.array([MAJOR_WEIGHT.get(coin.underlying, 1.0) for coin in coins])
    picked = draws.choice(len(coins), size=min(count, len(coins)), replace=False, p=weights / weights.sum())
    return [coins[int(k)] for k in picked]


def _choose_contracts(contracts: list[Contract], count: int, draws: np.random.Generator) -> list[Contract]:
    return [contracts[int(k)] for k in draws.choice(len(contracts), size=min(count, len(contracts)), replace=False)]


def _one(contracts: list[Contract], draws: np.random.Generator) -> Contract:
    return contracts[int(draws.integers(len(contracts)))]


def _sized(contract: Contract, usd: float) -> Leg:
    """Return the leg of about `usd` notional: whole contracts, spot to a ten-thousandth of a coin's dollar lot."""
    quantity = usd / contract.notional_usd
    if contract.instrument.type == "spot":
        return contract, round(quantity, 4)
    return contract, _lots(quantity)


def _lots(quantity: float) -> float:
    """Round to whole contracts, at least one."""
    return float(max(1, round(abs(quantity)))) * (1.0 if quantity >= 0.0 else -1.0)
