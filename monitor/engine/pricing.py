"""Instrument rows of one underlying: what they are, what the market says of them, and their risk array.

Everything is a function of the market and of the names in the rows, each row's of its own name. Options are priced on a
time grid, so the path that led there leaves no trace; nothing depends on who holds what.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kernels import contracts, move_losses, scenarios, surface
from kernels.certificates import book
from monitor.engine.figures import Bools, Floats, Ints
from monitor.engine.marks import Curves, Marks
from monitor.engine.option_rows import OptionRows
from monitor.engine.settlement import WINDOW_US, Average
from monitor.models.portfolio import Rows

if TYPE_CHECKING:
    from monitor.engine.market import Market
    from schemas.records import Instrument, RiskMatrixParameters

PRICING_GRID_US = 60_000_000  # options' time moves in whole minutes: theta of a minute is far below any threshold
SECONDS_PER_YEAR = 31_536_000
FUTURES = (scenarios.LINEAR, scenarios.INVERSE)
NEVER_US = 1 << 62
NO_EXPIRY = (-1, "")  # of the coin
NO_OPTION_US = -1  # in place of the expiry of options
PAR_ASSETS = ("USDC", "USDT")  # worth 1 USD until somebody publishes an index for them


class Moment(NamedTuple):
    """Inputs of some rows that are not the market's: `marks` are the fields of `Mark`, float64[n] each."""

    index_price: float
    grid_us: int
    marks: Sequence[Floats]


class Mark(NamedTuple):
    """What the market says of one contract: price/index - 1 of it or of its forward, and its volatility (options).

    Inside its settlement window the price is `fixed` USD and a `share` of what basis and index make; `funding` is the
    cumulative funding of a perpetual (see `kernels.scenarios`).
    """

    basis: float
    vol: float
    fixed: float = 0.0
    share: float = 1.0
    funding: float = 0.0


@lru_cache(maxsize=1_024)  # few sets, many underlyings and moments: nobody writes to these arrays
def _scenarios(price_range: float, buckets: int, extended: tuple[float, ...]) -> tuple[scenarios.ScenarioTable, Ints]:
    table = scenarios.scenario_table(price_range, buckets, extended)
    return table, move_losses.extended_sides(table, buckets)


def grid(time_us: int) -> int:
    """Return the point of the pricing grid that a market time belongs to."""
    return time_us // PRICING_GRID_US * PRICING_GRID_US


def _years(expiry_us: Ints, grid_us: int) -> Floats:
    """Return the time to some expiries, years, at least 0."""
    seconds = (expiry_us - grid_us) * 1e-6
    years: Floats = np.maximum(seconds * (1.0 / SECONDS_PER_YEAR), 0.0)
    return years


