"""Parameters of margin models and account states: defaults are data, and every set has a hash."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from schemas.add_ons import OFF, AddOnParameters
from schemas.base import Record
from schemas.collateral import CollateralParameters, OwnerParameters
from schemas.fields import Asset, Count, InvalidRecord, Money, Move, Name, TimeUs, Version
from schemas.joint import JointParameters
from schemas.okx import OkxParameters
from schemas.paradex import ParadexParameters
from schemas.pmrm import PmrmSet
from schemas.span import SpanSet
from schemas.standard import StandardSet

Threshold = Annotated[float, Meta(gt=0.0, le=10.0)]


class RiskMatrixParameters(Record, frozen=True, kw_only=True):
    """Risk matrix of one underlying, for models A and P (defaults: BTC as its venue publishes them)."""

    price_range: Annotated[float, Meta(ge=0.001, lt=1.0)] = 0.16
    """Largest standard price move, as a fraction of the price."""
    buckets_each_side: Annotated[int, Meta(ge=1, le=32)] = 4
    """Standard moves on each side of no move; model P may use two or four times as many."""
    volatility_range_up: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.50
    """Upward volatility shock of a 30-day option, relative."""
    volatility_range_down: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.25
    """Downward volatility shock of a 30-day option, relative."""
    min_volatility_for_shock_up: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.50
    """Least annualised volatility that an upward shock is scaled on, decimal."""
    short_term_vega_power: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.30
    """Exponent of 30/days below 30 days to expiry."""
    long_term_vega_power: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.13
    """Exponent of 30/days above 30 days to expiry."""
    dte_floor_days: Annotated[float, Meta(ge=0.01, le=30.0)] = 1.0
    """Fewest days to expiry that volatility shocks are scaled with."""
    extended_moves: Annotated[tuple[Move, ...], Meta(max_length=64)] = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    """Moves beyond the range, as fractions of the price, weighted by range/move."""
    annualised_move_risk: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.075
    """Roll shock: annualised move of the basis."""
    min_annualised_move: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.01
    """Least annualised move of the basis."""
    delta_shock_slope: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.00005
    """Delta shock: growth of the shock per coin of delta beyond the threshold."""
    delta_shock_threshold_usd: Money = 20_000_000.0
    """Delta in USD that carries no delta shock."""
    max_delta_shock: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.1
    """Largest delta shock, as a fraction of the price."""
    mm_factor: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.8
    """Model A: maintenance requirement as a fraction of the initial one."""
    pnl_offset: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """Model A: share of a profit here that cancels losses of other underlyings in the same cell; 0 stands alone."""
    max_offsetable_pnl_usd: Annotated[float, Meta(ge=0.0, le=1e18)] = 0.0
    """Model A: the most that such a profit cancels, USD."""
    extended_table: Literal["simple", "dampened"] = "simple"
    """Model A: whether cells beyond the range are weighted only, or brought nearer to zero besides."""
    extended_factor: Annotated[float, Meta(ge=0.0, le=10.0)] = 1.0
    """Model A, dampened table: factor on the weights."""
    extended_dampener_usd: Annotated[float, Meta(ge=0.0, le=1e18)] = 100_000.0
    """Model A, dampened table: how much nearer to zero a cell comes for each range beyond the first, USD."""
    correlation_contingency_rate: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.0
    """Model A: charge on an underlying's own worst case, as a fraction of it."""
    short_option_rate: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """Model A, older rules: charge in coins for a net short option of one coin, by strike (published: 0.01)."""
    futures_offset_rate: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """Model A, older rules: charge on futures that offset each other, as a fraction of the index (published: 0.01)."""
    vega_offset_rate: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    """Model A, older rules: share of the volatility gains set against losses of other expiries (published: 0.25)."""


