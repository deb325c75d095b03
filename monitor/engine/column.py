"""One underlying under one parameter set and margin model: every account's segment over the instrument rows.

A column is a cache. Its numbers are a function of the market and of the accounts' exposures alone: the order of
segments is that of rows and lengths, so the path that led there leaves no trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from kernels import blocks, move_losses, risk_matrix
from monitor.engine.figures import Floats, Ints
from monitor.engine.pricing import Pricing, grid
from monitor.engine.ranges import in_force
from monitor.models.risk_matrix import beyond_columns
from schemas.add_ons import OFF
from schemas.collateral import CollateralParameters

if TYPE_CHECKING:
    from monitor.engine.market import Market
    from monitor.engine.parameters import ActiveSet
    from schemas.records import MarginModel, NettingParameters, ParameterSet, RiskMatrixParameters

Exposure = list[tuple[str | None, float]]  # (instrument, contracts) sorted by name; None first: coins

DAY_US = 86_400_000_000
SWEPT = ("A", "P")  # models whose requirements are computed for all accounts of a column at once
ALONE: Final = ""  # in place of a model: the columns of accounts that are computed one by one
BLOCK = 1024  # accounts whose segments are put in order by their length


class Column:
    """The kernels' view of one (underlying, parameter set, margin model)."""

    def __init__(self, underlying: str, set_name: str, model: MarginModel | Literal[""], index: int) -> None:
        self.underlying = underlying
        self.set_name = set_name
        self.netted = model == "P"
        self.swept = model != ALONE
        self.index = index
        self.pricing = Pricing(underlying)
        self._exposures: dict[int, Exposure] = {}
        self._place: dict[int, int] = {}
        self._segment_of: dict[int, int] = {}
        self._segments_stale = True
        self._rows_stale = True
        self._surface_stale = True
        self._parameters_stale = True
        self._refinement = 1
        self._refined_us = -1

    # --- what the accounts hold -----------------------------------------------------------------

    def remove(self, account_row: int) -> None:
        """Forget one account's exposure."""
        if self._exposures.pop(account_row, None) is not None:
            del self._place[account_row]
            self._segments_stale = True

    def set_exposure(self, account_row: int, place: int, exposure: Exposure) -> None:
        """Replace one account's exposure, which has that place among the account's underlyings."""
        self._exposures[account_row] = exposure
        self._place[account_row] = place
        row_of = self.pricing.row_of
        if any(name not in row_of for name, _ in exposure):
            self._rows_stale = True
        segment = self._segment_of.get(account_row)
        if self._segments_stale or self._rows_stale or segment is None:
            self._segments_stale = True
            return
        held = self._segments
        held.places[segment] = place
        start, stop = held.indptr[segment], held.indptr[segment + 1]
        rows = [row_of[name] for name, _ in exposure]
        if list(held.row[start:stop]) != rows:
            self._segments_stale = True
            return
        held.quantity[start:stop] = [quantity for _, quantity in exposure]

    @property
    def has_accounts(self) -> bool:
        """Whether any account holds something of this underlying."""
        return bool(self._exposures)

    def segments(self) -> Segments:
        """Return what the accounts hold, in blocks of account rows, the shorter of a block first."""
        self._rebuild_segments()
        return self._segments

    # --- what the market says -------------------------------------------------------------------

    def set_parameters_stale(self) -> None:
        """Take scenario table and shocks anew at the next pricing: the parameter set or the price range changed."""
        self._parameters_stale = True

    def set_surface_stale(self) -> None:
        """Read volatilities and forwards anew at the next pricing, because a surface or a listing changed."""
        self._surface_stale = True

    def price(self, market: Market) -> None:
        """Reprice every row at the market's present state."""
        if self.netted and (self._surface_stale or self._refined_us != grid(market.time_us)):
            self._refine(market)
        if self._rows_stale:
            held = {name for exposure in self._exposures.values() for name, _ in exposure if name is not None}
            self.pricing.set_names(held, market)
            self._rows_stale = False
            self._segments_stale = True
            self._surface_stale = True
            self._parameters_stale = True
        if self._parameters_stale:
            active = self._active(market)
            price_range = range_of(market, self.underlying, active) if self.netted else None
            self.pricing.set_parameters(active.risk_matrix(self.underlying), self._refinement, price_range)
            self._parameters_stale = False
            self._segments_stale = True  # their losses have as many moves as the table
        if self._surface_stale:
            self.pricing.read_surfaces(market)
            self._surface_stale = False
        self.pricing.price(market)

    def _refine(self, market: Market) -> None:
        """Take a finer grid of moves while a listed option of the underlying is about to expire."""
        self._refined_us = grid(market.time_us)
        refinement = refinement_of(market, self.underlying, self._active(market).set.netting)
        if refinement != self._refinement:
            self._refinement = refinement
            self._parameters_stale = True

    def _active(self, market: Market) -> ActiveSet:
        active = market.parameters.get(self.set_name) or market.parameters.get("default")
        assert active is not None, "the default set always exists"
        return active

    # --- what follows ---------------------------------------------------------------------------

    def evaluate_all(self) -> Results:
        """Evaluate every segment at present prices."""
        segments = self.segments()
        results = Results(len(segments.accounts), 2 * self.pricing.buckets + 1)
        evaluate(self.pricing, self.netted, segments.indptr, segments.row, segments.quantity, results)
        return results

    def evaluate_one(self, account_row: int) -> Results:
        """Evaluate one account's exposure at present prices."""
        return evaluate_exposure(self.pricing, self.netted, self._exposures[account_row])

    def block(self, account_row: int) -> Floats:
        """P&L of one account in every scenario, USD."""
        rows, quantity = _rows(self.pricing, self._exposures[account_row])
        out = np.zeros(len(self.pricing.table.move))
        blocks.blocks(np.array([0, len(rows)], dtype=np.int64), rows, quantity, self.pricing.pnl, out.reshape(1, -1))
        return out

    def worst_scenarios(self, block: Floats) -> Ints:
        """Return the scenario that gives the loss of each standard move of a block, -1 throughout if any is NaN."""
        out = np.zeros(2 * self.pricing.buckets + 1, dtype=np.int64)
        move_losses.worst_scenarios(block, self.pricing.side, out)
        return out

    def scenario(self, index: int) -> tuple[float, int]:
        """Price move and volatility direction of a scenario."""
        table = self.pricing.table
        return float(table.move[index]), int(table.vol_direction[index])

    @property
    def parameters(self) -> RiskMatrixParameters:
        """The parameters in force here."""
        return self.pricing.parameters

    @property
    def rows_stale(self) -> bool:
        """Whether rows must be priced before any evaluation."""
        return self._rows_stale

    def _rebuild_segments(self) -> None:
        if not self._segments_stale:
            return
        rows = _by_length(sorted(self._exposures), self._exposures)
        self._segment_of = {row: k for k, row in enumerate(rows)}
        lengths = [len(self._exposures[row]) for row in rows]
        row_of = self.pricing.row_of
        self._segments = Segments(
            accounts=np.array(rows, dtype=np.int64),
            places=np.array([self._place[row] for row in rows], dtype=np.int64),
            indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            row=np.array([row_of[name] for row in rows for name, _ in self._exposures[row]], dtype=np.int64),
            quantity=np.array([quantity for row in rows for _, quantity in self._exposures[row]], dtype=np.float64),
        )
        self._segments_stale = False


