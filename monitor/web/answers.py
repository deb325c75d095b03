"""Who answers for which alert: the notes of `liqmon alerts`, followed while somebody looks, and written by the page.

The page writes one kind of note, `ack/ID`, as `liqmon alerts ack` does. Its own notes are taken in the order of the
topic, so all pages say the same of two people who answered at once.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

from aiokafka.errors import KafkaError

from monitor.alerts.book import Book, is_there, provide
from monitor.alerts.notes import Ack, Remembered
from monitor.alerts.notice import Notice, Place, of_watchdog
from monitor.alerts.settings import Alerts
from monitor.config import Answering
from monitor.connection import Address, as_endpoint
from monitor.errors import MonitorError
from monitor.web.posted import Posted, Refused
from monitor.web.rows import VERSION, AckRow, AlertRow, AnswersPage

FOLLOW_S: Final = 0.5
AGAIN_S: Final = 10.0
READY_S: Final = 5.0
MOST: Final = 2_000  # the newest answers, as many as the page keeps events
LIVE: Final = "live"
ABSENT: Final = "no alert was told yet: `liqmon alerts run` makes the topic of the notes"

_NOBODY: Final = Alerts()


def read_only(setting: Answering, *, token: bool, address: Address) -> str:
    """Return why the page may not write, empty if it may.

    By itself it may where whoever asks has shown a token, or could write without us: a worker that proves to the
    broker who it is must not lend that to everybody who reaches its endpoint.
    """
    if setting == "off":
        return "page_acknowledgements is off"
    if setting == "on" or token or as_endpoint(address).security.protocol == "plaintext":
        return ""
    return "the endpoint has no token, and the worker would write in its own name: set one, or page_acknowledgements"


class Answers:
    """Follows the notes; to be used in one loop. `version` moves with every note that was taken."""

    def __init__(self, address: Address, prefix: str, why_not: str = "") -> None:
        self._address, self._prefix = address, prefix
        self.why_not = why_not
        self.reading = "starting"
        self.version = 0
        self._book: Book | None = None
        self._lock = asyncio.Lock()
        self._look = asyncio.Event()
        self._live = asyncio.Event()

    @property
    def remembered(self) -> Remembered:
        """What the notes say; nothing before they are read."""
        return Remembered() if self._book is None else self._book.remembered

    async def run(self) -> None:
        """Follow for ever; what is in the way is told in `reading`, and tried again."""
        while True:
            try:
                if await is_there(self._address, self._prefix):
                    await self._follow()
                else:
                    self.reading = ABSENT
            except (KafkaError, MonitorError, OSError) as error:
                self.reading = f"notes of alerts cannot be read ({type(error).__name__})"
            self._look.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), AGAIN_S)

    async def _follow(self) -> None:
        before = self.version
        async with Book(self._address, self._prefix) as book:
            self._book, self.reading = book, LIVE
            self._live.set()
            try:
                while True:
                    async with self._lock:
                        await book.follow(own=True)
                    self.version = before + 1 + book.taken
                    await asyncio.sleep(FOLLOW_S)
            finally:
                self._book = None
                self._live.clear()

    async def acknowledge(self, told: Posted, *, known: bool | None) -> tuple[Ack, bool]:
        """Note an answer; return it, and whether it is new. Raises Refused.

        `known` is whether an event of that id has been published, None if that cannot be told yet.
        """
        if self.why_not:
            raise Refused(403, "read_only", f"this page does not write: {self.why_not}")
        unknown = Refused(404, "unknown_alert", f"nothing was published or told under the id {told.id}")
        if known is None:
            unknown = Refused(503, "not_ready", "the event topics are not read yet; try again")
        if not known and self.reading == ABSENT:
            raise unknown
        book = await self._ready()
        try:
            async with self._lock:
                await book.catch_up(own=True)
                if not known and told.id not in _ids(book.remembered):
                    raise unknown
                standing = book.remembered.acks.get(told.id)
                if standing is None:
                    ack = Ack(id=told.id, by=told.by, at_us=time.time_ns() // 1000, text=told.text)
                    await book.write([ack])
                    await book.catch_up(own=True)
                    standing = book.remembered.acks.get(told.id)
                    if standing == ack:
                        return ack, True
        except MonitorError as error:
            raise Refused(503, "not_written", str(error)) from error
        if standing is None or (standing.by, standing.text) != (told.by, told.text):
            by = "somebody" if standing is None else standing.by
            raise Refused(409, "answered", f"{by} has answered for it already")
        return standing, False

    async def _ready(self) -> Book:
        """Return the book; makes the topic if nobody has. Raises Refused."""
        try:
            if self.reading == ABSENT:
                await provide(self._address, self._prefix)
                self._look.set()
            async with asyncio.timeout(READY_S):
                await self._live.wait()
        except TimeoutError:
            raise Refused(503, "not_ready", f"the notes are not read yet ({self.reading}); try again") from None
        except MonitorError as error:
            raise Refused(503, "not_written", str(error)) from error
        if self._book is None:
            raise Refused(503, "not_ready", "the notes are not read yet; try again")
        return self._book

    def page(self) -> AnswersPage:
        """Return answers, the newest first, and the alerts that wait for one or are standing watchdogs."""
        remembered = self.remembered
        acks = sorted(remembered.acks.values(), key=lambda one: -one.at_us)[:MOST]
        alerts = [
            _row(one.notice, told_us=one.told_us, due_us=one.due_us, waits=True) for one in remembered.opened.values()
        ]
        listed = {one.id for one in alerts}
        alerts += [
            _row(one, told_us=one.time_us, due_us=None, waits=False)
            for one in _standing(remembered) if one.id not in listed
        ]  # fmt: skip
        return AnswersPage(
            v=VERSION, version=self.version, reading=self.reading, writable=not self.why_not, why=self.why_not,
            acks=[AckRow(id=one.id, by=one.by, at_us=one.at_us, text=one.text) for one in acks],
            alerts=sorted(alerts, key=lambda one: (-one.told_us, one.id))[:MOST],
        )  # fmt: skip


def _watchdog(worker: str, name: str, since_us: int) -> Notice:
    """Return the notice of a watchdog as it was told: its id follows from these three."""
    return of_watchdog(worker, name, "told and not over", _NOBODY, Place("", 0), since_us, since_us)


def _ids(remembered: Remembered) -> set[str]:
    """Return the ids of all that was told; what stands for long may be in no other note any more."""
    told = {identity for identity, _ in remembered.told if not identity.endswith("!")}
    return told | set(remembered.opened) | {one.id for one in _standing(remembered)}


def _standing(remembered: Remembered) -> list[Notice]:
    """Return the watchdogs that were told and are not over."""
    return [_watchdog(worker, name, since_us) for (worker, name), since_us in remembered.raised.items()]


def _row(notice: Notice, *, told_us: int, due_us: int | None, waits: bool) -> AlertRow:
    return AlertRow(
        id=notice.id, kind=notice.kind, severity=notice.severity, account=notice.account, text=notice.text,
        time_us=notice.time_us, told_us=told_us, waits=waits, told_again_us=due_us,
    )  # fmt: skip
