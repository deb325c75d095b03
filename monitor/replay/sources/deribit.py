"""Deribit snapshots: whole option chains, and the perpetuals and dated futures beside them.

A snapshot carries the time its run started; the run takes about a minute, so its rows are up to a minute younger than
they say. The stamp is used as given, for event and arrival.
"""

from __future__ import annotations

from collections.abc import Iterator

from monitor.replay.sources.base import Arrived, Layout
from monitor.replay.sources.symbols import find
from monitor.replay.sources.table import Report, Rows, iso_us, price, time_us
from schemas.records import Instrument, InstrumentVolatility, PriceTick
from schemas.topics import INSTRUMENTS, TICKS, VOLATILITY

# Snapshots come about every six hours (largest gap seen: below seven). Between two of them the last one stands.
SNAPSHOT_MAX_AGE_MS = 8 * 3_600_000
SYNTHETIC = "SYN."  # a forward made from options where no future is listed


def read_chain(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give, for each row: its instruments when new, then its volatility.

    A snapshot has one index tick per coin and one mark per future, those of its first row: a run reads the index a few
    times, and every forward is stated against the one that went out, so that index and basis give it back.
    """
    column = {name: table.column(name) for name in CHAIN_LAYOUT.columns}
    at = column["timestamp"]
    book = _Listings()
    index_of: dict[str, tuple[int, float]] = {}  # coin -> snapshot and its index
    marked_at: dict[str, int] = {}  # future -> snapshot
    for row in table.rows(report):
        try:
            event_us = iso_us(row[at])
            forward = price(row[column["underlying"]])
            index = price(row[column["index_price"]])
            vol = float(row[column["implied_volatility"]])
            if not 0.0 < vol <= 5.0:
                raise ValueError(f"volatility {vol} out of range")
            option = book.find(row[column["instrument_name"]], event_us)
            _contradiction(option, row, column)
            snapshot_us, stated = index_of.get(option.underlying, (0, index))
            basis = forward / (stated if snapshot_us == event_us else index) - 1.0
            if not -1.0 < basis <= 10.0:
                raise ValueError(f"forward {forward} against index {index}")
            future_name = row[column["underlying_name"]]
            listed = not future_name.startswith(SYNTHETIC) and marked_at.get(future_name) != event_us
            future = book.find(future_name, event_us) if listed else None
        except ValueError as error:
            report.refuse(table.path, table.line, error)
            continue
        if book.introduce(option):
            yield event_us, option
        if snapshot_us != event_us:
            index_of[option.underlying] = (event_us, index)
            yield event_us, _index_tick(option.underlying, index, event_us)
        if future is not None:
            marked_at[future_name] = event_us
            if book.introduce(future):
                yield event_us, future
            yield event_us, _mark(future, forward, event_us)
        yield (
            event_us,
            InstrumentVolatility(
                underlying=option.underlying,
                source="deribit",
                instrument=option.instrument,
                vol_annual=vol,
                event_time_us=event_us,
                expiry_us=option.expiry_us,
                forward_basis=basis,
                received_time_us=event_us,
            ),
        )


def read_futures(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give the mark of each dated future at each snapshot."""
    at, name_at = table.column("timestamp"), table.column("futures_instrument_name")
    mark_at = table.column("snapshot_term_mark_price")
    book = _Listings()
    for row in table.rows(report):
        try:
            event_us = iso_us(row[at])
            value = price(row[mark_at])
            future = book.find(row[name_at], event_us)
        except ValueError as error:
            report.refuse(table.path, table.line, error)
            continue
        if book.introduce(future):
            yield event_us, future
        yield event_us, _mark(future, value, event_us)


def read_perpetuals(table: Rows, report: Report) -> Iterator[Arrived]:
    """Give the one-minute candle of each perpetual around each snapshot, at the candle's end."""
    open_at, name_at = table.column("candle_open_time_ms"), table.column("instrument_name")
    close_at = table.column("candle_close")
    book = _Listings()
    for row in table.rows(report):
        try:
            end_us = time_us(row[open_at]) + 60_000_000
            value = price(row[close_at])
            perpetual = book.find(row[name_at], end_us)
        except ValueError as error:
            report.refuse(table.path, table.line, error)
            continue
        if book.introduce(perpetual):
            yield end_us, perpetual
        yield end_us, _mark(perpetual, value, end_us)


class _Listings:
    """The instruments of one file so far."""

    def __init__(self) -> None:
        self._known: dict[str, Instrument] = {}
        self._introduced: set[str] = set()

    def find(self, symbol: str, event_us: int) -> Instrument:
        """Return the instrument, dated at its first row; raises Unlisted."""
        instrument = self._known.get(symbol) or find("deribit", symbol, event_us)
        self._known[symbol] = instrument
        return instrument

    def introduce(self, instrument: Instrument) -> bool:
        """Return whether its definition has to go out now: once, before its first record."""
        is_new = instrument.instrument not in self._introduced
        self._introduced.add(instrument.instrument)
        return is_new


def _contradiction(option: Instrument, row: list[str], column: dict[str, int]) -> None:
    """Raise ValueError if name and columns describe different options."""
    stated = (
        row[column["option_type"]],
        float(row[column["strike"]]),
        iso_us(row[column["expiry_datetime"]]),
        row[column["currency"]],
    )
    if stated != (option.option_type, option.strike, option.expiry_us, option.underlying):
        raise ValueError(f"{option.instrument} contradicts its columns")


def _index_tick(underlying: str, index: float, event_us: int) -> PriceTick:
    return PriceTick(
        underlying=underlying,
        source=f"deribit:{underlying}-USD",
        price_kind="index",
        event_time_us=event_us,
        price=index,
        index_source=True,
        max_age_ms=SNAPSHOT_MAX_AGE_MS,
        received_time_us=event_us,
    )


def _mark(instrument: Instrument, value: float, event_us: int) -> PriceTick:
    return PriceTick(
        underlying=instrument.underlying,
        source=f"deribit:{instrument.instrument}",
        price_kind="mark",
        event_time_us=event_us,
        price=value,
        instrument=instrument.instrument,
        max_age_ms=SNAPSHOT_MAX_AGE_MS,
        received_time_us=event_us,
    )


CHAIN_LAYOUT = Layout(
    "deribit-chain",
    frozenset(
        {"timestamp", "instrument_name", "underlying", "underlying_name", "option_type", "strike", "expiry_datetime",
         "implied_volatility", "currency", "index_price"}
    ),
    read_chain,
    (INSTRUMENTS.name, TICKS.name, VOLATILITY.name),
)  # fmt: skip
FUTURES_LAYOUT = Layout(
    "deribit-futures-marks",
    frozenset({"timestamp", "currency", "futures_instrument_name", "snapshot_term_mark_price"}),
    read_futures,
    (INSTRUMENTS.name, TICKS.name),
    leads=False,
)
PERPETUALS_LAYOUT = Layout(
    "deribit-perpetuals",
    frozenset({"snapshot_timestamp_ms", "coin", "instrument_name", "candle_open_time_ms", "candle_close"}),
    read_perpetuals,
    (INSTRUMENTS.name, TICKS.name),
    leads=False,
    times=("snapshot_timestamp_ms", "candle_open_time_ms"),
)
