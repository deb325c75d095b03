"""The plan of one account: a program, its trades in whole lots, what the exact model says of them, and comparisons."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kernels._jit import Floats
from kernels.scenarios import INVERSE
from monitor.answers.plan import program, search
from monitor.answers.plan.candidates import Candidates, after, candidates
from monitor.answers.plan.costs import costs_of
from monitor.answers.plan.exact import Evaluator, is_netted_alone
from monitor.answers.plan.result import Alternative, Method, Order, Outcome, Plan, ShadowPrice
from monitor.answers.plan.situation import CannotPlan, Policy, Situation
from monitor.models.margin import Margin
from monitor.models.portfolio import Underlying

ROUNDS = 3  # of rounding and margining again, each with what the last one was short of on top
PLANES = 40  # of a requirement that is not written out, at most
CLOSE = 1e-5  # of the requirement: a program as near as that to the target is near enough to round
_NOISE = 1e-7  # of a position: a solver's zero


def plan(situation: Situation, policy: Policy | None = None) -> Plan:
    """Return the cheapest trades after which an account leaves its state, by the exact model.

    Nothing is planned where the account may leave it already. Raises CannotPlan where the account has no figures.
    """
    policy = policy or Policy()
    if situation.portfolio.missing:
        raise CannotPlan(
            f"account {situation.portfolio.account} has no value: {', '.join(situation.portfolio.missing)}"
        )
    now = situation.margin(situation.portfolio)
    target_v = situation.leave_v * (1.0 - policy.buffer)
    if _has_left(situation, now):
        return _plan(situation, now, target_v, "nothing", "none")
    model = _evaluator(situation, policy, target_v, hedges=policy.hedges)
    found, answer = _ways(situation, model)
    baselines: list[tuple[Method, Floats | None]] = [
        ("pro_rata", search.pro_rata(model)), ("largest_first", search.largest_first(model))
    ]  # fmt: skip
    everything = search.full_close(model)
    singles = _cheapest_single(situation, model, policy, target_v)
    known = [*found, *((name, trade) for name, trade in baselines if trade is not None)]
    if singles is not None and _is_within(model.of, singles.trades):
        known.append(("single_trade", _named(model.of, singles.trades)))
    known.append(("full_close", everything))
    meeting = [(model.costs.total(t), k, name) for k, (name, t) in enumerate(known) if model.excess_usd(t) >= 0.0]
    alternatives = tuple(_alternative(name, model, trade) for name, trade in baselines)
    common: dict[str, Any] = {
        "baselines": alternatives, "cheapest_trade": singles,
        "deposit_usd": max(0.0, now.im_requirement_usd / target_v - now.equity_usd),
        "equity_at_full_close_usd": model.equity_usd(everything),
        "price_of_margin": None if answer is None else answer.price_of_margin,
        "program_cost_usd": None if answer is None else answer.cost_usd,
    }  # fmt: skip
    if not meeting:
        return _plan(situation, now, target_v, "infeasible", "none", **common)
    _, k, method = min(meeting)
    trade = known[k][1]
    each = model.costs.of_each(trade)
    then = situation.margin(after(model.of, trade, each))
    return _plan(
        situation, now, target_v, "reduce", method, orders=_orders(model, trade, policy), cost_usd=math.fsum(each),
        release_usd=now.im_requirement_usd - then.im_requirement_usd, equity_after_usd=then.equity_usd,
        im_after_usd=then.im_requirement_usd, mm_after_usd=then.mm_requirement_usd,
        shadow_prices=_shadow_prices(model, trade), **common,
    )  # fmt: skip


def _has_left(situation: Situation, now: Margin) -> bool:
    """Whether the account may leave its state without any trade: as `monitor.engine.status` compares."""
    limit = situation.leave_v * now.equity_usd
    if now.equity_usd <= 0.0:
        return now.equity_usd == 0.0 == now.im_requirement_usd
    return now.im_requirement_usd <= limit if situation.in_liquidation else now.im_requirement_usd < limit


def _evaluator(situation: Situation, policy: Policy, target_v: float, *, hedges: bool) -> Evaluator:
    of = candidates(situation, policy, hedges=hedges)
    return Evaluator(situation, of, costs_of(of, situation.parameters.add_ons.liquidity, policy), target_v)


def _ways(situation: Situation, model: Evaluator) -> tuple[list[tuple[Method, Floats]], program.Answer | None]:
    """Return the program's trades in whole lots, if they meet the target, and its first optimum."""
    if not model.of.names:
        return [], None
    planes: list[program.Plane] = []
    answer = program.solve(model, planes, 0.0) if is_netted_alone(situation) else _by_planes(model, planes)
    first, slack = answer, 0.0
    for _ in range(ROUNDS):
        if answer is None:
            break
        trade = model.of.clipped(np.where(np.abs(answer.trade) > _NOISE * model.of.size, answer.trade, 0.0))
        short = -model.excess_usd(trade)
        enough = trade if short <= 0.0 else search.repaired(model, trade)
        if enough is not None:
            return [("program", search.trimmed(model, enough))], first
        slack += 1.01 * short + 1e-9 * model.target_v
        answer = program.solve(model, planes, slack)
    return [], first


