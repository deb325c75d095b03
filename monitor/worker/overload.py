"""When a worker declares itself overloaded, and when that is over: a lag of event time that work alone explains.

Declared in live order alone, where order is best effort: see docs/overload.md.
"""

from __future__ import annotations

WINDOW_MS = 500.0
"""How long the lag has to stand: a flush, a rebalance or a burst of half a second is none."""
SHARE = 0.25
"""Of the window that has to be work of the engine. Less conflation cannot help: the lag is waiting, as for an input
that is slow, or of a replay at many times the speed of its market."""
OVER = 0.25
"""Of the bound: the lag at which it is over. At the bound itself it would come and go with every batch."""


class Overload:
    """Follows the lag of one engine; `bound_ms` 0 never declares anything."""

    def __init__(self, bound_ms: int) -> None:
        self._bound_us = bound_ms * 1_000
        self._since_ms = 0.0  # when the window began; 0: the lag is within the bound
        self._worked_ms = 0.0
        self.active = False
        self.declared = 0
        self.lag_us = 0

    def look(self, lag_us: int, worked_ms: float, now_ms: float, *, caught_up: bool) -> bool:
        """Take the lag after some work of the engine; return whether that declared an overload or ended one.

        `caught_up` says that no record waits any more.
        """
        self.lag_us = lag_us = 0 if caught_up else max(0, lag_us)
        if self.active:
            self.active = lag_us > self._bound_us * OVER
            return not self.active
        if not self._bound_us or lag_us <= self._bound_us:
            self._since_ms = 0.0
            return False
        if not self._since_ms:
            self._begin(now_ms)
        self._worked_ms += worked_ms
        if now_ms - self._since_ms < WINDOW_MS:
            return False
        self.active = self._worked_ms >= SHARE * (now_ms - self._since_ms)
        self.declared += self.active
        self._begin(0.0 if self.active else now_ms)
        return self.active

    def _begin(self, now_ms: float) -> None:
        self._since_ms = now_ms
        self._worked_ms = 0.0
