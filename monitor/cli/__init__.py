"""`liqmon`: the root of the command line.

A command is a module `monitor/cli/<name>.py` (hyphens become underscores) with a click command named `command`,
registered in COMMANDS. Modules are imported when their command is called, so `liqmon --help` stays fast and one broken
import breaks one command. Commands get the `Settings` with `@click.pass_obj`, raise MonitorError for what the operator
can repair, and put results on standard output and everything else on standard error.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from monitor import __version__
from monitor.config import load, origins
from monitor.errors import MonitorError

# The one table: command, and its line in `liqmon --help`.
COMMANDS: dict[str, str] = {
    "acls": "Print or apply who may do what on the broker.",
    "alerts": "Tell people: Slack, Telegram, e-mail, PagerDuty, webhooks.",
    "allocate": "Propose where collateral belongs, over venues.",
    "auction": "Ask solvers for margin of liquidations, and award their answers.",
    "breaches": "List who would breach under a shock, over the whole book.",
    "broker": "Run a local broker in the foreground.",
    "bundle": "Write the proof of a liquidation as a file.",
    "calibrate": "Fit thresholds and sets on one period, judge them on others.",
    "cascade": "Tell who falls next after a shock, under five ways to liquidate.",
    "check-config": "Print the settings and where each comes from.",
    "compare-runs": "Tell who is called under one of two runs alone, and who earlier.",
    "completion": "Print the completion of commands and options for a shell.",
    "dead-letters": "List, show and replay refused records.",
    "demo": "Show the whole path live: market, accounts, margin calls, liquidations.",
    "digest": "Print what a run said as one number.",
    "distance": "Tell how far an account is from a call or a liquidation.",
    "doctor": "Tell why something is slow or does not start here.",
    "explain": "Tell why an account needs what it needs, and what changed it.",
    "generate": "Write a seeded market and its accounts.",
    "half-lives": "Fit half-lives of the correlation estimate on one period, judge on others.",
    "judge": "Judge a run: calls, coverage, procyclicality, policies.",
    "margin": "Margin portfolios under one model or all, side by side.",
    "models": "List margin models, their sources and their parameters.",
    "plan": "Propose the cheapest trades that leave a call or a liquidation.",
    "preview": "List who would be called under a new parameter set.",
    "record": "Write what is on the topics into files that a replay gives back.",
    "replay": "Publish historical or generated files, or run them through the engine.",
    "report": "Write a judged run as one page, with pictures and data beside it.",
    "sample": "Replay under several models and parameter sets, and keep it as a run.",
    "schema": "Print, write or check the published contract.",
    "topics": "Compare the topics with the cluster, and create them.",
    "vectors": "Compare our functions with published numbers.",
    "verify": "Compute an event again, from the topics or from its bundle.",
    "warm-up": "Compile the kernels for this machine.",
    "watch": "Show accounts and events as they come.",
    "what-if": "Show an account under hypothetical trades, transfers, shocks and models.",
    "worker": "Run one worker.",
}
ORIGINS = "monitor.origins"  # in click's meta: what gives the settings with their origins
INTERRUPTED = 130  # what shells report for Ctrl-C


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Return the names in COMMANDS."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of a command and return the command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"monitor.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from COMMANDS, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  liqmon broker --port 9092 &\n  BROKER_URL=127.0.0.1:9092 liqmon topics apply",
)
@click.version_option(__version__, "-V", "--version", prog_name="liqmon")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), envvar="LIQMON_CONFIG",
    help="Settings file (TOML). LIQMON_* variables win over it, flags over both.",
)  # fmt: skip
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Least severe line shown.")
@click.option("--insecure", is_flag=True, default=None, help="Allow plain text to a broker on another machine.")
@click.pass_context
def liqmon(ctx: click.Context, config_file: Path | None, log_level: str | None, insecure: bool | None) -> None:
    """Watch the margin of crypto derivatives accounts on Kafka.

    Exit codes: 0 done, 1 findings, 2 wrong use, 3 no broker.
    """
    # Imported here: `--help` and completion need no logger.
    from monitor import log  # noqa: PLC0415

    flags = {"log_level": log_level, "insecure": insecure}
    settings = load(config_file, os.environ, flags)
    log.setup(settings.log_level)
    ctx.obj = settings
    ctx.meta[ORIGINS] = lambda: origins(config_file, os.environ, flags)


def main() -> NoReturn:
    """Run the command line, print a MonitorError as one line on standard error, and exit."""
    try:
        code = liqmon.main(prog_name="liqmon", standalone_mode=False)
    except MonitorError as error:
        click.echo(f"liqmon: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
