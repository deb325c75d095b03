"""`liqmon preview`: who would be called under a new parameter set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.asking.options import Where, where_options
from monitor.asking.reading import set_from
from monitor.cli.wide import console_of
from monitor.errors import ExitCode

if TYPE_CHECKING:
    from monitor.config import Settings


@click.command(
    epilog="\b\nExample:\n  liqmon preview --parameters new.json --market market.jsonl --portfolio accounts.jsonl"
)
@where_options
@click.option("--parameters", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True,
              help="JSON of one record of risk.parameters.")  # fmt: skip
@click.option("--at-least", type=click.Choice(["warning", "margin_call", "liquidation", "bankrupt"]), default="warning",
              show_default=True, help="The mildest standing that is listed.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(settings: Settings, /, *, where: Where, parameters: Path, at_least: str, as_json: bool) -> int:
    """List the accounts that would stand worse if a parameter set were published, the largest shortfall first.

    The set replaces the one of its name, for every account that has it. Exit code 1 if any account would be called.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.answers.book_wide import preview  # noqa: PLC0415
    from monitor.asking.show_book import show_breaches  # noqa: PLC0415
    from monitor.asking.tables import json_line  # noqa: PLC0415

    chosen = set_from(parameters)
    found = preview(where.state(settings), chosen, at_least=at_least)
    if as_json:
        click.echo(json_line(found))
    else:
        show_breaches(console_of(), found)
    return ExitCode.FINDINGS if found.breaches else ExitCode.OK
