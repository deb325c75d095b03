"""Model E of one portfolio, in four forms: isolated, cross, tiered, and Derive's standard manager.

The first three charge each future and perpetual by rates on its notional and each option sold by itself; longs and
coins need nothing, coins owed count as a short position. They differ in rates and in what may help what:

* isolated: flat rates; a profit that is not realised serves its own position only (`locked_profit_usd` tells how much);
* cross: flat rates, growing with the size of a position where the parameters say so; one equity for everything;
* tiered: rates by slices of the notional, one equity.

An option sold is charged what its value does not cover: the value itself is a debt in equity already.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from kernels import scenarios
from kernels.standard import derive, options, scaling, tiers
from monitor.models.confidence import confidence_of
from monitor.models.margin import Margin, Part, not_computed
from schemas.standard import StandardParameters, StandardSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.models.portfolio import Portfolio, Underlying

ISOLATED, CROSS, TIERED, DERIVE = "E", "E-cross", "E-tiered", "E-derive"

SECONDS_PER_YEAR = 31_536_000.0


def isolated(portfolio: Portfolio, parameters: StandardSet, parameter_hash: str) -> Margin:
    """Return the margin of positions that help each other nowhere; NaN with reasons where one has no price."""
    found = _by_position(ISOLATED, portfolio, parameters, parameter_hash, _flat)
    if not found.computed:
        return found
    locked = math.fsum(max(0.0, float(profit)) for u in portfolio.underlyings for profit in u.profit_usd)
    return dataclasses.replace(found, statistics={"locked_profit_usd": locked})


def cross(portfolio: Portfolio, parameters: StandardSet, parameter_hash: str) -> Margin:
    """Return the margin of positions with one equity; NaN with reasons where one has no price.

    Its statistics are `liquidation_price:COIN`, the index at which maintenance is all of the equity while every other
    coin stays: of coins without options, where there is one on the adverse side.
    """
    found = _by_position(CROSS, portfolio, parameters, parameter_hash, _sized)
    return dataclasses.replace(found, statistics=_liquidation_prices(portfolio, parameters, found))


def tiered(portfolio: Portfolio, parameters: StandardSet, parameter_hash: str) -> Margin:
    """Return the margin of positions at rates by tiers of notional; NaN with reasons where one has no price."""
    return _by_position(TIERED, portfolio, parameters, parameter_hash, _tier)


def derive_standard(portfolio: Portfolio, parameters: StandardSet, parameter_hash: str) -> Margin:
    """Return the margin of Derive's standard manager, each underlying a market of its own.

    Futures of any expiry are perpetuals there, charged on the gross of all; coins owed are a short one.
    """
    missing = portfolio.missing
    if missing:
        return not_computed(DERIVE, parameter_hash, portfolio.market_time_us, missing, portfolio.flags)
    im: dict[str, list[float]] = {}
    mm: dict[str, list[float]] = {}
    parts = []
    for u in portfolio.underlyings:
        initial, maintenance = _derive_charges(u, portfolio, parameters)
        for name in initial:
            im.setdefault(name, []).append(initial[name])
            mm.setdefault(name, []).append(maintenance[name])
        parts.append(_part(u, math.fsum(initial.values()), math.fsum(maintenance.values())))
    return _margin(DERIVE, portfolio, parameter_hash, im, mm, parts)


# --- position by position -------------------------------------------------------------------------


def _flat(notional_usd: float, _size_coins: float, parameters: StandardParameters) -> tuple[float, float]:
    """Return initial and maintenance margin of a notional at flat rates, USD."""
    return parameters.perpetual.im_rate * notional_usd, parameters.perpetual.mm_rate * notional_usd


def _sized(notional_usd: float, size_coins: float, parameters: StandardParameters) -> tuple[float, float]:
    """Return initial and maintenance margin at rates that grow with the size of the position, USD."""
    rates, imf = parameters.perpetual, parameters.size.imf
    im_rate = scaling.liability_weight(rates.im_rate, imf, size_coins)
    return im_rate * notional_usd, min(im_rate, scaling.liability_weight(rates.mm_rate, imf, size_coins)) * notional_usd


def _tier(notional_usd: float, _size_coins: float, parameters: StandardParameters) -> tuple[float, float]:
    """Return initial and maintenance margin at tiers of notional, USD."""
    rows = parameters.tiered.tiers
    table = tiers.tiers([t.floor_usd for t in rows], [t.mm_rate for t in rows], [t.im_rate for t in rows])
    found = tiers.tiered_margin(table, notional_usd, 0.0)
    return found.im_requirement, found.mm_requirement


def _by_position(
    name: str, portfolio: Portfolio, parameters: StandardSet, parameter_hash: str,
    rate: Callable[[float, float, StandardParameters], tuple[float, float]],
) -> Margin:  # fmt: skip
    missing = portfolio.missing
    if missing:
        return not_computed(name, parameter_hash, portfolio.market_time_us, missing, portfolio.flags)
    im: dict[str, list[float]] = {"futures_usd": [], "short_options_usd": [], "borrowed_coins_usd": []}
    mm: dict[str, list[float]] = {"futures_usd": [], "short_options_usd": [], "borrowed_coins_usd": []}
    parts = []
    for u in portfolio.underlyings:
        chosen = parameters.underlyings.get(u.name, parameters.default)
        charged = {
            "futures_usd": [rate(notional, notional / u.index_price, chosen) for notional in _notionals(u)],
            "short_options_usd": _short_options(u, chosen),
            "borrowed_coins_usd": [rate(-u.coins * u.index_price, -u.coins, chosen)] if u.coins < 0.0 else [],
        }
        for kind, both in charged.items():
            im[kind] += [initial for initial, _ in both]
            mm[kind] += [maintenance for _, maintenance in both]
        of_underlying = [both for kind in charged.values() for both in kind]
        parts.append(_part(u, math.fsum(x for x, _ in of_underlying), math.fsum(x for _, x in of_underlying)))
    return _margin(name, portfolio, parameter_hash, im, mm, parts)


def _liquidation_prices(portfolio: Portfolio, parameters: StandardSet, found: Margin) -> dict[str, float]:
    """Return liquidation prices by coin: equity and maintenance are linear in one index, the others' part included.

    All contracts on a coin move as its index does. Source: docs/margin-model-e.md, cross.
    """
    excess_usd = found.mm_excess_usd
    if not excess_usd >= 0.0:
        return {}
    prices = {}
    for u in portfolio.underlyings:
        rows = u.rows
        if bool((u.is_option & (u.quantity != 0.0)).any()) or not u.names:
            continue
        linear, inverse = rows.kind == scenarios.LINEAR, rows.kind == scenarios.INVERSE
        coins = u.quantity[0] - math.fsum((u.quantity * rows.size * rows.funding)[inverse])
        moving = coins * u.index_price + math.fsum((u.quantity * rows.size * (rows.forward - rows.fixed))[linear])
        chosen = parameters.underlyings.get(u.name, parameters.default)
        charged = (np.abs(u.quantity) * rows.size * (rows.forward - rows.fixed))[linear & (u.quantity != 0.0)].tolist()
        charged += [-u.coins * u.index_price] if u.coins < 0.0 else []
        # The rate of a position belongs to its size in coins, which the index does not change.
        maintenance = math.fsum(_sized(usd, usd / u.index_price, chosen)[1] for usd in charged)
        slope = moving - maintenance  # of the excess, for a move of the whole index
        if slope == 0.0:
            continue
        price = u.index_price * (1.0 - excess_usd / slope)
        if 0.0 < price < math.inf:
            prices[f"liquidation_price:{u.name}"] = price
    return prices


def _notionals(u: Underlying) -> list[float]:
    """Return what each future and perpetual is charged on, USD: its coins at its mark, the face of an inverse one."""
    rows = u.rows
    size = np.abs(u.quantity) * rows.size
    notional = np.where(rows.kind == scenarios.INVERSE, size, size * rows.forward)
    return [float(x) for x in notional[u.is_future & (u.quantity != 0.0)]]


def _short_options(u: Underlying, parameters: StandardParameters) -> list[tuple[float, float]]:
    """Return initial and maintenance margin beyond the value of each option sold, USD.

    The form charges the mark as well, because the premium was received: that is in equity here, as a debt.
    """
    rates = options.OptionRates(**msgspec.structs.asdict(parameters.option))
    rows, found = u.rows, []
    for row in np.flatnonzero(u.is_option & (u.quantity < 0.0)):
        mark = float(rows.value_usd[row] / rows.size[row]) / u.index_price
        sold_usd = float(-u.quantity[row] * rows.size[row]) * u.index_price
        im, mm = options.short_option(bool(rows.is_call[row]), u.index_price, float(rows.strike[row]), mark, rates)
        found.append(((im - mark) * sold_usd, (mm - mark) * sold_usd))
    return found


# --- Derive's standard manager --------------------------------------------------------------------


def _derive_charges(
    u: Underlying, portfolio: Portfolio, parameters: StandardSet
) -> tuple[dict[str, float], dict[str, float]]:
    """Return what one market takes of equity, initially and for maintenance, by what it is for, USD."""
    chosen = parameters.underlyings.get(u.name, parameters.default).derive
    confidence = confidence_of(u.flags, parameters.confidence)
    is_cash = u.name == parameters.cash_asset and len(u.names) == 1
    owned = 0.0 if is_cash else max(0.0, u.coins)
    gross = math.fsum(_notionals(u)) / u.index_price + (0.0 if is_cash else max(0.0, -u.coins))
    market = derive.Market(
        spot=u.index_price, spot_confidence=confidence, base=owned, perp_position=gross, perp_price=u.index_price,
        perp_confidence=confidence, perp_unrealised=0.0, options=_derive_options(u, confidence),
    )  # fmt: skip
    by = derive.Parameters(
        option=derive.OptionRates(**msgspec.structs.asdict(chosen.option)),
        oracle=derive.OracleRates(**msgspec.structs.asdict(chosen.oracle)),
        perp_im=chosen.perp.im_rate, perp_mm=chosen.perp.mm_rate, base_margin_factor=chosen.base_margin_factor,
        base_im_scale=chosen.base_im_scale, depeg_threshold=chosen.depeg_threshold, depeg_factor=chosen.depeg_factor,
    )  # fmt: skip
    peg = portfolio.stable_price.get(parameters.cash_asset, 1.0)
    found = derive.standard_manager(0.0, peg, {u.name: (market, by)})
    value = {"options": math.fsum(expiry.value for expiry in derive.expiries(market, by.option)),
             "coins": owned * u.index_price}  # fmt: skip
    names = ("options", "perpetual", "coins", "depeg", "oracle perpetual", "oracle options", "oracle coins")
    initial, maintenance = (
        {f"{name.replace(' ', '_')}_usd": value.get(name, 0.0) - parts[f"{name} {u.name}"] for name in names}
        for parts in (found.im_components, found.mm_components)
    )
    return initial, maintenance


def _derive_options(u: Underlying, confidence: float) -> list[derive.Option]:
    rows, found = u.rows, []
    for row in np.flatnonzero(u.is_option & (u.quantity != 0.0)):
        # An inverse option is worth S/F of the linear one.
        share = u.index_price / float(rows.forward[row]) if rows.kind[row] == scenarios.INVERSE_OPTION else 1.0
        found.append(
            derive.Option(
                seconds=float(rows.years[row]) * SECONDS_PER_YEAR, strike=float(rows.strike[row]),
                is_call=bool(rows.is_call[row]), amount=float(u.quantity[row] * rows.size[row]) * share,
                vol=float(rows.vol[row]), vol_confidence=confidence, forward=float(rows.forward[row]),
                forward_confidence=confidence,
            )
        )  # fmt: skip
    return found


# --- both -----------------------------------------------------------------------------------------


def _part(u: Underlying, im_usd: float, mm_usd: float) -> Part:
    return Part(u.name, u.position_usd, im_usd, mm_usd, math.fsum(u.quantity * u.rows.delta_coins))


def _margin(
    name: str, portfolio: Portfolio, parameter_hash: str, im: dict[str, list[float]], mm: dict[str, list[float]],
    parts: list[Part],
) -> Margin:  # fmt: skip
    initial, maintenance = ({kind: math.fsum(values) for kind, values in charged.items()} for charged in (im, mm))
    return Margin(
        model=name,
        parameter_hash=parameter_hash,
        market_time_us=portfolio.market_time_us,
        equity_usd=portfolio.equity_usd,
        im_requirement_usd=math.fsum(initial.values()),
        mm_requirement_usd=math.fsum(maintenance.values()),
        im_components=initial,
        mm_components=maintenance,
        parts=tuple(parts),
        flags=portfolio.flags,
    )
