"""`python -m tests.faults`: the faults one after the other, three at a time, and their table.

Exit code 1 if a guarantee broke.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from monitor.brokers import kafka_obstacle
from tests.faults.cluster import Cluster
from tests.faults.crew import INTERRUPTED
from tests.faults.feed import Order
from tests.faults.kills import f1, f2, f3
from tests.faults.load import f17, f18
from tests.faults.moves import f5, f6
from tests.faults.outages import f4
from tests.faults.plan import Fault, Plan
from tests.faults.same import f16
from tests.faults.table import Row, keep, table

FAULTS: dict[str, Fault] = {
    "F1": f1, "F2": f2, "F3": f3, "F4": f4, "F5": f5, "F6": f6, "F16": f16, "F17": f17, "F18": f18,
}  # fmt: skip
# Faults wait more than they compute: for sessions that end, brokers that are away, workers that start. Each lane runs
# its own one after the other; of the smoke counts all take about as long.
LANES = (("F2", "F18", "F17"), ("F1", "F3", "F16"), ("F4", "F5", "F6"))


def run_lane(plan: Plan, names: tuple[str, ...]) -> list[Row]:
    """Run some faults one after the other, and tell of each row as it comes."""
    rows: list[Row] = []
    for name in names:
        for row in FAULTS[name](plan):
            if INTERRUPTED.is_set():
                return rows
            rows.append(row)
            click.echo(row.line(), err=True)
    return rows


def in_order(rows: list[Row]) -> list[Row]:
    """Sort rows as the plan has them."""
    places = {name: place for place, name in enumerate(FAULTS)}
    return sorted(rows, key=lambda row: places[row.fault.split()[0]])


def lanes(wanted: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Share the wanted faults out."""
    for lane in LANES:
        if chosen := tuple(name for name in lane if name in wanted):
            yield chosen


@click.command()
@click.option("--full", is_flag=True, help="The counts before a release; takes hours.")
@click.option("--fault", "faults", multiple=True, type=click.Choice(list(FAULTS)), help="Some faults alone.")
@click.option("--order", "orders", multiple=True, type=click.Choice(["strict", "live"]),
              help="Where a fault is met in both orders: one alone.")  # fmt: skip
@click.option("--times", type=click.IntRange(1), help="How often, where a fault is counted.")
@click.option("--seed", default=1, show_default=True, help="Of the moments at which faults come.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
@click.option("--write", "document", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Document with markers for the table.")  # fmt: skip
@click.option("--keep", "kept", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder for what does not recompute, and the logs of its workers.")  # fmt: skip
@click.option("--busy", is_flag=True, help="The machine does other things: times are told, and break no row.")
@click.option("--where-possible", is_flag=True, help="Without Java and Maven say so, and end with 0.")
def main(
    *,
    full: bool,
    faults: tuple[str, ...],
    orders: tuple[Order, ...],
    times: int | None,
    seed: int,
    as_json: bool,
    document: Path | None,
    kept: Path | None,
    busy: bool,
    where_possible: bool,
) -> None:
    """Meet faults on Apache Kafka and say what came of the guarantees."""
    if (obstacle := kafka_obstacle()) is not None:
        click.echo(f"not run: {obstacle.cause}; {obstacle.remedy}", err=True)
        sys.exit(0 if where_possible else obstacle.exit_code)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers are away on purpose
    start_s = time.monotonic()
    chosen = list(lanes(faults or tuple(FAULTS)))
    with Cluster() as cluster, ThreadPoolExecutor(len(chosen)) as pool:
        plan = Plan(cluster, full, seed, orders or ("strict", "live"), times, kept, busy)
        running = [pool.submit(run_lane, plan, names) for names in chosen]
        try:
            rows = in_order([row for lane in running for row in lane.result()])
        except KeyboardInterrupt:
            INTERRUPTED.set()  # lanes end their workers, and then the brokers end
            raise
    took = f"{'Full' if full else 'Smoke'} counts, Apache Kafka, {time.monotonic() - start_s:.0f} s."
    text = json.dumps([row.as_json() for row in rows], indent=1) if as_json else f"{table(rows)}\n\n{took}"
    click.echo(text)
    if document is not None:
        keep(document, "full" if full else "smoke", rows)
    sys.exit(0 if all(row.held for row in rows) else 1)


if __name__ == "__main__":
    # As Ctrl-C does: workers and brokers are ended on the way out. A shell has Ctrl-C ignored in the background.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
