"""From a venue's symbol to an instrument of ours, and how long each feed stays fresh.

Spot of all venues is one instrument (`BTC-USD`): a coin is a coin. A derivative keeps its venue's own name, because a
contract exists on one venue only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from monitor.replay.sources import ccxt
from schemas.records import Instrument

# Quote currencies that stand for dollars. USDT and USDC prices are taken as USD, one for one.
DOLLARS = ("USD", "USDT", "USDC")

_SPOT_JOINED = re.compile(r"^([A-Z0-9]{2,12}?)(USDT|USDC|USD)$")
_SPOT_DASHED = re.compile(r"^([A-Z0-9]{2,12})-(USD|USDT|USDC)$")
_COIN_MARGINED = re.compile(r"^([A-Z0-9]{2,12})USD_(PERP|\d{6})$")
_USD_MARGINED_FUTURE = re.compile(r"^([A-Z0-9]{2,12}?)(USDT|USDC)_(\d{6})$")
_OKX_DERIVATIVE = re.compile(r"^([A-Z0-9]{2,12})-(USD|USDT|USDC)-(SWAP|\d{6})$")
_BYBIT = re.compile(r"^([A-Z0-9]{2,12}?)(USDT|USD)$")
_OKX_OPTION = re.compile(r"^([A-Z0-9]{2,12})-USD-(\d{6})-(\d+)-([CP])$")
_DERIBIT_PERPETUAL = re.compile(r"^([A-Z]{2,8})-PERPETUAL$")
_DERIBIT_FUTURE = re.compile(r"^([A-Z]{2,8})-(\d{1,2}[A-Z]{3}\d{2})$")
_DERIBIT_OPTION = re.compile(r"^([A-Z]{2,8})-(\d{1,2}[A-Z]{3}\d{2})-(\d+)-([CP])$")

# Face value in USD of one inverse contract.
_BINANCE_FACE_USD = {"BTC": 100.0}
_DERIBIT_FACE_USD = {"BTC": 10.0, "ETH": 1.0}
_OKX_OPTION_COINS = {"BTC": 0.01, "ETH": 0.1}
_OKX_COINS = {"BTC": 0.01, "ETH": 0.1, "SOL": 1.0}  # of one linear contract; others differ, and are not known here
_OKX_FACE_USD = {"BTC": 100.0, "ETH": 10.0, "SOL": 10.0}
_BYBIT_FACE_USD = 1.0
_DEFAULT_BINANCE_FACE_USD = 10.0

# How long a trade feed stays fresh. The 99.9th percentile of the gap between trades on 2025-10-10 before 20:50 UTC,
# rounded up to 10 s, at least 60 s (a shorter age would flag quiet minutes of busy feeds) and at most 600 s (a price
# older than that says nothing in a fall): docs/replay.md has the figures. Feeds not named use the engine's default.
MAX_AGE_MS = {
    "gemini:BTCUSD": 130_000,
    "gemini:ETHUSD": 150_000,
    "gemini:SOLUSD": 240_000,
    "gemini:XRPUSD": 150_000,
    "gemini:LTCUSD": 350_000,
    "gemini:DOGEUSD": 600_000,
    "gemini:LINKUSD": 600_000,
    "coinbase:DOGE-USD": 60_000,
    "coinbase:LINK-USD": 60_000,
    "coinbase:AVAX-USD": 60_000,
    "binance-delivery:AVAXUSD_PERP": 70_000,
    "binance-delivery:DOTUSD_PERP": 60_000,
    "binance-delivery:UNIUSD_PERP": 60_000,
}
BAR_MAX_AGE_MS = 180_000  # three one-minute bars


def spot(coin: str, at_us: int, quote: str = "USD") -> Instrument:
    """List a coin against a dollar currency, settled in that currency."""
    return Instrument(instrument=f"{coin}-{quote}", type="spot", underlying=coin, settlement=quote, event_time_us=at_us)


def gemini(symbol: str, at_us: int) -> Instrument | None:
    """`BTCUSD` is spot."""
    match = _SPOT_JOINED.match(symbol)
    return spot(match[1], at_us, match[2]) if match else None


def coinbase(symbol: str, at_us: int) -> Instrument | None:
    """`DOGE-USD` is spot."""
    match = _SPOT_DASHED.match(symbol)
    return spot(match[1], at_us, match[2]) if match else None


def binance_spot(symbol: str, at_us: int) -> Instrument | None:
    """`USDEUSDT` is spot."""
    return gemini(symbol, at_us)


def binance_delivery(symbol: str, at_us: int) -> Instrument | None:
    """`AVAXUSD_PERP` is an inverse perpetual of 10 USD a contract, BTC of 100 USD, settled in the coin."""
    match = _COIN_MARGINED.match(symbol)
    if not match:
        return None
    coin = match[1]
    face_usd = _BINANCE_FACE_USD.get(coin, _DEFAULT_BINANCE_FACE_USD)
    return _linear_or_inverse(symbol, coin, coin, face_usd, match[2], at_us)


def binance_um(symbol: str, at_us: int) -> Instrument | None:
    """`AVAXUSDT` of the futures files is a linear perpetual of one coin, settled in USDT; `BTCUSDT_260327` a future."""
    if match := _USD_MARGINED_FUTURE.match(symbol):
        return _linear_or_inverse(symbol, match[1], match[2], 1.0, match[3], at_us)
    match = _SPOT_JOINED.match(symbol)
    return _linear_or_inverse(symbol, match[1], match[2], 1.0, "", at_us) if match else None


def okx_derivative(symbol: str, at_us: int) -> Instrument | None:
    """`BTC-USDT-SWAP` and `BTC-USD-260327`: linear in USDT or USDC, inverse against USD; sizes differ by coin."""
    match = _OKX_DERIVATIVE.match(symbol)
    size = (_OKX_FACE_USD if match[2] == "USD" else _OKX_COINS).get(match[1]) if match else None
    if match is None or size is None:
        return None
    settlement = match[1] if match[2] == "USD" else match[2]
    return _linear_or_inverse(symbol, match[1], settlement, size, match[3].removeprefix("SWAP"), at_us)


def bybit(symbol: str, at_us: int) -> Instrument | None:
    """`BTCUSDT` is a linear perpetual of one coin, `BTCUSD` an inverse one of 1 USD a contract."""
    match = _BYBIT.match(symbol)
    if not match:
        return None
    inverse = match[2] == "USD"
    settlement = match[1] if inverse else match[2]
    return _linear_or_inverse(symbol, match[1], settlement, _BYBIT_FACE_USD if inverse else 1.0, "", at_us)


def okx_option(symbol: str, at_us: int) -> Instrument | None:
    """`BTC-USD-251128-102000-C` is an inverse option expiring at 08:00 UTC; one BTC contract is 0.01 BTC."""
    match = _OKX_OPTION.match(symbol)
    if not match or match[1] not in _OKX_OPTION_COINS:
        return None
    return _option(symbol, match, "%y%m%d", _OKX_OPTION_COINS[match[1]], at_us)


def deribit(symbol: str, at_us: int) -> Instrument | None:
    """Map `BTC-27MAR26-70000-P`, `BTC-27MAR26` and `BTC-PERPETUAL`: inverse, settled in the coin at 08:00 UTC."""
    if match := _DERIBIT_OPTION.match(symbol):
        return _option(symbol, match, "%d%b%y", 1.0, at_us)
    future = _DERIBIT_FUTURE.match(symbol)
    match = future or _DERIBIT_PERPETUAL.match(symbol)
    if not match or match[1] not in _DERIBIT_FACE_USD:
        return None
    coin = match[1]
    try:
        expiry_us = _eight_utc(future[2], "%d%b%y") if future else None
    except ValueError:
        return None
    return Instrument(
        instrument=symbol,
        type="future" if future else "perpetual",
        underlying=coin,
        settlement=coin,
        contract="inverse",
        contract_size=_DERIBIT_FACE_USD[coin],
        expiry_us=expiry_us,
        event_time_us=at_us,
    )


VENUES: dict[str, Callable[[str, int], Instrument | None]] = {
    "gemini": gemini,
    "coinbase": coinbase,
    "binance": binance_spot,
    "binance-delivery": binance_delivery,
    "binance-futures": binance_um,
    "bybit": bybit,
    "bybit-spot": binance_spot,
    "okex": coinbase,
    "okex-swap": okx_derivative,
    "okex-futures": okx_derivative,
    "okex-options": okx_option,
    "deribit": deribit,
}


class Unlisted(ValueError):
    """A venue's symbol that no rule here maps to an instrument."""

    def __init__(self, venue: str, symbol: str) -> None:
        super().__init__(f"no instrument for {venue[:40]!r} {symbol[:40]!r}")
        self.venue = venue
        self.symbol = symbol


