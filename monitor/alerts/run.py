"""`liqmon alerts run`: reads the event topics, asks workers how they are, and tells people.

What was told is noted on the broker before the offset behind it is committed, and how much of a channel's limit is
left before a message goes out. So a crash repeats one message of a channel at most, and a crash at every start is held
to the channel's limit like everything else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

import aiohttp
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from monitor.alerts.book import Book
from monitor.alerts.channels import Sender
from monitor.alerts.dispatch import SECOND_US, Dispatcher, Message
from monitor.alerts.holders import Holders
from monitor.alerts.intake import READ, Intake, Received
from monitor.alerts.notes import Note, Raised, key_of
from monitor.alerts.notice import Notice, Place
from monitor.alerts.routing import UNKNOWN, needs_holders
from monitor.alerts.settings import Alerts
from monitor.alerts.watching import Watch, ask, reasons
from monitor.brokers.interface import BrokerError
from monitor.brokers.probe import cluster_info
from monitor.connection import Address, client_options
from schemas.signatures import Keys
from schemas.topics import REGIMES, full_name

POLL_MS: Final = 200
COMMIT_S: Final = 1.0
FORGET_S: Final = 3_600.0
END_S: Final = 5.0  # for messages that are on their way when we are told to end
LEADS: Final = Place(REGIMES.name, 0)
"""Whoever has this partition asks the workers: of several processes one."""

log = structlog.get_logger("monitor.alerts")


def wall_us() -> int:
    """Return the time, microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class ReadFailed(BrokerError):
    """The broker did not give the event topics."""


