"""A market for proofs: five coins with futures and options, moved by whoever asks, as records.

Contracts expire at 08:00 UTC, the first of them ninety minutes after the market begins.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.records import (
    ExpiryVolatility,
    Funding,
    Heartbeat,
    Input,
    Instrument,
    InstrumentVolatility,
    PriceTick,
    SviVolatility,
)

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = 1_440 * MINUTE_US
YEAR_US = 365 * DAY_US
START_US = int(datetime(2025, 10, 10, 6, 30, tzinfo=UTC).timestamp()) * SECOND_US
FIRST_EXPIRY_US = START_US + 90 * MINUTE_US
EXPIRIES_US = tuple(FIRST_EXPIRY_US + days * DAY_US for days in (0, 1, 7, 30, 90))
STRIKES = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.3, 2.0)
NOISE = 2e-6  # between the venues of a coin
MAX_AGE_MS = 180_000
USD_FACE = 10.0  # of inverse futures


@dataclass(frozen=True, slots=True)
class Coin:
    """A coin: its price at the beginning, how many venues quote it, what linear contracts settle in, its options."""

    name: str
    spot_usd: float
    venues: int
    settlement: str
    expiries: tuple[int, ...]
    strikes: tuple[float, ...]


COINS = {
    coin.name: coin
    for coin in (
        Coin("BTC", 120_000.0, 3, "USD", EXPIRIES_US, STRIKES),
        Coin("ETH", 4_300.0, 2, "USD", EXPIRIES_US, STRIKES),
        Coin("SOL", 220.0, 2, "USDT", EXPIRIES_US[1:4], STRIKES[1:9:2]),
        Coin("XRP", 2.8, 1, "USDT", EXPIRIES_US[1:3], STRIKES[2:9:2]),
        Coin("DOGE", 0.25, 1, "USD", EXPIRIES_US[1:3], STRIKES[2:9:2]),
    )
}


def listing(coin: Coin) -> list[Instrument]:
    """Return two perpetuals, futures of both kinds, and the options of a coin; every other strike is inverse."""
    common: dict[str, Any] = {"underlying": coin.name, "event_time_us": START_US}
    inverse: dict[str, Any] = {**common, "settlement": coin.name, "contract": "inverse"}
    linear: dict[str, Any] = {**common, "settlement": coin.settlement}
    found = [
        Instrument(instrument=f"{coin.name}-PERPETUAL", type="perpetual", **linear),
        Instrument(instrument=f"{coin.name}-INVERSE", type="perpetual", contract_size=USD_FACE, **inverse),
    ]
    for at_us in (coin.expiries[0], coin.expiries[-1]):
        kinds: tuple[tuple[str, dict[str, Any]], ...] = (
            ("INVERSE", {**inverse, "contract_size": USD_FACE}),
            ("LINEAR", linear),
        )
        found += [
            Instrument(instrument=f"{coin.name}-{day(at_us)}-{kind}", type="future", expiry_us=at_us, **terms)
            for kind, terms in kinds
        ]
    found += [option(coin, at_us, number) for at_us in coin.expiries for number in range(2 * len(coin.strikes))]
    return found


def option(coin: Coin, expiry_us: int, number: int, *, at_us: int = START_US) -> Instrument:
    """Return an option of a coin by number: strikes in order, a call and a put of each."""
    strike, is_call = coin.strikes[number // 2], number % 2 == 0
    inverse = number // 2 % 2 == 0
    return Instrument(
        instrument=f"{coin.name}-{day(expiry_us)}-{strike:g}-{'C' if is_call else 'P'}", type="option",
        underlying=coin.name, settlement=coin.name if inverse else coin.settlement,
        contract="inverse" if inverse else "linear", expiry_us=expiry_us, strike=strike * coin.spot_usd,
        option_type="call" if is_call else "put", event_time_us=at_us,
    )  # fmt: skip


def day(at_us: int) -> str:
    """Return an expiry as part of a name: minutes since the first one."""
    return f"{(at_us - FIRST_EXPIRY_US) // MINUTE_US}"


@dataclass(slots=True)
class World:
    """Prices and time as they are, and the records that move them.

    Times of records never fall, except where a late one is asked for.
    """

    draw: random.Random
    time_us: int = START_US
    price: dict[str, float] = field(default_factory=lambda: {name: coin.spot_usd for name, coin in COINS.items()})
    listed: dict[str, Instrument] = field(default_factory=dict)

    def definitions(self) -> Iterator[Input]:
        """Yield all listings and first surfaces."""
        for coin in COINS.values():
            for instrument in listing(coin):
                self.listed[instrument.instrument] = instrument
                yield instrument
            for expiry_us in coin.expiries:
                yield self.smile(coin.name, expiry_us, 0.6)

    def tradable(self, coins: tuple[str, ...] = ()) -> list[Instrument]:
        """Return what has not expired, of some coins or of all."""
        return [
            one for one in self.listed.values()
            if (not coins or one.underlying in coins)
            and (one.expiry_us is None or one.expiry_us > self.time_us + MINUTE_US)
        ]  # fmt: skip

    def expiries(self, coin: str) -> list[int]:
        """Return the expiries of a coin that are to come."""
        return sorted({one.expiry_us for one in self.tradable((coin,)) if one.expiry_us is not None})

    def passed(self, microseconds: int) -> None:
        """Let time pass before the next record."""
        self.time_us += microseconds

    def heartbeat(self) -> Heartbeat:
        """Return that nothing happens but time."""
        return Heartbeat(source="clock", event_time_us=self.time_us)

    def set_price(self, coin: str, price_usd: float) -> list[Input]:
        """Move a coin on all its venues, so that the composite index is there after the last of them."""
        self.price[coin] = price_usd
        return [self.tick(coin, venue) for venue in range(COINS[coin].venues)]

    def tick(self, coin: str, venue: int, late_us: int = 0) -> PriceTick:
        """Return what one venue says of a coin's price."""
        price = self.price[coin] * (1.0 + NOISE * venue)
        at_us = self.time_us - late_us
        return PriceTick(
            underlying=coin, source=f"venue-{venue}", price_kind="index", price=price, index_source=True,
            event_time_us=at_us, received_time_us=self.time_us, max_age_ms=MAX_AGE_MS,
        )  # fmt: skip

    def token(self, price_usd: float) -> PriceTick:
        """Return a price of a dollar token."""
        return PriceTick(
            underlying="USDT", source="venue-0", price_kind="index", price=price_usd, index_source=True,
            event_time_us=self.time_us, received_time_us=self.time_us, max_age_ms=MAX_AGE_MS,
        )  # fmt: skip

    def mark(self, instrument: Instrument, premium: float) -> PriceTick:
        """Return a mark of a future at a premium over the index."""
        return PriceTick(
            underlying=instrument.underlying, source="exchange", price_kind="mark", instrument=instrument.instrument,
            price=self.price[instrument.underlying] * (1.0 + premium), event_time_us=self.time_us,
            received_time_us=self.time_us, max_age_ms=60_000,
        )  # fmt: skip

    def funding(self, coin: str, rate: float) -> Funding:
        """Return a funding rate of one of a coin's perpetuals."""
        name = self.draw.choice(("PERPETUAL", "INVERSE"))
        return Funding(
            instrument=f"{coin}-{name}", underlying=coin, source="exchange", rate=rate,
            interval_ms=self.draw.choice((600_000, 28_800_000)), event_time_us=self.time_us,
            received_time_us=self.time_us,
        )  # fmt: skip

    def smile(self, coin: str, expiry_us: int, vol: float) -> ExpiryVolatility:
        """Return a smile of one expiry."""
        return ExpiryVolatility(
            underlying=coin, source="options", expiry_us=expiry_us, atm_vol_annual=vol,
            slope=self.draw.uniform(-0.06, 0.02), curvature=self.draw.uniform(0.0, 0.03),
            forward_basis=self.draw.choice((None, 0.0, 0.003, self.draw.uniform(-0.002, 0.006))),
            event_time_us=self.time_us, received_time_us=self.time_us,
        )  # fmt: skip

    def svi(self, coin: str, expiry_us: int, vol: float) -> SviVolatility:
        """Return a slice in total variance that is `vol` at the money."""
        variance = vol * vol * max(expiry_us - self.time_us, MINUTE_US) / YEAR_US
        roundness = 2.0 * math.sqrt(variance) + 0.05
        return SviVolatility(
            underlying=coin, source="options", expiry_us=expiry_us, a=0.6 * variance, b=0.4 * variance / roundness,
            rho=self.draw.uniform(-0.4, 0.2), m=0.0, sigma=roundness, forward_basis=None,
            event_time_us=self.time_us, received_time_us=self.time_us,
        )  # fmt: skip

    def own_volatility(self, option_: Instrument, vol: float) -> InstrumentVolatility:
        """Return an option's own volatility."""
        return InstrumentVolatility(
            underlying=option_.underlying, source="options", instrument=option_.instrument, vol_annual=vol,
            expiry_us=option_.expiry_us, event_time_us=self.time_us, received_time_us=self.time_us,
        )  # fmt: skip
