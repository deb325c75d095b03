"""Parameters of margin model D: value at risk and expected shortfall over joint scenarios.

Each default names its origin: [doc] a published page, [mem] memory, unverified, [ours] a choice of ours, with what it
was measured on where it was: two recorded crashes, 2025-10-10 and 2026-02-02 to 2026-02-08.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from schemas.base import Record
from schemas.fields import Asset, InvalidRecord, Move, Name

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Volatility = Annotated[float, Meta(gt=0.0, le=20.0)]
UpToTen = Annotated[float, Meta(ge=0.0, le=10.0)]
Daily = Annotated[float, Meta(ge=0.0, le=0.5)]
Days = Annotated[float, Meta(gt=0.0, le=4_000.0)]
Stress = Literal["all_plus", "against_me", "diversification_lost"]


class JointVolatility(Record, frozen=True, kw_only=True):
    """How implied volatilities move with the scenarios; all figures are of a 30-day option."""

    beta_down: UpToTen = 3.0
    """Relative rise of volatility by a fall of the index, per fall of 1 [ours: on 2026-02-05 it rose by 64 % on 13 %
    (BTC) and by 30 % on 13 % (ETH)]."""
    beta_up: UpToTen = 1.0
    """Relative rise of volatility by a rise of the index, per rise of 1 [ours]."""
    annual_vol: UpToTen = 1.0
    """Volatility of volatility that the index does not explain, annualised, relative [ours: 5 % a day]."""
    common: Fraction = 0.8
    """Correlation of these own moves between underlyings [ours]."""
    short_term_power: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.30
    """Exponent of 30/days up to 30 days to expiry [doc: Deribit, Derive and Paradex]."""
    long_term_power: Annotated[float, Meta(ge=0.0, le=2.0)] = 0.13
    """Exponent of 30/days beyond 30 days to expiry [doc: same]."""
    dte_floor_days: Annotated[float, Meta(ge=0.01, le=30.0)] = 1.0
    """Fewest days to expiry that moves are scaled with [doc: Derive and Paradex]."""


class JointBasis(Record, frozen=True, kw_only=True):
    """How prices of perpetuals and expiries move against the index, each bucket of tenors by its own draw [ours]."""

    perpetual: Daily = 0.001
    """Deviation in a day, of perpetuals [ours]."""
    tenor_days: Annotated[tuple[Days, ...], Meta(max_length=16)] = (7.0, 30.0, 90.0)
    """Where buckets end, days to expiry, rising; there is one more behind the last [ours]."""
    daily: Annotated[tuple[Daily, ...], Meta(min_length=1, max_length=17)] = (0.001, 0.002, 0.004, 0.008)
    """Deviation in a day by bucket, of the price [ours: a rate that moves by 2 % a year in a day, at the buckets' end;
    perpetuals and weeks by what premiums move]."""

    def __post_init__(self) -> None:
        """Refuse buckets that do not rise, or have other deviations than one each (raises InvalidRecord)."""
        if any(later <= earlier for earlier, later in zip(self.tenor_days, self.tenor_days[1:], strict=False)):
            raise InvalidRecord("buckets of tenors end later and later")
        if len(self.daily) != len(self.tenor_days) + 1:
            raise InvalidRecord("there is one deviation for each bucket, and one for what is behind the last")


class JointStressMove(Record, frozen=True, kw_only=True):
    """One joint move of the long-run stress."""

    name: Name
    """What it is."""
    moves: Annotated[dict[Asset, Move], Meta(max_length=256)] = {}  # noqa: RUF012  # msgspec gives each its own
    """Relative move of the index by underlying."""
    other: Move
    """That of every coin not named; dollar tokens that are not named do not move."""
    volatility: Annotated[float, Meta(ge=-1.0, le=10.0)]
    """Relative move of the volatility of a 30-day option."""


_OCTOBER = {
    "BTC": -0.13, "ETH": -0.16, "SOL": -0.23, "XRP": -0.26, "DOGE": -0.41, "LTC": -0.23, "LINK": -0.34, "AVAX": -0.41,
}  # fmt: skip
_FEBRUARY = {
    "BTC": -0.13, "ETH": -0.13, "AVAX": -0.23, "LINK": -0.24, "DOT": -0.26, "LTC": -0.24, "NEAR": -0.28, "ALGO": -0.23,
    "FIL": -0.27,
}  # fmt: skip
STRESS_MOVES: tuple[JointStressMove, ...] = (
    JointStressMove(name="2025-10-10", moves=_OCTOBER, other=-0.40, volatility=0.5),
    JointStressMove(name="2026-02-05", moves=_FEBRUARY, other=-0.25, volatility=0.64),
    JointStressMove(
        name="2025-10-10-mirrored", moves={name: -move for name, move in _OCTOBER.items()}, other=0.40, volatility=0.2
    ),
    JointStressMove(
        name="2026-02-05-mirrored", moves={name: -move for name, move in _FEBRUARY.items()}, other=0.25, volatility=0.2
    ),
)
"""Largest falls within 24 hours of both recorded crashes, on the deepest market recorded, to a percent (DOT and UNI of
2025-10-10 are left to `other`: one venue only, which had lost touch); the same upwards; the rise of volatility of
2026-02-05 is BTC's, the others are chosen [ours]."""


