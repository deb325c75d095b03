"""What of a portfolio may be traded, and the portfolio after trades.

A trade is a signed number of contracts: what is bought is above zero. Money moves at the mark; what a trade costs
beyond that is `monitor.answers.plan.costs`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from kernels._jit import Bools, Floats, Ints
from kernels.add_ons import exposures
from kernels.scenarios import COIN, INVERSE, INVERSE_OPTION, LINEAR_OPTION
from monitor.answers.plan.situation import Policy, Situation, joined, without_empty_rows
from monitor.models.portfolio import Portfolio, Underlying

_DUST = 1e-9  # of a position: less than this is what rounding leaves


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """n trades that may be done in `portfolio`, which has a row for each of them; arrays of n.

    `place` is the underlying and `row` the row in it, 0 the coin. A trade lies in [`low`, `high`] contracts in whole
    `lot`s, or is the whole of one end. By contract bought: `coins` and `usd` are what the account gets of either,
    `delta_usd` and `vega_usd` what it is in the two buckets of liquidity, `notional_usd` what a fee is charged on,
    `mark_usd` the price in USD. `held` is what there is now.
    """

    portfolio: Portfolio
    names: tuple[str, ...]
    place: Ints
    row: Ints
    held: Floats
    low: Floats
    high: Floats
    lot: Floats
    mark_usd: Floats
    coins: Floats
    usd: Floats
    delta_usd: Floats
    vega_usd: Floats
    notional_usd: Floats
    is_coin: Bools

    @property
    def size(self) -> Floats:
        """The largest trade of each, contracts."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def closing(self) -> Floats:
        """The trade of each that leaves nothing, contracts; 0 of what is not held."""
        return -self.held

    def clipped(self, trade: Floats) -> Floats:
        """Return trades in whole lots, each away from zero, within what may be traded; dust is nothing."""
        lots = np.where(np.abs(trade) > _DUST * self.size, np.ceil(np.abs(trade) / self.lot * (1.0 - 1e-12)), 0.0)
        found: Floats = np.clip(np.sign(trade) * lots * self.lot, self.low, self.high)
        return found


def candidates(situation: Situation, policy: Policy, *, hedges: bool | None = None) -> Candidates:
    """Return all trades that the policy allows, in order of underlyings and rows; `hedges` overrules the policy's."""
    with_hedges = policy.hedges if hedges is None else hedges
    portfolio = situation.portfolio
    if with_hedges and situation.hedges:
        more = situation.hedges
        underlyings = tuple(joined(u, more[u.name]) if u.name in more else u for u in portfolio.underlyings)
        portfolio = replace(portfolio, underlyings=underlyings)
    found: list[tuple[int, int, float, float]] = []
    for place, u in enumerate(portfolio.underlyings):
        perpetual = u.is_future & (u.rows.expiry_us == 0)
        limit_usd = policy.hedge_limit * _gross_delta_usd(u)
        for row in range(len(u.names)):
            held = float(u.quantity[row]) if row else _coins(u)
            low, high = min(0.0, -held), max(0.0, -held)
            if row == 0 and not policy.coins:
                low, high = 0.0, 0.0
            if with_hedges and perpetual[row]:
                per_contract = abs(float(u.rows.market_delta_coins[row])) * u.index_price
                room = limit_usd / per_contract if per_contract > 0.0 else 0.0
                low, high = min(low, -held - room), max(high, -held + room)
            if low < high and math.isfinite(u.rows.value_usd[row]):
                found.append((place, row, low, high))
    return _columns(portfolio, found, policy)


def _gross_delta_usd(u: Underlying) -> float:
    delta = u.quantity * u.rows.market_delta_coins * u.index_price
    return math.fsum(np.abs(np.where(u.quantity != 0.0, delta, 0.0)))


def _coins(u: Underlying) -> float:
    """Return the coins of an account; what the entry sides of inverse contracts leave of a balance by rounding is 0."""
    size = math.fsum(np.abs(u.entry_coins)) + abs(float(u.quantity[0]))
    return 0.0 if abs(u.coins) <= _DUST * size else u.coins


def _columns(portfolio: Portfolio, found: list[tuple[int, int, float, float]], policy: Policy) -> Candidates:
    rows = {p: _of_underlying(u) for p, u in enumerate(portfolio.underlyings)}
    place = np.array([p for p, _, _, _ in found], dtype=np.int64)
    row = np.array([r for _, r, _, _ in found], dtype=np.int64)
    names = tuple(portfolio.underlyings[p].names[r] or portfolio.underlyings[p].name for p, r, _, _ in found)
    held = [
        float(u.quantity[r]) if r else _coins(u) for u, r in ((portfolio.underlyings[p], r) for p, r, _, _ in found)
    ]
    columns = {key: np.array([rows[p][key][r] for p, r, _, _ in found]) for key in _KEYS}
    lots = [
        policy.lots.get(name, lot_of(abs(notional), policy.lot_usd))
        for name, notional in zip(names, columns["notional_usd"].tolist(), strict=True)
    ]
    return Candidates(
        portfolio, names, place, row, np.array(held), np.array([low for _, _, low, _ in found]),
        np.array([high for _, _, _, high in found]), np.array(lots), is_coin=row == 0, **columns,
    )  # fmt: skip


