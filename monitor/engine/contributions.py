"""One underlying's part of an account's requirement, as events say it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from monitor.engine.ledger import entry_constant
from monitor.models.netted import LEAST_WEIGHT, VOL_NAMES
from schemas.records import CorrelationState, Instrument, UnderlyingRisk, WorstCell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.engine.column import Column
    from monitor.engine.evaluation import Exposed
    from monitor.engine.market import Market
    from monitor.engine.state import Account
    from monitor.models.margin import Margin
    from monitor.models.netted import Solution


def entries_usd(account: Account, market: Market) -> dict[str, float]:
    """Return the entry side of linear futures by underlying: what turns their notional value into P&L."""
    entries: dict[str, float] = {}
    listed = market.instruments.get
    futures = [
        (name, instrument) for name in account.holdings
        if (instrument := listed(name)) is not None and instrument.type != "option"
    ]  # fmt: skip
    for name, instrument in sorted(futures, key=_name):
        usd, _ = entry_constant(account.holdings[name], instrument)
        entries[instrument.underlying] = entries.get(instrument.underlying, 0.0) + usd
    return entries


def _name(listed: tuple[str, Instrument]) -> str:
    return listed[0]


def netted_risk(exposed: Exposed, solution: Solution, u: int, entry_usd: float) -> UnderlyingRisk:
    """Return one underlying's part of a netted requirement: its loss in the worst mixture of all underlyings.

    Where another underlying has no price there is no such mixture: the part is then what this one needs alone.
    """
    column, pnl = exposed.column, exposed.pnl
    at_move = column.worst_scenarios(pnl).tolist()
    losses: list[float] = solution.losses[u].tolist()
    most = max(losses)  # all of them are NaN, or none
    worst = at_move[losses.index(most)]
    move, direction = column.scenario(worst)
    scan_usd = max(0.0, most)
    solved = math.isfinite(solution.requirement_usd)
    mixture = solution.mixture[u]
    cells = [
        _worst_cell(column, at_move[j], weight, pnl.item(at_move[j]))
        for j, weight in enumerate(mixture.tolist()) if weight > LEAST_WEIGHT
    ]  # fmt: skip
    return UnderlyingRisk(
        underlying=column.underlying,
        index_price=column.pricing.index_price,
        value_usd=exposed.value_usd + entry_usd,
        scan_usd=scan_usd,
        roll_usd=0.0,
        delta_shock_usd=0.0,
        im_usd=float(solution.losses[u] @ mixture) if solved else scan_usd,
        delta_coins=exposed.delta_coins,
        scenario=worst,
        price_move=move,
        vol_shock=VOL_NAMES[direction],
        scenario_pnl_usd=pnl.item(worst),
        hedge_usd=float(solution.hedge_usd[u]) if solved else None,
        mixture=tuple(sorted(cells, key=lambda cell: (-cell.weight, cell.scenario))) if solved else None,
    )


def _worst_cell(column: Column, scenario: int, weight: float, pnl_usd: float) -> WorstCell:
    move, direction = column.scenario(scenario)
    return WorstCell(scenario=scenario, price_move=move, vol_shock=VOL_NAMES[direction], weight=weight, pnl_usd=pnl_usd)


def correlation_state(solution: Solution, market: Market, stress: float) -> CorrelationState:
    """Return which published matrices a netted requirement rests on, and with which weights."""
    view = market.ticks.correlation
    weights = zip(view.names, solution.matrix_weight, strict=True)
    return CorrelationState(
        version=view.version, digest=view.digest, stress=stress,
        matrices={name: float(weight) for name, weight in weights if weight > 0.0},
        absorption_ratio=view.absorption_ratio, regime=market.ticks.regime.regime,
    )  # fmt: skip


def modelled_risks(margin: Margin, columns: Sequence[Column], entries: Mapping[str, float]) -> list[UnderlyingRisk]:
    """Return the parts of a requirement that its model computed for the account by itself."""
    column_of = {column.underlying: column for column in columns}
    worst = {}
    for one in sorted(margin.worst, key=lambda one: one.weight * one.pnl_usd, reverse=True):
        worst[one.underlying] = one  # the costliest stays
    return [
        UnderlyingRisk(
            underlying=part.underlying,
            index_price=column_of[part.underlying].pricing.index_price,
            value_usd=part.value_usd + entries.get(part.underlying, 0.0),
            scan_usd=part.im_usd,
            roll_usd=0.0,
            delta_shock_usd=0.0,
            im_usd=part.im_usd,
            delta_coins=part.delta_coins,
            scenario=worst[part.underlying].scenario if part.underlying in worst else -1,
            price_move=0.0,
            vol_shock="same",
            scenario_pnl_usd=worst[part.underlying].pnl_usd if part.underlying in worst else -part.im_usd,
            worst=worst[part.underlying].label if part.underlying in worst else "by rates on positions",
        )
        for part in margin.parts
    ]


def added_risk(column: Column, slot: int, entry_usd: float) -> UnderlyingRisk:
    """Return one underlying's part of a requirement that is a sum: model A's."""
    results = column.evaluate_one(slot)
    scenario = int(results.worst[0])
    move, direction = column.scenario(scenario)
    return UnderlyingRisk(
        underlying=column.underlying,
        index_price=column.pricing.index_price,
        value_usd=float(results.value[0]) + entry_usd,
        scan_usd=float(results.scan[0]),
        roll_usd=float(results.roll[0]),
        delta_shock_usd=float(results.delta_shock[0]),
        im_usd=float(results.requirement[0]),
        delta_coins=float(results.delta[0]),
        scenario=scenario,
        price_move=move,
        vol_shock=VOL_NAMES[direction],
        scenario_pnl_usd=-float(results.scan[0]),
    )
