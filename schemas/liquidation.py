"""Parameters of liquidation: auctions, spreads, fees and steps of the venues.

Where a default is from:
[doc] a venue's published page, [code] its published source, [mem] from memory and unverified, [ours] chosen here.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from schemas.base import Record
from schemas.fields import InvalidRecord

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Part = Annotated[float, Meta(gt=0.0, le=1.0)]
Seconds = Annotated[float, Meta(ge=0.0, le=1e7)]
Slots = Annotated[float, Meta(ge=0.0, le=1e8)]


class AuctionParameters(Record, frozen=True, kw_only=True):
    """Terms of Derive's Dutch auction (defaults: mainnet [code])."""

    start_share: Part = 0.95
    """Share of the value that the first bidder pays."""
    cutoff_share: Share = 0.70
    """Share at the end of the fast phase; not above the first one."""
    fast_s: Seconds = 900.0
    """Length of the fast phase, seconds."""
    slow_s: Seconds = 43_200.0
    """Length of the slow phase, from the cutoff to nothing, seconds."""
    insolvent_s: Seconds = 3_600.0
    """Length over which an insolvent account pays more and more, seconds."""
    fee_rate: Share = 0.10
    """Fee at the start, of the value of the fraction that could be sold then."""
    buffer_share: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.15
    """What the account is liquidated to: this share of value less maintenance margin above maintenance."""
    small_account_usd: Annotated[float, Meta(ge=0.0, le=1e9)] = 0.0
    """Value below which an account is sold whole, USD [ours]; 0: none is."""

    def __post_init__(self) -> None:
        """Refuse a share that rises (raises InvalidRecord)."""
        if self.cutoff_share > self.start_share:
            raise InvalidRecord("cutoff_share is above start_share")


class DydxLiquidationParameters(Record, frozen=True, kw_only=True):
    """dYdX v4's fillable price and insurance fund (defaults: the chain's default configuration [code])."""

    bankruptcy_adjustment: Annotated[float, Meta(ge=1.0, le=4_294.967295)] = 1.0
    """How much earlier than at bankruptcy the spread is the whole one."""
    spread_to_mm: Share = 0.1
    """Largest distance of the fillable price from the oracle, of the maintenance ratio."""
    max_fee_rate: Share = 0.005
    """Most that the insurance fund takes of a fill, of its notional."""


class DriftLiquidationParameters(Record, frozen=True, kw_only=True):
    """Drift's fee ramp and steps; fees of a market are the market's and have no default."""

    grace_slots: Slots = 1_500.0
    """Slots before the liquidator's fee rises [code]."""
    increase_per_slot: Share = 1e-6
    """Rise of the fee per slot [code]."""
    initial_share: Share = 0.1
    """Share of a shortage that may be covered at once [ours]."""
    duration_slots: Slots = 150.0
    """Slots until all of it may be [code: about a minute at 0.4 s]."""


class ParadexLiquidationParameters(Record, frozen=True, kw_only=True):
    """Paradex's partial liquidation (defaults: its page Liquidations [doc])."""

    target_ratio: Part = 0.9
    """Margin ratio that a liquidation brings the account below."""
    share_step: Part = 0.2
    """Step of the share closed of every position."""
    fee_of_mm: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.7
    """Penalty, of the maintenance released; the page's example computes with 0.5."""


class LiquidationParameters(Record, frozen=True, kw_only=True):
    """How venues liquidate, by venue."""

    auction: AuctionParameters = AuctionParameters()
    """Derive."""
    dydx: DydxLiquidationParameters = DydxLiquidationParameters()
    """dYdX v4."""
    drift: DriftLiquidationParameters = DriftLiquidationParameters()
    """Drift."""
    paradex: ParadexLiquidationParameters = ParadexLiquidationParameters()
    """Paradex."""
