"""`liqmon report`: a judged run as one HTML page, with pictures and data beside it."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.judge import terms_of, terms_options
from monitor.errors import ExitCode, UsageError


@click.command(epilog="\b\nExample:\n  liqmon report run --title 'The crash of 10 October 2025' --out report.html")
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True)
@click.option("--title", default="A run judged", show_default=True, help="Title of the page.")
@click.option("--parquet/--no-parquet", default=True, show_default=True, help="Write calls and paths as Parquet, too.")
@terms_options
def command(
    run: Path, out: Path, title: str, *, parquet: bool, horizons: tuple[int, ...], insurance_usd: float | None,
    false_s: int, probability: float,
) -> int:  # fmt: skip
    """Write RUN as one page that needs nothing else, and PNG, JSON and Parquet of the same name beside it.

    The same run gives the same bytes. Pictures need matplotlib (extra `report`), Parquet pyarrow (extra `parquet`).
    """
    # Imported here: `--help` needs no kernels.
    from monitor.judgement import store  # noqa: PLC0415
    from monitor.judgement.report import beside  # noqa: PLC0415
    from monitor.judgement.verdict import judged  # noqa: PLC0415

    paths = store.load(run)
    try:
        found, calls = judged(paths, terms_of(horizons, false_s, probability, insurance_usd))
    except ValueError as error:
        raise UsageError(str(error), "give other --horizon") from error
    for file in beside.write(out, title, paths, found, calls, parquet=parquet):
        click.echo(file)
    return ExitCode.OK
