"""`liqmon check-config`: the settings as a process would get them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

import click

from monitor import redaction
from monitor.alerts.settings import Alerts, check
from monitor.brokers.endpoint import endpoint
from monitor.cli import ORIGINS
from monitor.config import HEALTH_TOKEN_VARIABLE, PASSWORD_VARIABLE, SECTIONS, Origin, Settings
from monitor.connection import read_keys, read_secret
from monitor.sections import section, section_origins
from schemas.signatures import MAX_SOLVER_KEYS


@click.command(
    epilog="\b\nExample:\n  liqmon --config liqmon.toml check-config\n  liqmon check-config --json | jq .\n"
    "  liqmon check-config --reference > docs/configuration.md"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--reference", is_flag=True, help="Print what every setting means instead, as Markdown.")
@click.pass_context
def command(ctx: click.Context, as_json: bool, reference: bool) -> None:
    """Print each setting, its value, and where the value comes from.

    Reads the files of secrets and certificates as well, and says what is wrong with them; connects nowhere. Secrets
    are not settings: of a password only where it comes from is told.
    """
    if reference:
        from monitor.reference import markdown  # noqa: PLC0415 (asked for by whoever writes the page)

        click.echo(markdown(), nl=False)
        return
    settings: Settings = ctx.obj
    file: Path | None = ctx.find_root().params["config_file"]
    found: list[Origin] = ctx.meta[ORIGINS]()
    for name, variable in (("sasl_password", PASSWORD_VARIABLE), ("health_token", HEALTH_TOKEN_VARIABLE)):
        if os.environ.get(variable):
            found.append(Origin(name, redaction.MASK, variable))
    for name in SECTIONS:
        found += section_origins(name, file, os.environ)
    _read_files(settings)
    _read_alerts(file)
    width = max(len(one.setting) for one in found)
    for one in found:
        text = json.dumps(one._asdict()) if as_json else f"{one.setting:<{width}}  {_shown(one.value)}  ({one.origin})"
        click.echo(redaction.clean(text))


def _read_files(settings: Settings) -> None:
    """Read what the settings name; raises UsageError."""
    from monitor.worker.health import check_address, read_token  # noqa: PLC0415 (loads the web server)

    if settings.broker_url:
        endpoint(settings)
    if settings.signing_key_file:
        read_keys(settings.signing_key_file)
    if settings.solver_key_file:
        read_keys(settings.solver_key_file, MAX_SOLVER_KEYS)
    token = read_token(Path(settings.health_token_file) if settings.health_token_file else None, os.environ)
    check_address(settings.health_host, token)


def _read_alerts(file: Path | None) -> None:
    """Read what the section of alerts names; raises UsageError."""
    from monitor.alerts.channels import senders  # noqa: PLC0415

    alerts = check(cast("Alerts", section("alerts", file, os.environ)))
    if alerts.keys_file:
        read_keys(alerts.keys_file)
    if alerts.workers_token_file:
        read_secret(alerts.workers_token_file, "alerts.workers_token_file")
    if alerts.channels:
        senders(alerts)


def _shown(value: object) -> str:
    return "-" if value is None or value in ((), {}, []) else str(value)
