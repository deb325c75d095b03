"""How far a worker is that takes its state over: how much is read, of how much, how fast, and how long it goes on.

Offsets are counted, not records: compaction leaves holes that nobody has to read. Pure but for the clock it is given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

WINDOW_S: Final = 10.0  # the rate is that of the last seconds: a broker's cache is warm at some time
SURE_S: Final = 1.0  # what was looked at for less has no rate

Stage = Literal["recovering", "catching_up"]
_SAYS: Final[dict[Stage, str]] = {
    "recovering": "of the stored state",
    "catching_up": "of what waits; accounts are not evaluated before",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a stage is: offsets read and in all, how many a second, and seconds that are left, None if not known."""

    stage: Stage
    read: int
    total: int
    rate_per_s: float = 0.0
    left_s: float | None = None

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return min(1.0, self.read / self.total) if self.total else 1.0

    @property
    def text(self) -> str:
        """The same for people."""
        left = "" if self.left_s is None else f", {_span(self.left_s)} left"
        return f"{100.0 * self.share:.0f} %{left} ({self.read:,} of {self.total:,} offsets {_SAYS[self.stage]})"


@dataclass(slots=True)
class Course:
    """One stage as it goes on."""

    stage: Stage
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def look(self, read: int, total: int, now_s: float) -> Progress:
        """Note how far it is at a time, and return what follows from the last seconds."""
        self._seen.append((now_s, read))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= WINDOW_S:
            self._seen.popleft()
        began_s, before = self._seen[0]
        if now_s - began_s < SURE_S or read <= before:
            return Progress(self.stage, read, total)
        rate = (read - before) / (now_s - began_s)
        return Progress(self.stage, read, total, rate, max(0, total - read) / rate)


class Recovery:
    """Follows one worker: first the changelog of the partitions it gains, then what its sources are behind.

    `read` has the offset that is read next, by partition; whoever reads writes it there.
    """

    def __init__(self) -> None:
        self.read: dict[int, int] = {}
        self._begins: dict[int, int] = {}
        self._total = 0
        self._course: Course | None = None
        self._behind: tuple[Course, int] | None = None

    def begin(self, begins: Mapping[int, int], ends: Mapping[int, int]) -> None:
        """Begin to read the changelogs of some partitions from their first offsets to their ends."""
        self.read, self._begins = dict(begins), dict(begins)
        self._total = sum(max(0, ends[partition] - begin) for partition, begin in begins.items())
        self._course = Course("recovering") if self._total else None
        self._behind = None

    def end(self) -> None:
        """All of it is read."""
        self._course = None

    def look(self, now_s: float, *, waits: int | None) -> Progress | None:
        """Return how far it is, None where nothing is being taken over.

        `waits` is how many offsets are on the broker and not applied, None while that is not what readiness waits for.
        """
        if self._course is not None:
            read = sum(self.read.values()) - sum(self._begins.values())
            return self._course.look(read, self._total, now_s)
        if waits is None:
            self._behind = None
            return None
        course, most = self._behind or (Course("catching_up"), 0)
        most = max(most, waits)  # more may come than is worked off
        self._behind = (course, most)
        return course.look(most - waits, most, now_s) if most else None


def _span(seconds: float) -> str:
    if seconds < 100.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 6_000.0 else f"{seconds / 3_600.0:.0f} h"
