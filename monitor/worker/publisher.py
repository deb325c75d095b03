"""Sends what a flush contains and waits until the broker has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError
from msgspec import Struct

from monitor.connection import client_options
from monitor.worker.clients import KAFKA, Clients
from monitor.worker.errors import PublishFailed
from monitor.worker.liveness import Pulse
from monitor.worker.options import WorkerOptions
from schemas.headers import EPOCH, Headers
from schemas.signatures import sign
from schemas.topics import MAX_DEAD_LETTER_BYTES

MAX_BATCH_BYTES = 524_288  # half of Kafka's default bound of a message, which a batch counts as

log = structlog.get_logger("monitor.worker")


class Outbound(Struct, frozen=True):
    """One message to send; partition None leaves it to the key."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None


class Publisher:
    """Our own idempotent producer.

    A retry sends the same bytes in the same order: the producer numbers its batches, never expires one, and the broker
    drops repeats. So a broker that is away is waited for, for as long as it takes; what the broker refuses is raised.

    Without `idempotent`, for brokers that cannot number batches, a retry can repeat one (in order all the same, since
    one batch of a partition is on its way at a time), and a batch that is not taken in time is raised as refused.
    Readers drop what repeats: state by epoch and version, events by id.
    """

    def __init__(
        self, options: WorkerOptions, pulse: Pulse, *, idempotent: bool = True, clients: Clients = KAFKA
    ) -> None:  # fmt: skip
        self._options = options
        self._pulse = pulse
        self._idempotent = idempotent
        self._clients = clients
        self._producer: Any = None
        self._keys = options.signing_keys
        self.written: Callable[[Sequence[Any]], Awaitable[None]] | None = None  # told where acknowledged messages are
        self.sent = 0
        self._since_s: list[float] = []  # when each send under way began

    async def start(self) -> None:
        """Connect."""
        self._producer = self._clients.producer(
            **client_options(self._options.broker), client_id="liqmon-worker", acks="all",
            enable_idempotence=self._idempotent,
            # No linger: a flush hands over all it has before the first request leaves. One batch waits for each
            # partition at a time, so a small batch would mean a round trip for every few accounts.
            linger_ms=0, max_batch_size=MAX_BATCH_BYTES,
            # A dead letter has the bytes of what was too large to be read; all else is bounded where it is made.
            max_request_size=MAX_DEAD_LETTER_BYTES,
        )  # fmt: skip
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect; what was handed over before is sent."""
        if self._producer is not None:
            await self._producer.stop()

    @property
    def sending_since_s(self) -> float | None:
        """Since when the oldest send is under way, monotonic; None if none is."""
        return min(self._since_s, default=None)

    async def send(self, messages: Sequence[Outbound]) -> None:
        """Send in order and return when all are acknowledged; raises Paused before sending, PublishFailed, Fenced."""
        if not messages:
            return
        self._pulse.check()
        began_s = time.monotonic()
        self._since_s.append(began_s)
        try:
            places = await asyncio.gather(*[await self._hand_over(message) for message in messages])
        except KafkaError as error:
            raise PublishFailed(
                f"the broker refused messages of {messages[0].topic} ({error!r})",
                "check the topic's size limit and our rights; nothing was acknowledged",
            ) from error
        finally:
            self._since_s.remove(began_s)
        self.sent += len(messages)
        if self.written is not None:
            await self.written(places)

    def _signed(self, message: Outbound) -> Headers | None:
        """Return the headers, with a signature where there are keys and the message is said in our name.

        Signed here, at each send: what recovery sends again has the epoch of its new sender.
        """
        if self._keys is None or not any(name == EPOCH for name, _ in message.headers or ()):
            return message.headers
        assert message.headers is not None  # narrows the type
        return [*message.headers, sign(message.key, message.headers, message.value, self._keys)]

    async def _hand_over(self, message: Outbound) -> asyncio.Future[object]:
        """Put a message behind those before it; the future is its acknowledgement."""
        headers = self._signed(message)
        while True:
            try:
                acknowledged: asyncio.Future[object] = await self._producer.send(
                    message.topic, message.value, key=message.key, partition=message.partition, headers=headers
                )
                return acknowledged
            except KafkaTimeoutError:
                # No room for so long means that the broker is away; the message was not taken, so it is not sent twice.
                log.warning("waiting_for_broker", topic=message.topic)
