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
    _sequences: dict[str, set[int]] = field(default_factory=dict)

    def event(self, body: bytes, event: AccountEvent) -> bool:
        """Count one delivery of an event; return whether it is new."""
        known = self._bodies.get(event.id)
        if known is not None:
            self.repeats += 1
            self.conflicts += known != body
            return False
        self._bodies[event.id] = body
        self._sequences.setdefault(event.account, set()).add(event.sequence)
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
        return sum(max(found) - len(found) for found in self._sequences.values())

    @property
    def events(self) -> int:
        """Different events."""
        return len(self._bodies)
