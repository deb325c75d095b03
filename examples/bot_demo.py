"""The bot at work: a broker, a worker, a market that crashes, a toy venue, and the bot that brings accounts back.

    make bot-demo                                # or: python -m examples.bot_demo
    python -m examples.bot_demo --kills 2        # and ends the bot with `kill -9` twice while it works

At the end the bot's ledger is held against the monitor's account states, and the venue's positions against those that
the monitor computes with. Exit code 1 if they differ, or if an account that the bot acted on is still in liquidation.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import click
from rich.console import Console
from rich.table import Table

from examples.bot.journal import Journal
from examples.calm import Calm
from examples.toy_venue import Book, Venue
from monitor.brokers import EmbeddedTansu, choose_broker, selfcheck
from monitor.brokers.endpoint import endpoint
from monitor.brokers.tansu import SESSION_TIMEOUT_S
from monitor.client import StateView, read_keys, states
from monitor.config import load
from monitor.connection import Address
from monitor.demo import stage
from monitor.demo.drain import Drain
from monitor.errors import ExitCode, MonitorError
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.publish import publish
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource, Source
from monitor.worker.options import WorkerOptions
from schemas.records import AccountState

PARTITIONS = 4
CALM_S = 3_600  # of market time after the crash, at most: it ends once nobody is in liquidation
DONE_S = 120.0  # for the bot to finish once the worker has all of the crash
SETTLED_S = 3.0  # without a new state, or this long: others come all the time
FIRST_KILL = 2  # actions that the bot has begun when it is killed for the first time
DUST = 1e-9


@dataclass(frozen=True, slots=True)
class Options:
    """What is played, and how often the bot is killed."""

    broker: Address | None = None
    minutes: int = 6
    accounts: int = 80
    seed: int = 7
    speed: float = 10.0
    kills: int = 0
    prefix: str = ""
    keep_topics: bool = False
    folder: Path | None = None


@dataclass(slots=True)
class Bot:
    """The bot as a process of its own."""

    environment: dict[str, str]
    arguments: list[str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    kills: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    async def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "examples.liquidation_bot", *self.arguments, env=self.environment,
                stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip

    async def kill(self) -> None:
        """End it as a crash would, and start it again."""
        assert self.process is not None  # narrows the type
        process, self.process = self.process, None
        process.kill()
        await process.wait()
        self.kills += 1
        await self.start()

    @property
    def ended(self) -> bool:
        """Whether it has ended, other than to be started again."""
        return self.process is not None and self.process.returncode is not None

    async def stop(self) -> int:
        """End it in an orderly way; return its exit code, and keep the counts that it told."""
        assert self.process is not None  # narrows the type
        if self.process.returncode is None:
            self.process.terminate()
        out, _ = await self.process.communicate()
        with contextlib.suppress(ValueError):
            self.counts = json.loads(out)
        return self.process.returncode or 0


@dataclass(slots=True)
class Found:
    """What is left at the end, for the table and for tests."""

    before: dict[str, AccountState]
    after: dict[str, AccountState]
    ledger: dict[str, dict[str, float]]
    actions: dict[str, int]
    venue: dict[str, dict[str, float]]
    monitor: dict[str, dict[str, float]]
    bot_code: int
    kills: int
    counts: dict[str, int]

    @property
    def acted(self) -> list[str]:
        """Accounts that the bot traded for."""
        return sorted(account for account, traded in self.ledger.items() if traded)

    @property
    def still(self) -> list[str]:
        """Of those, who is still in liquidation or bankrupt, or below maintenance."""
        return [
            name for name in self.acted
            if (state := self.after[name]).status in {"liquidation", "bankrupt"}
            or state.equity_usd <= state.mm_requirement_usd
        ]  # fmt: skip

    @property
    def differing(self) -> list[str]:
        """Accounts whose positions the venue and the monitor do not agree on."""
        return [name for name in self.acted if not _same(self.venue.get(name, {}), self.monitor.get(name, {}))]


def _same(one: dict[str, float], other: dict[str, float]) -> bool:
    names = one.keys() | other.keys()
    return all(abs(one.get(n, 0.0) - other.get(n, 0.0)) <= DUST * max(1.0, abs(one.get(n, 0.0))) for n in names)


async def run(options: Options, console: Console) -> Found:
    """Play it all and return what is left; raises MonitorError."""
    broker = choose_broker(options.broker, local=load(None, os.environ).local_broker)
    session_timeout_s = SESSION_TIMEOUT_S if isinstance(broker, EmbeddedTansu) else None
    with tempfile.TemporaryDirectory(prefix="liqmon-bot-") as made:
        folder = options.folder or Path(made)
        keys = folder / "keys"
        keys.write_text(f"demo hmac-sha256 {base64.b64encode(secrets.token_bytes(32)).decode()}\n")
        async with stage.running(broker) as address:
            console.print(f"broker: {broker.describe()}", highlight=False)
            checked = await selfcheck.check(address, options.prefix)
            with _variable("LIQMON_SIGNING_KEY_FILE", str(keys)):  # of the worker, which takes our variables
                async with (
                    stage.prepared_topics(address, options.prefix, PARTITIONS, keep=options.keep_topics),
                    stage.worker(address, options.prefix, PARTITIONS, session_timeout_s) as worker,
                ):
                    console.print("worker: ready", highlight=False)
                    return await _play(options, address, worker, folder, checked, console)


@contextlib.contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Set a variable for as long as the block lasts."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


async def _play(
    options: Options, address: Address, worker: stage.WorkerProcess, folder: Path, checked: selfcheck.Checked,
    console: Console,
) -> Found:  # fmt: skip
    market = Calm(GeneratedMarket(MarketParameters(seed=options.seed, minutes=options.minutes)), CALM_S)
    parameters = AccountParameters(seed=options.seed, accounts=options.accounts, fills_per_hour=2.0)
    accounts = await asyncio.to_thread(generate_accounts, Merged([market]), parameters)
    sources: list[Source] = [market, ListSource("accounts", accounts.records, ACCOUNTS_FILE_TOPICS)]
    drain = Drain(
        address, options.prefix, WorkerOptions(broker=address, partitions=PARTITIONS, prefix=options.prefix).changelog,
        PARTITIONS, exact_ends=checked.ends_exact,
    )  # fmt: skip
    venue = Venue(address, options.prefix)
    at = _endpoint(worker.log)
    journal = folder / "journal.jsonl"
    async with (
        venue.served() as venue_url,
        states(broker=address, prefix=options.prefix, keys=read_keys(folder / "keys")) as view,
        _following(drain),
    ):
        bot = _bot(options, address, folder, {"VENUE_URL": venue_url, "PLAN_URLS": at, "JOURNAL": str(journal)})
        await bot.start()
        breached: dict[str, AccountState] = {}
        async with _watching(view, breached):
            console.print(f"venue: {venue_url}; bot: started; market: {market.name}", highlight=False)
            playing = asyncio.create_task(publish(Merged(sources), address, prefix=options.prefix, speed=options.speed))
            async with _killing(bot, journal, options.kills):
                while not market.begun and not playing.done():
                    worker.check()
                    await asyncio.sleep(0.2)
                await _brought_back(bot, view, drain, worker)
                market.done = True
                await playing
                await _brought_back(bot, view, drain, worker)
        code = await bot.stop()
        await drain.wait(worker)
        after = await _settled(view)
        with Journal(journal) as book:
            ledger = book.ledger()
            actions = {name: book.actions(name, after[name].episode) for name in ledger}
        acted = [name for name, traded in ledger.items() if traded]
        positions = await _monitors_positions(at, acted)
        held = {name: _derivatives(venue.book, name) for name in acted}
        listed = {
            name: {i: q for i, q in found.items() if not _is_coin(venue.book, i)} for name, found in positions.items()
        }
        return Found(breached, after, ledger, actions, held, listed, code, bot.kills, bot.counts)


def _bot(options: Options, address: Address, folder: Path, more: dict[str, str]) -> Bot:
    said = {
        "DRY_RUN": "false", "KEYS_FILE": str(folder / "keys"), "CLOCK": "replay", "ROUND_S": "0.3", "SEED": "1",
        "MAX_NOTIONAL_USD": "1e9", "MAX_ATTEMPTS": "20", **more,
    }  # fmt: skip
    environment = stage.worker_environment(address, os.environ) | {f"LIQBOT_{n}": v for n, v in said.items()}
    return Bot(environment, ["--broker", str(address), "--prefix", options.prefix], folder / "bot.log")


def _endpoint(log: Path) -> str:
    """Return where a worker answers questions, as its log says."""
    for line in log.read_text().splitlines():
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if told.get("event") == "health":
                return f"http://{told['host']}:{told['port']}"
    raise MonitorError("the worker does not say where it answers", "read its log")


@contextlib.asynccontextmanager
async def _following(drain: Drain) -> AsyncIterator[None]:
    task = asyncio.create_task(drain.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def _watching(view: StateView, breached: dict[str, AccountState]) -> AsyncIterator[None]:
    """Keep the first state in which each account was in liquidation."""

    async def look() -> None:
        while True:
            for state in view.all():
                if state.status == "liquidation":
                    breached.setdefault(state.account, state)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def _killing(bot: Bot, journal: Path, kills: int) -> AsyncIterator[None]:
    """Kill the bot each time that it has begun some actions more, until it was killed often enough."""
    over = asyncio.Event()

    async def look() -> None:
        while bot.kills < kills and not over.is_set():
            await asyncio.sleep(0.2)
            if _begun(journal) >= FIRST_KILL * (bot.kills + 1):
                await bot.kill()

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        over.set()  # not cancelled: a bot that was killed is started again
        await task


async def _brought_back(bot: Bot, view: StateView, drain: Drain, worker: stage.WorkerProcess) -> None:
    """Return once the worker has caught up and nobody is in liquidation, the bot has ended, or it has had its time."""
    started_s = time.monotonic()
    while not bot.ended and time.monotonic() < started_s + DONE_S:
        await drain.wait(worker)  # of what is there now: trades come, and the market goes on
        if not any(state.status == "liquidation" for state in (await _settled(view)).values()):
            return
        await asyncio.sleep(0.2)


def _begun(journal: Path) -> int:
    return journal.read_bytes().count(b'"type":"intent"') if journal.exists() else 0


async def _settled(view: StateView) -> dict[str, AccountState]:
    """Return all states once none has come for a second, or after some."""
    before, until_s = -1, time.monotonic() + SETTLED_S
    while before != (before := sum(view.counts.values())) and time.monotonic() < until_s:  # noqa: ASYNC110 (a view tells nobody)
        await asyncio.sleep(1.0)
    return {state.account: state for state in view.all()}


async def _monitors_positions(at: str, accounts: list[str]) -> dict[str, dict[str, float]]:
    """Ask the worker what each account holds."""
    found: dict[str, dict[str, float]] = {}
    async with aiohttp.ClientSession() as session:
        for account in accounts:
            async with session.get(f"{at}/v1/accounts/{account}/explain") as response:
                told: dict[str, Any] = await response.json()
            found[account] = {one["instrument"]: one["quantity"] for one in told["positions"]}
    return found


def _is_coin(book: Book, name: str) -> bool:
    return name not in book.listing or book.listing[name].type == "spot"


def _derivatives(book: Book, account: str) -> dict[str, float]:
    """Positions of an account at the venue; coins are balances, which deposits are a part of."""
    return {name: held for name, held in book.positions[account].items() if not _is_coin(book, name)}


def show(found: Found, console: Console) -> None:
    """Print who was brought back, and whether everybody agrees."""
    table = Table("account", "equity/MM before", "after", "status", "actions", "contracts traded", title="liquidated")
    for name in found.acted:
        before, after = found.before.get(name), found.after[name]
        table.add_row(
            name, "-" if before is None else _ratio(before), _ratio(after), after.status, str(found.actions[name]),
            ", ".join(f"{instrument} {quantity:+g}" for instrument, quantity in sorted(found.ledger[name].items())),
        )  # fmt: skip
    console.print(table)
    untouched = sorted(set(found.before) - set(found.acted))
    told = {
        "brought back above maintenance": f"{len(found.acted) - len(found.still)} of {len(found.acted)} acted on",
        "in liquidation, and not acted on": ", ".join(f"{n} ({found.after[n].status})" for n in untouched) or "nobody",
        "positions at venue and monitor": "agree" if not found.differing else f"differ: {', '.join(found.differing)}",
        "bot": f"exit code {found.bot_code}, killed {found.kills} times; {json.dumps(found.counts, sort_keys=True)}",
    }
    for name, value in told.items():
        console.print(f"{name}: {value}", highlight=False)


def _ratio(state: AccountState) -> str:
    if state.mm_requirement_usd <= 0.0:
        return f"{state.equity_usd:,.0f} / 0"
    return f"{state.equity_usd / state.mm_requirement_usd:.1%}"


@click.command(epilog="\b\nExample:\n  python -m examples.bot_demo --kills 1")
@click.option("--minutes", type=click.IntRange(4, 120), default=6, show_default=True, help="Length of the market.")
@click.option("--accounts", type=click.IntRange(10, 5_000), default=80, show_default=True, help="How many accounts.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Of market and accounts.")
@click.option("--speed", type=float, default=10.0, show_default=True, help="Market seconds a second.")
@click.option("--kills", type=click.IntRange(0, 10), default=0, show_default=True, help="How often the bot is killed.")
@click.option("--broker", help="Address as host:port. [default: BROKER_URL, else a local one]")
@click.option("--prefix", help="In front of each topic name. [default: a new one]")
@click.option("--keep-topics", is_flag=True, help="Leave the topics on the broker.")
def main(broker: str | None, prefix: str | None, **given: Any) -> None:  # (click passes every option by name)
    """Have the bot bring a crash's accounts back at a toy venue, and hold its ledger against the monitor's."""
    from monitor import log  # noqa: PLC0415 (only here: a test has its own)

    settings = load(None, os.environ)
    log.setup("warning")
    named = endpoint(settings, broker) if broker or settings.broker_url else None
    options = Options(broker=named, prefix=prefix or f"liqmon-bot-{secrets.token_hex(3)}.", **given)
    console = Console() if sys.stdout.isatty() else Console(width=150)
    try:
        found = asyncio.run(run(options, console))
    except MonitorError as error:
        click.echo(f"bot_demo: {error}", err=True)
        sys.exit(error.exit_code)
    show(found, console)
    sound = found.acted and not found.still and not found.differing and found.bot_code == 0
    sys.exit(ExitCode.OK if sound else ExitCode.FINDINGS)


if __name__ == "__main__":
    main()
