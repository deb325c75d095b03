"""Parameters of margin model C: risk arrays in the manner of SPAN.

Each default names its origin: [doc] a published page, [mem] memory, unverified, [ours] a choice of ours.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from schemas.base import Record
from schemas.fields import Asset, InvalidRecord

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Ratio = Annotated[float, Meta(gt=0.0, le=1e9)]
Weight = Annotated[float, Meta(ge=0.0, le=1.0)]


class SpanLeg(Record, frozen=True, kw_only=True):
    """One leg of an inter-commodity spread."""

    underlying: Asset
    """The commodity."""
    side: Literal["A", "B"]
    """Legs A and B have deltas of opposite sign; which of them is long does not matter."""
    ratio: Ratio = 1.0
    """Delta in one spread, USD: a ratio in coins would change its meaning with the prices [ours]."""


class SpanInterSpread(Record, frozen=True, kw_only=True):
    """A credit for deltas of opposite sign in different commodities."""

    legs: Annotated[tuple[SpanLeg, ...], Meta(min_length=2, max_length=16)]
    """The legs, on both sides."""
    rate: Fraction
    """Share of the legs' price risk that is credited."""
    method: Literal["normal", "scan_range_capped", "scan_range"] = "scan_range_capped"
    """Price risk of one unit of delta: the commodity's own, that but at most its scan range, or the scan range [ours:
    the lesser of the other two]."""

    def __post_init__(self) -> None:
        """Refuse a spread of one side, or one that names a commodity twice (raises InvalidRecord)."""
        if {leg.side for leg in self.legs} != {"A", "B"}:
            raise InvalidRecord("an inter-commodity spread needs legs A and B")
        if len({leg.underlying for leg in self.legs}) != len(self.legs):
            raise InvalidRecord("an inter-commodity spread names each commodity once")


class SpanCalendarSpread(Record, frozen=True, kw_only=True):
    """A spread of two expiries of one underlying, by their number, 0 the nearest."""

    tier_a: Annotated[int, Meta(ge=0, le=1_000)]
    """One expiry."""
    tier_b: Annotated[int, Meta(ge=0, le=1_000)]
    """The other expiry."""
    ratio_a: Ratio = 1.0
    """Coins of delta of the one in one spread."""
    ratio_b: Ratio = 1.0
    """Coins of delta of the other in one spread."""
    rate: Fraction
    """Charge of one spread, as a fraction of the price of the later expiry."""

    def __post_init__(self) -> None:
        """Refuse an expiry against itself (raises InvalidRecord)."""
        if self.tier_a == self.tier_b:
            raise InvalidRecord("a calendar spread needs two expiries")


class SpanParameters(Record, frozen=True, kw_only=True):
    """Model C of one underlying."""

    extreme_multiplier: Annotated[float, Meta(ge=1.0, le=10.0)] = 2.0
    """Move of scenarios 15 and 16, in scan ranges [doc: Indian clearing; 3 elsewhere, mem]."""
    covered_fraction: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.35
    """Weight of scenarios 15 and 16 [doc: Indian clearing; 0.33 elsewhere, mem]."""
    volatility_scan: Literal["points", "relative"] = "points"
    """Whether a volatility scan is added, in points, or is a share of the volatility [doc: both are in use]."""
    look_ahead_days: Annotated[float, Meta(ge=0.0, le=30.0)] = 1.0
    """Time that options are repriced ahead, days [doc]."""
    delta_weights: Annotated[tuple[Weight, ...], Meta(min_length=7, max_length=7)] = (
        0.270, 0.217, 0.217, 0.110, 0.110, 0.037, 0.037,
    )  # fmt: skip
    """Weights of the composite delta at 0, +1/3, -1/3, +2/3, -2/3, +1, -1 scan ranges [mem], by share of their sum."""
    price_sigmas: Annotated[float, Meta(gt=0.0, le=100.0)] = 6.0
    """Price scan range in daily deviations [ours, after the Indian index rule, doc]."""
    horizon_days: Annotated[float, Meta(gt=0.0, le=30.0)] = 2.0
    """Days that the deviation is scaled to, by the square root [ours, same]."""
    assumed_annual_vol: Annotated[float, Meta(gt=0.0, le=10.0)] = 1.0
    """Volatility of the coin where none is known yet, annualised [ours]; results then say so."""
    price_floor: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.093
    """Least price scan range, fraction of the price [doc: Indian index contracts; 0.142 for stocks]."""
    price_cap: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.50
    """Largest price scan range, fraction [ours: a volatility of 190 % would give 84 %]."""
    volatility_share: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.25
    """Volatility scan as a share of the annualised volatility [doc]."""
    volatility_floor: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.04
    """Least volatility scan, points as a decimal [doc: index; 0.10 for stocks]."""
    calendar_rate: Fraction = 0.0175
    """Charge of a spread of one coin between two expiries, of the later price [doc: NSE index; 0.022 for stocks]."""
    calendar_spreads: Annotated[tuple[SpanCalendarSpread, ...], Meta(max_length=1_000)] | None = None
    """Spreads in order of priority; none given: every two expiries, neighbours first, at `calendar_rate` [ours]."""
    short_option_rate: Fraction = 0.01
    """Short option minimum of one coin, as a fraction of the index [doc: Deribit's older rule, 0.01 BTC an option]."""
    option_style: Literal["premium", "futures"] = "premium"
    """Whether an option's value is credited (its premium was paid) or settled daily [doc: both exist]."""

    def __post_init__(self) -> None:
        """Refuse a floor above its cap and weights without a sum (raises InvalidRecord)."""
        if self.price_floor > self.price_cap:
            raise InvalidRecord("the floor of a price scan range is not above its cap")
        if not sum(self.delta_weights) > 0.0:
            raise InvalidRecord("the weights of a composite delta are not all zero")


class SpanSet(Record, frozen=True, kw_only=True):
    """Model C of an account: its underlyings, and what stands between them."""

    default: SpanParameters = SpanParameters()
    """Every underlying not named below."""
    underlyings: Annotated[dict[Asset, SpanParameters], Meta(max_length=256)] = {}  # noqa: RUF012  # msgspec copies it
    """Parameters by underlying."""
    inter_spreads: Annotated[tuple[SpanInterSpread, ...], Meta(max_length=256)] = ()
    """Credits between underlyings in order of priority; none by default [ours: no venue publishes any for coins]."""
    short_option_side: Literal["sum", "larger"] = "sum"
    """Whether short calls and puts count together or only the larger side [code: both in the files; sum is ours]."""
    mm_factor: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.8
    """Maintenance requirement as a fraction of the initial one [ours: as models A and P; files carry it by product]."""
