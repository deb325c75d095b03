"""The market: four independent folds, one per market topic, and how far each has read.

A fold never reads another's state, so the market is a function of the vector of positions alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.engine.composite import TickChange, TicksFold
from monitor.engine.listing import InstrumentsFold
from monitor.engine.parameters import ParametersFold
from monitor.engine.regime import RegimeTransition
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
    RangeStep,
    SviVolatility,
)
from schemas.topics import MARKET_TOPICS


@dataclass(frozen=True, slots=True)
class MarketChange:
    """What one market record moved: `underlyings` (if `surface`: their listings or volatilities), or `sets`.

    `correlation`: a new version of the correlation matrices is in force. `steps`: price ranges that are, of underlyings
    that are named. `regimes`: changes of the correlation regime.
    """

    underlyings: tuple[str, ...] = ()
    surface: bool = False
    sets: tuple[str, ...] = ()
    correlation: bool = False
    steps: tuple[RangeStep, ...] = ()
    regimes: tuple[RegimeTransition, ...] = ()


@dataclass(slots=True)
class Market:
    """The product of the folds; `positions` maps each market topic to the last record folded."""

    ticks: TicksFold = field(default_factory=TicksFold)
    volatility: VolatilityFold = field(default_factory=VolatilityFold)
    instruments: InstrumentsFold = field(default_factory=InstrumentsFold)
    parameters: ParametersFold = field(default_factory=ParametersFold)
    positions: dict[str, Position] = field(default_factory=lambda: {topic.name: START for topic in MARKET_TOPICS})

    @property
    def time_us(self) -> int:
        """Market time: the largest event time of the ticks fold, heartbeats included (0 before any)."""
        return self.ticks.time_us

    def apply(self, record: Input) -> MarketChange:
        """Fold one record of a market topic.

        Raises `RejectedTick`, `RejectedVolatility`, `RejectedInstrument` or `RejectedParameters` with a kind and a
        text, having changed nothing that counts.
        """
        if isinstance(record, PriceTick | Heartbeat | Funding):
            return _of_ticks(self.ticks.apply(record))
        if isinstance(record, InstrumentVolatility | ExpiryVolatility | SviVolatility):
            return MarketChange(underlyings=self.volatility.apply(record), surface=True)
        if isinstance(record, Instrument):
            self.instruments.apply(record)
            return MarketChange(underlyings=(record.underlying,), surface=True)
        if isinstance(record, ParameterSet):
            return MarketChange(sets=self.parameters.apply(record))
        raise TypeError(f"{type(record).__name__} is not market data")

    def advance(self, to_us: int) -> MarketChange:
        """Let market time pass to `to_us`, because a record has been accepted that is not earlier."""
        return _of_ticks(self.ticks.advance(to_us))

    def reached(self, positions: dict[str, Position]) -> bool:
        """Whether every market topic is folded at least to these positions (topics not named do not count)."""
        return all(self.positions[topic] >= positions.get(topic, START) for topic in self.positions)


def _of_ticks(change: TickChange) -> MarketChange:
    return MarketChange(
        underlyings=change.underlyings, correlation=change.correlation, steps=change.steps, regimes=change.regimes
    )
