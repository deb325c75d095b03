"""Where tables are printed: as wide as the terminal, or wide enough where there is none to ask."""

from __future__ import annotations

from rich.console import Console

WIDTH = 150


def console_of() -> Console:
    """Return the console for results on standard output."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)
