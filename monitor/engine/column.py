"""One underlying under one parameter set and margin model: the rows of what its accounts hold, and their prices.

A column is a cache. Its numbers are a function of the market and of the accounts' exposures alone: an exposure is
summed in the order of its names, whatever rows these have, so the path that led there leaves no trace.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from kernels import blocks, move_losses, netted_accounts, risk_matrix
from monitor.engine.evaluation import Exposed
from monitor.engine.figures import Floats, Ints
from monitor.engine.pricing import Pricing, grid
from monitor.engine.ranges import in_force
from monitor.models.risk_matrix import beyond_columns
from schemas.add_ons import OFF
from schemas.collateral import CollateralParameters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.engine.certificate_groups import Group
    from monitor.engine.market import Market
    from monitor.engine.parameters import ActiveSet
    from monitor.engine.segments import Segments
    from monitor.engine.sums import Place
    from monitor.engine.tables import Tables
    from schemas.records import MarginModel, NettingParameters, ParameterSet, RiskMatrixParameters

Followed = Literal["nothing", "index", "all"]  # what was read of the market
Exposure = list[tuple[str | None, float]]  # (instrument, contracts) sorted by name; None first: coins

DAY_US = 86_400_000_000
SWEPT = ("A", "P")  # models whose requirements are computed for all accounts of a column at once
ALONE: Final = ""  # in place of a model: the columns of accounts that are computed one by one
FEWEST_MOVES = 3  # of a table
LEAST_UNHELD = 64  # rows of instruments that nobody holds, before they are taken away


class Column:
    """The kernels' view of one (underlying, parameter set, margin model): its instruments' rows, and their table.

    `rows_stale`: rows must be priced before any evaluation. `newly_held`: somebody has taken a position in what nobody
    held, which drifts do not know yet. `moment`: how often the market was read.
    """

    def __init__(
        self, underlying: str, set_name: str, model: MarginModel | Literal[""], index: int, segments: Segments,
        tables: Tables,
    ) -> None:  # fmt: skip
        self.underlying = underlying
        self.set_name = set_name
        self.netted = model == "P"
        self.swept = model != ALONE
        self.index = index
        self.pricing = Pricing(underlying)
        self._segments = segments
        self._tables = tables
        self._names: list[str] = []  # of the rows after the coin's
        self._holders: Ints = np.zeros(1, dtype=np.int64)  # accounts with a position in a row
        self._layout: Ints = np.zeros(0, dtype=np.int64)
        self._all_rows: Ints = np.zeros(0, dtype=np.int64)
        self.moment = 0
        self.newly_held = False
        self.rows_stale = True
        self._surface_stale = True
        self._parameters_stale = True
        self._refinement = 1
        self._refined_us = -1
        self._refined_by: tuple[object, object] = (None, None)  # listing and parameters
        self._behind: Market | None = None
        self.group: Group | None = None  # of the accounts that are certified together

    # --- what the accounts hold -----------------------------------------------------------------

    def set_exposure(self, slot: int, exposure: Exposure) -> None:
        """Replace one account's exposure; an instrument that nobody held before gets a row at the end."""
        self._have_rows(name for name, _ in exposure)
        row_of = self.pricing.row_of
        rows = [row_of[name] for name, _ in exposure]
        self._count(slot, -1)
        self._segments.set_positions(slot, rows, [held for _, held in exposure])
        self.newly_held |= any(self._holders.item(row) == 0 for row in rows)
        self._count(slot, 1)

    def _have_rows(self, names: Iterable[str | None]) -> None:
        new = [name for name in names if name is not None and name not in self.pricing.row_of]
        if new:
            self._set_names([*self._names, *new])
            self._holders = np.append(self._holders, np.zeros(len(new), dtype=np.int64))

    def _row(self, name: str | None) -> int:
        """Return an instrument's row, a new one at the end if it has none."""
        row = self.pricing.row_of.get(name)
        if row is None:
            self._have_rows((name,))
            row = self.pricing.row_of[name]
        return row

    def begin(self, slot: int, name: str | None, quantity: float) -> None:
        """Let a segment that is empty hold one instrument."""
        row = self._row(name)
        self._segments.set_positions(slot, (row,), (quantity,))
        self.newly_held |= self._holders.item(row) == 0
        self._holders[row] += 1

    def set_quantity(self, place: Place, name: str | None, quantity: float) -> bool:
        """Replace one quantity of an account's exposure (0.0: none); return False, and do nothing, if none is left."""
        row, rows = self.pricing.row_of.get(name), place.read()
        if row is not None and row in rows:
            at = rows.index(row)
            if quantity != 0.0:
                self._segments.quantity[place.start + at] = quantity
                return True
            if len(rows) == 1:
                return False
            self._segments.drop(place.slot, at)
            self._holders[row] -= 1
            place.forget()
        elif quantity != 0.0:
            row = self._row(name)
            self._segments.put(place.slot, self._place_of(name, rows), row, quantity)
            self.newly_held |= self._holders.item(row) == 0
            self._holders[row] += 1
            place.forget()
        return True

    def rows_of(self, slot: int) -> tuple[int, list[int]]:
        """Return where the positions of a segment start, and their rows."""
        s = self._segments
        start = s.start.item(slot)
        return start, s.row[start : s.stop.item(slot)].tolist()

    def _place_of(self, name: str | None, rows: list[int]) -> int:
        """Return where a name belongs among the rows of an exposure."""
        if name is None:
            return 0
        first = 1 if rows[0] == 0 else 0
        return bisect_left(rows, name, lo=first, key=lambda row: self._names[row - 1])

    def release(self, slot: int) -> None:
        """Give up one account's exposure."""
        self._count(slot, -1)
        self._segments.give_back(slot)

    def exposure(self, slot: int) -> tuple[Ints, Floats]:
        """Return rows and quantities of one account's exposure."""
        return self._segments.positions(slot)

    @property
    def has_accounts(self) -> bool:
        """Whether any account holds something of this underlying."""
        return self._segments.held_by(self.index) > 0

    @property
    def accounts(self) -> Ints:
        """Rows of all accounts that hold something of this underlying, in the order of their segments."""
        rows: Ints = self._segments.account[self._segments.live(self.index)]
        return rows

    def _count(self, slot: int, by: int) -> None:
        start, stop = self._segments.start[slot], self._segments.stop[slot]
        self._holders[self._segments.row[start:stop]] += by  # an instrument has one position in an exposure

    def _set_names(self, names: list[str]) -> None:
        self._names = names
        self.pricing.row_of = {None: 0} | {name: row + 1 for row, name in enumerate(names)}
        self.rows_stale = True

    def _forget_unheld(self, market: Market) -> None:
        """Take away the rows of instruments that nobody holds, if they are many or one is not listed any more."""
        kept = self._holders > 0
        kept[0] = True
        unheld = len(kept) - int(kept.sum())
        if not unheld:
            return
        listed = (market.instruments.get(name) is not None for name in self._names)
        if unheld <= max(LEAST_UNHELD, int(kept.sum())) and all(listed):
            return
        self._segments.replace_rows(self.index, np.cumsum(kept) - 1)
        self._holders = self._holders[kept]
        self._set_names([name for name, is_kept in zip(self._names, kept[1:], strict=True) if is_kept])

    # --- what the market says -------------------------------------------------------------------

    def set_parameters_stale(self) -> None:
        """Take scenario table and shocks anew at the next pricing: the parameter set or the price range changed."""
        self._parameters_stale = True

    def set_surface_stale(self) -> None:
        """Read volatilities and forwards anew at the next pricing, because a surface or a listing changed."""
        self._surface_stale = True

    def follow(self, market: Market, *, index_only: bool) -> Followed:
        """Read the market without pricing, which `catch_up` does when it is needed; `index_only`: nothing else moved.

        Nothing is read where rows or parameters changed: then everything has to be priced.
        """
        self.moment += 1
        if index_only and not (self._surface_stale or self.pricing.averaged):
            if self.rows_stale or self._parameters_stale:
                return "nothing"
            self.pricing.read_index(market)
            self._behind = market
            return "index"
        if self.netted and (self._surface_stale or self._refined_us != grid(market.time_us)):
            self._refine(market)
        if self.rows_stale or self._parameters_stale:
            return "nothing"
        if self._surface_stale:
            self.pricing.read_surfaces(market)
            self._surface_stale = False
        self.pricing.read(market)
        self._behind = market
        return "all"

    def catch_up(self) -> None:
        """Price what was only followed."""
        if self._behind is not None:
            self.price(self._behind)

    @property
    def is_behind(self) -> bool:
        """Whether prices are those of an earlier moment."""
        return self._behind is not None

    def price(self, market: Market) -> None:
        """Reprice every row at the market's present state."""
        self.moment += 1
        self._behind = None
        if self.netted and (self._surface_stale or self._refined_us != grid(market.time_us)):
            self._refine(market)
        resized = self.rows_stale or self._parameters_stale
        if self.rows_stale:
            self._forget_unheld(market)
            self.pricing.set_names(self._names, market)
            self.rows_stale = False
            self._surface_stale = True
            self._parameters_stale = True
        if self._parameters_stale:
            active = self._active(market)
            price_range = range_of(market, self.underlying, active) if self.netted else None
            self.pricing.set_parameters(active.risk_matrix(self.underlying), self._refinement, price_range)
            self._parameters_stale = False
        if self._surface_stale:
            self.pricing.read_surfaces(market)
            self._surface_stale = False
        self.pricing.price(market)
        if self.swept:
            if resized:
                self._resize_table()
            self._fill_table()

    def _resize_table(self) -> None:
        p = self.pricing
        self._all_rows = np.arange(len(p.row_of))
        if self.netted:
            width = self.width
            before = int(self._tables.columns[self.index, netted_accounts.WIDTH])
            self._layout = move_losses.columns_of(width, p.side)
            falls, rises = int(np.sum(p.side < 0)), int(np.sum(p.side > 0))
            self._tables.resize(self.index, len(p.row_of) * len(self._layout), width, falls, rises)
            if width != before:
                self._regrid_mixtures(before)
        else:
            stride = risk_matrix.table_stride(len(p.table.move), len(p.group_rate))
            self._tables.resize(self.index, len(p.row_of) * stride)

    def _regrid_mixtures(self, before: int) -> None:
        """Let all accounts' mixtures be of the moves there are now, with the mean moves that they had of `before` many.

        The matrices allow the means of all an account's underlyings together: were one of them changed here, even to no
        move, its lower bound might be above the requirement.
        """
        s, live, width = self._segments, self._segments.live(self.index), self.width
        if before < FEWEST_MOVES:  # nobody was swept yet
            s.left[live] = s.right[live] = width // 2
            s.share[live] = 0.0
            return
        finer = (width - 1) / (before - 1)
        left, right = s.left[live] * finer, s.right[live] * finer
        mean = left + s.share[live] * (right - left)
        first, last = np.floor(left), np.minimum(np.ceil(right), width - 1)
        apart = np.maximum(last - first, 1.0)
        s.left[live], s.right[live], s.share[live] = first, last, (mean - first) / apart

    def _fill_table(self) -> None:
        p, table = self.pricing, self._tables.of(self.index)
        if self.netted:
            move_losses.fill_curves(self._all_rows, p.pnl, p.value, p.delta, self._layout, table)
        else:
            stride = risk_matrix.table_stride(len(p.table.move), len(p.group_rate))
            risk_matrix.fill_table(
                self._all_rows, p.pnl, p.value, p.delta, p.market_delta, p.expiry_group, stride, table
            )

    def _refine(self, market: Market) -> None:
        """Take a finer grid of moves while a listed option of the underlying is about to expire."""
        at_us, active = grid(market.time_us), self._active(market)
        listing = market.instruments.of_underlying(self.underlying)
        if at_us == self._refined_us and listing is self._refined_by[0] and active is self._refined_by[1]:
            return
        self._refined_us, self._refined_by = at_us, (listing, active)
        refinement = refinement_of(market, self.underlying, active.set.netting)
        if refinement != self._refinement:
            self._refinement = refinement
            self._parameters_stale = True

    def _active(self, market: Market) -> ActiveSet:
        active = market.parameters.get(self.set_name) or market.parameters.get("default")
        assert active is not None, "the default set always exists"
        return active

    # --- what follows ---------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """How many standard moves the scenario table has."""
        return 2 * self.pricing.buckets + 1

    def evaluate_one(self, slot: int) -> Results:
        """Evaluate one account's exposure at present prices."""
        return _evaluate_rows(self.pricing, self.netted, *self.exposure(slot))

    def names_of(self, rows: Iterable[int]) -> list[str]:
        """Return the instruments in some rows, none of them the coin's."""
        names = self._names
        return [names[row - 1] for row in rows]

    def exposed(self, slot: int) -> Exposed:
        """Return one account's exposure under model P, at present prices."""
        p, (rows, quantity) = self.pricing, self.exposure(slot)
        indptr = np.array((0, len(rows)), dtype=np.int64)
        of_both, losses, pnl = np.zeros((2, 1)), np.zeros((1, self.width)), np.zeros((1, p.pnl.shape[1]))
        move_losses.evaluate(indptr, rows, quantity, p.pnl, p.value, p.delta, p.side, of_both[0], of_both[1], losses)
        blocks.blocks(indptr, rows, quantity, p.pnl, pnl)
        return Exposed(self, rows, quantity, p.marks.take(rows, 1), of_both.item(0), of_both.item(1), losses[0], pnl[0])

    def worst_scenarios(self, block: Floats) -> Ints:
        """Return the scenario that gives the loss of each standard move of a block, -1 throughout if any is NaN."""
        out = np.zeros(self.width, dtype=np.int64)
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
    def holders(self) -> Ints:
        """How many accounts have a position in each row, int64[n]."""
        return self._holders

    def take_newly_held(self) -> bool:
        """Return `newly_held`, and know it from now on."""
        newly, self.newly_held = self.newly_held, False
        return newly


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
    rows = np.array([pricing.row_of[name] for name, _ in exposure], dtype=np.int64)
    return _evaluate_rows(pricing, netted, rows, np.array([quantity for _, quantity in exposure], dtype=np.float64))


def _evaluate_rows(pricing: Pricing, netted: bool, rows: Ints, quantity: Floats) -> Results:
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
