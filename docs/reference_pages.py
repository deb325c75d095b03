"""Pages of the documentation site that are generated when it is built, so that they cannot be older than the code.

`mkdocs.yml` names this file as a hook. Commands come from click, decisions from their first lines; records and topics
have their generated tables in `events.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from monitor.cli import COMMANDS, liqmon

DECISIONS = Path(__file__).parent / "decisions"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages (called by MkDocs)."""
    for name, text in pages():
        files.append(File.generated(config, name, content=text))
    return files


def pages() -> Iterator[tuple[str, str]]:
    """Yield path and Markdown of each generated page."""
    yield "reference/commands.md", commands_page()
    yield "decisions/index.md", decisions_page()


def commands_page() -> str:
    """Return every command with its help."""
    lines = ["# Commands", "", "What `--help` says of each.", ""]
    root = click.Context(liqmon, info_name="liqmon")
    for name in sorted(COMMANDS):
        command = liqmon.get_command(root, name)
        assert command is not None  # COMMANDS names modules that are there
        lines += list(_of_command(command, click.Context(command, info_name=name, parent=root)))
    return "\n".join(lines)


def _of_command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from (f"## {context.command_path}", "", "```text", command.get_help(context), "```", "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None  # it lists what it has
            yield from _of_command(below, click.Context(below, info_name=name, parent=context))


def decisions_page() -> str:
    """Return the list of decisions by number and title."""
    lines = ["# Decisions", "", "Why it is as it is, in the order in which it was decided.", ""]
    for path in sorted(DECISIONS.glob("[0-9]*.md")):
        title = re.sub(r"^#\s*(\d+[.:]?\s*)?", "", path.read_text(encoding="utf-8").splitlines()[0])
        lines.append(f"* [{path.stem[:4]}]({path.name}) {title}")
    return "\n".join([*lines, ""])
