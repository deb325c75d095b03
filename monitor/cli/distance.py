"""`liqmon distance`: how far an account is from a call or a liquidation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.asking.options import Where, where_options
from monitor.cli.wide import console_of
from monitor.errors import ExitCode

if TYPE_CHECKING:
    from monitor.config import Settings


@click.command(epilog="\b\nExample:\n  liqmon distance acc-1 --market market.jsonl --portfolio accounts.jsonl")
@click.argument("account")
@where_options
@click.option("--to", "target", type=click.Choice(["warning", "margin_call", "liquidation"]), default="liquidation",
              show_default=True, help="The standing to be reached, or left by an account that is there.")  # fmt: skip
@click.option("--surface", default="market", show_default=True, metavar="COIN",
              help="Coin of the price x volatility surface, or `market` for all by their betas.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(settings: Settings, /, account: str, *, where: Where, target: str, surface: str, as_json: bool) -> int:
    """Print the first crossing on each side along every price, the market, volatility, correlation and pegs.

    Liquidation prices count all other positions of the account. Chances to touch a level are those of a price without
    drift at the coin's slow volatility.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.answers.distance import distance  # noqa: PLC0415
    from monitor.asking.show import show_distances  # noqa: PLC0415
    from monitor.asking.tables import json_line  # noqa: PLC0415

    asked = where.asked(settings, account)
    found = distance(asked.view, target, surface=surface)  # type: ignore[arg-type]
    if as_json:
        click.echo(json_line(found))
    else:
        show_distances(console_of(), found)
    return ExitCode.OK
