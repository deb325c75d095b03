"""`liqmon cascade`: who falls next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from monitor.asking.options import Where, where_options
from monitor.asking.reading import shock_from, shock_options
from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monitor.answers.shock import Shock
    from monitor.cascade import Accounts, Cascade, LoopGain, Policy, Setup
    from monitor.config import Settings
    from monitor.engine.state import State

KINDS = ("at_once", "stagger", "cap", "auction", "hedge_first")


@click.command(
    epilog="\b\nExample:\n  liqmon cascade --market market.jsonl --portfolio accounts.jsonl --shock market=-12%\n"
    "  liqmon cascade --market market.jsonl --portfolio accounts.jsonl --shock BTC=-10% --vol 20 --policy cap --rounds"
)
@where_options
@shock_options[0]
@shock_options[1]
@click.option(
    "--policy",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    help="How liquidations are carried out; may be repeated. [default: all, side by side]",
)
@click.option(
    "--depth",
    type=click.FloatRange(min=0.0, min_open=True),
    default=1.0,
    show_default=True,
    help="Times the daily volumes of the parameter set.",
)
@click.option(
    "--cap", type=click.FloatRange(0.0, 1.0, min_open=True), default=0.05, show_default=True,
    help="Share of a day's volume of a coin that the policy `cap` lets to the market in a round.",
)  # fmt: skip
@click.option("--insurance-usd", type=click.FloatRange(min=0.0), default=0.0, show_default=True, help="Insurance fund.")
@click.option(
    "--max-rounds", type=click.IntRange(1, 1_000_000), default=1_000, show_default=True, help="Bound on rounds."
)
@click.option("--rounds", "show_rounds", is_flag=True, help="Print every round, and the largest pushes.")
@click.option("--gain", is_flag=True, help="Print the loop gain along the (only) move instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(  # noqa: PLR0913 (options)
    settings: Settings, /, *, where: Where, moves: tuple[str, ...], vol_points: float | None, kinds: tuple[str, ...],
    depth: float, cap: float, insurance_usd: float, max_rounds: int, show_rounds: bool, gain: bool, as_json: bool,
) -> int:  # fmt: skip
    """Play a shock, the liquidations that it makes, what their flow does to prices, and so on to its end.

    Every account is evaluated in every round by the engine's own models. What it assumes of the market is in
    docs/cascade.md.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.answers.shock import RefusedShock  # noqa: PLC0415
    from monitor.asking.tables import json_line  # noqa: PLC0415
    from monitor.cascade import Setup  # noqa: PLC0415

    setup = Setup(depth=depth, insurance_usd=insurance_usd, max_rounds=max_rounds)
    if not moves:
        raise UsageError("a cascade begins with a move", "give --shock, such as market=-12%")
    state = where.state(settings)
    try:
        if gain:
            found = _gain(state, moves, setup)
            click.echo(json_line(found)) if as_json else _show_gain(found)
            return ExitCode.OK
        shock = shock_from(moves, vol_points, None)
        played = _played(state, shock, [_policy(kind, cap) for kind in kinds or KINDS], setup)
    except RefusedShock as error:
        raise UsageError(str(error), "see which coins have a price with `liqmon margin`") from error
    if as_json:
        click.echo(json_line({"setup": setup, "cascades": played}))
        return ExitCode.OK
    _show(played)
    if show_rounds:
        for one in played:
            _show_rounds(one)
    return ExitCode.OK


def _played(state: State, shock: Shock, policies: list[Policy], setup: Setup) -> list[Cascade]:
    from monitor.cascade import cascade  # noqa: PLC0415

    return [cascade(_accounts(state), shock, policy, setup) for policy in policies]


def _policy(kind: str, cap: float) -> Policy:
    from monitor.cascade import POLICIES  # noqa: PLC0415

    return msgspec.structs.replace(POLICIES[kind], volume_per_round=cap)


def _accounts(state: State) -> Accounts:
    from monitor.cascade import Accounts  # noqa: PLC0415

    try:
        return Accounts(state)
    except ValueError as error:
        raise UsageError(str(error), "give --portfolio with trades") from None


def _gain(state: State, moves: tuple[str, ...], setup: Setup) -> LoopGain:
    from monitor.cascade import loop_gain  # noqa: PLC0415

    found = shock_from(moves, None, None).moves
    if len(found) != 1 or 0.0 in found.values():
        raise UsageError("the gain is along one move", "give one --shock, such as market=-30%")
    ((coin, move),) = found.items()
    steps = max(2, min(60, round(abs(move) * 100.0)))
    return loop_gain(_accounts(state), coin, [move * (k + 1) / steps for k in range(steps)], setup)


def _show(played: list[Cascade]) -> None:
    from monitor.asking.tables import percent, table, usd  # noqa: PLC0415

    first = played[0]
    moved = ", ".join(f"{u} {percent(x)}" for u, x in first.initial_move.items())
    table(
        console_of(), f"{first.accounts:,} accounts, first move {moved}",
        ("policy", "rounds", "liquidated", "bankrupt", "amplification", "worst move", "rest at", "traded, USD",
         "cost, USD", "insurance, USD", "bad debt, USD"),
        [
            (one.policy, _rounds(one), f"{len(one.liquidated):,}",
             f"{len(one.bankrupt):,}", f"{max(one.amplification.values(), default=1.0):.2f}",
             percent(min(one.worst_move.values(), default=0.0)), percent(min(one.final_move.values(), default=0.0)),
             usd(one.traded_usd), usd(one.cost_usd), usd(one.insurance_usd), usd(one.bad_debt_usd))
            for one in played
        ],
    )  # fmt: skip


def _rounds(played: Cascade) -> str:
    """Return how many rounds there were, and how many more there are at least where a bound ended them."""
    if played.ended == "quiet":
        return str(len(played.rounds))
    return f"{len(played.rounds)}+{played.rounds_to_go or ''}"


def _show_rounds(played: Cascade) -> None:
    from monitor.asking.tables import percent, table, usd  # noqa: PLC0415

    table(
        console_of(), f"{played.policy}: rounds",
        ("round", "new", "open", "flow, USD", "taken, USD", "deepest move", "cost, USD", "insurance, USD",
         "bad debt, USD"),
        [
            (str(one.number), str(one.new), str(one.open), usd(sum(one.flow_usd.values())), usd(one.taken_usd),
             percent(min(one.move.values(), key=lambda x: -abs(x), default=0.0)), usd(one.cost_usd),
             usd(one.insurance_usd), usd(one.bad_debt_usd))
            for one in played.rounds
        ],
    )  # fmt: skip
    table(
        console_of(), f"{played.policy}: largest pushes", ("who", "through", "whom", "loss, USD"),
        [(one.pusher, one.underlying, one.pushed, usd(one.loss_usd)) for one in played.pushes[:20]], left=3,
    )  # fmt: skip


def _show_gain(found: LoopGain) -> None:
    from monitor.asking.tables import percent, table, usd  # noqa: PLC0415

    at = "nowhere on this ladder" if found.unstable_at is None else f"at {percent(found.unstable_at)}"
    table(
        console_of(), f"Loop gain along {found.direction}: it reaches one {at}",
        ("move", "in liquidation", "flow, USD", "gain", "of"),
        [
            (percent(one.move), f"{one.liquidated:,}", usd(sum(one.flow_usd.values())), f"{one.gain:.3f}",
             one.underlying)
            for one in found.points
        ],
    )  # fmt: skip
