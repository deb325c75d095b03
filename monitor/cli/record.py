"""`liqmon record`: what is on the topics, into files that a replay gives back."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from dataclasses import asdict
from pathlib import Path

import click

from monitor.brokers.endpoint import endpoint
from monitor.config import Settings
from monitor.errors import ExitCode
from monitor.replay.progress import progress_bar
from monitor.replay.record import record


@click.command(
    epilog="\b\nExample:\n  liqmon record --broker 127.0.0.1:9092 --out recording --seconds 60\n"
    "  liqmon replay recording --to engine --out events.jsonl"
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write.")
@click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL]")
@click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]")
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--seconds", type=click.FloatRange(min=0.0), help="Go on for so long.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    settings: Settings, out: Path, broker_url: str | None, prefix: str | None, seconds: float | None, *, follow: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Write all records of the input topics with their positions, and all events, into a folder.

    A file for each partition, and a manifest of the offsets that were read. `liqmon replay` gives the folder back:
    every topic the same records in the same order. Exit code 1 if a message held no record.
    """
    prefix = settings.topic_prefix if prefix is None else prefix
    until_s = time.monotonic() + seconds if seconds is not None else None
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    def going_on() -> bool:
        return not stopped and (follow or until_s is not None) and (until_s is None or time.monotonic() < until_s)

    before = signal.signal(signal.SIGINT, stop) if follow or seconds is not None else None
    try:
        with progress_bar("record", quiet=as_json) as on_step:
            done = asyncio.run(
                record(endpoint(settings, broker_url), out, prefix=prefix, follow=going_on, on_step=on_step)
            )
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    if as_json:
        click.echo(json.dumps(asdict(done)))
    else:
        for name, count in done.records.items():
            click.echo(f"{count:>12,} {name}")
        click.echo(f"{done.total:>12,} records, {done.events:,} events, {done.deleted:,} null values")
        for place in done.unreadable_at:
            click.echo(f"liqmon: no record at {place}", err=True)
    return ExitCode.FINDINGS if done.unreadable else ExitCode.OK
