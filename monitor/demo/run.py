"""The demonstration from beginning to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from monitor.brokers import EmbeddedTansu, LocalBroker, choose_broker, selfcheck
from monitor.brokers.tansu import SESSION_TIMEOUT_S
from monitor.connection import Address
from monitor.demo import show, stage
from monitor.demo.drain import Drain
from monitor.demo.tally import Tally
from monitor.demo.watch import watch
from monitor.errors import ExitCode, MonitorError
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.progress import Step
from monitor.replay.publish import Published, publish
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource, Source, open_sources
from monitor.worker.options import WorkerOptions

PARTITIONS = 4  # one worker; four partitions are enough to show that accounts are spread
QUIET_S = 1.0  # after the last record is applied its events are on their topics; this is for the watcher to read them


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What is shown: historical files, or a generated market of some minutes; `speed` None is as fast as it goes."""

    broker: Address | None = None
    local_broker: LocalBroker = "auto"
    data: tuple[Path, ...] = ()
    minutes: int = 20
    accounts: int = 400
    seed: int = 7
    speed: float | None = 20.0
    prefix: str = ""
    keep_topics: bool = False


async def run(options: DemoOptions, console: Console) -> ExitCode:
    """Play a market through one worker on a broker and show what its topics say; raises MonitorError."""
    broker = choose_broker(options.broker, local=options.local_broker)
    session_timeout_s = SESSION_TIMEOUT_S if isinstance(broker, EmbeddedTansu) else None
    started_s = time.monotonic()
    async with stage.running(broker) as address:
        console.print(f"broker: {broker.describe()}", highlight=False)
        checked = await selfcheck.check(address, options.prefix)
        console.print(checked.line, highlight=False)
        async with stage.prepared_topics(address, options.prefix, PARTITIONS, keep=options.keep_topics):
            starting = asyncio.create_task(asyncio.to_thread(_sources, options))
            async with stage.worker(address, options.prefix, PARTITIONS, session_timeout_s) as process:
                console.print(f"worker: ready, while this runs its desk page is at {process.page}", highlight=False)
                sources, opened = await starting
                console.print(f"market: {', '.join(s.name for s in sources)}; {opened}", highlight=False)
                tally, published, seconds = await _play(options, address, sources, process, console, checked)
                process.check()
            code = process.exit_code
    facts = {
        "broker": broker.describe(),
        "records published": f"{published.total:,} in {published.seconds:.0f} s",
        "records applied": f"all, {published.total / seconds:,.0f} a second",
        "whole demonstration": f"{time.monotonic() - started_s:.0f} s",
    }
    show.summary(console, tally, facts, tally.account_time(published.first_us, published.last_us))
    sound = code == 0 and tally.events > 0 and not tally.conflicts and not tally.holes
    return ExitCode.OK if sound else ExitCode.FINDINGS


def _sources(options: DemoOptions) -> tuple[list[Source], str]:
    market: list[Source] = (
        open_sources(options.data)
        if options.data
        else [GeneratedMarket(MarketParameters(seed=options.seed, minutes=options.minutes))]
    )
    parameters = AccountParameters(seed=options.seed, accounts=options.accounts, fills_per_hour=2.0)
    accounts = generate_accounts(Merged(market), parameters)
    opened = f"{len(accounts.opened):,} accounts, {accounts.fills:,} fills on the way"
    return [*market, ListSource("accounts", accounts.records, ACCOUNTS_FILE_TOPICS)], opened


async def _play(
    options: DemoOptions, address: Address, sources: list[Source], process: stage.WorkerProcess, console: Console,
    checked: selfcheck.Checked,
) -> tuple[Tally, Published, float]:  # fmt: skip
    tally, progress = Tally(), show.Progress(phase="playing")
    worker_options = WorkerOptions(broker=address, partitions=PARTITIONS, prefix=options.prefix)
    drain = Drain(address, options.prefix, worker_options.changelog, PARTITIONS, exact_ends=checked.ends_exact)
    stream = Merged(sources)

    def on_step(step: Step) -> None:
        progress.published, progress.fraction = step.records, step.fraction
        progress.market_time_us, progress.rate = step.market_time_us, step.rate

    started_s = time.monotonic()
    with show.Screen(console, tally, progress) as screen:
        async with _meanwhile(watch(address, options.prefix, tally, screen.event), drain.follow(), _tick(screen)):
            published = await publish(stream, address, prefix=options.prefix, speed=options.speed, on_step=on_step)
            progress.published, progress.fraction, progress.phase = published.total, 1.0, "draining"
            await drain.wait(process)
            applied_s = time.monotonic() - started_s
            await asyncio.sleep(QUIET_S)
            progress.phase = "done"
    return tally, published, applied_s


async def _tick(screen: show.Screen) -> None:
    while True:
        screen.tick()
        await asyncio.sleep(0.5)


@asynccontextmanager
async def _meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work beside the block and end it with the block; its failure is the block's."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            yield
            for task in tasks:
                task.cancel()
    except* MonitorError as failures:
        raise failures.exceptions[0] from None