class Pricing:
    """Rows of one underlying; row 0 is the coin itself.

    `pnl` float64[n, S] in USD, `value` float64[n] in USD, `delta` and `market_delta` float64[n] in coins, of one
    contract of each row; `expiry_group` int64[n] and `group_rate` for the roll shock; `marks` float64[M, n], the fields
    of `Mark`. `flags` are those of the index. `parts` are rows that move together: all but options, and the options of
    each expiry, which is in `part_expiries`.
    """

    def __init__(self, underlying: str) -> None:
        self.underlying = underlying
        self.flags: tuple[str, ...] = ()
        self.held = False
        self.index_price = np.nan
        self.version = 0  # of rows and parameters
        self.grid_us = 0
        self.row_of: dict[str | None, int] = {None: 0}
        self.expiry_group: Ints = np.full(1, -1, dtype=np.int64)
        self._linear: list[tuple[int, str]] = []
        self._inverse: set[int] = set()
        self._options = OptionRows(underlying, (), 1)
        self._moved: set[int] | None = None  # parts of which more than the index did; None: all
        self._is_priced = False  # whether volatilities are those of what was last read
        self._averages = False  # whether any basis is that of an average
        self._dated: list[tuple[int, str]] = []
        self._first_window_us = NEVER_US
        self._windows: list[tuple[int, str, Average]] = []
        self._windows_us = -1  # point of the grid at which they were found
        self._perpetuals: list[tuple[int, str]] = []
        self._timed_us = -1  # point of the grid that times and rates are of
        self._funding_us = -1  # minute of the funding that was read
        self._flags_of: tuple[str, ...] | None = None  # flags of an index that `flags` were made of

    # --- what is priced -------------------------------------------------------------------------

    def set_names(self, names: Iterable[str], market: Market) -> None:
        """Take the contracts to price, in this order; surfaces have to be read after it. All of them are listed."""
        self.version += 1
        self._timed_us = -1
        kept: list[str | None] = [None, *names]
        self.row_of = {name: row for row, name in enumerate(kept)}
        self._allocate(len(kept))
        groups: list[tuple[int, str]] = []
        options: list[tuple[int, Instrument]] = []
        for row, name in enumerate(kept):
            if name is None:
                self._kind[row] = scenarios.COIN
                groups.append(NO_EXPIRY)
                continue
            instrument = market.instruments.get(name)
            assert instrument is not None, f"exposure in an unlisted instrument {name}"
            # A perpetual is an expiry of its own for the roll shock.
            groups.append((instrument.expiry_us, "") if instrument.expiry_us else (0, name))
            self._read_instrument(row, instrument)
            if instrument.type == "option":
                options.append((row, instrument))
        self._options = OptionRows(self.underlying, options, len(kept))
        straight = np.ones(len(kept), dtype=np.bool_)
        straight[[row for row, _ in options]] = False
        self.parts = [np.flatnonzero(straight), *self._options.rows]
        self.part_expiries = [NO_OPTION_US, *self._options.expiries]
        # In an order of their own: by the first name held of each, what others hold would be an order of summation.
        ordered = sorted(set(groups) - {NO_EXPIRY})
        group_of = {NO_EXPIRY: -1} | {group: k for k, group in enumerate(ordered)}
        self.expiry_group = np.array([group_of[group] for group in groups], dtype=np.int64)
        self._group_expiry_us = np.array([expiry_us for expiry_us, _ in ordered] or [0], dtype=np.int64)
        self.group_rate = np.zeros(len(self._group_expiry_us))

    def set_parameters(
        self, parameters: RiskMatrixParameters, refinement: int = 1, price_range: float | None = None
    ) -> None:
        """Take scenario table and shocks; `refinement` times as many moves, another range if one is given."""
        self.version += 1
        self.parameters = parameters
        self.price_range = parameters.price_range if price_range is None else price_range
        self._timed_us = -1  # rates of the roll shock are parameters too
        self.refinement = refinement
        self.buckets = parameters.buckets_each_side * refinement
        self.table, self.side = _scenarios(self.price_range, self.buckets, tuple(parameters.extended_moves))
        self.pnl = np.zeros((len(self.row_of), len(self.table.move)))

    # --- what the market says -------------------------------------------------------------------

    def read_surfaces(self, market: Market) -> None:
        """Take each option's volatility, and its forward: the surface's, else that of the future of its expiry."""
        self._is_priced = False
        moved = self._options.read(market, self._basis, whole=self._averages)
        if moved is None:
            self._moved, self._averages = None, False
        elif self._moved is not None:
            self._moved.update(place + 1 for place in moved)

    def take_moved(self) -> list[int] | None:
        """Return the `parts` of which more than the index moved since this was asked last; None if all may have."""
        moved, self._moved = self._moved, set()
        return None if moved is None else sorted(moved)

    def price(self, market: Market) -> None:
        """Price every row at the market's present state."""
        self.read(market)
        self._set_forward()
        of = self._options
        if of.rows:
            surface.volatilities(
                of.code, of.parameters, of.low, of.high, self._strike, self._forward, self._years, self._vol
            )
        self._price()
        self._is_priced = True

    def read(self, market: Market) -> None:
        """Take what the market says now, without pricing anything."""
        self.read_index(market)
        self._read_bases(market)
        grid_us = grid(market.time_us)
        if grid_us != self._timed_us:
            self._set_time(grid_us)
        if self.grid_us >= self._first_window_us:
            self._read_windows(market)
        if self._perpetuals and market.ticks.funding_us != self._funding_us:
            self._read_funding(market)

    def write_contracts(self, out: Floats) -> None:
        """Write what is known of every row apart from the index: float64[n, FIELDS] of `kernels.certificates.book`."""
        of = self._options
        columns = (
            self._kind, self._is_call, self._size, self._strike, self._basis, self._fixed, self._share, self._funding,
            self._years, of.code, of.low, of.high,
        )  # fmt: skip
        for field, values in enumerate(columns):
            out[:, field] = values
        out[:, book.SURFACE :] = of.parameters

    def write_part(self, part: int, out: Floats) -> None:
        """Write what can have moved of the rows of one part, as `write_contracts`."""
        rows, of = self.parts[part], self._options
        if part:
            book.write_surface(rows, self._basis, of.code, of.parameters, of.low, of.high, out)
        else:
            out[rows, book.BASIS], out[rows, book.FUNDING] = self._basis[rows], self._funding[rows]

    @property
    def averaged(self) -> bool:
        """Whether the settlement price of any row is being averaged, or is past."""
        return bool(self._windows)

    @property
    def shocks(self) -> tuple[float, float, float, float, float, float]:
        """The six shocks of `kernels.scenarios.risk_array`."""
        p = self.parameters
        return (
            p.volatility_range_up, p.volatility_range_down, p.min_volatility_for_shock_up, p.short_term_vega_power,
            p.long_term_vega_power, p.dte_floor_days,
        )  # fmt: skip

    def mark(self, name: str) -> Mark:
        """Return what the market said of a contract at the last pricing."""
        row = self.row_of[name]
        return Mark(
            float(self._basis[row]), float(self._vol[row]),
            float(self._fixed[row]), float(self._share[row]), float(self._funding[row]),
        )  # fmt: skip

    def own_marks(self, at: Ints) -> Marks:
        """Return the `marks` of some rows by what was last read of the market, without pricing any row.

        at: never written to again.
        """
        curves = None
        if self._options.rows and not self._is_priced:
            curves = Curves(at, self.index_price, *self._options.lend(), self._strike, self._years)
        return Marks(self.marks.take(at, 1), curves)

    def rows(self, at: Ints) -> Rows:
        """Return what some rows were made of at the last pricing, copied, in the order of `at`."""
        return Rows(
            self._kind[at], self._is_call[at], self._size[at], self._strike[at], self._forward[at], self._fixed[at],
            self._funding[at], self._years[at], self._vol[at], self._expiry_us[at], self.value[at], self.delta[at],
            self.market_delta[at],
        )  # fmt: skip

    def price_at(self, index_price: float, grid_us: int, marks: dict[str, Mark]) -> None:
        """Price every row at given inputs instead of the market's."""
        self.index_price = index_price
        for name, mark in marks.items():
            row = self.row_of[name]
            self._basis[row], self._vol[row], self._fixed[row], self._share[row], self._funding[row] = mark
        self._moved = None
        self._set_forward()
        self._set_time(grid_us)
        self._price()

    def inverse_futures(self, at: Ints) -> int:
        """Return how many of some rows are inverse futures, which have coins as their entry sides."""
        return len(self._inverse.intersection(at.tolist())) if self._inverse else 0

    def are_options(self, at: Ints) -> Bools:
        """Return which of some rows are options."""
        are: Bools = self._kind[at] >= scenarios.LINEAR_OPTION
        return are

    def repriced(self, at: Ints, moments: Sequence[Moment], pnl: Floats) -> None:
        """Write the P&L of some rows at other inputs and the present parameters, and leave the rows as they are.

        pnl: float64[len(moments) * len(at) or more, S], the rows of one moment after those of the one before.
        """
        n, table = len(at), self.table
        kind, is_call, size, strike = self._kind[at], self._is_call[at], self._size[at], self._strike[at]
        value, delta, market_delta = np.empty((3, n))
        years, timed_us = self._years[at], self.grid_us
        for number, (index_price, grid_us, (basis, vol, fixed, share, funding)) in enumerate(moments):
            if grid_us != timed_us:
                years, timed_us = _years(self._expiry_us[at], grid_us), grid_us
            forward = (basis + 1.0) * index_price * share + fixed
            scenarios.risk_array(
                kind, is_call, size, strike, forward, fixed, funding, years, vol, index_price,
                table.move, table.linear_move, table.vol_direction, table.weight, *self.shocks,
                pnl[number * n : (number + 1) * n], value, delta, market_delta,
            )  # fmt: skip

    # --- inside ---------------------------------------------------------------------------------

    def read_index(self, market: Market) -> None:
        """Take the index alone: what its own ticks move."""
        self._is_priced = False
        view = market.ticks.index(self.underlying)
        if view is None:
            par = self.underlying in PAR_ASSETS
            self.index_price = 1.0 if par else np.nan
            self.held = not par
            self.flags = (f"assumed_par:{self.underlying}",) if par else (f"no_price:{self.underlying}",)
            self._flags_of = None
        else:
            self.index_price = view.price_usd
            self.held = view.held
            if view.flags is not self._flags_of:  # of few that are there from the beginning
                self.flags = tuple(f"{flag}:{self.underlying}" for flag in view.flags)
                self._flags_of = view.flags
        if market.lost:
            self.held = True
            self.flags += tuple(f"lost_records:{topic}" for topic in market.lost)
            self._flags_of = None

    def _read_bases(self, market: Market) -> None:
        """Take the bases of futures and perpetuals, and of the forwards that are futures."""
        basis_of, bases = market.ticks.basis, self._basis
        for row, name in self._linear:
            basis = basis_of(name)
            if basis != bases.item(row):
                bases[row] = basis
                if self._moved is not None:
                    self._moved.add(0)
        if self._options.of_futures:
            self._moved = None
            for row, name in self._options.of_futures:
                bases[row] = basis_of(name)

    def _read_windows(self, market: Market) -> None:
        """Split the prices of contracts whose settlement is being averaged into what is fixed and what still moves."""
        if self.grid_us != self._windows_us:
            self._find_windows(market)
        self._moved = None
        for row, name, so_far in self._windows:
            left_s, window_s = so_far.left_us * 1e-6, (so_far.good_us + so_far.left_us) * 1e-6
            average_usd = so_far.price_usd if so_far.good_us else self.index_price
            split = contracts.settlement_forward(self.index_price, average_usd, left_s, window_s)
            if self._kind[row] in FUTURES and market.ticks.basis_kind(name) == "mark":
                # Its own mark is on the way to the average by itself; of the average, this share still moves.
                self._share[row] = split.variable / (split.fixed + split.variable)
                self._fixed[row] = (1.0 - self._share[row]) * (1.0 + self._basis[row]) * self.index_price
            else:
                self._basis[row], self._averages = 0.0, True
                self._share[row] = left_s / window_s if so_far.left_us else 0.0
                self._fixed[row] = split.fixed

    def _find_windows(self, market: Market) -> None:
        """Find the contracts inside their windows at this point of the grid; one that is past its own is at its index.

        Such a contract is still held because there was no price to settle it at.
        """
        self._windows_us = self.grid_us
        self._windows = []
        self._share.fill(1.0)
        self._fixed.fill(0.0)
        averages: dict[int, Average | None] = {}
        for row, name in self._dated:
            expiry_us = int(self._expiry_us[row])
            if expiry_us - WINDOW_US > self.grid_us:
                continue
            if expiry_us not in averages:
                averages[expiry_us] = market.ticks.averages.so_far(self.underlying, expiry_us, self.grid_us)
            so_far = averages[expiry_us]
            if so_far is not None and so_far.good_us:
                self._windows.append((row, name, so_far))
            elif expiry_us < self.grid_us:
                self._windows.append((row, name, Average(np.nan, 0, WINDOW_US)))

    def _read_funding(self, market: Market) -> None:
        for row, name in self._perpetuals:
            index = market.ticks.funding(name)
            self._funding[row] = index.coins if self._kind[row] == scenarios.INVERSE else index.usd
        self._funding_us = market.ticks.funding_us
        if self._moved is not None:
            self._moved.add(0)

    def _set_forward(self) -> None:
        """Set each row's price: exactly (1 + basis) index where nothing is fixed."""
        np.multiply(self._basis + 1.0, self.index_price, out=self._forward)
        np.multiply(self._forward, self._share, out=self._forward)
        np.add(self._forward, self._fixed, out=self._forward)

    def _set_time(self, grid_us: int) -> None:
        self.grid_us = self._timed_us = grid_us
        self._moved = None
        p = self.parameters
        self._years = _years(self._expiry_us, grid_us)  # anew: marks may have the one before
        group_years = _years(self._group_expiry_us, grid_us)
        np.maximum(p.annualised_move_risk * group_years, p.min_annualised_move, out=self.group_rate)

    def _price(self) -> None:
        table = self.table
        scenarios.risk_array(
            self._kind, self._is_call, self._size, self._strike, self._forward, self._fixed, self._funding,
            self._years, self._vol, self.index_price, table.move, table.linear_move, table.vol_direction, table.weight,
            *self.shocks, self.pnl, self.value, self.delta, self.market_delta,
        )  # fmt: skip

    def _read_instrument(self, row: int, instrument: Instrument) -> None:
        self._size[row] = instrument.contract_size
        self._expiry_us[row] = instrument.expiry_us or 0
        inverse = instrument.contract == "inverse"
        if instrument.type == "option":
            assert instrument.strike is not None
            self._kind[row] = scenarios.INVERSE_OPTION if inverse else scenarios.LINEAR_OPTION
            self._is_call[row] = instrument.option_type == "call"
            self._strike[row] = instrument.strike
        else:
            self._kind[row] = scenarios.INVERSE if inverse else scenarios.LINEAR
            self._linear.append((row, instrument.instrument))
            if inverse:
                self._inverse.add(row)
        if instrument.expiry_us is not None:
            self._dated.append((row, instrument.instrument))
            self._first_window_us = min(self._first_window_us, instrument.expiry_us - WINDOW_US)
        if instrument.type == "perpetual":
            self._perpetuals.append((row, instrument.instrument))

    def _allocate(self, n: int) -> None:
        self._linear = []
        self._inverse = set()
        self._moved = None
        self._averages = False
        self._dated = []
        self._first_window_us = NEVER_US
        self._windows = []
        self._windows_us = -1
        self._perpetuals = []
        self._funding_us = -1
        self._kind = np.zeros(n, dtype=np.int64)
        self._is_call = np.zeros(n, dtype=np.bool_)
        self._size = np.ones(n)
        self._strike = np.ones(n)
        self._expiry_us = np.zeros(n, dtype=np.int64)
        self.marks: Floats = np.zeros((len(Mark._fields), n))
        self._basis, self._vol, self._fixed, self._share, self._funding = self.marks
        self._share.fill(1.0)
        self._forward = np.zeros(n)
        self._years = np.zeros(n)
        self.value: Floats = np.zeros(n)
        self.delta: Floats = np.zeros(n)
        self.market_delta: Floats = np.zeros(n)
