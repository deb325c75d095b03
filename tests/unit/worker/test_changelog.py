"""What recovery keeps of the state changelog, and what it refuses."""

from __future__ import annotations

import pytest

from monitor.engine.state import Account, Marker, encode
from monitor.worker.changelog import Letters, RecoveredState, encode_letters
from monitor.worker.errors import CorruptState
from schemas.records import AccountConfig

START_US = 1_760_000_000_000_000


def account(name: str, epoch: int, version: int) -> bytes:
    config = AccountConfig(account=name, event_time_us=START_US)
    return encode(Account(config=config, epoch=epoch, version=version))


def marker(partition: int, epoch: int, flush: int = 0) -> bytes:
    return encode(Marker(partition=partition, partitions=4, epoch=epoch, flush=flush))


def recovered(*records: tuple[int, bytes | None, bytes | None]) -> RecoveredState:
    state = RecoveredState("changelog")
    for offset, (partition, key, value) in enumerate(records):
        state.add(partition, offset, key, value)
    return state


def test_the_larger_epoch_wins_whatever_came_last() -> None:
    """A paused worker's late value is not kept, and the kept one is to be written again."""
    newer = account("a", epoch=2, version=7)
    state = recovered((0, b"a", account("a", 1, 6)), (0, b"a", newer), (0, b"a", account("a", 1, 8)))
    taken = state.take(0)
    assert [(item.epoch, item.version) for item in taken.accounts] == [(2, 7)]
    assert taken.repairs == [(b"a", newer)]


def test_what_comes_behind_the_claim_of_a_successor_is_void() -> None:
    """A fenced worker's value has the larger version; the one before the claim counts, and is repaired in its epoch."""
    state = recovered(
        (0, b"!marker/0", marker(0, 1)), (0, b"a", account("a", 1, 5)), (0, b"!marker/0", marker(0, 2)),
        (0, b"a", account("a", 1, 6)), (0, b"b", account("b", 1, 1)),
    )  # fmt: skip
    assert (state.epoch(0), state.openings(0), state.has_accounts(0)) == (2, 1, True)
    taken = state.take(0)
    assert [(item.name, item.version) for item in taken.accounts] == [("a", 5)]
    assert taken.repairs == [(b"a", account("a", 2, 5))]


def test_two_claims_of_one_epoch_are_told_apart_from_one() -> None:
    """Whoever finds another claim of its epoch beside its own has to claim again."""
    state = recovered((0, b"!marker/0", marker(0, 3)), (0, b"!marker/0", marker(0, 3)))
    assert (state.epoch(0), state.openings(0)) == (3, 2)


def test_within_an_epoch_the_larger_version_wins_and_needs_no_repair() -> None:
    """Values in their order leave nothing to repair."""
    taken = recovered(*[(0, b"a", account("a", 3, version)) for version in (1, 2, 3)]).take(0)
    assert [item.version for item in taken.accounts] == [3]
    assert taken.repairs == []


def test_the_last_of_equal_markers_counts() -> None:
    """A marker that is written again with what is published replaces the one before."""
    first = encode(Marker(partition=1, partitions=4, epoch=2, flush=5, published_flush=4))
    second = encode(Marker(partition=1, partitions=4, epoch=2, flush=5, published_flush=5))
    taken = recovered((1, b"!marker/1", first), (1, b"!marker/1", second)).take(1)
    assert taken.marker is not None
    assert taken.marker.published_flush == 5


def test_the_epoch_is_the_largest_of_all_records_of_the_partition() -> None:
    """The next owner's epoch has to be larger than any that was ever written, lost values included."""
    late = account("a", 4, 9)
    state = recovered((0, b"!marker/0", marker(0, 4)), (0, b"a", account("a", 5, 1)), (0, b"a", late))
    state.add(1, 0, b"!marker/1", marker(1, 9))
    assert (state.take(0).epoch, state.take(1).epoch, state.take(2).epoch) == (5, 9, 0)


def test_owed_dead_letters_are_recovered() -> None:
    """Rows and reported market positions come back as they were stored."""
    letters = Letters(2, 7, (("risk.trades.v1", 5, 0, "unknown_instrument", "NOPE"),), {"market.ticks.v1": (9, 1)})
    taken = recovered((0, b"!dead-letters/0", encode_letters(letters))).take(0)
    assert taken.letters == letters


GOOD = account("a", 1, 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"a", GOOD[:-1]),
        (b"a", b""),
        (b"a", b"\xff\x00"),
        (b"a", b"[]"),
        (b"a", b"{}"),
        (b"a", GOOD.replace(b'"timers":{}', b'"timers":7')),
        (b"a", None),
        (None, GOOD),
        (b"b", GOOD),
        (b"\xff", GOOD),
        (b"a", GOOD.replace(b'"layout":1', b'"layout":2')),
        (b"!marker/1", marker(1, 1)),
        (b"!marker/3", marker(1, 1)),
        (b"!marker/3", marker(3, 1).replace(b'"layout":1', b'"layout":9')),
        (b"!dead-letters/3", b'{"epoch":1}'),
        (b"!other", b"{}"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_by_name(key: bytes | None, value: bytes | None) -> None:
    """Whatever is wrong with a record, the refusal names its partition and offset."""

    def recover() -> None:
        state = RecoveredState("the-changelog")
        state.add(3, 17, key, value)
        state.take(3)

    with pytest.raises(CorruptState, match="the-changelog partition 3 offset 17 "):
        recover()
