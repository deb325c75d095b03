"""Half-lives of the correlation estimate, by how well each matrix tells the directions of the returns that come next.

The estimator's own standardised ten-minute returns z, one a minute, are taken from a recording. For each half-life h,
as published but neither shrunk nor rounded:

    R_ij = sum w z_i z_j / sqrt(sum w z_i^2  sum w z_j^2),    w = 2^(-age / h)

and for a pair of them the fast one shrunk toward the slow one as the estimator does. Every ten minutes a matrix is
judged by the next return, which overlaps with none that it has seen, by the angular Gaussian density (Tyler 1987) of
its direction z/|z|:

    score = log det R / 2 + C/2 log(z' R^-1 z / z'z)        nats; smaller is better, 0 is the identity

It asks for no scale: in a crash every z is large, which says nothing of correlation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from kernels.correlation import is_above, repair
from monitor.engine.composite import TicksFold
from monitor.engine.correlation import MIN_EIGENVALUE
from monitor.engine.correlation_estimator import HALF_LIVES_MIN, SHRINKAGE
from monitor.engine.correlation_returns import RETURN_MINUTES, Returns
from monitor.engine.minutes import MINUTE_US, Minute
from monitor.judgement.paths import Floats, Ints
from monitor.replay.sources.base import Arrived
from schemas.records import Heartbeat, PriceTick

GRID_MIN = (30, 60, 120, 240, 480, 960, 1_440, 2_880)
LEAST_RETURNS = 60.0  # returns' worth of every pair, as the estimator asks; half-lives below 21 min never have them
LEAST_COINS = 3


class Tried(msgspec.Struct, frozen=True):
    """One matrix: a half-life, or a fast one shrunk toward a slow one; its score by period, and errors."""

    half_lives_min: tuple[int, ...]
    score: dict[str, float]
    behind: dict[str, float]
    """Mean score less that of the chosen one, at the same moments."""
    error: dict[str, float]
    """Standard error of that difference."""


class Fit(msgspec.Struct, frozen=True):
    """The whole search, every candidate in its order; `chosen` has the least score on the first period."""

    periods: tuple[str, ...]
    moments: dict[str, int]
    coins: dict[str, tuple[str, ...]]
    tried: tuple[Tried, ...]
    chosen: int
    published: int
    """Place of what the estimator has."""


class Series(msgspec.Struct, frozen=True):
    """Standardised ten-minute returns of a recording: times int64[M], z float64[M, C], NaN where there is none."""

    coins: tuple[str, ...]
    times_us: Ints
    z: Floats


def series_of(stream: Iterable[Arrived]) -> Series:
    """Fold the ticks of a stream, and return what its correlation estimate is made of."""
    fold, minutes = TicksFold(), _Listener()
    fold._listeners = (*fold._listeners, minutes)  # noqa: SLF001 (nothing in the fold is changed by who listens)
    for _, record in stream:
        if isinstance(record, PriceTick | Heartbeat):
            fold.apply(record)
    return minutes.series()


class _Listener:
    """Keeps the standardised returns of every whole minute."""

    def __init__(self) -> None:
        self._returns: dict[str, Returns] = {}
        self._rows: list[tuple[int, dict[str, float]]] = []

    def on_minute(self, minute: Minute) -> None:
        """Take a minute."""
        row = {}
        for name, sample in minute.samples.items():
            returns = self._returns.setdefault(name, Returns())
            if minute.skipped:
                returns.skip()
            value = returns.take(minute.time_us, sample)
            if value is not None and not returns.quiet:
                row[name] = value
        self._rows.append((minute.time_us, row))

    def series(self) -> Series:
        """Return what was kept."""
        coins = tuple(sorted({name for _, row in self._rows for name in row}))
        z = np.array([[row.get(coin, math.nan) for coin in coins] for _, row in self._rows])
        return Series(coins, np.array([time_us for time_us, _ in self._rows], dtype=np.int64), z)


def candidates(grid: Sequence[int] = GRID_MIN) -> tuple[tuple[int, ...], ...]:
    """Return every half-life alone, and every pair of a fast one shrunk toward one at least four times as slow."""
    pairs = tuple((fast, slow) for fast in grid for slow in grid if slow >= 4 * fast)
    return (*((one,) for one in grid), *pairs)


def scores(series: Series, tried: Sequence[tuple[int, ...]]) -> tuple[Ints, Floats]:
    """Return the moments at which every candidate can be judged, int64[T], and their scores, float64[T, candidates]."""
    grid = sorted({one for half_lives in tried for one in half_lives})
    decay = np.array([2.0 ** (-1.0 / one) for one in grid])[:, None, None]
    size = len(series.coins)
    product, square, weight, squared = (np.zeros((len(grid), size, size)) for _ in range(4))
    times, found = [], []
    for m in range(len(series.times_us) - RETURN_MINUTES):
        gap = 1 if m == 0 else int((series.times_us[m] - series.times_us[m - 1]) // MINUTE_US)
        faded = decay**gap
        here = np.isfinite(series.z[m]).astype(float)
        z = np.nan_to_num(series.z[m])
        product = faded * product + z[:, None] * z[None, :]
        square = faded * square + (z * z)[:, None] * here[None, :]
        weight = faded * weight + here[:, None] * here[None, :]
        squared = faded * faded * squared + here[:, None] * here[None, :]
        after = m + RETURN_MINUTES
        if m % RETURN_MINUTES or series.times_us[after] - series.times_us[m] != RETURN_MINUTES * MINUTE_US:
            continue
        count = np.divide(weight * weight, squared, out=np.zeros_like(weight), where=squared > 0.0)
        known = np.flatnonzero(np.isfinite(series.z[after]) & (np.diagonal(count, axis1=1, axis2=2) >= 1.0).all(axis=0))
        known = _with_enough(count, known)
        if len(known) < LEAST_COINS:
            continue
        at = np.ix_(np.arange(len(grid)), known, known)
        scale = np.sqrt(square[at] * square[at].transpose(0, 2, 1))
        raw = np.clip(np.divide(product[at], scale, out=np.zeros_like(scale), where=scale > 0.0), -1.0, 1.0)
        worth = count[at] / RETURN_MINUTES
        ahead = series.z[after][known]
        found.append([_angular(_matrix(raw, worth, [grid.index(one) for one in of]), ahead) for of in tried])
        times.append(int(series.times_us[m]))
    return np.array(times, dtype=np.int64), np.array(found).reshape(len(times), len(tried))


def _with_enough(count: Floats, known: Ints) -> Ints:
    """Return the coins of which each pair has enough returns under every half-life, by first appearance."""
    chosen: list[int] = []
    for coin in known.tolist():
        if (count[:, coin, [*chosen, coin]] >= LEAST_RETURNS).all():
            chosen.append(coin)
    return np.array(chosen, dtype=np.int64)


def _matrix(raw: Floats, worth: Floats, places: list[int]) -> Floats:
    """Return one of the matrices, or the first shrunk toward the second as the estimator shrinks; repaired."""
    matrix: Floats = raw[places[0]].copy()
    if len(places) > 1:
        matrix += SHRINKAGE / (worth[places[0]] + SHRINKAGE) * (raw[places[1]] - matrix)
    np.fill_diagonal(matrix, 1.0)
    if is_above(matrix, MIN_EIGENVALUE):
        return matrix
    repaired: Floats = np.empty_like(matrix)
    if not repair(matrix, MIN_EIGENVALUE, repaired):
        raise ArithmeticError("an estimated matrix is not finite")
    return repaired


def _angular(matrix: Floats, z: Floats) -> float:
    """Return the negative log density of a direction, less that under the identity; 0 for no direction."""
    length = float(z @ z)
    if length == 0.0:
        return 0.0
    _, log_det = np.linalg.slogdet(matrix)
    return float(0.5 * log_det + 0.5 * len(z) * math.log(float(z @ np.linalg.solve(matrix, z)) / length))


def fit(periods: Sequence[tuple[str, Series, int, int]], grid: Sequence[int] = GRID_MIN) -> Fit:
    """Choose on the first of some periods (label, series, from, until) and judge on all.

    Raises ValueError where a period has nothing to judge by.
    """
    tried = tuple(dict.fromkeys((*candidates(grid), HALF_LIVES_MIN)))
    by_series: dict[int, tuple[Ints, Floats]] = {}
    found: dict[str, Floats] = {}
    for label, series, from_us, until_us in periods:
        if id(series) not in by_series:
            by_series[id(series)] = scores(series, tried)
        times, judged = by_series[id(series)]
        found[label] = judged[(times >= from_us) & (times < until_us)]
        if len(found[label]) < 2:
            raise ValueError(f"{label} has {len(found[label])} moments to judge by")
    labels = tuple(found)
    chosen = int(np.argmin(found[labels[0]].mean(axis=0)))
    rows = []
    for n, of in enumerate(tried):
        apart = {label: found[label][:, n] - found[label][:, chosen] for label in labels}
        rows.append(
            Tried(
                of, {label: float(found[label][:, n].mean()) for label in labels},
                {label: float(one.mean()) for label, one in apart.items()},
                {label: float(one.std(ddof=1) / math.sqrt(len(one))) for label, one in apart.items()},
            )
        )  # fmt: skip
    return Fit(
        labels, {label: len(found[label]) for label in labels}, {label: one.coins for label, one, _, _ in periods},
        tuple(rows), chosen, tried.index(HALF_LIVES_MIN),
    )  # fmt: skip
