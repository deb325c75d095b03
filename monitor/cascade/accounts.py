"""All accounts of a state, copied, at a market that is moved by hand: evaluated, traded, evaluated again."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kernels import scenarios
from monitor.answers.greeks import greeks_of
from monitor.answers.view import copy_account, view_of
from monitor.engine.book import Book
from monitor.engine.funding import index_of
from monitor.engine.ledger import DOLLAR, DOLLAR_TOKENS, apply_trade, apply_transfer
from monitor.engine.portfolio import active_set
from schemas.add_ons import LiquidityAddOn
from schemas.records import Trade, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernels._jit import Floats
    from monitor.answers.facts import Facts
    from monitor.engine.market import Market
    from monitor.engine.pricing import Pricing
    from monitor.engine.state import Account, State
    from schemas.add_ons import Liquidity
    from schemas.records import StatusParameters

DUST_USD = 0.01  # coins worth less stay where they are


class Line(NamedTuple):
    """One contract that an account holds, or a coin: quantity, price as trades have it; delta and vega of all of it.

    `delta_usd` is USD per unit of relative move, of the contract's own price; `vega_usd` USD per volatility point.
    """

    instrument: str
    underlying: str
    quantity: float
    price: float
    delta_usd: float
    vega_usd: float
    is_coin: bool = False


class Accounts:
    """Copies of every account that holds a contract, in order of their names."""

    def __init__(self, state: State) -> None:
        held = {name: a for shard in state.shards.values() for name, a in shard.accounts.items() if a.holdings}
        if not held:
            raise ValueError("no account holds a contract")
        self._accounts = {name: copy_account(held[name]) for name in sorted(held)}
        contracts = {one for account in held.values() for one in account.holdings}
        coins = {asset for account in held.values() for asset in account.balances if asset != DOLLAR}
        sets = {a.config.parameter_set: active_set(a, state.market) for a in held.values()}
        first = next(iter(self._accounts.values()))
        # The view of one account that is told to have an eye on all that any of them holds.
        view = view_of(first, state.market, also=(*sorted(contracts), *sorted(coins)), history=True)
        self.view = replace(view, sets={**view.sets, **sets})
        self.names = tuple(self._accounts)
        self.underlyings = view.underlyings
        self._place = {u: k for k, u in enumerate(self.underlyings)}
        self._book = Book(certificates=False)
        self._market: Market = view.market()
        self._trades = 0
        for account in self._accounts.values():
            self._book.set_account(account, self._market, resumed=True)

    def move(self, facts: Facts) -> None:
        """Evaluate all accounts at other facts of the same market."""
        surface = facts.contracts is not self.view.facts.contracts
        self.view = self.view.with_facts(facts)
        self._market = self.view.market()
        self._book.refresh(self.underlyings, self._market, surface=surface, whole=True)

    def figures(self) -> Floats:
        """Return equity, initial and maintenance requirement, USD, float64[accounts, 3]."""
        return np.array(self._book.figures_of(self.names))

    def status(self, name: str) -> StatusParameters:
        """Return the thresholds in force for an account."""
        return active_set(self._accounts[name], self._market).set.status

    def liquidity(self, underlying: str) -> Liquidity:
        """Return the depth of an underlying's market by the default parameter set, or the add-on's defaults."""
        add_on = self.view.sets["default"].set.add_ons.liquidity or LiquidityAddOn()
        return add_on.underlyings.get(underlying, add_on.default)

    def index_price(self, underlying: str) -> float:
        """Return an index price, USD; NaN without one."""
        coin = self.view.facts.coins.get(underlying)
        return math.nan if coin is None or coin.index is None else coin.index.price_usd

    def lines(self, name: str) -> list[Line]:
        """Return contracts and coins (owed ones negative) at the last prices; what has no price is left out."""
        account = self._accounts[name]
        pricings, _ = self._book.basis_of(name)
        found = []
        for instrument in sorted(account.holdings):
            listed = self._market.instruments.get(instrument)
            pricing = None if listed is None else pricings.get(listed.underlying)
            if pricing is None or instrument not in pricing.row_of:
                continue
            line = _line(pricing, instrument, account.holdings[instrument].quantity)
            if line is not None:
                found.append(line)
        for asset, amount in sorted(account.balances.items()):
            price = math.nan if asset == DOLLAR or asset in DOLLAR_TOKENS else self.index_price(asset)
            if abs(amount) * price >= DUST_USD:
                found.append(Line(asset, asset, amount, price, amount * price, 0.0, is_coin=True))
        return found

    def underlyings_of(self, name: str) -> set[str]:
        """Return the underlyings of an account's contracts and coins, whether they have a price or not."""
        account = self._accounts[name]
        listed = (self._market.instruments.get(one) for one in account.holdings)
        found = {one.underlying for one in listed if one is not None}
        return found | {one for one in account.balances if one != DOLLAR and one not in DOLLAR_TOKENS}

    def delta_usd(self, name: str) -> Floats:
        """Return an account's delta by underlying, coins included, USD per unit of relative move, float64[U]."""
        found = np.zeros(len(self.underlyings))
        for line in self.lines(name):
            found[self._place[line.underlying]] += line.delta_usd
        return found

    def trade(self, name: str, trades: Iterable[tuple[Line, float]], cost_usd: float) -> None:
        """Fill trades (line, signed quantity) at the last prices, and charge what they cost beside them."""
        account = self._accounts[name]
        for line, quantity in trades:
            if line.is_coin:
                self._transfer(account, line.instrument, quantity)
                self._transfer(account, DOLLAR, -quantity * line.price)
                continue
            instrument = self._market.instruments.get(line.instrument)
            assert instrument is not None, "a line is of a listed contract"
            self._trades += 1
            fill = Trade(
                trade_id=f"cascade-{self._trades}", account=name, instrument=line.instrument, quantity=quantity,
                price=line.price, event_time_us=self.view.facts.time_us,
            )  # fmt: skip
            apply_trade(account, fill, instrument, index_of(instrument, self._market.ticks))
        self.pay(name, -cost_usd)

    def tried(self, name: str, trades: Iterable[tuple[Line, float]]) -> float:
        """Return IM over equity after trades at the last prices, infinite without equity; nothing is traded."""
        kept, trades_before = self._accounts[name], self._trades
        self._accounts[name] = copy_account(kept)
        self.trade(name, trades, 0.0)
        equity, im, _ = self._book.figures(name)
        self._accounts[name], self._trades = kept, trades_before
        self._book.set_account(kept, self._market)
        return im / equity if equity > 0.0 else float("inf")

    def pay(self, name: str, amount_usd: float) -> None:
        """Give dollars to an account, or take them, and evaluate it."""
        account = self._accounts[name]
        self._transfer(account, DOLLAR, amount_usd)
        self._book.set_account(account, self._market)

    def _transfer(self, account: Account, asset: str, amount: float) -> None:
        if amount == 0.0:
            return
        self._trades += 1
        moved = Transfer(
            transfer_id=f"cascade-{self._trades}", account=account.name, asset=asset, amount=amount,
            event_time_us=self.view.facts.time_us,
        )  # fmt: skip
        apply_transfer(account, moved)

    def figures_of(self, name: str) -> tuple[float, float, float]:
        """Return equity, initial and maintenance requirement of one account, USD."""
        return self._book.figures(name)

    def perpetual(self, underlying: str) -> Line | None:
        """Return the linear perpetual that a hedge of an underlying would trade (first by name), None without one."""
        for one in self._market.instruments.of_underlying(underlying):
            if one.type == "perpetual" and one.contract == "linear":
                price = self.index_price(underlying) * (1.0 + self._market.ticks.basis(one.instrument))
                return Line(one.instrument, underlying, 0.0, price, price * one.contract_size, 0.0)
        return None


def _line(pricing: Pricing, instrument: str, quantity: float) -> Line | None:
    row = np.array([pricing.row_of[instrument]], dtype=np.int64)
    rows = pricing.rows(row)
    kind, size = int(rows.kind[0]), float(rows.size[0])
    value, price = float(rows.value_usd[0]), float(rows.forward[0])
    vega = 0.0
    if kind in (scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION):
        price = value / size if kind == scenarios.LINEAR_OPTION else value / (size * pricing.index_price)
        vega = float(greeks_of(rows, pricing.index_price).vega_usd_per_point[0])
    if not np.isfinite(value) or price <= 0.0:
        return None
    delta = float(rows.market_delta_coins[0]) * pricing.index_price
    return Line(instrument, pricing.underlying, quantity, price, quantity * delta, quantity * vega)
