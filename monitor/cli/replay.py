"""`liqmon replay`: historical or generated files to topics, or straight through the engine."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console

from monitor.brokers.endpoint import endpoint
from monitor.cli.speed import Speed
from monitor.config import Settings
from monitor.errors import ExitCode, UsageError
from monitor.replay import lane as engine
from monitor.replay import offline, quality, report
from monitor.replay.ahead import cores
from monitor.replay.arrival import By, Merged, Span
from monitor.replay.engine_run import EngineRun, settings_of
from monitor.replay.pause import Pause
from monitor.replay.progress import OnStep, Step, progress_bar
from monitor.replay.publish import account_partitions, publish
from monitor.replay.publish_sequenced import publish_sequenced
from monitor.replay.report_quality import print_quality, quality_data
from monitor.replay.sources import Source, open_accounts, open_sources
from monitor.replay.sources.binance_names import MARKETS
from monitor.replay.sources.table import iso_us
from monitor.replay.under_model import UnderModel
from schemas.records import MAX_FRAME_ROWS, MarginModel


class Moment(click.ParamType):
    """An ISO date and time, UTC if it names no zone, as microseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return microseconds since 1970."""
        if isinstance(value, int):
            return value
        try:
            return iso_us(value)
        except ValueError:
            self.fail(f"{value!r} is no time such as 2025-10-10T20:50", param, ctx)


@click.command(
    epilog="\b\nExample:\n  liqmon replay ../data/crash-2025-10-10 --accounts accounts.jsonl --speed 60x\n"
    "  liqmon replay market.jsonl --accounts accounts.jsonl --to engine --out events.jsonl\n"
    "  liqmon replay market.jsonl --accounts accounts.jsonl --to sequenced --prefix run-1."
)
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--to", "target", type=click.Choice(["topics", "sequenced", "engine"]), default="topics",
              show_default=True, help="Kafka; Kafka in strict order; or our engine without any broker.")  # fmt: skip
@click.option("--speed", type=Speed(), default="max", show_default=True, help="Of the market's time: 60x, or max.")
@click.option("--accounts", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="JSON lines of accounts, transfers and trades.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
              help="With --to engine: events, one canonical body a line.")  # fmt: skip
@click.option("--from", "from_us", type=Moment(), help="First arrival replayed, UTC. Accounts keep their history.")
@click.option("--until", "until_us", type=Moment(), help="First arrival not replayed, UTC.")
@click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL]")
@click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]")
@click.option("--partitions", type=click.IntRange(1, 1000),
              help="Of account topics. [default: as on the broker; the setting with --to engine]")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), help="With --to engine: records a step. Changes no event.")
@click.option("--frame-rows", type=click.IntRange(1, MAX_FRAME_ROWS),
              help="With --to sequenced: rows a message. [default: 1000]")  # fmt: skip
@click.option(
    "--model", type=click.Choice(get_args(MarginModel)), help="With --to engine: this model for every account."
)
@click.option("--parameter-set", metavar="SET", help="With --to engine: one parameter set for all.")
@click.option("--check/--no-check", "checks", default=None,
              help="Only tell what is wrong with the data; or do not look. [default: look, then run]")  # fmt: skip
@click.option("--gap", "gap_s", type=click.FloatRange(min=0.0, min_open=True),
              help="Seconds of silence that the check counts. [default: as long as the feed stays fresh]")  # fmt: skip
@click.option("--binance", "market", type=click.Choice(list(MARKETS)),
              help="Market of Binance's files that do not lie in their folders.")  # fmt: skip
@click.option("--skip-unknown", is_flag=True, help="Pass over symbols without an instrument, and count them.")
@click.option("--by", type=click.Choice(["arrival", "event"]), default="arrival", show_default=True,
              help="Merge files by when records arrived, or by when they happened.")  # fmt: skip
@click.option("--processes", type=click.IntRange(0), default=1, show_default=True,
              help="With --to engine: spread accounts over so many, 0 for all cores. Changes no event.")  # fmt: skip
@click.option("--also", metavar="NAME=MODEL/SET", multiple=True,
              help="With --to engine: other settings over the same pass; their events go beside OUT.")  # fmt: skip
@click.option("--checkpoint", type=click.Path(path_type=Path, file_okay=False),
              help="With --to engine: a folder to go on from, however the run ends.")  # fmt: skip
@click.option("--checkpoint-minutes", type=click.FloatRange(min=0.0, min_open=True), default=60.0, show_default=True,
              help="Of the market's time between two checkpoints.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint.")
@click.option("--resume-at", "resume_at_us", type=Moment(), help="Go on from the newest checkpoint not after this.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object, and no progress.")
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 (click passes every option by name)
    settings: Settings, /, files: tuple[Path, ...], target: str, speed: float, accounts: Path | None, out: Path | None,
    from_us: int | None, until_us: int | None, batch: int | None, frame_rows: int | None, model: MarginModel | None,
    parameter_set: str | None, checks: bool | None, gap_s: float | None, market: str | None, skip_unknown: bool,
    by: By, processes: int, also: tuple[str, ...], checkpoint: Path | None, checkpoint_minutes: float, resume: bool,
    resume_at_us: int | None, as_json: bool, **where: Any,
) -> int:  # fmt: skip
    """Publish historical or generated FILES (or folders of them), or run them through the engine.

    Layouts are told by their header or shape: Tardis, Binance, Deribit, OKX, and JSON lines of our own records. First
    every file is read once and what is wrong with it is told. Files are merged by arrival time; a heartbeat is added
    every second. Exit code 1 if lines were malformed or a file is damaged.
    """
    engine_only = {"--model": model, "--parameter-set": parameter_set, "--also": also, "--checkpoint": checkpoint,
                   "--processes": processes != 1, "--out": out, "--batch": batch}  # fmt: skip
    _check_options(target, speed, engine_only, frame_rows)

    def opened() -> list[Source]:
        found = open_sources(files, market=market, lenient=skip_unknown)
        return [*found, open_accounts(accounts)] if accounts is not None else found

    console = Console(stderr=True)
    looked = _look(opened(), gap_s, as_json) if checks is not False else []
    if looked and not as_json:
        print_quality(console, looked)
    if checks:
        if as_json:
            click.echo(json.dumps({"quality": quality_data(looked)}))
        return ExitCode.OK if all(one.clean for one in looked) else ExitCode.FINDINGS
    sources = opened()
    stream = UnderModel(sources, Span(from_us, until_us), by)
    run = EngineRun(
        where["partitions"] or settings.partitions, batch or offline.BATCH, processes or cores(),
        (engine.Settings("", model, parameter_set), *map(settings_of, also)), checkpoint,
        round(60e6 * checkpoint_minutes), resume, resume_at_us,
    )  # fmt: skip
    try:
        with progress_bar("replay", quiet=as_json) as on_step:
            if target == "engine":
                found = [report.run_data(summary, stream) for summary in run.through(stream, out, on_step)]
            else:
                rows = (frame_rows or MAX_FRAME_ROWS) if target == "sequenced" else None
                found = [asyncio.run(_to_topics(settings, stream, speed, rows, on_step, **where))]
    finally:
        if not as_json and not looked:
            report.complain(console, sources)
    others = {one.name: data for one, data in zip(run.settings[1:], found[1:], strict=True)}
    if as_json:
        told = {**found[0], "sources": report.sources_data(sources), "quality": quality_data(looked)}
        click.echo(json.dumps(told | ({"settings": others} if others else {})), err=out == Path("-"))
    else:
        _print(Console(stderr=out == Path("-")), target, found[0], others)
    return ExitCode.FINDINGS if report.malformed(sources) else ExitCode.OK


def _print(console: Console, target: str, data: dict[str, Any], others: dict[str, dict[str, Any]]) -> None:
    printer = report.print_run if target == "engine" else report.print_published
    printer(console, data)
    for name, other in others.items():
        console.print(f"\nunder {name}:", highlight=False, markup=False)
        printer(console, other)


def _check_options(target: str, speed: float, engine_only: dict[str, Any], frame_rows: int | None) -> None:
    if target == "engine" and speed != float("inf"):
        raise UsageError("the engine runs as fast as it can", "leave --speed out, or replay --to topics")
    given = [name for name, value in engine_only.items() if value]
    if target != "engine" and given:
        raise UsageError(f"{given[0]} is of the engine: on topics workers decide", "leave it out, or use --to engine")
    if target != "sequenced" and frame_rows is not None:
        raise UsageError("--frame-rows is of the sequence", "leave it out, or replay --to sequenced")


def _look(sources: list[Source], gap_s: float | None, as_json: bool) -> list[quality.Quality]:
    """Read every file once, the large ones on all cores, and return what is wrong with each."""
    with progress_bar("data", quiet=as_json) as on_step:
        start_s = time.monotonic()

        def on_file(done: int) -> None:
            records = sum(one.rows for one in found)
            on_step(Step(records, done / len(sources), 0, records / max(time.monotonic() - start_s, 1e-9)))

        found: list[quality.Quality] = []
        gap_us = None if gap_s is None else round(gap_s * 1e6)
        for one in quality.check(sources, gap_us=gap_us):
            found.append(one)
            on_file(len(found))
    return found


async def _to_topics(
    settings: Settings, stream: Merged, speed: float, frame_rows: int | None, on_step: OnStep, *,
    broker_url: str | None, prefix: str | None, partitions: int | None,
) -> dict[str, Any]:  # fmt: skip
    """Publish to the topics, or with `frame_rows` to that of the sequence."""
    address = endpoint(settings, broker_url)
    prefix = settings.topic_prefix if prefix is None else prefix
    if partitions is not None and (found := await account_partitions(address, prefix)) != partitions:
        raise UsageError(f"account topics have {found} partitions, not {partitions}", "leave --partitions out")
    pace = None if speed == float("inf") else speed
    with Pause() as pause:
        if frame_rows is None:
            done = await publish(stream, address, prefix=prefix, speed=pace, on_step=on_step, pause=pause)
            return report.published_data(done, stream)
        done = await publish_sequenced(
            stream, address, prefix=prefix, speed=pace, frame_rows=frame_rows, on_step=on_step, pause=pause
        )
    return report.published_data(done, stream, "sequenced")
