"""Standardised returns of one composite index: ten minutes long, one a minute, in units of what was expected before.

Dividing by the volatility known before the return, as dependence models of standardised residuals do, keeps the
minutes of a crash from being the whole estimate: without it, a tenth of an hour would outweigh the day around it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from monitor.engine.minutes import MINUTE_US, Sample

RETURN_MINUTES = 10  # long against a venue's silence; 1-minute returns collapse where venues part company
RETURN_US = RETURN_MINUTES * MINUTE_US
VOLATILITY_HALF_LIFE_MIN = 60
VOLATILITY_DECAY = 2.0 ** (-1.0 / VOLATILITY_HALF_LIFE_MIN)
MIN_VOLATILITY_RETURNS = 30.0  # three without overlap: fewer say nothing about a scale; ten would take an hour
MIN_VOLATILITY_WEIGHT = 1.0  # six hours after the last of many returns: what was known by then is history
MAX_STANDARDISED = 3.0  # a jump counts as a large move, not as the only one
QUIET_VOLATILITY = 2e-4  # of ten minutes, 4.6 % a year: dollar tokens show 0.7 to 1.1 bp, the calmest coin 6 bp
QUIET_RETURNS = 60.0


class Returns:
    """Price history and volatility of one underlying.

    Averages are exponential in market time; `weight` and `squares` are the sums of their weights and squared weights,
    so `weight^2 / squares` is the number of returns they are worth.
    """

    __slots__ = ("prices", "quiet", "squares", "tick_us", "time_us", "total", "weight")

    def __init__(self) -> None:
        self.prices: deque[float] = deque(maxlen=RETURN_MINUTES + 1)  # at whole minutes; 0: held, no price to act on
        self.total = 0.0  # weighted sum of squared returns
        self.weight = 0.0
        self.squares = 0.0
        self.time_us = 0  # of the newest return
        self.tick_us = 0  # newest index tick
        self.quiet = False  # has hardly moved for an hour, and has no estimate since

    def take(self, time_us: int, sample: Sample) -> float | None:
        """Take the sample of a whole minute; return the standardised return that ends there, if there is one.

        None if the index was held at one end, if no index tick lies inside, or if the volatility before it is not
        known or below `QUIET_VOLATILITY`.
        """
        prices = self.prices
        prices.append(0.0 if sample.held else sample.price_usd)
        self.tick_us = sample.tick_us
        if len(prices) <= RETURN_MINUTES or not prices[0] or not prices[-1] or sample.tick_us <= time_us - RETURN_US:
            return None
        value = math.log(prices[-1] / prices[0])
        decay = VOLATILITY_DECAY ** ((time_us - self.time_us) // MINUTE_US)
        self.total *= decay
        self.weight *= decay
        self.squares *= decay * decay
        standardised = self._standardised(value)
        self.total += value * value
        self.weight += 1.0
        self.squares += 1.0
        self.time_us = time_us
        return standardised

    def skip(self) -> None:
        """Forget the prices: minutes between the last one and the next were not told."""
        self.prices.clear()

    def _standardised(self, value: float) -> float | None:
        count = self.weight * self.weight / self.squares if self.squares else 0.0
        if count < MIN_VOLATILITY_RETURNS or self.weight < MIN_VOLATILITY_WEIGHT:
            return None
        volatility = math.sqrt(self.total / self.weight)
        if volatility < QUIET_VOLATILITY:
            self.quiet = self.quiet or count >= QUIET_RETURNS
            return None
        return min(max(value / volatility, -MAX_STANDARDISED), MAX_STANDARDISED)

    def snapshot(self) -> list[Any]:
        """Return the series as plain JSON values."""
        return [list(self.prices), self.total, self.weight, self.squares, self.time_us, self.tick_us, self.quiet]

    @classmethod
    def restore(cls, state: list[Any]) -> Returns:
        """Rebuild a series from its snapshot."""
        series = cls()
        prices, series.total, series.weight, series.squares, series.time_us, series.tick_us, series.quiet = state
        series.prices.extend(prices)
        return series
