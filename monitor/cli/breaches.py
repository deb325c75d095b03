"""`liqmon breaches`: who breaches under a shock, over the whole book."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.asking.options import Where, where_options
from monitor.asking.reading import shock_from, shock_options
from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monitor.config import Settings


@click.command(
    epilog="\b\nExample:\n  liqmon breaches --shock BTC=-7% --vol +30 --market market.jsonl --portfolio accounts.jsonl"
)
@where_options
@shock_options[0]
@shock_options[1]
@shock_options[2]
@click.option("--at-least", type=click.Choice(["warning", "margin_call", "liquidation", "bankrupt"]), default="warning",
              show_default=True, help="The mildest standing that is listed.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    settings: Settings, /, *, where: Where, moves: tuple[str, ...], vol_points: float | None, stress: float | None,
    at_least: str, as_json: bool,
) -> int:  # fmt: skip
    """List the accounts that would stand worse under a shock, the largest shortfall first.

    The book is swept once at the shocked market. Exit code 1 if any account breaches.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.answers.book_wide import breaches  # noqa: PLC0415
    from monitor.answers.shock import RefusedShock  # noqa: PLC0415
    from monitor.asking.show_book import show_breaches  # noqa: PLC0415
    from monitor.asking.tables import json_line  # noqa: PLC0415

    shock = shock_from(moves, vol_points, stress)
    try:
        found = breaches(where.state(settings), shock, at_least=at_least)
    except RefusedShock as error:
        raise UsageError(str(error), "see which coins have a price with `liqmon margin`") from error
    if as_json:
        click.echo(json_line(found))
    else:
        show_breaches(console_of(), found)
    return ExitCode.FINDINGS if found.breaches else ExitCode.OK
