"""`liqmon watch` from beginning to end: a live table on a terminal, one look at the tables, or lines of events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from monitor.brokers.interface import BrokerError
from monitor.connection import Address
from monitor.watching.board import Board
from monitor.watching.follow import Follower, Since, follower
from monitor.watching.tables import event_line, events_table, headline, states_table
from monitor.watching.workers import Workers
from schemas.records import AccountEvent

FRAMES_PER_S = 4
AROUND = 11  # lines of a screen that are no rows: the headline, titles, headers and borders
LEAST_ROWS = 3


async def once(address: Address, prefix: str, board: Board, workers: Workers) -> None:
    """Read what is there into the board, and ask the workers."""
    async with _as_operators_see(address), follower(address, prefix, board, _nothing) as following:
        await following.catch_up("recent")
    if workers.addresses:
        await workers.look()


async def lines(
    address: Address, prefix: str, board: Board, say: Callable[[str], None], *, as_json: bool, since: Since
) -> None:  # fmt: skip
    """Say every event that is wanted, one a line, until cancelled; as JSON: the record's own bytes."""

    def on_event(event: AccountEvent, body: bytes) -> None:
        say(body.decode() if as_json else event_line(event))

    async with _as_operators_see(address), follower(address, prefix, board, on_event) as following:
        await _forever(following, since)


async def live(address: Address, prefix: str, board: Board, console: Console, workers: Workers) -> None:
    """Show both tables until cancelled, as many rows as the terminal has, and how the workers are."""
    asking = asyncio.create_task(workers.follow())
    try:
        async with _as_operators_see(address), follower(address, prefix, board, _nothing) as following:
            with Live(
                get_renderable=lambda: tables(board, console.size.height, workers), console=console,
                refresh_per_second=FRAMES_PER_S, screen=True,
            ):  # fmt: skip
                await _forever(following, "recent")
    finally:
        asking.cancel()


def tables(board: Board, height: int, workers: Workers) -> RenderableType:
    """Return what a screen of so many lines shows: half states, half events."""
    lines = workers.lines()
    rows = max(LEAST_ROWS, (height - AROUND - len(lines)) // 2)
    # By the market's time: partitions are read one after the other.
    recent = sorted(board.recent, key=lambda event: event.event_time_us)[-rows:][::-1]
    return Group(
        Text(headline(board, time.time_ns() // 1_000_000), style="bold", overflow="ellipsis", no_wrap=True),
        *(Text(line, overflow="ellipsis", no_wrap=True) for line in lines),
        states_table(board.nearest(rows), "nearest to trouble"),
        events_table(recent, "latest events", one_line=True),
    )


async def _forever(following: Follower, since: Since) -> None:
    await following.catch_up(since)
    while True:
        await following.poll()


def _nothing(_event: AccountEvent, _body: bytes) -> None:
    """Show nothing for a single event."""


@asynccontextmanager
async def _as_operators_see(address: Address) -> AsyncIterator[None]:
    try:
        yield
    except (KafkaError, TimeoutError) as error:
        raise BrokerError(
            f"the broker at {address} did not give its records ({error!r})", "check its health"
        ) from error
