"""What model P has in force at each minute, and what it would have without parts of its damping.

`published` is the one place that says what is in force, all of it read from the fold: matrices from the published view,
the floor last; k by the regime; ranges from the published steps (`ranges.charged`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.crash.books import Forces
from benchmarks.crash.estimates import Inputs, fast_alone, naive, repaired
from benchmarks.crash.ranges import charged, undamped, unheld
from benchmarks.crash.recording import Floats, Recording
from monitor.engine.correlation import FLOOR, CorrelationView, gather
from monitor.engine.netting import stress_in
from monitor.engine.parameters import ActiveSet

UNDAMPED_HALF_LIFE_MIN = 120.0  # of the volatility: that of the fast matrix


@dataclass(frozen=True, slots=True)
class Form:
    """One form of the requirement: its name, what is in force, and the weight of stress in its blend."""

    name: str
    forces: Forces
    stress_weight: float = 0.0


def published(recording: Recording, coins: tuple[str, ...], first: int, active: ActiveSet) -> Forces:
    """Return what a parameter set has in force from row `first` on."""
    netting = active.set.netting
    matrices = [gather(view, coins, netting.floor_correlation) for view in recording.views[first:]]
    k = np.array([stress_in(regime.regime, netting) for regime in recording.regimes[first:]])
    return Forces(matrices, k, charged(recording, coins, active)[first:])


def not_held_back(recording: Recording, coins: tuple[str, ...], first: int, active: ActiveSet) -> Forces:
    """Return the same with the ranges of a deployment that no beginning of a history holds back."""
    now = published(recording, coins, first, active)
    return Forces(now.matrices, now.k, unheld(recording, coins).steps[first:])


def at_constant_ranges(forces: Forces) -> Forces:
    """Return the same with a range of 1 for every coin, so that only correlation moves a constant book."""
    return Forces(forces.matrices, forces.k, np.ones_like(forces.ranges))


def only(forces: Forces, views: list[CorrelationView], names: tuple[str, ...]) -> Forces:
    """Return the same with those matrices of each set that have these names."""
    matrices = [
        stack[[k for k, name in enumerate(view.names) if name in names]]
        for view, stack in zip(views, forces.matrices, strict=True)
    ]
    return Forces(matrices, forces.k, forces.ranges)


def forms(inputs: Inputs, first: int, active: ActiveSet, blend: float) -> list[Form]:
    """Return the requirement with more and more of its damping, each form with one part more than the one before."""
    recording, coins = inputs.recording, inputs.coins
    rows = range(first, len(recording.minutes))
    full = published(recording, coins, first, active)
    quick = undamped(recording, coins, UNDAMPED_HALF_LIFE_MIN)[first:]
    free = unheld(recording, coins)
    slow, ladder = free.wanted[first:], free.steps[first:]
    alone = _filled([fast_alone(inputs, row) for row in rows])
    crude = _filled([naive(inputs, row) for row in rows])
    k = np.full_like(full.k, active.set.netting.correlation_stress)
    every = Forces(full.matrices, k, ladder)
    views = recording.views[first:]
    return [
        Form("naive 1-minute matrix of the last hour, volatility 2 h", Forces(crude, k, quick)),
        Form("fast matrix alone, volatility 2 h", Forces(alone, k, quick)),
        Form("+ volatility 24 h, squares limited", Forces(alone, k, slow)),
        Form("+ ladder", Forces(alone, k, ladder)),
        Form("+ shrinkage, slow matrix in the set", only(every, views, ("fast", "slow"))),
        Form("+ floor in the set", only(every, views, ("fast", "slow", FLOOR))),
        Form("+ latched matrices in the set", every),
        Form("+ k by regime", Forces(full.matrices, full.k, ladder)),
        Form("+ a beginning held back: in force", full),
        Form(f"+ {blend:.0%} of stress", full, blend),
    ]


def stress_of(forces: Forces, k: float, cap: float) -> Forces:
    """Return the stress that a blend leans on: the same matrices, every range at the cap, k as in a broken regime."""
    return Forces(forces.matrices, np.full_like(forces.k, k), np.full_like(forces.ranges, cap))


def blended(now: Floats, stress: Floats, weight: float) -> Floats:
    """Return max(now, (1 - b) now + b stress), elementwise."""
    return np.maximum(now, (1.0 - weight) * now + weight * stress)


def _filled(found: list[Floats | None]) -> list[Floats]:
    """Return sets of one repaired matrix each; where there is none, the one before."""
    out: list[Floats] = []
    for matrix in found:
        if matrix is not None:
            out.append(repaired(matrix)[None])
        elif out:
            out.append(out[-1])
        else:
            raise ValueError("no estimate at the first minute")
    return out