def find(venue: str, symbol: str, at_us: int) -> Instrument:
    """Return the instrument of a venue's own symbol, or of CCXT's for it; raises Unlisted."""
    place: tuple[str, str] | None = (venue, symbol)
    if ccxt.is_unified(symbol):
        place = ccxt.native(venue, symbol)
    rule = VENUES.get(place[0]) if place else None
    found = rule(place[1], at_us) if rule and place else None
    if found is None:
        raise Unlisted(venue, symbol)
    return found


def _linear_or_inverse(
    symbol: str, coin: str, settlement: str, size: float, date: str, at_us: int
) -> Instrument | None:  # fmt: skip
    """Build a perpetual, or with a date (yymmdd) a future that expires at 08:00 UTC."""
    dated = date not in {"", "PERP"}
    try:
        expiry_us = _eight_utc(date, "%y%m%d") if dated else None
    except ValueError:
        return None
    return Instrument(
        instrument=symbol,
        type="future" if dated else "perpetual",
        underlying=coin,
        settlement=settlement,
        contract="inverse" if settlement == coin else "linear",
        contract_size=size,
        expiry_us=expiry_us,
        event_time_us=at_us,
    )


def _option(symbol: str, match: re.Match[str], date_form: str, coins: float, at_us: int) -> Instrument | None:
    try:
        expiry_us = _eight_utc(match[2], date_form)
    except ValueError:
        return None
    return Instrument(
        instrument=symbol,
        type="option",
        underlying=match[1],
        settlement=match[1],
        contract="inverse",
        contract_size=coins,
        expiry_us=expiry_us,
        strike=float(match[3]),
        option_type="call" if match[4] == "C" else "put",
        event_time_us=at_us,
    )


def _eight_utc(text: str, form: str) -> int:
    day = datetime.strptime(text, form).replace(hour=8, tzinfo=UTC)
    return int(day.timestamp()) * 1_000_000
