"""`liqmon allocate`: where collateral belongs, over venues."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monitor.answers.collateral import Allocation, Treasury


@click.command(epilog="\b\nExample:\n  liqmon allocate treasury.json\n  liqmon allocate - --json <treasury.json")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(file: Path, as_json: bool) -> int:
    """Propose what to move between venues so that the least is missing, for the least moving.

    FILE (- for standard input) is a JSON object with `venues` (name, requirement_usd, equity_usd, haircuts by asset;
    optional buffer, now, locked, cost_rate) and `assets` (name, units, value_usd); optional `weights`. Exit code 1 if
    something is missing all the same. It moves nothing.
    """
    # Imported here: `--help` needs no solver.
    from monitor.answers.collateral import CannotAllocate, allocate  # noqa: PLC0415
    from monitor.asking.tables import json_line  # noqa: PLC0415

    treasury = _read(file)
    try:
        found = allocate(treasury.venues, treasury.assets, treasury.weights)
    except CannotAllocate as error:
        raise UsageError(str(error), "see docs/plan.md") from error
    click.echo(json_line(found)) if as_json else _show(treasury, found)
    return ExitCode.FINDINGS if any(missing > 0.005 for missing in found.shortfall_usd.values()) else ExitCode.OK


def _read(file: Path) -> Treasury:
    import msgspec  # noqa: PLC0415

    from monitor.answers.collateral import Treasury  # noqa: PLC0415

    try:
        data = sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
        return msgspec.json.decode(data, type=Treasury)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} holds no treasury ({error})", "see `liqmon allocate --help`") from error


def _show(treasury: Treasury, found: Allocation) -> None:
    from monitor.asking.tables import table, usd  # noqa: PLC0415

    table(
        console_of(), "collateral over venues",
        ("venue", *(f"{asset.name}: move" for asset in treasury.assets), "missing, USD", "to spare, USD"),
        [
            (venue.name, *(f"{found.moves[venue.name].get(asset.name, 0.0):+,.8g}" for asset in treasury.assets),
             usd(found.shortfall_usd[venue.name]), usd(found.transferable_usd[venue.name]))
            for venue in treasury.venues
        ],
    )  # fmt: skip
    reserve = ", ".join(f"{found.reserve[asset.name]:,.8g} {asset.name}" for asset in treasury.assets)
    console_of().print(f"at no venue: {reserve}", highlight=False)
