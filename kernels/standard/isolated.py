"""Isolated perpetuals: margin posted for one position alone, and the price at which it is liquidated.

Equity of a linear position is M + q (p - e) in USD, its maintenance mm |q| p; of an inverse one with face n, signed,
M + n (1/e - 1/p) and mm |n|/p in coins. The liquidation price is where the two are equal, and there is one at most:

| contract | long | short |
|---|---|---|
| linear | (e - M/q)/(1 - mm) | (e + M/q)/(1 + mm) |
| inverse | n (1 + mm)/(M + n/e) | n (1 - mm)/(n/e - M), none if n/e <= M |

None is returned where the price alone cannot liquidate: a result that is not positive, or a position of zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from kernels.standard.margin import Margin, fsum, of_requirements


def linear_liquidation_price(
    quantity_coins: float, entry_price: float, margin_usd: float, mm_rate: float
) -> float | None:
    """Return the mark at which a linear position's equity equals its maintenance, None if there is none.

    Raises ValueError on an entry that is not positive, a rate outside [0, 1) or what is not finite.
    """
    _check(quantity_coins, entry_price, margin_usd, mm_rate)
    if quantity_coins == 0.0:
        return None
    return _positive((quantity_coins * entry_price - margin_usd) / (quantity_coins - mm_rate * abs(quantity_coins)))


def inverse_liquidation_price(face_usd: float, entry_price: float, margin_coins: float, mm_rate: float) -> float | None:
    """Return the mark at which an inverse position's equity equals its maintenance, None if there is none.

    face_usd: contracts times face, negative for a short. Raises ValueError as `linear_liquidation_price`.
    """
    _check(face_usd, entry_price, margin_coins, mm_rate)
    coins = margin_coins + face_usd / entry_price  # a long's are positive, a short's negative: what the price divides
    if face_usd == 0.0 or coins == 0.0:
        return None
    return _positive((face_usd + mm_rate * abs(face_usd)) / coins)


def linear_isolated(
    quantity_coins: float, entry_price: float, mark_price: float, margin_usd: float, im_rate: float, mm_rate: float
) -> Margin:
    """Return the margin in USD of an isolated linear position; NaN without a mark.

    Raises ValueError as `linear_liquidation_price`, and on an initial rate below the maintenance rate.
    """
    _check(quantity_coins, entry_price, margin_usd, mm_rate)
    _check_initial(im_rate, mm_rate)
    notional = abs(quantity_coins) * mark_or_nan(mark_price)
    pnl = quantity_coins * (mark_or_nan(mark_price) - entry_price)
    return of_requirements(margin_usd + pnl, {"position": im_rate * notional}, {"position": mm_rate * notional})


def inverse_isolated(
    face_usd: float, entry_price: float, mark_price: float, margin_coins: float, im_rate: float, mm_rate: float
) -> Margin:
    """Return the margin in coins of an isolated inverse position; NaN without a mark. Raises as `linear_isolated`."""
    _check(face_usd, entry_price, margin_coins, mm_rate)
    _check_initial(im_rate, mm_rate)
    mark = mark_or_nan(mark_price)
    pnl = face_usd * ((mark - entry_price) / (mark * entry_price))
    notional = abs(face_usd) / mark
    return of_requirements(margin_coins + pnl, {"position": im_rate * notional}, {"position": mm_rate * notional})


def isolated_requirement(
    notionals_usd: Sequence[float], im_rates: Sequence[float], mm_rates: Sequence[float], equity_usd: float
) -> Margin:
    """Return the margin of positions that help each other nowhere: the sum of rates times notionals.

    notionals_usd: signed or not; each has its two rates. It is what capital efficiency is measured against. Raises
    ValueError on lengths that differ and on rates as `linear_isolated`.
    """
    if not len(notionals_usd) == len(im_rates) == len(mm_rates):
        raise ValueError("each position needs an initial and a maintenance rate")
    for im_rate, mm_rate in zip(im_rates, mm_rates, strict=True):
        check_rate(mm_rate)
        _check_initial(im_rate, mm_rate)
    im = fsum(abs(x) * rate for x, rate in zip(notionals_usd, im_rates, strict=True))
    mm = fsum(abs(x) * rate for x, rate in zip(notionals_usd, mm_rates, strict=True))
    return of_requirements(equity_usd, {"positions": im}, {"positions": mm})


def mark_or_nan(price: float) -> float:
    """Return a price that can be used, NaN for any other."""
    return price if price > 0.0 and math.isfinite(price) else math.nan


def check_rate(mm_rate: float) -> None:
    """Refuse a maintenance rate outside [0, 1): from 1 on a long is liquidated at every price."""
    if not 0.0 <= mm_rate < 1.0:
        raise ValueError(f"a maintenance rate lies in [0, 1), got {mm_rate}")


def _check_initial(im_rate: float, mm_rate: float) -> None:
    if not mm_rate <= im_rate <= 1.0:
        raise ValueError(f"an initial rate lies between the maintenance rate {mm_rate} and 1, got {im_rate}")


def _check(quantity: float, entry_price: float, margin: float, mm_rate: float) -> None:
    if not (math.isfinite(quantity) and math.isfinite(margin)):
        raise ValueError("quantity and margin have to be finite")
    if not (entry_price > 0.0 and math.isfinite(entry_price)):
        raise ValueError(f"an entry price is positive and finite, got {entry_price}")
    check_rate(mm_rate)


def _positive(price: float) -> float | None:
    return price if 0.0 < price < math.inf else None
