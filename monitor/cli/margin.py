"""`liqmon margin`: portfolios under one margin model or several, side by side."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monitor.engine.state import State

ALL = "all"


@click.command(
    epilog="\b\nExample:\n  liqmon generate market --minutes 5 --out market.jsonl\n"
    "  liqmon generate accounts market.jsonl --accounts 20 --out accounts.jsonl\n"
    "  liqmon margin --portfolio accounts.jsonl --market market.jsonl --model all"
)
@click.option("--portfolio", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True,
              help="JSON lines of accounts, transfers and trades.")  # fmt: skip
@click.option("--market", "markets", type=click.Path(path_type=Path, exists=True), multiple=True, required=True,
              help="Market files or folders, as `liqmon replay` reads them; may be repeated.")  # fmt: skip
@click.option("--model", "models", metavar="NAME", multiple=True, default=(ALL,), show_default=True,
              help="A model of `liqmon models`; may be repeated.")  # fmt: skip
@click.option("--account", "accounts", metavar="NAME", multiple=True, help="This account only; may be repeated.")
@click.option("--parameters", "parameter_set", metavar="SET", help="Parameter set. [default: each account's own]")
@click.option("--owners", "by_owner", is_flag=True, help="Instead: accounts of one group together.")
@click.option("--until-us", type=int, help="Stop before this arrival time, microseconds since 1970 UTC.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and no progress.")
def command(
    portfolio: Path, markets: tuple[Path, ...], models: tuple[str, ...], accounts: tuple[str, ...],
    parameter_set: str | None, by_owner: bool, until_us: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Print equity and requirements of every account at the end of the market files, model by model.

    The files run through the engine, so trades, funding and expiries count as they would live. Each line has the
    initial requirement over that of isolated positions (capital efficiency); below stands where the models disagree.
    With --owners each group of sub-accounts is one owner: margin per venue, and what the whole would need.
    Exit code 1 if records were refused or a requirement could not be computed.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.engine import new_state  # noqa: PLC0415
    from monitor.replay import offline, report, side_by_side  # noqa: PLC0415
    from monitor.replay.arrival import Merged, Span  # noqa: PLC0415
    from monitor.replay.progress import progress_bar  # noqa: PLC0415
    from monitor.replay.sources import open_accounts, open_sources  # noqa: PLC0415

    names = _names(models)
    sources = [*open_sources(markets), open_accounts(portfolio)]
    state = new_state()
    stream = Merged(sources, Span(None, until_us))
    with progress_bar("market", quiet=as_json) as on_step:
        summary = offline.run(stream, state=state, on_step=on_step)
    if not as_json:
        report.complain(Console(stderr=True), sources)
    for kind, count in summary.rejected.items():
        click.echo(f"liqmon: {count} records refused: {kind}", err=True)
    refused = bool(summary.rejected or report.malformed(sources))
    if by_owner:
        views = side_by_side.owners(state, parameter_set)
        if as_json:
            click.echo(json.dumps({"v": 1, "owners": side_by_side.owners_data(views)}, allow_nan=False))
        else:
            side_by_side.print_owners(console_of(), views)
        return ExitCode.FINDINGS if refused or not all(view.economic.computed for view in views) else ExitCode.OK
    found = side_by_side.compare_accounts(state, names, _chosen(state, accounts), parameter_set)
    without = Counter(margin.model for one in found for margin in one.comparison.margins if not margin.computed)
    for name, count in without.items():
        click.echo(f"liqmon: {name} has no figures for {count} of {len(found)} accounts", err=True)
    if as_json:
        click.echo(json.dumps(side_by_side.data(found, state.market.time_us, summary.rejected), allow_nan=False))
    else:
        side_by_side.print_accounts(console_of(), found)
    return ExitCode.FINDINGS if refused or any(not one.computed for one in found) else ExitCode.OK


def _names(models: tuple[str, ...]) -> tuple[str, ...]:
    """Return the models asked for, `all` spelt out."""
    from monitor.models.registry import MODELS  # noqa: PLC0415

    names = dict.fromkeys(name for asked in models for name in (MODELS if asked == ALL else (asked,)))
    for name in names:
        if name not in MODELS:
            raise UsageError(f"there is no model {name!r}", f"one of {', '.join(MODELS)}, or {ALL}")
    return tuple(names)


def _chosen(state: State, accounts: tuple[str, ...]) -> list[str]:
    known = sorted(state.partition_of)
    for name in accounts:
        if name not in state.partition_of:
            raise UsageError(f"no account {name!r} in the portfolio file", f"it has {len(known)} accounts")
    return sorted(set(accounts)) if accounts else known
