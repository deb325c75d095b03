"""What Deribit's API says, a JSON object a line: trades, tickers and summaries of a whole chain.

A line is a notification of a subscription, the answer to a request, or the bare object or list out of either. Times
are in milliseconds, volatilities in percent. Trades and tickers carry the index; a summary has the estimated delivery
price, which is the index outside of settlements. There is no recorder's clock: a record arrives when it happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from monitor.replay.sources.base import Arrived, CsvSource, Layout
from monitor.replay.sources.errors import Truncated
from monitor.replay.sources.packed import DAMAGE, opened
from monitor.replay.sources.symbols import find
from monitor.replay.sources.table import Report, Rows, Watch, price, time_us
from schemas.records import Funding, Instrument, InstrumentVolatility, PriceTick
from schemas.topics import INSTRUMENTS, TICKS, VOLATILITY

PERCENT = 0.01
MAX_LINE_BYTES = 16_000_000  # a summary of two thousand options has about one
FUNDING_INTERVAL_MS = 28_800_000  # `current_funding` is a rate of eight hours
RENEWED_US = 3_600_000_000  # a rate that does not change is told again so often, or nobody would believe it any more
FROM_DELIVERY = "index taken from estimated_delivery_price"
_MARKS = (b'"instrument_name"', b'"jsonrpc"')

_decode = msgspec.json.Decoder().decode


class JsonLines:
    """One open file of JSON lines as a table of one column."""

    header: tuple[str, ...] = ("json",)

    def __init__(self, path: Path) -> None:
        """Open the file; raises SourceError if it cannot be read."""
        self.path = path
        self.market: str | None = None
        self.watch: Watch | None = None
        self.line = 0
        self._raw, self._unpacked = opened(path)

    def column(self, name: str) -> int:
        """Index of a column."""
        return self.header.index(name)

    def rows(self, report: Report) -> Iterator[list[str]]:
        """Give each line that is not empty; raises Truncated at damage."""
        try:
            while data := self._unpacked.readline(MAX_LINE_BYTES):
                self.line += 1
                if not data.strip():
                    continue
                report.rows += 1
                if self.watch is not None:
                    self.watch(self.line, (data,))
                yield [data.decode(errors="replace")]
        except DAMAGE as error:
            raise Truncated(self.path, self.line, str(error)) from error
        finally:
            self.close()

    @property
    def fraction(self) -> float:
        """Share of the file's bytes read so far."""
        return 1.0 if self._raw.closed else self._raw.tell() / max(1, self.path.stat().st_size)

    def close(self) -> None:
        """Close the file."""
        self._unpacked.close()
        self._raw.close()


@dataclass(slots=True)
class ApiSource(CsvSource):
    """A file of JSON lines from Deribit's API."""

    def _open(self) -> Rows:
        return JsonLines(self.path)


def is_api(path: Path) -> bool:
    """Return whether a file's first line is an object or a list as the API gives it."""
    raw, unpacked = opened(path)
    try:
        first = unpacked.read(65_536)
    except DAMAGE:
        return False
    finally:
        raw.close()
    return first.lstrip()[:1] in {b"{", b"["} and any(mark in first for mark in _MARKS) and b'"topic"' not in first[:20]


def read(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give what each object says; a line that is no object of the API, or a bad part of it, is malformed."""
    book = _Book()
    for (line,) in table.rows(report):
        try:
            found = list(_objects(_decode(line)))
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            report.refuse(table.path, table.line, f"no object of the API: {error}")
            continue
        for one in found:
            try:
                records = list(book.records(one, report))
            except (ValueError, TypeError, KeyError) as error:
                reason = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                report.refuse(table.path, table.line, reason)
                continue
            yield from records


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Give the objects that have an instrument, from inside of notifications and answers."""
    if isinstance(value, list):
        for one in value:
            yield from _objects(one)
        return
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} instead of an object")
    if "instrument_name" in value:
        yield value
        return
    inner = value.get("result") or value.get("trades") or (value.get("params") or {}).get("data")
    if inner is None:
        raise ValueError("no instrument_name, result, trades or params.data")
    yield from _objects(inner)


