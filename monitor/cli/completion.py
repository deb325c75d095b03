"""`liqmon completion`: what a shell reads to complete commands and options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from monitor.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import ShellComplete


@click.command(
    epilog="\b\nExample:\n  liqmon completion bash > ~/.local/share/bash-completion/completions/liqmon\n"
    '  eval "$(liqmon completion zsh)"'
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell."""
    made: type[ShellComplete] | None = get_completion_class(shell)
    if made is None:
        raise UsageError(f"no completion for {shell}", "take bash, zsh or fish")
    try:
        script = made(ctx.find_root().command, {}, "liqmon", "_LIQMON_COMPLETE").source()
    except RuntimeError as error:  # an old bash, or none
        raise UsageError(str(error), "take another shell") from error
    click.echo(script)
