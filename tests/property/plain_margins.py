"""OKX's and Paradex's portfolio margin once more, in plain Python with 50 digits, from the documents' description.

Nothing is shared with `kernels` or `monitor.models`: constants are written out anew.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from monitor.models.portfolio import Portfolio, Underlying
from tests.property.kernels_oracle import Contract, Shocks, mp, shocked_vol, value_usd

KINDS = ("coin", "linear", "inverse", "linear_option", "inverse_option")
STABLE = ("DAI", "USDC", "USDT")


@dataclass(frozen=True, slots=True)
class Position:
    quantity: float
    contract: Contract
    settlement: str | None
    rate: float
    expiry: int

    @property
    def is_option(self) -> bool:
        return "option" in self.contract.kind


def positions(one: Underlying) -> list[Position]:
    """Return the rows of an underlying as contracts; of a dollar token without the token itself."""
    r = one.rows
    found = [
        Position(
            float(one.quantity[k]),
            Contract(
                KINDS[r.kind[k]], float(r.size[k]), float(r.forward[k]), float(r.strike[k]), bool(r.is_call[k]),
                float(r.years[k]), float(r.vol[k]), float(r.fixed[k]), float(r.funding[k]),
            ),
            one.settlement[k], float(one.funding_rate_8h[k]), int(r.expiry_us[k]),
        )
        for k in range(len(one.quantity))
    ]  # fmt: skip
    return found[1:] if one.name in STABLE else found


def pnl(position: Position, index: float, move: float, direction: str, shocks: Shocks) -> Any:
    c = position.contract
    vol = shocked_vol(c.vol, direction, c.years, shocks) if position.is_option else None
    return position.quantity * (value_usd(c, index, move, vol) - value_usd(c, index))


def market_delta(position: Position) -> Any:
    """Coins by which a position moves with its own price."""
    c, q = position.contract, position.quantity
    if c.kind == "coin":
        return mp.mpf(0)
    if c.kind == "linear":
        return q * mp.mpf(c.size)
    if c.kind == "inverse":
        return q * mp.mpf(c.size) / c.price
    return q * mp.mpf(c.size) * slope(c)


def slope(c: Contract) -> Any:
    """Black's delta to the forward."""
    if c.years == 0 or c.vol == 0:
        return mp.mpf(1 if c.is_call else -1) if (c.price > c.strike) == c.is_call else mp.mpf(0)
    s = mp.mpf(c.vol) * mp.sqrt(c.years)
    d1 = mp.log(mp.mpf(c.price) / c.strike) / s + s / 2
    return mp.ncdf(d1) if c.is_call else -mp.ncdf(-d1)


def smaller_side(amounts: dict[Any, Any]) -> Any:
    return min(sum(a for a in amounts.values() if a > 0), -sum(a for a in amounts.values() if a < 0))


def by(key: Any, amounts: Any) -> dict[Any, Any]:
    total: dict[Any, Any] = defaultdict(mp.mpf)
    for one, amount in zip(key, amounts, strict=True):
        total[one] += amount
    return total


def sliced(amount: Any, slices: list[tuple[float, float]]) -> Any:
    total, start = mp.mpf(0), 0.0
    for end, rate in slices:
        total += max(mp.mpf(0), min(amount, mp.mpf(end)) - start) * mp.mpf(rate)
        start = end
    return total


OKX_GROUPS = {
    **dict.fromkeys(("BTC", "ETH"), ((0.04, 0.08, 0.12), 0.05, 0.24)),
    **dict.fromkeys(
        ("ADA", "AVAX", "BNB", "DOGE", "DOT", "LINK", "LTC", "SOL", "XRP"), ((0.06, 0.12, 0.18), 0.15, 0.36)
    ),
}
MULTIPLIERS = [(1e4, 1.0), (7e4, 2.0), (17e4, 4.0), (3e5, 6.0), (47e4, 8.0), (7e5, 10.0), (1e30, 12.0)]
DEPEG = [(1e6, 0.0075), (5e6, 0.0175), (1e30, 0.025)]
BORROWING = [(1e6, 0.05), (1e7, 0.10), (1e30, 0.20)]


def okx(portfolio: Portfolio) -> dict[str, Any]:
    """Return the nine charges of each underlying, and MMR and IMR of the portfolio."""
    units = {one.name: okx_unit(one) for one in portfolio.underlyings}
    balance = portfolio.cash_usd - sum(float(one.entry_usd.sum()) for one in portfolio.underlyings)
    owed = [max(0.0, -balance), *(max(0.0, -one.coins * one.index_price) for one in portfolio.underlyings)]
    mr8 = sum(sliced(mp.mpf(amount), BORROWING) for amount in owed)
    mmr = mr8
    for m in units.values():
        mmr += max(max(m[1], m[2], m[6]) + m[3] + m[4] + m[5] + m[9], m[7])
    return {"units": units, "mr8": mr8, "mmr": mmr, "imr": mmr * mp.mpf("1.3")}


