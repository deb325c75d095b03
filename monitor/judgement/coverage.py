"""Did requirements cover what was lost over the close-out period? By configuration, account type, coin and hour.

Windows do not overlap. A hit is a loss larger than the requirement at the window's start. Accounts fall together, so
rates over many accounts have errors clustered by window, and no test of one series is applied to them; each probe is
such a series.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np

from monitor.judgement import backtests
from monitor.judgement.backtests import Christoffersen, LikelihoodRatio, ShortfallTest, TrafficLight
from monitor.judgement.paths import Bools, Floats, Paths
from monitor.judgement.probes import KINDS as PROBES

Which = Literal["im", "mm"]
HOUR_US = 3_600_000_000
MIN_SERIES = 10  # windows; fewer say nothing at probabilities of a hundredth
TAIL = 0.025
# A requirement is read as a shortfall at 97.5 %, which for normal losses is 1.193 times the value at risk there.
NORMAL_VAR_OF_ES = 1.959964 / 2.337803


class SeriesTests(msgspec.Struct, frozen=True):
    """Tests of one series."""

    kupiec: LikelihoodRatio
    christoffersen: Christoffersen
    light: TrafficLight
    shortfall: ShortfallTest


class Coverage(msgspec.Struct, frozen=True):
    """Hits of one group under one configuration."""

    configuration: str
    by: str
    group: str
    horizon_s: int
    windows: int
    observations: int
    hits: int
    windows_with_hits: int
    held_hits: int
    """Hits whose window began with doubtful data."""
    rate: float
    rate_error: float | None
    """Standard error of the rate, clustered by window; None for one window."""
    worst: float | None
    """Largest loss over its requirement."""
    tests: SeriesTests | None = None


def windows(
    paths: Paths, name: str, horizon_us: int, which: Which = "im"
) -> tuple[Floats, Floats, Floats, Bools, Bools]:
    """Return start times int64[W], losses, requirements, what is known and what was held, each [W, N].

    Raises ValueError where the horizon is not a multiple of the step, or longer than the run.
    """
    step_us = paths.step_us
    if step_us == 0 or horizon_us % step_us or horizon_us <= 0:
        raise ValueError(f"a horizon of {horizon_us / 1e6:g} s is no multiple of the step of {step_us / 1e6:g} s")
    wanted = np.arange(paths.times_us[0], paths.times_us[-1] - horizon_us + 1, horizon_us)
    at = np.searchsorted(paths.times_us, wanted)
    after = np.searchsorted(paths.times_us, wanted + horizon_us)
    exact = (paths.times_us[at] == wanted) & (paths.times_us[after] == wanted + horizon_us)
    at, after = at[exact], after[exact]
    if len(at) == 0:
        raise ValueError(f"the run is shorter than {horizon_us / 1e6:g} s")
    earned = paths.equity_usd - paths.flow_usd
    one = paths.of(name)
    required = (one.im_usd if which == "im" else one.mm_usd)[at]
    loss = earned[at] - earned[after]
    known = np.isfinite(loss) & np.isfinite(required) & (required > 0.0) & (paths.gross_usd[at] > 0.0)
    return paths.times_us[at].astype(np.float64), loss, required, known, paths.held[at]


def coverage(
    paths: Paths, name: str, horizon_us: int, *, probability: float = 0.01, which: Which = "im"
) -> list[Coverage]:  # fmt: skip
    """Return coverage of all accounts, of each type, of each hour, and of each probe, which alone is tested."""
    found_windows = windows(paths, name, horizon_us, which)
    starts, known = found_windows[0], found_windows[3]
    kinds = np.array(paths.kinds)
    probe = np.isin(kinds, PROBES)
    everything = np.ones(len(starts), dtype=bool)
    groups: list[tuple[str, str, Bools, Bools]] = [("all", "all", everything, ~probe)]
    groups += [("type", kind, everything, kinds == kind) for kind in sorted(set(kinds[~probe].tolist()))]
    hours = (starts // HOUR_US % 24).astype(int)
    groups += [("hour", f"{hour:02d}", hours == hour, ~probe) for hour in sorted(set(hours.tolist()))]
    groups += [("coin", paths.accounts[n].removeprefix("probe-"), everything, np.arange(len(kinds)) == n)
               for n in np.flatnonzero(probe)]  # fmt: skip
    return [
        _coverage(name, by, group, horizon_us, found_windows, rows, columns, probability)
        for by, group, rows, columns in groups
        if known[np.ix_(rows, columns)].any()
    ]


def _coverage(
    name: str, by: str, group: str, horizon_us: int, found: tuple[Floats, Floats, Floats, Bools, Bools],
    rows: Bools, columns: Bools, probability: float,
) -> Coverage:  # fmt: skip
    chosen = np.ix_(rows, columns)
    loss, required = found[1][chosen], found[2][chosen]
    known, held = found[3][chosen], found[4][chosen]
    hit: Bools = known & (loss > required)
    count, hits = int(known.sum()), int(hit.sum())
    rate = hits / count
    ratio = np.where(known, loss / np.where(known, required, 1.0), -math.inf)
    tests = None
    if by == "coin" and count >= MIN_SERIES:
        row = known[:, 0]
        tests = series_tests(loss[row, 0], required[row, 0], probability)
    return Coverage(
        name, by, group, horizon_us // 1_000_000, int(known.any(axis=1).sum()), count, hits,
        int(hit.any(axis=1).sum()), int((hit & held).sum()), rate, clustered_error(hit, known),
        float(ratio.max()), tests,
    )  # fmt: skip


def series_tests(loss: Floats, required: Floats, probability: float) -> SeriesTests:
    """Return the tests of one series of losses against its requirements."""
    hit = loss > required
    return SeriesTests(
        backtests.kupiec(int(hit.sum()), len(hit), probability),
        backtests.christoffersen(hit, probability),
        backtests.traffic_light(int(hit.sum()), len(hit), probability),
        backtests.acerbi_szekely(loss, NORMAL_VAR_OF_ES * required, required, TAIL),
    )


def clustered_error(hit: Bools, known: Bools) -> float | None:
    """Return the standard error of the rate of hits when all of a row fall together (ratio estimator over rows)."""
    counts, hits = known.sum(axis=1).astype(float), hit.sum(axis=1).astype(float)
    counts, hits = counts[counts > 0], hits[counts > 0]
    clusters = len(counts)
    if clusters < 2:
        return None
    rate = hits.sum() / counts.sum()
    spread = hits - rate * counts
    return float(math.sqrt(clusters / (clusters - 1) * float((spread**2).sum())) / counts.sum())
