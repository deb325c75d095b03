"""What live and strict order differ in; everything else of a worker is the same for both.

The engine task takes messages in, flushes and acknowledges. An order says how records become a sequence: how many
states there are, what a message is pushed into, and which records a turn applies.
"""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from monitor.engine.state import Shard, State
from monitor.worker.changelog import Recovered
from monitor.worker.dead_letters import Letter
from monitor.worker.intake import Delivered, Source

IDLE_MS = 250.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What one call of `Order.step` did.

    `records` were applied, `held` of them counted in the intake, `accounts` of them were of accounts; `wait_ms` is how
    long to wait for more, None if more is there. `topics` counts the records by topic.
    """

    records: int
    held: int
    accounts: int
    wait_ms: float | None
    topics: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MarketSeen:
    """How far the market is: `behind` offsets by topic that are on the broker and not applied.

    `waiting_us` is the event time, by topic, from the oldest record that waits to the newest taken in.

    `heard_s` is when the last tick came (monotonic), `lag_us` the event time from market time to it.
    """

    behind: Mapping[str, int]
    waiting_us: Mapping[str, int]
    heard_s: float
    lag_us: int


class Order(Protocol):
    """How the records of one worker become a sequence for each of its shards."""

    # --- state ----------------------------------------------------------------------------------

    @property
    def states(self) -> Collection[State]:
        """All states, each once."""
        ...

    @property
    def shards(self) -> dict[int, Shard]:
        """All shards by partition, in the order of partitions."""
        ...

    def state_of(self, partition: int) -> State:
        """Return the state that has a shard, or that a prepared one is opened in; raises KeyError."""
        ...

    async def check(self, recovered: Recovered) -> None:
        """Refuse a recovered shard whose positions do not fit the topics; raises LostInput."""
        ...

    async def prepare(self, gained: Sequence[Recovered]) -> bool:
        """Make ready for shards to be opened; return whether the market is folded again."""
        ...

    def close(self, partition: int) -> None:
        """Give up a shard."""
        ...

    # --- records --------------------------------------------------------------------------------

    def add_source(self, topic: str, partition: int, begin: int, end: int, committed: int | None) -> Source:
        """Read a source of an opened shard from now on; its log is [begin, end), the group's offset `committed`."""
        ...

    def remove_source(self, source: Source) -> None:
        """Forget a source with what waits of it."""
        ...

    def readers(self) -> list[Coroutine[Any, Any, None]]:
        """Return endless coroutines that read what does not come through the group."""
        ...

    def take_in(self) -> list[Letter]:
        """Take in what the readers have; return rows that did not decode."""
        ...

    def push(self, source: Source, message: Delivered) -> list[Letter]:
        """Take in a message; return rows that are refused for their place in the order."""
        ...

    def look(self, sources: Iterable[Source], *, crowded: bool) -> None:
        """Note which sources may owe records; `crowded` tells that agents may be waiting for room."""
        ...

    def step(self, now_ms: float) -> Progress:
        """Apply some records: few, so that time and gates are looked at often."""
        ...

    def market_seen(self) -> MarketSeen | None:
        """Return how far the market is read beside the group; None where it comes through the group."""
        ...

    def arrived_s(self, topic: str, offset: int) -> float | None:
        """Return when a tick came to this worker, monotonic; None if that is not known."""
        ...

    def figures(self) -> dict[str, int]:
        """Return counts for the progress line."""
        ...
