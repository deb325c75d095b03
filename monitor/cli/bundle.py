"""`liqmon bundle`: the proof of one liquidation as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.asking.options import Where, where_options
from monitor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monitor.config import Settings


@click.command(
    epilog="\b\nExample:\n  liqmon bundle 3f0c... --broker 127.0.0.1:9092 --out liquidation.json\n"
    "  liqmon verify --bundle liquidation.json"
)
@click.argument("event")
@where_options
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@click.pass_obj
def command(settings: Settings, /, event: str, *, where: Where, out: Path) -> int:
    """Write the bundle of a liquidation or bankruptcy: all that it was computed from, with the build that did it.

    EVENT is an id, or a file with the event's JSON. `liqmon verify --bundle` computes it again without a broker.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.answers.bundle import RefusedBundle, check, make, read  # noqa: PLC0415
    from monitor.asking.build import this_build  # noqa: PLC0415

    asked = where.asked(settings, event)
    if asked.event is None:
        raise UsageError(f"{event!r} is no event", "give an event's id, or a file with its JSON")
    try:
        data = make(asked.view, asked.event, this_build())
        found = check(read(data), this_build())
    except RefusedBundle as error:
        raise UsageError(str(error), "see `liqmon explain` for other events") from error
    out.write_bytes(data + b"\n")
    click.echo(f"{found.outcome} {found.event} {found.kind} {found.account}, {len(data):,} bytes in {out}")
    return ExitCode.OK if found.outcome == "equal" else ExitCode.FINDINGS
