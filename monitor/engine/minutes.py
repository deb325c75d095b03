"""Whole minutes of market time, and the composite indices in force at each.

A whole minute is over with the first accepted tick or heartbeat that is later than it: what happened at the minute
itself still belongs to it, as everywhere in the engine a deadline is exceeded, not reached. Listeners are called
before that record is folded, minute by minute, each once.

A minute is a moment like any other, so staleness is judged at the minute, not at the record before it. Only the price
is the one that the last record made: time alone takes a source out of the index with the next record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from monitor.engine.index import DISPERSION_HOLD_US, FAR_US, Index

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
    """Yield the whole minutes from `next_us` that are over at `time_us`, with the indices as they stand."""
    skipped = max(0, (time_us - 1 - next_us) // MINUTE_US + 1 - MAX_MINUTES)
    next_us += skipped * MINUTE_US
    indices = tuple(indices)
    samples: dict[str, Sample] = {}
    until_us = 0
    while next_us < time_us:
        if next_us > until_us:
            samples, until_us = _samples(indices, next_us)
        yield Minute(next_us, samples, skipped)
        skipped = 0
        next_us += MINUTE_US


def _samples(indices: tuple[Index, ...], time_us: int) -> tuple[dict[str, Sample], int]:
    """Return the samples at a minute, and the last moment at which they are still the same."""
    samples: dict[str, Sample] = {}
    until_us = FAR_US
    for index in indices:
        if not index.price_usd:
            continue
        fresh = tick_us = 0
        for source in index.sources.values():
            tick_us = max(tick_us, source.time_us)
            if source.expires_us >= time_us:
                fresh += 1
                until_us = min(until_us, source.expires_us)
        stale = fresh < min(2, len(index.sources))
        held = stale or index.held
        if not held and index.dispersed_us:
            held_after_us = index.dispersed_us + DISPERSION_HOLD_US
            held = time_us > held_after_us
            if not held:
                until_us = min(until_us, held_after_us)
        samples[index.underlying] = Sample(index.price_usd, held, stale, tick_us)
    return samples, until_us
