"""`subscribe`: the event topics as an asynchronous iterator that begins where the group stopped."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from monitor.client.screen import WINDOW, Alert, Message, Reason, Refusal, Screen
from monitor.config import load
from monitor.connection import Address, client_options
from schemas.signatures import Keys
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS, full_name

LOOK_BACK: Final = 1_000
"""Messages of each partition before the committed one that are read to know what was handled: more than a flush has
events, so that whatever a monitor repeats after its own crash is known."""
COMMIT_INTERVAL_S: Final = 1.0  # what a crash lets be delivered again
POLL_MS: Final = 200  # how long a commit that is due may wait where nothing comes

log = logging.getLogger("monitor.client")


def settings_broker() -> tuple[Address, str]:
    """Return the broker and the topic prefix of the LIQMON_* variables; raises MonitorError."""
    from monitor.brokers.endpoint import endpoint  # noqa: PLC0415 (only where it is asked for)

    settings = load(None, os.environ)
    return endpoint(settings), settings.topic_prefix


def subscribe(
    *, group: str, broker: Address | None = None, prefix: str | None = None, keys: Keys | None = None,
    require_signature: bool = True, window: int = WINDOW, on_refused: Callable[[Refusal], None] | None = None,
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> Subscription:  # fmt: skip
    """Return a subscription to margin calls and liquidations, to be used with `async with`.

    `broker` and `prefix` None take BROKER_URL and the LIQMON_* variables, as `liqmon` does. The bots of one `group`
    share the accounts; its name begins with `bot-` behind the prefix where the broker checks rights. `on_refused` is
    called with each message that is not acted on. `now_us` is the clock for `valid_until_us`: with
    `lambda: 0` a replay of history is taken for valid.

    The first subscription of a group begins at the oldest event that is kept, later ones behind the last alert that
    was finished. An alert is finished when the next one is asked for: a crash before that has it delivered once more
    in the next process, and within one process an id comes once, as long as the window remembers it.
    """
    if broker is None:
        broker, named = settings_broker()
        prefix = named if prefix is None else prefix
    screen = Screen(keys, require_signature=require_signature, window=window)
    return Subscription(broker, prefix or "", group, screen, on_refused, now_us)


@dataclass(slots=True)
class _Place:
    """How far one partition is: what the group had finished, what is finished now, what of that is committed."""

    committed: int | None
    done: int | None = None
    told: int | None = None


class Subscription(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Alerts of one group member, see `subscribe`; `counts` are messages by reason, alerts under `delivered`."""

    def __init__(
        self, broker: Address, prefix: str, group: str, screen: Screen,
        on_refused: Callable[[Refusal], None] | None, now_us: Callable[[], int],
    ) -> None:  # fmt: skip
        self.counts: Counter[str] = Counter()
        self._broker = broker
        self._group = group
        self._topics = {full_name(topic, prefix): topic.name for topic in (MARGIN_CALLS, LIQUIDATIONS)}
        self._screen = screen
        self._on_refused = on_refused
        self._now_us = now_us
        self._consumer: Any = None
        self._places: dict[TopicPartition, _Place] = {}
        self._waiting: deque[tuple[TopicPartition, _Place, Message]] = deque()
        self._in_hand: tuple[_Place, Alert] | None = None
        self._again = False
        self._commit_due_s = 0.0

    async def __aenter__(self) -> Self:
        from monitor.brokers.probe import cluster_info  # noqa: PLC0415 (its errors say what is wrong; aiokafka's do not)

        await cluster_info(self._broker)
        self._consumer = AIOKafkaConsumer(
            **client_options(self._broker), group_id=self._group, client_id="liqmon-client", enable_auto_commit=False,
            auto_offset_reset="earliest",
        )  # fmt: skip
        self._consumer.subscribe(list(self._topics), listener=self)
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        # An alert that was in hand when something went wrong is not finished: it comes again.
        await self._commit()
        await self._consumer.stop()

    def __aiter__(self) -> Self:
        # A second loop: the first one left its last alert unfinished.
        self._again = self._in_hand is not None
        return self

    async def __anext__(self) -> Alert:
        """Finish the alert before, and wait for the next one."""
        if self._again:
            self._again = False
            assert self._in_hand is not None  # narrows the type
            return self._in_hand[1]
        self._finish()
        while True:
            if time.monotonic() >= self._commit_due_s:
                await self._commit()
            while self._waiting:
                partition, place, message = self._waiting.popleft()
                alert = self._take(place, message)
                if alert is not None and self._places.get(partition) is place:
                    self._in_hand = (place, alert)
                    return alert
            await self._poll()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Commit what is finished; what waits is somebody else's now (called by the client)."""
        del revoked  # all of them, at every rebalance
        await self._commit()
        self._waiting.clear()
        self._places.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin a little before the committed offsets, to know what was handled already (called by the client)."""
        for partition in assigned:
            committed = await self._consumer.committed(partition)
            self._places[partition] = _Place(committed, done=committed, told=committed)
            if committed is not None:
                self._consumer.seek(partition, max(0, committed - LOOK_BACK))

    async def _poll(self) -> None:
        found = await self._consumer.getmany(timeout_ms=POLL_MS)
        for partition, records in found.items():
            place = self._places.get(partition)
            if place is None:
                continue  # taken away while the answer was on its way
            for record in records:
                message = Message(
                    self._topics[partition.topic], partition.partition, record.offset, record.key, record.value,
                    list(record.headers),
                )  # fmt: skip
                self._waiting.append((partition, place, message))

    def _take(self, place: _Place, message: Message) -> Alert | None:
        if place.committed is not None and message.offset < place.committed:
            self._screen.seed(message)
            return None
        if place.done is not None and message.offset > place.done:
            # Event topics are neither compacted nor transactional: what is not there was deleted.
            self.counts["lost"] += message.offset - place.done
            log.warning("%s offsets before %s were deleted unread", message.offset - place.done, message[:3])
        result = self._screen.judge(message, self._now_us())
        if isinstance(result, Alert):
            self.counts["delivered"] += 1
            return result
        self.counts[result.reason] += 1
        if result.reason in {Reason.TAMPERED, Reason.UNKNOWN_KEY, Reason.TWO_CONTENTS}:
            log.warning("refused %s: %s", message[:3], result.reason)
        if self._on_refused is not None:
            self._on_refused(result)
        place.done = message.offset + 1
        return None

    def _finish(self) -> None:
        if self._in_hand is not None:
            place, alert = self._in_hand
            place.done = alert.message.offset + 1
            self._in_hand = None

    async def _commit(self) -> None:
        self._commit_due_s = time.monotonic() + COMMIT_INTERVAL_S
        due = {
            partition: place.done for partition, place in self._places.items()
            if place.done is not None and place.done != place.told
        }  # fmt: skip
        if not due:
            return
        try:
            await self._consumer.commit(due)
        except (CommitFailedError, IllegalStateError):
            # The group has given the partitions to others meanwhile, who begin before these alerts.
            self.counts["uncommitted"] += len(due)
            return
        for partition, offset in due.items():
            if partition in self._places:
                self._places[partition].told = offset
