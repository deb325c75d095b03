"""Reads what a recomputation needs from the broker: the events of an account, and the records up to some positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from monitor.brokers import topics as broker_topics
from monitor.connection import Address
from monitor.engine.state import Sourced
from monitor.errors import ExitCode, MonitorError, UsageError
from monitor.verify.claim import Claim, read_claim
from monitor.verify.recompute import Path, Stamped
from monitor.worker.intake import delivered, without_tombstones
from monitor.worker.log_view import LogView, Unanswered
from monitor.worker.options import WorkerOptions
from schemas.codec import decode_message
from schemas.fields import MAX_FRAME_ROWS
from schemas.headers import EPOCH
from schemas.records import START, AccountEvent, Position
from schemas.topics import (
    ACCOUNT_STATES,
    ACCOUNT_TOPICS,
    LIQUIDATIONS,
    MARGIN_CALLS,
    MARKET_TOPICS,
    REGIMES,
    SEQUENCED,
    TRADES,
    Topic,
)

EVENT_TOPICS = (MARGIN_CALLS, LIQUIDATIONS, REGIMES)


class _Named(msgspec.Struct):
    """What is read of an account's state."""

    account: str
    positions: dict[str, Position]
    path: list[dict[str, Position]] = []


_read_state = msgspec.json.Decoder(_Named).decode
_STRICT = "-strict"  # how the source of an event in strict order ends: its group's name


class Unverifiable(MonitorError):
    """What a recomputation needs is not on the topics any more, or not yet."""

    exit_code = ExitCode.UNREACHABLE


@dataclass(frozen=True, slots=True)
class Found:
    """An event's messages: each distinct content once, and whether it was computed in strict order (None: unsaid)."""

    claims: tuple[Claim, ...]
    strict: bool | None


@dataclass(slots=True)
class Records:
    """Records by topic in the order of their positions; `holes` counts offsets of compacted topics without a record.

    In strict order all are under the topic of the sequence.
    """

    by_topic: dict[str, list[Stamped]] = field(default_factory=dict)
    holes: int = 0


