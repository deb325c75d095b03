from __future__ import annotations

import json

import pytest

from monitor.engine import minutes
from monitor.engine.composite import RejectedTick, TicksFold
from monitor.engine.minutes import MINUTE_US, Minute, Sample, boundary_after, minutes_between
from schemas.records import Tick
from tests.unit.engine.market_records import at, heartbeat, source_tick, trade_tick

# The records of these tests begin at a whole minute.
assert at(0) % MINUTE_US == 0


class Listener:
    """Keeps the minutes it was told."""

    def __init__(self) -> None:
        self.minutes: list[Minute] = []

    def on_minute(self, minute: Minute) -> None:
        self.minutes.append(minute)

    @property
    def seconds(self) -> list[float]:
        return [(minute.time_us - at(0)) / 1e6 for minute in self.minutes]

    def samples(self, underlying: str = "BTC") -> list[Sample]:
        return [minute.samples[underlying] for minute in self.minutes]


def listen(*ticks: Tick) -> Listener:
    """Fold ticks and return what a listener was told meanwhile."""
    fold, listener = TicksFold(), Listener()
    fold._listeners = (listener,)
    for tick in ticks:
        fold.apply(tick)
    return listener


@pytest.mark.parametrize(
    ("time_us", "expected"), [(1, MINUTE_US), (MINUTE_US, MINUTE_US), (MINUTE_US + 1, 2 * MINUTE_US)]
)
def test_a_minute_belongs_to_what_it_ends(time_us: int, expected: int) -> None:
    """The next whole minute is the first at or after a time."""
    assert boundary_after(time_us) == expected


def test_a_minute_is_over_when_it_is_exceeded() -> None:
    """A record at a whole minute is in its sample; the first later one ends the minute before it is folded."""
    told = listen(source_tick(0, "a", 100.0), source_tick(60, "a", 101.0))
    assert told.seconds == [0.0]
    told = listen(source_tick(0, "a", 100.0), source_tick(60, "a", 101.0), source_tick(60.5, "a", 150.0))
    assert told.seconds == [0.0, 60.0]
    assert [sample.price_usd for sample in told.samples()] == [100.0, 101.0]


def test_any_record_ends_a_minute() -> None:
    """Heartbeats and trades of instruments end minutes as index ticks do."""
    assert listen(source_tick(1, "a", 100.0), heartbeat(61)).seconds == [60.0]
    assert listen(source_tick(1, "a", 100.0), trade_tick(61, 101.0)).seconds == [60.0]


def test_a_leap_ends_every_minute_once_in_order() -> None:
    """A record several minutes later ends each minute between; the next record none of them again."""
    told = listen(source_tick(1, "a", 100.0), heartbeat(200), heartbeat(201), heartbeat(181), heartbeat(240))
    assert told.seconds == [60.0, 120.0, 180.0]
    assert all(minute.skipped == 0 for minute in told.minutes)


def test_nothing_is_over_before_the_first_record() -> None:
    """The first record ends no minute, whenever it comes; minutes without an index have no samples."""
    assert listen(heartbeat(30)).minutes == []
    assert [dict(minute.samples) for minute in listen(heartbeat(30), heartbeat(61)).minutes] == [{}]


def test_staleness_is_judged_at_the_minute() -> None:
    """In a leap an index gets stale at the minute at which too few of its sources are fresh."""
    told = listen(
        source_tick(0, "a", 100.0, max_age_ms=60_000), source_tick(1, "b", 101.0, max_age_ms=120_000), heartbeat(400)
    )
    assert told.seconds == [0.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0]
    by_second = dict(zip(told.seconds, told.samples(), strict=True))
    assert not by_second[60.0].stale
    assert by_second[120.0].stale
    assert by_second[120.0].held
    assert by_second[360.0] == Sample(100.5, True, True, at(1))


def test_dispersion_holds_at_the_minute_after_which_it_lasts() -> None:
    """Two sources apart for more than a minute hold the sample, without any record in between."""
    told = listen(source_tick(30, "a", 100.0), source_tick(30, "b", 110.0), heartbeat(121))
    assert [(sample.held, sample.stale) for sample in told.samples()] == [(False, False), (True, False)]


def test_a_jump_holds_the_sample() -> None:
    """A lone source's jump holds the sample at the price from before."""
    told = listen(source_tick(58, "a", 100.0), source_tick(59, "a", 130.0), heartbeat(61))
    assert told.samples() == [Sample(100.0, True, False, at(59))]


def test_a_refused_record_ends_no_minute() -> None:
    """A record whose clock is ahead, or whose price is none, ends nothing; the next good one does."""
    fold, listener = TicksFold(), Listener()
    fold._listeners = (listener,)
    fold.apply(source_tick(1, "a", 100.0))
    before = fold.snapshot()
    for bad in (
        source_tick(90, "a", 101.0, received_time_us=at(61)),
        source_tick(61, "a", 1e16),
    ):
        with pytest.raises(RejectedTick):
            fold.apply(bad)
        assert fold.snapshot() == before
    assert listener.minutes == []
    fold.apply(source_tick(61, "a", 101.0))
    assert listener.seconds == [60.0]


def test_the_newest_tick_of_any_source_counts() -> None:
    """`tick_us` is the newest event time of the index's sources; other ticks do not count."""
    told = listen(
        source_tick(1, "a", 100.0), source_tick(5, "b", 100.0), source_tick(3, "a", 100.0), trade_tick(61, 1.0)
    )
    assert [sample.tick_us for sample in told.samples()] == [at(5)]


def test_a_long_silence_costs_no_more_than_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a leap beyond the bound only the last minutes are told, and the first of them says how many were not."""
    monkeypatch.setattr(minutes, "MAX_MINUTES", 3)
    told = list(minutes_between(at(60), at(601), []))
    assert [minute.time_us for minute in told] == [at(480), at(540), at(600)]
    assert [minute.skipped for minute in told] == [7, 0, 0]
    assert [minute.skipped for minute in minutes_between(at(60), at(240), [])] == [0, 0, 0]
    assert list(minutes_between(at(60), at(60), [])) == []


@pytest.mark.parametrize("cut_s", [0.5, 60, 61, 119.5, 130])
def test_a_restored_fold_ends_the_same_minutes(cut_s: float) -> None:
    """Minutes told before and after a restart are those of a fold that went on."""
    stream = [source_tick(s, "a", 100.0 + s) for s in (0.5, 60, 61, 119.5, 130, 300, 301)]
    whole = listen(*stream)
    first, second = Listener(), Listener()
    fold = TicksFold()
    fold._listeners = (first,)
    for tick in stream:
        if tick.event_time_us <= at(cut_s):
            fold.apply(tick)
    fold = TicksFold.restore(json.loads(json.dumps(fold.snapshot())))
    fold._listeners = (second,)
    for tick in stream:
        if tick.event_time_us > at(cut_s):
            fold.apply(tick)
    assert first.minutes + second.minutes == whole.minutes
