"""Reading the dead-letter topic, and sending records back to their topics."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from monitor.brokers import topics as broker_topics
from monitor.brokers.interface import BrokerError
from monitor.connection import Address
from monitor.errors import UsageError
from monitor.letters.letters import REPLAY_OF, Letter, Mark, Plan, Wanted, mark_headers, plan, read_letters
from monitor.replay.publish import connected
from monitor.worker.log_view import LogView, Unanswered
from schemas.codec import decode_message
from schemas.topics import ALL, DEAD_LETTERS, Topic, full_name

_KEY_FIELDS = ("account", "instrument", "underlying", "source", "name")
_NAMES = frozenset(topic.name for topic in ALL if topic.direction == "input")


class ReadFailed(BrokerError):
    """The broker did not give what is on the dead-letter topic."""


class Read(NamedTuple):
    """All letters of a deployment, oldest first, and how many messages of the topic are none."""

    letters: list[Letter]
    strange: int


async def read(address: Address, prefix: str) -> Read:
    """Read the dead-letter topic; raises UsageError if it is missing, BrokerError if the broker fails."""
    partitions = await _partitions(address, prefix, DEAD_LETTERS)
    name = full_name(DEAD_LETTERS, prefix)
    view = LogView(address, f"{prefix}dead-letters")  # asked once: no need to know if its ends are right
    try:
        await view.start()
        messages = [message async for message in view.read_all(TopicPartition(name, p) for p in range(partitions))]
    except (KafkaError, Unanswered) as error:
        raise ReadFailed(f"the broker at {address} did not give {name} ({error!r})", "check its health") from error
    finally:
        await view.stop()
    return Read(*read_letters(messages))


async def replay(address: Address, prefix: str, wanted: Wanted, *, again: bool = False, dry_run: bool = False) -> Plan:
    """Send the original bytes of letters back to their topics, one after the other; return what was done.

    Each goes with a header that names its letter, between two marks on the dead-letter topic: whatever this dies at, no
    record is sent twice unless `again` asks for it. Raises UsageError if a topic is missing, BrokerError.
    """
    found = await read(address, prefix)
    planned = plan(found.letters, wanted, again=again)
    if dry_run or not planned.send:
        return planned
    async with connected(address) as producer:
        for letter in planned.send:
            await _send(producer, prefix, letter)
    return planned


async def _send(producer: Any, prefix: str, letter: Letter) -> None:
    name = letter.known.source_topic
    key = letter.key
    if key is None and letter.value is not None:
        key = key_in(name.removeprefix(prefix), letter.value)
    await _mark(producer, prefix, letter, "begun")
    await producer.send_and_wait(
        name, letter.value, key=key,
        # With a key it goes where the key belongs, which may be another place than it came from.
        partition=letter.known.source_partition if key is None else None,
        headers=[(REPLAY_OF, str(letter.place).encode())],
    )  # fmt: skip
    await _mark(producer, prefix, letter, "done")


async def _mark(producer: Any, prefix: str, letter: Letter, state: Mark) -> None:
    headers = mark_headers(letter.place, state, time.time_ns() // 1000)
    await producer.send_and_wait(
        full_name(DEAD_LETTERS, prefix), None, key=letter.key, partition=letter.place.partition, headers=headers
    )


def key_in(topic: str, value: bytes) -> bytes | None:
    """Return the key under which a record would be read, taken from its own bytes; None if there is no such.

    A row of a frame has no key of its own, and alone it needs one.
    """
    try:
        fields = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    names = [fields.get(field) for field in _KEY_FIELDS] if isinstance(fields, dict) and topic in _NAMES else []
    for name in names:
        if isinstance(name, str) and not decode_message(topic, name.encode(errors="replace"), value).refused:
            return name.encode()
    return None


async def _partitions(address: Address, prefix: str, topic: Topic) -> int:
    """Return how many partitions a topic has; raises UsageError if it is missing."""
    (wanted,) = broker_topics.wanted_topics(prefix, 1, topics=[topic])
    for difference in await broker_topics.plan(address, [wanted]):
        if difference.kind == "missing":
            raise UsageError(f"topic {difference.topic} is missing", "check --prefix, or run `liqmon topics apply`")
        if difference.kind == "partitions":
            return int(difference.found)
    return wanted.partitions
