"""What model B reads: a portfolio, its market and its parameters; equal options netted, rows in one order."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels._jit import Bools, Floats, Ints
from kernels.pmrm.contingencies import Basis, Charges
from kernels.pmrm.pnl import Discounting
from kernels.pmrm.values import Skew, VolShock


class Portfolio(NamedTuple):
    """What is held of one underlying: cash and unrealised in USD, amounts in coins, options one a row.

    perp_gross: coins that charges on notional count where several contracts net to the position; 0: the position's own.
    """

    cash_usd: float
    perp_position: float
    perp_unrealised_usd: float
    amount: Floats
    is_call: Bools
    strike: Floats
    expiry: Ints
    collateral_amount: Floats
    perp_gross: float = 0.0

    @property
    def perp_notional_coins(self) -> float:
        """Coins that charges on notional count."""
        return max(abs(self.perp_position), self.perp_gross)


class Market(NamedTuple):
    """Prices of one underlying in USD (stable_price in USD per unit of cash), confidences in [0, 1].

    By expiry: years, rate, both parts of the forward, and the least confidence of forward, rate and volatility.
    vol is by option row, the rest by collateral row. The price of a perpetual that is not held is not read.
    """

    spot: float
    spot_confidence: float
    stable_price: float
    perp_price: float
    perp_confidence: float
    years: Floats
    rate: Floats
    forward_fixed: Floats
    forward_variable: Floats
    expiry_confidence: Floats
    vol: Floats
    collateral_price: Floats
    collateral_confidence: Floats


class Haircuts(NamedTuple):
    """By collateral row: what maintenance and, on top, initial margin take off; whether scenarios move it."""

    mm_haircut: Floats
    im_haircut_extra: Floats
    is_risk_cancelling: Bools


class Terms(NamedTuple):
    """Parameters of the model without its scenarios."""

    vol_shock: VolShock
    im_factor: float
    mm_factor: float
    discounting: Discounting
    basis: Basis
    charges: Charges
    skew: Skew


class Held(NamedTuple):
    """Options netted: rows by time, strike and type, expiries that are held only, their strikes' nets, sizes."""

    is_call: Bools
    strike: Floats
    vol: Floats
    amount: Floats
    expiry: Ints
    years: Floats
    rate: Floats
    forward_fixed: Floats
    forward_variable: Floats
    confidence: Floats
    net_by_strike: list[list[float]]
    size: list[float]


def check(portfolio: Portfolio, market: Market, haircuts: Haircuts) -> None:
    """Raise ValueError where columns differ in length, an expiry has no row, or a holding means nothing."""
    rows, expiries, assets = len(portfolio.amount), len(market.years), len(portfolio.collateral_amount)
    columns: list[tuple[int, tuple[Floats | Ints | Bools, ...]]] = [
        (rows, (portfolio.is_call, portfolio.strike, portfolio.expiry, market.vol)),
        (expiries, (market.rate, market.forward_fixed, market.forward_variable, market.expiry_confidence)),
        (assets, (market.collateral_price, market.collateral_confidence, *haircuts)),
    ]
    if any(len(column) != n for n, group in columns for column in group):
        raise ValueError("columns of options, of expiries and of collateral must be as long as each other")
    if rows and not (portfolio.expiry.min() >= 0 and portfolio.expiry.max() < expiries):
        raise ValueError("an option's expiry must be a row of the expiries")
    held = [portfolio.cash_usd, portfolio.perp_position, portfolio.perp_gross, *portfolio.amount.tolist()]
    if not all(map(math.isfinite, held)):
        raise ValueError("cash and positions must be finite")
    if not np.all(np.isfinite(portfolio.strike) & (portfolio.strike > 0.0)):
        raise ValueError("strikes must be positive and finite")
    if not np.all(np.isfinite(portfolio.collateral_amount) & (portfolio.collateral_amount >= 0.0)):
        raise ValueError("collateral must be finite and not negative: what is borrowed is cash")


