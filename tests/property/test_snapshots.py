"""Market snapshots: going on from one is going on from the beginning, byte for byte; a broken one is never used."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import (
    Sourced,
    State,
    collect,
    confirm,
    decode_account,
    decode_marker,
    new_state,
    open_shard,
    rewind,
    step,
)
from monitor.engine.snapshot import (
    KEPT_EACH,
    Restored,
    Snapshot,
    UnusableSnapshot,
    fold_of,
    is_kept,
    market_of,
    parts,
    restore,
    take,
)
from monitor.engine.state import encode
from schemas.codec import decode_message
from schemas.codec import encode as encode_record
from schemas.keys import record_key
from schemas.records import START, MarketSnapshotPart
from schemas.topics import MARKET_SNAPSHOTS, MARKET_TOPICS, TICKS
from tests.engine_market import Log, random_market

ACCOUNTS = ("a", "b", "c")
MARKET = {topic.name for topic in MARKET_TOPICS}
Stored = tuple[bytes, list[bytes]]


@dataclass(frozen=True, slots=True)
class Run:
    """What one engine left: bodies of its events, its stored values, and its market's state by topic."""

    events: list[str]
    stored: Stored
    market: dict[str, bytes]


def of_seed(seed: int, pace: int) -> list[Sourced]:
    log = Log()
    return [log(record) for record in random_market(seed, 120, ACCOUNTS, pace)]


def ended(state: State, events: Iterable[str]) -> Run:
    """Take what is stored and what the market is."""
    flush = collect(state)
    confirm(state, flush)
    shard = state.shards[0]
    stored = encode(shard.marker), [encode(account) for _, account in sorted(shard.accounts.items())]
    market = {name: msgspec.msgpack.encode(fold_of(state.market, name).snapshot()) for name in sorted(MARKET)}
    return Run(list(events), stored, market)


def taken_over(stored: Stored, market: Mapping[str, Restored]) -> State:
    """Open a successor on what is stored and a market from snapshots."""
    state = new_state()
    rewind(state, market_of(market))
    marker, accounts = stored
    open_shard(state, 0, decode_marker(marker), map(decode_account, accounts), partitions=1, epoch=2)
    return state


def gone_on(stored: Stored, market: Mapping[str, Restored], items: list[Sourced], cut: int) -> Run:
    """Fold the market again behind its snapshots, and go on behind the cut."""
    state = taken_over(stored, market)
    starts = {name: market[name].offset if name in market else 0 for name in MARKET}
    again = [item for item in items[:cut] if item.topic in MARKET and item.offset >= starts[item.topic]]
    events = step(state, again)
    events += step(state, items[cut:])
    return ended(state, [event.body for event in events])


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 1.0), every=st.integers(1, 40), pace=st.sampled_from([1, 20]))
def test_a_market_from_snapshots_goes_on_as_one_from_the_beginning(
    seed: int, share: float, every: int, pace: int
) -> None:
    """At any cut, with each topic's fold from another offset: the same events, states and folds, to the last byte."""
    items = of_seed(seed, pace)
    cut = max(1, int(share * len(items)))
    state, snapshots = new_state(), {}
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    due = dict.fromkeys(MARKET, every)
    draw = random.Random(seed)
    before: list[str] = []
    for item in items[:cut]:
        if item.topic in due and item.offset >= due[item.topic]:
            offset = item.offset // every * every
            due[item.topic] = offset + every
            if draw.random() < 0.7:
                snapshots[item.topic] = list(parts(take(state.market, item.topic, offset), draw.choice((100, 300_000))))
        before += [event.body for event in step(state, [item])]
    first = ended(state, before)
    restored = {name: restore(draw.sample(found, len(found))) for name, found in snapshots.items()}
    from_zero = gone_on(first.stored, {}, items, cut)
    from_snapshots = gone_on(first.stored, restored, items, cut)
    assert from_snapshots == from_zero
    alone = new_state()
    open_shard(alone, 0, None, [], partitions=1, epoch=1)
    assert first.events + from_snapshots.events == [event.body for event in step(alone, items)]
    assert from_snapshots.market == ended(alone, ()).market


def snapshot(seed: int = 3) -> Snapshot:
    state = new_state()
    step(state, [item for item in of_seed(seed, 20) if item.topic in MARKET])
    return take(state.market, TICKS.name, 100)


def test_parts_pass_through_their_topic() -> None:
    """Each part is a legal record under its own key, no longer than it was asked to be, and all restore the fold."""
    found = []
    for part in parts(snapshot(), 300):
        assert len(part.state) <= 300
        (row,) = decode_message(MARKET_SNAPSHOTS.name, record_key(part), encode_record(part)).records
        assert isinstance(row[1], MarketSnapshotPart)
        found.append(row[1])
    assert len(found) > 3
    assert len({record_key(part) for part in found}) == len(found)
    assert msgspec.msgpack.encode(restore(found).fold.snapshot()) == snapshot().state


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_is_missing_or_changed_is_never_restored(data: st.DataObject) -> None:
    """A part that is missing, from another snapshot, or changed in any field makes the snapshot unusable."""
    found = list(parts(snapshot(), 2_000))
    at = data.draw(st.integers(0, len(found) - 1))
    part = found[at]
    how = data.draw(st.sampled_from(["missing", "state", "position", "offset", "layout", "digest", "chunks"]))
    changed = {
        "state": bytes([part.state[0] ^ 1]) + part.state[1:], "position": (part.position[0], part.position[1] + 1),
        "offset": part.offset + 1, "layout": part.layout + 1, "digest": "0" * 64, "chunks": part.chunks + 1,
    }  # fmt: skip
    if how == "missing":
        del found[at]
    else:
        # The same change in all parts, so that they agree with each other.
        names = range(len(found)) if how in {"position", "offset", "layout", "chunks"} else [at]
        for number in names:
            found[number] = msgspec.structs.replace(found[number], **{how: changed[how]})
    with pytest.raises(UnusableSnapshot) as raised:
        restore(found)
    kinds = {"missing": "incomplete", "layout": "layout", "chunks": "incomplete"}
    assert raised.value.kind == kinds.get(how, "digest")


def test_a_state_of_another_form_is_not_restored() -> None:
    """A snapshot whose digest is right and whose state this build cannot read is passed over, not half restored."""
    other = Snapshot(TICKS.name, 100, (99, 0), msgspec.msgpack.encode({"layout": 7, "clock": None}))
    with pytest.raises(UnusableSnapshot) as raised:
        restore(parts(other))
    assert raised.value.kind == "unreadable"


@given(every=st.sampled_from([1, 100_000]), last=st.integers(1, 5_000), back=st.integers(0, 5_000))
def test_few_snapshots_are_kept_and_one_near_every_shard(every: int, last: int, back: int) -> None:
    """They are few, the newest is among them, and a shard folds no more than a few times its distance again."""
    kept = [number for number in range(1, last + 1) if is_kept(number * every, last * every, every)]
    assert last in kept
    assert len(kept) <= KEPT_EACH * (1 + last.bit_length())
    reached = max(0, last - back)
    start = max((number for number in kept if number <= reached), default=0)
    assert last - start <= (KEPT_EACH + 2) * max(1, last - reached)


def test_a_market_of_no_snapshot_is_a_new_one() -> None:
    """Without snapshots the market begins at the beginning of every topic."""
    assert set(market_of({}).positions.values()) == {START}
