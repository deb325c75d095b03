"""A market that stands still: facts behind the names by which the engine reads its folds.

The engine's functions take it for the market that they know, so an answer and an event come from the same code. What a
fold could be told is not here: a frozen market is read, and where another one is wanted, other facts make another one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from kernels.surface import CONSTANT, NO_VOLATILITY
from monitor.answers.facts import ContractFacts, Facts, correlation_view
from monitor.engine.funding import NONE, FundingIndex
from monitor.engine.market import Market
from monitor.engine.surface import NO_ROW, NO_SLICE_US, Reading, SurfaceRow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from monitor.engine.basis import BasisKind
    from monitor.engine.composite import TicksFold
    from monitor.engine.correlation import CorrelationView
    from monitor.engine.index import IndexView
    from monitor.engine.listing import InstrumentsFold
    from monitor.engine.parameters import ActiveSet, ParametersFold
    from monitor.engine.ranges import RangeView
    from monitor.engine.regime import RegimeView
    from monitor.engine.settlement import Average
    from monitor.engine.surface import Touch, VolatilityFold
    from schemas.records import Instrument, Position


@dataclass(frozen=True, slots=True)
class History:
    """Standardised returns, float64[T, U], over some underlyings in their order; U 0 where none were taken."""

    underlyings: tuple[str, ...]
    returns: NDArray[np.float64]


class FrozenTicks:
    """Facts as `TicksFold` tells them."""

    def __init__(self, facts: Facts, history: History, correlation: CorrelationView) -> None:
        self._facts = facts
        self._history = history
        self._correlation = correlation
        self.averages = FrozenAverages(facts)

    @property
    def time_us(self) -> int:
        """Market time."""
        return self._facts.time_us

    @property
    def correlation(self) -> CorrelationView:
        """The published matrices."""
        return self._correlation

    @property
    def regime(self) -> RegimeView:
        """The correlation regime."""
        return self._facts.correlation.regime

    @property
    def funding_us(self) -> int:
        """The minute of the newest funding."""
        return self._facts.funding_us

    def index(self, underlying: str) -> IndexView | None:
        """Return an underlying's index."""
        coin = self._facts.coins.get(underlying)
        return None if coin is None else coin.index

    def annual_volatility(self, underlying: str) -> float | None:
        """Return an underlying's volatility."""
        coin = self._facts.coins.get(underlying)
        return None if coin is None else coin.annual_vol

    def range_step(self, underlying: str) -> RangeView | None:
        """Return an underlying's price range."""
        coin = self._facts.coins.get(underlying)
        return None if coin is None else coin.range_step

    def basis(self, instrument: str) -> float:
        """Return a contract's price over the index, less 1."""
        contract = self._facts.contracts.get(instrument)
        return 0.0 if contract is None else contract.basis

    def basis_kind(self, instrument: str) -> BasisKind:
        """Return what a basis rests on."""
        contract = self._facts.contracts.get(instrument)
        return "none" if contract is None else contract.basis_kind

    def funding(self, instrument: str) -> FundingIndex:
        """Return a perpetual's cumulative funding."""
        contract = self._facts.contracts.get(instrument)
        return NONE if contract is None else contract.funding

    def funding_rate_8h(self, instrument: str) -> float:
        """Return a perpetual's rate for eight hours, NaN without one."""
        contract = self._facts.contracts.get(instrument)
        rate = None if contract is None else contract.funding_rate_8h
        return math.nan if rate is None else rate

    def funding_stale(self, instrument: str) -> bool:
        """Return whether a funding rate is too old."""
        contract = self._facts.contracts.get(instrument)
        return contract is not None and contract.funding_stale

    def history(self, underlyings: Sequence[str]) -> NDArray[np.float64]:
        """Return standardised returns, float64[T, U]; T 0 where none were taken, NaN for coins not among them."""
        place = {name: k for k, name in enumerate(self._history.underlyings)}
        out = np.full((len(self._history.returns), len(underlyings)), np.nan)
        for k, name in enumerate(underlyings):
            if name in place:
                out[:, k] = self._history.returns[:, place[name]]
        return out


