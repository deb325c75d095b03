"""`liqmon vectors`: our functions against the numbers of a vector file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError
from monitor.vectors.contract import decode


@click.command(
    epilog="\b\nExample:\n  liqmon vectors vectors.json\n"
    "  liqmon vectors vectors.json --group ewma --group bsm_price --json"
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--group", "groups", metavar="NAME", multiple=True, help="Run this group's cases; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(file: Path, groups: tuple[str, ...], as_json: bool) -> int:
    """Run the cases of FILE (schema margin-vectors/1, - for standard input) and compare with what they expect.

    A case passes if every number x is within max(abs, rel |e|) of the expected e. A group without a function counts as
    failed unless --group leaves it out, and so does a group asked for that has no case. Exit code 1 if something
    failed, 2 if FILE is malformed.
    """
    # Imported here: `--help` needs no kernels.
    from monitor.vectors import report  # noqa: PLC0415
    from monitor.vectors.registry import CALLABLES  # noqa: PLC0415
    from monitor.vectors.runner import run  # noqa: PLC0415

    done = run(decode(_bytes(file), _name(file)), groups, CALLABLES)
    if as_json:
        click.echo(json.dumps(report.data(done, _name(file)), allow_nan=False))
    else:
        report.print_report(console_of(), done)
    return ExitCode.FINDINGS if done.failed else ExitCode.OK


def _name(file: Path) -> str:
    return "standard input" if file == Path("-") else str(file)


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "name a file of vectors") from error
