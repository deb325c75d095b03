"""How good calls were: in time, for nothing, or never; and what requirements tie up.

An account *defaults* where its equity is zero or less at a sample, nobody acting. Accounts that were due for a call
at the first sample were opened so, and are left out of everything but capital.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np

from monitor.judgement.calls import CALLING, Call, first_calls
from monitor.judgement.paths import Bools, Paths
from monitor.judgement.probes import KINDS as PROBES


class Quality(msgspec.Struct, frozen=True):
    """Calls of one configuration. Times are seconds; ratios are None without anything to divide by."""

    configuration: str
    accounts: int
    called: int
    liquidated: int
    defaults: int
    hits: int
    """Defaults with a call, or a liquidation, at an earlier moment."""
    missed: int
    """Defaults without any."""
    hit_rate: float | None
    median_lead_s: float | None
    """From the first call or liquidation to the default, of the hits."""
    shortest_lead_s: float | None
    false_calls: int
    """Calls after which equity stayed above maintenance throughout the horizon, nobody acting."""
    judged_calls: int
    """Calls whose horizon lies within the run."""
    false_rate: float | None
    jumps: int
    """Liquidations and bankruptcies without an earlier call in their episode."""
    flip_flops: int
    """Calls of an account that had been called before."""
    mean_capital_usd: float
    """Time average of all initial requirements."""
    mean_capital_of_gross: float | None
    horizon_s: int


def defaults_us(paths: Paths) -> dict[str, int]:
    """Return when each account's equity was first seen at zero or below, probes left out."""
    gone: Bools = np.isfinite(paths.equity_usd) & (paths.equity_usd <= 0.0) & (paths.gross_usd > 0.0)
    return {
        paths.accounts[n]: int(paths.times_us[int(np.argmax(gone[:, n]))])
        for n in np.flatnonzero(gone.any(axis=0))
        if paths.kinds[n] not in PROBES
    }


def opened_in_call(paths: Paths, name: str) -> set[str]:
    """Return the accounts that were due for a call at the first sample."""
    one = paths.of(name)
    enter = one.configuration.parameters.status.margin_call_enter_v
    due = one.im_usd[0] >= enter * paths.equity_usd[0]
    return {paths.accounts[n] for n in np.flatnonzero(due)}


def quality(paths: Paths, name: str, calls: Iterable[Call], horizon_us: int) -> Quality:
    """Return the quality of a configuration's calls; a false one is judged over `horizon_us`."""
    left_out = opened_in_call(paths, name)
    counted = [one for one in calls if one.account not in left_out]
    defaults = {account: at for account, at in defaults_us(paths).items() if account not in left_out}
    first = first_calls(counted)
    leads = [
        (at - first[account].at_us) / 1e6
        for account, at in defaults.items()
        if account in first and first[account].at_us < at
    ]
    called = Counter(one.account for one in counted if one.kind == "margin_call")
    verdicts = [_is_false(paths, name, one, horizon_us) for one in counted if one.kind == "margin_call"]
    judged = [verdict for verdict in verdicts if verdict is not None]
    own = ~np.isin(paths.kinds, PROBES)
    capital = np.nansum(paths.of(name).im_usd[:, own], axis=1)
    gross = paths.gross_usd[:, own].sum(axis=1)
    return Quality(
        configuration=name, accounts=int(own.sum()) - len(left_out), called=len(called),
        liquidated=len(first_calls(counted, ("liquidation", "bankrupt"))), defaults=len(defaults), hits=len(leads),
        missed=len(defaults) - len(leads), hit_rate=_over(len(leads), len(defaults)),
        median_lead_s=statistics.median(leads) if leads else None, shortest_lead_s=min(leads, default=None),
        false_calls=sum(judged), judged_calls=len(judged), false_rate=_over(sum(judged), len(judged)),
        jumps=sum(one.jump for one in counted if one.kind in CALLING), flip_flops=sum(called.values()) - len(called),
        mean_capital_usd=float(capital.mean()), mean_capital_of_gross=_over(float(capital.sum()), float(gross.sum())),
        horizon_s=horizon_us // 1_000_000,
    )  # fmt: skip


def _is_false(paths: Paths, name: str, call: Call, horizon_us: int) -> bool | None:
    """Whether equity stayed above maintenance after a call; None where the run ends before the horizon, or is blank."""
    if call.at_us + horizon_us > paths.times_us[-1]:
        return None
    n = paths.accounts.index(call.account)
    begin, end = np.searchsorted(paths.times_us, [call.at_us, call.at_us + horizon_us], side="right")
    excess = paths.equity_usd[begin:end, n] - paths.of(name).mm_usd[begin:end, n]
    if not np.isfinite(excess).all() or not len(excess):
        return None
    return bool((excess > 0.0).all())


def _over(above: float, below: float) -> float | None:
    return above / below if below and math.isfinite(above) else None
