"""A portfolio's shortfall against sorted lists, and the error told of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernels.distributions import historical_var_es
from kernels.joint.shortfall import allocation, effective_scenarios, shortfall, standard_error, worst
from kernels.tail import Convention

CONVENTIONS: tuple[Convention, ...] = ("weighted", "tail_mean", "beyond")


def by_sorting(pnl: list[float], confidence: float, convention: str) -> tuple[float, float]:
    """Return value at risk and shortfall as the definition says, losses sorted worst first."""
    losses = sorted((-x for x in pnl), reverse=True)
    a = len(losses) * (1.0 - confidence)
    k = max(1, round(a) if abs(a - round(a)) < 1e-9 else math.ceil(a))
    if convention == "tail_mean":
        return losses[k - 1], sum(losses[:k]) / k
    if convention == "beyond":
        return losses[k - 1], sum(losses[: k - 1]) / (k - 1) if k > 1 else losses[0]
    whole = math.floor(a + 1e-9)
    part = max(0.0, a - whole) if a - whole > 1e-9 else 0.0
    rest = part * losses[whole] if part else 0.0
    return losses[k - 1], (sum(losses[:whole]) + rest) / (whole + part)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.975, 0.99, 0.999])
@pytest.mark.parametrize("n", [1, 7, 100, 1_000, 4_096])
def test_conventions_are_those_of_a_sorted_list(convention: Convention, confidence: float, n: int) -> None:
    """Value at risk and shortfall of each convention, with ties, equal the definition's."""
    pnl = np.round(np.random.default_rng(n).standard_t(4, n), 1)
    found = shortfall(pnl, confidence, convention)
    assert (found.var_usd, found.es_usd) == pytest.approx(by_sorting(pnl.tolist(), confidence, convention), rel=1e-12)
    assert (found.var_usd, found.es_usd) == pytest.approx(historical_var_es(pnl, confidence, convention), rel=1e-12)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_tail_makes_the_shortfall_and_its_parts(convention: Convention) -> None:
    """Weights sum to one, weighted losses to the shortfall, and what underlyings add sums to it too."""
    parts = np.random.default_rng(2).standard_t(4, (5, 1_003))
    pnl = parts.sum(axis=0)
    found = shortfall(pnl, 0.973, convention)
    tail = worst(pnl, found.tail)
    assert math.fsum(tail.weight) == pytest.approx(1.0, abs=1e-14)
    assert -math.fsum(pnl[tail.scenario] * tail.weight) == pytest.approx(found.es_usd, rel=1e-13)
    assert math.fsum(allocation(parts, tail)) == pytest.approx(found.es_usd, rel=1e-12)
    assert (np.diff(pnl[tail.scenario]) >= 0.0).all()


def test_an_allocation_is_the_derivative() -> None:
    """Holding a little more of one underlying changes the shortfall by its part of it."""
    parts = np.random.default_rng(3).standard_t(4, (3, 2_000))
    found = shortfall(parts.sum(axis=0), 0.99)
    added = allocation(parts, worst(parts.sum(axis=0), found.tail))
    for u in range(3):
        more = shortfall((parts.T + 1e-7 * np.eye(3)[u] * parts.T).T.sum(axis=0), 0.99)
        assert (more.es_usd - found.es_usd) / 1e-7 == pytest.approx(added[u], rel=1e-5, abs=1e-5)


def test_ties_go_by_their_number() -> None:
    """Of equal losses the first scenarios are the tail."""
    pnl = np.array([0.0, -1.0, -1.0, -1.0, 0.0])
    assert worst(pnl, shortfall(pnl, 0.6, "tail_mean").tail).scenario.tolist() == [1, 2]


def test_the_error_of_independent_results_is_the_spread_of_repetitions() -> None:
    """Over 400 samples the mean error told equals the deviation of the shortfalls within 10 %."""
    random = np.random.default_rng(4)
    samples = [random.normal(size=2_000) for _ in range(400)]
    found = [shortfall(sample, 0.95) for sample in samples]
    told = np.mean([standard_error(s, f, 1) for s, f in zip(samples, found, strict=True)])
    assert told == pytest.approx(np.std([f.es_usd for f in found]), rel=0.10)


def test_the_error_of_runs_sees_what_returns_share() -> None:
    """Sums over ten draws that overlap are far fewer observations than their number, and groups of them show it."""
    random = np.random.default_rng(5)

    def overlapping() -> tuple[float, float, float]:
        pnl = np.convolve(random.normal(size=4_009), np.ones(10), mode="valid") / math.sqrt(10.0)
        found = shortfall(pnl, 0.95)
        error = standard_error(pnl, found, 40)
        return found.es_usd, error, effective_scenarios(pnl, found, error)

    runs = np.array([overlapping() for _ in range(200)])
    assert runs[:, 1].mean() == pytest.approx(runs[:, 0].std(), rel=0.2)
    assert 400.0 < runs[:, 2].mean() < 2_000.0


def test_what_cannot_be_told_is_not_a_number() -> None:
    """One group has no error, an error of nothing no effective number, and a NaN no shortfall."""
    found = shortfall(np.arange(10.0), 0.5)
    assert math.isnan(standard_error(np.arange(10.0), found, 10))
    assert math.isnan(effective_scenarios(np.zeros(4), shortfall(np.zeros(4), 0.5), 0.0))
    assert math.isnan(shortfall(np.array([1.0, math.nan]), 0.5).es_usd)
