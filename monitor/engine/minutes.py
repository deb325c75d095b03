"""Whole minutes of market time, and the composite indices in force at each.

A whole minute is over with the first accepted tick or heartbeat that is later than it: what happened at the minute
itself still belongs to it, as everywhere in the engine a deadline is exceeded, not reached. Listeners are called
before that record is folded, minute by minute, each once.

What time alone changes, changes at its own moment: an index that gets stale between two records is stale at the minutes
after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from monitor.engine.index import STALE, Index

MINUTE_US = 60_000_000
MAX_MINUTES = 1_440  # a silence of more than a day is a new beginning; without a bound one record could cost for years


class Sample(NamedTuple):
    """One composite index at a whole minute."""

    price_usd: float
    held: bool
    """The index must not act: stale, jumping, or dispersed for long."""
    stale: bool
    """Fewer sources are fresh than the index needs."""
    tick_us: int
    """Event time of the newest index tick: one lies inside the last n minutes if `tick_us > time_us - n minutes`."""


@dataclass(frozen=True, slots=True)
class Minute:
    """A whole minute: samples of all underlyings with a price, in order of first appearance.

    `skipped` minutes directly before this one were too many to be told one by one (see `MAX_MINUTES`).
    """

    time_us: int
    samples: Mapping[str, Sample]
    skipped: int = 0


def boundary_after(time_us: int) -> int:
    """Return the whole minute that is over as soon as market time exceeds it: the first at or after `time_us`."""
    return -(-time_us // MINUTE_US) * MINUTE_US


def untold_before(to_us: int) -> int:
    """Return the moment before which minutes are skipped when market time leaps to `to_us`."""
    return to_us - MAX_MINUTES * MINUTE_US


def minutes_between(next_us: int, time_us: int, indices: Iterable[Index]) -> Iterator[Minute]:
    """Yield the whole minutes from `next_us` that are over at `time_us`; nothing may change between those two."""
    if next_us >= time_us:
        return
    skipped = max(0, (time_us - 1 - next_us) // MINUTE_US + 1 - MAX_MINUTES)
    samples = {index.underlying: _sample(index) for index in indices if index.price_usd}
    for minute_us in range(next_us + skipped * MINUTE_US, time_us, MINUTE_US):
        yield Minute(minute_us, samples, skipped)
        skipped = 0


def _sample(index: Index) -> Sample:
    tick_us = max(source.time_us for source in index.sources.values())
    return Sample(index.price_usd, index.held, index.mask & STALE != 0, tick_us)
