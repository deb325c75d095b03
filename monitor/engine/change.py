"""What a record, or the passing of time, moved in the market."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.engine.regime import RegimeTransition
from schemas.records import RangeStep


@dataclass(frozen=True, slots=True)
class MarketChange:
    """What moved: `underlyings` (if `surface`: their listings or volatilities), or parameter `sets`.

    An underlying is named when its index, flags, volatility, a basis or funding changed. `correlation`: a new version
    of the correlation matrices is in force. `steps`: price ranges that are, of underlyings that are named. `regimes`:
    changes of the correlation regime, in order. `late`: the record was not the newest and moved nothing. `index_only`:
    of what is named nothing but the index moved.
    """

    underlyings: tuple[str, ...] = ()
    surface: bool = False
    sets: tuple[str, ...] = ()
    correlation: bool = False
    steps: tuple[RangeStep, ...] = ()
    regimes: tuple[RegimeTransition, ...] = ()
    late: bool = False
    index_only: bool = False


UNCHANGED = MarketChange()
LATE = MarketChange(late=True)
