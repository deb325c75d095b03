"""Scan groups: what the reductions of the risk matrix say about arrays and moves of other venues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from kernels import blocks, risk_matrix, scenarios
from monitor.vectors.inputs import InvalidInputs, read, refused_at


class _Span(msgspec.Struct, frozen=True):
    risk_array_pnl_long: dict[str, list[float]]
    positions: dict[str, float]


class _Paradex(msgspec.Struct, frozen=True):
    moves: list[float]
    price_range: float


def span_scan(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Scan the risk arrays of a portfolio: risk_array_pnl_long{contract: gains}, positions{contract: quantity}.

    Returns portfolio_array, scan_risk (the largest loss, at least 0) and worst_scenario_index_1based, the lowest of
    equals.
    """
    given = read(inputs, _Span)
    arrays, names = given.risk_array_pnl_long, sorted(given.positions)
    if not names:
        raise InvalidInputs("positions", "a portfolio with positions is expected")
    for name in names:
        if len(arrays.get(name, ())) == 0:
            raise InvalidInputs(f"risk_array_pnl_long.{name}", "a position needs its risk array")
        if len(arrays[name]) != len(arrays[names[0]]):
            raise InvalidInputs(f"risk_array_pnl_long.{name}", f"{len(arrays[names[0]])} values are expected as before")
    pnl = np.array([arrays[name] for name in names], dtype=np.float64)
    n, none = len(names), np.zeros(len(names))
    segment = np.array([0, n]), np.arange(n), np.array([given.positions[name] for name in names], dtype=np.float64)
    total, worst = np.empty((1, pnl.shape[1])), np.empty(1, dtype=np.int64)
    blocks.blocks(*segment, pnl, total)
    value, scan, roll, shock, delta = np.empty((5, 1))
    no_group = np.full(n, risk_matrix.NO_GROUP)
    risk_matrix.evaluate(
        *segment, pnl, none, none, none, no_group, none, 1.0, 0.0, 0.0, 0.0, value, scan, worst, roll, shock, delta
    )
    return {
        "scan_risk": float(scan[0]),
        "worst_scenario_index_1based": int(worst[0]) + 1,
        "portfolio_array": total[0].tolist(),
    }


def paradex_scan(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Weigh moves of the extended table: moves[], price_range -> weights[], 1 for a move inside the range."""
    given = read(inputs, _Paradex)
    with refused_at("moves"):
        table = scenarios.scenario_table(given.price_range, 1, given.moves)
    extended = iter(table.weight[9:].tolist())  # behind three moves with three volatilities each
    return {"weights": [next(extended) if abs(move) > given.price_range else 1.0 for move in given.moves]}
