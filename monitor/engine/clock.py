"""Which event times of a market topic are believed.

Market time is the largest event time accepted and never goes back, so one record from a clock that is ahead would
make every other source stale. The engine has no clock of its own; a record is judged by what the topic itself says:

* a record that carries its arrival time is refused when its event time is later by more than `CLOCK_LIMIT_US`;
* one that carries none is judged by the newest heartbeat in the same way, once there is one; if a source's refused
  times go on for `HEARTBEAT_SILENCE_US` without a heartbeat, heartbeats have stopped and no longer judge;
* a record farther ahead of the topic's time than a topic is ever silent (`max_leap_us`) needs a second one that agrees:
  of another source, or later.
"""

from __future__ import annotations

from typing import Any

CLOCK_LIMIT_US = 5_000_000  # venues' clocks differ by milliseconds; above seconds a clock is wrong, not early
HEARTBEAT_SILENCE_US = 10_000_000  # ten missing heartbeats: the publisher is gone, not late
DAY_US = 86_400_000_000
MAX_SUSPECTS = 1_000  # sources remembered as ahead; more would let a publisher of random names fill the memory


class ClockGuard:
    """Judges event times of one topic; `time_us` is the largest one accepted (0 before any)."""

    __slots__ = ("_ahead", "_heartbeat_us", "_leap", "_max_leap_us", "time_us")

    def __init__(self, max_leap_us: int) -> None:
        self.time_us = 0
        self._max_leap_us = max_leap_us
        self._heartbeat_us = 0
        self._ahead: dict[str, int] = {}  # source: its first refused time since the last heartbeat
        self._leap: tuple[str, int] | None = None

    def refusal(self, event_time_us: int, received_time_us: int | None, source: str) -> str:
        """Return why an event time is not believed, or an empty string; asking twice changes nothing."""
        if received_time_us is not None:
            if event_time_us > received_time_us + CLOCK_LIMIT_US:
                return f"event time is {_seconds(event_time_us - received_time_us)} s after its own arrival"
        elif self._heartbeat_us and event_time_us > self._heartbeat_us + CLOCK_LIMIT_US:
            first_us = self._ahead.get(source, event_time_us)
            if first_us == event_time_us and len(self._ahead) < MAX_SUSPECTS:
                self._ahead[source] = event_time_us
            if event_time_us < first_us + HEARTBEAT_SILENCE_US:
                return f"event time is {_seconds(event_time_us - self._heartbeat_us)} s after the newest heartbeat"
        return self._leap_refusal(event_time_us, source)

    def heartbeat_refusal(self, event_time_us: int, source: str) -> str:
        """Return why a heartbeat is not believed, or an empty string."""
        return self._leap_refusal(event_time_us, source)

    def advance(self, event_time_us: int) -> None:
        """Take an accepted record's event time into market time."""
        if event_time_us > self.time_us:
            self.time_us = event_time_us
            self._leap = None

    def heartbeat(self, event_time_us: int) -> None:
        """Take an accepted heartbeat."""
        self.advance(event_time_us)
        self._heartbeat_us = max(self._heartbeat_us, event_time_us)
        if self._ahead:
            self._ahead = {}

    def _leap_refusal(self, event_time_us: int, source: str) -> str:
        if not self.time_us or event_time_us <= self.time_us + self._max_leap_us:
            return ""
        if self._leap is not None:
            first_source, first_us = self._leap
            another = source != first_source or event_time_us > first_us
            if another and abs(event_time_us - first_us) <= self._max_leap_us:
                return ""
        self._leap = (source, event_time_us)
        return f"event time is {_seconds(event_time_us - self.time_us)} s after market time and no other record agrees"

    def snapshot(self) -> dict[str, Any]:
        """Return the guard as plain JSON values."""
        return {
            "time_us": self.time_us,
            "heartbeat_us": self._heartbeat_us,
            "ahead": [[source, time_us] for source, time_us in self._ahead.items()],
            "leap": list(self._leap) if self._leap is not None else None,
        }

    @classmethod
    def restore(cls, state: dict[str, Any], max_leap_us: int) -> ClockGuard:
        """Rebuild a guard from its snapshot."""
        guard = cls(max_leap_us)
        guard.time_us = state["time_us"]
        guard._heartbeat_us = state["heartbeat_us"]
        guard._ahead = dict(state["ahead"])
        guard._leap = tuple(state["leap"]) if state["leap"] is not None else None
        return guard


def _seconds(duration_us: int) -> str:
    return f"{duration_us * 1e-6:.3f}"
