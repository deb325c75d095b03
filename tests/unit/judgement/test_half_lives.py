"""Half-lives of the correlation estimate: the score is a density, and finds what drawn returns were made with."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from monitor.cli import liqmon
from monitor.engine.correlation_estimator import CorrelationEstimator
from monitor.engine.minutes import MINUTE_US, Minute, Sample
from monitor.judgement.half_lives import Series, _angular, _Listener, _matrix, candidates, fit, scores

BEGIN_US = 1_760_054_400_000_000


def drawn(correlations: list[float], minutes: int, seed: int = 1) -> Series:
    """Return returns of four coins, their correlation going through a list in equal parts."""
    draws = np.random.default_rng(seed)
    parts = []
    for rho in correlations:
        matrix = np.full((4, 4), rho) + (1.0 - rho) * np.eye(4)
        parts.append(draws.standard_normal((minutes // len(correlations), 4)) @ np.linalg.cholesky(matrix).T)
    z = np.concatenate(parts)
    times = BEGIN_US + MINUTE_US * np.arange(len(z), dtype=np.int64)
    return Series(("A", "B", "C", "D"), times, z)


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.95])
def test_the_score_is_a_density_of_directions(rho: float) -> None:
    """Over the circle, and over the sphere by drawn points, the density integrates to 1."""
    flat = np.array([[1.0, rho], [rho, 1.0]])
    angles = np.linspace(0.0, 2.0 * math.pi, 20_001)[:-1]
    values = [math.exp(-_angular(flat, np.array([math.cos(one), math.sin(one)]))) for one in angles]
    assert np.mean(values) == pytest.approx(1.0, rel=1e-9)
    sphere = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]])
    points = np.random.default_rng(3).standard_normal((20_000, 3))
    assert np.mean([math.exp(-_angular(sphere, one)) for one in points]) == pytest.approx(1.0, abs=0.03)
    assert _angular(sphere, 7.0 * points[0]) == pytest.approx(_angular(sphere, points[0]), abs=1e-12)


def test_constant_correlation_asks_for_the_longest_memory() -> None:
    """Where nothing changes more returns are better; the mean score is that of the true matrix or worse."""
    series = drawn([0.7], 20_000)
    found = fit([("all", series, 0, 2**62), ("late", series, BEGIN_US + 10_000 * MINUTE_US, 2**62)], (30, 240, 1_440))
    alone = {one.half_lives_min: one.score["all"] for one in found.tried if len(one.half_lives_min) == 1}
    assert alone[1_440,] < alone[240,] < alone[30,] < 0.0
    assert 1_440 in found.tried[found.chosen].half_lives_min
    truth = np.full((4, 4), 0.7) + 0.3 * np.eye(4)
    times, of = scores(series, ((1_440,),))
    ahead = series.z[(times - BEGIN_US) // MINUTE_US + 10]
    exact = float(np.mean([_angular(truth, one) for one in ahead]))
    assert exact <= float(of.mean()) <= exact + 0.01


def test_changing_correlation_asks_for_a_shorter_one() -> None:
    """Where correlation changes every five hours a day's memory is worse than an hour or two's."""
    series = drawn([0.9, 0.0] * 20, 12_000)
    _, found = scores(series, ((120,), (1_440,)))
    short, long = found.mean(axis=0)
    assert short < long


def test_the_matrices_are_those_of_the_estimator() -> None:
    """From the same minutes, the fast matrix shrunk and the slow one are what the fold publishes."""
    draws = np.random.default_rng(5)
    common = draws.standard_normal((700, 1))
    prices = 100.0 * np.exp(np.cumsum(1e-3 * (common + draws.standard_normal((700, 4))), axis=0))
    estimator, listener = CorrelationEstimator(), _Listener()
    for m, row in enumerate(prices):
        at_us = BEGIN_US + m * MINUTE_US
        samples = {name: Sample(float(price), False, False, at_us) for name, price in zip("ABCD", row, strict=True)}
        for one in (estimator, listener):
            one.on_minute(Minute(at_us, samples))
    series = listener.series()
    weights = {one: 2.0 ** (-np.arange(len(series.z))[::-1] / one) for one in (120, 1_440)}
    raw, worth = [], []
    for weight in weights.values():
        known = np.isfinite(series.z).all(axis=1)
        z, w = series.z[known], weight[known]
        sums = (z * w[:, None]).T @ z
        root = np.sqrt(np.diag(sums))
        raw.append(sums / np.outer(root, root))
        worth.append(np.full((4, 4), w.sum() ** 2 / (w * w).sum() / 10.0))
    shrunk = _matrix(np.array(raw), np.array(worth), [0, 1])
    # Published when it has moved by 0.005, so that far apart at most.
    assert np.abs(shrunk - estimator.view.fast).max() <= 0.0051
    assert np.abs(raw[1] - estimator.view.slow).max() <= 0.0051


def test_candidates_are_whole_and_gaps_are_not_bridged() -> None:
    """Pairs are at least four times apart; a return is judged only where ten whole minutes lie before it."""
    assert candidates((30, 60, 240)) == ((30,), (60,), (240,), (30, 240), (60, 240))
    series = drawn([0.5], 2_000)
    times = series.times_us.copy()
    times[1_000:] += 7 * MINUTE_US
    judged, _ = scores(Series(series.coins, times, series.z), ((60,),))
    assert len(judged)
    assert not ((judged > times[989]) & (judged < times[1_000])).any()


def test_too_little_is_refused(tmp_path: Path) -> None:
    """A period without moments is named; the command says what to do."""
    with pytest.raises(ValueError, match="late has 0 moments"):
        fit([("all", drawn([0.5], 3_000), 0, 2**62), ("late", drawn([0.5], 50), 0, 2**62)], (60,))
    market = str(tmp_path / "market.jsonl")
    runner = CliRunner()
    runner.invoke(liqmon, ["generate", "market", "--minutes", "4", "--out", market], standalone_mode=False)
    told = runner.invoke(liqmon, ["half-lives", market, "--on", market], standalone_mode=False)
    assert "moments to judge by" in str(told.exception)
    told = runner.invoke(liqmon, ["half-lives", market], standalone_mode=False)
    assert "nothing to judge on" in str(told.exception)
