"""`python -m tests.simulator`: run seeds, show how far they are, keep those that fail."""

from __future__ import annotations

import sys
import time
from collections import Counter

import click

from tests.simulator.campaign import LONG, Campaign, keep, told

EVERY_S = 5.0


@click.command()
@click.option("--seeds", default=1_000, show_default=True, help="How many.")
@click.option("--first", default=0, show_default=True, help="The first of them.")
@click.option("--records", default=LONG, show_default=True, help="Records of each.")
def main(seeds: int, first: int, records: int) -> None:
    """Run seeds one after the other; exit code 1 if one fails."""
    campaign, began_s = Campaign(), time.monotonic()
    said_s = began_s
    for seed in range(first, first + seeds):
        outcome = campaign.run(seed, records)
        if outcome.failures:
            keep(outcome)
            click.echo(told(outcome))
        now_s = time.monotonic()
        if now_s - said_s >= EVERY_S:
            said_s = now_s
            rate = campaign.seeds / (now_s - began_s)
            click.echo(f"{campaign.seeds} of {seeds} seeds, {rate:.2f} a second, {len(campaign.failed)} failed")
    _table("fault", campaign.counts)
    _table("figure", campaign.figures)
    click.echo(
        f"{campaign.seeds} seeds of {records} records in {time.monotonic() - began_s:.0f} s; "
        f"{campaign.killed} count, because something was killed in them; {len(campaign.failed)} failed"
    )
    sys.exit(1 if campaign.failed else 0)


def _table(title: str, counts: Counter[str]) -> None:
    click.echo(f"\n{title:45} {'count':>10}")
    for name, count in sorted(counts.items()):
        click.echo(f"{name:45} {count:>10,}")
    click.echo()


if __name__ == "__main__":
    main()
