"""Properties of the engine as a whole: one answer, whatever the batches, crashes and repeats."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import get_args

import msgspec
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
    evaluate_account,
    new_state,
    open_shard,
    pending,
    step,
)
from monitor.engine.book import Book
from monitor.engine.outbox import Event, Value
from schemas.records import AccountEvent, AttributionGroup
from schemas.topics import MARKET_TOPICS
from tests.engine_market import Log, random_market

ACCOUNTS = ("a", "b", "c", "d", "e", "f")
PARTITION_OF = {name: number % 2 for number, name in enumerate(ACCOUNTS)}
MARKET = {topic.name for topic in MARKET_TOPICS}


def _sources(seed: int, records: int, pace: int = 1) -> list[Sourced]:
    log = Log(partition_of=PARTITION_OF)
    return [log(record) for record in random_market(seed, records, ACCOUNTS, pace)]


def _open(state: State, stored: dict[bytes, bytes], epoch: int) -> None:
    for partition in (0, 1):
        marker = stored.get(b"!marker/%d" % partition)
        accounts = [
            decode_account(value)
            for key, value in stored.items()
            if not key.startswith(b"!") and PARTITION_OF[key.decode()] == partition
        ]
        open_shard(state, partition, decode_marker(marker) if marker else None, accounts, partitions=2, epoch=epoch)


def _reference(sources: list[Sourced]) -> tuple[dict[str, bytes], State]:
    state = new_state()
    _open(state, {}, 1)
    events = {item.id: item.body.encode() for item in step(state, sources)}
    return events, state


def _portfolios(state: State) -> dict[str, tuple[object, ...]]:
    return {
        name: (account.balances, account.holdings, account.status, account.sequence, account.episode, account.timers)
        for shard in state.shards.values()
        for name, account in shard.accounts.items()
    }


def _rebuilt(state: State) -> Book:
    book = Book()
    for shard in state.shards.values():
        for account in shard.accounts.values():
            book.set_account(account, state.market)
    return book


@pytest.mark.parametrize("pace", [1, 20])
@pytest.mark.parametrize("seed", range(4))
def test_the_book_says_what_a_book_built_from_nothing_says(seed: int, pace: int) -> None:
    """After any sequence, incremental figures equal a recomputation from the accounts and the market, bit for bit."""
    _, state = _reference(_sources(seed, 600, pace))
    assert (state.market.ticks.correlation.version > 0) == (pace > 1)
    kept = {name: evaluate_account(state, name) for name in ACCOUNTS}
    state.book = _rebuilt(state)
    assert {name: evaluate_account(state, name) for name in ACCOUNTS} == kept


@pytest.mark.parametrize("seed", range(2))
def test_bounds_decide_as_exact_solves_do(seed: int) -> None:
    """Whenever it is asked, the book's conditions are those of requirements solved from nothing."""
    state = new_state()
    _open(state, {}, 1)
    known: set[str] = set()
    for number, source in enumerate(_sources(seed, 400, pace=20)):
        step(state, [source])
        known = {name for shard in state.shards.values() for name in shard.accounts}
        if number % 11 == 0:
            exact = _rebuilt(state)
            assert {name: state.book.conditions(name) for name in known} == {
                name: exact.conditions(name) for name in known
            }
    assert known == set(ACCOUNTS)


