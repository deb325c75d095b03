"""Model P of one portfolio: losses by move of each underlying, netted by correlation (`docs/margin-model-p.md`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from kernels import blocks, move_losses, netted_accounts, netting, netting_distance, netting_solve, scenarios
from kernels._jit import Floats, Ints
from kernels.netting_distance import Distance
from kernels.scenarios_table import ScenarioTable
from monitor.models.margin import Margin, Part, Worst, not_computed
from monitor.models.portfolio import Correlations, Portfolio, Underlying
from schemas.parameters import NettingParameters, RiskMatrixParameters

NAME = "P"
VOL_NAMES: dict[int, Literal["up", "same", "down"]] = {
    scenarios.UP: "up", scenarios.SAME: "same", scenarios.DOWN: "down"
}  # fmt: skip

LEAST_WEIGHT = 1e-12  # of a move in a mixture; less is rounding, and another CPU may round otherwise


@dataclass(frozen=True, slots=True)
class NettedParameters:
    """What model P reads of a parameter set: risk matrices by underlying, `risk_matrix` for all others, netting."""

    risk_matrix: RiskMatrixParameters
    underlyings: Mapping[str, RiskMatrixParameters]
    netting: NettingParameters

    def of(self, underlying: str) -> RiskMatrixParameters:
        """Return the risk matrix of an underlying."""
        return self.underlyings.get(underlying, self.risk_matrix)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """One portfolio's netted requirement in full, its underlyings in the order of their names.

    `mixture[u][j]` is the weight of move j of underlying u in the worst case, `losses[u][j]` its loss in USD;
    `hedge_usd` what a perpetual would hedge; `matrix_weight` by matrix. M* lies between `lower_bound_usd` and
    `requirement_usd`; `closed` says that they meet as nearly as they should.
    """

    requirement_usd: float
    lower_bound_usd: float
    closed: bool
    losses: tuple[Floats, ...]
    mixture: tuple[Floats, ...]
    hedge_usd: Floats
    matrices: Floats
    matrix_weight: Floats


class Block(NamedTuple):
    """One underlying's P&L by scenario, float64[S], its losses by move, float64[2n + 1], USD, value and delta."""

    table: ScenarioTable
    side: Ints
    pnl_usd: Floats
    losses_usd: Floats
    value_usd: float
    delta_coins: float


def solve(losses: Sequence[Floats], matrices: Floats, stress: float) -> Solution:
    """Solve M* of one portfolio: losses by move for each underlying, USD; matrices float64[K, U, U]; stress is k."""
    table, counts = _stacked(losses)
    hedge, mixture, weight = np.zeros(len(losses)), np.zeros(table.shape), np.zeros(len(matrices))
    upper, lower, status = 0.0, 0.0, netting_solve.SOLVED
    if len(losses):
        upper, lower, _, status = netting_solve.solve(
            table, counts, matrices, stress, netted_accounts.TOLERANCE, hedge, mixture, weight
        )
    widths = counts.tolist()
    return Solution(
        requirement_usd=float(upper), lower_bound_usd=float(lower), closed=status == netting_solve.SOLVED,
        losses=tuple([table[u, :n] for u, n in enumerate(widths)]),
        mixture=tuple([mixture[u, :n] for u, n in enumerate(widths)]), hedge_usd=hedge, matrices=matrices,
        matrix_weight=weight,
    )  # fmt: skip


def block(underlying: Underlying, shocks: RiskMatrixParameters) -> Block:
    """Return what one underlying loses and gains, by scenario and by move; NaN where it has no price."""
    buckets = shocks.buckets_each_side * underlying.refinement
    price_range = shocks.price_range if underlying.price_range is None else underlying.price_range
    table = scenarios.scenario_table(price_range, buckets, shocks.extended_moves)
    side = move_losses.extended_sides(table, buckets)
    held = np.flatnonzero(underlying.quantity != 0.0)
    indptr, quantity = np.array([0, len(held)], dtype=np.int64), underlying.quantity[held]
    rows, pnl = underlying.rows, underlying.pnl_usd(table, shocks)
    out, value, delta, losses = np.zeros((1, len(table.move))), np.zeros(1), np.zeros(1), np.zeros((1, 2 * buckets + 1))
    blocks.blocks(indptr, held, quantity, pnl, out)
    move_losses.evaluate(indptr, held, quantity, pnl, rows.value_usd, rows.delta_coins, side, value, delta, losses)
    return Block(table, side, out[0], losses[0], float(value[0]), float(delta[0]))