class Topics:
    """What is on the topics of one deployment."""

    def __init__(self, view: LogView, options: WorkerOptions) -> None:
        self._view = view
        self._options = options

    async def find(self, identity: str) -> Found:
        """Return the messages with an event's id, in the order of their topics."""
        contents: dict[bytes, Claim] = {}
        strict: bool | None = None
        needle = identity.encode()
        for topic in EVENT_TOPICS:
            async for message in self._all(topic, range(topic.partitions or self._options.partitions)):
                body = message.value or b""
                if needle not in body or (claim := _claim(body, message)) is None or claim.id != identity:
                    continue
                contents.setdefault(body, claim)
                strict = _is_strict(message) if strict is None else strict
        return Found(tuple(contents.values()), strict)

    async def earlier(self, event: AccountEvent) -> list[AccountEvent]:
        """Return the account's events before one, by sequence; of two contents of one id the first."""
        return await self._events(event.account, event.sequence)

    async def _events(self, account: str, before: int | None) -> list[AccountEvent]:
        found: dict[int, AccountEvent] = {}
        partition = self._options.partition_of(account.encode())
        for topic in (MARGIN_CALLS, LIQUIDATIONS):
            async for message in self._all(topic, [partition]):
                if message.key != account.encode() or (claim := _claim(message.value or b"", message)) is None:
                    continue
                record = claim.record
                if isinstance(record, AccountEvent) and (before is None or record.sequence < before):
                    found.setdefault(record.sequence, record)
        return [found[sequence] for sequence in sorted(found)]

    async def path(self, event: AccountEvent, partition: int) -> Path:
        """Return the positions that states of the partition's accounts name, those up to an event's alone.

        Compaction takes them away with time. They say in which order records were applied and nothing of what comes
        of it: a forged one can make a true event differ, and no false one equal.
        """
        flushes: dict[tuple[tuple[str, Position], ...], None] = {}
        own: dict[tuple[tuple[str, Position], ...], None] = {}
        newest = 0
        async for message in self._all(ACCOUNT_STATES, [partition]):
            try:
                state = _read_state(message.value or b"")
                epoch = int(dict(message.headers).get(EPOCH, b"0"))
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
                continue
            if epoch < newest:
                continue  # of a worker that was paused, about records that its successor applied elsewhere
            newest = epoch
            _note(flushes, state.positions, event.positions)
            if state.account == event.account:
                for point in state.path:
                    _note(own, {**state.positions, **point}, event.positions)
        return Path([dict(point) for point in flushes], [dict(point) for point in own])

    async def records(self, positions: Mapping[str, Position], partition: int) -> Records:
        """Return all records of a partition's inputs up to some positions; raises Unverifiable."""
        found = Records()
        for topic in (*MARKET_TOPICS, *ACCOUNT_TOPICS):
            place = TopicPartition(self._options.topic(topic), 0 if topic in MARKET_TOPICS else partition)
            offset, _ = reached = positions.get(topic.name, START)
            items: list[Stamped] = []
            messages = 0
            if offset >= 0:
                async for message in self._from_first(place, offset + 1):
                    messages += 1
                    items += [
                        Stamped(source, message.timestamp)
                        for source in _decoded(topic, message, self._options)
                        if source.position <= reached
                    ]
            if topic.config().get("cleanup.policy") == "compact":
                found.holes += max(0, offset + 1 - messages)
            found.by_topic[topic.name] = items
        return found

    async def sequence(self, last: int | None, partition: int) -> Records:
        """Return all records of a partition of the sequence up to an ordinal (None: all); raises Unverifiable."""
        place = TopicPartition(self._options.topic(SEQUENCED), partition)
        items: list[Stamped] = []
        ordinal = -1
        async for message in self._from_first(place, None):
            for _, source in delivered(SEQUENCED, message, 0, self._options).records:
                if source.offset > ordinal:  # else it is refused as out of order
                    ordinal = source.offset
                    items.append(Stamped(source, message.timestamp))
            if last is not None and ordinal > last:
                break
        if last is not None and ordinal < last:
            raise Unverifiable(
                f"{place.topic}/{partition} ends at ordinal {ordinal}, the event names {last}",
                "it was computed from another sequence, or the topic was cut",
            )
        return Records({SEQUENCED.name: [item for item in items if last is None or item.source.offset <= last]})

    async def last_position(self, topic: Topic) -> dict[str, Position]:
        """Return a position at the end of a market topic."""
        place = TopicPartition(self._options.topic(topic), 0)
        return {topic.name: ((await self._view.ends([place]))[place] - 1, MAX_FRAME_ROWS)}

    async def last_positions(self, partition: int) -> dict[str, Position]:
        """Return positions at the ends of all inputs of a partition."""
        found: dict[str, Position] = {}
        for topic in (*MARKET_TOPICS, *ACCOUNT_TOPICS):
            place = TopicPartition(self._options.topic(topic), 0 if topic in MARKET_TOPICS else partition)
            found[topic.name] = ((await self._view.ends([place]))[place] - 1, MAX_FRAME_ROWS)
        return found

    async def events_of(self, account: str) -> list[AccountEvent]:
        """Return all events of an account by sequence; of two contents of one id the first."""
        return await self._events(account, None)

    async def _from_first(self, place: TopicPartition, end: int | None) -> Any:
        """Yield a partition's messages from offset 0 to before `end`, or to where it ends now."""
        begin, found = (await self._view.begins([place]))[place], (await self._view.ends([place]))[place]
        if begin > 0:
            raise Unverifiable(
                f"{place.topic}/{place.partition} begins at offset {begin}: what came before it was deleted",
                "an event can be verified while the topics hold all records up to its positions",
            )
        if end is not None and end > found:
            raise Unverifiable(
                f"the event names offset {end - 1} of {place.topic}/{place.partition}, which ends at {found}",
                "check --prefix and --broker; it was computed elsewhere, or the topic was made anew",
            )
        async for message in self._view.read(place, 0, found if end is None else end):
            yield message

    async def _all(self, topic: Topic, partitions: Iterable[int]) -> Any:
        """Yield all messages of a topic that are there now."""
        async for message in self._view.read_all(
            TopicPartition(self._options.topic(topic), partition) for partition in partitions
        ):
            yield message


def _note(
    found: dict[tuple[tuple[str, Position], ...], None], point: dict[str, Position], end: Mapping[str, Position]
) -> None:  # fmt: skip
    """Take a point that is not beyond an event's positions, once."""
    if all(position <= end.get(topic, START) for topic, position in point.items()):
        found[tuple(sorted(point.items()))] = None


def _claim(body: bytes, message: Any) -> Claim | None:
    """Read a message of an event topic; None where it is no event."""
    try:
        return read_claim(body, f"{message.topic}/{message.partition} offset {message.offset}")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _is_strict(message: Any) -> bool | None:
    source = dict(message.headers).get("ce_source")
    return None if source is None else source.decode(errors="replace").endswith(_STRICT)


def _decoded(topic: Topic, message: Any, options: WorkerOptions) -> Iterator[Sourced]:
    """Yield the records of a message as the worker would have it, those that it refuses left out."""
    if topic in ACCOUNT_TOPICS:
        yield from (source for _, source in delivered(topic, message, 0, options).records)
        return
    decoded = decode_message(topic.name, message.key, message.value)
    for index, record in without_tombstones(decoded.records):
        yield Sourced(topic.name, 0, message.offset, index, record, message.value or b"")  # type: ignore[arg-type]


async def partitions_of(address: Address, prefix: str, topic: Topic = TRADES) -> int:
    """Return how many partitions the account topics have, by one of them; raises UsageError if there are none."""
    (wanted,) = broker_topics.wanted_topics(prefix, 1, topics=[topic])
    for difference in await broker_topics.plan(address, [wanted]):
        if difference.kind == "missing":
            raise UsageError(f"topic {difference.topic} is missing", "check --prefix and --broker")
        if difference.kind == "partitions":
            return int(difference.found)
    return 1


READ_ERRORS = (KafkaError, Unanswered, OffsetOutOfRangeError)
"""What the broker can do instead of giving its records."""
