"""One pass over recorded market data: indices and what the fold has in force at whole minutes, every source's ticks."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.engine.composite import TicksFold
from monitor.engine.correlation import CorrelationView
from monitor.engine.minutes import Minute
from monitor.engine.regime import RegimeTransition, RegimeView
from monitor.replay.arrival import Merged, Span
from monitor.replay.sources import open_sources
from schemas.records import Heartbeat, PriceTick, RangeStep

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Series:
    """One source's prices of one coin, by event time (microseconds, not decreasing)."""

    underlying: str
    times_us: Ints
    prices: Floats


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known at each whole minute: `views[m]` and `regimes[m]` are in force after `minutes[m]`.

    `steps` are the published price ranges and `changes` those of the regime, in order; `fold` is left after the last
    record.
    """

    minutes: list[Minute]
    views: list[CorrelationView]
    regimes: list[RegimeView]
    sources: dict[str, Series]
    steps: list[RangeStep]
    changes: list[RegimeTransition]
    fold: TicksFold

    @property
    def times_us(self) -> Ints:
        """Times of the minutes, int64[M]."""
        return np.array([minute.time_us for minute in self.minutes], dtype=np.int64)

    def coins(self) -> tuple[str, ...]:
        """Coins that have an estimate in the end, by name."""
        last = self.views[-1]
        return tuple(sorted(set(last.underlyings) - set(last.quiet)))

    def first_full(self, coins: tuple[str, ...]) -> int:
        """Return the first minute at which every one of these coins has an estimate."""
        return next(m for m, view in enumerate(self.views) if set(coins) <= set(view.underlyings))

    def prices(self, coins: tuple[str, ...]) -> Floats:
        """Return composite indices, float64[M, coins]; NaN before the first and where the index was held."""
        out = np.full((len(self.minutes), len(coins)), np.nan)
        for m, minute in enumerate(self.minutes):
            for c, coin in enumerate(coins):
                sample = minute.samples.get(coin)
                if sample is not None and not sample.held:
                    out[m, c] = sample.price_usd
        return out

    def last_prices(self, coins: tuple[str, ...]) -> Floats:
        """Return composite indices, float64[M, C], the last one that was not held; NaN before the first."""
        out = self.prices(coins)
        for m in range(1, len(out)):
            held = np.isnan(out[m])
            out[m, held] = out[m - 1, held]
        return out

    def busiest(self, coins: tuple[str, ...]) -> tuple[str, ...]:
        """Return the source of each coin that has most ticks."""
        best: dict[str, str] = {}
        for name, series in sorted(self.sources.items()):
            known = best.get(series.underlying)
            if known is None or len(series.times_us) > len(self.sources[known].times_us):
                best[series.underlying] = name
        return tuple(best[coin] for coin in coins)


class _Listener:
    def __init__(self) -> None:
        self.minutes: list[Minute] = []

    def on_minute(self, minute: Minute) -> None:
        self.minutes.append(minute)


def record(files: tuple[Path, ...]) -> Recording:
    """Fold ticks and heartbeats in order of arrival; return everything that is read of them here."""
    fold, listener = TicksFold(), _Listener()
    fold._listeners = (*fold._listeners, listener)  # noqa: SLF001
    views: list[CorrelationView] = []
    regimes: list[RegimeView] = []
    steps: list[RangeStep] = []
    changes: list[RegimeTransition] = []
    underlyings: dict[str, str] = {}
    found: dict[str, tuple[array[int], array[float]]] = {}
    for _, one in Merged(open_sources(files), Span()):
        if isinstance(one, PriceTick | Heartbeat):
            change = fold.apply(one)
            steps += change.steps
            changes += change.regimes
            new = len(listener.minutes) - len(views)
            views += [fold.correlation] * new
            regimes += [fold.regime] * new
        if isinstance(one, PriceTick) and one.index_source:
            if one.source not in found:
                underlyings[one.source] = one.underlying
                found[one.source] = (array("q"), array("d"))
            times, prices = found[one.source]
            times.append(one.event_time_us)
            prices.append(float(one.price if one.price is not None else one.value_usd))
    sources = {name: _series(underlyings[name], *columns) for name, columns in found.items()}
    return Recording(listener.minutes, views, regimes, sources, steps, changes, fold)


def _series(underlying: str, times: array[int], prices: array[float]) -> Series:
    at, values = np.array(times, dtype=np.int64), np.array(prices)
    order = np.argsort(at, kind="stable")
    return Series(underlying, at[order], values[order])
