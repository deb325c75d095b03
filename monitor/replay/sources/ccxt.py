"""Unified symbols of CCXT as aliases of venues' own: `BTC/USDT`, `BTC/USDT:USDT`, `BTC/USD:BTC-260327-70000-P`.

A unified symbol is base/quote, with the settlement behind a colon for a derivative, and behind dashes the expiry and,
for an option, strike and C or P. What it is called at the venue follows from the venue's own rule.
"""

from __future__ import annotations

import re
from datetime import datetime

_UNIFIED = re.compile(
    r"^(?P<base>[A-Z0-9]{1,12})/(?P<quote>[A-Z0-9]{2,12})"
    r"(?::(?P<settle>[A-Z0-9]{2,12})(?:-(?P<date>\d{6})(?:-(?P<strike>\d+(?:\.\d+)?)-(?P<kind>[CP]))?)?)?$"
)
# CCXT's names of venues, as ours: (spot, linear derivatives, inverse derivatives and options).
_VENUES: dict[str, tuple[str, str, str]] = {
    "binance": ("binance", "binance-futures", "binance-delivery"),
    "binanceusdm": ("", "binance-futures", ""),
    "binancecoinm": ("", "", "binance-delivery"),
    "binance-futures": ("", "binance-futures", ""),
    "binance-delivery": ("", "", "binance-delivery"),
    "bybit": ("bybit-spot", "bybit", "bybit"),
    "bybit-spot": ("bybit-spot", "", ""),
    "coinbase": ("coinbase", "", ""),
    "deribit": ("", "", "deribit"),
    "gemini": ("gemini", "", ""),
    "okx": ("okex", "okex-swap", "okex-swap"),
    "okex": ("okex", "okex-swap", "okex-swap"),
    "okex-swap": ("", "okex-swap", "okex-swap"),
    "okex-futures": ("", "okex-futures", "okex-futures"),
    "okex-options": ("", "", "okex-options"),
}


def is_unified(symbol: str) -> bool:
    """Return whether a symbol is one of CCXT's: no venue's own has a slash."""
    return "/" in symbol


def native(venue: str, symbol: str) -> tuple[str, str] | None:
    """Return venue and symbol as the venue writes them; None if the alias stands for nothing there."""
    found = _UNIFIED.match(symbol)
    if found is None or venue not in _VENUES:
        return None
    base, quote, settle = found["base"], found["quote"], found["settle"]
    spot, linear, inverse = _VENUES[venue]
    if settle is None:
        return (spot, _spot(spot, base, quote)) if spot else None
    target = linear if settle == quote else inverse if settle == base and quote == "USD" else ""
    name = _derivative(target, found) if target else None
    return (_of_date(target, found), name) if name else None


def _spot(venue: str, base: str, quote: str) -> str:
    return f"{base}-{quote}" if venue in {"coinbase", "okex"} else f"{base}{quote}"


def _of_date(venue: str, found: re.Match[str]) -> str:
    """Return where a derivative of that name is listed: OKX has a market for each kind."""
    if not venue.startswith("okex"):
        return venue
    return "okex-options" if found["strike"] else "okex-futures" if found["date"] else "okex-swap"


def _derivative(venue: str, found: re.Match[str]) -> str | None:
    base, quote, date, strike = found["base"], found["quote"], found["date"], found["strike"]
    option = f"-{strike}-{found['kind']}" if strike else ""
    if venue == "deribit":
        return f"{base}-{_day(date)}{option}" if date and _day(date) else None if date else f"{base}-PERPETUAL"
    if venue.startswith("okex"):
        return f"{base}-{quote}-{date}{option}" if date else f"{base}-{quote}-SWAP"
    if option:
        return None
    if venue == "binance-delivery":
        return f"{base}{quote}_{date or 'PERP'}"
    return f"{base}{quote}_{date}" if date else f"{base}{quote}"


def _day(date: str) -> str:
    """Return a date as Deribit writes it: 27MAR26, days below ten with one digit; empty for none."""
    try:
        day = datetime.strptime(date, "%y%m%d")  # noqa: DTZ007 (a date alone)
    except ValueError:
        return ""
    return f"{day.day}{day:%b%y}".upper()