def okx_unit(one: Underlying) -> dict[int, Any]:
    moves, basis_move, extreme = OKX_GROUPS.get(one.name, ((0.08, 0.16, 0.25), 0.30, 0.50))
    held, index, shocks = positions(one), one.index_price, Shocks()
    contracts = [p for p in held if p.contract.kind != "coin"]
    options = [p for p in held if p.is_option]
    spot = [-m for m in moves] + [0.0, *moves]
    cells = [sum(pnl(p, index, m, d, shocks) for p in held) for m in spot for d in ("up", "same", "down")]
    ends = [sum(pnl(p, index, m, "same", shocks) for p in held) for m in (-extreme, extreme)]
    later = [
        value_usd(
            Contract(
                p.contract.kind, p.contract.size, p.contract.price, p.contract.strike, p.contract.is_call,
                max(0.0, p.contract.years - 1 / 365), p.contract.vol, p.contract.fixed,
            ),
            index,
        )
        for p in options
    ]  # fmt: skip
    values = [value_usd(p.contract, index) for p in options]
    tenors = [sum(p.contract.years * 365 > bound for bound in (7.0, 30.0, 90.0)) for p in options]
    vega = [
        smaller_side(by(tenors, [pnl(p, index, 0.0, direction, shocks) for p in options]))
        for direction in ("up", "down")
    ]
    deltas = [market_delta(p) * index for p in contracts]
    years = {p.expiry: max(p.contract.years, 1 / 365) for p in contracts}
    expiries = by([p.expiry for p in contracts], deltas)
    quotes = [p.settlement if "linear" in p.contract.kind else "USD" for p in contracts]
    raw = sum(
        abs(p.quantity * mp.mpf(p.contract.size)) * index * mp.mpf("0.002") if p.is_option
        else abs(delta) * mp.mpf("0.001")
        for p, delta in zip(contracts, deltas, strict=True)
    )  # fmt: skip
    rates = [
        sum(p.quantity * v * mp.expm1(-mp.mpf(shift) * p.contract.years) for p, v in zip(options, values, strict=True))
        for shift in (0.02, -0.02)
    ]
    decay = sum(p.quantity * (new - now) for p, new, now in zip(options, later, values, strict=True))
    return {
        1: max(mp.mpf(0), -min(cells)),
        2: max(mp.mpf(0), -decay),
        3: max(vega) / 2,
        4: sum(abs(delta) * mp.mpf(basis_move) * years[expiry] for expiry, delta in expiries.items()),
        5: max(mp.mpf(0), -min(rates)),
        6: max(mp.mpf(0), -min(ends)) / 2,
        7: sliced(raw, MULTIPLIERS),
        9: sliced(smaller_side(by(quotes, deltas)), DEPEG),
    }


PARADEX = Shocks(up=0.40, down=0.22, min_up=0.0)
TAILS = ((-0.66, 0.24), (-0.33, 0.48), (0.5, 0.32), (1.0, 0.16), (2.0, 0.08), (3.0, 0.0533), (4.0, 0.04), (5.0, 0.032))


def paradex(portfolio: Portfolio) -> dict[str, Any]:
    """Return IM, MM and their parts."""
    net = [paradex_net(one) for one in portfolio.underlyings]
    funding, fee = mp.mpf(0), mp.mpf(0)
    for one in portfolio.underlyings:
        for p in positions(one):
            c = p.contract
            if c.kind == "coin":
                continue
            if c.kind == "linear":
                notional = p.quantity * mp.mpf(c.size) * c.price
            elif c.kind == "inverse":
                notional = p.quantity * mp.mpf(c.size) / c.price * one.index_price
            else:
                notional = p.quantity * mp.mpf(c.size) * one.index_price
            fee += abs(notional) * mp.mpf("0.0003")
            if not p.is_option and p.expiry == 0:
                funding += max(mp.mpf(0), notional * mp.mpf(p.rate))
    total = sum(net)
    return {"net": total, "funding": funding, "fee": fee, "im": total + funding + fee, "mm": total / 2 + funding + fee}


def paradex_net(one: Underlying) -> Any:
    held, index = positions(one), one.index_price
    inner = (-0.12, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12)
    cells = [(m, "up", 1.0) for m in (-0.16, *inner, 0.16)] + [(m, "down", 1.0) for m in inner]
    cells += [(m, "up", weight) for m, weight in TAILS]
    assert len(cells) == 24
    losses = [-mp.mpf(w) * sum(pnl(p, index, m, d, PARADEX) for p in held) for m, d, w in cells]
    deltas = []
    for p in held:
        c, q = p.contract, p.quantity
        if c.kind == "linear":
            deltas.append(q * mp.mpf(c.size) * c.price / index)
        elif c.kind == "linear_option":
            deltas.append(q * mp.mpf(c.size) * slope(c) * c.price / index)
        elif c.kind != "coin":
            deltas.append(market_delta(p))
    coins = sum(p.quantity for p in held if p.contract.kind == "coin")
    coins -= sum(market_delta(p) for p in held if p.contract.kind == "inverse")
    deltas.append(coins)
    long, short = sum(d for d in deltas if d > 0), -sum(d for d in deltas if d < 0)
    least = (mp.mpf("0.02") * abs(long - short) + mp.mpf("0.01") * min(long, short)) * index
    return max(mp.mpf(0), *losses, least)
