"""Where collateral belongs: the allocation over venues that leaves the least shortfall, for the least moving.

A quadratic program, solved by Clarabel. With x_ij units of asset j at venue i, value v_j, haircut h_ij, shortfall s_i:

    minimise  sum_i (a s_i + b s_i^2) + sum_ij c_ij v_j x_ij + d sum_ij (v_j (x_ij - x0_ij))^2
    such that sum_j v_j (1 - h_ij) x_ij + s_i >= R_i (1 + buffer_i) - E_i
              sum_i x_ij <= X_j,  locked_ij <= x_ij,  s >= 0

b spreads shortfalls over venues, a large makes them zero where they can be, d keeps the answer from tick to tick.
Margin calls are per venue: nothing is netted across them here. Source: docs/plan.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import clarabel
import msgspec
import numpy as np
from scipy import sparse

from kernels._jit import Floats

_TOLERANCE = 1e-10
_LEAST_MOVE = 1e-4  # of all units of an asset; the objective is flat in less, and a solver stops anywhere in it


class CannotAllocate(ValueError):
    """There is no allocation, and why."""


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue or sub-account: requirement, equity without the collateral here, both USD, and its haircuts by asset.

    What an asset is not named in counts for nothing there. `now` and `locked` are units by asset.
    """

    name: str
    requirement_usd: float
    equity_usd: float
    haircuts: Mapping[str, float]
    buffer: float = 0.0
    now: Mapping[str, float] = field(default_factory=dict)
    locked: Mapping[str, float] = field(default_factory=dict)
    cost_rate: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset that can be moved: all units there are, over all venues and in reserve, and USD for one."""

    name: str
    units: float
    value_usd: float


@dataclass(frozen=True, slots=True)
class Weights:
    """What the program minimises: a and b of shortfalls, d of moving, per USD and USD squared over `scale_usd`."""

    shortfall: float = 1.0
    shortfall_squared: float = 1.0
    moving: float = 0.01


class Treasury(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked: the question of `allocate` as one record."""

    venues: tuple[Venue, ...]
    assets: tuple[Asset, ...]
    weights: Weights = Weights()


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """Where collateral should be, and what that leaves."""

    units: dict[str, dict[str, float]]
    """Units by venue and asset."""
    moves: dict[str, dict[str, float]]
    """Units to send to a venue, below zero from it; what changes by less than 1e-4 of what there is is left out."""
    reserve: dict[str, float]
    """Units at no venue."""
    shortfall_usd: dict[str, float]
    """What is still missing by venue, buffer included, USD."""
    transferable_usd: dict[str, float]
    """Value after haircuts that a venue could spare and still meet its requirement with buffer, USD."""
    price: dict[str, float]
    """What one USD of requirement more costs the objective, by venue, in units of the weights."""


def allocate(venues: Sequence[Venue], assets: Sequence[Asset], weights: Weights | None = None) -> Allocation:
    """Return the best allocation of assets over venues.

    Raises CannotAllocate on figures that are not finite, or where more is locked than there is.
    """
    weights = weights or Weights()
    _check(venues, assets)
    n, m = len(venues), len(assets)
    value = np.array([asset.value_usd for asset in assets])
    units = np.array([asset.units for asset in assets])
    now, locked, cost = (_table(venues, assets, name) for name in ("now", "locked", "cost_rate"))
    counted = np.array([[1.0 - v.haircuts.get(a.name, 1.0) for a in assets] for v in venues]).reshape(n, m)
    need = np.array([v.requirement_usd * (1.0 + v.buffer) - v.equity_usd for v in venues])
    # In USD over the largest sum there is: one scale for all weights.
    unit = max(1.0, float(np.abs(need).max(initial=0.0)), float((units * value).max(initial=0.0)))
    dollars, have = units * value / unit, now * value / unit
    quadratic = np.concatenate([np.full(n * m, 2.0 * weights.moving), np.full(n, 2.0 * weights.shortfall_squared)])
    linear = np.concatenate([(cost - 2.0 * weights.moving * have).ravel(), np.full(n, weights.shortfall)])
    rows, right = _rows(counted, need / unit, dollars, locked * value / unit)
    found = _run(quadratic, linear, rows, right)
    x = np.maximum(np.array(found.x[: n * m]).reshape(n, m), locked * value / unit)
    chosen = np.maximum(np.divide(x * unit, value, out=np.zeros_like(x), where=value > 0.0), locked)
    met = (counted * x).sum(axis=1) * unit - need
    return _allocation(venues, assets, chosen, now, met, np.array(found.z[:n]))


