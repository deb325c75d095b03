"""`liqmon half-lives`: those of the correlation estimate, fitted on one period and judged on others."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.replay import Moment
from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError

FAR_US = 2**62


@click.command(
    epilog="\b\nExample:\n  liqmon half-lives ../data/crash-2025-10-10/trades --until 2025-10-10T20:30 \\\n"
    "    --on ../data/crash-2026-02-05/binance_um_perp_1m.csv.gz"
)
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--until", "until_us", type=Moment(), help="Fit before this time, UTC, and judge from it on.")
@click.option("--on", "others", type=click.Path(path_type=Path, exists=True), multiple=True,
              help="Another recording to judge on; may be repeated.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the whole search as one JSON object.")
def command(
    files: tuple[Path, ...], until_us: int | None, others: tuple[Path, ...], *, as_json: bool
) -> int:  # fmt: skip
    """Tell which half-lives tell best how coins of FILES move together: choose on one period, judge on others.

    Exit code 1 if another one is better on a period that did not choose, by more than two standard errors.
    """
    # Imported here: `--help` needs no kernels.
    import msgspec  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from monitor.judgement import half_lives  # noqa: PLC0415
    from monitor.replay.arrival import Merged  # noqa: PLC0415
    from monitor.replay.sources import open_sources  # noqa: PLC0415

    own = half_lives.series_of(Merged(open_sources(files)))
    periods = [("fitted on", own, 0, FAR_US if until_us is None else until_us)]
    if until_us is not None:
        periods.append(("from then on", own, until_us, FAR_US))
    periods += [(one.name, half_lives.series_of(Merged(open_sources([one]))), 0, FAR_US) for one in others]
    if len(periods) < 2:
        raise UsageError("there is nothing to judge on", "give --until or --on")
    try:
        found = half_lives.fit(periods)
    except ValueError as error:
        raise UsageError(str(error), "give a longer recording, or another --until") from error
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        table = Table(title="nats a return; smaller is better, 0 is the identity; * chosen, = in force",
                      title_justify="left")  # fmt: skip
        for column in ("", "half-lives, min", *(f"{label} ({found.moments[label]})" for label in found.periods)):
            table.add_column(column)
        for number, one in enumerate(found.tried):
            mark = ("*" if number == found.chosen else "") + ("=" if number == found.published else "")
            cells = (
                f"{one.score[label]:.3f} ({one.behind[label]:+.3f} ± {one.error[label]:.3f})" for label in found.periods
            )
            table.add_row(mark, " to ".join(map(str, one.half_lives_min)), *cells)
        console_of().print(table)
    worse = any(one.behind[label] < -2.0 * one.error[label] for one in found.tried for label in found.periods[1:])
    return ExitCode.FINDINGS if worse else ExitCode.OK
