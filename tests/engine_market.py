"""A small seeded market and accounts as sourced records, for tests of the engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from monitor.engine import Sourced
from schemas import topics
from schemas.records import (
    AccountConfig,
    ExpiryVolatility,
    Funding,
    Heartbeat,
    Input,
    Instrument,
    ParameterSet,
    PriceTick,
    RiskMatrixParameters,
    Trade,
    Transfer,
)

START_US = 1_760_000_040_000_000  # a whole minute, so that the pricing grid begins with the market
DAY_US = 86_400_000_000
EXPIRY_US = START_US + 30 * DAY_US
SOON_US = START_US + 180_000_000  # inside a random market
SPOT_USD = {"BTC": 100_000.0, "ETH": 4_000.0}
TOPIC_OF: dict[type, topics.Topic] = {
    Trade: topics.TRADES,
    Transfer: topics.TRANSFERS,
    AccountConfig: topics.ACCOUNTS,
    PriceTick: topics.TICKS,
    Heartbeat: topics.TICKS,
    Funding: topics.TICKS,
    ExpiryVolatility: topics.VOLATILITY,
    Instrument: topics.INSTRUMENTS,
    ParameterSet: topics.PARAMETERS,
}


@dataclass
class Log:
    """Gives records their offsets, one counter per topic and partition."""

    partition_of: dict[str, int] = field(default_factory=dict)
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)

    def __call__(self, record: Input) -> Sourced:
        """Return the record at the next offset of its topic and partition."""
        topic = TOPIC_OF[type(record)].name
        partition = self.partition_of.get(getattr(record, "account", ""), 0)
        offset = self.offsets.get((topic, partition), -1) + 1
        self.offsets[topic, partition] = offset
        return Sourced(topic, partition, offset, 0, record)


def listing(underlying: str) -> list[Instrument]:
    """Return a linear and an inverse perpetual, a future, and two options of one underlying."""
    spot = SPOT_USD[underlying]
    common: dict[str, Any] = {"underlying": underlying, "event_time_us": START_US}
    coin: dict[str, Any] = {**common, "settlement": underlying, "contract": "inverse"}
    dated: dict[str, Any] = {**coin, "expiry_us": EXPIRY_US}
    return [
        Instrument(instrument=f"{underlying}-PERPETUAL", type="perpetual", settlement="USD", **common),
        Instrument(instrument=f"{underlying}-INVERSE", type="perpetual", contract_size=10.0, **coin),
        Instrument(instrument=f"{underlying}-FUTURE", type="future", contract_size=10.0, **dated),
        Instrument(instrument=f"{underlying}-C", type="option", strike=1.1 * spot, option_type="call", **dated),
        Instrument(instrument=f"{underlying}-P", type="option", strike=0.9 * spot, option_type="put", **dated),
    ]


def expiring(underlying: str) -> list[Instrument]:
    """Return an inverse future and a linear call that expire soon."""
    common: dict[str, Any] = {"underlying": underlying, "event_time_us": START_US, "expiry_us": SOON_US}
    coin: dict[str, Any] = {"settlement": underlying, "contract": "inverse", "contract_size": 10.0}
    call: dict[str, Any] = {"settlement": "USD", "strike": 0.98 * SPOT_USD[underlying], "option_type": "call"}
    return [
        Instrument(instrument=f"{underlying}-SOON-FUTURE", type="future", **common, **coin),
        Instrument(instrument=f"{underlying}-SOON-C", type="option", **common, **call),
    ]


def smile(underlying: str, time_us: int, vol: float = 0.6) -> ExpiryVolatility:
    """Return a smile of the only expiry."""
    return ExpiryVolatility(
        underlying=underlying, source="options", expiry_us=EXPIRY_US, atm_vol_annual=vol, slope=-0.05, curvature=0.02,
        forward_basis=0.004, event_time_us=time_us,
    )  # fmt: skip


def index_tick(
    underlying: str, price: float, time_us: int, source: str = "venue-a", max_age_ms: int | None = None
) -> PriceTick:
    """Return a spot price that feeds the composite index."""
    return PriceTick(
        underlying=underlying, source=source, price_kind="index", price=price, index_source=True,
        event_time_us=time_us, max_age_ms=max_age_ms,
    )  # fmt: skip


def both(underlying: str, price: float, time_us: int) -> list[PriceTick]:
    """Return the same price from two venues, so that it is the composite index."""
    return [index_tick(underlying, price, time_us, source) for source in ("venue-a", "venue-b")]


def opening(*, priced: tuple[str, ...] = tuple(SPOT_USD)) -> list[Input]:
    """Return definitions and surfaces of both underlyings, and first prices."""
    records: list[Input] = [
        ParameterSet(name="wide", event_time_us=START_US, risk_matrix=RiskMatrixParameters(price_range=0.30))
    ]
    for underlying, spot in SPOT_USD.items():
        records += listing(underlying)
        records.append(smile(underlying, START_US))
        if underlying in priced:
            records += both(underlying, spot, START_US)
    return records


def random_market(seed: int, records: int, accounts: tuple[str, ...], pace: int = 1) -> Iterator[Input]:
    """Yield a falling, jumping market with trades and transfers in between; event times never fall.

    A second account in three has model A, a third another parameter set. With a `pace` of 20, a few hundred records
    are hours, so that correlations are estimated. With an odd seed ETH is traded for a while before it has a price.
    """
    draw = random.Random(seed)
    price = dict(SPOT_USD)
    time_us = START_US
    dark = 60 if seed % 2 else 0
    yield from opening(priced=("BTC",))
    soon = [item for underlying in SPOT_USD for item in expiring(underlying)]
    yield from soon
    yield from first_records(accounts)
    instruments = [item.instrument for underlying in SPOT_USD for item in listing(underlying)]
    instruments += [item.instrument for item in soon]
    for number in range(records):
        time_us += pace * draw.choice((1_000, 50_000, 300_000, 1_000_000, 4_000_000))
        if pace > 1:
            yield Heartbeat(source="clock", event_time_us=time_us)
        kind = draw.random()
        underlying = draw.choice(tuple(SPOT_USD))
        if number == dark:
            yield from both("ETH", price["ETH"], time_us)
        elif number < dark and kind < 0.70:
            underlying = "BTC"
        if kind < 0.70:
            step = draw.gauss(-0.0005, 0.004) if draw.random() < 0.97 else draw.gauss(0.0, 0.05)
            price[underlying] *= max(0.8, 1.0 + step)
            max_age_ms = 180_000 * pace if pace > 1 else None
            yield index_tick(underlying, price[underlying], time_us, draw.choice(("venue-a", "venue-b")), max_age_ms)
        elif kind < 0.73:
            yield Heartbeat(source="clock", event_time_us=time_us)
        elif kind < 0.75:
            yield Funding(
                instrument=f"{underlying}-{draw.choice(('PERPETUAL', 'INVERSE'))}", underlying=underlying,
                source="venue", rate=draw.uniform(-0.01, 0.01), interval_ms=draw.choice((600_000, 3_600_000)),
                event_time_us=time_us, received_time_us=time_us,
            )  # fmt: skip
        elif kind < 0.80:
            yield smile(underlying, time_us, vol=draw.uniform(0.3, 1.2))
        elif kind < 0.84:
            amount = draw.choice((-2_000.0, 5_000.0, 20_000.0))
            yield Transfer(
                transfer_id=str(number), account=draw.choice(accounts), asset="USD", amount=amount,
                event_time_us=time_us,
            )  # fmt: skip
        else:
            yield random_trade(draw, str(number), draw.choice(instruments), draw.choice(accounts), price, time_us)


def first_records(accounts: tuple[str, ...]) -> Iterator[Input]:
    """Yield settings and deposits of the accounts."""
    for number, account in enumerate(accounts):
        if number % 3 == 2:
            yield AccountConfig(account=account, event_time_us=START_US, parameter_set="wide")
        elif number % 3 == 1:
            yield AccountConfig(account=account, event_time_us=START_US, margin_model="A")
        yield Transfer(transfer_id="open", account=account, asset="USD", amount=30_000.0, event_time_us=START_US)
        yield Transfer(transfer_id="coin", account=account, asset="BTC", amount=0.1, event_time_us=START_US)


def random_trade(
    draw: random.Random, trade_id: str, instrument: str, account: str, price: dict[str, float], time_us: int
) -> Trade:
    """Return a fill of some 50,000 USD."""
    option = instrument.endswith(("-C", "-P"))
    coins = 50.0 / price[instrument[:3]] * 1_000.0
    dollars = instrument.endswith(("-INVERSE", "-FUTURE"))
    quantity = round(draw.gauss(0.0, 1.0) * (coins * price[instrument[:3]] / 10.0 if dollars else coins), 4)
    return Trade(
        trade_id=trade_id, account=account, instrument=instrument, quantity=quantity or 1.0,
        price=0.03 if option else price[instrument[:3]], fee=0.0, event_time_us=time_us,
    )  # fmt: skip
