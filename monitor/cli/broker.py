"""`liqmon broker`: a local Apache Kafka in the foreground."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from types import FrameType

import click

from monitor.brokers.interface import StartFailed
from monitor.brokers.kafka import KAFKA_VERSION, LocalKafka, ensure_jars
from monitor.config import Settings

# Where Kafka clients look first.
DEFAULT_PORT = 9092


@click.group(
    invoke_without_command=True,
    epilog="\b\nExample:\n  liqmon broker --port 9092 --data ./kafka-data\n  kcat -b 127.0.0.1:9092 -L",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0 takes a free one."
)
@click.option(
    "--data", "data_dir", type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the broker's data, kept. Without it, a temporary one.",
)  # fmt: skip
@click.option("--heap-mb", type=click.IntRange(256, 65536), default=768, show_default=True, help="Java heap.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the address.")
@click.pass_context
def command(ctx: click.Context, port: int, data_dir: Path | None, heap_mb: int, as_json: bool) -> None:
    """Run a local Apache Kafka (KRaft, one node, 127.0.0.1) until Ctrl-C.

    Prints its address on standard output as soon as it answers. Needs Java 17, and Maven for the first run.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings: Settings = ctx.obj
    folder = data_dir or (Path(settings.data_dir, "kafka") if settings.data_dir else None)
    broker = LocalKafka(port=port, data_dir=folder, heap_mb=heap_mb)
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    try:
        address = broker.start()
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)
        told = {"address": address, "pid": broker.pid, "log": str(broker.log_path), "version": KAFKA_VERSION}
        click.echo(json.dumps(told) if as_json else address)
        click.echo(f"{broker.describe()}; Ctrl-C stops it\nTry: kcat -b {address} -L", err=True)
        while not ended.wait(0.5):
            if not broker.alive:
                raise StartFailed("Apache Kafka ended by itself", f"read {broker.log_path}")
    finally:
        broker.stop()


@command.command(epilog="\b\nExample:\n  liqmon broker fetch")
def fetch() -> None:
    """Fetch the broker's jars with Maven, once; later starts need no network."""
    click.echo(str(ensure_jars()))
