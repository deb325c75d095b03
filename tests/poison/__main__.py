"""`python -m tests.poison`: the full form, in this process or on a broker."""

from __future__ import annotations

import sys
import time
from collections import Counter

import click

from tests.poison import on_broker
from tests.poison.run import Found, run
from tests.poison.stream import Log, records


@click.command()
@click.option("--records", "wanted", default=100_000, show_default=True, help="Good records.")
@click.option("--share", default=0.10, show_default=True, help="Share of bad ones among all.")
@click.option("--seed", default=1, show_default=True, help="What the log follows from.")
@click.option("--accounts", default=120, show_default=True, help="How many accounts.")
@click.option(
    "--on", type=click.Choice(["process", "live", "strict"]), default="process", show_default=True,
    help="In this process, or one worker on a broker (BROKER_URL, else a local one) in that order.",
)  # fmt: skip
def main(wanted: int, share: float, seed: int, accounts: int, on: str) -> None:
    """Run a spoiled log and its good records alone, and compare; exit code 1 if anything differs."""
    log = Log(records(seed, wanted, accounts), seed, share, limit=wanted)
    began_s = time.monotonic()
    found = run(log) if on == "process" else on_broker.run_alone(log, strict=on == "strict")
    _tell(found, time.monotonic() - began_s, on)
    sys.exit(1 if found.findings else 0)


def _tell(found: Found, seconds: float, on: str) -> None:
    _table("kind", found.bad)
    _table("finding", found.findings)
    for line in found.shown:
        click.echo(line[:1_000])
    click.echo(
        f"{on}: {found.good:,} good and {found.bad.total():,} bad records in {seconds:.0f} s: {found.letters:,} dead "
        f"letters, {found.events:,} events and {found.values:,} stored accounts compared, {found.verified} events "
        f"verified, {found.restarts} restarts; "
        f"{found.findings.total()} findings"
    )


def _table(title: str, counts: Counter[str]) -> None:
    click.echo(f"\n{title:25} {'count':>10}")
    for name, count in sorted(counts.items()):
        click.echo(f"{name:25} {count:>10,}")
    click.echo()


if __name__ == "__main__":
    main()
