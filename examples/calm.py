"""A market that stands still after its end: the last prices go on until all is done: whoever is late can still act."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from monitor.replay.sources.base import Arrived, Source
from monitor.replay.sources.table import Report
from schemas.records import ExpiryVolatility, Funding, PriceTick

SECOND_US = 1_000_000
Lasting = PriceTick | Funding | ExpiryVolatility


@dataclass(slots=True)
class Calm:
    """A source, and after it seconds in which every feed repeats its last record once, until `done` or too many."""

    source: Source
    seconds: int
    """At most."""
    begun: bool = False
    """The source is at its end."""
    done: bool = False
    """To be set by whoever waits for something: no second follows."""
    leads: bool = True
    report: Report = field(init=False)
    fraction: float = 0.0
    size_bytes: int = 0

    def __post_init__(self) -> None:
        """Report what the source reports."""
        self.report = self.source.report

    @property
    def name(self) -> str:
        """What it was made from."""
        return f"{self.source.name}, and calm after it"

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that it gives records of."""
        return self.source.topics

    def records(self) -> Iterator[Arrived]:
        """Give the source's records, then the last of each feed again and again."""
        last: dict[tuple[str, ...], Lasting] = {}
        at_us = 0
        for at_us, record in self.source.records():
            if isinstance(record, Lasting):
                last[_feed(record)] = record
            self.fraction = self.source.fraction
            yield at_us, record
        self.report = self.source.report
        self.begun = True
        for second in range(1, self.seconds + 1):
            if self.done:
                return
            now_us = at_us + second * SECOND_US
            for record in last.values():
                if isinstance(record, PriceTick) or second % 60 == 1:
                    yield now_us, msgspec.structs.replace(record, event_time_us=now_us, received_time_us=now_us)


def _feed(record: Lasting) -> tuple[str, ...]:
    if isinstance(record, ExpiryVolatility):
        return ("volatility", record.underlying, record.source, str(record.expiry_us))
    if isinstance(record, Funding):
        return ("funding", record.source, record.instrument)
    return ("price", record.source, record.price_kind, record.instrument or record.underlying)
