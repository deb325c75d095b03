"""Statistics against published tables and worked examples, and against simulation; never against themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from monitor.judgement import backtests


@pytest.mark.parametrize(
    ("probability", "observations", "fewest", "most"),
    [
        # Kupiec (1995) as printed in Jorion, Value at Risk (3rd ed.), table 6-2: the 95 % regions of non-rejection.
        (0.01, 252, None, 7), (0.01, 510, 1, 11), (0.01, 1000, 4, 17),
        (0.025, 252, 2, 12), (0.025, 510, 6, 21), (0.025, 1000, 15, 36),
        (0.05, 252, 6, 20), (0.05, 510, 16, 36), (0.05, 1000, 37, 65),
        (0.075, 252, 11, 28), (0.075, 510, 27, 51), (0.075, 1000, 59, 92),
        (0.10, 252, 16, 36), (0.10, 510, 38, 65), (0.10, 1000, 81, 120),
    ],
)  # fmt: skip
def test_kupiecs_published_regions(probability: float, observations: int, fewest: int | None, most: int) -> None:
    """Numbers of failures strictly between the printed ends are not rejected at 95 %, the ends are."""
    accepted = [
        hits
        for hits in range(observations // 2)
        if backtests.kupiec(hits, observations, probability).statistic < stats.chi2.ppf(0.95, 1)
    ]
    assert accepted[-1] == most - 1
    # Zero failures: N < 7 has no lower end, but at 252 days zero failures are rejected by the statistic (LR 5.07).
    assert accepted[0] == (1 if fewest is None else fewest + 1)


def test_a_published_example_of_all_three() -> None:
    """MathWorks' documented back-test: 1043 days at 95 %, 57 failures, transitions 932, 53, 53, 4."""
    pof = backtests.kupiec(57, 1043, 0.05)
    assert (pof.statistic, pof.p_value) == pytest.approx((0.46147, 0.49694), abs=5e-6)
    independence = backtests.independence_of(932, 53, 53, 4)
    assert (independence.statistic, independence.p_value) == pytest.approx((0.25866, 0.61104), abs=5e-6)
    # Any series with these transitions gives the conditional statistic as printed.
    series = _series(n00=932, n01=53, n10=53, n11=4)
    found = backtests.christoffersen(series, 0.05)
    assert (found.n00, found.n01, found.n10, found.n11) == (932, 53, 53, 4)
    assert (found.conditional.statistic, found.conditional.p_value) == pytest.approx((0.72013, 0.69763), abs=5e-6)


def test_jorions_question_ten() -> None:
    """Six exceptions in 252 days at 99 %, four after another: 3.498 for coverage, 25.837 for independence."""
    assert backtests.kupiec(6, 252, 0.01).statistic == pytest.approx(3.498, abs=1e-3)  # printed cut off
    assert backtests.independence_of(244, 2, 2, 4).statistic == pytest.approx(25.837, abs=0.01)


def test_the_bank_of_1998() -> None:
    """Jorion's table 6-5 (a bank's 1998): 20 of 252 at 95 % gives 3.91, 6 of 20 after another 9.53: rejected."""
    assert backtests.kupiec(20, 252, 0.05).statistic == pytest.approx(3.91, abs=5e-3)
    assert backtests.independence_of(218, 14, 14, 6).statistic == pytest.approx(9.53, abs=5e-3)


@pytest.mark.parametrize(
    ("hits", "cumulative", "zone", "plus"),
    [
        # Basel Committee, supervisory framework for back-testing (January 1996), table 2: 250 observations at 99 %.
        (0, 0.0811, "green", 0.0), (1, 0.2858, "green", 0.0), (2, 0.5432, "green", 0.0), (3, 0.7581, "green", 0.0),
        (4, 0.8922, "green", 0.0), (5, 0.9588, "yellow", 0.40), (6, 0.9863, "yellow", 0.50),
        (7, 0.9960, "yellow", 0.65), (8, 0.9989, "yellow", 0.75), (9, 0.9997, "yellow", 0.85), (10, 0.9999, "red", 1.0),
        (14, 1.0, "red", 1.0),
    ],
)  # fmt: skip
def test_the_supervisors_table(hits: int, cumulative: float, zone: str, plus: float) -> None:
    """Zone, cumulative probability and plus factor are those of the printed table."""
    found = backtests.traffic_light(hits, 250)
    assert found.cumulative == pytest.approx(cumulative, abs=5.1e-5)
    assert (found.zone, found.plus_factor) == (zone, plus)


