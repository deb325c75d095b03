"""Tardis "options_chain" as Deribit fills it: volatilities in percent, `underlying_price` the forward of the expiry.

`underlying_index` names what the forward is: a listed future, `SYN.` a synthetic one, or `index_price` the index
itself. The index is told by those last rows alone; a volatility whose coin has had none lately goes out without a
forward, and a listed future's forward goes out as its mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.replay.sources.base import Arrived
from monitor.replay.sources.symbols import Unlisted, find
from monitor.replay.sources.table import Report, Rows, price, time_us
from schemas.records import Instrument, InstrumentVolatility, PriceTick

PERCENT = 0.01
SYNTHETIC = "SYN."
INDEX = "index_price"
INDEX_MAX_AGE_US = 10_000_000  # of an index that a forward may be stated against


def read(table: Rows, rows: Iterable[list[str]], report: Report) -> Iterator[Arrived]:
    """Give each option and future at its first row; then index or mark, and the volatility, each if it is there."""
    columns = ("exchange", "symbol", "timestamp", "local_timestamp", "mark_iv", "underlying_index", "underlying_price")
    venue_at, symbol_at, time_at, arrival_at, vol_at, name_at, forward_at = map(table.column, columns)
    listed: dict[str, Instrument] = {}
    given: set[str] = set()
    index_of: dict[str, tuple[int, float]] = {}
    for row in rows:
        try:
            event_us, arrival_us = time_us(row[time_at]), time_us(row[arrival_at])
            option = listed.get(row[symbol_at]) or _option(table, row, row[venue_at], row[symbol_at], event_us)
            listed[row[symbol_at]] = option
            forward = price(row[forward_at]) if row[forward_at] else None
            vol = _volatility(row[vol_at]) if row[vol_at] else None
            future = _future(row[name_at], listed, event_us) if forward is not None else None
        except ValueError as error:
            report.refuse(table.path, table.line, error)
            continue
        coin = option.underlying
        for one in (option, future):
            if one is not None and one.instrument not in given:
                given.add(one.instrument)
                yield arrival_us, one
        if forward is not None and row[name_at] == INDEX:
            index_of[coin] = (event_us, forward)
            yield arrival_us, _tick(coin, f"deribit:{coin}-USD", None, forward, event_us, arrival_us)
        elif forward is not None and future is not None:
            source = f"deribit:{future.instrument}"
            yield arrival_us, _tick(coin, source, future.instrument, forward, event_us, arrival_us)
        if vol is None:
            report.note("row without a mark volatility")
            continue
        at_us, index = index_of.get(coin, (0, 0.0))
        basis = forward / index - 1.0 if forward is not None and event_us - at_us <= INDEX_MAX_AGE_US else None
        if basis is None:
            report.note("volatility without a forward (no index of the coin in the file, or none lately)")
        yield (
            arrival_us,
            InstrumentVolatility(
                underlying=coin, source="deribit", instrument=option.instrument, vol_annual=vol,
                event_time_us=event_us, expiry_us=option.expiry_us, forward_basis=basis, received_time_us=arrival_us,
            ),
        )  # fmt: skip


def _option(table: Rows, row: list[str], venue: str, symbol: str, event_us: int) -> Instrument:
    if venue != "deribit":
        raise ValueError(f"a row of {venue[:40]!r} in a file of deribit")
    option = find(venue, symbol, event_us)
    if option.type != "option":
        raise Unlisted(venue, symbol)
    kind, strike, expiry = (row[table.column(name)] for name in ("type", "strike_price", "expiration"))
    if (kind, float(strike), time_us(expiry)) != (option.option_type, option.strike, option.expiry_us):
        raise ValueError(f"{symbol} contradicts its columns type, strike_price, expiration")
    return option


def _future(name: str, listed: dict[str, Instrument], event_us: int) -> Instrument | None:
    """Return the listed future that a forward is of, None if it is of none."""
    if not name or name == INDEX or name.startswith(SYNTHETIC):
        return None
    future = listed[name] = listed.get(name) or find("deribit", name, event_us)
    return future


def _tick(
    coin: str, source: str, instrument: str | None, value: float, event_us: int, arrival_us: int
) -> PriceTick:  # fmt: skip
    """Return an index price, or the mark of an instrument."""
    return PriceTick(
        underlying=coin, source=source, price_kind="mark" if instrument else "index", event_time_us=event_us,
        price=value, instrument=instrument, index_source=instrument is None, received_time_us=arrival_us,
    )  # fmt: skip


def _volatility(text: str) -> float:
    value = PERCENT * float(text)
    if not 0.0 < value <= 5.0:
        raise ValueError(f"volatility {text[:40]} percent out of range")
    return value
