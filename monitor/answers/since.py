"""What changed since an account's baseline, by any set of groups: the inputs of the engine's attribution, mixed.

A baseline knows the market of what was held then. Where a set of groups has the new positions and the old market, what
is held now and was not held then has no old price: it takes the present one, so the market's groups do not speak of
it. A coin that was not held then gets its old correlations as the engine gives them to any coin without an estimate.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from monitor.answers.groups import Change, Chosen, change_of
from monitor.engine.attribution import Inputs, Requirements, between
from monitor.engine.correlation import CorrelationView, Estimate, gather

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.answers.view import View
    from monitor.engine.figures import Floats


T = TypeVar("T")


def since_baseline(view: View, *, shapley: bool = False) -> Change | None:
    """Return what changed of the account's initial requirement since its baseline.

    That is its latest event, or without one its latest own record. None as for an event's attribution.
    """
    found = between(view.account, view.market(), view.active)
    if found is None:
        return None
    old, new, pricings = found
    requirements = Requirements(pricings)
    return change_of(lambda chosen: requirements.of(mixed(old, new, chosen)), shapley=shapley)


def mixed(old: Inputs, new: Inputs, chosen: Chosen) -> Inputs:
    """Return the inputs in which the chosen groups are new and all others old."""
    time, parameters, held = "time" in chosen, "parameters" in chosen, "trades" in chosen
    coins = new.coins if held else old.coins
    first = new if parameters else old
    return dataclasses.replace(
        old,
        grid_us=new.grid_us if time else old.grid_us,
        passed=_of(old.passed, new.passed, time),
        refinement=_of(old.refinement, new.refinement, time),
        model=first.model,
        netting=first.netting,
        risk_matrices=_of(old.risk_matrices, new.risk_matrices, parameters),
        ranges=_of(old.ranges, new.ranges, parameters),
        index=_of(old.index, new.index, "price" in chosen),
        vols=_of(old.vols, new.vols, "vol" in chosen),
        matrices=_matrices(old, new, sorted(coins), new_ones="correlation" in chosen),
        regime=new.regime if "correlation" in chosen else old.regime,
        bases=_of(old.bases, new.bases, "basis" in chosen),
        collateral_index=_of(old.collateral_index, new.collateral_index, "collateral" in chosen),
        coins=coins,
        contracts=new.contracts if held else old.contracts,
    )


def _of(old: Mapping[str, T], new: Mapping[str, T], is_new: bool) -> Mapping[str, T]:
    """Return new values, or old ones with new ones for what had none."""
    return new if is_new else {**new, **old}


def _matrices(old: Inputs, new: Inputs, names: list[str], *, new_ones: bool) -> Floats:
    """Return matrices over some coins, float64[K, U, U]: the present ones, or those of before."""
    if new_ones:
        return _among(new.matrices, sorted(new.index), names)
    known = sorted(old.coins)
    if set(names) <= set(known):
        return _among(old.matrices, known, names)
    if len(old.matrices) == 1 and (old.matrices == 1.0).all():
        return np.ones((1, len(names), len(names)))  # a plain sum, as it was
    estimates = tuple((str(k), Estimate(tuple(known), (), one)) for k, one in enumerate(old.matrices[:-1]))
    view = CorrelationView(0, 0, tuple(known), (), old.matrices[0], old.matrices[0], 0.0, 0.0, "", estimates)
    return gather(view, names, old.netting.floor_correlation)


def _among(matrices: Floats, names: list[str], wanted: list[str]) -> Floats:
    at = np.array([names.index(name) for name in wanted], dtype=np.int64)
    return np.ascontiguousarray(matrices[:, at[:, None], at[None, :]])
