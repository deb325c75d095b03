"""A generated market: venues, perpetuals, dated futures and options over simulated paths, as a source to replay.

Every coin has spot prices from several venues (noise, delays, rates of their own), a linear perpetual and a dated
future; BTC and ETH have inverse perpetuals and options with a smile per expiry. Perpetuals say their funding rate once
a minute. Event times start at a fixed date, and
the same parameters give the same records. Heartbeats are added by the merge, as for any other source.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.errors import UsageError
from monitor.replay import contracts
from monitor.replay.contracts import EXCHANGE, SECOND_US, START_US, YEAR_US
from monitor.replay.paths import COINS, MAX_MINUTES, Coin, Paths, generator, simulate
from monitor.replay.sources.base import Arrived
from monitor.replay.sources.table import Report
from schemas.records import ExpiryVolatility, Funding, PriceTick
from schemas.topics import INSTRUMENTS, TICKS, VOLATILITY

VENUES = ("venue-a", "venue-b", "venue-c")
VENUE_RATE = (1.0, 0.6, 0.3)  # ticks of a venue per tick of the first
VENUE_DELAY_S = (0.05, 0.08, 0.12)  # median from event to arrival
CRASH_DELAY_S = (0.0, 0.5, 8.0)  # what a venue's queue adds at the height of the crash
CRASH = 1  # index of the phase with queues
USDC_RATE = 0.1  # ticks a second of each of its two sources
INTEREST = 1e-4  # what longs pay in an interval when a perpetual stands at its index
RATE_DELAY_US = 20_000
MAX_FUNDING = 0.0075  # in an interval, either way
USDC_DIP = 0.004  # how far below par it trades at the height of the crash

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MarketParameters:
    """What is generated. `ticks_per_second` is the rate of one coin on its fastest venue."""

    seed: int = 1
    minutes: int = 60
    ticks_per_second: float = 1.0
    coins: int = len(COINS)

    def __post_init__(self) -> None:
        """Refuse what cannot be generated (raises UsageError)."""
        if not 1 <= self.minutes <= MAX_MINUTES:
            raise UsageError(f"{self.minutes} minutes of market", f"give 1 to {MAX_MINUTES}")
        if not 0.05 <= self.ticks_per_second <= 100.0:
            raise UsageError(f"{self.ticks_per_second} ticks a second", "give 0.05 to 100")
        if not 2 <= self.coins <= len(COINS):
            raise UsageError(f"{self.coins} coins", f"give 2 to {len(COINS)}")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed}", "give a non-negative number below 2^63")


@dataclass(slots=True)
class _Feed:
    """One stream of prices: what its ticks say, how often they come, and where its price is in the paths."""

    underlying: str
    source: str
    kind: Literal["trade", "mark", "index"]
    instrument: str | None
    rate: float
    decimals: int
    coin: int  # column of the paths; -1: the dollar token
    venue: int = -1  # -1: a derivative
    expiry_us: int = 0  # 0: spot or perpetual
    arrived_us: int = 0  # a feed keeps its order: nothing arrives before what it sent earlier

    @property
    def max_age_ms(self) -> int:
        """How long it stays fresh: twenty mean gaps, at least ten seconds.

        Poisson arrivals are silent that long once in e^20 gaps; below ten seconds a queue in the crash alone would
        make a fast venue stale.
        """
        return int(min(600.0, max(10.0, math.ceil(20.0 / self.rate))) * 1_000)


@dataclass(slots=True)
class GeneratedMarket:
    """A source of the generated market (see `monitor.replay.sources.base.Source`)."""

    parameters: MarketParameters = field(default_factory=MarketParameters)
    report: Report = field(default_factory=Report)
    leads: bool = True
    topics: tuple[str, ...] = (INSTRUMENTS.name, TICKS.name, VOLATILITY.name)
    fraction: float = 0.0
    size_bytes: int = 0

    @property
    def name(self) -> str:
        """What it was made from."""
        return f"generated market, seed {self.parameters.seed}, {self.parameters.minutes} minutes"

    @property
    def coins(self) -> tuple[Coin, ...]:
        """The coins of this market."""
        return COINS[: self.parameters.coins]

    def paths(self) -> Paths:
        """Simulate the paths behind the ticks."""
        return simulate(self.coins, 60 * self.parameters.minutes, len(VENUES), self.parameters.seed)

    def records(self) -> Iterator[Arrived]:
        """Give definitions, then ticks and surfaces by arrival, minute by minute."""
        self.report = report = Report()
        paths = self.paths()
        draws = generator(self.parameters.seed, 10)
        for instrument in contracts.instruments(self.coins):
            report.records += 1
            yield START_US, instrument
        feeds = _feeds(self.coins, self.parameters.ticks_per_second)
        waiting: list[Arrived] = []
        for minute in range(self.parameters.minutes):
            waiting += _surfaces(self.coins, paths, 60 * minute)
            waiting += _rates(self.coins, paths, 60 * minute)
            for feed in feeds:
                waiting += _ticks(feed, paths, minute, draws)
            waiting.sort(key=_arrival)  # stable: ties keep the order of the feeds
            end_us = START_US + (minute + 1) * 60 * SECOND_US
            ready = next((k for k, item in enumerate(waiting) if item[0] >= end_us), len(waiting))
            report.records += ready
            yield from waiting[:ready]
            del waiting[:ready]
            self.fraction = (minute + 1) / self.parameters.minutes
        for _ in waiting:
            report.note("tick still on its way at the end")


def _feeds(coins: tuple[Coin, ...], rate: float) -> list[_Feed]:
    feeds = [_Feed("USDC", f"{venue}:USDC-USD", "index", None, USDC_RATE, 5, coin=-1) for venue in VENUES[:2]]
    for number, coin in enumerate(coins):
        spot = contracts.spot_name(coin)
        feeds += [
            _Feed(coin.name, f"{name}:{spot}", "trade", spot, rate * VENUE_RATE[venue], coin.decimals, number, venue)
            for venue, name in enumerate(VENUES)
        ]
        feeds += [
            _Feed(coin.name, f"{EXCHANGE}:{name}", "mark", name, rate, coin.decimals, number)
            for name in contracts.perpetual_names(coin)
        ]
        future = contracts.future_name(coin)
        expires_us = contracts.expiry_us(contracts.FUTURE_EXPIRY)
        feeds.append(
            _Feed(coin.name, f"{EXCHANGE}:{future}", "mark", future, 0.5 * rate, coin.decimals, number, -1, expires_us)
        )
    return feeds


def _surfaces(coins: tuple[Coin, ...], paths: Paths, second: int) -> Iterator[Arrived]:
    at_us = START_US + second * SECOND_US
    level, basis = float(paths.level[second]), float(paths.basis[second])
    for coin in coins:
        if coin.name in contracts.OPTION_COINS:
            for name in contracts.EXPIRIES:
                smile: ExpiryVolatility = contracts.smile(coin, contracts.expiry_us(name), at_us, level, basis)
                yield smile.received_time_us or at_us, smile


def _rates(coins: tuple[Coin, ...], paths: Paths, second: int) -> Iterator[Arrived]:
    """Give every perpetual's funding rate: its premium over the index and the interest, within bounds."""
    at_us = START_US + second * SECOND_US
    for number, coin in enumerate(coins):
        rate = float(np.clip(math.expm1(paths.perpetual[second, number]) + INTEREST, -MAX_FUNDING, MAX_FUNDING))
        for name in contracts.perpetual_names(coin):
            yield (
                at_us + RATE_DELAY_US,
                Funding(
                    instrument=name,
                    underlying=coin.name,
                    source=EXCHANGE,
                    rate=round(rate, 8),
                    event_time_us=at_us,
                    received_time_us=at_us + RATE_DELAY_US,
                ),
            )


