"""Portfolios for tests of margin models: of random accounts in random markets, and written by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np

from kernels import scenarios
from kernels._jit import Floats
from monitor.engine import State, new_state, open_shard, step
from monitor.engine.portfolio import portfolio_of
from monitor.models.portfolio import Correlations, Portfolio, Rows, Underlying
from schemas.records import AccountConfig
from tests.engine_market import Log, random_market
from tests.property.kernels_oracle import Contract

ACCOUNTS = ("a", "b", "c", "d", "e", "f")
NO_MATRICES = Correlations((), np.zeros((0, 0, 0)), 0.0)
NOW_US = 1_760_000_040_000_000
DAY_US = 86_400_000_000
KINDS = {
    "coin": scenarios.COIN, "linear": scenarios.LINEAR, "inverse": scenarios.INVERSE,
    "linear_option": scenarios.LINEAR_OPTION, "inverse_option": scenarios.INVERSE_OPTION,
}  # fmt: skip


def random_state(seed: int, records: int = 400) -> State:
    """Return the engine's state after a random market, every account set to model A."""
    log = Log()
    state = new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in random_market(seed, records, ACCOUNTS)])
    for account in state.shards[0].accounts.values():
        config = account.config
        changed = AccountConfig(
            account=account.name, event_time_us=state.market.time_us, margin_model="A",
            parameter_set=config.parameter_set,
        )  # fmt: skip
        step(state, [log(changed)])
    return state


def random_portfolios(seed: int) -> list[Portfolio]:
    """Return the portfolios of all accounts of a random market."""
    state = random_state(seed)
    return [portfolio_of(account, state.market) for account in state.shards[0].accounts.values()]


@dataclass(frozen=True, slots=True)
class Held:
    """So many contracts of one kind: of what, in which asset they settle, and what a perpetual pays in eight hours."""

    quantity: float
    contract: Contract
    settlement: str | None = "USD"
    funding_rate_8h: float = 0.0

    @property
    def entry_usd(self) -> float:
        """Entry side at the present price: of linear futures in dollars."""
        linear = self.contract.kind == "linear"
        return -self.quantity * self.contract.size * self.contract.price if linear else 0.0

    @property
    def entry_coins(self) -> float:
        """Entry side at the present price: of inverse futures in coins."""
        return self.quantity * self.contract.size / self.contract.price if self.contract.kind == "inverse" else 0.0


def underlying_of(name: str, index: float, *held: Held, coins: float = 0.0) -> Underlying:
    """Return an underlying with a balance of coins and contracts entered at their price, valued by the kernel."""
    entry_coins = [0.0, *(one.entry_coins for one in held)]
    whole = [Held(coins + sum(entry_coins), Contract("coin", 1.0, index), None), *held]
    column = {
        field: np.array([float(getattr(one.contract, field)) for one in whole])
        for field in ("size", "strike", "price", "fixed", "funding", "years", "vol")
    }
    n = len(whole)
    kind = np.array([KINDS[one.contract.kind] for one in whole], dtype=np.int64)
    is_call = np.array([one.contract.is_call for one in whole], dtype=np.bool_)
    strike, years = column["strike"], column["years"]
    expiry_us = np.where(years > 0.0, NOW_US + np.rint(years * 365 * DAY_US).astype(np.int64), 0)
    inputs = (
        kind, is_call, column["size"], np.where(strike > 0.0, strike, 1.0), column["price"], column["fixed"],
        column["funding"], years, column["vol"],
    )  # fmt: skip
    value, delta, market_delta = np.empty((3, n))
    table = scenarios.scenario_table(0.16, 1, ())
    scenarios.risk_array(
        *inputs, index, *table, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0, np.empty((n, 9)), value, delta, market_delta
    )
    return Underlying(
        name=name, index_price=index, annual_vol=np.nan,
        names=(None, *(f"{name}-{row}" for row in range(len(held)))),
        quantity=np.array([one.quantity for one in whole]),
        rows=Rows(*inputs, expiry_us.astype(np.int64), value, delta, market_delta),
        average_price=np.array([0.0, *(one.contract.price for one in held)]),
        entry_usd=np.array([one.entry_usd for one in whole]), entry_coins=np.array(entry_coins),
        coins=coins, settlement=tuple(one.settlement for one in whole),
        funding_rate_8h=np.array([one.funding_rate_8h for one in whole]),
    )  # fmt: skip


