"""What the tests of recorded days share: where the recordings are, rows by time, requirements and ladders of a fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.crash.recording import Recording
from monitor.engine.correlation import CorrelationView, gather
from monitor.engine.minutes import MINUTE_US
from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.ranges import RangeView, in_force, rounded_up
from tests.support import ROOT

Floats = NDArray[np.float64]
Points = dict[str, list[tuple[int, float]]]
"""By coin: when something changed, microseconds, and to what."""

DATA = ROOT.parent / "shared" / "data"
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
NETTING = DEFAULT_ACTIVE.set.netting


def midnight_us(recording: Recording) -> int:
    """Return the midnight before the first minute."""
    return int(recording.times_us[0]) // DAY_US * DAY_US


def at(recording: Recording, hours: int, minutes: int = 0) -> int:
    """Return the row of a time, counted from midnight of the first day."""
    return int(np.searchsorted(recording.times_us, midnight_us(recording) + hours * HOUR_US + minutes * MINUTE_US))


def mean_among(matrix: Floats, names: Sequence[str], all_names: Sequence[str]) -> float:
    """Return the mean correlation over the pairs of `names`."""
    places = [list(all_names).index(name) for name in names]
    return float(matrix[np.ix_(places, places)][np.triu_indices(len(places), 1)].mean())


def alternating(n: int) -> Floats:
    """Return a hedged book, long and short by turns."""
    return np.where(np.arange(n) % 2 == 0, 1.0, -1.0)


def asked(views: Sequence[CorrelationView], coins: Sequence[str], w: Floats, *, floor: bool = True) -> Floats:
    """Return model P's requirement, k of calm, of a delta-one book over its gross amount, minute by minute."""
    k, gross = NETTING.correlation_stress, np.abs(w).sum()
    out = []
    for view in views:
        found = gather(view, coins, NETTING.floor_correlation)
        worst = max(w @ matrix @ w for matrix in (found if floor else found[:2]))
        out.append(np.sqrt((1.0 - k) * worst + k * gross**2) / gross)
    return np.array(out)


def asked_by_the_floor(w: Floats) -> float:
    """Return what the floor's matrix alone asks of a book of amounts 1 or -1, k of calm, over its gross amount."""
    k, floor, n = NETTING.correlation_stress, NETTING.floor_correlation, len(w)
    return float(np.sqrt((1.0 - k) * ((1.0 - floor) * n + floor * w.sum() ** 2) / n**2 + k))


def ladders(recording: Recording) -> Points:
    """Return each coin's published ladder from its beginning on."""
    out: Points = {}
    for step in recording.steps:
        out.setdefault(step.underlying, []).append((step.event_time_us, step.price_range))
    return out


def charges(recording: Recording) -> Points:
    """Return each coin's range in force; the first is the parameter set's own, at time 0."""
    out: Points = {}
    for step in recording.steps:
        own = DEFAULT_ACTIVE.risk_matrix(step.underlying).price_range
        view = RangeView(step.version, step.price_range, step.reach)
        out.setdefault(step.underlying, [(0, rounded_up(own))]).append((step.event_time_us, in_force(view, own)))
    return out
