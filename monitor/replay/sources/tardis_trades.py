"""Tardis "trades": every public trade of a venue, in arrival order (`local_timestamp`).

A trade is a price of its instrument and a source of the composite index of its underlying, spot and perpetual alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.replay.sources.base import Arrived, Layout
from monitor.replay.sources.errors import UnknownSymbol
from monitor.replay.sources.symbols import MAX_AGE_MS, VENUES
from monitor.replay.sources.table import Report, Table, price, time_us
from schemas.records import Instrument, PriceTick
from schemas.topics import INSTRUMENTS, TICKS


def read(table: Table, report: Report) -> Iterator[Arrived]:
    """Give each instrument at its first trade, then one tick a trade; lines without a valid trade are counted."""
    venue_at, symbol_at = table.column("exchange"), table.column("symbol")
    time_at, arrival_at = table.column("timestamp"), table.column("local_timestamp")
    price_at = table.column("price")
    path = table.path
    feeds: dict[tuple[str, str], tuple[Instrument, str, int | None]] = {}
    for row in table.rows(report):
        try:
            event_us = time_us(row[time_at])
            arrival_us = time_us(row[arrival_at])
            value = price(row[price_at])
        except ValueError as error:
            report.refuse(path, table.line, error)
            continue
        key = (row[venue_at], row[symbol_at])
        feed = feeds.get(key)
        if feed is None:
            venue = VENUES.get(key[0])
            instrument = venue(key[1], event_us) if venue else None
            if instrument is None:
                raise UnknownSymbol(path, table.line, *key)
            source = f"{key[0]}:{key[1]}"
            feed = feeds[key] = (instrument, source, MAX_AGE_MS.get(source))
            yield arrival_us, instrument
        instrument, source, max_age_ms = feed
        yield (
            arrival_us,
            PriceTick(
                underlying=instrument.underlying,
                source=source,
                price_kind="trade",
                event_time_us=event_us,
                price=value,
                instrument=instrument.instrument,
                index_source=True,
                max_age_ms=max_age_ms,
                received_time_us=arrival_us,
            ),
        )


LAYOUT = Layout(
    name="tardis-trades",
    columns=frozenset({"exchange", "symbol", "timestamp", "local_timestamp", "side", "price", "amount"}),
    read=read,
    topics=(INSTRUMENTS.name, TICKS.name),
)
