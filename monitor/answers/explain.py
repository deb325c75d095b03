"""Why an account needs what it needs: by underlying, expiry, scenario and position, and what changed it.

The requirement by position is what each loses in the scenarios that the requirement rests on: under model P the worst
mixture of moves, under model A the worst scenario of each underlying. These sum to the parts of the underlyings. Models
that are no function of a position's P&L have no such split. `without_usd` holds for every model: by how much the
requirement falls when this position alone is taken away, the rest staying. These do not sum to anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct

from kernels import blocks, move_losses
from monitor.answers.figures import Evaluator, Figures, bits_of, standing_of
from monitor.answers.greeks import greeks_of
from monitor.answers.groups import GROUPS, Change
from monitor.answers.since import since_baseline
from monitor.answers.view import copy_account
from monitor.engine.column import is_plain, is_swept
from monitor.engine.ledger import entry_constant, exposures
from monitor.models.netted import VOL_NAMES

if TYPE_CHECKING:
    from monitor.answers.view import View
    from monitor.engine.evaluation import Evaluation
    from monitor.engine.figures import Floats, Ints
    from monitor.engine.pricing import Pricing
    from monitor.models.portfolio import Rows
    from schemas.records import AccountEvent, Instrument

LEAST_WEIGHT = 1e-12


class Greeks(Struct, frozen=True):
    """Sensitivities, USD: of the value by price, of that by a 1 % move, by a point of volatility, by a day."""

    delta_usd: float
    gamma_usd_per_pct: float
    vega_usd_per_point: float
    theta_usd_per_day: float


class PositionPart(Struct, frozen=True):
    """One position: `instrument` is the asset itself for a balance of coins.

    `value_usd` is marked value, of futures the P&L since entry; coins of an inverse contract's entry side are its own.
    `requirement_usd` is its part of the initial requirement (None: the model has none by position), `without_usd` by
    how much that falls without the position. What has no price is None.
    """

    instrument: str
    underlying: str
    expiry_us: int | None
    quantity: float
    mark_price: float | None
    value_usd: float | None
    requirement_usd: float | None
    without_usd: float | None
    greeks: Greeks | None


class ExpiryPart(Struct, frozen=True):
    """All positions of one expiry of an underlying; None: coins and perpetuals."""

    underlying: str
    expiry_us: int | None
    value_usd: float
    requirement_usd: float | None
    greeks: Greeks


class ScenarioPart(Struct, frozen=True):
    """One scenario of an underlying: P&L of all its positions, USD, and its weight in the requirement."""

    underlying: str
    scenario: int
    label: str
    pnl_usd: float
    weight: float


class UnderlyingPart(Struct, frozen=True):
    """One underlying: `requirement_usd` sums to the initial requirement but for components of the model's own."""

    underlying: str
    index_price: float
    value_usd: float
    requirement_usd: float
    delta_coins: float
    greeks: Greeks


class Earlier(Struct, frozen=True):
    """A change since the account was last healthy: events `first` to `last` and what has come since, by group, USD."""

    since_us: int
    first_sequence: int
    last_sequence: int
    before_usd: float
    after_usd: float
    groups: dict[str, float]


class Explained(Struct, frozen=True):
    """Why one account needs what it needs, at one market time; figures in USD are None where something has no price.

    `standing` is the worst state whose condition to enter holds now, whatever the status; `v` is IM/equity, `u` MM
    over equity. `change` counts from the account's latest event, `healthy` from when it was last healthy.
    """

    account: str
    model: str
    parameter_set: str
    parameter_hash: str
    market_time_us: int
    status: str
    standing: str
    equity_usd: float | None
    im_requirement_usd: float | None
    mm_requirement_usd: float | None
    v: float | None
    u: float | None
    data_quality: tuple[str, ...]
    components: dict[str, float]
    underlyings: tuple[UnderlyingPart, ...]
    expiries: tuple[ExpiryPart, ...]
    scenarios: tuple[ScenarioPart, ...]
    positions: tuple[PositionPart, ...]
    change: Change | None = None
    change_since_us: int | None = None
    healthy: Earlier | None = None


