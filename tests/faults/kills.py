"""F1: `kill -9`. F2: ends at named points. F3: SIGTERM."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator

from tests.faults.crashing_worker import POINTS, REBALANCE
from tests.faults.crew import Broken
from tests.faults.plan import Plan, rounds, seconds_since, staged
from tests.faults.stage import QUICK_S, Stage
from tests.faults.table import Row

ROUND = 10  # kills on one set of topics: a strict worker reads its sequence from the beginning each time
EARLY = 0.2  # of the kills come while partitions are being taken over
END_S = 10.0  # that an orderly end may take


def f1(plan: Plan) -> Iterator[Row]:
    """Kill one of two workers at a random moment, and start another."""
    for order in plan.orders:
        count = plan.count(3, 50)
        row, in_flight = Row("F1 kill -9", order, f"{count} kills"), 0
        for size in rounds(count, ROUND):
            with staged(plan, order, row, session_s=QUICK_S) as stage:
                stage.begin(2)
                draw = plan.draw(f"F1 {order} {stage.prefix}")
                for _ in range(size):
                    in_flight += _kill_one(stage, draw, row)
                stage.crew.wait_until_shared()
                stage.wait_for_events(5)
                stage.finish()
        row.more.append(f"{in_flight:,} messages in flight at kills")
        if not in_flight:
            row.broken.append("nothing was in flight: the run does not count")
        yield row


def _kill_one(stage: Stage, draw: random.Random, row: Row) -> int:
    """Kill one and start another; return how many messages were not committed then."""
    crew = stage.crew
    early = draw.random() < EARLY
    if early:
        crew.idle_for(draw.uniform(0.1, 8.0))
    else:
        crew.wait_until_shared()
        crew.idle_for(draw.uniform(0.1, 2.0))
    in_flight = stage.behind()
    start_s = time.monotonic()
    crew.kill(draw.choice(crew.members))
    crew.add()
    if not early:
        crew.wait_until_shared()
        row.recoveries_s.append(seconds_since(start_s))
    return in_flight


def f2(plan: Plan) -> Iterator[Row]:
    """Have workers end at each named point of a flush, of taking over and of giving up."""
    each = plan.count(1, 10)
    for order in plan.orders if plan.full else plan.orders[:1]:
        share = max(1, each // 2) if plan.full and not plan.times else each
        row = Row("F2 named points", order, f"{len(POINTS)} points x {share}")
        reached = 0
        for _ in range(share):
            with staged(plan, order, row, session_s=QUICK_S) as stage:
                stage.bot.wait_for("listening")
                stage.feed.start()
                for point in POINTS:
                    reached += _crash_at(stage, point)
                last_s = time.monotonic()
                stage.crew.add()
                stage.crew.wait_until_shared()
                row.recoveries_s.append(seconds_since(last_s))
                stage.ready_ms = time.time() * 1000.0
                stage.wait_for_events(5)
                stage.finish()
        row.more.append(f"{reached} of {len(POINTS) * share} points reached")
        if reached != len(POINTS) * share:
            row.broken.append("a point was not reached")
        yield row


def _crash_at(stage: Stage, point: str) -> bool:
    """Run a worker to its end at a point; return whether it got there."""
    crew = stage.crew
    worker = stage.worker("tests.faults.crashing_worker", point)
    helper = None
    try:
        if point in REBALANCE:
            worker.wait_for("ready")
            helper = crew.add()  # another member has the group ask for the partitions back
        crew.until(lambda: worker.child.poll() is not None, f"the worker ends at {point}")
        if helper is not None:
            crew.kill(helper)
    finally:
        crew.ended.append(worker)
    worker.ended()
    if worker.child.returncode != -9:
        raise Broken(f"at {point} the worker ended with {worker.child.returncode}: {worker.tail(5)}")
    return bool(worker.said("killed"))


def f3(plan: Plan) -> Iterator[Row]:
    """End workers in an orderly way under load."""
    for order in plan.orders:
        count = plan.count(2, {"strict": 13, "live": 12}[order])
        row = Row("F3 SIGTERM", order, f"{count} ends")
        took: list[float] = []
        for size in rounds(count, ROUND):
            # The setting of production: an end that takes longer is none.
            setting = {"LIQMON_SHUTDOWN_TIMEOUT_S": "60" if plan.busy else "9"}
            with staged(plan, order, row, environment=setting) as stage:
                stage.begin(1)
                for _ in range(size):
                    stage.wait_for_events(3)
                    took += _end_one(stage, row, math.inf if plan.busy else END_S)
                stage.finish()
        if took:
            row.more.append(f"longest end {max(took):.1f} s")
        if row.verdict.repeats or row.sent_again:
            row.broken.append(f"{row.verdict.repeats} events were sent twice")
        yield row


def _end_one(stage: Stage, row: Row, most_s: float) -> list[float]:
    crew = stage.crew
    start_s = time.monotonic()
    done = crew.finish()
    for code, seconds in done:
        if code != 0 or seconds > most_s:
            row.broken.append(f"an orderly end had code {code} and took {seconds:.1f} s")
    crew.add()
    crew.wait_until_shared()
    row.recoveries_s.append(seconds_since(start_s))
    return [seconds for _, seconds in done]
