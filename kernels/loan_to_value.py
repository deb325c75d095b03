"""Borrowing against collateral by a loan-to-value ratio, as Hyperliquid's portfolio margin states it."""

from __future__ import annotations

import math
from typing import NamedTuple


class Borrowing(NamedTuple):
    """What a collateral carries: the loan in USD, and the share of its value at which loans are called in."""

    borrowable_usd: float
    liquidation_threshold: float


def borrowing(amount: float, price_usd: float, loan_to_value: float) -> Borrowing:
    """Return amount price LTV, and the threshold 1/2 + LTV/2.

    NaN in gives NaN. Raises ValueError on a negative amount or price and on a ratio outside 0 to 1.
    """
    if amount < 0.0 or price_usd < 0.0 or loan_to_value < 0.0 or loan_to_value > 1.0:
        raise ValueError("collateral has an amount and a price that are not negative, and a ratio from 0 to 1")
    return Borrowing(amount * price_usd * loan_to_value, 0.5 + 0.5 * loan_to_value)


def margin_ratio(
    required_usd: float,
    balance_usd: float,
    borrow_cap_usd: float,
    collateral_amount: float,
    supply_cap: float,
    price_usd: float,
    liquidation_threshold: float,
) -> float:
    """Return required/(balance + min(borrow cap, min(amount, supply cap) price threshold)) of one borrowed token.

    required_usd: minimum, cross maintenance and loans together; amount and cap in coins. An account's ratio is the
    largest over its tokens and it may be liquidated above 0.95. Nothing required is 0; something required of nothing is
    infinite. NaN in gives NaN. Source: Hyperliquid documentation, portfolio margin.
    """
    behind = (balance_usd, borrow_cap_usd, collateral_amount, supply_cap, price_usd, liquidation_threshold)
    if math.isnan(required_usd) or any(math.isnan(x) for x in behind):
        return math.nan
    available = balance_usd + min(
        borrow_cap_usd, min(collateral_amount, supply_cap) * price_usd * liquidation_threshold
    )
    if required_usd <= 0.0:
        return 0.0
    return required_usd / available if available > 0.0 else math.inf
