"""Looks at a worker twice a second: feeds its watchdogs, tells what changed, and hands over figures.

Runs in the worker's own loop, between turns, so what it reads does not change under it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from msgspec import Struct

from monitor.engine.merge import order_time_us
from monitor.engine.outbox import Event
from monitor.engine.state import Account, State
from monitor.worker import exposure
from monitor.worker.disk import disk_trouble
from monitor.worker.errors import NotCommitting, NotReady, OffsetHole, Paused, RecoveryDied, WorkerError
from monitor.worker.intake import Source
from monitor.worker.metrics import Exposed, Figures, Meters
from monitor.worker.recovery import Progress
from monitor.worker.watchdogs import (
    Bounds,
    Level,
    Observations,
    SourceOffsets,
    Verdict,
    Watchdogs,
    offset_hole,
)

if TYPE_CHECKING:
    from monitor.worker.engine_task import Engine
    from monitor.worker.options import WorkerOptions
    from monitor.worker.ownership import Ownership

LOOK_S: Final = 0.5
DISK_S: Final = 10.0  # a sync costs a disk some milliseconds
COUNT_S: Final = 5.0  # counting 100,000 accounts costs some milliseconds, too

log = structlog.get_logger("monitor.worker")

ENDINGS: Final[dict[str, tuple[type[WorkerError], str]]] = {
    "not_ready": (NotReady, "check that the broker answers and that the group is not rebalancing for ever"),
    "recovery_died": (RecoveryDied, "restart it; the log has what the framework said"),
    "commit_stalled": (NotCommitting, "check the group's coordinator"),
    "offset_hole": (OffsetHole, "restart it: it reads on from what is committed"),
    "paused": (Paused, "restart it; if the machine was not suspended, look for CPU starvation"),
}
"""What ends the process when a watchdog is fatal, and what to do then."""


class _Cause(Struct):
    topic: str
    offset: int = -1


class _Said(Struct):
    """What metrics need of an event's body."""

    kind: str
    cause: _Cause | None = None


_read = msgspec.json.Decoder(_Said).decode


def measure_events(
    meters: Meters, events: Iterable[Event], arrived_s: Callable[[str, int], float | None], now_s: float
) -> None:
    """Count acknowledged events by kind, and how long after the arrival of its tick each of them is out."""
    kinds: Counter[str] = Counter()
    for event in events:
        said = _read(event.body)
        kinds[said.kind] += 1
        at_s = arrived_s(said.cause.topic, said.cause.offset) if said.cause is not None else None
        if at_s is not None:
            meters.latency_s.observe(max(0.0, now_s - at_s))
    meters.published(kinds)


def bounds_of(options: WorkerOptions) -> Bounds:
    """Return the bounds that a worker's options set."""
    return Bounds(
        ready_timeout_s=options.ready_timeout_s, session_timeout_s=options.session_timeout_s,
        commit_stalled_s=options.commit_stalled_s, market_silent_s=options.market_silent_s,
        publish_stalled_s=options.publish_stalled_s, lag_growing_s=options.lag_growing_s,
    )  # fmt: skip


