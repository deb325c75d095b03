"""Tardis "options_chain". OKX: index, mark price and mark volatility of an option every second.

`underlying_price` is the index, not the forward. The forward of the expiry is the one at which Black-76 with the
row's `mark_iv` gives the row's `mark_price`; it goes out as `forward_basis` = forward / index - 1. What Deribit means
by the same columns is in `tardis_deribit`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from monitor.replay.sources import tardis_deribit
from monitor.replay.sources.base import Arrived, Layout
from monitor.replay.sources.symbols import Unlisted, find
from monitor.replay.sources.table import Report, Rows, price, time_us
from schemas.records import Instrument, InstrumentVolatility, PriceTick
from schemas.topics import INSTRUMENTS, TICKS, VOLATILITY

SECONDS_PER_YEAR = 365 * 86_400
MAX_BASIS = 0.25  # beyond this a mark and its index are of different moments, not of one market
INDEX_MAX_AGE_MS = 10_000  # the index comes every second (largest gap of the day: 1.4 s)

_NEWTON_STEPS = 40
_MAX_LOG_STEP = 0.25  # keeps the first steps of far out-of-the-money options inside the region where the slope helps


def implied_forward(mark: float, vol: float, years: float, strike: float, is_call: bool, start: float) -> float | None:
    """Return the forward at which Black-76 in coin, V(F)/F, equals `mark`; None if there is none near `start`.

    `mark` in coins per coin, `vol` annualised, `start` and result in USD. V(F)/F is N(d1) - (K/F) N(d2) for a call,
    monotone in F, with slope (K/F) N(d2) per unit of ln F; puts by parity. Newton's steps on ln F.
    """
    deviation = vol * math.sqrt(years)
    if deviation <= 0.0:
        return None
    log_forward = math.log(start)
    log_strike = math.log(strike)
    root_half = math.sqrt(0.5)
    for _ in range(_NEWTON_STEPS):
        d2 = (log_forward - log_strike) / deviation - 0.5 * deviation
        d1 = d2 + deviation
        ratio = math.exp(log_strike - log_forward)
        if is_call:
            slope = ratio * 0.5 * math.erfc(-d2 * root_half)
            value = 0.5 * math.erfc(-d1 * root_half) - slope
        else:
            slope = -ratio * 0.5 * math.erfc(d2 * root_half)
            value = -slope - 0.5 * math.erfc(d1 * root_half)
        if abs(slope) < 1e-300:
            return None
        step = (mark - value) / slope
        if abs(step) < 1e-12:
            return math.exp(log_forward + step)
        log_forward += min(_MAX_LOG_STEP, max(-_MAX_LOG_STEP, step))
    return None


def read(table: Rows, report: Report) -> Iterator[Arrived]:
    """Read a file as the venue of its first row fills it."""
    rows = table.rows(report)
    first = next(rows, None)
    if first is None:
        return
    venue = first[table.column("exchange")]
    reader = tardis_deribit.read if venue == "deribit" else _read_okx
    yield from reader(table, itertools.chain([first], rows), report)


def _read_okx(table: Rows, rows: Iterator[list[str]], report: Report) -> Iterator[Arrived]:
    """Give each option at its first row, then an index tick and a volatility a row, each only if the row has it."""
    venue_at, symbol_at = table.column("exchange"), table.column("symbol")
    time_at, arrival_at = table.column("timestamp"), table.column("local_timestamp")
    index_at, vol_at, mark_at = table.column("underlying_price"), table.column("mark_iv"), table.column("mark_price")
    path = table.path
    listed: dict[tuple[str, str], Instrument] = {}
    forward_of: dict[str, float] = {}  # the latest solution of each option starts the next search
    for row in rows:
        key = (row[venue_at], row[symbol_at])
        try:
            event_us = time_us(row[time_at])
            arrival_us = time_us(row[arrival_at])
            index = price(row[index_at]) if row[index_at] else None
            vol = _volatility(row[vol_at]) if row[vol_at] else None
            mark = price(row[mark_at]) if row[mark_at] else None
            option = listed.get(key)
            if option is None:
                option = listed[key] = _list(table, row, key, event_us)
                yield arrival_us, option
        except ValueError as error:
            report.refuse(path, table.line, error)
            continue
        if index is None:
            report.note("row without an index")
        else:
            yield arrival_us, _index_tick(option, index, event_us, arrival_us)
        if vol is None:
            report.note("row without a mark volatility")
            continue
        basis = None
        if mark is not None and index is not None:
            basis = _basis(option, mark, vol, index, event_us, forward_of)
        if basis is None:
            report.note("volatility without a forward (no mark price, no index, or no solution)")
        yield (
            arrival_us,
            InstrumentVolatility(
                underlying=option.underlying,
                source="okx",
                instrument=option.instrument,
                vol_annual=vol,
                event_time_us=event_us,
                expiry_us=option.expiry_us,
                forward_basis=basis,
                received_time_us=arrival_us,
            ),
        )


def _basis(
    option: Instrument, mark: float, vol: float, index: float, event_us: int, forward_of: dict[str, float]
) -> float | None:
    assert option.expiry_us is not None
    assert option.strike is not None
    years = (option.expiry_us - event_us) * 1e-6 / SECONDS_PER_YEAR
    if years <= 0.0:
        return None
    start = forward_of.get(option.instrument, index)
    forward = implied_forward(mark, vol, years, option.strike, option.option_type == "call", start)
    if forward is None or abs(forward / index - 1.0) > MAX_BASIS:
        forward_of.pop(option.instrument, None)
        return None
    forward_of[option.instrument] = forward
    return forward / index - 1.0


def _index_tick(option: Instrument, index: float, event_us: int, arrival_us: int) -> PriceTick:
    return PriceTick(
        underlying=option.underlying,
        source=f"okx:{option.underlying}-USD",
        price_kind="index",
        event_time_us=event_us,
        price=index,
        index_source=True,
        max_age_ms=INDEX_MAX_AGE_MS,
        received_time_us=arrival_us,
    )


def _list(table: Rows, row: list[str], key: tuple[str, str], event_us: int) -> Instrument:
    option = find(*key, event_us)
    if option.type != "option":
        raise Unlisted(*key)
    stated = (
        row[table.column("type")],
        float(row[table.column("strike_price")]),
        time_us(row[table.column("expiration")]),
    )
    if stated != (option.option_type, option.strike, option.expiry_us):
        raise ValueError(f"{key[1]} contradicts its columns type, strike_price, expiration")
    return option


def _volatility(text: str) -> float:
    value = float(text)
    if not 0.0 < value <= 5.0:
        raise ValueError(f"volatility {text[:40]} out of range")
    return value


LAYOUT = Layout(
    name="tardis-options-chain",
    columns=frozenset(
        {"exchange", "symbol", "timestamp", "local_timestamp", "type", "strike_price", "expiration", "mark_price",
         "mark_iv", "underlying_price"}
    ),
    read=read,
    topics=(INSTRUMENTS.name, TICKS.name, VOLATILITY.name),
    times=("timestamp", "local_timestamp"),
)  # fmt: skip