def _by_planes(model: Evaluator, planes: list[program.Plane]) -> program.Answer | None:
    """Return the program's optimum, its requirement written out by planes of the exact model where it has been."""
    trade = np.zeros(len(model.of.names))
    answer = None
    for _ in range(PLANES):
        written = model.netted(trade).requirement_usd if model.tables else 0.0
        need = model.requirement_usd(trade)
        slope = model.slopes(trade) - (model.frozen_slopes(trade) if model.tables else 0.0)
        planes.append(program.Plane(trade, need - written, slope))
        answer = program.solve(model, planes, 0.0)
        if answer is None:
            return None
        trade = answer.trade
        if model.excess_usd(trade) >= -CLOSE * max(need, 1.0):
            return answer
    return answer


def _cheapest_single(situation: Situation, model: Evaluator, policy: Policy, target_v: float) -> Alternative | None:
    """Return the cheapest single trade, hedges included whatever the venue may do itself."""
    wide = model
    if not policy.hedges and situation.hedges:
        wide = _evaluator(situation, policy, target_v, hedges=True)
    ways = search.single_trades(wide)
    if not ways:
        return None
    best = min(ways, key=lambda i: (wide.costs.total(ways[i]), i))
    return _alternative("single_trade", wide, ways[best])


def _alternative(name: str, model: Evaluator, trade: Floats | None) -> Alternative:
    if trade is None:
        return Alternative(name=name, cost_usd=None, trades={})
    trades = {model.of.names[i]: float(trade[i]) for i in np.flatnonzero(trade)}
    return Alternative(name=name, cost_usd=model.costs.total(trade), trades=trades)


def _named(of: Candidates, trades: dict[str, float]) -> Floats:
    return np.array([trades.get(name, 0.0) for name in of.names])


def _is_within(of: Candidates, trades: dict[str, float]) -> bool:
    """Whether the policy allows trades: what is best with hedges may go beyond closing what is held."""
    if not set(trades) <= set(of.names):
        return False
    trade = _named(of, trades)
    return bool(np.all((of.low <= trade) & (trade <= of.high)))


def _orders(model: Evaluator, trade: Floats, policy: Policy) -> tuple[Order, ...]:
    of, each = model.of, model.costs.of_each(trade)
    found = []
    for i in sorted(np.flatnonzero(trade), key=lambda i: (-each[i], int(i))):
        u, row, d = of.portfolio.underlyings[of.place[i]], int(of.row[i]), float(trade[i])
        beyond_usd = (each[i] - policy.fee_rate * abs(d * of.notional_usd[i])) / abs(d)
        expected = _expected_usd(u, row, float(of.mark_usd[i]), math.copysign(1.0, d) * beyond_usd)
        found.append(
            Order(
                instrument=of.names[i], underlying=u.name, quantity=d, held=float(of.held[i]),
                mark_usd=float(of.mark_usd[i]), expected_price_usd=float(expected), cost_usd=float(each[i]),
            )
        )  # fmt: skip
    return tuple(found)


def _expected_usd(u: Underlying, row: int, mark_usd: float, worse_usd: float) -> float:
    """Return the price that is so much worse per contract in USD, above zero for what is bought; coins at the index."""
    kind, size = int(u.rows.kind[row]), float(u.rows.size[row])
    if kind == INVERSE:
        return mark_usd / (1.0 - worse_usd * mark_usd / (size * u.index_price))
    return max(0.0, mark_usd + worse_usd / size)


def _shadow_prices(model: Evaluator, trade: Floats) -> tuple[ShadowPrice, ...]:
    of = model.of
    now, then = model.slopes(np.zeros(len(trade))), model.slopes(trade)
    found = []
    for i in np.flatnonzero(of.held):
        side = math.copysign(1.0, of.closing[i])
        found.append(
            ShadowPrice(
                instrument=of.names[i], side="buy" if side > 0.0 else "sell", release_now_usd=float(-side * now[i]),
                release_usd=float(-side * then[i]), cost_usd=float(model.costs.unit_usd[i]),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: -one.release_now_usd / one.cost_usd if one.cost_usd else -math.inf))


def _plan(situation: Situation, now: Margin, target_v: float, outcome: Outcome, method: Method, **more: Any) -> Plan:
    values: dict[str, Any] = {
        "equity_after_usd": now.equity_usd, "im_after_usd": now.im_requirement_usd,
        "mm_after_usd": now.mm_requirement_usd, **more,
    }  # fmt: skip
    return Plan(
        account=situation.portfolio.account, model=situation.model, parameter_hash=situation.parameter_hash,
        market_time_us=now.market_time_us, outcome=outcome, method=method, target_v=target_v,
        equity_usd=now.equity_usd, im_requirement_usd=now.im_requirement_usd,
        mm_requirement_usd=now.mm_requirement_usd, **values,
    )  # fmt: skip
