"""What every margin model returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Worst:
    """One scenario that a requirement rests on.

    `scenario` is its number in the model's own list and `label` what it does, in words; `underlying` is empty where it
    moves all of them. `weight` is its share where several make the requirement (a tail, a mixture), else 1.
    """

    label: str
    pnl_usd: float
    scenario: int = -1
    underlying: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Part:
    """One underlying's part of a requirement: `im_usd` of all parts sum to the part of IM that has an underlying."""

    underlying: str
    value_usd: float
    im_usd: float
    mm_usd: float
    delta_coins: float


@dataclass(frozen=True, slots=True)
class Margin:
    """One portfolio's margin under one model, USD; NaN throughout where it could not be computed.

    Equity is the marked value of everything, under every model; what a model does not trust of it, such as a haircut,
    is a component. `im_components` sum to the initial requirement and `mm_components` to the maintenance requirement.
    `flags` say what is doubtful about the data (`stale:BTC`), `degraded` why a figure is missing or stands in for a
    better one (`no_price:XYZ`, `no_history:BTC`); both sorted. `statistics` are figures of the model's own, such as a
    standard error.
    """

    model: str
    parameter_hash: str
    market_time_us: int
    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float
    im_components: dict[str, float]
    mm_components: dict[str, float]
    worst: tuple[Worst, ...] = ()
    parts: tuple[Part, ...] = ()
    statistics: dict[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()

    @property
    def im_excess_usd(self) -> float:
        """Equity less initial requirement."""
        return self.equity_usd - self.im_requirement_usd

    @property
    def mm_excess_usd(self) -> float:
        """Equity less maintenance requirement."""
        return self.equity_usd - self.mm_requirement_usd

    @property
    def computed(self) -> bool:
        """Whether equity and both requirements are finite."""
        return all(map(math.isfinite, (self.equity_usd, self.im_requirement_usd, self.mm_requirement_usd)))


def not_computed(
    model: str, parameter_hash: str, market_time_us: int, degraded: tuple[str, ...], flags: tuple[str, ...] = ()
) -> Margin:
    """Return the margin of a portfolio that a model cannot value: NaN, and why."""
    nan = math.nan
    return Margin(model, parameter_hash, market_time_us, nan, nan, nan, {}, {}, flags=flags, degraded=degraded)
