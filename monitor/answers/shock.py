"""Another market: prices moved, volatilities shifted, another k.

| what | how |
|---|---|
| price | the index of a coin times 1 + move; bases, funding and what is already averaged stay |
| volatility | every option's by so many points: all of a smile. An SVI slice keeps its shape (see below) |
| correlation | k in every regime |

The total variance of an SVI slice is scaled so that the volatility at the money moves by as much. A shocked surface is
one that could be published, so the engine's own kernels price it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from kernels.surface import CONSTANT, MAX_VOL, MIN_VOL, SMILE, SVI
from monitor.engine.index import IndexView
from monitor.engine.ledger import DOLLAR_TOKENS
from monitor.engine.pricing import PAR_ASSETS, SECONDS_PER_YEAR, grid

if TYPE_CHECKING:
    from monitor.answers.facts import ContractFacts, Facts
    from monitor.answers.view import View
    from monitor.engine.correlation import CorrelationView
    from monitor.engine.surface import SurfaceRow
    from schemas.records import ParameterSet

MARKET = "market"  # in place of a coin: all that are no dollar tokens, each by its beta


class Shock(Struct, frozen=True, forbid_unknown_fields=True):
    """What is different: moves of prices by coin as fractions, volatility in decimals (0.30: 30 points), k.

    `MARKET` among the moves is every coin without a move of its own, by `betas`.
    """

    moves: dict[str, float] = {}
    vol: float = 0.0
    stress: float | None = None


class RefusedShock(ValueError):
    """A shock that has no market: a price at or below zero, a coin without a price, a k outside [0, 1]."""


def shocked(view: View, shock: Shock) -> View:
    """Return the view under a shock; raises RefusedShock."""
    found = view
    moves = all_moves(view, shock.moves)
    if moves or shock.vol:
        found = found.with_facts(moved(found.facts, moves, shock.vol))
    if shock.stress is not None:
        if not 0.0 <= shock.stress <= 1.0:
            raise RefusedShock(f"k lies in [0, 1], not at {shock.stress}")
        found = found.with_set(with_stress(found.active.set, shock.stress))
    return found


def all_moves(view: View, moves: dict[str, float]) -> dict[str, float]:
    """Return moves by coin, that of the market spelt out; raises RefusedShock."""
    for name, move in moves.items():
        if not -1.0 < move < math.inf:
            raise RefusedShock(f"a move lies above -1, not at {move}")
        if name != MARKET and price_of(view.facts, name) is None:
            raise RefusedShock(f"{name} has no price in this view")
    market = moves.get(MARKET)
    found = {name: move for name, move in moves.items() if name != MARKET}
    if market is not None:
        for name, beta in betas(view, view.underlyings).items():
            found.setdefault(name, (1.0 + market) ** beta - 1.0)
    return {name: move for name, move in found.items() if move != 0.0}


def moved(facts: Facts, moves: dict[str, float], vol: float) -> Facts:
    """Return facts with prices moved and volatilities shifted; what does not move is the same object."""
    coins, contracts = facts.coins, facts.contracts
    if moves:
        coins = dict(coins)
        for name, move in moves.items():
            coin = coins[name]
            view = coin.index or IndexView(1.0, False, ("assumed_par",), 0, 0)
            index = IndexView(view.price_usd * (1.0 + move), view.held, view.flags, view.fresh_sources, view.sources)
            coins[name] = msgspec.structs.replace(coin, index=index)
    if vol:
        at_us = grid(facts.time_us)
        contracts = {name: _shifted(one, vol, at_us) for name, one in contracts.items()}
    return msgspec.structs.replace(facts, coins=coins, contracts=contracts)


def price_of(facts: Facts, underlying: str) -> float | None:
    """Return an index price, 1 for a dollar token that nobody publishes one for, None without any."""
    coin = facts.coins.get(underlying)
    if coin is None:
        return None
    if coin.index is None:
        return 1.0 if underlying in PAR_ASSETS else None
    return coin.index.price_usd


def betas(view: View, underlyings: Iterable[str]) -> dict[str, float]:
    """Return by coin how it moves with the market's leader: fast correlation times the ratio of volatilities.

    The leader is BTC where the view has it, else the most valuable of the coins by name; a coin without an estimate
    moves as much as the leader does. Dollar tokens stay.
    """
    coins = [name for name in sorted(underlyings) if name not in DOLLAR_TOKENS and price_of(view.facts, name)]
    return betas_by(coins, {name: view.facts.coins[name].annual_vol for name in coins}, view.correlation)


def betas_by(
    coins: Sequence[str], annual_vol: Mapping[str, float | None], correlation: CorrelationView
) -> dict[str, float]:  # fmt: skip
    """Return `betas` of coins that have a price, from their volatilities and the published correlations."""
    leader = leader_of(coins)
    place = {name: k for k, name in enumerate(correlation.underlyings)}
    found = {}
    for name in coins:
        own, lead = annual_vol[name], annual_vol.get(leader)
        beta = 1.0
        if name != leader and name in place and leader in place and own and lead:
            beta = float(correlation.fast[place[name], place[leader]]) * own / lead
        found[name] = beta
    return found


def leader_of(coins: Iterable[str]) -> str:
    """Return the coin that a market's move is told by: BTC, else ETH, else the first by name."""
    names = sorted(coins)
    for name in ("BTC", "ETH"):
        if name in names:
            return name
    return names[0] if names else ""


def with_stress(chosen: ParameterSet, stress: float) -> ParameterSet:
    """Return a parameter set whose k is the same in every regime."""
    netting = msgspec.structs.replace(
        chosen.netting, correlation_stress=stress, concentration_stress=stress, breakdown_stress=stress
    )
    return msgspec.structs.replace(chosen, netting=netting)


def _shifted(contract: ContractFacts, vol: float, at_us: int) -> ContractFacts:
    row = contract.surface
    if row is None:
        return contract
    return msgspec.structs.replace(contract, surface=shifted_row(row, vol, contract.instrument.expiry_us, at_us))


def shifted_row(row: SurfaceRow, vol: float, expiry_us: int | None, at_us: int) -> SurfaceRow:
    """Return a surface row with volatilities shifted; `at_us` is the point of the pricing grid."""
    if row.code in (CONSTANT, SMILE):
        return row._replace(p0=min(max(row.p0 + vol, MIN_VOL), MAX_VOL))
    if row.code != SVI or expiry_us is None:
        return row
    years = max((expiry_us - at_us) * 1e-6 / SECONDS_PER_YEAR, 1e-9)
    variance = row.p0 + row.p1 * (math.hypot(row.p3, row.p4) - row.p2 * row.p3)
    if variance <= 0.0:
        return row
    before = math.sqrt(variance / years)
    scale = (min(max(before + vol, MIN_VOL), MAX_VOL) / before) ** 2
    return row._replace(p0=row.p0 * scale, p1=row.p1 * scale)
