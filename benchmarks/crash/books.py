"""Constant books of perpetuals under model P: requirement, the parts of its change, largest rises.

A book holds q_i coins. At the end of the range it loses w_i = q_i price_i range_i, and as its positions are delta-one

    requirement = sqrt((1 - k) max over R of w' R w + k (sum |w|)^2)

A change between two minutes is split by replacing one input after the other, old by new, in the order ranges, prices,
correlations: what is due to correlation is the requirement under the new set minus that under the old one at equal
losses (k counts with the set), and the three parts add up to the change.

What is in force comes from one place, `Forces`: matrices, k and ranges by minute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.crash.recording import Floats, Ints


@dataclass(frozen=True, slots=True)
class Forces:
    """What is in force at each of M minutes: `matrices[m]` float64[K, C, C], `k[m]`, `ranges[m]` float64[C]."""

    matrices: list[Floats]
    k: Floats
    ranges: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A book and what is in force for it: `exposures` float64[M, C] in USD, price times quantity, by minute."""

    name: str
    forces: Forces
    exposures: Floats

    @property
    def gross_usd(self) -> float:
        """Sum of the absolute exposures at the first minute."""
        return float(np.abs(self.exposures[0]).sum())

    @property
    def constant(self) -> Floats:
        """The exposures of the first minute at every minute: prices do not move."""
        return np.broadcast_to(self.exposures[0], self.exposures.shape)


@dataclass(frozen=True, slots=True)
class Parts:
    """A change of a requirement and what is due to each input; they add up to it."""

    ranges: float
    prices: float
    correlation: float

    @property
    def total(self) -> float:
        """The change itself."""
        return self.ranges + self.prices + self.correlation


@dataclass(frozen=True, slots=True)
class Rise:
    """The largest rise: from one row to a later one, `ratio` the requirement there over that here."""

    start: int
    end: int
    ratio: float


def requirement(matrices: Floats, k: float, w: Floats) -> float:
    """Return the requirement of losses `w`, float64[C], under a set of matrices, float64[K, C, C]."""
    gross = float(np.abs(w).sum())
    netted = max(float(w @ matrix @ w) for matrix in matrices)
    return float(np.sqrt((1.0 - k) * max(0.0, netted) + k * gross * gross))


def requirements(forces: Forces, exposures: Floats) -> Floats:
    """Return the requirement at each minute of exposures in USD, float64[M, C] (price times quantity)."""
    return np.array(
        [
            requirement(matrices, float(k), row)
            for matrices, k, row in zip(forces.matrices, forces.k, exposures * forces.ranges, strict=True)
        ]
    )


def parts(forces: Forces, exposures: Floats, start: int, end: int) -> Parts:
    """Return what each input contributed to the change from row `start` to row `end`."""
    k = float(forces.k[start])

    def value(ranges: int, prices: int) -> float:
        return requirement(forces.matrices[start], k, exposures[prices] * forces.ranges[ranges])

    old = value(start, start)
    with_ranges, with_prices = value(end, start), value(end, end)
    new = requirement(forces.matrices[end], float(forces.k[end]), exposures[end] * forces.ranges[end])
    return Parts(with_ranges - old, with_prices - with_ranges, new - with_prices)


def largest_rise(times_us: Ints, values: Floats, within_us: int | None = None) -> Rise:
    """Return the largest rise from a minute to a later one, at most `within_us` apart (any if None).

    The earliest and, of those, the shortest of equal ones; a ratio of 1 from row 0 to itself if nothing ever rises.
    """
    best = Rise(0, 0, 1.0)
    lowest: list[int] = []  # rows in reach, their values ascending: the first is the lowest
    for m, value in enumerate(values.tolist()):
        while lowest and values[lowest[-1]] >= value:
            lowest.pop()
        lowest.append(m)
        while within_us is not None and times_us[m] - times_us[lowest[0]] > within_us:
            lowest.pop(0)
        ratio = value / float(values[lowest[0]])
        if ratio > best.ratio:
            best = Rise(lowest[0], m, ratio)
    return best
