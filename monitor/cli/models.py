"""`liqmon models`: what margin models there are, where they come from, and what they can be told."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.cli.wide import console_of
from monitor.errors import ExitCode, UsageError
from schemas.base import Record


@click.command(epilog="\b\nExample:\n  liqmon models\n  liqmon models B\n  liqmon models P --json")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(names: tuple[str, ...], as_json: bool) -> int:
    """List margin models with their sources; with NAME, every parameter with its default and where that is from."""
    # Imported here: `--help` needs no kernels.
    from monitor.models.registry import MODELS  # noqa: PLC0415

    for name in names:
        if name not in MODELS:
            raise UsageError(f"there is no model {name!r}", f"one of {', '.join(MODELS)}")
    if as_json:
        chosen = names or tuple(MODELS)
        click.echo(json.dumps({"v": 1, "models": [_data(MODELS[name]) for name in chosen]}))
        return ExitCode.OK
    console = console_of()
    if not names:
        table = Table("model", "what it is", "source", "parameters", "page")
        for model in MODELS.values():
            table.add_row(model.name, model.title, model.source, ", ".join(model.fields), f"docs/{model.page}")
        console.print(table)
    for name in names:
        _print(console, MODELS[name])
    return ExitCode.OK


def _data(model: Any) -> dict[str, Any]:
    return {
        "model": model.name,
        "title": model.title,
        "source": model.source,
        "page": model.page,
        "parameter_fields": list(model.fields),
        "parameters": [
            {"name": name, "default": default, "meaning": meaning} for name, default, meaning in _parameters(model)
        ],
    }


def _print(console: Console, model: Any) -> None:
    console.print(f"{model.name}: {model.title}\nsource: {model.source}\npage: docs/{model.page}")
    table = Table("parameter", "default", "meaning and source")
    for name, default, meaning in _parameters(model):
        table.add_row(name, json.dumps(default), escape(meaning))
    console.print(table)


def _parameters(model: Any) -> list[tuple[str, Any, str]]:
    """Return every parameter that a model reads of the built-in set: dotted name, default, meaning."""
    from monitor.engine.parameters import DEFAULT_SET  # noqa: PLC0415

    rows: list[tuple[str, Any, str]] = []
    for name, record in model.parameters(DEFAULT_SET).items():
        for key, one in record.items() if isinstance(record, dict) else (("", record),):
            _walk(f"{name}.{key}" if key else name, one, rows)
    return rows


def _walk(prefix: str, record: Record, rows: list[tuple[str, Any, str]]) -> None:
    from schemas.contracts import field_docs  # noqa: PLC0415

    for name, meaning in field_docs(type(record)).items():
        value = getattr(record, name)
        if isinstance(value, Record):
            _walk(f"{prefix}.{name}", value, rows)
        else:
            rows.append((f"{prefix}.{name}", msgspec.to_builtins(value), " ".join(meaning.split())))
