"""Which market a file of Binance's is of: its name says the symbol, and the folders that it is published in the market.

`data/futures/um/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2025-10-10.zip` is the mark of a USDT-margined perpetual;
the same name in `data/spot/daily/klines` is the spot pair. Without the folders nothing tells them apart: then the user
says it, or the file is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from monitor.replay.sources.errors import NotReplayable, UnclearMarket, UnknownSymbol
from monitor.replay.sources.table import Rows

Kind = Literal["trade", "mark", "index"]

# What a user can say of files that do not tell: venue and kind of price.
MARKETS: dict[str, tuple[str, Kind]] = {
    "spot": ("binance", "trade"),
    "um": ("binance-futures", "trade"), "um-mark": ("binance-futures", "mark"),
    "um-index": ("binance-futures", "index"),
    "cm": ("binance-delivery", "trade"), "cm-mark": ("binance-delivery", "mark"),
    "cm-index": ("binance-delivery", "index"),
}  # fmt: skip

_NAME = re.compile(r"^([A-Z0-9]{4,24}(?:_(?:PERP|\d{6}))?)-(?:1m|aggTrades)-\d{4}-\d{2}(?:-\d{2})?\.")
_VENUE_OF = {"spot": "binance", "um": "binance-futures", "cm": "binance-delivery"}
_KIND_OF: dict[str, Kind] = {
    "klines": "trade", "aggtrades": "trade", "markpriceklines": "mark", "indexpriceklines": "index",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Feed:
    """One market's prices of one symbol."""

    venue: str
    kind: Kind
    symbol: str

    @property
    def source(self) -> str:
        """Name of the feed; an index is not its contract's price."""
        return f"{self.venue}:{self.symbol}" + ("-index" if self.kind == "index" else "")


def feed_of(table: Rows, *, trades: bool = False) -> Feed:
    """Return what a file is of; `trades` are trades whatever the folder is called.

    Raises UnknownSymbol if the name is not one of the exchange's, UnclearMarket if neither the folders nor the user
    tell the market, NotReplayable for premiums, which are no prices.
    """
    found = _NAME.match(table.path.name)
    if found is None:
        raise UnknownSymbol(table.path, 1, "binance", table.path.name)
    if table.market is not None:
        venue, kind = MARKETS[table.market]
        return Feed(venue, "trade" if trades else kind, found[1])
    parts = [part.lower() for part in table.path.parts]
    if "premiumindexklines" in parts:
        raise NotReplayable(f"{table.path.name}: a premium index is no price", "replay mark price klines")
    venues = {_VENUE_OF[part] for part in parts if part in _VENUE_OF}
    kinds = {_KIND_OF[part] for part in parts if part in _KIND_OF} or ({"trade"} if trades else set())
    if len(venues) != 1 or len(kinds) != 1:
        raise UnclearMarket(table.path)
    return Feed(venues.pop(), kinds.pop(), found[1])
