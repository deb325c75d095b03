"""F17: a burst. F18: hours at a steady rate; memory has to stay where it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

from msgspec.structs import replace

from schemas.records import Input, PriceTick
from tests.faults.evidence import STEPS
from tests.faults.plan import Plan, seconds_since, staged
from tests.faults.stage import Stage, rss_mb
from tests.faults.table import Row

GROWTH_MB = 5.0  # over the last two thirds
SOAK_PER_SECOND = 2_000.0
SAMPLE_S = 2.0
TICKS_BETWEEN = 20
MANY = 10_000_000  # the rate is what is looked at: it never sinks
BACK_S = 300.0  # in which lag has to be normal again after a burst
AS_IT_IS = {"LIQMON_OVERLOAD_LAG_MS": "2000"}  # the default: a burst is what an overload is for
FLAT_FROM_S = 600.0  # a shorter run is told, not judged: allocators and code caches still fill


def f17(plan: Plan) -> Iterator[Row]:
    """Publish ten times as much for a while."""
    seconds = plan.choose(10.0, 60.0)
    usual = plan.choose(150.0, 300.0)
    row = Row("F17 burst", "live", f"1 x {10 * usual:,.0f} records/s for {seconds:.0f} s")
    with staged(plan, "live", row, per_second=usual, many=MANY, between=thickened, environment=AS_IT_IS) as stage:
        stage.begin(2)
        stage.wait_for_events(3)
        before = stage.feed.count
        stage.feed.per_second = 10.0 * usual
        stage.crew.idle_for(seconds)
        stage.feed.per_second = usual
        start_s = time.monotonic()
        row.more.append(f"{(stage.feed.count - before) / seconds:,.0f} records/s published")
        stage.crew.until(lambda: stage.behind() < usual, "lag is normal again", BACK_S)
        row.recoveries_s.append(seconds_since(start_s))
        stage.finish()
    yield row


def f18(plan: Plan) -> Iterator[Row]:
    """Publish at a steady rate, and watch the worker's memory."""
    seconds = plan.choose(30.0, 1_800.0)
    row = Row("F18 soak", "live", f"{seconds:.0f} s at {SOAK_PER_SECOND:,.0f} records/s")
    steps = plan.choose(STEPS, 0)
    if not steps:
        row.more.append("events are not computed again: millions of records would have to be held for it")
    with staged(
        plan, "live", row, per_second=SOAK_PER_SECOND, many=MANY, between=thickened, recompute_steps=steps,
        environment=AS_IT_IS,
    ) as stage:  # fmt: skip
        stage.begin(1)
        before = stage.feed.count
        start_s = time.monotonic()
        samples = _watch(stage, seconds)
        rate = (stage.feed.count - before) / seconds_since(start_s)
        stage.finish()
        row.more.append(f"{rate:,.0f} records/s published; {stage.crew.restarts} restarts")
        _judge_memory(row, samples, seconds)
    yield row


def _watch(stage: Stage, seconds: float) -> list[tuple[float, float]]:
    """Return (seconds, MB) of the worker while time passes."""
    samples = []
    start_s = time.monotonic()
    while (now_s := seconds_since(start_s)) < seconds:
        with suppress(OSError):  # it ends now: the crew starts another
            samples.append((now_s, rss_mb(stage.crew.members[0].child.pid)))
        stage.crew.idle_for(SAMPLE_S)
    return samples


def thickened(records: Iterator[Input]) -> Iterator[Input]:
    """Put more ticks of the same source before each one, a millisecond apart: load without ever more events."""
    for record in records:
        if isinstance(record, PriceTick):
            for number in range(TICKS_BETWEEN, 0, -1):
                yield replace(record, event_time_us=record.event_time_us - 1_000 * number)
        yield record


def growth_mb(samples: list[tuple[float, float]]) -> float:
    """Return how much the last two thirds rise, by a straight line through them, MB."""
    last = samples[len(samples) // 3 :]
    mean_s = sum(s for s, _ in last) / len(last)
    mean_mb = sum(mb for _, mb in last) / len(last)
    spread = sum((s - mean_s) ** 2 for s, _ in last)
    slope = sum((s - mean_s) * (mb - mean_mb) for s, mb in last) / spread if spread else 0.0
    return slope * (last[-1][0] - last[0][0])


def _judge_memory(row: Row, samples: list[tuple[float, float]], seconds: float) -> None:
    grown = growth_mb(samples)
    row.more.append(f"RSS {samples[0][1]:.0f} to {samples[-1][1]:.0f} MB, last two thirds {grown:+.1f} MB")
    if seconds < FLAT_FROM_S:
        row.more.append("too short to judge memory")
    elif grown > GROWTH_MB:
        row.broken.append(f"memory grew by {grown:.1f} MB")
