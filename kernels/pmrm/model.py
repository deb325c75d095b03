"""Model B put together: net margins, requirements and what they are made of."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats
from kernels.pmrm import contingencies, holdings, pnl, values
from kernels.pmrm.contingencies import Basis
from kernels.pmrm.holdings import Haircuts, Held, Market, Portfolio, Terms
from kernels.pmrm.values import Scenarios

NAMES = (
    "scan_im_usd", "depeg_usd", "scan_mm_usd", "mm_perp_usd", "mm_option_usd", "mm_collateral_usd",
    "im_perp_usd", "im_option_usd", "im_collateral_usd", "confidence_usd",
    "cash_usd", "perp_unrealised_usd", "option_mtm_usd", "collateral_usd",
)  # fmt: skip


class Margin(NamedTuple):
    """One portfolio's margin in USD.

    equity is its value now; requirements are not negative, excess is equity less requirement, which the venue calls
    net margin. components are positive charges and, from cash on, the parts of equity (`NAMES`):
    IM = scan_im + depeg + mm_* + im_* + confidence and MM = scan_mm + mm_*. worst_scenario is a row of the scenarios,
    or their number where the basis contingency is as bad or worse; -1 if there is no result. scenario_pnl: float64[S].
    unusable names inputs without which every figure is NaN; warnings says what a figure rests on (`WARNINGS`).
    """

    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float
    im_excess_usd: float
    mm_excess_usd: float
    worst_scenario: int
    worst_pnl_usd: float
    basis_contingency_usd: float
    components: dict[str, float]
    scenario_pnl_usd: Floats
    unusable: tuple[str, ...]
    warnings: tuple[str, ...]


WARNINGS = ("rewarding_discount", "initial_below_maintenance", "low_confidence", "depeg")


class _Scan(NamedTuple):
    pnl: Floats
    worst: int
    worst_pnl: float
    basis: float
    mtm: float
    rewarding: bool


def basis_scenarios(by: Basis) -> Scenarios:
    """Return the three scenarios on which a risk-reducing trade may be judged: spot up, down and as it is."""
    return values.scenario_table([(by.spot_up, "none", 1.0), (by.spot_down, "none", 1.0), (1.0, "none", 1.0)])


def margin(portfolio: Portfolio, market: Market, haircuts: Haircuts, scenarios: Scenarios, terms: Terms) -> Margin:
    """Return a portfolio's margin under scenarios and parameters.

    IM net = worst (im_factor + depeg) - C_MM - C_IM + equity, MM net = worst mm_factor - C_MM + equity, worst the least
    of all scenario P&L and the basis contingency. Input that cannot be used gives NaN and its name, never a zero; what
    no portfolio can be raises ValueError (`holdings.check`). No order of rows changes a bit. Source: PMRMLib_2.
    """
    holdings.check(portfolio, market, haircuts)
    held = holdings.held_options(portfolio, market)
    bad = holdings.unusable(portfolio, market, held)
    if bad:
        return _without_result(len(scenarios.spot), bad)
    collateral = portfolio.collateral_amount * np.where(
        portfolio.collateral_amount > 0.0, market.collateral_price / market.stable_price, 0.0
    )
    moving = math.fsum(collateral[haircuts.is_risk_cancelling])
    if portfolio.perp_position != 0.0:
        moving += portfolio.perp_position * market.perp_price
    scan = _scan(held, scenarios, terms, moving)
    depeg = contingencies.depeg_factor(market.stable_price, terms.charges)
    confidence = _confidence(portfolio, market, held, collateral, terms)
    perp, naked = _notionals(portfolio, market, held)
    charges, worst = terms.charges, scan.worst_pnl
    parts = (
        -worst * terms.im_factor, -worst * depeg, -worst * terms.mm_factor, perp * charges.mm_perp_pct,
        naked * charges.mm_option_pct, math.fsum(collateral * haircuts.mm_haircut),
        perp * charges.im_perp_pct_extra, naked * charges.im_option_pct_extra,
        math.fsum(collateral * haircuts.im_haircut_extra), confidence,
        portfolio.cash_usd, portfolio.perp_unrealised_usd, scan.mtm, math.fsum(collateral),
    )  # fmt: skip
    # Adding zero turns the negative one into the positive: no charge prints as -0.
    components = {name: part + 0.0 for name, part in zip(NAMES, parts, strict=True)}
    maintenance = math.fsum(parts[3:6])
    im, mm = math.fsum((*parts[:2], *parts[3:10])) + 0.0, parts[2] + maintenance + 0.0
    equity = math.fsum(parts[10:])
    met = (scan.rewarding, terms.im_factor < terms.mm_factor, confidence > 0.0, depeg > 0.0)
    return Margin(
        equity, im, mm, equity - im, equity - mm, scan.worst, worst, scan.basis, components, scan.pnl, (),
        tuple(word for word, holds in zip(WARNINGS, met, strict=True) if holds),
    )  # fmt: skip


def _scan(held: Held, scenarios: Scenarios, terms: Terms, moving_usd: float) -> _Scan:
    """Return P&L by scenario, the worst of it, the basis contingency and the options' value now."""
    n, basis = len(scenarios.spot), basis_scenarios(terms.basis)
    spot = np.concatenate([scenarios.spot, basis.spot])
    direction = np.concatenate([scenarios.direction, basis.direction])
    unit = np.empty((held.amount.size, n + 3))
    values.unit_values(
        held.is_call, held.strike, held.vol, held.expiry, held.years, held.rate, held.forward_fixed,
        held.forward_variable, spot, direction, *terms.vol_shock, *terms.skew, unit,
    )  # fmt: skip
    shocked = np.empty((held.years.size, n + 3))
    pnl.expiry_values(held.amount, held.expiry, unit, shocked)
    up, down, mtm = (np.ascontiguousarray(shocked[:, n + i]) for i in range(3))
    expiries = range(held.years.size)
    years, rates = held.years.tolist(), held.rate.tolist()
    factors = [pnl.static_discounts(years[e], rates[e], terms.discounting) for e in expiries]
    long, short = (np.array([pair[side] for pair in factors], dtype=np.float64) for side in (0, 1))
    gains = np.empty(n)
    pnl.scenario_pnl(
        np.ascontiguousarray(shocked[:, :n]), mtm, long, short, scenarios.spot, scenarios.direction, scenarios.damping,
        moving_usd, gains,
    )  # fmt: skip
    charged = [
        contingencies.basis_contingency(float(mtm[e]), float(up[e]), float(down[e]), years[e], terms.basis)
        for e in expiries
    ]
    contingency = math.fsum(charged)
    worst = int(np.argmin(gains))
    if not gains[worst] < contingency:
        worst = n
    worst_pnl = contingency if worst == n else float(gains[worst])
    rewarding = any(a > b for a, b in factors) or (
        terms.discounting.long_static_discount > min(1.0, terms.discounting.short_static_discount)
    )
    return _Scan(gains, worst, worst_pnl, contingency, math.fsum(mtm), rewarding)


