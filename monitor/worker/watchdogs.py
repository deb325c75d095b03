"""What can be wrong with a running worker: a registry of named watchdogs, judged from observations.

Pure: observations with their times come in, verdicts go out; nothing here reads a clock or ends a process. A verdict
that is raised is told (log, metric, `/readyz`) and goes again by itself; one that is fatal ends the process before its
next commit, because going on could mean a wrong state. See docs/watchdogs.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final


class Level(IntEnum):
    """How bad it is."""

    OK = 0
    RAISED = 1
    FATAL = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one watchdog says: level, the reason in words (empty when all is well), and since when."""

    name: str
    level: Level = Level.OK
    reason: str = ""
    since_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """When watchdogs speak; docs/watchdogs.md has where each number comes from."""

    ready_timeout_s: float = 120.0
    session_timeout_s: float = 10.0
    commit_stalled_s: float = 30.0
    commit_end_s: float = 120.0
    market_silent_s: float = 10.0
    publish_stalled_s: float = 5.0
    lag_growing_s: float = 60.0
    lag_growing_records: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """One look at a worker; times are seconds of one clock that only moves forward.

    `progress` grows with every record read or applied. `uncommitted_since_s` is since when something that is dealt
    with waits for its commit, `sending_since_s` when the send under way began, `heard_s` when the market's last tick
    came (each None: not so). `beat_s` is when the loop last turned. `hole` and `disk` are what was found wrong there,
    empty for nothing; `lag_records` is what the broker has and the engine has not applied.
    """

    now_s: float
    ready: bool = False
    partitions: int = 0
    progress: int = 0
    recovery_alive: bool = True
    uncommitted_since_s: float | None = None
    sending_since_s: float | None = None
    heard_s: float | None = None
    beat_s: float
    hole: str = ""
    lag_records: int = 0
    sound: bool = True
    disk: str = ""


@dataclass(slots=True)
class _Memory:
    """What has to be remembered between looks."""

    progress: int = -1
    moved_s: float = 0.0
    lags: deque[tuple[float, int]] = field(default_factory=deque)


Judged = tuple[Level, str]
_OK: Final[Judged] = (Level.OK, "")


def _not_ready(seen: Observations, memory: _Memory, bounds: Bounds) -> Judged:
    for_s = seen.now_s - memory.moved_s
    if seen.ready or for_s <= bounds.ready_timeout_s:
        return _OK
    return Level.FATAL, f"not ready, and nothing has moved for {for_s:.0f} s"


def _recovery_died(seen: Observations, _memory: _Memory, _bounds: Bounds) -> Judged:
    return _OK if seen.recovery_alive else (Level.FATAL, "the framework's recovery has ended, nobody will be ready")


def _commit_stalled(seen: Observations, _memory: _Memory, bounds: Bounds) -> Judged:
    if seen.uncommitted_since_s is None:
        return _OK
    for_s = seen.now_s - seen.uncommitted_since_s
    if for_s <= bounds.commit_stalled_s:
        return _OK
    return Level.FATAL if for_s > bounds.commit_end_s else Level.RAISED, f"no offset was committed for {for_s:.0f} s"


def _offset_hole(seen: Observations, _memory: _Memory, _bounds: Bounds) -> Judged:
    return (Level.FATAL, seen.hole) if seen.hole else _OK


def _lag_growing(_seen: Observations, memory: _Memory, bounds: Bounds) -> Judged:
    lags = memory.lags
    spanned_s = lags[-1][0] - lags[0][0]
    if spanned_s < bounds.lag_growing_s:
        return _OK
    # All of the last third above all of the first: a burst that is being worked off, or a steady backlog, is neither.
    third_s = spanned_s / 3.0
    first = max(lag for at_s, lag in lags if at_s <= lags[0][0] + third_s)
    last = min(lag for at_s, lag in lags if at_s >= lags[-1][0] - third_s)
    if last - first < bounds.lag_growing_records:
        return _OK
    return Level.RAISED, f"{lags[-1][1]} records wait, and more of them for {spanned_s:.0f} s"


def _paused(seen: Observations, _memory: _Memory, bounds: Bounds) -> Judged:
    for_s = seen.now_s - seen.beat_s
    if for_s * 2.0 <= bounds.session_timeout_s:
        return _OK
    return (
        Level.FATAL if for_s > bounds.session_timeout_s else Level.RAISED,
        f"the worker stood still for {for_s:.1f} s, its session is {bounds.session_timeout_s:.1f} s",
    )


