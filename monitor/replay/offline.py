"""Run a replay straight through the engine: no broker, the same merge and the same step.

The records and their positions are those of `sequence`, which strict order sends through topics: the events are the
same, byte for byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence as Several
from contextlib import nullcontext
from typing import IO

from monitor.engine import Sourced, State
from monitor.replay.ahead import Ahead, reading_ahead
from monitor.replay.arrival import Merged
from monitor.replay.checkpoint import Checkpoints
from monitor.replay.lane import AccountTime, First, Lane, Settings, Summary
from monitor.replay.progress import OnStep, Step, ignore
from monitor.replay.sequence import Sequence

__all__ = ["BATCH", "AccountTime", "First", "Lane", "Settings", "Summary", "run", "run_lanes"]

BATCH = 256  # records a step: the engine takes them one by one, so this changes nothing but the overhead
STEP_EVERY_S = 0.25


def run(  # noqa: PLR0913 (all but the first two by name)
    stream: Merged, out: IO[bytes] | None = None, *, partitions: int = 1, batch: int = BATCH,
    on_step: OnStep = ignore, clock: Callable[[], float] = time.monotonic, state: State | None = None,
    ahead: bool = False, checkpoints: Checkpoints | None = None,
) -> Summary:  # fmt: skip
    """Step a merged stream through a new engine; write each event's canonical body to `out`, one a line.

    `batch` records are given to one step; the events do not depend on it, nor on reading `ahead` in another process.
    `state` is a new engine's, for a caller who wants to look at it afterwards. `checkpoints` keep the engine's state
    now and then, and begin where an earlier run of theirs was. Raises what the sources raise.
    """
    lane = checkpoints.lane(out, partitions) if checkpoints else Lane(out, partitions=partitions, state=state)
    return run_lanes(
        stream, [lane], batch=batch, on_step=on_step, clock=clock, ahead=ahead, checkpoints=checkpoints
    )[0]  # fmt: skip


def run_lanes(
    stream: Merged, lanes: Several[Lane], *, batch: int = BATCH, on_step: OnStep = ignore,
    clock: Callable[[], float] = time.monotonic, ahead: bool = False, checkpoints: Checkpoints | None = None,
) -> list[Summary]:  # fmt: skip
    """Read and merge a stream once, and step every lane through it; return what each of them did.

    Lanes have the same number of partitions, and stand at the same place of the sequence.
    """
    partitions = lanes[0].partitions
    start_s = clock()
    with reading_ahead(stream, partitions) if ahead else nullcontext(Sequence(stream, partitions)) as sequence:
        _step_through(lanes, sequence, batch, on_step, lambda: clock() - start_s, checkpoints)
    seconds = clock() - start_s
    return [counted(lane.finish(), sequence, stream, seconds) for lane in lanes]


def counted(summary: Summary, sequence: Sequence | Ahead, stream: Merged, seconds: float) -> Summary:
    """Complete what a lane counted with what was read."""
    summary.late = sequence.late
    summary.records = dict(sequence.counts)
    summary.first_us = stream.first_us or 0
    summary.seconds = seconds
    return summary


def _step_through(
    lanes: Several[Lane], sequence: Sequence | Ahead, batch: int, on_step: OnStep, elapsed: Callable[[], float],
    checkpoints: Checkpoints | None,
) -> None:  # fmt: skip
    next_step_s = 0.0
    records: list[Sourced] = []
    begin = done = lanes[0].done
    for item in sequence:
        if item.offset < begin:
            continue  # before the checkpoint: read again, for its place in the order, and not stepped again
        records.append(item)
        if len(records) < batch:
            continue
        for lane in lanes:
            lane.take(records)
        done += len(records)
        records = []
        if checkpoints is not None:
            checkpoints.reach(lanes[0])
        elapsed_s = elapsed()
        if elapsed_s >= next_step_s:
            next_step_s = elapsed_s + STEP_EVERY_S
            market_us = lanes[0].state.market.time_us
            on_step(Step(done, sequence.fraction, market_us, (done - begin) / max(elapsed_s, 1e-9)))
    for lane in lanes:
        lane.take(records)
