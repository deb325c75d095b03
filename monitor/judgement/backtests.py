"""Statistical tests of a requirement against realised losses: hits (was the loss larger?) in the order of time.

| test | null hypothesis | source |
|---|---|---|
| `kupiec` | hits have probability p | Kupiec (1995), proportion of failures |
| `christoffersen` | a hit says nothing of the next; both together | Christoffersen (1998) |
| `traffic_light` | hits have probability p, by the exact binomial | Basel Committee (1996), supervisory back-testing |
| `acerbi_szekely` | losses beyond the requirement average the expected shortfall | Acerbi and Szekely (2014), Z2 |

All of them take one series of observations that do not overlap. Pooled over accounts that fall together none
of them holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import xlog1py, xlogy

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Zone = Literal["green", "yellow", "red"]

YELLOW_FROM = 0.95  # cumulative probability at which the supervisors' yellow zone begins
RED_FROM = 0.9999  # and the red one
# Multipliers that the supervisors add by exceptions of 250 at 99 %: 0 to 4 none, 10 and more the last.
PLUS_FACTORS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.00)


class LikelihoodRatio(msgspec.Struct, frozen=True):
    """A likelihood ratio with its chi-squared p-value; p-values below a chosen level reject the null hypothesis."""

    statistic: float
    p_value: float
    degrees: int


class Christoffersen(msgspec.Struct, frozen=True):
    """Transitions between no hit (0) and a hit (1), and the tests; `conditional` is coverage and independence."""

    n00: int
    n01: int
    n10: int
    n11: int
    independence: LikelihoodRatio
    conditional: LikelihoodRatio


class TrafficLight(msgspec.Struct, frozen=True):
    """The supervisors' zone: `cumulative` is the probability of so many hits or fewer under the null hypothesis."""

    zone: Zone
    cumulative: float
    plus_factor: float | None
    """Only defined for 250 observations at 99 %."""


class ShortfallTest(msgspec.Struct, frozen=True):
    """Z2: about 0 if losses beyond value at risk are as large and as frequent as the shortfall says, below 0 if worse.

    `p_value` is the share of simulated Z2 under the null hypothesis that are as low, NaN where nothing was simulated.
    """

    z2: float
    tail_probability: float
    hits: int
    observations: int
    p_value: float


def kupiec(hits: int, observations: int, probability: float) -> LikelihoodRatio:
    """Return the proportion-of-failures test; raises ValueError without observations or for a probability of 0 or 1."""
    _check(hits, observations, probability)
    rate = hits / observations
    null = _log_likelihood(hits, observations, probability)
    ratio = max(0.0, -2.0 * (null - _log_likelihood(hits, observations, rate)))
    return LikelihoodRatio(ratio, float(stats.chi2.sf(ratio, 1)), 1)


def christoffersen(hits: Sequence[bool] | Bools, probability: float) -> Christoffersen:
    """Return the tests of independence and of conditional coverage of hits in the order of time.

    As published, transitions are one fewer than observations; coverage is tested on all observations.
    Raises ValueError for fewer than two.
    """
    series = np.asarray(hits, dtype=bool)
    if len(series) < 2:
        raise ValueError("independence needs two observations")
    before, after = series[:-1], series[1:]
    n11 = int(np.sum(before & after))
    n10 = int(np.sum(before & ~after))
    n01 = int(np.sum(~before & after))
    n00 = len(before) - n11 - n10 - n01
    independence = independence_of(n00, n01, n10, n11)
    coverage = kupiec(int(series.sum()), len(series), probability)
    both = independence.statistic + coverage.statistic
    conditional = LikelihoodRatio(both, float(stats.chi2.sf(both, 2)), 2)
    return Christoffersen(n00, n01, n10, n11, independence, conditional)


def independence_of(n00: int, n01: int, n10: int, n11: int) -> LikelihoodRatio:
    """Return the test of independence of transitions that are counted already."""
    total, ones = n00 + n01 + n10 + n11, n01 + n11
    if total == 0:
        raise ValueError("there are no transitions")
    alike = _log_likelihood(ones, total, ones / total)
    apart = 0.0
    for zeros_next, ones_next in ((n00, n01), (n10, n11)):
        if zeros_next + ones_next:
            of = zeros_next + ones_next
            apart += _log_likelihood(ones_next, of, ones_next / of)
    ratio = max(0.0, -2.0 * (alike - apart))
    return LikelihoodRatio(ratio, float(stats.chi2.sf(ratio, 1)), 1)


def traffic_light(hits: int, observations: int, probability: float = 0.01) -> TrafficLight:
    """Return the zone: yellow where so many hits or fewer have a probability of 95 % or more, red from 99.99 %."""
    _check(hits, observations, probability)
    cumulative = float(stats.binom.cdf(hits, observations, probability))
    zone: Zone = "green"
    if cumulative >= RED_FROM:
        zone = "red"
    elif cumulative >= YELLOW_FROM:
        zone = "yellow"
    published = observations == 250 and probability == 0.01
    return TrafficLight(zone, cumulative, PLUS_FACTORS[min(hits, 10)] if published else None)


def acerbi_szekely(
    losses: Floats, value_at_risk: Floats, shortfall: Floats, tail_probability: float,
    null_losses: Floats | None = None,
) -> ShortfallTest:  # fmt: skip
    """Return Z2 = 1 - sum over hits of loss/(T tail_probability shortfall); losses, VaR and shortfall are positive.

    `null_losses` float64[S, T] are losses drawn under the null hypothesis, with the same VaR and shortfall: the
    p-value comes from them. Raises ValueError where lengths differ or a shortfall is not positive.
    """
    if not len(losses) == len(value_at_risk) == len(shortfall) or len(losses) == 0:
        raise ValueError("losses, values at risk and shortfalls are of the same observations, one or more")
    if not (np.all(shortfall > 0.0) and 0.0 < tail_probability < 1.0):
        raise ValueError("a shortfall is positive, a tail probability between 0 and 1")
    z2 = float(_z2(losses, value_at_risk, shortfall, tail_probability))
    p_value = math.nan
    if null_losses is not None:
        p_value = float(np.mean(_z2(null_losses, value_at_risk, shortfall, tail_probability) <= z2))
    return ShortfallTest(z2, tail_probability, int(np.sum(losses > value_at_risk)), len(losses), p_value)


def _z2(losses: Floats, value_at_risk: Floats, shortfall: Floats, tail_probability: float) -> Floats:
    beyond = np.where(losses > value_at_risk, losses / shortfall, 0.0)
    found: Floats = 1.0 - beyond.sum(axis=-1) / (losses.shape[-1] * tail_probability)
    return found


def _check(hits: int, observations: int, probability: float) -> None:
    if observations <= 0 or not 0 <= hits <= observations:
        raise ValueError(f"{hits} hits of {observations} observations")
    if not 0.0 < probability < 1.0:
        raise ValueError(f"a hit of probability {probability} cannot be tested")


def _log_likelihood(hits: int, observations: int, probability: float) -> float:
    return float(xlogy(hits, probability) + xlog1py(observations - hits, -probability))
