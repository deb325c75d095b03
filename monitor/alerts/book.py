"""The notes on the broker: read whole at the start, followed afterwards, written with all acknowledgements."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from monitor.alerts.notes import Ack, Note, Open, Remembered, encode, find, key_of
from monitor.brokers import topics
from monitor.brokers.ends import end_offsets
from monitor.brokers.interface import BrokerError
from monitor.brokers.selfcheck import has_idempotence
from monitor.connection import Address, client_options
from monitor.errors import MonitorError, UsageError
from schemas.topics import ALERT_NOTES, full_name

LOAD_S: Final = 60.0
POLL_MS: Final = 50
WRITER: Final = "writer"  # header: whose note it is


class NotesFailed(BrokerError):
    """The broker did not give or take notes."""


class UnknownAlert(MonitorError):
    """No alert was told under that id."""


async def provide(address: Address, prefix: str) -> None:
    """Create the topic of the notes if it is missing; raises BrokerError."""
    await topics.apply(address, topics.wanted_topics(prefix, 1, topics=[ALERT_NOTES]))


async def is_there(address: Address, prefix: str) -> bool:
    """Whether the topic of the notes has been made, and we may see it; raises BrokerError."""
    wanted = topics.wanted_topics(prefix, 1, topics=[ALERT_NOTES])
    return all(difference.kind != "missing" for difference in await topics.plan(address, wanted))


class Book:
    """The notes of one deployment, to be used with `async with`; `remembered` is what they say."""

    def __init__(self, address: Address, prefix: str) -> None:
        self.remembered = Remembered()
        self.taken = 0  # messages of the topic
        self._address = address
        self._partition = TopicPartition(full_name(ALERT_NOTES, prefix), 0)
        self._writer = uuid.uuid4().hex.encode()
        self._consumer: Any = None
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        """Connect, and read all notes; raises NotesFailed."""
        async with self._told():
            self._consumer = AIOKafkaConsumer(
                **client_options(self._address), client_id="liqmon-alerts-notes", enable_auto_commit=False,
                auto_offset_reset="earliest",
            )  # fmt: skip
            self._producer = AIOKafkaProducer(
                **client_options(self._address), client_id="liqmon-alerts", acks="all",
                enable_idempotence=await has_idempotence(self._address),
            )  # fmt: skip
            try:
                await self._consumer.start()
                await self._producer.start()
                self._consumer.assign([self._partition])
                await self._consumer.seek_to_beginning(self._partition)
                await self._to_the_end(own=True)
            except BaseException:
                await self.__aexit__()
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
        await self._consumer.stop()

    async def follow(self, *, own: bool = False) -> list[Ack]:
        """Take what others have written since, and `own` notes in their place; return the acknowledgements among it."""
        async with self._told():
            return self._fold(await self._consumer.getmany(self._partition, timeout_ms=0), own=own)

    async def catch_up(self, *, own: bool = False) -> None:
        """Take all that others have written by now: they may have told what we are about to tell."""
        async with self._told():
            await self._to_the_end(own=own)

    async def write(self, notes: Iterable[Note]) -> None:
        """Write notes, and wait until the broker has all of them."""
        await self._send((key_of(note), encode(note)) for note in notes)

    async def forget(self, keys: Iterable[str]) -> None:
        """Write tombstones, and forget here, too."""
        gone = list(keys)
        await self._send((key, None) for key in gone)
        for key in gone:
            self.remembered.fold(key.encode(), None)

    async def _send(self, messages: Iterable[tuple[str, bytes | None]]) -> None:
        async with self._told():
            headers = [(WRITER, self._writer)]
            sent = [
                await self._producer.send(
                    self._partition.topic, value, key=key.encode(), partition=0, headers=headers
                )
                for key, value in messages
            ]  # fmt: skip
            await asyncio.gather(*sent)

    async def _to_the_end(self, *, own: bool) -> None:
        async with asyncio.timeout(LOAD_S):
            end = (await end_offsets(self._address, [self._partition], exact=False))[self._partition]
            while await self._consumer.position(self._partition) < end:
                self._fold(await self._consumer.getmany(self._partition, timeout_ms=POLL_MS), own=own)

    def _fold(self, found: Any, *, own: bool) -> list[Ack]:
        acks = []
        for message in found.get(self._partition, ()):
            if not own and (WRITER, self._writer) in message.headers:
                continue  # taken when it was written; to take it again would bring back what was closed since
            self.taken += 1
            note = self.remembered.fold(message.key, message.value)
            if isinstance(note, Ack):
                acks.append(note)
        return acks

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        try:
            yield
        except (KafkaError, TimeoutError) as error:
            raise NotesFailed(
                f"the broker at {self._address} did not give or take {self._partition.topic} ({error!r})",
                "check its health, and the rights on this topic",
            ) from error


async def acknowledge(address: Address, prefix: str, beginning: str, by: str, text: str = "") -> Ack:
    """Note that somebody looks after the alert whose id begins so; return the note.

    Raises UnknownAlert if none was told, UsageError if several begin so, BrokerError.
    """
    await provide(address, prefix)
    async with Book(address, prefix) as book:
        told = {identity for identity, _ in book.remembered.told if not identity.endswith("!")}
        found = find(told | set(book.remembered.opened), beginning.removeprefix("#"))
        if not found:
            raise UnknownAlert(f"no alert was told whose id begins with {beginning}", "see `liqmon alerts list`")
        if len(found) > 1:
            raise UsageError(f"{len(found)} alerts begin with {beginning}", "give more of the id")
        ack = Ack(id=found[0], by=by, at_us=time.time_ns() // 1000, text=text)
        await book.write([ack])
    return ack


async def unanswered(address: Address, prefix: str) -> list[Open]:
    """Return the alerts that wait for an answer, the oldest first; raises BrokerError."""
    await provide(address, prefix)
    async with Book(address, prefix) as book:
        return book.remembered.unanswered()
