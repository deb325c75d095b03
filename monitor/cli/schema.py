"""`liqmon schema`: the published contract, and what broke since an older one."""

from __future__ import annotations

import json
from pathlib import Path

import click

from monitor.errors import ExitCode, UsageError
from schemas import asyncapi
from schemas.compatibility import breaks
from schemas.contracts import schema_files

ASYNCAPI = "asyncapi"


@click.group(
    epilog="\b\nExample:\n  liqmon schema export asyncapi > asyncapi.json\n  liqmon schema export --out contract\n"
    "  liqmon schema check contract/json"
)
def command() -> None:
    """Print, write or check the published contract: AsyncAPI 3.0, and JSON Schema 2020-12 of each record and topic."""


def _contracts() -> dict[str, bytes]:
    """Every contract by its name."""
    return {ASYNCAPI: asyncapi.text(), **{name.removesuffix(".json"): text for name, text in schema_files()}}


@command.command("list", epilog="\b\nExample:\n  liqmon schema list")
def list_command() -> int:
    """Print the names of all contracts."""
    for name in _contracts():
        click.echo(name)
    return ExitCode.OK


@command.command("export", epilog="\b\nExample:\n  liqmon schema export account_event")
@click.argument("name", required=False)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write into, made if needed.")
def export_command(name: str | None, out: Path | None) -> int:
    """Print one contract, or write it or all of them into a folder.

    NAME is `asyncapi`, a record (`account_event`) or a topic (`risk.trades.v1`).
    """
    contracts = _contracts()
    if name is not None and name not in contracts:
        raise UsageError(f"there is no contract {name!r}", "see `liqmon schema list`")
    if name is None and out is None:
        raise UsageError("nothing is named", "name a contract, or a folder for all of them with --out")
    if out is None:
        click.echo(contracts[str(name)], nl=False)
        return ExitCode.OK
    for each in contracts if name is None else (name,):
        path = (out if each == ASYNCAPI else out / "json") / f"{each}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contracts[each])
    return ExitCode.OK


@command.command("check", epilog="\b\nExample:\n  liqmon schema check contract/json")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def check_command(folder: Path) -> int:
    """Say what of the records breaks those who rely on an older export; exit code 1 if anything does.

    FOLDER has the JSON Schemas of then.
    """
    today = _contracts()
    broken = 0
    for path in sorted(folder.glob("*.json")):
        if "." in path.stem:
            continue  # a topic: its records have files of their own
        if path.stem not in today:
            found = ["the record is gone"]
        else:
            found = breaks(json.loads(path.read_bytes()), json.loads(today[path.stem]))
        for each in found:
            click.echo(f"{path.stem}: {each}")
        broken += len(found)
    return ExitCode.FINDINGS if broken else ExitCode.OK
