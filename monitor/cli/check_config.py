"""`liqmon check-config`: the settings as a process would get them."""

from __future__ import annotations

import json
import os

import click

from monitor import redaction
from monitor.brokers.endpoint import endpoint
from monitor.cli import ORIGINS
from monitor.config import PASSWORD_VARIABLE, Origin, Settings


@click.command(epilog="\b\nExample:\n  liqmon --config liqmon.toml check-config\n  liqmon check-config --json | jq .")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Print each setting, its value, and where the value comes from.

    Reads the files of secrets and certificates as well, and says what is wrong with them; connects nowhere. Secrets
    are not settings: of a password only where it comes from is told.
    """
    settings: Settings = ctx.obj
    found: list[Origin] = ctx.meta[ORIGINS]()
    if os.environ.get(PASSWORD_VARIABLE):
        found.append(Origin("sasl_password", redaction.MASK, PASSWORD_VARIABLE))
    if settings.broker_url:
        endpoint(settings)
    width = max(len(one.setting) for one in found)
    for one in found:
        text = json.dumps(one._asdict()) if as_json else f"{one.setting:<{width}}  {_shown(one.value)}  ({one.origin})"
        click.echo(redaction.clean(text))


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