def held_options(portfolio: Portfolio, market: Market) -> Held:
    """Net equal options and put the rest into an order that no order of rows changes; raises ValueError.

    Two rows of one option (expiry, strike, type) are one position and must have one volatility.
    """
    lots: dict[tuple[float, int, float, bool], list[int]] = {}
    for i, e in enumerate(portfolio.expiry.tolist()):
        key = (float(market.years[e]), e, float(portfolio.strike[i]), bool(portfolio.is_call[i]))
        lots.setdefault(key, []).append(i)
    rows: list[tuple[tuple[float, int, float, bool], float, float]] = []
    for key in sorted(lots):
        vols = {float(market.vol[i]) for i in lots[key] if not math.isnan(market.vol[i])}
        if len(vols) > 1:
            raise ValueError(f"one option has two volatilities: {sorted(vols)}")
        amount = math.fsum(portfolio.amount[i] for i in lots[key])
        if amount != 0.0:
            rows.append((key, amount, vols.pop() if vols else math.nan))
    expiries = list(dict.fromkeys(key[1] for key, _, _ in rows))
    at = np.array(expiries, dtype=np.int64)
    nets: list[dict[float, float]] = [{} for _ in expiries]
    size: list[list[float]] = [[] for _ in expiries]
    for (_, e, strike, _), amount, _ in rows:
        net = nets[expiries.index(e)]
        net[strike] = net.get(strike, 0.0) + amount
        size[expiries.index(e)].append(abs(amount))
    return Held(
        np.array([key[3] for key, _, _ in rows], dtype=np.bool_),
        np.array([key[2] for key, _, _ in rows], dtype=np.float64),
        np.array([vol for _, _, vol in rows], dtype=np.float64),
        np.array([amount for _, amount, _ in rows], dtype=np.float64),
        np.array([expiries.index(key[1]) for key, _, _ in rows], dtype=np.int64),
        market.years[at],
        np.maximum(market.rate[at], 0.0),
        market.forward_fixed[at],
        market.forward_variable[at],
        market.expiry_confidence[at],
        [list(net.values()) for net in nets],
        [math.fsum(amounts) for amounts in size],
    )


def unusable(portfolio: Portfolio, market: Market, held: Held) -> tuple[str, ...]:
    """Return the names of inputs without which this portfolio has no margin, in a fixed order.

    All have to be finite and not negative, what is divided by or priced on above zero; only of what is held. A price
    that is not known is NaN; zero is a price, of a collateral that is worth nothing. Expiries and options are counted
    in the order of `held_options`.
    """
    has_perp, has_options = portfolio.perp_notional_coins != 0.0, held.amount.size > 0
    above_zero = [("stable_price", market.stable_price)]
    from_zero: list[tuple[str, float]] = []
    if has_perp or has_options:
        above_zero.append(("spot", market.spot))
    if has_perp or has_options or np.any(portfolio.collateral_amount):
        from_zero.append(("spot_confidence", market.spot_confidence))
    if has_perp:
        from_zero += [("perp_price", market.perp_price), ("perp_confidence", market.perp_confidence)]
    for e in range(len(held.years)):
        above_zero.append((f"forward[{e}]", float(held.forward_fixed[e] + held.forward_variable[e])))
        from_zero += [
            (f"forward_fixed[{e}]", float(held.forward_fixed[e])),
            (f"forward_variable[{e}]", float(held.forward_variable[e])),
            (f"years[{e}]", float(held.years[e])),
            (f"rate[{e}]", float(held.rate[e])),
            (f"expiry_confidence[{e}]", float(held.confidence[e])),
        ]
    from_zero += [(f"vol[{i}]", vol) for i, vol in enumerate(held.vol.tolist())]
    for j, amount in enumerate(portfolio.collateral_amount.tolist()):
        if amount:
            from_zero.append((f"collateral_price[{j}]", float(market.collateral_price[j])))
            from_zero.append((f"collateral_confidence[{j}]", float(market.collateral_confidence[j])))
    bad = [name for name, x in above_zero if not (x > 0.0 and math.isfinite(x))]
    bad += [name for name, x in from_zero if not (x >= 0.0 and math.isfinite(x))]
    return (*bad, *(() if math.isfinite(portfolio.perp_unrealised_usd) else ("perp_unrealised_usd",)))