class JointParameters(Record, frozen=True, kw_only=True):
    """Model D."""

    confidence: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.99
    """Confidence of value at risk and shortfall [ours]."""
    horizon_days: Annotated[float, Meta(gt=0.0, le=30.0)] = 1.0
    """Days that deviations are scaled to, by the square root [ours]."""
    look_ahead_days: Annotated[float, Meta(ge=0.0, le=30.0)] = 0.0
    """Time that options lose in every scenario, days [ours: none, as in models A, B and P; decay is no income]."""
    scenarios: Literal["monte_carlo", "historical"] = "monte_carlo"
    """Whether scenarios are drawn, or the standardised returns of the past at today's volatilities."""
    historical_correlation: Literal["past", "now"] = "past"
    """Whether historical scenarios keep the correlations of the past, or take on those in force [ours: keep]."""
    draws: Annotated[int, Meta(ge=2, le=1_048_576)] = 4_096
    """Scenarios drawn [ours]."""
    seed: Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)] = 20_251_010
    """What the draws are made from; it belongs to the version of the parameters [ours]."""
    antithetic: bool = True
    """Whether every second draw is the one before with its signs changed [ours]."""
    degrees_of_freedom: Annotated[int, Meta(ge=3, le=200)] | None = 4
    """Degrees of freedom of Student t, one mixing variable for all factors of a scenario; None is normal [ours]."""
    es_convention: Literal["weighted", "tail_mean", "beyond"] = "weighted"
    """Which losses a shortfall averages: see `kernels.tail` [ours: the coherent one]."""
    mm_factor: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.8
    """Maintenance requirement as a fraction of the initial one [ours]."""
    correlation: Annotated[str, Meta(max_length=64)] = "worst"
    """Name of the matrix that scenarios are drawn with, or `worst`: the one with the largest shortfall [ours]. A name
    that is not in force counts as `worst`."""
    stress_targets: Annotated[tuple[Stress, ...], Meta(max_length=3)] = (
        "all_plus", "against_me", "diversification_lost",
    )  # fmt: skip
    """Where correlations break to; the worst of them counts [ours]."""
    stress_k: Fraction | None = None
    """Weight of the target; None is the one in force for the portfolio's correlations [ours]."""
    floor: Fraction = 0.01
    """Least requirement, of the notional of contracts other than long options [doc: Paradex, 2 % initial and 1 %
    maintenance; 1 % ours]."""
    procyclicality_blend: Fraction = 0.25
    """b: weight of the long-run stress where that is above the requirement of now [mem: stress weight of EU rules]."""
    stress_moves: Annotated[tuple[JointStressMove, ...], Meta(max_length=256)] = STRESS_MOVES
    """Moves of the long-run stress; the worst of them counts."""
    volatility: JointVolatility = JointVolatility()
    """Implied volatilities."""
    basis: JointBasis = JointBasis()
    """Prices against the index."""
    least_move: Annotated[float, Meta(gt=-1.0, lt=0.0)] = -0.99
    """Least relative move of an index and of a basis: draws beyond are held there [ours]."""
    min_history: Annotated[int, Meta(ge=2, le=1_000_000)] = 500
    """Fewest past returns of all underlyings together that a historical requirement may rest on [ours: five beyond the
    99th percentile]."""
    history_group: Annotated[int, Meta(ge=1, le=10_000)] = 20
    """Past returns in a row that count as one observation of the standard error [ours: two overlaps of 10 minutes]."""
    assumed_annual_vol: Annotated[dict[Asset, Volatility], Meta(max_length=256)] = {}  # noqa: RUF012  # same
    """Volatility of an underlying that has none, annualised, by name."""
    assumed_annual_vol_token: Volatility | None = 0.02
    """That of dollar tokens not named; None refuses [ours]."""
    assumed_annual_vol_other: Volatility | None = 1.0
    """That of every other not named; None refuses [ours]."""

    def __post_init__(self) -> None:
        """Refuse an odd number of antithetic draws and a target named twice (raises InvalidRecord)."""
        if self.antithetic and self.draws % 2:
            raise InvalidRecord("antithetic draws come in pairs")
        if len(set(self.stress_targets)) != len(self.stress_targets):
            raise InvalidRecord("a stress target is named once")
