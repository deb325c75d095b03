"""`liqmon generate`: a seeded market, and seeded accounts for any market."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from monitor.errors import ExitCode
from monitor.replay import portfolios, report
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.output import writing
from monitor.replay.progress import OnStep, Step, progress_bar
from monitor.replay.sources import TOPIC_OF, Arrived, open_sources
from monitor.replay.sources.records_file import write_lines
from schemas.records import Record

_OUT = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), required=True,
    help="File of JSON lines to write; .gz packs it, - is standard output.",
)  # fmt: skip
_SEED = click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Same seed, same records.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard error.")


@click.group(
    epilog="\b\nExample:\n  liqmon generate market --minutes 30 --out market.jsonl\n"
    "  liqmon generate accounts market.jsonl --accounts 1000 --out accounts.jsonl"
)
def command() -> None:
    """Write a seeded market and its accounts."""


@command.command(epilog="\b\nExample:\n  liqmon generate market --seed 7 --minutes 60 --out market.jsonl.gz")
@_SEED
@click.option("--minutes", type=int, default=60, show_default=True, help="Length of the market.")
@click.option(
    "--ticks-per-second", type=float, default=1.0, show_default=True, help="Of one coin on its fastest venue."
)
@click.option("--coins", type=int, default=8, show_default=True, help="How many of the eight coins: 2 to 8.")
@_OUT
@_JSON
def market(seed: int, minutes: int, ticks_per_second: float, coins: int, out: Path, as_json: bool) -> int:
    """Write a market with a calm, a crash, a break of correlation and an aftermath.

    Records are ticks of several venues, perpetuals and dated futures, option smiles and heartbeats, in order of
    arrival, each a line {"topic": ..., "record": ...}.
    """
    source = GeneratedMarket(MarketParameters(seed, minutes, ticks_per_second, coins))
    stream = Merged([source])
    with progress_bar("market", quiet=as_json) as on_step, writing(out) as file:
        count = write_lines(file, _lines(stream, on_step))
    summary = {"records": count, "from_us": stream.first_us, "until_us": stream.last_us, **source.report.notes}
    if as_json:
        click.echo(json.dumps(summary), err=True)
    else:
        click.echo(
            f"{count:,} records from {report.clock(stream.first_us or 0)} to {report.clock(stream.last_us or 0)} UTC",
            err=True,
        )
    return ExitCode.OK


@command.command(
    epilog="\b\nExample:\n  liqmon generate accounts ../data/crash-2025-10-10 --accounts 1000 --seed 7"
    " --out accounts.jsonl"
)
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@_SEED
@click.option("--accounts", type=int, default=1_000, show_default=True, help="How many.")
@click.option("--each", type=click.IntRange(1), help="So many of every kind, instead of --accounts.")
@click.option("--deposit", metavar="ASSET", help="All money in this asset: USD, USDC, BTC, ETH, USDE.")
@click.option("--fills-per-hour", type=float, default=1.0, show_default=True, help="Of each account; 0 for none.")
@click.option(
    "--opening-s", type=int, default=120, show_default=True, help="When they move in, after the market's first record."
)
@_OUT
@_JSON
def accounts(  # noqa: PLR0913 (click passes every option by name)
    files: tuple[Path, ...], seed: int, accounts: int, each: int | None, deposit: str | None, fills_per_hour: float,
    opening_s: int, out: Path, *, as_json: bool,
) -> int:  # fmt: skip
    """Write accounts for the market in FILES: settings, deposits, opening trades, and fills while it runs.

    Six kinds (directional, hedged pairs, basis, covered calls, short volatility, market makers); deposits are set by
    the engine so that IM / equity is as drawn. A coin without a perpetual gets one of ours, and one that has options
    without spot gets spot of ours. Prints quantiles of IM / equity and of leverage.
    """
    sources = open_sources(files)
    stream = Merged(sources)
    count = accounts if each is None else each * len(portfolios.SHARES)
    parameters = AccountParameters(seed, count, fills_per_hour, opening_s, even=each is not None, deposit=deposit)
    with progress_bar("accounts", quiet=as_json) as on_step, writing(out) as file:
        generated = generate_accounts(_watched(stream, on_step), parameters)
        write_lines(file, generated.records)
    data = report.accounts_data(generated)
    console = Console(stderr=True)
    if as_json:
        click.echo(json.dumps({**data, "sources": report.sources_data(sources)}), err=True)
    else:
        report.complain(console, sources)
        report.print_accounts(console, data)
    return ExitCode.FINDINGS if report.malformed(sources) else ExitCode.OK


def _lines(stream: Merged, on_step: OnStep) -> Iterator[tuple[str, Record]]:
    for _, record in _watched(stream, on_step):
        yield TOPIC_OF[type(record)], record


def _watched(stream: Merged, on_step: OnStep) -> Iterator[Arrived]:
    for number, (at_us, record) in enumerate(stream):
        if number % 5_000 == 0:
            on_step(Step(number, stream.fraction, at_us, 0.0))
        yield at_us, record