def explain(view: View, *, shapley: bool = False, events: Sequence[AccountEvent] = ()) -> Explained:
    """Explain an account's requirement; `events` are its own, in order, for what changed since it was healthy.

    With `shapley` the change since the latest event is split by Shapley's value as well (256 evaluations).
    """
    evaluator = Evaluator(view)
    evaluation = view.evaluation()
    figures = Figures(evaluation.equity_usd, evaluation.im_requirement_usd, evaluation.mm_requirement_usd)
    evaluator.figures(view)
    positions = _positions(view, evaluator, evaluation)
    change = since_baseline(view, shapley=shapley)
    base = view.account.baseline
    chosen, ratio = view.active, 1.0 / figures.equity_usd if figures.equity_usd > 0.0 else math.nan
    return Explained(
        account=view.account.name, model=view.account.config.margin_model, parameter_set=chosen.set.name,
        parameter_hash=chosen.hash, market_time_us=view.facts.time_us, status=view.account.status,
        standing=standing_of(bits_of(figures, chosen.set.status, has_positions=evaluator.has_positions)),
        equity_usd=_finite(figures.equity_usd), im_requirement_usd=_finite(figures.im_requirement_usd),
        mm_requirement_usd=_finite(figures.mm_requirement_usd), v=_finite(figures.im_requirement_usd * ratio),
        u=_finite(figures.mm_requirement_usd * ratio), data_quality=evaluation.data_quality,
        components=_components(evaluation), underlyings=_underlyings(evaluation, positions),
        expiries=_expiries(positions), scenarios=_scenarios(view, evaluator, evaluation), positions=tuple(positions),
        change=change, change_since_us=None if change is None or base is None else base.time_us,
        healthy=since_healthy(events, change),
    )  # fmt: skip


def since_healthy(events: Sequence[AccountEvent], change: Change | None) -> Earlier | None:
    """Return what changed since an account was last healthy: the attributions of its episode's events, and since.

    Each event counts from the one before it, so their parts add up to the whole change. None where the account is
    healthy, or one of them has no attribution.
    """
    episode = [event for event in events if event.episode == events[-1].episode] if events else []
    if not episode or episode[-1].state_to == "healthy" or change is None:
        return None
    groups: dict[str, float] = dict.fromkeys(GROUPS, 0.0)
    for event in episode:
        if event.attribution is None:
            return None
        for part in event.attribution:
            groups[part.group] += part.change_usd
    for one in change.groups:
        groups[one.group] += one.sequential_usd
    base = episode[0].attribution_base
    assert base is not None, "an attribution has a base"
    return Earlier(
        base.event_time_us, episode[0].sequence, episode[-1].sequence, base.im_requirement_usd, change.after_usd,
        groups,
    )  # fmt: skip


# --- positions ------------------------------------------------------------------------------------


def _positions(view: View, evaluator: Evaluator, evaluation: Evaluation) -> list[PositionPart]:
    market = view.market()
    portfolio = view.portfolio()
    split = _splits(view, evaluator, evaluation)
    im_usd = evaluator.figures(view).im_requirement_usd
    parts = []
    for underlying in portfolio.underlyings:
        row_greeks = greeks_of(underlying.rows, underlying.index_price)
        for row, name in enumerate(underlying.names):
            quantity = float(underlying.quantity[row]) if row else underlying.coins
            entry = float(underlying.entry_coins[row])
            if quantity == 0.0:
                continue
            instrument = None if name is None else market.instruments.get(name)
            value = quantity * float(underlying.rows.value_usd[row])
            if instrument is not None and instrument.type != "option":
                value = float(underlying.profit_usd[row])
            requirement = split.get((underlying.name, name))
            greeks = Greeks(*(quantity * float(one[row]) + entry * float(one[0]) for one in row_greeks))
            parts.append(
                PositionPart(
                    instrument=name or underlying.name, underlying=underlying.name,
                    expiry_us=None if instrument is None else instrument.expiry_us, quantity=quantity,
                    mark_price=_finite(_mark(underlying.index_price, instrument, underlying.rows, row)),
                    value_usd=_finite(value), requirement_usd=requirement,
                    without_usd=_without(view, im_usd, name or underlying.name, instrument),
                    greeks=greeks if _known(greeks) else None,
                )
            )  # fmt: skip
    return parts


