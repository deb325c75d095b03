from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from monitor.engine.merge import MAX_WAIT_MS, LiveMerge, Wait, merge_sorted, order_time_us
from monitor.engine.state import Sourced
from schemas.records import Heartbeat, PriceTick
from schemas.topics import SOURCE_RANK
from tests.unit.engine.market_records import at, source_tick

TICKS, TRADES, INSTRUMENTS = "market.ticks.v1", "risk.trades.v1", "market.instruments.v1"


def item(seconds: float, offset: int, topic: str = TICKS, index: int = 0) -> Sourced:
    record = Heartbeat(source="publisher", event_time_us=at(seconds))
    return Sourced(topic=topic, partition=0, offset=offset, index=index, record=record)


def merge_of(**inputs: list[float]) -> LiveMerge:
    """A merge with one input per keyword, caught up, holding records of the given times."""
    merge = LiveMerge()
    for rank, (key, times) in enumerate(inputs.items()):
        merge.add_input(key, rank)
        for offset, seconds in enumerate(times):
            merge.push(key, item(seconds, offset, key))
    return merge


def taken(merge: LiveMerge, now_ms: float = 0.0) -> list[tuple[str, int]]:
    """Topic and offset of all that can be taken."""
    result = []
    while isinstance(found := merge.next(now_ms), Sourced):
        result.append((found.topic, found.offset))
    return result


def test_the_smallest_event_time_is_taken_first() -> None:
    """Records of several inputs come in order of event time, equal times in order of rank."""
    merge = merge_of(a=[1, 4, 6], b=[2, 4, 5])
    assert taken(merge) == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("b", 2), ("a", 2)]
    assert merge.late == 0


def test_ranks_follow_the_topic_table() -> None:
    """At equal event times definitions come before prices, and prices before trades."""
    merge = LiveMerge()
    for topic in (TRADES, TICKS, INSTRUMENTS):
        merge.add_input(topic, SOURCE_RANK[topic])
        merge.push(topic, item(5, 0, topic))
    assert [topic for topic, _ in taken(merge)] == [INSTRUMENTS, TICKS, TRADES]


def test_one_input_keeps_the_order_of_its_offsets() -> None:
    """A late record comes in its place within its input, is then taken at once, and is counted."""
    merge = merge_of(a=[1, 10, 3], b=[5, 11])
    assert taken(merge) == [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("b", 1)]
    assert merge.late == 1


def test_offsets_and_indices_break_ties() -> None:
    """Equal time and rank: offset, index in the frame, then the order of registration."""
    merge = LiveMerge()
    for key in ("p0", "p1", "p2"):
        merge.add_input(key, 0)
    merge.push("p2", item(1, 7, "p2", 0))
    merge.push("p1", item(1, 7, "p1", 1))
    merge.push("p0", item(1, 8, "p0", 0))
    assert [topic for topic, _ in taken(merge)] == ["p2", "p1", "p0"]
    for key in ("p1", "p0"):
        merge.push(key, item(2, 9, key))
    assert [topic for topic, _ in taken(merge)] == ["p0", "p1"]


def test_an_input_that_is_caught_up_is_never_waited_for() -> None:
    """Empty inputs without anything on the broker do not delay the others."""
    merge = merge_of(a=[1], b=[])
    assert taken(merge) == [("a", 0)]
    assert merge.next(0.0) is None
    assert merge.waits == 0


def test_an_input_with_unfetched_records_is_waited_for() -> None:
    """While the broker holds records of an empty input, the others wait for its answer."""
    merge = merge_of(a=[5], b=[])
    merge.set_unfetched("b", True)
    assert merge.next(100.0) == Wait(MAX_WAIT_MS, ("b",), False)
    assert merge.next(120.0) == Wait(MAX_WAIT_MS - 20.0, ("b",), False)
    merge.push("b", item(1, 0, "b"))
    merge.set_unfetched("b", False)
    assert taken(merge, 130.0) == [("b", 0), ("a", 0)]
    assert merge.late == 0
    assert (merge.waits, merge.waited_ms) == (1, 30.0)


