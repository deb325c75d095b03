"""Everything that is judged of a run, as one record."""

from __future__ import annotations

import msgspec

from monitor.judgement.calls import Call, calls_of, first_calls
from monitor.judgement.coverage import Coverage, coverage
from monitor.judgement.differences import Differences, Disagreement, differences, disagreement
from monitor.judgement.earlier import Audited, audit
from monitor.judgement.paths import Paths
from monitor.judgement.policies import POLICIES, Outcome, Policy, outcome
from monitor.judgement.procyclicality import Procyclicality, procyclicality
from monitor.judgement.quality import Quality, opened_in_call, quality

LAYOUT = 1
LONGEST = 4  # a horizon is judged where the run has so many windows of it


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged by: close-out periods, the probability of a hit, the horizon of false calls, policies."""

    horizons_us: tuple[int, ...] = (600_000_000, 3_600_000_000)
    probability: float = 0.01
    false_us: int = 3_600_000_000
    policies: tuple[Policy, ...] = POLICIES
    insurance_usd: float | None = None
    """What the insurance fund has when the run begins; None pays every debt."""


class FirstCall(msgspec.Struct, frozen=True):
    """When a configuration first said what to whom, of accounts that it had not called at the first sample."""

    configuration: str
    kind: str
    at_us: int
    account: str


class Judgement(msgspec.Struct, frozen=True):
    """A run judged."""

    v: int
    digest: str
    terms: Terms
    first: tuple[FirstCall, ...]
    quality: tuple[Quality, ...]
    coverage: tuple[Coverage, ...]
    procyclicality: tuple[Procyclicality, ...]
    policies: tuple[Outcome, ...]
    audits: tuple[Audited, ...]
    differences: tuple[Differences, ...]
    disagreement: tuple[Disagreement, ...]


def judged(paths: Paths, terms: Terms | None = None) -> tuple[Judgement, dict[str, list[Call]]]:
    """Return the judgement of a run, and the calls it rests on by configuration.

    Raises ValueError where a horizon does not fit the run's step.
    """
    terms = terms or Terms()
    names = paths.names
    calls = {name: calls_of(paths, name) for name in names}
    length_us = int(paths.times_us[-1] - paths.times_us[0])
    horizons = [one for one in terms.horizons_us if one * LONGEST <= length_us] or [paths.step_us]
    first = tuple(
        FirstCall(name, kind, one.at_us, one.account)
        for name in names
        for kind in ("margin_call", "liquidation", "bankrupt")
        for one in sorted(_later(paths, name, calls[name], kind), key=lambda call: (call.at_us, call.account))[:1]
    )
    base = names[-1] if "P" not in names else "P"
    found = Judgement(
        LAYOUT, paths.digest(), terms, first,
        tuple(quality(paths, name, calls[name], terms.false_us) for name in names),
        tuple(row for name in names for horizon in horizons
              for row in coverage(paths, name, horizon, probability=terms.probability)),
        tuple(row for name in names for row in procyclicality(paths, name)),
        tuple(outcome(paths, name, policy, terms.insurance_usd) for name in names for policy in terms.policies),
        tuple(row for name in names for row in audit(paths, name, calls[name])),
        tuple(row for name in names if name != base for row in differences(name, calls[name], base, calls[base])),
        tuple(disagreement(paths)),
    )  # fmt: skip
    return found, calls


def _later(paths: Paths, name: str, calls: list[Call], kind: str) -> list[Call]:
    """Return the first events of a kind of accounts that were not opened in call."""
    left_out = opened_in_call(paths, name)
    return [one for account, one in first_calls(calls, (kind,)).items() if account not in left_out]