class _Book:
    """Instruments, indices and funding rates of one file so far."""

    def __init__(self) -> None:
        self._known: dict[str, Instrument] = {}
        self._given: set[str] = set()
        self._index: dict[str, tuple[int, float]] = {}
        self._paid: dict[str, tuple[float, int]] = {}

    def records(self, one: Mapping[str, Any], report: Report) -> Iterator[Arrived]:
        """Give what a trade, ticker or summary says, its instrument first; raises ValueError, KeyError, TypeError."""
        event_us = time_us(str(one["timestamp"] if "timestamp" in one else one["creation_timestamp"]))
        name = str(one["instrument_name"])
        instrument = self._known[name] = self._known.get(name) or find("deribit", name, event_us)
        index = _price(one, "index_price")
        if index is None and "creation_timestamp" in one:
            index = _price(one, "estimated_delivery_price")
            report.note(FROM_DELIVERY)
        if name not in self._given:
            self._given.add(name)
            yield event_us, instrument
        coin = instrument.underlying
        if index is not None and self._index.get(coin) != (event_us, index):
            self._index[coin] = (event_us, index)
            yield event_us, _tick(instrument, None, "index", index, event_us)
        if "trade_id" in one:
            if instrument.type != "option":
                yield event_us, _tick(instrument, name, "trade", price(str(one["price"])), event_us)
            return
        if instrument.type == "option":
            yield from self._volatility(one, instrument, index, event_us)
        else:
            mark = _price(one, "mark_price")
            if mark is not None:
                yield event_us, _tick(instrument, name, "mark", mark, event_us)
            yield from self._funding(one, instrument, event_us)

    @staticmethod
    def _volatility(
        one: Mapping[str, Any], option: Instrument, index: float | None, event_us: int
    ) -> Iterator[Arrived]:  # fmt: skip
        if one.get("mark_iv") in {None, ""}:
            return
        vol = PERCENT * float(one["mark_iv"])
        if not 0.0 < vol <= 5.0:
            raise ValueError(f"volatility {one['mark_iv']} percent out of range")
        forward = _price(one, "underlying_price")
        yield (
            event_us,
            InstrumentVolatility(
                underlying=option.underlying, source="deribit", instrument=option.instrument, vol_annual=vol,
                event_time_us=event_us, expiry_us=option.expiry_us,
                forward_basis=forward / index - 1.0 if forward and index else None, received_time_us=event_us,
            ),
        )  # fmt: skip

    def _funding(self, one: Mapping[str, Any], perpetual: Instrument, event_us: int) -> Iterator[Arrived]:
        if perpetual.type != "perpetual" or one.get("current_funding") is None:
            return
        rate = float(one["current_funding"])
        if not -1.0 <= rate <= 1.0:
            raise ValueError(f"funding rate {rate} out of range")
        told, told_us = self._paid.get(perpetual.instrument, (None, 0))
        if rate == told and event_us < told_us + RENEWED_US:
            return
        self._paid[perpetual.instrument] = (rate, event_us)
        yield (
            event_us,
            Funding(
                instrument=perpetual.instrument, underlying=perpetual.underlying, source="deribit", rate=rate,
                event_time_us=event_us, interval_ms=FUNDING_INTERVAL_MS, received_time_us=event_us,
            ),
        )  # fmt: skip


def _price(one: Mapping[str, Any], name: str) -> float | None:
    value = one.get(name)
    return None if value is None else price(str(value))


def _tick(instrument: Instrument, name: str | None, kind: Any, value: float, event_us: int) -> PriceTick:
    return PriceTick(
        underlying=instrument.underlying, source=f"deribit:{name or f'{instrument.underlying}-USD'}", price_kind=kind,
        event_time_us=event_us, price=value, instrument=name, index_source=name is None, received_time_us=event_us,
    )  # fmt: skip


LAYOUT = Layout("deribit-api", frozenset({"json"}), read, (INSTRUMENTS.name, TICKS.name, VOLATILITY.name))
