"""Binance klines: bars of one or several symbols. A bar is known at its end, and that is when it arrives.

The header does not name the market, so the names do: `*_um_perp_*` has USDT-margined perpetuals in a `symbol` column,
`btcusd_perp_mark_1m` the mark of one coin-margined perpetual, `usdeusdt_binance_1m` one spot pair; names
such as `BTCUSDT-1m-2025-10-10` are the exchange's own, and their market is in the folders above (see `binance_names`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from monitor.replay.sources.base import Arrived, Layout
from monitor.replay.sources.binance_names import Feed, feed_of
from monitor.replay.sources.errors import NotReplayable, UnknownSymbol
from monitor.replay.sources.symbols import BAR_MAX_AGE_MS, find
from monitor.replay.sources.table import Report, Rows, iso_us, price, time_us
from schemas.records import Instrument, PriceTick
from schemas.topics import INSTRUMENTS, TICKS

MINUTE_US = 60_000_000
MAX_BARS = 2_000_000  # a file with symbols one after the other is sorted in memory: about 400 bytes a bar

_MARK_FILE = re.compile(r"^([a-z0-9]+usd_perp)_mark_1m\b", re.IGNORECASE)
_SPOT_FILE = re.compile(r"^([a-z0-9]+)_binance_1m\b", re.IGNORECASE)
_UM_FILE = re.compile(r"um_perp_1m\b", re.IGNORECASE)

Bar = tuple[int, str, float]  # (end in microseconds, symbol, close)


def read_bars(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give one symbol's bars: trades, marks or index prices of the market that the names tell."""
    feed = _feed(table)
    instrument: Instrument | None = None
    for end_us, _, close in _bars(table, report, feed.symbol):
        if instrument is None:
            try:
                instrument = find(feed.venue, feed.symbol, end_us)
            except ValueError as error:
                report.refuse(table.path, table.line, error)
                return
            yield end_us, instrument
        yield end_us, _tick(instrument, feed, end_us, close)


def read_symbol_bars(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give the bars of several USDT perpetuals by their end; ties keep the file's order."""
    if not _UM_FILE.search(table.path.name):
        raise UnknownSymbol(table.path, 1, "binance", table.path.name)
    bars: list[Bar] = []
    for bar in _bars(table, report, None):
        bars.append(bar)
        if len(bars) > MAX_BARS:
            raise NotReplayable(f"{table.path.name}: more than {MAX_BARS} bars", "split the file by day")
    bars.sort(key=lambda bar: bar[0])
    listed: dict[str, Instrument] = {}
    for end_us, symbol, close in bars:
        instrument = listed.get(symbol)
        if instrument is None:
            try:
                instrument = listed[symbol] = find("binance-futures", symbol, end_us)
            except ValueError as error:
                report.refuse(table.path, table.line, error)
                continue
            yield end_us, instrument
        yield end_us, _tick(instrument, Feed("binance-futures", "trade", symbol), end_us, close)


def _feed(table: Rows) -> Feed:
    name = table.path.name
    if mark := _MARK_FILE.search(name):
        return Feed("binance-delivery", "mark", mark[1].upper())
    if spot := _SPOT_FILE.search(name):
        return Feed("binance", "trade", spot[1].upper())
    return feed_of(table)


def refuse(table: Rows, _report: Report) -> Iterator[Arrived]:
    """Refuse bars that were derived from trades: with their trades they would count every price twice."""
    raise NotReplayable(f"{table.path.name}: bars derived from trades", "replay the trades themselves")


def _bars(table: Rows, report: Report, symbol: str | None) -> Iterator[Bar]:
    symbol_at = table.column("symbol") if symbol is None else -1
    open_at = table.column("open_time")
    close_at = table.column("close_time") if "close_time" in table.header else None
    columns = [table.column(name) for name in ("open", "high", "low", "close")]
    for row in table.rows(report):
        try:
            first, high, low, close = (price(row[column]) for column in columns)
            if not low <= min(first, close) <= max(first, close) <= high:
                raise ValueError("open or close outside low to high")
            open_us = _open_us(row[open_at])
            # Inclusive ends (59.999 s, 59.999999 s) and exclusive ones (60 s) are the same whole second.
            close_us = open_us + MINUTE_US if close_at is None else time_us(row[close_at])
            end_us = -(-close_us // 1_000_000) * 1_000_000
            if not open_us < end_us <= open_us + MINUTE_US:
                raise ValueError("not a one-minute bar")
        except ValueError as error:
            report.refuse(table.path, table.line, error)
            continue
        yield end_us, symbol if symbol is not None else row[symbol_at], close


def _open_us(text: str) -> int:
    return time_us(text) if text.isdigit() else iso_us(text)


def _tick(instrument: Instrument, feed: Feed, end_us: int, close: float) -> PriceTick:
    return PriceTick(
        underlying=instrument.underlying,
        source=feed.source,
        price_kind=feed.kind,
        event_time_us=end_us,
        price=close,
        instrument=instrument.instrument if feed.kind != "index" else None,
        index_source=feed.kind != "mark",
        max_age_ms=BAR_MAX_AGE_MS,
        received_time_us=end_us,
    )


_OHLC = {"open_time", "open", "high", "low", "close"}
_TOPICS = (INSTRUMENTS.name, TICKS.name)

DERIVED_LAYOUT = Layout("derived-bars", frozenset(_OHLC | {"exchange", "symbol", "trades"}), refuse, _TOPICS)
SYMBOLS_LAYOUT = Layout(
    "binance-klines-symbols", frozenset(_OHLC | {"symbol", "close_time"}), read_symbol_bars, _TOPICS,
    times=("open_time", "close_time"),
)  # fmt: skip
LAYOUT = Layout("binance-klines", frozenset(_OHLC), read_bars, _TOPICS, leads=False, times=("open_time", "close_time"))
