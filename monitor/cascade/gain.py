"""Where the loop feeds itself: impact of what a fall liquidates, against the fall.

Along a move of the market (each coin by its beta) or of one coin, `F_u(x)` is the flow that liquidations at prices
`exp(x)` would send, each closing what it has to, and `I_u` its impact. A fixed point `X = x + I(F(X))` is stable while
the slope of `I_u(F_u)` in the underlying's own move is below one; `gain` is the largest slope over underlyings, by
differences between neighbouring moves. Hedgers of options who trade with the move add `gamma_usd` of delta for a
relative move of one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from monitor.answers.shock import all_moves
from monitor.cascade.carrying_out import Desk
from monitor.cascade.impact import Impact, displaced
from monitor.cascade.policies import Policy
from monitor.cascade.rounds import Setup, impact_scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.cascade.accounts import Accounts


class GainPoint(Struct, frozen=True):
    """One move of the direction: accounts in liquidation, flow and impact by underlying, and the gain up to here."""

    move: float
    liquidated: int
    flow_usd: dict[str, float]
    impact: dict[str, float]
    gain: float
    underlying: str


class LoopGain(Struct, frozen=True):
    """A ladder of moves; `unstable_at` is the first one whose gain reaches one, None without any."""

    direction: str
    points: tuple[GainPoint, ...]
    unstable_at: float | None


def loop_gain(
    accounts: Accounts, direction: str, moves: Sequence[float], setup: Setup | None = None,
    gamma_usd: Mapping[str, float] | None = None,
) -> LoopGain:  # fmt: skip
    """Walk along moves of one sign, smallest first, without trading. Raises RefusedShock, or ValueError on moves."""
    setup = setup or Setup()
    if not moves or 0.0 in moves or list(moves) != sorted(moves, key=abs) or len({x > 0 for x in moves}) > 1:
        raise ValueError("moves have one sign and grow from zero")
    impact = Impact(impact_scale(accounts, setup), permanent=setup.permanent, fading=setup.fading)
    hedged = np.array([(gamma_usd or {}).get(u, 0.0) for u in accounts.underlyings])
    start, points = accounts.view.facts, list[GainPoint]()
    before_x = before_i = np.zeros(len(accounts.underlyings))
    for move in (0.0, *moves):
        by_coin = all_moves(accounts.view, {direction: move})
        x = np.array([math.log1p(by_coin.get(u, 0.0)) for u in accounts.underlyings])
        accounts.move(displaced(start, dict(zip(accounts.underlyings, x.tolist(), strict=True)), setup.response, 0.0))
        desk = Desk(accounts, Policy(), setup)
        fallen = desk.judge(accounts.figures())
        flow = desk.wanted() + hedged * np.expm1(x)
        pushed = impact.of(flow)
        if move == 0.0:  # who is in liquidation already counts for no slope
            before_i = pushed
            continue
        step = x - before_x
        slope = np.divide(pushed - before_i, step, out=np.zeros_like(step), where=step != 0.0)
        worst = int(np.argmax(slope))
        points.append(
            GainPoint(
                move, len(fallen), {u: float(f) for u, f in zip(accounts.underlyings, flow, strict=True) if f},
                {u: float(math.expm1(i)) for u, i in zip(accounts.underlyings, pushed, strict=True) if i},
                float(slope[worst]), accounts.underlyings[worst],
            )
        )  # fmt: skip
        before_x, before_i = x, pushed
    accounts.move(start)
    return LoopGain(direction, tuple(points), next((one.move for one in points if one.gain >= 1.0), None))
