"""Tardis "trades": every public trade of a venue, in arrival order (`local_timestamp`).

A trade is a price of its instrument and a source of the composite index of its underlying, spot and perpetual alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from monitor.replay.sources.base import Arrived, Layout
from monitor.replay.sources.symbols import MAX_AGE_MS, find
from monitor.replay.sources.table import Report, Rows, price, time_us
from schemas.records import Instrument, PriceTick
from schemas.topics import INSTRUMENTS, TICKS

_NO_LETTERS = re.compile(r"[^a-z]+")
INDEX_TYPES = ("spot", "perpetual")  # a dated future has its basis, an option's price is of something else
AS_TRADES = "taken for trades: liquidations have the same columns, and are told by their name"


def read(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give each instrument at its first trade, then one tick a trade; lines without a valid trade are counted.

    Liquidations have the columns of trades. They are told by the word in the name of the file or of a folder around
    it, as the vendor names them; they give their instruments and no price, because their trades are in the trades.
    """
    kind = _kind(table)
    if kind == "liquidations":
        yield from _read_liquidations(table, report)
        return
    if not kind:
        report.note(AS_TRADES)
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
            key = (row[venue_at], row[symbol_at])
            feed = feeds.get(key)
            if feed is None:
                source = f"{key[0]}:{key[1]}"
                feed = feeds[key] = (find(*key, event_us), source, MAX_AGE_MS.get(source))
                yield arrival_us, feed[0]
        except ValueError as error:
            report.refuse(path, table.line, error)
            continue
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
                index_source=instrument.type in INDEX_TYPES,
                max_age_ms=max_age_ms,
                received_time_us=arrival_us,
            ),
        )


def _read_liquidations(table: Rows, report: Report) -> Iterator[Arrived]:
    venue_at, symbol_at = table.column("exchange"), table.column("symbol")
    time_at, arrival_at, price_at = (table.column(name) for name in ("timestamp", "local_timestamp", "price"))
    known: set[tuple[str, str]] = set()
    for row in table.rows(report):
        try:
            event_us, arrival_us = time_us(row[time_at]), time_us(row[arrival_at])
            price(row[price_at])
            key = (row[venue_at], row[symbol_at])
            instrument = find(*key, event_us) if key not in known else None
        except ValueError as error:
            report.refuse(table.path, table.line, error)
            continue
        report.note("liquidation: its price is in the trades, and goes out from there alone")
        if instrument is not None:
            known.add(key)
            yield arrival_us, instrument


def _kind(table: Rows) -> str:
    """Return `trades` or `liquidations`, a word of the file's name or the name of the nearest folder; empty if none."""
    kinds = {"trades", "liquidations"}
    words = kinds & set(_NO_LETTERS.split(table.path.name.lower()))
    folders = [folder for folder in reversed(table.path.parent.parts) if folder in kinds]
    return words.pop() if len(words) == 1 else folders[0] if folders else ""


LAYOUT = Layout(
    name="tardis-trades",
    columns=frozenset({"exchange", "symbol", "timestamp", "local_timestamp", "side", "price", "amount"}),
    read=read,
    topics=(INSTRUMENTS.name, TICKS.name),
    times=("timestamp", "local_timestamp"),
)
