"""`explain` and `distance` as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.asking.tables import NOTHING, moment, number, percent, table, usd

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.answers.distance import Crossing, Direction, Distances
    from monitor.answers.explain import Explained
    from monitor.answers.groups import Change

SCENARIOS = 12  # shown; all are in the JSON


def show_explained(console: Console, found: Explained) -> None:
    """Print why an account needs what it needs."""
    console.print(
        f"{found.account}: {found.status}, by its figures {found.standing}; model {found.model}, parameters "
        f"{found.parameter_set} ({found.parameter_hash}), {moment(found.market_time_us)} UTC"
    )
    console.print(
        f"equity {usd(found.equity_usd)} USD, IM {usd(found.im_requirement_usd)} USD ({percent(found.v)}), "
        f"MM {usd(found.mm_requirement_usd)} USD ({percent(found.u)})"
    )
    if found.data_quality:
        console.print("data: " + ", ".join(found.data_quality))
    table(
        console, "by underlying",
        ("underlying", "index, USD", "value, USD", "IM, USD", "delta, coins", "delta, USD", "gamma, USD per 1 %",
         "vega, USD per point", "theta, USD per day"),
        ((one.underlying, usd(one.index_price), usd(one.value_usd), usd(one.requirement_usd), number(one.delta_coins),
          usd(one.greeks.delta_usd), usd(one.greeks.gamma_usd_per_pct), usd(one.greeks.vega_usd_per_point),
          usd(one.greeks.theta_usd_per_day)) for one in found.underlyings),
    )  # fmt: skip
    table(console, "components of IM", ("component", "USD"), ((k, usd(v)) for k, v in found.components.items()))
    table(
        console, "by expiry", ("underlying", "expiry, UTC", "value, USD", "IM, USD", "delta, USD", "vega, USD"),
        ((one.underlying, moment(one.expiry_us), usd(one.value_usd), usd(one.requirement_usd),
          usd(one.greeks.delta_usd), usd(one.greeks.vega_usd_per_point)) for one in found.expiries), left=2,
    )  # fmt: skip
    weighed = [one for one in found.scenarios if one.weight]
    worst = weighed or sorted(found.scenarios, key=lambda one: one.pnl_usd)
    table(
        console, "scenarios that IM rests on" if weighed else "costliest scenarios",
        ("underlying", "scenario", "P&L, USD", "weight"),
        ((one.underlying or "all", one.label, usd(one.pnl_usd), number(one.weight)) for one in worst[:SCENARIOS]),
        left=2,
    )  # fmt: skip
    table(
        console, "by position",
        ("instrument", "contracts", "mark", "value, USD", "IM, USD", "IM less without it, USD", "delta, USD"),
        ((one.instrument, number(one.quantity), number(one.mark_price), usd(one.value_usd), usd(one.requirement_usd),
          usd(one.without_usd), usd(one.greeks.delta_usd if one.greeks else None)) for one in found.positions),
    )  # fmt: skip
    if found.change is not None:
        show_change(console, f"change of IM since {moment(found.change_since_us)} UTC", found.change)
    if found.healthy is not None:
        one = found.healthy
        table(
            console,
            f"change of IM since healthy, {moment(one.since_us)} UTC, events {one.first_sequence} to "
            f"{one.last_sequence}: {usd(one.before_usd)} to {usd(one.after_usd)} USD",
            ("group", "USD"), ((group, usd(amount)) for group, amount in one.groups.items()),
        )  # fmt: skip


def show_change(console: Console, title: str, change: Change) -> None:
    """Print a change by groups."""
    shapley = any(one.shapley_usd is not None for one in change.groups)
    headings = ["group", "in order, USD", *(["Shapley, USD"] if shapley else []), "alone, USD"]
    rows = [
        [one.group, usd(one.sequential_usd), *([usd(one.shapley_usd)] if shapley else []), usd(one.alone_usd)]
        for one in change.groups
    ]
    total = [usd(change.change_usd)] * (2 if shapley else 1)
    rows.append(["all", *total, NOTHING])
    table(console, f"{title}: {usd(change.before_usd)} to {usd(change.after_usd)} USD", headings, rows)


def show_distances(console: Console, found: Distances) -> None:
    """Print how far an account is from a standing."""
    console.print(
        f"{found.account}: {found.standing}, model {found.model}, {moment(found.market_time_us)} UTC; first crossings "
        f"of {found.target.replace('_', ' ')}"
    )
    table(
        console, "first crossings",
        ("along", "what", "now", "below", "move", "in 1 h", "in 1 d", "above", "move", "in 1 h", "in 1 d"),
        ((one.kind, one.underlying, _level(one, one.now), *_side(one, one.below), *_side(one, one.above))
         for one in found.directions), left=2,
    )  # fmt: skip
    table(
        console, "liquidation prices, with all other positions", ("contract", "now", "below", "above"),
        ((one.instrument, number(one.now, 2), number(one.below, 2), number(one.above, 2)) for one in found.contracts),
    )  # fmt: skip
    surface = found.surface
    if surface is not None:
        table(
            console, f"MM over equity: moves of {surface.underlying} (rows), points of volatility (columns)",
            ("move", *(f"{100.0 * vol:+z.0f}" for vol in surface.vols)),
            ([f"{100.0 * move:+z.0f} %", *(_cell(standing, u) for standing, u in zip(row, ratios, strict=True))]
             for move, row, ratios in zip(surface.moves, surface.standings, surface.u, strict=True)),
        )  # fmt: skip


_MARKS = {"healthy": "", "warning": "w", "margin_call": "c", "liquidation": "L", "bankrupt": "B", "unknown": "?"}


def _cell(standing: str, u: float | None) -> str:
    return f"{NOTHING if u is None else f'{u:.2f}'} {_MARKS[standing]:1}"


def _level(one: Direction, level: float) -> str:
    if one.kind == "vol":
        return f"{100.0 * level:+z,.2f} points"
    return number(level, 6 if one.kind == "correlation" else 2 if level >= 10.0 else 4)


def _side(one: Direction, end: Crossing | None) -> tuple[str, ...]:
    if end is None:
        return (NOTHING, NOTHING, NOTHING, NOTHING)
    move = percent(end.move) if one.kind not in ("vol", "correlation") else NOTHING
    return (_level(one, end.level), move, percent(end.probability.get("1h")), percent(end.probability.get("1d")))
