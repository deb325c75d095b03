"""How much a requirement moves when markets do: per dollar of notional, so that positions do not count.

The three measures of Murphy, Vasios and Vause (Bank of England, Financial Stability Paper 29, 2014), which the European
rules on anti-procyclicality margin measures name as well: peak to trough over the whole, the largest rise within n, and
the standard deviation of changes.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from monitor.judgement.paths import Floats, Paths
from monitor.judgement.probes import KINDS as PROBES

HOUR_US = 3_600_000_000
SPANS_US = {"1h": HOUR_US, "24h": 24 * HOUR_US}


class Procyclicality(msgspec.Struct, frozen=True):
    """Measures of one series; None where it is too short or not positive throughout."""

    configuration: str
    group: str
    peak_to_trough: float | None
    """Largest over smallest."""
    largest_rise: dict[str, float | None]
    """By span: largest ratio to an earlier value within it."""
    deviation: float | None
    """Standard deviation of the logarithmic changes from sample to sample."""


def measures(times_us: Floats, series: Floats) -> tuple[float | None, dict[str, float | None], float | None]:
    """Return peak to trough, largest rises by span, and the standard deviation of changes of a series."""
    good = np.isfinite(series) & (series > 0.0)
    times, values = times_us[good], series[good]
    if len(values) < 3:
        return None, dict.fromkeys(SPANS_US), None
    rises: dict[str, float | None] = {}
    for name, span_us in SPANS_US.items():
        rises[name] = _largest_rise(times, values, span_us) if times[-1] - times[0] >= span_us else None
    return float(values.max() / values.min()), rises, float(np.std(np.diff(np.log(values)), ddof=1))


def procyclicality(paths: Paths, name: str) -> list[Procyclicality]:
    """Return the measures of requirement over notional: of all accounts together, and of each type."""
    im = paths.of(name).im_usd
    kinds = np.array(paths.kinds)
    found = []
    for group in ("all", *sorted(set(paths.kinds))):
        columns = ~np.isin(kinds, PROBES) if group == "all" else kinds == group
        gross = paths.gross_usd[:, columns]
        known = np.isfinite(im[:, columns]).all(axis=1) & (gross.sum(axis=1) > 0.0)
        share = np.where(known, im[:, columns].sum(axis=1) / np.where(known, gross.sum(axis=1), 1.0), math.nan)
        found.append(Procyclicality(name, group, *measures(paths.times_us.astype(float), share)))
    return found


def _largest_rise(times: Floats, values: Floats, span_us: int) -> float:
    best = 1.0
    for t in range(len(values)):
        begin = int(np.searchsorted(times, times[t] - span_us))
        best = max(best, float(values[t] / values[begin : t + 1].min()))
    return best
