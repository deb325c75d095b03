"""Correlation matrices at chosen minutes by every estimator, each from what was known at that minute."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.crash.recording import Floats, Ints, Recording
from kernels.correlation import is_above, repair
from kernels.estimators import dcc, moving
from kernels.estimators.hayashi_yoshida import hayashi_yoshida
from kernels.estimators.realised import fixed_grid, realised_correlation, refresh_time, refresh_time_by_pairs
from kernels.estimators.shrunk import ledoit_wolf_correlation, oas_correlation
from kernels.estimators.ticks import Ticks, thinned, ticks_of
from monitor.engine.correlation import gather
from monitor.engine.correlation_returns import Returns
from monitor.engine.minutes import MINUTE_US

WINDOW_MIN = 60
LEAST_EIGENVALUE = 1e-4
MIN_ROWS = 30  # of one-minute returns: fewer say nothing


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the estimators take of a recording for some coins: rows are minutes, columns coins."""

    recording: Recording
    coins: tuple[str, ...]
    sources: tuple[str, ...]
    returns: Floats
    """One-minute log returns of the composite indices, float64[M, C]; NaN where an index was held at an end."""
    residuals: Floats
    """The same over the volatility known before (moving average, half-life 60 min)."""
    long_returns: Floats
    """The published estimator's standardised ten-minute returns, NaN where it takes none."""


Estimate = Callable[[Inputs, int], Floats | None]
"""The matrix of the coins at a row, None if there is too little to tell."""


def inputs_of(recording: Recording, coins: tuple[str, ...], sources: tuple[str, ...]) -> Inputs:
    """Return the returns of some coins; `sources` names the ticks that stand for each of them."""
    prices = recording.prices(coins)
    returns = np.full_like(prices, np.nan)
    returns[1:] = np.diff(np.log(prices), axis=0)
    return Inputs(recording, coins, sources, returns, _residuals(returns), _long_returns(recording, coins))


def _residuals(returns: Floats) -> Floats:
    decay = 2.0 ** (-1.0 / 60.0)
    out = np.full_like(returns, np.nan)
    total, weight = np.zeros(returns.shape[1]), np.zeros(returns.shape[1])
    for m, row in enumerate(returns):
        known = weight >= MIN_ROWS / 2  # weights of thirty returns, some of them faded
        scale = np.sqrt(np.divide(total, weight, out=np.zeros_like(total), where=known))
        usable = known & (scale > 0.0) & ~np.isnan(row)
        out[m, usable] = row[usable] / scale[usable]
        here = ~np.isnan(row)
        total = decay * total + np.where(here, row * row, 0.0)
        weight = decay * weight + here
    return out


def _long_returns(recording: Recording, coins: tuple[str, ...]) -> Floats:
    out = np.full((len(recording.minutes), len(coins)), np.nan)
    series = {coin: Returns() for coin in coins}
    for m, minute in enumerate(recording.minutes):
        for c, coin in enumerate(coins):
            if minute.skipped:
                series[coin].skip()
            if coin in minute.samples:
                value = series[coin].take(minute.time_us, minute.samples[coin])
                if value is not None:
                    out[m, c] = value
    return out


def window_ticks(inputs: Inputs, row: int, every_us: int, window_min: int = WINDOW_MIN) -> Ticks:
    """Return the coins' ticks of the window that ends at a row, the last one of every `every_us`."""
    end_us = inputs.recording.minutes[row].time_us
    picked = []
    for name in inputs.sources:
        series = inputs.recording.sources[name]
        first = np.searchsorted(series.times_us, end_us - window_min * MINUTE_US)
        last = np.searchsorted(series.times_us, end_us, side="right")
        picked.append(thinned(series.times_us[first:last], series.prices[first:last], every_us))
    return ticks_of(picked)


def naive(inputs: Inputs, row: int, window_min: int = WINDOW_MIN, step_min: int = 1) -> Floats | None:
    """Take previous ticks on a grid of whole minutes."""
    end_us = inputs.recording.minutes[row].time_us
    grid: Ints = np.arange(end_us - window_min * MINUTE_US, end_us + 1, step_min * MINUTE_US)
    picked = []
    for name in inputs.sources:
        series = inputs.recording.sources[name]
        first = max(0, int(np.searchsorted(series.times_us, grid[0], side="right")) - 1)
        last = np.searchsorted(series.times_us, end_us, side="right")
        picked.append(thinned(series.times_us[first:last], series.prices[first:last], 1))
    return _complete(fixed_grid(ticks_of(picked), grid))


def refresh(inputs: Inputs, row: int) -> Floats | None:
    """Take refresh times of each pair, ticks thinned to one a minute."""
    return _complete(refresh_time_by_pairs(window_ticks(inputs, row, MINUTE_US)))


