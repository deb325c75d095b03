"""F5: workers come and go. F6: zombies."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.faults.plan import Plan, rounds, seconds_since, staged
from tests.faults.stage import QUICK_S, Stage
from tests.faults.table import Row

GAP_S = 20.0  # in which every account is evaluated, whatever moves
ROUND = 5
STOPPED_SESSIONS = 2.0


def f5(plan: Plan) -> Iterator[Row]:
    """Have one worker, two, three, and one again, under load."""
    for order in plan.orders:
        cycles = plan.count(1, 5)
        row = Row("F5 1-2-3-1 workers", order, f"{cycles} cycles")
        for size in rounds(cycles, ROUND):
            with staged(plan, order, row) as stage:
                stage.begin(1)
                for _ in range(size):
                    _cycle(stage, row)
                stage.finish()
        if row.verdict.repeats:
            row.more.append(f"{row.verdict.repeats} events sent twice")
        if row.gap_s > GAP_S and not plan.busy:
            row.broken.append(f"a gap of more than {GAP_S:.0f} s")
        yield row


def _cycle(stage: Stage, row: Row) -> None:
    crew = stage.crew
    for _ in range(2):
        start_s = time.monotonic()
        crew.add()
        crew.wait_until_shared()
        row.recoveries_s.append(seconds_since(start_s))
        stage.wait_for_events(2)
    for _ in range(2):
        start_s = time.monotonic()
        worker = crew.remove(crew.members[0])
        if (code := worker.terminate()) != 0:
            row.broken.append(f"an orderly end had code {code}")
        crew.wait_until_shared()
        row.recoveries_s.append(seconds_since(start_s))
        stage.wait_for_events(2)


def f6(plan: Plan) -> Iterator[Row]:
    """Stop a worker for longer than its session, let others take over, and have it go on."""
    for order in plan.orders:
        count = plan.count(1, 5)
        row = Row("F6 zombies", order, f"{count} x SIGSTOP {STOPPED_SESSIONS:.0f} sessions")
        reasons: list[str] = []
        for size in rounds(count, ROUND):
            with staged(plan, order, row, session_s=QUICK_S) as stage:
                stage.begin(2)
                reasons += [_zombie(stage, row) for _ in range(size)]
                stage.wait_for_events(3)
                stage.finish()
        row.more.append(f"zombies ended by {', '.join(sorted(set(reasons)))}; {row.verdict.stale} messages fenced")
        yield row


def _zombie(stage: Stage, row: Row) -> str:
    crew = stage.crew
    crew.wait_until_shared()
    stage.wait_for_events(2)
    zombie = crew.remove(crew.members[0])
    start_s = time.monotonic()
    zombie.pause()
    crew.add()
    crew.wait_until_shared()
    row.recoveries_s.append(seconds_since(start_s))
    crew.idle_for(max(0.0, STOPPED_SESSIONS * stage.session_s - seconds_since(start_s)))
    stage.wait_for_events(2)
    zombie.resume()
    code = crew.until(lambda: zombie.child.poll() is not None and zombie.ended(), "the zombie ends", 120.0)
    if code != 75:
        row.broken.append(f"a zombie ended with {code}")
    return str(zombie.wait_for_last("ending")["reason"])
