"""Add-ons that every model can use: what they are of a portfolio, and a model's margin with them on top.

Formulas, sources and what they double: `docs/add-ons.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from kernels.add_ons import charges, exposures, liquidation
from monitor.models.charged import Charge, charged, totals
from monitor.models.charges import delta_usd, flag_names, held, horizon_days, portfolio_charges
from monitor.models.margin import Margin
from monitor.models.portfolio import Portfolio, Underlying
from schemas.add_ons import OFF, AddOnParameters, DataQualityAddOn, LiquidityAddOn, MinimumAddOn

_NO_AGES: Mapping[str, float] = {}


def add_ons(
    portfolio: Portfolio, parameters: AddOnParameters
) -> tuple[dict[str, float], dict[str, float], tuple[str, ...], tuple[str, ...]]:
    """Return the add-ons that need no model: initial and maintenance by name in USD, flags, reasons of degradation.

    What is off is not named; what is on is, also where it is zero. All are NaN where the portfolio cannot be valued.
    """
    im, mm, degraded = totals(list(portfolio_charges(portfolio, parameters)), portfolio)
    return im, mm, portfolio.flags, degraded


def with_add_ons(
    margin: Margin, portfolio: Portfolio, parameters: AddOnParameters, ages_s: Mapping[str, float] = _NO_AGES
) -> Margin:
    """Return a model's margin with add-ons as components.

    Beside those of `add_ons`: `concentration`, market risk for as long as closing takes; `staleness`, growth with the
    age of prices; `minimum`, up to the floor under the model. `depeg` is what the model's own part of the token does
    not have: scenarios are a maximum. `ages_s`: age of an underlying's price in seconds where it is known, besides
    its flags. A model without parts has its whole requirement scaled by the longest horizon and the oldest price.
    """
    if parameters == OFF:
        return margin
    parts = {part.underlying: part for part in margin.parts}
    found = []
    for charge in portfolio_charges(portfolio, parameters):
        part = parts.get(charge.underlying)
        if charge.name == "add_on_depeg_usd" and part is not None:
            im_usd, mm_usd = charges.beyond(charge.im_usd, part.im_usd), charges.beyond(charge.mm_usd, part.mm_usd)
            found.append(charge._replace(im_usd=im_usd, mm_usd=mm_usd))
        else:
            found.append(charge)
    days = {}
    if parameters.liquidity is not None:
        days = {u.name: horizon_days(u, parameters.liquidity) for u in portfolio.underlyings}
        found += _concentration(margin, parameters.liquidity, days)
    if parameters.data_quality is not None:
        found += _staleness(margin, portfolio, parameters.data_quality, ages_s)
    if parameters.minimum is not None:
        found.append(_minimum(margin, portfolio, parameters.minimum))
    statistics = {f"horizon_days:{name}": h for name, h in days.items() if h != 1.0}
    return charged(margin, portfolio, found, statistics)


def _risks(margin: Margin) -> Iterator[tuple[str, float, float]]:
    """Yield underlying, initial and maintenance market risk of each part, or of the whole under no name."""
    if margin.parts:
        yield from ((part.underlying, part.im_usd, part.mm_usd) for part in margin.parts)
    else:
        yield "", margin.im_requirement_usd, margin.mm_requirement_usd


def _concentration(margin: Margin, by: LiquidityAddOn, days: Mapping[str, float]) -> Iterator[Charge]:
    if not by.scale_market_risk:
        return
    longest = _largest([1.0, *days.values()])
    for name, im_usd, mm_usd in _risks(margin):
        h = days.get(name, 1.0) if name else longest
        im_more, mm_more = liquidation.longer_risk(im_usd, h), liquidation.longer_risk(mm_usd, h)
        yield Charge("add_on_concentration_usd", name, im_more, mm_more)


def _staleness(
    margin: Margin, portfolio: Portfolio, by: DataQualityAddOn, ages_s: Mapping[str, float]
) -> Iterator[Charge]:
    shares = {u.name: _stale_share(u, by, ages_s.get(u.name, 0.0)) for u in portfolio.underlyings}
    stalest = _largest([0.0, *shares.values()])
    for name, im_usd, _ in _risks(margin):
        growth = by.growth * (shares.get(name, 0.0) if name else stalest)
        usd = growth * charges.beyond(im_usd, 0.0)
        yield Charge("add_on_staleness_usd", name, usd, by.mm_factor * usd)


def _stale_share(underlying: Underlying, by: DataQualityAddOn, age_s: float) -> float:
    by_flag = [by.stale_share[flag] for flag in flag_names(underlying) if flag in by.stale_share]
    return _largest([charges.stale_share(age_s, by.age_free_s, by.age_span_s), *by_flag])


def _minimum(margin: Margin, portfolio: Portfolio, by: MinimumAddOn) -> Charge:
    floor = math.fsum(_floor_usd(underlying, by) for underlying in portfolio.underlyings)
    im_usd = charges.beyond(floor, margin.im_requirement_usd)
    return Charge("add_on_minimum_usd", "", im_usd, charges.beyond(by.mm_factor * floor, margin.mm_requirement_usd))


def _floor_usd(underlying: Underlying, by: MinimumAddOn) -> float:
    deltas = delta_usd(underlying)[held(underlying)]
    return charges.floor_usd(deltas, by.net_rate, by.hedged_rate, exposures.hedged(deltas.tolist()))


def _largest(values: list[float]) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)
