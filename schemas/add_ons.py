"""Parameters of what every margin model may be charged on top.

Each add-on is a record or None, which is off; a record's own defaults are the prudent ones. Where a default is from:
[code] a venue's published source, [doc] its published page, [data] measured by us on exchange data of October 2025 and
February 2026, [mem] from memory and unverified, [ours] chosen here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.base import Record
from schemas.fields import Asset, InvalidRecord
from schemas.tiers import OKX_DEPEG, MarginalTiers

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Rate = Annotated[float, Meta(ge=0.0, le=1.0)]
Volume = Annotated[float, Meta(gt=0.0, le=1e15)]
Points = Annotated[float, Meta(ge=0.0, le=500.0)]
Seconds = Annotated[float, Meta(ge=0.0, le=1e9)]
FlagName = Annotated[str, Meta(pattern=r"^[a-z][a-z_]{0,63}$(?!\n)")]
Shock = tuple[Annotated[float, Meta(gt=-1.0, le=10.0)], Share]


class Liquidity(Record, frozen=True, kw_only=True):
    """Market depth of one underlying: of its price, and of its volatility in USD per volatility point."""

    daily_volume_usd: Volume = 20_000_000.0
    """V, dollars traded a day in what a liquidation may use [data: below the thinnest of seven coins, 24 million]."""
    half_spread: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0010
    """k, half the spread as a fraction of the price [ours]."""
    assumed_vol_annual: Annotated[float, Meta(gt=0.0, le=20.0)] = 1.50
    """Annualised volatility where the market has none, decimal [ours: coins beside the two large ones reached 1.9]."""
    daily_vega_usd: Volume = 20_000.0
    """Vega traded a day, USD per volatility point [ours: a twentieth of ETH's]."""
    vega_half_spread_points: Points = 2.7
    """Half the spread of options, volatility points [data: nine in ten BTC options were quoted closer]."""
    vega_daily_move_points: Points = 14.0
    """Daily deviation of the volatility, points [data: BTC, at the money, through the sell-off of February 2026]."""


def _liquidity() -> dict[str, Liquidity]:
    return {
        "BTC": Liquidity(
            daily_volume_usd=5e9, half_spread=0.0002, assumed_vol_annual=1.0, daily_vega_usd=2_700_000.0,
            vega_half_spread_points=0.6,
        ),
        "ETH": Liquidity(
            daily_volume_usd=3e9, half_spread=0.0003, assumed_vol_annual=1.2, daily_vega_usd=400_000.0,
            vega_half_spread_points=0.9, vega_daily_move_points=11.0,
        ),
    }  # fmt: skip


class LiquidityAddOn(Record, frozen=True, kw_only=True):
    """Cost of closing positions, and market risk for as long as that takes [ours, section by section below]."""

    impact: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.7
    """eta: impact in daily deviations of trading one day's volume, by the square-root law [ours]."""
    participation: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.10
    """pi: share of the daily volume that a liquidation may be [ours]."""
    delta_gross_share: Share = 0.0
    """Share of gross delta in the size to close, the rest is net: 0, since futures do net [ours]."""
    vega_gross_share: Share = 0.3
    """Share of gross vega in the size to close: options of several strikes do not net in a fire sale [ours]."""
    scale_market_risk: bool = True
    """Whether a position that takes h days to close carries its market risk sqrt(h) times [ours]."""
    mm_factor: Share = 1.0
    """Maintenance as a fraction of initial: at liquidation this is money that is paid [ours]."""
    default: Liquidity = Liquidity()
    """Every underlying not named below."""
    underlyings: Annotated[dict[Asset, Liquidity], Meta(max_length=256)] = msgspec.field(default_factory=_liquidity)
    """Market depth by underlying: volumes of BTC and ETH below one large venue's [mem], their vega [data: median]."""


class NakedShortAddOn(Record, frozen=True, kw_only=True):
    """A charge on options sold and not covered, per coin of the underlying."""

    im_rate: Rate = 0.005
    """Initial rate on the index [code: Derive, mainnet; an older rule of Deribit has 0.01, doc]."""
    mm_rate: Rate = 0.003
    """Maintenance rate on the index [code: same]; not above the initial one."""
    cover: Literal["strike", "contract"] = "strike"
    """Whether the other type at the same strike and expiry covers [code: Derive], or nothing does."""

    def __post_init__(self) -> None:
        """Refuse a maintenance rate above the initial one (raises InvalidRecord)."""
        if self.mm_rate > self.im_rate:
            raise InvalidRecord("mm_rate is above im_rate")


class RollRates(Record, frozen=True, kw_only=True):
    """Moves of one underlying's term structure."""

    annualised_move: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.15
    """Annualised move of the basis [ours: three times ETH's]."""
    min_move: Rate = 0.015
    """Least move of the basis of an expiry [ours: three times ETH's]."""


def _rolls() -> dict[str, RollRates]:
    return {
        "BTC": RollRates(annualised_move=0.075, min_move=0.01),
        "ETH": RollRates(annualised_move=0.05, min_move=0.005),
        "USDC": RollRates(annualised_move=0.02, min_move=0.002),
        "USDT": RollRates(annualised_move=0.02, min_move=0.002),
    }


class RollAddOn(Record, frozen=True, kw_only=True):
    """A charge on the delta of each expiry, long and short alike: bases do not move together."""

    default: RollRates = RollRates()
    """Every underlying not named below."""
    underlyings: Annotated[dict[Asset, RollRates], Meta(max_length=256)] = msgspec.field(default_factory=_rolls)
    """Moves by underlying [doc: Deribit, for BTC and ETH; ours for dollar tokens]."""
    mm_factor: Share = 0.8
    """Maintenance as a fraction of initial [doc: Deribit, where it is part of the risk matrix margin]."""


class FundingAddOn(Record, frozen=True, kw_only=True):
    """Funding that perpetuals will pay over a time, if it is a cost [doc: Paradex]."""

    horizon_hours: Annotated[float, Meta(gt=0.0, le=720.0)] = 8.0
    """How far ahead, hours [doc: Paradex]."""
    assumed_rate: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0001
    """Rate in eight hours that either side is taken to pay where none is known [mem: common interest part]."""
    mm_factor: Share = 1.0
    """Maintenance as a fraction of initial [doc: Paradex adds it to both]."""


class DepegAddOn(Record, frozen=True, kw_only=True):
    """Dollar tokens that lose their peg: scenarios on what is held of them, tiers on hedges across them."""

    tokens: Annotated[tuple[Asset, ...], Meta(max_length=64)] = ("USDC", "USDT")
    """The tokens; each takes its own worst scenario, and these are added up [ours]."""
    shocks: Annotated[tuple[Shock, ...], Meta(min_length=1, max_length=64)] = (
        (-0.01, 1.0),
        (-0.03, 1.0),
        (-0.10, 0.35),
    )
    """Moves with the share of their loss that counts [ours; the share of the last as SPAN's extremes, doc]."""
    hedge_tiers: MarginalTiers = OKX_DEPEG
    """Rates on the size hedged across quote currencies [doc: OKX, unit MR9]."""
    mm_factor: Share = 0.8
    """Maintenance as a fraction of initial [ours; OKX's initial requirement is 1.3 times it, secondary]."""

    def __post_init__(self) -> None:
        """Refuse a token named twice (raises InvalidRecord)."""
        if len(set(self.tokens)) != len(self.tokens):
            raise InvalidRecord("a token is named once")


class MinimumAddOn(Record, frozen=True, kw_only=True):
    """A floor under the model's requirement, by notional of delta."""

    net_rate: Rate = 0.02
    """Rate on the net delta of an underlying [doc: Paradex]."""
    hedged_rate: Rate = 0.01
    """Rate on the delta that is long and short at once [doc: Paradex; that this is the smaller side is ours]."""
    mm_factor: Share = 0.5
    """The floor of maintenance as a fraction of the initial one [doc: Paradex]."""


def _confidence() -> dict[str, float]:
    return {
        "assumed_par": 0.90, "dispersed": 0.80, "jump": 0.50, "single_source": 0.90, "stale": 0.50,
        "stale_funding": 0.99,
    }  # fmt: skip


class DataQualityAddOn(Record, frozen=True, kw_only=True):
    """Charges for data that are doubtful: on notional by confidence, on the requirement by staleness."""

    confidence: Annotated[dict[FlagName, Share], Meta(max_length=64)] = msgspec.field(default_factory=_confidence)
    """Confidence in an underlying that carries a flag, the least of several; 1 without any [ours]."""
    threshold: Share = 1.0
    """Confidence below which it is charged [ours: all of it; Derive's is 0.55, code]."""
    factor: Rate = 0.10
    """Charge on notional per unit of missing confidence [ours; Derive's is 1 below its lower threshold, code]."""
    growth: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.25
    """g: what the requirement grows by where prices are wholly stale [ours]."""
    stale_share: Annotated[dict[FlagName, Share], Meta(max_length=64)] = msgspec.field(
        default_factory=lambda: {"stale": 1.0}
    )
    """Share of that growth for an underlying with a flag [ours]."""
    age_free_s: Seconds = 60.0
    """age0: age of a price that costs nothing, where ages are known, seconds [ours]."""
    age_span_s: Annotated[float, Meta(gt=0.0, le=1e9)] = 600.0
    """age1: time from there to the whole growth, seconds [ours]."""
    mm_factor: Share = 0.0
    """Maintenance as a fraction of initial [code: Derive charges confidence initially only]."""


class AddOnParameters(Record, frozen=True, kw_only=True):
    """What is charged on top of a model; None is off, and so is everything by default."""

    liquidity: LiquidityAddOn | None = None
    """Liquidation cost and concentration."""
    naked_shorts: NakedShortAddOn | None = None
    """Options sold and not covered."""
    roll: RollAddOn | None = None
    """Basis between expiries."""
    funding: FundingAddOn | None = None
    """Funding provision."""
    depeg: DepegAddOn | None = None
    """Dollar tokens."""
    minimum: MinimumAddOn | None = None
    """Floor under the model."""
    data_quality: DataQualityAddOn | None = None
    """Doubtful data."""


OFF = AddOnParameters()
"""Nothing on top: what models A and P have charged so far."""

PRUDENT = AddOnParameters(
    liquidity=LiquidityAddOn(), naked_shorts=NakedShortAddOn(), roll=RollAddOn(), funding=FundingAddOn(),
    depeg=DepegAddOn(), minimum=MinimumAddOn(), data_quality=DataQualityAddOn(),
)  # fmt: skip
"""Everything on, for a model that has none of it: P, D, and isolated margin. For others see `beside`."""

BUILT_IN: dict[str, tuple[str, ...]] = {
    "A": ("roll",),
    "B": ("naked_shorts", "roll", "depeg", "data_quality"),
    "C": ("naked_shorts", "roll"),
    "E-derive": ("depeg", "data_quality"),
    "A-okx": ("roll", "depeg", "minimum"),
    "A-paradex": ("funding", "minimum"),
}
"""What a model charges by itself: roll shock; contingencies; option minimum and calendar charge; peg and oracle; its
units of basis, peg and minimum; its provision and floor."""


def beside(model: str, parameters: AddOnParameters) -> AddOnParameters:
    """Return the add-ons less those that a model charges by itself; a model that is not known charges none."""
    return msgspec.structs.replace(parameters, **dict.fromkeys(BUILT_IN.get(model, ())))