class Segments(NamedTuple):
    """Sparse rows as in `kernels.blocks`, one for each account row in `accounts`, in the order of these.

    `places[k]` is this column's place among the underlyings of account `accounts[k]`.
    """

    accounts: Ints
    places: Ints
    indptr: Ints
    row: Ints
    quantity: Floats


class Results:
    """Evaluation of m segments: float64[m] each; USD, except `worst` (scenario, int64) and `delta` (coins).

    Model P fills `value`, `delta` and `losses` (float64[m, width]: the worst loss at each standard move); model A all
    the others.
    """

    __slots__ = ("delta", "delta_shock", "losses", "requirement", "roll", "scan", "value", "worst")

    def __init__(self, m: int, width: int) -> None:
        self.value = np.zeros(m)
        self.losses = np.zeros((m, width))
        self.scan = np.zeros(m)
        self.roll = np.zeros(m)
        self.delta_shock = np.zeros(m)
        self.requirement = np.zeros(m)
        self.delta = np.zeros(m)
        self.worst = np.zeros(m, dtype=np.int64)


def is_plain(chosen: ParameterSet) -> bool:
    """Return whether sweeps compute all that a parameter set asks for: nothing on top, no more than columns hold."""
    matrices = (chosen.risk_matrix, *chosen.underlyings.values())
    return (
        chosen.add_ons == OFF
        and chosen.collateral == CollateralParameters()
        and not any(beyond_columns(matrix) for matrix in matrices)
    )