def test_zones_of_other_lengths_are_the_exact_binomials() -> None:
    """Elsewhere the zones begin where the exact binomial says, and there is no plus factor."""
    first_yellow = next(k for k in range(100) if backtests.traffic_light(k, 144).zone != "green")
    assert first_yellow == int(stats.binom.ppf(0.95, 144, 0.01))
    assert backtests.traffic_light(3, 144).plus_factor is None


@pytest.mark.parametrize(("degrees", "printed"), [(None, -0.70), (5, -0.74), (3, -0.82)])
def test_the_published_critical_values_of_z2(degrees: int | None, printed: float) -> None:
    """Acerbi and Szekely (2014): at 97.5 % and 250 days, 5 % of Z2 are below -0.70 (normal) to -0.82 (t, 3 degrees)."""
    draws = np.random.default_rng(20251010)
    shape = (40_000, 250)
    losses = draws.standard_normal(shape) if degrees is None else draws.standard_t(degrees, shape)
    if degrees is None:
        var = float(stats.norm.ppf(0.975))
        shortfall = float(stats.norm.pdf(var)) / 0.025
    else:
        var = float(stats.t.ppf(0.975, degrees))
        shortfall = float(stats.t.pdf(var, degrees)) / 0.025 * (degrees + var**2) / (degrees - 1)
    flat = np.ones(250)
    found = [backtests.acerbi_szekely(one, var * flat, shortfall * flat, 0.025).z2 for one in losses]
    assert float(np.quantile(found, 0.05)) == pytest.approx(printed, abs=0.02)
    assert float(np.mean(found)) == pytest.approx(0.0, abs=0.01)


def test_z2_by_hand() -> None:
    """Two hits of twice the shortfall in eight observations at a tail of a quarter: 1 - 4/2."""
    losses = np.array([0.0, 6.0, 1.0, 6.0, 0.0, -1.0, 2.0, 0.5])
    null = np.zeros((10, 8))
    null[0] = 12.0
    found = backtests.acerbi_szekely(losses, np.full(8, 2.0), np.full(8, 3.0), 0.25, null)
    assert (found.z2, found.hits) == (-1.0, 2)  # a loss equal to the value at risk is no hit
    assert found.p_value == 0.1


@pytest.mark.parametrize(
    ("hits", "observations", "probability"), [(0, 0, 0.01), (5, 4, 0.01), (1, 4, 0.0), (1, 4, 1.0)]
)
def test_what_cannot_be_tested_is_refused(hits: int, observations: int, probability: float) -> None:
    """No observations, more hits than observations, and certain hits are errors."""
    with pytest.raises(ValueError, match=r"hits|probability"):
        backtests.kupiec(hits, observations, probability)


def test_degenerate_series_have_finite_statistics() -> None:
    """No hits, only hits, and one hit at the end give numbers."""
    for series in ([False] * 30, [True] * 30, [False] * 29 + [True]):
        found = backtests.christoffersen(series, 0.01)
        assert np.isfinite(found.independence.statistic)
        assert np.isfinite(found.conditional.statistic)
        assert 0.0 <= found.conditional.p_value <= 1.0


def _series(*, n00: int, n01: int, n10: int, n11: int) -> list[bool]:
    """Return hits with these transitions: isolated hits first, then runs, then quiet; begins and ends without a hit."""
    assert n01 == n10
    out = [False]
    for number in range(n01):
        out += [True] * (1 + (n11 if number == 0 else 0))
        out += [False]
    return out + [False] * n00