class FrozenAverages:
    """Facts as `Averages` tells them."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def so_far(self, underlying: str, expiry_us: int, at_us: int) -> Average | None:
        """Return the average of a window at the moment of the facts."""
        coin = self._facts.coins.get(underlying)
        found = None if coin is None or at_us > self._facts.time_us else coin.expiry(expiry_us)
        return None if found is None or found.average is None else found.average.average()

    def forgotten(self, underlying: str, expiry_us: int) -> bool:  # noqa: ARG002 (the engine's signature)
        """Return that no window is forgotten: a contract in the facts was listed at their moment."""
        return False


class FrozenVolatility:
    """Facts as `VolatilityFold` tells them: a constant row is an option's own, any other that of its expiry."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._rows: dict[tuple[str, int | None], SurfaceRow] | None = None

    def since(self, underlying: str, before: Reading) -> tuple[Reading, Sequence[Touch] | None]:  # noqa: ARG002 (the engine's signature)
        """Return that all has to be read: other facts are another market."""
        return Reading(), None

    def row(self, instrument: Instrument) -> SurfaceRow:
        """Return an option's surface row."""
        contract = self._facts.contracts.get(instrument.instrument)
        return NO_ROW if contract is None or contract.surface is None else contract.surface

    def own(self, underlying: str, instrument: str) -> tuple[float, int] | None:  # noqa: ARG002 (the engine's signature)
        """Return an option's own volatility, in force whatever its expiry has."""
        contract = self._facts.contracts.get(instrument)
        row = None if contract is None else contract.surface
        return None if row is None or row.code != CONSTANT else (row.p0, 0)

    def expiry_row(self, underlying: str, expiry_us: int) -> tuple[SurfaceRow, int]:
        """Return the surface row of an expiry."""
        if self._rows is None:
            self._rows = {
                (one.instrument.underlying, one.instrument.expiry_us): one.surface
                for one in self._facts.contracts.values()
                if one.surface is not None and one.surface.code not in (CONSTANT, NO_VOLATILITY)
            }
        return self._rows.get((underlying, expiry_us), NO_ROW), NO_SLICE_US

    def forward_basis(self, underlying: str, expiry_us: int) -> float | None:
        """Return the forward's basis of an expiry."""
        coin = self._facts.coins.get(underlying)
        found = None if coin is None else coin.expiry(expiry_us)
        return None if found is None else found.forward_basis


class FrozenInstruments:
    """Facts as `InstrumentsFold` tells them."""

    def __init__(self, contracts: Mapping[str, ContractFacts]) -> None:
        self._contracts = contracts
        self._of: dict[str, tuple[Instrument, ...]] = {}

    def get(self, name: str) -> Instrument | None:
        """Return a contract."""
        contract = self._contracts.get(name)
        return None if contract is None else contract.instrument

    def of_underlying(self, underlying: str) -> tuple[Instrument, ...]:
        """Return the contracts of an underlying, sorted by name."""
        known = self._of.get(underlying)
        if known is None:
            contracts = (self._contracts[name].instrument for name in sorted(self._contracts))
            known = self._of[underlying] = tuple(one for one in contracts if one.underlying == underlying)
        return known


class FrozenParameters:
    """Parameter sets as `ParametersFold` tells them."""

    def __init__(self, sets: Mapping[str, ActiveSet]) -> None:
        self._sets = sets

    def get(self, name: str) -> ActiveSet | None:
        """Return the set in force under a name."""
        return self._sets.get(name)


def frozen_market(
    facts: Facts, history: History, sets: Mapping[str, ActiveSet], positions: Mapping[str, Position],
    correlation: CorrelationView | None = None,
) -> Market:  # fmt: skip
    """Return facts as a market for the engine to read; `correlation` is that of the facts where it is made already."""
    # Casts: these classes have what reading functions ask for, and fail on the first name that they do not have.
    view = correlation or correlation_view(facts.correlation)
    return Market(
        ticks=cast("TicksFold", FrozenTicks(facts, history, view)),
        volatility=cast("VolatilityFold", FrozenVolatility(facts)),
        instruments=cast("InstrumentsFold", FrozenInstruments(facts.contracts)),
        parameters=cast("ParametersFold", FrozenParameters(sets)),
        positions=dict(positions),
    )
