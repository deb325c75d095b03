"""Binance aggTrades: trades of one symbol at one price and moment, with or without a header row.

There is no recorder's clock in these files: a trade arrives when it happens. Times are in milliseconds, for spot in
microseconds since 2025.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.replay.sources.base import Arrived, Layout
from monitor.replay.sources.binance_names import feed_of
from monitor.replay.sources.symbols import MAX_AGE_MS, find
from monitor.replay.sources.table import Report, Rows, price, time_us
from schemas.records import Instrument, PriceTick
from schemas.topics import INSTRUMENTS, TICKS


def read(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give the instrument at the first trade, then one index tick a row."""
    feed = feed_of(table, trades=True)
    time_at, price_at = table.column("transact_time"), table.column("price")
    max_age_ms = MAX_AGE_MS.get(feed.source)
    instrument: Instrument | None = None
    for row in table.rows(report):
        try:
            event_us, value = time_us(row[time_at]), price(row[price_at])
            if instrument is None:
                instrument = find(feed.venue, feed.symbol, event_us)
                yield event_us, instrument
        except ValueError as error:
            report.refuse(table.path, table.line, error)
            continue
        yield (
            event_us,
            PriceTick(
                underlying=instrument.underlying, source=feed.source, price_kind="trade", event_time_us=event_us,
                price=value, instrument=instrument.instrument, index_source=True, max_age_ms=max_age_ms,
                received_time_us=event_us,
            ),
        )  # fmt: skip


LAYOUT = Layout(
    "binance-agg-trades",
    frozenset({"agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time"}),
    read,
    (INSTRUMENTS.name, TICKS.name),
    times=("transact_time",),
)
