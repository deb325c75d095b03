"""`liqmon what-if`: an account under hypothetical trades, transfers, shocks, models and parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.asking.options import Where, where_options
from monitor.asking.reading import fills_from, set_from, shock_from, shock_options, transfers_from
from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monitor.config import Settings


@click.command(
    epilog="\b\nExample:\n  liqmon what-if acc-1 --trade BTC-PERPETUAL=-3 --transfer USD=5000 --shock BTC=-7% "
    "--market market.jsonl --portfolio accounts.jsonl"
)
@click.argument("account")
@where_options
@click.option("--trade", "trades", multiple=True, metavar="INSTRUMENT=CONTRACTS[@PRICE]",
              help="A fill, at its mark without a price. May be repeated.")  # fmt: skip
@click.option("--transfer", "transfers", multiple=True, metavar="ASSET=UNITS", help="A deposit, or less than 0 out.")
@shock_options[0]
@shock_options[1]
@shock_options[2]
@click.option("--model", help="Another margin model, of `liqmon models`.")
@click.option("--parameters", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="JSON of another parameter set, a record of risk.parameters.")  # fmt: skip
@click.option("--shapley", is_flag=True, help="Split the change by Shapley's value as well (256 evaluations).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    settings: Settings, /, account: str, *, where: Where, model: str | None, shapley: bool, as_json: bool, **flags: Any
) -> int:  # fmt: skip
    """Print an account before and after, and what changed its initial requirement.

    Trades and transfers are booked first, then model and parameters change, then the market. Exit code 1 if equity is
    then below the initial requirement.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.answers.what_if import Hypothesis, RefusedQuestion, what_if  # noqa: PLC0415
    from monitor.asking.show_book import show_what_if  # noqa: PLC0415
    from monitor.asking.tables import json_line  # noqa: PLC0415

    parameters: Path | None = flags["parameters"]
    hypothesis = Hypothesis(
        fills=fills_from(flags["trades"]), transfers=transfers_from(flags["transfers"]), model=model,
        parameters=None if parameters is None else set_from(parameters),
        shock=shock_from(flags["moves"], flags["vol_points"], flags["stress"]),
    )  # fmt: skip
    history = True if model is not None and model.startswith("D") else None
    asked = where.asked(settings, account, also=hypothesis.names, history=history)
    try:
        found = what_if(asked.view, hypothesis, shapley=shapley)
    except RefusedQuestion as error:
        raise UsageError(str(error), "see `liqmon explain` for what the account holds") from error
    if as_json:
        click.echo(json_line(found))
    else:
        show_what_if(console_of(), found)
    excess = found.after.im_excess_usd
    return ExitCode.OK if excess is not None and excess >= 0.0 else ExitCode.FINDINGS
