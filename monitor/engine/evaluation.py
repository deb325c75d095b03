"""One account's requirement at one moment, as the status and the events see it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from schemas.records import CorrelationState, UnderlyingRisk


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Equity and requirements of one account, by underlying, with what is doubtful about its data.

    `data_quality` holds flags such as `stale:BTC`, `assumed_par:USDT` or `no_price:XYZ`. A number is NaN where the
    account could not be valued.
    """

    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float
    underlyings: tuple[UnderlyingRisk, ...] = ()
    data_quality: tuple[str, ...] = ()
    correlation: CorrelationState | None = None
    components: dict[str, float] | None = None

    @property
    def valued(self) -> bool:
        """Whether equity and both requirements are finite."""
        return all(map(math.isfinite, (self.equity_usd, self.im_requirement_usd, self.mm_requirement_usd)))


def finite(risk: UnderlyingRisk) -> bool:
    """Whether every number of one underlying's part is finite."""
    return all(math.isfinite(value) for value in msgspec.structs.astuple(risk) if isinstance(value, float))
