"""Group `deribit_pme`: futures under model A, in the coin they settle in.

Model A keeps one block of USD per underlying and revalues coins inside it; the venue computes the P&L of a coin-settled
account in coins. The two differ by the numeraire alone. A row that is worth v now and v + pnl after a move m is v/S
coins now and (v + pnl)/(S (1 + m)) coins then, a difference of (pnl - v m)/(S (1 + m)): nothing for a coin, and for an
inverse future, whose USD value -n S/p no move changes, n (1/p - 1/(p (1 + m))), the contract's own P&L. So the rows of
the same risk array are divided, and everything after it (block, worst scenario, roll, delta shock) is model A's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from kernels import blocks, risk_cells, risk_matrix, scenarios
from kernels._jit import Floats, Ints
from monitor.vectors.inputs import InvalidInputs, read, refused_at
from schemas.parameters import RiskMatrixParameters

Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]

YEAR_MS = 365.0 * 86_400_000.0
EXPIRY_HOUR_UTC = 8
_DATED = re.compile(r"^[A-Z0-9_]+-(\d{1,2})(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)(\d{2})$")
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DEFAULTS = RiskMatrixParameters()


class _Parameters(msgspec.Struct, frozen=True):
    price_range: float
    buckets_each_side: Annotated[int, Meta(ge=1, le=1_000)]
    min_annualised_move: NotNegative
    annualised_move_risk: NotNegative
    m_inc: NotNegative
    delta_total_liq_shock_threshold_usd: NotNegative
    max_delta_shock: NotNegative
    mm_factor: NotNegative
    pnl_offset: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    max_offsetable_pnl_usd: NotNegative = math.inf


class _Inputs(msgspec.Struct, frozen=True):
    index_price: Positive
    mark_prices: dict[str, Positive]
    positions_base: dict[str, float]
    contract: str
    params: _Parameters
    evaluation_timestamp_ms: float | None = None
    open_orders_margin: float = 0.0
    mmp_margin: float = 0.0


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the account holds, one row per instrument by name, coins last; unit is the index where results are coins."""

    names: list[str]
    inverse: bool
    kind: Ints
    price: Floats
    quantity: Floats
    group: Ints
    group_rate: Floats
    index: float
    unit: float


