"""The same on a broker: one worker as the command line starts it, its topics read back by another consumer.

In live order topics have no order between them, so what is compared are letters, positions and the form of the events.
In strict order it is every event, byte for byte, and every stored account.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from monitor.brokers import choose_broker, selfcheck, topics
from monitor.config import load
from monitor.engine import Sourced
from monitor.verify.run import Deployment as Where
from monitor.verify.run import verify
from schemas.headers import read_dead_letter
from schemas.topics import DEAD_LETTERS, LIQUIDATIONS, MARGIN_CALLS, REGIMES, SEQUENCED, TICKS, TRADES, Topic
from tests.integration.worker.deployment import Deployment, check_events
from tests.integration.worker.support import Kafka, Process, Read, eventually
from tests.poison.kinds import BY_ENGINE, HUGE_BYTES
from tests.poison.run import OPTIONS, Found, Positions, Side
from tests.poison.sequence import Letter, Place, Sequenced
from tests.poison.stream import PARTITIONS, Log, Message

ROOM_BYTES = HUGE_BYTES + 1_000_000
SENT_AT_ONCE = 2_000
VERIFIED = 3
_DROPPED = (
    "epoch", "version", "flush", "positions", "points", "outbox", "equity_usd", "im_requirement_usd",
    "mm_requirement_usd",
)  # fmt: skip
"""What a stored value says of when it was written, and not of its account: its figures are of that moment."""


def run_alone(log: Log, *, strict: bool) -> Found:
    """Start a broker if none is given, and run a log on it."""
    broker = choose_broker(os.environ.get("BROKER_URL"), local=load(None, os.environ).local_broker, heap_mb=1_024)
    started: list[Process] = []

    def spawn(arguments: list[str]) -> Process:
        started.append(Process(arguments, {"LIQMON_SHUTDOWN_TIMEOUT_S": "90"}))
        return started[-1]

    try:
        url = str(broker.start())
        kafka = Kafka(url, asyncio.run(selfcheck.check(url)))
        try:
            prefix = f"p{uuid.uuid4().hex[:10]}."
            asyncio.run(topics.apply(url, topics.wanted_topics(prefix, PARTITIONS)))
            with tempfile.TemporaryDirectory() as folder:
                return run(log, Deployment(kafka, prefix, spawn, Path(folder)), strict=strict, timeout_s=3_600.0)
        finally:
            kafka.close()
    finally:
        for process in started:
            process.end()
        broker.stop()


def run(log: Log, deployment: Deployment, *, strict: bool, timeout_s: float = 600.0) -> Found:
    """Publish a log, let one worker go through it, and compare what it leaves behind."""
    return asyncio.run(_Run(deployment, strict=strict).run(log, timeout_s))


class _Run:
    def __init__(self, deployment: Deployment, *, strict: bool) -> None:
        self._deployment = deployment
        self._strict = strict
        self._found = Found()
        self._clean = Side()
        self._positions = Positions()
        self._sequence = Sequenced()
        self._wanted: dict[Place, Letter] = {}
        self._said: dict[str, bytes] = {}
        self._since = 0

    async def run(self, log: Log, timeout_s: float) -> Found:
        large = (SEQUENCED,) if self._strict else (TRADES, TICKS)
        for topic in large:
            settings = {**topic.config(), "max.message.bytes": str(ROOM_BYTES)}
            self._deployment.broker.configure(self._name(topic), settings)
        await self._publish(log)
        self._found.good = log.counts.good
        self._found.bad = self._sequence.bad if self._strict else log.counts.bad
        await asyncio.to_thread(self._work, timeout_s)
        await self._judge_letters()
        if self._strict:
            await self._judge_events()
        else:
            await self._judge_form()
        await self._judge_accounts()
        return self._found

    def _name(self, topic: Topic) -> str:
        return f"{self._deployment.prefix}{topic.name}"

    # --- publishing -----------------------------------------------------------------------------

    async def _publish(self, log: Log) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._deployment.broker.url, acks="all", linger_ms=5, max_request_size=ROOM_BYTES,
            enable_idempotence=self._deployment.broker.checked.idempotent,
        )  # fmt: skip
        await producer.start()
        sent: list[Any] = []
        try:
            for topic, partition, key, value in self._messages(log):
                sent.append(await producer.send(topic, value, key=key, partition=partition))
                if len(sent) >= SENT_AT_ONCE:
                    await asyncio.gather(*sent)
                    sent = []
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    def _messages(self, log: Log) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        for message in log:
            if self._strict:
                yield from self._sequenced(message)
                continue
            for one in message.wanted:
                place = (message.topic.name, message.partition, (message.offset, one.row))
                self._wanted[place] = (one.name, one.reason, one.key, one.raw)
            self._apply(message, {index: (message.offset, index) for index, _ in message.good})
            yield (self._name(message.topic), message.partition, message.key, message.value)
        for sent in self._sequence.rest():
            yield (self._name(SEQUENCED), *sent)
        self._store()
        self._wanted |= self._sequence.wanted

    def _sequenced(self, message: Message) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        ordinals: dict[int, tuple[int, int]] = {}
        for item in self._sequence.take(message):
            if item and isinstance(item[0], int):
                index, ordinal = item
                assert isinstance(ordinal, int)
                ordinals[index] = (ordinal, 0)
                continue
            for sent in item:
                assert not isinstance(sent, int)
                yield (self._name(SEQUENCED), *sent)
        self._positions.take_at(
            message.topic.name, message.partition, [ordinals[index] for index, _ in message.good],
            [ordinals[one.row] for one in message.wanted if one.reason in BY_ENGINE and one.row in ordinals],
        )  # fmt: skip
        self._apply(message, ordinals)

    def _apply(self, message: Message, places: dict[int, tuple[int, int]]) -> None:
        """Give the good records to the engine that sees nothing else."""
        name = message.topic.name
        records = [Sourced(name, message.partition, *places[index], record) for index, record in message.good]
        for body in self._clean.give(records) if records else ():
            self._said[msgspec.json.decode(body)["id"]] = body.encode()
        self._since += len(records)
        if self._since >= SENT_AT_ONCE:
            self._store()

    def _store(self) -> None:
        self._since = 0
        self._clean.flush()

    # --- the worker -----------------------------------------------------------------------------

    def _work(self, timeout_s: float) -> None:
        worker = self._deployment.worker(*(("--order", "strict") if self._strict else ()))
        worker.wait_for("ready", timeout_s=timeout_s)
        try:
            eventually(self._done, timeout_s, every_s=1.0)
        except AssertionError as error:
            self._found.tell("unfinished", str(error))
        code = worker.terminate()
        self._found.restarts = len(worker.said("ready")) - 1
        if code or self._found.restarts:
            self._found.tell("restart", f"{self._found.restarts} restarts, exit code {code}: {worker.tail()}")

    def _done(self) -> bool:
        deployment = self._deployment
        if sum(deployment.ends(DEAD_LETTERS).values()) < len(self._wanted):
            return False
        if not self._strict:
            return deployment.caught_up()
        topic = self._name(SEQUENCED)
        committed = deployment.broker.committed(f"{deployment.group}-strict", {topic: PARTITIONS})
        ends = deployment.broker.ends(topic, PARTITIONS)
        return all(committed.get((topic, partition), 0) == end for partition, end in ends.items())

    # --- what it left behind --------------------------------------------------------------------

    async def _judge_letters(self) -> None:
        prefix, wanted = self._deployment.prefix, dict(self._wanted)
        async for letter in self._read(self._name(DEAD_LETTERS)):
            self._found.letters += 1
            known = read_dead_letter(letter.headers.items())
            at = (known.source_offset, known.source_index)
            place = (known.source_topic.removeprefix(prefix), known.source_partition, at)
            one = wanted.pop(place, None)
            if one is None:
                self._found.tell("unasked", f"{known.error_kind} at {place}: {known.error_text}")
            elif (known.error_kind, letter.key, letter.value) != one[1:]:
                self._found.tell("wrong", f"{one[0]} at {place}: {known.error_kind} {known.error_text} for {one[1]}")
        for place, (name, reason, _, raw) in wanted.items():
            self._found.tell("missing", f"{name} ({reason}) at {place}: {(raw or b'')[:200]!r}")

    async def _judge_events(self) -> None:
        """Every event of the clean run, and no other, with the same bytes but for positions of refused records."""
        left = dict(self._said)
        for topic in (MARGIN_CALLS, LIQUIDATIONS, REGIMES):
            async for message in self._read(self._name(topic)):
                body = message.value or b""
                fields = msgspec.json.decode(body)
                expected = left.pop(fields["id"], None)
                self._found.events += 1
                if body == expected:
                    continue
                home = OPTIONS.partition_of(fields.get("account", "").encode())
                if expected is None or self._positions.settled(body, home) != msgspec.json.decode(expected):
                    self._found.tell("events", f"{body!r} for {expected!r}")
        for body in left.values():
            self._found.tell("events", f"lost: {body!r}")

    async def _judge_form(self) -> None:
        """No id with two contents, no hole in a sequence; and some, spread over the run, are verified."""
        events = [one for topic in (MARGIN_CALLS, LIQUIDATIONS) async for one in self._read(self._name(topic))]
        self._found.events = len(events)
        values = await self._values()
        try:
            counts: Counter[str] = check_events(events, values)
        except AssertionError as error:
            self._found.tell("events", str(error))
        else:
            if any(count > 1 for count in counts.values()):
                self._found.tell("events", "an event is on its topic twice, and nothing was restarted")
            await self._verify(sorted(counts)[:: max(1, len(counts) // VERIFIED)][:VERIFIED])

    async def _verify(self, identities: list[str]) -> None:
        """Compute events again from the topics, bad records and all."""
        deployment = self._deployment
        for identity in identities:
            for result in await verify(Where(deployment.broker.url, deployment.prefix), identity):
                self._found.verified += result.outcome == "equal"
                # Where a fill fell within one flush is written nowhere (docs/verify.md), and what a first attribution
                # counts from can hang on it; nothing else may.
                elsewhere = [one for one in result.differences if not one.field.startswith("attribution")]
                if elsewhere or result.outcome == "unverifiable":
                    self._found.tell("verify", f"{identity} {result.outcome}: {result.differences[:5]} {result.cause}")

    async def _judge_accounts(self) -> None:
        """Stored accounts are those of the good records: all of them in strict order, what they hold in live order."""
        found = await self._values()
        for shard in self._clean.state.shards.values():
            for name, account in shard.accounts.items():
                self._found.values += 1
                expected = msgspec.json.decode(msgspec.json.encode(account))
                stored = found.pop(name, {})
                if self._strict:
                    same = _kept(stored) == _kept(expected)
                else:
                    same = _quantities(stored) == _quantities(expected)
                if not same:
                    self._found.tell("state", f"{name}: {_kept(stored)} for {_kept(expected)}")
        for name in found:
            self._found.tell("state", f"{name} is stored and has no good record")

    async def _values(self) -> dict[str, dict[str, Any]]:
        """Return the newest stored value of each account."""
        group = f"{self._deployment.group}-strict" if self._strict else self._deployment.group
        newest: dict[str, bytes] = {}
        async for message in self._read(f"{group}-state-changelog"):
            name = (message.key or b"").decode()
            if not name.startswith("!") and message.value is not None:
                newest[name] = message.value
        return {name: msgspec.json.decode(value) for name, value in newest.items()}

    async def _read(self, topic: str) -> AsyncIterator[Read]:
        """Give every message of a topic."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._deployment.broker.url, enable_auto_commit=False)
        await consumer.start()
        try:
            count = 1 if topic.endswith((DEAD_LETTERS.name, REGIMES.name)) else PARTITIONS
            places = [TopicPartition(topic, partition) for partition in range(count)]
            consumer.assign(places)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(places)
            waiting = {place for place in places if ends[place]}
            while waiting:
                for found in (await consumer.getmany(timeout_ms=500)).values():
                    for one in found:
                        yield Read(one.partition, one.offset, one.key, one.value, dict(one.headers))
                waiting = {place for place in waiting if await consumer.position(place) < ends[place]}
        finally:
            await consumer.stop()


def _kept(value: dict[str, Any]) -> dict[str, Any]:
    """Return a stored value without what it says of its writing, and without empty fields."""
    return {name: item for name, item in value.items() if name not in _DROPPED and item not in ({}, [], None, 0, False)}


def _quantities(value: dict[str, Any]) -> dict[str, float]:
    return {name: holding.get("quantity", 0.0) for name, holding in value.get("holdings", {}).items()}