def _mark(index_price: float, instrument: Instrument | None, rows: Rows, row: int) -> float:
    """Return what is quoted: the index of a coin, a future's price, an option's premium in its own unit."""
    if instrument is None:
        return index_price
    if instrument.type != "option":
        return float(rows.forward[row])
    value = float(rows.value_usd[row]) / float(rows.size[row])
    return value / index_price if instrument.contract == "inverse" else value


def _splits(view: View, evaluator: Evaluator, evaluation: Evaluation) -> dict[tuple[str, str | None], float]:
    """Return each position's part of the requirement: what it loses in the scenarios that the requirement rests on."""
    model = view.account.config.margin_model
    if not is_swept(model, plain=is_plain(view.active.set)) or not evaluation.valued:
        return {}
    found: dict[tuple[str, str | None], float] = {}
    weights = _weights(view, evaluator, evaluation)
    listing = view.market().instruments
    for u, exposure in _exposures(view).items():
        pnl = evaluator.pricing(u).pnl
        entries = {}
        for name, _ in exposure:
            instrument = None if name is None else listing.get(name)
            if name is not None and instrument is not None:
                entries[name] = entry_constant(view.account.holdings[name], instrument)[1]
        coin = float(pnl[0] @ weights[u])
        for name, quantity in exposure:
            if name is None:
                found[u, None] = -view.account.balances.get(u, 0.0) * coin
                continue
            own = float(pnl[evaluator.pricing(u).row_of[name]] @ weights[u])
            found[u, name] = -quantity * own - entries.get(name, 0.0) * coin
    return found


def _weights(view: View, evaluator: Evaluator, evaluation: Evaluation) -> dict[str, Floats]:
    """Return by underlying the weight of each scenario in the requirement, float64[S]."""
    weights = {}
    netted = view.account.config.margin_model == "P"
    solution = evaluator.solution(view) if netted else None
    of = {one.underlying: one for one in evaluation.underlyings}
    for k, u in enumerate(evaluator.underlyings):
        weight = np.zeros(len(evaluator.pricing(u).table.move))
        if solution is not None:
            at_move = _worst_at_moves(evaluator.pricing(u), _block(view, evaluator, u))
            np.add.at(weight, at_move, solution.mixture[k])
        elif of[u].scan_usd > 0.0:
            weight[of[u].scenario] = 1.0
        weights[u] = weight
    return weights


def _block(view: View, evaluator: Evaluator, u: str) -> Floats:
    """Return the P&L of an underlying's positions by scenario, USD, float64[S]."""
    pricing, exposure = evaluator.pricing(u), _exposures(view)[u]
    rows = np.array([pricing.row_of[name] for name, _ in exposure], dtype=np.int64)
    quantity = np.array([held for _, held in exposure], dtype=np.float64)
    out = np.zeros((1, len(pricing.table.move)))
    blocks.blocks(np.array([0, len(rows)], dtype=np.int64), rows, quantity, pricing.pnl, out)
    return out.reshape(-1)


def _worst_at_moves(pricing: Pricing, block: Floats) -> Ints:
    at_move = np.zeros(2 * pricing.buckets + 1, dtype=np.int64)
    move_losses.worst_scenarios(block, pricing.side, at_move)
    return at_move


def _exposures(view: View) -> dict[str, list[tuple[str | None, float]]]:
    return exposures(view.account, view.market().instruments).rows


