"""Parameters of Paradex's portfolio margin: model A's idea with 24 cells, weighted tails and provisions.

Each default names its origin: [doc] Paradex's documentation, page Portfolio Margin, [mem] memory, unverified, [ours] a
choice of ours where the page prints no figure.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from schemas.base import Record
from schemas.fields import Asset, InvalidRecord

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Power = Annotated[float, Meta(ge=0.0, le=2.0)]


class ParadexTail(Record, frozen=True, kw_only=True):
    """One cell beyond the scan."""

    move: Annotated[float, Meta(gt=-1.0, le=100.0)]
    """Price move, fraction."""
    weight: Fraction
    """Share of its P&L that counts."""


PARADEX_TAILS = tuple(
    ParadexTail(move=move, weight=weight)
    for move, weight in (
        (-0.66, 0.24), (-0.33, 0.48), (0.5, 0.32), (1.0, 0.16), (2.0, 0.08), (3.0, 0.0533), (4.0, 0.04), (5.0, 0.032),
    )
)  # fmt: skip
"""Tails as printed [doc]."""


class ParadexScan(Record, frozen=True, kw_only=True):
    """Cells of one underlying."""

    moves: Annotated[tuple[Annotated[float, Meta(gt=0.0, lt=1.0)], ...], Meta(min_length=1, max_length=32)] = (
        0.04, 0.08, 0.12, 0.16,
    )  # fmt: skip
    """Price moves on each side, ascending; the largest goes with a rising volatility only [doc]."""
    tails: Annotated[tuple[ParadexTail, ...], Meta(max_length=64)] = PARADEX_TAILS
    """Cells beyond, volatility up [doc]."""
    volatility_range_up: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.40
    """Upward volatility shock of a 30-day option, relative [doc]."""
    volatility_range_down: Fraction = 0.22
    """Downward volatility shock of a 30-day option, relative [doc]."""
    min_volatility_for_shock_up: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.0
    """Least annualised volatility after an upward shock; none [ours: the page prints none]."""
    short_term_vega_power: Power = 0.30
    """Exponent of 30/days up to 30 days [doc]."""
    long_term_vega_power: Power = 0.13
    """Exponent of 30/days beyond 30 days [doc]."""
    dte_floor_days: Annotated[float, Meta(ge=0.01, le=30.0)] = 1.0
    """Fewest days that volatility shocks are scaled with [doc]."""
    net_delta_rate: Fraction = 0.02
    """Minimum on the net delta, as a fraction of spot [doc]."""
    hedged_delta_rate: Fraction = 0.01
    """Minimum on the delta that is hedged, as a fraction of spot [doc]."""

    def __post_init__(self) -> None:
        """Refuse moves out of order (raises InvalidRecord)."""
        if any(after <= before for before, after in pairwise(self.moves)):
            raise InvalidRecord("moves ascend")


class ParadexParameters(Record, frozen=True, kw_only=True):
    """Portfolio margin of an account."""

    scan: ParadexScan = ParadexScan()
    """Every underlying not named below."""
    scans: Annotated[dict[Asset, ParadexScan], Meta(max_length=256)] = {}  # noqa: RUF012  # msgspec copies it
    """Cells by underlying."""
    cash_assets: Annotated[tuple[Asset, ...], Meta(max_length=64)] = ("DAI", "USDC", "USDT")
    """Coins that are cash and are not shocked [doc for USDC, the venue's collateral; ours for the others]."""
    fee_rate: Fraction = 0.0003
    """Fee provision: cost of closing a contract, as a fraction of its notional [mem: a taker's fee]."""
    mm_factor: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.5
    """Maintenance requirement as a fraction of the net margin, provisions apart [doc]."""
