"""A market in which correlations break: coins that move by themselves, and from a moment on all together."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

import msgspec

from monitor.engine.minutes import MINUTE_US, Minute, Sample
from monitor.engine.parameters import DEFAULT_SET
from schemas.records import AccountConfig, Heartbeat, Input, NettingParameters, Trade, Transfer
from tests.engine_market import SPOT_USD, START_US, index_tick, opening

COINS = ("BTC", "ETH", "SOL", "XRP")
BREAK = ((180, 1.0), (200, 0.02))  # minutes, and the share of their own moves in the variance
Phases = Sequence[tuple[int, float]]


def prices(seed: int, phases: Phases = BREAK, coins: Sequence[str] = COINS) -> Iterator[dict[str, float]]:
    """Yield a price of each coin for each minute."""
    draw = random.Random(seed)
    logs = {coin: math.log(SPOT_USD.get(coin, 100.0)) for coin in coins}
    for minutes, own in phases:
        for _ in range(minutes):
            factor = draw.gauss(0.0, 1e-3)
            for coin in coins:
                logs[coin] += math.sqrt(1.0 - own) * factor + math.sqrt(own) * draw.gauss(0.0, 1e-3)
            yield {coin: math.exp(value) for coin, value in logs.items()}


def minutes_of(seed: int, phases: Phases = BREAK, coins: Sequence[str] = COINS) -> list[Minute]:
    """Return the minutes of such a market, each with a tick at its end."""
    out = []
    for k, found in enumerate(prices(seed, phases, coins)):
        time_us = START_US + k * MINUTE_US
        out.append(Minute(time_us, {coin: Sample(price, False, False, time_us) for coin, price in found.items()}))
    return out


def book(account: str, usd: float, quantity: float = -25.0) -> list[Input]:
    """Return the records of an account of model P that is long a bitcoin and has some ether of perpetuals."""
    legs = (("BTC-PERPETUAL", 1.0), ("ETH-PERPETUAL", quantity))
    return [
        AccountConfig(account=account, margin_model="P", event_time_us=START_US),
        Transfer(transfer_id="m", account=account, asset="USD", amount=usd, event_time_us=START_US),
        *(
            Trade(trade_id=str(k), account=account, instrument=name, quantity=size, price=SPOT_USD[name[:3]],
                  event_time_us=START_US)
            for k, (name, size) in enumerate(legs)
        ),
    ]  # fmt: skip


FIXED_RANGES = msgspec.structs.replace(
    DEFAULT_SET, event_time_us=START_US, netting=NettingParameters(ranges="fixed")
)  # fmt: skip


def market_of(seed: int, accounts: Sequence[Input] = (), phases: Phases = BREAK) -> list[Input]:
    """Return definitions, accounts, and a tick of each coin and a heartbeat for each minute; ranges are fixed."""
    records: list[Input] = [*opening(priced=()), FIXED_RANGES]
    time_us = START_US
    for k, found in enumerate(prices(seed, phases)):
        time_us = START_US + k * MINUTE_US
        records += [index_tick(coin, price, time_us + 1 + i) for i, (coin, price) in enumerate(found.items())]
        if k == 0:
            records += accounts
    records.append(Heartbeat(source="publisher", event_time_us=time_us + 2 * MINUTE_US))
    return records
