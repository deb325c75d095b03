"""The newest events in the order in which they were read, found again by their position on the broker.

One ring serves all clients: each has a place in it and no queue of its own, so a client that reads slowly costs nothing
and falls out of the ring's end, which `after` tells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final

from monitor.web.rows import EventRow

LENGTH: Final = 16_384  # events, some 1.5 kB each
MAX_LAG: Final = 4_096  # a client that is further behind is told to load the page's figures anew

Place = tuple[str, int, int]
"""Topic, partition and offset."""


class Ring:
    """A bounded list of events; `end` counts all that were ever added."""

    def __init__(self, length: int = LENGTH) -> None:
        self._rows: deque[tuple[Place, EventRow]] = deque()
        self._numbers: dict[Place, int] = {}
        self._ids: set[str] = set()
        self._length = length
        self.end = 0

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._rows)

    @property
    def begin(self) -> int:
        """The number of the oldest that is kept."""
        return self.end - len(self._rows)

    def add(self, place: Place, row: EventRow) -> None:
        """Add the next event."""
        self._numbers[place] = self.end
        self._rows.append((place, row))
        self._ids.add(row.id)
        self.end += 1
        if len(self._rows) > self._length:
            gone, oldest = self._rows.popleft()
            del self._numbers[gone]
            self._ids.discard(oldest.id)

    def has(self, identity: str) -> bool:
        """Whether the event of an id is kept."""
        return identity in self._ids

    def number(self, place: Place) -> int | None:
        """Return the number of the event at a place, None if it is not kept."""
        return self._numbers.get(place)

    def after(self, number: int, limit: int) -> list[tuple[Place, EventRow]]:
        """Return at most `limit` events from a number on; raises LookupError if some before them are gone."""
        if number < self.begin:
            raise LookupError(number)
        first = number - self.begin
        return list(islice(self._rows, first, first + limit))

    def newest(self) -> Iterator[tuple[Place, EventRow]]:
        """Yield what is kept, the newest first."""
        return reversed(self._rows)
