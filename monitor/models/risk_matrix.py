"""Model A of one portfolio: a risk matrix for each underlying, profits that offset, and what a matrix does not show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kernels import blocks, contingencies, risk_cells, risk_matrix, scenarios
from kernels._jit import Floats, Ints
from kernels.scenarios_table import ScenarioTable
from monitor.models.margin import Margin, Part, Worst, not_computed
from monitor.models.portfolio import Portfolio, Underlying
from schemas.parameters import ParameterSet, RiskMatrixParameters

MODEL = "A"
COMPONENTS = (
    "scan_usd", "roll_usd", "delta_shock_usd", "correlation_usd", "short_options_usd", "futures_offset_usd",
    "vega_offset_usd",
)  # fmt: skip
VOLATILITIES = {scenarios.UP: "up", scenarios.SAME: "unchanged", scenarios.DOWN: "down"}


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """One underlying's cells and charges, USD: `cells_usd` float64[S] in the order of `table`; `charges` by name.

    `stands_alone` says that its profits offset nothing and its worst case is added to those of others.
    """

    underlying: Underlying
    parameters: RiskMatrixParameters
    table: ScenarioTable
    cells_usd: Floats
    charges: dict[str, float]
    delta_coins: float

    @property
    def stands_alone(self) -> bool:
        """Whether nothing here cancels losses elsewhere."""
        return self.parameters.pnl_offset == 0.0 or self.parameters.max_offsetable_pnl_usd == 0.0


def matrix_of(parameters: ParameterSet, underlying: str) -> RiskMatrixParameters:
    """Return the values for an underlying."""
    return parameters.underlyings.get(underlying, parameters.risk_matrix)


def beyond_columns(parameters: RiskMatrixParameters) -> tuple[str, ...]:
    """Return the fields whose values only `margin` computes: a per-tick sweep over columns of cells leaves them out."""
    used = {
        "pnl_offset": parameters.pnl_offset > 0.0 and parameters.max_offsetable_pnl_usd > 0.0,
        "extended_table": parameters.extended_table != "simple",
        "correlation_contingency_rate": parameters.correlation_contingency_rate > 0.0,
        "short_option_rate": parameters.short_option_rate > 0.0,
        "futures_offset_rate": parameters.futures_offset_rate > 0.0,
        "vega_offset_rate": parameters.vega_offset_rate > 0.0,
    }
    return tuple(name for name, is_used in used.items() if is_used)


def margin(portfolio: Portfolio, parameters: ParameterSet, parameter_hash: str) -> Margin:
    """Return model A's margin of a portfolio, USD.

    Of the parameters only the risk matrices count. NaN with reasons in `degraded` where something held has no value.
    Source: docs/margin-model-a.md.
    """
    if portfolio.missing:
        return not_computed(MODEL, parameter_hash, portfolio.market_time_us, portfolio.missing, portfolio.flags)
    matrices = [matrix(one, matrix_of(parameters, one.name)) for one in portfolio.underlyings]
    im, mm = dict.fromkeys(COMPONENTS, 0.0), dict.fromkeys(COMPONENTS, 0.0)
    worst: list[Worst] = []
    parts: list[Part] = []
    for group in groups(matrices):
        group_worst, scans = scan(group)
        worst += group_worst
        # Of several factors the largest: with the own one of each, a profit could outweigh the loss it is set against.
        scan_factor = max(one.parameters.mm_factor for one in group)
        for one, scan_usd in zip(group, scans, strict=True):
            own = {"scan_usd": scan_usd, **one.charges}
            factors = dict.fromkeys(own, one.parameters.mm_factor) | {"scan_usd": scan_factor}
            for name, value in own.items():
                im[name] += value
                mm[name] += factors[name] * value
            parts.append(_part(one, own, factors))
    return Margin(
        model=MODEL, parameter_hash=parameter_hash, market_time_us=portfolio.market_time_us,
        equity_usd=portfolio.equity_usd, im_requirement_usd=math.fsum(im.values()),
        mm_requirement_usd=math.fsum(mm.values()), im_components=im, mm_components=mm,
        worst=tuple(sorted(worst, key=lambda one: one.underlying)),
        parts=tuple(sorted(parts, key=lambda part: part.underlying)), flags=portfolio.flags,
    )  # fmt: skip


def matrix(underlying: Underlying, parameters: RiskMatrixParameters) -> Matrix:
    """Return one underlying's cells and charges, each position's P&L summed by `kernels.blocks`."""
    p, n = parameters, len(underlying.quantity)
    table = scenarios.scenario_table(p.price_range, p.buckets_each_side, p.extended_moves)
    if p.extended_table == "dampened":
        table = risk_cells.scaled_extension(table, p.price_range, p.extended_factor)
    pnl = underlying.pnl_usd(table, p)
    held = np.array([0, n], dtype=np.int64), np.arange(n, dtype=np.int64), underlying.quantity
    cells = np.empty((1, len(table.move)))
    blocks.blocks(*held, pnl, cells)
    group, rate = expiries(underlying, p)
    _, alone, roll, delta_shock, delta = np.empty((5, 1))
    risk_matrix.evaluate(
        *held, pnl, underlying.rows.value_usd, underlying.rows.delta_coins, underlying.rows.market_delta_coins,
        group, rate, underlying.index_price, p.delta_shock_slope, p.delta_shock_threshold_usd, p.max_delta_shock,
        _, alone, np.empty(1, dtype=np.int64), roll, delta_shock, delta,
    )  # fmt: skip
    cells_usd = cells[0]
    if p.extended_table == "dampened":
        cells_usd = risk_cells.dampened(cells_usd, table, p.price_range, p.extended_dampener_usd)
    charges = {
        "roll_usd": float(roll[0]),
        "delta_shock_usd": float(delta_shock[0]),
        "correlation_usd": p.correlation_contingency_rate * max(0.0, -float(cells_usd.min())),
        **_older_rules(underlying, p, pnl, group),
    }
    return Matrix(underlying, p, table, cells_usd, charges, float(delta[0]))


def expiries(underlying: Underlying, parameters: RiskMatrixParameters) -> tuple[Ints, Floats]:
    """Return the expiry of each row by number, int64[n], -1 of coins, and the roll rate of each expiry.

    A perpetual is an expiry of its own.
    """
    rows = underlying.rows
    number: dict[int | str, int] = {}
    group = np.full(len(underlying.quantity), risk_matrix.NO_GROUP, dtype=np.int64)
    rates: list[float] = []
    for row, name in enumerate(underlying.names):
        if name is None:
            continue
        group[row] = number.setdefault(int(rows.expiry_us[row]) or name, len(number))
        if group[row] == len(rates):
            annual = parameters.annualised_move_risk * float(rows.years[row])
            rates.append(max(annual, parameters.min_annualised_move))
    return group, np.array(rates, dtype=np.float64)


def groups(matrices: list[Matrix]) -> list[list[Matrix]]:
    """Return the underlyings whose cells are added up before the worst is taken: one group for each grid of moves.

    Whatever stands alone is a group of its own.
    """
    together: dict[int, list[Matrix]] = {}
    alone = []
    for one in matrices:
        if one.stands_alone:
            alone.append([one])
        else:
            together.setdefault(one.parameters.buckets_each_side, []).append(one)
    return [*alone, *together.values()]


def scan(group: list[Matrix]) -> tuple[list[Worst], list[float]]:
    """Return the worst cell of a group, as each underlying has it, and each one's part of the loss there, USD."""
    cell_of = risk_cells.common_cells([one.table for one in group], group[0].parameters.buckets_each_side)
    added = np.array([_added(one)[cell] for one, cell in zip(group, cell_of, strict=True)])
    common, total = risk_cells.worst_cell(np.array([math.fsum(column) for column in added.T.tolist()]))
    worst = []
    for one, cells in zip(group, cell_of, strict=True):
        cell = int(cells[common])
        move, volatility = float(one.table.move[cell]), VOLATILITIES[int(one.table.vol_direction[cell])]
        label = f"price {move:+.2%}, volatility {volatility}"
        worst.append(Worst(label, float(one.cells_usd[cell]), cell, one.underlying.name))
    # No cell is above the present one, which is zero up to rounding.
    return worst, [0.0 if total >= 0.0 else 0.0 - float(value) for value in added[:, common]]


