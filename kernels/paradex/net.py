"""Net margin of one underlying and the provisions beside it.

Source: Paradex's documentation, page Portfolio Margin; what it leaves open is in docs/margin-model-a-paradex.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats
from kernels.scenarios_table import DOWN, UP, ScenarioTable


class Net(NamedTuple):
    """Net margin of an underlying, USD: the largest weighted loss with its cell, and what the minimum adds to it."""

    loss_usd: float
    cell: int
    minimum_usd: float


def scenario_table(moves: Sequence[float], tails: Sequence[tuple[float, float]]) -> ScenarioTable:
    """Return the cells: all moves with the volatility up, the inner ones with it down, then the tails with it up.

    moves: of each side, ascending and positive; no move is among the cells. tails: (move, weight). A weight is that
    of the whole portfolio's P&L in its cell, futures included: `weighted` applies it, the risk array counts all cells
    whole. With four moves and eight tails 24 cells.
    """
    both = [*(-move for move in reversed(moves)), 0.0, *moves]
    move = np.array([*both, *both[1:-1], *(move for move, _ in tails)])
    direction = np.array([UP] * len(both) + [DOWN] * (len(both) - 2) + [UP] * len(tails), dtype=np.int64)
    return ScenarioTable(move, move.copy(), direction, np.ones(len(move)))


def weighted(cells_usd: Floats, tails: Sequence[tuple[float, float]]) -> Floats:
    """Return the P&L of cells, those of the tails times their weights; float64[S]."""
    weights = np.ones(len(cells_usd))
    weights[len(cells_usd) - len(tails) :] = [weight for _, weight in tails]
    counted: Floats = cells_usd * weights
    return counted


def minimum_usd(delta_coins: Floats, index_price: float, net_rate: float, hedged_rate: float) -> float:
    """Return (net_rate |net delta| + hedged_rate hedged delta) spot; hedged is the smaller of long and short.

    delta_coins: of each position.
    """
    amounts = delta_coins.tolist()
    long = math.fsum(amount for amount in amounts if amount > 0.0)
    short = -math.fsum(amount for amount in amounts if amount < 0.0)
    return (net_rate * abs(long - short) + hedged_rate * min(long, short)) * index_price


def net(weighted_usd: Floats, least_usd: float) -> Net:
    """Return max(largest weighted loss, minimum) as the loss and what the minimum adds; the lowest cell wins ties."""
    cell = int(np.argmin(weighted_usd))
    loss = max(0.0, -float(weighted_usd[cell]))
    return Net(loss, cell, max(0.0, least_usd - loss))


def funding_provision(notional_usd: Floats, rate_8h: Floats) -> float:
    """Return what is expected to be paid over eight hours, position by position; receipts do not reduce it.

    notional_usd: signed, long positive; rate_8h: what longs pay, as a fraction.
    """
    return math.fsum(np.maximum(notional_usd * rate_8h, 0.0).tolist())
