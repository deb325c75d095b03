"""`liqmon worker`: one worker in the foreground."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec
import structlog

from monitor.config import Settings

COMPILING_S = 60  # once for each version and CPU


@click.command(
    epilog="\b\nExample:\n  BROKER_URL=127.0.0.1:9092 liqmon worker --partitions 12\n"
    '  liqmon worker 2>&1 | grep \'"event":"ready"\''
)
@click.option("--broker", "broker_url", help="host:port[,host:port...]; default BROKER_URL.")
@click.option("--partitions", type=click.IntRange(1, 1000), help="Partitions of the account topics (P).")
@click.option("--prefix", "topic_prefix", help="In front of every topic name.")
@click.option("--order", type=click.Choice(["live", "strict"]),
              help="The input topics as they come, or the sequence of a replay. [default: live]")  # fmt: skip
@click.option("--sequence-prefix", help="In front of the sequence's topic. [default: the prefix of all]")
@click.option("--app-id", "application_id", help="Consumer group and changelog name.")
@click.option("--session-timeout", "session_timeout_s", type=click.FloatRange(6, 300),
              help="Seconds until a silent worker counts as dead.")  # fmt: skip
@click.option("--ready-timeout", type=click.FloatRange(1, 3600), default=120.0, show_default=True,
              help="Seconds without progress, before it is ready, that end the worker.")  # fmt: skip
@click.option("--health-host", help="Where /livez, /readyz and /metrics listen. [default: 127.0.0.1]")
@click.option("--health-port", type=click.IntRange(0, 65535), help="Their port; 0: a free one, told in the log.")
@click.option("--data", "data_dir", help="Folder for a worker's own files. Without it, a temporary one.")
@click.pass_obj
def command(settings: Settings, /, *, ready_timeout: float, **flags: Any) -> None:
    """Run one worker until SIGTERM or Ctrl-C.

    Writes log lines to standard error; the line with event "ready" names its partitions as soon as all accounts in
    them are evaluated. Start more of them to share the partitions. The line with event "self_check" tells what the
    broker does otherwise than Apache Kafka, and which fixes are on for it; "kernels_ready" how many kernels were
    compiled and loaded, and how long it took. Exit codes of a worker that ends by itself:
    75 restart it, 65 its state or settings cannot be used, 70 a defect.
    """
    # Imported here: `--help` needs neither Faust nor the kernels.
    from kernels.machine_code import kept  # noqa: PLC0415

    if not kept().files:
        structlog.get_logger("monitor.worker").info("compiling_kernels", expected_s=COMPILING_S)
    from monitor.worker.errors import WorkerError  # noqa: PLC0415
    from monitor.worker.options import from_settings  # noqa: PLC0415
    from monitor.worker.run import run_worker  # noqa: PLC0415

    given = {name: value for name, value in flags.items() if value is not None}
    merged = msgspec.convert({**msgspec.to_builtins(settings), **given}, Settings)
    try:
        code = run_worker(from_settings(merged, ready_timeout_s=ready_timeout))
    except WorkerError as error:
        click.echo(f"liqmon: {error}", err=True)
        code = error.ending
    sys.exit(code)
