"""Parameters of model B, the scenario margin of Derive (PMRM): defaults as deployed, with their sources.

Sources: [code] derivexyz/v2-core, `scripts/config-mainnet.sol`; ranges are those its setters admit. [tests] the
repository's own portfolio cases. [ours] chosen here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from schemas.base import Record
from schemas.fields import Asset, InvalidRecord

Direction = Literal["up", "none", "down", "linear", "abs"]
SpotFactor = Annotated[float, Meta(gt=0.0, le=101.0)]  # as the extended moves of model A
UpToTen = Annotated[float, Meta(ge=0.0, le=10.0)]
Either = Annotated[float, Meta(ge=-10.0, le=10.0)]
Scenario = tuple[SpotFactor, Direction, UpToTen]

_STEPS = (1.135, 1.09, 1.045, 1.0, 0.955, 0.91, 0.865)
_LEVELS: tuple[Direction, ...] = ("down", "none", "up")
_TAILS = (
    (0.34, 0.21), (0.67, 0.42), (1.5, 0.2772), (2.0, 0.1386), (3.0, 0.0693), (4.0, 0.0462), (5.0, 0.03465),
    (6.0, 0.02772),
)  # fmt: skip
SCENARIOS: tuple[Scenario, ...] = (
    (1.18, "up", 1.0),
    *((spot, level, 1.0) for spot in _STEPS for level in _LEVELS),
    (0.82, "up", 1.0),
    *((spot, "up", damping) for spot, damping in _TAILS),
    (1.0, "linear", 1.0),
    (1.0, "abs", 1.0),
)
"""The 33 scenarios: factor on spot, what volatility does, factor on the P&L [code]."""


class PmrmVolShock(Record, frozen=True, kw_only=True):
    """Shock of the level of volatility [code]."""

    range_up: UpToTen = 0.5
    """Upward shock of a 30-day option, relative [code]."""
    range_down: UpToTen = 0.3
    """Downward shock of a 30-day option, relative [code]."""
    short_term_power: UpToTen = 0.3
    """Exponent of 30/days up to 30 days to expiry [code]."""
    long_term_power: UpToTen = 0.13
    """Exponent of 30/days beyond 30 days to expiry [code]."""
    dte_floor_days: Annotated[float, Meta(gt=0.0, le=400.0)] = 1.0
    """Fewest days to expiry that shocks are scaled with [code]; above zero [ours], since it divides."""
    min_vol_up: Annotated[float, Meta(ge=0.0, le=20.0)] = 0.4
    """Least annualised volatility after an upward shock, decimal [code]."""


class PmrmMargin(Record, frozen=True, kw_only=True):
    """Factors on the worst scenario, and the static discount on shocked option values."""

    im_factor: Annotated[float, Meta(ge=0.5, le=10.0)] = 1.0
    """Initial margin: factor on the worst loss [code]."""
    mm_factor: Annotated[float, Meta(ge=0.5, le=10.0)] = 0.8
    """Maintenance margin: factor on the worst loss [code]."""
    long_rate_mult: UpToTen = 0.0
    """Discount of positive values: factor on the rate [code]."""
    long_rate_add: UpToTen = 0.16
    """Discount of positive values: what is added to that, per year [code]."""
    short_rate_mult: UpToTen = 0.0
    """Growth of negative values: factor on the rate [code]."""
    short_rate_add: UpToTen = 0.16
    """Growth of negative values: what is added to that, per year [code]."""
    long_static_discount: Annotated[float, Meta(gt=0.0, le=4.0)] = 0.95
    """Base factor on positive values [tests]; the deployment script has 1.05, which rewards."""
    short_static_discount: Annotated[float, Meta(gt=0.0, le=4.0)] = 1.04
    """Base factor on negative values [tests]; the deployment script has 0.95, which rewards."""


class PmrmBasis(Record, frozen=True, kw_only=True):
    """Basis contingency: the forward moves and spot does not [code]."""

    spot_up: Annotated[float, Meta(gt=1.0, lt=3.0)] = 1.045
    """Upward factor [code]."""
    spot_down: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.955
    """Downward factor [code]."""
    add_factor: Annotated[float, Meta(ge=0.0, le=20.0)] = 0.5
    """Share of the loss that is charged at once [code]."""
    mult_factor: Annotated[float, Meta(ge=0.0, le=20.0)] = 2.0
    """Share of the loss that is charged on top, per year to expiry [code]."""


class PmrmOther(Record, frozen=True, kw_only=True):
    """Contingencies on notional, depeg and confidence [code]."""

    peg_threshold: Annotated[float, Meta(ge=0.0, le=100.0)] = 0.99
    """Price of the stable coin below which initial margin grows, USD [code]."""
    peg_factor: UpToTen = 4.0
    """Growth of im_factor per USD below that [code]."""
    conf_threshold: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.55
    """Confidence below which initial margin grows [code]."""
    conf_margin: Annotated[float, Meta(ge=0.0, le=20.0)] = 1.0
    """Charge on notional per unit of missing confidence [code]."""
    mm_perp_pct: Annotated[float, Meta(ge=0.0, le=3.0)] = 0.03
    """Maintenance charge on the notional of perpetuals [code]."""
    im_perp_pct_extra: Annotated[float, Meta(ge=0.0, le=3.0)] = 0.01
    """What initial margin adds to that [code]."""
    mm_option_pct: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.003
    """Maintenance charge on the notional of naked short options [code]."""
    im_option_pct_extra: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.002
    """What initial margin adds to that [code]."""


class PmrmSkew(Record, frozen=True, kw_only=True):
    """Shock of the volatility skew: how far a slice turns (linear) and its wings rise (abs)."""

    linear_base_cap: UpToTen = 0.25
    """Largest relative change at no time to expiry, linear [code]."""
    linear_c: Either = -0.1
    """What that gains per root of a year, linear [code]."""
    abs_base_cap: UpToTen = 0.25
    """Largest relative change at no time to expiry, abs [code]."""
    abs_c: Either = -0.1
    """What that gains per root of a year, abs [code]."""
    min_k_star: Annotated[float, Meta(gt=0.0, le=10.0)] = 0.01
    """Least log moneyness at which the cap is reached [code]; above zero [ours], since it divides."""
    width_scale: UpToTen = 4.0
    """Deviations at which the cap is reached [code]."""
    vol_param_static: UpToTen = 0.6
    """Volatility of that width at no time to expiry, decimal [code]."""
    vol_param_scale: Annotated[float, Meta(ge=-20.0, le=20.0)] = 0.0
    """What that gains per root of a year [code]."""


class PmrmParameters(Record, frozen=True, kw_only=True):
    """Model B, for one underlying."""

    scenarios: Annotated[tuple[Scenario, ...], Meta(min_length=1, max_length=256)] = SCENARIOS
    """Scenarios in their order: factor on spot, direction of volatility, damping of the P&L [code]."""
    vol_shock: PmrmVolShock = PmrmVolShock()
    """Shock of the level of volatility."""
    margin: PmrmMargin = PmrmMargin()
    """Factors and static discount."""
    basis: PmrmBasis = PmrmBasis()
    """Basis contingency."""
    other: PmrmOther = PmrmOther()
    """Contingencies on notional, depeg and confidence."""
    skew: PmrmSkew = PmrmSkew()
    """Shock of the skew."""
    allow_imprudent: bool = False
    """Accept what `imprudence` names; results then carry it as a warning [ours]."""

    def __post_init__(self) -> None:
        """Refuse parameters that reward risk unless they are said to be meant (raises InvalidRecord)."""
        found = imprudence(self)
        if found and not self.allow_imprudent:
            raise InvalidRecord(f"{', '.join(found)}: set allow_imprudent to accept")


def imprudence(parameters: PmrmParameters) -> tuple[str, ...]:
    """Return what rewards risk: `rewarding_discount`, `initial_below_maintenance`.

    A long base above the short one, or above 1 (the growth of short values is capped at the prices' own discount, which
    is 1 at expiry), makes the margin of a position larger in parts than whole.
    """
    margin = parameters.margin
    found = []
    if margin.long_static_discount > min(1.0, margin.short_static_discount):
        found.append("rewarding_discount")
    if margin.im_factor < margin.mm_factor:
        found.append("initial_below_maintenance")
    return tuple(found)


class PmrmCollateral(Record, frozen=True, kw_only=True):
    """What coins that are owned count for; defaults [ours], in the size of the venue's own."""

    mm_haircut: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.04
    """Part of the value that maintenance takes off."""
    im_haircut_extra: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.015
    """What initial margin takes off on top."""