def _ticks(feed: _Feed, paths: Paths, minute: int, draws: np.random.Generator) -> Iterator[Arrived]:
    """Give the ticks of one feed in one minute, in the order of their events."""
    count = int(draws.poisson(60.0 * feed.rate))
    seconds = 60.0 * minute + np.sort(draws.uniform(0.0, 60.0, count))
    noise = draws.standard_normal(count)
    row = np.minimum(seconds.astype(np.int64), paths.steps - 1)
    price = np.exp(_log_price(feed, paths, row, seconds - row, noise))
    delay_s = VENUE_DELAY_S[max(feed.venue, 0)] * np.exp(0.4 * draws.standard_normal(count))
    if feed.venue >= 0:
        # A venue's queue grows into the crash with the implied volatility, and is gone after it.
        delay_s += CRASH_DELAY_S[feed.venue] * np.where(paths.phase[row] == CRASH, _stress(paths, row), 0.0)
    event_us = START_US + np.round(seconds * 1e6).astype(np.int64)
    arrival_us = np.maximum.accumulate(event_us + np.round(delay_s * 1e6).astype(np.int64))
    np.maximum(arrival_us, feed.arrived_us, out=arrival_us)
    feed.arrived_us = int(arrival_us[-1]) if count else feed.arrived_us
    max_age_ms = feed.max_age_ms
    for event, arrival, value in zip(event_us.tolist(), arrival_us.tolist(), price.tolist(), strict=True):
        yield (
            arrival,
            PriceTick(
                underlying=feed.underlying,
                source=feed.source,
                price_kind=feed.kind,
                event_time_us=event,
                price=round(value, feed.decimals),
                instrument=feed.instrument,
                index_source=feed.kind != "mark",
                max_age_ms=max_age_ms,
                received_time_us=arrival,
            ),
        )


def _log_price(feed: _Feed, paths: Paths, row: Ints, part: Floats, noise: Floats) -> Floats:
    """Log price at `part` of a second after each row: the path between two seconds is a straight line."""
    if feed.coin < 0:
        dip: Floats = np.log1p(-USDC_DIP * _stress(paths, row)) + 2e-5 * noise
        return dip
    here, there = paths.log_price[row, feed.coin], paths.log_price[row + 1, feed.coin]
    log_price: Floats = here + part * (there - here) + 2e-5 * noise
    if feed.venue >= 0:
        log_price += paths.deviation[row, feed.coin, feed.venue]
    elif feed.expiry_us:
        years = (feed.expiry_us - START_US) / YEAR_US - (row + part) * (SECOND_US / YEAR_US)
        log_price += paths.basis[row] * years
    else:
        log_price += paths.perpetual[row, feed.coin]
    return log_price


def _stress(paths: Paths, row: Ints) -> Floats:
    """Return how far the implied volatility has risen, 0 in the calm to 1 at its height."""
    stress: Floats = (paths.level[row] - 1.0) / max(float(paths.level.max()) - 1.0, 1e-9)
    return stress


def _arrival(item: Arrived) -> int:
    return item[0]