class Observer:
    """Observes one worker; the figures of its newest look are `exposed`."""

    def __init__(
        self, options: WorkerOptions, folder: Path, engine: Engine, ownership: Ownership, exposed: Exposed
    ) -> None:  # fmt: skip
        self._engine = engine
        self._ownership = ownership
        self._folder = folder
        self._partitions = options.partitions
        self._min_free_bytes = options.min_free_mb * 1_000_000
        self._watchdogs = Watchdogs(bounds_of(options), time.monotonic())
        self._disk = ""
        self._disk_s = self._counted_s = float("-inf")
        self._statuses: Counter[str] = Counter()
        self._held = self._overdue = 0
        self._exposure = exposure.Exposure()
        self._exposed = exposed

    async def run(self) -> None:
        """Look for ever; raises the error of a watchdog that is fatal."""
        while True:
            if time.monotonic() - self._disk_s >= DISK_S:
                # In a thread: a disk that stalls for a second must not stall the loop.
                self._disk = await asyncio.to_thread(disk_trouble, self._folder, self._min_free_bytes)
                self._disk_s = time.monotonic()
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Look once; raises the error of a watchdog that is fatal."""
        seen = self._observe()
        changed = self._watchdogs.look(seen)
        self._exposed.figures = self._figures(seen)
        for verdict in changed:
            _tell(verdict)
        for verdict in self._watchdogs.verdicts:
            if verdict.level is Level.FATAL:
                error, remedy = ENDINGS[verdict.name]
                raise error(verdict.reason, remedy)

    # --- observing ------------------------------------------------------------------------------

    def _observe(self) -> Observations:
        engine, ownership, now_s = self._engine, self._ownership, time.monotonic()
        market = engine.order.market_seen()
        behind = sum(market.behind.values()) if market else 0
        return Observations(
            now_s=now_s, ready=ownership.ready, partitions=len(engine.order.shards),
            progress=engine.applied + ownership.recovered, recovery_alive=engine.group.recovery_alive,
            uncommitted_since_s=engine.group.uncommitted_since_s, sending_since_s=engine.flusher.sending_since_s,
            heard_s=market.heard_s if market else None, beat_s=now_s - engine.pulse.age_s,
            hole=offset_hole(offsets_of(engine.sources.values())),
            lag_records=behind + sum(map(_lag_records, engine.sources.values())),
            sound=engine.auditor.sound, disk=self._disk,
        )  # fmt: skip

    def _figures(self, seen: Observations) -> Figures:
        engine, verdicts = self._engine, self._watchdogs.verdicts
        market = engine.order.market_seen()
        if seen.now_s - self._counted_s >= COUNT_S:
            self._count(seen.now_s)
        sources = engine.sources.values()
        lags = {(source.topic, source.partition): _lag_records(source) for source in sources}
        seconds = {(source.topic, source.partition): _lag_s(source) for source in sources}
        if market is not None:
            lags |= {(topic, 0): behind for topic, behind in market.behind.items()}
            seconds |= {(topic, 0): waiting_us / 1e6 for topic, waiting_us in market.waiting_us.items()}
        recovery = self._ownership.recovery.look(seen.now_s, waits=self._waits(seen))
        return Figures(
            at_s=seen.now_s, ready=seen.ready, partitions=seen.partitions, settled=engine.group.settled,
            verdicts=verdicts, values=self._values(seen, recovery), recovery=recovery, lag_records=lags, lag_s=seconds,
            statuses=dict(self._statuses), exposure=self._exposure,
        )  # fmt: skip

    def _waits(self, seen: Observations) -> int | None:
        """Return how many offsets are to be applied before it is ready, None if that is not what it waits for."""
        return seen.lag_records if self._engine.active and seen.partitions and not seen.ready else None

    def _count(self, now_s: float) -> None:
        self._counted_s = now_s
        accounts = [one for shard in self._engine.order.shards.values() for one in shard.accounts.values()]
        self._statuses = Counter(account.status for account in accounts)
        states = tuple(self._engine.order.states)
        self._exposure = exposure.look(accounts, states[0].market if states else None)
        before = self._overdue
        self._held, self._overdue = holds(accounts)
        if bool(self._overdue) != bool(before):
            _tell_overdue(self._overdue)

    def _values(self, seen: Observations, recovery: Progress | None) -> dict[str, float]:
        engine, ownership = self._engine, self._ownership
        figures = engine.order.figures()
        shards = engine.order.shards.values()
        well = seen.ready and all(one.level is Level.OK for one in self._watchdogs.verdicts)
        values: dict[str, float] = {
            "ready": well, "idle": seen.ready and not seen.partitions, "partitions": seen.partitions,
            "partitions_expected": self._partitions,
            "accounts_on_data_hold": self._held, "accounts_to_be_decided": self._overdue,
            "outbox_events": sum(shard.events for shard in shards),
            "intake_records": engine.intake.held, "sound": engine.auditor.sound, "flushes": engine.flushes,
            "messages_sent": engine.flusher.sent, "offset_holes": engine.holes,
            "messages_refetched": engine.refetched, "messages_stale": engine.stale, "recoveries": ownership.opened,
            "recovered_records": ownership.recovered, "rewinds": ownership.rewinds,
            "audit_checks": engine.auditor.audited, "audit_differences": engine.auditor.differences,
        }  # fmt: skip
        values["recovery_share"] = 1.0 if recovery is None else recovery.share
        if recovery is not None and recovery.left_s is not None:
            values["recovery_left_seconds"] = recovery.left_s
        if time_us := max((state.market.time_us for state in engine.order.states), default=0):
            values["market_age_seconds"] = time.time() - time_us / 1e6
        if "lag_ms" in figures:
            values["market_lag_seconds"] = figures["lag_ms"] / 1000.0
        renamed = {
            "overloaded": "overloaded", "overloads": "overloads", "conflated": "conflated_records",
            "late": "late_records", "snapshots": "snapshots_written", "snapshots_loaded": "snapshots_loaded",
            "snapshots_refused": "snapshots_refused", "snapshots_dropped": "snapshots_dropped",
        }  # fmt: skip
        values |= {new: figures[old] for old, new in renamed.items() if old in figures}
        return values | of_books(engine.order.states)


def holds(accounts: Iterable[Account]) -> tuple[int, int]:
    """Return how many accounts are held, and how many of these for longer than the longest hold."""
    held = [account for account in accounts if account.data_hold]
    # The event that calls for a human has taken the timer away.
    return len(held), sum("data_hold" not in account.timers for account in held)


def of_books(states: Iterable[State]) -> dict[str, float]:
    """Return what the certificates of some states' books have done, by the metric's name."""
    works = [state.book.work for state in states]
    return {
        "certificates_left": float(sum(work.pops for work in works)),
        "certificates_evaluated": float(sum(work.evaluated for work in works)),
        "certificates_proven": float(sum(work.proven for work in works)),
        "certificates_made": float(sum(work.certified for work in works)),
        "certificates_given_up": float(sum(work.swept for work in works)),
    }


def offsets_of(sources: Iterable[Source]) -> list[SourceOffsets]:
    """Return how far each source is."""
    return [
        SourceOffsets(
            source.topic, source.partition, source.done, source.unacked[0].offset if source.unacked else None,
            source.expected, source.done_records - source.applied_records,
        )
        for source in sources
    ]  # fmt: skip


def _lag_records(source: Source) -> int:
    """Offsets of a source on the broker that are not dealt with."""
    reached = source.unacked[0].offset if source.unacked else source.expected
    return max(0, source.end - reached)


def _lag_s(source: Source) -> float:
    """Event time from the oldest message of a source that waits to the newest one taken in, seconds."""
    if not source.unapplied:
        return 0.0
    waiting = [message for message in source.unacked if message.records and message.last > source.applied]
    oldest, newest = waiting[0].records[0][1], waiting[-1].records[-1][1]
    return max(0.0, (order_time_us(newest) - order_time_us(oldest)) / 1e6)


def _tell_overdue(accounts: int) -> None:
    """Say that accounts wait for a person, or that none does any more."""
    if accounts:
        log.error("data_hold_overdue", state="raised", accounts=accounts, reason="held longer than max_data_hold_ms")
    else:
        log.info("data_hold_overdue", state="over")


def _tell(verdict: Verdict) -> None:
    if verdict.level is Level.OK:
        log.info("watchdog", name=verdict.name, state="over")
    elif verdict.level is Level.RAISED:
        log.error("watchdog", name=verdict.name, state="raised", reason=verdict.reason)
