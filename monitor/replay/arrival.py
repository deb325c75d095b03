"""Several sources as one stream in arrival order, both clocks kept, with a heartbeat every second."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from monitor.engine.merge import record_time_us
from monitor.replay.sources.base import Arrived, RecordsSource, Source
from schemas.records import AccountConfig, Heartbeat, Input, Instrument, ParameterSet, PriceTick, Trade, Transfer

SECOND_US = 1_000_000
HEARTBEAT_SOURCE = "replay"
# What a span does not cut off at its start: without its history an account would hold nothing, and a tick without its
# instrument is refused.
LASTING = frozenset({Instrument, ParameterSet, AccountConfig, Transfer, Trade})
LATEST_US = 300 * SECOND_US  # how long a record is waited for by event time; the latest seen came after 180 s
MAX_SILENCE_US = 86_400 * SECOND_US  # a longer silence is a gap between recordings, not a quiet market


By = Literal["arrival", "event"]

# Arrival and rank of the next record of a source, the record, whether its source leads, what gives the one after it.
# The rank makes arrival ties deterministic, and keeps heapq from comparing records.
_Head = tuple[int, int, Arrived, bool, Callable[[], Arrived]]


@dataclass(slots=True)
class Span:
    """What part of the sources is replayed, by arrival time: from inclusive, until exclusive; None is no bound.

    Definitions and account records before the span are replayed all the same.
    """

    from_us: int | None = None
    until_us: int | None = None


@dataclass(slots=True)
class Merged:
    """Sources merged by arrival time, or by event time; sources earlier in the list win ties.

    By event time every record comes when it happened, as nobody could have had it: what was late is late no more. Both
    clocks stay in the records. A record that arrived more than `LATEST_US` after its event is taken when it comes.

    Companions (see `Source`) take part from the first to the last record of the leading sources. Index ticks that
    repeat the latest one of their source (several option files carry the same index) are dropped and counted.
    """

    sources: Sequence[Source]
    span: Span = field(default_factory=Span)
    by: By = "arrival"
    repeated: int = 0
    outside: int = 0
    first_us: int | None = None
    last_us: int | None = None

    def __iter__(self) -> Iterator[Arrived]:
        """Give (arrival time, record); raises what the sources raise."""
        stream = self._within_span()
        return self._timed(stream) if self._recorded else self._with_heartbeats(stream)

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that any source gives records of."""
        return tuple(dict.fromkeys(topic for source in self.sources for topic in source.topics))

    @property
    def fraction(self) -> float:
        """Share of all sources read so far: that of the slowest leading one."""
        leading = [source for source in self.sources if source.leads] or list(self.sources)
        return min((source.fraction for source in leading), default=1.0)

    @property
    def _recorded(self) -> bool:
        """Whether a source was recorded from topics: then the heartbeats of then are among the records."""
        return any(isinstance(source, RecordsSource) and source.recorded for source in self.sources)

    def _timed(self, arrived: Iterator[Arrived]) -> Iterator[Arrived]:
        """Note when the market begins and ends."""
        for at_us, record in arrived:
            if self.first_us is None and type(record) not in LASTING:
                self.first_us = at_us
            self.last_us = at_us
            yield at_us, record

    def _within_span(self) -> Iterator[Arrived]:
        started = False
        from_us, until_us = self.span.from_us, self.span.until_us
        index_at: dict[tuple[str, str], tuple[int, float | None]] = {}
        for item, leads in self._merged():
            at_us, record = item
            started = started or leads
            if until_us is not None and at_us >= until_us:
                self.outside += 1
                return
            if type(record) in LASTING:
                yield item
                continue
            if not started or (from_us is not None and at_us < from_us):
                self.outside += 1
                continue
            if type(record) is PriceTick and record.instrument is None:
                key = (record.underlying, record.source)
                value = (record.event_time_us, record.price)
                if index_at.get(key) == value:
                    self.repeated += 1
                    continue
                index_at[key] = value
            yield item

    def _merged(self) -> Iterator[tuple[Arrived, bool]]:
        """Give all records by arrival, each with whether its source leads, up to the end of the last that does."""
        any_leads = any(source.leads for source in self.sources)
        heads: list[_Head] = []
        pending = 0
        for rank, source in enumerate(self.sources):
            arrived = source.records()
            following = (arrived if self.by == "arrival" else _by_event(arrived)).__next__
            try:
                item = following()
            except StopIteration:
                continue
            leads = source.leads or not any_leads
            pending += leads
            heads.append((item[0], rank, item, leads, following))
        heapq.heapify(heads)
        while pending:
            _, rank, item, leads, following = heads[0]
            yield item, leads
            try:
                item = following()
            except StopIteration:
                heapq.heappop(heads)
                pending -= leads
            else:
                heapq.heapreplace(heads, (item[0], rank, item, leads, following))

    def _with_heartbeats(self, arrived: Iterator[Arrived]) -> Iterator[Arrived]:
        """Add a heartbeat at every whole second of arrival time that has none."""
        next_us: int | None = None
        for item in arrived:
            at_us, record = item
            if next_us is None and type(record) in LASTING:
                yield item  # what happened before the span starts no clock
                continue
            if self.first_us is None:
                self.first_us = at_us
            self.last_us = at_us
            if next_us is None or at_us > next_us + MAX_SILENCE_US:
                next_us = -(-at_us // SECOND_US) * SECOND_US
            if type(record) is Heartbeat:
                while next_us < record.event_time_us:
                    yield next_us, Heartbeat(source=HEARTBEAT_SOURCE, event_time_us=next_us)
                    next_us += SECOND_US
                next_us = max(next_us, record.event_time_us // SECOND_US * SECOND_US + SECOND_US)
                yield item
                continue
            while next_us <= at_us:
                yield next_us, Heartbeat(source=HEARTBEAT_SOURCE, event_time_us=next_us)
                next_us += SECOND_US
            yield item


def _by_event(arrived: Iterator[Arrived]) -> Iterator[Arrived]:
    """Give records by event time, equal ones as they arrived, each at its event time or the latest given so far."""
    waiting: list[tuple[int, int, Input]] = []
    latest_us = 0
    for number, (at_us, record) in enumerate(arrived):
        while waiting and waiting[0][0] <= at_us - LATEST_US:
            event_us, _, first = heapq.heappop(waiting)
            latest_us = max(latest_us, event_us)
            yield latest_us, first
        heapq.heappush(waiting, (record_time_us(record), number, record))
    while waiting:
        event_us, _, first = heapq.heappop(waiting)
        latest_us = max(latest_us, event_us)
        yield latest_us, first