def margin(portfolio: Portfolio, parameters: NettedParameters, parameter_hash: str) -> Margin:
    """Return a portfolio's margin under model P, with the k and the matrices of the portfolio.

    Components: `netted` is L(w), what perpetuals would hedge, netted by correlation; `residual` what they leave.
    Statistics: `correlation_stress` (k), `matrix_weight:NAME`, `gap_usd` between the bounds of M*, `plain_sum_usd`
    (M* at k = 1) and, where some k up to 1 brings maintenance above equity, `correlation_distance`, the smallest one,
    and `frozen_distance`, its lower bound at the present hedges. NaN with reasons where something has no price.
    """
    time_us, reasons = portfolio.market_time_us, portfolio.missing
    if reasons:
        return not_computed(NAME, parameter_hash, time_us, reasons, portfolio.flags)
    found = [block(underlying, parameters.of(underlying.name)) for underlying in portfolio.underlyings]
    correlations, factor = portfolio.correlations, parameters.netting.mm_factor
    solution = solve([one.losses_usd for one in found], correlations.matrices, correlations.stress)
    im = solution.requirement_usd
    if not math.isfinite(im):
        reasons = tuple(
            f"no_losses:{underlying.name}"
            for underlying, one in zip(portfolio.underlyings, found, strict=True)
            if not np.isfinite(one.losses_usd).all()
        )
        return not_computed(NAME, parameter_hash, time_us, reasons, portfolio.flags)
    netted = float(netting.norm(solution.hedge_usd, correlations.matrices, correlations.stress))
    components = {"netted": netted, "residual": im - netted}
    return Margin(
        model=NAME,
        parameter_hash=parameter_hash,
        market_time_us=time_us,
        equity_usd=portfolio.equity_usd,
        im_requirement_usd=im,
        mm_requirement_usd=factor * im,
        im_components=components,
        mm_components={name: factor * usd for name, usd in components.items()},
        worst=tuple(cell for u, one in enumerate(found) for cell in _worst(portfolio, solution, u, one)),
        parts=tuple(_part(portfolio, solution, u, one, factor) for u, one in enumerate(found)),
        statistics=_statistics(portfolio, solution, factor),
        flags=portfolio.flags,
        degraded=_degraded(portfolio, solution),
    )


def distance(solution: Solution, limit_usd: float) -> Distance:
    """Return bounds of the smallest k at which a portfolio's M* exceeds a limit, at its present blocks and matrices."""
    return Distance(
        *netting_distance.distance(
            *_stacked(solution.losses), solution.matrices, limit_usd, netted_accounts.TOLERANCE
        )
    )  # fmt: skip


def correlation_part(solution: Solution, stress: float, before: Correlations) -> float:
    """Return what correlations alone changed of a requirement, USD: M* now less M* under `before`, blocks as now.

    `before` is over the same underlyings; `stress` is k now.
    """
    if not len(solution.losses):
        return 0.0
    change: float = netting_distance.correlation_part(
        *_stacked(solution.losses), before.matrices, before.stress, solution.matrices, stress,
        netted_accounts.TOLERANCE,
    )  # fmt: skip
    return change


def _stacked(losses: Sequence[Floats]) -> tuple[Floats, Ints]:
    """Return curves as rows of one table, and how much of each row is used."""
    counts = [len(line) for line in losses]
    table = np.zeros((len(losses), max(counts, default=1)))
    for u, line in enumerate(losses):
        table[u, : counts[u]] = line
    return table, np.array(counts, dtype=np.int64)


def _worst(portfolio: Portfolio, solution: Solution, u: int, one: Block) -> list[Worst]:
    """Return the scenarios that one underlying's part rests on, the heaviest first."""
    at_move = np.zeros(len(one.losses_usd), dtype=np.int64)
    move_losses.worst_scenarios(one.pnl_usd, one.side, at_move)
    cells = []
    for j in np.flatnonzero(solution.mixture[u] > LEAST_WEIGHT):
        scenario = int(at_move[j])
        move, volatility = float(one.table.move[scenario]), VOL_NAMES[int(one.table.vol_direction[scenario])]
        cells.append(
            Worst(
                label=f"price {move:+.1%}, volatility {volatility}", pnl_usd=float(one.pnl_usd[scenario]),
                scenario=scenario, underlying=portfolio.underlyings[u].name, weight=float(solution.mixture[u][j]),
            )
        )  # fmt: skip
    return sorted(cells, key=lambda cell: (-cell.weight, cell.scenario))


def _part(portfolio: Portfolio, solution: Solution, u: int, one: Block, factor: float) -> Part:
    """Return one underlying's part: its loss in the worst mixture of all."""
    im = float(one.losses_usd @ solution.mixture[u])
    return Part(portfolio.underlyings[u].name, one.value_usd, im, factor * im, one.delta_coins)


def _statistics(portfolio: Portfolio, solution: Solution, factor: float) -> dict[str, float]:
    found = {
        "correlation_stress": portfolio.correlations.stress,
        "gap_usd": max(0.0, solution.requirement_usd - max(0.0, solution.lower_bound_usd)),
        "plain_sum_usd": float(netting_distance.plain_sum(*_stacked(solution.losses))) if solution.losses else 0.0,
    }
    weights = zip(portfolio.correlations.names, solution.matrix_weight, strict=True)
    found |= {f"matrix_weight:{name}": float(weight) for name, weight in weights if weight > 0.0}
    limit_usd = portfolio.equity_usd / factor
    proved = distance(solution, limit_usd) if solution.losses else Distance(math.nan, math.nan, 0)
    if math.isfinite(proved.least):
        frozen: float = netting_distance.frozen_distance(
            *_stacked(solution.losses), solution.matrices, solution.hedge_usd, limit_usd
        )
        found |= {"correlation_distance": proved.least, "frozen_distance": frozen}
    return found


def _degraded(portfolio: Portfolio, solution: Solution) -> tuple[str, ...]:
    reasons = [f"unsettled:{name}" for name in portfolio.unsettled]
    if len(portfolio.underlyings) > 1 and portfolio.correlations.version == 0:
        reasons.append("assumed_correlations")
    if not solution.closed:
        reasons.append("gap_open")
    return tuple(sorted(reasons))
