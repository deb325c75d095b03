"""Funding of perpetuals: a cumulative index per perpetual, so that what a position has cost is a difference.

Longs pay shorts `mark x rate` for every interval. In one whole minute of market time the index grows by

    usd:   mark E      USD per coin, for linear perpetuals
    coins: E / mark    coins per USD of face, for inverse ones (a contract of 1 USD is worth 1/mark coins)

E is the integral of rate/interval over the minute, exact whenever a rate came, and the mark is the index times
1 + basis at the minute's end. A rate is in force from the market time at which it is folded, because a minute that is
over has been paid for; it stops counting `RATE_LIFE` intervals after its event time. Who holds q contracts of a size
since the index was I owes q size (index - I): a function of the topic and of the holding, through any silence.

An index counts from the perpetual's first rate. If the topic no longer holds that, the fold begins another count;
holdings remember which one theirs was (`since_us`), and one of another count is taken to begin with the new one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.engine.basis import Basis
from monitor.engine.minutes import Minute
from schemas.records import Funding

if TYPE_CHECKING:
    from monitor.engine.composite import TicksFold
    from monitor.engine.market import Market
    from monitor.engine.state import Account
    from schemas.records import Instrument

RATE_LIFE = 2  # intervals: one publication may be missed, after two nobody says that the rate still holds
MAX_PERPETUALS = 20_000  # a publisher of random names must not fill the memory
EIGHT_HOURS_US = 28_800_000_000
_US_PER_MS = 1_000


class FundingIndex(NamedTuple):
    """Cumulative funding of a perpetual since market time `since_us`: USD per coin, and coins per USD of face."""

    usd: float
    coins: float
    since_us: int


NONE = FundingIndex(0.0, 0.0, 0)


class _Perpetual:
    """One perpetual; `earned` is the integral of rate/interval that no minute has taken yet."""

    __slots__ = (
        "began_us", "coins", "earned", "expires_us", "interval_us", "rate", "since_us", "stale", "time_us",
        "underlying", "usd",
    )  # fmt: skip

    def __init__(self, underlying: str, now_us: int) -> None:
        self.underlying = underlying
        self.began_us = now_us
        self.rate = 0.0
        self.interval_us = 1
        self.time_us = 0  # event time of the rate
        self.expires_us = 0
        self.stale = False
        self.since_us = now_us  # market time up to which `earned` counts
        self.earned = 0.0
        self.usd = 0.0
        self.coins = 0.0

    def earn(self, now_us: int) -> None:
        """Count the rate in force up to now, or to the end of its life."""
        until_us = min(now_us, self.expires_us)
        if until_us > self.since_us:
            self.earned += self.rate * ((until_us - self.since_us) / self.interval_us)
        self.since_us = now_us


class FundingRates:
    """Rates and indices of all perpetuals; part of the ticks fold, called at the end of each minute."""

    __slots__ = ("_changed", "_perpetuals", "changed_us")

    def __init__(self) -> None:
        self._perpetuals: dict[str, _Perpetual] = {}
        self._changed: dict[str, None] = {}
        self.changed_us = 0  # the newest minute at which any index changed

    def index(self, name: str) -> FundingIndex:
        """Return a perpetual's cumulative funding, zero before any rate."""
        perpetual = self._perpetuals.get(name)
        return NONE if perpetual is None else FundingIndex(perpetual.usd, perpetual.coins, perpetual.began_us)

    def stale(self, name: str) -> bool:
        """Whether a perpetual had a rate that is too old to be believed: since the end of a whole minute."""
        perpetual = self._perpetuals.get(name)
        return perpetual is not None and perpetual.stale

    def rate_8h(self, name: str) -> float:
        """Return the rate in force, scaled from its interval to eight hours; NaN without one that is believed."""
        perpetual = self._perpetuals.get(name)
        if perpetual is None or perpetual.stale:
            return math.nan
        return perpetual.rate * (EIGHT_HOURS_US / perpetual.interval_us)

    def refusal(self, record: Funding) -> tuple[str, str] | None:
        """Return why a record has no place here, as kind and text, or None."""
        known = self._perpetuals.get(record.instrument)
        if known is None:
            if len(self._perpetuals) >= MAX_PERPETUALS:
                return "too_many", f"more than {MAX_PERPETUALS} perpetuals with funding"
        elif known.underlying != record.underlying:
            return "other_underlying", f"{record.instrument} has funding under another underlying"
        return None

    def take(self, record: Funding, now_us: int) -> bool:
        """Let a rate be in force from market time `now_us` on; return False if a newer one is known.

        An underlying that gets another rate counts as changed: models charge for rates.
        """
        perpetual = self._perpetuals.get(record.instrument)
        if perpetual is None:
            perpetual = self._perpetuals[record.instrument] = _Perpetual(record.underlying, now_us)
        elif record.event_time_us < perpetual.time_us:
            return False
        perpetual.earn(now_us)
        perpetual.rate = record.rate
        perpetual.interval_us = _US_PER_MS * record.interval_ms
        perpetual.time_us = record.event_time_us
        perpetual.expires_us = record.event_time_us + RATE_LIFE * perpetual.interval_us
        perpetual.stale = perpetual.expires_us < now_us
        self._changed[record.underlying] = None
        return True

    def end_minute(self, minute: Minute, bases: Mapping[str, Basis]) -> None:
        """Let the indices grow by what the minute that is over has earned; without an index price it waits.

        What has lived until this minute is not believed any more: no moment between two minutes, so that nothing
        depends on when somebody looks.
        """
        for name, perpetual in self._perpetuals.items():
            perpetual.earn(minute.time_us)
            if not perpetual.stale and perpetual.expires_us <= minute.time_us:
                perpetual.stale = True
                self._changed[perpetual.underlying] = None
            sample = minute.samples.get(perpetual.underlying)
            if perpetual.earned == 0.0 or sample is None:
                continue
            basis = bases.get(name)
            mark_usd = sample.price_usd * (1.0 + (basis.value if basis is not None else 0.0))
            perpetual.usd += mark_usd * perpetual.earned
            perpetual.coins += perpetual.earned / mark_usd
            perpetual.earned = 0.0
            self._changed[perpetual.underlying] = None
            self.changed_us = minute.time_us

    def take_changed(self) -> tuple[str, ...]:
        """Return the underlyings with an index or a rate that has changed since the last call."""
        if not self._changed:
            return ()
        names = tuple(self._changed)
        self._changed = {}
        return names

    def snapshot(self) -> dict[str, Any]:
        """Return the rates as plain JSON values."""
        rows = [[name, *(getattr(p, field) for field in _Perpetual.__slots__)] for name, p in self._perpetuals.items()]
        return {"perpetuals": rows, "changed_us": self.changed_us}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> FundingRates:
        """Rebuild the rates from their snapshot."""
        rates = cls()
        for name, *values in state["perpetuals"]:
            perpetual = rates._perpetuals[name] = _Perpetual("", 0)
            for field, value in zip(_Perpetual.__slots__, values, strict=True):
                setattr(perpetual, field, value)
        rates.changed_us = state["changed_us"]
        return rates


def index_of(instrument: Instrument, ticks: TicksFold) -> tuple[float, int]:
    """Return the cumulative funding of an instrument in its own unit, and since when; zero for all but perpetuals."""
    if instrument.type != "perpetual":
        return 0.0, 0
    index = ticks.funding(instrument.instrument)
    return index.coins if instrument.contract == "inverse" else index.usd, index.since_us


def begin_again(account: Account, market: Market) -> bool:
    """Let holdings whose index belongs to a count that is lost begin with the present one; return whether any did."""
    changed = False
    for name, holding in account.holdings.items():
        since_us = market.ticks.funding(name).since_us
        if holding.funding_since_us not in (0, since_us):  # a position of before any count owes all of the present one
            holding.funding_index, holding.funding_since_us = 0.0, since_us
            changed = True
    return changed
