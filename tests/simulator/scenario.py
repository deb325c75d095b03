"""What a seed publishes: a market, accounts, and what should not be there; with what is to become of each message."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from monitor.engine import Sourced
from monitor.replay.publish_sequenced import Frames
from monitor.replay.sequence import numbered, partition_of
from schemas import codec
from schemas.records import Funding, Input, Instrument, ParameterSet, PriceTick, Trade, Transfer
from schemas.topics import SEQUENCED, TICKS, Topic
from tests.engine_market import SPOT_USD, TOPIC_OF, random_market
from tests.simulator.plan import Plan

ACCOUNTS_EACH = 2
GARBAGE = (
    b"", b"\xff\xfe", b"{", b"[" * 200, b'{"v":9}', b"null", b'{"v":1,"trade_id":"x"}', b'{"price":NaN}', b"1e999",
    None,
)  # fmt: skip
LATE_US = 20_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a publisher sends it; `refused` are the rows of it that no reader can take, `None` a hole."""

    topic: Topic
    partition: int
    key: bytes | None
    value: bytes | None
    rows: int = 1
    refused: tuple[int, ...] = ()
    hole: bool = False


@dataclass(slots=True)
class Scenario:
    """Messages with the second at which each is published, and the records among them in event order."""

    accounts: tuple[str, ...]
    records: list[Input]
    messages: list[tuple[float, Message]] = field(default_factory=list)


def make(plan: Plan) -> Scenario:
    """Return what a seed publishes."""
    draw = random.Random(f"scenario-{plan.seed}")
    accounts = tuple(
        name
        for number in range(plan.partitions)
        for name in [f"a{k}" for k in range(199) if partition_of(f"a{k}", plan.partitions) == number][:ACCOUNTS_EACH]
    )
    records = list(_records(plan, accounts, draw))
    scenario = Scenario(accounts, records)
    spread = _sequence if plan.order == "strict" else _topics
    messages = list(spread(plan, records, draw))
    at_s = 0.0
    for share, message in messages:
        scenario.messages.append((at_s, message))
        at_s += share / plan.rate
    return scenario


def _records(plan: Plan, accounts: tuple[str, ...], draw: random.Random) -> Iterator[Input]:
    """A random market whose accounts are near their limits, with repeats and late ones."""
    for given in random_market(plan.seed, plan.records, accounts, pace=1):
        if plan.order == "live" and _of_its_moment(given):
            continue
        record = _wilder(given) if isinstance(given, PriceTick | Trade) else given
        if isinstance(record, Transfer) and record.transfer_id == "open":
            record = msgspec.structs.replace(record, amount=draw.choice((3_000.0, 8_000.0, 30_000.0)))
        yield record
        yield from _odd(record, draw)


def _odd(record: Input, draw: random.Random) -> Iterator[Input]:
    """What may follow a record: itself again, another instrument's, or an older one."""
    kind = draw.random()
    if isinstance(record, Trade):
        if kind < 0.05:
            yield record  # a publisher's retry: the same id at another offset
        elif kind < 0.08:
            yield msgspec.structs.replace(record, trade_id=f"{record.trade_id}-x", instrument="NOT-LISTED")
    elif isinstance(record, Transfer) and kind < 0.1 and record.transfer_id not in {"open", "coin"}:
        yield record
    elif isinstance(record, PriceTick):
        if kind < 0.03:
            yield record
        elif kind < 0.08:
            late_us = record.event_time_us - draw.randint(1, LATE_US)
            yield msgspec.structs.replace(
                record, event_time_us=late_us, price=(record.price or 1.0) * draw.uniform(0.9, 1.1)
            )


def _wilder(record: PriceTick | Trade) -> PriceTick | Trade:
    """Have prices move further, so that a short run has many events."""
    spot = SPOT_USD[record.underlying if isinstance(record, PriceTick) else record.instrument[:3]]
    if record.price is None or record.price < 1.0:
        return record
    return msgspec.structs.replace(record, price=spot * (record.price / spot) ** 2.5)


def _of_its_moment(record: Input) -> bool:
    """Whether what becomes of a record hangs on the market of its moment, which live order does not fix."""
    if isinstance(record, Instrument):
        return "-SOON" in record.instrument
    return isinstance(record, Funding) or (isinstance(record, Trade) and "-SOON" in record.instrument)


# --- live ---------------------------------------------------------------------------------------------


