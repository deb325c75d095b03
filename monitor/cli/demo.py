"""`liqmon demo`: the whole path live."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from monitor.cli.speed import Speed
from monitor.config import Settings
from monitor.errors import ExitCode

WIDTH = 150  # of lines where there is no terminal to ask


@click.command(epilog="\b\nExample:\n  liqmon demo\n  liqmon demo --data ../data/crash-2025-10-10 --accounts 1000")
@click.option("--data", multiple=True, type=click.Path(path_type=Path, exists=True),
              help="Historical files or folders of them, instead of a generated market.")  # fmt: skip
@click.option("--accounts", type=click.IntRange(1, 100_000), default=400, show_default=True, help="How many accounts.")
@click.option("--minutes", type=click.IntRange(1, 1440), default=20, show_default=True,
              help="Length of the generated market.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Of the generated market, accounts.")
@click.option("--speed", type=Speed(), help="Of the market's time: 60x, or max. [default: 20x; max with --data]")
@click.option("--broker", "broker_url", help="Address as host:port. [default: BROKER_URL, else a local one]")
@click.option("--prefix", help="In front of each topic name. [default: a new one, liqmon-demo-....]")
@click.option("--keep-topics", is_flag=True, help="Leave the demonstration's topics on the broker.")
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 (click passes every option by name)
    settings: Settings, data: tuple[Path, ...], accounts: int, minutes: int, seed: int, speed: float | None,
    broker_url: str | None, prefix: str | None, keep_topics: bool,
) -> int:  # fmt: skip
    """Play a market through one worker on a broker and show its margin calls and liquidations.

    Where no broker is named, starts a local Apache Kafka, or without Java or Maven the embedded Kafka-compatible
    broker (Tansu), in memory, not durable; leaves nothing running. Exit code 1 if no event came, an event had two
    contents, or a sequence a hole.
    """
    # Imported here: `--help` needs neither Kafka nor the kernels.
    from monitor.brokers.endpoint import endpoint  # noqa: PLC0415
    from monitor.brokers.url import UrlBroker  # noqa: PLC0415

    named = endpoint(settings, broker_url) if broker_url or settings.broker_url else None
    if named:
        # An address that leads nowhere is told before anything heavy is imported.
        UrlBroker(named).start()
    from kernels.machine_code import kept  # noqa: PLC0415
    from kernels.warmup import warm_up  # noqa: PLC0415
    from monitor.demo.run import DemoOptions, run  # noqa: PLC0415
    from monitor.models.warmup import warm_up as models_warm_up  # noqa: PLC0415

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH, soft_wrap=False)
    if not kept().files:
        console.print("kernels: compiled for this processor, once; that takes some two minutes", highlight=False)
    warm_up()  # here, where nothing waits: not in the worker, beside the generator of the market
    models_warm_up()
    if speed is None:
        speed = float("inf") if data else 20.0
    options = DemoOptions(
        broker=named,
        local_broker=settings.local_broker,
        data=data,
        minutes=minutes,
        accounts=accounts,
        seed=seed,
        speed=None if speed == float("inf") else speed,
        prefix=prefix if prefix is not None else f"liqmon-demo-{secrets.token_hex(3)}.",
        keep_topics=keep_topics,
    )
    return asyncio.run(_until_terminated(run(options, console)))


async def _until_terminated(demo: Coroutine[Any, Any, ExitCode]) -> int:
    """Run the demonstration; SIGTERM ends it in an orderly way, with everything stopped and removed."""
    task = asyncio.ensure_future(demo)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