def _added(one: Matrix) -> Floats:
    if one.stands_alone:
        return one.cells_usd
    return risk_cells.offset_profits(one.cells_usd, one.parameters.pnl_offset, one.parameters.max_offsetable_pnl_usd)


def _older_rules(underlying: Underlying, p: RiskMatrixParameters, pnl: Floats, group: Ints) -> dict[str, float]:
    """Return the switchable contingencies, USD."""
    rows, quantity = underlying.rows, underlying.quantity
    option, future = underlying.is_option, underlying.is_future
    charges = dict.fromkeys(("short_options_usd", "futures_offset_usd", "vega_offset_usd"), 0.0)
    if p.short_option_rate > 0.0:
        coins = (quantity * rows.size)[option]
        short = contingencies.naked_short_coins(coins, rows.expiry_us[option], rows.strike[option])
        charges["short_options_usd"] = p.short_option_rate * short * underlying.index_price
    if p.futures_offset_rate > 0.0:
        coins = (quantity * rows.market_delta_coins)[future]
        offset = contingencies.offset_between(coins, group[future])
        charges["futures_offset_usd"] = p.futures_offset_rate * offset * underlying.index_price
    if p.vega_offset_rate > 0.0:
        up, down = 3 * p.buckets_each_side, 3 * p.buckets_each_side + 2  # of the unmoved price
        offsets = [
            contingencies.offset_between((quantity * pnl[:, cell])[option], group[option]) for cell in (up, down)
        ]
        charges["vega_offset_usd"] = p.vega_offset_rate * max(offsets)
    return charges


def _part(one: Matrix, own: dict[str, float], factors: dict[str, float]) -> Part:
    return Part(
        underlying=one.underlying.name,
        value_usd=one.underlying.position_usd + math.fsum(one.underlying.entry_usd),
        im_usd=math.fsum(own.values()),
        mm_usd=math.fsum(factors[name] * value for name, value in own.items()),
        delta_coins=one.delta_coins,
    )
