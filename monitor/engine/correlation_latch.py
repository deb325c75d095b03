"""Latched matrices: the fast one at the most and at the least concentrated moment of the last 30 days.

An exponential average forgets a crash within hours, and the next one may be like it. What has been estimated once
therefore stays in the set of matrices for a month; it is added to the set and edits no estimate, because a correlation
that is raised lowers the requirement of hedged books.

Moments are compared by how far the absorption ratio A of p coins lies between independent coins (1/p) and a single
factor (1): (p A - 1)/(p - 1), the mean correlation of an equicorrelated matrix of that ratio. Without that the first
two coins that have an estimate would be the month's maximum. Days are UTC. Kept are those days' extremes that may still
become those of the window: none that a later or the same day goes beyond.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.engine.clock import DAY_US
from monitor.engine.correlation import MICRO, CorrelationView, Estimate, millionths

LATCH_DAYS = 30  # the present one included
HIGH, LOW = "latched_high", "latched_low"
_SIGNS = ((HIGH, 1.0), (LOW, -1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Extreme:
    """The extreme moment of one day: `level` as in the module's formula, `time_us` the minute it was first seen at."""

    day: int
    time_us: int
    level: float
    estimate: Estimate


class Latch:
    """Extremes of the kept days, earliest first: of each kind falling away from the extreme of the window."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[str, deque[Extreme]] = {name: deque() for name, _ in _SIGNS}

    @property
    def latched(self) -> tuple[tuple[str, Estimate], ...]:
        """The latched estimates by name; none before two coins have moved."""
        return tuple((name, kept[0].estimate) for name, kept in self._kept.items() if kept)

    def take(self, time_us: int, view: CorrelationView) -> None:
        """Take the matrices in force at a whole minute; those of fewer than two moving coins say nothing."""
        day = time_us // DAY_US
        for name, sign in _SIGNS:
            kept = self._kept[name]
            while kept and kept[0].day <= day - LATCH_DAYS:
                kept.popleft()
            if view.moving < 2:
                continue
            level = (view.moving * view.absorption_ratio - 1.0) / (view.moving - 1)
            if kept and kept[-1].day == day and sign * kept[-1].level >= sign * level:
                continue
            while kept and (sign * kept[-1].level < sign * level or kept[-1].day == day):
                kept.pop()
            kept.append(Extreme(day, time_us, level, Estimate(view.underlyings, view.quiet, view.fast)))

    def snapshot(self) -> dict[str, Any]:
        """Return the kept days as plain JSON values, matrices as their lower triangles in millionths."""
        return {
            name: [
                [one.day, one.time_us, one.level, list(one.estimate.underlyings), list(one.estimate.quiet),
                 _lower(one.estimate)]
                for one in kept
            ]
            for name, kept in self._kept.items()
        }  # fmt: skip

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Latch:
        """Rebuild a latch from its snapshot."""
        latch = cls()
        for name, rows in state.items():
            latch._kept[name].extend(
                Extreme(day, time_us, level, _estimate(tuple(underlyings), tuple(quiet), lower))
                for day, time_us, level, underlyings, quiet, lower in rows
            )
        return latch


def _lower(estimate: Estimate) -> list[int]:
    rows, columns = np.tril_indices(len(estimate.underlyings), -1)
    found: list[int] = millionths(estimate.matrix)[rows, columns].tolist()
    return found


def _estimate(underlyings: tuple[str, ...], quiet: tuple[str, ...], lower: list[int]) -> Estimate:
    n = len(underlyings)
    matrix = np.eye(n)
    rows, columns = np.tril_indices(n, -1)
    matrix[rows, columns] = matrix[columns, rows] = np.array(lower, dtype=np.int64) / MICRO
    matrix.setflags(write=False)
    return Estimate(underlyings, quiet, matrix)
