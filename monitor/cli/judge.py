"""`liqmon judge`: a run by the field's own statistics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monitor.judgement.verdict import Terms

F = TypeVar("F", bound=Callable[..., Any])


def terms_options(command: F) -> F:
    """Add what a run is judged by."""
    for option in (
        click.option("--probability", type=click.FloatRange(0.0001, 0.5), default=0.01, show_default=True,
                     help="Of a loss beyond the requirement, by which coverage is tested."),
        click.option("--false-after", "false_s", type=click.IntRange(60), default=3_600, show_default=True,
                     help="A call is false if nothing came of it for so many seconds."),
        click.option("--insurance", "insurance_usd", type=click.FloatRange(min=0.0),
                     help="What the insurance fund has, USD; then winners pay. [default: enough for everything]"),
        click.option("--horizon", "horizons", type=click.IntRange(1), multiple=True, default=(600, 3_600),
                     show_default=True, help="Close-out period, seconds; may be repeated."),
    ):  # fmt: skip
        command = option(command)
    return command


def terms_of(horizons: tuple[int, ...], false_s: int, probability: float, insurance_usd: float | None) -> Terms:
    """Return the terms of the options."""
    from monitor.judgement.verdict import Terms  # noqa: PLC0415

    return Terms(
        horizons_us=tuple(one * 1_000_000 for one in horizons), false_us=false_s * 1_000_000, probability=probability,
        insurance_usd=insurance_usd,
    )  # fmt: skip


@click.command(epilog="\b\nExample:\n  liqmon judge run --horizon 600 --horizon 3600")
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@terms_options
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the tables as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    run: Path, horizons: tuple[int, ...], insurance_usd: float | None, false_s: int, probability: float, *,
    as_markdown: bool, as_json: bool,
) -> int:  # fmt: skip
    """Judge RUN, a folder of `liqmon sample`: calls, coverage, procyclicality, policies, differences."""
    # Imported here: `--help` needs no kernels.
    import msgspec  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from monitor.judgement import store  # noqa: PLC0415
    from monitor.judgement.report.tables import markdown, tables  # noqa: PLC0415
    from monitor.judgement.verdict import judged  # noqa: PLC0415

    try:
        found, _ = judged(store.load(run), terms_of(horizons, false_s, probability, insurance_usd))
    except ValueError as error:
        raise UsageError(str(error), "give other --horizon") from error
    if as_json:
        click.echo(msgspec.json.encode(found))
        return ExitCode.OK
    shown = tables(found)
    if as_markdown:
        click.echo(markdown(shown))
        return ExitCode.OK
    console = console_of()
    for one in shown:
        table = Table(title=one.title, caption=one.note, title_justify="left", caption_justify="left")
        for n, head in enumerate(one.heads):
            table.add_column(head, justify="left" if n < one.left else "right")
        for row in one.rows:
            table.add_row(*row)
        console.print(table)
    return ExitCode.OK
