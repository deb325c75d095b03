"""One generated market with accounts, for runs on every path."""

from __future__ import annotations

from functools import lru_cache

from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource
from monitor.replay.under_model import UnderModel
from schemas.records import Input

MARKET = MarketParameters(seed=8, minutes=8, ticks_per_second=0.2, coins=3)
PARTITIONS = 4


@lru_cache(maxsize=1)
def accounts() -> tuple[tuple[str, Input], ...]:
    """Records of forty accounts that trade while the market runs."""
    parameters = AccountParameters(seed=6, accounts=40, fills_per_hour=10.0)
    return tuple(generate_accounts(Merged([GeneratedMarket(MARKET)]), parameters).records)


def stream(model: str | None = None) -> Merged:
    """Return the market and its accounts, all under one model if one is named."""
    sources = [GeneratedMarket(MARKET), ListSource("accounts", accounts(), ACCOUNTS_FILE_TOPICS)]
    return UnderModel(sources, model=model)  # type: ignore[arg-type]
