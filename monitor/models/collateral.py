"""Collateral in a requirement: haircuts on balances and rates on debts, on top of any model's margin.

Equity keeps the marked value; what is not trusted of it is a component. The models shock coins inside their scenarios
besides, on purpose: the scenario is the price that falls with the portfolio, the haircut what selling costs even then
(`docs/collateral.md`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kernels.loan_to_value import borrowing
from kernels.marginal_tiers import marginal_charge
from monitor.models.charged import Charge, charged, totals
from monitor.models.margin import Margin
from monitor.models.portfolio import Portfolio
from monitor.models.tiers import tiers_of
from schemas.collateral import AssetCollateral, CollateralParameters, Haircut, LoanToValue
from schemas.tiers import MarginalTiers

USD = "USD"
ROUNDING = 1e-12  # of the entry sides: what their cancellation may leave of a balance that is zero


def collateral(
    portfolio: Portfolio, parameters: CollateralParameters
) -> tuple[dict[str, float], dict[str, float], tuple[str, ...], tuple[str, ...]]:
    """Return `haircut:ASSET` and `borrow:ASSET`, initial and maintenance in USD, flags, reasons of degradation.

    Only balances count: entry sides of inverse contracts are no collateral. All are NaN where the portfolio cannot be
    valued; what costs nothing is not named.
    """
    im, mm, degraded = totals(list(_charges(portfolio, parameters)), portfolio)
    return im, mm, portfolio.flags, degraded


def with_collateral(margin: Margin, portfolio: Portfolio, parameters: CollateralParameters) -> Margin:
    """Return a model's margin with haircuts and debts as components; add-ons, which look at its parts, come first."""
    if parameters == CollateralParameters():
        return margin
    return charged(margin, portfolio, list(_charges(portfolio, parameters)))


def usd_balance(portfolio: Portfolio) -> float:
    """Return the balance in USD: cash less the entry sides of linear contracts, 0 where those only leave rounding."""
    entries = [float(usd) for underlying in portfolio.underlyings for usd in underlying.entry_usd]
    balance = math.fsum([portfolio.cash_usd, *(-usd for usd in entries)])
    size = math.fsum(map(abs, (portfolio.cash_usd, *entries)))
    return 0.0 if abs(balance) <= ROUNDING * size else balance


def _charges(portfolio: Portfolio, parameters: CollateralParameters) -> Iterator[Charge]:
    balances = [(u.name, u.coins, u.index_price) for u in portfolio.underlyings]
    for asset, amount, price_usd in balances:
        by = parameters.assets.get(asset, parameters.default)
        yield from _of_balance(asset, asset, amount, price_usd, by)
    dollars = min(0.0, usd_balance(portfolio))
    yield from _of_balance(USD, "", dollars, 1.0, parameters.assets.get(USD, AssetCollateral()))


def _of_balance(asset: str, underlying: str, amount: float, price_usd: float, by: AssetCollateral) -> Iterator[Charge]:
    if amount == 0.0:
        return
    if amount < 0.0:
        debt_usd = -amount * price_usd
        name, (im_usd, mm_usd) = "borrow", _tiered(debt_usd, by.borrow_mm, by.borrow_im_extra)
    elif isinstance(by.positive, Haircut):
        name, (im_usd, mm_usd) = "haircut", _tiered(amount * price_usd, by.positive.mm, by.positive.im_extra)
    else:
        name, (im_usd, mm_usd) = "haircut", _not_lent(amount, price_usd, by.positive)
    if im_usd != 0.0:
        yield Charge(f"{name}:{asset}", underlying, im_usd, mm_usd)


def _tiered(value_usd: float, mm: MarginalTiers, im_extra: MarginalTiers) -> tuple[float, float]:
    """Return initial and maintenance charge: each slice at its own rate, the initial extra added."""
    mm_usd = marginal_charge(value_usd, tiers_of(mm)).charge
    return mm_usd + marginal_charge(value_usd, tiers_of(im_extra)).charge, mm_usd


def _not_lent(amount: float, price_usd: float, by: LoanToValue) -> tuple[float, float]:
    """Return what of the value may not be borrowed, initially, and what lies beyond the threshold of liquidation."""
    counted = amount if by.supply_cap is None else min(amount, by.supply_cap)
    lent = borrowing(counted, price_usd, by.loan_to_value)
    cap = math.inf if by.borrow_cap_usd is None else by.borrow_cap_usd
    carried = counted * price_usd * lent.liquidation_threshold
    value = amount * price_usd
    if math.isnan(value):
        return math.nan, math.nan
    return value - min(cap, lent.borrowable_usd), value - min(cap, carried)