def test_waiting_is_bounded() -> None:
    """An input that does not answer within 50 ms is passed over until it answers, and what it brings then is late."""
    merge = merge_of(a=[5, 6, 7], b=[])
    merge.set_unfetched("b", True)
    assert isinstance(merge.next(0.0), Wait)
    assert taken(merge, MAX_WAIT_MS) == [("a", 0), ("a", 1), ("a", 2)]
    merge.push("a", item(8, 3, "a"))
    assert taken(merge, MAX_WAIT_MS + 1) == [("a", 3)]
    merge.push("b", item(1, 0, "b"))
    merge.push("a", item(9, 4, "a"))
    assert taken(merge, MAX_WAIT_MS + 2) == [("b", 0)]
    assert merge.late == 1
    assert merge.next(60.0) == Wait(MAX_WAIT_MS - 8.0, ("b",), False)
    assert (merge.waits, merge.waited_ms) == (2, 50.0)


def test_an_input_can_be_waited_for_until_it_answers() -> None:
    """With infinite patience an input holds the others back until it delivers, or its patience is taken back."""
    merge = merge_of(a=[5, 6], b=[])
    merge.set_unfetched("b", True, max_wait_ms=math.inf)
    for now_ms in (0.0, 50.0, 60_000.0):
        assert merge.next(now_ms) == Wait(MAX_WAIT_MS, ("b",), False)
    merge.push("b", item(1, 0, "b"))
    assert merge.next(60_001.0) == item(1, 0, "b")
    assert merge.next(60_002.0) == Wait(MAX_WAIT_MS, ("b",), False)
    merge.set_unfetched("b", True, max_wait_ms=100.0)
    assert merge.next(60_101.0) == Wait(1.0, ("b",), False)
    assert taken(merge, 60_102.0) == [("a", 0), ("a", 1)]


def test_each_input_has_its_own_wait() -> None:
    """An input that becomes empty later is waited for anew, whatever was waited for before."""
    merge = merge_of(a=[5, 6], b=[], c=[1])
    merge.set_unfetched("b", True)
    merge.set_unfetched("c", True)
    assert merge.next(0.0) == Wait(50.0, ("b",), False)
    assert merge.next(50.0) == item(1, 0, "c")
    assert merge.next(60.0) == Wait(50.0, ("c",), False)
    assert merge.next(109.0) == Wait(1.0, ("c",), False)
    assert merge.next(110.0) == item(5, 0, "a")
    assert (merge.waits, merge.waited_ms) == (2, 100.0)


def test_news_that_nothing_is_left_ends_the_wait() -> None:
    """An input whose end was reached is no longer waited for."""
    merge = merge_of(a=[5], b=[])
    merge.set_unfetched("b", True)
    assert isinstance(merge.next(0.0), Wait)
    merge.set_unfetched("b", False)
    assert taken(merge, 1.0) == [("a", 0)]


def test_definitions_are_waited_for_without_bound() -> None:
    """A trade waits for its instrument as long as the broker holds definitions that were not fetched."""
    merge = LiveMerge()
    merge.add_input(INSTRUMENTS, SOURCE_RANK[INSTRUMENTS], definitions=True)
    merge.add_input(TRADES, SOURCE_RANK[TRADES])
    merge.push(TRADES, item(5, 0, TRADES))
    merge.set_unfetched(INSTRUMENTS, True)
    for now_ms in (0.0, 50.0, 10_000.0):
        assert merge.next(now_ms) == Wait(MAX_WAIT_MS, (INSTRUMENTS,), True)
    merge.push(INSTRUMENTS, item(1, 0, INSTRUMENTS))
    merge.set_unfetched(INSTRUMENTS, False)
    assert taken(merge, 10_001.0) == [(INSTRUMENTS, 0), (TRADES, 0)]
    assert merge.waited_ms == 10_001.0