def portfolio(*underlyings: Underlying, cash_usd: float = 0.0) -> Portfolio:
    """Return a portfolio of underlyings, sorted by name, and of a balance in USD."""
    entries = sum(float(one.entry_usd.sum()) for one in underlyings)
    return Portfolio(
        "hand", NOW_US, cash_usd + entries, tuple(sorted(underlyings, key=lambda one: one.name)), NO_MATRICES
    )


def mixed(*weighted: tuple[float, Portfolio]) -> Portfolio:
    """Return the weighted sum of portfolios that hold the same contracts."""
    books = [book for _, book in weighted]
    weights = np.array([weight for weight, _ in weighted])

    def summed(column: list[Floats]) -> Floats:
        total: Floats = weights @ np.array(column)
        return total

    underlyings = tuple(
        replace(
            ones[0], quantity=summed([one.quantity for one in ones]), entry_usd=summed([one.entry_usd for one in ones]),
            entry_coins=summed([one.entry_coins for one in ones]),
            coins=float(weights @ np.array([one.coins for one in ones])),
        )
        for ones in zip(*(book.underlyings for book in books), strict=True)
    )  # fmt: skip
    cash_usd = float(weights @ np.array([book.cash_usd for book in books]))
    return replace(books[0], cash_usd=cash_usd, underlyings=underlyings)


def permuted(one: Underlying, draw: random.Random) -> Underlying:
    """Return the same holdings in another order, the coin first."""
    order = [0, *draw.sample(range(1, len(one.quantity)), len(one.quantity) - 1)]
    at = np.array(order)
    return replace(
        one, names=tuple(one.names[k] for k in order), quantity=one.quantity[at],
        rows=Rows(*(column[at] for column in one.rows)), average_price=one.average_price[at],
        entry_usd=one.entry_usd[at], entry_coins=one.entry_coins[at],
        settlement=tuple(one.settlement[k] for k in order), funding_rate_8h=one.funding_rate_8h[at],
    )  # fmt: skip


INDEX_USD = {"BTC": 65_000.0, "ETH": 2_500.0, "SOL": 150.0, "DOGE": 0.12}
SETTLEMENTS = ("USD", "USDT", "USDC")


def random_book(seed: int, names: tuple[str, ...] = tuple(INDEX_USD), *, size: float = 1.0) -> Portfolio:
    """Return a random portfolio of coins, perpetuals, futures and options in three settlement currencies."""
    draw = random.Random(seed)
    return portfolio(
        *(_random_underlying(name, draw, size) for name in names), cash_usd=round(draw.uniform(-2e4, 2e5), 2)
    )


def _random_underlying(name: str, draw: random.Random, size: float) -> Underlying:
    index = INDEX_USD[name]
    coins = size * 100_000.0 / index
    held = []
    for days in (0.0, 0.0, 0.0, 0.4, 7.0, 30.0, 120.0):
        price = index * (1.0 + draw.uniform(-0.002, 0.03))
        kind, settlement = draw.choice([("linear", s) for s in SETTLEMENTS] + [("inverse", name)])
        quantity = draw.gauss(0.0, 1.0) * coins
        contract = Contract(kind, 1.0, price, years=days / 365)
        if kind == "inverse":
            quantity, contract = quantity * price / 10.0, replace(contract, size=10.0)
        rate = draw.uniform(-0.001, 0.001) if days == 0.0 else 0.0
        held.append(Held(quantity, contract, settlement, rate))
    for days in (0.4, 7.0, 7.0, 30.0, 30.0, 120.0):
        contract = Contract(
            draw.choice(("linear_option", "inverse_option")), 1.0, index * (1.0 + draw.uniform(-0.002, 0.03)),
            strike=round(index * draw.uniform(0.7, 1.5), 4), is_call=draw.random() < 0.5, years=days / 365,
            vol=draw.uniform(0.3, 1.1),
        )  # fmt: skip
        settlement = draw.choice(SETTLEMENTS) if contract.kind == "linear_option" else name
        held.append(Held(draw.gauss(0.0, 1.0) * coins, contract, settlement))
    return underlying_of(name, index, *held, coins=draw.choice((0.0, draw.gauss(0.3, 0.4) * coins)))
