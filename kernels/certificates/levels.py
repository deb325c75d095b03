"""What a move of a surface's level costs a segment, and how far the level may go with a given amount.

The level z of a class of options is what their vol sqrt(T) have in common (`kernels.certificates.drift_rows`). With m =
z - z0 since the certification, x the move of the index, no curve that is kept, and none that could be below these, has
fallen by more than

    up m (m > 0) or down -m (m < 0), + bend m^2/2 + cross |x| |m|

while |m| <= `span`; up + down >= 0, so the first two parts are convex in m. Proof: `docs/certificates.md`.
"""

from __future__ import annotations

import math

from kernels._jit import Floats, inlined

AT, UP, DOWN, BEND, CROSS = range(5)  # of a class: z0, and USD per unit of z, z^2/2 and x z
LEVEL = 5
LEAST_SPAN, MOST_SPAN, OF_RADIUS = 0.05, 0.4, 5.0  # of the level, and in multiples of the radius of prices


@inlined()
def root(room: float, fall: float, curve: float) -> float:
    """Return the z >= 0 up to which room - fall z - curve z^2/2 is not negative; room >= 0."""
    found = math.sqrt(fall * fall + 2.0 * curve * room)
    if fall > 0.0:
        return 2.0 * room / (fall + found)
    return (found - fall) / curve if curve > 0.0 else math.inf


@inlined()
def counts(curves: Floats, s: int, at: int) -> bool:
    """Return whether a level concerns a segment; at: where its five numbers begin."""
    most = max(curves[s, at + UP], curves[s, at + DOWN], curves[s, at + BEND], curves[s, at + CROSS])
    concerned: bool = most > 0.0
    return concerned


@inlined()
def relative_span(radius: float) -> float:
    """Return by what part of itself a level may move before bend and cross are not bounded.

    Who has little room for prices has little for levels: he is looked at again before either has gone far.
    """
    return min(max(OF_RADIUS * radius, LEAST_SPAN), MOST_SPAN)


@inlined()
def span(curves: Floats, s: int, at: int, radius: float) -> float:
    """Return how far a level may move before its cost is not bounded."""
    bent = curves[s, at + BEND] > 0.0 or curves[s, at + CROSS] > 0.0
    return relative_span(radius) * abs(curves[s, at + AT]) if bent else math.inf


@inlined()
def cost(curves: Floats, s: int, at: int, moved: float) -> float:
    """Return what a move of a level costs at an unchanged index, USD; negative where it is a gain."""
    straight = curves[s, at + UP] * moved if moved >= 0.0 else -curves[s, at + DOWN] * moved
    total: float = straight + 0.5 * curves[s, at + BEND] * moved * moved
    return total


@inlined()
def farther(up: float, down: float, bend: float, moved: float, budget: float) -> float:
    """Return how much higher a level may go from where it is, `moved`, until that has cost the budget.

    up: of the cost of a level above z0, cross included; down: of one below.
    """
    if moved >= 0.0:
        return root(budget, up + bend * moved, bend)
    back = root(budget, bend * moved - down, bend)
    if back < -moved:
        return back
    return root(max(budget + moved * (0.5 * bend * moved - down), 0.0), up, bend) - moved