def is_swept(model: MarginModel, *, plain: bool) -> bool:
    """Return whether an account is computed with all others at once, its set being `plain` or not."""
    return model in SWEPT and plain


def evaluate_exposure(pricing: Pricing, netted: bool, exposure: Exposure) -> Results:
    """Evaluate one exposure over priced rows."""
    rows, quantity = _rows(pricing, exposure)
    results = Results(1, 2 * pricing.buckets + 1)
    evaluate(pricing, netted, np.array([0, len(rows)], dtype=np.int64), rows, quantity, results)
    return results


def evaluate(pricing: Pricing, netted: bool, indptr: Ints, row: Ints, quantity: Floats, results: Results) -> None:
    """Evaluate segments (as in `kernels.blocks`) over priced rows into `results`."""
    p = pricing
    if netted:
        move_losses.evaluate(
            indptr, row, quantity, p.pnl, p.value, p.delta, p.side, results.value, results.delta, results.losses
        )
        return
    shock = p.parameters
    risk_matrix.evaluate(
        indptr, row, quantity, p.pnl, p.value, p.delta, p.market_delta, p.expiry_group, p.group_rate, p.index_price,
        shock.delta_shock_slope, shock.delta_shock_threshold_usd, shock.max_delta_shock,
        results.value, results.scan, results.worst, results.roll, results.delta_shock, results.delta,
    )  # fmt: skip
    np.add(results.scan, results.roll, out=results.requirement)
    np.add(results.requirement, results.delta_shock, out=results.requirement)


def _by_length(rows: list[int], exposures: dict[int, Exposure]) -> list[int]:
    """Return account rows in blocks, in each those with fewer positions first.

    The end of a segment is a jump that a processor foretells if the last ones were as long. Blocks keep accounts near
    each other in memory.
    """
    return [
        row
        for first in range(0, len(rows), BLOCK)
        for row in sorted(rows[first : first + BLOCK], key=lambda row: len(exposures[row]))
    ]


def refinement_of(market: Market, underlying: str, netting: NettingParameters) -> int:
    """Return how many times finer model P's moves are now: 1, 2 or 4, by the nearest expiry among listed options.

    A grid of nine moves is blind for short expiries: a butterfly of one day can lose between two of them what it
    never loses on them. By listing and not by holding: no requirement must depend on what others hold.
    """
    at_us = grid(market.time_us)
    expiries = [
        instrument.expiry_us
        for instrument in market.instruments.of_underlying(underlying)
        if instrument.type == "option" and not instrument.delisted
        and instrument.expiry_us is not None and instrument.expiry_us > at_us
    ]  # fmt: skip
    days = (min(expiries) - at_us) / DAY_US if expiries else float("inf")
    if days <= netting.finest_grid_days:
        return 4
    return 2 if days <= netting.fine_grid_days else 1


def range_of(market: Market, underlying: str, active: ActiveSet) -> float:
    """Return model P's price range now: the ladder's, or where the set says so the risk matrix's own."""
    own, netting = active.risk_matrix(underlying).price_range, active.set.netting
    if netting.ranges == "fixed" or underlying in netting.fixed_ranges:
        return own
    return in_force(market.ticks.range_step(underlying), own)


def _rows(pricing: Pricing, exposure: Exposure) -> tuple[Ints, Floats]:
    rows = np.array([pricing.row_of[name] for name, _ in exposure], dtype=np.int64)
    return rows, np.array([quantity for _, quantity in exposure], dtype=np.float64)
