"""From draws to the P&L of one portfolio: moves of indices and volatilities, and the revaluation under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kernels import scenarios_table
from kernels._jit import Bools, Floats, Ints
from kernels.joint import revaluation


class Book(NamedTuple):
    """Rows of one underlying: columns as `revaluation.revalue` takes them."""

    kind: Ints
    is_call: Bools
    size: Floats
    strike: Floats
    price_or_forward: Floats
    fixed: Floats
    funding: Floats
    years: Floats
    vol: Floats
    years_left: Floats
    vol_scale: Floats
    bucket: Ints
    quantity: Floats
    index_price: float


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """N scenarios of p underlyings: relative moves of index and volatility, float64[p, N], and of p bases, each [B, N].

    Volatility moves are those of a 30-day option.
    """

    index: Floats
    volatility: Floats
    basis: tuple[Floats, ...]


def index_moves(draws: Floats, deviation: Floats, least: float) -> Floats:
    """Return the relative moves of p indices, float64[p, N]: draws times their deviation [p], at least `least`.

    Moves, not logarithms: the exponential of a Student t variable has no mean, so a short position would have no
    shortfall that more draws could find.
    """
    return np.maximum(draws * deviation[:, np.newaxis], least)


def volatility_moves(index: Floats, own: Floats, beta_down: float, beta_up: float) -> Floats:
    """Return relative moves of volatilities, float64[p, N]: what falls and rises of the index cost, and their own."""
    return beta_down * np.maximum(-index, 0.0) + beta_up * np.maximum(index, 0.0) + own


def volatility_scale(years: Floats, short_power: float, long_power: float, dte_floor_days: float) -> Floats:
    """Return how much of a 30-day option's relative move one of these years has, float64[n]."""
    return np.array(
        [scenarios_table.tenor_scale(t, short_power, long_power, dte_floor_days) for t in years.tolist()], dtype=float
    )


def results(books: Sequence[Book], moves: Moves) -> Floats:
    """Return the P&L of p underlyings in N scenarios, float64[p, N], USD; errors and NaN as `revaluation.revalue`."""
    out = np.empty(moves.index.shape)
    for u, book in enumerate(books):
        revaluation.revalue(*book, moves.index[u], moves.basis[u], moves.volatility[u], out[u])
    return out


def total(parts: Floats) -> Floats:
    """Return the sum over rows of float64[p, N], row after row."""
    out = np.zeros(parts.shape[1])
    for row in parts:
        out += row
    return out
