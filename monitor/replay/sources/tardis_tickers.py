"""Tardis "quotes" and "book_ticker" (best bid and ask), and "derivative_ticker" (mark, index, funding).

All in arrival order (`local_timestamp`). Quotes and book tickers have the same columns and mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.replay.sources.base import Arrived, Layout
from monitor.replay.sources.symbols import MAX_AGE_MS, find
from monitor.replay.sources.table import Report, Rows, price, time_us
from monitor.replay.sources.tardis_trades import INDEX_TYPES
from schemas.records import Funding, Instrument, PriceTick
from schemas.topics import INSTRUMENTS, TICKS

FUNDING_INTERVAL_MS = 28_800_000
ASSUMED_INTERVAL = "funding rate taken as that of 8 hours: the file does not say"
ONE_SIDE = "quote with one side only"
RENEWED_US = 3_600_000_000  # a rate that does not change is told again so often, or nobody would believe it any more


def read_quotes(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give each instrument at its first quote, then one quote tick a row that has both sides."""
    bid_at, ask_at = table.column("bid_price"), table.column("ask_price")
    feeds = _Feeds(table)
    for row in table.rows(report):
        try:
            event_us, arrival_us, instrument, source, is_new = feeds.of(row)
            if not row[bid_at] or not row[ask_at]:
                report.note(ONE_SIDE)
                continue
            bid, ask = price(row[bid_at]), price(row[ask_at])
            if ask < bid:
                raise ValueError(f"ask {ask} below bid {bid}")
        except ValueError as error:
            report.refuse(table.path, table.line, error)
            continue
        if is_new:
            yield arrival_us, feeds.introduce(row)
        yield (
            arrival_us,
            PriceTick(
                underlying=instrument.underlying, source=source, price_kind="quote", event_time_us=event_us, bid=bid,
                ask=ask, instrument=instrument.instrument, index_source=instrument.type in INDEX_TYPES,
                max_age_ms=MAX_AGE_MS.get(source), received_time_us=arrival_us,
            ),
        )  # fmt: skip


def read_derivatives(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give each instrument at its first row; then its mark, the venue's index and the funding rate, each if there."""
    mark_at, index_at, rate_at = (table.column(name) for name in ("mark_price", "index_price", "funding_rate"))
    feeds = _Feeds(table)
    paid: dict[str, tuple[float, int]] = {}  # perpetual -> the rate that went out last, and when
    for row in table.rows(report):
        try:
            event_us, arrival_us, instrument, source, is_new = feeds.of(row)
            mark = price(row[mark_at]) if row[mark_at] else None
            index = price(row[index_at]) if row[index_at] else None
            rate = _rate(row[rate_at]) if row[rate_at] else None
        except ValueError as error:
            report.refuse(table.path, table.line, error)
            continue
        if is_new:
            yield arrival_us, feeds.introduce(row)
        name = instrument.instrument
        if index is not None:
            yield arrival_us, _index(instrument, source, index, event_us, arrival_us)
        if mark is not None:
            yield (
                arrival_us,
                PriceTick(
                    underlying=instrument.underlying, source=source, price_kind="mark", event_time_us=event_us,
                    price=mark, instrument=name, received_time_us=arrival_us,
                ),
            )  # fmt: skip
        told, told_us = paid.get(name, (None, 0))
        if rate is not None and instrument.type == "perpetual" and (rate != told or event_us >= told_us + RENEWED_US):
            report.note(ASSUMED_INTERVAL)
            paid[name] = (rate, event_us)
            yield (
                arrival_us,
                Funding(
                    instrument=name, underlying=instrument.underlying, source=source, rate=rate,
                    event_time_us=event_us, interval_ms=FUNDING_INTERVAL_MS, received_time_us=arrival_us,
                ),
            )  # fmt: skip


class _Feeds:
    """Where the times and the symbol of a row stand, and the instruments so far."""

    def __init__(self, table: Rows) -> None:
        self._venue_at, self._symbol_at = table.column("exchange"), table.column("symbol")
        self._time_at, self._arrival_at = table.column("timestamp"), table.column("local_timestamp")
        self._known: dict[tuple[str, str], tuple[Instrument, str]] = {}
        self._introduced: set[tuple[str, str]] = set()

    def of(self, row: list[str]) -> tuple[int, int, Instrument, str, bool]:
        """Return event time, arrival, instrument, source, and whether the instrument has not gone out yet.

        Raises ValueError, and Unlisted for a symbol without an instrument.
        """
        event_us, arrival_us = time_us(row[self._time_at]), time_us(row[self._arrival_at])
        key = (row[self._venue_at], row[self._symbol_at])
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (find(*key, event_us), f"{key[0]}:{key[1]}")
        return event_us, arrival_us, *known, key not in self._introduced

    def introduce(self, row: list[str]) -> Instrument:
        """Return the instrument of a row, which goes out now."""
        key = (row[self._venue_at], row[self._symbol_at])
        self._introduced.add(key)
        return self._known[key][0]


def _index(instrument: Instrument, source: str, index: float, event_us: int, arrival_us: int) -> PriceTick:
    venue = source.partition(":")[0]
    return PriceTick(
        underlying=instrument.underlying, source=f"{venue}:{instrument.underlying}-index", price_kind="index",
        event_time_us=event_us, price=index, index_source=True, received_time_us=arrival_us,
    )  # fmt: skip


def _rate(text: str) -> float:
    value = float(text)
    if not -1.0 <= value <= 1.0:
        raise ValueError(f"funding rate {text[:40]} out of range")
    return value


_KEYS = {"exchange", "symbol", "timestamp", "local_timestamp"}
_TIMES = ("timestamp", "local_timestamp")
_TOPICS = (INSTRUMENTS.name, TICKS.name)

QUOTES_LAYOUT = Layout(
    "tardis-quotes", frozenset(_KEYS | {"ask_amount", "ask_price", "bid_price", "bid_amount"}), read_quotes, _TOPICS,
    times=_TIMES, without=frozenset({"mark_price", "mark_iv"}),
)  # fmt: skip
DERIVATIVES_LAYOUT = Layout(
    "tardis-derivative-ticker", frozenset(_KEYS | {"funding_rate", "index_price", "mark_price"}), read_derivatives,
    _TOPICS, times=_TIMES,
)  # fmt: skip
