"""A liquidation bot: reads liquidations, checks each again, and sends the orders of a plan to a venue, once.

    python -m examples.liquidation_bot --config examples/liquidation_bot.toml            # a dry run: sends nothing
    python -m examples.liquidation_bot --config examples/liquidation_bot.toml --live
    python -m examples.liquidation_bot --config examples/liquidation_bot.toml --run-once

It is an example, to be read and changed: `docs/bot.md` says what it does, and what it leaves to you.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import click

from examples.bot.asking import Planner, Venue
from examples.bot.config import BotSettings, load
from examples.bot.journal import Journal
from examples.bot.rounds import Bot
from examples.bot.status import Status, served
from monitor.brokers.endpoint import endpoint
from monitor.client import StateView, Subscription, read_keys, states, subscribe
from monitor.config import load as liqmon_settings
from monitor.errors import MonitorError

WEBHOOK_S = 5.0
CLOCKS: dict[str, Callable[[], int]] = {"wall": lambda: time.time_ns() // 1000, "replay": lambda: 0}
log = logging.getLogger("liquidation_bot")


@click.command(epilog="\b\nExample:\n  python -m examples.liquidation_bot --config examples/liquidation_bot.toml")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings (TOML).")
@click.option("--live", is_flag=True, help="Send orders. Without it nothing is sent, and the journal is not written.")
@click.option("--run-once", is_flag=True, help="One round over all who are in liquidation now, then end.")
@click.option("--broker", help="Address as host:port. [default: BROKER_URL]")
@click.option("--prefix", help="In front of each topic name.")
def main(config: Path | None, live: bool, run_once: bool, broker: str | None, prefix: str | None) -> None:
    """Liquidate accounts that the monitor says are due, at a venue; a dry run by default.

    Exit codes: 0 done, 2 wrong use, 3 no broker, 1 any other failure, which the webhook is told of.
    """
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = load(config, {"dry_run": False if live else None, "broker": broker, "prefix": prefix})
    except MonitorError as error:
        click.echo(f"liquidation_bot: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(asyncio.run(guarded(settings, run_once=run_once)))


async def guarded(settings: BotSettings, *, run_once: bool) -> int:
    """Run the bot; a failure that ends it is told to the webhook, and is the exit code."""
    try:
        counts = await run(settings, run_once=run_once)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        log.error("ended: %s", error, exc_info=not isinstance(error, MonitorError))  # noqa: TRY400
        await tell(settings.webhook_url, f"{type(error).__name__}: {error}")
        return int(error.exit_code) if isinstance(error, MonitorError) else 1
    click.echo(json.dumps(counts, sort_keys=True))
    return 0


async def run(settings: BotSettings, *, run_once: bool) -> dict[str, int]:
    """Run until a signal, or for one round; return the counts."""
    keys = None if settings.keys_file is None else read_keys(settings.keys_file)
    liqmon = liqmon_settings(None, os.environ)
    broker = endpoint(liqmon, settings.broker)
    prefix = liqmon.topic_prefix if settings.prefix is None else settings.prefix
    with Journal(None if settings.dry_run else Path(settings.journal)) as journal:
        async with (
            aiohttp.ClientSession() as session,
            states(broker=broker, prefix=prefix, keys=keys) as view,
        ):
            bot = assemble(settings, session, view, journal)
            bot.adopt()
            if run_once:
                await bot.round()
                return dict(bot.counts)
            async with subscribe(
                group=prefix + settings.group, broker=broker, prefix=prefix, keys=keys, now_us=CLOCKS[settings.clock]
            ) as alerts:
                await follow(bot, alerts)
            return dict(bot.counts)


def assemble(settings: BotSettings, session: aiohttp.ClientSession, view: StateView, journal: Journal) -> Bot:
    """Put the parts together."""
    seed = secrets.randbits(32) if settings.seed is None else settings.seed
    venue = Venue(session, settings.venue_url, settings.venue_token)
    return Bot(settings, seed, view, Planner(session, settings.plan_urls), venue, journal)


async def follow(bot: Bot, alerts: Subscription) -> None:
    """Take alerts as they come and make rounds, until SIGTERM or SIGINT."""
    stopped, woken = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)

    async def read() -> None:
        # An alert counts as handled once it is in the set of who is due: a crash before it was acted on loses
        # nothing, because whoever is in liquidation is taken over at the next start.
        async for alert in alerts:
            bot.take(alert)
            woken.set()

    status = Status(bot, lambda: dict(alerts.counts), bot.settings.idle_s)
    reading = asyncio.create_task(read())
    try:
        async with served(status, bot.settings.health_port) as port:
            log.info("ready: health on port %d%s", port, ", dry run" if bot.settings.dry_run else "")
            while not stopped.is_set():
                if reading.done():
                    reading.result()
                await bot.round()
                status.worked_s = time.monotonic()
                await _either(stopped, woken, bot.settings.round_s)
                woken.clear()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _either(first: asyncio.Event, second: asyncio.Event, within_s: float) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in (first, second)]
    await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


async def tell(url: str | None, text: str) -> None:
    """Tell the webhook, if there is one; it has no second chance."""
    if url is None:
        return
    told: dict[str, Any] = {"text": f"liquidation bot ended: {text}"}
    with suppress(aiohttp.ClientError, TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WEBHOOK_S)) as session,
            session.post(url, json=told),
        ):
            pass


if __name__ == "__main__":
    main()
