"""The market: four independent folds, one per market topic, and how far each has read.

A fold never reads another's state, so the market is a function of the vector of positions alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from monitor.engine.change import MarketChange
from monitor.engine.composite import TicksFold
from monitor.engine.listing import InstrumentsFold
from monitor.engine.parameters import ParametersFold
from monitor.engine.surface import VolatilityFold
from schemas.records import (
    START,
    ExpiryVolatility,
    Funding,
    Heartbeat,
    Input,
    Instrument,
    InstrumentVolatility,
    ParameterSet,
    Position,
    PriceTick,
    SviVolatility,
)
from schemas.topics import MARKET_TOPICS

# A union would be made anew by each check of each record.
TICKS: Final = (PriceTick, Heartbeat, Funding)
VOLATILITIES: Final = (InstrumentVolatility, ExpiryVolatility, SviVolatility)


@lru_cache(maxsize=4_096)  # nearly every volatility changes the surface of one of few underlyings
def _surface_moved(underlyings: tuple[str, ...]) -> MarketChange:
    return MarketChange(underlyings=underlyings, surface=True)


@dataclass(slots=True)
class Market:
    """The product of the folds; `positions` maps each market topic to the last record folded.

    `lost` are topics that the broker deleted records of before they were folded: every index is held then, because
    nobody knows what it has missed. It is a fact of the log and not of a fold, and stays until the market begins anew.
    """

    ticks: TicksFold = field(default_factory=TicksFold)
    volatility: VolatilityFold = field(default_factory=VolatilityFold)
    instruments: InstrumentsFold = field(default_factory=InstrumentsFold)
    parameters: ParametersFold = field(default_factory=ParametersFold)
    positions: dict[str, Position] = field(default_factory=lambda: {topic.name: START for topic in MARKET_TOPICS})
    lost: tuple[str, ...] = ()

    @property
    def time_us(self) -> int:
        """Market time: the largest event time of the ticks fold, heartbeats included (0 before any)."""
        return self.ticks.time_us

    def apply(self, record: Input) -> MarketChange:
        """Fold one record of a market topic.

        Raises `RejectedTick`, `RejectedVolatility`, `RejectedInstrument` or `RejectedParameters` with a kind and a
        text, having changed nothing that counts.
        """
        # Exact types: that a record is none of several structs takes half a microsecond to find out by isinstance.
        if type(record) is PriceTick or type(record) is Heartbeat or type(record) is Funding:
            return self.ticks.apply(record)
        if isinstance(record, VOLATILITIES):
            return _surface_moved(self.volatility.apply(record))
        if isinstance(record, Instrument):
            self.instruments.apply(record)
            return MarketChange(underlyings=(record.underlying,), surface=True)
        if isinstance(record, ParameterSet):
            return MarketChange(sets=self.parameters.apply(record))
        raise TypeError(f"{type(record).__name__} is not market data")

    def advance(self, to_us: int) -> MarketChange:
        """Let market time pass to `to_us`, because a record has been accepted that is not earlier."""
        return self.ticks.advance(to_us)

    def reached(self, positions: dict[str, Position]) -> bool:
        """Whether every market topic is folded at least to these positions (topics not named do not count)."""
        return all(self.positions[topic] >= positions.get(topic, START) for topic in self.positions)
