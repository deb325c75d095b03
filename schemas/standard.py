"""Parameters of model E, margin position by position.

Where a default is from:
[doc] a venue's published page, [code] its published source, [mem] from memory and unverified, [ours] chosen here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from msgspec import Meta, field

from schemas.base import Record
from schemas.fields import Asset, InvalidRecord

Rate = Annotated[float, Meta(ge=0.0, le=1.0)]
MaintenanceRate = Annotated[float, Meta(ge=0.0, lt=1.0)]
SpotRequirement = Annotated[float, Meta(ge=0.0, le=1.2)]
Scale = Annotated[float, Meta(ge=1.0, le=3.0)]
Notional = Annotated[float, Meta(ge=0.0, le=1e15)]


class PerpetualRates(Record, frozen=True, kw_only=True):
    """Flat rates on the notional at the mark (defaults: Derive's standard manager, mainnet [code])."""

    im_rate: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.10
    """Initial requirement per notional; not below the maintenance rate."""
    mm_rate: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.065
    """Maintenance requirement per notional."""

    def __post_init__(self) -> None:
        """Refuse an initial rate below maintenance (raises InvalidRecord)."""
        if self.im_rate < self.mm_rate:
            raise InvalidRecord("im_rate is below mm_rate")


class MarginTier(Record, frozen=True, kw_only=True):
    """One tier of notional: where it begins, and its rates."""

    floor_usd: Notional
    """Notional at which the tier begins, USD."""
    mm_rate: MaintenanceRate
    """Maintenance rate of the slice above the floor."""
    im_rate: Rate
    """Initial rate of the whole notional in this tier; not below the maintenance rate."""


def _published(*rows: tuple[float, float, float]) -> tuple[MarginTier, ...]:
    return tuple(MarginTier(floor_usd=floor, mm_rate=mm, im_rate=im) for floor, mm, im in rows)


# Binance, BTCUSDT perpetual, announcement of 2021-03-18 [doc].
BINANCE_BTCUSDT = _published(
    (0.0, 0.004, 0.008), (50_000.0, 0.005, 0.01), (250_000.0, 0.01, 0.02), (1e6, 0.025, 0.05), (1e7, 0.05, 0.10),
    (2e7, 0.10, 0.20), (5e7, 0.125, 0.25), (1e8, 0.15, 0.333), (2e8, 0.25, 0.50), (3e8, 0.50, 1.0),
)  # fmt: skip


class TierParameters(Record, frozen=True, kw_only=True):
    """Maintenance by slices of notional (defaults: Binance, BTCUSDT, 2021-03-18 [doc])."""

    tiers: Annotated[tuple[MarginTier, ...], Meta(min_length=1, max_length=64)] = BINANCE_BTCUSDT
    """Tiers by rising notional, the first from 0; rates do not fall from tier to tier."""

    def __post_init__(self) -> None:
        """Refuse tiers that do not rise (raises InvalidRecord)."""
        if self.tiers[0].floor_usd != 0.0:
            raise InvalidRecord("the first tier begins at 0")
        if any(tier.im_rate < tier.mm_rate for tier in self.tiers):
            raise InvalidRecord("im_rate of a tier is below its mm_rate")
        for low, high in pairwise(self.tiers):
            if not low.floor_usd < high.floor_usd:
                raise InvalidRecord("floors of tiers rise")
            if low.mm_rate > high.mm_rate or low.im_rate > high.im_rate:
                raise InvalidRecord("rates do not fall from tier to tier")


class OpenInterestParameters(Record, frozen=True, kw_only=True):
    """Initial rate by open interest (dYdX v4; fields [code], the form and these values, its mid tier, [mem])."""

    base_rate: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.05
    """Initial rate up to the lower cap."""
    lower_cap_usd: Notional = 20_000_000.0
    """Open interest from which the rate grows, USD."""
    upper_cap_usd: Notional = 50_000_000.0
    """Open interest at which it is 1, USD; 0 scales nothing."""
    maintenance_fraction: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.6
    """Maintenance rate as a part of the base rate; it is not scaled."""

    def __post_init__(self) -> None:
        """Refuse caps that do not rise (raises InvalidRecord)."""
        if self.upper_cap_usd != 0.0 and not self.lower_cap_usd < self.upper_cap_usd:
            raise InvalidRecord("lower_cap_usd is not below upper_cap_usd")


class SizeParameters(Record, frozen=True, kw_only=True):
    """Weights by the size of one position (Drift, form [code]; 0 is [ours]: the venue has a factor for each market)."""

    imf: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.0
    """Growth of a weight per root of a coin."""


class StandardOptionParameters(Record, frozen=True, kw_only=True):
    """Options one by one, rates on the underlying (defaults: Deribit, standard margin [doc])."""

    max_initial: Rate = 0.15
    """Initial rate of a short at or in the money."""
    min_initial: Rate = 0.10
    """Initial rate of a short far out of the money; not above `max_initial`."""
    maintenance: Rate = 0.075
    """Maintenance rate of a short; not above `min_initial`."""
    put_mark_maintenance: Rate = 0.075
    """Maintenance rate of a short put on its own mark, where that is more."""

    def __post_init__(self) -> None:
        """Refuse rates that do not rise from maintenance to the most of the initial ones (raises InvalidRecord)."""
        if not self.maintenance <= self.min_initial <= self.max_initial:
            raise InvalidRecord("rates rise: maintenance, min_initial, max_initial")


class DeriveOptionParameters(Record, frozen=True, kw_only=True):
    """Options under Derive's standard manager (defaults: mainnet configuration [code]; ranges: the contract's own)."""

    max_spot_req: SpotRequirement = 0.15
    """Initial rate on the spot at or in the money."""
    min_spot_req: SpotRequirement = 0.13
    """Initial rate on the spot far out of the money."""
    mm_call_spot_req: Rate = 0.09
    """Maintenance rate of a short call on the spot."""
    mm_put_spot_req: Rate = 0.09
    """Maintenance rate of a short put on the spot."""
    mm_put_mtm_req: Rate = 0.09
    """Maintenance rate of a short put on its value, where that is more."""
    unpaired_im_scale: Scale = 1.2
    """Initial charge on the forward for each call sold that no call bought covers."""
    unpaired_mm_scale: Scale = 1.1
    """The same for maintenance."""
    mm_offset_scale: Scale = 1.05
    """A short put's initial margin is at least so many times its maintenance."""


class DeriveOracleParameters(Record, frozen=True, kw_only=True):
    """Charges on prices that are not trusted (defaults: Derive, mainnet [code])."""

    perp_threshold: Rate = 0.55
    """Confidence below which a perpetual is charged."""
    option_threshold: Rate = 0.55
    """Confidence below which an expiry's shorts are charged."""
    base_threshold: Rate = 0.55
    """Confidence below which coins are charged."""
    factor: Rate = 1.0
    """Part of the spot charged per missing confidence."""


class DeriveStandardParameters(Record, frozen=True, kw_only=True):
    """Derive's standard manager, one market (defaults: ETH, mainnet [code])."""

    option: DeriveOptionParameters = DeriveOptionParameters()
    """Options."""
    oracle: DeriveOracleParameters = DeriveOracleParameters()
    """Confidence of prices."""
    perp: PerpetualRates = PerpetualRates()
    """Perpetuals."""
    base_margin_factor: Rate = 0.8
    """Part of a coin's value that counts; BTC 0.75, USDT 0.98."""
    base_im_scale: Rate = 0.9375
    """Part of that which counts initially; BTC 0.93, USDT 0.98."""
    depeg_threshold: Rate = 0.99
    """Price of the stable coin below which shorts and perpetuals are charged initially."""
    depeg_factor: Annotated[float, Meta(ge=0.0, le=3.0)] = 2.0
    """Charge on the spot per missing price."""


class StandardParameters(Record, frozen=True, kw_only=True):
    """All forms of model E; an account uses those of its positions."""

    perpetual: PerpetualRates = PerpetualRates()
    """Isolated and cross margin of futures and perpetuals."""
    tiered: TierParameters = TierParameters()
    """Tiered maintenance."""
    open_interest: OpenInterestParameters = OpenInterestParameters()
    """Initial rates by open interest."""
    size: SizeParameters = SizeParameters()
    """Weights by size."""
    option: StandardOptionParameters = StandardOptionParameters()
    """Standard margin of options."""
    derive: DeriveStandardParameters = DeriveStandardParameters()
    """Derive's standard manager."""


class StandardSet(Record, frozen=True, kw_only=True):
    """Model E of an account: its underlyings."""

    default: StandardParameters = StandardParameters()
    """Every underlying not named below."""
    underlyings: Annotated[dict[Asset, StandardParameters], Meta(max_length=256)] = field(
        default_factory=lambda: {
            "BTC": StandardParameters(derive=DeriveStandardParameters(base_margin_factor=0.75, base_im_scale=0.93)),
            "USDT": StandardParameters(derive=DeriveStandardParameters(base_margin_factor=0.98, base_im_scale=0.98)),
        }
    )
    """Parameters by underlying (defaults: Derive, mainnet [code])."""
    cash_asset: Asset = "USDC"
    """The token whose price Derive's depeg rule looks at [code]; it is cash there."""
    confidence: Annotated[dict[str, Rate], Meta(max_length=64)] = field(
        default_factory=lambda: {
            "dispersed": 0.5,
            "single_source": 0.75,
            "stale": 0.25,
        }
    )
    """Confidence by flag of the data, the least counts; 1 without any of these [ours: the venue's oracles give it]."""
