"""For each liquidation: the smallest earlier action that would have prevented it, and the last chance for one.

A deposit of dollars adds to equity and to no requirement, so the least that prevents a liquidation is the largest
shortage that follows. A reduction closes one share of everything; at a share x from a moment on,

    equity(s) = E - c x G + (1 - x) (E(s) - E),    MM(s) = (1 - x) MM(s)

must leave equity above maintenance at every later sample until the audit's end, which is linear in x. E, G are equity
and notional when it is done, c its cost. With hindsight: it is a measure of what was possible, not of what was known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import numpy as np

from monitor.judgement.calls import Call
from monitor.judgement.paths import Paths

COST_RATE = 0.002
MINUTE_US = 60_000_000
LEADS_MIN = (1, 5, 10, 30, 60)  # before the liquidation
SMALL = 0.25  # of the book: what an account holder closes without giving up the position
BEYOND_US = 30 * MINUTE_US  # an action has to keep the account safe so long after the moment of its liquidation


class Action(msgspec.Struct, frozen=True):
    """What would have been enough so long before; None where closing everything would not have been."""

    lead_s: int
    deposit_usd: float
    deposit_of_equity: float | None
    reduction: float | None
    """Share of everything."""


class Audited(msgspec.Struct, frozen=True):
    """One liquidation looked at from before."""

    configuration: str
    account: str
    kind: str
    liquidated_us: int
    called_us: int | None
    """The first call before it."""
    jump: bool
    actions: tuple[Action, ...]
    at_call: Action | None
    last_small_us: int | None
    """The last moment at which closing a quarter of everything was enough; None if there was none in the run."""
    last_us: int | None
    """The last sample before it at which anything was."""


def audit(paths: Paths, name: str, calls: Iterable[Call], *, cost_rate: float = COST_RATE) -> list[Audited]:
    """Audit the first liquidation of each account under a configuration, in the order of time."""
    found: list[Audited] = []
    called: dict[str, int] = {}
    done: set[str] = set()
    places = {account: n for n, account in enumerate(paths.accounts)}
    for one in calls:
        if one.kind == "margin_call":
            called.setdefault(one.account, one.at_us)
        if one.kind in ("liquidation", "bankrupt") and one.account not in done:
            done.add(one.account)
            n = places[one.account]
            found.append(_audited(paths, name, one, n, called.get(one.account), cost_rate))
    return found


def _audited(paths: Paths, name: str, call: Call, n: int, called_us: int | None, cost_rate: float) -> Audited:
    times = paths.times_us
    at = int(np.searchsorted(times, call.at_us))
    end = int(np.searchsorted(times, call.at_us + BEYOND_US, side="right"))
    actions = []
    for lead in LEADS_MIN:
        t = int(np.searchsorted(times, call.at_us - lead * MINUTE_US, side="right")) - 1
        if t >= 0 and times[t] < call.at_us:
            actions.append(_action(paths, name, n, t, end, call.at_us, cost_rate))
    at_call = None
    if called_us is not None and called_us < call.at_us:
        t = int(np.searchsorted(times, called_us, side="left"))
        at_call = _action(paths, name, n, t, end, call.at_us, cost_rate) if t < at else None
    last, last_small = None, None
    for t in range(at - 1, -1, -1):
        share = _reduction(paths, name, n, t, end, cost_rate)
        if share is not None and last is None:
            last = int(times[t])
        if share is not None and share <= SMALL:
            last_small = int(times[t])
            break
    return Audited(
        name, call.account, paths.kinds[n], call.at_us, called_us, call.jump, tuple(actions), at_call, last_small, last
    )


def _action(paths: Paths, name: str, n: int, t: int, end: int, liquidated_us: int, cost_rate: float) -> Action:
    excess = paths.equity_usd[t + 1 : end, n] - paths.of(name).mm_usd[t + 1 : end, n]
    shortage = max(0.0, -float(np.nanmin(excess))) if np.isfinite(excess).any() else math.nan
    equity = float(paths.equity_usd[t, n])
    return Action(
        int((liquidated_us - paths.times_us[t]) // 1_000_000), shortage, shortage / equity if equity > 0.0 else None,
        _reduction(paths, name, n, t, end, cost_rate),
    )  # fmt: skip


def _reduction(paths: Paths, name: str, n: int, t: int, end: int, cost_rate: float) -> float | None:
    """Return the least share closed after sample `t` that keeps equity at maintenance or above, None if none does."""
    now = float(paths.equity_usd[t, n])
    cost = cost_rate * float(paths.gross_usd[t, n])
    equity, mm = paths.equity_usd[t + 1 : end, n], paths.of(name).mm_usd[t + 1 : end, n]
    known = np.isfinite(equity) & np.isfinite(mm)
    slack = (equity - now - mm)[known]  # excess of the whole account after t, less its equity at t
    if not math.isfinite(now) or not len(slack):
        return None
    least = 0.0
    for one in slack.tolist():
        if now + one >= 0.0:
            continue
        slope = cost + one  # what a share costs, and what it no longer loses or requires
        if slope >= 0.0:
            return None
        least = max(least, (now + one) / slope)
    return least if least <= 1.0 else None
