"""Two runs, or two configurations of one, against each other: who is called by one alone, and who earlier."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

import msgspec
import numpy as np

from monitor.judgement.calls import Call, first_calls
from monitor.judgement.paths import Paths
from monitor.judgement.probes import KINDS as PROBES


class Difference(msgspec.Struct, frozen=True):
    """One account's first event of a kind under A and under B; `lead_s` is what A gains on B."""

    account: str
    kind: str
    a_us: int | None
    b_us: int | None
    lead_s: float | None


class Differences(msgspec.Struct, frozen=True):
    """All accounts, by kind of event: counts, and the distribution of the lead where both have one."""

    a: str
    b: str
    kind: str
    both: int
    only_a: int
    only_b: int
    earlier_a: int
    earlier_b: int
    same: int
    median_lead_s: float | None
    first_a_us: int | None
    first_b_us: int | None
    accounts: tuple[Difference, ...]
    """Those that differ, the largest difference first, those of one alone before."""


class Disagreement(msgspec.Struct, frozen=True):
    """How far configurations lie apart at a moment."""

    at_us: int
    highest: str
    lowest: str
    ratio: float | None
    """Largest over smallest sum of initial requirements."""
    short: dict[str, int]
    """Accounts whose equity is below the initial requirement, by configuration."""
    disputed: int
    """Accounts that some configuration calls and another does not."""


KINDS = ("margin_call", "liquidation", "bankrupt")


def differences(a: str, calls_a: Iterable[Call], b: str, calls_b: Iterable[Call]) -> list[Differences]:
    """Return the differences by kind; an account is matched with itself, by its first event of the kind."""
    kept_a, kept_b = list(calls_a), list(calls_b)
    found = []
    for kind in KINDS:
        in_a, in_b = first_calls(kept_a, (kind,)), first_calls(kept_b, (kind,))
        rows = [_difference(name, kind, in_a.get(name), in_b.get(name)) for name in sorted({*in_a, *in_b})]
        leads = [row.lead_s for row in rows if row.lead_s is not None]
        apart = [row for row in rows if row.lead_s != 0.0]
        apart.sort(key=lambda row: (row.lead_s is not None, -abs(row.lead_s or 0.0), row.account))
        found.append(
            Differences(
                a, b, kind, len(leads), len(in_a.keys() - in_b.keys()), len(in_b.keys() - in_a.keys()),
                sum(lead > 0 for lead in leads), sum(lead < 0 for lead in leads), sum(lead == 0 for lead in leads),
                statistics.median(leads) if leads else None, min((one.at_us for one in in_a.values()), default=None),
                min((one.at_us for one in in_b.values()), default=None), tuple(apart),
            )
        )  # fmt: skip
    return found


def disagreement(paths: Paths, every: int = 1) -> list[Disagreement]:
    """Return how far the configurations of a run lie apart, at every `every`-th sample; probes are left out."""
    of = paths.where(~np.isin(paths.kinds, PROBES))
    found = []
    for t in range(0, len(of.times_us), every):
        totals = {one.configuration.name: float(np.nansum(one.im_usd[t])) for one in of.requirements}
        short = {one.configuration.name: one.im_usd[t] > of.equity_usd[t] for one in of.requirements}
        high, low = max(totals, key=totals.__getitem__), min(totals, key=totals.__getitem__)
        stacked = np.stack(list(short.values()))
        found.append(
            Disagreement(
                int(of.times_us[t]), high, low, totals[high] / totals[low] if totals[low] > 0.0 else None,
                {name: int(row.sum()) for name, row in short.items()},
                int((stacked.any(axis=0) & ~stacked.all(axis=0)).sum()),
            )
        )  # fmt: skip
    return found


def _difference(account: str, kind: str, a: Call | None, b: Call | None) -> Difference:
    lead = (b.at_us - a.at_us) / 1e6 if a is not None and b is not None else None
    return Difference(account, kind, a.at_us if a else None, b.at_us if b else None, lead)
