"""`liqmon digest`: what a run said, as one number."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from monitor.config import Settings
from monitor.errors import ExitCode, UsageError
from monitor.replay.digest import Digest, of_bodies


@click.command(
    epilog="\b\nExample:\n  liqmon digest --broker 127.0.0.1:9092 --prefix run-1.\n  liqmon digest --file events.jsonl"
)
@click.option("--file", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Events of `liqmon replay --to engine --out`, instead of a broker's.")  # fmt: skip
@click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL]")
@click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def command(
    settings: Settings, file: Path | None, broker_url: str | None, prefix: str | None, *, as_json: bool
) -> int:  # fmt: skip
    """Print SHA-256 over all events, by account and sequence, each once.

    Two runs gave the same answer when their digests are equal. Exit code 1 when an event has two contents, an account
    lacks one of its sequence, or a message is no event.
    """
    if file is not None:
        if broker_url is not None:
            raise UsageError("--file and --broker exclude each other", "leave one out")
        result = of_bodies(_lines(file))
    else:
        # Imported here: a file needs no Kafka client.
        from monitor.brokers.endpoint import endpoint  # noqa: PLC0415
        from monitor.replay.read_back import event_bodies  # noqa: PLC0415

        if not (broker_url or settings.broker_url):
            raise UsageError("no broker named", "give --broker host:port, set BROKER_URL, or give --file")
        prefix = settings.topic_prefix if prefix is None else prefix
        result = of_bodies(asyncio.run(event_bodies(endpoint(settings, broker_url), prefix)))
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        _print(result)
    return ExitCode.FINDINGS if result.findings else ExitCode.OK


def _lines(file: Path) -> Iterator[bytes]:
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
        for line in lines:
            yield line.removesuffix(b"\n")


def _print(result: Digest) -> None:
    click.echo(result.sha256)
    for kind, count in result.kinds.items():
        click.echo(f"{count:>9,} {kind}")
    regimes = f", {result.regimes:,} regime changes" if result.regimes else ""
    ranges = f", {result.ranges:,} range steps" if result.ranges else ""
    said = f"{result.events:>9,} events of {result.accounts:,} accounts{regimes}{ranges}"
    click.echo(f"{said}; {result.repeats:,} sent again")
    for text in result.found:
        click.echo(f"liqmon: {text}", err=True)
    if result.findings > len(result.found):
        click.echo(f"liqmon: {result.findings - len(result.found)} more findings", err=True)
