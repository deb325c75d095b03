"""The first point along a path at which an account's standing changes.

A requirement need not be monotone along a path (long gamma in the middle), so a search that halves an interval can step
over a breach and its end. Here the path is walked from now outwards by steps that the excess cannot use up: with L a
bound of its slope, an excess of e cannot reach zero within e / L. No step is shorter than `resolution`, so a breach
that begins and ends within one resolution may be stepped over, and none that is longer. The interval in which the
standing has changed is then halved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

MAX_EVALUATIONS = 20_000
HALVINGS = 60


class Point(NamedTuple):
    """What is known at a point: whether the account is over the threshold (None: no figures), and the excess, USD."""

    over: bool | None
    excess_usd: float


class Walk(NamedTuple):
    """Where a search ended: the first crossing as an interval (None: none found), the farthest point seen, how many.

    `known` is False where the figures ended before the path did.
    """

    inside: float | None
    outside: float | None
    reached: float
    evaluations: int
    known: bool


def first_crossing(
    at: Callable[[float], Point], slope_usd: Callable[[float], float], end: float, *, resolution: float,
    width: float, max_step: float = 0.25,
) -> Walk:  # fmt: skip
    """Walk from 0 to `end` (of either sign) and return the first interval, at most `width` wide, around a crossing.

    `slope_usd(x)` bounds the slope of the excess between here and a `max_step` beyond x.
    """
    sign = 1.0 if end >= 0.0 else -1.0
    here, x, count = at(0.0), 0.0, 1
    if here.over is None:
        return Walk(None, None, 0.0, count, False)
    start = here.over
    while abs(x) < abs(end) and count < MAX_EVALUATIONS:
        slope = slope_usd(x)
        step = max_step if slope <= 0.0 else min(max_step, abs(here.excess_usd) / slope)
        following = x + sign * max(step, resolution)
        if abs(following) > abs(end):
            following = end
        found = at(following)
        count += 1
        if found.over is None:
            return Walk(None, None, x, count, False)
        if found.over != start:
            inside, outside, more = _halved(at, x, following, start=start, width=width)
            return Walk(inside, outside, following, count + more, True)
        x, here = following, found
    return Walk(None, None, x, count, True)


def _halved(
    at: Callable[[float], Point], inside: float, outside: float, *, start: bool, width: float
) -> tuple[float, float, int]:  # fmt: skip
    """Halve an interval with different standings at its ends until it is `width` wide; what has no figures is out."""
    for count in range(HALVINGS):
        if abs(outside - inside) <= width:
            return inside, outside, count
        middle = 0.5 * (inside + outside)
        if at(middle).over == start:
            inside = middle
        else:
            outside = middle
    return inside, outside, HALVINGS
