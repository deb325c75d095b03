"""Parameters of OKX's portfolio margin: model A's idea in risk units, one for each underlying.

Each default names its origin: [doc] OKX's help and support pages, [2nd] a secondary page, [mem] memory, unverified,
[ours] a choice of ours where the pages print no figure.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from schemas.base import Record
from schemas.fields import Asset, InvalidRecord
from schemas.tiers import OKX_DEPEG, OKX_MINIMUM_CHARGE, MarginalTier, MarginalTiers

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Move = Annotated[float, Meta(gt=0.0, lt=1.0)]
Power = Annotated[float, Meta(ge=0.0, le=2.0)]


class OkxGroup(Record, frozen=True, kw_only=True):
    """Underlyings that are shocked alike."""

    underlyings: Annotated[tuple[Asset, ...], Meta(max_length=256)] = ()
    """Members."""
    spot_moves: Annotated[tuple[Move, ...], Meta(min_length=1, max_length=32)]
    """MR1: price moves on each side, ascending, as fractions."""
    basis_move: Annotated[float, Meta(ge=0.0, le=10.0)]
    """MR4: annualised move of the basis."""
    extreme_move: Move
    """MR6: price move on each side."""

    def __post_init__(self) -> None:
        """Refuse moves out of order (raises InvalidRecord)."""
        if any(after <= before for before, after in pairwise(self.spot_moves)):
            raise InvalidRecord("spot moves ascend")


OKX_GROUPS = (
    OkxGroup(underlyings=("BTC", "ETH"), spot_moves=(0.04, 0.08, 0.12), basis_move=0.05, extreme_move=0.24),
    OkxGroup(
        underlyings=("ADA", "AVAX", "BNB", "DOGE", "DOT", "LINK", "LTC", "SOL", "XRP"),
        spot_moves=(0.06, 0.12, 0.18),
        basis_move=0.15,
        extreme_move=0.36,
    ),
)
"""The two named groups [doc: moves; mem: extremes; ours: the members of the second]."""

OKX_OTHERS = OkxGroup(spot_moves=(0.08, 0.16, 0.25), basis_move=0.30, extreme_move=0.50)
"""Every other underlying [doc; mem: the extreme]."""

OKX_BORROWING = MarginalTiers(
    tiers=(
        MarginalTier(up_to_usd=1_000_000.0, rate=0.05),
        MarginalTier(up_to_usd=10_000_000.0, rate=0.10),
        MarginalTier(rate=0.20),
    )
)
"""MR8: rates on what is owed in one asset [ours: the venue has a table for each asset]."""


class OkxParameters(Record, frozen=True, kw_only=True):
    """Portfolio margin by risk units MR1 to MR9."""

    groups: Annotated[tuple[OkxGroup, ...], Meta(max_length=16)] = OKX_GROUPS
    """Named groups of underlyings."""
    others: OkxGroup = OKX_OTHERS
    """Every underlying that no group names; its own list is not read."""
    cash_assets: Annotated[tuple[Asset, ...], Meta(max_length=64)] = ("DAI", "USDC", "USDT")
    """Coins that are cash: no risk unit shocks them [doc for the idea: MR9 looks at them instead]."""
    volatility_range_up: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.50
    """MR1, MR3: upward volatility shock of a 30-day option, relative [ours: Deribit's]."""
    volatility_range_down: Fraction = 0.25
    """MR1, MR3: downward volatility shock of a 30-day option, relative [ours: Deribit's]."""
    min_volatility_for_shock_up: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.50
    """MR1, MR3: least annualised volatility after an upward shock [ours: Deribit's]."""
    short_term_vega_power: Power = 0.30
    """Exponent of 30/days up to 30 days [ours: as three other venues]."""
    long_term_vega_power: Power = 0.13
    """Exponent of 30/days beyond 30 days [ours: as three other venues]."""
    dte_floor_days: Annotated[float, Meta(ge=0.01, le=30.0)] = 1.0
    """Fewest days that volatility shocks are scaled with [ours: as two other venues]."""
    decay_hours: Annotated[float, Meta(ge=0.0, le=720.0)] = 24.0
    """MR2: time that passes [doc]."""
    vega_tenors_days: Annotated[tuple[Annotated[float, Meta(gt=0.0)], ...], Meta(max_length=16)] = (7.0, 30.0, 90.0)
    """MR3: where one tenor ends and the next begins, days, ascending [ours]."""
    vega_offset_charge: Fraction = 0.50
    """MR3: share of the gains of some tenors, set against losses of others, that is charged [ours]."""
    basis_min_days: Annotated[float, Meta(ge=0.0, le=366.0)] = 1.0
    """MR4: fewest days that a basis moves over, those of perpetuals included [ours]."""
    rate_move: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.02
    """MR5: parallel move of interest rates, annual [ours]."""
    extreme_share: Fraction = 0.50
    """MR6: share of the loss that counts [mem]."""
    future_charge: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.001
    """MR7: raw charge of futures and perpetuals, as a fraction of the notional [ours]."""
    option_charge: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.002
    """MR7: raw charge of options, as a fraction of the notional [ours]."""
    minimum_charge: MarginalTiers = OKX_MINIMUM_CHARGE
    """MR7: multipliers of the raw charge [doc]."""
    borrowing: MarginalTiers = OKX_BORROWING
    """MR8: rates on what is owed, asset by asset [ours]."""
    depeg: MarginalTiers = OKX_DEPEG
    """MR9: rates on the size hedged across quote currencies [doc]."""
    im_factor: Annotated[float, Meta(ge=1.0, le=10.0)] = 1.3
    """Initial requirement as a multiple of the maintenance one [2nd]."""

    def __post_init__(self) -> None:
        """Refuse an underlying in two groups and tenors out of order (raises InvalidRecord)."""
        named = [name for group in self.groups for name in group.underlyings]
        if len(set(named)) != len(named):
            raise InvalidRecord("an underlying belongs to one group")
        if any(after <= before for before, after in pairwise(self.vega_tenors_days)):
            raise InvalidRecord("tenors ascend")

    def group(self, underlying: str) -> OkxGroup:
        """Return the group of an underlying."""
        return next((group for group in self.groups if underlying in group.underlyings), self.others)
