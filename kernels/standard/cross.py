"""Cross margin: one equity for all positions, and what each price, or all of them together, may do.

Equity less maintenance is E0 + sum_j q_j (p'_j - p_j) - sum_j mm_j |q_j| p'_j, linear in the prices, so each question
has a closed form. The maintenance of the *other* positions belongs in it: without it a liquidation price is too far
away, by their whole maintenance over q.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from kernels.standard.isolated import check_rate
from kernels.standard.margin import Margin, fsum, of_requirements


class Positions(NamedTuple):
    """Linear positions: signed coins, marks in USD, maintenance rates on the notional at the mark, one entry each."""

    quantity_coins: Sequence[float]
    mark_price: Sequence[float]
    mm_rate: Sequence[float]


class MarketMove(NamedTuple):
    """A move of the market, as a fraction, and the prices it leads to."""

    move: float
    price: tuple[float, ...]


def cross_margin(positions: Positions, im_rate: Sequence[float], equity_usd: float) -> Margin:
    """Return the margin of cross positions, with the parts by position in their order.

    A mark that is not positive makes requirement and excess NaN where something is held. Raises ValueError on lengths
    or rates that do not fit.
    """
    check_positions(positions)
    if len(im_rate) != len(positions.mm_rate):
        raise ValueError("each position needs its initial rate")
    notional = notionals(positions)
    im = {f"position {i}": rate * x for i, (rate, x) in enumerate(zip(im_rate, notional, strict=True))}
    mm = {f"position {i}": rate * x for i, (rate, x) in enumerate(zip(positions.mm_rate, notional, strict=True))}
    return of_requirements(equity_usd, im, mm)


def cross_liquidation_prices(positions: Positions, equity_usd: float) -> list[float | None]:
    """Return for each position the price that liquidates the account while all others stay where they are.

    p* = (sum over others of mm |q| p - E0 + q p)/(q - mm |q|), equity_usd being E0 at the marks. None where a price
    alone cannot do it: no position, a price that would not be positive, or one that is not on the adverse side. An
    account that is below its maintenance already has None throughout: see `cross_margin` for that. Raises ValueError
    on what is not finite, marks that are not positive and rates outside [0, 1).
    """
    check_positions(positions)
    _check_marks(positions)
    if not math.isfinite(equity_usd):
        raise ValueError("equity has to be finite")
    maintenance = [rate * x for rate, x in zip(positions.mm_rate, notionals(positions), strict=True)]
    prices: list[float | None] = []
    for i, (q, p, rate) in enumerate(zip(*positions, strict=True)):
        if q == 0.0:
            prices.append(None)
            continue
        # Summed without the own one, not the total less it: what is left of a small rest would be noise.
        others = [*maintenance[:i], *maintenance[i + 1 :]]
        price = math.fsum([*others, -equity_usd, q * p]) / (q - rate * abs(q))
        adverse = price <= p if q > 0.0 else price >= p
        prices.append(price if 0.0 < price < math.inf and adverse else None)
    return prices


def market_liquidation(positions: Positions, beta: Sequence[float], equity_usd: float) -> MarketMove | None:
    """Return the move of the market that liquidates the account, each price moving by beta times it.

    With p'_j = p_j (1 + beta_j x): x* = (sum mm |q| p - E0)/(sum q p beta - sum mm |q| p beta). None where no move
    does: nothing held moves with the market on balance, the account is below its maintenance already, or a price
    would have to fall to zero or below, where the linear form ends. Raises ValueError as `cross_liquidation_prices`.
    """
    check_positions(positions)
    _check_marks(positions)
    if len(beta) != len(positions.mark_price) or not all(math.isfinite(b) for b in (*beta, equity_usd)):
        raise ValueError("each position needs a finite beta, and equity has to be finite")
    notional = notionals(positions)
    excess = math.fsum([equity_usd, *(-rate * x for rate, x in zip(positions.mm_rate, notional, strict=True))])
    slope = math.fsum(
        b * p * (q - rate * abs(q))
        for b, q, p, rate in zip(beta, positions.quantity_coins, positions.mark_price, positions.mm_rate, strict=True)
    )
    if slope == 0.0 or excess < 0.0:
        return None
    move = -excess / slope
    price = tuple(p * (1.0 + b * move) for p, b in zip(positions.mark_price, beta, strict=True))
    told = all(math.isfinite(p) and (p > 0.0 or q == 0.0) for p, q in zip(price, positions.quantity_coins, strict=True))
    return MarketMove(move, price) if told else None


def notionals(positions: Positions) -> list[float]:
    """Return |q| p of each position: 0 of none, NaN where what is held has no usable mark."""
    return [
        0.0 if q == 0.0 else abs(q) * p if p > 0.0 and math.isfinite(p) else math.nan
        for q, p in zip(positions.quantity_coins, positions.mark_price, strict=True)
    ]


def check_positions(positions: Positions) -> None:
    """Refuse columns of different lengths, quantities that are not finite and rates outside [0, 1)."""
    if len({len(column) for column in positions}) != 1:
        raise ValueError("each position needs a quantity, a mark and a maintenance rate")
    for quantity, rate in zip(positions.quantity_coins, positions.mm_rate, strict=True):
        check_rate(rate)
        if not math.isfinite(quantity):
            raise ValueError("quantities have to be finite")


def _check_marks(positions: Positions) -> None:
    if math.isnan(fsum(notionals(positions))):
        raise ValueError("what is held needs a positive mark")
