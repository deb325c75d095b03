"""Portfolios for tests of margin models, from contracts as people write them down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernels import move_losses, netting_solve, scenarios
from monitor.models.margin import Margin, Part
from monitor.models.portfolio import Correlations, Portfolio, Rows, Underlying
from schemas.records import RiskMatrixParameters

KIND = {
    "future": scenarios.LINEAR, "inverse": scenarios.INVERSE, "option": scenarios.LINEAR_OPTION,
    "inverse_option": scenarios.INVERSE_OPTION,
}  # fmt: skip
DAY_US = 86_400_000_000
NOW_US = 1_760_000_040_000_000


@dataclass(frozen=True)
class Contract:
    """A contract and how many are held; `days` is to expiry, 0 of a perpetual; `price` of it, or its forward."""

    name: str
    kind: str
    quantity: float
    price: float
    size: float = 1.0
    days: float = 0.0
    strike: float = 1.0
    is_call: bool = True
    vol: float = 0.5
    average: float = 0.0
    settlement: str = "USD"
    funding_rate: float = 0.0


@dataclass(frozen=True)
class Coin:
    """An underlying and all that is held of it."""

    name: str
    index: float
    contracts: tuple[Contract, ...] = ()
    coins: float = 0.0
    vol: float = 0.6
    flags: tuple[str, ...] = ()


def underlying(coin: Coin) -> Underlying:
    """Return the rows of a coin, valued by the risk array of the models."""
    held = sorted(coin.contracts, key=lambda c: c.name)
    kind = np.array([scenarios.COIN, *(KIND[c.kind] for c in held)])
    is_call = np.array([False, *(c.is_call for c in held)])
    size = np.array([1.0, *(c.size for c in held)])
    strike = np.array([1.0, *(c.strike for c in held)])
    price = np.array([coin.index, *(c.price for c in held)])
    years = np.array([0.0, *(c.days / 365.0 for c in held)])
    vol = np.array([0.0, *(c.vol for c in held)])
    zero, n = np.zeros(len(kind)), len(kind)
    value, delta, market = np.empty(n), np.empty(n), np.empty(n)
    none = scenarios.ScenarioTable(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0))
    scenarios.risk_array(
        kind, is_call, size, strike, price, zero, zero, years, vol, coin.index, *none,
        0.0, 0.0, 0.0, 0.0, 0.0, 1.0, np.zeros((n, 0)), value, delta, market,
    )  # fmt: skip
    expiry = np.array([0, *(int(c.days * DAY_US) + NOW_US if c.days else 0 for c in held)])
    entry_coins = [c.quantity * c.size / c.average if c.kind == "inverse" and c.average else 0.0 for c in held]
    entry_usd = [-c.quantity * c.size * c.average if c.kind == "future" else 0.0 for c in held]
    return Underlying(
        name=coin.name, index_price=coin.index, annual_vol=coin.vol, names=(None, *(c.name for c in held)),
        quantity=np.array([coin.coins + sum(entry_coins), *(c.quantity for c in held)]),
        rows=Rows(kind, is_call, size, strike, price, zero, zero, years, vol, expiry, value, delta, market),
        average_price=np.array([0.0, *(c.average for c in held)]),
        entry_usd=np.array([0.0, *entry_usd]), entry_coins=np.array([0.0, *entry_coins]),
        coins=coin.coins, flags=tuple(f"{flag}:{coin.name}" for flag in coin.flags),
        settlement=(None, *(c.settlement for c in held)),
        funding_rate_8h=np.array([0.0, *(c.funding_rate for c in held)]),
    )  # fmt: skip


def correlations(names: Sequence[str], correlation: float = 0.5, stress: float = 0.1) -> Correlations:
    """Return one matrix with the same correlation everywhere."""
    matrix = np.full((1, len(names), len(names)), correlation)
    for i in range(len(names)):
        matrix[0, i, i] = 1.0
    return Correlations(("floor",), matrix, stress)


def portfolio(*coins: Coin, cash: float = 0.0, account: str = "a", unlisted: tuple[str, ...] = ()) -> Portfolio:
    """Return a portfolio of some coins and a USD balance."""
    underlyings = tuple(sorted((underlying(coin) for coin in coins), key=lambda u: u.name))
    entries = sum(float(u.entry_usd.sum()) for u in underlyings)
    flags = tuple(sorted(flag for u in underlyings for flag in u.flags))
    return Portfolio(
        account, NOW_US, cash + entries, underlyings, correlations([u.name for u in underlyings]),
        unlisted=unlisted, flags=flags,
    )  # fmt: skip


def netted(book: Portfolio, price_range: float = 0.2) -> Margin:
    """Return model P in its plainest form: loss curves of one table for all coins, netted by correlation."""
    table = scenarios.scenario_table(price_range, 4, (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0))
    side = move_losses.extended_sides(table, 4)
    losses = np.zeros((len(book.underlyings), 9))
    for u, one in enumerate(book.underlyings):
        pnl = one.pnl_usd(table, RiskMatrixParameters(price_range=price_range))
        n = len(one.quantity)
        move_losses.move_losses(np.array([0, n]), np.arange(n), one.quantity, pnl, side, losses[u : u + 1])
    hedge, duals, weight = np.zeros(len(losses)), np.zeros_like(losses), np.zeros(len(book.correlations.matrices))
    found = netting_solve.solve(
        losses,
        np.full(len(losses), 9),
        book.correlations.matrices,
        book.correlations.stress,
        1e-9,
        hedge,
        duals,
        weight,
    )
    im = float(found.requirement)
    by_part = np.einsum("uj,uj->u", duals, losses)
    total = float(by_part.sum())
    scale = im / total if total > 0.0 else 0.0
    parts = tuple(
        Part(u.name, u.position_usd, scale * x, 0.8 * scale * x, float(u.quantity @ u.rows.delta_coins))
        for u, x in zip(book.underlyings, by_part.tolist(), strict=True)
    )
    return Margin(
        "P", "0" * 16, book.market_time_us, book.equity_usd, im, 0.8 * im, {"netted": im}, {"netted": 0.8 * im},
        parts=parts, flags=book.flags, degraded=book.missing,
    )  # fmt: skip
