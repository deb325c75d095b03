"""Market records with the fields a test does not care about filled in. Times are seconds after `START_US`."""

from __future__ import annotations

from typing import Any

from schemas.records import ExpiryVolatility, Heartbeat, Instrument, InstrumentVolatility, PriceTick, SviVolatility

START_US = 1_760_054_400_000_000  # 2025-10-10
DAY_S = 86_400.0


def at(seconds: float) -> int:
    """Microseconds of a time given in seconds after the start."""
    return START_US + round(seconds * 1e6)


def source_tick(seconds: float, source: str, price: float, underlying: str = "BTC", **fields: Any) -> PriceTick:
    """A price of an index source."""
    return PriceTick(
        underlying=underlying,
        source=source,
        price_kind="index",
        price=price,
        event_time_us=at(seconds),
        index_source=True,
        **fields,
    )


def mark_tick(seconds: float, price: float, instrument: str = "BTC-PERP", **fields: Any) -> PriceTick:
    """A mark of an instrument."""
    fields = {"underlying": "BTC", "source": "venue", "price_kind": "mark", **fields}
    return PriceTick(instrument=instrument, price=price, event_time_us=at(seconds), **fields)


def trade_tick(seconds: float, price: float, instrument: str = "BTC-PERP", **fields: Any) -> PriceTick:
    """A trade of an instrument that is no index source."""
    return mark_tick(seconds, price, instrument, price_kind="trade", **fields)


def heartbeat(seconds: float) -> Heartbeat:
    """A heartbeat of the publisher."""
    return Heartbeat(source="publisher", event_time_us=at(seconds))


def option(name: str, expiry_s: float, strike: float = 100.0, underlying: str = "BTC") -> Instrument:
    """A listed call."""
    return Instrument(
        instrument=name,
        type="option",
        underlying=underlying,
        settlement="USD",
        event_time_us=at(0),
        expiry_us=at(expiry_s),
        strike=strike,
        option_type="call",
    )


def own_vol(seconds: float, instrument: str, vol: float, **fields: Any) -> InstrumentVolatility:
    """One option's own volatility."""
    return InstrumentVolatility(
        underlying="BTC", source="venue", instrument=instrument, vol_annual=vol, event_time_us=at(seconds), **fields
    )


def smile(seconds: float, expiry_s: float, atm: float, **fields: Any) -> ExpiryVolatility:
    """A smile of an expiry."""
    return ExpiryVolatility(
        underlying="BTC",
        source="venue",
        expiry_us=at(expiry_s),
        atm_vol_annual=atm,
        event_time_us=at(seconds),
        **fields,
    )


def svi(seconds: float, expiry_s: float, **fields: Any) -> SviVolatility:
    """A raw SVI slice of an expiry (by default 40 days at about 45 %)."""
    values: dict[str, Any] = {"a": 0.01, "b": 0.05, "rho": -0.3, "m": 0.0, "sigma": 0.2} | fields
    return SviVolatility(underlying="BTC", source="venue", expiry_us=at(expiry_s), event_time_us=at(seconds), **values)
