"""`liqmon calibrate`: fitted on one period, judged on others, the whole search shown."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.replay import Moment
from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError


@click.command(
    epilog="\b\nExample:\n  liqmon calibrate run-october --until 2025-10-10T21:00 \\\n"
    "    --on run-february --call 0.9 --call 1.0 --out fitted.json\n"
    "  liqmon preview --parameters fitted.json --market market.jsonl --portfolio accounts.jsonl"
)
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--until", "until_us", type=Moment(), help="Fit before this time, UTC, and judge from it on.")
@click.option("--on", "others", type=click.Path(path_type=Path, exists=True, file_okay=False), multiple=True,
              help="Another run to judge on; may be repeated.")  # fmt: skip
@click.option("--call", "call_vs", type=float, multiple=True, default=(0.8, 0.85, 0.9, 0.95, 1.0), show_default=True,
              help="IM over equity at which a call is made; may be repeated.")  # fmt: skip
@click.option("--level", "levels", type=float, multiple=True, default=(1.0,), show_default=True,
              help="Factor on requirements; may be repeated. No set is written for another than 1.")  # fmt: skip
@click.option(
    "--horizon",
    "horizon_s",
    type=click.IntRange(1),
    default=600,
    show_default=True,
    help="Close-out period of the losses, seconds.",
)
@click.option(
    "--false-after",
    "false_s",
    type=click.IntRange(60),
    default=3_600,
    show_default=True,
    help="A call is false if nothing came of it for so many seconds.",
)
@click.option("--name", default="fitted", show_default=True, help="Name of the set.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              help="The chosen set as one record of risk.parameters; its evidence goes beside it.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the whole search as one JSON object.")
def command(  # noqa: PLR0913, PLR0917 (click passes every option by name)
    run: Path, until_us: int | None, others: tuple[Path, ...], call_vs: tuple[float, ...], levels: tuple[float, ...],
    horizon_s: int, false_s: int, name: str, out: Path | None, *, as_json: bool,
) -> int:  # fmt: skip
    """Try each configuration of RUN with each threshold and level: choose on one period, judge on the others.

    Exit code 1 if the chosen candidate is not the best one on some period that it was not chosen by.
    """
    # Imported here: `--help` needs no kernels.
    import msgspec  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from monitor.judgement import calibration, store  # noqa: PLC0415

    paths = store.load(run)
    fit, judged = paths, [(one.name, store.load(one)) for one in others]
    if until_us is not None:
        fit = paths.between(0, until_us)
        judged.insert(0, (f"{run.name} from then on", paths.between(until_us, 2**62)))
    if not judged:
        raise UsageError("there is nothing to judge on", "give --until or --on")
    weights = calibration.Weights(horizon_us=horizon_s * 1_000_000, false_us=false_s * 1_000_000)
    try:
        found = calibration.search((run.name, fit), judged, call_vs, levels, weights)
    except (ValueError, IndexError) as error:
        raise UsageError(str(error), "see docs/calibration.md") from error
    if out is not None:
        try:
            chosen = calibration.fitted_set(found, fit, name)
        except ValueError as error:
            raise UsageError(str(error), "leave --out out, or give --level 1") from error
        out.write_bytes(msgspec.json.format(msgspec.json.encode(chosen), indent=1) + b"\n")
        evidence = out.with_name(f"{out.stem}.evidence.json")
        evidence.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        table = Table(title=f"fitted on {found.fitted_on}; smaller scores are better", title_justify="left")
        for column in ("", "configuration", "call at v", "level", "score", "IM of gross", "hits", "false", "missed",
                       *(f"score, {label}" for label in found.judged_on)):  # fmt: skip
            table.add_column(column)
        for number, one in enumerate(found.tried):
            of = one.fitted
            rates = ("-" if rate is None else f"{rate:.3f}" for rate in (of.hit_rate, of.false_rate, of.missed_rate))
            called = f"{one.configuration} {fit.of(one.configuration).configuration.treatment}".strip()
            table.add_row(
                "*" if number == found.chosen else "", called, f"{one.call_v:g}", f"{one.level:g}",
                f"{of.score:.4f}", f"{of.capital_of_gross:.4f}", *rates,
                *(f"{one.judged[label].score:.4f}" for label in found.judged_on),
            )  # fmt: skip
        console_of().print(table)
    best = found.tried[found.chosen]
    worse = any(
        min(one.judged[label].score for one in found.tried) < best.judged[label].score for label in found.judged_on
    )
    return ExitCode.FINDINGS if worse else ExitCode.OK