class PmrmSet(Record, frozen=True, kw_only=True):
    """Model B of an account: its underlyings, collateral, and how far data are trusted."""

    default: PmrmParameters = PmrmParameters()
    """Every underlying not named below."""
    underlyings: Annotated[dict[Asset, PmrmParameters], Meta(max_length=256)] = {}  # noqa: RUF012  # msgspec copies it
    """Parameters by underlying."""
    collateral: PmrmCollateral = PmrmCollateral()
    """Coins that move with their underlying."""
    stable: Annotated[dict[Asset, PmrmCollateral], Meta(max_length=64)] = field(
        default_factory=lambda: {
            "USDC": PmrmCollateral(mm_haircut=0.0, im_haircut_extra=0.0),
            "USDE": PmrmCollateral(mm_haircut=0.10, im_haircut_extra=0.10),
            "USDT": PmrmCollateral(mm_haircut=0.02, im_haircut_extra=0.02),
        }
    )
    """Tokens that no scenario moves: cash, or collateral by haircut alone [ours; the venue has 2 % on USDT]."""
    cash_asset: Asset = "USDC"
    """The token whose price the depeg rule looks at [code]."""
    confidence: Annotated[dict[str, Annotated[float, Meta(ge=0.0, le=1.0)]], Meta(max_length=64)] = field(
        default_factory=lambda: {
            "dispersed": 0.5,
            "single_source": 0.75,
            "stale": 0.25,
        }
    )
    """Confidence by flag of the data, the least counts; 1 without any of these [ours: the venue's oracles give it]."""
