"""What the page is shown on: topics, one worker as a process, and a market at the pace that a test asks for."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from monitor.brokers import topics
from monitor.brokers.selfcheck import Checked
from monitor.brokers.tansu import SESSION_TIMEOUT_S
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.publish import Sender, Window, connected
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource
from schemas.headers import event_headers
from schemas.ids import canonical, event_id
from schemas.records import AccountEvent, Cause, UnderlyingRisk
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS, full_name
from tests.integration.worker.support import Process

PARTITIONS = 4
MINUTES = 270  # calm for 108, a crash of 40, a break of correlation of 67, an aftermath
CALM = 104.0  # until here it is played at once: correlations are published from minute 102 on
WINDOW_US = 200_000
MARKET = MarketParameters(seed=7, minutes=MINUTES, coins=5, ticks_per_second=0.1)
ACCOUNTS = 240


@dataclass
class Player:
    """Publishes the market in a thread of its own: as fast as it goes, at a pace, or not at all."""

    url: str
    prefix: str
    accounts: int = ACCOUNTS
    pace: float | None = None  # market seconds a second; None: unpaced
    until_us: int = 0  # of market time from its beginning; it holds there
    at_us: int = 0
    failed: BaseException | None = None
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(60.0)
            assert not self._thread.is_alive()
        assert self.failed is None, repr(self.failed)

    def go(self, minutes: float, pace: float | None) -> None:
        """Play on until so many minutes of the market are over."""
        self.pace, self.until_us = pace, int(minutes * 60e6)

    def reach(self, minutes: float, timeout_s: float = 120.0) -> None:
        """Wait until so many minutes are published."""
        deadline_s = time.monotonic() + timeout_s
        while self.at_us < int(minutes * 60e6):
            assert self.failed is None, repr(self.failed)
            assert time.monotonic() < deadline_s, f"only {self.at_us / 60e6:.1f} min are published"
            time.sleep(0.05)

    def _run(self) -> None:
        try:
            asyncio.run(self._publish())
        except BaseException as error:  # noqa: BLE001 (told where the test ends)
            self.failed = error

    async def _publish(self) -> None:
        parameters = AccountParameters(seed=7, accounts=self.accounts, fills_per_hour=0.0)
        opening = generate_accounts(Merged([GeneratedMarket(MARKET)]), parameters)
        stream = Merged([GeneratedMarket(MARKET), ListSource("accounts", opening.records, ACCOUNTS_FILE_TOPICS)])
        async with connected(self.url) as producer:
            sender, window = Sender(producer, self.prefix), Window(PARTITIONS)
            first_us = end_us = 0
            for at_us, record in stream:
                first_us = first_us or at_us
                end_us = end_us or at_us + WINDOW_US
                if at_us >= end_us:
                    await sender.send(window.take())
                    self.at_us, end_us = end_us - first_us, at_us + (1_000_000 if self.pace is None else WINDOW_US)
                    if self.pace is not None or self.at_us >= self.until_us:
                        await sender.acknowledge()
                    while self.at_us >= self.until_us and not self._end.is_set():  # noqa: ASYNC110 (another thread's)
                        await asyncio.sleep(0.05)
                    if self._end.is_set():
                        return
                    if self.pace is not None:
                        await asyncio.sleep(WINDOW_US / 1e6 / self.pace)
                window.add(record)


@dataclass
class Stage:
    """One worker with a market behind it."""

    url: str
    prefix: str
    checked: Checked
    worker: Process
    player: Player
    port: int
    folder: Path

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, token: str = "") -> tuple[int, Any]:
        """Ask the worker."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        answer = response.status, json.loads(response.read())
        connection.close()
        return answer

    @contextmanager
    def second(self) -> Iterator[Process]:
        """Start another worker of the same group, which takes half of the partitions."""
        before = len(self.worker.said("ready"))
        made = _worker(self.url, self.checked, self.prefix, self.folder)
        try:
            made.wait_for("ready")
            self.worker.wait_for("ready", before + 1)
            yield made
        finally:
            made.end()

    def cpu_s(self) -> float:
        """Return the processor time that the worker has had, without the process that answers questions."""
        fields = Path(f"/proc/{self.worker.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def publish_events(self, events: Iterator[AccountEvent], per_second: float | None = None) -> list[str]:
        """Put events on their topics as a worker would, and wait for all; return their ids."""
        work = publish_events(self.url, self.prefix, events, per_second, idempotent=self.checked.idempotent)
        with ThreadPoolExecutor(1) as pool:  # in this thread the browser's driver has a loop
            return pool.submit(asyncio.run, work).result()


async def publish_events(
    url: str, prefix: str, events: Iterator[AccountEvent], per_second: float | None, *, idempotent: bool
) -> list[str]:  # fmt: skip
    """Send events with their headers, at a pace if one is given; return their ids."""
    producer = AIOKafkaProducer(bootstrap_servers=url, acks="all", linger_ms=2, enable_idempotence=idempotent)
    await producer.start()
    try:
        sent, ids, began_s = [], [], time.monotonic()
        for number, event in enumerate(events):
            topic = LIQUIDATIONS if event.kind == "liquidation" else MARGIN_CALLS
            body = canonical(event)
            headers = event_headers(body, source="/liquidation-monitor", epoch=1_000)
            sent.append(
                await producer.send(full_name(topic, prefix), body, key=event.account.encode(), headers=headers)
            )
            ids.append(event.id)
            if per_second is not None and number % 20 == 19:
                await asyncio.sleep(max(0.0, began_s + number / per_second - time.monotonic()))
        await asyncio.gather(*sent)
        return ids
    finally:
        await producer.stop()


def made_events(count: int, time_us: int, name: str = "burst") -> Iterator[AccountEvent]:
    """Yield calls and liquidations of accounts that are on no topic besides."""
    for number in range(count):
        kind: Any = "liquidation" if number % 5 == 0 else "margin_call"
        account = f"{name}-{number % 500:04d}"
        sequence = number // 500 + 1
        part = UnderlyingRisk(
            underlying="BTC", index_price=95_000.0, value_usd=-1_000.0, scan_usd=9_000.0, roll_usd=0.0,
            delta_shock_usd=0.0, im_usd=9_000.0, delta_coins=1.0, scenario=0, price_move=-0.2, vol_shock="up",
            scenario_pnl_usd=-9_000.0,
        )  # fmt: skip
        yield AccountEvent(
            id=event_id(account, 1, sequence, kind), kind=kind, account=account, episode=1, sequence=sequence,
            state_from="warning", state_to=kind, data_hold=False, jump=False, event_time_us=time_us + number,
            valid_until_us=time_us + 60_000_000, cause=Cause(topic="market.ticks.v1", offset=number),
            positions={"market.ticks.v1": (number, 0)}, model="P", parameter_set="default",
            parameter_hash="9bdc34f03cf6f719", equity_usd=8_000.0, im_requirement_usd=9_000.0,
            mm_requirement_usd=8_100.0, shortfall_usd=100.0, underlyings=(part,), v=1,
            reason="Margin call after warning: initial margin 9,000.00 USD is 112.50 % of equity 8,000.00 USD "
            f"({number}).",
        )  # fmt: skip


def _worker(url: str, checked: Checked, prefix: str, folder: Path) -> Process:
    session_s = 30.0 if checked.idempotent else SESSION_TIMEOUT_S
    return Process(
        [sys.executable, "-m", "monitor", "worker", "--broker", url, "--prefix", prefix, "--partitions",
         str(PARTITIONS), "--session-timeout", str(session_s), "--data", str(folder), "--health-port", "0"],
        {"LIQMON_SHUTDOWN_TIMEOUT_S": "30", "LIQMON_MARKET_SILENT_S": "8"},
    )  # fmt: skip


@contextmanager
def staged(
    url: str, checked: Checked, prefix: str, folder: Path, *, accounts: int = ACCOUNTS
) -> Iterator[Stage]:  # fmt: skip
    """Make topics, start a worker and a player that waits to be told; all is gone at the end."""
    asyncio.run(topics.apply(url, topics.wanted_topics(prefix, PARTITIONS)))
    worker = _worker(url, checked, prefix, folder)
    player = Player(url, prefix, accounts)
    try:
        worker.wait_for("ready")
        player.start()
        port = int(worker.said("health")[0]["port"])
        yield Stage(url, prefix, checked, worker, player, port, folder)
    finally:
        player.stop()
        worker.end()


def wait_until(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """Return the first true value of a condition."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline_s, condition
        time.sleep(0.1)
    return found