def test_a_closed_gate_keeps_records_and_delays_nobody() -> None:
    """A closed input receives, is not read and not waited for; opened, it takes part with what it kept."""
    merge = merge_of(a=[3, 4], b=[1, 2])
    merge.close("b")
    merge.push("b", item(5, 2, "b"))
    merge.set_unfetched("b", True)
    assert merge.next(0.0) == item(3, 0, "a")
    assert merge.buffered("b") == 3
    merge.open("b")
    merge.open("b")
    assert taken(merge) == [("b", 0), ("b", 1), ("a", 1), ("b", 2)]
    assert isinstance(merge.next(0.0), Wait)
    merge.close("b")
    assert merge.next(0.0) is None


def test_a_gate_may_close_and_open_around_the_same_record() -> None:
    """Closing and opening an input any number of times neither repeats nor loses its head."""
    merge = merge_of(a=[1, 1, 1], b=[1, 1])
    for _ in range(5):
        merge.close("a")
        merge.open("a")
    assert taken(merge) == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]


def test_an_input_added_closed_waits_for_its_gate() -> None:
    """A new shard's inputs collect records before they may be read."""
    merge = merge_of(a=[2])
    merge.add_input("new", 9, is_open=False)
    merge.push("new", item(1, 0, "new"))
    assert taken(merge) == [("a", 0)]
    merge.open("new")
    assert taken(merge) == [("new", 0)]


def test_a_removed_input_takes_its_records_along() -> None:
    """After a revocation nothing of the input is given out, and it may be added again from another offset."""
    merge = merge_of(a=[3], b=[1, 2])
    merge.set_unfetched("b", True)
    assert merge.remove_input("b") == 2
    assert merge.next(0.0) == item(3, 0, "a")
    assert merge.next(0.0) is None
    merge.add_input("b", 1)
    merge.push("b", item(1, 0, "b"))
    assert taken(merge) == [("b", 0)]
    assert merge.buffered() == 0


def test_misuse_is_an_error() -> None:
    """Keys are unique and known, and an input's positions only grow."""
    merge = merge_of(a=[1, 2])
    with pytest.raises(ValueError, match="exists"):
        merge.add_input("a", 0)
    with pytest.raises(ValueError, match="after"):
        merge.push("a", item(3, 1, "a"))
    merge.push("a", item(3, 1, "a", index=1))
    with pytest.raises(KeyError):
        merge.push("b", item(1, 0, "b"))


def test_a_record_from_the_future_does_not_hold_its_input_back() -> None:
    """A tick whose clock is ahead of its own arrival is ordered by the arrival, so that it is refused in its place."""
    wrong = source_tick(10_000, "a", 100.0, received_time_us=at(2))
    assert order_time_us(Sourced(TICKS, 0, 0, 0, wrong)) == at(2)
    merge = merge_of(trades=[1, 3, 5])
    merge.add_input(TICKS, 3)
    good: PriceTick = source_tick(4, "a", 100.0, received_time_us=at(4.1))
    merge.push(TICKS, Sourced(TICKS, 0, 0, 0, wrong))
    merge.push(TICKS, Sourced(TICKS, 0, 1, 0, good))
    assert taken(merge) == [("trades", 0), (TICKS, 0), ("trades", 1), (TICKS, 1), ("trades", 2)]


def test_complete_inputs_merge_without_waiting() -> None:
    """The offline merge gives the same order, reading one record of each input at a time."""
    pulled: list[int] = []

    def generate() -> Iterator[Sourced]:
        for offset, seconds in enumerate([1, 10, 3]):
            pulled.append(offset)
            yield item(seconds, offset, "a")

    merged = merge_sorted([(0, generate()), (1, [item(5, 0, "b"), item(11, 1, "b")])])
    first = next(merged)
    assert (first.topic, first.offset) == ("a", 0)
    assert pulled == [0]
    assert [(one.topic, one.offset) for one in merged] == [("b", 0), ("a", 1), ("a", 2), ("b", 1)]
