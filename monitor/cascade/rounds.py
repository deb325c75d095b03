"""The loop: prices, accounts, what those in liquidation trade, what that does to prices, and again.

A round evaluates every account at one set of prices, trades at those prices, and lets the round's flow move them. Who
trades gets two thirds of the round's move on average, the mean of a square root. Fees go to the insurance fund; what a
closed account still owes is paid by it, and is bad debt beyond it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import numpy as np
from msgspec import Meta, Struct

from monitor.answers.shock import Shock, all_moves
from monitor.cascade.carrying_out import Desk
from monitor.cascade.impact import Impact, displaced, scale_of
from monitor.cascade.policies import Policy
from monitor.cascade.pushes import Pushes
from monitor.cascade.result import Cascade, Round

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernels._jit import Floats
    from monitor.cascade.accounts import Accounts

MEAN_OF_ROOT = 2.0 / 3.0


class Setup(Struct, frozen=True, forbid_unknown_fields=True):
    """What a cascade assumes of the market and the venue; defaults are ours, `eta` is methodologies' 0.7.

    `response` was 3.4 in the first hours of 2025-10-10. `fee_rate` is of the delta that is traded. Depths, spreads and
    volatilities where the market has none are those of the parameter set's liquidity add-on.
    """

    eta: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.7
    permanent: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5
    fading: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.5
    response: Annotated[float, Meta(ge=0.0, le=20.0)] = 3.0
    fee_rate: Annotated[float, Meta(ge=0.0, le=0.1)] = 0.005
    insurance_usd: Annotated[float, Meta(ge=0.0)] = 0.0
    depth: Annotated[float, Meta(gt=0.0)] = 1.0
    """Multiplies every daily volume: what a book of these accounts finds of the market."""
    max_rounds: Annotated[int, Meta(ge=1, le=1_000_000)] = 50


def cascade(
    accounts: Accounts, shock: Shock, policy: Policy | None = None, setup: Setup | None = None,
    told: Callable[[Round], None] | None = None,
) -> Cascade:  # fmt: skip
    """Play a shock to its end; `accounts` are used up by it. Raises RefusedShock."""
    policy, setup = policy or Policy(), setup or Setup()
    moves = all_moves(accounts.view, shock.moves)
    first = np.array([math.log1p(moves.get(u, 0.0)) for u in accounts.underlyings])
    impact = Impact(impact_scale(accounts, setup), permanent=setup.permanent, fading=setup.fading)
    desk, pushes = Desk(accounts, policy, setup), Pushes(accounts.underlyings)
    start, rounds, worst = accounts.view.facts, list[Round](), first
    fallen: dict[str, None] = {}
    ended = "rounds"
    for number in range(1, setup.max_rounds + 1):
        moved = impact.displacement()
        log_move = first + moved
        worst = np.where(np.abs(log_move) > np.abs(worst), log_move, worst)
        by_name = dict(zip(accounts.underlyings, log_move.tolist(), strict=True))
        accounts.move(displaced(start, by_name, setup.response, shock.vol))
        new = desk.judge(accounts.figures())
        for name in new:
            fallen.setdefault(name)
            pushes.fell(name, accounts.delta_usd(name), first, moved)
        before = desk.totals
        flows = desk.carry_out()
        flow = sum(flows.values(), np.zeros(len(first)))
        pushes.traded(flows)
        after = impact.take(flow)
        slipped = desk.slip(flows, MEAN_OF_ROOT * (after - moved))
        desk.close_out()
        done = desk.totals.less(before)
        one = Round(
            number=number, new=len(new), open=desk.open, flow_usd=_named(accounts, flow), taken_usd=done.taken_usd,
            move=_named(accounts, np.expm1(log_move), keep=True), cost_usd=done.cost_usd + slipped,
            insurance_usd=done.insurance_usd, bad_debt_usd=done.bad_debt_usd,
        )  # fmt: skip
        rounds.append(one)
        if told is not None:
            told(one)
        if not new and not flows and not done.taken_usd:
            ended = "quiet"
            break
    waiting, to_go = desk.waiting() if ended == "rounds" else (np.zeros(len(first)), 0)
    resting = first + setup.permanent * impact.of(impact.total_usd)
    shocked = first != 0.0
    return Cascade(
        policy=policy.kind, accounts=len(accounts.names), rounds=tuple(rounds),
        initial_move=_named(accounts, np.expm1(first)), worst_move=_named(accounts, np.expm1(worst)),
        final_move=_named(accounts, np.expm1(resting)),
        amplification={u: float(worst[k] / first[k]) for k, u in enumerate(accounts.underlyings) if shocked[k]},
        liquidated=tuple(sorted(fallen)), bankrupt=tuple(sorted(desk.bankrupt)), traded_usd=desk.totals.traded_usd,
        cost_usd=math.fsum(one.cost_usd for one in rounds), fees_usd=desk.totals.fees_usd,
        insurance_usd=desk.totals.insurance_usd, bad_debt_usd=desk.totals.bad_debt_usd, pushes=pushes.largest(),
        ended=ended, waiting_usd=_named(accounts, waiting), rounds_to_go=to_go,
    )  # fmt: skip


def impact_scale(accounts: Accounts, setup: Setup) -> Floats:
    """Return what `Impact` multiplies the root of a flow by, float64[U]."""
    found = []
    for u in accounts.underlyings:
        depth, vol = accounts.liquidity(u), accounts.view.facts.coins[u].annual_vol
        annual = depth.assumed_vol_annual if vol is None or not math.isfinite(vol) else vol
        found.append(scale_of(setup.eta, annual, depth.daily_volume_usd * setup.depth))
    return np.array(found)


def _named(accounts: Accounts, values: Floats, *, keep: bool = False) -> dict[str, float]:
    return {u: float(x) for u, x in zip(accounts.underlyings, values, strict=True) if keep or x != 0.0}
