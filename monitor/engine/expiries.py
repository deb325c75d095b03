"""Who holds what expires, and when the next of it has to be settled.

Only contracts that somebody here holds are kept: a tick costs one comparison while nothing expires.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

NEVER_US = 1 << 62


class Expiries:
    """Holders of contracts that expire, and a heap of when to settle them: at their expiry, later if that failed."""

    __slots__ = ("_at", "_heap", "_holders")

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._at: dict[str, int] = {}  # contracts in the heap, each once
        self._holders: dict[str, dict[str, None]] = {}

    @property
    def next_us(self) -> int:
        """When something has to be settled next, `NEVER_US` if nothing is held; never later than the true time."""
        return self._heap[0][0] if self._heap else NEVER_US

    def hold(self, account: str, instrument: str, at_us: int) -> None:
        """Note that an account holds a contract which has to be settled at `at_us`."""
        holders = self._holders.get(instrument)
        if holders is None:
            holders = self._holders[instrument] = {}
        holders[account] = None
        if self._at.get(instrument, NEVER_US) > at_us:  # an entry of a later time is then stale
            self._at[instrument] = at_us
            heapq.heappush(self._heap, (at_us, instrument))

    def release(self, account: str, instrument: str) -> None:
        """Note that an account does not hold a contract (any more)."""
        holders = self._holders.get(instrument)
        if holders is None:
            return
        holders.pop(account, None)
        if not holders:
            del self._holders[instrument]

    def forget(self, account: str, instruments: Iterable[str]) -> None:
        """Drop an account that is not evaluated here any more, with all `instruments` that it holds."""
        for instrument in instruments:
            self.release(account, instrument)

    def due(self, at_us: int) -> dict[str, list[str]]:
        """Take what has to be settled at or before `at_us`: contracts by account, both sorted."""
        found: dict[str, list[str]] = {}
        while self._heap and self._heap[0][0] <= at_us:
            when_us, instrument = heapq.heappop(self._heap)
            if self._at.get(instrument) != when_us:
                continue
            del self._at[instrument]
            for account in self._holders.get(instrument, ()):
                found.setdefault(account, []).append(instrument)
        return {account: sorted(found[account]) for account in sorted(found)}
