"""What has been read from the monitor's topics so far."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from schemas.records import AccountEvent, AccountState

RECENT = 12  # events shown at once


@dataclass(slots=True)
class Tally:
    """Events by kind, the first of each kind, the latest ones, and every account's latest status.

    An event is counted once by its id; `repeats` counts further deliveries, `conflicts` those with other bytes, and
    `holes` the sequence numbers that an account skipped.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    first: dict[str, AccountEvent] = field(default_factory=dict)
    recent: deque[AccountEvent] = field(default_factory=lambda: deque(maxlen=RECENT))
    statuses: dict[str, str] = field(default_factory=dict)
    dead_letters: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    conflicts: int = 0
    jumps: int = 0
    _bodies: dict[str, bytes] = field(default_factory=dict)
    _steps: dict[str, dict[int, tuple[int, str, bool]]] = field(default_factory=dict)

    def event(self, body: bytes, event: AccountEvent) -> bool:
        """Count one delivery of an event; return whether it is new."""
        known = self._bodies.get(event.id)
        if known is not None:
            self.repeats += 1
            self.conflicts += known != body
            return False
        self._bodies[event.id] = body
        self._steps.setdefault(event.account, {})[event.sequence] = (
            event.event_time_us,
            event.state_to,
            event.data_hold,
        )
        self.kinds[event.kind] += 1
        self.jumps += event.jump
        first = self.first.get(event.kind)
        if first is None or event.event_time_us < first.event_time_us:
            self.first[event.kind] = event
        self.recent.append(event)
        return True

    def state(self, state: AccountState) -> None:
        """Take an account's latest state."""
        self.statuses[state.account] = state.status

    @property
    def holes(self) -> int:
        """Sequence numbers missing between an account's first and last event."""
        return sum(max(found) - len(found) for found in self._steps.values())

    def account_time(self, first_us: int, last_us: int) -> dict[str, float]:
        """Share of account-time in each status between two event times, and on `data_hold` beside it.

        An account is healthy until its first event; accounts without any event count as well.
        """
        spent: Counter[str] = Counter()
        for account in self.statuses.keys() | self._steps.keys():
            since_us, status, hold = first_us, "healthy", False
            for _, (time_us, state_to, data_hold) in sorted(self._steps.get(account, {}).items()):
                _spend(spent, status, hold, max(0, time_us - since_us))
                since_us, status, hold = max(since_us, time_us), state_to, data_hold
            _spend(spent, status, hold, max(0, last_us - since_us))
        whole = sum(spent.values()) - spent["data_hold"]
        return {name: spent[name] / whole for name in spent} if whole else {}

    @property
    def events(self) -> int:
        """Different events."""
        return len(self._bodies)


def _spend(spent: Counter[str], status: str, hold: bool, duration_us: int) -> None:
    spent[status] += duration_us
    if hold:
        spent["data_hold"] += duration_us
