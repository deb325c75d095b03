"""What the generated market trades, and the smile of its options."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from monitor.replay.paths import Coin
from schemas.records import ExpiryVolatility, Instrument

START_US = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp()) * 1_000_000
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
YEAR_US = 365 * DAY_US

EXCHANGE = "exchange"  # where the derivatives are
OPTION_COINS = ("BTC", "ETH")
EXPIRIES = ("10JAN25", "31JAN25", "28MAR25")
FUTURE_EXPIRY = "28MAR25"
STRIKES = (0.70, 0.80, 0.90, 0.95, 1.00, 1.05, 1.10, 1.20, 1.40)  # parts of the first price
STRIKE_STEP = {"BTC": 1_000.0, "ETH": 50.0}
FACE_USD = {"BTC": 10.0, "ETH": 1.0}


def instruments(coins: tuple[Coin, ...]) -> Iterator[Instrument]:
    """List everything: spot, linear perpetual and future per coin; inverse ones and options where there are options."""
    for coin in coins:
        yield Instrument(
            instrument=spot_name(coin), type="spot", underlying=coin.name, settlement="USD", event_time_us=START_US
        )
        yield _linear(coin, perpetual_names(coin)[0], None)
        if coin.name not in OPTION_COINS:
            yield _linear(coin, future_name(coin), expiry_us(FUTURE_EXPIRY))
            continue
        yield _inverse(coin, perpetual_names(coin)[1], None)
        yield _inverse(coin, future_name(coin), expiry_us(FUTURE_EXPIRY))
        for expiry in EXPIRIES:
            for strike in strikes(coin):
                yield _option(coin, expiry, strike, "call")
                yield _option(coin, expiry, strike, "put")


def spot_name(coin: Coin) -> str:
    """Name of a coin's spot pair."""
    return f"{coin.name}-USD"


def perpetual_names(coin: Coin) -> list[str]:
    """Names of a coin's perpetuals: the linear one, then the inverse one if there is one."""
    linear = f"{coin.name}_USDC-PERPETUAL"
    return [linear, f"{coin.name}-PERPETUAL"] if coin.name in OPTION_COINS else [linear]


def future_name(coin: Coin) -> str:
    """Name of a coin's dated future."""
    return f"{coin.name}-{FUTURE_EXPIRY}" if coin.name in OPTION_COINS else f"{coin.name}_USDC-{FUTURE_EXPIRY}"


def strikes(coin: Coin) -> list[float]:
    """Return the strikes of a coin's options: round numbers around its first price."""
    step = STRIKE_STEP[coin.name]
    return [round(part * coin.price_usd / step) * step for part in STRIKES]


def expiry_us(name: str) -> int:
    """Return 08:00 UTC of a date such as `28MAR25`."""
    moment = datetime.strptime(name, "%d%b%y").replace(hour=8, tzinfo=UTC)
    return int(moment.timestamp()) * SECOND_US


def smile(coin: Coin, expires_us: int, at_us: int, level: float, basis: float) -> ExpiryVolatility:
    """Return the smile of one expiry.

    `level` is the implied volatility as a multiple of the calm one, `basis` the annual basis of dated futures.
    Volatility, skew and curvature grow with the level, most in short expiries.
    """
    days = (expires_us - at_us) / DAY_US
    # Total variance at the money stays increasing in time: the excess falls more slowly than T^-1/2.
    share = min(1.0, (7.0 / max(days, 1.0)) ** 0.30)
    excess = (level - 1.0) * share
    years = max(expires_us - at_us, 0) / YEAR_US
    return ExpiryVolatility(
        underlying=coin.name,
        source=EXCHANGE,
        expiry_us=expires_us,
        atm_vol_annual=round((coin.vol_annual + 0.05) * (1.0 + excess), 6),
        slope=round(-0.03 - 0.06 * excess, 6),
        curvature=round(0.05 + 0.02 * excess, 6),
        x_min=-1.2,
        x_max=1.2,
        event_time_us=at_us,
        forward_basis=round(math.expm1(basis * years), 8),
        received_time_us=at_us + 20_000,
    )


def _linear(coin: Coin, name: str, expires_us: int | None) -> Instrument:
    return Instrument(
        instrument=name,
        type="perpetual" if expires_us is None else "future",
        underlying=coin.name,
        settlement="USDC",
        contract_size=coin.contract_coins,
        expiry_us=expires_us,
        event_time_us=START_US,
    )


def _inverse(coin: Coin, name: str, expires_us: int | None) -> Instrument:
    return Instrument(
        instrument=name,
        type="perpetual" if expires_us is None else "future",
        underlying=coin.name,
        settlement=coin.name,
        contract="inverse",
        contract_size=FACE_USD[coin.name],
        expiry_us=expires_us,
        event_time_us=START_US,
    )


def _option(coin: Coin, expiry: str, strike: float, side: Literal["call", "put"]) -> Instrument:
    return Instrument(
        instrument=f"{coin.name}-{expiry}-{strike:.0f}-{side[0].upper()}",
        type="option",
        underlying=coin.name,
        settlement=coin.name,
        contract="inverse",
        strike=strike,
        option_type=side,
        expiry_us=expiry_us(expiry),
        event_time_us=START_US,
    )
