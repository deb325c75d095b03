"""`liqmon compare-runs`: two runs, event by event and account by account."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monitor.judgement.calls import Call


@click.command(
    epilog="\b\nExample:\n  liqmon compare-runs run:P run:E\n  liqmon compare-runs events-p.jsonl events-e.jsonl --json"
)
@click.argument("a")
@click.argument("b")
@click.option(
    "--accounts", "most", type=click.IntRange(0), default=10, show_default=True, help="Accounts listed a kind."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, all accounts in it.")
def command(a: str, b: str, most: int, *, as_json: bool) -> int:
    """Tell who is called under A or B alone, and who earlier.

    A and B are files of events from `liqmon replay --to engine --out`, or RUN:CONFIGURATION of `liqmon sample`.
    Exit code 1 if they differ.
    """
    # Imported here: `--help` needs no kernels.
    import msgspec  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from monitor.judgement.differences import differences  # noqa: PLC0415
    from monitor.judgement.report.tables import clock  # noqa: PLC0415

    found = differences(a, _calls(a), b, _calls(b))
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        console = console_of()
        for one in found:
            table = Table(title=f"{one.kind}: {one.both} both, {one.only_a} A alone, {one.only_b} B alone; "
                          f"of both A earlier {one.earlier_a}, B earlier {one.earlier_b}, same {one.same}")  # fmt: skip
            for column in ("account", "A", "B", "A gains, s"):
                table.add_column(column)
            for row in one.accounts[:most]:
                lead = "-" if row.lead_s is None else f"{row.lead_s:,.1f}"
                table.add_row(row.account, clock(row.a_us), clock(row.b_us), lead)
            console.print(table)
    return ExitCode.FINDINGS if any(one.accounts for one in found) else ExitCode.OK


def _calls(text: str) -> list[Call]:
    from monitor.judgement import store  # noqa: PLC0415
    from monitor.judgement.calls import calls_in, calls_of  # noqa: PLC0415

    file = Path(text)
    if file.is_file():
        import msgspec  # noqa: PLC0415

        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            try:
                return calls_in(lines)
            except (msgspec.DecodeError, OSError) as error:
                raise UsageError(f"{file} is no file of events ({error})", "see liqmon replay --out") from error
    folder, _, name = text.rpartition(":")
    if not folder:
        raise UsageError(f"there is no file {text!r}", "give a file of events, or RUN:CONFIGURATION")
    paths = store.load(Path(folder))
    if name not in paths.names:
        raise UsageError(f"{folder} has no configuration {name!r}", f"it has {', '.join(paths.names)}")
    return calls_of(paths, name)