_KEYS = ("mark_usd", "coins", "usd", "delta_usd", "vega_usd", "notional_usd")


def _of_underlying(u: Underlying) -> dict[str, Floats]:
    """Return by row what one contract bought is, arrays of its rows."""
    r, s = u.rows, u.index_price
    inverse, in_coins = r.kind == INVERSE, r.kind == INVERSE_OPTION
    option = in_coins | (r.kind == LINEAR_OPTION)
    with np.errstate(divide="ignore", invalid="ignore"):
        coins = np.where(inverse, r.size * (1.0 / r.forward + r.funding), np.where(in_coins, -r.value_usd / s, 0.0))
        behind = exposures.coins_per_contract(r.kind, r.size, r.forward) * s
    coins, usd = np.where(r.kind == COIN, 1.0, coins), np.where(inverse | in_coins, 0.0, -r.value_usd)
    mark = np.where(r.kind == COIN, s, np.where(option, r.value_usd / r.size, r.forward))
    delta = np.where(r.kind == COIN, s, r.market_delta_coins * s)
    vega = exposures.vega_usd_per_point(r.kind, r.is_call, r.size, r.forward, r.strike, r.years, r.vol, s)
    notional = np.where(r.kind == COIN, s, behind)
    return dict(zip(_KEYS, (mark, coins, usd, delta, vega, notional), strict=True))


def lot_of(contract_usd: float, lot_usd: float) -> float:
    """Return the largest power of ten of contracts that is worth at most `lot_usd`; 1 of what is worth nothing."""
    if not 0.0 < contract_usd < math.inf:
        return 1.0
    found: float = 10.0 ** math.floor(math.log10(lot_usd / contract_usd) + 1e-12)
    return found


def after(of: Candidates, trade: Floats, cost_usd: Floats) -> Portfolio:
    """Return the portfolio after trades, each with its cost in USD taken from what the contract settles in.

    Positions that are closed are not in it. Entries of what is opened are at the mark.
    """
    cash, underlyings = of.portfolio.cash_usd, list(of.portfolio.underlyings)
    by_place: dict[int, list[int]] = {}
    for i in np.flatnonzero((trade != 0.0) | (cost_usd != 0.0)).tolist():
        by_place.setdefault(int(of.place[i]), []).append(i)
    for place, chosen in by_place.items():
        u = underlyings[place]
        quantity, average = u.quantity.copy(), u.average_price.copy()
        entry_usd, entry_coins, coins = u.entry_usd.copy(), u.entry_coins.copy(), u.coins
        for i in chosen:
            row, d = int(of.row[i]), float(trade[i])
            pays_coins = of.coins[i] != 0.0 and not of.is_coin[i]
            got_coins = d * of.coins[i] - (cost_usd[i] / u.index_price if pays_coins else 0.0)
            got_usd = (-d * u.index_price if of.is_coin[i] else d * of.usd[i]) - (0.0 if pays_coins else cost_usd[i])
            cash += got_usd
            quantity[0] += got_coins
            if row == 0:
                coins += got_coins
                continue
            held = float(quantity[row])
            left = 0.0 if d == -held else held + d
            entries = _entries(u, row, held, left, d)
            coins += got_coins - (entries[1] - entry_coins[row])
            entry_usd[row], entry_coins[row], average[row] = entries
            quantity[row] = left
        underlyings[place] = replace(
            u, quantity=quantity, average_price=average, entry_usd=entry_usd, entry_coins=entry_coins, coins=coins
        )
    return replace(of.portfolio, cash_usd=cash, underlyings=tuple(without_empty_rows(u) for u in underlyings))


def _entries(u: Underlying, row: int, held: float, left: float, d: float) -> tuple[float, float, float]:
    """Return entry USD, entry coins and average price of a position after `d` contracts at the mark."""
    kind, size, price, funding = (
        int(u.rows.kind[row]), float(u.rows.size[row]), float(u.rows.forward[row]), float(u.rows.funding[row])
    )  # fmt: skip
    usd, coins, average = float(u.entry_usd[row]), float(u.entry_coins[row]), float(u.average_price[row])
    if held * left < 0.0 or held == 0.0:
        usd, coins, average, kept, opened = 0.0, 0.0, price, 1.0, left
    elif abs(left) <= abs(held):
        kept, opened = left / held, 0.0
    else:
        kept, opened, average = 1.0, d, (average * held + price * d) / left
    if kind == INVERSE:
        coins = coins * kept + opened * size * (1.0 / price + funding)
    elif kind not in {LINEAR_OPTION, INVERSE_OPTION}:
        usd = usd * kept - opened * size * (price - funding)
    return usd, coins, average if left != 0.0 else 0.0


def zero(of: Candidates) -> Floats:
    """Return the trades that do nothing."""
    return np.zeros(len(of.names))


def by_name(of: Candidates, trade: Mapping[str, float]) -> Floats:
    """Return trades given by instrument; raises KeyError on one that is not a candidate."""
    found = zero(of)
    for name, d in trade.items():
        found[of.names.index(name)] = d
    return found
