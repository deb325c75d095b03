"""`liqmon explain`: why an account needs what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.asking.options import Where, where_options
from monitor.cli.wide import console_of
from monitor.errors import ExitCode

if TYPE_CHECKING:
    from monitor.config import Settings


@click.command(
    epilog="\b\nExample:\n  liqmon explain acc-1 --market market.jsonl --portfolio accounts.jsonl --shapley\n"
    "  liqmon explain 3f0c... --broker 127.0.0.1:9092"
)
@click.argument("subject", metavar="ACCOUNT|EVENT")
@where_options
@click.option("--shapley", is_flag=True, help="Split the change by Shapley's value as well (256 evaluations).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(settings: Settings, /, subject: str, *, where: Where, shapley: bool, as_json: bool) -> int:
    """Print an account's requirement by underlying, expiry, scenario and position, and what changed it.

    ACCOUNT is asked at the end of the files or topics; EVENT (its id, or a file with its JSON) at its own moment.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.answers.explain import explain  # noqa: PLC0415
    from monitor.asking.show import show_explained  # noqa: PLC0415
    from monitor.asking.tables import json_line  # noqa: PLC0415

    asked = where.asked(settings, subject)
    found = explain(asked.view, shapley=shapley, events=asked.events)
    if as_json:
        click.echo(json_line(found))
    else:
        show_explained(console_of(), found)
    return ExitCode.OK
