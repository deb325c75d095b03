"""What has been read of account states and events: a pure fold, from which tables and lines are made."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from schemas.records import AccountEvent, AccountState, Status

RECENT: Final = 200
"""Events that are kept to be shown; all are counted."""
REMEMBERED: Final = 65_536
"""Ids by which an event that is delivered again is known."""
SEVERITY: Final[dict[Status, int]] = {
    "healthy": 0, "recovered": 1, "warning": 2, "margin_call": 3, "liquidation": 4, "bankrupt": 5,
}  # fmt: skip
CALLED: Final = SEVERITY["margin_call"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which accounts are shown: names by patterns as of a shell (`desk-*`), statuses; empty: all."""

    accounts: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def takes_account(self, account: str) -> bool:
        """Return whether an account is one of those asked for."""
        return not self.accounts or any(fnmatchcase(account, pattern) for pattern in self.accounts)

    def takes_state(self, state: AccountState) -> bool:
        """Return whether a state is shown."""
        return self.takes_account(state.account) and (not self.statuses or state.status in self.statuses)

    def takes_event(self, event: AccountEvent) -> bool:
        """Return whether an event is shown."""
        return self.takes_account(event.account) and (not self.kinds or event.kind in self.kinds)


@dataclass(slots=True)
class Board:
    """Latest states by account, latest events and their counts, among those wanted.

    Of one account the state of the largest (epoch, version) counts, so that a worker that was taken for dead cannot
    bring an older one back. Times of records are when they were sent, milliseconds since 1970 UTC.
    """

    wanted: Wanted = field(default_factory=Wanted)
    kinds: Counter[str] = field(default_factory=Counter)
    recent: deque[AccountEvent] = field(default_factory=lambda: deque(maxlen=RECENT))
    last_sent_ms: int = 0
    market_time_us: int = 0
    _states: dict[str, tuple[tuple[int, int], AccountState]] = field(default_factory=dict)
    _ids: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def event(self, event: AccountEvent, sent_ms: int) -> bool:
        """Take one delivery of an event; return whether it is new and wanted."""
        self._seen(sent_ms, event.event_time_us)
        if event.id in self._ids or not self.wanted.takes_event(event):
            return False
        self._ids[event.id] = None
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)
        self.kinds[event.kind] += 1
        self.recent.append(event)
        return True

    def state(self, state: AccountState, epoch: int, sent_ms: int) -> None:
        """Take an account's state."""
        self._seen(sent_ms, state.event_time_us)
        place = (epoch, state.version)
        known = self._states.get(state.account)
        if known is None or known[0] <= place:
            self._states[state.account] = (place, state)

    def gone(self, account: str) -> None:
        """Forget an account whose state was deleted."""
        self._states.pop(account, None)

    def _seen(self, sent_ms: int, event_time_us: int) -> None:
        self.last_sent_ms = max(self.last_sent_ms, sent_ms)
        self.market_time_us = max(self.market_time_us, event_time_us)

    def __len__(self) -> int:
        return len(self._states)

    @property
    def statuses(self) -> Counter[str]:
        """How many open accounts among those wanted are in each status, and on `data_hold` beside it."""
        found: Counter[str] = Counter()
        for state in self._open():
            found[state.status] += 1
            found["data_hold"] += state.data_hold
        return found

    def called(self) -> bool:
        """Return whether any account shown is on a margin call, in liquidation or bankrupt."""
        return any(SEVERITY[state.status] >= CALLED for state in self._open())

    def nearest(self, count: int) -> list[AccountState]:
        """Return those nearest to, or deepest in, trouble: by status, then by maintenance over equity."""
        return sorted(self._open(), key=lambda one: (-SEVERITY[one.status], -utilisation(one), one.account))[:count]

    def _open(self) -> Iterator[AccountState]:
        return (state for _, state in self._states.values() if not state.closed and self.wanted.takes_state(state))


def utilisation(state: AccountState) -> float:
    """Return maintenance requirement over equity, a fraction; infinite without equity, 0 without a requirement."""
    if state.equity_usd > 0.0:
        return state.mm_requirement_usd / state.equity_usd
    return float("inf") if state.mm_requirement_usd > 0.0 or state.equity_usd < 0.0 else 0.0
