"""Shortfall of one portfolio: its tail by scenario, its error, and whose it is.

Losses, conventions and the tail's size: `kernels.tail`. With VaR the loss L(k) and a the tail's size, the influence of
scenario i on a shortfall is

    psi_i = VaR + (N/a) max(L_i - VaR, 0) - ES,

whose mean is zero but for what the last loss counts in part; the variance of a mean of psi is that of the shortfall
(Trindade, Uryasev, Shapiro, Zrazhevsky, 2007). Scenarios that depend on each other are averaged in groups first, which
do not: pairs of antithetic draws, runs of overlapping returns. M groups of mean phi give

    standard error = sqrt(sum of (phi - mean phi)^2 / (M (M - 1))).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kernels._jit import Floats, Ints
from kernels.selection import buffer_length
from kernels.tail import Convention, Tail, tail_of, tails


class Shortfall(NamedTuple):
    """Value at risk and expected shortfall, USD, losses positive, over so many scenarios."""

    var_usd: float
    es_usd: float
    tail: Tail


class Worst(NamedTuple):
    """Scenarios of a tail, worst first, ties by number: int64[k], and their weights, float64[k], which sum to 1."""

    scenario: Ints
    weight: Floats


def shortfall(pnl: Floats, confidence: float, convention: Convention = "weighted") -> Shortfall:
    """Return value at risk and expected shortfall of float64[N] equally likely results, gains positive.

    NaN from a NaN. Raises ValueError on no results or a confidence outside (0, 1).
    """
    tail = tail_of(pnl.size, confidence, convention)
    var, es = np.empty(1), np.empty(1)
    tails(np.ascontiguousarray(pnl).reshape(1, -1), tail.rank, tail.size, np.empty(buffer_length(tail.rank)), var, es)
    return Shortfall(float(var[0]) + 0.0, float(es[0]) + 0.0, tail)  # 0, not -0, where nothing is lost


def worst(pnl: Floats, tail: Tail) -> Worst:
    """Return the tail's scenarios: all of weight 1/size but the last, which has the rest."""
    count = math.ceil(tail.size)
    scenario = np.argsort(pnl, kind="stable")[:count].astype(np.int64)
    weight = np.full(count, 1.0 / tail.size)
    weight[-1] = (tail.size - (count - 1)) / tail.size
    return Worst(scenario, weight)


def allocation(parts: Floats, tail: Worst) -> Floats:
    """Return what each part of the results adds to the shortfall, float64[p]; parts: float64[p, N].

    The derivative of the shortfall by a part's size (Tasche, 1999): the parts sum to the whole.
    """
    return np.array([math.fsum(row) for row in (-parts[:, tail.scenario] * tail.weight).tolist()])


def standard_error(pnl: Floats, found: Shortfall, group: int) -> float:
    """Return the standard error of a shortfall, each `group` results in a row being one observation.

    NaN with fewer than two whole groups.
    """
    groups = pnl.size // group
    if groups < 2:
        return math.nan
    psi = _influence(pnl, found)[: groups * group].reshape(groups, group)
    phi = np.zeros(groups)
    for column in psi.T:
        phi += column
    return math.sqrt(_squares(phi / group) / (groups * (groups - 1.0)))


def effective_scenarios(pnl: Floats, found: Shortfall, error: float) -> float:
    """Return how many independent scenarios would have this standard error; NaN where it is 0."""
    if not error > 0.0:
        return math.nan
    return _squares(_influence(pnl, found)) / (pnl.size - 1.0) / (error * error)


def _influence(pnl: Floats, found: Shortfall) -> Floats:
    excess = np.maximum(-pnl - found.var_usd, 0.0)
    return np.asarray(excess * (pnl.size / found.tail.size))


def _squares(x: Floats) -> float:
    mean = math.fsum(x.tolist()) / x.size
    return math.fsum(((x - mean) ** 2).tolist())