def deribit_pme(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Simulate the portfolio margin of futures positions of one index.

    `contract` begins with inverse (results in coins) or linear (results in USD); positions are in coins, of inverse
    contracts at the mark. Returns the vectors of the standard table by instrument, their sum with profits times
    pnl_offset, worst_case, roll_shock, delta_shock, risk_matrix_margin, initial_margin (with the margins of open orders
    and of market maker protection, as given) and maintenance_margin (mm_factor times the matrix alone). Options are
    refused: the form of the inputs has no volatility for them.
    """
    given = read(inputs, _Inputs)
    parameters = given.params
    with refused_at("params.price_range"):
        table = scenarios.scenario_table(parameters.price_range, parameters.buckets_each_side, _DEFAULTS.extended_moves)
    rows = _rows(given)
    pnl, value, delta, market_delta = _risk_array(rows, table)
    if rows.inverse:
        pnl = in_coins(table, pnl, value, rows.index)
    standard = slice(1, 3 * (2 * parameters.buckets_each_side + 1), 3)  # moves of the unchanged volatility
    n = len(rows.names)
    single = np.empty((n, len(table.move)))
    blocks.blocks(np.arange(n + 1), np.arange(n), rows.quantity[:n], pnl, single)
    whole = np.empty((1, len(table.move)))
    everything = np.array([0, len(rows.quantity)]), np.arange(len(rows.quantity)), rows.quantity
    blocks.blocks(*everything, pnl, whole)

    out_value, scan, roll, shock, out_delta = np.empty((5, 1))
    risk_matrix.evaluate(
        *everything, pnl, value, delta, market_delta, rows.group, rows.group_rate, rows.index,
        parameters.m_inc, parameters.delta_total_liq_shock_threshold_usd, parameters.max_delta_shock,
        out_value, scan, np.empty(1, dtype=np.int64), roll, shock, out_delta,
    )  # fmt: skip
    worst, roll_shock, delta_shock = float(scan[0]), float(roll[0]) / rows.unit, float(shock[0]) / rows.unit
    requirement = worst + roll_shock + delta_shock
    cap = parameters.max_offsetable_pnl_usd / rows.unit
    offset = risk_cells.offset_profits(whole[0, standard], parameters.pnl_offset, cap)
    return {
        "initial_vector_standard_by_bucket": {name: single[i, standard].tolist() for i, name in enumerate(rows.names)},
        "aggregated_standard_by_bucket": offset.tolist(),
        "worst_case": worst,
        "roll_shock": roll_shock,
        "delta_shock": delta_shock,
        "risk_matrix_margin": requirement,
        "initial_margin": requirement + given.open_orders_margin + given.mmp_margin,
        "maintenance_margin": parameters.mm_factor * requirement,
    }


def in_coins(table: scenarios.ScenarioTable, pnl: Floats, value: Floats, index_price: float) -> Floats:
    """Return a USD risk array as P&L in coins: (pnl - v m)/(S (1 + m)), m the coin's own move.

    pnl: float64[n, S]; value: float64[n]; the result float64[n, S]. Source: module docstring.
    """
    move = table.linear_move
    result: Floats = (pnl - value[:, None] * move) / (index_price * (1.0 + move))
    return result


def _risk_array(rows: _Rows, table: scenarios.ScenarioTable) -> tuple[Floats, Floats, Floats, Floats]:
    """Return P&L, value, delta and market delta of one unit of every row: futures of size 1, and one coin."""
    n = len(rows.kind)
    pnl, value, delta, market_delta = np.empty((n, len(table.move))), np.empty(n), np.empty(n), np.empty(n)
    one, zero, call = np.ones(n), np.zeros(n), np.zeros(n, dtype=np.bool_)
    scenarios.risk_array(
        rows.kind, call, one, one, rows.price, zero, zero, zero, zero, rows.index, *table,
        _DEFAULTS.volatility_range_up, _DEFAULTS.volatility_range_down, _DEFAULTS.min_volatility_for_shock_up,
        _DEFAULTS.short_term_vega_power, _DEFAULTS.long_term_vega_power, _DEFAULTS.dte_floor_days,
        pnl, value, delta, market_delta,
    )  # fmt: skip
    return pnl, value, delta, market_delta


def _rows(given: _Inputs) -> _Rows:
    """Book the positions as model A does: an inverse one, at its mark, is its face in USD and its entry in coins."""
    inverse = _is_inverse(given.contract)
    names = sorted(given.positions_base)
    for name in names:
        if name not in given.mark_prices:
            raise InvalidInputs(f"mark_prices.{name}", "a position needs its mark price")
    price = [given.mark_prices[name] for name in names]
    base = [given.positions_base[name] for name in names]
    quantity = [q * p for q, p in zip(base, price, strict=True)] if inverse else base
    expiry = [_expiry_ms(name) for name in names]
    groups = list(dict.fromkeys(expiry))
    years = [_years(expires_ms, given.evaluation_timestamp_ms) for expires_ms in groups]
    rate = [max(given.params.min_annualised_move, given.params.annualised_move_risk * t) for t in years]
    coins = math.fsum(base) if inverse else 0.0
    return _Rows(
        names=names,
        inverse=inverse,
        kind=np.array([scenarios.INVERSE if inverse else scenarios.LINEAR] * len(names) + [scenarios.COIN]),
        price=np.array([*price, given.index_price], dtype=np.float64),
        quantity=np.array([*quantity, coins], dtype=np.float64),
        group=np.array([*(groups.index(expires_ms) for expires_ms in expiry), risk_matrix.NO_GROUP]),
        group_rate=np.array(rate, dtype=np.float64),
        index=given.index_price,
        unit=given.index_price if inverse else 1.0,
    )


def _is_inverse(contract: str) -> bool:
    word = contract.strip().lower()
    if word.startswith("inverse"):
        return True
    if word.startswith("linear"):
        return False
    raise InvalidInputs("contract", f"it begins with inverse or linear, found {contract!r}")


def _expiry_ms(name: str) -> int | None:
    """Return the expiry in an instrument's name, 08:00 UTC in milliseconds since 1970; None for a perpetual."""
    if name.endswith("-PERPETUAL"):
        return None
    match = _DATED.match(name)
    if match is None:
        raise InvalidInputs(f"positions_base.{name}", "a perpetual or dated future is expected, such as BTC-28JUN24")
    month = _MONTHS.index(match[2]) + 1
    with refused_at(f"positions_base.{name}"):
        expiry = datetime(2000 + int(match[3]), month, int(match[1]), EXPIRY_HOUR_UTC, tzinfo=UTC)
    return int(expiry.timestamp()) * 1_000


def _years(expires_ms: int | None, now_ms: float | None) -> float:
    """Return the time to an expiry; 0 for a perpetual and after it."""
    if expires_ms is None:
        return 0.0
    if now_ms is None:
        raise InvalidInputs("evaluation_timestamp_ms", "a dated future needs it for its time to expiry")
    return max(0.0, expires_ms - now_ms) / YEAR_MS
