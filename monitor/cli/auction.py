"""`liqmon auction`: intents of liquidations, what solvers answer, and what is taken of it."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import click

from monitor.brokers.endpoint import endpoint
from monitor.errors import ExitCode

if TYPE_CHECKING:
    from monitor.config import Settings


@click.command(epilog="\b\nExample:\n  BROKER_URL=127.0.0.1:9092 liqmon auction --open-s 5")
@click.option("--broker", "broker_url", help="host:port[,host:port...]; default BROKER_URL.")
@click.option("--prefix", help="In front of each topic name. [default: setting topic_prefix]")
@click.option("--open-s", type=click.FloatRange(0.1, 3600.0), default=5.0, show_default=True,
              help="Seconds in which solvers may answer.")  # fmt: skip
@click.option("--tolerance", type=click.FloatRange(0.0, min_open=True), default=1.5, show_default=True,
              help="Most that is paid, times the cost of the plan.")  # fmt: skip
@click.option("--max-actions", type=click.IntRange(1, 100), default=5, show_default=True,
              help="Intents on one advice: each asks for what the last one left.")  # fmt: skip
@click.option("--hedges", is_flag=True, help="Perpetuals may be traded beyond what is held.")
@click.pass_obj
def command(
    settings: Settings, /, *, broker_url: str | None, prefix: str | None, open_s: float, tolerance: float,
    max_actions: int, hedges: bool,
) -> int:  # fmt: skip
    """Open an intent for each liquidation that workers have advised on, and award it, until SIGTERM or Ctrl-C.

    Reads risk.advice, risk.intents, risk.answers and risk.awards from their beginnings, and writes intents and awards.
    Baskets are margined again by the exact model, on top of those taken before them. It sends no orders.

    With the setting signing_key_file it signs what it writes and takes nothing else of ours that is not signed; with
    solver_key_file an answer counts only if the key of its solver's name signed it.
    """
    # Imported here: `--help` needs no kernels.
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    from monitor.answers.plan import Policy  # noqa: PLC0415
    from monitor.asking.auction import Auction  # noqa: PLC0415
    from monitor.connection import read_keys  # noqa: PLC0415
    from monitor.liquidation.auctions import Terms  # noqa: PLC0415
    from monitor.verify.run import ReadFailed  # noqa: PLC0415
    from schemas.signatures import MAX_SOLVER_KEYS  # noqa: PLC0415

    terms = Terms(
        open_us=round(open_s * 1e6), tolerance=tolerance, max_actions=max_actions, policy=Policy(hedges=hedges)
    )  # fmt: skip
    address = endpoint(settings, broker_url)
    keys = read_keys(settings.signing_key_file) if settings.signing_key_file else None
    solvers = read_keys(settings.solver_key_file, MAX_SOLVER_KEYS) if settings.solver_key_file else None
    auction = Auction(address, settings.topic_prefix if prefix is None else prefix, terms, keys, solvers)

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await auction.run(stop)

    try:
        asyncio.run(run())
    except (KafkaError, OSError) as error:
        raise ReadFailed(
            f"the broker at {address} does not do its part ({error!r})", "start it again; it goes on from the topics"
        ) from error
    return ExitCode.OK
