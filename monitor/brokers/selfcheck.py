"""What a broker does otherwise than Apache Kafka: seen at each start, not guessed from its name.

Two things decide about correctness and are known to differ in the embedded broker: the answer of ListOffsets after a
batch of more than one record, and producers that number their batches. Any other broker at BROKER_URL may have the
same faults, so all are asked in the same way.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, UnknownError

from monitor.brokers import topics
from monitor.brokers.ends import end_offsets
from monitor.brokers.interface import BrokerError
from monitor.brokers.probe import quiet
from monitor.connection import Address, client_options

BATCH = 10
# The topic is deleted a moment later; if we are killed in between, its records go by themselves.
_CONFIG = {"cleanup.policy": "delete", "retention.ms": "3600000"}
_TIMEOUT_S = 30.0
# One -1 ("unknown server error") may come from any broker in trouble.
_ATTEMPTS = 3


class UnfitBroker(BrokerError):
    """A broker on which results could not be right."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a broker was seen to do.

    `ends_exact`: ListOffsets names the ends of partitions; else they are taken from fetches. `idempotent`: a producer
    may number its batches; else a retry can repeat one. `seen` says what the first was concluded from.
    """

    ends_exact: bool = True
    idempotent: bool = True
    seen: str = "not checked"

    @property
    def line(self) -> str:
        """One line for consoles and logs: what was seen, and which fixes are on."""
        ends = "no fix of end offsets" if self.ends_exact else "fix on: end offsets are taken from fetches"
        producer = (
            "idempotent producers"
            if self.idempotent
            else "no idempotent producers, so acks=all alone: a retry can repeat a record"
        )
        return f"self-check: {self.seen}: {ends}; {producer}"


async def check(address: Address, prefix: str = "") -> Checked:
    """Return what the broker at `address` does; leaves nothing behind, except where it may create and not delete.

    Writes one batch of ten records to a topic of its own under `prefix`, and compares the ends that ListOffsets and
    Fetch tell. Where we may not create or write it, nothing is concluded and the fix is on: it costs one fetch a
    question, and is right on every broker. Raises BrokerError.
    """
    idempotent = await has_idempotence(address)
    name = f"{prefix}risk.self-check-{secrets.token_hex(4)}.v1"
    try:
        async with asyncio.timeout(_TIMEOUT_S), _scratch_topic(address, name):
            told, fetched = await _ends_after_a_batch(address, name)
    except (topics.TopicsError, KafkaError, TimeoutError) as error:
        reason = error.cause if isinstance(error, BrokerError) else repr(error)
        return Checked(ends_exact=False, idempotent=idempotent, seen=f"end offsets could not be checked ({reason})")
    if fetched != BATCH:
        raise UnfitBroker(
            f"the broker at {address} ends a topic of {BATCH} records at {told} in ListOffsets and {fetched} in Fetch",
            "use Apache Kafka",
        )
    seen = f"after a batch of {BATCH} ListOffsets says {told}, Fetch {fetched}"
    return Checked(ends_exact=told == fetched, idempotent=idempotent, seen=seen)


async def has_idempotence(address: Address) -> bool:
    """Whether the broker gives out producer ids; raises BrokerError if that cannot be found out."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            await asyncio.sleep(0.2)
        try:
            with quiet():
                producer = AIOKafkaProducer(
                    **client_options(address), client_id="liqmon-check", acks="all", enable_idempotence=True
                )
                try:
                    async with asyncio.timeout(_TIMEOUT_S):
                        await producer.start()
                        return True
                finally:
                    with suppress(UnknownError):
                        await producer.stop()
        except (UnknownError, IncompatibleBrokerVersion):
            continue
        except (KafkaError, TimeoutError) as error:
            raise UnfitBroker(
                f"the broker at {address} refused a producer ({error!r})", "check its health and our rights"
            ) from error
    return False


@asynccontextmanager
async def _scratch_topic(address: Address, name: str) -> AsyncIterator[None]:
    await topics.apply(address, [topics.Wanted(name, 1, _CONFIG)])
    try:
        yield
    finally:
        admin = AIOKafkaAdminClient(**client_options(address), client_id="liqmon-check")
        # What may not be deleted is left: one empty topic.
        with suppress(KafkaError):
            try:
                await admin.start()
                await admin.delete_topics([name])
            finally:
                await admin.close()


async def _ends_after_a_batch(address: Address, name: str) -> tuple[int, int]:
    """Write one batch; return where ListOffsets and Fetch say that the partition ends."""
    async with AIOKafkaProducer(**client_options(address), client_id="liqmon-check", acks="all") as producer:
        batch = producer.create_batch()
        for number in range(BATCH):
            batch.append(key=None, value=b"%d" % number, timestamp=None)
        await (await producer.send_batch(batch, name, partition=0))
    partition = TopicPartition(name, 0)
    async with AIOKafkaConsumer(**client_options(address), client_id="liqmon-check") as consumer:
        told: int = (await consumer.end_offsets([partition]))[partition]
    return told, (await end_offsets(address, [partition], exact=False))[partition]
