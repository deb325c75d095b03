"""Fitted on one period, judged on others: configurations of a run, times levels and thresholds, all shown.

A candidate is a configuration of the run (its floors, k, ranges, shocks), a level (one factor on requirements) and a
threshold of the call. The score is what a desk pays for, in shares of the gross notional:

    capital + w_hit max(0, rate of losses beyond IM - probability)
        + w_false (false calls of judged) + w_missed (missed of defaults)

smaller is better. The search is the whole grid, in its order; ties go to the earlier one. A level is no parameter of
every model: a set is written with it where the model has one that scales everything, and refused else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from monitor.judgement.calls import calls_of
from monitor.judgement.coverage import windows
from monitor.judgement.paths import Paths, Requirement
from monitor.judgement.probes import KINDS as PROBES
from monitor.judgement.quality import quality
from schemas.records import ParameterSet

MIN_CALL, MAX_CALL = 0.5, 1.2


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """What is weighed against capital [ours]."""

    hit: float = 10.0
    false: float = 0.02
    missed: float = 0.5
    probability: float = 0.01
    horizon_us: int = 600_000_000
    false_us: int = 3_600_000_000


class Scored(msgspec.Struct, frozen=True):
    """One period's score of a candidate, and what it is made of; rates are None where there was nothing to count."""

    score: float
    capital_of_gross: float
    hit_rate: float
    false_rate: float | None
    missed_rate: float | None
    calls: int
    defaults: int


class Tried(msgspec.Struct, frozen=True):
    """One candidate: on the period it is chosen by, and on those it is judged on, by their names."""

    configuration: str
    call_v: float
    level: float
    fitted: Scored
    judged: dict[str, Scored]


class Calibration(msgspec.Struct, frozen=True):
    """A whole search: every candidate in the order tried, and the chosen one's place."""

    weights: Weights
    fitted_on: str
    judged_on: tuple[str, ...]
    digests: dict[str, str]
    tried: tuple[Tried, ...]
    chosen: int


def search(
    fit: tuple[str, Paths], others: Sequence[tuple[str, Paths]], call_vs: Sequence[float], levels: Sequence[float],
    weights: Weights | None = None,
) -> Calibration:  # fmt: skip
    """Try every configuration that all periods have with every threshold and level.

    Raises ValueError where they have none in common, or a grid is empty or out of range.
    """
    weights = weights or Weights()
    names = [name for name in fit[1].names if all(name in paths.names for _, paths in others)]
    if not (names and call_vs and levels):
        raise ValueError("there is nothing to try: no configuration is in every run, or a grid is empty")
    if not all(MIN_CALL <= one <= MAX_CALL for one in call_vs) or not all(0.1 <= one <= 10.0 for one in levels):
        raise ValueError(f"thresholds of the call are {MIN_CALL} to {MAX_CALL}, levels 0.1 to 10")
    tried = [
        Tried(
            name, call_v, level, score(fit[1], name, call_v, level, weights),
            {label: score(paths, name, call_v, level, weights) for label, paths in others},
        )
        for name in names for level in levels for call_v in call_vs
    ]  # fmt: skip
    chosen = min(range(len(tried)), key=lambda n: (tried[n].fitted.score, n))
    digests = {label: paths.digest() for label, paths in (fit, *others)}
    return Calibration(weights, fit[0], tuple(label for label, _ in others), digests, tuple(tried), chosen)


def score(paths: Paths, name: str, call_v: float, level: float, weights: Weights) -> Scored:
    """Return a candidate's score over a period."""
    of = _candidate(paths, name, call_v, level)
    _, loss, required, known, _ = windows(of, name, weights.horizon_us)
    own = ~np.isin(of.kinds, PROBES)
    known = known & own
    hits = float((known & (loss > required)).sum() / max(1, int(known.sum())))
    found = quality(of, name, calls_of(of, name), weights.false_us)
    capital = found.mean_capital_of_gross if found.mean_capital_of_gross is not None else math.nan
    missed = found.missed / found.defaults if found.defaults else None
    total = capital + weights.hit * max(0.0, hits - weights.probability)
    total += weights.false * (found.false_rate or 0.0) + weights.missed * (missed or 0.0)
    return Scored(total, capital, hits, found.false_rate, missed, found.called, found.defaults)


def fitted_set(calibration: Calibration, paths: Paths, name: str) -> ParameterSet:
    """Return the chosen candidate as a parameter set under a name.

    Raises ValueError for a level other than 1: what it scales is not one parameter of a set.
    """
    best = calibration.tried[calibration.chosen]
    if best.level != 1.0:
        raise ValueError(f"the best level is {best.level}: no parameter scales model {best.configuration} as a whole")
    parameters = paths.of(best.configuration).configuration.parameters
    return _with_call(msgspec.structs.replace(parameters, name=name), best.call_v)


def _candidate(paths: Paths, name: str, call_v: float, level: float) -> Paths:
    one = paths.of(name)
    configuration = msgspec.structs.replace(
        one.configuration, parameters=_with_call(one.configuration.parameters, call_v)
    )
    return replace(paths, requirements=(Requirement(configuration, level * one.im_usd, level * one.mm_usd),))


def _with_call(parameters: ParameterSet, call_v: float) -> ParameterSet:
    """Return a set whose call comes at another v; the other thresholds of v keep their distance to it."""
    before = parameters.status
    by = call_v / before.margin_call_enter_v
    status = msgspec.structs.replace(
        before, margin_call_enter_v=call_v, margin_call_leave_v=before.margin_call_leave_v * by,
        warning_enter_v=before.warning_enter_v * by, warning_leave_v=before.warning_leave_v * by,
    )  # fmt: skip
    return msgspec.structs.replace(parameters, status=status)
