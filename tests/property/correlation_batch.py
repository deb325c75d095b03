"""The correlation estimate from its definition: direct sums over the whole history, no recursion.

Shares no function with the estimator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.engine.minutes import Minute

Floats = NDArray[np.float64]
MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class History:
    """Standardised returns of all coins, f8[minutes, coins]: NaN where there is none, 0 weight before."""

    minute: Floats
    names: list[str]
    z: Floats
    quiet_since: dict[str, int]
    """Row of the first return that finds a known volatility below 2 bp and at least 60 returns' worth before it."""


def ewma_count(age_min: Floats, half_life_min: float) -> float:
    """Return the number of equally weighted samples that samples of these ages are worth."""
    w = 0.5 ** (age_min / half_life_min)
    return float(w.sum() ** 2 / (w**2).sum()) if len(w) else 0.0


def history(minutes: Sequence[Minute]) -> History:
    """Return all standardised returns of a run of minutes."""
    names = list(dict.fromkeys(name for minute in minutes for name in minute.samples))
    minute = np.array([m.time_us // MINUTE_US for m in minutes], dtype=np.float64)
    row = {int(m): k for k, m in enumerate(minute)}
    z = np.full((len(minutes), len(names)), np.nan)
    quiet: dict[str, int] = {}
    for column, name in enumerate(names):
        ends: list[float] = []
        values: list[float] = []
        for k, m in enumerate(minutes):
            first = row.get(int(minute[k]) - 10)
            if first is None or name not in m.samples or name not in minutes[first].samples:
                continue
            now, then = m.samples[name], minutes[first].samples[name]
            if now.held or then.held or now.tick_us <= m.time_us - 10 * MINUTE_US:
                continue
            value = float(np.log(now.price_usd) - np.log(then.price_usd))
            age = minute[k] - np.array(ends)
            count = ewma_count(age, 60.0)
            w = 0.5 ** (age / 60.0)
            if count >= 30.0 and w.sum() >= 1.0:
                volatility = float(np.sqrt((w * np.array(values) ** 2).sum() / w.sum()))
                if volatility >= 2e-4:
                    z[k, column] = max(-3.0, min(3.0, value / volatility))
                elif count >= 60.0:
                    quiet.setdefault(name, k)
            ends.append(minute[k])
            values.append(value)
    return History(minute, names, z, quiet)


def pair_sums(past: History, k: int, half_life_min: float) -> tuple[Floats, Floats, Floats]:
    """Return correlation, number of returns and weight of every pair at row k, NaN where a pair has no return."""
    w = 0.5 ** ((past.minute[k] - past.minute[: k + 1]) / half_life_min)[:, None]
    here = ~np.isnan(past.z[: k + 1])
    z = np.where(here, past.z[: k + 1], 0.0)
    weight = (w * here).T @ here
    with np.errstate(invalid="ignore"):
        count = np.where(weight > 0.0, weight**2 / ((w**2 * here).T @ here), 0.0)
        square = (w * z * z).T @ here  # of the first coin of a pair, where the second was there too
        r = (w * z).T @ z / np.sqrt(square * square.T)
    return r, count, weight


def matrices(past: History, k: int) -> tuple[Floats, Floats, Floats]:
    """Return raw fast, shrunk fast and slow correlations at row k."""
    fast, count, _ = pair_sums(past, k, 120.0)
    slow, _, _ = pair_sums(past, k, 1_440.0)
    weight = 30.0 / (count / 10.0 + 30.0)
    return fast, (1.0 - weight) * fast + weight * slow, slow


def estimated(past: History, k: int, before: set[str]) -> set[str]:
    """Return the coins with an estimate at row k, given those that had one before."""
    _, count, weight = pair_sums(past, k, 1_440.0)
    chosen: list[int] = []
    order = sorted(range(len(past.names)), key=lambda i: (past.names[i] not in before, i))
    for i in order:
        for j in (*chosen, i):
            kept = past.names[i] in before and past.names[j] in before
            if count[i, j] < (30.0 if kept else 60.0) or weight[i, j] < 1.0:
                break
        else:
            chosen.append(i)
    return {past.names[i] for i in chosen}
