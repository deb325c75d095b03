"""Strict order: what a partition says does not depend on what else a worker owns, on batches, or on crashes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import (
    Sourced,
    State,
    collect,
    confirm,
    confirm_pending,
    decode_account,
    decode_marker,
    gate_open,
    new_state,
    open_shard,
    pending,
    step,
)
from monitor.replay.sequence import partition_of
from schemas.topics import MARKET_TOPICS
from tests.engine_market import TOPIC_OF, random_market

P = 4
# Two accounts in every partition.
ACCOUNTS = tuple(name for p in range(P) for name in [f"a{k}" for k in range(99) if partition_of(f"a{k}", P) == p][:2])
MARKET = {topic.name for topic in MARKET_TOPICS}


def sequence(seed: int, records: int) -> list[Sourced]:
    """A market in merged order, with ordinals for positions."""
    return [
        Sourced(TOPIC_OF[type(record)].name, partition_of(getattr(record, "account", "a0"), P), ordinal, 0, record)
        if hasattr(record, "account")
        else Sourced(TOPIC_OF[type(record)].name, 0, ordinal, 0, record)
        for ordinal, record in enumerate(random_market(seed, records, ACCOUNTS))
    ]


def part(items: list[Sourced], partition: int) -> list[Sourced]:
    """What one partition of the sequence carries."""
    return [item for item in items if item.topic in MARKET or item.partition == partition]


def batches(items: list[Sourced], draw: random.Random) -> Iterator[list[Sourced]]:
    at = 0
    while at < len(items):
        size = draw.choice((1, 1, 7, 100, 1_000))
        yield items[at : at + size]
        at += size


def together(items: list[Sourced]) -> dict[str, str]:
    """Events by id of one state with all partitions."""
    state = new_state()
    for partition in range(P):
        open_shard(state, partition, None, [], partitions=P, epoch=1)
    events = {event.id: event.body for event in step(state, items)}
    assert events
    return events


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_state_for_each_partition_says_what_one_state_for_all_says(seed: int) -> None:
    """The same events, byte for byte, whoever shares a state, in batches of any size, with flushes in between."""
    items, draw = sequence(seed, 1_500), random.Random(seed)
    apart: dict[str, str] = {}
    for partition in range(P):
        state = new_state()
        open_shard(state, partition, None, [], partitions=P, epoch=1)
        for batch in batches(part(items, partition), draw):
            apart |= {event.id: event.body for event in step(state, batch)}
            if draw.random() < 0.3:
                confirm(state, collect(state))
    assert apart == together(items)


def recovered(stored: dict[bytes, bytes], partition: int, epoch: int) -> tuple[State, list[tuple[str, str]]]:
    """A state as a successor makes it from the changelog, and the events that it sends again."""
    state = new_state()
    marker = stored.get(b"!marker/%d" % partition)
    accounts = [decode_account(value) for key, value in stored.items() if not key.startswith(b"!")]
    open_shard(state, partition, decode_marker(marker) if marker else None, accounts, partitions=P, epoch=epoch)
    again = [(event.id, event.body.decode()) for event in pending(state, partition)]
    confirm_pending(state, partition)
    return state, again


@pytest.mark.parametrize("seed", range(4))
def test_crashes_change_no_byte(seed: int) -> None:
    """A partition that crashes at any write and is read again from its beginning says every event with one content."""
    items, draw = sequence(seed, 1_500), random.Random(seed)
    expected = together(items)
    said: dict[str, set[str]] = {}
    for partition in range(P):
        mine, stored, crashes = part(items, partition), dict[bytes, bytes](), 0
        while True:
            state, again = recovered(stored, partition, crashes + 1)
            for identity, body in again:
                said.setdefault(identity, set()).add(body)
            if run(state, mine, stored, said, draw, crash=crashes < 5):
                break
            crashes += 1
        assert gate_open(state, partition)
    assert said == {identity: {body} for identity, body in expected.items()}


def run(
    state: State, items: list[Sourced], stored: dict[bytes, bytes], said: dict[str, set[str]], draw: random.Random, *,
    crash: bool,
) -> bool:  # fmt: skip
    """Apply a partition from its first record; return False if it crashed on the way."""
    last = draw.randrange(len(items)) if crash else len(items)
    at = 0
    for batch in batches(items, draw):
        step(state, batch)
        at += len(batch)
        crashes = at > last
        flush = collect(state)
        kept = draw.randrange(len(flush.values) + 1) if crashes else len(flush.values)
        stored.update({value.key: value.value for value in flush.values[:kept]})
        sent = draw.randrange(len(flush.events) + 1) if crashes else len(flush.events)
        for event in flush.events[:sent] if kept == len(flush.values) else ():
            said.setdefault(event.id, set()).add(event.body.decode())
        if crashes:
            return False
        confirm(state, flush)
    return True
