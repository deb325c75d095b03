"""Reads what the monitor has published: states, events, regimes, of all partitions and in no group.

So the page shows the accounts of all workers, whichever worker serves it, and what it shows is what bots are told. It
runs in the thread of the endpoint, while somebody looks.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from monitor.client.screen import Alert, Message, Reason, Screen
from monitor.connection import client_options
from monitor.errors import MonitorError
from monitor.web.desk import Desk
from monitor.worker.clients import KAFKA, Clients
from monitor.worker.options import WorkerOptions
from schemas.codec import decode_message
from schemas.headers import EPOCH
from schemas.records import AccountState, RegimeChange, Tombstone
from schemas.signatures import SignatureError, verify
from schemas.topics import ACCOUNT_STATES, LIQUIDATIONS, MARGIN_CALLS, REGIMES, Topic

TAIL: Final = 12_000  # events of the past, over all partitions
POLL_MS: Final = 200
POLL_RECORDS: Final = 500  # decoding these takes some milliseconds; the thread answers in between
NOTE_S: Final = 1.0
AGAIN_S: Final = (1.0, 2.0, 5.0, 15.0)
TOPICS: Final = (ACCOUNT_STATES, MARGIN_CALLS, LIQUIDATIONS, REGIMES)


class Reader:
    """Fills a desk; `reading` is `live` once it has come to where the topics ended."""

    def __init__(self, options: WorkerOptions, desk: Desk, clients: Clients = KAFKA) -> None:
        self._options = options
        self._desk = desk
        self._clients = clients
        self._names = {options.topic(topic): topic for topic in TOPICS}
        self._screen = Screen(options.signing_keys, require_signature=False)
        self._old: list[tuple[Message, Alert]] | None = []
        self._next: dict[TopicPartition, int] = {}  # offsets to go on from
        self._noted_s = 0.0
        self.reading = "starting"
        self.behind = 0
        self.unreadable = 0
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Read for ever; what is in the way is told in `reading`, and tried again."""
        for attempt in range(1 << 30):
            try:
                await self._read()
            except (KafkaError, MonitorError, OSError) as error:
                self.reading = _in_the_way(error)
            await asyncio.sleep(AGAIN_S[min(attempt, len(AGAIN_S) - 1)])

    async def _read(self) -> None:
        consumer = self._clients.consumer(
            **client_options(self._options.broker), client_id="liqmon-page", group_id=None, enable_auto_commit=False,
            auto_offset_reset="earliest", max_partition_fetch_bytes=1024 * 1024,
        )  # fmt: skip
        await consumer.start()
        try:
            ends = await self._assign(consumer)
            while True:
                found = await consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
                for partition, records in found.items():
                    for record in records:
                        self._take(self._names[partition.topic], record)
                    self._next[partition] = records[-1].offset + 1
                if self._old is not None or time.monotonic() - self._noted_s >= NOTE_S:
                    await self._note(consumer, ends)
                if found:
                    self.changed.set()
                await asyncio.sleep(0)
        finally:
            await consumer.stop()

    async def _assign(self, consumer: Any) -> dict[TopicPartition, int]:
        """Begin: all states, and the newest events and regimes; return where the partitions end."""
        tps: list[TopicPartition] = []
        for name, topic in self._names.items():
            tps += [TopicPartition(name, one) for one in range(topic.partitions or self._options.partitions)]
        consumer.assign(tps)
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        tail = max(100, TAIL // (2 * self._options.partitions))
        for tp in tps:
            first = begins[tp] if self._names[tp.topic] is ACCOUNT_STATES else max(begins[tp], ends[tp] - tail)
            self._next[tp] = max(begins[tp], self._next.get(tp, first))
            consumer.seek(tp, self._next[tp])
        return {tp: end for tp, end in ends.items() if end > self._next[tp]}

    async def _note(self, consumer: Any, ends: dict[TopicPartition, int]) -> None:
        """Note how far it is; where all was read that there was at the beginning, put events in their order."""
        self._noted_s = time.monotonic()
        if self.reading == "live":
            self.behind = sum(max(0, (consumer.highwater(tp) or 0) - at) for tp, at in self._next.items())
            return
        # By position, not by what came: compaction and markers leave offsets without records.
        self.behind = sum([max(0, end - await consumer.position(tp)) for tp, end in ends.items()])
        if self.behind == 0:
            old, self._old = self._old or [], None
            for message, alert in sorted(old, key=lambda one: (one[1].event.event_time_us, one[1].event.sequence)):
                self._desk.event((message.topic, message.partition, message.offset), alert.event)
            self.reading = "live"
            self.changed.set()

    # --- records --------------------------------------------------------------------------------

    def _take(self, topic: Topic, record: Any) -> None:
        if topic is ACCOUNT_STATES:
            self._state(record)
        elif topic is REGIMES:
            self._regime(record)
        else:
            self._event(topic, record)

    def _event(self, topic: Topic, record: Any) -> None:
        message = Message(
            topic.name, record.partition, record.offset, record.key, record.value, list(record.headers)
        )  # fmt: skip
        judged = self._screen.seed(message)
        if not isinstance(judged, Alert):
            self.unreadable += judged.reason not in {Reason.REPEATED, Reason.STALE_EPOCH}
        elif self._old is not None:
            self._old.append((message, judged))
        else:
            self._desk.event((message.topic, message.partition, message.offset), judged.event)

    def _state(self, record: Any) -> None:
        headers = dict(record.headers)
        keys, told = self._options.signing_keys, headers.get(EPOCH, b"0")
        try:
            if keys is not None and "risk-signature" in headers:
                verify(record.key, list(record.headers), record.value, keys)
            epoch = int(told)
        except (SignatureError, ValueError):
            self.unreadable += 1
            return
        decoded = decode_message(ACCOUNT_STATES.name, record.key, record.value)
        self.unreadable += len(decoded.refused)
        for _, state in decoded.records:
            if isinstance(state, Tombstone):
                self._desk.accounts.remove((record.key or b"").decode(errors="replace"))
            elif isinstance(state, AccountState):
                self._desk.accounts.state(state, epoch)

    def _regime(self, record: Any) -> None:
        decoded = decode_message(REGIMES.name, record.key, record.value)
        self.unreadable += len(decoded.refused)
        for _, change in decoded.records:
            if isinstance(change, RegimeChange):
                self._desk.regime(change)


def _in_the_way(error: Exception) -> str:
    name = type(error).__name__
    if "Authorization" in name:
        return "the worker's user may not read the event and state topics"
    return f"the topics cannot be read ({name})"
