"""Files without a header row, told by the shape of their first row: what Binance publishes for spot, and older ones."""

from __future__ import annotations

from collections.abc import Sequence

KLINES = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count", "taker_buy_volume",
    "taker_buy_quote_volume", "ignore",
)  # fmt: skip
AGG_TRADES = (
    "agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker",
    "is_best_match",
)  # fmt: skip
_BOOLEANS = frozenset({"true", "false"})


def names_of(first: Sequence[str]) -> tuple[str, ...] | None:
    """Return the names of the columns if a first row is data of a known shape, None if it is a header, or unknown.

    A header has no field that is a number, so that no header is ever taken for data.
    """
    if len(first) == len(KLINES) and all(map(_is_number, first)) and first[0].isdigit() and first[6].isdigit():
        return KLINES
    if len(first) in {7, 8} and all(map(_is_number, first[:5])) and first[5].isdigit() and _are_booleans(first[6:]):
        return AGG_TRADES[: len(first)]
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _are_booleans(texts: Sequence[str]) -> bool:
    return all(text.lower() in _BOOLEANS for text in texts)