class Runner(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One process of alerts; with `dry` nothing is noted, committed or joined, and `senders` only show."""

    def __init__(
        self, address: Address, prefix: str, alerts: Alerts, senders: Mapping[str, Sender], *, keys: Keys | None = None,
        token: str = "", dry: bool = False, now_us: Callable[[], int] = wall_us,
    ) -> None:  # fmt: skip
        self._address, self._prefix, self._alerts, self._senders = address, prefix, alerts, senders
        self._token, self._dry, self._now_us = token, dry, now_us
        self._topics = {full_name(topic, prefix): topic.name for topic in READ}
        self._intake = Intake(alerts, keys)
        self._book = Book(address, prefix)
        self._holders = Holders(address, prefix) if needs_holders(alerts.routes) else None
        self._owned: set[tuple[str, int]] = set()
        self._read_to: dict[TopicPartition, int] = {}
        self._told: dict[TopicPartition, int] = {}
        self._assigned = False
        self._between = False  # the group is sharing partitions out: nobody knows what is ours
        self._answers: dict[str, bytes | None] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._dispatcher: Dispatcher
        self._watch: Watch
        self._consumer: Any = None

    async def run(self, end: asyncio.Event) -> None:
        """Work until `end` is set; raises MonitorError."""
        await cluster_info(self._address)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._book)
            self._dispatcher = Dispatcher(self._alerts, self._book.remembered)
            self._watch = Watch(self._alerts, LEADS, self._book.remembered.raised)
            if self._holders is not None:
                await self._holders.start()
                stack.push_async_callback(self._holders.stop)
            await self._subscribe()
            stack.push_async_callback(self._consumer.stop)
            asking = asyncio.create_task(self._ask_workers())
            log.info("alerts_ready", channels=sorted(self._senders), routes=len(self._alerts.routes), dry_run=self._dry)
            try:
                await self._loop(end)
            except KafkaError as error:
                raise ReadFailed(
                    f"the broker at {self._address} did not give events ({error!r})", "check its health and our rights"
                ) from error
            finally:
                asking.cancel()
                if self._sending:
                    await asyncio.wait(self._sending, timeout=END_S)
                # A broker that is away has what was told in its notes, or will get it again.
                with suppress(KafkaError):
                    await self._commit()

    async def _loop(self, end: asyncio.Event) -> None:
        commit_s = forget_s = 0.0
        while not end.is_set():
            await self._poll()
            await self._look_at_workers()
            for ack in await self._book.follow():
                self._dispatcher.withdraw(ack.id)
                log.info("alert_acknowledged", id=ack.id, by=ack.by)
            now_us = self._now_us()
            if self._between:
                continue
            self._dispatcher.escalate(now_us, self._owns)
            for message in self._dispatcher.outbox(now_us):
                await self._write([message.lane])
                self._send(message)
            if time.monotonic() >= commit_s:
                commit_s = time.monotonic() + COMMIT_S
                await self._commit()
            if time.monotonic() >= forget_s:
                forget_s = time.monotonic() + FORGET_S
                await self._forget(now_us)

    # --- reading --------------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        self._consumer = AIOKafkaConsumer(
            **client_options(self._address), group_id=None if self._dry else f"{self._prefix}{self._alerts.group}",
            client_id="liqmon-alerts", enable_auto_commit=False, auto_offset_reset="earliest",
        )  # fmt: skip
        # A topic that we subscribe to by name; without a group we get all partitions of it.
        self._consumer.subscribe(list(self._topics), listener=self)
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Have what is under way told, and commit; what waits is somebody else's now (called by the client).

        The group waits for this. A message that is on its way for longer may be told once more by whoever follows.
        """
        del revoked  # all of them, at every rebalance
        self._between = True
        if self._sending:
            await asyncio.wait(self._sending, timeout=END_S)
        await self._commit()
        self._owned.clear()
        self._dispatcher.drop(lambda _: True)
        self._read_to.clear()
        self._told.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin at the committed offsets (called by the client)."""
        self._owned = {(self._topics[each.topic], each.partition) for each in assigned}
        self._assigned, self._between = True, False
        log.info("alerts_shared", partitions=len(self._owned))

    def _owns(self, place: Place) -> bool:
        return (place.topic, place.partition) in self._owned

    async def _poll(self) -> None:
        found = await self._consumer.getmany(timeout_ms=POLL_MS)
        if self._between:
            return  # fetched for a former share: whoever gets the partitions begins at what is committed
        if self._assigned:
            # Whoever had these partitions before has told some of it.
            self._assigned = False
            await self._book.catch_up()
            # Watchdogs that it has told stand; those that it was about to tell are seen again.
            self._watch = Watch(self._alerts, LEADS, self._book.remembered.raised)
            if not self._dry and self._owned:
                # What was just found may be of the former share.
                await self._begin()
                return
        if self._holders is not None and found:
            await self._holders.follow()
        for partition, messages in found.items():
            for message in messages:
                received = Received(
                    self._topics[partition.topic], partition.partition, message.offset, message.key, message.value,
                    list(message.headers), message.timestamp * 1000,
                )  # fmt: skip
                await self._take(self._intake.notice(received))
                self._read_to[partition] = message.offset + 1

    async def _begin(self) -> None:
        """Read what is ours from what is committed, from the beginning where nothing is."""
        try:
            committed = await self._consumer.seek_to_committed()
            fresh = [partition for partition, offset in committed.items() if not offset]
            if fresh:
                await self._consumer.seek_to_beginning(*fresh)
        except (IllegalStateError, AssertionError):
            return  # shared out again meanwhile

    async def _take(self, notice: Notice | None) -> None:
        if notice is None:
            return
        holder = self._holders.holder(notice.account) if self._holders is not None else UNKNOWN
        closed = self._dispatcher.take(notice, self._now_us(), holder)
        if closed and not self._dry:
            await self._book.forget(f"open/{identity}" for identity in closed)

    # --- workers --------------------------------------------------------------------------------

    async def _ask_workers(self) -> None:
        async with aiohttp.ClientSession() as session:
            while self._alerts.workers:
                if self._dry or self._owns(LEADS):
                    found = await asyncio.gather(*(ask(session, one, self._token) for one in self._alerts.workers))
                    self._answers |= dict(zip(self._alerts.workers, found, strict=True))
                await asyncio.sleep(self._alerts.watch_every_s)

    async def _look_at_workers(self) -> None:
        answers, self._answers = self._answers, {}
        for worker, body in answers.items():
            for notice in self._watch.look(worker, reasons(body), self._now_us()):
                await self._take(notice)

    # --- telling --------------------------------------------------------------------------------

    def _send(self, message: Message) -> None:
        task = asyncio.create_task(self._deliver(message))
        self._sending.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Notes that cannot be written: without them everything would be told again and again.
            self._failure = error

    async def _deliver(self, message: Message) -> None:
        began_s = time.monotonic()
        taken = await self._senders[message.channel].send(message.text)
        fields = {
            "channel": message.channel, "alerts": len(message.entries), "old": message.late,
            "severity": message.text.severity, "took_s": round(time.monotonic() - began_s, 3),
        }  # fmt: skip
        if taken:
            await self._write(self._dispatcher.delivered(message, self._now_us()))
            for entry in message.entries:
                await self._note_watchdog(entry.notice)
            log.info("alerts_told", **fields)
        else:
            log.error("alerts_refused", retry_s=self._dispatcher.failed(message, self._now_us()), **fields)

    async def _note_watchdog(self, notice: Notice) -> None:
        """Note that a watchdog was told, or that it is over was: a restart goes on from there."""
        if self._dry or notice.kind not in {"watchdog", "watchdog_over"}:
            return
        worker, _, name = notice.subject.removeprefix("watchdog:").rpartition(":")
        note = Raised(worker=worker, name=name, since_us=notice.time_us)
        if notice.closes:
            await self._book.forget([key_of(note)])
        else:
            self._book.remembered.take(note)
            await self._write([note])

    async def _write(self, notes: Iterable[Note]) -> None:
        if self._failure is not None:
            raise self._failure
        if not self._dry:
            await self._book.write(notes)

    async def _commit(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._dry:
            return
        unfinished = self._dispatcher.unfinished()
        due = {}
        for partition, read_to in self._read_to.items():
            offset = min(read_to, unfinished.get((self._topics[partition.topic], partition.partition), read_to))
            if offset != self._told.get(partition):
                due[partition] = offset
        if not due:
            return
        try:
            await self._consumer.commit(due)
        except (CommitFailedError, IllegalStateError):
            return  # the group has given the partitions to others, who begin before these
        self._told |= due

    async def _forget(self, now_us: int) -> None:
        if not self._dry:
            await self._book.forget(
                self._book.remembered.outdated(now_us - int(self._alerts.forget_after_s * SECOND_US))
            )
