"""The same answer every time: digests of one replay through the engine and through topics, workers and crashes.

    python -m benchmarks.strict_order FILES... --accounts 1000 --work FOLDER --write docs/strict-order.md

Starts an Apache Kafka of its own. Each row runs on topics of its own and is judged by `liqmon digest`, another process
that reads the event topics alone. Rows that are done stay in FOLDER/results.json: a later call with the same input adds
others (`--only`, `--again`) and writes the table of all.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from monitor.brokers import topics as cluster
from monitor.brokers.kafka import LocalKafka
from monitor.worker.log_view import LogView
from schemas.topics import SEQUENCED, full_name

POLL_S = 0.5
STARTED_S = 2.0  # between a kill and the next start of the worker: a supervisor's usual pause
SESSION_S = "6"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table: through the engine in batches, or through topics in frames to workers, some killed."""

    name: str
    batch: int = 0
    frame_rows: int = 1000
    workers: int = 0
    kills: int = 0
    processes: int = 1
    checkpoint_minutes: int = 0
    """Of market time between two checkpoints; the row is the run that went on from one in the middle."""


CASES = (
    Case("engine, 1 record a step", batch=1),
    Case("engine, 100 records a step", batch=100),
    Case("engine, 10,000 records a step", batch=10_000),
    Case("engine, a second time", batch=1_000),
    Case("engine, a third time", batch=1_000),
    Case("engine, 2 processes", batch=1_000, processes=2),
    Case("engine, gone on from a checkpoint", batch=1_000, checkpoint_minutes=60),
    Case("sequenced, 1 worker", workers=1),
    Case("sequenced, 2 workers", workers=2),
    Case("sequenced, 3 workers", workers=3),
    Case("sequenced, 2 workers, 1 record a frame", workers=2, frame_rows=1),
    Case("sequenced, 2 workers, 100 records a frame", workers=2, frame_rows=100),
    Case("sequenced, 2 workers, ten kill -9", workers=2, kills=10),
)


@dataclass(slots=True)
class Bench:
    """What all rows share: the input, the folder with results, and the broker's address once it runs."""

    files: tuple[Path, ...]
    accounts: Path
    span: list[str]
    partitions: int
    work: Path
    seed: int
    kill_every_s: float
    address: str = ""
    results: Row = field(default_factory=dict)

    @property
    def replay(self) -> list[str]:
        """Arguments of a replay of the input."""
        return ["replay", *map(str, self.files), "--accounts", str(self.accounts), *self.span, "--json"]

    def save(self) -> None:
        """Keep the results."""
        path = self.work / "results.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(self.results, indent=1))
        part.replace(path)


