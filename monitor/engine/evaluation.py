"""One account's requirement at one moment, as the status and the events see it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.records import CorrelationState, UnderlyingRisk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.engine.column import Column
    from monitor.engine.figures import Floats, Ints
    from monitor.engine.netting import InForce


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


class Exposed(NamedTuple):
    """What one account holds in a column of model P, and what that makes at the column's present prices.

    `rows`, `quantity` and `marks` (as in `Pricing.marks`) by position, coins first, then by name; `losses`
    float64[width] by move and `pnl` float64[S] by scenario, USD. Nobody writes to any of them.
    """

    column: Column
    rows: Ints
    quantity: Floats
    marks: Floats
    value_usd: float
    delta_coins: float
    losses: Floats
    pnl: Floats


class Netted(NamedTuple):
    """What a netted requirement was computed from: exposures by underlying, sorted; matrices between them, and k."""

    exposed: Sequence[Exposed]
    in_force: InForce
    matrices: Floats
    stress: float
    requirement_usd: float


def finite(risk: UnderlyingRisk) -> bool:
    """Whether every number of one underlying's part is finite."""
    # One of them that is not finite makes their sum so; numbers that sum to more than a double holds are looked at.
    floats = [value for value in msgspec.structs.astuple(risk) if isinstance(value, float)]
    return math.isfinite(sum(floats)) or all(map(math.isfinite, floats))
