"""Volatility of each composite index over days: what ranges step on, and what historical scenarios are scaled with.

The log return of an index over ten minutes, once a minute; none where the index was held at either end or no index tick
lies inside (as in `correlation_returns`). Its square, exponentially averaged in market time with a half-life of 24 h:

    v' = (lambda^dt W v + min(r^2, 9 max(v, v0))) / (lambda^dt W + 1)

A square counts up to nine times the average known before it: three standard deviations, as for correlations. Twenty
minutes in which a venue parts company then cannot be the estimate of the day around them. With all weight in place
the volatility rises by at most 12 % in an hour, and 26 % when a day old. `v0` keeps a price that stood still
from being frozen: it is the volatility at the floor of the ranges.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from monitor.engine.minutes import MINUTE_US, Minute, Sample

RETURN_MINUTES = 10
RETURN_US = RETURN_MINUTES * MINUTE_US
RETURNS_PER_YEAR = 365 * 1_440 / RETURN_MINUTES
DECAY = 2.0 ** (-1.0 / 1_440)
MAX_STANDARDISED = 3.0
SEED_RETURNS = 60.0  # an hour's worth: before, there is no scale to call a return large by
LEAST_SCALE = 9e-4  # of ten minutes, 21 % a year: six times that over two days is the least range, 9.3 %
PUBLISHED_CHANGE = 0.02  # of itself: a scan range of 20 % moves by less than half a point unseen
DIGITS = 6  # the last ones of a logarithm differ between machines
MIN_RETURNS = 720.0  # worth of 12 hours, 72 without overlap: a standard error of 8 % for normal returns


class Volatility:
    """Price history and volatility of one underlying; `returns` is how many returns the average is worth.

    `published` is what others have been told, a year; 0 before anything.
    """

    __slots__ = ("prices", "published", "squares", "time_us", "total", "weight")

    def __init__(self) -> None:
        self.prices: deque[float] = deque(maxlen=RETURN_MINUTES + 1)  # at whole minutes; 0: held, no price to act on
        self.total = 0.0  # weighted sum of squared returns
        self.weight = 0.0
        self.squares = 0.0
        self.time_us = 0  # of the newest return
        self.published = 0.0

    @property
    def returns(self) -> float:
        """(sum of weights)^2 / sum of squared weights: 4,155 in the long run, a tenth of it without overlap."""
        return self.weight * self.weight / self.squares if self.squares else 0.0

    @property
    def scale(self) -> float:
        """Volatility of one return, ten minutes; 0 before any."""
        return math.sqrt(self.total / self.weight) if self.weight else 0.0

    @property
    def annual(self) -> float:
        """Volatility a year, decimal; 0 before any return."""
        return self.scale * math.sqrt(RETURNS_PER_YEAR)

    def take(self, time_us: int, sample: Sample) -> float | None:
        """Take the sample of a whole minute; return the log return that ends there, if there is one."""
        prices = self.prices
        prices.append(0.0 if sample.held else sample.price_usd)
        if len(prices) <= RETURN_MINUTES or not prices[0] or not prices[-1] or sample.tick_us <= time_us - RETURN_US:
            return None
        value = math.log(prices[-1] / prices[0])
        square = value * value
        if self.returns >= SEED_RETURNS:
            largest = MAX_STANDARDISED * max(self.scale, LEAST_SCALE)
            square = min(square, largest * largest)
        decay = DECAY ** ((time_us - self.time_us) // MINUTE_US)
        self.total = self.total * decay + square
        self.weight = self.weight * decay + 1.0
        self.squares = self.squares * decay * decay + 1.0
        self.time_us = time_us
        return value

    def publish(self) -> bool:
        """Tell others, if there is enough of it and it has moved; return whether they have to be told."""
        if self.returns < MIN_RETURNS or abs(self.annual - self.published) <= PUBLISHED_CHANGE * self.published:
            return False
        before, self.published = self.published, round(self.annual, DIGITS)
        return self.published != before

    def skip(self) -> None:
        """Forget the prices: minutes between the last one and the next were not told."""
        self.prices.clear()

    def snapshot(self) -> list[Any]:
        """Return the series as plain JSON values."""
        return [list(self.prices), self.total, self.weight, self.squares, self.time_us, self.published]

    @classmethod
    def restore(cls, state: list[Any]) -> Volatility:
        """Rebuild a series from its snapshot."""
        series = cls()
        prices, series.total, series.weight, series.squares, series.time_us, series.published = state
        series.prices.extend(prices)
        return series


class Volatilities:
    """Takes whole minutes; as many series as the fold has underlyings, which it bounds.

    `latest` has the returns that end at the newest minute. A series is never dropped: whoever was silent for a week
    has the volatility of the time before until it has another.
    """

    __slots__ = ("_changed", "latest", "series")

    def __init__(self) -> None:
        self.series: dict[str, Volatility] = {}
        self.latest: dict[str, float] = {}
        self._changed: list[str] = []

    def on_minute(self, minute: Minute) -> None:
        """Take the sample of every underlying."""
        self.latest = {}
        for name, sample in minute.samples.items():
            series = self.series.get(name)
            if series is None:
                series = self.series[name] = Volatility()
            if minute.skipped:
                series.skip()
            value = series.take(minute.time_us, sample)
            if value is not None:
                self.latest[name] = value
                if series.publish():
                    self._changed.append(name)

    def annual(self, underlying: str) -> float | None:
        """Return the volatility a year as published, decimal; None before it was worth `MIN_RETURNS`."""
        series = self.series.get(underlying)
        return None if series is None or not series.published else series.published

    def take_changed(self) -> list[str]:
        """Return the underlyings whose published volatility changed since the last call."""
        changed, self._changed = self._changed, []
        return changed

    def snapshot(self) -> list[Any]:
        """Return all series as plain JSON values; `latest` lives within a minute only."""
        return [[name, *series.snapshot()] for name, series in self.series.items()]

    @classmethod
    def restore(cls, state: list[Any]) -> Volatilities:
        """Rebuild from a snapshot."""
        volatilities = cls()
        volatilities.series = {name: Volatility.restore(values) for name, *values in state}
        return volatilities