def _notionals(portfolio: Portfolio, market: Market, held: Held) -> tuple[float, float]:
    """Return the notional of the perpetual and of naked shorts, USD at spot."""
    naked = math.fsum(map(contingencies.naked_shorts, held.net_by_strike))
    perp = portfolio.perp_notional_coins
    return perp * market.spot if perp else 0.0, naked * market.spot if naked else 0.0


def _confidence(portfolio: Portfolio, market: Market, held: Held, collateral: Floats, terms: Terms) -> float:
    """Return the confidence contingency of perpetual, expiries and collateral, USD; each with its least confidence."""
    least, charges = market.spot_confidence, []
    if portfolio.perp_notional_coins != 0.0:
        least = min(least, market.perp_confidence)
        charges.append((least, portfolio.perp_notional_coins * market.spot))
    for confidence, size in zip(held.confidence.tolist(), held.size, strict=True):
        charges.append((min(least, confidence), size * market.spot))
    for confidence, value in zip(market.collateral_confidence.tolist(), collateral.tolist(), strict=True):
        if value:
            charges.append((min(market.spot_confidence, confidence), value))
    return math.fsum(contingencies.confidence_charge(c, notional, terms.charges) for c, notional in charges)


def _without_result(scenarios: int, bad: tuple[str, ...]) -> Margin:
    nan = math.nan
    return Margin(nan, nan, nan, nan, nan, -1, nan, nan, dict.fromkeys(NAMES, nan), np.full(scenarios, nan), bad, ())
