"""`liqmon replay`: historical or generated files to topics, or straight through the engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, get_args

import click
from rich.console import Console

from monitor.brokers.endpoint import endpoint
from monitor.cli.speed import Speed
from monitor.config import Settings
from monitor.errors import ExitCode, UsageError
from monitor.replay import offline, report
from monitor.replay.ahead import pays
from monitor.replay.arrival import Merged, Span
from monitor.replay.output import writing
from monitor.replay.progress import OnStep, progress_bar
from monitor.replay.publish import account_partitions, publish
from monitor.replay.publish_sequenced import publish_sequenced
from monitor.replay.sources import open_accounts, open_sources
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
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object, and no progress.")
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 (click passes every option by name)
    settings: Settings, /, files: tuple[Path, ...], target: str, speed: float, accounts: Path | None, out: Path | None,
    from_us: int | None, until_us: int | None, batch: int | None, frame_rows: int | None, model: MarginModel | None,
    parameter_set: str | None, as_json: bool, **where: Any,
) -> int:  # fmt: skip
    """Publish historical or generated FILES (or folders of them), or run them through the engine.

    Layouts are told by their header: Tardis trades and option chains, Binance one-minute bars, Deribit snapshots, and
    JSON lines of our own records. Files are merged by arrival time; a heartbeat is added every second. Exit code 1 if
    lines were malformed or a file is damaged.
    """
    _check_options(target, speed, out, batch, frame_rows)
    if target != "engine" and (model or parameter_set):
        raise UsageError("on topics each account has its own model", "leave --model out, or replay --to engine")
    sources = open_sources(files)
    if accounts is not None:
        sources.append(open_accounts(accounts))
    stream = UnderModel(sources, Span(from_us, until_us), model=model, parameter_set=parameter_set)
    try:
        with progress_bar("replay", quiet=as_json) as on_step:
            if target == "engine":
                data = _through_engine(stream, out, where["partitions"] or settings.partitions, batch, on_step)
            else:
                rows = (frame_rows or MAX_FRAME_ROWS) if target == "sequenced" else None
                data = asyncio.run(_to_topics(settings, stream, speed, rows, on_step, **where))
    finally:
        if not as_json:
            report.complain(Console(stderr=True), sources)
    if as_json:
        click.echo(json.dumps({**data, "sources": report.sources_data(sources)}), err=out == Path("-"))
    else:
        printer = report.print_run if target == "engine" else report.print_published
        printer(Console(stderr=out == Path("-")), data)
    return ExitCode.FINDINGS if report.malformed(sources) else ExitCode.OK


def _check_options(
    target: str, speed: float, out: Path | None, batch: int | None, frame_rows: int | None
) -> None:  # fmt: skip
    if target == "engine" and speed != float("inf"):
        raise UsageError("the engine runs as fast as it can", "leave --speed out, or replay --to topics")
    if target != "engine" and out is not None:
        raise UsageError("events of topics come from workers", "read the event topics, or use --to engine")
    if target != "engine" and batch is not None:
        raise UsageError("--batch is of the engine", "leave it out, or replay --to engine")
    if target != "sequenced" and frame_rows is not None:
        raise UsageError("--frame-rows is of the sequence", "leave it out, or replay --to sequenced")


def _through_engine(
    stream: Merged, out: Path | None, partitions: int, batch: int | None, on_step: OnStep
) -> dict[str, Any]:  # fmt: skip
    with _maybe_writing(out) as file:
        summary = offline.run(
            stream, file, partitions=partitions, batch=batch or offline.BATCH, on_step=on_step, ahead=pays(stream)
        )
    return report.run_data(summary, stream)


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
    if frame_rows is None:
        return report.published_data(await publish(stream, address, prefix=prefix, speed=pace, on_step=on_step), stream)
    done = await publish_sequenced(
        stream, address, prefix=prefix, speed=pace, frame_rows=frame_rows, on_step=on_step
    )  # fmt: skip
    return report.published_data(done, stream, "sequenced")


@contextmanager
def _maybe_writing(out: Path | None) -> Iterator[IO[bytes] | None]:
    if out is None:
        yield None
    else:
        with writing(out) as file:
            yield file
