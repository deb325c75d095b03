"""What the market says to one account, as plain values: what a view holds of it, and what a bundle carries.

A price, a basis, a surface row or a matrix here is the number that the engine's folds gave at one moment. `frozen` lets
the engine read them as if they were the folds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from monitor.engine.basis import BasisKind
from monitor.engine.correlation import MICRO, CorrelationView, Estimate, millionths
from monitor.engine.funding import FundingIndex
from monitor.engine.index import IndexView
from monitor.engine.ranges import RangeView
from monitor.engine.regime import RegimeView
from monitor.engine.settlement import Average
from monitor.engine.surface import SurfaceRow
from schemas.records import Instrument

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.engine.market import Market


class AverageFacts(Struct, frozen=True):
    """The average of a settlement window so far; no price where nothing of it was good."""

    price_usd: float | None
    good_us: int
    left_us: int

    def average(self) -> Average:
        """Return it as the engine has it."""
        price_usd = math.nan if self.price_usd is None else self.price_usd
        return Average(price_usd, self.good_us, self.left_us)


class ExpiryFacts(Struct, frozen=True):
    """One expiry: its forward over the index, less 1, and inside its settlement window the average so far."""

    forward_basis: float | None
    average: AverageFacts | None


class CoinFacts(Struct, frozen=True):
    """One underlying: its index (None: nobody publishes one), volatility a year, range, and its expiries.

    `expiries` are by microseconds since 1970 UTC, as text.
    """

    index: IndexView | None
    annual_vol: float | None
    range_step: RangeView | None
    expiries: dict[str, ExpiryFacts]

    def expiry(self, expiry_us: int) -> ExpiryFacts | None:
        """Return what is known of an expiry."""
        return self.expiries.get(str(expiry_us))


class ContractFacts(Struct, frozen=True):
    """One contract: its listing, basis, surface row (options), and funding (perpetuals)."""

    instrument: Instrument
    basis: float
    basis_kind: BasisKind
    surface: SurfaceRow | None = None
    funding: FundingIndex = FundingIndex(0.0, 0.0, 0)
    funding_rate_8h: float | None = None
    funding_stale: bool = False


class MatrixFacts(Struct, frozen=True):
    """One published matrix in whole millionths: what is above its diagonal, row by row."""

    name: str
    underlyings: tuple[str, ...]
    quiet: tuple[str, ...]
    upper: list[int]


class CorrelationFacts(Struct, frozen=True):
    """The published correlations, all of them: what a coin without an estimate gets depends on every coin."""

    version: int
    time_us: int
    underlyings: tuple[str, ...]
    quiet: tuple[str, ...]
    absorption_ratio: float
    distance: float
    digest: str
    slow: list[int]
    fast: list[int]
    estimates: tuple[MatrixFacts, ...]
    regime: RegimeView


class Facts(Struct, frozen=True):
    """What the market says: coins and contracts by name, correlations, and when.

    `funding_us` is the minute of the newest funding.
    """

    time_us: int
    coins: dict[str, CoinFacts]
    contracts: dict[str, ContractFacts]
    correlation: CorrelationFacts
    funding_us: int


def coin_facts(market: Market, underlying: str, expiries_us: set[int], at_us: int) -> CoinFacts:
    """Take what a market says of an underlying and of some expiries; `at_us` is the point of the pricing grid."""
    ticks = market.ticks
    expiries = {}
    for expiry_us in sorted(expiries_us):
        found = ticks.averages.so_far(underlying, expiry_us, at_us)
        average = None
        if found is not None:
            price_usd = None if math.isnan(found.price_usd) else found.price_usd
            average = AverageFacts(price_usd, found.good_us, found.left_us)
        expiries[str(expiry_us)] = ExpiryFacts(market.volatility.forward_basis(underlying, expiry_us), average)
    return CoinFacts(
        index=ticks.index(underlying),
        annual_vol=ticks.annual_volatility(underlying),
        range_step=ticks.range_step(underlying),
        expiries=expiries,
    )


def contract_facts(market: Market, instrument: Instrument) -> ContractFacts:
    """Take what a market says of a contract."""
    name, ticks = instrument.instrument, market.ticks
    perpetual = instrument.type == "perpetual"
    rate = ticks.funding_rate_8h(name) if perpetual else math.nan
    return ContractFacts(
        instrument=instrument,
        basis=ticks.basis(name),
        basis_kind=ticks.basis_kind(name),
        surface=market.volatility.row(instrument) if instrument.type == "option" else None,
        funding=ticks.funding(name) if perpetual else FundingIndex(0.0, 0.0, 0),
        funding_rate_8h=None if math.isnan(rate) else rate,
        funding_stale=perpetual and ticks.funding_stale(name),
    )


def correlation_facts(market: Market) -> CorrelationFacts:
    """Take the published correlations and their regime."""
    view = market.ticks.correlation
    return CorrelationFacts(
        version=view.version, time_us=view.time_us, underlyings=view.underlyings, quiet=view.quiet,
        absorption_ratio=view.absorption_ratio, distance=view.distance, digest=view.digest,
        slow=_upper(view.slow), fast=_upper(view.fast),
        estimates=tuple(
            MatrixFacts(name, one.underlyings, one.quiet, _upper(one.matrix)) for name, one in view.estimates
        ),
        regime=market.ticks.regime,
    )  # fmt: skip


def correlation_view(facts: CorrelationFacts) -> CorrelationView:
    """Return published correlations as the engine has them."""
    n = len(facts.underlyings)
    estimates = tuple(
        (one.name, Estimate(one.underlyings, one.quiet, _full(one.upper, len(one.underlyings))))
        for one in facts.estimates
    )
    return CorrelationView(
        version=facts.version, time_us=facts.time_us, underlyings=facts.underlyings, quiet=facts.quiet,
        fast=_full(facts.fast, n), slow=_full(facts.slow, n), absorption_ratio=facts.absorption_ratio,
        distance=facts.distance, digest=facts.digest, estimates=estimates,
    )  # fmt: skip


def _upper(matrix: NDArray[np.float64]) -> list[int]:
    rows, columns = np.triu_indices(len(matrix), 1)
    found: list[int] = millionths(matrix)[rows, columns].tolist()
    return found


def _full(upper: list[int], n: int) -> NDArray[np.float64]:
    micros = np.zeros((n, n), dtype=np.int64)
    micros[np.triu_indices(n, 1)] = upper
    matrix: NDArray[np.float64] = (micros + micros.T + np.eye(n, dtype=np.int64) * int(MICRO)) / MICRO
    matrix.setflags(write=False)
    return matrix
