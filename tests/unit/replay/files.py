"""Writes files of each layout, as the vendors' are."""

from __future__ import annotations

import gzip
from pathlib import Path

TRADES_HEADER = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
OKX_HEADER = (
    "exchange,symbol,timestamp,local_timestamp,type,strike_price,expiration,open_interest,last_price,bid_price,"
    "bid_amount,bid_iv,ask_price,ask_amount,ask_iv,mark_price,mark_iv,underlying_index,underlying_price,delta,gamma,"
    "vega,theta,rho"
)
MARK_HEADER = "open_time,open,high,low,close,close_time,count"
SPOT_BAR_HEADER = "open_time,open,high,low,close,volume"
UM_HEADER = (
    "symbol,open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume"
)
DERIVED_HEADER = "exchange,symbol,open_time,open,high,low,close,volume,trades"
CHAIN_HEADER = (
    "timestamp,instrument_name,underlying,underlying_name,option_type,strike,expiry_datetime,time_to_maturity,"
    "bid_price,ask_price,mark_price,mid_price,futures_price,futures_instrument_name,implied_volatility,delta,vega,"
    "open_interest,volume,bid_ask_spread,currency,index_price,volume_usd"
)
PERPETUAL_HEADER = (
    "snapshot_timestamp_ms,obs_datetime,coin,instrument_name,candle_open_time_ms,candle_open,candle_high,candle_low,"
    "candle_close,candle_volume,candle_cost"
)
FUTURES_HEADER = (
    "timestamp,currency,futures_instrument_name,snapshot_term_mark_price,term_candle_open,term_candle_high,"
    "term_candle_low,term_candle_close,term_mark_price_final"
)

T0 = 1_760_100_000_000_000  # 2025-10-10 12:40 UTC


def write(path: Path, *lines: str) -> Path:
    """Write lines, gzip if the name says so."""
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def trade(second: float, price: object, *, venue: str = "gemini", symbol: str = "BTCUSD", late_s: float = 0.1) -> str:
    """One row of the Tardis trades layout."""
    event = T0 + round(second * 1e6)
    return f"{venue},{symbol},{event},{event + round(late_s * 1e6)},17,buy,{price},0.5"


def okx(
    second: float, *, symbol: str = "BTC-USD-251128-102000-C", kind: str = "call", strike: str = "102000",
    expiry: int = 1_764_316_800_000_000, mark: object = 0.18, vol: object = 0.45, index: object = 121_718.4,
) -> str:  # fmt: skip
    """One row of the OKX options layout."""
    event = T0 + round(second * 1e6)
    return (
        f"okex-options,{symbol},{event},{event + 150_000},{kind},{strike},{expiry},9260,0.0003,0.0001,2825,0.62,"
        f"0.0004,2705,0.73,{mark},{vol},BTC-USD,{index},0.7,-0.2,0.0007,-0.0003,"
    )


def chain(
    stamp: str, name: str, *, forward: object, index: object, vol: object = 0.5, kind: str = "put",
    strike: str = "70000.0", expiry: str = "2026-03-27T08:00:00+00:00", future: str = "BTC-27MAR26",
    currency: str = "BTC",
) -> str:  # fmt: skip
    """One row of the Deribit chain layout."""
    return (
        f"{stamp},{name},{forward},{future},{kind},{strike},{expiry},0.14,0.028,0.029,0.0285,0.0285,{forward},{future},"
        f"{vol},-0.2,101.5,10.0,10.2,0.001,{currency},{index},22890.06"
    )


QUOTES_HEADER = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"
DERIVATIVE_HEADER = (
    "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,open_interest,"
    "last_price,index_price,mark_price"
)
KLINES_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
AGG_TRADES_HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"


def quote(second: float, bid: object, ask: object, *, venue: str = "bybit", symbol: str = "BTCUSDT") -> str:
    """One row of the Tardis quotes and book ticker layouts."""
    event = T0 + round(second * 1e6)
    return f"{venue},{symbol},{event},{event + 4_000},1.5,{ask},{bid},2.5"


def derivative(
    second: float, *, mark: object = 121_010, index: object = 121_000, rate: object = 0.0001,
    venue: str = "binance-futures", symbol: str = "BTCUSDT",
) -> str:  # fmt: skip
    """One row of the Tardis derivative ticker layout."""
    event = T0 + round(second * 1e6)
    return f"{venue},{symbol},{event},{event + 4_000},{T0 + 3_600_000_000},{rate},,81234.5,121005,{index},{mark}"


def kline(minute: int, close: object = 101.0, *, unit: int = 1_000) -> str:
    """One row of Binance's klines; `unit` is ticks of the clock in a second."""
    open_at = (T0 // 60_000_000 + minute) * 60 * unit
    return f"{open_at},100,102,99,{close},12.5,{open_at + 60 * unit - 1},1262.5,34,6.2,626.2,0"


def agg_trade(number: int, second: float, price: object, *, unit: int = 1_000) -> str:
    """One row of Binance's aggTrades."""
    return f"{number},{price},0.5,{number},{number},{round((T0 * 1e-6 + second) * unit)},true"
