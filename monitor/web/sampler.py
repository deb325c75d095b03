"""Looks at a worker's state for the page, in the worker's own loop, and only while somebody looks at the page.

A look takes a copy of the market table, and figures of as many accounts as 5 ms allow, 1 % of a core: first those whose
page is open, then those with the highest utilisation, then one after the other. In the first round slices of 5 ms come
five times as often. Nothing here may end the worker: a look that fails is told once, and the page shows how old its
last one is.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from monitor.web.accounts import Sample
from monitor.web.rows import Correlation, Market
from monitor.web.seen import Memory, correlation_of, market_of, sample_of

if TYPE_CHECKING:
    from monitor.engine.state import Shard, State
    from monitor.worker.order import MarketSeen

LOOK_S: Final = 0.5
SHARE: Final = 0.01  # of a core, for figures of accounts
FIRST_LOOK_S: Final = 0.1  # until every account was evaluated once: the same slices, more often
MAX_SAMPLES: Final = 20_000  # that wait for the page

log = structlog.get_logger("monitor.worker")


class Order(Protocol):
    """What a look needs of a worker's order."""

    @property
    def states(self) -> Collection[State]:
        """All states."""
        ...

    @property
    def shards(self) -> dict[int, Shard]:
        """All shards by partition."""
        ...

    def market_seen(self) -> MarketSeen | None:
        """How far the market is."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """One look; `heard_s` is the clock's time of the last tick, None where the market comes through the group."""

    at_s: float
    partitions: tuple[int, ...]
    market: Market
    correlation: Correlation
    heard_s: float | None
    lag_s: float | None


class Sampler:
    """Hands looks and samples to the page's thread, which sets what it wants."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._memory = Memory()
        self._names: Iterator[str] | None = None  # of the present round
        self._credit_s = 0.0
        self._failed = False
        self.rounds = 0  # how often every account was evaluated since somebody looks
        self.seen: Seen | None = None
        self.samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        # Set by the page's thread, each in one piece.
        self.wanted_until_s = float("-inf")
        self.watched: tuple[str, ...] = ()
        self.highest: tuple[str, ...] = ()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_S if self.rounds else FIRST_LOOK_S)
            if time.monotonic() > self.wanted_until_s:
                self.rounds = 0
                await asyncio.sleep(LOOK_S)
                continue
            try:
                self.look(time.monotonic())
                self._failed = False
            except Exception:
                if not self._failed:
                    log.exception("page_look_failed")
                self._failed = True

    def look(self, now_s: float) -> None:
        """Look once."""
        states = tuple(self._order.states)
        if not states:
            return
        market, far = states[0].market, self._order.market_seen()
        if self.seen is not None and self.seen.partitions != tuple(self._order.shards):
            self.rounds, self._names = 0, None
        self.seen = Seen(
            at_s=now_s, partitions=tuple(self._order.shards), market=market_of(market, self._memory, now_s),
            correlation=correlation_of(market), heard_s=None if far is None else far.heard_s,
            lag_s=None if far is None else far.lag_us / 1e6,
        )  # fmt: skip
        self._sample(states)

    def _sample(self, states: Iterable[State]) -> None:
        states = tuple(states)
        # What a slow account took beyond its credit is paid back by the looks that follow.
        self._credit_s = min(self._credit_s, 0.0) + LOOK_S * SHARE
        done: set[str] = set()
        for name in self._wanted(states):
            if self._credit_s <= 0.0:
                return
            if name in done:
                continue
            done.add(name)
            state = next((one for one in states if name in one.book), None)
            if state is None:
                continue
            began_s = time.thread_time()
            self.samples.append(sample_of(state, name))
            self._credit_s -= time.thread_time() - began_s

    def _wanted(self, states: tuple[State, ...]) -> Iterator[str]:
        yield from self.watched
        # Every other look is for the others alone, so that they come round however dear the highest are.
        self.highest, highest = (), self.highest
        yield from highest
        for _ in range(2):
            if self._names is None:
                self._names = iter([name for state in states for name in state.partition_of])
            yield from self._names
            self._names = None
            self.rounds += 1