class NettingParameters(Record, frozen=True, kw_only=True):
    """Model P: how risk matrices of several underlyings are netted by correlation."""

    correlation_stress: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.10
    """k: weight of the plain sum against the worst matrix; 0 trusts the matrices, 1 nets nothing."""
    concentration_stress: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.20
    """k while correlations are concentrated; that of calm times if it is larger."""
    breakdown_stress: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.50
    """k while correlations break down; that of calm times if it is larger."""
    floor_correlation: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.5
    """Correlation of every two coins in the last matrix, which stands beside the estimates."""
    fine_grid_days: Annotated[float, Meta(ge=0.0, le=366.0)] = 7.0
    """Twice as many moves while a listed option of the underlying expires within so many days."""
    finest_grid_days: Annotated[float, Meta(ge=0.0, le=366.0)] = 1.0
    """Four times as many moves while one expires within so many days."""
    ranges: Literal["ladder", "fixed"] = "ladder"
    """Price ranges: steps that follow volatility, or each risk matrix's own."""
    fixed_ranges: Annotated[tuple[Asset, ...], Meta(max_length=256)] = ("DAI", "USDC", "USDE", "USDT")
    """Underlyings that keep their own range: how far a peg breaks is not in its volatility."""
    mm_factor: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.8
    """Maintenance requirement as a fraction of the initial one."""


class StatusParameters(Record, frozen=True, kw_only=True):
    """Thresholds and dwell times of the account states; u = MM/equity, v = IM/equity, times are event time."""

    warning_enter_v: Threshold = 0.90
    """v at which a warning starts."""
    warning_leave_v: Threshold = 0.85
    """v below which a warning ends; not above its start."""
    margin_call_enter_v: Threshold = 1.0
    """v at which a margin call starts."""
    margin_call_leave_v: Threshold = 0.95
    """v below which a margin call ends; not above its start."""
    margin_call_dwell_ms: Count = 1_000
    """How long v has to stay there before the call, milliseconds."""
    liquidation_enter_u: Threshold = 1.0
    """u at which liquidation starts."""
    liquidation_leave_v: Threshold = 1.0
    """v at or below which liquidation ends."""
    leave_dwell_ms: Count = 10_000
    """How long a leave condition has to hold, milliseconds."""
    recovered_dwell_ms: Count = 60_000
    """How long an account stays recovered, milliseconds."""
    max_data_hold_ms: Count = 300_000
    """Longest data hold before a human is called, milliseconds."""
    event_validity_ms: Count = 60_000
    """How long an event may be acted on, milliseconds."""

    def __post_init__(self) -> None:
        """Refuse a state that is left above where it is entered: it would flap (raises InvalidRecord)."""
        if self.warning_leave_v > self.warning_enter_v or self.margin_call_leave_v > self.margin_call_enter_v:
            raise InvalidRecord("a state may not be left above where it is entered")


class ParameterSet(Record, frozen=True, kw_only=True):
    """A named, versioned set of parameters."""

    name: Name
    """The set; the message key."""
    event_time_us: TimeUs
    """When the set takes effect, microseconds since 1970 UTC."""
    risk_matrix: RiskMatrixParameters = RiskMatrixParameters()
    """Risk matrix of every underlying not named below."""
    underlyings: Annotated[dict[Asset, RiskMatrixParameters], Meta(max_length=256)] = {}  # noqa: RUF012  # msgspec gives each its own
    """Risk matrix by underlying."""
    netting: NettingParameters = NettingParameters()
    """Model P: netting over underlyings."""
    okx: OkxParameters = OkxParameters()
    """Model A-okx: risk units."""
    paradex: ParadexParameters = ParadexParameters()
    """Model A-paradex: cells, floors and provisions."""
    joint: JointParameters = JointParameters()
    """Model D: draws, shortfall, correlation stress."""
    pmrm: PmrmSet = PmrmSet()
    """Model B: scenarios and contingencies by underlying."""
    span: SpanSet = SpanSet()
    """Model C: scan ranges, spreads and credits."""
    standard: StandardSet = StandardSet()
    """Model E: rates position by position."""
    add_ons: AddOnParameters = OFF
    """What every model is charged on top."""
    collateral: CollateralParameters = CollateralParameters()
    """Haircuts and charges on debts, under every model."""
    owner: OwnerParameters = OwnerParameters()
    """How accounts of one owner are looked at together."""
    status: StatusParameters = StatusParameters()
    """Account states."""
    v: Version = 1
    """Layout of the record."""
