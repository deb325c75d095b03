"""`liqmon alerts`: tell people, see what waits for an answer, answer."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import orjson
from rich.table import Table

from monitor.alerts.settings import Alerts, check
from monitor.brokers.endpoint import endpoint
from monitor.cli.wide import console_of
from monitor.config import Settings
from monitor.connection import read_keys, read_secret
from monitor.errors import ExitCode, UsageError
from monitor.sections import section
from schemas.headers import rfc3339

if TYPE_CHECKING:
    from monitor.alerts.digest import Text

_BROKER = click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL]")
_PREFIX = click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]")


def _alerts(ctx: click.Context) -> Alerts:
    file: Path | None = ctx.find_root().params["config_file"]
    return check(cast("Alerts", section("alerts", file, os.environ)))


def _prefix(settings: Settings, given: str | None) -> str:
    return settings.topic_prefix if given is None else given


class Shown:
    """A channel of `--dry-run`: prints what would be sent."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def send(self, text: Text) -> bool:
        """Print one message."""
        click.echo(f"--- {self._name}: {text.title}\n{text.body}")
        return True


@click.group(
    epilog="\b\nExample:\n  LIQMON_CONFIG=liqmon.toml liqmon alerts run --dry-run\n  liqmon alerts list\n"
    '  liqmon alerts ack 9f2c41d07a55 --text "hedging"'
)
def command() -> None:
    """Tell people about margin calls, liquidations, holds, regimes and watchdogs.

    Who is told what stands in the section [alerts] of the settings file; see docs/alerts.md.
    """


@command.command(
    epilog="\b\nExample:\n  export LIQMON_CONFIG=liqmon.toml BROKER_URL=127.0.0.1:9092\n  liqmon alerts run"
)
@_BROKER
@_PREFIX
@click.option("--dry-run", is_flag=True, help="Print messages instead of sending; note and commit nothing.")
@click.pass_context
def run(ctx: click.Context, broker_url: str | None, prefix: str | None, dry_run: bool) -> None:
    """Read the topics and tell people, until SIGTERM or Ctrl-C."""
    from monitor.alerts.book import provide  # noqa: PLC0415 (`--help` needs no client)
    from monitor.alerts.channels import senders  # noqa: PLC0415
    from monitor.alerts.run import Runner  # noqa: PLC0415

    settings: Settings = ctx.obj
    alerts = _alerts(ctx)
    if not alerts.routes:
        raise UsageError("no route tells anybody anything", "write [[alerts.routes]], see docs/alerts.md")
    address, named = endpoint(settings, broker_url), _prefix(settings, prefix)
    keys = read_keys(alerts.keys_file) if alerts.keys_file else None
    token = ""
    if alerts.workers_token_file:
        token = read_secret(alerts.workers_token_file, "alerts.workers_token_file").reveal()
    channels = {name: Shown(name) for name in alerts.channels} if dry_run else senders(alerts)
    runner = Runner(address, named, alerts, channels, keys=keys, token=token, dry=dry_run)

    async def work() -> None:
        end = asyncio.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, end.set)
        await provide(address, named)
        await runner.run(end)

    asyncio.run(work())


@command.command("list", epilog="\b\nExample:\n  liqmon alerts list --json | jq -r .id")
@_BROKER
@_PREFIX
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_obj
def list_(settings: Settings, /, broker_url: str | None, prefix: str | None, as_json: bool) -> int:
    """List alerts that wait for an answer, the oldest first; exit code 1 if there are any.

    Only routes with escalate_after_s wait for one. A later event of the same account takes an alert's place.
    """
    from monitor.alerts.book import unanswered  # noqa: PLC0415

    found = asyncio.run(unanswered(endpoint(settings, broker_url), _prefix(settings, prefix)))
    rows = [
        {
            "id": one.notice.id, "kind": one.notice.kind, "severity": one.notice.severity,
            "account": one.notice.account, "told": rfc3339(one.told_us), "text": one.notice.text,
            "escalated": one.due_us is None,
        }
        for one in found
    ]  # fmt: skip
    if as_json:
        for row in rows:
            click.echo(orjson.dumps(row))
    else:
        _show(rows)
    return ExitCode.FINDINGS if rows else ExitCode.OK


def _show(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("no alert waits for an answer", err=True)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "told", "kind", "account", "escalated", "text"):
        table.add_column(name, no_wrap=name != "text")
    for row in rows:
        told = row["told"][:19] + "Z"
        table.add_row(
            row["id"][:12], told, row["kind"], row["account"] or "-", "yes" if row["escalated"] else "no", row["text"]
        )
    console_of().print(table)


@command.command(epilog='\b\nExample:\n  liqmon alerts ack 9f2c41d07a55 --text "hedging, done by 15:00"')
@_BROKER
@_PREFIX
@click.option("--by", help="Who looks after it. [default: you, on this machine]")
@click.option("--text", default="", help="What is being done about it.")
@click.argument("event")
@click.pass_obj
def ack(
    settings: Settings, /, event: str, broker_url: str | None, prefix: str | None, by: str | None, text: str
) -> None:  # fmt: skip
    """Acknowledge an alert by its id or the beginning of it, as in its message behind #; it is not told again."""
    from monitor.alerts.book import acknowledge  # noqa: PLC0415

    who = by or f"{getpass.getuser()}@{socket.gethostname()}"
    done = asyncio.run(acknowledge(endpoint(settings, broker_url), _prefix(settings, prefix), event, who, text))
    click.echo(f"{done.id} is acknowledged by {done.by}", err=True)


@command.command("test", epilog="\b\nExample:\n  LIQMON_CONFIG=liqmon.toml liqmon alerts test desk")
@click.argument("channels", nargs=-1)
@click.pass_context
def try_(ctx: click.Context, channels: tuple[str, ...]) -> int:
    """Send one message of trial to the channels that are named, or to all; exit code 1 if one does not take it."""
    from monitor.alerts.channels import senders  # noqa: PLC0415
    from monitor.alerts.digest import Text  # noqa: PLC0415

    found = senders(_alerts(ctx))
    for name in channels:
        if name not in found:
            raise UsageError(f"there is no channel {name}", f"channels are {', '.join(sorted(found)) or 'none'}")
    text = Text("info", "[info] trial of liqmon alerts", f"Sent by hand from {socket.gethostname()}. Nothing is wrong.")
    refused = [name for name in channels or sorted(found) if not asyncio.run(found[name].send(text))]
    for name in channels or sorted(found):
        click.echo(f"{name}: {'REFUSED' if name in refused else 'taken'}")
    return ExitCode.FINDINGS if refused else ExitCode.OK


@command.command(epilog="\b\nExample:\n  LIQMON_CONFIG=liqmon.toml liqmon alerts preview events.jsonl")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a message.")
@click.pass_context
def preview(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Show what people would have been sent, and when, for the events of a replay (`liqmon replay --out`)."""
    from monitor.alerts.preview import messages, read_events  # noqa: PLC0415

    alerts = _alerts(ctx)
    count = 0
    for at_us, message in messages(read_events(file, alerts), alerts):
        count += 1
        if as_json:
            click.echo(orjson.dumps({
                "at": rfc3339(at_us), "channel": message.channel, "alerts": len(message.entries),
                "severity": message.text.severity, "title": message.text.title, "body": message.text.body,
            }))  # fmt: skip
        else:
            click.echo(f"{rfc3339(at_us)[:19]}Z  {message.channel}: {message.text.title}")
    click.echo(f"{count} messages", err=True)
