"""Add-ons, haircuts and sums of portfolios a second time, from the definitions: loops over contracts, no kernel."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from mpmath import mp

from schemas.add_ons import AddOnParameters
from schemas.tiers import MarginalTiers
from tests.portfolios import Coin, Contract

OPTIONS = ("option", "inverse_option")


def vega_per_point(contract: Contract, index: float) -> float:
    """Vega of one contract as the derivative of Black's price, forty digits, USD per volatility point."""
    with mp.workdps(40):
        f, k, t = (mp.mpf(x) for x in (contract.price, contract.strike, contract.days / 365.0))
        sign = 1 if contract.is_call else -1

        def price(vol: mp.mpf) -> mp.mpf:
            s = vol * mp.sqrt(t)
            d1 = mp.log(f / k) / s + s / 2
            return sign * (f * mp.ncdf(sign * d1) - k * mp.ncdf(sign * (d1 - s)))

        unit = contract.size * (mp.mpf(index) / f if contract.kind == "inverse_option" else 1)
        return float(unit * mp.diff(price, mp.mpf(contract.vol)) / 100)


def forward_delta(contract: Contract) -> float:
    """What the contract itself trades in coins, a position of one."""
    if contract.kind == "inverse":
        return contract.size / contract.price
    if contract.kind == "future":
        return contract.size
    s = contract.vol * math.sqrt(contract.days / 365.0)
    d1 = math.log(contract.price / contract.strike) / s + s / 2
    above = 0.5 * math.erfc(-d1 / math.sqrt(2.0))
    return contract.size * (above if contract.is_call else above - 1.0)


def tiered(amount: float, table: MarginalTiers) -> float:
    """Each dollar at the rate of the slice that it lies in."""
    total, start = 0.0, 0.0
    for tier in table.tiers:
        end = math.inf if tier.up_to_usd is None else tier.up_to_usd
        total += max(0.0, min(amount, end) - start) * tier.rate
        start = end
    return total


def add_ons(coins: Sequence[Coin], by: AddOnParameters) -> dict[str, float]:
    """Initial add-ons by name, USD, of what is on."""
    found: dict[str, float] = defaultdict(float)
    for coin in coins:
        if by.liquidity:
            found["add_on_liquidation_cost_usd"] += _closing(coin, by)[0]
        if by.naked_shorts:
            naked = _naked(coin, by.naked_shorts.cover)
            found["add_on_naked_shorts_usd"] += by.naked_shorts.im_rate * coin.index * naked
        if by.roll:
            found["add_on_roll_usd"] += _roll(coin, by)
        if by.funding:
            found["add_on_funding_usd"] += _funding(coin, by)
        if by.depeg and coin.name in by.depeg.tokens:
            found["add_on_depeg_usd"] += max(0.0, *(-share * _token_pnl(coin, move) for move, share in by.depeg.shocks))
        elif by.depeg:
            found["add_on_depeg_hedge_usd"] += tiered(_hedged_quotes(coin, by.depeg.tokens), by.depeg.hedge_tiers)
        if by.data_quality:
            known = by.data_quality.confidence
            c = min([1.0, *(known.get(flag, 1.0) for flag in coin.flags)])
            if c < by.data_quality.threshold:
                found["add_on_confidence_usd"] += (1.0 - c) * by.data_quality.factor * _notional(coin)
            else:
                found["add_on_confidence_usd"] += 0.0
    return dict(found)


def horizon(coin: Coin, by: AddOnParameters) -> float:
    """Days to close a coin."""
    return _closing(coin, by)[1]


def floor(coins: Sequence[Coin], net_rate: float, hedged_rate: float) -> float:
    """The minimum of all coins, USD."""
    total = 0.0
    for coin in coins:
        deltas = [c.quantity * forward_delta(c) * coin.index for c in coin.contracts]
        long, short = sum(d for d in deltas if d > 0), sum(-d for d in deltas if d < 0)
        total += net_rate * abs(long - short) + hedged_rate * min(long, short)
    return total


def _closing(coin: Coin, by: AddOnParameters) -> tuple[float, float]:
    assert by.liquidity is not None
    q = by.liquidity
    depth = q.underlyings.get(coin.name, q.default)
    deltas = [c.quantity * forward_delta(c) * coin.index for c in coin.contracts]
    vegas = [c.quantity * vega_per_point(c, coin.index) for c in coin.contracts if c.kind in OPTIONS]
    days, cost = 1.0, 0.0
    for amounts, share, k, sigma, volume in (
        (deltas, q.delta_gross_share, depth.half_spread, coin.vol / math.sqrt(365), depth.daily_volume_usd),
        (vegas, q.vega_gross_share, depth.vega_half_spread_points, depth.vega_daily_move_points, depth.daily_vega_usd),
    ):
        x = share * sum(map(abs, amounts)) + (1 - share) * abs(sum(amounts))
        cost += x * k + q.impact * sigma * x**1.5 / volume**0.5
        days = max(days, x / q.participation / volume)
    return cost, days


def _naked(coin: Coin, cover: str) -> float:
    if cover == "contract":
        return sum(max(0.0, -c.quantity) * c.size for c in coin.contracts if c.kind in OPTIONS)
    net: dict[tuple[float, float], float] = defaultdict(float)
    for c in coin.contracts:
        if c.kind in OPTIONS:
            net[c.days, c.strike] += c.quantity * c.size
    return sum(max(0.0, -coins) for coins in net.values())


def _roll(coin: Coin, by: AddOnParameters) -> float:
    assert by.roll is not None
    rates = by.roll.underlyings.get(coin.name, by.roll.default)
    net: dict[object, float] = defaultdict(float)
    for c in coin.contracts:
        net[c.days or c.name] += c.quantity * forward_delta(c) * coin.index
    return sum(
        abs(usd) * max(rates.min_move, rates.annualised_move * (key if isinstance(key, float) else 0.0) / 365)
        for key, usd in net.items()
    )


def _funding(coin: Coin, by: AddOnParameters) -> float:
    assert by.funding is not None
    total = 0.0
    for c in coin.contracts:
        if c.days or c.kind in OPTIONS:
            continue
        notional = c.quantity * c.size * (coin.index / c.price if c.kind == "inverse" else c.price)
        rate = by.funding.assumed_rate if math.isnan(c.funding_rate) else c.funding_rate
        owed = abs(notional) * rate if math.isnan(c.funding_rate) else notional * rate
        total += max(0.0, owed) * by.funding.horizon_hours / 8
    return total


def _token_pnl(coin: Coin, move: float) -> float:
    """P&L of balances and futures of a token."""
    total = coin.coins * coin.index * move
    for c in coin.contracts:
        assert c.kind == "future"
        total += c.quantity * c.size * c.price * move
    return total


def _hedged_quotes(coin: Coin, tokens: Sequence[str]) -> float:
    net: dict[str, float] = defaultdict(float)
    net["USD"] += coin.coins * coin.index
    for c in coin.contracts:
        net[c.settlement if c.settlement in tokens else "USD"] += c.quantity * forward_delta(c) * coin.index
    return min(sum(x for x in net.values() if x > 0), sum(-x for x in net.values() if x < 0))


def _notional(coin: Coin) -> float:
    coins = abs(coin.coins)
    for c in coin.contracts:
        coins += abs(c.quantity) * c.size / (c.price if c.kind == "inverse" else 1.0)
    return coins * coin.index