def _topics(plan: Plan, records: list[Input], draw: random.Random) -> Iterator[tuple[float, Message]]:
    """Each record on its topic, alone or in a frame; garbage and holes in between."""
    waiting: dict[tuple[str, int], list[Input]] = {}
    for record in records:
        topic = TOPIC_OF[type(record)]
        partition = partition_of(record.account, plan.partitions) if hasattr(record, "account") else 0
        if isinstance(record, Instrument | ParameterSet):
            yield 0.0, Message(topic, 0, codec.key_of(topic.name, record), codec.encode(record))
            continue
        if not topic.framed or plan.frame == 1:
            yield 1.0, Message(topic, partition, codec.key_of(topic.name, record), codec.encode(record))
        else:
            rows = waiting.setdefault((topic.name, partition), [])
            rows.append(record)
            if draw.random() < 1.0 / plan.frame:
                yield float(len(rows)), _frame(topic, partition, rows, draw)
                rows.clear()
        if draw.random() < 0.02:
            yield 0.0, _garbage(topic, partition, draw)
        if draw.random() < 0.02 and topic.name != TICKS.name:
            yield 0.0, Message(topic, partition, None, None, hole=True)
    names = {topic.name: topic for topic in TOPIC_OF.values()}
    for (name, partition), rows in waiting.items():
        if rows:
            yield float(len(rows)), _frame(names[name], partition, rows, draw)


def _frame(topic: Topic, partition: int, rows: list[Input], draw: random.Random) -> Message:
    data = [codec.encode(row) for row in rows]
    if draw.random() < 0.1:
        place = draw.randrange(len(data) + 1)
        data.insert(place, b'{"v":1,"poison":true}')
        return Message(topic, partition, None, _framed(data), len(data), (place,))
    return Message(topic, partition, None, _framed(data), len(data))


def _framed(rows: list[bytes]) -> bytes:
    (frame,) = codec.packed(rows)
    return frame


def _garbage(topic: Topic, partition: int, draw: random.Random) -> Message:
    value = draw.choice(GARBAGE)
    if value is None and topic.policy == "compact":
        value = b"?"  # a null value is a tombstone there
    return Message(topic, partition, draw.choice((None, b"key")), value, 1, (0,))


# --- strict -------------------------------------------------------------------------------------------


def _sequence(plan: Plan, records: list[Input], draw: random.Random) -> Iterator[tuple[float, Message]]:
    """The records as one sequence, spread over partitions; garbage, repeated frames and holes in between."""
    frames = Frames(plan.partitions, plan.frame)
    last: dict[int, Message] = {}
    for ordinal, record in enumerate(records):
        item = numbered(TOPIC_OF[type(record)].name, ordinal, record, plan.partitions)
        full = frames.add(item)
        if draw.random() < 0.02:
            full += frames.take()
        share = 1.0
        for sent in full:
            assert sent.partition is not None
            message = Message(SEQUENCED, sent.partition, None, sent.value, sent.rows)
            last[sent.partition] = message
            yield share, message
            share = 0.0
        if not full:
            continue
        partition = draw.randrange(plan.partitions)
        kind = draw.random()
        if kind < 0.02:
            yield 0.0, _garbage(SEQUENCED, partition, draw)
        elif kind < 0.04 and partition in last:
            again = last[partition]
            yield 0.0, _refusing(again, refused=tuple(range(again.rows)))
        elif kind < 0.06:
            yield 0.0, Message(SEQUENCED, partition, None, None, hole=True)
        elif kind < 0.07:
            row = b'{"ordinal":%d,"topic":"no.such.topic","record":{},"v":1}' % ordinal
            yield 0.0, Message(SEQUENCED, partition, None, _framed([row]), 1, (0,))
    for sent in frames.take():
        assert sent.partition is not None
        yield 1.0, Message(SEQUENCED, sent.partition, None, sent.value, sent.rows)


def _refusing(message: Message, *, refused: tuple[int, ...]) -> Message:
    """Return a message with other refused rows."""
    return Message(message.topic, message.partition, message.key, message.value, message.rows, refused)


# --- as the engine would see it -----------------------------------------------------------------------


def sourced(plan: Plan, records: list[Input]) -> list[Sourced]:
    """Return the records in their order with the positions that they have in strict order."""
    return [numbered(TOPIC_OF[type(r)].name, n, r, plan.partitions) for n, r in enumerate(records)]
