"""Strict order: what a partition says does not depend on what else a worker owns, on batches, or on crashes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import assume, example, given, settings
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
from monitor.engine.book import Book
from monitor.replay.sequence import partition_of
from schemas.records import AccountConfig, AccountEvent, Input, PriceTick, Transfer
from schemas.topics import MARKET_TOPICS
from tests.engine_market import START_US, TOPIC_OF, both, random_market

P = 4
# Two accounts in every partition.
ACCOUNTS = tuple(name for p in range(P) for name in [f"a{k}" for k in range(99) if partition_of(f"a{k}", P) == p][:2])
MARKET = {topic.name for topic in MARKET_TOPICS}
MODELS = ("B", "D", "A-paradex", "D-history", "E-derive", "C", "A", "P")


def models_market(seed: int, records: int) -> Iterator[Input]:
    """A slower market of poorer accounts with a model each, and a dollar token that loses its peg now and then."""
    draw = random.Random(-seed - 1)
    for account, model in zip(ACCOUNTS, MODELS, strict=True):
        yield AccountConfig(account=account, event_time_us=START_US, margin_model=model)  # type: ignore[arg-type]
    for record in random_market(seed, records, ACCOUNTS, pace=5):
        if isinstance(record, AccountConfig):
            continue
        if isinstance(record, Transfer) and record.amount > 4_000.0:
            yield msgspec.structs.replace(record, amount=4_000.0)
            continue
        yield record
        if isinstance(record, PriceTick) and draw.random() < 0.05:
            yield from both("USDC", draw.uniform(0.9, 1.0), record.event_time_us)


def sequence(seed: int, records: int, market: Callable[[int, int], Iterator[Input]] | None = None) -> list[Sourced]:
    """A market in merged order, with ordinals for positions; every account chooses among A and P if none is given."""
    found = random_market(seed, records, ACCOUNTS) if market is None else market(seed, records)
    return [
        Sourced(TOPIC_OF[type(record)].name, partition_of(getattr(record, "account", "a0"), P), ordinal, 0, record)
        if hasattr(record, "account")
        else Sourced(TOPIC_OF[type(record)].name, 0, ordinal, 0, record)
        for ordinal, record in enumerate(found)
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
    return {event.id: event.body for event in step(state, items)}


def each_apart(items: list[Sourced], draw: random.Random) -> dict[str, str]:
    """Events by id of a state for each partition."""
    apart: dict[str, str] = {}
    for partition in range(P):
        state = new_state()
        open_shard(state, partition, None, [], partitions=P, epoch=1)
        for batch in batches(part(items, partition), draw):
            apart |= {event.id: event.body for event in step(state, batch)}
            if draw.random() < 0.3:
                confirm(state, collect(state))
    return apart


@settings(max_examples=8, deadline=None)
@example(seed=6837)  # a perpetual held by one account has no funding rate any more, and another account is called
@given(seed=st.integers(0, 10_000))
def test_a_state_for_each_partition_says_what_one_state_for_all_says(seed: int) -> None:
    """The same events, byte for byte, whoever shares a state, in batches of any size, with flushes in between."""
    items = sequence(seed, 1_500)
    said = together(items)
    assume(said)  # a calm market says nothing
    assert each_apart(items, random.Random(seed)) == said


@pytest.mark.parametrize("seed", [0, 1, 6837])
def test_a_state_for_each_partition_says_it_under_every_model(seed: int) -> None:
    """No account's model sees what accounts of other partitions hold."""
    items = sequence(seed, 500, models_market)
    said = together(items)
    assert {event_of(body).model for body in said.values()} >= {"A", "B", "D", "E-derive"}
    assert each_apart(items, random.Random(seed)) == said


def event_of(body: str) -> AccountEvent:
    """The event that a body says."""
    return msgspec.json.decode(body, type=AccountEvent)


def open_stored(state: State, stored: dict[bytes, bytes], partition: int, epoch: int) -> None:
    """Open a partition with what the changelog has of it."""
    marker = stored.get(b"!marker/%d" % partition)
    accounts = [decode_account(value) for key, value in stored.items() if not key.startswith(b"!")]
    open_shard(state, partition, decode_marker(marker) if marker else None, accounts, partitions=P, epoch=epoch)


def recovered(stored: dict[bytes, bytes], partition: int, epoch: int) -> tuple[State, list[tuple[str, str]]]:
    """A state as a successor makes it from the changelog, and the events that it sends again."""
    state = new_state()
    open_stored(state, stored, partition, epoch)
    again = [(event.id, event.body.decode()) for event in pending(state, partition)]
    confirm_pending(state, partition)
    return state, again


@pytest.mark.parametrize("seed", range(4))
def test_crashes_change_no_byte(seed: int) -> None:
    """A partition that crashes at any write and is read again from its beginning says every event with one content."""
    crash_often(sequence(seed, 1_500), random.Random(seed), crashes_at_most=5)


@pytest.mark.parametrize("seed", [0, 1, 6837])
def test_crashes_change_no_byte_under_any_model(seed: int) -> None:
    """Crashes change nothing for accounts whose model is computed for each by itself."""
    crash_often(sequence(seed, 500, models_market), random.Random(seed), crashes_at_most=5)


@pytest.mark.parametrize("seed", range(6))
def test_taking_over_changes_no_byte(seed: int) -> None:
    """Whoever takes all partitions over, at any record, writes what the one before would have: under every model."""
    items, draw = sequence(seed, 500, models_market), random.Random(seed)
    state, stored, said = new_state(), [dict[bytes, bytes]() for _ in range(P)], dict[str, set[str]]()
    for partition in range(P):
        open_shard(state, partition, None, [], partitions=P, epoch=1)
    for item in items:
        step(state, [item])
        if draw.random() < 0.4:
            flush = collect(state)
            for event in flush.events:
                said.setdefault(event.id, set()).add(event.body.decode())
            confirm(state, flush)
            for value in flush.values:
                stored[value.partition][value.key] = value.value
            state = taken_over(state, stored)
    for event in collect(state).events:
        said.setdefault(event.id, set()).add(event.body.decode())
    expected = together(items)
    assert expected
    assert said == {identity: {body} for identity, body in expected.items()}


def taken_over(state: State, stored: list[dict[bytes, bytes]]) -> State:
    """A state made from what is stored of another, and from the market, which anybody reads the same."""
    successor = State(market=state.market, book=Book())
    for partition, values in enumerate(stored):
        open_stored(successor, values, partition, epoch=1)
        confirm_pending(successor, partition)
    return successor


def crash_often(items: list[Sourced], draw: random.Random, *, crashes_at_most: int) -> None:
    """Crash every partition at random records, and compare with a state that never did."""
    expected = together(items)
    assert expected
    said: dict[str, set[str]] = {}
    for partition in range(P):
        mine, stored, crashes = part(items, partition), dict[bytes, bytes](), 0
        while True:
            state, again = recovered(stored, partition, crashes + 1)
            for identity, body in again:
                said.setdefault(identity, set()).add(body)
            if run(state, mine, stored, said, draw, crash=crashes < crashes_at_most):
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
