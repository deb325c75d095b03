"""Model B of one portfolio: Derive's scenario margin, one underlying at a time.

The venue margins one underlying for an account, with a perpetual and options on it. Here each underlying is such a
market and the account needs the sum, since the model nets nothing across them. Of one underlying:

* coins and the coin side of inverse contracts move as spot does; what is linear in the price (futures, perpetuals, and
  what inverse contracts earn in coins) is the perpetual of the model, its notional charge on the gross of all of them;
* coins that are owned are collateral which scenarios move; coins owed are part of what the perpetual shorts;
* an option settled in coins is taken at its USD value, as the model prices every option.

Dollar tokens are collateral that scenarios do not move. Confidence is by the flags of the data.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from kernels import scenarios
from kernels.pmrm import holdings, model, values
from kernels.pmrm.contingencies import Basis, Charges
from kernels.pmrm.holdings import Haircuts, Terms
from kernels.pmrm.pnl import Discounting
from kernels.pmrm.values import Scenarios, Skew, VolShock
from monitor.models.confidence import confidence_of
from monitor.models.margin import Margin, Part, Worst, not_computed
from schemas.pmrm import PmrmParameters, PmrmSet

if TYPE_CHECKING:
    from monitor.models.portfolio import Portfolio, Underlying

NAME = "B"
IM_NAMES = ("scan_im_usd", "depeg_usd", "mm_perp_usd", "mm_option_usd", "mm_collateral_usd", "im_perp_usd",
            "im_option_usd", "im_collateral_usd", "confidence_usd")  # fmt: skip
MM_NAMES = ("scan_mm_usd", "mm_perp_usd", "mm_option_usd", "mm_collateral_usd")


def scenarios_of(parameters: PmrmParameters) -> Scenarios:
    """Return the scenarios of a parameter set as columns."""
    return values.scenario_table(parameters.scenarios)


def terms_of(parameters: PmrmParameters) -> Terms:
    """Return the rest of a parameter set; fields go by name, so their order in either place is free."""
    by_margin = _floats(parameters.margin)
    im_factor, mm_factor = by_margin.pop("im_factor"), by_margin.pop("mm_factor")
    return Terms(
        vol_shock=VolShock(**_floats(parameters.vol_shock)),
        im_factor=im_factor,
        mm_factor=mm_factor,
        discounting=Discounting(**by_margin),
        basis=Basis(**_floats(parameters.basis)),
        charges=Charges(**_floats(parameters.other)),
        skew=Skew(**_floats(parameters.skew)),
    )


def margin(portfolio: Portfolio, parameters: PmrmSet, parameter_hash: str) -> Margin:
    """Return a portfolio's margin: the sum over its underlyings, each a market of its own.

    NaN with reasons where anything held has no price, forward or volatility.
    """
    missing = portfolio.missing
    if missing:
        return not_computed(NAME, parameter_hash, portfolio.market_time_us, missing, portfolio.flags)
    markets = [(u, _margin_of(u, portfolio, parameters)) for u in portfolio.underlyings]
    unusable = sorted(f"{reason}:{u.name}" for u, found in markets for reason in found.unusable)
    if unusable:
        return not_computed(NAME, parameter_hash, portfolio.market_time_us, tuple(unusable), portfolio.flags)
    im = {name: math.fsum(found.components[name] for _, found in markets) for name in IM_NAMES}
    mm = {name: math.fsum(found.components[name] for _, found in markets) for name in MM_NAMES}
    # A market may gain in every scenario: the venue reports that as margin, a requirement is not below zero.
    charged = [
        (u, found, max(0.0, found.im_requirement_usd), max(0.0, found.mm_requirement_usd)) for u, found in markets
    ]
    im["not_below_zero_usd"] = math.fsum(needs - found.im_requirement_usd for _, found, needs, _ in charged)
    mm["not_below_zero_usd"] = math.fsum(needs - found.mm_requirement_usd for _, found, _, needs in charged)
    warnings = [f"{word}:{u.name}" for u, found in markets for word in found.warnings]
    return Margin(
        model=NAME,
        parameter_hash=parameter_hash,
        market_time_us=portfolio.market_time_us,
        equity_usd=portfolio.equity_usd,
        im_requirement_usd=math.fsum(im.values()),
        mm_requirement_usd=math.fsum(mm.values()),
        im_components=im,
        mm_components=mm,
        worst=tuple(_worst(u, found, parameters) for u, found in markets),
        parts=tuple(
            Part(u.name, u.position_usd, im_usd, mm_usd, math.fsum(u.quantity * u.rows.delta_coins))
            for u, _, im_usd, mm_usd in charged
        ),
        flags=tuple(sorted({*portfolio.flags, *warnings})),
    )


def _margin_of(u: Underlying, portfolio: Portfolio, parameters: PmrmSet) -> model.Margin:
    chosen = parameters.underlyings.get(u.name, parameters.default)
    confidence = confidence_of(u.flags, parameters.confidence)
    stable = parameters.stable.get(u.name) if len(u.names) == 1 else None
    collateral = stable or parameters.collateral
    owned = max(0.0, u.coins)
    rows, options = u.rows, np.flatnonzero(u.is_option & (u.quantity != 0.0))
    expiries = sorted({int(rows.expiry_us[row]) for row in options})
    at = [int(next(row for row in options if rows.expiry_us[row] == expiry)) for expiry in expiries]
    position, gross = (0.0, 0.0) if stable else _perpetual(u, owned)
    peg = portfolio.stable_price.get(parameters.cash_asset, 1.0)
    # The settlement of an inverse option is V/F coins: as many USD at the spot as S/F of the linear one.
    per_contract = np.where(rows.kind == scenarios.INVERSE_OPTION, u.index_price / rows.forward, 1.0) * rows.size
    return model.margin(
        holdings.Portfolio(
            cash_usd=0.0, perp_position=position, perp_unrealised_usd=0.0,
            amount=(u.quantity * per_contract)[options], is_call=rows.is_call[options], strike=rows.strike[options],
            expiry=np.array([expiries.index(int(rows.expiry_us[row])) for row in options], dtype=np.int64),
            collateral_amount=np.array([owned]), perp_gross=gross,
        ),
        holdings.Market(
            spot=u.index_price, spot_confidence=confidence, stable_price=peg, perp_price=u.index_price,
            perp_confidence=confidence, years=rows.years[at], rate=np.zeros(len(at)), forward_fixed=rows.fixed[at],
            forward_variable=rows.forward[at] - rows.fixed[at], expiry_confidence=np.full(len(at), confidence),
            vol=rows.vol[options], collateral_price=np.array([u.index_price * peg]),
            collateral_confidence=np.array([confidence]),
        ),
        Haircuts(
            np.array([collateral.mm_haircut]), np.array([collateral.im_haircut_extra]), np.array([stable is None])
        ),
        scenarios_of(chosen),
        terms_of(chosen),
    )  # fmt: skip


def _perpetual(u: Underlying, owned: float) -> tuple[float, float]:
    """Return what moves as a perpetual does, in coins at spot: net, and the gross of the contracts behind it."""
    rows = u.rows
    linear, inverse = rows.kind == scenarios.LINEAR, rows.kind == scenarios.INVERSE
    # Of an inverse contract its coins move; the rest is a debt in USD but for the funding, which is coins too.
    coins = u.quantity[0] - owned - math.fsum((u.quantity * rows.size * rows.funding)[inverse])
    moving_usd = (u.quantity * rows.size * (rows.forward - rows.fixed))[linear]
    gross = [abs(x) / u.index_price for x in moving_usd]
    gross += [abs(x) / u.index_price for x in (u.quantity * rows.size)[inverse]]
    gross.append(max(0.0, -u.coins))
    return coins + math.fsum(moving_usd) / u.index_price, math.fsum(gross)


def _worst(u: Underlying, found: model.Margin, parameters: PmrmSet) -> Worst:
    rows = parameters.underlyings.get(u.name, parameters.default).scenarios
    if found.worst_scenario == len(rows):
        return Worst("basis contingency", found.worst_pnl_usd, len(rows), u.name)
    spot, direction, damping = rows[found.worst_scenario]
    label = f"spot {spot - 1.0:+.1%}, volatility {direction}" + (f", counted {damping:g}" if damping != 1.0 else "")
    return Worst(label, found.worst_pnl_usd, found.worst_scenario, u.name)


def _floats(record: Any) -> dict[str, float]:
    """Return the values of a record by name; a whole number given in Python becomes the float that kernels take."""
    return {name: float(value) for name, value in msgspec.structs.asdict(record).items()}
