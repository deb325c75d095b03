"""Watchdogs: what they say of observations, without a worker and without a clock."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.worker.observer import ENDINGS
from monitor.worker.watchdogs import (
    WATCHDOGS,
    Bounds,
    Level,
    Observations,
    SourceOffsets,
    Watchdogs,
    offset_hole,
    worst,
)

BOUNDS = Bounds(
    ready_timeout_s=20.0, session_timeout_s=10.0, commit_stalled_s=5.0, commit_end_s=15.0, market_silent_s=4.0,
    publish_stalled_s=3.0, lag_growing_s=30.0, lag_growing_records=100,
)  # fmt: skip


def seen(now_s: float, **fields: Any) -> Observations:
    return Observations(now_s=now_s, **{"ready": True, "partitions": 2, "beat_s": now_s, "heard_s": now_s, **fields})


def levels(dogs: Watchdogs) -> dict[str, Level]:
    return {one.name: one.level for one in worst(dogs.verdicts)}


@pytest.mark.parametrize(
    ("name", "fields", "level"),
    [
        ("recovery_died", {"recovery_alive": False}, Level.FATAL),
        ("commit_stalled", {"uncommitted_since_s": 94.9}, Level.RAISED),
        ("commit_stalled", {"uncommitted_since_s": 84.9}, Level.FATAL),
        ("offset_hole", {"hole": "t/0: 5 is due"}, Level.FATAL),
        ("paused", {"beat_s": 94.9}, Level.RAISED),
        ("paused", {"beat_s": 89.9}, Level.FATAL),
        ("market_silent", {"heard_s": 95.9}, Level.RAISED),
        ("publish_failed", {"sending_since_s": 96.9}, Level.RAISED),
        ("audit_difference", {"sound": False}, Level.RAISED),
        ("disk", {"disk": "full"}, Level.RAISED),
    ],
)
def test_each_speaks_at_its_bound_and_is_silent_again(name: str, fields: dict[str, Any], level: Level) -> None:
    """One condition raises one watchdog, with a reason, and its end clears it; each change is told once."""
    dogs = Watchdogs(BOUNDS, 100.0)
    assert dogs.look(seen(100.0)) == []
    (raised,) = dogs.look(seen(100.0, **fields))
    assert (raised.name, raised.level) == (name, level)
    assert raised.reason
    assert dogs.look(seen(100.0, **fields)) == []
    (cleared,) = dogs.look(seen(100.5))
    assert (cleared.name, cleared.level, cleared.since_s) == (name, Level.OK, 100.5)


@pytest.mark.parametrize(
    "fields",
    [
        {"uncommitted_since_s": 95.0},
        {"beat_s": 95.0},
        {"heard_s": 96.0},
        {"heard_s": None},
        {"heard_s": 0.0, "ready": False},
        {"heard_s": 0.0, "partitions": 0},
        {"sending_since_s": 97.0},
    ],
)
def test_none_speaks_within_its_bound_or_where_it_has_no_say(fields: dict[str, Any]) -> None:
    """At the bound itself all is well, and an idle worker misses no market."""
    dogs = Watchdogs(BOUNDS, 100.0)
    assert dogs.look(seen(100.0, **fields)) == []


def test_a_worker_that_reads_is_given_time() -> None:
    """What counts before it is ready is that something moves, not how long it takes."""
    dogs = Watchdogs(BOUNDS, 0.0)
    for number in range(10):
        dogs.look(seen(number * 19.0, ready=False, progress=number))
    assert levels(dogs) == {}
    dogs.look(seen(9 * 19.0 + 20.0, ready=False, progress=9))
    assert levels(dogs) == {}
    dogs.look(seen(9 * 19.0 + 20.1, ready=False, progress=9))
    assert levels(dogs) == {"not_ready": Level.FATAL}


def follow(lags: list[int], every_s: float = 1.0) -> Watchdogs:
    dogs = Watchdogs(BOUNDS, 0.0)
    for number, lag in enumerate(lags):
        dogs.look(seen(number * every_s, lag_records=lag))
    return dogs


def test_a_lag_that_grows_is_told_and_one_that_is_worked_off_is_not() -> None:
    """Growth over the whole window raises it; a burst, a steady backlog and noise do not."""
    growing = [10 * number for number in range(60)]
    assert levels(follow(growing)) == {"lag_growing": Level.RAISED}
    assert levels(follow([*growing, *range(590, 0, -20)])) == {}
    assert levels(follow([100_000] * 60)) == {}
    assert levels(follow([0, 5_000] * 40)) == {}
    assert levels(follow([0] * 20 + [50_000 - 2_000 * number for number in range(25)])) == {}


observations = st.builds(
    Observations,
    now_s=st.floats(0.0, 1e6), ready=st.booleans(), partitions=st.integers(0, 3), progress=st.integers(0, 5),
    recovery_alive=st.booleans(), uncommitted_since_s=st.none() | st.floats(0.0, 1e6),
    sending_since_s=st.none() | st.floats(0.0, 1e6), heard_s=st.none() | st.floats(0.0, 1e6),
    beat_s=st.floats(0.0, 1e6), hole=st.sampled_from(["", "x"]), lag_records=st.integers(0, 10**9),
    sound=st.booleans(), disk=st.sampled_from(["", "x"]),
)  # fmt: skip


@given(looks=st.lists(observations, max_size=30))
@settings(max_examples=100, deadline=None)
def test_whatever_is_seen_each_has_one_verdict_and_a_reason_for_it(looks: list[Observations]) -> None:
    """Any looks in the order of their times: changes are exactly the levels that moved, and none is unexplained."""
    dogs = Watchdogs(BOUNDS, 0.0)
    for look in sorted(looks, key=lambda one: one.now_s):
        before = {one.name: one.level for one in dogs.verdicts}
        changed = {one.name: one.level for one in dogs.look(look)}
        after = {one.name: one.level for one in dogs.verdicts}
        assert list(after) == list(WATCHDOGS)
        assert changed == {name: level for name, level in after.items() if level != before[name]}
        assert all(bool(one.reason) == (one.level > Level.OK) for one in dogs.verdicts)
        assert {one.name for one in dogs.verdicts if one.level is Level.FATAL} <= set(ENDINGS)


@given(
    looks=st.lists(st.tuples(st.floats(0.1, 30.0), st.booleans(), st.integers(0, 3)), min_size=1, max_size=40),
)
@settings(max_examples=100, deadline=None)
def test_not_ready_ends_exactly_when_nothing_moved_for_the_whole_time(looks: list[tuple[float, bool, int]]) -> None:
    """The verdict follows from the times of the last movement alone, however often one looks in between."""
    dogs, now_s, moved_s, last = Watchdogs(BOUNDS, 0.0), 0.0, 0.0, -1
    for gap_s, ready, progress in looks:
        now_s += gap_s
        if ready or progress != last:
            moved_s, last = now_s, progress
        dogs.look(seen(now_s, ready=ready, progress=progress))
        assert ("not_ready" in levels(dogs)) == (not ready and now_s - moved_s > BOUNDS.ready_timeout_s)


def test_a_commit_passes_no_record_that_is_not_dealt_with() -> None:
    """What is due for commit stays at or below the oldest waiting message and what was read; nothing is lost."""
    good = SourceOffsets("t", 0, committing=5, oldest=5, expected=9)
    assert offset_hole([good, SourceOffsets("t", 1, committing=-1, oldest=None, expected=0)]) == ""
    assert "t/2" in offset_hole([good, SourceOffsets("t", 2, committing=6, oldest=5, expected=9)])
    assert "t/3" in offset_hole([good, SourceOffsets("t", 3, committing=10, oldest=None, expected=9)])
    assert "t/4" in offset_hole([good, SourceOffsets("t", 4, committing=5, oldest=5, expected=9, lost=1)])