def _market_silent(seen: Observations, _memory: _Memory, bounds: Bounds) -> Judged:
    if seen.heard_s is None or not (seen.ready and seen.partitions):
        return _OK
    for_s = seen.now_s - seen.heard_s
    return _OK if for_s <= bounds.market_silent_s else (Level.RAISED, f"no tick or heartbeat came for {for_s:.0f} s")


def _publish_failed(seen: Observations, _memory: _Memory, bounds: Bounds) -> Judged:
    for_s = 0.0 if seen.sending_since_s is None else seen.now_s - seen.sending_since_s
    return _OK if for_s <= bounds.publish_stalled_s else (Level.RAISED, f"a send is unanswered for {for_s:.0f} s")


def _audit_difference(seen: Observations, _memory: _Memory, _bounds: Bounds) -> Judged:
    return _OK if seen.sound else (Level.RAISED, "figures of an account are not those of a recomputation")


def _disk(seen: Observations, _memory: _Memory, _bounds: Bounds) -> Judged:
    return (Level.RAISED, seen.disk) if seen.disk else _OK


WATCHDOGS: Final[dict[str, Callable[[Observations, _Memory, Bounds], Judged]]] = {
    "not_ready": _not_ready,
    "recovery_died": _recovery_died,
    "commit_stalled": _commit_stalled,
    "offset_hole": _offset_hole,
    "lag_growing": _lag_growing,
    "paused": _paused,
    "market_silent": _market_silent,
    "publish_failed": _publish_failed,
    "audit_difference": _audit_difference,
    "disk": _disk,
}
"""The registry: a watchdog's name, which labels its metric, and its judgement."""


class Watchdogs:
    """All watchdogs of one worker with what they said last; the clock begins at `start_s`."""

    def __init__(self, bounds: Bounds, start_s: float) -> None:
        self._bounds = bounds
        self._memory = _Memory(moved_s=start_s)
        self._verdicts = {name: Verdict(name, since_s=start_s) for name in WATCHDOGS}

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What each says now, in the order of the registry."""
        return tuple(self._verdicts.values())

    def look(self, seen: Observations) -> list[Verdict]:
        """Judge one look; return the verdicts whose level changed, in the order of the registry."""
        self._remember(seen)
        changed = []
        for name, judge in WATCHDOGS.items():
            level, reason = judge(seen, self._memory, self._bounds)
            before = self._verdicts[name]
            new = level != before.level
            self._verdicts[name] = verdict = Verdict(name, level, reason, seen.now_s if new else before.since_s)
            if new:
                changed.append(verdict)
        return changed

    def _remember(self, seen: Observations) -> None:
        memory = self._memory
        if seen.ready or seen.progress != memory.progress:
            memory.progress, memory.moved_s = seen.progress, seen.now_s
        memory.lags.append((seen.now_s, seen.lag_records))
        # One sample beyond the window stays, so that the window is always spanned.
        while len(memory.lags) > 2 and seen.now_s - memory.lags[1][0] >= self._bounds.lag_growing_s:
            memory.lags.popleft()


def worst(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts that are not well, the worst first."""
    return sorted((one for one in verdicts if one.level > Level.OK), key=lambda one: -one.level)


@dataclass(frozen=True, slots=True)
class SourceOffsets:
    """How far one partition is: `committing` is what the next commit says, the others as in `intake.Source`.

    `oldest` is the offset of the oldest message that is not dealt with (None: none waits), `lost` how many records of
    messages that count as dealt with were never given to the engine.
    """

    topic: str
    partition: int
    committing: int
    oldest: int | None
    expected: int
    lost: int = 0


def offset_hole(offsets: Iterable[SourceOffsets]) -> str:
    """Return what is wrong if a commit would pass a record that is not dealt with; empty if none would."""
    for one in offsets:
        if one.lost > 0:
            return f"{one.topic}/{one.partition}: {one.lost} records were not applied, and records beyond them were"
        if one.committing > one.expected:
            return f"{one.topic}/{one.partition}: {one.committing} is due for commit, {one.expected} was not read yet"
        if one.oldest is not None and one.committing > one.oldest:
            return f"{one.topic}/{one.partition}: {one.committing} is due for commit, {one.oldest} is not applied"
    return ""
