"""`liqmon broker`: a local broker in the foreground."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import click

from monitor.brokers import EmbeddedTansu, LocalBroker, LocalKafka, choose_broker, selfcheck
from monitor.brokers.interface import StartFailed
from monitor.brokers.kafka import KAFKA_VERSION, ensure_jars
from monitor.brokers.tansu import DISTRIBUTION
from monitor.brokers.tansu import VERSION as TANSU_VERSION
from monitor.config import Settings
from monitor.errors import UsageError

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
    "--kind", type=click.Choice(["auto", "kafka", "tansu"]),
    help="Which broker. [default: setting local_broker, auto]",
)  # fmt: skip
@click.option(
    "--data", "data_dir", type=click.Path(path_type=Path, file_okay=False),
    help="Folder of Apache Kafka's data, kept. Without it, a temporary one.",
)  # fmt: skip
@click.option("--heap-mb", type=click.IntRange(256, 65536), default=768, show_default=True, help="Java heap.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the address.")
@click.pass_context
def command(
    ctx: click.Context, port: int, kind: LocalBroker | None, data_dir: Path | None, heap_mb: int, as_json: bool
) -> None:
    """Run a local broker (one node, 127.0.0.1) until Ctrl-C.

    Apache Kafka where there is Java 17, and Maven for the first run; else the embedded Kafka-compatible broker
    (Tansu), in memory, not durable. Prints its address on standard output as soon as it answers.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings: Settings = ctx.obj
    local = kind or settings.local_broker
    folder = data_dir or (Path(settings.data_dir, "kafka") if settings.data_dir else None)
    if local == "tansu" and data_dir is not None:
        raise UsageError("Tansu keeps everything in memory", "leave --data out, or use --kind kafka")
    broker = choose_broker(None, local=local, port=port, data_dir=folder, heap_mb=heap_mb)
    assert isinstance(broker, LocalKafka | EmbeddedTansu)  # no URL was given
    _run(broker, as_json)


def _run(broker: LocalKafka | EmbeddedTansu, as_json: bool) -> None:
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    try:
        address = broker.start()
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)
        checked = asyncio.run(selfcheck.check(address))
        told = _told(broker, checked, address)
        click.echo(json.dumps(told) if as_json else address)
        click.echo(f"{broker.describe()}; Ctrl-C stops it\n{checked.line}\nTry: kcat -b {address} -L", err=True)
        while not ended.wait(0.5):
            if not broker.alive:
                raise StartFailed(f"{broker.name} ended by itself", f"read {broker.log_path}")
    finally:
        broker.stop()


def _told(broker: LocalKafka | EmbeddedTansu, checked: selfcheck.Checked, address: str) -> dict[str, Any]:
    return {
        "address": address,
        "pid": broker.pid,
        "log": str(broker.log_path),
        "name": broker.name,
        "version": KAFKA_VERSION if isinstance(broker, LocalKafka) else f"{DISTRIBUTION} {TANSU_VERSION}",
        "durable": broker.durable,
        "ends_exact": checked.ends_exact,
        "idempotent": checked.idempotent,
    }


@command.command(epilog="\b\nExample:\n  liqmon broker fetch")
def fetch() -> None:
    """Fetch Apache Kafka's jars with Maven, once; later starts need no network."""
    click.echo(str(ensure_jars()))
