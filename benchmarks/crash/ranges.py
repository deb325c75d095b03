"""Price ranges of coins by minute: those in force, and those of a history without a beginning.

In force is what the fold published (`monitor.engine.ranges`), as far as it reaches from a parameter set's own range. A
recording is all the history there is, and a history that begins is held back for days, so there is a second curve for
comparison, the ladder of a deployment that nobody holds back: the same volatility and the same ladder from an hour's
worth of returns on, used at once and as far as it goes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.crash.recording import Floats, Recording
from monitor.engine.minutes import MINUTE_US
from monitor.engine.parameters import ActiveSet
from monitor.engine.ranges import STEPS, Ladder, RangeView, in_force, wanted_range
from monitor.engine.volatility import RETURN_MINUTES, RETURNS_PER_YEAR, SEED_RETURNS, Volatility

DAYS_A_YEAR = 365.0


@dataclass(frozen=True, slots=True, eq=False)
class Unheld:
    """A ladder that nobody holds back, float64[M, C] each, NaN before an hour's worth of returns.

    `daily` is the volatility a day, `wanted` the range before it is rounded up to a step, `steps` the ladder.
    """

    daily: Floats
    wanted: Floats
    steps: Floats


def charged(recording: Recording, coins: tuple[str, ...], active: ActiveSet) -> Floats:
    """Return model P's ranges in force at each minute, float64[M, C]."""
    netting, times = active.set.netting, recording.times_us
    out = np.empty((len(recording.minutes), len(coins)))
    for c, coin in enumerate(coins):
        own = active.risk_matrix(coin).price_range
        if netting.ranges == "fixed" or coin in netting.fixed_ranges:
            out[:, c] = own
            continue
        out[:, c] = in_force(None, own)
        for step in recording.steps:
            if step.underlying == coin:
                view = RangeView(step.version, step.price_range, step.reach)
                out[np.searchsorted(times, step.event_time_us) :, c] = in_force(view, own)
    return out


def unheld(recording: Recording, coins: tuple[str, ...]) -> Unheld:
    """Return the ranges of the same volatility on the same ladder, used from an hour's worth of returns on."""
    daily, wanted, steps = (np.full((len(recording.minutes), len(coins)), np.nan) for _ in range(3))
    for c, coin in enumerate(coins):
        series, ladder = Volatility(), Ladder()
        for m, minute in enumerate(recording.minutes):
            if minute.skipped:
                series.skip()
            sample = minute.samples.get(coin)
            value = None if sample is None else series.take(minute.time_us, sample)
            if series.returns < SEED_RETURNS and not ladder.step:
                continue
            daily[m, c], wanted[m, c] = series.annual / math.sqrt(DAYS_A_YEAR), wanted_range(series.annual)
            if value is not None:
                ladder.take(wanted[m, c])
            steps[m, c] = ladder.step / STEPS
    return Unheld(daily, wanted, steps)


def undamped(recording: Recording, coins: tuple[str, ...], half_life_min: float) -> Floats:
    """Return what a volatility of another half-life wants, float64[M, C]; NaN before 60 returns.

    Its squares count in full, whatever the volatility before them. The average is corrected for its youth.
    """
    logs = np.log(recording.prices(coins))
    decay = 2.0 ** (-1.0 / half_life_min)
    out = np.full_like(logs, np.nan)
    total, weight, count = (np.zeros(len(coins)) for _ in range(3))
    times = recording.times_us
    for m in range(len(logs)):
        total, weight = decay * total, decay * weight
        if m >= RETURN_MINUTES and times[m] - times[m - RETURN_MINUTES] == RETURN_MINUTES * MINUTE_US:
            row = logs[m] - logs[m - RETURN_MINUTES]
            here = ~np.isnan(row)
            total, weight, count = total + np.where(here, row * row, 0.0), weight + here, count + here
        for c in np.flatnonzero(count >= SEED_RETURNS):
            out[m, c] = wanted_range(math.sqrt(total[c] / weight[c] * RETURNS_PER_YEAR))
    return out
