"""One underlying under one parameter set: instrument rows, prices, risk array, and every account's segment.

A column is a cache. Its numbers are a function of the market and of the accounts' exposures alone: rows are sorted by
instrument name, segments by row, and options are priced on a time grid, so the path that led there leaves no trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels import risk_matrix, scenarios, surface
from monitor.engine.figures import Floats, Ints

if TYPE_CHECKING:
    from monitor.engine.market import Market
    from schemas.records import Instrument, RiskMatrixParameters

Exposure = list[tuple[str | None, float]]  # (instrument, contracts) sorted by name; None first: coins

PRICING_GRID_US = 60_000_000  # options' time moves in whole minutes: theta of a minute is far below any threshold
SECONDS_PER_YEAR = 31_536_000
PAR_ASSETS = ("USDC", "USDT")  # worth 1 USD until somebody publishes an index for them


class Column:
    """The kernels' view of one (underlying, parameter set)."""

    def __init__(self, underlying: str, set_name: str, index: int) -> None:
        self.underlying = underlying
        self.set_name = set_name
        self.index = index
        self.flags: tuple[str, ...] = ()
        self.held = False
        self.index_price = np.nan
        self._names: list[str | None] = [None]
        self._row_of: dict[str | None, int] = {None: 0}
        self._exposures: dict[int, Exposure] = {}
        self._segment_of: dict[int, int] = {}
        self._segments_stale = True
        self._rows_stale = True
        self._surface_stale = True
        self._parameters_stale = True
        self._linear: list[tuple[int, str]] = []
        self._options: list[tuple[int, Instrument]] = []
        self._future_of: dict[int, int] = {}
        self._forward_rows: list[tuple[int, int]] = []

    # --- what the accounts hold -----------------------------------------------------------------

    def set_exposure(self, account_row: int, exposure: Exposure) -> None:
        """Replace one account's exposure (empty: none)."""
        if not exposure:
            if self._exposures.pop(account_row, None) is not None:
                self._segments_stale = True
            return
        self._exposures[account_row] = exposure
        for name, _ in exposure:
            if name not in self._row_of:
                self._row_of[name] = -1
                self._rows_stale = True
        segment = self._segment_of.get(account_row)
        if self._segments_stale or self._rows_stale or segment is None:
            self._segments_stale = True
            return
        start, stop = self._indptr[segment], self._indptr[segment + 1]
        rows = [self._row_of[name] for name, _ in exposure]
        if list(self._row[start:stop]) != rows:
            self._segments_stale = True
            return
        self._quantity[start:stop] = [quantity for _, quantity in exposure]

    def holds(self, account_row: int) -> bool:
        """Whether the account has a segment here."""
        return account_row in self._exposures

    @property
    def has_accounts(self) -> bool:
        """Whether any account holds something of this underlying."""
        return bool(self._exposures)

    def accounts(self) -> Ints:
        """Account rows of the segments, in segment order."""
        self._rebuild_segments()
        return self._account

    # --- what the market says -------------------------------------------------------------------

    def set_parameters_stale(self) -> None:
        """Take scenario table and shocks anew at the next pricing, because the parameter set changed."""
        self._parameters_stale = True

    def set_surface_stale(self) -> None:
        """Read volatilities and forwards anew at the next pricing, because a surface or a listing changed."""
        self._surface_stale = True

    def price(self, market: Market) -> None:
        """Reprice every row at the market's present state."""
        if self._parameters_stale:
            self._read_parameters(market)
        if self._rows_stale:
            self._read_rows(market)
        if self._surface_stale:
            self._read_surfaces(market)
        view = market.ticks.index(self.underlying)
        if view is None:
            par = self.underlying in PAR_ASSETS
            self.index_price = 1.0 if par else np.nan
            self.held = not par
            self.flags = (f"assumed_par:{self.underlying}",) if par else (f"no_price:{self.underlying}",)
        else:
            self.index_price = view.price_usd
            self.held = view.held
            self.flags = tuple(f"{flag}:{self.underlying}" for flag in view.flags)
        basis = market.ticks.basis
        for row, name in self._linear:
            self._basis[row] = basis(name)
        if self._forward_rows:
            for row, future_row in self._forward_rows:
                self._basis[row] = self._basis[future_row]
        np.multiply(self._basis + 1.0, self.index_price, out=self._forward)
        self._reprice(market.time_us)

    def _reprice(self, time_us: int) -> None:
        grid_us = time_us // PRICING_GRID_US * PRICING_GRID_US
        seconds = (self._expiry_us - grid_us) * 1e-6
        np.maximum(seconds * (1.0 / SECONDS_PER_YEAR), 0.0, out=self._years)
        surface.volatilities(
            self._code, self._surface, self._low, self._high, self._strike, self._forward, self._years, self._vol
        )
        p = self.parameters
        group_seconds = (self._group_expiry_us - grid_us) * 1e-6
        group_years = np.maximum(group_seconds * (1.0 / SECONDS_PER_YEAR), 0.0)
        np.maximum(p.annualised_move_risk * group_years, p.min_annualised_move, out=self._group_rate)
        scenarios.risk_array(
            self._kind, self._is_call, self._size, self._strike, self._forward, self._years, self._vol,
            self.index_price, self._move, self._linear_move, self._vol_direction, self._weight,
            p.volatility_range_up, p.volatility_range_down, p.min_volatility_for_shock_up,
            p.short_term_vega_power, p.long_term_vega_power, p.dte_floor_days,
            self._pnl, self._value, self._delta, self._market_delta,
        )  # fmt: skip

    # --- what follows ---------------------------------------------------------------------------

    def evaluate_all(self) -> None:
        """Evaluate every segment; the results are in `value`, `requirement` and `details`."""
        self._rebuild_segments()
        self._evaluate(self._indptr, self._row, self._quantity, self.results)

    def evaluate_one(self, account_row: int) -> Results:
        """Evaluate one account's exposure at present prices."""
        exposure = self._exposures[account_row]
        rows = np.array([self._row_of[name] for name, _ in exposure], dtype=np.int64)
        quantity = np.array([quantity for _, quantity in exposure], dtype=np.float64)
        results = Results(1)
        self._evaluate(np.array([0, len(rows)], dtype=np.int64), rows, quantity, results)
        return results

    def scenario(self, index: int) -> tuple[float, int]:
        """Price move and volatility direction of a scenario."""
        return float(self._move[index]), int(self._vol_direction[index])

    @property
    def parameters(self) -> RiskMatrixParameters:
        """The parameters in force here."""
        return self._parameters

    @property
    def rows_stale(self) -> bool:
        """Whether rows must be priced before any evaluation."""
        return self._rows_stale

    def _evaluate(self, indptr: Ints, row: Ints, quantity: Floats, results: Results) -> None:
        p = self.parameters
        risk_matrix.evaluate(
            indptr, row, quantity, self._pnl, self._value, self._delta, self._market_delta,
            self._expiry_group, self._group_rate, self.index_price,
            p.delta_shock_slope, p.delta_shock_threshold_usd, p.max_delta_shock,
            results.value, results.scan, results.worst, results.roll, results.delta_shock, results.delta,
        )  # fmt: skip
        np.add(results.scan, results.roll, out=results.requirement)
        np.add(results.requirement, results.delta_shock, out=results.requirement)

    def _rebuild_segments(self) -> None:
        if not self._segments_stale:
            return
        rows = sorted(self._exposures)
        self._account = np.array(rows, dtype=np.int64)
        self._segment_of = {row: k for k, row in enumerate(rows)}
        lengths = [len(self._exposures[row]) for row in rows]
        self._indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        row_of = self._row_of
        self._row = np.array([row_of[name] for row in rows for name, _ in self._exposures[row]], dtype=np.int64)
        self._quantity = np.array([quantity for row in rows for _, quantity in self._exposures[row]], dtype=np.float64)
        self.results = Results(len(rows))
        self._segments_stale = False

    def _read_rows(self, market: Market) -> None:
        held = {name for exposure in self._exposures.values() for name, _ in exposure if name is not None}
        names: list[str | None] = [None, *sorted(held)]
        self._names = names
        self._row_of = {name: row for row, name in enumerate(names)}
        self._segments_stale = True
        self._allocate(len(names))
        groups: dict[int | str, int] = {}
        for row, name in enumerate(names):
            if name is None:
                self._kind[row] = scenarios.COIN
                continue
            instrument = market.instruments.get(name)
            assert instrument is not None, f"exposure in an unlisted instrument {name}"
            # A perpetual is an expiry of its own for the roll shock.
            self._expiry_group[row] = groups.setdefault(instrument.expiry_us or name, len(groups))
            self._read_instrument(row, instrument)
        self._group_expiry_us = np.array([e if isinstance(e, int) else 0 for e in groups] or [0], dtype=np.int64)
        self._group_rate = np.zeros(len(self._group_expiry_us))
        self._rows_stale = False
        self._surface_stale = True

    def _read_surfaces(self, market: Market) -> None:
        """Take each option's volatility, and its forward: the surface's, else that of the future of its expiry."""
        self._forward_rows = []
        for row, instrument in self._options:
            expiry_us = int(self._expiry_us[row])
            surface_row = market.volatility.row(instrument)
            self._code[row] = surface_row.code
            self._surface[row] = surface_row[1:6]
            self._low[row] = surface_row.lo
            self._high[row] = surface_row.hi
            basis = market.volatility.forward_basis(self.underlying, expiry_us)
            if basis is not None:
                self._basis[row] = basis
            elif expiry_us in self._future_of:
                self._forward_rows.append((row, self._future_of[expiry_us]))
        self._surface_stale = False

    def _read_instrument(self, row: int, instrument: Instrument) -> None:
        self._size[row] = instrument.contract_size
        self._expiry_us[row] = instrument.expiry_us or 0
        inverse = instrument.contract == "inverse"
        if instrument.type == "option":
            assert instrument.strike is not None
            self._kind[row] = scenarios.INVERSE_OPTION if inverse else scenarios.LINEAR_OPTION
            self._is_call[row] = instrument.option_type == "call"
            self._strike[row] = instrument.strike
            self._options.append((row, instrument))
        else:
            if instrument.type == "future":
                self._future_of[int(self._expiry_us[row])] = row
            self._kind[row] = scenarios.INVERSE if inverse else scenarios.LINEAR
            self._linear.append((row, instrument.instrument))

    def _read_parameters(self, market: Market) -> None:
        active = market.parameters.get(self.set_name) or market.parameters.get("default")
        assert active is not None
        self._parameters = active.set.underlyings.get(self.underlying, active.set.risk_matrix)
        p = self._parameters
        self._move, self._linear_move, self._vol_direction, self._weight = scenarios.scenario_table(
            p.price_range, p.buckets_each_side, p.extended_moves
        )
        self._parameters_stale = False
        if not self._rows_stale:
            self._pnl = np.zeros((len(self._names), len(self._move)))

    def _allocate(self, n: int) -> None:
        self._linear = []
        self._options = []
        self._future_of = {}
        self._forward_rows = []
        self._kind = np.zeros(n, dtype=np.int64)
        self._is_call = np.zeros(n, dtype=np.bool_)
        self._size = np.ones(n)
        self._strike = np.ones(n)
        self._expiry_us = np.zeros(n, dtype=np.int64)
        self._basis = np.zeros(n)
        self._forward = np.zeros(n)
        self._years = np.zeros(n)
        self._vol = np.zeros(n)
        self._code = np.zeros(n, dtype=np.int64)
        self._surface = np.full((n, 5), 1.0)
        self._low = np.zeros(n)
        self._high = np.zeros(n)
        self._expiry_group = np.full(n, -1, dtype=np.int64)
        self._pnl = np.zeros((n, len(self._move)))
        self._value = np.zeros(n)
        self._delta = np.zeros(n)
        self._market_delta = np.zeros(n)


class Results:
    """Evaluation of m segments: float64[m] each; USD, except `worst` (scenario, int64) and `delta` (coins)."""

    __slots__ = ("delta", "delta_shock", "requirement", "roll", "scan", "value", "worst")

    def __init__(self, m: int) -> None:
        self.value = np.zeros(m)
        self.scan = np.zeros(m)
        self.roll = np.zeros(m)
        self.delta_shock = np.zeros(m)
        self.requirement = np.zeros(m)
        self.delta = np.zeros(m)
        self.worst = np.zeros(m, dtype=np.int64)