def _check(venues: Sequence[Venue], assets: Sequence[Asset]) -> None:
    for named in (venues, assets):
        names = [one.name for one in named]
        if len(set(names)) < len(names):
            raise CannotAllocate("a name is there twice")
    numbers = [x for asset in assets for x in (asset.units, asset.value_usd)]
    if any(x < 0.0 for x in numbers):
        raise CannotAllocate("amounts and prices are not negative")
    for venue in venues:
        numbers += [venue.requirement_usd, venue.equity_usd, venue.buffer]
        for table in (venue.haircuts, venue.now, venue.locked, venue.cost_rate):
            numbers += table.values()
        if any(not 0.0 <= h <= 1.0 for h in venue.haircuts.values()):
            raise CannotAllocate(f"a haircut of {venue.name} is not from 0 to 1")
    if not np.isfinite(numbers).all():
        raise CannotAllocate("a figure is not finite")
    for asset in assets:
        locked = sum(venue.locked.get(asset.name, 0.0) for venue in venues)
        if locked > asset.units * (1.0 + 1e-12):
            raise CannotAllocate(f"{locked:g} {asset.name} are locked, and there are {asset.units:g}")


def _table(venues: Sequence[Venue], assets: Sequence[Asset], name: str) -> Floats:
    values = [[getattr(venue, name).get(asset.name, 0.0) for asset in assets] for venue in venues]
    return np.array(values, dtype=np.float64).reshape(len(venues), len(assets))


def _rows(counted: Floats, need: Floats, dollars: Floats, locked: Floats) -> tuple[sparse.csc_matrix, Floats]:
    """Return rows `b - A x >= 0`: requirements, amounts, what is locked, shortfalls not negative."""
    n, m = counted.shape
    requirement = sparse.hstack([-sparse.block_diag(list(counted.reshape(n, 1, m))), -sparse.identity(n)])
    amounts = sparse.hstack([sparse.kron(np.ones((1, n)), sparse.identity(m)), sparse.csc_matrix((m, n))])
    least = -sparse.identity(n * m + n)
    right = np.concatenate([-need, dollars, -locked.ravel(), np.zeros(n)])
    return sparse.csc_matrix(sparse.vstack([requirement, amounts, least])), right


def _run(quadratic: Floats, linear: Floats, rows: sparse.csc_matrix, right: Floats) -> clarabel.DefaultSolution:
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.direct_solve_method = "qdldl"
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = _TOLERANCE
    cones = [clarabel.NonnegativeConeT(len(right))]
    costs = sparse.csc_matrix(sparse.diags(quadratic))
    found = clarabel.DefaultSolver(costs, linear, rows, right, cones, settings).solve()
    if found.status not in {clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved}:
        raise CannotAllocate(f"the solver says {found.status}")
    return found


def _allocation(
    venues: Sequence[Venue], assets: Sequence[Asset], units: Floats, now: Floats, met: Floats, price: Floats
) -> Allocation:
    names = [asset.name for asset in assets]
    least = np.array([_LEAST_MOVE * asset.units for asset in assets])
    changed = np.where(np.abs(units - now) > least, units - now, 0.0)
    return Allocation(
        units={v.name: dict(zip(names, row.tolist(), strict=True)) for v, row in zip(venues, units, strict=True)},
        moves={
            v.name: {name: float(x) for name, x in zip(names, row, strict=True) if x != 0.0}
            for v, row in zip(venues, changed, strict=True)
        },
        reserve={a.name: max(0.0, a.units - float(units[:, j].sum())) for j, a in enumerate(assets)},
        shortfall_usd={v.name: max(0.0, -float(x)) for v, x in zip(venues, met, strict=True)},
        transferable_usd={v.name: max(0.0, float(x)) for v, x in zip(venues, met, strict=True)},
        price={v.name: float(x) for v, x in zip(venues, price, strict=True)},
    )