def _without(view: View, im_usd: float, name: str, instrument: Instrument | None) -> float | None:
    """Return by how much the requirement falls without one position; its entry side goes with it."""
    if not math.isfinite(im_usd):
        return None
    account = copy_account(view.account)
    if instrument is not None:
        del account.holdings[name]
    else:
        del account.balances[name]
    other = view.with_account(account)
    return _finite(im_usd - Evaluator(other).figures(other).im_requirement_usd)


# --- sums -----------------------------------------------------------------------------------------


def _scenarios(view: View, evaluator: Evaluator, evaluation: Evaluation) -> tuple[ScenarioPart, ...]:
    model = view.account.config.margin_model
    if not evaluation.valued:
        return ()
    if not is_swept(model, plain=is_plain(view.active.set)):
        worst = evaluator.margin(view).worst
        return tuple(ScenarioPart(one.underlying, one.scenario, one.label, one.pnl_usd, one.weight) for one in worst)
    evaluator.figures(view)  # prices by the model's own scenarios
    weights = _weights(view, evaluator, evaluation)
    parts = []
    for u in evaluator.underlyings:
        table, block = evaluator.pricing(u).table, _block(view, evaluator, u)
        for s, pnl in enumerate(block):
            label = f"price {float(table.move[s]):+.1%}, volatility {VOL_NAMES[int(table.vol_direction[s])]}"
            weight = float(weights[u][s])
            parts.append(ScenarioPart(u, s, label, float(pnl), weight if weight > LEAST_WEIGHT else 0.0))
    return tuple(parts)


def _components(evaluation: Evaluation) -> dict[str, float]:
    if evaluation.components is not None:
        return {name: usd for name, usd in evaluation.components.items() if math.isfinite(usd)}
    if not evaluation.valued:
        return {}
    parts = evaluation.underlyings
    if any(one.mixture is not None for one in parts):
        return {}
    return {
        "scan": math.fsum(one.scan_usd for one in parts), "roll": math.fsum(one.roll_usd for one in parts),
        "delta_shock": math.fsum(one.delta_shock_usd for one in parts),
    }  # fmt: skip


def _underlyings(evaluation: Evaluation, positions: Sequence[PositionPart]) -> tuple[UnderlyingPart, ...]:
    return tuple(
        UnderlyingPart(
            one.underlying, one.index_price, one.value_usd, one.im_usd, one.delta_coins,
            _sum([position.greeks for position in positions if position.underlying == one.underlying]),
        )
        for one in sorted(evaluation.underlyings, key=lambda one: (-one.im_usd, one.underlying))
        if math.isfinite(one.im_usd) and math.isfinite(one.value_usd)
    )  # fmt: skip


def _expiries(positions: Sequence[PositionPart]) -> tuple[ExpiryPart, ...]:
    found: dict[tuple[str, int], list[PositionPart]] = {}
    for one in positions:
        found.setdefault((one.underlying, one.expiry_us or 0), []).append(one)
    parts = []
    for (underlying, expiry_us), members in sorted(found.items()):
        requirements = [one.requirement_usd for one in members]
        known = [usd for usd in requirements if usd is not None]
        parts.append(
            ExpiryPart(
                underlying, expiry_us or None, math.fsum(one.value_usd for one in members if one.value_usd is not None),
                math.fsum(known) if len(known) == len(requirements) else None, _sum([one.greeks for one in members]),
            )
        )  # fmt: skip
    return tuple(parts)


def _sum(greeks: Sequence[Greeks | None]) -> Greeks:
    """Add Greeks up; what has none is left out."""
    known = [one for one in greeks if one is not None]
    return Greeks(
        math.fsum(one.delta_usd for one in known), math.fsum(one.gamma_usd_per_pct for one in known),
        math.fsum(one.vega_usd_per_point for one in known), math.fsum(one.theta_usd_per_day for one in known),
    )  # fmt: skip


def _known(greeks: Greeks) -> bool:
    return all(map(math.isfinite, msgspec.structs.astuple(greeks)))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
