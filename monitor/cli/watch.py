"""`liqmon watch`: accounts and events as they come."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import orjson
from rich.console import Console

from monitor.brokers.endpoint import endpoint
from monitor.cli.wide import WIDTH
from monitor.errors import ExitCode, UsageError
from schemas.outputs import EventKind, Status

if TYPE_CHECKING:
    from monitor.config import Settings
    from monitor.connection import Address
    from monitor.watching.board import Board
    from monitor.watching.follow import Since
    from monitor.watching.workers import Workers

HEIGHT = 60  # lines that `--once` fills


@click.command(
    epilog="\b\nExample:\n  liqmon watch --account 'desk-*'\n"
    "  liqmon watch --kind liquidation --kind bankrupt --json | jq .shortfall_usd\n"
    "  liqmon watch --once --status margin_call\n"
    "  liqmon watch --worker http://127.0.0.1:8787"
)
@click.option(
    "--account", "accounts", metavar="PATTERN", multiple=True, help="Accounts like `desk-*`; may be repeated."
)
@click.option("--status", "statuses", type=click.Choice(get_args(Status)), multiple=True,
              help="Accounts in this status; may be repeated.")  # fmt: skip
@click.option("--kind", "kinds", type=click.Choice(get_args(EventKind)), multiple=True,
              help="Events of this kind; may be repeated.")  # fmt: skip
@click.option("--worker", "addresses", metavar="URL", multiple=True,
              help="A worker's endpoint: say in the tables how it is. May be repeated.")  # fmt: skip
@click.option("--once", is_flag=True, help="Print the tables as they are now, and end.")
@click.option("--from-beginning", is_flag=True, help="Lines: all events of the topics first, not only new ones.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line; with --once one object.")
@click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]")
@click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL]")
@click.pass_obj
def command(
    settings: Settings, /, broker_url: str | None, prefix: str | None, *, once: bool, from_beginning: bool,
    as_json: bool, addresses: tuple[str, ...], **wanted: tuple[str, ...],
) -> int:  # fmt: skip
    """Show accounts by how near they are to trouble, and the latest events, until Ctrl-C.

    On a terminal a table that follows the topics; elsewhere, or with --json, a line for each new event. Figures of
    an account are those of its latest record on the state topic. With --once the exit code is 1 if an account shown is
    on a margin call, in liquidation or bankrupt. With --worker the tables say, too, whether that worker is ready, and
    how far it is in taking over its state if it is not.
    """
    # Imported here: `--help` needs no client.
    from monitor.watching import run  # noqa: PLC0415
    from monitor.watching.board import Board, Wanted  # noqa: PLC0415

    workers = _workers(settings, addresses)
    where: Address = endpoint(settings, broker_url)
    names = settings.topic_prefix if prefix is None else prefix
    board, console = Board(Wanted(**wanted)), Console()
    if once:
        asyncio.run(run.once(where, names, board, workers))
        if as_json:
            click.echo(orjson.dumps(_data(board) | {"workers": workers.said}))
        else:
            wide = console if console.is_terminal else Console(width=WIDTH)
            wide.print(run.tables(board, HEIGHT, workers))
        return ExitCode.FINDINGS if board.called() else ExitCode.OK
    if console.is_terminal and not as_json and not from_beginning:
        asyncio.run(run.live(where, names, board, console, workers))
    else:
        since: Since = "beginning" if from_beginning else "now"
        asyncio.run(run.lines(where, names, board, _say, as_json=as_json, since=since))
    return ExitCode.OK


def _workers(settings: Settings, addresses: tuple[str, ...]) -> Workers:
    """Return what asks the workers, with the token of the settings if there is one."""
    from monitor.watching.workers import Workers  # noqa: PLC0415

    for address in addresses:
        if not address.startswith(("http://", "https://")):
            raise UsageError(f"{address} is no address of a worker", "write http://HOST:PORT, as its log line `health`")
    if not addresses:
        return Workers()
    from monitor.worker.health import read_token  # noqa: PLC0415 (loads the web server)

    file = settings.health_token_file
    return Workers(addresses, read_token(Path(file) if file else None, os.environ))


def _say(line: str) -> None:
    click.echo(line)


def _data(board: Board) -> dict[str, object]:
    """Return what `--once --json` prints."""
    from msgspec import to_builtins  # noqa: PLC0415

    return {
        "market_time_us": board.market_time_us, "last_sent_ms": board.last_sent_ms, "statuses": dict(board.statuses),
        "accounts": [to_builtins(one) for one in board.nearest(len(board))],
        "events": [to_builtins(one) for one in board.recent],
    }  # fmt: skip