@pytest.mark.parametrize("seed", range(4))
def test_every_attribution_sums_to_the_change_since_the_event_before(seed: int) -> None:
    """Eight parts in order; they sum to the change of IM since the base, which is the account's previous event."""
    events, _ = _reference(_sources(seed, 700, pace=20))
    bodies = [msgspec.json.decode(body, type=AccountEvent) for body in events.values()]
    previous: dict[str, AccountEvent] = {}
    explained = 0
    for event in sorted(bodies, key=lambda event: (event.account, event.sequence)):
        before = previous.get(event.account)
        previous[event.account] = event
        base = event.attribution_base
        if event.attribution is None or base is None:
            assert any(flag.startswith(("unvalued", "no_price")) for flag in event.data_quality)
            continue
        assert tuple(part.group for part in event.attribution) == get_args(AttributionGroup)
        change = event.im_requirement_usd - base.im_requirement_usd
        total = sum(part.change_usd for part in event.attribution)
        assert abs(total - change) <= 1e-9 * max(1.0, event.im_requirement_usd)
        if before is not None:
            assert base.sequence == before.sequence
            assert base.im_requirement_usd == before.im_requirement_usd
        explained += 1
    assert explained >= 3


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 400), max_size=8))
@settings(max_examples=25, deadline=None)
def test_batches_do_not_matter(seed: int, cuts: list[int]) -> None:
    """The same records in any batches give the same events, byte for byte."""
    sources = _sources(seed, 300)
    events, _ = _reference(sources)
    state = new_state()
    _open(state, {}, 1)
    found: dict[str, bytes] = {}
    start = 0
    for stop in [*sorted({min(cut, len(sources)) for cut in cuts}), len(sources)]:
        found |= {item.id: item.body.encode() for item in step(state, sources[start:stop])}
        start = stop
    assert found == events


@dataclass
class _World:
    """Topics as a crash leaves them: stored values, events on topics, and acknowledged source offsets."""

    stored: dict[bytes, bytes] = field(default_factory=dict)
    topic: list[tuple[str, bytes]] = field(default_factory=list)
    acknowledged: int = 0


class _Killed(Exception):
    pass


@dataclass
class _Worker:
    """One worker, which dies after `life` effects; an effect is one write that the broker has."""

    world: _World
    life: int

    def effect(self) -> None:
        """Count one write, or die before it."""
        if self.life == 0:
            raise _Killed
        self.life -= 1

    def store(self, values: list[Value]) -> None:
        for value in values:
            self.effect()
            self.world.stored[value.key] = value.value

    def send(self, events: list[Event]) -> None:
        for event in events:
            self.effect()
            self.world.topic.append((event.id, event.body))

    def run(self, sources: list[Sourced], draw: random.Random, epoch: int) -> None:
        """Recover, send what is pending, then step and flush in random batches; at the end, a last marker."""
        state = new_state()
        _open(state, self.world.stored, epoch)
        for partition in (0, 1):
            self.send(pending(state, partition))
            confirm_pending(state, partition)
        done = 0
        while done < len(sources):
            batch = sources[done : done + draw.randint(1, 60)]
            # The market is folded from its first record; account inputs come from the acknowledged offset on.
            acknowledged = self.world.acknowledged
            step(state, [s for k, s in enumerate(batch, done) if s.topic in MARKET or k >= acknowledged])
            done += len(batch)
            flush = collect(state)
            self.store(flush.values)
            self.send(flush.events)
            confirm(state, flush)
            self.effect()
            self.world.acknowledged = max(acknowledged, done)
        self.store(collect(state).values)


@given(seed=st.integers(0, 10_000), lives=st.lists(st.integers(0, 120), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_crashes_lose_nothing_and_give_no_id_two_contents(seed: int, lives: list[int]) -> None:
    """Whatever write a worker dies at, the topics end with exactly the reference's events, byte for byte."""
    sources = _sources(seed, 300)
    events, reference = _reference(sources)
    draw = random.Random(seed)
    world = _World()
    for epoch, life in enumerate([*lives, 1_000_000], start=1):
        with suppress(_Killed):
            _Worker(world, life).run(sources, draw, epoch)
    assert {identity for identity, _ in world.topic} == set(events)
    assert all(events[identity] == body for identity, body in world.topic)
    last = new_state()
    _open(last, world.stored, 99)
    assert _portfolios(last) == _portfolios(reference)
    for partition in (0, 1):
        assert pending(last, partition) == []