def liqmon(*arguments: str, codes: tuple[int, ...] = (0,)) -> Row:
    """Run a command that prints one JSON object; raises RuntimeError if it fails."""
    done = subprocess.run([sys.executable, "-m", "monitor", *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        raise RuntimeError(f"liqmon {shlex.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: Row = json.loads(done.stdout)
    return found


# --- rows -------------------------------------------------------------------------------------------------------------


def run_engine(bench: Bench, case: Case) -> Row:
    """Run the input through the engine alone; from a checkpoint, once to its end before."""
    events = bench.work / "events.jsonl.gz"
    run = [
        *bench.replay, "--no-check", "--to", "engine", "--partitions", str(bench.partitions),
        "--batch", str(case.batch), "--out", str(events), "--processes", str(case.processes),
    ]  # fmt: skip
    if case.checkpoint_minutes:
        run += ["--checkpoint", str(bench.work / "kept"), "--checkpoint-minutes", str(case.checkpoint_minutes)]
        whole = liqmon(*run, codes=(0, 1))
        # Exit code 1 tells of malformed lines in the files: the same lines for every row.
        middle_us = (whole["first_arrival_us"] + whole["market_time_us"]) // 2
        run += ["--resume-at", dt.datetime.fromtimestamp(middle_us // 1_000_000, dt.UTC).isoformat()]
    done = liqmon(*run, codes=(0, 1))
    return {**digest("--file", str(events)), "records": done["total_records"], "seconds": done["seconds"]}


def run_sequenced(bench: Bench, case: Case) -> Row:
    """Run the input through the topic of the sequence and workers."""
    sequence, records = published(bench, case.frame_rows)
    prefix = fresh_prefix(bench)
    start_s = time.monotonic()
    with workers(bench, prefix, sequence, case.workers) as running:
        kills = kill_now_and_then(bench, running, case.kills)
        wait_until_done(bench, prefix, sequence, running, kills)
        seconds = time.monotonic() - start_s
    row = {**digest("--broker", bench.address, "--prefix", prefix), "records": records, "seconds": round(seconds, 1)}
    return {**row, "kills": case.kills, "ended": running.ended}


def digest(*source: str) -> Row:
    """Have another process read the events; findings are part of the row."""
    found = liqmon("digest", *source, "--json", codes=(0, 1))
    return {name: found[name] for name in ("sha256", "events", "accounts", "repeats", "findings", "found", "kinds")}


def published(bench: Bench, frame_rows: int) -> tuple[str, int]:
    """Return prefix and records of the sequence in frames of `frame_rows`, published once."""
    known = bench.results.setdefault("published", {})
    if str(frame_rows) not in known:
        prefix = fresh_prefix(bench)
        done = liqmon(
            *bench.replay, "--to", "sequenced", "--broker", bench.address, "--prefix", prefix,
            "--frame-rows", str(frame_rows), codes=(0, 1),
        )  # fmt: skip
        known[str(frame_rows)] = {"prefix": prefix, "records": done["total_records"], "seconds": done["seconds"]}
        bench.save()
        click.echo(f"published in frames of {frame_rows}: {done['seconds']:.0f} s", err=True)
    found = known[str(frame_rows)]
    return found["prefix"], found["records"]


def fresh_prefix(bench: Bench) -> str:
    """Make the topics under a prefix that was never used."""
    number = bench.results["prefixes"] = bench.results.get("prefixes", 0) + 1
    bench.save()
    prefix = f"run-{number}."
    asyncio.run(cluster.apply(bench.address, cluster.wanted_topics(prefix, bench.partitions)))
    return prefix


# --- workers ----------------------------------------------------------------------------------------------------------


class Workers:
    """Worker processes of one run; `ended` are exit codes of those that ended by themselves."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._arguments = arguments
        self._log = log
        self.processes: list[subprocess.Popen[bytes]] = []
        self.ended: list[int] = []

    def start(self) -> None:
        """Start one more."""
        with self._log.open("ab") as log:
            self.processes.append(subprocess.Popen(self._arguments, stdout=subprocess.DEVNULL, stderr=log))

    def revive(self) -> None:
        """Start those again that ended and ask for it; raises RuntimeError on any other end."""
        for process in list(self.processes):
            code = process.poll()
            if code is None:
                continue
            self.processes.remove(process)
            self.ended.append(code)
            if code != 75:
                raise RuntimeError(f"a worker ended with {code}, see {self._log}")
            self.start()

    def kill(self, which: int) -> None:
        """`kill -9` one; `revive` does not know of it."""
        process = self.processes.pop(which % len(self.processes))
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End all in an orderly way."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def workers(bench: Bench, prefix: str, sequence: str, count: int) -> Iterator[Workers]:
    """Have `count` workers of a deployment run, and none left afterwards."""
    arguments = [
        sys.executable, "-m", "monitor", "worker", "--order", "strict", "--broker", bench.address, "--prefix", prefix,
        "--sequence-prefix", sequence, "--partitions", str(bench.partitions), "--app-id", "app",
        "--session-timeout", SESSION_S,
    ]  # fmt: skip
    running = Workers(arguments, bench.work / f"{prefix}log")
    try:
        for _ in range(count):
            running.start()
        yield running
    finally:
        running.stop()


def kill_now_and_then(bench: Bench, running: Workers, kills: int) -> Iterator[int]:
    """Return an iterator that kills and starts workers at random moments; it gives the kills still to come."""
    draw = random.Random(bench.seed)  # noqa: S311 (moments, not secrets)

    def go() -> Iterator[int]:
        for left in range(kills, 0, -1):
            due_s = time.monotonic() + draw.uniform(0.0, 2.0 * bench.kill_every_s)
            while time.monotonic() < due_s:
                yield left
            running.kill(draw.randrange(len(running.processes)))
            due_s = time.monotonic() + STARTED_S
            while time.monotonic() < due_s:
                yield left - 1
            running.start()
        while True:
            yield 0

    return go()


def wait_until_done(bench: Bench, prefix: str, sequence: str, running: Workers, kills: Iterator[int]) -> None:
    """Wait until the whole sequence is committed and no kill is to come."""

    async def wait() -> None:
        view = LogView(bench.address, f"{prefix}app-strict", partitions)
        await view.start()
        try:
            ends = await view.ends(partitions)
            said_s = time.monotonic()
            while True:
                left = next(kills)
                running.revive()
                try:
                    committed = await view.committed()
                except GroupCoordinatorNotAvailableError:  # a new broker makes the topic of offsets first
                    committed = {}
                done = sum(committed.get(partition, 0) for partition in partitions)
                if not left and done == sum(ends.values()):
                    return
                if time.monotonic() - said_s > 30.0:
                    said_s = time.monotonic()
                    click.echo(f"  {done / sum(ends.values()):.1%} committed, {left} kills to come", err=True)
                await asyncio.sleep(POLL_S)
        finally:
            await view.stop()

    topic = full_name(SEQUENCED, sequence)
    partitions = [TopicPartition(topic, number) for number in range(bench.partitions)]
    asyncio.run(wait())


# --- the table --------------------------------------------------------------------------------------------------------


def table(bench: Bench) -> str:
    """Return the rows that are done as Markdown."""
    rows: dict[str, Row] = bench.results["rows"]
    found = {row["sha256"] for row in rows.values()}
    lines = [
        "| run | digest | events | sent again | records | seconds |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for case in CASES:
        if (row := rows.get(case.name)) is None:
            continue
        faults = f" ({row['findings']} findings)" if row["findings"] else ""
        lines.append(
            f"| {case.name} | `{row['sha256'][:16]}`{faults} | {row['events']:,} | {row['repeats']:,} "
            f"| {row['records']:,} | {row['seconds']:,.0f} |"
        )
    said = "All digests are equal" if len(found) == 1 else f"{len(found)} different digests"
    whole = f": `{found.pop()}`." if len(found) == 1 else "."
    return "\n".join([*lines, "", f"{said}{whole}"])


def write_table(path: Path, name: str, text: str) -> None:
    """Put the table between the markers of its name; raises ValueError if the document has none."""
    document = path.read_text()
    begin, end = (f"<!-- {name}: {side} -->" for side in ("begin", "end"))
    head, tail = document.index(begin) + len(begin), document.index(end)
    path.write_text(f"{document[:head]}\n{text}\n{document[tail:]}")


# --- the command ------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--accounts", default=1_000, show_default=True, help="How many are generated.")
@click.option("--from", "from_time", help="First arrival replayed, UTC.")
@click.option("--until", "until_time", help="First arrival not replayed, UTC.")
@click.option("--partitions", default=4, show_default=True)
@click.option("--only", multiple=True, help="Rows whose name contains this; may be given several times.")
@click.option("--again", is_flag=True, help="Run rows again that are done.")
@click.option("--kill-every", "kill_every_s", default=20.0, show_default=True, help="Mean seconds between two kills.")
@click.option("--seed", default=1, show_default=True, help="Of the moments of the kills.")
@click.option("--work", required=True, type=click.Path(path_type=Path, file_okay=False), help="Kept between calls.")
@click.option("--write", "document", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Document with markers for the table.")  # fmt: skip
@click.option("--table", "name", default="day", show_default=True, help="Name of the markers.")
def main(  # noqa: PLR0913, PLR0917 (click passes every option by name)
    files: tuple[Path, ...], accounts: int, from_time: str | None, until_time: str | None, partitions: int,
    only: tuple[str, ...], again: bool, kill_every_s: float, seed: int, work: Path, document: Path | None,
    name: str,
) -> None:  # fmt: skip
    """Run the rows that are not done yet and print the table."""
    work.mkdir(parents=True, exist_ok=True)
    span = [*(["--from", from_time] if from_time else []), *(["--until", until_time] if until_time else [])]
    bench = Bench(files, work / "accounts.jsonl", span, partitions, work, seed, kill_every_s)
    told = {"files": [file.name for file in files], "accounts": accounts, "span": span, "partitions": partitions}
    if (work / "results.json").exists():
        bench.results = json.loads((work / "results.json").read_text())
        if bench.results["input"] != told:
            raise click.UsageError(f"{work} holds results of another input: {bench.results['input']}")
    else:
        make_accounts(bench, accounts)
        bench.results = {"input": told, "rows": {}}
    wanted = [case for case in CASES if not only or any(part in case.name for part in only)]
    run_cases(bench, [case for case in wanted if again or case.name not in bench.results["rows"]])
    text = table(bench)
    click.echo(text)
    if document is not None:
        write_table(document, name, text)


def make_accounts(bench: Bench, accounts: int) -> None:
    """Generate the accounts of the whole market in the files."""
    arguments = ["generate", "accounts", *map(str, bench.files), "--accounts", str(accounts), "--seed", "7"]
    subprocess.run(
        [sys.executable, "-m", "monitor", *arguments, "--out", str(bench.accounts)], check=True, stdout=sys.stderr
    )  # fmt: skip


def run_cases(bench: Bench, cases: list[Case]) -> None:
    """Run rows one after the other, those of the engine without a broker."""
    through_topics = any(case.workers for case in cases)
    broker = LocalKafka(data_dir=bench.work / "kafka", heap_mb=512)
    try:
        bench.address = broker.start() if through_topics else ""
        for case in cases:
            run: Callable[[Bench, Case], Row] = run_sequenced if case.workers else run_engine
            row = run(bench, case)
            bench.results["rows"][case.name] = row
            bench.save()
            click.echo(
                f"{case.name}: {row['sha256'][:16]}, {row['events']:,} events, {row['seconds']:,.0f} s", err=True
            )
    finally:
        broker.stop()


if __name__ == "__main__":
    os.nice(5)
    # As Ctrl-C does: workers and broker are ended on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in the background
    main()