def refresh_joint(inputs: Inputs, row: int, every_us: int = 1) -> Floats | None:
    """Take refresh times of all coins together, every tick."""
    return _complete(refresh_time(window_ticks(inputs, row, every_us)))


def overlapping(inputs: Inputs, row: int) -> Floats | None:
    """Take Hayashi-Yoshida, ticks thinned to one a minute."""
    return _complete(hayashi_yoshida(window_ticks(inputs, row, MINUTE_US)))


def overlapping_all(inputs: Inputs, row: int) -> Floats | None:
    """Take Hayashi-Yoshida, every tick."""
    return _complete(hayashi_yoshida(window_ticks(inputs, row, 1)))


def dynamic(inputs: Inputs, row: int) -> Floats | None:
    """Take DCC with 0.02 and 0.97 on one-minute residuals, around their correlation so far."""
    rows = complete_rows(inputs.residuals[: row + 1])
    if len(rows) < MIN_ROWS:
        return None
    mean = realised_correlation(rows)
    return dcc.dcc(rows, mean) if bool(np.isfinite(mean).all()) else None


def shrunk(inputs: Inputs, row: int) -> Floats | None:
    """Take Ledoit-Wolf on the window's one-minute residuals."""
    rows = _window_rows(inputs, row)
    return None if rows is None else ledoit_wolf_correlation(rows).covariance


def oracle(inputs: Inputs, row: int) -> Floats | None:
    """Take OAS on the window's one-minute residuals."""
    rows = _window_rows(inputs, row)
    return None if rows is None else oas_correlation(rows).covariance


def riskmetrics(inputs: Inputs, row: int) -> Floats | None:
    """Take RiskMetrics' moving covariance of one-minute returns, decay 0.97 a minute."""
    rows = complete_rows(inputs.returns[: row + 1])
    return _complete(moving.ewma_correlation(rows)) if len(rows) >= MIN_ROWS else None


def fast_alone(inputs: Inputs, row: int, half_life_min: int = 120) -> Floats | None:
    """Weigh the published estimator's ten-minute returns with a half-life of 2 h, and do not shrink."""
    first = max(0, row - 20 * half_life_min)  # what is older weighs a millionth
    z = inputs.long_returns[first : row + 1]
    times = inputs.recording.times_us[first : row + 1]
    weight = 2.0 ** ((times - times[-1]) / (MINUTE_US * half_life_min))
    return _complete(realised_correlation(z * np.sqrt(weight)[:, None]))


def fast(inputs: Inputs, row: int) -> Floats | None:
    """Take the fast matrix as published."""
    found = gather(inputs.recording.views[row], inputs.coins, 0.5)
    return found[0] if len(found) > 1 else None


def slow(inputs: Inputs, row: int) -> Floats | None:
    """Take the slow matrix as published."""
    found = gather(inputs.recording.views[row], inputs.coins, 0.5)
    return found[1] if len(found) > 1 else None


ESTIMATES: dict[str, Estimate] = {
    "fast": fast,
    "slow": slow,
    "naive": naive,
    "refresh": refresh,
    "hayashi_yoshida": overlapping,
    "dcc": dynamic,
    "riskmetrics": riskmetrics,
    "ledoit_wolf": shrunk,
    "oas": oracle,
}


def mean_correlation(matrix: Floats | None) -> float:
    """Return the mean over all pairs, NaN without a matrix."""
    return float(matrix[np.triu_indices(len(matrix), 1)].mean()) if matrix is not None else float("nan")


def curves(inputs: Inputs, rows: Iterable[int]) -> dict[str, list[Floats | None]]:
    """Return every estimator's matrices at some rows."""
    chosen = list(rows)
    return {name: [estimate(inputs, row) for row in chosen] for name, estimate in ESTIMATES.items()}


def repaired(matrix: Floats) -> Floats:
    """Return the matrix itself if its eigenvalues are above 1e-4, else its spectral repair."""
    square = np.ascontiguousarray(matrix)
    if is_above(square, LEAST_EIGENVALUE):
        return square
    out = np.empty_like(square)
    if not repair(square, LEAST_EIGENVALUE, out):
        raise ArithmeticError("an estimated matrix is not finite")
    return out


def complete_rows(rows: Floats) -> Floats:
    """Return the rows without NaN."""
    return rows[~np.isnan(rows).any(axis=1)]


def _window_rows(inputs: Inputs, row: int) -> Floats | None:
    rows = complete_rows(inputs.residuals[max(0, row - WINDOW_MIN + 1) : row + 1])
    moved = len(rows) >= MIN_ROWS and bool((rows.min(axis=0) < rows.max(axis=0)).all())
    return rows if moved else None


def _complete(matrix: Floats) -> Floats | None:
    return None if bool(np.isnan(matrix).any()) else matrix
