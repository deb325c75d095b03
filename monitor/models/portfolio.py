"""What a margin model sees: one account's portfolio with the market's numbers beside it, in arrays.

The engine builds it from an account and its market; a model needs nothing else but its parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kernels import scenarios
from kernels._jit import Bools, Floats, Ints
from kernels.scenarios_table import ScenarioTable
from schemas.records import Regime, RiskMatrixParameters


class Rows(NamedTuple):
    """What the market says of n rows: arrays of n.

    kind, is_call, size, strike, forward, fixed, funding, years and vol are what `kernels.scenarios.risk_array` takes;
    `forward` is the price of a future and the forward of an option. `expiry_us` is 0 without one. `value_usd`,
    `delta_coins` (of the position) and `market_delta_coins` (of its price alone) are of one contract.
    """

    kind: Ints
    is_call: Bools
    size: Floats
    strike: Floats
    forward: Floats
    fixed: Floats
    funding: Floats
    years: Floats
    vol: Floats
    expiry_us: Ints
    value_usd: Floats
    delta_coins: Floats
    market_delta_coins: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Underlying:
    """One underlying: n rows, row 0 the coin itself, then the contracts held, sorted by name (`names`, None the coin).

    `quantity` float64[n] in contracts, coins in row 0; that row is all that shocks move as a coin: the balance `coins`
    and the entry side of inverse contracts. The entry side of linear ones is in the portfolio's `cash_usd`. By row,
    float64[n]: `average_price` of entry, `entry_usd` and `entry_coins` of the whole position. `annual_vol` is the
    coin's own volatility, annualised, NaN if unknown. `index_price` is NaN without any; `held` says that nothing may be
    decided on it.

    `settlement` by row is the asset in which profit is paid, None of the coin itself, empty where nobody said.
    `funding_rate_8h` float64[n] is what a long perpetual is expected to pay in eight hours, as a fraction of its
    notional; 0 of rows that pay none, NaN where the rate is not known, empty where nobody said. `refinement` is how
    many times as many moves as its parameters say model P takes now, and `price_range` the range in force for it, None
    for that of the parameters.
    """

    name: str
    index_price: float
    annual_vol: float
    names: tuple[str | None, ...]
    quantity: Floats
    rows: Rows
    average_price: Floats
    entry_usd: Floats
    entry_coins: Floats
    coins: float = 0.0
    held: bool = False
    flags: tuple[str, ...] = ()
    settlement: tuple[str | None, ...] = ()
    funding_rate_8h: Floats = field(default_factory=lambda: np.zeros(0))
    refinement: int = 1
    price_range: float | None = None

    @property
    def is_option(self) -> Bools:
        """Which rows are options, bool[n]."""
        found: Bools = (self.rows.kind == scenarios.LINEAR_OPTION) | (self.rows.kind == scenarios.INVERSE_OPTION)
        return found

    @property
    def is_future(self) -> Bools:
        """Which rows are futures and perpetuals, bool[n]."""
        found: Bools = (self.rows.kind == scenarios.LINEAR) | (self.rows.kind == scenarios.INVERSE)
        return found

    @property
    def position_usd(self) -> float:
        """Marked value of all rows: the entry side of linear futures is not in it."""
        return math.fsum(self.quantity * self.rows.value_usd)

    @property
    def profit_usd(self) -> Floats:
        """Unrealised profit of futures and perpetuals since entry, funding included, USD, float64[n]; 0 of others."""
        marked = self.quantity * self.rows.value_usd + self.entry_usd + self.entry_coins * self.index_price
        return np.where(self.is_future, marked, 0.0)

    def pnl_usd(self, table: ScenarioTable, shocks: RiskMatrixParameters) -> Floats:
        """Return the P&L of one contract of each row in each scenario of a table, USD, float64[n, S]."""
        n = len(self.quantity)
        out, value, delta, market = np.zeros((n, len(table.move))), np.empty(n), np.empty(n), np.empty(n)
        scenarios.risk_array(
            *self.rows[:9], self.index_price, *table,
            shocks.volatility_range_up, shocks.volatility_range_down, shocks.min_volatility_for_shock_up,
            shocks.short_term_vega_power, shocks.long_term_vega_power, shocks.dte_floor_days, out, value, delta, market,
        )  # fmt: skip
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Correlations:
    """Correlations between the underlyings of a portfolio, in their order.

    `matrices` is float64[K, U, U], the whole set in force, with `names` of its K matrices; k in force is `stress`, that
    of the correlation `regime`.
    `history` is float64[T, U], standardised returns one after the other, NaN where there was none, T 0 without any.
    `version` 0 means that nothing is estimated and the set is an assumption.
    """

    names: tuple[str, ...]
    matrices: Floats
    stress: float
    version: int = 0
    digest: str = ""
    history: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    history_interval_s: float = 600.0
    regime: Regime = "calm"


@dataclass(frozen=True, slots=True, eq=False)
class Portfolio:
    """One account's holdings and the market's numbers.

    `cash_usd` is what no index moves: the USD balance and the entry side of linear futures. `underlyings` are sorted
    by name; dollar tokens are underlyings like any other. `stable_price` is by token, USD. `unlisted` and `unsettled`
    are holdings that have no value. `flags` say what is doubtful about the data.
    """

    account: str
    market_time_us: int
    cash_usd: float
    underlyings: tuple[Underlying, ...]
    correlations: Correlations
    stable_price: dict[str, float] = field(default_factory=dict)
    unlisted: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def equity_usd(self) -> float:
        """Marked value of everything, NaN if some of it has none."""
        if self.missing:
            return math.nan
        return math.fsum([self.cash_usd, *(underlying.position_usd for underlying in self.underlyings)])

    @property
    def missing(self) -> tuple[str, ...]:
        """Why the portfolio cannot be valued, sorted; empty if it can."""
        reasons = [f"unlisted:{name}" for name in self.unlisted]
        for underlying in self.underlyings:
            held = underlying.quantity != 0.0
            if not math.isfinite(underlying.index_price):
                reasons.append(f"no_price:{underlying.name}")
                continue
            valueless = np.flatnonzero(held & ~np.isfinite(underlying.rows.value_usd))
            reasons.extend(f"no_value:{underlying.names[row] or underlying.name}" for row in valueless)
        return tuple(sorted(reasons))
