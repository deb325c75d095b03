"""The least-cost reduction as one convex program, solved by Clarabel.

Trades, hedge vector and requirement are variables of one program. Under model P the requirement is written out: a cell
each for `r_u >= loss_us(q) + w_u m_s`, a second-order cone for each matrix. What is not written out (add-ons, all other
models) enters by supporting planes of the exact model, taken where the program has been. Impact, a power of 1.5, is
two small cones.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import clarabel
import numpy as np
from scipy import sparse

from kernels._jit import Floats
from monitor.answers.plan.exact import Evaluator

_TOLERANCE = 1e-8
_NEARLY = 1e-4  # a solve that stalls there is used: everything is margined again anyway
_STALLED = {clarabel.SolverStatus.InsufficientProgress, clarabel.SolverStatus.MaxIterations}


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A bound from below of what the requirement has beyond its written part: `at_usd + slope (trade - trade0)`."""

    trade: Floats
    at_usd: float
    slope: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The program's optimum: trades, cost in USD, and what one more USD of excess would cost."""

    trade: Floats
    cost_usd: float
    price_of_margin: float


@dataclass(slots=True)
class _Rows:
    """Rows `b - A x` in a cone, as they are collected."""

    columns: list[tuple[list[int], list[int], list[float]]] = field(default_factory=list)
    right: list[float] = field(default_factory=list)

    def add(self, entries: dict[int, float], right: float) -> int:
        at = len(self.right)
        self.columns.append(([at] * len(entries), list(entries), list(entries.values())))
        self.right.append(right)
        return at


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where variables are: y and |y| of n trades; size, impact, root of size by bucket; w, r, |w| of U; t; rest."""

    n: int
    buckets: int
    underlyings: int

    @property
    def cost(self) -> int:
        return 2 * self.n

    @property
    def w(self) -> int:
        return 2 * self.n + 3 * self.buckets

    @property
    def t(self) -> int:
        return self.w + 3 * self.underlyings

    @property
    def rest(self) -> int:
        return self.t + 1

    @property
    def width(self) -> int:
        return self.t + 2


def solve(model: Evaluator, planes: list[Plane], slack_usd: float) -> Answer | None:
    """Return the cheapest trades whose excess is at least `slack_usd`, None if there are none or the solver fails.

    `planes` are of the whole requirement, or of what it has beyond M* under model P. The answer is the optimum of what
    they say; whether it meets the target is for the exact model to say.
    """
    of, costs = model.of, model.costs
    n, places = len(of.names), len(model.tables)
    at = _Layout(n, len(costs.scale), places)
    unit = max(1.0, abs(model.equity_usd(np.zeros(n))), abs(slack_usd))
    size = of.size
    rows, cones = _Rows(), []
    _bounds(rows, at, of.low / size, of.high / size)
    # Sizes of buckets in the unit in which their impact, in the program's unit, is the size to the power 1.5.
    exposure = costs.exposure * size * ((costs.scale / unit) ** (2.0 / 3.0))[:, None]
    _sizes(rows, at, exposure)
    price = np.zeros(at.width)
    price[n : 2 * n] = costs.unit_usd * size / unit
    price[at.cost + at.buckets : at.cost + 2 * at.buckets] = 1.0
    need = price.copy()
    need[at.t] = need[at.rest] = 1.0 / model.target_v
    need[at.w + places : at.w + 2 * places] = 1.0 / model.target_v
    balance = rows.add(
        {int(i): float(need[i]) for i in np.flatnonzero(need)}, (model.equity_usd(np.zeros(n)) - slack_usd) / unit
    )
    _cells(rows, at, model, size, unit)
    for plane in planes:
        entries = {i: float(x) for i, x in enumerate(plane.slope * size / unit) if x != 0.0}
        rows.add({**entries, at.rest: -1.0}, -(plane.at_usd - float(plane.slope @ plane.trade)) / unit)
    if not planes:
        rows.add({at.rest: -1.0}, 0.0)
    rows.add({at.t: -1.0}, 0.0)
    cones.append(clarabel.NonnegativeConeT(len(rows.right)))
    cones += _norms(rows, at, model)
    cones += _powers(rows, at, exposure, costs.share)
    found = _run(rows, at.width, price, cones)
    if found is None:
        return None
    x, z = np.array(found.x), np.array(found.z)
    trade = np.clip(x[:n] * size, of.low, of.high)
    return Answer(trade, float(price @ x) * unit, float(z[balance]))


def _bounds(rows: _Rows, at: _Layout, low: Floats, high: Floats) -> None:
    """Trades within their bounds, and `|y|` no less than y on both sides."""
    for i in range(at.n):
        rows.add({i: 1.0}, float(high[i]))
        rows.add({i: -1.0}, -float(low[i]))
        rows.add({i: 1.0, at.n + i: -1.0}, 0.0)
        rows.add({i: -1.0, at.n + i: -1.0}, 0.0)


def _sizes(rows: _Rows, at: _Layout, exposure: Floats) -> None:
    """Net size of each bucket no less than its exposure on both sides."""
    for b in range(at.buckets):
        entries = {int(i): float(exposure[b, i]) for i in np.flatnonzero(exposure[b])}
        for sign in (1.0, -1.0):
            rows.add({**{i: sign * x for i, x in entries.items()}, at.cost + b: -1.0}, 0.0)


def _cells(rows: _Rows, at: _Layout, model: Evaluator, size: Floats, unit: float) -> None:
    """`r_u >= loss_us(q) + w_u m_s` for every scenario, and `a_u >= |w_u|`."""
    nothing = model.blocks(np.zeros(at.n)) if model.tables else []
    for u, (table, block) in enumerate(zip(model.tables, nothing, strict=True)):
        chosen, pnl = model.unit_pnl(u)
        losses = -pnl * size[chosen, None] / unit
        # What settles in coins takes its cost from them.
        pays = (model.of.coins[chosen] != 0.0) & ~model.of.is_coin[chosen]
        price = model.of.portfolio.underlyings[u].index_price
        paid = np.where(pays, model.costs.unit_usd[chosen] * size[chosen] / price / unit, 0.0)
        w, r, a = at.w + u, at.w + at.underlyings + u, at.w + 2 * at.underlyings + u
        for s, (move, gain) in enumerate(zip(table.move, table.pnl_usd[0], strict=True)):
            entries = {int(i): float(x) for i, x in zip(chosen, losses[:, s], strict=True) if x != 0.0}
            entries |= {at.n + int(i): float(x * gain) for i, x in zip(chosen, paid, strict=True) if x * gain != 0.0}
            rows.add({**entries, w: float(move), r: -1.0}, float(block[s]) / unit)
        rows.add({w: 1.0, a: -1.0}, 0.0)
        rows.add({w: -1.0, a: -1.0}, 0.0)


def _norms(rows: _Rows, at: _Layout, model: Evaluator) -> list[Any]:
    """`t >= sqrt((1 - k) w'Rw + k (sum |w|)^2)` for every matrix R."""
    if not model.tables:
        return []
    k, cones = model.of.portfolio.correlations.stress, []
    for matrix in model.of.portfolio.correlations.matrices:
        values, vectors = np.linalg.eigh(matrix)
        root = math.sqrt(1.0 - k) * np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
        rows.add({at.t: -1.0}, 0.0)
        for line in root:
            rows.add({at.w + u: -float(x) for u, x in enumerate(line) if x != 0.0}, 0.0)
        rows.add({at.w + 2 * at.underlyings + u: -math.sqrt(k) for u in range(at.underlyings)} if k else {}, 0.0)
        cones.append(clarabel.SecondOrderConeT(at.underlyings + 2))
    return cones


def _powers(rows: _Rows, at: _Layout, exposure: Floats, share: Floats) -> list[Any]:
    """Impact z of a bucket no less than its size X to the power 1.5: `X^2 <= z v` and `v^2 <= X`."""
    cones = []
    for b in range(at.buckets):
        z, v = at.cost + at.buckets + b, at.cost + 2 * at.buckets + b
        gross = {at.n + int(i): float(share[b] * abs(exposure[b, i])) for i in np.flatnonzero(exposure[b])}
        size = {**(gross if share[b] else {}), at.cost + b: float(1.0 - share[b])}
        less, twice = {i: -x for i, x in size.items()}, {i: -2.0 * x for i, x in size.items()}
        rows.add({z: -1.0, v: -1.0}, 0.0)
        rows.add(twice, 0.0)
        rows.add({z: -1.0, v: 1.0}, 0.0)
        rows.add(less, 1.0)
        rows.add({v: -2.0}, 0.0)
        rows.add(less, -1.0)
        cones += [clarabel.SecondOrderConeT(3), clarabel.SecondOrderConeT(3)]
    return cones


def _run(rows: _Rows, width: int, price: Floats, cones: list[Any]) -> Any | None:
    """Return Clarabel's solution, or None. The same rows give the same bits: one thread, no limit on time."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.direct_solve_method = "qdldl"
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = _TOLERANCE
    settings.reduced_tol_gap_abs = settings.reduced_tol_gap_rel = settings.reduced_tol_feas = _NEARLY
    line, column, value = (list(itertools.chain.from_iterable(part[k] for part in rows.columns)) for k in range(3))
    table = sparse.csc_matrix((value, (line, column)), shape=(len(rows.right), width))
    nothing = sparse.csc_matrix((width, width))
    solver = clarabel.DefaultSolver(nothing, price, table, np.array(rows.right), cones, settings)
    found = solver.solve()
    if found.status in {clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved}:
        return found
    gap = abs(found.obj_val - found.obj_val_dual)
    return found if found.status in _STALLED and found.r_prim < _NEARLY and gap < _NEARLY else None
